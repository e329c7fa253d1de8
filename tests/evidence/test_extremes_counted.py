"""Dead and saturated pixels, beside outliers that make the range of the image many times as wide."""

import numpy as np
import pytest

from temclean.evidence.noise import measure

SIDE = 256
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
HIT = SIDE * SIDE // 100


def counts(seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Return counted electrons, 1% of the pixels dead, and the order in which the others may be hit, from the end."""
    rng = np.random.default_rng(seed)
    image = rng.poisson(100, (SIDE, SIDE)).astype(np.uint16)
    order = rng.permutation(SIDE * SIDE)
    image.ravel()[order[:HIT]] = 0
    return image, order


@pytest.mark.parametrize("value", [150, 250, 1000, 4095, 65535])
@pytest.mark.parametrize("bright", [1, 5, 50, 600])
def test_dead_pixels_are_counted_whatever_is_bright(bright: int, value: int) -> None:
    image, order = counts()
    image.ravel()[order[-bright:]] = value
    report = measure(image)
    assert report.dark == pytest.approx(0.01, rel=0.05)
    assert abs(report.dark - 0.01) < 3 * report.impulses_error
    if value > 150:  # else they are noise
        assert report.bright == pytest.approx(bright / image.size, rel=0.2)
    assert report.clipped_low == pytest.approx(0.01, rel=0.01)


@pytest.mark.parametrize("dead", [1, 5, 50, 600])
def test_saturated_pixels_are_counted_whatever_is_dark(dead: int) -> None:
    image, order = counts()
    image = 1000 - image.astype(int)
    image.ravel()[order[-dead:]] = 0
    report = measure(image)
    assert report.bright == pytest.approx(0.01, rel=0.05)
    assert report.dark == pytest.approx(dead / image.size, rel=0.2)


@pytest.mark.parametrize("dark", [0, 3, 20, 60])
def test_specks_on_both_sides_of_an_even_area_are_counted(dark: float) -> None:
    rng = np.random.default_rng(5)
    image = 100 + 5 * rng.standard_normal((SIDE, SIDE))
    which = rng.random(image.shape)
    image[which < 0.01] = dark
    image[which > 0.98] = 400
    report = measure(image)
    assert report.dark == pytest.approx((which < 0.01).mean(), rel=0.05)
    assert report.bright == pytest.approx((which > 0.98).mean(), rel=0.05)
    assert report.impulses_error < 0.0015


@pytest.mark.parametrize("number", [3, 5, 10, 16, 30])
def test_a_few_dead_pixels_are_as_many_beside_an_outlier(number: int) -> None:
    rng = np.random.default_rng(number)
    image = rng.normal(100, 5, (SIDE, SIDE)).round().astype(np.uint16)
    order = rng.permutation(image.size)
    image.ravel()[order[:number]] = 0
    image.ravel()[order[-1]] = 4095
    assert measure(image).dark * image.size == pytest.approx(number, abs=0.1 * number)


@pytest.mark.parametrize("outlier", [None, 1000, 65535])
@pytest.mark.parametrize("sigma", [0.5, 3])
def test_black_areas_are_no_dead_pixels(sigma: float, outlier: float | None) -> None:
    scene = 100 + 50 * np.sin(COLUMNS / 30) * np.cos(ROWS / 25)
    for black in ((ROWS - 100) ** 2 + (COLUMNS - 128) ** 2 < 1600, (abs(ROWS - 100) < 40) & (abs(COLUMNS - 128) < 30)):
        noisy = scene + np.random.default_rng(1).normal(0, sigma, scene.shape)
        noisy[black] = 0
        if outlier:
            noisy[5, 5] = outlier
        assert measure(noisy).dark * noisy.size < 10


@pytest.mark.parametrize("outlier", [1000, 4095, 65535])
def test_structure_does_not_hide_dead_pixels_beside_an_outlier(outlier: int) -> None:
    rng = np.random.default_rng(2)
    image = rng.normal(100 + 50 * np.sin(COLUMNS / 30) * np.cos(ROWS / 25), 5).round().astype(np.uint16)
    order = rng.permutation(image.size)
    image.ravel()[order[:HIT]] = 0
    image.ravel()[order[-1]] = outlier
    assert measure(image).dark == pytest.approx(0.01, rel=0.1)  # of those side by side some may be missed
