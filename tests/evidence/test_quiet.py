"""The noise of the quietest places, wave by wave, and the waves of blocks that it is measured in."""

import numpy as np
import pytest
from scipy import fft, ndimage

from temclean.evidence import samples
from temclean.evidence.corrections import cosines, quiet
from temclean.evidence.corrections.quiet import Quiet
from temclean.evidence.ends import Ends

SIZE = 320


def white(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((SIZE, SIZE))


def measured(image: np.ndarray, cut: Ends | None = None) -> Quiet:
    sample = samples.sample(image)
    assert sample
    found = quiet.measure(sample, cut)
    assert found
    return found


def test_waves_of_blocks_are_those_of_scipy_and_their_mean_is_the_image() -> None:
    image = white().astype(np.float32)[:44, :60]
    blocks = cosines.cut(image)
    assert blocks.shape == (10, 14, 64)
    waves = cosines.transform(blocks)
    wanted = fft.dctn(image[12:20, 24:32], norm="ortho")
    np.testing.assert_allclose(waves[3, 6].reshape(8, 8), wanted, atol=1e-5)
    np.testing.assert_allclose(cosines.together(waves), image[4:-4, 4:-4], atol=1e-5)


def test_the_deviation_is_in_the_units_of_the_image_and_of_little_none() -> None:
    for image, sigma in ((500.0 + 30.0 * white(), 30.0), (ndimage.gaussian_filter(white(), 0.6, mode="wrap"), 0.494)):
        known = samples.sample(image)
        assert known
        assert quiet.deviation(known, float(np.median(image))) == pytest.approx(sigma, rel=0.1)
    for small in (white()[:15], white()[:40, :40]):
        known = samples.sample(small)
        assert known
        assert quiet.deviation(known, 0.0) is None


@pytest.mark.parametrize("width", [0.0, 0.6, 1.5])
def test_of_noise_alone_the_quietest_places_tell_all_whether_it_is_white_or_not(width: float) -> None:
    noise = ndimage.gaussian_filter(white(), width, mode="wrap") if width else white()
    true = np.square(
        fft.dctn(np.lib.stride_tricks.sliding_window_view(noise, (8, 8))[::4, ::4], axes=(2, 3), norm="ortho")
    )
    expected = true.mean(axis=(0, 1)).ravel()
    found = measured(100.0 + 3.0 * noise)
    ratios = found.variances[:, quiet.TOLD] / (9.0 * expected[quiet.TOLD])
    assert 0.9 < np.median(ratios) < 1.15
    assert 0.7 < found.variances[:, quiet.TOLD].sum() / len(found.variances) / (9.0 * expected[quiet.TOLD].sum()) < 1.2


def test_a_rough_surface_with_few_even_places_does_not_pass_for_noise() -> None:
    """What varies everywhere but in a tenth of the image, ten times as strong as the noise."""
    rough = ndimage.gaussian_filter(white(1), 0.7)
    there = ndimage.gaussian_filter(white(2), 12.0)
    rough *= 0.2 / rough.std() * np.clip((there - np.quantile(there, 0.1)) / there.std(), 0.0, 1.0)
    found = measured(rough + 0.02 * white(3))
    assert np.sqrt(found.at(np.array([0.0])).mean()) == pytest.approx(0.02, rel=0.3)


def test_bounds_grow_as_electrons_are_counted_and_no_faster() -> None:
    known = Quiet(10.0, 110.0, np.array([30.0]), np.full((1, 64), 4.0))
    np.testing.assert_allclose(known.at(np.array([30.0, 50.0, 110.0]))[:, 0], [4.0, 8.0, 20.0])
    np.testing.assert_allclose(known.at(np.array([20.0, 10.0]))[:, 0], [4.0 * 90 / 80, 4.0 * 100 / 80])
    empty = Quiet(0.0, 1.0, np.array([0.0, 0.5]), np.stack([np.zeros(64), np.full(64, 2.0)]))
    assert empty.at(np.array([0.5]))[0, 0] == 2.0  # that there is no noise where nothing is says nothing of elsewhere


def test_electrons_that_are_counted_have_their_noise_at_all_intensities() -> None:
    y, x = np.mgrid[:SIZE, :SIZE] / 50.0
    clean = 400.0 * (1.2 + np.sin(y) * np.sin(x))
    counts = np.random.default_rng(4).poisson(clean).astype(np.float32)
    at = np.array([250.0, 400.0, 750.0])
    ratio = measured(counts).at(at).mean(axis=1) / at
    assert (ratio > 0.75).all()
    assert (ratio < 1.6).all()


def test_what_was_filled_in_or_cut_off_tells_nothing() -> None:
    image = 0.5 + 0.05 * white(5)
    image[:80] = 0.5
    cut = image.clip(0.45, 0.55)
    for each, ends in ((image, None), (cut, Ends(0.45, 0.55, 0.05, 0.05, specks=False))):
        sample = samples.sample(each.astype(np.float32))
        assert sample
        found = quiet.measure(sample, ends)
        if ends is None:
            assert found
            assert np.sqrt(found.at(np.array([0.5])).mean()) == pytest.approx(0.05, rel=0.1)
        else:
            assert found is None


def test_rounded_values_are_noise_too() -> None:
    found = measured(np.rint(100.0 + 0.1 * white(6) + 20.0 * np.sin(np.arange(SIZE) / 9.0)))
    assert found.variances.min() >= 1 / 12
