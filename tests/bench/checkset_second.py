"""A second set of scenes that abTEM computes, by which nothing was decided: what models are worth beyond the check set.

Each function of :data:`RUNS` is one simulation and makes one or several scenes; see checkset.py (``--second``).
"""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.build import nanotube
from ase.cluster import Icosahedron
from ase.spacegroup import crystal
from checkset_atoms import GRAPHENE, Specimen, film, particle, rotation, stacked, with_defects
from checkset_atoms import crystal as repeated
from checkset_images import CARBON, exit_waves, hrtem, stem
from checkset_views import Scene, bright_field, seen
from scipy.spatial import cKDTree


def along(atoms: Atoms, axis: int, repeat: tuple[int, int, int]) -> Atoms:
    """Repeat an orthogonal cell, after turning it so that one of its axes lies along the beam."""
    order = [(axis + 1) % 3, (axis + 2) % 3, axis]
    turned = Atoms(
        atoms.numbers, positions=atoms.positions[:, order], cell=atoms.cell.lengths()[order], pbc=True
    ) * repeat  # fmt: skip
    turned.positions[:, :2] += turned.cell.lengths()[:2] / np.array(repeat[:2]) * 0.21
    turned.wrap()
    return turned


def whole(atoms: Atoms) -> Specimen:
    return Specimen(atoms, np.ones(len(atoms), bool))


def moire() -> list[Scene]:
    """Lay two sheets of graphene on each other, 4.4 degrees apart; only the middle is seen, as one does not repeat."""
    lower = repeated(*GRAPHENE, (40, 23, 1))
    side = lower.cell.lengths()
    upper = repeated(*GRAPHENE, (80, 46, 1))
    upper.positions -= [*upper.positions[:, :2].mean(axis=0), 0]
    upper.rotate(4.4, "z")
    upper.positions += [side[0] / 2, side[1] / 2, 3.35]
    upper = upper[((upper.positions[:, :2] > 0) & (upper.positions[:, :2] < side[:2])).all(axis=1)]
    both = lower + Atoms(upper.numbers, positions=upper.positions)
    both.set_cell([*side[:2], 9.0])
    image = hrtem(exit_waves(whole(both), 80e3, 0.12), -9.5, -70, spread=10)
    return [seen("moire-corrected", image, whole(both), 0.13, microscope="tem", sign=0, turn=8, finish=bright_field)]


def nitride() -> list[Scene]:
    """Make gallium nitride along [11-20]: dumbbells of gallium beside nitrogen that only the bright field shows."""
    rng = np.random.default_rng(21)
    a, c = 3.189, 5.185
    basis = [("Ga", 0, 1 / 6, 0), ("Ga", 0.5, 1 / 3, 0.5), ("N", 0, 1 / 6, 0.377), ("N", 0.5, 1 / 3, 0.877)]
    basis += [(s, (x + 0.5) % 1, y + 0.5, z) for s, x, y, z in basis]
    symbols, *places = zip(*basis, strict=True)
    cell = Atoms(list(symbols), scaled_positions=np.transpose(places), cell=(a, a * np.sqrt(3), c), pbc=True)
    plan: list = [("Ga", 4, 0.5, None), ("Ga", 4, 0.6, "In")]
    specimen = with_defects(along(cell, 0, (5, 6, 11)), rng, plan, 5.0)
    high, bright = stem(specimen, 300e3, 24, [(50, 95), (12, 24)], 95, (3, 3), 2)
    return [
        seen("nitride-haadf", high, specimen, 0.11, microscope="stem", sign=1, turn=21, blur=0.3),
        seen("nitride-abf", bright, specimen, 0.07, microscope="stem", sign=-1, turn=2, blur=0.25),
    ]


