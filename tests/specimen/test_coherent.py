"""Coherent lattices: crystals as crystallography has them, elasticity as its equations do, and a truth that holds."""

import numpy as np
import pytest

from temclean import specimen
from temclean.specimen import atoms
from temclean.specimen.coherent import columns, imperfections, kinds, motifs, strain

SIZE = 160


def plain(vectors: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 10.0), (9.0, 3.0))) -> columns.Crystal:
    return columns.Crystal(np.array(vectors), np.zeros((1, 2)), np.ones(1), np.full(1, 2.0))


@pytest.mark.parametrize(
    ("name", "build", "zone"),
    [
        ("gold [001]", ("Au", "fcc", 4.078), (0, 0, 1)),
        ("platinum [110]", ("Pt", "fcc", 3.924), (1, 1, 0)),
        ("silver [111]", ("Ag", "fcc", 4.086), (1, 1, 1)),
        ("iron [001]", ("Fe", "bcc", 2.866), (0, 0, 1)),
        ("tungsten [110]", ("W", "bcc", 3.165), (1, 1, 0)),
        ("tungsten [111]", ("W", "bcc", 3.165), (1, 1, 1)),
        ("silicon [110]", ("Si", "diamond", 5.431), (1, 1, 0)),
        ("gallium arsenide [110]", ("GaAs", "zincblende", 5.653), (1, 1, 0)),
        ("gallium arsenide [001]", ("GaAs", "zincblende", 5.653), (0, 0, 1)),
        ("magnesia [001]", ("MgO", "rocksalt", 4.212), (0, 0, 1)),
        ("nickel oxide [110]", ("NiO", "rocksalt", 4.177), (1, 1, 0)),
        ("cerium oxide [110]", ("CeO2", "fluorite", 5.411), (1, 1, 0)),
    ],
)
def test_motifs_are_the_projections_of_their_crystals(
    name: str, build: tuple[str, str, float], zone: tuple[int, int, int]
) -> None:
    ase_build = pytest.importorskip("ase.build")
    formula, structure, a = build
    block = ase_build.bulk(formula, structure, a=a, cubic=True) * (6, 6, 6)
    away = block.positions - block.positions.mean(axis=0)
    axis = np.array(zone) / np.linalg.norm(zone)
    flat = np.linalg.norm(np.cross(away[:, None] - away[None, :60], axis), axis=-1)
    seen = np.unique(np.round(flat[flat < 4.0], 2))
    motif = motifs.MOTIFS[name]
    cells = np.array([[i, j] for i in range(-6, 7) for j in range(-6, 7)]) @ motif.vectors
    apart = np.linalg.norm(motif.places[:, None, None] - motif.places[None, :, None] + cells, axis=-1)
    drawn = np.unique(np.round(apart[apart < 4.0], 2))
    assert all(np.abs(drawn - distance).min() < 0.02 for distance in seen)
    assert all(np.abs(seen - distance).min() < 0.02 for distance in drawn)


def test_bond_lengths_of_motifs() -> None:
    for name, length in (("graphene", 1.42), ("molybdenum disulphide", 1.824), ("strontium titanate [001]", 1.9525)):
        motif = motifs.MOTIFS[name]
        assert motifs.closest(motif.vectors, motif.places) == pytest.approx(length, abs=0.002)


@pytest.mark.parametrize("name", motifs.MOTIFS)
def test_no_two_columns_of_a_motif_coincide(name: str) -> None:
    motif = motifs.MOTIFS[name]
    assert 0.6 < motifs.closest(motif.vectors, motif.places) < 3.5
    assert motif.strengths(1.7).max() == 1.0


def test_fill_leaves_no_gap_and_every_column_is_on_the_lattice() -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        crystal = columns.draw_crystal(rng, 0.2)
        start = rng.uniform(-SIZE, SIZE, 2)
        filled = columns.fill(crystal, SIZE, 12.0, start)
        side = SIZE + 24.0
        assert len(filled.positions) == pytest.approx(side**2 / crystal.area, rel=0.02, abs=2 * side / crystal.gap)
        cells = (filled.positions[:, None] - start - crystal.basis) @ np.linalg.inv(crystal.vectors)
        off = np.abs(cells - np.rint(cells)).max(axis=-1).min(axis=1)
        assert off.max() < 1e-6


