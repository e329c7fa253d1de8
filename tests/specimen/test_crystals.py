"""Crystals: symmetry as other programs see it, distances by brute force, boxes filled, columns where they belong."""

import itertools

import numpy as np
import pytest
from scipy.spatial import Delaunay, cKDTree

from temclean.errors import ParameterError
from temclean.specimen import blocks, crystals, profiles, projection, unitcells

spacegroup = pytest.importorskip("ase.spacegroup")

quiet_spglib = pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")

BLOCK = np.array(list(itertools.product(range(-7, 8), repeat=3)), float)


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("group", [1, 2, 14, 15, 62, 92, 141, 148, 166, 176, 194, 198, 221, 225, 227, 230])
def test_orbits_are_those_of_ase(group: int) -> None:
    for site in ((0.13, 0.27, 0.41), (0.0, 0.0, 0.0), (0.25, 0.25, 0.25), (0.31, 0.31, 0.0)):
        expected, _ = spacegroup.Spacegroup(group).equivalent_sites([site])
        found = unitcells.orbit(np.array(site), group)
        assert len(found) == len(expected)
        gaps = (found[:, None] - expected[None] + 0.5) % 1.0 - 0.5
        assert np.linalg.norm(gaps, axis=-1).min(axis=1).max() < 1e-6


