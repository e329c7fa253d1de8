"""What a result lacks that noise cannot be comes back; noise, hits and what a beam did stay away."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.corrections import texture

SIZE = 256


def scene(level: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an image, smooth on the left, rough on the right; a noisy one; and what a blurring model makes of it."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 24.0)
    clean = 0.5 + 0.5 * smooth / np.abs(smooth).max()
    rough = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 1.2)
    clean[:, SIZE // 2 :] += 0.12 * (rough / rough.std())[:, SIZE // 2 :]
    noisy = clean + level * rng.standard_normal(clean.shape)
    result = ndimage.gaussian_filter(clean, 4.0)
    result[:, : SIZE // 2] = clean[:, : SIZE // 2]
    return clean.astype(np.float32), noisy.astype(np.float32), result.astype(np.float32)


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


@pytest.mark.parametrize("level", [0.01, 0.02])
def test_roughness_comes_back_where_it_is_and_noise_does_not(level: float) -> None:
    clean, noisy, before = scene(level)
    result = before.copy()
    share = texture.put_back(noisy, result)
    right, left = np.s_[8:-8, SIZE // 2 + 16 : -8], np.s_[8:-8, 8 : SIZE // 2 - 16]
    assert rms((before - clean)[right]) > 0.08
    assert rms((result - clean)[right]) < 1.3 * level + 0.02
    assert rms((result - before)[left]) < 0.1 * level
    assert 0.3 < share < 0.6


def test_whole_numbers_and_other_units_come_out_alike() -> None:
    _, noisy, before = scene(0.02)
    counts, result = (np.rint(30_000 + 8_000 * image).astype(np.uint16) for image in (noisy, before))
    wanted = before.copy()
    shares = [texture.put_back(noisy, wanted), texture.put_back(counts, result)]
    assert shares[1] == pytest.approx(shares[0], abs=0.01)
    assert rms((result - 30_000.0) / 8_000.0 - wanted) < 2e-3


@pytest.mark.parametrize("level", [0.02, 0.3])
@pytest.mark.parametrize("ground", ["even", "waves"])
def test_nothing_comes_back_where_noise_alone_was_taken(level: float, ground: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng(seed)
        x = np.arange(SIZE) / 20.0
        clean = np.sin(x)[:, None] * np.sin(x) if ground == "waves" else np.zeros((SIZE, SIZE))
        noisy = (clean + level * rng.standard_normal(clean.shape)).astype(np.float32)
        result = clean.astype(np.float32)
        assert texture.put_back(noisy, result) < 0.002
        assert rms(result - clean) < 0.02 * level


def test_electrons_counted_in_bright_places_do_not_come_back() -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:SIZE, :SIZE] / 40.0
    clean = 1_000.0 * (1.2 + np.sin(y) * np.sin(x))
    result = clean.astype(np.float32)
    assert texture.put_back(rng.poisson(clean).astype(np.float32), result) < 0.002


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_ends_of_a_detector_the_result_stays(sign: int) -> None:
    """What it takes a saturated column for may be more than the image can show."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:SIZE, :SIZE] * (2 * np.pi / 32.0)
    clean = 0.25 * (1.0 + np.cos(y)) * (1.0 + np.cos(x))
    noisy = np.minimum(clean + 0.02 * rng.standard_normal(clean.shape), 0.6)
    noisy, before = (0.5 + sign * (each - 0.5).astype(np.float32) for each in (noisy, clean))
    result = before.copy()
    texture.put_back(noisy, result)
    assert rms((result - before)[clean > 0.7]) < 0.002