def tungsten() -> list[Scene]:
    """Make a flake of tungsten disulphide with edges, holes and rhenium in it, and adatoms beside it."""
    rng = np.random.default_rng(22)
    cell = (3.18, 3.18 * np.sqrt(3), 7.2)
    dz = 1.57 / 7.2
    basis = [("W", 0, 0, 0.5), ("S", 0.5, 1 / 6, 0.5 - dz), ("S", 0.5, 1 / 6, 0.5 + dz),
             ("W", 0.5, 0.5, 0.5), ("S", 0, 2 / 3, 0.5 - dz), ("S", 0, 2 / 3, 0.5 + dz)]  # fmt: skip
    plan: list = [("W", 8, 1.0, "Re"), ("W", 6, 1.0, "Mo"), ("S", 10, 1.0, None), ("W", 3, 1.0, None)]
    made = with_defects(repeated(cell, basis, (22, 13, 1)), rng, plan, 5.0)
    box = made.atoms.cell.lengths()[:2]
    x, y = made.atoms.positions[:, :2].T
    edge = 0.62 * box[0] + 4 * np.sin(2 * np.pi * y / box[1]) + 2.5 * np.sin(6 * np.pi * y / box[1])
    flake = made.atoms[(x > 5) & (x < edge)]
    free = Atoms(["W"] * 9, positions=np.column_stack([rng.uniform(0.7, 0.97, 9) * box[0],
                                                       rng.uniform(0, 1, 9) * box[1], np.full(9, 3.6)]))  # fmt: skip
    atoms = flake + free
    atoms.set_cell(made.atoms.cell)
    inside = [mark for mark in made.marks if 7 < mark[0] < 0.62 * box[0] - 8]
    specimen = Specimen(atoms, np.ones(len(atoms), bool), inside)
    (high,) = stem(specimen, 80e3, 30, [(60, 120)], 125, (6, 6), 2)
    return [seen("tungsten-flake", high, specimen, 0.13, microscope="stem", sign=1, turn=-14, blur=0.3)]


def ceria() -> list[Scene]:
    """Make a particle of ceria along [110] on carbon, without correction of aberrations."""
    rng = np.random.default_rng(23)
    box = (120.0, 120.0)
    metal = particle("Ce", 5.411, 30.0, (1, 1, 0), 0.8)
    oxygen = []
    places = crystal(["Ce", "O"], [(0, 0, 0), (0.25, 0.25, 0.25)], spacegroup=225, cellpar=[5.411] * 3 + [90] * 3)
    shift = places.positions[places.numbers == 8] - places.positions[0]
    tree = cKDTree(metal.positions)
    for each in shift @ rotation((1, 1, 0), 0.8).T:
        oxygen.append(metal.positions + each)
    sites = np.unique(np.round(np.vstack(oxygen), 2), axis=0)
    sites = sites[[len(near) >= 3 for near in tree.query_ball_point(sites, 2.5)]]
    above = metal + Atoms(["O"] * len(sites), positions=sites)
    above.translate([60.0, 60.0, 0.0])
    specimen = stacked(box, above, film((*box, 25.0), *CARBON, rng))
    waves = exit_waves(specimen, 300e3, 0.13, 2)
    return [seen("ceria-scherzer", hrtem(waves, 1000, 550, 35), specimen, 0.21, microscope="tem", sign=0,
                 finish=bright_field)]  # fmt: skip


def silicon_twin() -> list[Scene]:
    """Make silicon along [110]: a sheet of it mirrored at two (111) planes, in coarse pixels."""
    a = 5.431
    x, y = a * np.sqrt(6) / 4, a / np.sqrt(3)  # half of a (111) plane's repeat along [112], and its height
    depth = a / np.sqrt(2)
    layers, shift, sites = 24, 0.0, []
    for layer in range(layers):
        sign = 1 if layers // 4 <= layer < 3 * layers // 4 else -1
        height = layer * y
        sites += [("Si", shift, height, 0.0), ("Si", shift, height + a * np.sqrt(3) / 4, 0.0)]
        sites += [("Si", shift + x, height, depth / 2), ("Si", shift + x, height + a * np.sqrt(3) / 4, depth / 2)]
        shift += sign * 2 * x / 3
    symbols, *places = zip(*sites, strict=True)
    cell = Atoms(list(symbols), positions=np.transpose(places), cell=(2 * x, layers * y, depth), pbc=True)
    cell.wrap()
    atoms = cell * (12, 1, 16)
    atoms.positions[:, :2] += [0.7, 0.9]
    atoms.wrap()
    waves = exit_waves(whole(atoms), 200e3, 0.15, 2)
    return [seen("silicon-twin", hrtem(waves, 1000, 580, 40), whole(atoms), 0.32, microscope="tem", sign=0, turn=13)]


def icosahedron() -> list[Scene]:
    """Make two particles of gold with five-fold axes, of which no two parts repeat, on carbon."""
    rng = np.random.default_rng(25)
    box = (56.0, 56.0)
    large, small = Icosahedron("Au", 6, 4.078), Icosahedron("Au", 4, 4.078)
    for each, place, turn in ((large, (22.0, 24.0), 0.0), (small, (43.0, 42.0), 35.0)):
        each.rotate([0.0, 0.5257, 0.8507], "z") if turn == 0.0 else each.rotate(turn, (1, 2, 3))
        each.positions += [*place, -each.positions[:, 2].min()]
    above = Atoms(large.numbers, positions=large.positions) + Atoms(small.numbers, positions=small.positions)
    specimen = stacked(box, above, film((*box, 12.0), *CARBON, rng))
    (high,) = stem(specimen, 200e3, 22, [(60, 95)], 95, (5, 5), 2)
    return [seen("icosahedron-haadf", high, specimen, 0.1, microscope="stem", sign=1, turn=10, blur=0.35)]


