"""Crystals as they are seen along a zone axis: plane cells and the columns in them, from their structures.

Lengths are in Å.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Site = tuple[float, float, tuple[int, ...]]


@dataclass(frozen=True)
class Motif:
    """A crystal projected along a zone axis.

    Attributes
    ----------
    first, second : the vectors (x, y) of the smallest cell of the projection.
    sites : for each column its place as fractions of ``first`` and ``second``, and the atomic numbers of the atoms of
        one repeat along the beam.
    """

    first: tuple[float, float]
    second: tuple[float, float]
    sites: tuple[Site, ...]

    @property
    def vectors(self) -> Floats:
        """Rows ``first`` and ``second``, (2, 2)."""
        return np.array([self.first, self.second])

    @property
    def places(self) -> Floats:
        """Where the columns stand, (N, 2), in Å."""
        return np.array([site[:2] for site in self.sites]) @ self.vectors

    def strengths(self, power: float) -> Floats:
        """Return the sum of Z to a power over each column, (N,), the largest being 1."""
        sums = np.array([sum(float(number) ** power for number in site[2]) for site in self.sites])
        strengths: Floats = sums / sums.max()
        return strengths


def square(a: float, *sites: Site) -> Motif:
    """Return a motif of a square cell."""
    return Motif((a, 0.0), (0.0, a), sites)


def rectangle(a: float, b: float, *sites: Site) -> Motif:
    """Return a motif of a rectangular cell."""
    return Motif((a, 0.0), (0.0, b), sites)


def centred(a: float, b: float, *sites: Site) -> Motif:
    """Return a motif whose smallest cell is half of a centred rectangle, a x b; sites as fractions of the rectangle."""
    halved = tuple((u - v, 2.0 * v, numbers) for u, v, numbers in sites)
    return Motif((a, 0.0), (0.5 * a, 0.5 * b), halved)


def hexagon(a: float, *sites: Site) -> Motif:
    """Return a motif of a hexagonal cell, its axes 120 degrees apart."""
    return Motif((a, 0.0), (-0.5 * a, a * float(np.sqrt(0.75))), sites)


def sixfold(x: float, y: float, numbers: tuple[int, ...]) -> tuple[Site, ...]:
    """Return the six sites that a sixfold axis makes of one."""
    places = ((x, y), (-y, x - y), (y - x, -x))
    return tuple((sign * u, sign * v, numbers) for u, v in places for sign in (1.0, -1.0))


ROOT2, ROOT3, ROOT6 = np.sqrt([2.0, 3.0, 6.0]).tolist()
THIRD = 1.0 / 3.0

MOTIFS: dict[str, Motif] = {
    "gold [001]": square(2.039, (0.0, 0.0, (79,))),
    "aluminium [110]": centred(4.050 / ROOT2, 4.050, (0.0, 0.0, (13,))),
    "platinum [110]": centred(3.924 / ROOT2, 3.924, (0.0, 0.0, (78,))),
    "silver [111]": hexagon(4.086 / ROOT6, (0.0, 0.0, (47,))),
    "iron [001]": square(2.866 / ROOT2, (0.0, 0.0, (26,))),
    "tungsten [110]": rectangle(3.165 / ROOT2, 3.165 / 2, (0.0, 0.0, (74,))),
    "tungsten [111]": hexagon(3.165 * ROOT2 / ROOT3, (0.0, 0.0, (74,))),
    "titanium [0001]": hexagon(2.951, (THIRD, 2 * THIRD, (22,)), (2 * THIRD, THIRD, (22,))),
    "magnesium [11-20]": rectangle(3.209 * ROOT3 / 2, 5.211, (0.0, 0.0, (12,)), (THIRD, 0.5, (12,))),
    "copper gold [100]": rectangle(2.80, 3.67, (0.0, 0.0, (79,)), (0.5, 0.5, (29,))),
    "strontium titanate [001]": square(
        3.905, (0.0, 0.0, (38,)), (0.5, 0.5, (22, 8)), (0.5, 0.0, (8,)), (0.0, 0.5, (8,))
    ),
    "strontium titanate [110]": rectangle(
        3.905 / ROOT2, 3.905, (0.0, 0.0, (38, 8)), (0.0, 0.5, (22,)), (0.5, 0.5, (8, 8))
    ),
    "barium titanate [001]": square(
        4.00, (0.0, 0.0, (56,)), (0.5, 0.53, (22, 8)), (0.5, -0.02, (8,)), (0.0, 0.48, (8,))
    ),
    "lead titanate [010]": rectangle(
        3.90, 4.15, (0.0, 0.0, (82,)), (0.5, 0.54, (22, 8)), (0.5, 0.11, (8,)), (0.0, 0.61, (8,))
    ),
    "magnesia [001]": square(4.212 / 2, (0.0, 0.0, (12, 8))),
    "nickel oxide [110]": centred(4.177 / ROOT2, 4.177, (0.0, 0.0, (28, 28)), (0.5, 0.0, (8, 8))),
    "cerium oxide [110]": centred(5.411 / ROOT2, 5.411, (0.0, 0.0, (58,)), (0.5, 0.25, (8,)), (0.5, -0.25, (8,))),
    "rutile [001]": square(
        4.594,
        *((0.0, 0.0, (22,)), (0.5, 0.5, (22,)), (0.305, 0.305, (8,)), (-0.305, -0.305, (8,))),
        *((0.805, 0.195, (8,)), (0.195, 0.805, (8,))),
    ),
    "silicon [110]": centred(5.431 / ROOT2, 5.431, (0.0, 0.0, (14,)), (0.0, 0.25, (14,))),
    "gallium arsenide [110]": centred(5.653 / ROOT2, 5.653, (0.0, 0.0, (31,)), (0.0, 0.25, (33,))),
    "indium phosphide [110]": centred(5.869 / ROOT2, 5.869, (0.0, 0.0, (49,)), (0.0, 0.25, (15,))),
    "gallium arsenide [001]": square(5.653 / 2, (0.0, 0.0, (31,)), (0.5, 0.5, (33,))),
    "gallium nitride [11-20]": rectangle(
        3.189 * ROOT3 / 2, 5.185, (0.0, 0.0, (31,)), (THIRD, 0.5, (31,)), (0.0, 0.377, (7,)), (THIRD, 0.877, (7,))
    ),
    "zinc oxide [0001]": hexagon(3.250, (THIRD, 2 * THIRD, (30, 8)), (2 * THIRD, THIRD, (30, 8))),
    "silicon nitride [0001]": hexagon(
        7.608,
        *sixfold(0.175, 0.768, (14,)),
        *((THIRD, 2 * THIRD, (7, 7)), (2 * THIRD, THIRD, (7, 7))),
        *sixfold(0.330, 0.030, (7,)),
    ),
    "lithium cobaltate [11-20]": Motif(
        (2.438, 0.0),
        (2.438 / 3, 4.684),
        ((0.0, 0.0, (27,)), (-0.5, 1.5, (3,)), (-0.2395, 0.7185, (8,)), (0.2395, -0.7185, (8,))),
    ),
    "yttrium barium cuprate [100]": rectangle(
        3.886,
        11.68,
        *((0.5, 0.184, (56,)), (0.5, 0.816, (56,)), (0.5, 0.5, (39,)), (0.0, 0.0, (29,)), (0.0, 0.355, (29, 8))),
        *((0.0, 0.645, (29, 8)), (0.0, 0.159, (8,)), (0.0, 0.841, (8,)), (0.5, 0.378, (8,)), (0.5, 0.622, (8,))),
    ),
    "graphene": hexagon(2.460, (THIRD, 2 * THIRD, (6,)), (2 * THIRD, THIRD, (6,))),
    "boron nitride": hexagon(2.504, (THIRD, 2 * THIRD, (5,)), (2 * THIRD, THIRD, (7,))),
    "molybdenum disulphide": hexagon(3.160, (THIRD, 2 * THIRD, (42,)), (2 * THIRD, THIRD, (16, 16))),
    "tungsten diselenide": hexagon(3.282, (THIRD, 2 * THIRD, (74,)), (2 * THIRD, THIRD, (34, 34))),
}
"""Lattice constants as measured at room temperature, to their last digit or nearly: they are found in any handbook."""


def closest(vectors: Floats, places: Floats) -> float:
    """Return the least distance of two columns of a lattice: vectors (2, 2), places of its columns (N, 2)."""
    cells = np.array([[i, j] for i in range(-2, 3) for j in range(-2, 3)]) @ vectors
    apart = np.linalg.norm(places[:, None, None] - places[None, :, None] + cells, axis=-1)
    return float(apart[apart > 1e-6].min())
