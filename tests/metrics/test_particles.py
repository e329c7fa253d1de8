"""Particles of known size: discs, an ellipse, under noise; regions against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

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
