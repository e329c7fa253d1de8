"""The bound on the errors of columns, and the counting of atoms, on cases that are known."""

import numpy as np
import pytest
from quantification_measures import counted, cramer_rao, empty, library_of, measure, share_right
from quantification_scenes import LATTICE, displacement, particle
from scipy.optimize import minimize

ALONE = np.array([[31.3, 32.8]])


def test_bound_of_a_spot_on_nothing_is_that_of_its_counts() -> None:
    """With N electrons the bound is w / sqrt(N) along an axis, and sqrt(N) for their number: Ober et al. 2004."""
    width, height, counts = 3.0, 0.4, 250.0
    electrons = counts * height * 2 * np.pi * width**2
    found = cramer_rao((64, 64), ALONE, np.array([height]), width, 1e-9, counts)
    np.testing.assert_allclose(found[0, :2], width / np.sqrt(electrons), rtol=0.01)
    assert found[0, 2] == pytest.approx(np.sqrt(electrons) / counts, rel=0.01)


def test_bound_of_a_faint_spot_is_that_of_even_noise() -> None:
    """On a bright background, variance b / n a pixel, the information is A^2 pi n / (2 b) along an axis."""
    height, background, counts = 1e-3, 2.0, 50.0
    found = cramer_rao((64, 64), ALONE, np.array([height]), 2.5, background, counts)
    np.testing.assert_allclose(found[0, :2], np.sqrt(2 * background / (np.pi * counts)) / height, rtol=0.01)


def test_bound_falls_with_the_dose_and_rises_with_neighbours() -> None:
    heights = np.array([0.5, 0.5])
    apart, near = (np.array([[30.0, 24.0], [30.0, 24.0 + gap]]) for gap in (16.0, 5.0))
    once, again = (cramer_rao((60, 60), apart, heights, 2.5, 0.01, counts) for counts in (10.0, 90.0))
    np.testing.assert_allclose(again, once / 3, rtol=1e-6)
    close = cramer_rao((60, 60), near, heights, 2.5, 0.01, 10.0)
    assert (close[:, 1] > 1.2 * once[:, 1]).all()
    assert (close[:, 2] > once[:, 2]).all()


def test_most_likely_columns_reach_the_bound() -> None:
    """The standard deviation of 120 maximum-likelihood fits has a standard error of 6.5%."""
    shape, width, background, counts = (24, 24), 2.0, 0.05, 300.0
    truth = np.array([11.6, 12.3, 1.0, width, background])
    y, x = np.mgrid[: shape[0], : shape[1]]

    def mean(at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        below, right = y - at[0], x - at[1]
        bell = np.exp(-0.5 * (below**2 + right**2) / at[3] ** 2)
        lift = at[2] * bell / at[3] ** 2
        slopes = [lift * below, lift * right, bell, lift * (below**2 + right**2) / at[3], np.ones(shape)]
        return at[4] + at[2] * bell, np.stack(slopes)

    def unlikely(at: np.ndarray, seen: np.ndarray) -> tuple[float, np.ndarray]:
        expected, slopes = mean(at)
        expected = np.maximum(expected, 1e-9)
        return float((expected - seen * np.log(expected)).sum()), (slopes * (1 - seen / expected)).sum(axis=(1, 2))

    rng = np.random.default_rng(1)
    clean, found = mean(truth)[0], []
    limits = [(None, None)] * 2 + [(1e-3, None)] * 3
    for _ in range(120):
        seen = rng.poisson(counts * clean) / counts
        at = minimize(unlikely, truth, (seen,), jac=True, method="L-BFGS-B", bounds=limits).x
        found.append([at[0], at[1], 2 * np.pi * at[2] * at[3] ** 2])
    bound = cramer_rao(shape, truth[None, :2], truth[2:3], width, background, counts)[0]
    np.testing.assert_allclose(np.std(found, axis=0), bound, rtol=0.2)


def test_atoms_are_counted_by_the_nearest_intensity() -> None:
    library = library_of(np.array([1.0, 1.2, 2.0, 3.5]), np.array([1, 1, 2, 4]))
    np.testing.assert_allclose(library[1], [1.1, 2.0, 3.5])
    assert counted(np.array([-1.0, 1.5, 1.6, 2.7, 2.8, 99.0]), library).tolist() == [1, 1, 2, 2, 4, 4]


def test_share_of_right_counts_is_that_of_normal_errors() -> None:
    """Steps of 1 and errors of 0.5: 0.683 between two neighbours, 0.841 at an end, where there is but one."""
    library = (np.array([1, 2, 3]), np.array([1.0, 2.0, 3.0]))
    assert share_right(np.array([2]), np.array([0.5]), library) == pytest.approx(0.6827, abs=1e-4)
    assert share_right(np.array([1, 3]), np.array([0.5, 0.5]), library) == pytest.approx(0.8413, abs=1e-4)
    atoms = np.repeat([1, 2, 3], 4000)
    drawn = np.random.default_rng(0).normal(atoms, 0.5)
    share = share_right(atoms, np.full(len(atoms), 0.5), library)
    assert np.mean(counted(drawn, library) == atoms) == pytest.approx(share, abs=4 * np.sqrt(0.25 / len(atoms)))


def test_vacancy_stays_where_nothing_is_found_and_little_is_left() -> None:
    """Nine spots of which the middle one is missing, half there, or but found."""
    places = np.array([[12.0 + 12 * row, 12.0 + 12 * column] for row in range(3) for column in range(3)])
    y, x = np.mgrid[:49, :49]
    spots = np.stack([np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8) for row, column in places])
    gap, others = places[4:5], np.delete(places, 4, axis=0)
    missing, half = (spots.sum(axis=0) - part * spots[4] for part in (1.0, 0.4))
    true = measure(missing, others, 2.0, 12.0)
    np.testing.assert_allclose(true.places, others, atol=0.01)
    np.testing.assert_allclose(true.intensities, 8 * np.pi, rtol=0.01)
    assert empty(missing, others, gap, true, 12.0).tolist() == [True]
    assert empty(half, others, gap, true, 12.0).tolist() == [False]
    assert empty(missing, places, gap, true, 12.0).tolist() == [False]


def test_displacements_of_the_dislocation_close_at_the_burgers_vector() -> None:
    """Around the core x gains b, whatever the way, and the stress-free field has no other jump."""
    angle = np.linspace(-np.pi + 1e-9, np.pi, 721)
    for radius in (1.0, 30.0):
        ring = radius * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        moved = displacement(ring, 2.774)
        np.testing.assert_allclose(moved[-1] - moved[0], [0.0, 2.774], atol=1e-6)
        assert np.abs(np.diff(moved, axis=0)).max() < 0.03


def test_particle_has_the_atoms_of_a_sphere() -> None:
    specimen = particle()
    radius = 11 * LATTICE / 2
    assert specimen.counts.sum() == pytest.approx(4 / 3 * np.pi * radius**3 * 4 / LATTICE**3, rel=0.02)
    assert specimen.counts.max() == 11
