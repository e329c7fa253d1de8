"""Random crystals, films and points as a high-resolution microscope projects them; and crystals from files.

After Lobato, Friedrich and Van Aert 2024, "Specimen generation". Lengths are in Å, coordinates (x, y, z): x to the
right, y down, z along the beam. What the paper leaves open is marked [R], our reading.
"""

import contextlib
import importlib
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from temclean import contrast, profiles, projection
from temclean.errors import FileError, ParameterError
from temclean.projection import Projected

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

MOST_IN_SPECIMEN, MOST_IN_SUPPORT = 250_000, 150_000
"""Atoms in a random scene at most. The paper fills a box as deep as it is wide; ours is made thinner where need be."""

MOST_IN_FILM = 80_000
"""Atoms of an amorphous film at most: more look the same."""

ROWS_AT_A_TIME = 1 << 20
"""Rows of atoms that are cut to a box at a time, to bound the memory."""

LARGEST_SIZE = 32768

MOST_FROM_FILE = 4_000_000
"""More atoms than this from a file are refused."""

REACH = 12.0
"""Atoms are placed up to this far outside the field of view, Å: eight times the largest radius of a profile."""

CLOSEST, FARTHEST = 0.95, 7.0
"""Limits of the distance of the closest pair in a crystal, Å."""

DENSEST = 0.18
"""Atoms per Å^3 in a crystal at most, which is diamond [R]: the paper bounds distances only."""

ZONES = ((0, 0, 1), (0, 1, 0), (1, 0, 0), (1, 1, 0), (1, 0, 1), (0, 1, 1), (1, 1, 1), (1, 1, 2))
"""The first eight main zone axes [R]."""

MISTILT = 5.0
"""Standard deviation of the angle between zone axis and beam, degrees."""

NEIGHBOURS = np.array(list(product((-1, 0, 1), repeat=3)), np.float64)


@dataclass(frozen=True)
class Atoms:
    """Atoms in space: positions (N, 3) in Å, atomic numbers (N,)."""

    positions: Floats
    numbers: Numbers

    def __getitem__(self, chosen: Mask) -> "Atoms":
        return Atoms(self.positions[chosen], self.numbers[chosen])


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
        raise ParameterError("crystals need the extra: pip install 'temclean[crystal]'") from error


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


def read(path: Path) -> tuple[Cell, bool]:
    """Read atoms with ASE: their cell, and whether they repeat in it; without a cell, one of 1 Å with its origin."""
    if not path.is_file():
        raise FileError(f"{path}: there is no such file; give a .cif or .xyz file")
    reader = ase("io")
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            atoms = reader.read(str(path))
            positions = np.array(atoms.get_positions(), np.float64)
            numbers = np.array(atoms.get_atomic_numbers(), np.int64)
            vectors = np.array(atoms.cell[:], np.float64)
            repeats = bool(np.any(atoms.pbc))
    except Exception as error:  # ASE's readers raise whatever a damaged file leads to
        reason = f" ({' '.join(str(error).split())[:120]})" if str(error) else ""
        raise FileError(f"{path}: cannot be read as a crystal{reason}; give a valid .cif or .xyz file") from error
    if not len(numbers) or not np.isfinite(positions).all():
        raise FileError(f"{path}: holds no atoms with positions; give a structure with at least one")
    if numbers.min() < 1 or numbers.max() > 103:
        wrong = int(numbers.min() if numbers.min() < 1 else numbers.max())
        raise FileError(f"{path}: holds an atom of atomic number {wrong}; only 1 to 103 can be drawn")
    if not repeats or abs(float(np.linalg.det(vectors))) < 1e-6:
        return Cell(np.eye(3), positions, numbers), False
    return Cell(vectors, positions @ np.linalg.inv(vectors) % 1.0, numbers), True


