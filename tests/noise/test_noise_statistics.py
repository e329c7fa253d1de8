"""Moments, distributions, tails and independence of the noise, with bounds from the size of the sample.

Seeds are fixed, so a test either always passes or always fails; bounds of five standard errors and p-values of 1e-5
make the latter mean a fault.
"""

import numpy as np
import pytest
from scipy import stats

from temclean import noise

SEEDS = [0, 12345, 2**63 + 1]
LEAST_P = 1e-5


def normals(seed, shape=(1024, 1024)):
    return noise.apply(np.zeros(shape), noise.Gaussian(1, clip=False), seed, threads=2)


def counted(mean, seed, shape=(512, 512)):
    """Poisson numbers of one mean: an intensity of 1 at that many counts."""
    return np.rint(noise.apply(np.ones(shape), noise.Poisson(mean), seed, threads=2) * mean)


@pytest.mark.parametrize("seed", SEEDS)
def test_gaussian_moments(seed):
    z = normals(seed)
    error = 1 / np.sqrt(z.size)
    assert abs(z.mean()) < 5 * error
    assert abs((z**2).mean() - 1) < 5 * error * np.sqrt(2)
    assert abs((z**3).mean()) < 5 * error * np.sqrt(15)
    assert abs((z**4).mean() - 3) < 5 * error * np.sqrt(96)


@pytest.mark.parametrize("seed", SEEDS)
def test_gaussian_distribution(seed):
    assert stats.kstest(normals(seed, (512, 1024)).ravel(), "norm").pvalue > LEAST_P


@pytest.mark.parametrize("seed", SEEDS)
def test_gaussian_tails(seed):
    z = normals(seed, (4096, 4096))
    for sigma in (3, 4, 4.5, 5):
        expected = stats.norm.sf(sigma) * z.size
        for beyond in (np.count_nonzero(z > sigma), np.count_nonzero(z < -sigma)):
            assert stats.poisson.cdf(beyond, expected) > LEAST_P
            assert stats.poisson.sf(beyond - 1, expected) > LEAST_P
    assert 5 < np.abs(z).max() < 6.67


@pytest.mark.parametrize("lag", [1, 2, 4, 63, 64, 65, 128, 192, 256, 1024])
def test_gaussian_pixels_are_independent(lag):
    """Lags 64 to 256 are those at which a sine meets its cosine, and a block the next."""
    z = normals(3).ravel()
    bound = 5 / np.sqrt(z.size)
    assert abs(np.corrcoef(z[:-lag], z[lag:])[0, 1]) < bound
    assert abs(np.corrcoef(z[:-lag] ** 2, z[lag:] ** 2)[0, 1]) < bound


