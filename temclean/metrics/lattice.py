"""The mean lattice of places such as columns of atoms: which belong to it, and how far each is off.

A lattice may have several columns to a cell; those that its vectors join are a sublattice. Places are (row, column), in
any unit that is the same along both.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError
from temclean.metrics.neighbours import Floats, Numbers, closest, nearest, pairs_within

FAR = 5.0
"""Distances between neighbours up to which vectors of the lattice are looked for."""

CANDIDATES = 40
"""Vectors that join most places, of which the lattice's are taken."""

NEAR = 0.2
"""How far a place may be off the end of a candidate, over the distance between neighbours."""

REGULAR, ALIKE = 0.35, 0.8
"""Share of the places that the best candidate must join, and share of that which the others must. Of places without
order one in six is joined by chance; two columns to a cell are joined by half of the lattice's share."""

GRAIN = 0.6
"""Share of the places joined by the one vector that the other joins too; of two grains' vectors few are."""

LINKED = 0.35
"""As NEAR, of places that count as the next ones; nothing else is nearer to where one of them should be."""

FEWEST = 9
"""Places that a lattice has at least, and so has each part of it that is cut off from the others."""

SAME = 0.2
"""Parts of a cell by which two cut-off pieces of one sublattice may be off each other."""


@dataclass(frozen=True)
class Lattice:
    """A lattice, and how places (N, 2) stand on it.

    Attributes
    ----------
    vectors : (2, 2) a and b, each (row, column); the shorter ones that there are. a points to the right, b down.
    origins : (M, 2) of each sublattice: a place of it is at ``origin + i a + j b``.
    sublattice : (N,) of each place, 0 the largest; -1 of those that are not on the lattice.
    indices : (N, 2) i and j.
    displacement : (N, 2) how far a place is off where the lattice has it; NaN of those that are not on it.
    following : (N, 2) numbers of the next places along a and along b, -1 where there is none.
    """

    vectors: Floats
    origins: Floats
    sublattice: Numbers
    indices: Numbers
    displacement: Floats
    following: Numbers

    @property
    def on(self) -> NDArray[np.bool_]:
        """Which places are on the lattice (N,)."""
        on: NDArray[np.bool_] = self.sublattice >= 0
        return on


