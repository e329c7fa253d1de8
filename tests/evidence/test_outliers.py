"""A cosmic ray or a hot pixel, however bright, changes nothing of what is measured of all the others."""

import numpy as np
import pytest

from temclean.evidence.noise import measure


def columns(side: int) -> np.ndarray:
    """Return columns 16 pixels apart, of 0.05 to 1."""
    line = np.exp(-((np.arange(side) % 16 - 8.0) ** 2) / (2 * 2.7**2))
    return 0.05 + 0.95 * line[:, None] * line


@pytest.mark.parametrize("places", [[(30, 51)], [(30, 51), (31, 51)], [(0, 7), (20, 20), (20, 22), (70, 95)]])
@pytest.mark.parametrize("value", [1000, 65535])
@pytest.mark.parametrize(("side", "dose"), [(96, 2), (96, 30), (256, 2), (256, 5), (256, 100), (256, None)])
def test_outliers_leave_the_noise_as_it_is(
    side: int, dose: float | None, value: int, places: list[tuple[int, int]]
) -> None:
    rng = np.random.default_rng(3)
    clean = columns(side)
    noisy = rng.normal(100 + 2 * clean, 5).round() if dose is None else rng.poisson(dose * clean)
    image = noisy.astype(np.uint16)
    before, middle = measure(image), float(image.mean())
    for place in places:
        image[place] = value
    after = measure(image)
    assert after.at(middle) == pytest.approx(before.at(middle), rel=0.1)
    assert after.error_at(middle) < 1.5 * before.error_at(middle) + 0.02 * before.at(middle)
    assert after.family.removesuffix(", impulses") == before.family
    assert after.bright * image.size == pytest.approx(len(places), abs=3)
    assert after.step == pytest.approx(1)
    assert after.high == value


@pytest.mark.parametrize("shift", [-20000, 20000])
def test_outliers_are_counted_on_either_side(shift: int) -> None:
    rng = np.random.default_rng(4)
    image = rng.normal(30000, 20, (200, 200)).round().astype(np.uint16)
    image.ravel()[rng.permutation(image.size)[:40]] += np.array(shift).astype(np.uint16)
    report = measure(image)
    told, other = (report.dark, report.bright) if shift < 0 else (report.bright, report.dark)
    assert told * image.size == pytest.approx(40, abs=2)
    assert other == 0
    assert report.sigma == pytest.approx(20, rel=0.03)


def test_particles_that_are_much_brighter_than_their_ground_are_no_outliers() -> None:
    rows, across = np.mgrid[:256, :256]
    clean = np.full((256, 256), 100.0)
    for row, column in np.random.default_rng(5).uniform(20, 236, (8, 2)):
        clean[(rows - row) ** 2 + (across - column) ** 2 < 9] = 5000
    report = measure(np.random.default_rng(6).poisson(clean).astype(np.uint16))
    assert report.bright * report.pixels < 3
    assert report.filled == report.high - report.low
    assert report.at(100) == pytest.approx(10, rel=0.05)
