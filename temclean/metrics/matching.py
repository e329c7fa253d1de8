"""Which columns of two images are the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ParameterError
from temclean.metrics.columns import Columns
from temclean.metrics.neighbours import Floats, closest


@dataclass(frozen=True)
class Matches:
    """Which columns are the same.

    Attributes
    ----------
    found, true : (M,) their numbers among those found and among the true ones.
    distance : (M,) how far apart they are, pixels.
    precision, recall : share of those found that are true, and of the true ones that were found; 1 if there are none.
    """

    found: NDArray[np.intp]
    true: NDArray[np.intp]
    distance: Floats
    precision: float
    recall: float


def match(found: Columns | ArrayLike, true: Columns | ArrayLike, distance: float) -> Matches:
    """Match columns to the true ones: pairs of which each is the other's nearest, up to a distance in pixels.

    Raises
    ------
    ParameterError : the distance is not positive, or places are not (N, 2).

    Examples
    --------
    >>> match([[1.0, 1.0], [5.0, 5.0]], [[1.0, 1.5], [9.0, 9.0]], distance=2.0).recall
    0.5
    """
    a, b = (_places(each) for each in (found, true))
    if not distance > 0:
        raise ParameterError(f"distance is {distance!r}; give the pixels that a true column may be away, such as 2")
    if not len(a) or not len(b):
        nothing = np.empty(0, np.intp)
        return Matches(nothing, nothing, np.empty(0), float(not len(a)), float(not len(b)))
    there, back = closest(a, b, distance), closest(b, a, distance)
    pairs = np.flatnonzero((there >= 0) & (back[there] == np.arange(len(a))))
    away = np.linalg.norm(a[pairs] - b[there[pairs]], axis=1)
    return Matches(pairs, there[pairs], away, len(pairs) / len(a), len(pairs) / len(b))


def _places(columns: Columns | ArrayLike) -> Floats:
    places = columns.positions if isinstance(columns, Columns) else np.asarray(columns, np.float64)
    if places.size == 0:
        return np.empty((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise ParameterError(f"places have shape {places.shape}; give (N, 2), row and column of each")
    return places
