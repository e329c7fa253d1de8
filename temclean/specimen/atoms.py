"""Atoms and where they stand: plane lattices, isolated spots, amorphous films, disorder; how they are drawn.

Lengths are in ångström unless a name ends in ``_px``; positions are in pixels, rows of (y, x).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

BOND = 1.42
"""Carbon-carbon distance in graphene, Å."""

LARGEST_COUNT = 4_000_000
"""More atoms than this in one image are refused."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Atoms:
    """Atoms to be drawn: centres (N, 2) in pixels, peak (N,), width (N,) as a standard deviation in pixels."""

    positions: Floats
    peak: Floats
    width_px: Floats


def gaussians(atoms: Atoms, size: int, band: int = 64) -> NDArray[np.float32]:
    r"""Sum one round Gaussian an atom, :math:`\sum_i A_i \exp(-|r - r_i|^2 / 2 s_i^2)`, on a size x size grid.

    A Gaussian is a product of a column and a row, so a band of rows is one matrix product over the atoms within five
    widths of it.
    """
    image = np.zeros((size, size), np.float32)
    if not len(atoms.positions):
        return image
    order = np.argsort(atoms.positions[:, 0])
    y, x = atoms.positions[order].T
    peak, width = atoms.peak[order], atoms.width_px[order]
    reach = 5.0 * float(width.max())
    grid = np.arange(size, dtype=np.float32)
    for top in range(0, size, band):
        first, last = np.searchsorted(y, [top - reach, top + band + reach])
        near = slice(first, last)
        if first == last:
            continue
        scale = (-0.5 / width[near] ** 2).astype(np.float32)[:, None]
        rows = grid[top : top + band] - y[near, None].astype(np.float32)
        columns = grid - x[near, None].astype(np.float32)
        np.square(rows, out=rows)
        np.square(columns, out=columns)
        weighted = peak[near, None].astype(np.float32) * np.exp(rows * scale)
        image[top : top + band] = weighted.T @ np.exp(columns * scale)
    return image


def lattice_points(rng: np.random.Generator, vectors: Floats, basis: Floats, extent: float) -> tuple[Floats, Floats]:
    """Fill a square of side ``extent`` (Å) with a lattice, turned at random.

    Returns the points (N, 2) in Å and the index of the basis site of each (N,).
    """
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    turned = vectors @ turn.T
    radius = extent / np.sqrt(2.0) + np.abs(vectors).sum()
    reciprocal = np.linalg.norm(np.linalg.inv(vectors), axis=0)
    counts = np.ceil(radius * reciprocal).astype(int)
    if (2 * counts + 1).prod() * len(basis) > LARGEST_COUNT:
        raise ParameterError(f"over {LARGEST_COUNT} atoms in the image; use a smaller size or pixel size")
    cells = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in counts), indexing="ij"), -1).reshape(-1, 1, 2)
    points = ((cells + basis) @ turned + rng.uniform(0, np.abs(vectors).max(), 2)).reshape(-1, 2) + extent / 2
    site = np.broadcast_to(np.arange(len(basis)), (len(cells), len(basis))).reshape(-1)
    inside = ((points > -0.0) & (points < extent)).all(axis=1)
    return points[inside], site[inside]


def disorder(rng: np.random.Generator, count: int, bond: float = BOND) -> Floats:
    """Draw the displacements (count, 2) in Å of a disordered structure: Chae 2025, eqs. 1 and 2.

    Each component is c D with D = bond / 5 and c = N(0, 1) / 3, drawn again while abs(c) > 1.
    """
    draws = rng.standard_normal((count, 2)) / 3.0
    while (outside := np.abs(draws) > 1.0).any():
        draws[outside] = rng.standard_normal(int(outside.sum())) / 3.0
    return draws * (bond / 5.0)


BRAVAIS: dict[str, Callable[[np.random.Generator], tuple[float, float]]] = {
    "square": lambda rng: (1.0, 90.0),
    "hexagonal": lambda rng: (1.0, 60.0),
    "rectangular": lambda rng: (rng.uniform(1.1, 1.8), 90.0),
    "rhombic": lambda rng: (1.0, rng.uniform(65.0, 85.0)),
    "oblique": lambda rng: (rng.uniform(1.1, 1.5), rng.uniform(65.0, 85.0)),
}
"""For each plane lattice: b / a and the angle between a and b in degrees."""


