"""The noise report of counted electrons that are cut off: by saturation at the top, by software at 0."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.noise import NoiseReport, measure

ROWS, COLUMNS = np.mgrid[:256, :320]


def spots() -> np.ndarray:
    """Return spots 17 pixels apart on a dark ground, of 0.15 to 1."""
    inside = ((ROWS * 17 - COLUMNS * 2) / 17.23 + 8.6) % 17.23 - 8.6, ((ROWS * 2 + COLUMNS * 17) / 17.23) % 17.23 - 8.6
    return 0.15 + 0.85 * np.exp(-(inside[0] ** 2 + inside[1] ** 2) / (2 * 2.8**2))


def particles() -> np.ndarray:
    """Return dark discs, of 12 sizes, on a ground of 0.9."""
    rng = np.random.default_rng(4)
    clean = np.full(ROWS.shape, 0.9)
    for _ in range(12):
        row, column, radius = rng.uniform(0, 256), rng.uniform(0, 320), rng.uniform(8, 30)
        clean -= 0.3 * np.clip(radius + 0.5 - np.hypot(ROWS - row, COLUMNS - column), 0, 1)
    return clean.clip(0.05, 1)


def clouds() -> np.ndarray:
    """Return what varies smoothly over some 20 pixels, of 0.1 to 1."""
    drawn = ndimage.gaussian_filter(np.random.default_rng(4).normal(size=ROWS.shape), 8)
    return 0.1 + 0.9 * (drawn - drawn.min()) / np.ptp(drawn)


SCENES = {"spots": spots(), "particles": particles(), "clouds": clouds(), "ramp": 0.2 + 0.8 * COLUMNS / 320}


def away(report: NoiseReport, value: float, true: float) -> float:
    """Return by how many of its standard errors a report is off at an intensity."""
    return abs(report.at(value) - true) / report.error_at(value)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2])
@pytest.mark.parametrize(("dose", "gain", "offset"), [(50, 7, 1000), (20, 10, 0), (5, 1, 0)])
@pytest.mark.parametrize("scene", SCENES)
def test_saturated_counts_are_as_noisy_as_they_were(
    scene: str, dose: float, gain: float, offset: float, share: float
) -> None:
    counted = np.random.default_rng(4).poisson(SCENES[scene] * dose) * gain + offset
    image = np.minimum(counted, np.quantile(counted, 1 - share))
    report = measure(image)
    value = float(np.median(image))
    assert away(report, value, np.sqrt(gain * (value - offset))) < 2.5
    assert report.gain >= 0
    at_top = float((image == image.max()).mean())
    if at_top > 0.03:
        assert report.clipped_high == pytest.approx(at_top)
    if report.gain:
        assert abs(report.gain - gain) < 2.5 * report.gain_error
    else:
        assert gain < 2 * report.gain_error


def test_of_counts_that_saturate_the_law_is_found() -> None:
    for scene, dose, share in (("spots", 20, 0.05), ("particles", 20, 0.05), ("clouds", 20, 0.25), ("ramp", 50, 0.2)):
        counted = np.random.default_rng(4).poisson(SCENES[scene] * dose) * 10
        report = measure(np.minimum(counted, np.quantile(counted, 1 - share)).astype(np.uint16))
        assert report.family in {"Poisson", "Poisson-Gaussian"}
        assert report.gain == pytest.approx(10, rel=0.4)
        assert report.clipped_high > 0.04


def test_of_three_values_saturation_is_told_and_no_more_claimed_than_can_be() -> None:
    counted = np.random.default_rng(4).poisson(SCENES["spots"] * 5)
    report = measure(np.minimum(counted, np.quantile(counted, 0.7)).astype(np.uint8))
    assert report.clipped_high > 0.3
    assert away(report, 1.0, 1.0) < 2
    assert abs(report.gain - 1) < 2 * report.gain_error


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("electrons", [0.5, 2.0])
@pytest.mark.parametrize("read_out", [10.0, 40.0])
def test_sparse_counts_whose_negative_values_were_set_to_0(scene: str, electrons: float, read_out: float) -> None:
    rng = np.random.default_rng(0)

    def detected(mean: np.ndarray) -> np.ndarray:
        return np.rint(rng.poisson(mean) * 100 + rng.normal(0, read_out, mean.shape)).clip(0)

    report = measure(detected(SCENES[scene] * electrons).astype(np.uint16))
    even = detected(np.full((600, 600), SCENES[scene].mean() * electrons))  # as a photon transfer curve is measured
    assert report.family.startswith("Poisson")
    assert report.gain == pytest.approx(100, rel=0.2)
    assert away(report, float(even.mean()), float(even.std())) < 2
    assert report.at(float(even.mean())) == pytest.approx(float(even.std()), rel=0.05)


@pytest.mark.parametrize("scene", SCENES)
def test_counts_of_steps_of_20_in_8_bits_are_counts(scene: str) -> None:
    for dose in (3, 5):
        image = np.minimum(np.random.default_rng(1).poisson(SCENES[scene] * dose) * 20, 255).astype(np.uint8)
        report = measure(image)
        value = float(image.mean())
        assert report.gain == pytest.approx(20, rel=0.15)
        assert away(report, value, np.sqrt(20 * value)) < 2
        assert report.clipped_low == 0


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("level", [0.1, 0.3])
def test_even_noise_that_is_cut_off_at_one_end_stays_even(scene: str, level: float) -> None:
    noisy = SCENES[scene] - 0.2 + np.random.default_rng(1).normal(0, level, ROWS.shape)
    for image in (noisy.clip(0), 1 - noisy.clip(0)):
        report = measure(image)
        assert report.gain == 0
        assert away(report, 0.5, level) < 2


def test_counts_that_are_seen_reversed_are_not_cut_off() -> None:
    report = measure(-np.random.default_rng(1).poisson(0.4 * SCENES["ramp"]))
    assert report.clipped_high == 0
    assert report.gain == pytest.approx(-1, rel=0.1)
