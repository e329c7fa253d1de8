r"""Waves of a lattice that a result does not show at all, at sums and differences of those that it shows.

All waves of a lattice stand on a lattice themselves: where two are, so may be their sum and their difference. Of a
wave there whose power :math:`P` in the residual is many times the noise's, :math:`N`, what the image has comes back,
whatever the result made of it; with its neighbours, shrunken by Wiener's gain for the power that is left of it,
:math:`1 - N / P`. Nothing comes back at ten times, all from twenty times on, so that a result changes little with an
image.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats
from temclean.evidence.corrections.spectrum import BLURRED, SLOW, power_of
from temclean.evidence.samples import Mask

LIKELY, CERTAIN = 10.0, 20.0
"""Times the noise's power from which on a wave's counts, and counts fully: noise alone reaches ten at one in 22 000."""

BESIDE = 4.0
"""The same for the waves beside it."""

REACH = 2
"""Waves on each side of which it is the greatest."""

Places = tuple[NDArray[np.intp], NDArray[np.intp]]


def add_lacking(
    back: NDArray[Any], left: NDArray[Any], floor: Floats, result: NDArray[Any], sums: Mask, *, strayed: bool
) -> None:
    """Add to the spectrum of what comes back, in place, what is certain at sums and differences of waves.

    Parameters
    ----------
    back, left, floor, result : ndarray, (rows, rows / 2 + 1)
        Half spectra: of what comes back, of the residual without that, the noise's mean power, and of the result.
    sums : ndarray of bool, (rows, rows / 2 + 1)
        Where sums and differences of the waves are that the result shows.
    strayed : bool
        What rows that stray may have blurred is not taken off the result.
    """
    power = power_of(left)
    certain = power > np.float32(LIKELY) * floor
    certain &= sums
    if strayed:
        common = left.real * result.real + left.imag * result.imag
        certain &= (common >= 0.0) | (common < -BLURRED * power_of(result))
    certain[:, -REACH:] = False
    certain[:SLOW, :SLOW] = certain[1 - SLOW :, :SLOW] = False
    rows, columns = np.nonzero(certain)
    near = _around(rows, columns, REACH, len(power))
    greatest = power[rows, columns] >= power[near].max(axis=0)
    rows, columns = rows[greatest], columns[greatest]
    certainty = np.clip((power[rows, columns] / floor[rows, columns] - LIKELY) / (CERTAIN - LIKELY), 0.0, 1.0)
    near = _around(rows, columns, 1, len(power))
    share = floor[near] / power[near]
    gain = certainty * np.where(share < 1 / BESIDE, 1.0 - share, 0.0)
    back[near] += gain.astype(np.float32) * left[near]


def _around(rows: NDArray[np.intp], columns: NDArray[np.intp], reach: int, size: int) -> Places:
    """Return the waves up to ``reach`` away from each, (waves, each); beyond the first column lie mirror images."""
    down, across = (each.reshape(-1, 1) for each in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    row, column = rows + down, columns + across
    return np.where(column < 0, -row, row) % size, np.abs(column)


def sums_of(shown: Places, size: int) -> Mask:
    """Return where in a half spectrum sums and differences of two waves (rows, columns) are, one wave more or less."""
    rows, columns = (np.concatenate([each, -each]) for each in shown)
    row, column = (np.add.outer(each, each).ravel() for each in (rows, columns))
    inside = (column >= 0) & (column < size // 2)
    table = np.zeros((size, size // 2 + 1), bool)
    table[_around(row[inside], column[inside], 1, size)] = True
    return table
