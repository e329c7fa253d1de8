"""What ``bench/measure_noise.py`` finds: the noise that was added to simulated images, and the priors in real ones."""

from pathlib import Path

import numpy as np
import pytest
from bench import measure_noise as measure

from temclean import noise

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SEED = 2**40 + 17


def lattice(side=512):
    """Return round columns 24 pixels apart, 10 degrees off the rows, in [0.2, 1]."""
    y, x = np.mgrid[:side, :side]
    turn, k = np.radians(10), 2 * np.pi / 24
    waves = np.cos(k * (x * np.cos(turn) + y * np.sin(turn))) + np.cos(k * (y * np.cos(turn) - x * np.sin(turn)))
    return 0.2 + 0.8 * ((waves + 2) / 4) ** 2


def changed(image, *steps):
    return noise.apply(image, noise.Chain(steps), SEED)


def test_what_reading_adds_is_taken_apart():
    steps = (noise.Thermal(2.0), noise.Flicker(0.6), noise.Reset(0.3), noise.ColumnPattern(1.0))
    found = measure.readout(changed(np.zeros((256, 256)), *steps)[None])
    for (variance, error), step in zip(found.values(), steps, strict=True):
        assert variance**0.5 == pytest.approx(step.level, rel=0.15)
        assert variance > 3 * error
    for variance, error in list(measure.readout(changed(np.zeros((256, 256)), steps[0])[None]).values())[1:]:
        assert abs(variance) < 4 * error


def test_frames_that_share_a_dark_reference_show_it():
    frames = np.array([noise.apply(np.zeros((128, 128)), noise.Thermal(1.0), seed) for seed in range(6)])
    own, both, error = measure.shared(frames[1:] - frames[0])
    assert own == pytest.approx(1.0, rel=0.05)
    assert both == pytest.approx(1.0, abs=5 * error)
    assert abs(measure.shared(frames)[1]) < 5 * measure.shared(frames)[2]


@pytest.mark.parametrize(
    ("step", "sign"), [(noise.Zingers(30, 0, 3.0, 6.0), 1), (noise.BlackPixels(30, 0, 0.0, 0.1), -1)]
)
def test_spots_are_counted(step, sign):
    counted = changed(np.full((256, 256), 0.5), noise.Poisson(800.0))
    counted[:2] = 0.0  # black
    assert measure.spots(counted, sign)[0] == 0
    count, pixels, factors = measure.spots(changed(counted, step), sign)
    assert 25 <= count <= 30
    assert pixels / counted.size > 0.98
    assert 0.9 * step.low <= min(factors)
    assert max(factors) <= 1.15 * step.high + 0.05


@pytest.mark.parametrize(("line", "phi"), [(0.2, 0.3), (0.6, 0.0), (0.4, 0.8)])
def test_the_jitter_of_lines_is_measured(line, phi):
    jitter = noise.Jitter(0.3, 0.0, line, 0.35, 0.0, phi)
    found, correlation, score = measure.line_jitter(changed(lattice(), jitter, noise.Detector(200.0)))
    assert score > 4
    assert found == pytest.approx(line, rel=0.15)
    assert correlation == pytest.approx(phi, abs=0.25)


@pytest.mark.parametrize("jitter", [(), (noise.Jitter(0.5, 0.0),)], ids=["none", "within rows"])
def test_other_noise_is_no_jitter_of_lines(jitter):
    assert measure.line_jitter(changed(lattice(), *jitter, noise.Detector(200.0)))[2] < 4


@pytest.mark.parametrize(("detector", "decay"), [(2.0, 0.0), (5.0, 0.0), (0.0, 0.7), (0.0, 1.5)])
def test_the_decay_along_rows_is_measured(detector, decay):
    step = noise.FastScan(detector, decay, 1e6, np.pi / 2)
    common = measure.common_along_rows(changed(lattice(), noise.Detector(100.0), step))
    assert measure.oscillation(common) is None
    assert measure.decays(common[0])[0 if detector else 1] == pytest.approx(detector or decay, rel=0.2)


