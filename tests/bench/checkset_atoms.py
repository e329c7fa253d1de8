"""Atoms of the check set: crystals, sheets, particles, films and two bicrystals, with marked defects.

A :class:`Specimen` is periodic along x and y, its beam goes along z, lengths are in Å. Nothing here comes from
temclean's own simulator, which trains the networks that the set is to judge.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import Delaunay, cKDTree

SAME_COLUMN = 0.25
"""Å between atoms that are seen as one column."""


@dataclass
class Specimen:
    """Atoms, and what is known of them.

    Attributes
    ----------
    atoms : ASE atoms in their cell.
    listed : (N,) which atoms count as columns; those of a support do not.
    marks : places of defects as (x, y, what, host): what is ``vacancy``, ``dopant`` or ``boundary``, host the kind of a
        column that has none.
    """

    atoms: Atoms
    listed: np.ndarray
    marks: list[tuple[float, float, str, str]] = field(default_factory=list)

    def columns(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the places (N, 2) of columns as x, y and their kinds, formulas such as ``O10Ti10``."""
        place = self.atoms.positions[self.listed, :2]
        number = self.atoms.numbers[self.listed]
        pairs = cKDTree(place).query_pairs(SAME_COLUMN, output_type="ndarray")
        graph = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(place), len(place)))
        count, label = connected_components(graph, directed=False)
        found = np.stack([np.bincount(label, place[:, axis], count) for axis in (0, 1)], axis=1)
        kinds = []
        order = np.argsort(label, kind="stable")
        for members in np.split(number[order], np.cumsum(np.bincount(label))[:-1]):
            kinds.append(formula(members))
        return found / np.bincount(label)[:, None], np.array(kinds)


def formula(numbers: np.ndarray) -> str:
    from ase.data import chemical_symbols

    return "".join(f"{chemical_symbols[z]}{n}" for z, n in sorted(Counter(numbers.tolist()).items()))


def crystal(cell: tuple[float, float, float], basis: list[tuple[str, float, float, float]], repeat: tuple) -> Atoms:
    """Repeat an orthogonal cell; the basis is in fractions of it."""
    symbols, *places = zip(*basis, strict=True)
    unit = Atoms(list(symbols), scaled_positions=np.transpose(places), cell=cell, pbc=True)
    atoms = unit * repeat
    atoms.positions[:, :2] += np.array(cell[:2]) / 4  # no column on the border of the cell
    atoms.wrap()
    return atoms


STRONTIUM_TITANATE = (3.905,) * 3, [
    ("Sr", 0, 0, 0), ("Ti", 0.5, 0.5, 0.5), ("O", 0.5, 0.5, 0), ("O", 0.5, 0, 0.5), ("O", 0, 0.5, 0.5),
]  # fmt: skip
GALLIUM_ARSENIDE_110 = (5.653 / np.sqrt(2), 5.653, 5.653 / np.sqrt(2)), [
    ("Ga", 0, 0, 0), ("As", 0, 0.25, 0.5), ("Ga", 0.5, 0.5, 0.5), ("As", 0.5, 0.75, 0),
]  # fmt: skip
GRAPHENE = (2.46, 2.46 * np.sqrt(3), 6.0), [
    ("C", 0, 1 / 6, 0.5), ("C", 0.5, 1 / 3, 0.5), ("C", 0.5, 2 / 3, 0.5), ("C", 0, 5 / 6, 0.5),
]  # fmt: skip
MOLYBDENUM_DISULPHIDE = (3.18, 3.18 * np.sqrt(3), 7.2), [
    ("Mo", 0, 0, 0.5), ("S", 0.5, 1 / 6, 0.5 - 1.6 / 7.2), ("S", 0.5, 1 / 6, 0.5 + 1.6 / 7.2),
    ("Mo", 0.5, 0.5, 0.5), ("S", 0, 2 / 3, 0.5 - 1.6 / 7.2), ("S", 0, 2 / 3, 0.5 + 1.6 / 7.2),
]  # fmt: skip


