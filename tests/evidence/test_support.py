"""Support of spots, on images whose atoms, vacancies and noise are known."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from temclean import filters, noise
from temclean.errors import ImageError
from temclean.evidence import likelihood, matched
from temclean.evidence.likelihood import Law
from temclean.evidence.noise import measure
from temclean.evidence.support import support

Doubles = NDArray[np.float64]
SIDE, WIDTH = 192, 2.0
LATTICE = np.stack(np.meshgrid(*[np.arange(12.0, SIDE - 8, 12)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)


def drawn(places: Doubles, heights: Doubles | float = 1.0, side: int = SIDE) -> Doubles:
    line = np.arange(side)
    down, across = (np.exp(-0.5 * ((line - places[:, [axis]]) / WIDTH) ** 2) for axis in (0, 1))
    return np.asarray((down.T * heights) @ across)


def slow(rng: np.random.Generator, shape: tuple[int, int], rho: float) -> Doubles:
    white = rng.normal(size=shape)
    for column in range(1, shape[1]):
        white[:, column] = rho * white[:, column - 1] + math.sqrt(1 - rho**2) * white[:, column]
    return white


NOISES = {
    "Gaussian": lambda rng, shape: rng.normal(5, 2, shape),
    "counts": lambda rng, shape: rng.poisson(3, shape) * 7.0,
    "counts and read-out": lambda rng, shape: rng.poisson(3, shape) + rng.normal(0, 1, shape),
    "slow": lambda rng, shape: slow(rng, shape, 0.7),
    "rows": lambda rng, shape: rng.normal(0, 1, shape) + rng.normal(0, 0.5, (shape[0], 1)),
    "specks": lambda rng, shape: noise.apply(np.full(shape, 0.3), noise.GaussianSaltPepper(0.06), 7),
}


def test_of_spots_that_are_noise_as_many_pass_as_is_said() -> None:
    chances = []
    for number, (name, draw) in enumerate(NOISES.items()):
        raw = np.asarray(draw(np.random.default_rng(number), (256, 256)), np.float64)
        result = filters.gaussian(raw.astype(np.float32), 1.6)  # each of its maxima follows the noise
        places = matched.peaks(result - result.min())
        found = support(raw, result, at=places, width=1.6, dark=False)
        chance = found.chance[~found.lost]
        assert len(chance) > 800
        assert (chance <= 0.01).mean() < 0.02, name
        assert found.lost.sum() == 0
        chances.append(chance)
    every = np.concatenate(chances)
    assert 0.004 < (every <= 0.01).mean() < 0.015
    assert (every <= 0.001).mean() < 0.002


@pytest.mark.parametrize("kind", ["Gaussian", "counts", "dark", "specks"])
def test_what_is_invented_and_what_is_lost_is_named(kind: str) -> None:
    rng = np.random.default_rng(5)
    vacant, cut = np.zeros((2, len(LATTICE)), bool)
    vacant[::17], cut[5::17] = True, True
    clean = 0.1 + 0.8 * drawn(LATTICE, np.where(vacant, 0.0, 1.0))
    result = 0.1 + 0.8 * drawn(LATTICE, np.where(cut, 0.0, 1.0))  # fills every vacancy
    if kind == "counts":
        raw = rng.poisson(20 * clean) / 20
    elif kind == "specks":
        raw = np.where(
            rng.random(clean.shape) < 0.1, rng.integers(0, 2, clean.shape), clean + rng.normal(0, 0.1, clean.shape)
        )
    else:
        raw = clean + rng.normal(0, 0.2, clean.shape)
    if kind == "dark":
        raw, result = 5 - raw, 5 - result
    found = support(1000 * raw, 1000 * result)
    assert found.dark == (kind == "dark")
    verdicts = dict(zip(map(tuple, np.rint(found.positions / 12).astype(int).tolist()), found.verdicts, strict=True))
    sites = [tuple(site) for site in (LATTICE / 12).astype(int).tolist()]
    assert len(found) == len(LATTICE)
    assert all(verdicts[site] == "unsupported" for site, gone in zip(sites, vacant, strict=True) if gone)
    assert all(verdicts[site] == "lost" for site, gone in zip(sites, cut, strict=True) if gone)
    there = [verdicts[site] for site, gone in zip(sites, vacant | cut, strict=True) if not gone]
    assert there.count("supported") == len(there)


def test_intensities_are_right_within_their_errors() -> None:
    rng = np.random.default_rng(6)
    heights = rng.uniform(0.3, 1.0, len(LATTICE))
    clean = drawn(LATTICE, heights)
    raw = 40 * clean + rng.normal(0, 8, clean.shape)
    found = support(raw, 40 * clean, at=LATTICE, width=WIDTH, dark=False)
    true = 40 * heights * 2 * np.pi * WIDTH**2
    pulls = (found.intensity - true) / found.error
    assert abs(pulls.mean()) < 4 / math.sqrt(len(pulls))
    assert pulls.std() == pytest.approx(1, abs=0.15)
    assert found.restored == pytest.approx(true, rel=0.05)


def test_where_a_result_is_blank_its_columns_are_lost_and_of_nothing_nothing() -> None:
    rng = np.random.default_rng(7)
    far = LATTICE[(LATTICE % 36 == 0).all(axis=1)]
    raw = drawn(far) + rng.normal(0, 0.2, (SIDE, SIDE))
    found = support(raw, np.zeros_like(raw), width=WIDTH)
    assert found.lost.all()
    assert sorted(map(tuple, np.rint(found.positions / 36).tolist())) == sorted(map(tuple, (far / 36).tolist()))
    nothing = support(rng.normal(0, 1, (SIDE, SIDE)), np.zeros((SIDE, SIDE)))
    assert len(nothing) == 0
    assert nothing.map.std() == pytest.approx(1, abs=0.1)


def test_the_likelihood_of_counts_is_that_of_poisson() -> None:
    gain, offset = 7.0, 100.0
    counts = np.array([0.0, 3.0, 11.0])
    first, second = np.array([1.0, 2.5, 9.0]), np.array([2.0, 2.0, 12.0])
    slope = np.linspace(5, 50, SIDE) * np.ones((SIDE, 1))
    report = measure(offset + gain * np.random.default_rng(8).poisson(slope))
    law = Law(-gain * offset, gain, 1e-9)
    assert (Law.of(report).beta, -Law.of(report).alpha / Law.of(report).beta) == pytest.approx((gain, offset), rel=0.2)
    found = law.gained(*(offset + gain * each for each in (counts, first, second)))

    def logarithm(mean: float, count: float) -> float:
        return count * math.log(mean) - mean - math.lgamma(count + 1)

    expected = [logarithm(b, n) - logarithm(a, n) for n, a, b in zip(counts, first, second, strict=True)]
    assert found == pytest.approx(expected)
    gauss = Law(4.0, 0.0, 1e-9).gained(counts, first, second)
    assert gauss == pytest.approx(((counts - first) ** 2 - (counts - second) ** 2) / 8)


@pytest.mark.parametrize("rho", [0.5, 0.85])
def test_correlated_pixels_count_as_fewer(rho: float) -> None:
    rng = np.random.default_rng(9)
    line = np.arange(-6, 7)
    filter_ = np.exp(-(line[:, None] ** 2 + line**2) / 8.0)
    filter_ -= filter_.mean()
    raw = slow(rng, (512, 512), rho) + rng.normal(0, 0.3, (512, 1))
    windows = np.lib.stride_tricks.sliding_window_view(raw, filter_.shape)[::5, ::5]
    spread = np.einsum("abij,ij->ab", windows, filter_).var() / (filter_**2).sum()
    assert likelihood.correlated(filter_, measure(raw), np.ones(1))[0] == pytest.approx(spread, rel=0.15)


def test_heights_of_maxima_are_those_of_a_band_of_noise() -> None:
    # kappa of a field follows from its spectrum alone: here it is that which `chance` takes.
    rng = np.random.default_rng(10)
    side = 1024
    frequency = 2 * np.pi * np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    scale = 0.25
    power = np.exp(-((frequency / scale) ** 2)) * (frequency / scale) ** 2.0
    moments = [float((power * frequency**order).sum() / power.sum()) for order in (2, 4)]
    kappa = math.sqrt(3) * (moments[0] / 2) / math.sqrt(moments[1] * 3 / 8)  # of isotropic noise, along an axis
    assert kappa == pytest.approx(matched.KAPPA, abs=0.02)
    field = np.fft.irfft2(np.fft.rfft2(rng.normal(size=(side, side))) * np.sqrt(power))
    field /= field.std()
    places = matched.peaks((field - field.min()).astype(np.float32))
    heights = field[places[:, 0], places[:, 1]]
    for level in (0.1, 0.01):
        share = float((matched.chance(heights) <= level).mean())
        assert share == pytest.approx(level, rel=0.1 + 3 / math.sqrt(level * len(heights)))


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ImageError, match="rows and columns"):
        support(np.zeros((8, 8)), np.zeros((8, 9)))
    with pytest.raises(ImageError, match="all pixels are alike"):
        support(np.zeros((64, 64)), np.zeros((64, 64)))
