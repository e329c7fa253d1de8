"""The camera's transfer function: refused where it is none, and applied as its equation says."""

import numpy as np
import pytest

from temclean.errors import ParameterError
from temclean.noise import mtf

CAMERA = mtf.Mtf(0.6, 0.25, 0.9)


def equation(g: float, u: float, v: float, camera: mtf.Mtf = CAMERA) -> float:
    """Eqs. 28 and 29, written out."""
    radial = camera.a * np.exp(-(g**2) / (2 * camera.b**2)) + (1 - camera.a) * np.exp(-(g**2) / (2 * camera.c**2))
    sincs = [np.sin(np.pi * w / 2) / (np.pi * w / 2) if w else 1.0 for w in (u, v)]
    return float(radial * sincs[0] * sincs[1])


@pytest.mark.parametrize("frequency", [0.125, 0.5, 0.75])
def test_wave_is_damped_by_the_equation(frequency: float) -> None:
    # A cosine about the middle of a pixel's edge is its own mirror image, so the borders do not disturb it.
    place = np.arange(64) + 0.5
    wave = 1.0 + 0.5 * np.cos(np.pi * frequency * place)
    damped = 1.0 + 0.5 * equation(frequency, frequency, 0.0) * np.cos(np.pi * frequency * place)
    along_x = mtf.blur(np.tile(wave, (48, 1)), CAMERA)
    along_y = mtf.blur(np.tile(wave[:, None], (1, 31)), CAMERA)
    np.testing.assert_allclose(along_x, np.tile(damped, (48, 1)), atol=2e-6)
    np.testing.assert_allclose(along_y, np.tile(damped[:, None], (1, 31)), atol=2e-6)


def test_oblique_wave_is_damped_by_both_sincs() -> None:
    y, x = np.arange(32)[:, None] + 0.5, np.arange(64) + 0.5
    wave = np.cos(np.pi * 0.25 * y) * np.cos(np.pi * 0.5 * x)
    expected = equation(np.hypot(0.25, 0.5), 0.5, 0.25) * wave
    np.testing.assert_allclose(mtf.blur(wave, CAMERA), expected, atol=2e-6)


def test_impulse_spreads_to_the_point_spread_function() -> None:
    size = 65
    impulse = np.zeros((size, size))
    impulse[32, 32] = 1.0
    place = np.arange(size) - 32
    # The inverse Fourier integral of the equation over the band that the pixels carry, summed in fine steps.
    grid = (np.arange(260) + 0.5) / 130 - 1.0
    transfer = np.array([[equation(float(np.hypot(u, v)), u, v) for u in grid] for v in grid])
    waves = np.exp(1j * np.pi * np.outer(place, grid))
    spread = (waves @ transfer @ waves.T).real / 260**2
    blurred = mtf.blur(impulse, CAMERA)
    np.testing.assert_allclose(blurred[24:41, 24:41], spread[24:41, 24:41], atol=5e-5)
    assert blurred[32, 32] == blurred.max()


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (9, 1), (16, 16), (33, 20)])
def test_blur_keeps_shape_and_mean(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(2).uniform(3.0, 5.0, shape).astype(np.float32)
    blurred = mtf.blur(image, CAMERA)
    assert blurred.shape == shape
    assert blurred.dtype == np.float32
    assert blurred.mean(dtype=np.float64) == pytest.approx(image.mean(dtype=np.float64), rel=2e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_nothing_wraps_around(turned: bool) -> None:
    image = np.zeros((64, 64), np.float32)
    image[:, :4] = 1.0
    blurred = mtf.blur(image.T, CAMERA).T if turned else mtf.blur(image, CAMERA)
    assert np.abs(blurred[:, -8:]).max() < 2e-3
    assert blurred[:, 0].min() > 0.85


def test_drawn_functions_are_positive_decreasing_and_varied() -> None:
    rng = np.random.default_rng(7)
    drawn = [mtf.draw(rng) for _ in range(200)]
    for camera in drawn:
        values = camera.radial(np.linspace(0.0, 3.0, 300))
        assert values[0] == pytest.approx(1.0)
        assert (values > 0.0).all()
        assert (np.diff(values) < 0.0).all()
    at_nyquist = [float(camera.radial(1.0)) for camera in drawn]
    assert min(at_nyquist) < 0.02
    assert max(at_nyquist) > 0.6
    assert any(camera.a > 1.0 for camera in drawn)
    assert mtf.draw(np.random.default_rng(3)) == mtf.draw(np.random.default_rng(3))


@pytest.mark.parametrize(
    ("a", "b", "c", "part"),
    [
        (0.0, 0.3, 0.5, "a = 0"),
        (0.5, -0.3, 0.5, "b = -0.3"),
        (0.5, 0.3, float("nan"), "c = nan"),
        (0.5, float("inf"), 0.5, "b = inf"),
        (1.2, 0.3, 0.5, "not positive and decreasing"),
        (2.0, 0.5, 0.3, "not positive and decreasing"),
    ],
)
def test_what_is_no_transfer_function_is_refused(a: float, b: float, c: float, part: str) -> None:
    with pytest.raises(ParameterError, match=part):
        mtf.Mtf(a, b, c)


def test_sum_below_nought_is_refused_however_faint() -> None:
    # exp(-g^2 / 2 b^2) is 0 in floating point beyond g = 4 here; the sign is known all the same.
    with pytest.raises(ParameterError):
        mtf.Mtf(1.0 + 1e-9, 0.1, 0.11)
    mtf.Mtf(1.0 + 1e-9, 0.11, 0.1)


@pytest.mark.parametrize("shape", [(4,), (0, 3), (2, 3, 4)])
def test_only_images_are_blurred(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="two dimensions"):
        mtf.blur(np.zeros(shape), CAMERA)
