"""Of a regular pattern that a result lacks, period and share are told; noise and what is kept are not."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from temclean import _spectra, io, noise, specimen
from temclean.errors import ImageError
from temclean.evidence.lattice import CLEAR, lattice
from temclean.restoration import pipeline

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def dumbbells(split: float, size: int = 256, period: float = 26.0) -> np.ndarray:
    """Return pairs of spots, ``split`` pixels apart, on a rectangular lattice."""
    rows, columns = np.mgrid[:size, :size].astype(float)
    y = (rows + period / 2) % period - period / 2
    x = (columns + period / 2) % period - period / 2
    return sum(np.exp(-(y**2 + (x - shift) ** 2) / 18) for shift in (-split / 2, split / 2))


@pytest.fixture(scope="module")
def drawn() -> Callable[[str], np.ndarray]:
    """Return a function that draws a specimen once."""
    return lru_cache(maxsize=None)(lambda name: specimen.draw(name, 256, 0.1, 3).image)


@pytest.mark.parametrize("direction", [0.0, 30.0, 130.0])
@pytest.mark.parametrize("period", [4.0, 8.0, 12.0])
@pytest.mark.parametrize("left", [0.2, 0.5])
def test_a_weakened_wave_is_told(direction: float, period: float, left: float) -> None:
    """Beside one that is kept: of one alone, a loss is a matter of brightness."""
    rows, columns = np.mgrid[:256, :256]
    angle = np.deg2rad(direction)
    wave = np.cos(2 * np.pi * (rows * np.sin(angle) + columns * np.cos(angle)) / period)
    kept = 0.5 + 0.3 * np.cos(2 * np.pi * (rows * np.cos(angle) - columns * np.sin(angle)) / 7)
    raw = kept + 0.15 * wave + np.random.default_rng(1).normal(0, 0.2, wave.shape)
    found = lattice(raw, kept + 0.15 * left * wave)
    assert found.clear
    assert found.period == pytest.approx(period, rel=0.15)
    assert found.share == pytest.approx(1 - left, abs=0.2)


def test_fused_dumbbells_are_told_and_whole_ones_are_not() -> None:
    whole = dumbbells(10.0)
    raw = whole + np.random.default_rng(2).normal(0, 0.2, whole.shape)
    assert not lattice(raw, whole).clear
    assert lattice(raw, ndimage.gaussian_filter(whole, (0, 3))).clear


@pytest.mark.parametrize("kind", ["g 0.1", "g 0.36", "sp 0.1", "gsp 0.2", "bbg 0.2"])
@pytest.mark.parametrize("name", ["graphene-atoms", "square", "scene"])
def test_noise_alone_is_no_pattern(name: str, kind: str, drawn: Callable[[str], np.ndarray]) -> None:
    """In four draws of the noise; not one in ten million reaches ``CLEAR``, if its power is distributed exponentially.

    The median of 16 powers reaches h times their usual median, 0.7 of their mean, where 8 of them do: the chance is
    12870 exp(-0.7 h)^8 at the most, 3e-11 for h = 6, and there are fewer than 2000 frequencies.
    """
    clean, (family, level) = drawn(name), kind.split()
    for seed in range(4, 8):
        kept = noise.background(clean, noise.BackgroundBrightness(float(level)), seed) if family == "bbg" else clean
        raw = noise.apply(clean, noise.FAMILIES[family](float(level)), seed)
        assert lattice(raw, kept).height < CLEAR, seed


@pytest.mark.parametrize("along", [0, 1])
@pytest.mark.parametrize("seed", range(4))
def test_lines_that_are_brighter_or_darker_are_no_pattern(along: int, seed: int) -> None:
    """A tenth of them is left; as many lines hide a pattern that is as weak, but not one that is clear."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:384, :384]
    kept = np.exp(-((rows - 200) ** 2 + (columns - 170) ** 2) / 9000.0)
    lines = 0.04 * rng.standard_normal((384, 1) if along else (1, 384))
    raw = kept + lines + rng.normal(0, 0.08, rows.shape)
    assert not lattice(raw, kept + 0.1 * lines).clear
    wave = 0.1 * np.cos(2 * np.pi * (rows if along else columns) / 8)
    found = lattice(raw + wave, kept + 0.1 * lines + 0.5 * wave)
    assert found.clear
    assert found.period == pytest.approx(8.0, rel=0.1)


@pytest.mark.parametrize("kind", [noise.SaltPepper(0.2), noise.GaussianSaltPepper(0.2)])
@pytest.mark.parametrize("seed", range(4))
def test_what_specks_do_to_the_brightness_is_no_pattern(kind: noise.Noise, seed: int) -> None:
    clean = specimen.draw("graphene", 256, 0.1, seed).image
    noisy = noise.apply(clean, kind, seed)
    assert not lattice(noisy, clean).clear
    y, x = np.mgrid[:256, :256]
    across, down = (0.2 * np.cos(2 * np.pi * each / 7.3) for each in (x, y))
    lattice_of_both = (0.5 + across + down).astype(np.float32)
    assert lattice(noise.apply(lattice_of_both, kind, seed), lattice_of_both - 0.8 * across).clear


def test_what_is_no_pair_is_refused_and_what_is_too_small_says_nothing() -> None:
    with pytest.raises(ImageError, match="must be the same"):
        lattice(np.ones((80, 80)), np.ones((80, 81)))
    assert lattice(np.ones((300, 300)), np.ones((300, 300))).height == 0
    assert lattice(np.random.default_rng(0).random((90, 90)), np.zeros((90, 90))).height == 0


@pytest.mark.parametrize("count", [1, 2, 5, 15, 16])
def test_the_kernel_s_median_power_is_that_of_numpy(count: int) -> None:
    draw = np.random.default_rng(count)
    squares = (draw.normal(50, 1, (count, 64, 64)) + 3 * np.cos(np.arange(64) / draw.uniform(1, 9))).astype(np.float32)
    window = draw.random((64, 64)).astype(np.float32)
    power, work = np.empty((64, 33)), np.empty((count + 1, 64, 33), np.float32)
    _spectra.median_power(squares, window, work, power)
    exact = squares.astype(np.float64)
    spectra = np.fft.rfft2((exact - exact.mean((1, 2), keepdims=True)) * window)
    np.testing.assert_allclose(power, np.median(np.abs(spectra) ** 2, axis=0), rtol=1e-3, atol=0.1)


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("model", ["g", "general"])
def test_the_dumbbells_of_silicon_stay_two(model: str) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    if not (DATA / "si110_adf.png").exists():
        pytest.skip("the real files are not here")
    with io.read(DATA / "si110_adf.png") as image:
        raw = np.asarray(image.pixels[0])
    assert not lattice(raw, pipeline.denoise(raw, model, device="cpu")).clear
