"""Random unit cells of all 230 space groups.

After Lobato, Friedrich and Van Aert 2024, "Specimen generation". Lengths are in Å; what the paper leaves open is marked
[R], our reading.
"""

import importlib
from dataclasses import dataclass
from functools import cache
from itertools import product
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from temclean.errors import MissingExtraError, ParameterError

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

CLOSEST, FARTHEST = 0.95, 7.0
"""Limits of the distance of the closest pair in a crystal, Å."""

DENSEST = 0.18
"""Atoms per Å^3 in a crystal at most, which is diamond [R]: the paper bounds distances only."""

NEIGHBOURS = np.array(list(product((-1, 0, 1), repeat=3)), np.float64)


@dataclass(frozen=True)
class Cell:
    """A unit cell: vectors as rows (3, 3) in Å, sites (N, 3) in fractions of them, atomic numbers (N,)."""

    vectors: Floats
    sites: Floats
    numbers: Numbers

    @property
    def density(self) -> float:
        """Atoms per Å^3."""
        return len(self.sites) / abs(float(np.linalg.det(self.vectors)))


def ase(name: str) -> ModuleType:
    """Import a module of ASE."""
    try:
        return importlib.import_module(f"ase.{name}")
    except ImportError as error:
        raise MissingExtraError('crystals and files of atoms need ASE: pip install "temclean[crystal]"') from error


@cache
def operations(group: int) -> tuple[Floats, Floats]:
    """Return the rotations (M, 3, 3) and translations (M, 3) of a space group in its standard setting, from ASE."""
    if not 1 <= group <= 230:
        raise ParameterError(f"space group {group} is out of range; use 1 to 230")
    rotations, translations = ase("spacegroup").Spacegroup(group).get_op()
    return np.array(rotations, np.float64), np.array(translations, np.float64)


def vectors_of(lengths: tuple[float, float, float], angles: tuple[float, float, float]) -> Floats:
    """Return the vectors of a cell with the angles (alpha, beta, gamma) in degrees: a along x, b in the plane xy."""
    a, b, c = lengths
    alpha, beta, gamma = np.cos(np.radians(angles))
    across = np.sqrt(1.0 - gamma**2)
    slant = (alpha - beta * gamma) / across
    up = np.sqrt(max(1.0 - beta**2 - slant**2, 0.0))
    return np.array([[a, 0.0, 0.0], [b * gamma, b * across, 0.0], [c * beta, c * slant, c * up]])


def draw_vectors(rng: np.random.Generator, group: int) -> Floats:
    """Draw the vectors of a cell: lengths of 3.1 to 25 Å, angles of 45 to 120 degrees, as the crystal system allows."""
    a, b, c = (float(length) for length in rng.uniform(3.1, 25.0, 3))
    alpha, beta, gamma = (float(angle) for angle in rng.uniform(45.0, 120.0, 3))
    if group >= 195:
        return vectors_of((a, a, a), (90.0, 90.0, 90.0))
    if group >= 143:
        return vectors_of((a, a, c), (90.0, 90.0, 120.0))
    if group >= 75:
        return vectors_of((a, a, c), (90.0, 90.0, 90.0))
    if group >= 16:
        return vectors_of((a, b, c), (90.0, 90.0, 90.0))
    if group >= 3:
        return vectors_of((a, b, c), (90.0, beta, 90.0))
    while abs(np.linalg.det(vectors_of((1.0, 1.0, 1.0), (alpha, beta, gamma)))) < 0.1:
        alpha, beta, gamma = (float(angle) for angle in rng.uniform(45.0, 120.0, 3))
    return vectors_of((a, b, c), (alpha, beta, gamma))


def reduced(vectors: Floats) -> Floats:
    """Return the shortest vectors of a lattice, so that the nearest copies of a point lie in the cells around it."""
    vectors = vectors.copy()
    for _ in range(100):
        vectors = vectors[np.argsort(np.linalg.norm(vectors, axis=1))]
        others = NEIGHBOURS[:, :2] @ vectors[:2]
        longest = vectors[2] - np.rint(np.linalg.lstsq(vectors[:2].T, vectors[2], rcond=None)[0]) @ vectors[:2]
        longest = (longest + others)[np.linalg.norm(longest + others, axis=1).argmin()]
        middle = vectors[1] - np.rint(vectors[1] @ vectors[0] / (vectors[0] @ vectors[0])) * vectors[0]
        better = np.array([vectors[0], middle, longest])
        if np.linalg.norm(better, axis=1).sum() > np.linalg.norm(vectors, axis=1).sum() - 1e-9:
            break
        vectors = better
    return vectors


