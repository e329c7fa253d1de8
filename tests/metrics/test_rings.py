"""Ring correlation and power against a plain NumPy twin, and against what signal and noise of known power give."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.errors import ImageError
from temclean.metrics.rings import SEVENTH, ring_correlation, spectra


def twin(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Correlate ring by ring, with a whole transform and a loop; the borders fade over an eighth of a side."""
    window = np.ones(first.shape)
    for axis, length in enumerate(first.shape):
        line = np.ones(length)
        edge = [k for k in range(length) if (k + 0.5) / length < 1 / 8]
        for k in edge:
            line[k] = line[-1 - k] = 0.5 - 0.5 * np.cos(8 * np.pi * (k + 0.5) / length)
        window *= line[:, None] if axis == 0 else line
    one, two = (np.fft.fft2((image - image.mean()) * window) for image in (first, second))
    y, x = np.meshgrid(*(np.fft.fftfreq(n) for n in first.shape), indexing="ij")
    ring = np.rint(np.hypot(y, x) * min(first.shape)).astype(int)
    found = []
    for number in range(1, min(first.shape) // 2 + 1):
        a, b = one[ring == number], two[ring == number]
        found.append((a * b.conj()).sum().real / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum()))
    return np.array(found)


@pytest.mark.parametrize("shape", [(64, 64), (63, 80)])
def test_the_correlation_is_that_of_a_plain_twin(shape: tuple[int, int]) -> None:
    draw = np.random.default_rng(1)
    clean = ndimage.gaussian_filter(draw.normal(size=shape), 1.5) * 4
    first, second = (clean + draw.normal(size=shape) for _ in range(2))
    found = ring_correlation(first, second)
    np.testing.assert_allclose(found.correlation, twin(first, second), atol=1e-9)
    assert found.frequency[-1] == pytest.approx(min(shape) // 2 / min(shape))
    root = np.sqrt(found.number)
    np.testing.assert_allclose(found.half_bit, (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root))


def test_the_correlation_tells_the_ratio_of_signal_to_noise_and_its_scatter() -> None:
    """FRC = S / (1 + S); where S = 1/6 it is 1/7. The scatter without signal is that of so many frequencies."""
    draw = np.random.default_rng(2)
    size, width = 256, 1.2
    clean = ndimage.gaussian_filter(draw.normal(size=(size, size)), width, mode="wrap")
    level = 0.3 * clean.std()
    found = ring_correlation(*(clean + draw.normal(0, level, clean.shape) for _ in range(2)))
    power = np.exp(-((2 * np.pi * found.frequency * width) ** 2)) / level**2
    np.testing.assert_allclose(found.correlation[4:], (power / (1 + power))[4:], atol=0.12)
    crossing = np.sqrt(np.log(6 / level**2)) / (2 * np.pi * width)
    assert found.first(SEVENTH) == pytest.approx(crossing, rel=0.06)
    assert found.last(SEVENTH) == pytest.approx(crossing, rel=0.06)
    none = ring_correlation(draw.normal(size=(256, 256)), draw.normal(size=(256, 256)))
    pulls = none.correlation * np.sqrt(2 * none.number)
    assert pulls[5:].std() == pytest.approx(1.0, abs=0.2)
    assert none.last(SEVENTH) is None


def test_units_and_shifts() -> None:
    draw = np.random.default_rng(3)
    image = ndimage.gaussian_filter(draw.normal(size=(128, 128)), 1.0, mode="wrap")
    moved = ndimage.fourier_shift(np.fft.fft2(image), (0.4, -0.3))
    moved = np.fft.ifft2(moved).real
    assert ring_correlation(image, moved).correlation[:50].min() < 0.9
    assert ring_correlation(image, moved, off=(0.4, -0.3)).correlation[:50].min() > 0.98
    assert ring_correlation(image, image, (0.02, 0.02)).frequency[-1] == pytest.approx(25.0)
    with pytest.raises(ImageError, match="one shape"):
        ring_correlation(image, image[:64])
    with pytest.raises(ImageError, match="NaN"):
        ring_correlation(image, np.full((128, 128), np.nan))


def test_power_beyond_the_limit_is_that_which_was_put_there() -> None:
    draw = np.random.default_rng(4)
    y, x = np.mgrid[:256, :256]
    lattice = np.cos(2 * np.pi * (x + 0.1 * y) / 9) * np.cos(2 * np.pi * (y - 0.1 * x) / 9)
    noise = draw.normal(0, 1, lattice.shape)
    found = spectra([(lattice + noise, 7 * (lattice + 0.1 * noise))])  # on a scale of its own
    peak = np.hypot(1.1, 0.9) / 9
    assert found.limit == pytest.approx(peak, abs=3 / 256)  # a peak is as wide as the window makes it
    assert found.white
    assert found.ratio == pytest.approx(0.01, rel=0.15)
    beyond = found.frequency > found.limit + 3 / 256
    np.testing.assert_allclose(found.result[beyond] / found.raw[beyond], 0.01, rtol=0.2)
    assert found.floor == pytest.approx(256**2 * (3 / 8) ** 2, rel=0.1)  # of variance 1, under a Hann window
    nothing = spectra([(noise, 0.1 * noise)])
    assert nothing.limit is None
    assert nothing.share == pytest.approx(1.0)


def test_noise_that_is_not_white_leaves_the_peaks() -> None:
    draw = np.random.default_rng(5)
    y, x = np.mgrid[:256, :256]
    lattice = np.cos(2 * np.pi * (x + 0.1 * y) / 9) * np.cos(2 * np.pi * (y - 0.1 * x) / 9)
    noise = ndimage.gaussian_filter(draw.normal(0, 3, lattice.shape), 0.7)
    found = spectra([(lattice + noise, lattice)])
    assert not found.white
    assert found.limit == pytest.approx(np.hypot(1.1, 0.9) / 9, abs=3 / 256)
