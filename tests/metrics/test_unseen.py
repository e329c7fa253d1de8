"""The error of a movie without truth: unbiased whatever the noise, by equations and by the published formula."""

import math

import numpy as np
import pytest

from temclean import errors, metrics, noise
from temclean.specimen import movies

Triples = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


def triples(error: np.ndarray, sigma: float, seed: int, frames: int = 8, smooth: int = 1) -> tuple[Triples, np.ndarray]:
    """Make results with a known error beside references with Gaussian noise, alike over ``smooth`` pixels of a row."""
    rng = np.random.default_rng(seed)
    clean = rng.random((frames, *error.shape))
    raw = rng.normal(0.0, sigma, (3, frames, *error.shape))
    raw = sum(np.roll(raw, step, axis=-1) for step in range(smooth)) / math.sqrt(smooth)
    return [(frame + error, frame + a, frame + b) for frame, a, b in zip(clean, *raw[:2], strict=True)], clean


@pytest.mark.parametrize("smooth", [1, 3])
@pytest.mark.parametrize("size", [0.05, 0.3])
def test_a_known_error_is_found_within_its_error_bars(size: float, smooth: int) -> None:
    error = np.random.default_rng(9).normal(0.0, size, (64, 64))
    truth = float((error**2).mean())
    pulls, widths = [], []
    for seed in range(20):
        found = metrics.unseen_error(triples(error, 0.5, seed, smooth=smooth)[0], 1.0)
        pulls.append((found.umse - truth) / found.umse_error)
        widths.append(found.umse_error)
    assert abs(np.mean(pulls)) < 3 / math.sqrt(20)
    assert 0.3 < np.std(pulls) < 1.5  # error bars of the right size, or somewhat large
    # By chance alone: the mean over n pixels of (n_a - e)(n_b - e), whose variance is s^4 + 2 s^2 e^2.
    chance = math.sqrt((0.5**4 + 2 * 0.5**2 * truth) / (8 * 64 * 64))
    assert chance * 0.6 < np.mean(widths) < chance * (2.0 if size < 0.1 else 6.0) * math.sqrt(smooth)


def test_it_agrees_with_the_published_formula() -> None:
    error = np.random.default_rng(3).normal(0.0, 0.2, (96, 96))
    rng = np.random.default_rng(4)
    three = rng.normal(0.0, 0.4, (3, 96, 96))
    published = float(((three[0] - error) ** 2 - (three[1] - three[2]) ** 2 / 2).mean())
    found = metrics.unseen_error([(error, three[0], three[1])], 1.0)
    assert found.umse == pytest.approx(published, abs=4 * 0.4**2 * 2 / 96)
    swapped = [float(((one - error) ** 2 - (three[0] - three[1]) ** 2 / 2).mean()) for one in three[:2]]
    assert found.umse == pytest.approx(np.mean(swapped))


def test_decibels_and_what_cannot_be_told() -> None:
    zero = np.zeros((32, 32))
    found = metrics.unseen_error([(zero, zero + 0.1, zero + 0.1)], 2.0)
    assert found.upsnr == pytest.approx(10 * math.log10(2**2 / 0.1**2))
    assert found.upsnr_low == pytest.approx(found.upsnr)  # the same error everywhere: nothing scatters
    sign = np.where(np.arange(32) % 2, 0.1, -0.1) * np.ones((32, 1))
    below = metrics.unseen_error([(zero, sign, -sign)], 1.0)
    assert (below.umse, below.upsnr) == (pytest.approx(-0.01), math.inf)
    with pytest.raises(errors.ImageError, match="no frame"):
        metrics.unseen_error([], 1.0)
    with pytest.raises(errors.ImageError, match="shape"):
        metrics.unseen_error([(zero, zero, zero[1:])], 1.0)
    with pytest.raises(errors.ImageError, match="no frame"):
        metrics.unseen_error([(zero, zero * np.nan, zero)], 1.0)
    with pytest.raises(errors.ImageError, match="not finite"):
        metrics.unseen_error([(zero * np.nan, zero, zero)], 1.0)


def test_pixels_without_a_reference_do_not_count() -> None:
    zero = np.zeros((32, 32))
    half = np.where(np.arange(32) < 16, np.nan, 0.5) * np.ones((32, 1))
    assert metrics.unseen_error([(zero, half, zero + 0.5)], 1.0).umse == pytest.approx(0.25)


def test_of_a_movie_it_is_the_error_against_the_truth() -> None:
    movie = movies.draw("clusters", 12, 64, 0.3, seed=1, drift=0.0, jitter=0.0)
    raw = np.stack([noise.apply(f, noise.Poisson(10.0), 1, frame=i) for i, f in enumerate(movie.frames)])
    # Half of the contrast is lost, and half of the noise is left.
    result = 0.5 * raw + 0.5 * movie.frames.mean()
    truth = float(((result - movie.frames) ** 2)[1:-1].mean())
    found = metrics.unseen_error([(result[i], raw[i - 1], raw[i + 1]) for i in range(1, 11)], 1.0)
    assert abs(found.umse - truth) < 3 * found.umse_error
    assert found.umse_error < 0.1 * truth
