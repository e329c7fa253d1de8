"""What images have in common, and how much of what they have, ring by ring of their Fourier transforms."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError

Floats = NDArray[np.float64]

SEVENTH = 1 / 7
"""The fixed threshold of Rosenthal and Henderson (2003), doi:10.1016/j.jmb.2003.07.013: correlation 0.5 with the truth,
of the two halves' mean, is 0.143 between them."""

EDGE = 8
"""One part in so many of a side is faded out at each end, so that opposite borders need not fit."""

CHANCE = 3.5
"""Standard errors that a correlation must have to count where few frequencies make a threshold loose."""

STANDS_OUT, FALSE = 1.5, 1e-3
"""Power of a ring over that of noise from which on it is structure; probability that noise passes for a peak."""

STREAK = 2
"""Steps of frequency next to the axes in which no peak is looked for."""

OUTER = 0.8
"""Of the highest frequency; from here on power is taken to be that of noise."""


@dataclass(frozen=True)
class RingCorrelation:
    """Correlation of two images over rings in the Fourier plane.

    Attributes
    ----------
    frequency : (R,) of the middle of each ring, cycles a pixel (or a unit, where a pixel's size is given).
    correlation : (R,) -1 to 1.
    number : (R,) independent frequencies in each.
    half_bit : (R,) the threshold at which the mean of both images holds half a bit a frequency.
    """

    frequency: Floats
    correlation: Floats
    number: Floats
    half_bit: Floats

    def first(self, threshold: Floats | float) -> float | None:
        """Return the frequency at which the correlation first falls below a threshold; None if it never does."""
        below = np.flatnonzero(self.correlation < threshold)
        if not len(below):
            return None
        at = int(below[0])
        over = self.correlation - threshold
        if at == 0:
            return float(self.frequency[0])
        share = over[at - 1] / (over[at - 1] - over[at])
        return float(self.frequency[at - 1] + share * (self.frequency[at] - self.frequency[at - 1]))

    def last(self, threshold: Floats | float) -> float | None:
        """Return the highest frequency whose ring is above a threshold and not by chance; None if there is none."""
        sure = np.maximum(threshold, CHANCE / np.sqrt(2 * self.number))
        above = np.flatnonzero(self.correlation > sure)
        return float(self.frequency[above[-1]]) if len(above) else None


@dataclass(frozen=True)
class Spectra:
    """Radial power of a raw image and of its result, which is brought to the scale of the raw one.

    Attributes
    ----------
    frequency : (R,) as of :class:`RingCorrelation`.
    raw, result : (R,) mean power of each ring.
    floor : power of the raw image's noise, that of its highest frequencies.
    limit : highest frequency at which the raw image shows more than noise; None where it shows nothing.
    white : whether noise looks white; else the limit is that of lattice peaks alone.
    ratio : power of the result over that of the raw image beyond the limit; None where nothing is beyond.
    share : of the result's power, without its mean, that lies there.
    """

    frequency: Floats
    raw: Floats
    result: Floats
    floor: float
    limit: float | None
    white: bool
    ratio: float | None
    share: float | None


@dataclass(frozen=True)
class _Rings:
    """Which ring each frequency of a real transform is in, from 0; ``inside`` of those within the highest frequency."""

    index: NDArray[np.intp]
    weight: Floats
    inside: NDArray[np.bool_]
    frequency: Floats
    count: Floats

    def mean(self, values: Floats) -> Floats:
        total = np.bincount(self.index[self.inside], (values * self.weight)[self.inside], len(self.count))
        return np.asarray(total / self.count, np.float64)


