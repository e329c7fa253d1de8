"""Stripes: whole columns that are brighter or darker than they should be, as a camera's amplifiers make them.

A stripe is the same in all of its column and tells nothing of the next: along rows, stripes are white noise. What a
specimen has along a whole column is not, as no microscope resolves single pixels. So means of columns are looked at in
the Fourier transforms of windows along rows. By how much parts of a column differ is chance and specimen; what all
parts share, at all short waves alike, is stripes; what stands out of these at some waves is the specimen's, and stays.
"""

import math
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.data_bar import rows_above
from temclean.evidence.lines.lost import MOST_PIXELS
from temclean.evidence.variance import Doubles

BLOCKS = 8
"""Parts of each column, whose means are compared."""

LEAST = 8 * BLOCKS
"""Rows and columns that are needed."""

SIDE = 128
"""Columns in a window, or half as many where there are few."""

BANDS = (0.2, 0.3, 0.4, 0.49)
"""Waves in three parts, in cycles over a pixel, in which stripes have to show alike."""

SURE, UNEVEN, STRONGEST = 5.0, 3.0, 0.7
"""Standard errors by which they stand out of chance at least; ratio of their power in two bands, and standard deviation
over that of the noise, at most: above these they are the specimen's."""

PEAK, CLEAR = 12.0, 1.4
"""Power over that of stripes and chance from which on one wave is the specimen's, and from which on waves around are in
part."""

NEAR = 4
"""Waves on each side that are looked at together for that."""


def removed(image: NDArray[Any]) -> tuple[NDArray[Any], float]:
    """Return an image (rows, columns) without stripes of its columns, and what is taken off, root mean square.

    The image itself where there are none, or where it is too large to be copied; else of a type that holds its numbers.
    A data bar is left as it is. Rows are not looked at: where a scanned beam strays they differ too.
    """
    end = rows_above(image) if image.ndim == 2 and image.size <= MOST_PIXELS and min(image.shape) >= LEAST else 0
    found = offsets(image[:end])
    if found is None:
        return image, 0.0
    seen = image.astype(np.result_type(image.dtype, np.float32))
    seen[:end] -= found.astype(seen.dtype)
    return seen, float(found.std())


def offsets(image: NDArray[Any]) -> Doubles | None:
    """Return by how much each column of an image is too bright; None where there are no stripes.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> noise, columns = rng.normal(0, 1, (256, 256)), rng.normal(0, 0.3, 256)
    >>> offsets(noise) is None
    True
    >>> bool(np.corrcoef(offsets(noise + columns), columns)[0, 1] > 0.9)
    True
    """
    height, width = image.shape
    if min(height, width) < LEAST or image.dtype.kind not in "iuf":
        return None
    rows, side = height // BLOCKS, SIDE if width >= 2 * SIDE else SIDE // 2
    with np.errstate(invalid="ignore", over="ignore"):
        means = image[: rows * BLOCKS].reshape(BLOCKS, rows, width).mean(axis=1, dtype=np.float64)
    scale = float(np.ptp(means))
    if not 0.0 < scale < math.inf:
        return None
    windows, taper = _cut(means / scale, side)
    waves = np.fft.rfft((windows - windows.mean(axis=-1, keepdims=True)) * taper) * math.sqrt(2 / side)
    shared = waves.mean(axis=0)
    chance = _around((np.abs(waves - shared) ** 2).sum(axis=0) / (BLOCKS - 1) / BLOCKS, 2)
    power = np.abs(shared) ** 2
    strength = _strength(power, chance, rows * BLOCKS)
    if strength is None:
        return None
    usual = strength + chance
    wide = _around(power, NEAR)
    wide = (wide + np.vstack([wide[:1], wide[:-1]]) + np.vstack([wide[1:], wide[-1:]])) / 3
    gain = strength / (usual + np.maximum(wide - CLEAR * usual, 0.0))
    gain[power > PEAK * usual] = 0.0
    gain[:, 0] = 0.0
    parts = np.fft.irfft(gain * shared, n=side) * math.sqrt(side / 2) * taper
    half = side // 2
    joined = parts[:-1, half:] + parts[1:, :half]
    return scale * joined.reshape(-1)[:width]


def _strength(power: Doubles, chance: Doubles, pixels: int) -> float | None:
    """Return the variance of stripes, from all windows' power and what of it is chance; None where there are none."""
    waves = np.arange(power.shape[1]) / (2 * power.shape[1] - 2)
    bands = [(waves >= low) & (waves < high) for low, high in pairwise(BANDS)]
    excess, by_chance = [], []
    for band in bands:
        by_chance.append(float(np.median(chance[:, band])))
        excess.append(float(np.median(power[:, band])) / math.log(2) - by_chance[-1])  # of one wave, it is exponential
    least = min(excess)
    # Windows overlap by half; the median of so many has a relative error of 1 / (ln 2 sqrt(n)).
    error = 1 / (math.log(2) * math.sqrt(len(power) / 2 * min(band.sum() for band in bands)))
    sure = all(e > SURE * error * c > 0 for e, c in zip(excess, by_chance, strict=True))
    if not sure or max(excess) > UNEVEN * least or least > STRONGEST**2 * pixels * float(np.median(by_chance)):
        return None
    return least


def _cut(means: Doubles, side: int) -> tuple[Doubles, Doubles]:
    """Cut columns' means, (BLOCKS, width), into windows that overlap by half, and return their taper.

    (BLOCKS, windows, side); the squares of the tapers add up to 1. Beyond the ends means go on by reflection.
    """
    half = side // 2
    count = math.ceil(means.shape[1] / half) + 1
    continued = np.pad(means, ((0, 0), (half, count * half - means.shape[1])), mode="symmetric")
    places = np.arange(count)[:, None] * half + np.arange(side)
    return continued[:, places], np.sin(np.pi * (np.arange(side) + 0.5) / side)


def _around(power: Doubles, reach: int) -> Doubles:
    """Return the mean of each wave's power and that of the next ones on both sides, in each window."""
    padded = np.pad(power, ((0, 0), (reach, reach)), mode="reflect")
    near: Doubles = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=1).mean(axis=-1)
    return near