def test_edge_dislocation_closes_up_to_its_burgers_vector_and_is_in_equilibrium() -> None:
    burgers, ratio = np.array([1.2, 2.3]), 0.31
    core = np.array([3.0, -2.0])

    def moved(points: np.ndarray) -> np.ndarray:
        return strain.edge_dislocation(points, core, burgers, ratio)

    angle = np.linspace(-np.pi, np.pi, 4001) + np.arctan2(burgers[0], burgers[1])
    circle = core + 15.0 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    steps = np.diff(moved(circle), axis=0)
    smooth = steps[np.linalg.norm(steps, axis=1) < 0.1]
    assert len(smooth) >= len(steps) - 2
    np.testing.assert_allclose(np.abs(smooth.sum(axis=0)), burgers, rtol=5e-3)

    place, h = core + np.array([6.0, 5.0]), 1e-3
    grid = np.array([[i, j] for i in (-1, 0, 1) for j in (-1, 0, 1)], float)
    u = moved(place + h * grid).reshape(3, 3, 2)
    second = np.zeros((2, 2, 2))
    second[0, 0], second[1, 1] = (u[2, 1] - 2 * u[1, 1] + u[0, 1]) / h**2, (u[1, 2] - 2 * u[1, 1] + u[1, 0]) / h**2
    second[0, 1] = second[1, 0] = (u[2, 2] - u[2, 0] - u[0, 2] + u[0, 0]) / (4 * h**2)
    divergence = np.array([second[k, 0, 0] + second[k, 1, 1] for k in range(2)])
    laplace = second[0, 0] + second[1, 1]
    force = (1.0 - 2.0 * ratio) * laplace + divergence
    assert np.abs(force).max() < 1e-2 * np.abs(laplace).max()


def test_twins_are_mirror_images() -> None:
    crystal = plain()
    filled = columns.fill(crystal, SIZE, 0.0, np.array([80.0, 80.0]), mirrored=lambda rows: rows >= 0)
    points = filled.positions
    height = np.unique(np.round(points[:, 0], 6))
    middle = height[np.argmin(np.abs(height - 80.0))]
    upper = {(round(y - middle), round(x, 3)) for y, x in points if middle < y < middle + 60}
    lower = {(round(middle - y), round(x, 3)) for y, x in points if middle - 60 < y < middle}
    assert upper == lower
    straight = columns.fill(crystal, SIZE, 0.0, np.array([80.0, 80.0])).positions
    assert {(round(y - middle), round(x, 3)) for y, x in straight if middle < y < middle + 60} != lower


def test_stacking_faults_move_all_that_follows() -> None:
    crystal = plain(((0.0, 10.0), (8.0, 0.0)))
    filled = columns.fill(crystal, SIZE, 0.0, np.full(2, 80.0), slip=lambda rows: 2.5 * (rows == 0))
    points = filled.positions
    before, after = points[points[:, 0] < 78.0, 1] % 10.0, points[points[:, 0] > 82.0, 1] % 10.0
    assert np.ptp(before) < 1e-6
    assert np.ptp(after) < 1e-6
    assert (after[0] - before[0]) % 10.0 == pytest.approx(2.5)


def test_shifts_and_brightnesses_are_as_small_as_real_ones() -> None:
    crystal = plain()
    perfect = columns.fill(crystal, SIZE, 0.0, np.full(2, 80.0))
    shifts, spreads = [], []
    for seed in range(300):
        shaken = imperfections.shaken(np.random.default_rng(seed), perfect)
        shifts.append(float((shaken.positions - perfect.positions).std()) / 2.0)
        spreads.append(float(shaken.peak.std()))
    assert np.mean(np.array(shifts) < 0.07) > 0.6
    assert 0.0015 < np.quantile(shifts, 0.03) < 0.004
    assert max(shifts) < 0.4
    assert 0.002 < min(spreads) < 0.006
    assert np.median(spreads) == pytest.approx(np.sqrt(0.003 * 0.12), rel=0.35)


