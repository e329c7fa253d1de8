"""Blocks of atoms in three dimensions: crystals and films, turned, cut, damaged, and what supports them.

After Lobato, Friedrich and Van Aert 2024, "Specimen generation". Lengths are in Å, coordinates (x, y, z): x to the
right, y down, z along the beam; what the paper leaves open is marked [R], our
reading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from temclean.specimen import profiles
from temclean.specimen.unitcells import CLOSEST, Cell, draw_cell

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_IN_SPECIMEN, MOST_IN_SUPPORT = 250_000, 150_000
"""Atoms in a random scene at most. The paper fills a box as deep as it is wide; ours is made thinner where need be."""

MOST_IN_FILM = 80_000
"""Atoms of an amorphous film at most: more look the same."""

ROWS_AT_A_TIME = 1 << 20
"""Rows of atoms that are cut to a box at a time, to bound the memory."""

REACH = 12.0
"""Atoms are placed up to this far outside the field of view, Å: eight times the largest radius of a profile."""

ZONES = ((0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""The first eight main zone axes [R]."""

MISTILT = 5.0
"""Standard deviation of the angle between zone axis and beam, degrees."""


@dataclass(frozen=True)
class Atoms:
    """Atoms in space: positions (N, 3) in Å, atomic numbers (N,)."""

    positions: Floats
    numbers: Numbers

    def __getitem__(self, chosen: Mask) -> "Atoms":
        return Atoms(self.positions[chosen], self.numbers[chosen])


def frame(direction: Floats, along_x: Floats) -> Floats:
    """Return the rotation, to be applied as ``positions @ rotation``, of a direction to z and another towards x."""
    z = direction / np.linalg.norm(direction)
    x = along_x - (along_x @ z) * z
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)


