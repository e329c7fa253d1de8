"""Which of many places lie near each other."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


def pairs_within(places: Floats, others: Floats, reach: float) -> tuple[Numbers, Numbers, Floats]:
    """Return which places (N, 2) and which others (M, 2) are no further apart than ``reach``, and how far.

    Both are dealt out to square cells of that side, so that only the nine cells about each place are looked at.

    Examples
    --------
    >>> first, second, away = pairs_within(np.zeros((1, 2)), np.array([[0.0, 3.0], [0.0, 9.0]]), 4.0)
    >>> first.tolist(), second.tolist(), away.tolist()
    ([0], [0], [3.0])
    """
    if not len(places) or not len(others):
        return np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0)
    corner = np.minimum(places.min(axis=0), others.min(axis=0))
    cells, there = (np.floor((each - corner) / reach).astype(np.int64) + 1 for each in (places, others))
    stride = int(max(cells[:, 1].max(), there[:, 1].max())) + 2
    keys = there[:, 0] * stride + there[:, 1]
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first, second = [], []
    for step in (-1, 0, 1):  # three cells side by side have consecutive keys
        row = (cells[:, 0] + step) * stride + cells[:, 1]
        start, end = np.searchsorted(keys, row - 1), np.searchsorted(keys, row + 1, side="right")
        count = end - start
        first.append(np.repeat(np.arange(len(places)), count))
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        second.append(order[np.repeat(start, count) + within])
    one, two = np.concatenate(first), np.concatenate(second)
    away = np.linalg.norm(places[one] - others[two], axis=1)
    near = away <= reach
    return one[near], two[near], away[near]


def nearest(places: Floats) -> tuple[Numbers, Floats]:
    """Return for each of two or more places (N, 2) the number of the nearest other one, and how far it is."""
    span = np.ptp(places, axis=0)
    reach = max(2.0 * float(np.sqrt(max(span[0] * span[1], 1e-12) / len(places))), 1e-6 * float(span.max()) + 1e-12)
    index, distance = np.full(len(places), -1), np.full(len(places), np.inf)
    while (index < 0).any():
        left = np.flatnonzero(index < 0)
        first, second, away = pairs_within(places[left], places, reach)
        other = left[first] != second
        first, second, away = left[first[other]], second[other], away[other]
        order = np.lexsort((away, first))
        one, where = np.unique(first[order], return_index=True)
        index[one], distance[one] = second[order][where], away[order][where]
        reach *= 2
    return index, distance


def closest(places: Floats, others: Floats, reach: float) -> Numbers:
    """Return for each place the number of the closest of the others within ``reach``, -1 where there is none."""
    first, second, away = pairs_within(places, others, reach)
    order = np.lexsort((away, first))
    one, where = np.unique(first[order], return_index=True)
    found = np.full(len(places), -1)
    found[one] = second[order][where]
    return found
