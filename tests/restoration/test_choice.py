"""The model that is chosen where none is named."""

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import temclean
from temclean import io, noise, specimen
from temclean.errors import ImageError, ModelError
from temclean.evidence import samples
from temclean.restoration import models
from temclean.restoration.choice import About, choose

ALL = ("g", "sp", "gsp", "bbg", "hrtem", "lrtem", "hrstem", "lrstem", "hrsem", "lrsem")
SHIPPED = ALL[:4]
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def drawn(truth: str, number: int) -> tuple[np.ndarray, About]:
    rng = np.random.default_rng([number, ALL.index(truth)])
    angstroms = math.exp(rng.uniform(math.log(0.05), math.log(0.4)))
    if truth in SHIPPED:
        clean = specimen.scale(specimen.draw(("hr", "lr", "graphene")[number % 3], 128, angstroms, number).image)
        return noise.apply(clean, noise.FAMILIES[truth](rng.uniform(0.05, 0.36)), number), About()
    clean = specimen.draw(truth[:2], 128, angstroms, number).image
    shown = angstroms if truth.startswith("hr") else math.exp(rng.uniform(math.log(3.1), math.log(100)))
    noisy = noise.apply(clean, noise.FAMILIES[truth[2:]](pixel_size=shown), number)
    return noisy, About(truth[2:].upper(), shown)  # type: ignore[arg-type]


def test_of_simulated_images_nineteen_in_twenty_get_their_model_and_none_bbg() -> None:
    truths = [each for each in ALL if not each.startswith("bbg")]
    asked = [(truth, *drawn(truth, number)) for number in range(5) for truth in truths]
    chosen = [(truth, choose(image, about, ALL).name) for truth, image, about in asked]
    wrong = [pair for pair in chosen if pair[0] != pair[1]]
    assert len(wrong) <= 0.05 * len(chosen), wrong
    assert not any(name.startswith("bbg") for _, name in chosen)
    here = {choose(image, about, SHIPPED).name for _, image, about in asked}
    assert here == {"g", "sp", "gsp"}


def grain(size: int = 128, level: float = 0.1) -> np.ndarray:
    return np.random.default_rng(1).normal(0.5, level, (size, size))


def test_what_is_not_there_gives_way_to_what_comes_closest() -> None:
    about = About("STEM", 0.2)
    assert choose(grain(), about, ALL).name == "hrstem"
    assert choose(grain(), about, ["g", "sp", "lrstem"]).name == "lrstem"
    assert choose(grain(), about, [*SHIPPED, "general"]).name == "general"
    assert choose(grain(), About(), [*SHIPPED, "general", "lr"]).name == "general"
    assert choose(grain(), About(angstroms=5.0), [*SHIPPED, "general", "lr"]).name == "lr"
    choice = choose(grain(), about, SHIPPED)
    assert (choice.name, choice.reason) == ("g", "its file says STEM, 0.2 Å a pixel; g comes closest")
    with pytest.raises(ModelError, match="no model"):
        choose(grain(), about, ["bbg", "lde", "n2a"])


def test_the_names_of_lobatos_models_stand_for_what_does_their_work() -> None:
    here = [*SHIPPED, "general", "lr"]
    for microscope in ("TEM", "STEM", "SEM"):
        for scale, angstroms, model in (("hr", 0.2, "general"), ("lr", 20.0, "lr")):
            assert models.find(f"{scale}{microscope.lower()}") == models.find(model)
            choice = choose(grain(), About(microscope, angstroms), here)  # type: ignore[arg-type]
            assert (choice.name, "comes closest" in choice.reason) == (model, False)
    assert choose(grain(), About("SEM", 20.0), [*SHIPPED, "general"]).reason.endswith("general comes closest")


@pytest.mark.parametrize(
    ("instrument", "size", "unit", "name"),
    [
        ({"kind": "TEM", "detector": "BM-Ceta"}, 0.02, "nm", "hrtem"),
        ({"kind": "TEM", "detector": "HAADF"}, 2.0, "nm", "lrstem"),
        ({"detector": "DF2"}, 20.0, "pm", "hrstem"),
        ({"kind": "SEM"}, 1.2, "µm", "lrsem"),
        ({"kind": "TEM"}, 0.1, "1/nm", "g"),
        ({}, 0.02, "nm", "g"),
    ],
)
def test_the_file_tells_the_microscope_and_the_scale(
    instrument: dict[str, Any], size: float, unit: str, name: str
) -> None:
    image = io.Image.from_array(grain(), size, unit, metadata={"instrument": instrument})
    assert choose(image, available=ALL).name == name


def test_noise_along_rows_is_a_scanned_beams_and_noise_that_grows_a_cameras() -> None:
    rng = np.random.default_rng(2)
    rows, columns = np.mgrid[:256, :256]
    lattice = 1 + np.cos(2 * np.pi * columns / 14) * np.cos(2 * np.pi * (rows + 0.3 * columns) / 17)
    slow = rng.normal(0, 0.3, lattice.shape)
    slow[:, 1:] += 0.6 * slow[:, :-1]
    assert choose(lattice + slow, available=ALL).name == "hrstem"
    shade = 40 * (1 + np.sin(rows / 60) * np.cos(columns / 50)) + 5
    assert choose(rng.poisson(shade), available=ALL).name == "lrtem"


def film(angstroms: float, defocus: float, seed: int) -> np.ndarray:
    r"""Draw an amorphous film: a random phase under sin(pi lambda defocus f^2), Thon's rings (Thon 1966)."""
    side, wavelength = 512, 0.0251  # Å, at 200 kV
    frequency = np.hypot(*np.meshgrid(*[np.fft.fftfreq(side, angstroms)] * 2))
    transfer = np.sin(np.pi * wavelength * defocus * frequency**2) * np.exp(-((frequency / 0.35) ** 2))
    drawn = np.fft.ifft2(np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side))) * transfer).real
    return drawn / drawn.std()