@quiet_spglib
@pytest.mark.parametrize("group", range(1, 231, 10))
def test_cells_keep_their_symmetry_and_distances(group: int) -> None:
    spglib = pytest.importorskip("spglib")
    cell = unitcells.draw_cell(rng_of(group), group)
    found = spglib.get_symmetry_dataset((cell.vectors, cell.sites, cell.numbers), symprec=1e-4)
    rotations, _ = unitcells.operations(group)
    volume = abs(np.linalg.det(cell.vectors))
    # Special positions can have a higher symmetry than the group that made them, never a lower one.
    assert len(found.rotations) % len(rotations) == 0
    assert len(cell.sites) / volume <= unitcells.DENSEST
    assert len(set(cell.numbers.tolist())) <= 16

    gaps = (cell.sites[:, None] - cell.sites[:1])[:, :, None] + BLOCK
    for site in cell.sites[1 :: max(1, len(cell.sites) // 4)]:
        gaps = np.concatenate([gaps, (cell.sites[:, None] - site[None, None])[:, :, None] + BLOCK])
    distances = np.linalg.norm(gaps @ cell.vectors, axis=-1)
    assert distances[distances > 1e-6].min() >= unitcells.CLOSEST


@quiet_spglib
def test_general_positions_have_exactly_the_group_drawn() -> None:
    spglib = pytest.importorskip("spglib")
    rng = rng_of(4)
    for group in (2, 4, 14, 19, 33, 61, 96, 114, 148, 161, 198, 205, 220):
        vectors = unitcells.draw_vectors(rng, group)
        sites = np.concatenate([unitcells.orbit(rng.random(3), group) for _ in range(4)])
        numbers = np.repeat([6, 14, 32, 50], len(sites) // 4)
        assert spglib.get_symmetry_dataset((vectors, sites, numbers), symprec=1e-5).number == group


def test_lattices_stay_in_their_ranges() -> None:
    rng = rng_of(0)
    for group in list(range(1, 231, 3)) * 3:
        vectors = unitcells.draw_vectors(rng, group)
        lengths = np.linalg.norm(vectors, axis=1)
        cosines = (vectors @ vectors.T / np.outer(lengths, lengths))[[1, 0, 0], [2, 2, 1]]
        angles = np.degrees(np.arccos(cosines))
        assert 3.1 <= lengths.min() <= lengths.max() <= 25.0
        assert 45 - 1e-6 <= angles.min() <= angles.max() <= 120 + 1e-6
        assert np.linalg.det(vectors) > 0


def test_the_closest_pair_is_neither_too_close_nor_too_far() -> None:
    for seed in range(40):
        cell = unitcells.draw_cell(rng_of(seed))
        sites = (cell.sites[:, None] + np.array(list(itertools.product((-1, 0, 1), repeat=3)))).reshape(-1, 3)
        distance, _ = cKDTree(sites @ cell.vectors).query(cell.sites @ cell.vectors, k=2)
        assert unitcells.CLOSEST <= distance[:, 1].min() <= unitcells.FARTHEST + 1e-9


def test_reduced_vectors_span_the_same_lattice_and_are_shortest() -> None:
    rng = rng_of(2)
    for _ in range(30):
        vectors = unitcells.draw_vectors(rng, 1)
        short = unitcells.reduced(vectors)
        change = short @ np.linalg.inv(vectors)
        np.testing.assert_allclose(change, np.rint(change), atol=1e-8)
        assert abs(np.linalg.det(change)) == pytest.approx(1.0)
        lengths = np.sort(np.linalg.norm(BLOCK[np.any(BLOCK, axis=1)] @ vectors, axis=1))
        assert np.linalg.norm(short, axis=1).min() == pytest.approx(lengths[0])
        site = rng.random((5, 3)) - 0.5
        expected = np.linalg.norm((site[:, None] + BLOCK) @ vectors, axis=-1).min(axis=1)
        np.testing.assert_allclose(unitcells.Lattice.of(vectors).distances(site), expected)


def test_fill_finds_every_atom_in_the_box() -> None:
    rng = rng_of(1)
    block = np.array(list(itertools.product(range(-16, 17), repeat=3)), float)
    for group in (1, 1, 5, 225):
        vectors = unitcells.draw_vectors(rng, group) / 3.0
        vectors = vectors @ blocks.frame(*rng.standard_normal((2, 3)))
        cell = unitcells.Cell(vectors, rng.random((3, 3)), np.array([1, 2, 3]))
        low, high, origin = np.array([-9.0, 0.0, 1.0]), np.array([4.0, 11.0, 7.5]), rng.random(3)
        atoms = blocks.fill(cell, vectors, low, high, origin)
        every = (origin + (cell.sites[:, None] + block) @ vectors).reshape(-1, 3)
        numbers = np.repeat(cell.numbers, len(block))
        inside = ((every >= low) & (every < high)).all(axis=1)
        assert len(atoms.numbers) == inside.sum()
        gap, index = cKDTree(every[inside]).query(atoms.positions)
        assert gap.max() < 1e-9
        np.testing.assert_array_equal(atoms.numbers, numbers[inside][index])


def test_fill_counts_a_crystal_that_stands_square_in_its_box(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = unitcells.Cell(2.0 * np.eye(3), np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]]), np.array([11, 17]))
    whole = blocks.fill(cell, cell.vectors, np.zeros(3), np.array([6.0, 8.0, 10.0]), np.zeros(3))
    assert np.bincount(whole.numbers)[[11, 17]].tolist() == [60, 60]
    monkeypatch.setattr(blocks, "ROWS_AT_A_TIME", 1)
    apart = blocks.fill(cell, cell.vectors, np.zeros(3), np.array([6.0, 8.0, 10.0]), np.zeros(3))
    np.testing.assert_array_equal(whole.positions, apart.positions)


def test_orientations_are_rotations_most_of_them_near_a_zone_axis() -> None:
    rng = rng_of(6)
    near = 0
    for _ in range(300):
        vectors = unitcells.draw_vectors(rng, 221)
        turned = blocks.orient(rng, vectors)
        np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-9)
        assert np.linalg.det(turned) == pytest.approx(np.linalg.det(vectors))
        zones = np.array(blocks.ZONES) @ turned
        near += np.degrees(np.arccos(np.abs(zones[:, 2] / np.linalg.norm(zones, axis=1)).max())) < 10.0
    assert near > 0.75 * 0.95 * 300 - 4 * np.sqrt(300 / 4)


