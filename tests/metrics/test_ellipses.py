"""Particles fitted to raw pixels: drawn from equations, under counted electrons, from outlines that are off."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.metrics import ellipses, find_particles
from temclean.metrics.profiles import half, profile

SIZE = 256
PLACES = np.indices((5, 5)).reshape(2, -1).T * 48.0 + np.array([32.3, 31.6])


def drawn(kind: str, radius: float, contrast: float, blur: float = 1.0) -> np.ndarray:
    """Draw 25 particles, dark on 1, sampled 3 x 3 a pixel: thickness of balls, or of discs, then a blur."""
    fine = (np.arange(3 * SIZE) - 1.0) / 3
    image = np.zeros((3 * SIZE, 3 * SIZE))
    for y, x in PLACES:
        inside = np.maximum(1 - ((fine[:, None] - y) ** 2 + (fine - x) ** 2) / radius**2, 0)
        image += np.sqrt(inside) if kind == "ball" else inside > 0
    return 1 - contrast * ndimage.gaussian_filter(image.reshape(SIZE, 3, SIZE, 3).mean(axis=(1, 3)), blur)


def outlines(radius: float) -> np.ndarray:
    y, x = np.indices((SIZE, SIZE))
    return sum((k + 1) * (np.hypot(y - a, x - b) < radius).astype(int) for k, (a, b) in enumerate(PLACES))


@pytest.mark.parametrize(
    ("kind", "radius", "contrast", "electrons"), [("disc", 9.0, 0.5, 5.0), ("ball", 14.0, 0.4, 5.0)]
)
def test_outlines_a_fifth_too_small_are_put_right(kind: str, radius: float, contrast: float, electrons: float) -> None:
    true = 2 * radius * (1 if kind == "disc" else np.sqrt(0.75))
    clean = electrons * drawn(kind, radius, contrast)
    found = ellipses.fit(np.random.default_rng(3).poisson(clean), outlines(0.4 * true), range(1, len(PLACES) + 1))
    assert found.holds.mean() > 0.9
    of_mean = np.std(found.diameter) / np.sqrt(len(PLACES))
    assert found.diameter.mean() == pytest.approx(true, abs=0.015 * true + 2 * of_mean)
    assert np.median(np.hypot(*(found.places - PLACES).T)) < 0.05 * true
    inside = np.abs(found.diameter - true) < 1.96 * found.error
    assert inside.mean() > 0.84  # of 25: less by a chance of 3% at 95%
    assert found.error.mean() < 3 * np.std(found.diameter)


def test_an_ellipse_on_oblong_pixels_under_a_slope() -> None:
    y, x = np.indices((200, 200))
    form = np.array([[1 / 24.0**2, 0.0], [0.0, 1 / 16.0**2]])
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    away = np.stack([y - 101.0, x - 98.0], -1)
    inside = np.einsum("yxi,ij,yxj->yx", away, turn @ form @ turn.T, away) < 1
    soft = ndimage.gaussian_filter(inside.astype(float), 1)
    raw = np.random.default_rng(1).normal(50 + 0.1 * x + 20 * soft, 5)[::2]
    restored = 50 + 20 * ndimage.gaussian_filter(ndimage.binary_erosion(inside, iterations=2).astype(float), 1)[::2]
    found = find_particles(restored, (2.0, 1.0), raw=raw)
    assert found.fitted is not None
    assert found.fitted.tolist() == [True]
    assert found.feret_max[0] == pytest.approx(48, rel=0.03)
    assert found.feret_min[0] == pytest.approx(32, rel=0.03)
    assert found.diameter[0] == pytest.approx(2 * np.sqrt(24 * 16), abs=3 * found.diameter_error[0])
    assert found.contrast[0] == pytest.approx(20, rel=0.1)
    assert find_particles(restored, (2.0, 1.0)).diameter[0] < 0.93 * found.diameter[0]


def test_what_is_no_ellipse_keeps_its_outline_without_an_error() -> None:
    y, x = np.indices((200, 260))
    pair = (np.hypot(y - 60, x - 60) < 20) | (np.hypot(y - 60, x - 98) < 20)
    cross = (abs(y - 140) < 8) & (abs(x - 70) < 34) | (abs(y - 140) < 34) & (abs(x - 70) < 8)
    square = (abs(y - 100) < 30) & (abs(x - 190) < 30)
    cut = np.hypot(y - 5, x - 200) < 18
    clean = 100 - 60 * ndimage.gaussian_filter((pair | cross | square | cut).astype(float), 1)
    raw = np.random.default_rng(2).poisson(clean)
    kept, found = find_particles(clean), find_particles(clean, raw=raw)
    assert found.fitted is not None
    assert not found.fitted.any()
    assert np.isnan(found.diameter_error).all()
    np.testing.assert_array_equal(found.diameter, kept.diameter)


def test_errors_grow_where_noise_hangs_together() -> None:
    clean, draw = 100 * drawn("disc", 12.0, 0.3), np.random.default_rng(5)
    white = draw.normal(0, 10, clean.shape)
    smooth = ndimage.gaussian_filter(draw.normal(0, 1, clean.shape), 0.7)
    numbers = range(1, 11)
    one, other = (ellipses.fit(clean + 10 * each / each.std(), outlines(11.0), numbers) for each in (white, smooth))
    assert other.error.mean() > 1.5 * one.error.mean()
    assert (np.abs(other.diameter - 24) < 1.96 * other.error).mean() >= 0.8


def test_slopes_of_the_profile_are_those_of_differences() -> None:
    at, given = np.linspace(0, 15, 61), np.array([10.0, 0.6, 1.3])
    found = profile(at, *given)
    for slope, which in ((found.by_radius, 0), (found.by_mix, 1), (found.by_blur, 2)):
        step = 1e-4 * np.eye(3)[which]
        change = (profile(at, *(given + step)).value - profile(at, *(given - step)).value) / 2e-4
        np.testing.assert_allclose(slope, change, atol=2e-3)
    assert half(10.0, 0.0, 0.5) == pytest.approx(10.0, abs=0.01)
    assert half(10.0, 1.0, 0.2) == pytest.approx(np.sqrt(75), abs=0.03)