def lead_titanate() -> list[Scene]:
    """Make two domains of lead titanate whose titanium is shifted by 0.3 Å up and down."""
    a, c = 3.905, 4.15
    up = [("Pb", 0, 0, 0), ("Ti", 0.5, 0.5, 0.54), ("O", 0.5, 0.5, 0.115), ("O", 0.5, 0, 0.617), ("O", 0, 0.5, 0.617)]
    cells = []
    for side, flip in ((0, 1), (6, -1)):
        for column in range(6):
            for symbol, x, y, z in up:
                cells.append((symbol, (side + column + x) * a, y * a, (z if flip > 0 else 1 - z) % 1 * c))
    symbols, *places = zip(*cells, strict=True)
    cell = Atoms(list(symbols), positions=np.transpose(places), cell=(12 * a, a, c), pbc=True)
    cell.wrap()
    turned = Atoms(cell.numbers, positions=cell.positions[:, [0, 2, 1]], cell=(12 * a, c, a), pbc=True) * (1, 11, 8)
    turned.positions[:, :2] += [0.9, 1.1]
    turned.wrap()
    specimen = whole(turned)
    (high,) = stem(specimen, 200e3, 24, [(60, 95)], 95, (5, 5), 2)
    return [seen("lead-titanate-haadf", high, specimen, 0.085, microscope="stem", sign=1, turn=-5, blur=0.3)]


def alloy() -> list[Scene]:
    """Make an alloy of five metals along [110]: a perfect lattice of columns that are all different."""
    rng = np.random.default_rng(27)
    a = 3.65
    basis = [("Ni", 0, 0, 0), ("Ni", 0.5, 0.5, 0.5)]
    made = repeated((a, a / np.sqrt(2), a / np.sqrt(2)), basis, (13, 18, 8))
    made.numbers = rng.choice([24, 26, 27, 28, 46], len(made))
    specimen = whole(made)
    (high,) = stem(specimen, 200e3, 24, [(60, 95)], 95, (5, 5), 2)
    return [seen("alloy-haadf", high, specimen, 0.13, microscope="stem", sign=1, turn=18, blur=0.3)]


def tube() -> list[Scene]:
    """Make a carbon nanotube in vacuum that holds a chain of iodine."""
    one = nanotube(12, 4, length=3, bond=1.42, vacuum=0)
    length = float(one.cell.lengths()[2])
    count = max(1, int(np.ceil(110 / length)))
    long = one * (1, 1, count)
    middle = long.positions[:, :2].mean(axis=0)
    chain = np.arange(8.0, count * length - 8, 4.6)
    inner = Atoms(["I"] * len(chain), positions=np.column_stack([np.tile(middle, (len(chain), 1)), chain]))
    both = Atoms(long.numbers, positions=long.positions) + inner
    both.positions = both.positions[:, [2, 0, 1]]
    both.positions[:, 1] += 40.0 - both.positions[:, 1].mean()
    both.positions[:, 2] += 2.0 - both.positions[:, 2].min()
    both.set_cell([count * length, 80.0, both.positions[:, 2].max() + 2.0])
    both.pbc = True
    image = hrtem(exit_waves(whole(both), 80e3, 0.12), -9.5, -75, spread=12)
    return [seen("nanotube-corrected", image, whole(both), 0.12, microscope="tem", sign=0, turn=33,
                 finish=bright_field)]  # fmt: skip


def cuprate() -> list[Scene]:
    """Make YBa2Cu3O7 along [100]: layers at many distances, in coarse pixels and in bright field."""
    sites = [(0.5, 0.5, 0.5), (0.5, 0.5, 0.184), (0, 0, 0), (0, 0, 0.355),
             (0, 0.5, 0), (0.5, 0, 0.378), (0, 0.5, 0.377), (0, 0, 0.159)]  # fmt: skip
    cell = crystal(["Y", "Ba", "Cu", "Cu", "O", "O", "O", "O"], sites, spacegroup=47,
                   cellpar=[3.82, 3.89, 11.68, 90, 90, 90])  # fmt: skip
    specimen = whole(along(Atoms(cell.numbers, positions=cell.positions, cell=cell.cell.lengths()), 0, (12, 4, 8)))
    high, bright = stem(specimen, 200e3, 22, [(60, 95), (11, 22)], 95, (5, 5), 2)
    return [
        seen("cuprate-haadf", high, specimen, 0.26, microscope="stem", sign=1, turn=3, blur=0.35),
        seen("cuprate-abf", bright, specimen, 0.12, microscope="stem", sign=-1, turn=11, blur=0.3),
    ]


