"""Weak maxima half-way between columns, which phase contrast makes where no atom is."""

import numpy as np
from numpy.typing import NDArray

from temclean.metrics.neighbours import Floats, nearest, pairs_within

WEAK = 0.5
"""Height over that of a typical column, below which a maximum may be an echo."""

NEAR = 0.55
"""Distance to columns over that of strong columns from each other, up to which it lies between them: half of it in the
middle. Anions of rock salt along [110] are at 0.577, oxygen beside the metals of a perovskite at 0.7."""

OPPOSITE = 135.0
"""Degrees from one such column to another about it. A dumbbell's weaker atom has one that is so near; sulphur in MoS2,
and what is in the middle of a triangle, has three at 120."""

MANY = 0.1
"""Of the strong columns, how many such maxima tell that the image has echoes. Others near to one strong column, up to
ALSO_NEAR, then are rings about it, if they are no more than so many times as high as nearly all echoes."""

ALSO_NEAR, HIGHER = 0.65, 1.25


def echoes(places: Floats, heights: Floats) -> NDArray[np.bool_]:
    """Return which of many columns lie between two strong ones and are weak (N,).

    Parameters
    ----------
    places : (N, 2) row and column.
    heights : (N,) contrast of each, above 0; typical is the median weighted by squares.

    Examples
    --------
    >>> line = np.stack([np.zeros(7), np.arange(7.0)], axis=1)
    >>> echoes(line, np.array([1.0, 0.3, 0.9, 0.3, 1.0, 0.4, 1.0]))
    array([False,  True, False,  True, False,  True, False])
    """
    found = np.zeros(len(places), bool)
    if len(places) < 3:
        return found
    order = np.argsort(heights)
    weight = np.cumsum(heights[order] ** 2)
    typical = heights[order[np.searchsorted(weight, 0.5 * weight[-1])]]
    strong = heights > WEAK * typical
    if strong.sum() < 2 or strong.all():
        return found
    weak = np.flatnonzero(~strong)
    columns = places[strong]
    apart = float(np.median(nearest(columns)[1]))
    which, other, away = pairs_within(places[weak], columns, NEAR * apart)
    towards = (columns[other] - places[weak[which]]) / np.maximum(away, 1e-12)[:, None]
    for number in np.unique(which):
        each = towards[which == number]
        found[weak[number]] = float((each @ each.T).min()) < np.cos(np.radians(OPPOSITE))
    if found.sum() > MANY * strong.sum():
        low = np.flatnonzero(heights <= HIGHER * np.quantile(heights[found], 0.95))
        which, _, away = pairs_within(places[low], columns, ALSO_NEAR * apart)
        found[low[np.unique(which[away > 0])]] = True  # some are strong themselves
    return found
