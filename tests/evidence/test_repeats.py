"""The mean of squares that look alike, beside SciPy's splines."""

import numpy as np
import pytest
from scipy import ndimage

from temclean import _repeats
from temclean.evidence.lines import repeats, splines

SIDE = repeats.SIDE


def reference(
    square: np.ndarray, bent: np.ndarray, inside: np.ndarray, places: np.ndarray, top: int, left: int, soft: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weighted mean of the repeats of a square and the sum of the weights, as `_repeats.mean_of` writes."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    total, weights = np.zeros((2, SIDE, SIDE))
    for down, right, alike in places:
        there = ndimage.map_coordinates(
            bent.astype(float), [y + top + down, x + left + right], order=3, prefilter=False
        )
        differs = ((there - square) ** 2).reshape(8, 8, 8, 8).mean(axis=(1, 3)).repeat(8, axis=0).repeat(8, axis=1)
        row, column = top + round(down), left + round(right)
        near = inside[row : row + SIDE, column : column + SIDE] * alike**2 / (differs + soft)
        total += near * there
        weights += near
    return total / np.maximum(weights, 1e-20), weights


def test_the_mean_is_that_of_interpolated_squares() -> None:
    rng = np.random.default_rng(3)
    image = ndimage.gaussian_filter(rng.standard_normal((240, 260)), 1.5).astype(np.float32)
    bent = splines.coefficients(image)
    inside = np.ones_like(image)
    inside[:90] = 0.0
    square = image[100:164, 110:174]
    places = np.array([[-40.3, 12.75, 0.9], [5.0, -33.5, 0.8], [-80.0, -0.25, 0.99], [30.49, 60.5, 0.71]])
    total, weights = np.empty((2, SIDE, SIDE), np.float32)
    _repeats.mean_of(square, bent, inside, places, 100, 110, 0.02, total, weights)
    wanted, sums = reference(square, bent, inside, places, 100, 110, 0.02)
    np.testing.assert_allclose(weights, sums, rtol=2e-4, atol=1e-5)
    np.testing.assert_allclose(total, wanted, atol=2e-5 * np.abs(image).max())


def test_where_nothing_repeats_there_is_no_mean() -> None:
    image = np.random.default_rng(3).standard_normal((200, 200)).astype(np.float32)
    total, weights = np.full((2, SIDE, SIDE), 7.0, np.float32)
    _repeats.mean_of(image[:SIDE, :SIDE], image, np.zeros_like(image), np.ones((1, 3)), 60, 60, 1.0, total, weights)
    assert not total.any()
    assert not weights.any()


@pytest.mark.parametrize("place", [(-61.0, 0.0), (0.0, -61.0), (80.0, 0.0), (0.0, 80.0)])
def test_what_lies_beyond_the_image_is_refused(place: tuple[float, float]) -> None:
    image = np.zeros((200, 200), np.float32)
    total, weights = np.empty((2, SIDE, SIDE), np.float32)
    with pytest.raises(ValueError, match="beyond"):
        _repeats.mean_of(image[:SIDE, :SIDE], image, image, np.array([[*place, 1.0]]), 60, 60, 1.0, total, weights)


def test_squares_are_found_where_they_correlate() -> None:
    y, x = np.mgrid[:256, :256]
    image = (np.cos(2 * np.pi * x / 21.3) * np.cos(2 * np.pi * y / 17.7)).astype(np.float32)
    seen = repeats.seen(image)
    assert seen is not None
    assert np.abs(seen.image - image)[8:-8, 8:-8].max() < 0.05
