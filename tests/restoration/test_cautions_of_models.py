"""What is said against a model that was named: of noise that it has not learned, and nothing where it has."""

import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import temclean
from temclean import io, models, noise, specimen
from temclean.errors import TemcleanWarning
from temclean.evidence import samples, variance
from temclean.evidence.noise import measure
from temclean.restoration import cautions
from temclean.restoration.cautions import of_model
from temclean.restoration.choice import About

SIDE = 256
NOTHING = About()
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
CLEAN = 0.1 + 0.8 * np.exp(-((COLUMNS % 16 - 8.0) ** 2 + (ROWS % 16 - 8.0) ** 2) / 12)


def said(image: NDArray[Any], model: str, about: About = NOTHING, *, chosen: bool = False) -> list[str]:
    return of_model(np.asarray(image)[None], models.load(model), about, chosen=chosen)


def slow(correlation: float, level: float = 0.15) -> NDArray[np.float64]:
    """Return noise each of whose pixels remembers the one before it in its row."""
    white = np.random.default_rng(1).normal(0, level, (SIDE, SIDE))
    held = white.copy()
    for column in range(1, SIDE):
        held[:, column] = correlation * held[:, column - 1] + np.sqrt(1 - correlation**2) * white[:, column]
    return held


@pytest.fixture(scope="module")
def drawn() -> list[NDArray[Any]]:
    return [specimen.draw(kind, SIDE, 0.15, 3).image for kind in ("hr", "graphene")]


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "bbg"])
@pytest.mark.parametrize("level", [0.05, 0.2, 0.36])
def test_nothing_is_said_of_what_a_model_has_learned(family: str, level: float, drawn: list[NDArray[Any]]) -> None:
    for clean in map(specimen.scale, drawn):
        noisy = noise.apply(clean, noise.FAMILIES[family](level), 2)  # type: ignore[call-arg]
        assert said(noisy, family) == []
        assert said(np.round(255 * noisy).clip(0, 255).astype(np.uint8), family) == []


@pytest.mark.parametrize("family", ["tem", "stem", "sem"])
def test_nothing_is_said_of_microscopes_to_the_model_for_these(family: str, drawn: list[NDArray[Any]]) -> None:
    for number in range(4):
        noisy = noise.apply(drawn[number % 2], noise.FAMILIES[family](pixel_size=0.15), number)  # type: ignore[call-arg]
        lines = said(noisy, "general")
        saturated = (noisy == noisy.max()).mean() > 0.02  # as some of the drawn detectors are
        assert ["greatest value" in line for line in lines] in ([], [True] if saturated else [])


def test_specks_are_for_the_models_that_know_them() -> None:
    grainy = np.clip(CLEAN + np.random.default_rng(2).normal(0, 0.08, CLEAN.shape), 0, 1)
    image = noise.apply(grainy, noise.SaltPepper(0.05), 3)
    for model in ("g", "bbg", "general", "fast"):
        (line,) = said(image, model)
        assert "specks" in line
        assert "-m gsp" in line
    assert said(image, "gsp") == []
    (line,) = said(image, "sp")
    assert "grain" in line
    assert "-m gsp" in line
    (line,) = said(CLEAN + np.random.default_rng(2).normal(0, 0.1, CLEAN.shape), "sp")
    assert "-m g takes it" in line


def test_noise_that_hangs_together_is_not_for_models_of_white_noise() -> None:
    image = CLEAN + slow(0.5)
    (line,) = said(image, "g")
    assert "along rows (0.5" in line
    (line,) = said(image.T, "g")
    assert "along columns (0.5" in line
    assert said(image, "general") == []
    assert said(CLEAN + slow(0.1), "g") == []
    noise_alone = np.random.default_rng(4).normal(0, 0.3, (SIDE + 1, SIDE + 1))
    halved = (noise_alone[1:] + noise_alone[:-1])[:, 1:] + (noise_alone[1:] + noise_alone[:-1])[:, :-1]
    (line,) = said(4 * CLEAN + halved, "g")  # means of 2x2 have 0.5 in common with the next along each axis
    assert "both axes" in line
    stripes = np.random.default_rng(5).normal(0, 0.12, (SIDE, 1))
    (line,) = said(CLEAN + np.random.default_rng(6).normal(0, 0.15, CLEAN.shape) + stripes, "gsp")
    assert "whole rows" in line


