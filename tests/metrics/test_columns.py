"""Columns: found, fitted and matched, against Gaussians at known places, the Cramér-Rao bound, and SciPy's fit."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.optimize import curve_fit

from temclean import metrics
from temclean.errors import ImageError, ParameterError
from temclean.metrics.columns import column_width

SIZE = 200
Make = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def drawn(places: np.ndarray, width: float, height: float | np.ndarray = 1.0, size: int = SIZE) -> np.ndarray:
    """Return the sum of Gaussians at places (N, 2)."""
    line = np.arange(size)
    y = np.exp(-((line - places[:, :1]) ** 2) / (2 * width**2))
    x = np.exp(-((line - places[:, 1:]) ** 2) / (2 * width**2))
    return np.einsum("n,ny,nx->yx", np.broadcast_to(height, len(places)), y, x)


def lattice(spacing: float, seed: int = 0, size: int = SIZE) -> np.ndarray:
    """Return places that lie between pixels by anything."""
    line = np.arange(spacing, size - spacing / 2, spacing)
    places = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    return places + np.random.default_rng(seed).uniform(-0.5, 0.5, places.shape)


def bound(width: float, noise: float) -> np.ndarray:
    """Return the least standard errors of row, column, volume and width of a Gaussian of height 1 (Cramér-Rao).

    From the Fisher information of height, background, place and width, on the pixels within three widths and a half.
    """
    y, x = np.mgrid[-20:21, -20:21].astype(float)
    spot = np.exp(-(y**2 + x**2) / (2 * width**2))
    slopes = [spot, np.ones_like(spot), spot * y / width**2, spot * x / width**2, spot * (y**2 + x**2) / width**2]
    near = np.hypot(y, x) < 3 * width + 0.5
    jacobian = np.stack([slope[near] for slope in slopes])
    covariance = noise**2 * np.linalg.inv(jacobian @ jacobian.T)
    volume = 2 * np.pi * width**2 * np.array([1, 0, 0, 0, 2])
    return np.sqrt([covariance[2, 2], covariance[3, 3], volume @ covariance @ volume, width**2 * covariance[4, 4]])


@pytest.mark.parametrize("width", [None, 1.8])
@pytest.mark.parametrize("noise", [0.02, 0.12])
def test_errors_are_near_the_cramer_rao_bound_and_said_rightly(width: float | None, noise: float) -> None:
    places = lattice(12.0)
    image = drawn(places, 2.0) + np.random.default_rng(1).normal(0, noise, (SIZE, SIZE))
    found = metrics.columns(image, width)
    same = metrics.match(found, places, 2.0)
    assert same.precision == same.recall == 1
    volume = 2 * np.pi * 2.0**2
    away = found.positions[same.found] - places[same.true]
    off = np.column_stack([away, found.intensity[same.found] - volume, found.width[same.found] - 2.0])
    scatter, least = np.sqrt((off**2).mean(axis=0)), bound(2.0, noise)
    assert (scatter < 1.3 * least).all()
    assert (scatter > 0.85 * least).all()
    np.testing.assert_allclose(np.median(found.errors, axis=0), scatter, rtol=0.2)
    assert np.median(found.width) == pytest.approx(2.0, rel=0.02)


def scatter_over_errors(make: Make, *, sign: float = 1.0, draws: int = 4, **how: Any) -> np.ndarray:
    """Return how far found columns of width 2 are off the true ones, over what is said (root mean squares)."""
    off, said = [], []
    for seed in range(draws):
        places = lattice(12.0, seed)
        found = metrics.columns(make(drawn(places, 2.0), np.random.default_rng(seed)), 2.0, **how)
        same = metrics.match(found, places, 2.0)
        assert same.recall > 0.95
        away = found.positions[same.found] - places[same.true]
        volume = found.intensity[same.found] - sign * 2 * np.pi * 2.0**2
        off.append(np.column_stack([away, volume, found.width[same.found] - 2.0]))
        said.append(found.errors[same.found])
    return np.sqrt((np.concatenate(off) ** 2).mean(axis=0) / (np.concatenate(said) ** 2).mean(axis=0))


@pytest.mark.parametrize("electrons", [10, 30, 1000])
def test_errors_are_those_of_counted_electrons(electrons: int) -> None:
    ratio = scatter_over_errors(lambda clean, rng: rng.poisson(electrons * (0.1 + clean)) / electrons)
    np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_errors_of_dark_columns_are_those_of_counted_electrons() -> None:
    ratio = scatter_over_errors(
        lambda clean, rng: rng.poisson(50 * (1 - 0.8 * clean)) / 50, sign=-0.8, dark=True, significance=3
    )
    np.testing.assert_allclose(ratio, 1, atol=0.1)


def test_errors_know_of_noise_that_hangs_together() -> None:
    from scipy.ndimage import gaussian_filter

    lags = np.exp(-(np.arange(9.0) ** 2) / (4 * 0.8**2))  # of white noise after a Gaussian blur of 0.8 pixels

    def made(clean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return clean + gaussian_filter(rng.normal(0, 0.15, clean.shape), 0.8)

    np.testing.assert_allclose(scatter_over_errors(made, correlation=(lags, lags)), 1, atol=0.1)
    assert (scatter_over_errors(made, draws=1)[:2] > 2).all()


def test_dark_columns_are_bright_ones_upside_down() -> None:
    places = lattice(10.0)
    image = 500.0 - 30 * drawn(places, 1.7) + np.random.default_rng(2).normal(0, 1, (SIZE, SIZE))
    found, bright = metrics.columns(image, dark=True), metrics.columns(-image)
    assert len(found) == len(places)
    np.testing.assert_allclose(found.positions, bright.positions, atol=1e-3)
    assert np.mean(found.intensity) == pytest.approx(-30 * 2 * np.pi * 1.7**2, rel=0.02)
    assert np.mean(found.background) == pytest.approx(500, rel=0.002)


def test_a_column_is_where_scipy_puts_it() -> None:
    image = drawn(np.array([[20.3, 18.6]]), 2.4, size=40) + np.random.default_rng(3).normal(0, 0.05, (40, 40))
    y, x = np.mgrid[:40, :40]
    near = np.hypot(y - 20, x - 19) < 7.5  # three widths about the nearest pixel

    def model(_, a, b, row, column, width):  # type: ignore[no-untyped-def]
        return (b + a * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2)))[near]

    best, covariance = curve_fit(model, None, image[near], [1, 0, 20, 19, 2])
    found = metrics.columns(image, 2.4, significance=8)
    np.testing.assert_allclose(found.positions[0], best[2:4], atol=2e-3)
    assert found.width[0] == pytest.approx(best[4], rel=2e-3)
    np.testing.assert_allclose(found.errors[0, :2], np.sqrt(np.diag(covariance)[2:4]), rtol=0.02)


def test_neighbours_do_not_pull_each_other() -> None:
    places = np.array([[50.0, 50.0], [50.0, 56.4], [50.2, 62.6], [90.4, 90.1], [95.5, 94.0]])
    found = metrics.columns(drawn(places, 2.0, np.array([1, 0.6, 1, 1, 0.7])), 2.0)
    same = metrics.match(found, places, 2.0)
    assert len(found) == same.found.size == len(places)
    assert same.distance.max() < 0.1


def test_a_column_cut_by_the_border_is_where_it_is() -> None:
    places = np.array([[0.6, 40.3], [120.2, 0.3], [198.7, 198.9]])
    found = metrics.columns(drawn(places, 2.0), 2.0)
    same = metrics.match(found, places, 1.0)
    assert same.recall == 1
    assert same.distance.max() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (2, 30), (64, 64)])
def test_nothing_is_found_where_nothing_is(shape: tuple[int, int]) -> None:
    assert len(metrics.columns(np.full(shape, 3.0))) == 0
    ramp = np.add.outer(np.arange(shape[0]), 2.0 * np.arange(shape[1]))
    assert len(metrics.columns(ramp, 2.0)) == 0


def test_few_columns_are_found_in_noise() -> None:
    noise = np.random.default_rng(4).normal(0, 1, (256, 256))
    assert len(metrics.columns(noise, 2.5)) <= 3  # of some 900 maxima


@pytest.mark.parametrize("spacing", [9.0, 13.0])
@pytest.mark.parametrize("width", [None, 1.0])
def test_narrow_columns_are_found_in_strong_noise(width: float | None, spacing: float) -> None:
    places = lattice(spacing)
    image = drawn(places, 1.3) + np.random.default_rng(11).normal(0, 0.25, (SIZE, SIZE))
    same = metrics.match(metrics.columns(image, width), places, 2.0)
    assert same.recall > 0.9  # 6.5 standard errors high, so that one in fifteen is below five
    assert same.precision > 0.98


def test_a_vacancy_is_no_column_and_a_light_one_is() -> None:
    places = lattice(10.0)
    height = np.ones(len(places))
    height[[30, 77, 200]] = 0.0
    height[[31, 120]] = 0.4
    image = drawn(places, 2.0, height) + np.random.default_rng(5).normal(0, 0.05, (SIZE, SIZE))
    found = metrics.columns(image)
    same = metrics.match(found, places, 2.0)
    assert set(range(len(places))) - set(same.true.tolist()) == {30, 77, 200}
    assert len(found) == len(places) - 3
    assert (np.diff(found.intensity) <= 0).all()


def test_intensities_of_known_columns_are_linear() -> None:
    places = lattice(9.0)
    height = np.random.default_rng(6).uniform(0.5, 1.5, len(places))
    at = metrics.columns(drawn(places, 2.0, height), 2.0)
    same = metrics.match(at, places, 2.0)
    assert same.recall == 1
    measured = metrics.intensities(5000 + 40 * drawn(places, 2.0, height), at)
    wanted = 40 * height[same.true] * 2 * np.pi * 2.0**2
    np.testing.assert_allclose(measured[same.found], wanted, rtol=0.03)
    assert metrics.intensities(np.zeros((SIZE, SIZE)), at) == pytest.approx(np.zeros(len(at)), abs=1e-9)


@pytest.mark.parametrize(("width", "spacing"), [(1.2, 7.0), (2.0, 12.0), (4.0, 25.0)])
def test_the_width_is_estimated(width: float, spacing: float) -> None:
    image = drawn(lattice(spacing), width) + np.random.default_rng(7).normal(0, 0.3, (SIZE, SIZE))
    assert column_width(image) == pytest.approx(width, rel=0.25)


@pytest.mark.parametrize(("count", "noise"), [(1, 0.0), (1, 0.2), (6, 0.05), (6, 0.3), (20, 0.1), (20, 0.4)])
def test_columns_without_a_lattice_are_found_and_their_width_is_estimated(count: int, noise: float) -> None:
    rng = np.random.default_rng(count)
    places = rng.permutation(lattice(28.0))[:count] + rng.uniform(-6, 6, (count, 2))
    image = drawn(places, 2.5) + rng.normal(0, noise, (SIZE, SIZE))
    assert column_width(image) == pytest.approx(2.5, rel=0.3)
    same = metrics.match(metrics.columns(image), places, 2.0)
    assert same.precision == same.recall == 1


@pytest.mark.parametrize("shape", [(64, 64), (100, 700), (256, 256)])
def test_noise_alone_has_no_width(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(12)
    assert {column_width(rng.normal(0, 1, shape)) for _ in range(20)} == {0.7 / np.sqrt(2)}


def test_the_width_of_stripes_is_that_of_stripes_turned_round() -> None:
    image = drawn(lattice(20.0), 2.0).sum(axis=0) + np.zeros((SIZE, 1))
    assert column_width(image) == column_width(image.T)


@pytest.mark.parametrize("shape", [(1, 2), (2, 2), (3, 40)])
def test_the_width_of_next_to_nothing_is_a_number(shape: tuple[int, int]) -> None:
    assert column_width(np.arange(np.prod(shape), dtype=float).reshape(shape)) > 0


def test_matches_are_each_others_nearest() -> None:
    found, true = [[0, 0], [0, 1], [10, 10], [50, 50]], [[0, 0.9], [10, 13], [30, 30]]
    same = metrics.match(found, true, 4.0)
    assert same.found.tolist() == [1, 2]
    assert same.true.tolist() == [0, 1]
    assert same.distance.tolist() == pytest.approx([0.1, 3.0])
    assert (same.precision, same.recall) == (0.5, pytest.approx(2 / 3))
    none = metrics.match(np.empty((0, 2)), true, 4.0)
    assert (none.precision, none.recall) == (1, 0)


def test_five_hundred_columns_take_no_time() -> None:
    places = lattice(12.0, size=280)
    image = drawn(places, 2.0, size=280) + np.random.default_rng(8).normal(0, 0.1, (280, 280))
    taken = []
    for _ in range(3):
        start = time.process_time()
        assert len(metrics.columns(image)) == len(places) > 480
        taken.append(time.process_time() - start)
    assert min(taken) < 0.3


def test_thousands_of_maxima_of_noise_take_no_time() -> None:
    noise = np.random.default_rng(9).normal(0, 1, (256, 256))
    start = time.process_time()
    assert len(metrics.columns(noise, 0.5)) < 80  # of some 8000 maxima
    assert time.process_time() - start < 3


def test_what_is_wrong_is_said() -> None:
    image = np.eye(20)
    with pytest.raises(ImageError, match="2-D"):
        metrics.columns(np.zeros((3, 4, 5)))
    with pytest.raises(ImageError, match="NaN"):
        metrics.columns(np.full((9, 9), np.nan))
    with pytest.raises(ParameterError, match="width is 0"):
        metrics.columns(image, 0)
    with pytest.raises(ParameterError, match="share is 2"):
        metrics.columns(image, share=2)
    with pytest.raises(ParameterError, match="significance"):
        metrics.columns(image, significance=float("nan"))
    with pytest.raises(ParameterError, match="correlations"):
        metrics.columns(image, correlation=([0.5], [1.0]))
    with pytest.raises(ParameterError, match="distance"):
        metrics.match(image[:, :2], image[:, :2], 0)
    with pytest.raises(ParameterError, match="places"):
        metrics.match(image[:, :3], image[:, :2], 1)
