"""Columns that stand close, and columns in oblong pixels, against Gaussians at known places."""

import tracemalloc

import numpy as np
import pytest

from temclean import metrics
from temclean.commands.measuring import atoms
from temclean.commands.measuring.scale import Scale
from temclean.errors import ParameterError
from temclean.metrics.columns import column_width


def lattice(spacing: float, size: int, turn: float = 0.3) -> np.ndarray:
    """Return places of a square lattice that is turned by radians."""
    line = np.arange(-size, size) * spacing
    places = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    places = places @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) + 1.3
    return places[((places > 4) & (places < size - 5)).all(axis=1)]


def drawn(places: np.ndarray, width: float, shape: tuple[int, int], pixel: tuple[float, float] = (1, 1)) -> np.ndarray:
    """Return the sum of Gaussians of height 1 at places (N, 2) in pixels, round where pixels are so high and wide."""
    side = np.sqrt(pixel[0] * pixel[1])
    away = [np.arange(size) - each[:, None] for size, each in zip(shape, places.T, strict=True)]
    y, x = (np.exp(-((each * long / side / width) ** 2) / 2) for each, long in zip(away, pixel, strict=True))
    return np.einsum("ny,nx->yx", y, x)


def off(found: metrics.Columns, places: np.ndarray, width: float, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Return intensities and their errors, over the true one, of columns off the border, and the share found."""
    same = metrics.match(found, places, width)
    inner = ((places[same.true] > 4 * width + 5) & (places[same.true] < size - 4 * width - 6)).all(axis=1)
    volume = 2 * np.pi * width**2
    return found.intensity[same.found][inner] / volume, found.errors[same.found, 2][inner] / volume, same.recall


@pytest.mark.parametrize(("spacing", "width"), [(5.0, 1.2), (8.0, 2.0), (12.0, 3.0), (10.0, 2.2)])
@pytest.mark.parametrize("electrons", [np.inf, 1000])
def test_dense_columns_lose_nothing_to_their_neighbours(spacing: float, width: float, electrons: float) -> None:
    places = lattice(spacing, 128)
    image = 0.05 + drawn(places, width, (128, 128))
    if np.isfinite(electrons):
        image = np.random.default_rng(1).poisson(electrons * image) / electrons
    volume, error, recall = off(metrics.columns(image), places, width, 128)
    assert recall == 1
    if np.isfinite(electrons):
        assert abs(np.mean((volume - 1) / error)) < 0.3
    else:
        np.testing.assert_allclose(volume, 1, atol=0.003)


@pytest.mark.parametrize(
    ("spacing", "width", "electrons", "size"), [(10.0, 2.5, 12, 192), (5.0, 1.2, 33, 96), (8.0, 2.0, 33, 140)]
)
def test_dense_columns_of_few_electrons_are_found_from_too_narrow_a_width(
    spacing: float, width: float, electrons: int, size: int
) -> None:
    places = lattice(spacing, size)
    image = np.random.default_rng(0).poisson(electrons * drawn(places, width, (size, size)) + 5) / electrons
    assert column_width(image) < 0.7 * width
    for found in (metrics.columns(image), atoms.find(image, Scale(None), dark=False).columns):
        volume, error, recall = off(found, places, width, size)
        assert recall > 0.99
        assert len(found) <= len(places)
        assert np.mean(volume) == pytest.approx(1, abs=0.03 if spacing == 10 else 0.1)
        assert 0.7 < np.std((volume - 1) / error) < 1.3


def test_a_look_with_a_wider_width_does_not_join_dumbbells() -> None:
    middles = np.stack(np.meshgrid(np.arange(15.0, 190, 26), np.arange(15.0, 190, 22), indexing="ij"), -1)
    places = np.concatenate([middles.reshape(-1, 2) + np.array([0, side]) for side in (-2.6, 2.6)])
    image = drawn(places, 2.0, (200, 200)) + np.random.default_rng(2).normal(0, 0.1, (200, 200))
    same = metrics.match(metrics.columns(image, 1.2), places, 2.0)
    assert min(same.recall, same.precision) > 0.95


@pytest.mark.parametrize("pixel", [(1.25, 1.0), (0.3, 0.2), (0.1, 0.2)])
def test_columns_are_round_in_the_specimen(pixel: tuple[float, float]) -> None:
    even = np.array(pixel) / np.sqrt(pixel[0] * pixel[1])
    shape, errors = (round(200 / even[0]), round(200 / even[1])), []
    line = np.arange(16.0, 190.0, 17.0)
    middles = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    volume = 2 * np.pi * 2.5**2
    for seed in range(3):
        rng = np.random.default_rng(seed)
        places = (middles + rng.uniform(0, 1, middles.shape)) / even
        image = 20 + drawn(places, 2.5, shape, pixel) + rng.normal(0, 0.05, shape)
        found = atoms.find(image, Scale(pixel), dark=False).columns if seed else metrics.columns(image, None, pixel)
        same = metrics.match(found.positions * even, places * even, 2.0)
        assert same.precision == same.recall == 1
        away = found.positions[same.found] - places[same.true]
        wrong = np.column_stack([away, found.intensity[same.found] - volume, found.width[same.found] - 2.5])
        errors.append(wrong / found.errors[same.found])
        assert np.mean(found.intensity) == pytest.approx(volume, rel=0.01)
    np.testing.assert_allclose(np.concatenate(errors).std(axis=0), 1, atol=0.2)
    assert column_width(image, pixel) == pytest.approx(2.5, rel=0.25)
    np.testing.assert_allclose(metrics.intensities(image, found, pixel), found.intensity, rtol=1e-3)


def test_the_errors_in_oblong_pixels_know_of_noise_that_hangs_together() -> None:
    pixel, shape, lags = (2.0, 1.0), (140, 280), np.array([1.0, 0.5])  # of the sum of two neighbours in a row
    even, pulls = np.array(pixel) / np.sqrt(2.0), []
    line = np.arange(14.0, 185.0, 15.0)
    middles = np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)
    for seed in range(3):
        rng = np.random.default_rng(seed)
        places = (middles + rng.uniform(0, 1, middles.shape)) / even
        noise = rng.normal(0, 0.04, (shape[0], shape[1] + 1))
        image = drawn(places, 2.5, shape, pixel) + noise[:, 1:] + noise[:, :-1]
        found = metrics.columns(image, 2.5, pixel, correlation=(lags, [1.0]))
        same = metrics.match(found.positions * even, places * even, 2.0)
        assert same.recall == 1
        pulls.append((found.positions[same.found] - places[same.true]) / found.errors[same.found, :2])
    np.testing.assert_allclose(np.concatenate(pulls).std(axis=0), 1, atol=0.15)


@pytest.mark.parametrize("pixel", [(0.0, 1.0), (1.0, -2.0), (np.inf, 1.0), (1.0, np.nan), (1e200, 1e-200)])
def test_no_pixel_is_without_a_size(pixel: tuple[float, float]) -> None:
    with pytest.raises(ParameterError, match="pixel"):
        metrics.columns(np.eye(20), 2.0, pixel)


@pytest.mark.parametrize("pixel", [(1e9, 1.0), (1e-12, 1.0)])
def test_pixels_that_are_needles_take_no_memory(pixel: tuple[float, float]) -> None:
    image = np.random.default_rng(3).normal(0, 1, (64, 64))
    tracemalloc.start()
    metrics.columns(image, 2.0, pixel)
    assert tracemalloc.get_traced_memory()[1] < 2e8
    tracemalloc.stop()


@pytest.mark.parametrize("noise", [0.05, 0.6])
@pytest.mark.parametrize("pixel", [(0.2, 0.1), (0.1, 0.3)])
def test_the_usual_width_is_the_same_in_oblong_pixels(pixel: tuple[float, float], noise: float) -> None:
    even = np.array(pixel) / np.sqrt(pixel[0] * pixel[1])
    for spacing, width in ((17.0, 2.5), (12.0, 3.0), (20.0, 2.0)):
        found = []
        for side in (np.ones(2), even):
            shape = (round(220 / side[0]), round(220 / side[1]))
            image = drawn(lattice(spacing, 220) / side, width, shape, (side[0], side[1]))
            image += np.random.default_rng(0).normal(0, noise, shape)
            found.append(atoms.usual_width(image, (side[0], side[1])))
        assert found[0] is not None
        assert found[1] == pytest.approx(found[0], rel=0.02)