@pytest.mark.parametrize(("decay", "period", "phase"), [(1.3, 4.5, 1.4), (1.6, 6.0, 1.0), (2.5, 12.0, 1.57)])
def test_the_swing_of_a_read_out_is_measured(decay, period, phase):
    step = noise.FastScan(0.0, decay, period, phase)
    found = measure.oscillation(measure.common_along_rows(changed(lattice(), noise.Detector(100.0), step)))
    assert found[:2] == pytest.approx((decay, period), rel=0.15)
    assert found[2] == pytest.approx(phase, abs=0.5)


def test_white_noise_has_no_decay():
    image = changed(lattice(), noise.Detector(100.0))
    assert abs(measure.common_along_rows(image)[0]) < 0.05
    assert abs(measure.common_along_rows(image + np.roll(image, 1, 1) + np.roll(image, 1, 0))[0]) < 0.05


@pytest.mark.parametrize("sigma", [0.0, 2.0, 8.0])
def test_the_noise_of_a_detector_is_bounded(sigma):
    counted = changed(lattice(), noise.Poisson(40.0), noise.Thermal(sigma / 40.0))
    darkest = (0.2 * 40.0) ** 0.5
    assert sigma <= measure.tube_noise(counted) <= 1.3 * (sigma**2 + darkest**2) ** 0.5


@pytest.mark.parametrize("mean", [1.0, 5.0, 30.0])
def test_counts_have_no_zingers(mean):
    assert measure.spots(changed(np.ones((512, 512)), noise.Poisson(mean)), 1)[0] == 0


def test_lost_lines_are_counted():
    image = changed(lattice(), noise.Jitter(line=0.2), noise.Detector(100.0))
    assert measure.row_lines(image) == 0
    assert 6 <= measure.row_lines(changed(image, noise.RowLines(12, 1.4, 1.5))) <= 18


def test_the_converter_is_measured():
    image = changed(lattice(), noise.Detector(100.0), noise.Quantisation(300.0))
    assert np.isnan(measure.ceiling(image))
    assert measure.steps(image) == pytest.approx(300 * np.subtract(*np.percentile(image, (99.9, 0.1))), rel=0.01)
    black, mean = measure.black_and_mean(image)
    assert measure.ceiling(changed(image, noise.Saturation(1.0))) == pytest.approx((1 - black) / mean, rel=0.05)


def test_noise_that_no_file_shows_is_no_surprise():
    """Half of all images have exactly 30 per megapixel; in an image of which 3 are expected at a bound of 30, e^-3."""
    always = noise.Range(30.0, 30.0, source="bounds")
    seldom = noise.Prior(noise.RowLines, 0.5, {"count": always})
    expected = (0.5 + 0.5 * np.exp(-3.0)) * (0.5 + 0.5 * np.exp(-1.5))
    assert measure.within("RowLines.count", seldom, [30.0, 60.0]) == pytest.approx(expected)
    level = noise.Prior(noise.FixedPattern, 0.8, {"level": noise.Range(0.0, 1.0, source="bounds")})
    assert measure.within("FixedPattern.level", level, [0.25]) == pytest.approx(0.4, abs=0.03)


@pytest.mark.skipif(not DATA.exists(), reason="no real files here")
def test_what_files_show_is_in_the_priors():
    """One value at least of each range that is said to be from files, and none outside; of the others a bound."""
    seen, bounded = set(), set()
    names = (
        "ceta_dark_velox.emd",
        "dark5.emi",
        "feiext_crop1024.mrc",
        "sto_osiris_u16.tif",
        "haadf_velox.emd",
        "zeiss_sem_u8.tif",
    )
    for name in names:
        for field, value, sign in measure.measure(DATA / name):
            if sign == "=" and not np.isnan(value) and field in measure.RANGES:
                seen.add(field)
                assert measure.RANGES[field].low <= value <= measure.RANGES[field].high, (name, field)
            if sign == "<":
                bounded.add(field)
    assert seen == {field for field, limits in measure.RANGES.items() if limits.source == "files"}
    together = {"Detector.photons", "Detector.efficiency", "Detector.gain", "Detector.photon_spread"}
    of_it = {"BlackPixels.high": "BlackPixels.count"} | dict.fromkeys(together, "Detector.sigma")
    asked = {field for field, limits in measure.RANGES.items() if limits.source == "bounds"}
    assert {of_it.get(field, field) for field in asked} <= bounded