@pytest.mark.parametrize(("counts", "ratio"), [((20, 22, 18), 0.67), ((60, 50), 0.6)])
def test_scattered_points_keep_their_distance_and_forget_their_grid(counts: tuple[int, ...], ratio: float) -> None:
    points = blocks.scattered(rng_of(0), counts, 2.0, 2.0 * ratio)
    assert points.min() >= 0.0
    assert (points.max(axis=0) <= 2.0 * np.array(counts)).all()
    assert len(points) > 0.97 * np.prod(counts)
    distance, _ = cKDTree(points).query(points, k=2)
    assert distance[:, 1].min() >= 2.0 * ratio * (1 - 1e-6)
    peaks = np.abs(np.exp(1j * np.pi * points).mean(axis=0)) ** 2
    assert peaks.max() < 0.02


def test_atomic_weights_are_near_the_tabulated_ones() -> None:
    from ase.data import atomic_masses

    for number in range(1, 104):
        assert blocks.atomic_weight(number) == pytest.approx(atomic_masses[number], rel=0.13)


def test_films_have_the_density_and_distance_of_the_paper() -> None:
    for seed in range(10):
        film = blocks.draw_film(rng_of(seed), 40.0, 30.0, 100_000)
        number = int(film.numbers[0])
        inside = ((film.positions > 3) & (film.positions < np.array([37, 37, 27]))).all(axis=1)
        density = inside.sum() * blocks.atomic_weight(number) / 0.60221 / (34 * 34 * 24)
        assert density < 7.4
        assert density > 1.8 or number <= 4
        distance, _ = cKDTree(film.positions).query(film.positions, k=2)
        assert distance[:, 1].min() >= unitcells.CLOSEST


@pytest.mark.parametrize("size", [2, 3])
def test_within_is_the_convex_hull(size: int) -> None:
    rng = rng_of(size)
    for count in (size + 1, 8, 20):
        corners, points = rng.standard_normal((count, size)), 1.5 * rng.standard_normal((500, size))
        expected = Delaunay(corners).find_simplex(points) >= 0
        np.testing.assert_array_equal(blocks.within(points, corners), expected)


def test_wedges_slope_by_5_to_45_degrees_at_either_surface() -> None:
    side, height = np.arange(0.0, 40.0, 4.0), np.arange(0.0, 200.0, 0.05)
    points = np.stack(np.meshgrid(side, side, height, indexing="ij"), -1)
    angles, surfaces = [], []
    for seed in range(40):
        kept = blocks.wedge(rng_of(seed), points.reshape(-1, 3), 40.0, 200.0).reshape(points.shape[:3])
        cuts = []
        for top in (kept, kept[:, :, ::-1]):
            lost = 0.05 * top.argmax(axis=2)
            slope = np.hypot(*np.gradient(lost, 4.0))
            inner = (lost > 8.0)[1:-1, 1:-1]  # where the neighbours are cut as well
            if inner.any():
                angles.append(np.degrees(np.arctan(np.median(slope[1:-1, 1:-1][inner]))))
            cuts.append((lost > 0).any())
        surfaces.append(cuts)
    assert 4.5 < min(angles) < max(angles) < 45.5
    counts = np.unique(surfaces, axis=0, return_counts=True)[1]
    assert len(counts) >= 3, "top, bottom and both"


@pytest.mark.parametrize("seed", range(12))
def test_shapes_keep_or_remove_one_convex_part(seed: int) -> None:
    points = rng_of(1).uniform(0, 40 + 2 * blocks.REACH, (3000, 3))
    chosen = blocks.shape(rng_of(seed), points, 40 + 2 * blocks.REACH, 40.0)
    parts = [points[part] for part in (chosen, ~chosen) if part.sum() > 3]
    assert any((Delaunay(part).find_simplex(points) >= 0).sum() == len(part) for part in parts)


