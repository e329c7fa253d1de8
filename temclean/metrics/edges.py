"""Where edges of regions lie between pixels, how far noise moves them, and how far a region reaches across."""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Numbers = NDArray[np.intp]

DIRECTIONS = 90
"""In which a region's width is taken."""

FARTHEST, ENOUGH = 512, 1_000_000
"""Pixels up to which noise is asked if it hangs together, and how many are looked at."""

WILD = 5.0
"""Standard deviations that a pixel of the ground counts for at most: other things may lie there."""

RARE = 0.05
"""Share of the ground's pixels that must have another at a distance, or less is said of it."""

SURE = 5.0
"""Times the square that noise makes of a harmonic of an outline that one has at least to be kept."""

FOLDED = 1.5
"""Perimeters from which on the way along all points, in the order of their angle, does not follow an outline."""


def crossings(above: Singles, labels: Numbers) -> tuple[Numbers, Floats, Floats]:
    """Return where edges lie between a pixel inside and one outside: of which region, the place, and how far along."""
    whose, points, shares = [], [], []
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        outer = np.pad(above, 1, constant_values=0)[1 + down :, 1 + right :][: above.shape[0], : above.shape[1]]
        rows, columns = np.nonzero((labels > 0) & (outer <= 0))
        here, there = (each[rows, columns].astype(np.float64) for each in (above, outer))
        share = here / (here - there)
        border = (rows + down < 0) | (rows + down >= above.shape[0])
        border |= (columns + right < 0) | (columns + right >= above.shape[1])
        share[border] = 0.5
        whose.append(labels[rows, columns])
        points.append(np.stack([rows + down * share, columns + right * share], axis=1))
        shares.append(share)
    return np.concatenate(whose), np.concatenate(points).clip(0, np.array(above.shape) - 1), np.concatenate(shares)


def shaken(image: Singles, ground: NDArray[np.bool_], parts: list[Floats]) -> Floats:
    """Return how far noise moves the mean of an image over each of some sets of places, a standard deviation (N,).

    That is the mean of the ground's covariance over all pairs of places, so that noise may hang together in any way,
    along whole rows too.

    Parameters
    ----------
    image : blurred as it is where the places are.
    ground : where nothing but noise varies.
    parts : (P, 2) rows and columns of each set.
    """
    whole = [np.rint(each - each.min(axis=0)).astype(np.intp) for each in parts]
    sizes = [each.max(axis=0) + 1 for each in whole]
    reach = int(min(max((each.max() for each in sizes), default=1), FARTHEST, max(image.shape)))
    covariance = _covariance(image, ground, reach)
    found = np.zeros(len(parts))
    for each, (places, size) in enumerate(zip(whole, sizes, strict=True)):
        row, column = places.T
        there = np.bincount(row * size[1] + column, minlength=int(size.prod())).reshape(size)
        far = np.minimum(size - 1, reach)
        sides = int(size[0] + far[0]), int(size[1] + far[1])
        pairs = np.fft.irfft2(np.abs(np.fft.rfft2(there, sides)) ** 2, sides)
        lags = np.ix_(*(np.arange(-most, most + 1) for most in far))
        found[each] = float((pairs[lags] * covariance[lags]).sum()) / len(places) ** 2
    made: Floats = np.sqrt(np.maximum(found, 0))
    return made


def _covariance(image: Singles, ground: NDArray[np.bool_], reach: int) -> Floats:
    """Return the covariance of the ground's pixels, up to a distance down and right; backwards from the ends."""
    values = image[ground]
    if not values.size:
        return np.zeros((2 * reach + 1, 2 * reach + 1))
    middle = float(np.median(values))
    wild = WILD * 1.4826 * float(np.median(np.abs(values - middle)))
    middle = float(np.clip(values, middle - wild, middle + wild).mean(dtype=np.float64))
    side = max(2 * reach, 512)
    starts = [(row, column) for row in range(0, image.shape[0], side) for column in range(0, image.shape[1], side)]
    sides = (side + reach + 1, side + reach + 1)
    products, pairs = (np.zeros((sides[0], sides[1] // 2 + 1)) for _ in range(2))
    for row, column in starts[:: max(1, image.size // ENOUGH) | 1]:
        part = (slice(row, row + side), slice(column, column + side))
        products += np.abs(np.fft.rfft2(ground[part] * np.clip(image[part] - middle, -wild, wild), sides)) ** 2
        pairs += np.abs(np.fft.rfft2(ground[part], sides)) ** 2
    number = np.fft.irfft2(pairs, sides)
    made: Floats = np.fft.irfft2(products, sides) / np.maximum(number, max(RARE * float(number[0, 0]), 1.0))
    return made


def calmed(points: Floats, noise: float) -> Floats:
    """Return points of an outline (P, 2) without the harmonics that noise alone could have made.

    Those others are left as large as they were before the noise, on average. An outline that folds back, so that its
    points do not follow each other by their angle, stays as it is.

    Parameters
    ----------
    points : (P, 2) of the outline, in any order.
    noise : what noise adds to the square of each harmonic.
    """
    middle = points.mean(axis=0)
    down, right = (points - middle).T
    order = np.argsort(np.arctan2(down, right), kind="stable")
    down, right = (np.append(each[order], each[order[0]]) for each in (down, right))
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(down), np.diff(right)))])
    if along[-1] > FOLDED * math.pi / 4 * len(points):  # Crofton
        return points
    even = np.arange(2 * len(points)) * along[-1] / (2 * len(points))
    harmonics = np.fft.fft(np.interp(even, along, down) + 1j * np.interp(even, along, right))
    power = np.maximum(np.abs(harmonics / len(even)) ** 2, 1e-300)
    line = np.fft.ifft(harmonics * np.where(power > SURE * noise, 1 - noise / power, 0))
    made: Floats = middle + np.stack([line.real, line.imag], axis=1)
    return made


def across(points: Floats) -> tuple[float, float]:
    """Return the greatest and the least extent of points (P, 2) over all directions."""
    angle = np.arange(DIRECTIONS) * math.pi / DIRECTIONS
    extent = np.ptp(points @ np.stack([np.sin(angle), np.cos(angle)]), axis=0)
    return float(extent.max()), float(extent.min())