def from_file(
    path: str | Path,
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    zone: tuple[int, int, int] = (0, 0, 1),
    thickness: float | None = None,
) -> Projected:
    """Project a crystal from a .cif or .xyz file, or any other that ASE reads.

    The crystal fills the field of view, perfect, with the zone axis along the beam and a (else b) to the right, shifted
    at random. Atoms without a cell are drawn once, centred, the zone being a direction in their own axes. Profiles are
    those of :func:`temclean.profiles.typical`; the image is not inverted and its maximum is 1. All columns are given,
    resolved or not.

    Parameters
    ----------
    path : the file.
    size : pixels along each side.
    pixel_size : Å a pixel.
    zone : the direction [u v w] along the beam.
    thickness : Å; 50 if None.

    Raises
    ------
    FileError : the file is missing, cannot be read, or has no atoms or unknown ones.
    ParameterError : a number is out of range, the atoms are over 4 million, or ASE is not installed.
    """
    width = checked(size, pixel_size)
    if len(zone) != 3 or not np.isfinite(zone).all() or not np.any(zone):
        raise ParameterError(
            f"zone {tuple(zone)} is no direction; give three numbers that are not all 0, such as 0 0 1"
        )
    if thickness is not None and not 0.0 < thickness < np.inf:
        raise ParameterError(f"thickness {thickness} is out of range; choose more than 0 Å")
    cell, periodic = read(Path(path))
    if thickness is not None and not periodic:
        raise ParameterError(f"{path}: has no cell to repeat to a thickness of {thickness} Å; leave the thickness out")
    beam = np.asarray(zone, np.float64) @ cell.vectors
    sideways = cell.vectors[0] if np.linalg.norm(np.cross(cell.vectors[0], beam)) > 1e-6 else cell.vectors[1]
    vectors = cell.vectors @ frame(beam, sideways)
    atoms = stacked(path, cell, vectors, width, thickness or 50.0, rng) if periodic else alone(cell, vectors)
    flat = atoms.positions[:, 1::-1] / pixel_size + (size - 1) / 2
    seen = projected(
        flat, atoms.numbers, profiles.typical(np.unique(atoms.numbers).tolist()), size, pixel_size, len(flat)
    )
    top = max(float(seen.image.max()), 1e-30)
    return Projected(np.maximum(seen.image / np.float32(top), np.float32(0.0)), seen.positions, seen.brightness)


def stacked(
    path: str | Path, cell: Cell, vectors: Floats, width: float, thickness: float, rng: np.random.Generator
) -> Atoms:
    """Fill a box around the origin with a crystal, if that is not too much."""
    expected = cell.density * width**2 * thickness
    if expected > MOST_FROM_FILE:
        raise ParameterError(
            f"{path}: {expected:.3g} atoms in a field of {width:.0f} Å and a thickness of {thickness:g} Å are over "
            f"{MOST_FROM_FILE}; use a smaller size, pixel size or thickness"
        )
    high = np.array([width, width, thickness]) / 2.0
    origin = rng.random(3) @ vectors * (1.0, 1.0, 0.0)
    return fill(cell, vectors, -high - 1e-6, high - 1e-6, origin)


def alone(cell: Cell, vectors: Floats) -> Atoms:
    """Centre atoms that have no cell."""
    positions = cell.sites @ vectors
    return Atoms(positions - (positions.min(axis=0) + positions.max(axis=0)) / 2.0, cell.numbers)


def checked(size: int, pixel_size: float) -> float:
    """Return the width in Å of the box that holds a field of view and what reaches into it."""
    if not 1 <= size <= LARGEST_SIZE:
        raise ParameterError(f"size {size} is out of range; choose 1 to {LARGEST_SIZE} pixels")
    if not 0.005 <= pixel_size <= 100.0:
        raise ParameterError(f"pixel size {pixel_size} is out of range; choose 0.005 to 100 Å")
    return size * pixel_size + 2.0 * REACH


def crystal(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random crystal, oriented, cut, with defects, on a support.

    The paper's box is as deep as it is wide; a crystal of over 250 000 atoms and a support of over 150 000 (a film of
    over 80 000) are made thinner, so that a scene never has more than 400 000. The columns are those of the crystal
    alone, and only where tilt, thickness and defects leave them resolved.

    Parameters
    ----------
    size : pixels along each side.
    pixel_size : Å a pixel; the paper draws it from 0.025 to 0.9.

    Raises
    ------
    ParameterError : size or pixel size is out of range, or ASE is not installed.
    """
    width = checked(size, pixel_size)
    atoms = weathered(rng, draw_crystal(rng, width, size * pixel_size, MOST_IN_SPECIMEN), width)
    return scene(rng, atoms, support(rng, width), size, pixel_size)


def amorphous3d(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random amorphous specimen, cut, with defects, on a support; its atoms overlap and are not given.

    It has at most 80 000 atoms. Parameters and errors are those of :func:`crystal`.
    """
    width = checked(size, pixel_size)
    atoms = weathered(rng, draw_film(rng, width, size * pixel_size, MOST_IN_FILM), width)
    return scene(rng, atoms, support(rng, width), size, pixel_size, columns=False)


