"""Areas at black or white, such as what a detector has cut off: too large for impulses, so they are to stay.

Models that take impulses out see which pixels are black or white and fill them in from their surroundings, whole
areas too. Of impulses at a level C of 0.42, the greatest that was trained on, 42% of the pixels of a dark place are
white; where the truth is white, Gaussian noise leaves half of the pixels so. Where clearly more are, in a window of any
of a few sizes, it is an area.

And of salt and pepper alone, all pixels that nothing has hit: a network would change them by a little.
"""

import math
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Number = TypeVar("Number", np.uint8, np.float32)

NEAR = 1e-4
"""Within this of 0 or 1 the networks count a pixel as black or white, and beyond."""

FAR = 0.25
"""Further below 0 or above 1 they leave areas as they are by themselves."""

LOST = 0.1
"""How far from black or white a result is where an area was taken away; less is left as it is."""

WINDOWS = ((5, 24), (9, 64), (17, 190), (33, 632))
"""Sides of windows, and how many of their pixels make an area: five standard deviations above one half, but for the
smallest, in which impulses at C = 0.42 make one in 80 million."""

CLOSE = 5
SOME, MAJORITY, MOST = 11, 13, 16
"""Of the pixels in such a window, those belong to the area that have so many extreme pixels in the 5x5 around them: an
extreme pixel by the smallest window, one in any window, and a pixel that is not extreme itself."""

BODY = 9
"""Of such a window, so many stand out of the scale in a small particle; of hits of a pixel in twenty hardly ever."""

AROUND = 17
"""So far around a lost pixel its area comes back; among impulses around 13 of 5x5 lost ones, as rims are lost there."""

SLIGHT, USUAL, USUALLY = 0.02, 10.0, 0.3
"""Changes that are no impulse's: of the scale, and times that quantile of all, four standard deviations of noise."""

BESIDE = 4.0
"""Times the median of the changes in 5x5 pixels: along edges and in textures all are larger."""

AT_ONCE = 2**14
"""Pixels whose surroundings are in memory at a time."""

BY_CHANCE = 0.002
"""Chance that so many of the 8 neighbours of a black or white pixel were hit alike, below which they were not: all are
the specimen's brightest or darkest."""

ROUNDED = 1e-6
"""Of the scale, by which pixels that were put back may be off: tiles are float32, and so are ramps."""

SUCH = 0.25
"""How far from black or white a result is at most where the specimen is so."""


def keep_areas(tile: Floats, restored: Floats) -> None:
    """Put areas at black or white back into a result where they were taken away.

    Parameters
    ----------
    tile, restored : ndarray of float32, (rows, columns)
        Before and after, on the network's scale; ``restored`` is changed in place.

    Examples
    --------
    >>> tile = np.full((32, 32), 0.4, np.float32)
    >>> tile[8:16, 8:16] = 1.0
    >>> tile[20, 20] = 1.0
    >>> restored = np.full_like(tile, 0.4)
    >>> keep_areas(tile, restored)
    >>> bool(restored[10, 10] == 1.0), bool(restored[20, 20] < 0.5)
    (True, True)
    """
    for value, extreme in (
        (1.0, (tile > 1.0 - NEAR) & (tile < 1.0 + FAR)),
        (0.0, (tile < NEAR) & (tile > -FAR)),
    ):
        solid, dense = areas(extreme)
        if solid is None and dense is None:
            continue
        lost = np.abs(restored - np.float32(value)) > LOST
        back = np.zeros_like(lost)
        if solid is not None:
            back |= solid & _around(solid & lost)
        if dense is not None:
            lost &= dense
            back |= dense & _around(lost & (sums(lost.view(np.uint8), CLOSE) >= MAJORITY))
        np.copyto(restored, np.where(extreme, tile, np.float32(value)), where=back)


