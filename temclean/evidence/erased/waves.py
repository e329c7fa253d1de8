r"""What a network took away of waves that its result shows: the weak reflections of lattices.

A network looks at some cells of a lattice at once, and averages over few of them. A large window of the Fourier
transform adds up all cells: a reflection that is hardly there for the network stands far out of the noise. So the
residual :math:`D = F\{y - \hat x\}` is laid beside the result :math:`R = F\{\hat x\}`, in windows of up to 512 pixels,
at each wave at which the result has a peak. Over that and its eight neighbours

.. math:: h = \frac{\sum \Re(D R^*)}{\sum |R|^2}, \qquad z = \frac{\sum \Re(D R^*)}{\sqrt{\tfrac12 N \sum |R|^2}},

:math:`h` is by how much the result falls short of the image there, :math:`z` how many standard deviations of the noise
of power :math:`N` that is; and :math:`h \, (1 - 4 / z^2)_+ \, R` comes back, a shrunken least-squares estimate (James
and Stein 1961). It has the result's own phase, and its own form around the peak, so that it is where the lattice is,
and noise cannot bring a wave of its own. Waves that the result does not show are looked for where sums and differences
of its own are (`orders`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks, ends
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.ends import Ends
from temclean.evidence.erased.orders import lacking_orders
from temclean.evidence.erased.recorded import Recorded, add
from temclean.evidence.erased.spectrum import BLURRED, SLOW, floor_of, gathered, power_of
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Mask

LARGEST, SMALLEST, UNIT = 512, 128, 64
"""Side of the windows in pixels, and what it is a multiple of."""

RISE = 20.0
"""Times what the result's power is in a block's middle that a peak has."""

LEAST = 1.0
"""Times the noise that its power is: of weaker ones much is noise that the result kept."""

WEAKER = 4.0
"""Times what a satellite's power is that of its wave is, at least; and share of it that its twin has."""

CHANCE = 2.0
"""Standard deviations of which nothing comes back."""

GREATEST = 1e100
"""Range of an image up to which its noise has a square."""

WILD = 0.01
"""Share of wild pixels from which on those at black and white count as hit; if they lie elsewhere, nothing is done."""

FURTHEST, COUNTS = 5.0, 4.0
"""Standard deviations of the noise, and electrons beside, at which a residual ends: what is beyond is no wave."""


def put_back(
    raw: NDArray[Any],
    result: NDArray[Any],
    without: Iterable[tuple[int, int]] = (),
    *,
    recorded: Recorded | None = None,
    strayed: bool = False,
) -> None:
    """Put back into a result, in place, what it lacks of the waves that it shows, or take off what is too much.

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
    down, across = (_starts(length, side) for length in raw.shape)
    faded = [_faded(each, length, side) for each, length in zip((down, across), raw.shape, strict=True)]
    coming = np.zeros((side, raw.shape[1]), np.float32)
    for top in down:
        for left in across:
            windows.add_lacking(coming, top, left)
        final = slice(max(top, 0), len(raw) if top == down[-1] else max(top + side // 2, 0))
        ready = coming[final.start - top : final.stop - top] / (faded[0][final, None] * faded[1])
        add(result, final, ready.astype(np.float64) * pair.unit)
        coming[: side // 2], coming[side // 2 :] = coming[side // 2 :].copy(), 0.0


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

    def add_lacking(self, coming: Floats, top: int, left: int) -> None:
        """Add to rows from ``top`` on what the result lacks in the window that begins there; it may begin before 0."""
        side = len(self.taper)
        rows, columns = (
            slice(max(first, 0), min(first + side, length))
            for first, length in zip((top, left), self.pair.raw.shape, strict=True)
        )
        place = np.s_[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
        level = self.pair.scaled(self.pair.result[rows, columns])
        both = np.zeros((2, side, side), np.float32)
        both[0][place] = self._residual((rows, columns), level)
        both[1][place] = level - np.float32(0.5)
        taper = self.taper[:, None] * self.taper
        back = _lacking(both[0] * taper, both[1] * taper, strayed=self.strayed)
        if back is not None:
            coming[place[0], columns] += (back * taper)[place]

    def _residual(self, part: tuple[slice, slice], level: Floats) -> Floats:
        """Return what is left of a part of the image, less what noise that is cut off leaves on the mean."""
        pair, known = self.pair, self.known
        left = pair.scaled(pair.raw[part]) - level
        low, high = ((end - pair.offset) / pair.unit for end in (known.low, known.high))
        shown = pair.offset + pair.unit * np.minimum(np.maximum(level, low), high)
        variance = np.maximum(known.sigma**2 + known.gain * (shown - known.offset), 0.0)
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
        return left


def _lacking(residual: Floats, result: Floats, *, strayed: bool) -> Floats | None:
    """Return what a window of a result lacks of its waves; None where that is nothing."""
    left: NDArray[Any] = np.fft.rfft2(residual)
    shown: NDArray[Any] = np.fft.rfft2(result)
    power = power_of(shown)
    floor, around = floor_of(power_of(left)), floor_of(power)
    peak = (power > RISE * around) & (power > LEAST * floor)
    peak[:, -2:] = False
    peak[:SLOW, :SLOW] = peak[1 - SLOW :, :SLOW] = False
    peak &= power >= gathered(power, 2, np.maximum)
    rows, columns = _of_the_specimen(power, peak)
    if not rows.size:
        return None
    common = gathered(left.real * shown.real + left.imag * shown.imag, 1, np.add)
    whole = gathered(power, 1, np.add)
    short, total = common[rows, columns], whole[rows, columns]
    if strayed:
        short = np.where(short < 0.0, np.minimum(short + np.float32(BLURRED) * total, 0.0), short)
    sure = short * short / (0.5 * CHANCE**2 * floor[rows, columns] * total)
    gain = np.zeros(power.shape, np.float32)
    gain[rows, columns] = short / total * (1.0 - 1.0 / np.maximum(sure, 1.0))
    spread = gathered(gain, 1, np.add)  # peaks are three pixels apart at least
    first = spread[:, 0]
    np.copyto(first, np.roll(first[::-1], 1), where=first == 0.0)
    back = spread * shown
    left -= back
    lacking_orders(back, left, floor, shown, (rows, columns), strayed=strayed)
    found: NDArray[Any] = np.fft.irfft2(back, residual.shape)
    return found.astype(np.float32, copy=False)


def _of_the_specimen(power: Floats, peak: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the peaks of a half spectrum, without those that hum makes.

    A beam that swings with the mains displaces rows, and each wave of a lattice gets satellites, as far before as
    behind, that share its period along rows. So may other reflections of a lattice that lies along the rows; but by as
    much as these are apart down the rows, one lies straight down, and so does one that a specimen has by brightness.
    """
    rows, columns = np.nonzero(peak)
    strength, near = power[rows, columns], gathered(power, 1, np.maximum)
    opposite = (2 * rows - rows[:, None]) % len(power), np.maximum(2 * columns - columns[:, None], 0)
    satellite = (np.abs(columns[:, None] - columns) <= 1) & (WEAKER * strength[:, None] < strength)
    satellite &= near[opposite[0], np.minimum(opposite[1], power.shape[1] - 1)] > strength[:, None] / WEAKER
    straight = np.zeros(len(power), bool)
    straight[rows[columns <= 1]] = True
    straight |= straight[-np.arange(len(power))]
    straight |= np.roll(straight, 1) | np.roll(straight, -1)
    satellite &= ~straight[rows[:, None] - rows]
    kept = ~satellite.any(axis=1)
    return rows[kept], columns[kept]
