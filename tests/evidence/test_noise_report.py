"""The noise report, against noise that was put in with NumPy's own generators."""

import math
import time

import numpy as np
import pytest
from scipy import ndimage

from temclean import noise, specimen
from temclean.errors import ImageError
from temclean.evidence.noise import NoiseReport, measure, report
from temclean.evidence.samples import Sample, forget, remembered, sample

SIDE = 384
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
SMOOTH = 0.5 + 0.45 * np.sin(COLUMNS / 80) * np.cos(ROWS / 110)
FLAT = np.full((SIDE, SIDE), 0.5)
COARSE = np.clip(0.05 + 0.9 * np.exp(-((COLUMNS % 14 - 7.0) ** 2 + (ROWS % 14 - 7.0) ** 2) / 18), 0, 1)
SCENES = {"flat": FLAT, "smooth": SMOOTH, "lattice": COARSE}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("level", [0.02, 0.1, 0.2, 0.36])
def test_gaussian_noise_is_measured_whether_it_is_cut_off_or_not(scene: str, level: float) -> None:
    noisy = SCENES[scene] + np.random.default_rng(1).normal(0, level, FLAT.shape)
    for image in (noisy, noisy.clip(0, 1)):
        report = measure(1000 + 300 * image)
        assert report.sigma == pytest.approx(300 * level, rel=0.1)
        assert report.gain == 0
        assert report.impulses < 0.06 * level / 0.36  # what is not told from tails, on a flat image
        assert report.white


@pytest.mark.parametrize("level", [0.05, 0.2, 0.36])
@pytest.mark.parametrize("family", ["sp", "gsp"])
def test_salt_and_pepper_is_counted_and_grain_beside_it_measured(family: str, level: float) -> None:
    report = measure(noise.apply(SMOOTH, noise.FAMILIES[family](level), 1))  # type: ignore[call-arg]
    # Where grain as strong hides hits on grey, a fifth to a third of them are not told from it.
    least = 0.9 if family == "sp" or level < 0.1 else 0.7
    assert least * level < report.impulses < 1.1 * level
    assert report.sigma == pytest.approx(level if family == "gsp" else 0, rel=0.1, abs=1e-3)


@pytest.mark.parametrize("scene", ["flat", "smooth"])
@pytest.mark.parametrize("level", [0.12, 0.2, 0.3, 0.36])
def test_specks_in_grain_that_hides_some_of_them_are_counted(scene: str, level: float) -> None:
    rng = np.random.default_rng(9)
    grainy = np.clip(SCENES[scene] + rng.normal(0, level, FLAT.shape), 0, 1)
    hit = rng.random(FLAT.shape) < level
    report = measure(np.where(hit, np.where(grainy < 0.5, 1.0, 0.0), grainy))
    assert report.impulses == pytest.approx(level, rel=0.1)
    assert abs(report.impulses - hit.mean()) < 4 * report.impulses_error


def test_fine_structure_is_not_taken_for_noise_nor_for_its_correlation() -> None:
    rng = np.random.default_rng(10)
    dots = 0.5 + 0.25 * (np.cos(2 * np.pi * COLUMNS / 6.3) * np.cos(2 * np.pi * ROWS / 5.7))
    report = measure(dots + rng.normal(0, 0.02, dots.shape))
    assert report.sigma == pytest.approx(0.02, rel=0.1)
    assert report.white
    assert measure(rng.poisson(200 * dots)).at(100) == pytest.approx(10, rel=0.1)


def test_stretches_of_rows_that_stand_out_add_nothing_to_the_noise() -> None:
    rng = np.random.default_rng(11)
    image = SMOOTH + rng.normal(0, 0.03, SMOOTH.shape)
    for row in range(7, SIDE, 25):
        start = int(rng.integers(0, 150))
        image[row, start : start + 200] *= 1.6
    report = measure(image)
    assert report.sigma == pytest.approx(0.03, rel=0.03)
    assert abs(report.along_rows[0]) < 0.03


