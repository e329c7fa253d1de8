"""The steps of a microscope's noise: against their NumPy twins and against their own equations (Lobato 2024).

Statistical bounds are five standard errors of the sample, and p-values of 1e-5; seeds are fixed.
"""

import dataclasses

import numpy as np
import pytest
from reference import (
    WALK,
    clusters_reference,
    dark_reference,
    gaussian_reference,
    jitter_reference,
    lines_reference,
    normals_reference,
    poisson_reference,
    series_reference,
)
from scipy import ndimage, stats

from temclean import _scan, noise
from temclean.errors import ImageError, ParameterError

SEED = 2**40 + 17
SHAPES = [(1, 1), (1, 7), (5, 3), (16, 16), (37, 129), (70, 333)]
STEPS = {
    "jitter": (
        noise.Jitter(0.7, 1.3, 0.9, 0.6, 0.2, 0.9),
        lambda x, s: jitter_reference(x, 0.7, 1.3, 0.9, 0.6, 0.2, 0.9, s),
    ),
    "detector": (
        noise.Detector(12.0),
        lambda x, s: gaussian_reference(poisson_reference(x, 12.0, s), noise.Detector().sigma / 12.0, s, clip=False),
    ),
    "fastscan": (noise.FastScan(), lambda x, _: spread_reference(x, noise.FastScan())),
    "rowlines": (noise.RowLines(9), lambda x, s: lines_reference(x, 9, 0.5, 1.5, s)),
    "fixed-pattern": (
        noise.FixedPattern(0.1),
        lambda x, s: x + 0.1 * x * normals_reference(x.size, s).reshape(x.shape),
    ),
    "dark-current": (
        noise.DarkCurrent(3.0, 1.0, 0.05, 10.0),
        lambda x, s: x + poisson_reference(dark_reference(x.shape, 3.0, 1.0, 0.05, s), 1.0, s) / 10.0,
    ),
    "thermal": (noise.Thermal(0.3), lambda x, s: gaussian_reference(x, 0.3, s, clip=False)),
    "reset": (noise.Reset(0.3), lambda x, s: x + 0.3 * normals_reference(len(x), s, WALK)[:, None]),
    "column-pattern": (noise.ColumnPattern(0.3), lambda x, s: x + 0.3 * normals_reference(x.shape[1], s, WALK)),
    "black-pixels": (noise.BlackPixels(5, 90), lambda x, s: clusters_reference(x, 5, 90, 0.0, 0.5, s)),
    "zingers": (noise.Zingers(5, 9), lambda x, s: clusters_reference(x, 5, 9, 1.5, 5.0, s)),
    "saturation": (noise.Saturation(0.6), lambda x, _: np.where(x > 0.6, 0.6, x)),
    "quantisation": (noise.Quantisation(7.0), lambda x, _: np.rint(7.0 * x) / 7.0),
}  # fmt: skip


def spread_reference(image, step):
    taps = step.taps(image.shape[1])
    padded = np.pad(image.astype(np.float64), ((0, 0), (len(taps), 0)), "edge")
    return np.stack([np.convolve(row, taps, "valid")[-image.shape[1] :] for row in padded])


def image_of(shape, dtype=np.float32):
    y, x = np.indices(shape)
    return ((7 * x + 3 * y * y) % 256 / 255).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", STEPS)
def test_step_is_its_twin(name, shape, dtype):
    step, twin = STEPS[name]
    image = image_of(shape, dtype)
    expected = twin(image.copy(), SEED)
    noisy = noise.apply(image, step, SEED)
    assert noisy.dtype == dtype
    np.testing.assert_allclose(noisy, expected, atol=2e-3 if name == "jitter" else 3e-5)


@pytest.mark.parametrize("name", [*STEPS, "flicker", "tem", "stem", "sem"])
def test_step_keeps_its_bits(name):
    """The same numbers for any number of threads, in place or not, and its input untouched."""
    step = STEPS[name][0] if name in STEPS else noise.FAMILIES[name]()
    image = image_of((67, 301))
    before = image.copy()
    noisy = noise.apply(image, step, SEED)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(noise.apply(image, step, SEED, threads=3), noisy)
    np.testing.assert_array_equal(noise.apply(image, step, SEED, out=image), noisy)
    if name not in {"fastscan", "saturation", "quantisation"}:
        assert not np.array_equal(noise.apply(before, step, SEED + 1), noisy)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.7, 0.95])