def fit_lattice(places: Floats) -> Lattice | None:
    r"""Fit a lattice to places; None where they are without order.

    Of the differences between places up to five nearest distances apart, the two shortest are taken that join nearly as
    many as any does. Places are numbered from neighbour to neighbour along these, so that a strain may add up over
    the image; then vectors and origins minimise :math:`\sum \rho(p - o - i a - j b)` with Tukey's biweight
    :math:`\rho`, cut at 4.7 standard deviations, so that defects, another grain and invented columns do not count.

    Parameters
    ----------
    places : (N, 2) row and column, in a unit that is the same along both.

    Raises
    ------
    ParameterError : places are not (N, 2) and finite.

    Examples
    --------
    >>> places = np.stack(np.meshgrid(np.arange(0, 40, 8.0), np.arange(0, 50, 10.0), indexing="ij"), -1).reshape(-1, 2)
    >>> fit_lattice(places).vectors.round(6)
    array([[ 0., 10.],
           [ 8.,  0.]])
    """
    places = np.asarray(places, np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise ParameterError(f"places have shape {places.shape}; give (N, 2), row and column of each, all finite")
    if len(places) < FEWEST:
        return None
    apart = float(np.median(nearest(places)[1]))
    vectors = _vectors(places, apart) if apart > 0 else None
    if vectors is None:
        return None
    for _ in range(2):  # the second time with vectors that all places agree upon
        following = np.stack([_next(places, vector, LINKED * apart) for vector in vectors], axis=1)
        piece, indices = _numbered(following)
        sizes = np.bincount(piece)
        kept = sizes[piece] >= FEWEST
        if not kept.any():
            return None
        fitted = _fit(places[kept], indices[kept], piece[kept])
        if fitted is None:
            return None
        vectors = _tidy(fitted)
        if not np.allclose(vectors, fitted):  # turned or exchanged: number anew
            following = np.stack([_next(places, vector, LINKED * apart) for vector in vectors], axis=1)
            piece, indices = _numbered(following)
            kept = np.bincount(piece)[piece] >= FEWEST
    if not kept.any():
        return None
    sublattice, origins, indices = _sublattices(places, vectors, indices, np.where(kept, piece, -1))
    displacement = np.full(places.shape, np.nan)
    on = sublattice >= 0
    displacement[on] = places[on] - origins[sublattice[on]] - indices[on] @ vectors
    return Lattice(vectors, origins, sublattice, indices, displacement, following)


def _vectors(places: Floats, apart: float) -> Floats | None:
    """Return the two shortest vectors that join most places, None if none does."""
    first, second, _ = pairs_within(places, places, FAR * apart)
    step = (places[second] - places[first])[first != second]
    step = step[(step[:, 1] > 0) | ((step[:, 1] == 0) & (step[:, 0] > 0))]
    side = apart / 8
    half = int(np.ceil(FAR * 8)) + 2
    cell = np.rint(step / side).astype(np.intp) + half
    counts = np.zeros((2 * half + 1, 2 * half + 1))
    np.add.at(counts, (cell[:, 0], cell[:, 1]), 1.0)
    for axis in (0, 1):
        counts = counts + np.roll(counts, 1, axis) + np.roll(counts, -1, axis)
    order = np.argsort(counts, axis=None)[::-1]
    found: list[Floats] = []
    ends_at: list[tuple[NDArray[np.bool_], NDArray[np.bool_]]] = []
    low, high = places.min(axis=0) - NEAR * apart, places.max(axis=0) + NEAR * apart
    shares = []
    for flat in order:
        row, column = np.unravel_index(int(flat), counts.shape)
        if counts[row, column] < 3 or len(found) == CANDIDATES:
            break
        vector = (np.array([row, column], np.float64) - half) * side
        if any(np.linalg.norm(vector - other) < NEAR * apart for other in found):
            continue
        for _ in range(3):
            near = np.linalg.norm(step - vector, axis=1) < NEAR * apart
            vector = step[near].mean(axis=0) if near.any() else vector
        ends = places + vector
        inside = ((ends >= low) & (ends <= high)).all(axis=1)
        joined = closest(ends, places, NEAR * apart) >= 0
        found.append(vector)
        ends_at.append((inside, joined))
        shares.append(float(joined[inside].mean()) if inside.sum() >= FEWEST else 0.0)
    if not shares or max(shares) < REGULAR:
        return None
    most = float(np.median(sorted(shares)[-5:]))  # a few long vectors join one grain to another by chance
    good = [number for number, share in enumerate(shares) if share >= ALIKE * most]
    good.sort(key=lambda number: float(np.linalg.norm(found[number])))
    a, (_, by_a) = found[good[0]], ends_at[good[0]]
    for number in good[1:]:
        b, (inside, by_b) = found[number], ends_at[number]
        both = by_b[by_a & inside]
        if len(both) and both.mean() >= GRAIN and abs(_cross(a, b)) > 0.3 * _length(a) * _length(b):
            return _tidy(np.stack([a, b]))
    return None


def _length(vector: Floats) -> float:
    return float(np.linalg.norm(vector))


def _cross(a: Floats, b: Floats) -> float:
    return float(a[1] * b[0] - a[0] * b[1])


def _tidy(vectors: Floats) -> Floats:
    """Return the shortest vectors of the same lattice, a to the right and b down."""
    a, b = vectors
    for _ in range(20):
        if a @ a > b @ b * (1 + 1e-9):
            a, b = b, a
        whole = round(float(a @ b / (a @ a)) - 1e-6)
        if whole == 0:
            break
        b = b - whole * a
    if abs(b[1]) > abs(a[1]) * (1 + 1e-6):
        a, b = b, a
    a = a if a[1] > 0 else -a
    return np.stack([a, b if _cross(a, b) > 0 else -b])


def _next(places: Floats, vector: Floats, reach: float) -> Numbers:
    """Return the number of the place that lies a vector further, -1 where there is none; each is that of one only."""
    there = closest(places + vector, places, reach)
    back = closest(places - vector, places, reach)
    mutual = (there >= 0) & (back[there] == np.arange(len(places)))
    return np.where(mutual, there, -1)


def _numbered(following: Numbers) -> tuple[Numbers, Numbers]:
    """Go from one place to the next; return which piece each is in, and its i and j there."""
    count = len(following)
    steps = [(following[:, 0], (1, 0)), (following[:, 1], (0, 1))]
    links: list[list[tuple[int, int, int]]] = [[] for _ in range(count)]
    for there, (i, j) in steps:
        for one in np.flatnonzero(there >= 0).tolist():
            other = int(there[one])
            links[one].append((other, i, j))
            links[other].append((one, -i, -j))
    piece, indices = np.full(count, -1), np.zeros((count, 2), np.intp)
    pieces = 0
    for start in range(count):
        if piece[start] >= 0:
            continue
        piece[start] = pieces
        queue = [start]
        for one in queue:  # grows as it is walked: breadth first, so that ways round defects stay short
            for other, i, j in links[one]:
                if piece[other] < 0:
                    piece[other] = pieces
                    indices[other] = indices[one] + (i, j)
                    queue.append(other)
        pieces += 1
    return piece, indices


def _fit(places: Floats, indices: Numbers, piece: Numbers) -> Floats | None:
    """Return the vectors that fit pieces best, each about a middle of its own; None where they lie on one line."""
    weights = np.ones(len(places))
    vectors: Floats = np.zeros((2, 2))
    _, piece = np.unique(piece, return_inverse=True)
    for _ in range(30):
        total = np.maximum(np.bincount(piece, weights), 1e-9)
        n, p = (_centred(values.astype(np.float64), weights, piece, total) for values in (indices, places))
        normal = (n * weights[:, None]).T @ n
        if np.linalg.cond(normal) > 1e8:
            return None
        last = vectors
        vectors = np.asarray(np.linalg.solve(normal, (n * weights[:, None]).T @ p), np.float64)
        away = np.linalg.norm(p - n @ vectors, axis=1)
        spread = max(float(np.median(away)) / 1.1774, 1e-12)  # of each component, by Rayleigh's median
        weights = np.clip(1 - (away / (4.685 * spread)) ** 2, 0, 1) ** 2 + 1e-9
        if np.abs(vectors - last).max() < 1e-10 * np.abs(vectors).max():
            break
    return np.asarray(vectors, np.float64)


def _centred(values: Floats, weights: Floats, piece: Numbers, total: Floats) -> Floats:
    middle = np.stack([np.bincount(piece, weights * column) / total for column in values.T], axis=1)
    away: Floats = values - middle[piece]
    return away


def _sublattices(places: Floats, vectors: Floats, indices: Numbers, piece: Numbers) -> tuple[Numbers, Floats, Numbers]:
    """Join pieces that are the same but for whole cells; return the sublattice of each place, origins, and i and j."""
    indices, sublattice = indices.copy(), np.full(len(places), -1)
    inverse = np.linalg.inv(vectors)
    names, sizes = np.unique(piece[piece >= 0], return_counts=True)
    starts: list[Floats] = []
    for name in names[np.argsort(-sizes, kind="stable")]:
        which = np.flatnonzero(piece == name)
        start = np.asarray(np.median(places[which] - indices[which] @ vectors, axis=0), np.float64)
        for number, other in enumerate(starts):
            cells = (start - other) @ inverse
            if np.abs(cells - np.rint(cells)).max() < SAME:
                indices[which] += np.rint(cells).astype(np.intp)
                sublattice[which] = number
                break
        else:
            sublattice[which] = len(starts)
            starts.append(start)
    off = places - indices @ vectors
    origins = np.stack([np.median(off[sublattice == number], axis=0) for number in range(len(starts))])
    return sublattice, origins, indices