def lattice(rng: np.random.Generator, size: int, pixel_size: float, kind: str | None = None) -> Atoms:
    """Draw a random two-dimensional crystal: one to four species, thermal disorder, vacancies, strain.

    Columns are Gaussians of 0.3 to 0.75 Å standard deviation, at least 2.6 of these apart (so that each is a maximum of
    its own), with brightnesses from 0.3 to 1.
    """
    kind = kind or str(rng.choice(list(BRAVAIS)))
    ratio, angle = BRAVAIS[kind](rng)
    width = np.exp(rng.uniform(np.log(0.3), np.log(0.75)))
    width = max(width, 0.9 * pixel_size)
    closest = rng.uniform(2.6, 6.0) * width
    species = int(rng.integers(1, 5))
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    unit = np.array([[1.0, 0.0], [ratio * cosine, ratio * sine]])
    neighbours = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)])
    basis = np.zeros((1, 2))
    sites = rng.random((200, 2)) if rng.random() < 0.5 else rng.integers(0, 6, (200, 2)) / 6.0
    least = rng.uniform(0.3, 0.6)
    for site in sites:
        if len(basis) == species:
            break
        gaps = np.linalg.norm(((site - basis)[:, None] + neighbours) @ unit, axis=-1)
        if gaps.min() >= least:
            basis = np.vstack([basis, site])
    pairs = ((basis[:, None, None] - basis[None, :, None]) + neighbours) @ unit
    distances = np.linalg.norm(pairs, axis=-1)
    constant = closest / distances[distances > 1e-9].min()

    brightness = rng.uniform(0.3, 1.0, len(basis))
    brightness[rng.integers(len(basis))] = 1.0
    widths = width * rng.uniform(0.85, 1.0, len(basis))
    margin = 5.0 * width
    points, site = lattice_points(rng, constant * unit, basis, size * pixel_size + 2 * margin)
    points = points - margin
    thermal = rng.uniform(0.0, 0.12) * width if rng.random() < 0.7 else rng.uniform(0.0, 0.35) * width
    points = points + rng.normal(0.0, thermal, points.shape)
    kept = rng.random(len(points)) >= (rng.uniform(0.0, 0.06) if rng.random() < 0.4 else 0.0)
    spread = rng.uniform(0.0, 0.12)
    peak = brightness[site] * np.clip(rng.normal(1.0, spread, len(points)), 0.6, 1.4)
    return Atoms(points[kept] / pixel_size, peak[kept], widths[site][kept] / pixel_size)


def spots(rng: np.random.Generator, size: int, pixel_size: float) -> Atoms:
    """Draw isolated spots of several sizes, at random places that do not touch."""
    width = max(np.exp(rng.uniform(np.log(0.3), np.log(1.2))), 0.9 * pixel_size) / pixel_size
    gap = rng.uniform(5.0, 14.0) * width
    cells = max(1, int(size // gap))
    pitch = size / cells
    corner = np.stack(np.meshgrid(*2 * [np.arange(cells) * pitch], indexing="ij"), -1).reshape(-1, 2)
    free = max(0.0, pitch - 5.0 * width)
    points = corner + (pitch - free) / 2 + rng.uniform(0.0, 1.0, corner.shape) * free - 0.5
    points = points[rng.random(len(points)) < rng.uniform(0.15, 0.8)]
    return Atoms(points, rng.uniform(0.3, 1.0, len(points)), width * rng.uniform(0.7, 1.0, len(points)))


def amorphous(rng: np.random.Generator, size: int, pixel_size: float) -> Atoms:
    """Draw a random network of atoms, as dense as a film: no two much closer than the others, none in order."""
    spacing = rng.uniform(1.5, 4.0)
    width = max(rng.uniform(0.3, 0.6) * spacing, 0.9 * pixel_size) / pixel_size
    pitch = max(spacing / pixel_size, 2.0)
    count = int(size / pitch) + 8
    if count**2 > LARGEST_COUNT:
        raise ParameterError(f"over {LARGEST_COUNT} atoms in the image; use a smaller size or pixel size")
    points = np.stack(np.meshgrid(*2 * [np.arange(-4, count - 4) * pitch], indexing="ij"), -1).reshape(-1, 2)
    points = points + rng.uniform(-0.6, 0.6, points.shape) * pitch
    return Atoms(points, rng.uniform(0.4, 1.0, len(points)), np.full(len(points), width))
