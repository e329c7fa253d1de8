"""Hits of X-rays, cosmic rays or defects of a camera, which no network is to see.

A microscope's image of anything is spread over some pixels and falls off gradually, that of a single atom too. A hit
is one pixel or a few that touch, all about as bright, and the next ones show none of it.
"""

import math
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.samples import Floats

Place = tuple[int, int]
"""Row and column."""

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

SEEN = 2**15
"""Pixels that tell how many are that bright, or how strong the noise is, about."""

HIGH = 0.2
"""Of the scale, by which pixels stand out of a result at least: less leaves nothing that is seen."""

ALONE, HALF, BOTH = 6.0, 0.5, 1
"""Times the median of 5x5 pixels by which they do; and how many of the 8 next to one stand out by that share of it at
most, as where a hit covers two: along edges that strayed, or were lost, more do."""

MOSTLY = 0.85
"""Quantile of the changes that tells, beside their median, how strong noise is: where it is cut off, half are 0."""

POINT = 0.15
"""Share of its rise over the pixels two away that the four beside one have, the middle two of them, from which on it is
a point that a microscope shows, which a network may lay out too: at a width of 1.5 pixels they have 0.29 at least."""

SIDES = (7, 11, 13, 17)
RING = (0, 1, 2, 3, 4, 5, 9, 10, 14, 15, 19, 20, 21, 22, 23, 24)
"""Of 5x5 pixels, the four beside the middle one, and those two away."""

STEEP = 2.0
"""Times the change, by which a result may differ within 3x3 pixels: where it is steeper, changes come of that."""


def replace_hits(tile: Floats) -> list[Place]:
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
    found: list[Place] = []
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


def left(frame: NDArray[Any], restored: NDArray[Any], low: float, high: float, *, many: bool = False) -> list[Place]:
    """Return where single pixels of a frame stand out of its result, as a camera's bad pixels do within its range.

    A network lays them out over what is around them where noise is so weak that they do not drown in it.

    Parameters
    ----------
    frame, restored : ndarray, (rows, columns)
    low, high : float
        Ends of the scale, in the frame's units.
    many : bool
        Whether there may be so many that they lie side by side.

    Examples
    --------
    >>> frame = np.random.default_rng(1).normal(0.5, 0.01, (64, 64))
    >>> frame[20, 30] = 0.9
    >>> left(frame, np.full((64, 64), 0.5), 0.0, 1.0)
    [(20, 30)]
    """
    step, width = max(1, math.isqrt(frame.size // SEEN)), high - low
    some = np.abs(_apart(frame[::step, ::step], restored[::step, ::step], width))
    middle, most = np.quantile(some, (0.5, MOSTLY))
    least = max(HIGH, CLEAR * float(max(middle / 0.6745, most / 1.4395)))  # what these are of Gaussian noise
    band, darkest = max(1, SEEN // frame.shape[1]), frame.min()
    found: list[Place] = []
    for top in range(0, len(frame), band):
        rows = slice(top, top + band)
        places = np.argwhere(np.abs(_apart(frame[rows], restored[rows], width)) > least) + np.array([top, 0])
        if len(places):
            found += map(tuple, places[_alone(frame, restored, width, places, darkest, many)].tolist())
    return found


def _alone(
    frame: NDArray[Any], restored: NDArray[Any], width: float, places: NDArray[np.intp], darkest: float, many: bool
) -> NDArray[np.bool_]:
    """Return which of these places stand out by themselves."""
    rows, columns = places.T
    down, across = (shift.ravel() for shift in np.mgrid[-2:3, -2:3])
    around = (
        (rows[:, None] + down).clip(0, frame.shape[0] - 1),
        (columns[:, None] + across).clip(0, frame.shape[1] - 1),
    )
    before, after = frame[around], restored[around]
    changes = np.abs(_apart(before, after, width))
    own = changes[:, 12]
    beside = changes.reshape(-1, 5, 5)[:, 1:4, 1:4] > HALF * own[:, None, None]
    alone: NDArray[np.bool_] = own > ALONE * np.median(changes, axis=1)
    if not many:
        alone &= beside.sum(axis=(1, 2)) <= 1 + BOTH
    near = _apart(after, after[:, 12:13], width).reshape(-1, 5, 5)[:, 1:4, 1:4]
    alone &= np.ptp(near, axis=(1, 2)) < STEEP * own
    rises = _apart(before, np.median(before[:, RING], axis=1, keepdims=True), width)
    sides = np.sort(rises[:, SIDES], axis=1)[:, 1:3].mean(axis=1)  # but for one that was hit too
    alone &= sides * np.sign(rises[:, 12]) < POINT * np.abs(rises[:, 12])
    alone &= np.median(before, axis=1) > darkest  # a few electrons, counted one by one, are no hits
    return alone


def _apart(values: NDArray[Any], others: NDArray[Any], width: float) -> Floats:
    """Return by how much values lie above others, in units of the scale, which may be little of what they are."""
    apart: Floats = (np.subtract(values, others, dtype=np.float64) / width).astype(np.float32)
    return apart


def _spots(places: NDArray[np.intp]) -> list[list[Place]]:
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


def _beside(spot: list[Place], shape: tuple[int, ...]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pixels that touch a group."""
    own = set(spot)
    near = {(row + down, column + right) for row, column in spot for down in (-1, 0, 1) for right in (-1, 0, 1)}
    inside = [place for place in near - own if 0 <= place[0] < shape[0] and 0 <= place[1] < shape[1]]
    rows, columns = np.array(sorted(inside), dtype=np.intp).reshape(-1, 2).T
    return rows, columns


def _is_hit(tile: Floats, sign: float, known: tuple[float, float], spot: list[Place]) -> bool:
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
