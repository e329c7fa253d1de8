"""Means of pixels in blocks, and what the residual does at each brightness of the result."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _residual
from temclean.errors import ImageError

Floats = NDArray[np.float32]

MOST = 2**20
"""Means of pixels to look at: over 2x2 pixels, in larger images over 4x4, 8x8 ..."""

CHUNK = 2**18
"""Pixels that are converted in one go."""

SAMPLE = 2**14
"""Pixels that are enough to tell the scale."""

LEVELS = 256
"""Levels of brightness between 0 and 1."""

NEAR = 2
"""Levels to either side with which a level shares what it has, more where pixels are few."""

FARTHEST = 32
"""The most of these levels."""

FEW = 200
"""Means of pixels that a level and its neighbours must have, to tell what is usual there."""


@dataclass(frozen=True)
class Pair:
    """An image and its result, on the scale on which the result lies between 0 and 1.

    So no square of a pixel is too large for float32, and no offset hides what varies.
    """

    raw: NDArray[Any]
    result: NDArray[Any]
    offset: float
    unit: float

    @property
    def side(self) -> int:
        """Side of the blocks of pixels whose means are looked at: 2, in large images more."""
        side = 2
        while self.raw.size > MOST * side * side:
            side *= 2
        return side

    def scaled(self, pixels: NDArray[Any]) -> Floats:
        """Return pixels of either image on the scale."""
        out = np.empty(pixels.shape, np.float32)
        rows = plain(pixels).reshape(-1, pixels.shape[-1])
        _residual.fold(rows, 1, self.offset, 1 / self.unit, out.reshape(rows.shape))
        return out

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """Return the means of blocks of the raw image and of the result; what does not fill a block is left out."""
        side = self.side
        rows, columns = (length // side for length in self.raw.shape)
        band = max(1, CHUNK // (self.raw.shape[1] * side))
        found = np.empty((2, rows, columns), dtype=np.float32)
        scale = 1 / self.unit
        for image, out in zip((self.raw, self.result), found, strict=True):
            for top in range(0, rows, band):
                part = out[top : top + band]
                _residual.fold(plain(image[top * side : (top + len(part)) * side]), side, self.offset, scale, part)
        return found[0], found[1]

    @cached_property
    def compared(self) -> "Compared":
        """What the means of the raw image have beyond those of the result."""
        return Compared(*self.means)


class Compared:
    """An image and its result, both on the scale, and what the residual usually does.

    Attributes
    ----------
    residual : ndarray of float32, raw minus result.
    level : ndarray of uint8, the brightness of the result.
    usual : the mean and the spread of the residual at each level, as far as these images tell.
    """

    def __init__(self, raw: Floats, result: Floats) -> None:
        self.residual, self.level = np.empty_like(raw), np.empty(raw.shape, np.uint8)
        self._sums = np.empty((3, LEVELS))
        _residual.compare(raw.ravel(), result.ravel(), self.residual.reshape(-1), self.level.reshape(-1), self._sums)

    @cached_property
    def usual(self) -> "Usual":
        """Measure what is usual; ``per_spread`` is 0 where a level has too few pixels to tell."""
        numbers = self._sums[0]
        near = min(max(NEAR, math.ceil(2 * FEW * LEVELS / numbers.sum() / 2)), FARTHEST) if numbers.any() else NEAR
        kernel = near + 1.0 - np.abs(np.arange(-near, near + 1))
        weights, first, second = (np.convolve(each, kernel, "same") for each in self._sums)
        mean = first / np.maximum(weights, 1.0)
        variance = second / np.maximum(weights, 1.0) - mean**2
        many = (np.convolve(numbers, np.ones(len(kernel)), "same") >= FEW) & (variance > 0)
        per_spread = np.where(many, 1 / np.sqrt(np.where(many, variance, 1.0)), 0.0)
        return Usual(mean.astype(np.float32), per_spread.astype(np.float32))

    def standardised(self, wild: float) -> tuple[Floats, Floats, float]:
        """Return the residual without what is usual, the same over its spread, and the skewness of this.

        The second one is clipped to ``wild`` standard deviations.
        """
        residual, standard = np.empty_like(self.residual), np.empty_like(self.residual)
        moments = np.empty(2)
        _residual.standardise(
            self.residual.reshape(-1), self.level.reshape(-1), self.usual.mean, self.usual.per_spread, wild,
            residual.reshape(-1), standard.reshape(-1), moments,
        )  # fmt: skip
        variance, cubes = moments / standard.size
        return residual, standard, float(cubes) / float(variance) ** 1.5 if variance > 0 else 0.0


def plain(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return pixels as the kernels read them: in rows, of whole numbers or floats in this processor's byte order."""
    dtype = pixels.dtype.newbyteorder("=")
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype.kind == "f" and dtype.itemsize not in {4, 8}:
        dtype = np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)
    return np.ascontiguousarray(pixels, dtype)


def pair(raw: NDArray[Any], result: NDArray[Any]) -> Pair | None:
    """Return an image and its result on one scale; None where all pixels are alike.

    Raises
    ------
    ImageError
        If these are not two images of one shape.
    """
    if raw.ndim != 2 or raw.shape != result.shape:
        raise ImageError(f"an image of {raw.shape} and a result of {result.shape}: rows and columns must be the same")
    step = math.isqrt(max(1, raw.size // SAMPLE))
    for image in (result, raw):
        ordered = np.sort(image[::step, ::step], axis=None)
        low, high = percentile(ordered, 0.1), percentile(ordered, 99.9)
        if high > low and math.isfinite(1 / (high - low)):
            return Pair(raw, result, low, high - low)
    return None


def percentile(ordered: NDArray[Any], percent: float) -> float:
    """Return what `np.percentile` does, of numbers in their order: whole numbers are far sooner sorted than floats.

    >>> percentile(np.array([1, 2, 4], np.uint16), 75.0)
    3.0
    """
    rank = percent / 100 * (len(ordered) - 1)
    first = int(rank)
    below, above = float(ordered[first]), float(ordered[min(first + 1, len(ordered) - 1)])
    return below + (above - below) * (rank - first)


def halved(means: Floats) -> Floats:
    """Return the means of 2x2 neighbours; an odd row or column at the end is left out.

    >>> halved(np.arange(16, dtype=np.float32).reshape(4, 4)).tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    out = np.empty([length // 2 for length in means.shape], np.float32)
    _residual.halve(means, out)
    return out


def median(values: Floats | NDArray[np.float64]) -> float:
    """Return what `np.median` does, of numbers that are finite: with one look for the middle instead of three."""
    middle = values.size // 2
    parted = np.partition(values, middle, axis=None)
    upper = parted[middle]
    return float(upper if values.size % 2 else (parted[:middle].max() + upper) / np.float32(2))


def deviation(values: Floats) -> float:
    """Return the standard deviation of a normal distribution that is as wide as the middle half of the values."""
    return 1.4826 * median(np.abs(values - np.float32(median(values))))


def skewness(values: Floats) -> float:
    """Return the third moment of values over the 3/2 power of the second."""
    about = values - values.mean()
    square = about * about
    variance = float(square.mean())
    return float((square * about).mean()) / variance**1.5 if variance > 0 else 0.0


@dataclass(frozen=True)
class Usual:
    """Mean and spread of the residual at each brightness of the result.

    Noise that a detector cuts off, or that sends pixels to black and white, has a mean that depends on the brightness,
    and nearly all noise has a spread that does: neither is structure.
    """

    mean: Floats
    per_spread: Floats