def test_jitter_is_correlated_as_its_equation_says(phi):
    spread, rows, columns = 0.4, 512, 2048
    place = np.empty((rows, columns), np.float32)
    _scan.wander(place, np.zeros(rows), spread, phi, SEED, 2)
    variance = spread**2 / (1 - phi**2)
    independent = rows * columns * (1 - phi) / (1 + phi)
    error = 5 * np.sqrt(2 / independent) * variance * 1.5
    assert abs(place.var() - variance) < error
    assert abs(place[:, 0].var() - variance) < 5 * np.sqrt(2 / rows) * variance
    for lag in (1, 2, 5):
        assert abs((place[:, lag:] * place[:, :-lag]).mean() - variance * phi**lag) < error
    assert abs((place[1:] * place[:-1]).mean()) < error
    series = np.empty(20000)
    _scan.walk(series, spread, phi, SEED, 0)
    np.testing.assert_allclose(
        series[:300], series_reference(normals_reference(300, SEED, WALK), spread, phi), atol=1e-4
    )


def test_jitter_of_nothing_changes_nothing():
    image = image_of((40, 50))
    np.testing.assert_array_equal(noise.apply(image, noise.Jitter(0.0, 0.0), SEED), image)


def test_jitter_leaves_a_plane_a_plane_where_rows_move():
    """Bicubic interpolation is exact on a slope, so what moved is the displacement itself."""
    slope = np.tile(np.arange(400.0), (300, 1))
    moved = noise.apply(slope, noise.Jitter(0.0, 0.0, line=2.0, line_phi=0.5), SEED) - slope
    inner = moved[:, 60:-60]
    np.testing.assert_allclose(inner, np.repeat(inner[:, :1], inner.shape[1], 1), atol=2e-4)
    assert inner[:, 0].std() == pytest.approx(2.0 / np.sqrt(0.75), rel=0.2)


