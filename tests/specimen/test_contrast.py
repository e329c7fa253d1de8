"""Contrast: the ranges that the paper states, and the polarity that is reported."""

import numpy as np
import pytest

from temclean.errors import ParameterError
from temclean.specimen import contrast


def spots(size: int = 96) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.exp(-(((y % 12) - 6.0) ** 2 + ((x % 12) - 6.0) ** 2) / 8).astype(np.float32)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 500.0])
@pytest.mark.parametrize("floor", [0.0, 1e3])
def test_images_lie_in_the_ranges_of_the_paper(scale: float, floor: float) -> None:
    clean = (scale * (spots() + floor)).astype(np.float32)
    for seed in range(30):
        image, polarity = contrast.finish(clean, np.random.default_rng(seed))
        assert image.dtype == np.float32
        assert image.shape == clean.shape
        assert image.max() == 1.0
        assert image.min() >= 0.0
        assert polarity in {-1, 1}
        assert 0.0099 <= image.std(dtype=float) / image.mean(dtype=float) <= 0.3501


def test_polarity_is_the_sign_of_the_correlation_with_the_specimen() -> None:
    clean = spots()
    peaks, valleys = clean > 0.9, clean < 0.1
    drawn = [contrast.finish(clean, np.random.default_rng(seed)) for seed in range(200)]
    for image, polarity in drawn:
        assert np.sign(image[peaks].mean() - image[valleys].mean()) == polarity
    inverted = sum(polarity < 0 for _, polarity in drawn)
    assert abs(inverted - 100) < 4 * np.sqrt(50)


def test_backgrounds_are_planes_and_gaussians_of_at_most_half_the_maximum() -> None:
    y = np.full((40, 60), 2.0)
    planes = 0
    for seed in range(100):
        added = contrast.background(np.random.default_rng(seed), y)
        assert 0.0 <= added.min() <= added.max() <= 1.0
        planes += bool(
            np.abs(np.diff(added, 2, axis=0)).max() < 1e-9 and np.abs(np.diff(added, 2, axis=1)).max() < 1e-9
        )
    assert abs(planes - 50) < 4 * 5


def test_the_input_is_left_alone_and_the_seed_decides() -> None:
    clean = spots()
    before = clean.copy()
    first, _ = contrast.finish(clean, np.random.default_rng(8))
    again, _ = contrast.finish(clean, np.random.default_rng(8))
    np.testing.assert_array_equal(clean, before)
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (5, 2)])
def test_flat_and_small_images_pass(shape: tuple[int, int]) -> None:
    for value in (0.0, 3.0):
        for seed in range(8):
            image, _ = contrast.finish(np.full(shape, value, np.float32), np.random.default_rng(seed))
            assert image.shape == shape
            assert image.max() == 1.0
            assert image.min() >= 0.0


@pytest.mark.parametrize("bad", [np.zeros((0, 3)), np.zeros(4), np.full((2, 2), np.nan)])
def test_what_is_no_image_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(ParameterError, match="two dimensions"):
        contrast.finish(bad.astype(np.float32), np.random.default_rng(0))