@pytest.mark.parametrize("seed", range(4))
def test_what_is_rough_and_has_no_lattice_is_given_to_lr(seed: int) -> None:
    there = [*SHIPPED, "general", "lr"]
    rough, lattice = (specimen.scale(specimen.draw(name, 256, 0.2, seed).image) for name in ("rough", "lattice"))
    weak, strong = (noise.apply(rough, noise.Gaussian(level), seed) for level in (0.02, 0.36))
    choice = choose(weak, available=there)
    assert choice.name == "lr"
    assert choice.reason.endswith("and fine structure but no lattice")
    assert choose(weak, About(angstroms=0.2), there).name == "general"  # atoms, by what the file says
    assert choose(strong, available=there).name == "general"  # in much noise atoms may be hidden
    assert choose(noise.apply(lattice, noise.Gaussian(0.02), seed), available=there).name == "general"


@pytest.mark.parametrize(("angstroms", "defocus"), [(0.5, 1000), (0.5, 5000), (1.0, 1000), (1.0, 5000)])
def test_amorphous_films_are_not_given_to_a_model_that_makes_up_atoms(angstroms: float, defocus: float) -> None:
    rng = np.random.default_rng(3)
    for seed in range(2):
        for level in (0.5, 1.0):
            image = film(angstroms, defocus, seed) + rng.normal(0, level, (512, 512))
            assert choose(image, available=["g", "sp", "gsp", "general", "lr"]).name == "general"


def test_reasons_are_in_plain_words() -> None:
    smooth = np.tile(np.linspace(0.2, 0.8, 192), (192, 1))
    choice = choose(noise.apply(smooth, noise.SaltPepper(0.03), 1), available=SHIPPED)
    assert choice.name == "sp"
    assert choice.reason.endswith("of the pixels are black or white specks and there is no grain")
    assert "even grain of" in choose(grain(), available=SHIPPED).reason
    assert choose(np.ones((64, 64)), available=SHIPPED).name == "g"


def test_reasons_do_not_contradict_what_inspect_says_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:256, :256]
    thing = np.exp(-((rows - 128) ** 2 + (columns - 128) ** 2) / 4000)
    striped = thing + 0.05 * rng.standard_normal((256, 1)) + 0.05 * rng.standard_normal((256, 256))
    assert "whole rows" in choose(striped).reason  # white along each row
    resampled = ndimage.zoom(thing[::2, ::2] + 0.15 * rng.standard_normal((128, 128)), 2, order=3)
    assert "cannot be told from fine structure" in choose(resampled).reason


def test_of_a_movie_three_frames_are_looked_at() -> None:
    seen = []

    class Movie(io.Frames):
        def frame(self, index: int) -> np.ndarray:
            seen.append(index)
            return grain()

    movie = Movie(Path("movie"), (101, 128, 128), np.dtype("f8"))
    assert choose(movie, available=SHIPPED).name == "g"
    assert seen == [0, 50, 100]


def test_python_takes_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    image = noise.apply(np.tile(np.linspace(0.2, 0.8, 96), (96, 1)), noise.SaltPepper(0.2), 1)
    assert temclean.choose(image).name == "sp"
    np.testing.assert_array_equal(
        temclean.denoise(image, device="cpu"), temclean.denoise(image, model="sp", device="cpu")
    )


def test_choosing_takes_less_time_than_a_median_over_5_pixels() -> None:
    image = noise.apply(specimen.draw("lattice", 512, 0.1, 3).image, noise.GaussianSaltPepper(0.2), 1)
    spent: dict[str, list[float]] = {"ours": [], "median": []}
    for _ in range(4):
        samples.forget()
        began = time.process_time()
        choose(image, About("STEM"), ALL)
        chosen = time.process_time()
        ndimage.median_filter(image, 5)
        spent["ours"].append(chosen - began)
        spent["median"].append(time.process_time() - chosen)
    assert min(spent["ours"]) < min(spent["median"])


@pytest.mark.skipif(not DATA.is_dir(), reason="real files are not here")
@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("si110_adf.png", "hrstem"),
        ("sto_osiris_u16.tif", "hrstem"),
        ("sto_16_1.ser", "hrstem"),
        ("abf_movie5.tif", "hrstem"),
        ("survey_multi_signal.dm3", "hrstem"),
        ("haadf_lowmag_1.ser", "lrstem"),
        ("scan5_1.ser", "lrstem"),
        ("bto_averaged.dm4", "g"),
    ],
)
def test_real_files_get_the_model_of_their_microscope(name: str, model: str) -> None:
    with io.read(DATA / name) as image:
        assert choose(image, available=ALL).name == model
        assert choose(image, available=SHIPPED).name == "g"


def test_what_is_no_image_is_refused_as_by_denoise() -> None:
    for shape in ((64,), (64, 64, 3)):
        with pytest.raises(ImageError, match="shape"):
            choose(np.zeros(shape))


@pytest.mark.parametrize("share", [0.015, 0.05])
@pytest.mark.parametrize(("sigma", "model"), [(0.0, "sp"), (40.0, "gsp")])
def test_grain_beside_saturated_pixels_is_told_from_what_they_leave(share: float, sigma: float, model: str) -> None:
    """Beside 65535, grain of a twentieth of what else there is looked like none."""
    draw = np.random.default_rng(7)
    y, x = np.mgrid[:256, :256]
    image = 1500 + 400 * np.sin(x / 7.0) * np.cos(y / 9.0) + draw.normal(0.0, sigma, (256, 256))
    image[draw.random(image.shape) < share] = 65535
    assert temclean.choose(np.rint(image).astype("u2")).name == model