@pytest.mark.parametrize("step", [noise.FastScan(), noise.FastScan(0.0, 3.0, 9.0, 1.4), noise.FastScan(6.0, 0.0)])
def test_fast_scan_is_causal_and_keeps_the_mean(step):
    impulse = np.zeros((3, 5000))
    impulse[1, 80] = 1.0
    spread = noise.apply(impulse, step, SEED)
    assert not spread[:, :80].any()
    assert not spread[[0, 2]].any()
    assert spread[1].sum() == pytest.approx(1.0, abs=1e-5)
    assert spread[1, 80] == spread.max()
    np.testing.assert_allclose(noise.apply(np.full((2, 90), 0.7), step, SEED), 0.7, atol=1e-6)
    image = image_of((5, 300), np.float64)
    taps = step.taps(300)
    origin = -(len(taps) // 2)
    expected = ndimage.convolve1d(image, taps, mode="nearest", origin=origin)
    np.testing.assert_allclose(noise.apply(image, step, SEED), expected, atol=1e-6)


def test_fast_scan_decays_as_its_equations_say():
    lorentz = noise.FastScan(5.0, 0.0).taps(400)
    since = np.arange(len(lorentz))
    np.testing.assert_allclose(lorentz / lorentz[0], 25.0 / (4 * np.pi**2 * since**2 + 25.0), rtol=1e-9)
    ringing = noise.FastScan(0.0, 4.0, 10.0, 1.1).taps(400)
    since = np.arange(len(ringing))
    expected = np.exp(-since / 4.0) * np.sin(2 * np.pi * since / 10.0 + 1.1)
    np.testing.assert_allclose(ringing / ringing[0], expected / expected[0], atol=1e-9)


@pytest.mark.parametrize(("detector", "decay"), [(0.3, 0), (2, 1.5), (8, 5), (50, 0), (100, 1.5), (1000, 0)])
def test_fast_scan_cuts_off_no_more_than_it_says(detector, decay):
    taps = noise.FastScan(detector, decay).taps(10**6)
    since = np.arange(20000)
    # The sum over all x, from that of 1 / (x**2 + a**2), whole numbers from minus to plus infinity.
    whole = (1 / np.tanh(detector / 2) / 2 + 1 / detector) / 2
    kept = np.cumsum(detector / (4 * np.pi**2 * since**2 + detector**2)) / whole
    readout = np.exp(-since / decay) * np.sin(2 * np.pi * since / 12.0 + 1.0) if decay else (since == 0) * 1.0
    lost = 1 - np.convolve(kept[: len(taps)], (readout / readout.sum())[: len(taps)])[len(taps) - 1]
    assert abs(lost) < (0.03 if detector > 100 else 0.005)
    assert len(taps) <= 4096


@pytest.mark.parametrize("counts", [0.3, 5.0, 400.0])
def test_detector_keeps_the_mean_and_has_the_variance_of_both_parts(counts):
    step = noise.Detector(counts, photons=60.0, efficiency=0.15, gain=4.0, photon_spread=0.4)
    assert step.sigma == pytest.approx(np.sqrt((1 - 0.15 + 1 / 3) / 9.0 + 0.16))
    noisy = noise.apply(np.full((1024, 1024), 0.8), step, SEED)
    variance = (0.8 * counts + step.sigma**2) / counts**2
    assert abs(noisy.mean() - 0.8) < 5 * np.sqrt(variance / noisy.size)
    assert noisy.var() == pytest.approx(variance, rel=5 * np.sqrt(2 / noisy.size) + 5 / np.sqrt(noisy.size * counts))


def test_dark_current_is_log_normal_with_hot_pixels_where_they_belong():
    step = noise.DarkCurrent(mean=20.0, spread=4.0, hot=0.003)
    current = step.map((1024, 1024), SEED)
    hot = current >= 40.0
    assert stats.binomtest(int(hot.sum()), current.size, 0.003).pvalue > 1e-5
    assert current[hot].max() <= 20.0 + 8 * 4.0
    assert stats.kstest((current[hot] - 40.0) / 12.0, "uniform").pvalue > 1e-5
    rest = current[~hot]
    assert abs(rest.mean() - 20.0) < 5 * 4.0 / np.sqrt(rest.size)
    assert rest.std() == pytest.approx(4.0, rel=0.01)
    assert (
        stats.kstest(np.log(rest), "norm", args=(np.log(20.0) - 0.5 * np.log(1.04), np.sqrt(np.log(1.04)))).pvalue
        > 1e-5
    )


def test_dark_current_is_counted():
    noisy = noise.apply(np.full((512, 512), 0.5), noise.DarkCurrent(2.0, 0.0, 0.0, counts=10.0), SEED)
    counted = np.rint((noisy - 0.5) * 10.0).astype(int)
    np.testing.assert_allclose((noisy - 0.5) * 10.0, counted, atol=1e-5)
    frequency = np.bincount(counted.ravel(), minlength=12)
    expected = stats.poisson.pmf(np.arange(9), 2.0) * counted.size
    assert (
        stats.chisquare(
            [*frequency[:9], frequency[9:].sum()], [*expected[:9], counted.size - expected[:9].sum()]
        ).pvalue
        > 1e-5
    )


@pytest.mark.parametrize("shape", [(256, 256), (255, 128), (64, 301)])
def test_flicker_falls_as_one_over_the_frequency(shape):
    pattern = np.mean(
        [np.abs(np.fft.fft2(noise.apply(np.zeros(shape), noise.Flicker(0.3), seed))) ** 2 for seed in range(40)], axis=0
    )
    frequency = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1]))
    assert pattern[0, 0] < 1e-12
    inner = frequency > 0
    slope = np.polyfit(np.log(frequency[inner]), np.log(pattern[inner]), 1)[0]
    assert slope == pytest.approx(-2.0, abs=0.02)
    assert np.sqrt(pattern.sum()) / pattern.size == pytest.approx(0.3, rel=0.05)


def test_reset_is_constant_along_a_row():
    noisy = noise.apply(np.zeros((4096, 8)), noise.Reset(0.2), SEED)
    np.testing.assert_array_equal(noisy, np.repeat(noisy[:, :1], 8, 1))
    assert stats.kstest(noisy[:, 0] / 0.2, "norm").pvalue > 1e-5


