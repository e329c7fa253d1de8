"""What is missing from results is found, and noise is not taken for it."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

from temclean import io, noise, specimen
from temclean.errors import ImageError
from temclean.evidence.agreement import contrast_left
from temclean.evidence.residual import CLEAR, missing
from temclean.restoration import inference, pipeline
from temclean.training import evaluate

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def noisy(kind: str, clean: np.ndarray, seed: int) -> np.ndarray:
    """Add noise of a family, or correlated noise that no model has learned."""
    draw = np.random.default_rng(seed)
    white = draw.normal(0, 0.2, clean.shape)
    if kind == "correlated":
        return clean + 3 * ndimage.gaussian_filter(white, 1.5)
    if kind == "resampled":
        return clean + ndimage.zoom(draw.normal(0, 0.2, [length // 2 for length in clean.shape]), 2, order=1)
    if kind == "scan lines":
        return clean + white + draw.normal(0, 0.05, (len(clean), 1)) + 2 * ndimage.uniform_filter1d(white, 9)
    if kind == "counts":
        return draw.poisson(3 * clean) / 3
    if kind == "heavy tails":
        return clean + 0.1 * draw.standard_t(3, clean.shape)
    family, level = kind.split()
    return noise.apply(clean.astype(np.float32), noise.FAMILIES[family](float(level)), seed)


KINDS = [
    "g 0.1",
    "g 0.36",
    "sp 0.03",
    "sp 0.42",
    "gsp 0.1",
    "gsp 0.36",
    "counts",
    "correlated",
    "resampled",
    "scan lines",
]


@pytest.mark.parametrize("kind", [*KINDS, "heavy tails"])
def test_noise_alone_is_no_structure(kind: str) -> None:
    """The result is the truth itself: flat, and with structure at whose extremes noise is cut off."""
    scene = specimen.draw("scene", 256, 0.1, 2).image
    for seed in range(6):
        for clean in (np.full((256, 256), 0.4), scene):
            assert missing(noisy(kind, clean, seed), clean).significance < CLEAR


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        *((kind, size) for kind in ("g 0.1", "gsp 0.1", "counts") for size in (10, 20, 40)),
        *((kind, size) for kind in ("correlated", "scan lines") for size in (20, 40)),
    ],
)
def test_a_faint_thing_that_is_missing_is_found_where_it_is(kind: str, size: int) -> None:
    """It is weaker than the noise of a pixel: its mean is fourteen times what noise leaves of means over its size."""
    result = np.full((256, 256), 0.4)
    means = noisy(kind, np.full((512, 512), 0.4), 9).reshape(16, 32, 16, 32).mean(axis=(1, 3))
    contrast = 14 * 32 * float(means.std()) / size
    rows, columns = np.ogrid[:256, :256]
    disc = np.hypot(rows - 70, columns - 190) < size / 2
    found = missing(noisy(kind, result, 1) + contrast * disc, result)
    assert found.clear
    assert np.hypot(found.row - 70, found.column - 190) < size
    assert size / 3 < found.size < 3 * size


def test_an_image_of_another_scale_gives_the_same() -> None:
    clean = np.full((128, 160), 0.4)
    raw = noisy("g 0.1", clean, 3)
    raw[40:60, 50:70] += 0.05
    found = missing(raw, clean)
    assert found.clear
    for factor, offset in ((1e-20, 0.0), (1e30, 0.0), (-3.0, 5.0), (1.0, 1e6)):
        other = missing(raw * factor + offset, clean * factor + offset)
        assert (other.row, other.column, other.size) == (found.row, found.column, found.size)
        assert other.significance == pytest.approx(found.significance, rel=0.05)


@pytest.mark.parametrize("dtype", ["u1", "u2", ">i2", "i4", "u8", "f2", "f4", ">f8"])
def test_every_type_is_read(dtype: str) -> None:
    raw = np.random.default_rng(0).normal(100, 10, (64, 64))
    raw[20:40, 20:40] += 20
    assert missing(raw.astype(dtype), np.full((64, 64), 100, dtype)).clear


@pytest.mark.parametrize("shape", [(1, 1), (3, 50), (7, 7), (16, 16), (65, 33)])
def test_small_and_flat_images_have_nothing_to_tell(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape)
    assert not missing(image, image).clear
    assert missing(np.ones(shape), np.ones(shape)).significance == 0
    with pytest.raises(ImageError, match="must be the same"):
        missing(image, np.ones((shape[0], shape[1] + 1)))


@pytest.mark.parametrize("shape", [(900, 40), (35, 800)])
def test_strips_are_looked_at_where_there_are_neighbours(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).random(shape)
    assert not missing(image, np.full(shape, 0.5)).clear
    image[20:36, 8:24] += 0.7
    assert missing(image, np.full(shape, 0.5)).clear


def test_huge_frames_take_little_memory() -> None:
    frame = np.random.default_rng(1).integers(0, 9, (4096, 6000), np.uint16)
    frame[992:1056, 2016:2080] += 2
    result = np.full_like(frame, 4)
    tracemalloc.start()
    found = missing(frame, result)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6
    assert (found.row, found.column) == (1024, 2048)


REAL = [
    ("haadf_velox.emd", "g"),
    ("zeiss_sem_u8.tif", "gsp"),
]
"""Files of which these models erase what the eye sees in the raw image."""


def pixels(name: str) -> np.ndarray:
    """Return the first image of a file, grey; skip where the real files are not."""
    if not (DATA / name).exists():
        pytest.skip("the real files are not here")
    with io.read(DATA / name) as image:
        raw = np.asarray(image.pixels[0])
    return raw.mean(axis=-1) if raw.ndim == 3 else raw


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize(("name", "model"), REAL)
def test_what_models_erase_of_real_images_is_found(name: str, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    monkeypatch.setattr(inference, "KEEPING", set())  # else it comes back
    raw = pixels(name)[:512, -512:]
    assert missing(raw, pipeline.denoise(raw, model, device="cpu")).clear


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
def test_what_a_model_erases_comes_back_where_noise_is_weak() -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    raw = pixels("haadf_velox.emd")[:512, -512:]
    assert not missing(raw, pipeline.denoise(raw, "g", device="cpu")).clear


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("model", ["g", "gsp", "sp", "bbg-keep"])
def test_good_results_are_quiet(model: str) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    for number, (_, _, drawn) in enumerate(evaluate.held_out(1, 192)):
        raw = evaluate.distort(drawn.image, model, 0.2, number)
        assert not missing(raw, pipeline.denoise(raw, model, device="cpu")).clear


HANGING_OR_SKEW: dict[str, Callable[[np.ndarray, np.random.Generator], np.ndarray]] = {
    "gaussian": lambda clean, draw: clean + draw.normal(0, 0.1, clean.shape),
    "counts": lambda clean, draw: draw.poisson(20 * clean) / 20,
    "few counts": lambda clean, draw: draw.poisson(clean / 2) * 2,
    "speckle": lambda clean, draw: clean * draw.exponential(1, clean.shape),
    "smooth speckle": lambda clean, draw: clean * ndimage.gaussian_filter(draw.exponential(1, clean.shape), 1),
    "spread counts": lambda clean, draw: ndimage.gaussian_filter(draw.poisson(clean).astype(float), 0.7),
    "correlated": lambda clean, draw: clean + ndimage.gaussian_filter(draw.normal(0, 0.6, clean.shape), 0.7),
    "specks": lambda clean, draw: noisy("gsp 0.1", clean, int(draw.integers(2**31))),
}
"""Noise to which the smallest windows are the most sensitive."""


@pytest.mark.parametrize("kind", HANGING_OR_SKEW)
def test_windows_of_2_pixels_raise_no_alarm_in_100_images_of_noise(kind: str) -> None:
    rows, columns = np.mgrid[:128, :128]
    clean = 0.4 + 0.2 * np.cos(columns / 13) * np.cos(rows / 17)
    for seed in range(100):
        assert not missing(HANGING_OR_SKEW[kind](clean, np.random.default_rng(seed)), clean, fine=True).clear


@pytest.mark.parametrize("side", [2, 3])
@pytest.mark.parametrize("kind", ["gaussian", "counts"])
def test_an_atom_of_2_or_3_pixels_that_is_lost_is_found(kind: str, side: int) -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = 0.4 + 0.2 * np.cos(columns / 13) * np.cos(rows / 17)
    spread = 0.1 if kind == "gaussian" else (clean[101, 61] / 20) ** 0.5
    for seed in range(5):
        raw = HANGING_OR_SKEW[kind](clean, np.random.default_rng(seed))
        raw[100 : 100 + side, 60 : 60 + side] += 5 * spread
        found = missing(raw, clean, fine=True)
        assert (found.clear, found.size <= 4) == (True, True)
        assert abs(found.row - 101) <= 2
        assert abs(found.column - 61) <= 2
        assert not missing(raw, clean).clear


def test_small_windows_show_a_lost_atom_and_no_noise() -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = 0.5 * (2 + np.cos(columns / 13) + np.cos(rows / 17))
    for seed in range(4):
        rng = np.random.default_rng(seed)
        raw = clean + rng.normal(0, 0.1, clean.shape)
        assert not missing(raw, clean, fine=True).clear
        lost = raw + 0.6 * np.exp(-((rows - 101.5) ** 2 + (columns - 61.5) ** 2) / (2 * 1.2**2))
        found = missing(lost, clean, fine=True)
        assert found.clear
        assert found.size in {2, 4}
        assert abs(found.row - 102) <= 2
        assert abs(found.column - 62) <= 2
        assert found.significance > missing(lost, clean).significance


def test_the_contrast_that_is_left_is_told_within_its_error() -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = np.cos(columns / 3.1) * np.cos(rows / 2.7)
    pulls = []
    for seed in range(12):
        white = np.random.default_rng(seed).normal(0, 0.5, (257, 257))
        noise = white[1:, 1:] + 0.7 * white[:-1, 1:] + 0.7 * white[1:, :-1]  # hangs together
        for kept in (1.0, 0.8):
            share, error = contrast_left(1000 + 40 * (clean + noise), 1000 + 40 * kept * clean)
            pulls.append((share - (1 / kept - 1)) / error)
    assert abs(np.mean(pulls)) < 0.5
    assert 0.6 < np.std(pulls) < 1.5
    assert contrast_left(clean, np.zeros_like(clean)) == (0.0, 0.0)


def blurred_disc(height: float) -> np.ndarray:
    """Return a bright particle with soft edges on grey."""
    rows, columns = np.ogrid[:256, :256]
    return 0.35 + (height - 0.35) / (1 + np.exp((np.hypot(rows - 120, columns - 140) - 50) / 8))


def cut_mean(clean: np.ndarray, level: float) -> np.ndarray:
    """Return the mean of normal noise that is cut off at 0 and 1."""
    low, high = -clean / level, (1 - clean) / level
    inside = stats.norm.cdf(high) - stats.norm.cdf(low)
    return clean * inside + level * (stats.norm.pdf(low) - stats.norm.pdf(high)) + stats.norm.sf(high)


CUT = {
    "particle": blurred_disc(1.3),
    "slope": 0.3 + np.linspace(0, 1, 256) * np.linspace(1, 0.8, 256)[:, None],
    "particle, dark": 1 - blurred_disc(1.3),
    "scene": 1.3 * specimen.scale(specimen.draw("scene", 256, 0.1, 2).image).astype(float) - 0.3,
}
"""Images whose noise is cut off over whole areas; alarms said so at up to 12 deviations."""


@pytest.mark.parametrize("level", [0.03, 0.1])
@pytest.mark.parametrize("scene", CUT)
def test_where_noise_is_cut_off_the_truth_is_no_alarm(scene: str, level: float) -> None:
    clean = CUT[scene]
    for seed in range(2):
        raw = np.clip(clean + np.random.default_rng(seed).normal(0, level, clean.shape), 0, 1)
        for truth in (clean, clean.clip(0, 1), cut_mean(clean, level)):
            assert not missing(raw.astype(np.float32), truth.astype(np.float32)).clear


@pytest.mark.parametrize("level", [0.05, 0.15])
def test_beside_saturated_atoms_and_on_black_lost_structure_is_found(level: float) -> None:
    rows, columns = np.mgrid[:256, :256]
    lost = 2 * level * np.exp(-((rows - 200) ** 2 + (columns - 40) ** 2) / (2 * 5**2))
    noise = np.random.default_rng(1).normal(0, level, lost.shape)
    tops = 0.2 + 1.2 * np.exp(-((rows % 32 - 16) ** 2 + (columns % 32 - 16.0) ** 2) / 40)
    tops[170:230] = 0.2
    for clean in (np.zeros(lost.shape), blurred_disc(1.3), tops):
        raw = np.clip(clean + lost + noise, 0, 1).astype(np.float32)
        assert float(((raw == 0) | (raw == 1)).mean()) > 0.01
        found = missing(raw, clean.astype(np.float32))
        assert found.clear
        assert abs(found.row - 200) < 16
        assert abs(found.column - 40) < 16


@pytest.mark.parametrize("share", [0.01, 0.03, 0.1])
def test_specks_that_meet_are_no_structure_and_a_lost_atom_is_found_among_them(share: float) -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = 0.5 + 0.4 * np.cos(columns / 13) * np.cos(rows / 17)
    atom = 0.4 * np.exp(-((rows - 205) ** 2 + (columns - 41) ** 2) / (2 * 2.5**2))
    for seed in range(3):
        for family in (noise.SaltPepper, noise.GaussianSaltPepper):
            raw = noise.apply(clean.astype(np.float32), family(share), seed)
            assert not missing(raw, clean.astype(np.float32), fine=True).clear
        lost = noise.apply((clean - atom).astype(np.float32), noise.SaltPepper(share), seed)
        found = missing(lost, clean.astype(np.float32), fine=True)
        assert found.clear
        assert abs(found.row - 205) < 8
        assert abs(found.column - 41) < 8
