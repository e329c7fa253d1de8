"""Means of pixels in blocks, and what the residual does at each brightness of the result."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _residual
from temclean.errors import ImageError
from temclean.evidence.ends import BLIND, Ends, around, ends
from temclean.evidence.samples import Mask, median

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
        raw, result = (self._folded(image.__getitem__, self.offset, 1 / self.unit) for image in (self.raw, self.result))
        return raw, result

    def _folded(self, take: Callable[[slice], NDArray[Any]], offset: float, scale: float) -> Floats:
        """Return the means over blocks of (pixels - offset) * scale, the pixels taken some rows at a time."""
        side = self.side
        rows, columns = (length // side for length in self.raw.shape)
        band = max(1, CHUNK // (self.raw.shape[1] * side))
        found = np.empty((rows, columns), np.float32)
        for top in range(0, rows, band):
            part = found[top : top + band]
            _residual.fold(plain(take(slice(top * side, (top + len(part)) * side))), side, offset, scale, part)
        return found

    @cached_property
    def ends(self) -> Ends | None:
        """Where the raw image is cut off, in its own units; None where it is not."""
        return ends(self.raw)

    @cached_property
    def kept(self) -> Mask | None:
        """Which means tell something: not all of their neighbourhood is cut off; None of an image that is not."""
        known = self.ends
        if known is None:
            return None
        kept = np.ones(self.means[0].shape, bool)
        for end in (known.low, known.high):
            if end is not None:
                kept &= around(self._folded(partial(self._at, end), 0.0, 1.0)) < BLIND
        return kept

    @cached_property
    def compared(self) -> "Compared":
        """What the means of the raw image have beyond those of the result, and beyond what being cut off does."""
        before, after = self.means
        if self.ends is None:
            return Compared(before, after)
        return Compared(self._righted - self._explained, after, self.kept, before if self.ends.quiet else None)

    def strip(self, rows: slice) -> "Compared":
        """Return the same of the pixels of some rows."""
        raw, result = (self.scaled(image[rows]) for image in (self.raw, self.result))
        if self.ends is None:
            return Compared(raw, result)
        right = self.scaled(self._right(rows))
        kept = self.kept
        assert kept is not None
        down, across = (
            np.minimum(np.arange(first, first + length) // self.side, most - 1)
            for first, length, most in zip((rows.start, 0), raw.shape, kept.shape, strict=True)
        )
        explained, held = self._explained[np.ix_(down, across)], kept[np.ix_(down, across)]
        return Compared(right - explained, result, held, raw if self.ends.quiet else None)

    def _at(self, end: float, rows: slice) -> Mask:
        """Return which pixels of rows are at an end."""
        found: Mask = self.raw[rows] == end
        return found

    def without_specks(self, raw: NDArray[Any], result: NDArray[Any]) -> NDArray[Any]:
        """Return a part of the raw image with that of the result where specks are."""
        if self.ends is None or not self.ends.specks:
            return raw
        return np.where(self.ends.at(raw), result, raw)

    def _right(self, rows: slice) -> NDArray[Any]:
        """Return rows of the raw image with the result where specks are."""
        return self.without_specks(self.raw[rows], self.result[rows])

    @cached_property
    def _righted(self) -> Floats:
        """The means of the raw image without specks."""
        assert self.ends is not None
        return self._folded(self._right, self.offset, 1 / self.unit) if self.ends.specks else self.means[0]

    @cached_property
    def _explained(self) -> Floats:
        """How much of the difference of the means a detector's cutting off may have made."""
        assert self.ends is not None
        after = self.means[1]
        on_scale = self.ends.scaled(self.offset, self.unit)
        return on_scale.explained(self._righted - after, after)


class Compared:
    """An image and its result, both on the scale, and what the residual usually does.

    Attributes
    ----------
    residual : ndarray of float32, raw minus result.
    level : ndarray of uint8, the brightness of the result.
    usual : the mean and the spread of the residual at each level, as far as these images tell.
    kept : which of these tell something; None where all do.
    loud : the same of the image with its ``specks``, where these were taken off it.
    """

    def __init__(self, raw: Floats, result: Floats, kept: Mask | None = None, specks: Floats | None = None) -> None:
        self.residual, self.level = np.empty_like(raw), np.empty(raw.shape, np.uint8)
        self._sums = np.empty((3, LEVELS))
        _residual.compare(raw.ravel(), result.ravel(), self.residual.reshape(-1), self.level.reshape(-1), self._sums)
        self.kept = None if kept is None or kept.all() else kept
        self.loud = None if specks is None else Compared(specks, result, kept)
        if self.kept is not None:
            before, after = raw[self.kept], result[self.kept]
            _residual.compare(before, after, np.empty_like(before), np.empty(before.shape, np.uint8), self._sums)

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
        if self.loud is not None:
            return Usual(mean.astype(np.float32), self.loud.usual.per_spread)
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
        if self.kept is not None:
            residual *= self.kept
            standard *= self.kept
            moments = np.array([float((standard**power).sum(dtype=np.float64)) for power in (2, 3)])
        if self.loud is not None:  # what little is left of noise tells nothing of how skew it is
            return residual, standard, self.loud.standardised(wild)[2]
        variance, cubes = moments / (standard.size if self.kept is None else max(int(self.kept.sum()), 1))
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