def ring_correlation(
    first: ArrayLike, second: ArrayLike, pixel: tuple[float, float] = (1.0, 1.0), off: tuple[float, float] = (0.0, 0.0)
) -> RingCorrelation:
    r"""Correlate two images of the same, with noise of their own, ring by ring.

    .. math:: \mathrm{FRC}(r) = \frac{\mathrm{Re} \sum F_1 F_2^*}{\sqrt{\sum |F_1|^2 \sum |F_2|^2}}

    over the frequencies of ring r; with a signal S times as strong as the noise it is S / (1 + S). The
    half-bit threshold with n independent frequencies is
    :math:`(0.2071 + 1.9102 / \sqrt n) / (1.2071 + 0.9102 / \sqrt n)`. n is half the number in the ring, as the other
    half mirrors it, less what fading out the borders costs.

    Parameters
    ----------
    first, second : (H, W) real.
    pixel : height and width of a pixel.
    off : rows and columns by which the second stands off the first, less than a pixel or so; taken out.

    Raises
    ------
    ImageError : the images are not of one shape, of 16 x 16 pixels or more, real and finite.

    References
    ----------
    van Heel and Schatz (2005), doi:10.1016/j.jsb.2005.05.009.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(size=(64, 64))
    >>> ring_correlation(image, image).correlation.min().round(6)
    np.float64(1.0)
    """
    a, b = _pair(first, second)
    rings, window = _rings(a.shape, pixel), _window(a.shape)
    one, two = (np.fft.rfft2((image - image.mean()) * window) for image in (a, b))
    if any(off):
        y, x = np.fft.fftfreq(a.shape[0])[:, None], np.fft.rfftfreq(a.shape[1])
        two = two * np.exp(2j * np.pi * (y * off[0] + x * off[1]))
    cross = rings.mean((one * two.conj()).real)
    power = np.sqrt(rings.mean(np.abs(one) ** 2) * rings.mean(np.abs(two) ** 2))
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    square = window**2
    kept = float(square.sum()) ** 2 / (window.size * float((square**2).sum()))
    number = np.maximum(rings.count / 2 * kept, 1.0)
    root = np.sqrt(number)
    half_bit = (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
    return RingCorrelation(rings.frequency, correlation, number, half_bit)


def spectra(pairs: Iterable[tuple[ArrayLike, ArrayLike]], pixel: tuple[float, float] = (1.0, 1.0)) -> Spectra:
    r"""Compare the radial power of results with that of raw images, and find where the raw ones show noise alone.

    The limit is the highest frequency of a ring whose power is 1.5 times the noise floor (the median of the rings from
    0.8 of the highest frequency on, three rings at a time), or that has a peak which noise as strong as around
    it makes once in a thousand images. Where that comes to 0.8 of the highest frequency, noise is not white, as
    that of resampled images is not, and the finest peak alone counts. The result is multiplied by what fits it best to
    the raw image below the limit.

    Parameters
    ----------
    pairs : a raw image and its result, (H, W); of a movie one after the other, whose powers are averaged.
    pixel : height and width of a pixel.

    Raises
    ------
    ImageError : there is none, or as :func:`ring_correlation`.

    Examples
    --------
    >>> raw = np.random.default_rng(0).normal(size=(64, 64))
    >>> spectra([(raw, 0.1 * raw)]).limit is None
    True
    """
    raw: Floats | None = None
    result = cross = np.zeros(())
    rings, window, frames = None, np.empty(0), 0
    for first, second in pairs:
        a, b = _pair(first, second)
        if rings is None or rings.index.shape[0] != a.shape[0]:
            rings, window = _rings(a.shape, pixel), _window(a.shape, 2)  # so that peaks spill over little
        one, two = (np.fft.rfft2((image - image.mean()) * window) for image in (a, b))
        found = np.abs(one) ** 2, np.abs(two) ** 2, (one * two.conj()).real
        raw, result, cross = found if raw is None else (raw + found[0], result + found[1], cross + found[2])
        frames += 1
    if rings is None or raw is None:
        raise ImageError("a spectrum takes an image and its result")
    raw, result, cross = raw / frames, result / frames, cross / frames
    power, after, shared = rings.mean(raw), rings.mean(result), rings.mean(cross)
    limit, floor, white = _limit(raw, power, rings, frames)
    within = rings.frequency <= (limit if limit is not None else math.inf)
    weight = rings.count
    fit = float((weight * shared)[within].sum()) / max(float((weight * after)[within].sum()), 1e-300)
    after = after * fit**2
    if within.all() and limit is not None:
        return Spectra(rings.frequency, power, after, floor, limit, white, None, None)
    beyond = ~within if limit is not None else within
    there, all_ = float((weight * after)[beyond].sum()), float((weight * after).sum())
    ratio = there / max(float((weight * power)[beyond].sum()), 1e-300)
    return Spectra(rings.frequency, power, after, floor, limit, white, ratio, there / max(all_, 1e-300))


def _limit(raw: Floats, power: Floats, rings: _Rings, frames: int) -> tuple[float | None, float, bool]:
    """Return the highest frequency that stands out of the noise, the noise, and whether that looks white."""
    middle = np.array([
        float(np.median(raw[rings.inside & (rings.index == ring)])) for ring in range(len(power))
    ])  # fmt: skip
    middle /= (1 - 1 / (9 * frames)) ** 3  # of exponential numbers, or the means of several, the mean
    top = np.full(len(power), -np.inf)
    off_axes = rings.inside.copy()  # along them lie the streaks of scan lines and of borders that do not fit
    off_axes[:, : STREAK + 1] = off_axes[: STREAK + 1] = off_axes[-STREAK:] = False
    np.maximum.at(top, rings.index[off_axes], (raw / _around(raw))[off_axes])
    floor = float(np.median(middle[rings.frequency > OUTER * rings.frequency[-1]]))
    smooth = np.convolve(np.pad(power, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    peaked = top > math.log(float(rings.count.sum()) / FALSE)
    few = 1 + 4 / np.sqrt(np.maximum(0.4 * rings.count * frames, 1))  # of three rings, under the window
    out = np.flatnonzero((smooth > np.maximum(STANDS_OUT, few) * floor) | peaked)
    white = not len(out) or bool(rings.frequency[out[-1]] <= OUTER * rings.frequency[-1])
    out = out if white else np.flatnonzero(peaked)
    return (float(rings.frequency[out[-1]]) if len(out) else None), floor, white


def _around(raw: Floats) -> Floats:
    """Return the mean power of what lies about each frequency, 11 x 11 less the inner 5 x 5, and half as much again.

    Half again, as a window leaves of the 96 frequencies a quarter that know nothing of each other.
    """
    padded = np.pad(np.pad(raw, ((5, 5), (0, 0)), mode="wrap"), ((0, 0), (5, 5)), mode="reflect")
    table = np.pad(padded.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows, columns = raw.shape
    total = np.zeros(raw.shape)
    for reach, sign in ((5, 1.0), (2, -1.0)):
        low, high = 5 - reach, 6 + reach
        for down, right, share in ((high, high, 1), (low, high, -1), (high, low, -1), (low, low, 1)):
            total += sign * share * table[down : down + rows, right : right + columns]
    return np.asarray(1.5 * np.maximum(total / 96, 1e-12 * float(raw.max()) + 1e-300), np.float64)


def _pair(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    a, b = np.asarray(first), np.asarray(second)
    if a.shape != b.shape or a.ndim != 2 or min(a.shape, default=0) < 16 or {a.dtype.kind, b.dtype.kind} - set("buif"):
        raise ImageError(f"rings are compared of two images of one shape, 16 x 16 or more, not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ImageError("some pixels are NaN or infinite; replace them first")
    return a.astype(np.float64), b.astype(np.float64)


def _window(shape: tuple[int, ...], edge: int = EDGE) -> Floats:
    lines = []
    for length in shape:
        place = (np.arange(length) + 0.5) / length
        away = np.minimum(place, 1 - place)
        lines.append(np.where(away < 1 / edge, 0.5 - 0.5 * np.cos(np.pi * edge * away), 1.0))
    return np.asarray(np.outer(*lines), np.float64)


def _rings(shape: tuple[int, ...], pixel: tuple[float, float]) -> _Rings:
    """Lay rings as wide as the step of frequency along the shorter side; frequency 0 is in none."""
    y, x = np.fft.fftfreq(shape[0], pixel[0])[:, None], np.fft.rfftfreq(shape[1], pixel[1])
    radius = np.hypot(y, x)
    step = 1 / min(shape[0] * pixel[0], shape[1] * pixel[1])
    number = int(min(0.5 / pixel[0], 0.5 / pixel[1]) / step)
    index = np.rint(radius / step).astype(np.intp) - 1
    inside = (index >= 0) & (index < number)
    weight = np.full(radius.shape, 2.0)
    weight[:, 0] = 1.0
    if shape[1] % 2 == 0:
        weight[:, -1] = 1.0
    count = np.bincount(index[inside], weight[inside], number)
    frequency = np.asarray(step * np.arange(1, number + 1), np.float64)
    return _Rings(index, weight, inside, frequency, np.asarray(count, np.float64))
