"""Particles of known size: discs, an ellipse, under noise; regions against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage, signal

from temclean.errors import ImageError
from temclean.metrics.particles import find_particles
from temclean.metrics.regions import regions

DISCS = [(60.3, 70.2, 20.0), (180.7, 150.1, 35.5), (60.0, 200.4, 12.25), (200.0, 50.6, 9.0)]


def discs(size: int = 256) -> np.ndarray:
    """Return discs whose edges are as soft as a pixel's square makes them, by 4 x 4 samples a pixel."""
    fine = (np.arange(4 * size) - 1.5) / 4
    image = np.zeros((size, size))
    for y, x, radius in DISCS:
        inside = (fine[:, None] - y) ** 2 + (fine - x) ** 2 < radius**2
        image += inside.reshape(size, 4, size, 4).mean(axis=(1, 3))
    return image


@pytest.mark.parametrize("sign", [1, -1])
def test_discs_have_their_diameters(sign: int) -> None:
    found = find_particles(500 + sign * 40 * discs())
    true = sorted((2 * radius for _, _, radius in DISCS), reverse=True)
    np.testing.assert_allclose(found.diameter, true, rtol=0.005)
    np.testing.assert_allclose(found.feret_max, true, rtol=0.01)
    np.testing.assert_allclose(found.feret_min, true, rtol=0.01)
    np.testing.assert_allclose(found.positions[0], DISCS[1][:2], atol=0.05)
    assert found.dark == (sign < 0)
    assert np.sign(found.contrast).tolist() == [sign] * 4


def test_errors_of_diameters_have_pulls_of_one() -> None:
    image, draw, pulls = discs(), np.random.default_rng(1), []
    true = np.array(sorted((2 * radius for _, _, radius in DISCS), reverse=True))
    for _ in range(25):
        found = find_particles(image + draw.normal(0, 0.25, image.shape))
        assert len(found) == 4
        pulls.append((found.diameter - true) / found.diameter_error)
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.25)


def test_an_oblong_particle_on_oblong_pixels() -> None:
    y, x = np.mgrid[:200, :200]
    turn = np.radians(30)
    along, across = (
        (x - 100) * np.cos(turn) + (y - 100) * np.sin(turn),
        (y - 100) * np.cos(turn) - (x - 100) * np.sin(turn),
    )
    inside = 1.0 * ((along / 60) ** 2 + (across / 20) ** 2 < 1)
    found = find_particles(inside)
    assert found.feret_max[0] == pytest.approx(120, rel=0.01)
    assert found.feret_min[0] == pytest.approx(40, rel=0.01)
    assert found.area[0] == pytest.approx(np.pi * 60 * 20, rel=0.005)
    halved = find_particles(inside[::2], (2.0, 1.0))
    assert halved.feret_max[0] == pytest.approx(120, rel=0.02)
    assert halved.area[0] == pytest.approx(np.pi * 60 * 20, rel=0.01)


def test_noise_holds_no_particles_and_the_border_cuts_some() -> None:
    draw = np.random.default_rng(2)
    assert len(find_particles(draw.normal(0, 1, (256, 256)))) == 0
    assert len(find_particles(ndimage.gaussian_filter(draw.normal(0, 1, (256, 256)), 2))) == 0
    assert len(find_particles(np.full((64, 64), 3.0))) == 0
    found = find_particles(discs()[:, 55:])
    assert found.on_border.tolist() == [False, True, False, True]
    with pytest.raises(ImageError, match="2-D"):
        find_particles(np.zeros((3, 4, 5)))


def test_regions_are_those_of_scipy() -> None:
    mask = np.random.default_rng(3).random((60, 71)) > 0.42
    ours, count = regions(mask)
    theirs, number = ndimage.label(mask)
    assert count == number
    assert len(set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))) == count + 1


