"""Areas at black or white, such as what a detector has cut off: too large for impulses, so they are to stay.

Models that take impulses out see which pixels are black or white and fill them in from their surroundings, whole
areas too. Of impulses at a level C of 0.42, the greatest that was trained on, 42% of the pixels of a dark place are
white; where the truth is white, Gaussian noise leaves half of the pixels so. Where clearly more are, in a window of any
of a few sizes, it is an area.

And hits of X-rays, cosmic rays or defects of a camera, far beyond 0 or 1, which no model is to see: a microscope's
image of anything is spread over some pixels and falls off gradually, that of a single atom too. A hit is one pixel or a
few that touch, all about as bright, and the next ones show none of it.
"""

import math
from functools import partial
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Places = list[tuple[int, int]]
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

AROUND = 17
"""So far around a lost pixel its area comes back; among impulses around 13 of 5x5 lost ones, as rims are lost there."""

BEYOND = 0.25
"""How far beyond 0 or 1 hits reach at least; less is within what networks have learned to take out."""

EXTENT = 4
"""Pixels along either side of the largest hit."""

SURROUNDINGS = 4
"""Pixels on each side of it that tell what is usual there."""

CLEAR = 8.0
"""Standard deviations of these, other hits left out, by which all its pixels stand out; and units of the scale, where
all around are as dark as can be: of electrons counted one by one, few are no hit."""

ALIKE = 0.5
"""Share of the greatest rise of its pixels that the least one has: a point that a microscope shows falls off faster."""

SHARP = 0.25
"""Share of the least rise that pixels next to it stay below. Of a point with a width of 1.5 pixels at half of its
height, which is less than the two that sampling asks for, the next pixels have 0.29; where it lies between pixels and a
block of them is alike, as little as the square of that."""

RARE, LESSER = 0.01, 0.4
"""Share of all pixels that hits are at most; and that all with this much of their rise are: where more are, bright ones
are usual."""

SLIGHT, USUAL, USUALLY = 0.02, 10.0, 0.3
"""Changes that are no impulse's: of the scale, and times that quantile of all, four standard deviations of noise."""

BESIDE = 4.0
"""Times the median of the changes in 5x5 pixels: along edges and in textures all are larger."""

BY_CHANCE = 0.002
"""Chance that so many of the 8 neighbours of a black or white pixel were hit alike, below which they were not: all are
the specimen's brightest or darkest."""

SUCH = 0.25
"""How far from black or white a result is at most where the specimen is so."""

SEEN = 2**15
"""Pixels that tell how many are that bright, or how strong the noise is, about."""

HIGH = 0.2
"""Of the scale, by which pixels stand out of a result at least: less leaves nothing that is seen."""

ALONE, HALF, BOTH = 6.0, 0.5, 1
"""Times the median of 5x5 pixels by which they do; and how many of the 8 next to one stand out by that share of it at
most, as where a hit covers two: along edges that strayed, or were lost, more do."""