def points(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random number of single atoms of up to three elements, no two closer than 1 to 20 pixels, on a support.

    The distances hold in the image. Parameters and errors are those of :func:`crystal`.
    """
    width = checked(size, pixel_size)
    closest = rng.uniform(1.0, 20.0) * pixel_size
    pitch = max(closest * rng.uniform(1.5, 5.0), width / 400.0)
    flat = scattered(rng, 2 * [int(np.ceil(width / pitch))], pitch, closest)
    flat = flat[rng.random(len(flat)) < rng.uniform(0.05, 1.0)]
    numbers = rng.choice(rng.integers(1, 104, int(rng.integers(1, 4))), len(flat))
    atoms = Atoms(np.pad(flat, ((0, 0), (0, 1))), numbers)
    return scene(rng, atoms, support(rng, width), size, pixel_size)


def scene(
    rng: np.random.Generator, atoms: Atoms, below: Atoms, size: int, pixel_size: float, columns: bool = True
) -> Projected:
    """Project a specimen and its support (eqs. 16 to 22) and give the image its contrast (eqs. 23 to 26)."""
    numbers = np.concatenate([atoms.numbers, below.numbers])
    drawn = profiles.draw(np.unique(numbers).tolist(), rng)
    flat = (np.concatenate([atoms.positions, below.positions])[:, :2] - REACH)[:, ::-1] / pixel_size - 0.5
    clean = resolved(
        projected(flat, numbers, drawn, size, pixel_size, len(atoms.numbers) if columns else 0), pixel_size
    )
    image, polarity = contrast.finish(clean.image, rng)
    return Projected(image, clean.positions, clean.brightness, polarity)


def resolved(clean: Projected, pixel_size: float) -> Projected:
    """Keep the columns that are within a pixel or 0.3 Å of a maximum of the image; none if these are under a third.

    Where a specimen is not resolved, a few of its columns are near a maximum by chance.
    """
    padded = np.pad(clean.image, 1, constant_values=-np.inf)
    rows, columns = clean.image.shape
    around = [padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i, j in product((-1, 0, 1), repeat=2) if i or j]
    top = np.flatnonzero((clean.image > np.maximum.reduce(around)).ravel())
    order = np.argsort(-clean.brightness, kind="stable")
    where = clean.positions[order]
    reach = max(1.0, 0.3 / pixel_size)
    owner = np.full(clean.image.size, -1)
    owner[top] = np.arange(len(top))
    found = np.full(len(where), -1)
    steps = range(-int(reach + 0.5), int(reach + 0.5) + 1)
    for i, j in sorted(product(steps, steps), key=lambda step: -(step[0] ** 2 + step[1] ** 2)):
        pixel = np.rint(where).astype(np.intp) + np.array([i, j])
        valid = ((pixel >= 0) & (pixel < clean.image.shape)).all(axis=1) & (np.hypot(*(pixel - where).T) <= reach)
        hit = owner[np.where(valid, pixel[:, 0] * columns + pixel[:, 1], 0)]
        found = np.where(valid & (hit >= 0), hit, found)
    _, first = np.unique(found, return_index=True)
    chosen = np.sort(first[found[first] >= 0])
    if 3 * len(chosen) < len(where):
        chosen = chosen[:0]
    kept = np.sort(order[chosen])
    brightness = clean.brightness[kept]
    return Projected(clean.image, clean.positions[kept], brightness / brightness.max(initial=np.float32(1e-30)))


def projected(
    flat: Floats, numbers: Numbers, drawn: dict[int, profiles.Profile], size: int, pixel_size: float, named: int
) -> Projected:
    """Project atoms at (N, 2) in pixels and find the columns of the first ``named`` of them."""
    elements = np.array(list(drawn), np.int64)
    species = np.searchsorted(elements, numbers)
    image = projection.project(flat, species, list(drawn.values()), (size, size), pixel_size)
    signal = np.array([profile.integral for profile in drawn.values()] or [0.0])
    seen = flat[:named]
    inside = ((seen > -3.0 / pixel_size - 0.5) & (seen < size + 3.0 / pixel_size)).all(axis=1)
    where, mass = projection.columns(seen[inside] * pixel_size, signal[species[:named][inside]])
    where /= pixel_size
    within_image = ((where > -0.5) & (where < size - 0.5)).all(axis=1)
    where, mass = where[within_image], mass[within_image]
    return Projected(image, where, (mass / mass.max(initial=1e-30)).astype(np.float32))
