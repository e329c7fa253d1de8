"""Rough surfaces and sections: spectra as asked for, fine all over, all of them different and finite."""

import numpy as np
import pytest
from scipy import ndimage

from temclean import specimen
from temclean.specimen import rough
from temclean.specimen.rough import leaves, relief

SIZE = 192


@pytest.mark.parametrize("slope", [0.8, 1.5, 2.2])
def test_amplitudes_fall_with_the_wave_number_to_the_power_asked_for(slope: float) -> None:
    fields = [relief.field(np.random.default_rng(seed), SIZE, slope, 1e6, 0.0) for seed in range(6)]
    power = np.mean([np.abs(np.fft.fft2(field)) ** 2 for field in fields], axis=0)
    number = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE))
    ring = (number > 0.03) & (number < 0.4)
    measured = np.polyfit(np.log(number[ring]), np.log(power[ring]), 1)[0]
    assert measured == pytest.approx(-2.0 * slope, abs=0.05)
    assert np.std(fields) == pytest.approx(1.0, rel=1e-4)


def test_a_stretched_field_is_longer_than_wide() -> None:
    for seed in range(4):
        drawn = relief.field(np.random.default_rng(seed), SIZE, 1.5, 30.0, 1.0, 9.0)
        down, across = np.gradient(drawn)
        tensor = [[np.mean(down * down), np.mean(down * across)], [np.mean(down * across), np.mean(across * across)]]
        least, most = np.linalg.eigvalsh(tensor)
        assert most > 5.0 * least


def test_a_lit_slope_is_brighter_towards_the_detector_than_away_from_it() -> None:
    """A ridge along the columns has one bright and one dark side, or two alike where only steepness shows."""
    ridge = -np.abs(np.arange(SIZE, dtype=np.float32) - SIZE / 2)[None].repeat(SIZE, axis=0)
    sides = []
    for seed in range(40):
        shown = relief.lit(np.random.default_rng(seed), ridge)
        shown = shown - shown.mean(axis=0, keepdims=True).mean()
        sides.append(float(shown[:, 20:60].mean() - shown[:, -60:-20].mean()))
        assert np.ptp(shown[:, 50]) < 1e-4
    assert min(sides) < -0.01
    assert max(sides) > 0.01


def test_leaves_hide_each_other() -> None:
    """What lies on top is whole: even patches end sharply, and few pixels lie between two levels."""
    image = leaves.leaves(np.random.default_rng(3), SIZE)
    steps = np.abs(np.diff(image, axis=1))
    assert np.quantile(steps, 0.995) > 8.0 * np.median(steps)


@pytest.mark.parametrize("kind", list(rough.KINDS))
def test_each_kind_is_fine_all_over_and_never_the_same(kind: str) -> None:
    drawn = [rough.KINDS[kind](np.random.default_rng(seed), SIZE) for seed in range(8)]
    assert all(image.shape == (SIZE, SIZE) and image.dtype == np.float32 for image in drawn)
    assert np.isfinite(drawn).all()
    fine = [ndimage.gaussian_filter(image, 1.0) - ndimage.gaussian_filter(image, 4.0) for image in drawn]
    shares = [layer.std() / image.std() for layer, image in zip(fine, drawn, strict=True)]
    assert np.median(shares) > 0.1
    halves = [layer[:, : SIZE // 2].std() / layer.std() for layer in fine]
    assert np.median(np.abs(np.array(halves) - 1.0)) < 0.3
    flat = np.array([image.ravel()[::7] - image.mean() for image in drawn])
    alike = np.corrcoef(flat)
    assert np.abs(alike[~np.eye(8, dtype=bool)]).max() < 0.6


def test_a_rough_specimen_is_an_image_from_0_to_1_and_repeatable() -> None:
    for seed in range(6):
        image = specimen.draw("rough", 128, 10.0, seed).image
        assert image.min() == 0.0
        assert image.max() == 1.0
        assert np.array_equal(image, specimen.draw("rough", 128, 10.0, seed).image)