def test_points_keep_a_pixel_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(crystals, "scene", lambda rng, atoms, *rest, **more: drawn.append(atoms))
    for seed in range(30):
        crystals.points(rng_of(seed), 128, 0.3)
    closest = [cKDTree(a.positions).query(a.positions, k=2)[0][:, 1].min() / 0.3 for a in drawn if len(a.numbers) > 1]
    assert min(closest) >= 1.0 - 1e-6
    assert len({len(atoms.numbers) for atoms in drawn}) > 20
    assert all(len(set(atoms.numbers.tolist())) <= 3 for atoms in drawn)


def test_defects_take_or_move_at_most_a_quarter() -> None:
    atoms = blocks.Atoms(rng_of(0).random((4000, 3)), np.full(4000, 29))
    moved, removed = [], []
    for seed in range(100):
        left = blocks.defects(rng_of(seed), atoms)
        if len(left.numbers) == 4000:
            moved.append(left.positions - atoms.positions)
        else:
            removed.append(4000 - len(left.numbers))
    assert 30 < len(moved) < 70
    assert max(removed) <= 1000
    shifts = np.concatenate([shift[shift.any(axis=1)] for shift in moved])
    assert max(shift.any(axis=1).sum() for shift in moved) <= 1000
    assert shifts.std() == pytest.approx(profiles.RMS_RADIUS[28], rel=0.02)


@pytest.mark.parametrize("name", ["crystal", "amorphous3d", "points"])
def test_every_scene_is_an_image_and_comes_again(name: str) -> None:
    draw = getattr(crystals, name)
    for seed, (size, pixel_size) in enumerate([(1, 0.1), (48, 0.025), (64, 0.2), (40, 0.9), (64, 0.1)]):
        first, again = (draw(rng_of(seed), size, pixel_size) for _ in range(2))
        assert first.image.shape == (size, size)
        assert first.image.dtype == first.brightness.dtype == np.float32
        assert first.image.min() >= 0.0
        assert first.image.max() == 1.0
        assert first.polarity in {-1, 1}
        assert first.positions.shape == (len(first.brightness), 2)
        assert ((first.positions > -0.5) & (first.positions < size - 0.5)).all()
        np.testing.assert_array_equal(first.image, again.image)
        np.testing.assert_array_equal(first.positions, again.positions)


def test_scenes_never_hold_too_many_atoms(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []

    def counted(positions: np.ndarray, *_: object) -> np.ndarray:
        counts.append(len(positions))
        return np.zeros((384, 384), np.float32)

    monkeypatch.setattr(projection, "project", counted)
    for seed in range(4):
        crystals.crystal(rng_of(seed), 384, 0.9)
    assert max(counts) < 420_000
    assert min(counts) > 1000


def test_single_atoms_are_where_the_image_has_maxima(monkeypatch: pytest.MonkeyPatch) -> None:
    empty = blocks.Atoms(np.zeros((0, 3)), np.zeros(0, np.int64))
    monkeypatch.setattr(crystals, "support", lambda *_: empty)
    near = []
    for seed in range(30):
        drawn = crystals.points(rng_of(seed), 96, 0.2)
        apart = cKDTree(drawn.positions).query(drawn.positions, 2)[0][:, 1] > 10 if len(drawn.positions) > 1 else True
        inner = drawn.positions[((drawn.positions > 8) & (drawn.positions < 87)).all(axis=1) & apart]
        for y, x in np.rint(inner).astype(int):
            patch = drawn.polarity * drawn.image[y - 3 : y + 4, x - 3 : x + 4]
            near.append(np.abs(np.array(np.unravel_index(patch.argmax(), patch.shape)) - 3).max() <= 1)
    assert len(near) > 100
    assert np.mean(near) > 0.9  # a steep background moves a few


@pytest.mark.parametrize("draw", [crystals.crystal, crystals.amorphous3d, crystals.points])
def test_a_field_that_no_atoms_could_fill_is_refused(draw) -> None:
    with pytest.raises(ParameterError, match="5000 Å is too wide"):
        draw(rng_of(0), 1000, 5.0)
