"""The kernels beneath the comparison of an image with its result, against plain NumPy."""

import numpy as np
import pytest

from temclean import _residual
from temclean.evidence import blocks
from temclean.evidence.samples import median

TYPES = ["?", "u1", "i1", "u2", ">u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", ">f4", "f8", "g"]


@pytest.mark.parametrize("dtype", TYPES)
def test_means_are_those_of_numpy_whatever_type_and_layout(dtype: str) -> None:
    draw = np.random.default_rng(1)
    base = draw.random((150, 1300)) < 0.5 if dtype == "?" else (draw.random((150, 1300)) * 100).astype(dtype)
    for image in (base, base[::2, ::3], base.T, base[::-1, ::-1], base[:9, :7]):
        pair = blocks.Pair(image, image[::-1], 7.0, 50.0)
        for found, source in zip(pair.means, (image, image[::-1]), strict=True):
            rows, columns = (length // 2 for length in source.shape)
            whole = source[: 2 * rows, : 2 * columns].astype(np.float64)
            expected = (whole.reshape(rows, 2, columns, 2).mean((1, 3)) - 7.0) / 50.0
            np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)
        np.testing.assert_allclose(pair.scaled(image), (image.astype(np.float64) - 7.0) / 50.0, atol=2e-7)


@pytest.mark.parametrize("side", [1, 2, 4, 64, 512])
def test_blocks_of_any_side(side: int) -> None:
    image = np.random.default_rng(2).random((2 * side + 1, 3 * side + 2))
    out = np.empty((2, 3), np.float32)
    _residual.fold(image, side, 0.25, 2.0, out)
    expected = 2 * (image[: 2 * side, : 3 * side].reshape(2, side, 3, side).mean((1, 3)) - 0.25)
    np.testing.assert_allclose(out, expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 0), (1, 5), (2, 2), (7, 9), (40, 131)])
def test_neighbours(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(3).normal(0, 1, shape).astype(np.float32)
    rows, columns = (length // 2 for length in shape)
    a, b, c, d = (values[i : 2 * rows : 2, j : 2 * columns : 2].astype(float) for i in (0, 1) for j in (0, 1))
    unlike = np.empty((rows, columns), np.float32)
    _residual.unlike(values, unlike)
    np.testing.assert_allclose(blocks.halved(values), (a + b + c + d) / 4, atol=1e-6)
    np.testing.assert_allclose(unlike, (a + b - c - d) ** 2 + (a + c - b - d) ** 2, rtol=1e-5, atol=1e-6)


def test_what_is_usual_at_each_brightness() -> None:
    draw = np.random.default_rng(4)
    after = draw.uniform(-0.2, 1.2, (200, 300)).astype(np.float32)
    before = after + (draw.normal(0, 0.1, after.shape) * (1 + after) + 0.3 * after).astype(np.float32)
    compared = blocks.Compared(before, after)
    levels = np.rint(after.astype(np.float64) * 255).clip(0, 255).astype(int)
    assert (compared.level != levels).mean() < 1e-4  # those halfway, in float32
    np.testing.assert_array_equal(compared.residual, before - after)
    for level in (40, 128, 200):  # the mean and the spread over five levels, the middle ones counting for more
        weights = np.maximum(3 - np.abs(compared.level - float(level)), 0)
        mean = np.average(compared.residual, weights=weights)
        spread = np.average(compared.residual.astype(float) ** 2, weights=weights) - mean**2
        assert compared.usual.mean[level] == pytest.approx(mean, rel=1e-5)
        assert compared.usual.per_spread[level] == pytest.approx(spread**-0.5, rel=1e-5)
    left, standard = np.empty_like(after), np.empty_like(after)
    moments = np.empty(2)
    _residual.standardise(
        compared.residual.ravel(), compared.level.ravel(), compared.usual.mean, compared.usual.per_spread, 3.0,
        left.reshape(-1), standard.reshape(-1), moments,
    )  # fmt: skip
    expected = compared.residual - compared.usual.mean[compared.level]
    np.testing.assert_array_equal(left, expected)
    expected = (expected * compared.usual.per_spread[compared.level]).clip(-3, 3)
    np.testing.assert_array_equal(standard, expected)
    np.testing.assert_allclose(moments, [(expected.astype(float) ** power).sum() for power in (2, 3)], rtol=1e-9)


@pytest.mark.parametrize("count", [1, 2, 9, 100, 16129])
def test_middles_and_percentiles_are_those_of_numpy(count: int) -> None:
    values = np.random.default_rng(count).normal(100, 9, count).astype(np.float32)
    assert median(values) == float(np.median(values))
    for numbers in (values, values.astype(np.uint16)):
        for percent in (0.0, 0.1, 50.0, 99.9, 100.0):
            expected = float(np.percentile(numbers.astype(np.float64), percent))
            assert blocks.percentile(np.sort(numbers), percent) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("shape", [(3, 3), (4, 9), (33, 31), (7, 700)])
def test_windows_and_what_varies_about_them(shape: tuple[int, int]) -> None:
    """Windows are of 2x2; what varies is told by 3x3 from there on, at the ends by those before."""
    draw = np.random.default_rng(shape[1])
    standard, residual, after = draw.normal(0, 1, (3, *shape)).astype(np.float32)
    windows = np.empty((shape[0] - 1, shape[1] - 1), np.float32)
    much = np.empty(windows.shape, np.uint8)
    _residual.overlap(standard, residual, after, 0.4, windows, much)
    four = (np.s_[:-1, :-1], np.s_[1:, :-1], np.s_[:-1, 1:], np.s_[1:, 1:])
    np.testing.assert_allclose(windows, sum(standard[part].astype(float) for part in four) / 4, atol=1e-6)
    weights = np.outer((1, 2, 1), (1, 2, 1)) / 16
    threes = np.lib.stride_tricks.sliding_window_view(after.astype(float), (3, 3))
    mean = (threes * weights).sum((2, 3))
    varies = np.sqrt(((threes - mean[..., None, None]) ** 2 * weights).sum((2, 3)))
    varies = np.pad(varies, ((0, 1), (0, 1)), mode="edge")
    holds = 0.6 * np.abs(sum(residual[part].astype(float) for part in four) / 4) - 0.4 * varies
    np.testing.assert_array_equal(much[np.abs(holds) > 1e-5], (holds > 0)[np.abs(holds) > 1e-5])


def test_what_deviates_most_is_told_as_a_normal_number_would() -> None:
    """Cornish and Fisher (1938): of skewness s, a normal z comes to z + s / 6 (z^2 - 1)."""
    windows = np.array([0.5, -4.0, 3.9, 8.0, -0.1], np.float32)
    allowed = np.array([1, 1, 1, 0, 1], np.uint8)
    assert _residual.furthest(windows, allowed, 2.0, 0.0) == (8.0, 1)
    significance, place = _residual.furthest(windows, allowed, 2.0, -0.6)
    assert (place, significance) == (2, pytest.approx(7.8 + 0.1 * (7.8**2 - 1)))
    assert _residual.furthest(windows, np.zeros(5, np.uint8), 2.0, 0.3) == (0.0, 0)