def about(axis: Floats, angle: float) -> Floats:
    """Return the rotation by an angle in radians about an axis (Rodrigues)."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn: Floats = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross
    return turn.T


def orient(rng: np.random.Generator, vectors: Floats) -> Floats:
    """Turn a lattice: a main zone axis near the beam with p = 0.75, else at random; at random about the beam."""
    if rng.random() >= 0.75:
        return vectors @ frame(*rng.standard_normal((2, 3)))
    zone = np.array(ZONES[rng.integers(len(ZONES))]) @ vectors
    upright = vectors @ frame(zone, rng.standard_normal(3))
    heading = rng.uniform(0.0, 2.0 * np.pi)
    axis = np.array([np.cos(heading), np.sin(heading), 0.0])
    return upright @ about(axis, np.radians(MISTILT) * rng.standard_normal())


def fill(cell: Cell, vectors: Floats, low: Floats, high: Floats, origin: Floats) -> Atoms:
    """Fill a box with a crystal: all atoms with low <= position < high.

    Each site of each cell of a plane of cells starts a row of atoms, whose part inside the box is known at once.
    """
    corners = np.array(list(product(*zip(low, high, strict=True))))
    inside = (corners - origin) @ np.linalg.inv(vectors)
    first, last = np.floor(inside.min(axis=0)) - 1, np.ceil(inside.max(axis=0)) + 1
    along = int(np.argmax(last - first))
    first[along] = last[along] = 0
    grid = np.stack(np.meshgrid(*(np.arange(f, t + 1) for f, t in zip(first, last, strict=True))), -1).reshape(-1, 3)
    share = max(1, ROWS_AT_A_TIME // len(grid))
    parts = [
        rows(
            origin + cell.sites[k : k + share] @ vectors,
            cell.numbers[k : k + share],
            grid @ vectors,
            vectors[along],
            low,
            high,
        )
        for k in range(0, len(cell.sites), share)
    ]
    return Atoms(np.concatenate([p.positions for p in parts]), np.concatenate([p.numbers for p in parts]))


def rows(sites: Floats, numbers: Numbers, shifts: Floats, step: Floats, low: Floats, high: Floats) -> Atoms:
    """Return the atoms inside a box of the rows site + shift + n step, for all whole n."""
    starts = (sites[:, None] + shifts).reshape(-1, 3)
    kind = np.repeat(numbers, len(shifts))
    moving = np.abs(step) > 1e-9
    level = ((starts >= low) & (starts < high))[:, ~moving].all(axis=1)
    starts, kind = starts[level], kind[level]
    ends = np.stack([(low - starts)[:, moving] / step[moving], (high - starts)[:, moving] / step[moving]])
    ends.sort(axis=0)
    begin = np.ceil(ends[0].max(axis=1)).astype(np.int64)
    count = np.maximum(np.ceil(ends[1].min(axis=1)).astype(np.int64) - begin, 0)
    row = np.repeat(np.arange(len(starts)), count)
    index = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + begin[row]
    return Atoms(starts[row] + index[:, None] * step, kind[row])


def draw_crystal(rng: np.random.Generator, width: float, depth: float, most: int) -> Atoms:
    """Draw a crystal that fills a box, width x width x depth; less deep where it would hold over ``most`` atoms."""
    cell = draw_cell(rng)
    vectors = orient(rng, cell.vectors)
    depth = min(depth, most / (cell.density * width**2))
    high = np.array([width, width, depth])
    return fill(cell, vectors, np.zeros(3), high, rng.random(3) @ vectors)


def scattered(rng: np.random.Generator, counts: Sequence[int], pitch: float, closest: float) -> Floats:
    """Scatter points, one anywhere in each cell of a grid, at least ``closest`` (under pitch) apart.

    A uniform place in a cell leaves no trace of the grid in the diffraction pattern. A point that is too close to
    another is drawn again, in a smaller part of its cell each time; the few that remain are left out.

    Returns the points (N, len(counts)), in the unit of ``pitch``, in a box of counts * pitch.
    """
    size = len(counts)
    shape = np.array(counts) + 2
    cells = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing="ij"), -1).reshape(-1, size)
    strides = np.append(np.cumprod(shape[:0:-1])[::-1], 1)
    home = (cells + 1) @ strides
    places = np.full((int(shape.prod()), size), 1e9, np.float32)
    moving = np.zeros(len(places), bool)
    steps = [int(np.array(step) @ strides) for step in product((-1, 0, 1), repeat=size) if any(step)]
    near = np.float32((closest / pitch) ** 2)
    active = np.arange(len(cells))
    for part in np.linspace(1.0, 0.3, 9):
        at = home[active]
        places[at] = cells[active] + 0.5 + part * (rng.random((len(active), size)) - 0.5)
        moving[:] = False
        moving[at] = True
        clash = np.zeros(len(active), bool)
        for step in steps:
            other = at + step
            counted = ~moving[other] if step > 0 else np.ones(len(at), bool)
            clash |= counted & (np.square(places[at] - places[other]).sum(axis=1) < near)
        active = active[clash]
        if not len(active):
            break
    kept = np.ones(len(cells), bool)
    kept[active] = False
    found: Floats = pitch * places[home[kept]].astype(np.float64)
    return found


def atomic_weight(number: int) -> float:
    """Estimate an atomic weight in g/mol from the valley of stability, Z = A / (1.98 + 0.0155 A^(2/3)), to 13%."""
    if number == 1:
        return 1.008
    weight = 2.0 * number
    for _ in range(20):
        weight = number * (1.98 + 0.0155 * weight ** (2.0 / 3.0))
    return weight


def draw_film(rng: np.random.Generator, width: float, depth: float, most: int) -> Atoms:
    """Draw an amorphous film of one element: 2 to 7 g/cm^3, the closest pair 0.95 to 1.6 Å apart.

    Where the density and the distance exclude each other the distance gives way, then the density.
    """
    number = int(rng.integers(1, 104))
    density = min(rng.uniform(2.0, 7.0) * 0.60221 / atomic_weight(number), 0.3 / CLOSEST**3)
    closest = min(rng.uniform(CLOSEST, 1.6), (0.3 / density) ** (1.0 / 3.0))
    depth = min(depth, most / (density * width**2))
    pitch = density ** (-1.0 / 3.0)
    counts = [int(np.ceil(width / pitch)), int(np.ceil(width / pitch)), max(1, round(depth / pitch))]
    points = scattered(rng, counts, pitch, closest)
    return Atoms(points, np.full(len(points), number))


def wedge(rng: np.random.Generator, positions: Floats, width: float, depth: float) -> Mask:
    """Choose the atoms that wedges of 5 to 45 degrees leave: at the top, the bottom or both, a third each."""
    kept = np.ones(len(positions), bool)
    surfaces = ((True, False), (False, True), (True, True))[rng.integers(3)]
    for top, present in zip((True, False), surfaces, strict=True):
        if present:
            heading = rng.uniform(0.0, 2.0 * np.pi)
            along = (positions[:, :2] - width * rng.random(2)) @ np.array([np.cos(heading), np.sin(heading)])
            loss = np.tan(np.radians(rng.uniform(5.0, 45.0))) * along
            height = positions[:, 2] if top else depth - positions[:, 2]
            kept &= height >= loss
    return kept


def hull(points: Floats) -> tuple[Floats, Floats]:
    """Return the faces of the convex hull of a few points (N, D): normals (F, D) and limits (F,), n @ r <= limit."""
    size = points.shape[1]
    faces = np.array(list(combinations(range(len(points)), size)))
    edges = points[faces[:, 1:]] - points[faces[:, :1]]
    flat = size == 2
    normals = np.stack([edges[:, 0, 1], -edges[:, 0, 0]], axis=1) if flat else np.cross(edges[:, 0], edges[:, 1])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    limits = (normals * points[faces[:, 0]]).sum(axis=1)
    heights = normals @ points.T - limits[:, None]
    below, above = (heights <= 1e-9).all(axis=1), (heights >= -1e-9).all(axis=1)
    return np.concatenate([normals[below], -normals[above]]), np.concatenate([limits[below], -limits[above]])


def within(points: Floats, corners: Floats) -> Mask:
    """Choose the points (N, D) inside the convex hull of corners (M, D)."""
    chosen = np.ones(len(points), bool)
    for normal, limit in zip(*hull(corners), strict=True):
        chosen &= points @ normal <= limit
    return chosen


def shape(rng: np.random.Generator, positions: Floats, width: float, depth: float) -> Mask:
    """Choose the atoms in a random polygon rod, convex polyhedron or half-space, or those outside, half each."""
    kind = rng.integers(3)
    centred = positions - np.array([width, width, depth]) * rng.random(3)
    radius = rng.uniform(0.01, 0.5) * max(width - 2 * REACH, depth)
    if kind == 0:
        angles = rng.uniform(0.0, 2.0 * np.pi, int(rng.integers(3, 16)))
        across = centred @ frame(*rng.standard_normal((2, 3)))[:, :2]
        chosen = within(across, radius * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    elif kind == 1:
        corners = rng.standard_normal((int(rng.integers(4, 21)), 3))
        chosen = within(centred, radius * corners / np.linalg.norm(corners, axis=1, keepdims=True))
    else:
        heading = rng.uniform(0.0, 2.0 * np.pi)
        chosen = centred[:, :2] @ np.array([np.cos(heading), np.sin(heading)]) <= 0.0
    return chosen if rng.random() < 0.5 else ~chosen


def defects(rng: np.random.Generator, atoms: Atoms) -> Atoms:
    """Displace up to a quarter of the atoms by N(0, rms radius of the atom), or remove them [R], half each."""
    selected = rng.permutation(len(atoms.numbers))[: int(rng.integers(0, round(0.25 * len(atoms.numbers)) + 1))]
    if rng.random() < 0.5:
        positions = atoms.positions.copy()
        radius = np.array(profiles.RMS_RADIUS)[atoms.numbers[selected] - 1]
        positions[selected] += radius[:, None] * rng.standard_normal((len(selected), 3))
        return Atoms(positions, atoms.numbers)
    kept = np.ones(len(atoms.numbers), bool)
    kept[selected] = False
    return atoms[kept]


def weathered(rng: np.random.Generator, atoms: Atoms, width: float, shaped: bool = True) -> Atoms:
    """Cut a wedge (p = 0.75) and a shape (p = 0.5), make defects (p = 0.8). A cut that leaves nothing is not made."""
    cuts = [(wedge, 0.75), (shape, 0.5)] if shaped else [(wedge, 0.75)]
    for cut, chance in cuts:
        if rng.random() < chance and len(atoms.numbers):
            left = atoms[cut(rng, atoms.positions, width, float(atoms.positions[:, 2].max()))]
            seen = ((left.positions[:, :2] > REACH) & (left.positions[:, :2] < width - REACH)).all(axis=1)
            atoms = left if seen.sum() >= 5 else atoms
    return defects(rng, atoms) if rng.random() < 0.8 else atoms


def support(rng: np.random.Generator, width: float) -> Atoms:
    """Draw a support of 1 to 30 nm with p = 0.95, crystalline or amorphous: without shape, else like the specimen."""
    if rng.random() >= 0.95:
        return Atoms(np.zeros((0, 3)), np.zeros(0, np.int64))
    depth = 10.0 * rng.uniform(1.0, 30.0)
    if rng.random() < 0.5:
        return weathered(rng, draw_crystal(rng, width, depth, MOST_IN_SUPPORT), width, shaped=False)
    return weathered(rng, draw_film(rng, width, depth, MOST_IN_FILM), width, shaped=False)