def test_a_gain_that_is_not_sure_has_an_error_that_says_so() -> None:
    # Intensities that hardly differ: 99 to 101 counts.
    report = measure(np.random.default_rng(12).poisson(100 + 2 * (SMOOTH - 0.5)))
    assert report.gain == 0
    assert 4 * report.gain_error > 1


@pytest.mark.parametrize("counts", [0.5, 2, 10, 100, 1000])
def test_counted_electrons_have_their_gain_and_offset(counts: float) -> None:
    rng = np.random.default_rng(2)
    report = measure(rng.poisson(counts * SMOOTH) * 7.0)
    assert report.gain == pytest.approx(7, rel=0.1)
    assert report.step == pytest.approx(7)
    if counts >= 10:
        report = measure(100 + 7 * rng.poisson(counts * SMOOTH))
        assert report.gain == pytest.approx(7, rel=0.1)
        assert report.offset == pytest.approx(100, abs=0.1 * 7 * counts)
        assert report.clipped_low == 0


def test_read_out_noise_beside_counted_electrons() -> None:
    rng = np.random.default_rng(3)
    image = 3 * rng.poisson(50 * SMOOTH) + rng.normal(0, 20, SMOOTH.shape)
    report = measure(image)
    assert report.gain == pytest.approx(3, rel=0.1)
    assert report.sigma == pytest.approx(20, rel=0.1)
    assert report.at(75) == pytest.approx(np.sqrt(400 + 3 * 75), rel=0.05)


@pytest.mark.parametrize("turned", [False, True])
def test_noise_of_rows_and_columns(turned: bool) -> None:
    rng = np.random.default_rng(4)
    image = SMOOTH + rng.normal(0, 0.1, SMOOTH.shape) + rng.normal(0, 0.05, (SIDE, 1))
    report = measure(image.T if turned else image)
    along, across = (report.column, report.row) if turned else (report.row, report.column)
    assert along == pytest.approx(0.05, rel=0.1)
    assert across == 0
    assert report.sigma == pytest.approx(0.1, rel=0.05)
    assert not report.white
    lattice = 0.5 + 0.22 * (np.cos(2 * np.pi * COLUMNS / 8) + np.cos(2 * np.pi * ROWS / 8))
    assert measure(lattice + rng.normal(0, 0.02, lattice.shape)).row == 0


def test_the_report_does_not_depend_on_how_an_image_lies_in_memory() -> None:
    image = SMOOTH + np.random.default_rng(7).normal(0, 0.1, SMOOTH.shape)
    assert measure(np.asfortranarray(image)) == measure(image)


@pytest.mark.parametrize("rho", [0.3, 0.6])
def test_correlation_along_rows_is_that_of_a_slow_detector(rho: float) -> None:
    white = np.random.default_rng(5).normal(0, 0.1, SMOOTH.shape)
    slow = white.copy()
    for column in range(1, SIDE):
        slow[:, column] = rho * slow[:, column - 1] + np.sqrt(1 - rho**2) * white[:, column]
    report = measure(SMOOTH + slow)
    assert report.along_rows[:3] == pytest.approx([rho, rho**2, rho**3], abs=0.03)
    assert report.along_columns[0] == pytest.approx(0, abs=0.03)
    assert report.row_length == pytest.approx(-1 / np.log(rho), rel=0.2)
    assert report.column_length == 0
    assert report.sigma == pytest.approx(0.1, rel=0.1)


def smooth(rng: np.random.Generator, width: float, *axes: int) -> np.ndarray:
    """Return noise of a standard deviation of 1 that hangs together along axes, by the sum of squares of a Gaussian."""
    drawn = rng.normal(size=FLAT.shape)
    for axis in axes:
        weights = ndimage.gaussian_filter1d(np.eye(1, 101, 50)[0], width)
        drawn = ndimage.gaussian_filter1d(drawn, width, axis, mode="wrap") / math.sqrt(float((weights**2).sum()))
    return drawn