@dataclass(frozen=True)
class Lattice:
    """The translations of a crystal, for the distances between its points."""

    vectors: Floats
    short: Floats

    @classmethod
    def of(cls, vectors: Floats) -> "Lattice":
        """Prepare the lattice of these vectors."""
        return cls(vectors, reduced(vectors))

    def nearest(self, fractions: Floats) -> Floats:
        """Return, for differences of sites (N, 3), the shortest equal vectors (N, 3) in Å."""
        part = fractions @ self.vectors @ np.linalg.inv(self.short)
        part -= np.rint(part)
        copies = (part[:, None] + NEIGHBOURS) @ self.short
        shortest = np.square(copies).sum(axis=-1).argmin(axis=1)
        found: Floats = copies[np.arange(len(copies)), shortest]
        return found

    def distances(self, fractions: Floats) -> Floats:
        """Return the lengths (N,) in Å of the shortest vectors equal to differences of sites (N, 3)."""
        lengths: Floats = np.linalg.norm(self.nearest(fractions), axis=1)
        return lengths


def orbit(site: Floats, group: int) -> Floats:
    """Return all sites (N, 3) that a space group makes of one, each once, in [0, 1)."""
    rotations, translations = operations(group)
    images = (rotations @ site + translations) % 1.0
    _, first = np.unique(np.rint(images * 1e5).astype(np.int64) % 100_000, axis=0, return_index=True)
    found: Floats = images[np.sort(first)]
    return found


def settle(site: Floats, group: int, lattice: Lattice, least: float) -> Floats | None:
    """Move a site onto the symmetry element that it is so near that its images would collide.

    Its images within ``least`` are replaced by their mean, which the operations between them leave in place: a special
    position. None where that finds no site whose images are ``least`` apart.
    """
    rotations, translations = operations(group)
    inverse = np.linalg.inv(lattice.vectors)
    for _ in range(6):
        moves = lattice.nearest(rotations @ site + translations - site)
        distance = np.linalg.norm(moves, axis=1)
        near = distance < least
        if distance[near].max() < 1e-6:
            found = orbit(site, group)
            return site if len(found) * int(near.sum()) == len(rotations) else None
        site = (site + moves[near].mean(axis=0) @ inverse) % 1.0
    return None


def draw_cell(rng: np.random.Generator, group: int | None = None) -> Cell:
    """Draw a crystal of a space group (any if None): up to 16 elements on sites that the group repeats.

    The closest pair is 0.95 to 7 Å apart. Few elements and few sites of the asymmetric unit are likelier than many, and
    there are at most 16 unless the pair would be too far apart [R]; half the sites are drawn to special positions.
    """
    number = int(rng.integers(1, 231)) if group is None else group
    rotations, translations = operations(number)
    while True:
        vectors = draw_vectors(rng, number)
        lattice = Lattice.of(vectors)
        shifts = translations[(rotations == np.eye(3)).all(axis=(1, 2))][1:]
        shortest = min(np.linalg.norm(lattice.short, axis=1).min(), *lattice.distances(shifts), np.inf)
        least = min(rng.uniform(CLOSEST, 2.8), shortest)
        if least < CLOSEST:
            continue
        elements = rng.permutation(np.arange(1, 104))[: int(np.exp(rng.uniform(0.0, np.log(17.0))))]
        wanted = len(elements) + int(np.exp(rng.uniform(0.0, np.log(17.0 - len(elements))))) - 1
        cell, closest = occupy(rng, number, lattice, elements, wanted, least)
        if len(cell.sites) and CLOSEST <= min(closest, shortest) <= FARTHEST:
            return cell


def occupy(
    rng: np.random.Generator, group: int, lattice: Lattice, elements: Numbers, wanted: int, least: float
) -> tuple[Cell, float]:
    """Fill a cell with ``wanted`` sites and their images, ``least`` apart; and say how close the closest are."""
    volume = abs(float(np.linalg.det(lattice.vectors)))
    sites, numbers, closest, placed = np.zeros((0, 3)), np.zeros(0, np.int64), np.inf, 0
    for _ in range(3 * wanted + 12):
        if placed >= wanted and closest <= FARTHEST:
            break
        drawn = rng.random(3)
        pull = float(rng.uniform(1.0, 3.0)) if rng.random() < 0.5 else 1.0
        site = settle(drawn, group, lattice, pull * least) if pull > 1.0 else None
        site = settle(drawn, group, lattice, least) if site is None else site
        if site is None:
            continue
        images = orbit(site, group)
        others = np.concatenate([images[1:], sites])
        if len(others) and lattice.distances(others - images[0]).min() < least:
            continue
        if (len(sites) + len(images)) / volume > DENSEST:
            continue
        closest = min(closest, *lattice.distances(others - images[0])) if len(others) else closest
        sites = np.concatenate([sites, images])
        element = elements[placed] if placed < len(elements) else rng.choice(elements)
        numbers = np.concatenate([numbers, np.full(len(images), element)])
        placed += 1
    return Cell(lattice.vectors, sites, numbers), float(closest)