def test_row_lines_change_rows_alone():
    image = image_of((200, 300), np.float64) + 0.1
    noisy = noise.apply(image, noise.RowLines(12, 0.6, 0.6), SEED)
    touched = (noisy != image).any(axis=1)
    assert 1 <= touched.sum() <= 12
    once = noise.apply(image, noise.RowLines(1, 0.6, 0.6), SEED)
    stretch = once != image
    np.testing.assert_allclose(once[stretch], 0.6 * image[stretch].mean(), rtol=1e-6)


def test_clusters_are_connected_and_of_one_factor():
    ones = np.ones((400, 400))
    dark = noise.apply(ones, noise.BlackPixels(30, 12, 0.1, 0.4), SEED)
    labels, count = ndimage.label(dark < 1)
    assert 20 <= count <= 30
    assert ndimage.sum(dark < 1, labels, range(1, count + 1)).max() <= 13 * 3
    values = dark[dark < 1]
    assert values.min() >= 0.1**2
    bright = noise.apply(ones, noise.Zingers(30, 0, 2.0, 3.0), SEED)
    assert set(np.unique(bright > 1)) == {False, True}
    assert (bright > 1).sum() == 30
    assert bright.max() <= 3.0


def test_a_chain_is_its_steps_in_order():
    steps = (noise.Jitter(), noise.Detector(50.0), noise.Quantisation(100.0))
    image = image_of((60, 70))
    current = image
    for number, step in enumerate(steps, 1):
        current = noise.apply(current, step, (SEED + number * 0x9E3779B97F4A7C15) % 2**64)
    np.testing.assert_array_equal(noise.apply(image, noise.Chain(steps), SEED), current)
    np.testing.assert_array_equal(noise.apply(image, noise.Chain(()), SEED), image)


ORDER = {
    "tem": [
        noise.Poisson, noise.FixedPattern, noise.DarkCurrent, noise.Thermal, noise.Flicker, noise.Reset,
        noise.ColumnPattern, noise.BlackPixels, noise.Zingers, noise.Saturation, noise.Quantisation,
    ],
    "stem": [
        noise.Jitter, noise.Detector, noise.FastScan, noise.RowLines, noise.BlackPixels, noise.Zingers,
        noise.Saturation, noise.Quantisation,
    ],
    "sem": [
        noise.Jitter, noise.Detector, noise.FastScan, noise.RowLines, noise.Zingers, noise.Saturation,
        noise.Quantisation,
    ],
}  # fmt: skip
"""The steps in the order of the paper (eqs. 30 to 40 and 41 to 55), and the pattern of columns beside reset noise."""


@pytest.mark.parametrize("family", ORDER)
def test_a_microscope_takes_the_steps_of_the_paper_in_its_order(family):
    image = image_of((64, 64)) * 0.5 + 0.25
    chains = [noise.FAMILIES[family](pixel_size=0.2).draw(image, seed).steps for seed in range(400)]
    assert {type(step) for chain in chains for step in chain} == set(ORDER[family])
    for chain in chains:
        places = [ORDER[family].index(type(step)) for step in chain]
        assert places == sorted(places)


def drawn_steps(kind, family, count, **options):
    image = np.full((16, 16), 0.5)
    chains = (noise.FAMILIES[family](**options).draw(image, seed).steps for seed in range(count))
    return [step for chain in chains for step in chain if type(step) is kind]


@pytest.mark.parametrize(
    ("family", "kind"), [("tem", noise.Poisson), ("stem", noise.Detector), ("sem", noise.Detector)]
)
def test_doses_are_those_of_the_paper_in_half_of_the_draws(family, kind):
    """Exponential of scale 0.5 over [0.5, 750] electrons a pixel, cut at its end; else uniform in the logarithm."""
    doses = np.array([step.counts for step in drawn_steps(kind, family, 3000)]) * 0.5

    def share_below(dose):
        along = np.clip((dose - 0.5) / 749.5, 0, 1)
        exponential = (1 - np.exp(-along / 0.5)) / (1 - np.exp(-2))
        return 0.5 * exponential + 0.5 * np.log(np.clip(dose, 0.5, 750) / 0.5) / np.log(1500)

    assert doses.min() >= 0.5
    assert doses.max() <= 750
    assert stats.kstest(doses, share_below).pvalue > 1e-5