def soft(shape: tuple[int, int], places: np.ndarray, radius: float, blur: float = 0.7) -> np.ndarray:
    """Return discs behind a blur, by 4 x 4 samples a pixel."""
    y, x = ((np.arange(4 * each) - 1.5) / 4 for each in shape)
    inside = np.zeros((len(y), len(x)))
    for down, right in places:
        inside += (y[:, None] - down) ** 2 + (x - right) ** 2 < radius**2
    return ndimage.gaussian_filter(inside.reshape(shape[0], 4, shape[1], 4).mean(axis=(1, 3)), blur)


def hanging(kind: str, draw: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Return noise of standard deviation 1 that hangs together."""
    made = draw.normal(0, 1, (shape[0] + 20, shape[1] + 20))
    if kind == "lag":
        made = signal.lfilter([1], [1, -0.5], made, axis=1)
    if kind == "lines":
        made = 0.8 * made + 0.6 * draw.normal(0, 1, (len(made), 1))
    if kind == "blurred":
        made = ndimage.gaussian_filter(made, 0.8)
    return made[10:-10, 10:-10] / made.std()


@pytest.mark.parametrize("kind", ["white", "lag", "lines", "blurred"])
def test_errors_of_diameters_know_of_noise_that_hangs_together(kind: str) -> None:
    places = np.array([(48.3 + 96 * row, 36.2 + 72 * column) for row in range(2) for column in range(4)])
    image, draw, diameters, errors = soft((192, 288), places, 20.0), np.random.default_rng(3), [], []
    for _ in range(16):
        found = find_particles(image + 0.3 * hanging(kind, draw, image.shape))
        nearest = np.argmin(np.hypot(*(found.positions[:, None] - places).T), axis=1)
        diameters.append(found.diameter[nearest])
        errors.append(found.diameter_error[nearest])
    assert np.std(diameters, axis=0, ddof=1).mean() == pytest.approx(np.mean(errors), rel=0.3)


def scattered(draw: np.random.Generator, rows: int, columns: int, pitch: int) -> np.ndarray:
    """Return places that lie anyhow among the pixels."""
    grid = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1).reshape(-1, 2)
    return (grid + 0.5) * pitch + draw.uniform(-1, 1, (rows * columns, 2))


@pytest.mark.parametrize(("radius", "error"), [(3.2, 0.025), (4.0, 0.02), (5.0, 0.015), (8.0, 0.006), (20.0, 0.003)])
def test_small_discs_have_their_diameters(radius: float, error: float) -> None:
    draw, pitch = np.random.default_rng(4), int(3 * radius + 30)
    image = soft((3 * pitch, 4 * pitch), scattered(draw, 3, 4, pitch), radius)
    found = find_particles(image + draw.normal(0, 0.03, image.shape))
    assert len(found) == 12
    assert found.diameter.mean() == pytest.approx(2 * radius, rel=error)
    assert found.diameter.std() < 1.5 * found.diameter_error.mean()


@pytest.mark.parametrize("noise", [0.1, 0.3, 0.5])
def test_noise_does_not_lengthen_discs(noise: float) -> None:
    draw, longest, shortest = np.random.default_rng(5), [], []
    for _ in range(4):
        image = soft((192, 256), scattered(draw, 3, 4, 64), 15.0)
        found = find_particles(image + draw.normal(0, noise, image.shape))
        longest.append(found.feret_max)
        shortest.append(found.feret_min)
    assert np.mean(longest) == pytest.approx(30, rel=0.01)
    assert np.mean(shortest) == pytest.approx(30, rel=0.01)


def test_noise_keeps_oblong_and_notched_outlines() -> None:
    draw, (y, x) = np.random.default_rng(6), np.mgrid[:160, :200]
    noise = draw.normal(0, 0.3, y.shape)
    oblong = find_particles(noise + (((x - 100.2) / 50) ** 2 + ((y - 79.6) / 25) ** 2 < 1))
    assert oblong.feret_max[0] == pytest.approx(100, rel=0.02)
    assert oblong.feret_min[0] == pytest.approx(50, rel=0.02)
    horseshoe = (abs(np.hypot(y - 80, x - 100) - 45) < 8) & (y < 90)
    bent = find_particles(noise + horseshoe)
    assert bent.feret_max[0] == pytest.approx(find_particles(1.0 * horseshoe).feret_max[0], rel=0.02)
