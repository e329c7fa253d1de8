"""Images between their pixels, by cubic splines: rows that are displaced, each by itself."""

import math

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats

Doubles = NDArray[np.float64]


POLE = math.sqrt(3.0) - 2.0
"""Of the recursion that gives the coefficients of a cubic spline (Unser 1999, IEEE Signal Process. Mag. 16, 22)."""

MEMORY = 16
"""Pixels after which it has forgotten, to a billionth."""


def coefficients(image: Floats) -> Floats:
    """Return the coefficients of the cubic spline through an image, float32 (rows, columns), that is mirrored.

    It has :data:`MEMORY` pixels along a side at least.
    """
    powers = np.array([POLE**k for k in range(MEMORY)], np.float32)
    pole = np.float32(POLE)
    for _ in range(2):
        bent = np.ascontiguousarray(6 * image)
        bent[0] = powers @ bent[:MEMORY]
        for row in range(1, len(bent)):
            bent[row] += pole * bent[row - 1]
        bent[-1] = np.float32(POLE / (POLE * POLE - 1)) * (bent[-1] + pole * bent[-2])
        for row in range(len(bent) - 2, -1, -1):
            bent[row] = pole * (bent[row + 1] - bent[row])
        image = bent.T
    return np.ascontiguousarray(image)


def weights_at(fractions: float | Doubles) -> Floats:
    """Return the weights of four coefficients at fractions after the second: float32 (2, 4, ...), values and slopes."""
    t = np.asarray(fractions, np.float32)
    rest = 1 - t
    values = rest**3 / 6, 2 / 3 - t * t * (1 - t / 2), 2 / 3 - rest * rest * (1 - rest / 2), t**3 / 6
    slopes = -rest * rest / 2, t * (1.5 * t - 2), rest * (2 - 1.5 * rest), t * t / 2
    return np.array([values, slopes], np.float32)


class Displaced:
    """An image at displaced places, by a cubic spline; it goes on by reflection.

    Parameters
    ----------
    image : float32 (rows, columns).
    """

    def __init__(self, image: Floats) -> None:
        self._bent = coefficients(image)

    def __call__(self, moved: Doubles, rows: slice) -> tuple[Floats, Floats, Floats]:
        """Return some rows displaced as ``moved``, (all rows, 2), says, right and down, and their slopes there."""
        right, down = moved[rows].T
        whole = np.floor(down)
        places = np.arange(rows.start, rows.stop) + whole.astype(int) + np.arange(-1, 3)[:, None]
        level, slope = np.einsum(
            "akr,krc->arc", weights_at(down - whole), self._bent[_mirrored(places, len(self._bent))]
        )
        return _along(level, right, 0), _along(level, right, 1), _along(slope, right, 0)


def _along(rows: Floats, right: Doubles, derivative: int) -> Floats:
    """Return what rows of coefficients stand for at places further right, or the slopes there."""
    whole = np.floor(right)
    places = np.arange(rows.shape[1]) + whole.astype(int)[:, None]
    found = np.zeros_like(rows)
    for k, weights in enumerate(weights_at(right - whole)[derivative]):
        found += weights[:, None] * np.take_along_axis(rows, _mirrored(places + k - 1, rows.shape[1]), axis=1)
    return found


def _mirrored(places: NDArray[np.int_], count: int) -> NDArray[np.int_]:
    """Bring places into the range by mirroring at the first and the last of so many."""
    found: NDArray[np.int_] = count - 1 - np.abs(count - 1 - np.abs(places))
    return found
