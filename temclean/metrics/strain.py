"""Strain at each column of atoms, from the places of its neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.metrics.lattice import Lattice
from temclean.metrics.neighbours import Floats, Numbers

LEAST = 3
"""Neighbours that a strain takes."""


@dataclass(frozen=True)
class Strain:
    """Strain at N places against the mean lattice, x to the right, y down; NaN where there are too few neighbours.

    Attributes
    ----------
    exx, eyy, exy : (N,) of the infinitesimal strain.
    rotation : (N,) degrees, counter-clockwise as the image is seen.
    errors : (N, 4) standard errors of these, as far as those of the places go.
    """

    exx: Floats
    eyy: Floats
    exy: Floats
    rotation: Floats
    errors: Floats


def local_strain(places: Floats, lattice: Lattice, errors: Floats | None = None) -> Strain:
    r"""Return the strain at each place by least squares over up to eight neighbours along a, b, a + b and a - b.

    With :math:`d_k` from a place of the mean lattice to its neighbours there and :math:`e_k` from the place to them as
    they are, :math:`F = (\sum e_k d_k^T)(\sum d_k d_k^T)^{-1}`, :math:`G = F - 1`,
    :math:`\epsilon = (G + G^T) / 2`, and the rotation is what is left of G. Neighbours of one kind stand about a place
    in pairs, so a sublattice that is shifted as a whole strains nothing.

    Parameters
    ----------
    places : (N, 2) row and column.
    lattice : of the same places.
    errors : (N, 2) standard errors of row and column; None gives no errors but NaN.

    Examples
    --------
    >>> from temclean.metrics.lattice import fit_lattice
    >>> places = np.stack(np.meshgrid(np.arange(0, 40, 8.0), np.arange(0, 40, 8.0), indexing="ij"), -1).reshape(-1, 2)
    >>> bool(np.abs(local_strain(places, fit_lattice(places)).exx).max() < 1e-9)
    True
    """
    count = len(places)
    normal, product = np.zeros((count, 2, 2)), np.zeros((count, 2, 2))
    near = [(there, step[0] * lattice.vectors[0] + step[1] * lattice.vectors[1]) for there, step in _around(lattice)]
    number = np.zeros(count, np.intp)
    for there, ideal in near:
        have = there >= 0
        number += have
        normal += have[:, None, None] * np.outer(ideal, ideal)
        real = np.where(have[:, None], places[there] - places, 0.0)
        product += real[:, :, None] * ideal
    least = 0.4 * min(float(vector @ vector) for vector in lattice.vectors)
    good = (number >= LEAST) & (np.linalg.eigvalsh(normal)[:, 0] > least)
    inverse = np.full((count, 2, 2), np.nan)
    inverse[good] = np.linalg.inv(normal[good])
    gradient = product @ inverse - np.eye(2)  # [i, j]: of displacement i along j; 0 down, 1 right
    if errors is None:
        errors = np.full((count, 2), np.nan)
    square = np.zeros((count, 2, 2))
    alone = np.zeros((count, 2))
    for there, ideal in near:
        have = (there >= 0)[:, None]
        weight = np.where(have, inverse @ ideal, 0.0)
        alone += weight
        square += np.where(have, errors[there] ** 2, 0.0)[:, :, None] * weight[:, None, :] ** 2
    square += errors[:, :, None] ** 2 * alone[:, None, :] ** 2
    square[~good] = np.nan
    shear = np.sqrt(square[:, 0, 1] + square[:, 1, 0]) / 2
    found = np.stack([np.sqrt(square[:, 1, 1]), np.sqrt(square[:, 0, 0]), shear, np.degrees(shear)], axis=1)
    return Strain(
        gradient[:, 1, 1],
        gradient[:, 0, 0],
        (gradient[:, 0, 1] + gradient[:, 1, 0]) / 2,
        np.degrees(gradient[:, 1, 0] - gradient[:, 0, 1]) / 2,
        found,
    )


def _around(lattice: Lattice) -> list[tuple[Numbers, tuple[int, int]]]:
    """Return the numbers of the neighbours of all places, -1 where there is none, and the cells (i, j) to them."""
    ahead = [lattice.following[:, 0], lattice.following[:, 1]]
    behind = [_back(each) for each in ahead]
    found = [(ahead[0], (1, 0)), (behind[0], (-1, 0)), (ahead[1], (0, 1)), (behind[1], (0, -1))]
    for first, i in ((ahead[0], 1), (behind[0], -1)):
        for second, j in ((ahead[1], 1), (behind[1], -1)):
            found.append((_agreed(_then(first, second), _then(second, first)), (i, j)))
    return found


def _back(there: Numbers) -> Numbers:
    back = np.full(len(there), -1)
    have = np.flatnonzero(there >= 0)
    back[there[have]] = have
    return back


def _then(first: Numbers, second: Numbers) -> Numbers:
    return np.where(first >= 0, second[first], -1)


def _agreed(one: Numbers, other: Numbers) -> Numbers:
    """Return what two ways lead to; -1 where they lead to different places, as round a dislocation."""
    either: NDArray[np.intp] = np.maximum(one, other)
    return np.where((one >= 0) & (other >= 0) & (one != other), -1, either)
