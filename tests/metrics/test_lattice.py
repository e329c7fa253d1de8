"""Lattices and strain against places that are known by an equation, and errors against the scatter they should have."""

import numpy as np
import pytest

from temclean import metrics
from temclean.errors import ParameterError
from temclean.metrics.lattice import fit_lattice
from temclean.metrics.neighbours import nearest, pairs_within
from temclean.metrics.strain import local_strain

A, B = np.array([1.5, 18.0]), np.array([16.0, -3.0])
MOTIFS = {"one": [(0.0, 0.0)], "two": [(0.0, 0.0), (0.36, 0.31)]}


def grid(motif: str, count: int = 12) -> np.ndarray:
    """Return places of a lattice about 0, with some left out."""
    index = np.stack(np.meshgrid(np.arange(-count, count), np.arange(-count, count), indexing="ij"), -1).reshape(-1, 2)
    places = np.concatenate([(index + np.array(off)) @ np.stack([A, B]) for off in MOTIFS[motif]])
    return places[(np.abs(places) < 150).all(axis=1)]


@pytest.mark.parametrize("motif", MOTIFS)
def test_a_lattice_is_found_among_vacancies_and_strays(motif: str) -> None:
    draw = np.random.default_rng(1)
    places = grid(motif)
    places = places[draw.random(len(places)) > 0.06] + draw.normal(0, 0.2, (1, 2))
    true = len(places)
    noisy = np.concatenate([places + draw.normal(0, 0.15, places.shape), draw.uniform(-150, 150, (12, 2))])
    found = fit_lattice(noisy)
    assert found is not None
    np.testing.assert_allclose(found.vectors, [A, B], atol=0.01)
    assert len(found.origins) == len(MOTIFS[motif])
    assert found.on[:true].mean() > 0.97
    off = np.linalg.norm(found.displacement[:true][found.on[:true]], axis=1)
    assert np.sqrt((off**2).mean() / 2) == pytest.approx(0.15, rel=0.1)


def test_another_grain_does_not_pull() -> None:
    places = grid("one")
    turn = np.radians(17)
    other = places @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    both = np.concatenate([places[places[:, 1] < 30], other[other[:, 1] > 36]])
    found = fit_lattice(both)
    assert found is not None
    np.testing.assert_allclose(found.vectors, [A, B], atol=1e-6)
    assert found.on[: (places[:, 1] < 30).sum()].mean() > 0.95


def test_there_is_none_where_there_is_no_order() -> None:
    assert fit_lattice(np.random.default_rng(2).uniform(0, 400, (600, 2))) is None
    assert fit_lattice(grid("one")[:8]) is None
    with pytest.raises(ParameterError, match="places"):
        fit_lattice(np.zeros((9, 3)))


@pytest.mark.parametrize("motif", MOTIFS)
def test_strain_is_that_of_the_field_that_was_applied(motif: str) -> None:
    places = grid(motif)
    y, x = places.T
    ux, uy = 0.02 * x + 1e-4 * x * y, -0.01 * y + 0.006 * x
    moved = places + np.stack([uy, ux], axis=1)
    found = fit_lattice(moved)
    assert found is not None
    strain = local_strain(moved, found)
    exx, eyy = 0.02 + 1e-4 * y, np.full(len(y), -0.01)
    exy, turn = (1e-4 * x + 0.006) / 2, np.degrees(1e-4 * x - 0.006) / 2
    inner = (np.abs(places) < 120).all(axis=1)
    for values, true in ((strain.exx, exx), (strain.eyy, eyy), (strain.exy, exy), (strain.rotation, turn)):
        off = (values - true)[inner]  # the mean lattice is strained as the field is on average
        assert np.std(off) < 1.5e-3 * (57 if values is strain.rotation else 1)
    slope = np.polyfit(y[inner], strain.exx[inner], 1)[0]
    assert slope == pytest.approx(1e-4, rel=0.05)
    slope = np.polyfit(x[inner], strain.rotation[inner], 1)[0]
    assert slope == pytest.approx(np.degrees(0.5e-4), rel=0.05)


def test_a_turned_piece_turns_counter_clockwise_as_seen() -> None:
    places = grid("one")
    angle = np.radians(1.0) * (places[:, 1] > 0)  # rows go down: to the right and up is counter-clockwise
    moved = np.stack(
        [
            places[:, 0] * np.cos(angle) - places[:, 1] * np.sin(angle),
            places[:, 0] * np.sin(angle) + places[:, 1] * np.cos(angle),
        ],
        axis=1,
    )
    found = fit_lattice(moved)
    assert found is not None
    turn = local_strain(moved, found).rotation
    right, left = (np.median(turn[side]) for side in (places[:, 1] > 30, places[:, 1] < -30))
    assert right - left == pytest.approx(1.0, abs=0.02)


def test_a_shifted_sublattice_strains_nothing() -> None:
    places = np.concatenate([grid("one"), grid("one") + (A + B) / 2 + (0.8, 0.0)])
    found = fit_lattice(places)
    assert found is not None
    strain = local_strain(places, found)
    inner = (np.abs(places) < 110).all(axis=1)
    assert np.abs(strain.exx[inner]).max() < 1e-3
    assert np.abs(strain.eyy[inner]).max() < 1e-3


def test_errors_of_columns_and_strain_have_pulls_of_one() -> None:
    """Of an image with noise: (found - true) / error has a standard deviation of 1."""
    line = np.arange(12.0, 245.0, 12.3)
    places = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2) + 0.37
    pixel = np.arange(256)
    y, x = (np.exp(-((pixel - places[:, axis : axis + 1]) ** 2) / (2 * 2.1**2)) for axis in (0, 1))
    image = 40 + 100 * np.einsum("ny,nx->yx", y, x)
    found = metrics.columns(image + np.random.default_rng(5).normal(0, 9, image.shape), 2.0)
    same = metrics.match(found, places, 2.0)
    assert same.recall == same.precision == 1
    off = np.column_stack([
        found.positions[same.found] - places[same.true],
        found.intensity[same.found] - 100 * 2 * np.pi * 2.1**2,
        found.width[same.found] - 2.1,
    ])  # fmt: skip
    pull = (off / found.errors[same.found]).std(axis=0)
    np.testing.assert_allclose(pull, 1.0, atol=0.16)
    lattice = fit_lattice(found.positions)
    assert lattice is not None
    strain = local_strain(found.positions, lattice, found.errors[:, :2])
    for values, errors in zip((strain.exx, strain.eyy, strain.exy, strain.rotation), strain.errors.T, strict=True):
        assert np.std(values / errors) == pytest.approx(1.0, abs=0.16)


def test_neighbours_are_those_of_all_distances() -> None:
    draw = np.random.default_rng(3)
    places, others = draw.uniform(-50, 50, (150, 2)), draw.uniform(-40, 70, (120, 2))
    first, second, away = pairs_within(places, others, 9.0)
    table = np.linalg.norm(places[:, None] - others, axis=-1)
    assert set(zip(first.tolist(), second.tolist(), strict=True)) == set(map(tuple, np.argwhere(table <= 9.0).tolist()))
    np.testing.assert_allclose(away, table[first, second])
    alone = np.linalg.norm(places[:, None] - places, axis=-1) + np.diag(np.full(150, np.inf))
    np.testing.assert_array_equal(nearest(places)[0], alone.argmin(axis=1))