def with_defects(
    atoms: Atoms, rng: np.random.Generator, plan: list[tuple[str, int, float, str | None]], apart: float
) -> Specimen:
    """Put vacancies and dopants into columns that lie apart from each other.

    Each row of the plan is the symbol of the atoms concerned, in how many columns, what share of a column's atoms of
    that symbol, and the dopant's symbol or None for a vacancy.
    """
    whole = Specimen(atoms, np.ones(len(atoms), bool))
    places, kinds = whole.columns()
    box = atoms.cell.lengths()[:2]
    tree = cKDTree(atoms.positions[:, :2])
    taken, gone, marks = np.empty((0, 2)), np.zeros(len(atoms), bool), []
    for symbol, count, share, dopant in plan:
        left = count
        for index in rng.permutation(len(places)):
            members = np.array(tree.query_ball_point(places[index], SAME_COLUMN))
            members = members[atoms.numbers[members] == atomic_numbers[symbol]]
            away = np.abs(taken - places[index])
            if not len(members) or (np.hypot(*np.minimum(away, box - away).T) < apart).any():
                continue
            chosen = rng.permutation(members)[: max(1, round(share * len(members)))]
            if dopant is None:
                gone[chosen] = True
            else:
                atoms.numbers[chosen] = atomic_numbers[dopant]
            marks.append((*places[index], "vacancy" if dopant is None else "dopant", str(kinds[index])))
            taken = np.vstack([taken, places[index]])
            left -= 1
            if not left:
                break
    return Specimen(atoms[~gone], np.ones((~gone).sum(), bool), marks)


def film(box: tuple[float, float, float], symbol: str, density: float, least: float, rng: np.random.Generator) -> Atoms:
    """Fill a box at random with atoms, ``density`` per Å³ at most, no two nearer than ``least`` Å."""
    wanted, kept = round(density * box[0] * box[1] * box[2]), np.empty((0, 3))
    while len(kept) < wanted:
        fresh = rng.uniform(0, 1, (wanted, 3)) * box
        trial = np.vstack([kept, fresh])
        tree = cKDTree(trial % box, boxsize=box)
        bad = np.zeros(len(trial), bool)
        pairs = np.sort(tree.query_pairs(least, output_type="ndarray"), axis=1)
        bad[pairs[:, 1]] = True
        before = len(kept)
        kept = trial[~bad][:wanted]
        if len(kept) - before < 0.005 * wanted:
            break
    return Atoms([symbol] * len(kept), positions=kept, cell=box, pbc=True)


def rotation(zone: tuple[int, int, int], turn: float) -> np.ndarray:
    """Return the matrix that brings a zone axis along z, and turns by so many radians about it."""
    z = np.array(zone) / np.linalg.norm(zone)
    x = np.cross([0, 0, 1] if abs(z[2]) < 0.9 else [0, 1, 0], z)
    x /= np.linalg.norm(x)
    c, s = np.cos(turn), np.sin(turn)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.stack([x, np.cross(z, x), z])


def particle(symbol: str, lattice: float, radius: float, zone: tuple[int, int, int], turn: float) -> Atoms:
    """Cut a truncated octahedron of an fcc metal, flat below, about the origin."""
    n = int(2 * radius / lattice) + 2
    corner = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    point = lattice * (corner[:, None] + basis).reshape(-1, 3)
    faces = np.abs(point).sum(axis=1) / np.sqrt(3) < 0.95 * radius
    point = point[faces & (np.abs(point).max(axis=1) < 1.02 * radius)] @ rotation(zone, turn).T
    point = point[point[:, 2] > -0.65 * radius]
    return Atoms([symbol] * len(point), positions=point)


def stacked(box: tuple[float, float], above: Atoms, below: Atoms, gap: float = 2.0) -> Specimen:
    """Lay atoms, whose x and y are as given, on a film; only those above are listed."""
    lower = below.positions[:, 2].min()
    below.positions[:, 2] += 1.0 + np.ptp(above.positions[:, 2]) + gap - lower
    above.positions[:, 2] += 1.0 - above.positions[:, 2].min()
    atoms = above + below
    atoms.set_cell([*box, atoms.positions[:, 2].max() + 1.0])
    atoms.pbc = True
    return Specimen(atoms, np.arange(len(atoms)) < len(above))


