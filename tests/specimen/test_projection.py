"""Projection: the image is the plain sum of profiles, and columns are where their atoms are."""

import numpy as np
import pytest
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter, maximum_filter

from temclean import specimen
from temclean.errors import ParameterError
from temclean.specimen import profiles, projection
from temclean.specimen.profiles import Profile


def plain_sum(
    positions: np.ndarray, species: np.ndarray, drawn: list[Profile], size: int, pixel_size: float, blur: float
) -> np.ndarray:
    """Sum eq. 17 in real space, each profile first averaged over a Gaussian of ``blur`` pixels on a fine grid."""
    axis = np.linspace(-5.0, 5.0, 101)
    weight = np.exp(-0.5 * (axis[:, None] ** 2 + axis**2)).ravel()
    shift_y, shift_x = (blur * shift.ravel() for shift in np.meshgrid(axis, axis))
    reach = np.linspace(0.0, 1.5 * size + 10.0, 240)
    curves = [
        CubicSpline(reach, profile(pixel_size * np.hypot(reach[:, None] + shift_y, shift_x)) @ weight / weight.sum())
        for profile in drawn
    ]
    y, x = np.mgrid[:size, :size]
    total = np.zeros((size, size))
    for (cy, cx), kind in zip(positions, species, strict=True):
        total += curves[kind](np.hypot(y - cy, x - cx))
    return total


@pytest.mark.parametrize(("pixel_size", "radius"), [(0.025, 0.8), (0.05, 0.5), (0.1, 0.7), (0.4, 0.8), (0.9, 1.2)])
def test_project_is_the_plain_sum(pixel_size: float, radius: float) -> None:
    rng = np.random.default_rng(5)
    drawn = [Profile(radius, 0.5, 1.0, 0.7, 5.0), Profile(1.3 * radius, 0.9, 0.8, 0.6, 15.0)]
    positions, species = rng.uniform(-6, 27, (9, 2)), rng.integers(0, 2, 9)
    blur = projection.default_blur(drawn, pixel_size)
    expected = plain_sum(positions, species, drawn, 22, pixel_size, blur)
    image = projection.project(positions, species, drawn, (22, 22), pixel_size)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image, expected, atol=1e-3 * expected.max())


def test_blur_reaches_what_is_asked_for() -> None:
    drawn = [Profile(1.0)]
    positions, species = np.array([[15.3, 14.8]]), np.zeros(1, np.intp)
    expected = plain_sum(positions, species, drawn, 30, 0.4, 2.5)
    image = projection.project(positions, species, drawn, (30, 30), 0.4, blur=2.5)
    np.testing.assert_allclose(image, expected, atol=1e-3 * expected.max())


def test_without_blur_the_sum_is_near() -> None:
    drawn, positions, species = [Profile(1.0)], np.array([[9.3, 11.8], [14.0, 12.5]]), np.zeros(2, np.intp)
    y, x = np.mgrid[:24, :24]
    expected = sum(drawn[0](0.3 * np.hypot(y - cy, x - cx)) for cy, cx in positions)
    image = projection.project(positions, species, drawn, (24, 24), 0.3, blur=0.0)
    np.testing.assert_allclose(image, expected, atol=0.05 * expected.max())


def test_the_sum_of_the_image_is_the_sum_of_the_integrals() -> None:
    rng = np.random.default_rng(1)
    drawn = list(profiles.draw([6, 14, 79], rng).values())
    species = rng.integers(0, 3, 40)
    image = projection.project(rng.uniform(100, 156, (40, 2)), species, drawn, (256, 256), 0.2)
    expected = sum(drawn[kind].integral for kind in species) / 0.2**2
    assert image.sum(dtype=float) == pytest.approx(expected, rel=1e-3)


def test_images_need_not_be_square_and_may_be_empty() -> None:
    drawn = [Profile(0.8)]
    image = projection.project(np.array([[3.0, 20.0]]), np.zeros(1, np.intp), drawn, (7, 40), 0.2)
    assert image.shape == (7, 40)
    assert np.unravel_index(image.argmax(), image.shape) == (3, 20)
    empty = projection.project(np.zeros((0, 2)), np.zeros(0, np.intp), drawn, (5, 6), 0.2)
    np.testing.assert_array_equal(empty, np.zeros((5, 6), np.float32))


def test_atoms_far_outside_leave_no_trace() -> None:
    far = np.array([[-5000.0, 3.0], [3.0, 1e6]])
    image = projection.project(far, np.zeros(2, np.intp), [Profile(0.8)], (16, 16), 0.1)
    assert np.abs(image).max() < 1e-6


