"""Means of pixels in blocks, and what the residual does at each brightness of the result."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

KERNEL = np.array([1.0, 2.0, 3.0, 2.0, 1.0])
"""Weights with which levels share what they have with their neighbours."""

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
        values = pixels.astype(np.result_type(pixels.dtype, np.float32))  # float64 where float32 is too coarse
        values -= self.offset
        values *= 1 / self.unit
        return values.astype(np.float32, copy=False)

    @cached_property
    def means(self) -> tuple[Floats, Floats]:
        """Return the means of blocks of the raw image and of the result; what does not fill a block is left out."""
        side = self.side
        rows, columns = (length // side for length in self.raw.shape)
        band = max(1, CHUNK // (self.raw.shape[1] * side))
        found = np.empty((2, rows, columns), dtype=np.float32)
        for image, out in zip((self.raw, self.result), found, strict=True):
            for top in range(0, rows, band):
                bottom = min(top + band, rows)
                part = self.scaled(image[top * side : bottom * side, : columns * side])
                while len(part) > bottom - top:
                    part = halved(part)
                out[top:bottom] = part
        return found[0], found[1]

    @cached_property
    def usual(self) -> "Usual":
        """What the residual of the means does at each brightness."""
        before, after = self.means
        return usual(before - after, levels(after))


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
        low, high = np.percentile(image[::step, ::step].astype(np.float64), (0.1, 99.9))
        if high > low and math.isfinite(1 / (high - low)):
            return Pair(raw, result, float(low), float(high - low))
    return None


def halved(means: Floats) -> Floats:
    """Return the means of 2x2 neighbours; an odd row or column at the end is left out.

    >>> halved(np.arange(16, dtype=np.float32).reshape(4, 4)).tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    even = means[: means.shape[0] // 2 * 2, : means.shape[1] // 2 * 2]
    rows = even[::2] + even[1::2]
    return (rows[:, ::2] + rows[:, 1::2]) * np.float32(0.25)


@dataclass(frozen=True)
class Usual:
    """Mean and spread of the residual at each brightness of the result.

    Noise that a detector cuts off, or that sends pixels to black and white, has a mean that depends on the brightness,
    and nearly all noise has a spread that does: neither is structure.
    """

    mean: Floats
    per_spread: Floats


def levels(result: Floats) -> NDArray[np.intp]:
    """Return the level of brightness of each value of a result."""
    return (result * np.float32(LEVELS - 1) + np.float32(0.5)).clip(0, LEVELS - 1).astype(np.intp)


def usual(residual: Floats, level: NDArray[np.intp]) -> Usual:
    """Measure what is usual in a residual; ``per_spread`` is 0 where a level has too few pixels to tell."""
    places, values = level.ravel(), residual.ravel()
    numbers = np.bincount(places, minlength=LEVELS)
    weights, first, second = (
        np.convolve(each, KERNEL, "same")
        for each in (
            numbers,
            np.bincount(places, values, LEVELS),
            np.bincount(places, np.square(values), LEVELS),
        )
    )
    mean = first / np.maximum(weights, 1.0)
    variance = second / np.maximum(weights, 1.0) - mean**2
    many = (np.convolve(numbers, np.ones(len(KERNEL)), "same") >= FEW) & (variance > 0)
    per_spread = np.where(many, 1 / np.sqrt(np.where(many, variance, 1.0)), 0.0)
    return Usual(mean.astype(np.float32), per_spread.astype(np.float32))