def test_few_counts_are_not_grain_of_even_strength() -> None:
    rng = np.random.default_rng(7)
    (line,) = said(rng.poisson(1.5 * CLEAN), "g")
    assert "counts a pixel" in line
    assert said(rng.poisson(1.5 * CLEAN), "general") == []
    assert said(rng.poisson(30 * CLEAN), "g") == []


def test_what_has_no_noise_needs_no_model() -> None:
    for image in (CLEAN, CLEAN + np.random.default_rng(8).normal(0, 1e-4, CLEAN.shape)):
        for chosen in (False, True):
            (line,) = said(image, "g", chosen=chosen)
            assert "hardly any noise" in line
    assert said(CLEAN + np.random.default_rng(8).normal(0, 0.01, CLEAN.shape), "g") == []


def lattice(period: float) -> np.ndarray:
    """Return a square lattice of waves, from -1 to 1, without noise."""
    return np.cos(2 * np.pi * COLUMNS / period) * np.cos(2 * np.pi * ROWS / period)


def test_a_glance_is_enough_where_noise_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lde takes 45 ms a frame of 512x512, and a report 5 ms; nothing is said of an image without noise at a glance."""
    asked = []
    measured = cautions.noise.report
    monkeypatch.setattr(cautions.noise, "report", lambda sample: asked.append(1) or measured(sample))
    draw = np.random.default_rng(12)
    counted, grainy = draw.poisson(20 * CLEAN + 10).astype(np.uint16), CLEAN + draw.normal(0, 0.05, CLEAN.shape)
    for noisy in (counted, grainy, CLEAN + slow(0.5)):
        assert said(noisy, "lde") == said(noisy, "general", chosen=True) == []
    assert not asked
    for period in (3.0, 4.0, 8.0):
        assert ["hardly any noise" in line for line in said(lattice(period), "lde")] == [True]


@pytest.mark.parametrize("period", [4.0, 5.0])
def test_a_fine_lattice_that_hides_noise_is_not_said_to_have_none(period: float) -> None:
    """Noise of 0.005 of the range is five times what counts as hardly any; the report says that it can't tell."""
    noisy = lattice(period) + np.random.default_rng(1).normal(0, 0.01, CLEAN.shape)
    assert said(noisy, "lde") == []
    told = cautions.noise.measure(noisy)
    assert told.sigma - told.sigma_error < 0.01 < told.sigma + told.sigma_error


@pytest.mark.parametrize("level", [0.01, 0.1])
def test_a_glance_shows_less_than_the_noise_there_is(level: float) -> None:
    clean = 0.2 + 0.6 * CLEAN
    for grain in (np.random.default_rng(13).normal(0, level, CLEAN.shape), slow(0.5, level), slow(-0.7, level)):
        assert 0.1 * level < variance.at_a_glance((clean + grain).astype(np.float32)[None]) < 0.3 * level
    assert variance.at_a_glance(clean.astype(np.float32)[None]) < 1e-6


def test_saturated_areas_are_told_from_noise_that_is_cut_off() -> None:
    grain = np.random.default_rng(9).normal(0, 0.02, CLEAN.shape)
    bright = np.round(200 * np.clip(2 * CLEAN + grain, 0, 1)).astype(np.uint8)
    (line,) = said(bright, "general", About("SEM", 10.0))
    assert "greatest value there is, 200," in line
    assert abs(int(line.split("%")[0]) - 100 * (2 * CLEAN >= 1).mean()) < 2
    cut = np.round(200 * np.clip(CLEAN + 0.3 + 10 * grain, 0, 1)).astype(np.uint8)
    assert (cut == 200).mean() > 0.02
    assert said(cut, "g") == []


def test_nothing_is_said_against_a_model_that_was_chosen() -> None:
    assert said(CLEAN + slow(0.5), "g", chosen=True) == []


