"""The lag of a detector: against filters that are known, and SciPy's."""

import numpy as np
import pytest
from scipy import linalg, ndimage, signal

from temclean import noise, specimen
from temclean.evidence import lag


def autocorrelation(image: np.ndarray, lags: int) -> np.ndarray:
    """Return that along rows at 1, 2, ... pixels."""
    centred = image.astype(np.float64) - image.mean()
    power = np.mean(centred**2)
    return np.array([np.mean(centred[:, step:] * centred[:, :-step]) for step in range(1, lags + 1)]) / power


@pytest.mark.parametrize("rho", [0.2, 0.5, 0.7])
def test_of_a_decay_the_filter_is_the_one_of_theory(rho: float) -> None:
    white = np.random.default_rng(1).normal(0.0, 10.0, (512, 640))
    lagging = 500.0 + signal.lfilter([1 - rho], [1, -rho], white, axis=1)[:, 64:]
    weights = lag.measure(lagging[None])
    assert weights == pytest.approx([1 / (1 - rho), -rho / (1 - rho), 0, 0, 0], abs=0.1 / (1 - rho))
    assert sum(weights) == pytest.approx(1.0, abs=1e-5)
    assert lag.pixels(weights) == pytest.approx(rho / (1 - rho), rel=0.2)


@pytest.mark.parametrize("detector", [3.0, 4.0, 7.0])
def test_a_scintillator_is_undone_and_its_atoms_are_back_in_their_places(detector: float) -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = (100.0 * np.exp(-((rows % 32 - 16) ** 2 + (columns % 32 - 16) ** 2) / 18) + 20.0).astype(np.float32)
    smear = noise.FastScan(detector=detector, decay=0.0)
    raw = noise.apply(noise.apply(clean, noise.Poisson(4.0), 3), smear, 0)
    undone = lag.undo(raw, lag.measure(raw[None]))

    def off(image: np.ndarray) -> float:
        """Return by how many pixels the atoms stand right of where they are, by their phase in the transform."""
        wave = np.exp(2j * np.pi * columns / 32)
        turn = np.sum((image - image.mean()) * wave.conj()) / np.sum((clean - clean.mean()) * wave.conj())
        return -32 / (2 * np.pi) * float(np.angle(turn))

    assert off(raw) > 0.35
    assert abs(off(undone)) < 0.15
    before, after = (np.abs(autocorrelation(image - clean, 4)).max() for image in (raw, undone))
    assert after < 0.12 < before / 2
    assert undone.mean() == pytest.approx(raw.mean(), rel=1e-3)


