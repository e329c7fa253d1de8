"""A result's lattices, from windows of up to 512 pixels: what it lacks of them comes back, what it adds goes.

A network looks at some cells of a lattice at once, and averages over few of them; a large window of the Fourier
transform adds up all. `waves` finds what the result lacks, `orders` what it does not show at all, `deviations` what it
shows besides that the image does not bear out.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks, ends
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.corrections import deviations, waves
from temclean.evidence.corrections.deviations import Band
from temclean.evidence.corrections.recorded import Recorded, add
from temclean.evidence.ends import Ends
from temclean.evidence.noise import NoiseReport

LARGEST, SMALLEST, UNIT = 512, 128, 64
"""Side of the windows in pixels, and what it is a multiple of."""

GREATEST = 1e100
"""Range of an image up to which its noise has a square."""

WILD = 0.01
"""Share of wild pixels from which on those at black and white count as hit; if they lie elsewhere, nothing is done."""

LITTLE = 0.1
"""Share of the usual variance of noise that any pixel has."""

QUIETER = 0.55
"""Power of a residual, over that of the noise, below which the noise is weaker than it was measured, as bad pixels make
it look; where noise is cut off that does not tell."""

FURTHEST, COUNTS = 5.0, 4.0
"""Standard deviations of the noise, and electrons beside, at which a residual ends: what is beyond is no wave."""


def correct(
    raw: NDArray[Any],
    result: NDArray[Any],
    without: Iterable[tuple[int, int]] = (),
    *,
    recorded: Recorded | None = None,
    strayed: bool = False,
    divergence: Callable[[], float] | None = None,
) -> None:
    """Put back into a result, in place, what it lacks of its lattices, and take off what it shows too much beside them.

    Windows overlap by half, and fade into each other; the memory they take does not grow with the rows of an image.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale and of any real type. Nothing is done where a side is shorter than 128.
    without : iterable of (row, column)
        Pixels that were hit; those outside of the image do not matter.
    recorded : Recorded
        What the image before rows were put back and pixels replaced tells of its noise; by default ``raw``.
    strayed : bool
        Rows strayed, and columns are wider in the image than they are: no more is taken off than that could not do.
    divergence : callable
        Tells the mean of the derivatives of the result's pixels by their own of the image; asked if a lattice rules.
    """
    side = min(LARGEST, min(raw.shape) // UNIT * UNIT)
    pair = blocks.pair(raw, result) if side >= SMALLEST else None
    if pair is None or not 1 / GREATEST < pair.unit < GREATEST:
        return
    recorded = recorded or Recorded(raw)
    known, cut = recorded.noise, recorded.cut
    if known is None or (known.impulses > WILD and cut is None):
        return
    hit = np.array([each for each in without if each[0] < raw.shape[0] and each[1] < raw.shape[1]], np.intp)
    windows = _Windows(pair, known, cut, hit.reshape(-1, 2), _taper(side), strayed)
    ask = cache(divergence) if divergence else None
    held: deque[Band | None] = deque([None], maxlen=3)
    for band in chain(windows.bands(), [None]):
        held.append(band)
        if len(held) == held.maxlen and held[1] is not None:
            lost = deviations.lost(held[0], held[1], held[2], ask)
            if lost is not None:
                add(result, held[1].rows, lost.astype(np.float64) * -pair.unit)


def _starts(length: int, side: int) -> list[int]:
    """Return where windows begin: a quarter before the image, and so on by halves, until a quarter is beyond."""
    count = max(1, -(-(length - side // 2) // (side // 2))) + 1
    return [side // 2 * number - side // 4 for number in range(count)]


def _faded(starts: list[int], length: int, side: int) -> Floats:
    """Return what windows, faded twice, add up to along an axis: 1, but towards the ends."""
    whole = np.zeros(starts[-1] - starts[0] + side, np.float32)
    for start in starts:
        whole[start - starts[0] :][:side] += _taper(side) ** 2
    return whole[-starts[0] :][:length]


def _taper(side: int) -> Floats:
    """Return the window that parts of the image are seen through, and once more what comes back."""
    return np.sin(np.pi * (np.arange(side) + 0.5) / side).astype(np.float32)


@dataclass(frozen=True)
class _Windows:
    """Parts of an image and its result, whose noise and ends are known, seen through a taper; hit pixels are (N, 2)."""

    pair: Pair
    known: NoiseReport
    cut: Ends | None
    hit: NDArray[np.intp]
    taper: Floats
    strayed: bool

    def bands(self) -> Iterator[Band | None]:
        """Put back what the result lacks, some rows after the other; yield the bands of rows that hold a lattice."""
        shape, side = self.pair.raw.shape, len(self.taper)
        down, across = (_starts(length, side) for length in shape)
        faded = [_faded(each, length, side) for each, length in zip((down, across), shape, strict=True)]
        coming = np.zeros((3, side, shape[1]), np.float32)
        for top in down:
            for left in across:
                self._look(coming, top, left)
            final = slice(max(top, 0), shape[0] if top == down[-1] else max(top + side // 2, 0))
            ready = coming[:, final.start - top : final.stop - top] / (faded[0][final, None] * faded[1])
            yield self._band(final, *ready)
            coming[:, : side // 2], coming[:, side // 2 :] = coming[:, side // 2 :].copy(), 0.0

    def _look(self, coming: Floats, top: int, left: int) -> None:
        """Add to rows from ``top`` on what is seen in the window that begins there; it may begin before 0.

        That is what the result lacks, what it has that repeats or varies slowly, and what of this is a lattice.
        """
        side = len(self.taper)
        rows, columns = (
            slice(max(first, 0), min(first + side, length))
            for first, length in zip((top, left), self.pair.raw.shape, strict=True)
        )
        place = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        level = self.pair.scaled(self.pair.result[rows, columns])
        both = np.zeros((2, side, side), np.float32)
        both[0][place] = self._residual((rows, columns), level)[0]
        mean = level.mean()
        both[1][place] = level - mean
        taper = self.taper[:, None] * self.taper
        found = waves.lacking(both[0] * taper, both[1] * taper, strayed=self.strayed)
        seen = coming[:, place[0], columns]
        if found is None:
            seen[1] += level * (taper * taper)[place]
            return
        inside = [np.zeros_like(self.taper) for _ in place]
        for each, part in zip(inside, place, strict=True):
            each[part] = self.taper[part]
        lattice, steady = deviations.parted(found.whole, found.regular, inside[0], inside[1])
        seen[0] += (np.fft.irfft2(found.back, taper.shape) * taper)[place]
        seen[1] += ((lattice + steady + mean) * taper * taper)[place]
        seen[2] += (lattice * taper * taper)[place]

    def _band(self, rows: slice, back: Floats, steady: Floats, lattice: Floats) -> Band | None:
        """Add to rows of the result what comes back; return what is then known of them if they hold a lattice."""
        if not lattice.any():
            return None
        add(self.pair.result, rows, back.astype(np.float64) * self.pair.unit)
        level = self.pair.scaled(self.pair.result[rows])
        residual, deviation = self._residual((rows, slice(0, level.shape[1])), level)
        variance = deviation * deviation
        noise, left = float(variance.mean()), float(np.square(residual).mean())
        if self.cut is None and left < QUIETER * noise:
            variance *= np.float32(left / noise)
        return Band(rows, residual, variance, level - steady, lattice)

    def _residual(self, part: tuple[slice, slice], level: Floats) -> tuple[Floats, Floats]:
        """Return what is left of a part of the image, and the noise's standard deviation.

        What noise that is cut off leaves on the mean is taken off what is left.
        """
        pair, known = self.pair, self.known
        left = pair.scaled(pair.raw[part]) - level
        low, high = ((end - pair.offset) / pair.unit for end in (known.low, known.high))
        shown = pair.offset + pair.unit * np.minimum(np.maximum(level, low), high)
        variance = np.maximum(known.sigma**2 + known.gain * (shown - known.offset), LITTLE * known.sigma**2)
        deviation = (np.sqrt(variance) / pair.unit).astype(np.float32)
        furthest = np.float32(FURTHEST) * deviation + np.float32(COUNTS * abs(known.gain) / pair.unit)
        np.clip(left, -furthest, furthest, out=left)
        specks = known.impulses > WILD
        for end, sign in ((self.cut.low, 1), (self.cut.high, -1)) if self.cut else ():
            if end is not None:
                inside = sign * (level - np.float32((end - pair.offset) / pair.unit))
                left -= sign * (ends.spared if specks else ends.moved)(inside, deviation)
        if self.cut:
            at_ends = self.cut.at(pair.raw[part])
            if specks:
                left[at_ends] = 0.0
            left /= np.float32(max(1.0 - at_ends.mean(), 0.5))  # these show nothing of what is lacking
        first, last = np.array([[each.start, each.stop] for each in part]).T
        near = self.hit[((self.hit >= first) & (self.hit < last)).all(axis=1)] - first
        left[near[:, 0], near[:, 1]] = 0.0
        return left, deviation
