"""Flat crystals as sums of the densities of free atoms: disordered graphene, boron nitride, molybdenum disulphide.

Lengths are in Å unless a name ends in ``_px``; positions are in pixels, rows of (y, x).
"""

from dataclasses import dataclass
from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.atoms import BOND, Atoms, disorder, lattice_points

Floats = NDArray[np.float64]

BOHR = 0.529177
"""One Bohr in Å."""

SHELLS: dict[str, tuple[tuple[int, int, float], ...]] = {
    "B": ((2, 2, 1.2881), (2, 1, 1.2107)),
    "C": ((2, 2, 1.6083), (2, 2, 1.5679)),
    "N": ((2, 2, 1.9237), (2, 3, 1.9170)),
    "S": ((3, 2, 2.1223), (3, 4, 1.8273)),
    "Mo": ((4, 5, 2.8481), (5, 1, 1.2212)),
}
"""Valence shells of free atoms: principal quantum number, electrons, exponent in 1/Bohr. Exponents of Clementi and
Raimondi, J. Chem. Phys. 38, 2686 (1963), and, for Mo, Clementi, Raimondi and Reinhardt, J. Chem. Phys. 47, 1300 (1967):
(Z - screening) / n with the screening constants as tabulated in mendeleev 1.3."""


@dataclass(frozen=True)
class Site:
    """One of the two atoms of a honeycomb, as seen from above.

    Attributes
    ----------
    species : a key of :data:`SHELLS`.
    weight : peak of the site relative to the brightest.
    depths : of its atoms below the topmost atoms of the sheet; several stand above each other.
    """

    species: str
    weight: float = 1.0
    depths: tuple[float, ...] = (0.0,)


@dataclass(frozen=True)
class Sheet:
    """A honeycomb of two sites, its lattice constant in Å."""

    constant: float
    sites: tuple[Site, Site]


SHEETS = {
    "graphene": Sheet(BOND * float(np.sqrt(3.0)), (Site("C"), Site("C"))),
    "bn": Sheet(2.504, (Site("B", 0.67), Site("N"))),
    "mos2": Sheet(3.160, (Site("Mo", 0.13, (1.586,)), Site("S", 1.0, (0.0, 3.172)))),
}
"""Lattice of boron nitride: Pease, Acta Cryst. 5, 356 (1952). Of MoS2, a, c = 12.294 Å and the height u = 0.621 of its
sulphur: Bronsema, De Boer and Jellinek, Z. anorg. allg. Chem. 540/541, 15 (1986), and Dickinson and Pauling, J. Am.
Chem. Soc. 45, 1466 (1923).

The weights make the sum as bright above each of the two sites as the density of the perfect sheet is, computed as
:mod:`temclean.training.dft` does, 3 Å above its topmost atoms (between the atoms it then agrees to 0.03). Free atoms
know of no charge transfer, and would leave boron a hundred times as bright as nitrogen."""


def valence_density(species: str, distance: Floats) -> Floats:
    r"""Return the valence electrons per Å^3 at a distance in Å from a free atom, averaged over directions.

    .. math:: \rho(r) = \sum_s q_s \frac{(2 \zeta_s)^{2 n_s + 1}}{4 \pi (2 n_s)!} r^{2 n_s - 2} e^{-2 \zeta_s r}
    """
    r = np.asarray(distance, np.float64) / BOHR
    density = np.zeros_like(r)
    for n, electrons, zeta in SHELLS[species]:
        norm = (2.0 * zeta) ** (2 * n + 1) / (4.0 * np.pi * factorial(2 * n))
        density += electrons * norm * r ** (2 * n - 2) * np.exp(-2.0 * zeta * r)
    return density / BOHR**3


@cache
def profile(site: Site, height: float = 3.0) -> tuple[Floats, Floats]:
    """Fit the density of a site on a plane ``height`` Å above the topmost atoms by five Gaussians.

    Returns
    -------
    peak, width : arrays (5,), the peaks (their sum is about the site's weight) and the standard deviations in Å.
    """
    radius = np.linspace(0.0, 7.0, 400)
    density = sum(
        (valence_density(site.species, np.hypot(radius, height + depth)) for depth in site.depths), np.zeros(400)
    )
    width = (0.55 + 0.12 * (height + min(site.depths))) * np.array([0.55, 0.75, 1.0, 1.35, 1.9])
    basis = np.exp(-0.5 * (radius[:, None] / width) ** 2)
    peak = np.linalg.lstsq(basis, site.weight * density / density[0], rcond=None)[0]
    return peak, width


def damage(
    rng: np.random.Generator, points: Floats, vacancies: float, turned: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Damage a sheet: turn bonds by 90 degrees about their middles, which makes 5-7 pairs, and leave atoms out.

    Parameters
    ----------
    points : float64 array (N, 2).
    vacancies, turned : chance of an atom to be missing, and to lie on a turned bond.

    Returns
    -------
    points, kept : the moved points (N, 2), and a mask (N,) of those that are there.
    """
    moved = points.copy()
    free = np.ones(len(points), bool)
    for first in np.flatnonzero(rng.random(len(points)) < 0.5 * turned):
        second = int(np.argsort(np.square(points - points[first]).sum(axis=1))[1]) if len(points) > 1 else first
        if free[first] and free[second] and first != second:
            half = (points[first] - points[second])[::-1] * [0.5, -0.5]
            middle = (points[first] + points[second]) / 2.0
            moved[first], moved[second] = middle + half, middle - half
            free[first] = free[second] = False
    return moved, rng.random(len(points)) >= vacancies


def draw(
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    name: str = "graphene",
    height: float = 3.0,
    vacancies: float = 0.0,
    turned: float = 0.0,
) -> tuple[Atoms, Atoms]:
    """Draw a disordered sheet as a superposition of atomic densities on a plane ``height`` Å above it.

    Returns the atoms (one entry each; those above each other are one) and their Gaussians (five an atom); ``vacancies``
    and ``turned`` as for :func:`damage`.
    """
    sheet = SHEETS[name]
    vectors = sheet.constant * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    basis = np.array([[0.0, 0.0], [1.0 / 3.0, 1.0 / 3.0]])
    peaks, widths = (np.stack(each) for each in zip(*(profile(site, height) for site in sheet.sites), strict=True))
    margin = 4.0 * float(widths.max())
    points, site = lattice_points(rng, vectors, basis, size * pixel_size + 2 * margin)
    bond = sheet.constant / float(np.sqrt(3.0))
    points = (points + disorder(rng, len(points), bond) - margin) / pixel_size
    if vacancies or turned:
        points, kept = damage(rng, points, vacancies, turned)
        points, site = points[kept], site[kept]
    weight = np.array([each.weight for each in sheet.sites])
    return Atoms(points, weight[site], widths[site, 2] / pixel_size), Atoms(
        np.repeat(points, peaks.shape[1], axis=0), peaks[site].reshape(-1), widths[site].reshape(-1) / pixel_size
    )
