"""The period of lattices and fringes, against drawn ones of a known period."""

import numpy as np
import pytest

from temclean.evidence import samples, spectrum

SIDE = 256


def period(clean: np.ndarray, noise: float = 0.1) -> float | None:
    """Return the period that is seen in an image with white noise."""
    noisy = clean + np.random.default_rng(0).normal(0, noise, clean.shape)
    sample = samples.sample(noisy.astype(np.float32))
    assert sample is not None
    return spectrum.structure(sample).period


def fringes(apart: float, turn: float, side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return 0.2 * np.cos(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / apart)


def spots(apart: float, width: float, angle: float, turn: float, side: int = SIDE) -> np.ndarray:
    """Draw Gaussian spots on a lattice of two vectors of equal length at an angle, whose lines are so far apart."""
    length = apart / np.sin(angle)
    along = np.arange(-200, 200)
    y = length * (np.sin(turn) * along[:, None] + np.sin(turn + angle) * along).ravel()
    x = length * (np.cos(turn) * along[:, None] + np.cos(turn + angle) * along).ravel()
    near = (np.abs(y - side / 2) < side) & (np.abs(x - side / 2) < side)
    line, width = np.arange(side), width * length
    rows, columns = (np.exp(-((line - place[near, None]) ** 2) / (2 * width**2)) for place in (y, x))
    return rows.T @ columns


@pytest.mark.parametrize("turn", [0.0, 0.64, np.pi / 2])
@pytest.mark.parametrize("apart", [3.0, 8.0, 22.0, 33.0, 38.0, 45.0, 50.0, 55.0])
def test_the_period_of_fringes_is_told(apart: float, turn: float) -> None:
    assert period(fringes(apart, turn)) == pytest.approx(apart, rel=0.02)


@pytest.mark.parametrize("turn", [0.0, 0.3])
@pytest.mark.parametrize("angle", [np.pi / 2, np.pi / 3])
@pytest.mark.parametrize("width", [1 / 12, 1 / 7])
@pytest.mark.parametrize("apart", [42.0, 45.0, 49.0, 52.0])
def test_the_period_of_a_coarse_lattice_is_not_that_of_its_harmonics(
    apart: float, width: float, angle: float, turn: float
) -> None:
    assert period(spots(apart, width, angle, turn)) == pytest.approx(apart, rel=0.02)


@pytest.mark.parametrize("apart", [8.0, 15.0, 20.0, 24.0, 28.0])
def test_in_a_small_image_too(apart: float) -> None:
    assert period(fringes(apart, 0.64, 128)) == pytest.approx(apart, rel=0.02)
    if apart > 128 / 5:
        assert period(spots(apart, 1 / 7, np.pi / 2, 0.3, 128)) == pytest.approx(apart, rel=0.02)


@pytest.mark.parametrize("apart", [60.0, 66.0, 75.0, 80.0, 100.0, 130.0])
def test_what_is_too_coarse_is_told_rightly_or_not_at_all(apart: float) -> None:
    seen = period(fringes(apart, 0.64)), period(spots(apart, 1 / 7, np.pi / 2, 0.3)), period(spots(apart, 0.1, 1.05, 0))
    assert all(each is None or each == pytest.approx(apart, rel=0.02) for each in seen)


def test_uneven_light_does_not_hide_a_lattice() -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    light = 3 * x + 2 * np.cos(2 * np.pi * (1.3 * x + 0.8 * y)) + 2 * np.exp(-((x - 0.4) ** 2 + (y - 0.6) ** 2) / 0.02)
    assert period(light + fringes(12.0, 0.3)) == pytest.approx(12.0, rel=0.02)


def test_there_is_none_in_noise() -> None:
    assert period(np.zeros((SIDE, SIDE))) is None