def sigma_five(symbol: str, lattice: float, across: int, along: int, layers: int) -> Specimen:
    """Join two fcc grains at (310) planes, tilted against each other about [001] by 36.87 degrees."""
    period = lattice * np.sqrt(10)
    box = np.array([2 * across * period, along * period, layers * lattice])
    n = int(np.hypot(box[0], box[1]) / lattice) + 2
    grid = np.arange(-n, n + 1)
    corner = np.stack(np.meshgrid(grid, grid, np.arange(layers), indexing="ij"), -1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    point = lattice * (corner[:, None] + basis).reshape(-1, 3)
    grains = []
    for sign in (1, -1):
        angle = -sign * np.arctan(1 / 3)
        turned = point[:, :2] @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        inside = (turned[:, 1] >= -1e-6) & (turned[:, 1] < box[1] - 1e-6) & (point[:, 2] < box[2] - 1e-6)
        inside &= (sign * turned[:, 0] >= -1e-6) & (sign * turned[:, 0] <= across * period + 1e-6)
        grains.append(np.column_stack([turned[inside], point[inside, 2]]))
    atoms = np.vstack(grains)
    atoms[:, 0] += 0.25 * box[0]  # the boundaries at a quarter and three quarters
    atoms[:, :2] += 1e-9
    atoms %= box
    near = cKDTree(atoms, boxsize=box).query_pairs(0.7 * lattice / np.sqrt(2), output_type="ndarray")
    keep = np.ones(len(atoms), bool)
    keep[near[:, 1]] = False
    marks = [(x * box[0], y, "boundary", "") for x in (0.25, 0.75) for y in np.arange(0, box[1], 2.0)]
    made = Atoms([symbol] * int(keep.sum()), positions=atoms[keep], cell=box, pbc=True)
    return Specimen(made, np.ones(len(made), bool), marks)


def graphene_bicrystal(side: float, tilt: float, rng: np.random.Generator) -> Specimen:
    """Join two grains of graphene, ``tilt`` radians apart, at a line of pentagons and heptagons; it is not periodic.

    The middles of hexagons are two triangular lattices, brought to even distances along the line; atoms stand in the
    middles of the triangles between them.
    """
    a = 2.46
    n = int(side / a) + 2
    i, j = (each.ravel() for each in np.mgrid[-n : n + 1, -n : n + 1])
    points = np.stack([a * (i + j / 2), a * np.sqrt(3) / 2 * j], axis=1)
    halves = []
    for sign, angle in ((1, 0.1), (-1, 0.1 + tilt)):
        turned = points @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        wave = 3.0 * np.sin(2 * np.pi * turned[:, 1] / 45.0)
        halves.append(turned[sign * (turned[:, 0] - wave) > 0] + rng.uniform(-1e-3, 1e-3))
    far = cKDTree(halves[0]).query(halves[1])[0] > 0.72 * a
    middles = np.vstack([halves[0], halves[1][far]])
    line = np.abs(middles[:, 0] - 3.0 * np.sin(2 * np.pi * middles[:, 1] / 45.0))
    for _ in range(30):
        mesh = Delaunay(middles)
        start, neighbour = mesh.vertex_neighbor_vertices
        counts = np.diff(start)
        mean = np.add.reduceat(middles[neighbour], start[:-1]) / counts[:, None]
        weight = 0.5 * np.clip(1.5 - line / (2 * a), 0, 1)[:, None]
        middles = middles + weight * (mean - middles)
    atoms = middles[Delaunay(middles).simplices].mean(axis=1) + side / 2
    atoms = atoms[((atoms > 0) & (atoms < side)).all(axis=1)]
    marks = []
    for y in np.arange(1.0, side, 2.0):
        marks.append((side / 2 + 3.0 * np.sin(2 * np.pi * (y - side / 2) / 45.0), y, "boundary", ""))
    placed = np.column_stack([atoms, np.full(len(atoms), 3.0)])
    made = Atoms(["C"] * len(atoms), positions=placed, cell=(side, side, 6.0), pbc=True)
    return Specimen(made, np.ones(len(made), bool), marks)