@pytest.mark.parametrize("width", [0.8, 1.5, 3.0])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("scene", SCENES)
def test_noise_that_is_smooth_along_one_axis_is_as_strong_as_it_was_made(scene: str, axis: int, width: float) -> None:
    noisy = 50 + 100 * SCENES[scene] + 8.75 * smooth(np.random.default_rng(5), width, axis)
    report = measure(noisy[:256, :256])
    assert report.at(100.0) == pytest.approx(8.75, rel=0.1)
    assert abs(report.at(100.0) - 8.75) < 1.96 * report.error_at(100.0)
    along, across = (report.along_columns, report.along_rows)[:: 1 if axis == 0 else -1]
    assert along[0] == pytest.approx(math.exp(-1 / (4 * width**2)), abs=0.05)  # two such Gaussians, a pixel apart
    assert abs(across[0]) < 0.1
    assert not report.fine_structure


@pytest.mark.parametrize("width", [0.8, 1.2, 2.0])
def test_noise_that_is_smooth_along_both_axes_is_told_to_be_unsure(width: float) -> None:
    """Nothing tells it from structure, so the error reaches up to what it may be."""
    right = []
    for seed in range(3):
        for scene in SCENES.values():
            noisy = 50 + 100 * scene + 8.75 * smooth(np.random.default_rng(seed), width, 0, 1)
            report = measure(noisy[:192, :192])
            right.append(abs(report.at(100.0) - 8.75) < 1.96 * report.error_at(100.0))
            assert report.row_length
            assert report.column_length
    assert np.mean(right) > 0.9


def test_clipping_steps_and_wild_pixels() -> None:
    rng = np.random.default_rng(6)
    image = np.round(np.clip(120 + 60 * SMOOTH + rng.normal(0, 12, SMOOTH.shape), 110, 180)).astype(np.uint8)
    hot = rng.random(image.shape) < 0.002
    report = measure(image)
    assert (report.clipped_low, report.clipped_high) == ((image == 110).mean(), (image == 180).mean())
    assert report.step == pytest.approx(1)
    bright = image.astype(np.uint16)
    bright[hot] = rng.integers(1000, 60000, int(hot.sum()))
    assert measure(bright).bright == pytest.approx(hot.mean(), rel=0.1)
    assert measure(np.round((SMOOTH + rng.normal(0, 0.1, SMOOTH.shape)) / 0.03) * 0.03).step == pytest.approx(0.03)


def by_chance(image: np.ndarray) -> NoiseReport:
    """Return the report whose errors know of chance and coarse structure alone."""
    found = sample(image)
    assert found
    return report(found)


def test_errors_are_those_of_chance() -> None:
    reports = [by_chance(np.random.default_rng(seed).normal(5, 2, (256, 256))) for seed in range(20)]
    found = np.array([report.sigma for report in reports])
    error = float(np.mean([report.sigma_error for report in reports]))
    assert abs(found.mean() - 2) < 3 * error
    assert 0.5 < found.std() / error < 2
    least = measure(np.random.default_rng(0).normal(5, 2, (256, 256))).sigma_error
    assert 0.03 < least < 0.045  # no real noise is known so well as chance allows


def test_errors_of_gain_offset_and_level_are_those_of_chance() -> None:
    # The variance of counts at 7 a count above 100 is 7 (p - 100).
    reports = [by_chance(100 + 7 * np.random.default_rng(seed).poisson(30 * SMOOTH)) for seed in range(16)]
    at, low = 100 + 7 * 15.0, 100 + 7 * 4.0
    for found, true, errors in (
        ([each.gain for each in reports], 7.0, [each.gain_error for each in reports]),
        ([each.offset for each in reports], 100.0, [each.offset_error for each in reports]),
        ([each.at(at) for each in reports], 7 * np.sqrt(15), [each.error_at(at) for each in reports]),
        ([each.at(low) for each in reports], 7 * np.sqrt(4), [each.error_at(low) for each in reports]),
    ):
        pulls = (np.array(found) - true) / np.array(errors)
        assert abs(pulls.mean()) < 1.5
        assert 0.25 < pulls.std() < 2  # errors hold for images with structure too, which this has not
    wild = [measure(noise.apply(SMOOTH, noise.SaltPepper(0.1), seed)) for seed in range(8)]
    assert np.std([each.impulses for each in wild]) < 2 * wild[0].impulses_error
    assert 1 < wild[0].impulses_error / (np.sqrt(0.1 * 0.9) / SIDE) < 1.5