def test_jitter_has_the_ranges_of_the_paper():
    """Present in 0.9 of the images; s in [0.0025, 0.8] Å, half of it in the logarithm, and phi in [0, 0.7]."""
    steps = drawn_steps(noise.Jitter, "stem", 3000, pixel_size=0.1)
    assert stats.binomtest(len(steps), 3000, 0.9).pvalue > 1e-5

    def share_below(spread):
        uniform = np.clip((spread - 0.0025) / 0.7975, 0, 1)
        return 0.5 * uniform + 0.5 * np.log(np.clip(spread, 0.0025, 0.8) / 0.0025) / np.log(320)

    for axis in ("x", "y"):
        spreads = np.array([getattr(step, axis) for step in steps]) * 0.1
        assert stats.kstest(spreads[spreads > 0], share_below).pvalue > 1e-5
        assert stats.kstest([getattr(step, f"{axis}_phi") / 0.7 for step in steps], "uniform").pvalue > 1e-5
    lines = np.array([step.line for step in steps]) * 0.1
    assert lines.max() <= 0.25
    assert all((step.line == 0) == (step.x == 0) for step in steps)
    assert all(step.low == 0.5 and step.high == 1.5 for step in drawn_steps(noise.RowLines, "stem", 100))


@pytest.mark.parametrize("family", ["tem", "stem", "sem"])
def test_a_microscope_draws_from_its_prior(family):
    image = image_of((64, 64)) * 0.5 + 0.25
    microscope = noise.FAMILIES[family](pixel_size=0.2)
    chains = [microscope.draw(image, seed) for seed in range(400)]
    assert chains[7] == microscope.draw(image, 7)
    for prior in microscope.priors:
        found = [step for chain in chains for step in chain.steps if type(step) is prior.kind]
        assert stats.binomtest(len(found), len(chains), prior.present).pvalue > 1e-5
        for name, limits in prior.ranges.items():
            if limits.unit == "1":
                values = [getattr(step, name) for step in found]
                values = [value for value in values if value or not prior.either]  # 0 is what does not occur
                assert limits.low * (0.5 if prior.halved else 1.0) <= min(values)
                assert max(values) <= limits.high


def test_every_range_says_where_it_is_from():
    ranges = {
        (prior.kind.__name__, name): limits
        for prior in (*noise.TEM, *noise.STEM)
        for name, limits in prior.ranges.items()
    }
    assert {limits.source for limits in ranges.values()} == {"paper", "files", "bounds"}
    spread = noise.Range(0.0025, 0.8, "uniform or log", "angstrom", source="paper")
    phi = noise.Range(0.0, 0.7, source="paper")
    paper = {(kind, name): limits for (kind, name), limits in ranges.items() if limits.source == "paper"}
    assert paper == {
        ("Jitter", "x"): spread,
        ("Jitter", "y"): spread,
        ("Jitter", "x_phi"): phi,
        ("Jitter", "y_phi"): phi,
    }
    assert noise.Range(0.5, 750.0, "dose or log", "dose", source="paper") == noise.priors.DOSE


def test_what_a_camera_reads_follows_its_thermal_noise():
    """Their ratio is the prior's, whatever the mean."""
    chains = [noise.Tem().draw(np.full((16, 16), mean), seed).steps for mean in (0.01, 5.0) for seed in range(600)]
    for kind in (noise.Flicker, noise.Reset, noise.ColumnPattern):
        limits = next(prior.ranges["level"] for prior in noise.TEM if prior.kind is kind)
        ratios = []
        for chain in chains:
            levels = {type(step): step.level for step in chain if isinstance(step, noise.Thermal | kind)}
            ratios += [levels[kind] / levels[noise.Thermal]] if len(levels) == 2 else []
        assert limits.low <= min(ratios) < 1.2 * limits.low
        assert limits.high / 1.2 < max(ratios) <= limits.high


