"""Weak reflections of a lattice that a result lacks come back where the lattice is; noise and defects do not change."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.corrections import deviations, lattices
from temclean.evidence.corrections.recorded import Recorded

SIZE = 512
LATTICE, NOTHING = np.s_[96:-96, 24:224], np.s_[96:-96, 352:-24]
"""Parts of the image that lie inside of the crystal and outside."""


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave deviations as they are: test_deviations.py tells of them."""
    monkeypatch.setattr(deviations, "lost", lambda *_: None)


def crystal() -> np.ndarray:
    """Return Gaussian columns on a turned square lattice in the left half of an image, nothing beside."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(float)
    u, v = 0.96 * y + 0.28 * x, 0.96 * x - 0.28 * y
    columns = sum(
        np.exp(-2 * (np.pi * 2.2 / 11.3) ** 2 * (h * h + k * k)) * np.cos(2 * np.pi * (h * u + k * v) / 11.3)
        for h in range(-4, 5)
        for k in range(-4, 5)
    )
    edge = 0.5 - 0.5 * np.tanh((x - 272.0) / 6.0)
    return (0.2 + 0.6 * edge * (columns - columns.min()) / np.ptp(columns)).astype(np.float32)


def weakened(image: np.ndarray, share: float = 0.4) -> np.ndarray:
    """Return an image of whose waves of 8 pixels and less this share is left: reflections but for the first."""
    spectrum = np.fft.fft2(image)
    order = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE), indexing="ij"))
    return np.fft.ifft2(np.where(order > 1 / 9.0, share, 1.0) * spectrum).real.astype(np.float32)


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


def noisy(clean: np.ndarray, kind: str, seed: int = 0) -> tuple[np.ndarray, float]:
    """Return a noisy image, and the standard deviation of its noise."""
    rng = np.random.default_rng(seed)
    if kind == "counts":
        raw = rng.poisson(6.0 * clean).astype(np.float32) / np.float32(6.0)
        return raw, float(np.sqrt(clean.mean() / 6.0))
    raw = clean + 0.3 * rng.standard_normal(clean.shape).astype(np.float32)
    if kind == "specks":
        raw = raw.clip(0.0, 1.0)
        hit = rng.random(clean.shape) < 0.05
        raw[hit] = rng.integers(0, 2, hit.sum())
    return (raw.clip(0.0, 1.0) if kind == "cut off" else raw), 0.3


@pytest.mark.parametrize("kind", ["Gaussian", "cut off", "counts", "specks"])
def test_reflections_come_back_where_the_lattice_is(kind: str) -> None:
    clean = crystal()
    before = weakened(clean)
    raw, level = noisy(clean, kind)
    result = before.copy()
    lattices.correct(raw, result)
    assert rms((before - clean)[LATTICE]) > 0.05 * level
    left = 0.5 if kind == "specks" else 0.4  # pixels that were hit tell nothing
    assert rms((result - clean)[LATTICE]) < left * rms((before - clean)[LATTICE])
    assert rms((result - before)[NOTHING]) < 0.15 * rms((before - clean)[LATTICE])


@pytest.mark.parametrize("kind", ["Gaussian", "cut off", "counts", "specks"])
def test_what_is_right_stays(kind: str) -> None:
    clean = crystal()
    for seed in range(3):
        raw, level = noisy(clean, kind, seed)
        result = clean.copy()
        lattices.correct(raw, result)
        assert rms(result - clean) < 0.01 * level


def test_of_counts_with_a_replaced_pixel_what_was_recorded_tells_the_noise() -> None:
    clean = 0.3 * crystal()
    raw, _ = noisy(clean, "counts")
    replaced = raw.copy()
    replaced[200, 100] = clean[200, 100]
    result = clean.copy()
    lattices.correct(replaced, result, recorded=Recorded(raw))
    assert rms(result - clean) < 2e-3


def test_noise_that_a_model_left_does_not_grow() -> None:
    for seed in range(3):
        raw, _ = noisy(np.full((SIZE, SIZE), 0.5, np.float32), "Gaussian", seed)
        left = ndimage.gaussian_filter(raw, 2.0)
        result = left.copy()
        lattices.correct(raw, result)
        assert rms(result - left) < 0.05 * rms(left - 0.5)


def test_a_vacancy_stays_empty() -> None:
    clean = crystal()
    middle = np.array([250.0, 120.0])
    turned = np.array([[0.96, 0.28], [-0.28, 0.96]])
    site = np.linalg.solve(turned, np.round(turned @ middle / 11.3) * 11.3)
    y, x = np.mgrid[:SIZE, :SIZE]
    gone = np.exp(-0.5 * ((y - site[0]) ** 2 + (x - site[1]) ** 2) / 2.2**2)
    clean = clean - (clean.max() - 0.2) * gone.astype(np.float32)
    raw, _ = noisy(clean, "Gaussian")
    result = weakened(clean, 0.8)
    lattices.correct(raw, result)
    row, column = np.round(site).astype(int)
    assert result[row, column] < 0.3


def test_what_is_too_strong_is_taken_off_unless_the_beam_strayed() -> None:
    clean = crystal()
    raw, _ = noisy(clean, "Gaussian")
    before = weakened(clean, 1.6)
    result, strayed = before.copy(), before.copy()
    lattices.correct(raw, result)
    lattices.correct(raw, strayed, strayed=True)
    assert rms((result - clean)[LATTICE]) < 0.5 * rms((before - clean)[LATTICE])
    assert rms(strayed - before) < 0.05 * rms((before - clean)[LATTICE])


def without(image: np.ndarray, share: float) -> np.ndarray:
    """Return an image without the third ring of its reflections, the (1 1) kind, but for a share of it."""
    spectrum = np.fft.fft2(image)
    order = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE), indexing="ij"))
    ring = np.abs(order - np.sqrt(2) / 11.3) < 0.006
    return np.fft.ifft2(np.where(ring, share, 1.0) * spectrum).real.astype(np.float32)


@pytest.mark.parametrize("strayed", [False, True])
@pytest.mark.parametrize("share", [0.0, -0.5])
def test_reflections_that_are_gone_or_reversed_come_back(share: float, strayed: bool) -> None:
    clean = crystal()
    raw, _ = noisy(clean, "Gaussian")
    before = without(clean, share)
    result = before.copy()
    lattices.correct(raw, result, strayed=strayed)
    assert rms((result - clean)[LATTICE]) < 0.25 * rms((before - clean)[LATTICE])
    assert rms((result - clean)[NOTHING]) < 0.02


def test_a_wave_that_no_others_add_up_to_stays_away() -> None:
    clean = crystal()
    raw, _ = noisy(clean, "Gaussian")
    y, x = np.mgrid[:SIZE, :SIZE]
    hum = 0.03 * np.cos(2 * np.pi * (0.071 * y + 0.203 * x)).astype(np.float32)
    wanted, result = clean.copy(), clean.copy()
    lattices.correct(raw, wanted)
    lattices.correct(raw + hum, result)
    assert rms(result - wanted) < 0.05 * rms(hum)


@pytest.mark.parametrize("how", ["swings", "strays"])
def test_what_a_beam_does_to_rows_does_not_come_back(how: str) -> None:
    clean = crystal()
    swing = 0.8 * np.sin(2 * np.pi * np.arange(SIZE) / 7.3)
    by = swing if how == "swings" else 0.8 * np.random.default_rng(8).standard_normal(SIZE)
    across = np.arange(SIZE)
    moved = np.stack([np.interp(across + each, across, row) for row, each in zip(clean, by, strict=True)])
    raw = moved + (0.3 if how == "swings" else 0.02) * np.random.default_rng(0).standard_normal(moved.shape)
    half = (0.5 * (clean + moved)).astype(np.float32)  # as a network does that follows rows by half
    result = half.copy()
    lattices.correct(raw.astype(np.float32), result)
    assert rms((moved - half)[LATTICE]) > 0.015
    followed = (moved - half)[LATTICE]
    assert abs(float(((result - half)[LATTICE] * followed).sum() / (followed**2).sum())) < 0.1


def test_hits_tell_nothing() -> None:
    clean = crystal()
    raw, _ = noisy(clean, "Gaussian")
    places = [(int(row), int(column)) for row, column in np.random.default_rng(5).integers(0, SIZE, (40, 2))]
    hit = raw.copy()
    hit[tuple(np.array(places).T)] = 30.0
    wanted, result = weakened(clean), weakened(clean)
    lattices.correct(raw, wanted)
    lattices.correct(hit, result, [*places, (3, 10**6), (10**6, 3)], recorded=Recorded(raw))
    assert rms(result - wanted) < 0.02 * rms((wanted - weakened(clean))[LATTICE])


def test_whole_numbers_and_other_units_come_out_alike() -> None:
    clean = crystal()
    raw, _ = noisy(clean, "Gaussian")
    wanted, counts = weakened(clean), np.rint(20_000 + 9_000 * raw).astype(np.uint16)
    result = np.rint(20_000 + 9_000 * wanted).astype(np.uint16)
    lattices.correct(raw, wanted)
    lattices.correct(counts, result)
    assert rms((result - 20_000.0) / 9_000.0 - wanted) < 1e-3


def test_windows_take_no_more_memory_where_there_are_more_rows() -> None:
    clean = np.tile(crystal(), (12, 1))
    raw = clean + 0.3 * np.random.default_rng(2).standard_normal(clean.shape).astype(np.float32)
    peaks = []
    for rows in (4 * SIZE, 12 * SIZE):
        result = 0.9 * clean[:rows]
        tracemalloc.start()
        lattices.correct(raw[:rows], result)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert not np.array_equal(result, 0.9 * clean[:rows])
    assert peaks[1] - peaks[0] < 2.5 * 8 * SIZE * SIZE  # bytes: the noise is told with the help of masks


def test_small_and_even_images_stay() -> None:
    even, small = np.full((SIZE, SIZE), 3, np.uint8), crystal()[:100, :300]
    for image in (even, small):
        result = image.copy()
        lattices.correct(image, result)
        np.testing.assert_array_equal(result, image)