def test_bad_pixels_and_what_the_caller_knows_of_stay_away() -> None:
    _, noisy, _ = scene(0.01)
    noisy = noisy[:, : SIZE // 2].copy()
    result = ndimage.gaussian_filter(noisy, 2.0)
    known = [(row, column) for row in (40, 41, 42) for column in (40, 41, 42)]
    for row, column in [*known, (90, 30), (91, 30), (150, 100), (200, 60), (200, 61), (201, 60), (201, 61)]:
        noisy[row, column] = 0.95 if row < 200 else 0.05
    before = result.copy()
    texture.put_back(noisy, result, without=[*known, (10**6, 3)])
    assert np.abs(result - before).max() < 0.02
    texture.put_back(noisy, result)
    assert np.abs(result - before)[40:43, 40:43].min() > 0.1


def test_a_small_bright_particle_with_soft_edges_is_no_bad_pixel() -> None:
    _, noisy, before = scene(0.01)
    y, x = np.mgrid[:SIZE, :SIZE]
    noisy += 0.4 * np.exp(-((y - 90.3) ** 2 + (x - 40.6) ** 2) / 2.0).astype(np.float32)
    result = before.copy()
    texture.put_back(noisy, result)
    assert (result - before)[90, 41] > 0.25


def test_grain_stays_away_where_rough_surfaces_come_back() -> None:
    clean, noisy, before = scene(0.0)
    grain = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(noisy.shape), 0.7)
    result = before.copy()
    texture.put_back((noisy + 0.03 * grain / grain.std()).astype(np.float32), result)
    right, left = np.s_[8:-8, SIZE // 2 + 16 : -8], np.s_[8:-8, 8 : SIZE // 2 - 16]
    assert rms((result - before)[left]) < 0.1 * 0.03
    assert rms((result - clean)[right]) < 0.5 * rms((before - clean)[right])


def test_noise_that_hangs_together_along_rows_and_rows_that_differ_say_nothing() -> None:
    """A beam that strayed leaves such, and what is left of its rows is not the specimen's."""
    _, noisy, before = scene(0.0)
    rng = np.random.default_rng(1)
    grain = ndimage.gaussian_filter1d(rng.standard_normal(noisy.shape), 1.0, axis=1)
    rows = rng.standard_normal((SIZE, 1))
    for more in (0.03 * grain / grain.std(), 0.01 * rng.standard_normal(noisy.shape) + 0.03 * rows):
        result = before.copy()
        assert texture.put_back((noisy + more).astype(np.float32), result) == 0.0
        assert np.array_equal(result, before)


def test_nothing_comes_back_if_the_caller_knows_of_a_reason() -> None:
    _, noisy, before = scene(0.01)
    result = before.copy()
    assert texture.put_back(noisy, result, unless=lambda: True) == 0.0
    assert np.array_equal(result, before)
    assert texture.put_back(noisy, result, unless=lambda: False) > 0.3


def test_bands_of_a_large_image_have_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    _, noisy, before = scene(0.02)
    whole = before.copy()
    texture.put_back(noisy, whole)
    monkeypatch.setattr(texture, "BAND", 40 * SIZE)
    parts = before.copy()
    texture.put_back(noisy, parts)
    np.testing.assert_allclose(parts, whole, atol=1e-6)
    assert not np.array_equal(whole, before)


@pytest.mark.parametrize("shape", [(64, 33_000), (33_000, 64)])
def test_long_strips_are_no_different(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(3)
    rough = ndimage.gaussian_filter(rng.standard_normal(shape), 1.5)
    even = np.zeros(shape)
    even[: shape[0] // 2] = 1.0
    clean = 0.5 + 0.1 * even * rough / rough.std()
    result = ndimage.gaussian_filter(clean, 3.0).astype(np.float32)
    before = rms(result - clean)
    texture.put_back((clean + 0.01 * rng.standard_normal(shape)).astype(np.float32), result)
    assert rms(result - clean) < 0.5 * before


def test_small_and_even_images_are_left_alone() -> None:
    for shape in ((1, 1), (20, 300)):
        noisy = np.random.default_rng(0).random(shape).astype(np.float32)
        result = np.zeros(shape, np.float32)
        assert texture.put_back(noisy, result) == 0.0
        assert not result.any()
    even = np.ones((SIZE, SIZE), np.float32)
    assert texture.put_back(even, even.copy()) == 0.0


def test_a_weak_wave_comes_back_where_all_others_are_noise() -> None:
    y = np.arange(SIZE) / 5.3
    for seed in range(2):
        wave = 0.03 * np.sin(2 * np.pi * y)[:, None] * np.ones(SIZE)
        clean = 0.5 + 0.3 * np.sin(np.arange(SIZE) / 40.0)[:, None] * np.sin(np.arange(SIZE) / 40.0)
        noisy = clean + wave + 0.02 * np.random.default_rng(seed).standard_normal((SIZE, SIZE))
        result = clean.astype(np.float32)
        texture.put_back(noisy.astype(np.float32), result)
        assert rms(result - clean - wave) < 0.5 * rms(wave)


def test_where_the_specimen_is_everywhere_the_usual_noise_tells() -> None:
    """A lattice leaves no quiet place; what was taken off it comes back all the same."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:SIZE, :SIZE] * (2 * np.pi / 11.0)
    clean = 0.5 + 0.12 * (np.cos(y) + np.cos(x)) + 0.1 * np.cos(2 * y) * np.cos(x)
    noisy = (clean + 0.01 * rng.standard_normal(clean.shape)).astype(np.float32)
    before = (clean - 0.1 * np.cos(2 * y) * np.cos(x)).astype(np.float32)
    result = before.copy()
    texture.put_back(noisy, result)
    assert rms(result - clean) < 0.3 * rms(before - clean)