def test_gaussian_pairs_fill_the_plane_evenly():
    """Angle and radius of the two normals of a pair are uniform and independent."""
    first, second = normals(8).reshape(-1, 4, 64)[:, :2].swapaxes(0, 1).reshape(2, -1)
    angle = np.arctan2(second, first) / (2 * np.pi) + 0.5
    height = np.exp(-(first**2 + second**2) / 2)
    cells = np.histogram2d(angle, height, bins=(32, 16), range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(cells.ravel()).pvalue > LEAST_P


def test_seeds_and_families_are_independent():
    z = [normals(seed).ravel() for seed in (0, 1, 2, 2**32)]
    hits = noise.apply(np.zeros((1024, 1024)), noise.SaltPepper(0.5), 0).ravel()
    correlation = np.corrcoef([*z, hits]) - np.eye(5)
    assert np.abs(correlation).max() < 5 / 1024


@pytest.mark.parametrize("level", [1e-4, 0.05, 0.25, 0.9])
@pytest.mark.parametrize("seed", SEEDS)
def test_salt_and_pepper_hits_its_share(level, seed):
    image = np.full((1024, 1024), 0.25, np.float32)
    image[::2] = 0.75
    noisy = noise.apply(image, noise.SaltPepper(level), seed)
    changed = noisy != image
    assert np.array_equal(noisy[changed], (image < 0.5)[changed])
    for hits in (changed[::2], changed[1::2], changed[:, ::2]):
        assert stats.binomtest(int(hits.sum()), hits.size, level).pvalue > LEAST_P


def test_salt_and_pepper_takes_one_half_for_bright():
    noisy = noise.apply(np.full((1, 3), 0.5), noise.SaltPepper(1), 1)
    assert not noisy.any()


@pytest.mark.parametrize("height", [0.1, 0.2])
@pytest.mark.parametrize("seed", SEEDS)
def test_background_thresholds_are_distributed_as_the_spec_says(height, seed):
    kind = noise.BackgroundBrightness(0, height=height, patches=256, smooth=False)
    thresholds = noise.background(np.zeros((256, 256)), kind, seed).ravel()

    def integral(z):
        return z * stats.norm.cdf(z) + stats.norm.pdf(z)

    def cumulative(t):
        steps = [integral(t / height - k) - integral(t / height - k - 1) for k in range(3)]
        return np.dot([0.15, 0.70, 0.15], steps)

    dark, bright = np.count_nonzero(thresholds == 0), np.count_nonzero(thresholds == np.float32(0.6))
    assert stats.binomtest(dark, thresholds.size, cumulative(0)).pvalue > LEAST_P
    assert stats.binomtest(bright, thresholds.size, 1 - cumulative(0.6)).pvalue > LEAST_P
    inside = thresholds[(thresholds > 0) & (thresholds < np.float32(0.6))]
    low, high = cumulative(0), cumulative(0.6)
    assert stats.kstest(inside, lambda t: (cumulative(t) - low) / (high - low)).pvalue > LEAST_P


@pytest.mark.parametrize("mean", [0.003, 0.1, 0.7, 1, 3, 5, 9.9, 10, 15.9, 16, 16.1, 20, 33, 100, 333, 1000])
@pytest.mark.parametrize("seed", SEEDS)
def test_poisson_distribution(mean, seed):
    """Chi-square over every value that is expected five times, and the two tails beyond."""
    numbers = counted(mean, seed).ravel()
    law = stats.poisson(mean)
    low = int(law.ppf(5 / numbers.size))
    high = int(law.isf(5 / numbers.size))
    edges = np.arange(low, high + 1)
    expected = np.diff([0, *law.cdf(edges), 1]) * numbers.size
    observed = np.histogram(np.clip(numbers, low, high + 1), bins=np.arange(low, high + 3))[0]
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > LEAST_P


@pytest.mark.parametrize("mean", [1e4, 1e6, 1e8, 1e11, 1e12])
def test_huge_poisson_means_become_normal(mean):
    """Skewness is still tested; by a mean of 1e4 the lattice and the kurtosis are below what the sample resolves."""
    numbers = counted(mean, 7, (1024, 1024)).ravel()
    z = (numbers - mean) / np.sqrt(mean)
    error = 1 / np.sqrt(z.size)
    assert np.array_equal(numbers, np.rint(numbers))
    assert abs(z.mean()) < 5 * error
    assert abs((z**2).mean() - 1) < 5 * error * np.sqrt(2)
    assert abs((z**3).mean() - 1 / np.sqrt(mean)) < 5 * error * np.sqrt(15)
    if mean >= 1e6:
        assert stats.kstest(z[: 2**18], "norm").pvalue > LEAST_P


@pytest.mark.parametrize("mean", [0.5, 5, 15, 16, 25, 100, 1e4])
def test_poisson_tails(mean):
    numbers = counted(mean, 11, (2048, 2048)).ravel()
    law = stats.poisson(mean)
    for share in (1e-3, 1e-4, 1e-5):
        above, below = law.isf(share), law.ppf(share)
        for observed, expected in (
            (np.count_nonzero(numbers > above), law.sf(above)),
            (np.count_nonzero(numbers < below), law.cdf(below - 1)),
        ):
            assert stats.binomtest(observed, numbers.size, expected).pvalue > LEAST_P


def test_poisson_pixels_are_independent():
    for mean in (4, 40):
        numbers = counted(mean, 5).ravel()
        for lag in (1, 2, 127, 128, 129, 256, 512):
            assert abs(np.corrcoef(numbers[:-lag], numbers[lag:])[0, 1]) < 5 / np.sqrt(numbers.size)