def test_lines_that_are_lit_or_lost_are_no_lag() -> None:
    """Nor do they hide one; a decay by 1/e over 1.1 pixels leaves 0.4 of a pixel to the next, and moves by 0.66."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(2).normal(0.0, 1.0, (256, 256)), 5).astype(np.float32)
    counted = noise.apply(np.float32(0.5) + smooth / np.float32(2 * np.ptp(smooth)), noise.Poisson(300.0), 3)
    for decay, wanted in ((1.1, 0.675), (0.0, 0.0)):
        lagging = noise.apply(counted, noise.FastScan(detector=0.0, decay=decay), 4)
        weights = lag.measure(noise.apply(lagging, noise.RowLines(6), 5)[None])
        assert lag.pixels(weights) == pytest.approx(wanted, abs=0.25)


@pytest.mark.parametrize(
    "other",
    [
        lambda image: noise.apply(image, noise.Gaussian(0.2, clip=False), 1),
        lambda image: noise.apply(image, noise.Poisson(20.0), 2),
        lambda image: noise.apply(image, noise.SaltPepper(0.05), 3),
        lambda image: ndimage.gaussian_filter(noise.apply(image, noise.Poisson(20.0), 4), 0.7),
        lambda image: noise.apply(image, noise.Poisson(20.0), 5) + np.random.default_rng(5).normal(0, 0.1, (256, 1)),
        lambda image: signal.lfilter([0.5], [1, -0.5], noise.apply(image, noise.Poisson(20.0), 6), axis=0),
        lambda image: noise.apply(noise.apply(image, noise.Jitter(0.5, 0.4, 0.4), 7), noise.Poisson(60.0), 8),
        lambda image: ndimage.zoom(noise.apply(image, noise.Poisson(20.0), 9), (1, 1.3), order=1),
        lambda image: ndimage.zoom(noise.apply(image, noise.Poisson(20.0), 9), (1, 2), order=1),
        lambda image: image,
    ],
    ids=[
        "white",
        "counted",
        "impulses",
        "resampled",
        "rows",
        "columns",
        "straying beam",
        "stretched",
        "doubled",
        "clean",
    ],
)
def test_where_no_detector_lags_nothing_is_undone(other) -> None:  # type: ignore[no-untyped-def]
    rng = np.random.Generator(np.random.PCG64(11))
    image = specimen.SPECIMENS["coherent"](rng, 256, 0.12).image
    assert lag.measure(np.asarray(other(image), np.float32)[None]) == ()


def test_a_lattice_under_a_straying_beam_is_told_from_a_lag() -> None:
    """In most draws nothing is undone where nothing lags; where something does, by the filter of its own decay."""
    smear = noise.FastScan(detector=3.0, decay=0.0)
    decay = noise.apply(np.eye(1, 400, 8, dtype=np.float32), smear, 0)[0, 8:].astype(np.float64)
    covariance = np.correlate(decay, decay, "full")[len(decay) - 1 :][:5]
    filter_ = np.append(1.0, -linalg.solve_toeplitz(covariance[:4], covariance[1:]))
    wrong, found = 0, []
    for seed in range(8):
        rng = np.random.Generator(np.random.PCG64([4, seed]))
        image = specimen.SPECIMENS["coherent"](rng, 256, 0.15).image
        counted = noise.apply(noise.apply(image, noise.Jitter(0.3, 0.3, 0.2), seed), noise.Poisson(30.0), seed)
        wrong += lag.measure(counted[None]) != ()
        weights = lag.measure(noise.apply(counted, smear, 0)[None])
        found += [weights] if weights else []
    assert wrong <= 1
    assert len(found) >= 5
    assert np.median(found, axis=0) == pytest.approx(filter_ / filter_.sum(), abs=0.15)


def test_a_wild_pixel_leaves_no_trail() -> None:
    rng = np.random.default_rng(5)
    image = rng.normal(100.0, 2.0, (64, 64))
    image[20, 30] = 5000.0
    undone = lag.undo(image, (2.0, -1.0))
    assert undone[20, 30] == pytest.approx(5000.0, rel=0.05)
    assert np.abs(undone[20, 31:35] - 100.0).max() < 30


@pytest.mark.parametrize(
    ("given", "got"), [("u1", "f4"), (">u2", "f4"), ("i4", "f8"), ("f4", "f4"), ("f8", "f8"), ("f2", "f4")]
)
def test_types_that_hold_the_image_come_back(given: str, got: str) -> None:
    image = np.random.default_rng(9).normal(100.0, 20.0, (40, 60)).round().astype(given)
    undone = lag.undo(image, (1.5, -0.5))
    assert undone.dtype == np.dtype(got)
    plain = 1.5 * image.astype(np.float64) - 0.5 * np.concatenate([image[:, :1], image[:, :-1]], 1).astype(np.float64)
    assert undone[:, 2:-1] == pytest.approx(plain[:, 2:-1], abs=1e-3)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 40, 400), (1, 400, 40), (3, 64, 64)])
def test_small_and_flat_images_have_no_lag(shape: tuple[int, ...]) -> None:
    assert lag.measure(np.zeros(shape, np.uint8)) == ()
    assert lag.measure(np.random.default_rng(0).normal(size=shape)) == ()


def test_where_there_is_hardly_any_noise_nothing_overflows() -> None:
    y, x = np.mgrid[:256, :256]
    smooth = np.exp(-((y - 100.0) ** 2 + (x - 90.0) ** 2) / 3200).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert lag.measure(smooth[None]) == ()


def test_a_note_is_read_back() -> None:
    weights = (1.7, -0.65, -0.05)
    assert lag.weights_of(lag.noted(weights)) == weights
    for text in ("", "1", "a b", "nan nan", "3 4", "1e999 -1e999", " ".join(["0.1"] * 10), None):
        assert lag.weights_of(text) == ()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_holds_no_number_stays_as_it_is(value: float) -> None:
    image = np.random.default_rng(6).normal(100.0, 30.0, (64, 96))
    image[20, 30] = value
    np.testing.assert_array_equal(lag.undo(image, (1.5, -0.5)), image)


def test_what_is_cut_off_stays_cut_off() -> None:
    rng = np.random.default_rng(6)
    image = signal.lfilter([0.6], [1, -0.4], rng.normal(100.0, 30.0, (64, 96)), axis=1).clip(90.0, 120.0)
    undone = lag.undo(image, (1 / 0.6, -0.4 / 0.6))
    for end in (90.0, 120.0):
        assert (undone[image == end] == end).all()
    assert (undone.min(), undone.max()) == (90.0, 120.0)
    inside = (image > 90.0) & (image < 120.0)
    assert not np.array_equal(undone[inside], image[inside])


@pytest.mark.parametrize("period", [2.5, 2.6, 2.8, 3.2])
def test_a_lattice_of_few_pixels_is_no_lag(period: float) -> None:
    """Its filter amplified the noise fourfold, and the lattice was lost under it."""
    rows, columns = np.mgrid[:256, :256]
    waves = [
        np.cos(2 * np.pi * (columns * np.cos(angle) + rows * np.sin(angle)) / (0.866 * period))
        for angle in 0.6 + np.pi / 3 * np.arange(3)
    ]
    image = np.exp(np.sum(waves, axis=0) / 2) + np.random.default_rng(1).normal(0, 0.2, rows.shape)
    assert lag.measure(image[None]) == ()