def keep_untouched(tile: Floats, restored: Floats) -> None:
    """Put back the pixels that no impulse has hit: those that are neither black nor white, and were changed by little.

    So are black and white ones that lie side by side in what is nearly so: few impulses leave the brightest and darkest
    of the specimen beyond the percentiles of the scale. Of weak noise comes back what is no impulse.

    Parameters
    ----------
    tile, restored : ndarray of float32, (rows, columns)
        Before and after, on the network's scale; ``restored`` is changed in place.

    Examples
    --------
    >>> tile = np.full((32, 32), 0.4, np.float32)
    >>> tile[20, 20], tile[8, 8] = 1.0, 0.6
    >>> restored = np.full_like(tile, 0.402)
    >>> keep_untouched(tile, restored)
    >>> [round(float(restored[place]), 3) for place in ((2, 2), (20, 20), (8, 8))]
    [0.4, 0.402, 0.402]
    """
    known = (tile >= NEAR) & (tile <= 1.0 - NEAR)
    changes = np.abs(restored - tile)
    changes[~known] = np.nan
    if not known.any():
        return
    least = max(SLIGHT, USUAL * float(np.quantile(changes[known], USUALLY)))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(changes, CLOSE // 2, mode="symmetric"), (CLOSE, CLOSE))
    large = np.argwhere(changes > least)
    for rows, columns in (large[first : first + AT_ONCE].T for first in range(0, len(large), AT_ONCE)):
        known[rows, columns] = changes[rows, columns] <= BESIDE * _medians(around[rows, columns])
    for value, extreme, beyond in ((0.0, tile < NEAR, tile < -NEAR), (1.0, tile > 1.0 - NEAR, tile > 1.0 + NEAR)):
        if not beyond.any():
            continue
        tops = extreme & (np.abs(tile - np.float32(value)) < FAR)
        least = _more_than_chance(float(tops.mean()))
        together = tops & (sums(tops.view(np.uint8), 3) > least)  # itself counts too
        known |= together & (np.abs(restored - np.float32(value)) < SUCH)
    np.copyto(restored, tile, where=known)


def keep_exactly(frame: NDArray[Any], restored: NDArray[Any], width: float) -> None:
    """Give the pixels of a result that were put back the very value of their frame, which tiles of float32 round.

    Parameters
    ----------
    frame, restored : ndarray, (rows, columns)
        Before and after, in the frame's units; ``restored`` is changed in place.
    width : float
        Of the scale.
    """
    for before, after in zip(frame, restored, strict=True):
        np.copyto(after, before, where=np.abs(np.subtract(after, before, dtype=np.float64)) <= ROUNDED * width)


def _medians(windows: Floats) -> Floats:
    """Return the median of what is no NaN in each window; one value at least is none."""
    values = np.sort(windows.reshape(len(windows), -1), axis=1)  # NaN comes last
    count, each = np.count_nonzero(~np.isnan(values), axis=1), np.arange(len(values))
    medians: Floats = (values[each, (count - 1) // 2] + values[each, count // 2]) / 2
    return medians


def _more_than_chance(share: float) -> int:
    """Return how many of 8 neighbours hardly ever are of such a share of all pixels."""
    chances = [math.comb(8, count) * share**count * (1.0 - share) ** (8 - count) for count in range(9)]
    return next(count for count in range(10) if sum(chances[count:]) < BY_CHANCE)


def areas(extreme: Mask) -> tuple[Mask | None, Mask | None]:
    """Return which pixels (rows, columns) belong to areas without impulses, and to areas with; None for none."""
    if np.count_nonzero(extreme) < WINDOWS[0][1]:
        return None, None
    ones, solid, dense = extreme.view(np.uint8), None, None
    near = sums(ones, CLOSE)
    middles = near >= WINDOWS[0][1]
    if middles.any():
        solid = (sums(middles.view(np.uint8), CLOSE + 2) > 0) & ((near >= MOST) | (extreme & (near >= SOME)))
    belongs = (near >= MOST) | (extreme & (near >= MAJORITY))
    for side, least in WINDOWS[1:]:
        middles = sums(ones, side) >= least
        if middles.any():
            part = belongs & (sums(middles.view(np.uint8), side) > 0)
            dense = part if dense is None else dense | part
    return solid, dense


def _around(mask: Mask) -> Mask:
    return sums(mask.view(np.uint8), AROUND) > 0


def sums(image: NDArray[Number], side: int) -> NDArray[Any]:
    """Return the sums over square windows of an odd side around each pixel; beyond the border it is mirrored."""
    total: NDArray[Any] = np.pad(image, side // 2, mode="symmetric")
    if image.dtype.kind == "u" and side * side > 255:
        total = total.astype(np.uint16)
    for _ in range(2):
        total = _run_sums(total, side).T
    return total


def _run_sums(values: NDArray[Any], length: int) -> NDArray[Any]:
    """Return the sums of ``length`` rows from each row on: those of 1, 2, 4 ... are put together."""
    count = len(values) - length + 1
    total, begin, width = None, 0, 1
    while True:
        if length & width:
            part = values[begin : begin + count]
            total = part if total is None else total + part
            begin += width
        if 2 * width > length:
            break
        values = values[:-width] + values[width:]
        width *= 2
    if total is None:
        raise AssertionError(length)
    return total
