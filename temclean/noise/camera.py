"""What a camera and its electronics add to an image: Lobato 2024, TEM noise model, eqs. 31 to 40.

Intensities are those of the image, in which ``counts`` electrons a pixel are intensity 1. Photon shot noise (eq. 30) is
:class:`temclean.noise.Poisson`, thermal noise (eq. 34) :class:`Thermal`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import _camera, _noise, _scan
from temclean.noise.base import LARGEST_LEVEL, MOST_EVENTS, Noise, Pixels, check, check_events, whole
from temclean.noise.families import LARGEST_COUNT, SMALLEST_COUNT

SMALLEST_CURRENT = 1e-300

LONGEST_WALK = 256
"""Most steps of the random walk that grows a cluster."""


@dataclass(frozen=True)
class Levelled(Noise):
    """A step with a standard deviation, ``level``."""

    level: float = 0.02

    def __post_init__(self) -> None:
        check("level", self.level, 0, LARGEST_LEVEL)


@dataclass(frozen=True)
class FixedPattern(Levelled):
    r"""Give each pixel a gain of its own, :math:`p' = p + p n`, n ~ N(0, s) (eq. 31), the same in all frames.

    Attributes
    ----------
    level : s, relative to the gain.
    """

    of_sensor = True

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        _camera.gain(pixels.reshape(-1), out.reshape(-1), self.level, seed, threads)


@dataclass(frozen=True)
class DarkCurrent(Noise):
    r"""Count the electrons of the dark current, :math:`p' = p + P(D) / N` (eqs. 32 and 33).

    D is log-normal with the given mean and standard deviation, and on hot pixels uniform in [mean + 5 spread,
    mean + 8 spread] instead: eq. 32 adds two distributions, which is read as a mixture of two kinds of pixel [R].
    Of all frames of a movie D is the same, and counted anew.

    Attributes
    ----------
    mean : mu, electrons a pixel.
    spread : s, standard deviation from pixel to pixel, electrons; up to ten means.
    hot : share of hot pixels, 0 to 1.
    counts : N, electrons a pixel at intensity 1.
    """

    mean: float = 2.0
    spread: float = 0.5
    hot: float = 1e-4
    counts: float = 20.0

    def __post_init__(self) -> None:
        check("mean", self.mean, SMALLEST_CURRENT, LARGEST_COUNT)
        check("spread", self.spread, 0, 10 * self.mean)
        check("hot", self.hot, 0, 1)
        check("counts", self.counts, SMALLEST_COUNT, LARGEST_COUNT)

    def map(self, shape: tuple[int, int], seed: int, threads: int = 1) -> NDArray[np.float64]:
        """Return D of each pixel (H, W), electrons: what stays the same from exposure to exposure."""
        current = np.empty(shape)
        sigma = math.sqrt(math.log1p((self.spread / self.mean) ** 2))
        median = self.mean * math.exp(-0.5 * sigma**2)
        hot = min(round(self.hot * 2**32), 2**32 - 1)
        low, width = self.mean + 5 * self.spread, 3 * self.spread
        _camera.dark(current.reshape(-1), median, sigma, hot, low, width, seed, threads)
        return current

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        self._render_frame(pixels, out, seed, 0, threads)

    def _render_frame(self, pixels: Pixels, out: Pixels, seed: int, frame: int, threads: int) -> None:
        current = self.map((pixels.shape[0], pixels.shape[1]), seed, threads)
        _noise.poisson(current.reshape(-1), current.reshape(-1), 1.0, (seed + frame) % 2**64, threads)
        current *= 1.0 / self.counts
        np.add(pixels, current, out=out, casting="same_kind")


@dataclass(frozen=True)
class Thermal(Levelled):
    r"""Add the white noise of a warm conductor, :math:`p' = p + n`, n ~ N(0, s) (eq. 34).

    Attributes
    ----------
    level : s, in units of intensity.
    """

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        _noise.gaussian(pixels.reshape(-1), out.reshape(-1), self.level, False, seed, threads)


@dataclass(frozen=True)
class Flicker(Levelled):
    r"""Add pink noise, :math:`p' = p + F(n / f)`, f being the spatial frequency and F the Fourier transform (eq. 35).

    Attributes
    ----------
    level : standard deviation of the pattern over an image, in units of intensity; the paper gives that of n instead.
    """

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        rows, columns = pixels.shape
        pattern = np.zeros((rows, columns))
        if pattern.size > 1:
            _noise.gaussian(pattern.reshape(-1), pattern.reshape(-1), 1.0, False, seed, threads)
            frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.rfftfreq(columns))
            frequency[0, 0] = math.inf
            power = frequency**-2.0
            twice = power[:, 1 : (columns + 1) // 2]  # the frequencies of which rfft keeps one of a pair
            scale = self.level / math.sqrt((power.sum() + twice.sum()) / pattern.size)
            pattern = np.fft.irfft2(np.fft.rfft2(pattern) * (scale / frequency), s=(rows, columns))
        np.add(pixels, pattern, out=out, casting="same_kind")


@dataclass(frozen=True)
class Reset(Levelled):
    r"""Add one number to all pixels of a row, :math:`p' = p + n_{row}`, n ~ N(0, s) (eq. 36).

    Attributes
    ----------
    level : s, in units of intensity.
    """

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        rows = np.empty(len(pixels))
        _scan.walk(rows, self.level, 0.0, seed, 0)
        np.add(pixels, rows[:, None].astype(pixels.dtype), out=out)


@dataclass(frozen=True)
class ColumnPattern(Levelled):
    r"""Add one number to all pixels of a column, :math:`p' = p + n_{column}`, n ~ N(0, s).

    Not in the paper: a CMOS camera's columns have amplifiers of their own, and a real dark frame shows them.

    Attributes
    ----------
    level : s, in units of intensity.
    """

    of_sensor = True

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        columns = np.empty(pixels.shape[1])
        _scan.walk(columns, self.level, 0.0, seed, 0)
        np.add(pixels, columns.astype(pixels.dtype), out=out)


@dataclass(frozen=True)
class Clusters(Noise):
    """Multiply clusters of pixels, each grown by a random walk.

    Attributes
    ----------
    count : clusters.
    steps : most steps of a walk, 0 to 256; their number is uniform from 0 on.
    low, high : range of the factor that a cluster is multiplied by.
    """

    count: int = 20
    steps: int = 4
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        whole("count", self.count, 0, MOST_EVENTS)
        whole("steps", self.steps, 0, LONGEST_WALK)
        check("low", self.low, 0, self.high)
        check("high", self.high, self.low, 1e6)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        check_events(self.count, pixels.size)
        np.copyto(out, pixels)
        _camera.clusters(out, self.count, self.steps, self.low, self.high, seed)


@dataclass(frozen=True)
class BlackPixels(Clusters):
    """Darken clusters of pixels (eqs. 37 and 52): factors of up to 1."""

    of_sensor = True

    high: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        check("high", self.high, 0, 1)


@dataclass(frozen=True)
class Zingers(Clusters):
    """Brighten clusters of pixels (eqs. 38 and 53): factors of 1 or more."""

    low: float = 1.5
    high: float = 5.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check("low", self.low, 1, 1e6)


@dataclass(frozen=True)
class Saturation(Noise):
    r"""Clip what is brighter than the detector can tell, :math:`p' = \min(p, T)` (eqs. 39 and 54).

    Attributes
    ----------
    ceiling : T, in units of intensity.
    """

    ceiling: float = 0.9

    def __post_init__(self) -> None:
        check("ceiling", self.ceiling, -LARGEST_LEVEL, LARGEST_LEVEL)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        np.minimum(pixels, self.ceiling, out=out)


@dataclass(frozen=True)
class Quantisation(Noise):
    r"""Round to whole steps, :math:`p' = round(g p) / g`; the paper leaves the result in steps (eqs. 40 and 55).

    Attributes
    ----------
    steps : g, steps of the converter in an intensity of 1.
    """

    steps: float = 255.0

    def __post_init__(self) -> None:
        check("steps", self.steps, 1e-6, 1e9)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        np.multiply(pixels, self.steps, out=out)
        np.rint(out, out=out)
        np.multiply(out, 1.0 / self.steps, out=out)
