"""Dead pixels among counted electrons, in images with structure, against pixels that were set to 0 at known places."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.noise import measure

SIDE = 256
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]


def hill(away: np.ndarray) -> np.ndarray:
    return np.exp(-((away % 16 - 8) ** 2) / (2 * 2.7**2))


SCENES = {
    "flat": np.full((SIDE, SIDE), 0.5),
    "columns": 0.05 + 0.95 * hill(ROWS) * hill(COLUMNS),
    "waves": 0.05 + 0.9 * np.cos(np.pi * ROWS / 16) ** 2 * np.cos(np.pi * COLUMNS / 16) ** 2,
    "fringes": 0.5 + 0.4 * np.cos(2 * np.pi * (COLUMNS + 0.3 * ROWS) / 9),
    "slow": 0.5 + 0.45 * np.sin(COLUMNS / 30) * np.cos(ROWS / 25),
}
DARK = {
    "vacuum": ndimage.gaussian_filter(np.where((ROWS - 100) ** 2 + (COLUMNS - 128) ** 2 < 1600, 0.0, 0.6), 1.5),
    "sharp vacuum": np.where((ROWS - 100) ** 2 + (COLUMNS - 128) ** 2 < 1600, 0.0, 0.6),
    "gaps": 1 - 1.0 * ((COLUMNS % 8 < 2) & (ROWS % 8 < 2)),
    "lines": 1 - 1.0 * (COLUMNS % 8 < 1),
    "fine": 0.5 + 0.5 * np.cos(2 * np.pi * COLUMNS / 4.3) * np.cos(2 * np.pi * ROWS / 5.1),
    "touching": hill(ROWS) * hill(COLUMNS),
}
"""Structure that is 0 itself in places."""


def counted(clean: np.ndarray, dose: float, share: float, seed: int = 3) -> tuple[np.ndarray, float]:
    """Return counts of which a share is dead, and that share."""
    rng = np.random.default_rng(seed)
    image = rng.poisson(dose * clean).astype(np.uint16)
    hit = rng.random(image.shape) < share
    image[hit] = 0
    return image, float(hit.mean())


@pytest.mark.parametrize("share", [0.01, 0.03, 0.08])
@pytest.mark.parametrize("dose", [30, 100, 1000])
@pytest.mark.parametrize("scene", SCENES)
def test_dead_pixels_of_structured_counts_are_counted(scene: str, dose: float, share: float) -> None:
    image, true = counted(SCENES[scene], dose, share)
    report = measure(image)
    assert abs(report.dark - true) < 3 * report.impulses_error
    if report.dark or dose > 30:  # in few electrons 1% of zeros may be chance, and the error says so
        assert report.dark == pytest.approx(true, rel=0.12)
    assert report.bright * image.size < 5
    if report.gain:  # the variance of what is not dead
        assert report.gain == pytest.approx(1, abs=0.2)
    bright = dose * float(SCENES[scene].max())
    assert report.at(bright) == pytest.approx(np.sqrt(bright), rel=0.4)


@pytest.mark.parametrize("dose", [12, 100, 1000])
@pytest.mark.parametrize("scene", [*SCENES, *DARK])
def test_dark_structure_is_not_dead(scene: str, dose: float) -> None:
    image, _ = counted((SCENES | DARK)[scene], dose, 0.0)
    report = measure(image)
    assert report.dark * image.size < 12
    assert report.impulses_error < 0.1


@pytest.mark.parametrize("dose", [12, 20, 100])
def test_what_lies_between_the_columns_of_a_lattice_is_not_dead(dose: float) -> None:
    """Every eighth pixel, by itself among bright ones: a fifth of all pixels were said to be dead."""
    image, _ = counted(0.5 + 0.5 * np.cos(np.pi * COLUMNS / 2) * np.cos(np.pi * ROWS / 2), dose, 0.0)
    assert measure(image).dark * image.size < 12


def test_the_error_of_dead_pixels_is_that_by_which_they_scatter() -> None:
    off = []
    for seed in range(24):
        image, true = counted(SCENES["columns"], 60, 0.02, seed)
        report = measure(image)
        off.append((report.dark - true) / report.impulses_error)
    assert 0.3 < np.sqrt(np.mean(np.square(off))) < 1.3


def test_dead_pixels_of_a_saturated_image_are_counted_beside_the_saturated_ones() -> None:
    image, true = counted(SCENES["slow"], 200, 0.02)
    image = np.minimum(image, 180)
    report = measure(image)
    assert report.dark == pytest.approx(true, rel=0.1)
    assert report.clipped_high == pytest.approx(float((image == 180).mean()))