STEEP = 2.0
"""Times the change, by which a result may differ within 3x3 pixels: where it is steeper, changes come of that."""


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
    large = np.nonzero(changes > least)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(changes, CLOSE // 2, mode="symmetric"), (CLOSE, CLOSE))
    beside = np.nanmedian(around[large].reshape(-1, CLOSE * CLOSE), axis=1)
    known[large] = changes[large] <= BESIDE * beside
    for value, extreme, beyond in ((0.0, tile < NEAR, tile < -NEAR), (1.0, tile > 1.0 - NEAR, tile > 1.0 + NEAR)):
        if not beyond.any():
            continue
        tops = extreme & (np.abs(tile - np.float32(value)) < FAR)
        least = _more_than_chance(float(tops.mean()))
        together = tops & (sums(tops.view(np.uint8), 3) > least)  # itself counts too
        known |= together & (np.abs(restored - np.float32(value)) < SUCH)
    np.copyto(restored, tile, where=known)


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


def replace_hits(tile: Floats) -> Places:
    """Put the median of the pixels next to a hit in its place.

    Parameters
    ----------
    tile : ndarray of float32, (rows, columns)
        On the network's scale, of which 0 and 1 are the ends; changed in place.

    Returns
    -------
    list of (row, column)
        The pixels that were replaced.

    Examples
    --------
    >>> tile = np.random.default_rng(1).normal(0.5, 0.1, (64, 64)).astype(np.float32)
    >>> tile[20, 30:32] = 7.0
    >>> replace_hits(tile)
    [(20, 30), (20, 31)]
    >>> bool(tile.max() < 1.2)
    True
    """
    found: Places = []
    for sign, end in ((1.0, 1.0), (-1.0, 0.0)):
        if sign * (float(tile.max() if sign > 0 else tile.min()) - end) <= BEYOND:
            continue
        step = max(1, math.isqrt(tile.size // SEEN))
        seen = np.sort(sign * tile[::step, ::step], axis=None)
        usual, often = (float(seen[int(share * (seen.size - 1))]) for share in (0.5, 1.0 - RARE))
        least = max(sign * end + BEYOND, usual + (often - usual) / LESSER)
        far = np.argwhere(tile > least if sign > 0 else tile < -least)
        if len(far) > RARE * tile.size:
            continue
        darkest = float(tile.min())
        for spot in filter(partial(_is_hit, tile, sign, (darkest, least)), _spots(far)):
            rows, columns = np.array(spot).T
            tile[rows, columns] = np.median(tile[_beside(spot, tile.shape)])
            found.extend(spot)
    return found


def left(frame: NDArray[Any], restored: NDArray[Any], width: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where single pixels of a frame stand out of its result, as a camera's bad pixels do within its range.

    A network lays them out over what is around them where noise is so weak that they do not drown in it.

    Parameters
    ----------
    frame, restored : ndarray, (rows, columns)
    width : float
        Of the scale, in the frame's units.

    Examples
    --------
    >>> frame = np.random.default_rng(1).normal(0.5, 0.01, (64, 64))
    >>> frame[20, 30] = 0.9
    >>> [place.tolist() for place in left(frame, np.full((64, 64), 0.5), 1.0)]
    [[20], [30]]
    """
    step = max(1, math.isqrt(frame.size // SEEN))
    usual = float(np.median(_apart(frame[::step, ::step], restored[::step, ::step], width)))
    least = max(HIGH, CLEAR * usual / 0.6745)  # that of noise is 0.6745 of its standard deviation
    band = max(1, SEEN // frame.shape[1])
    found: list[NDArray[np.intp]] = []
    for top in range(0, len(frame), band):
        far = np.argwhere(_apart(frame[top : top + band], restored[top : top + band], width) > least)
        found.append(far + np.array([top, 0]))
    rows, columns = np.concatenate(found).T
    down, across = (shift.ravel() for shift in np.mgrid[-2:3, -2:3])
    around = (
        (rows[:, None] + down).clip(0, frame.shape[0] - 1),
        (columns[:, None] + across).clip(0, frame.shape[1] - 1),
    )
    changes = _apart(frame[around], restored[around], width)
    own = changes[:, 12]
    beside = changes.reshape(-1, 5, 5)[:, 1:4, 1:4] > HALF * own[:, None, None]
    alone = (own > ALONE * np.median(changes, axis=1)) & (beside.sum(axis=(1, 2)) <= 1 + BOTH)
    near = restored[around].reshape(-1, 5, 5)[:, 1:4, 1:4].astype(np.float32)
    alone &= np.ptp(near, axis=(1, 2)) < STEEP * width * own
    alone &= np.median(frame[around], axis=1) > frame.min()  # a few electrons, counted one by one, are no hits
    return rows[alone], columns[alone]


def _apart(frame: NDArray[Any], restored: NDArray[Any], width: float) -> Floats:
    """Return how far pixels are from their result, in units of the scale."""
    apart: Floats = np.abs(frame.astype(np.float32) - restored.astype(np.float32))
    apart /= np.float32(width)
    return apart


def _spots(places: NDArray[np.intp]) -> list[Places]:
    """Return the groups of pixels that touch, also by their corners, but for those that reach too far."""
    left = {(int(row), int(column)) for row, column in places}
    spots = []
    while left:
        spot = [left.pop()]
        for row, column in spot:  # which grows meanwhile
            for place in [(row + down, column + right) for down in (-1, 0, 1) for right in (-1, 0, 1)]:
                if place in left:
                    left.remove(place)
                    spot.append(place)
        if max(np.ptp(spot, axis=0)) < EXTENT:
            spots.append(sorted(spot))
    return spots


def _beside(spot: Places, shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pixels that touch a group."""
    own = set(spot)
    near = {(row + down, column + right) for row, column in spot for down in (-1, 0, 1) for right in (-1, 0, 1)}
    inside = [place for place in near - own if 0 <= place[0] < shape[0] and 0 <= place[1] < shape[1]]
    rows, columns = np.array(sorted(inside), dtype=np.intp).reshape(-1, 2).T
    return rows, columns


def _is_hit(tile: Floats, sign: float, known: tuple[float, float], spot: Places) -> bool:
    """Tell a hit by how far all its pixels stand out, how alike they are, and how sharp its edges are.

    Known are the tile's darkest value, and from which on pixels, times the sign, may be hits.
    """
    rows, columns = np.array(spot).T
    top, left = max(int(rows.min()) - SURROUNDINGS, 0), max(int(columns.min()) - SURROUNDINGS, 0)
    window = sign * tile[top : int(rows.max()) + SURROUNDINGS + 1, left : int(columns.max()) + SURROUNDINGS + 1]
    beside = _beside(spot, tile.shape)
    others = np.ones(window.shape, bool)
    others[rows - top, columns - left] = others[beside[0] - top, beside[1] - left] = False
    others &= window <= known[1]
    if not others.any():
        return False
    usual = float(np.median(window[others]))
    own = window[rows - top, columns - left] - usual
    next_to_it = float(window[beside[0] - top, beside[1] - left].max()) - usual
    least = float(own.min())
    if usual <= sign * known[0] and not np.median(np.abs(window[others] - usual)) and least < CLEAR:
        return False
    sides = np.ptp(spot, axis=0) + 1
    sharp = SHARP**2 if sides.min() > 1 and len(spot) == sides.prod() else SHARP
    sure = least > CLEAR * float(window[others].std())
    return sure and least >= ALIKE * float(own.max()) and next_to_it < sharp * least