@pytest.mark.parametrize("kind", kinds.KINDS)
def test_columns_stand_out_and_vacancies_do_not(kind: str) -> None:
    at_columns, at_vacancies, between = [], [], []
    for seed in range(12):
        truth = specimen.draw(kind, SIZE, 0.1, seed)
        signed = truth.polarity * truth.image
        assert truth.marks.shape == truth.brightness.shape
        bright = truth.positions[truth.brightness > 0.3]
        if len(bright) < 20:
            continue
        at_columns.append(signed[tuple(np.rint(bright).astype(int).T)].mean())
        between.append(np.median(signed))
        if len(truth.vacancies):
            at_vacancies.append(signed[tuple(np.rint(truth.vacancies).astype(int).T)].mean() - between[-1])
    assert len(at_columns) > 5
    assert np.mean(at_columns) > np.mean(between) + 0.1
    assert not at_vacancies or np.mean(at_vacancies) < 0.05


def test_no_two_columns_merge_where_grains_meet() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        crystal = plain()
        drawn = kinds.bicrystal(rng, crystal, SIZE, 10.0).positions
        apart = np.linalg.norm(drawn[:, None] - drawn[None], axis=-1)
        np.fill_diagonal(apart, np.inf)
        assert apart.min() > 0.59 * crystal.gap


def test_a_dislocation_keeps_every_column_and_ends_a_row() -> None:
    rng = np.random.default_rng(5)
    crystal = plain(((0.0, 10.0), (10.0, 0.0)))
    drawn = kinds.dislocated(rng, crystal, SIZE, 10.0).positions
    inside = ((drawn > 0.0) & (drawn < SIZE)).all(axis=1).sum()
    assert inside == pytest.approx(SIZE**2 / 100.0, rel=0.06)


def test_some_columns_are_marked() -> None:
    truths = [specimen.draw("coherent", 96, 0.1, seed) for seed in range(50)]
    marks = np.concatenate([truth.marks for truth in truths])
    assert {0, 1, 2} == set(np.unique(marks).tolist())
    assert 0.001 < (marks > 0).mean() < 0.05
    assert sum(len(truth.vacancies) for truth in truths) > 10


def test_the_floor_of_a_crystal_is_even_and_has_no_grid() -> None:
    for side in (4.0, 9.0, 23.0):
        crystal = plain(((0.0, side), (side, 0.0)))
        filled = columns.fill(crystal, SIZE, 6.0 * side, np.full(2, 80.0))
        even = imperfections.floor(filled.positions, SIZE, crystal.area)
        np.testing.assert_allclose(even, 1.0, atol=0.01)
        half = imperfections.floor(filled.positions[filled.positions[:, 0] < 80.0], SIZE, crystal.area)
        apart = half[:, :1] - np.array([1.0 / (1.0 + np.exp((y - 80.0) / side)) for y in range(SIZE)])[:, None]
        assert np.abs(apart).max() < 0.45
        alternating = half[1:-1] - 0.5 * (half[:-2] + half[2:])
        grid = np.abs((alternating * (-1.0) ** np.arange(SIZE - 2)[:, None]).mean(axis=0))
        assert grid.max() < 1e-4


def test_tilt_draws_columns_out_about_where_they_stand() -> None:
    one = columns.Columns(np.full((1, 2), 80.0), np.ones(1), np.full(1, 4.0), np.zeros(1, np.uint8), np.zeros((0, 2)))
    y, x = np.indices((SIZE, SIZE)) - 80.0
    for seed in range(8):
        drawn = imperfections.tilted(np.random.default_rng(seed), one)
        image = atoms.gaussians(atoms.Atoms(drawn.positions, drawn.peak, drawn.width), SIZE)
        image /= image.sum()
        assert np.hypot((y * image).sum(), (x * image).sum()) < 1e-3
        spread = np.linalg.eigvalsh([[(a * b * image).sum() for a in (y, x)] for b in (y, x)])
        assert spread[0] == pytest.approx(16.0, rel=0.01)
        assert 16.0 * (1 + 0.2**2) - 0.1 < spread[1] < 16.0 * (1 + 0.8**2) + 0.1