def test_of_a_movie_the_middle_frame_is_looked_at_and_little_of_it() -> None:
    seen = []

    class Movie(io.Frames):
        def frame(self, index: int) -> np.ndarray:
            seen.append(index)
            return CLEAN + slow(0.5)

    movie = Movie(Path("movie"), (101, SIDE, SIDE), np.dtype("f8"))
    assert len(of_model(movie, models.load("g"), About())) == 1
    assert seen == [50]
    large = np.tile(CLEAN, (6, 6)) + np.random.default_rng(10).normal(0, 0.1, (6 * SIDE, 6 * SIDE))
    known = models.load("g")
    spent: dict[str, list[float]] = {"a glance": [], "the whole": []}
    for _ in range(4):
        samples.forget()
        began = time.process_time()
        of_model(large[None], known, About())
        looked = time.process_time()
        measure(large)
        spent["a glance"].append(looked - began)
        spent["the whole"].append(time.process_time() - looked)
    assert min(spent["a glance"]) < 0.3 * min(spent["the whole"])


def test_frames_that_tell_too_little_are_passed_over() -> None:
    rng = np.random.default_rng(11)
    family = replace(models.load("g"), family="somebody's own")
    assert of_model(np.zeros((1, SIDE, SIDE)), family, About()) == []
    assert of_model((CLEAN + slow(0.5))[None], family, About()) == []
    assert said(rng.poisson(1.0, (32, 32)), "g") == []


def test_the_command_line_and_python_say_it(tmp_path: Path, run) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    pixels = (40000 * (CLEAN + slow(0.6)).clip(-0.5, 1.1) + 20000).astype(np.uint16)[:96, :96]
    path = io.write(tmp_path / "slow.tif", io.Image.from_array(pixels, 0.1, "nm"), [pixels])
    done = run("denoise", path, "-m", "g", "--device", "cpu")
    assert done.code == 0
    assert "slow.tif: warning: the noise hangs together along rows" in done.err
    with pytest.warns(TemcleanWarning, match="hangs together along rows"):
        temclean.denoise(pixels, "g", device="cpu")
    chosen = temclean.choose(pixels, available=["g"])
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*hangs together")
        warnings.filterwarnings("ignore", message="structure that")
        temclean.denoise(pixels, chosen, device="cpu")


@pytest.mark.skipif(not DATA.is_dir(), reason="real files are not here")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("si110_adf.png", "along rows"),
        ("sto_osiris_u16.tif", "along rows"),
        ("ceta_dark_velox.emd", "whole columns"),
        ("sto_osiris_r_em_output_f32.tif", "hardly any noise"),
        ("feiext_crop1024.mrc", None),
        ("abf_movie5.tif", None),
        ("rebco_sem_u16.tif", None),
    ],
)
def test_of_real_files_those_are_named_that_g_does_not_fit(name: str, words: str | None) -> None:
    with io.read(DATA / name) as image:
        lines = of_model(image.pixels, models.load("g"), About.of(image))
    assert [words in line for line in lines] == ([True] if words else [])


@pytest.mark.parametrize("seed", range(3))
def test_a_glance_says_no_less_than_the_whole_report(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)
    clean = 0.5 + 0.3 * np.sin(np.arange(192) / 9.0)[:, None] * np.cos(np.arange(192) / 12.0)
    white = clean + rng.normal(0, 0.1, clean.shape)
    image = {
        "white": white,
        "rows": white + rng.normal(0, 0.06, (192, 1)),
        "columns": white + rng.normal(0, 0.06, 192),
        "lag": white + 0.5 * np.roll(white, 1, 1),
        "specks": np.where(rng.random(clean.shape) < 0.03, 1.3, white),
        "few": rng.poisson(clean),
        "many": rng.poisson(60 * clean),
        "nothing": clean + 1e-5 * white,
    }
    alike = {}
    for name, pixels in image.items():
        model, frames = models.load("g"), pixels[None].astype(np.float32)
        quick = cautions.of_model(frames, model, About())
        with monkeypatch.context() as patch:
            patch.setattr(samples, "is_plain", lambda *_: False)
            assert quick == cautions.of_model(frames, model, About()), name
        alike[name] = samples.is_plain(samples.sample(frames[0]), 4.5)
    assert alike == {name: name in {"white", "many"} for name in image}