def test_jitter_of_the_prior_is_along_x_or_y_or_both():
    drawn = [noise.Stem(pixel_size=0.1).draw(image_of((8, 8)), seed) for seed in range(600)]
    jitter = [step for chain in drawn for step in chain.steps if isinstance(step, noise.Jitter)]
    alone = [(step.x == 0, step.y == 0) for step in jitter]
    for case, share in (((True, False), 0.25), ((False, True), 0.25), ((False, False), 0.5)):
        assert stats.binomtest(alone.count(case), len(jitter), share).pvalue > 1e-5
    assert max(step.x for step in jitter) == pytest.approx(8.0, rel=0.1)


def test_decay_along_rows_is_as_in_real_files():
    """Noise has 0.19 to 0.30 in common with the next pixel in four files; in one 0.12, and -0.22 with the second."""
    common = []
    for step in drawn_steps(noise.FastScan, "stem", 2000):
        taps = np.pad(step.taps(512), (0, 6))
        common.append([float((taps[lag:] * taps[:-lag]).sum() / (taps**2).sum()) for lag in range(1, 7)])
    first, lowest = np.array(common)[:, 0], np.min(common, axis=1)
    low, middle, high = np.percentile(first, (2, 50, 98))
    assert -0.3 < low < 0.12
    assert 0.155 < middle < 0.4
    assert 0.3 < high < 0.65
    assert 0.03 < np.mean(lowest < -0.1) < 0.3
    assert lowest.min() < -0.22
    assert np.percentile(lowest, 1) > -0.45


def test_saturation_leaves_sparse_bright_things():
    image = np.zeros((64, 64))
    image[::16, ::16] = 1.0
    ceilings = [noise.Stem().draw(image, seed).steps for seed in range(400)]
    found = [step.ceiling for chain in ceilings for step in chain if isinstance(step, noise.Saturation)]
    assert len(found) > 30
    assert min(found) >= 0.6


@pytest.mark.parametrize("family", ["tem", "stem", "sem"])
def test_too_bright_images_are_refused(family):
    with pytest.raises(ImageError, match="scale it"):
        noise.apply(np.full((16, 16), 1e300), noise.FAMILIES[family](), 1)


def test_sem_has_no_black_pixels():
    assert {prior.kind for prior in noise.STEM} - {prior.kind for prior in noise.SEM} == {noise.BlackPixels}


def test_a_given_dose_is_kept():
    flat = np.full((64, 64), 0.5)
    chain = noise.Stem(counts=7.0).draw(flat, 3)
    assert next(step.counts for step in chain.steps if isinstance(step, noise.Detector)) == 7.0


BAD = [
    (noise.Detector, {"counts": -1.0}),
    (noise.Stem, {"counts": -5.0}),
    (noise.Stem, {"pixel_size": 0.0}),
    (noise.Jitter, {"x_phi": 1.0}),
    (noise.Jitter, {"x": -0.1}),
    (noise.DarkCurrent, {"spread": 100.0}),
    (noise.BlackPixels, {"high": 1.5}),
    (noise.Zingers, {"low": 0.5}),
    (noise.RowLines, {"low": 2.0}),
    (noise.Quantisation, {"steps": 0.0}),
    (noise.FastScan, {"phase": 0.0, "decay": 200.0, "period": 4.0}),
    (noise.Flicker, {"level": float("nan")}),
]


@pytest.mark.parametrize(("kind", "values"), BAD, ids=lambda value: getattr(value, "__name__", str(value)))
def test_bad_parameters_are_named(kind, values):
    with pytest.raises(ParameterError, match=next(iter(values))):
        kind(**values)


def test_a_microscope_refuses_negative_pixels():
    with pytest.raises(ImageError, match="negative"):
        noise.apply(np.full((4, 4), -0.1), noise.Stem(), 1)


@pytest.mark.parametrize("family", ["tem", "stem", "sem"])
@pytest.mark.parametrize("value", [0.0, 1e-30, 1e20])
def test_a_microscope_takes_flat_images(family, value):
    assert np.isfinite(noise.apply(np.full((9, 17), value), noise.FAMILIES[family](), 5)).all()


def test_steps_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        noise.Jitter().x = 2.0  # type: ignore[misc]