def boron_nitride() -> list[Scene]:
    """Make boron nitride with triangular holes."""
    rng = np.random.default_rng(30)
    a, b = 2.504, 2.504 * np.sqrt(3)
    sites = [("B", 0, 1 / 6, 0.5), ("N", 0.5, 1 / 3, 0.5), ("B", 0.5, 2 / 3, 0.5), ("N", 0, 5 / 6, 0.5)]
    made = repeated((a, b, 6.0), sites, (32, 18, 1))
    box = made.cell.lengths()[:2]
    gone, marks = np.zeros(len(made), bool), []
    for place in rng.uniform(0.1, 0.9, (7, 2)) * box:
        corner = made.positions[np.argmin(np.hypot(*(made.positions[:, :2] - place).T))][:2]
        away = made.positions[:, :2] - corner
        side = rng.integers(1, 4)
        gone |= (np.abs(away[:, 0]) < 0.6 * (side * a * 0.8 - away[:, 1])) & (away[:, 1] > -0.5 * side)
        marks.append((*corner, "boundary", ""))
    specimen = Specimen(made[~gone], np.ones(int((~gone).sum()), bool), marks)
    image = hrtem(exit_waves(specimen, 80e3, 0.12), -9.5, -75, spread=9)
    return [seen("nitride-holes", image, specimen, 0.11, microscope="tem", sign=1, turn=-19, finish=bright_field)]


def silica() -> list[Scene]:
    """Make silicon along [110] beside its amorphous oxide."""
    rng = np.random.default_rng(31)
    a = 5.431
    basis = [("Si", 0, 0, 0), ("Si", 0.5, 0.5, 0.5), ("Si", 0.25, 0.5, 0.0), ("Si", 0.75, 0.0, 0.5)]
    block = repeated((a, a / np.sqrt(2), a / np.sqrt(2)), basis, (20, 28, 20))
    box = block.cell.lengths()
    x, y = block.positions[:, :2].T
    line = 0.52 * box[0] + 1.5 * np.sin(2 * np.pi * y / box[1]) + 1.0 * np.sin(10 * np.pi * y / box[1])
    glass = film(tuple(box), "Si", 0.066, 1.55, rng)
    glass.numbers[rng.uniform(size=len(glass)) < 2 / 3] = 8
    gx, gy = glass.positions[:, :2].T
    far = 0.52 * box[0] + 1.5 * np.sin(2 * np.pi * gy / box[1]) + 1.0 * np.sin(10 * np.pi * gy / box[1])
    crystalline = block[(x > 2) & (x < line)]
    atoms = crystalline + glass[(gx > far + 1.2) | (gx < 0.5)]
    atoms.set_cell(box)
    atoms.pbc = True
    specimen = Specimen(atoms, np.arange(len(atoms)) < len(crystalline))
    image = hrtem(exit_waves(specimen, 200e3, 0.13, 2), 500, 420, 35)
    return [seen("silica-interface", image, specimen, 0.18, microscope="tem", sign=0, turn=-9, finish=bright_field)]


def zones() -> list[Scene]:
    """Make aluminium along [001] with plates of copper one layer thick, and single columns of it."""
    rng = np.random.default_rng(32)
    a = 4.05
    basis = [("Al", 0, 0, 0), ("Al", 0.5, 0.5, 0), ("Al", 0.5, 0, 0.5), ("Al", 0, 0.5, 0.5)]
    made = repeated((a, a, a), basis, (13, 13, 12))
    x, y, _ = made.positions.T
    for _ in range(5):
        level, start, length = rng.integers(1, 25) * a / 2 + a / 4, rng.uniform(0, 40), rng.uniform(8, 18)
        across, over = (x, y) if rng.random() < 0.5 else (y, x)
        plate = (np.abs(across - level) < 0.5) & (over > start) & (over < start + length) & (rng.random(len(x)) < 0.7)
        made.numbers[plate] = 29
    specimen = with_defects(made, rng, [("Al", 8, 0.15, "Cu")], 6.0)
    (high,) = stem(specimen, 200e3, 20, [(40, 95)], 95, (5, 5), 2)
    return [seen("zones-haadf", high, specimen, 0.14, microscope="stem", sign=1, turn=27, blur=0.3)]


RUNS: dict[str, Callable[[], list[Scene]]] = {
    run.__name__: run
    for run in (
        moire, nitride, tungsten, ceria, silicon_twin, icosahedron, lead_titanate, alloy, tube, cuprate,
        boron_nitride, silica, zones,
    )
}  # fmt: skip