@pytest.mark.parametrize("bad", [((0, 4), 0.1, None), ((4, 4), 0.0, None), ((4, 4), 0.1, -1.0)])
def test_bad_parameters_are_named(bad: tuple[tuple[int, int], float, float | None]) -> None:
    with pytest.raises(ParameterError, match="out of range"):
        projection.project(np.zeros((1, 2)), np.zeros(1, np.intp), [Profile(0.8)], *bad)


def test_columns_are_the_weighted_centres_of_their_atoms() -> None:
    rng = np.random.default_rng(2)
    sites = 2.0 * np.stack(np.meshgrid(np.arange(8), np.arange(9)), -1).reshape(-1, 2)
    points = np.repeat(sites, 20, axis=0) + rng.uniform(-0.1, 0.1, (20 * 72, 2))
    weight = rng.uniform(1, 2, len(points))
    shuffled = rng.permutation(len(points))
    centres, mass = projection.columns(points[shuffled], weight[shuffled])
    order = np.lexsort(np.rint(centres).T[::-1])
    expected = np.lexsort(sites.T[::-1])
    parts = weight.reshape(72, 20, 1)
    means = (parts * points.reshape(72, 20, 2)).sum(1) / parts.sum(1)
    np.testing.assert_allclose(centres[order], means[expected])
    np.testing.assert_allclose(mass[order], parts.sum((1, 2))[expected])


def test_streaks_and_films_are_no_columns() -> None:
    rng = np.random.default_rng(3)
    streak = np.stack([np.linspace(0, 6, 60), np.zeros(60)], 1)
    spot = np.array([[20.0, 20.0]])
    film = rng.uniform(40, 60, (60_000, 2))
    centres, mass = projection.columns(np.concatenate([streak, spot, film]), np.ones(60_061))
    np.testing.assert_allclose(centres, spot)
    np.testing.assert_allclose(mass, 1.0)
    assert projection.columns(np.zeros((0, 2)), np.zeros(0))[0].shape == (0, 2)


def test_default_blur_and_margin() -> None:
    assert projection.default_blur([Profile(0.8), Profile(1.2)], 0.1) == 1.0
    assert projection.default_blur([Profile(0.4), Profile(1.2)], 0.1) == 0.6
    assert projection.margin([Profile(1.0)], 0.1) == 83


def test_columns_with_a_maximum_of_their_own_are_resolved() -> None:
    y, x = np.mgrid[:64, :64]
    sites = np.array([[12.3, 15.0], [40.0, 20.2], [30.0, 50.0]])
    image = sum(np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 8) for cy, cx in sites).astype(np.float32)
    beside, nowhere = [12.8, 15.2], [50.0, 50.0]
    places, brightness = np.array([beside, *sites, nowhere]), np.array([0.1, 1.0, 0.8, 0.9, 0.1], np.float32)
    for cut in (1.0, 0.6):  # spots that are cut off are flat on top
        marks = projection.resolved(np.minimum(image, np.float32(cut)), places, brightness, 0.2)
        np.testing.assert_array_equal(marks, [False, True, True, True, False])


def test_nothing_is_resolved_where_columns_meet_maxima_by_chance() -> None:
    rng = np.random.default_rng(4)
    image = gaussian_filter(rng.random((64, 64)).astype(np.float32), 2.0)
    places = rng.uniform(0, 63, (60, 2))
    assert not projection.resolved(image, places, np.ones(60, np.float32), 0.3).any()
    assert projection.resolved(image, np.zeros((0, 2)), np.zeros(0, np.float32), 0.3).shape == (0,)


def test_a_spot_between_pixels_is_resolved_whatever_rounding_does() -> None:
    y, x = np.mgrid[:48, :48]
    image = np.exp(-((y - 23.5) ** 2 + (x - 23.5) ** 2) / 40)
    for noise in (0.0, 1e-9, -1e-9):
        image[23, 24] += noise
        assert projection.resolved(image, np.array([[23.5, 23.5]]), np.ones(1, np.float32), 0.1).all()


def test_a_quarter_of_the_columns_is_more_than_chance_where_maxima_are_few() -> None:
    truth = specimen.draw("graphene", 128, 0.1, 4)
    marks = projection.resolved(truth.image, truth.positions, truth.brightness, 0.1)
    smooth = gaussian_filter(truth.image, 1.0)
    top = np.argwhere(maximum_filter(smooth, 3) == smooth)
    gaps = np.linalg.norm(truth.positions[:, None] - top, axis=-1).min(axis=1)
    assert len(marks) // 5 < marks.sum() < len(marks) // 2
    assert gaps[marks].max() < 3.5  # theirs is smoothed otherwise