@pytest.mark.parametrize("kind", ["tem", "stem", "sem"])
def test_noise_of_microscopes_is_that_of_their_flat_exposures(kind: str) -> None:
    # As a camera's photon transfer curve: the same steps on an even area. Moved structure is left out.
    ratios = []
    for seed in range(6):
        clean = specimen.scale(specimen.draw("soft-particles", 256, 0.1, seed).image)
        chain = noise.FAMILIES[kind](pixel_size=0.3).draw(clean, seed)  # type: ignore[attr-defined, call-arg]
        uneven = noise.Jitter, noise.RowLines, noise.BlackPixels, noise.Zingers, noise.Flicker
        steps = noise.Chain(tuple(step for step in chain.steps if not isinstance(step, uneven)))
        flat = noise.apply(np.full((256, 300), np.median(clean)), steps, seed + 100)[:, 44:]
        report = measure(noise.apply(clean, steps, seed))
        found = math.hypot(report.at(float(flat.mean())), report.row, report.column)
        ratios.append(found / flat.std())
    assert ratios == pytest.approx([1.0] * 6, abs=0.1)


def test_the_kinds_of_noise_are_named() -> None:
    rng = np.random.default_rng(8)
    grain = rng.normal(0, 0.1, SMOOTH.shape)
    assert measure(SMOOTH + grain).family == "Gaussian"
    assert measure(SMOOTH + grain + rng.normal(0, 0.1, (1, SIDE))).family == "Gaussian, columns"
    assert measure(noise.apply(SMOOTH, noise.SaltPepper(0.1), 1)).family == "impulses"
    assert measure(rng.poisson(50 * SMOOTH)).family == "Poisson"
    assert measure(3 * rng.poisson(50 * SMOOTH) + 200 * grain).family == "Poisson-Gaussian"
    assert measure(-rng.poisson(50 * SMOOTH)).family == "falling with the signal"
    assert measure(SMOOTH).family == "none"
    blurred = grain[1:, 1:] + grain[:-1, 1:] + grain[1:, :-1] + grain[:-1, :-1]
    assert measure(blurred).fine_structure
    assert not measure(grain).fine_structure


def test_of_a_large_image_pieces_are_enough_and_of_a_small_one_a_guess() -> None:
    rng = np.random.default_rng(7)
    large = rng.normal(0, 3, (1500, 2100)).astype(np.float32)
    assert measure(large).sigma == pytest.approx(3, rel=0.02)
    assert measure(large[:16, :16]).sigma == pytest.approx(3, rel=0.5)
    for shape in ((2, 2), (1, 9), (5, 300), (2000, 3)):
        assert measure(rng.random(shape)).sigma >= 0


def test_what_cannot_be_measured_is_refused() -> None:
    for image in (np.ones((64, 64)), np.full((64, 64), np.nan), np.ones(4), np.ones((2, 64, 64))):
        with pytest.raises(ImageError):
            measure(image)


def test_what_is_measured_of_a_sample_is_remembered_for_that_one_alone() -> None:
    asked = []

    @remembered
    def mean(known: Sample, *, twice: bool = False) -> float:
        asked.append(known)
        return (1 + twice) * (known.low + known.width * float(known.pieces.mean()))

    images = [np.random.default_rng(seed).random((16, 16)) for seed in range(8)]
    taken = [sample(image) for image in images]
    found = [mean(each) for each in taken if each]
    np.testing.assert_allclose(found, [image.mean() for image in images], rtol=1e-6)
    again, other, scaled = sample(images[0].copy()), sample(images[0]), sample(images[0] * 2)
    assert again is not None
    assert other is not None
    assert scaled is not None
    assert mean(again) == found[0]
    assert len(asked) == 8
    assert mean(other, twice=True) == 2 * found[0]
    assert mean(scaled) == pytest.approx(2 * found[0])
    assert len(asked) == 10
    assert mean(again) == found[0]  # two others came since
    assert len(asked) == 11
    forget()
    assert mean(again) == found[0]
    assert len(asked) == 12


def test_measuring_takes_less_time_than_a_median_over_5_pixels() -> None:
    image = noise.apply(specimen.draw("lattice", 512, 0.1, 3).image, noise.GaussianSaltPepper(0.2), 1)
    spent: dict[str, list[float]] = {"ours": [], "median": []}
    for _ in range(4):
        forget()
        for name, work in (("ours", measure), ("median", lambda pixels: ndimage.median_filter(pixels, 5))):
            began = time.process_time()
            work(image)
            spent[name].append(time.process_time() - began)
    assert min(spent["ours"]) < min(spent["median"])


def test_on_fine_lattices_most_truths_are_within_two_errors() -> None:
    held = []
    for seed in range(16):
        rng = np.random.default_rng([21, seed])
        down, across = 2 * np.pi / (3.2 + 4 * rng.random(2))
        clean = 0.5 + 0.35 * (np.cos(down * ROWS) * np.cos(across * COLUMNS))[:160, :160]
        level = 10 ** rng.uniform(-2.2, -1)
        report = measure(clean + rng.normal(0, level, clean.shape))
        held.append(abs(report.at(0.5) - level) <= 1.96 * report.error_at(0.5))
    assert np.mean(held) >= 0.9  # 11 of 16 where what was taken off for structure is in no doubt


def test_structure_that_hangs_together_along_both_axes_may_be_all_of_what_counts_as_noise() -> None:
    for seed in range(4):
        rng = np.random.default_rng([22, seed])
        places = rng.random((2, 6000, 1)) * 256
        spots = [np.exp(-0.5 * ((np.arange(256) - each) / 0.75) ** 2) for each in places]  # 0.75 pixels wide
        clean = spots[0].T @ spots[1]
        level = 0.01 * float(clean.max())
        report = measure(clean + rng.normal(0, level, clean.shape))
        assert report.along_rows[0] > 5 * report.along_error
        assert min(report.along_rows[0], report.along_columns[0]) <= 2 * report.along_doubt
        middle = float(clean.mean())
        assert abs(report.at(middle) - level) <= 1.96 * report.error_at(middle)
    slow = rng.normal(0, 1, (256, 257))
    slow = slow[:, 1:] + slow[:, :-1]  # along rows alone: no structure has that
    report = measure(slow)
    assert report.along_rows[0] == pytest.approx(0.5, abs=0.03)
    assert report.along_doubt < 0.03


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_values_beyond_all_others_make_nothing_divide_by_zero() -> None:
    draw = np.random.default_rng(0)
    image = np.where(draw.random((256, 256)) < 1e-4, 1e100, draw.normal(5, 1, (256, 256)))
    assert math.isfinite(measure(image).at(5.0))


@pytest.mark.parametrize("width", [24, 32, 40, 63, 90])
def test_noise_of_whole_rows_is_measured_in_narrow_images_too(width: int) -> None:
    off = []
    for seed in range(16):
        rng = np.random.default_rng(seed)
        shared = rng.normal(0, 5, (256, 1))
        lined = measure(rng.normal(100, 5, (256, width)) + shared)
        off.append((lined.row - 5) / lined.row_error)
        plain = measure(rng.normal(100, 5, (256, width)))
        assert plain.row == 0
        assert plain.row_error > 0
    assert abs(np.mean(off)) < 0.75
    assert 0.6 < np.sqrt(np.mean(np.square(off))) < 1.4  # of 16, within 2.3 standard errors


def test_of_rows_too_short_to_tell_the_error_says_so() -> None:
    report = measure(np.random.default_rng(3).normal(100, 5, (256, 20)))
    assert report.row == 0
    assert report.row_error == pytest.approx(5, rel=0.4)
