"""The scale of an image's intensities: which values become 0 and 1 before a network sees it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _sums
from temclean.errors import ImageError
from temclean.evidence.samples import Frames

CHUNK = 2**20  # pixels looked at in one go
SAMPLE = 2**22  # pixels that are enough for percentiles, where a histogram cannot hold all values
WIDEST_HISTOGRAM = 16  # bits
COARSE, SPARE = 2**12, 16  # pixels that tell roughly where a percentile lies, and how many of these more to look at
PILE = 4  # times as many pixels at an extreme as at the next value: noise is cut off there, which counts are not
BLOCK, BLOCKS = 8, 128  # side of the blocks, and how many along a side, that tell counts from noise that is cut off
DARK = 1.0  # steps above the least value, below which the mean of such a block lies
SPREAD = 1.25  # variance over mean, in steps, up to which they are counts: those of electrons have 1
ENOUGH = 100  # counts that tell

APART = 4.0
"""Times what lies between the percentiles 10 and 90 from which on the range may be that of single outliers."""

BEYOND = 3.0
"""Times the range of medians over 3x3 pixels by which pixels lie beyond that which are outliers: noise alone reaches
0.8 times as far, a few counts of electrons 2 times."""

MEDIANS = 2**16
"""Medians that are enough to tell, about."""


@dataclass(frozen=True)
class Scaling:
    """The intensities, in the image's own units, that become 0 and 1; equal where all pixels are.

    Of their distance, ``room`` is left below and above the percentiles that were measured. ``lag`` is the filter that
    undoes the lag of the image first (`temclean.evidence.lag`), empty where there is none; ``bulk`` lies between the
    percentiles 10 and 90. Of a stack of several ``channels`` each has its own, and the whole is the narrowest of them.
    """

    low: float
    high: float
    room: float = field(default=0.0, compare=False)
    lag: tuple[float, ...] = ()
    bulk: float = field(default=0.0, compare=False)
    channels: "tuple[Scaling, ...]" = ()

    def of(self, channel: int) -> "Scaling":
        """Return that of a channel."""
        return self.channels[channel] if self.channels else self

    @property
    def flat(self) -> bool:
        """Whether there is nothing to scale."""
        return not self.high > self.low


def together(channels: list[Scaling]) -> Scaling:
    """Return the scale of a stack from those of its channels."""
    narrowest = min(channels, key=lambda each: (each.flat, each.high - each.low))
    return replace(narrowest, channels=tuple(channels)) if len(channels) > 1 else narrowest


def measure(frames: Frames, low: float, high: float, room: float = 0.0, *, joined: bool = False) -> Scaling:
    """Measure two percentiles over all pixels of a stack.

    Exact for integers of 8 and 16 bits, from a histogram. For other types exact up to 4 million pixels, beyond that
    from an even subsample that is the same every time. Where the percentiles coincide, as in counts that are nearly
    all zero, minimum and maximum take their place.

    Where a percentile is the extreme itself, and far more pixels have that value than the next one, noise was cut off
    there, and networks know that 0 and 1 may stand for more. Elsewhere they would take the quiet floor of an image of
    counted electrons for such a cut and lower it: there ``room`` is left, and where most pixels of it hold no electron
    (`counted`).

    Parameters
    ----------
    frames : Frames
        Read once, frame by frame.
    low, high : float
        Percentiles, 0 to 100.
    room : float
        Share of the range between them to be left below and above.
    joined : bool
        Whether frames will be taken together (`temclean.restoration.together`): of means of few counts, of which most
        are 0, the floor is no cut.

    Raises
    ------
    ImageError
        If there are no pixels, they are not real numbers, or some are NaN or infinite.
    """
    if math.prod(frames.shape) == 0 or len(frames.shape) < 2:
        raise ImageError(f"an image has rows and columns, this one has shape {tuple(frames.shape)}")
    if frames.dtype.kind not in "iuf":
        raise ImageError(f"pixels of type {frames.dtype} cannot be denoised: convert them to real numbers")
    few = frames.dtype.kind in "iu" and 8 * frames.dtype.itemsize <= WIDEST_HISTOGRAM
    values = Histogram.of(frames) if few else Subset.of(frames)
    scaling, cut = _between(values, low, high)
    if scaling.high - scaling.low > APART * values.bulk():
        least, greatest = _usual(frames)
        if least < greatest and (scaling.low < least or scaling.high > greatest):
            values = values.within(least, greatest)
            scaling, cut = _between(values, low, high)
    if cut[0] and room and (joined or counted(frames[len(frames) // 2])):
        cut = False, cut[1]
    below, above = (room * (scaling.high - scaling.low) * (not piled) for piled in cut)
    scaling = Scaling(scaling.low - below, scaling.high + above, below + above, bulk=values.bulk())
    if not (math.isfinite(scaling.high - scaling.low) and (scaling.flat or _invertible(scaling))):
        raise ImageError(f"intensities from {scaling.low:g} to {scaling.high:g} span too much or too little: rescale")
    return scaling


def counted(frame: NDArray[Any]) -> bool:
    """Tell whether the dark parts of a frame (rows, columns) hold few single counts, not noise that was cut off.

    In blocks whose mean is less than a step, the step being that between the lowest values, the variance of counts is
    their mean times the step; that of noise which was cut off is more, by as many steps as it is wide. It is taken from
    pixels and those below, as no scanned beam joins them.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> counted(rng.poisson(0.1, (128, 128))), counted(rng.normal(-9, 9, (128, 128)).clip(0).round())
    (True, False)
    """
    rows, columns = (_of_blocks(length) for length in frame.shape)
    if not rows.size or not columns.size:
        return False
    blocks = frame[rows][:, columns].astype(np.float64)
    blocks -= blocks.min()
    step, next_step = 0.0, 0.0
    if (above := blocks[blocks > 0]).size and (further := above[above > (step := float(above.min()))]).size:
        next_step = float(further.min()) - step
    if not (step and next_step):
        return False
    blocks /= min(step, next_step)
    blocks = blocks.reshape(len(rows) // BLOCK, BLOCK, len(columns) // BLOCK, BLOCK).swapaxes(1, 2)
    dark = blocks[blocks.mean(axis=(2, 3)) < DARK]
    if dark.sum() < ENOUGH:
        return False
    return bool(0.5 * np.mean(np.diff(dark, axis=1) ** 2) < SPREAD * dark.mean())


def _of_blocks(length: int) -> NDArray[np.intp]:
    """Return which of so many rows or columns blocks are made of, spread evenly over all."""
    there = length // BLOCK
    first = np.linspace(0, there - 1, min(there, BLOCKS)).astype(np.intp) * BLOCK
    return (first[:, None] + np.arange(BLOCK)).ravel()


def _invertible(scaling: Scaling) -> bool:
    return math.isfinite(1 / (scaling.high - scaling.low))


Cut = tuple[bool, bool]
"""Whether noise was cut off at the lowest and at the greatest value."""


def _between(values: "Histogram | Subset", low: float, high: float) -> tuple[Scaling, Cut]:
    """Return the scale between two percentiles, or extremes where these coincide, and where noise is cut off."""
    scaling = Scaling(values.percentile(low), values.percentile(high))
    if scaling.flat:
        scaling = Scaling(values.least, values.greatest)
    if scaling.flat:
        return scaling, (False, False)
    piled = values.piled()
    return scaling, (piled[0] and scaling.low == values.least, piled[1] and scaling.high == values.greatest)


def _usual(frames: Frames) -> tuple[float, float]:
    """Return between which values pixels are no outliers; the same twice where nothing tells.

    Medians over 3x3 pixels know nothing of those that lie by themselves. They are alike where electrons are few. All
    frames are asked: a bright one among many dim ones is no outlier.
    """
    rows, columns = frames.shape[-2:]
    if min(rows, columns) < 3:
        return 0.0, 0.0
    found = []
    step = max(1, math.isqrt(rows * columns * len(frames) // MEDIANS))
    for index in range(len(frames)):
        around = np.lib.stride_tricks.sliding_window_view(frames[index], (3, 3))[::step, ::step]
        found.append(np.partition(around.reshape(-1, 9), 4, axis=1)[:, 4])
    ends = np.percentile(np.concatenate(found).astype(np.float64), (0.5, 99.5))
    room = BEYOND * float(ends[1] - ends[0])
    return float(ends[0]) - room, float(ends[1]) + room


@dataclass(frozen=True)
class Histogram:
    """How often each value occurs, of whole numbers of few bits; values rise."""

    values: NDArray[np.int64]
    numbers: NDArray[np.int64]

    @classmethod
    def of(cls, frames: Frames) -> "Histogram":
        """Count the values of all pixels."""
        info = np.iinfo(frames.dtype)
        least = int(info.min)
        counts = np.zeros(int(info.max) - least + 1, dtype=np.int64)
        for _, chunk in _chunks(frames):
            _sums.count(np.ascontiguousarray(chunk), least, counts)
        places = np.flatnonzero(counts != 0)  # as numbers they take four times as long to look through
        return cls(places + least, counts[places])

    @property
    def least(self) -> float:
        """The least value there is."""
        return float(self.values[0])

    @property
    def greatest(self) -> float:
        """The greatest."""
        return float(self.values[-1])

    def within(self, least: float, greatest: float) -> "Histogram":
        """Return the same without values beyond."""
        kept = (self.values >= least) & (self.values <= greatest)
        return Histogram(self.values[kept], self.numbers[kept])

    def percentile(self, percent: float) -> float:
        """Return a percentile, exactly, as `numpy.percentile` does of all pixels."""
        below = np.cumsum(self.numbers)
        rank = percent / 100 * (int(below[-1]) - 1)
        first, share = int(rank), rank - int(rank)
        here, following = self.values[np.searchsorted(below, (first, first + bool(share)), side="right")].tolist()
        return float(here + share * (following - here))

    def bulk(self) -> float:
        """Return what lies between the percentiles 10 and 90."""
        return self.percentile(90.0) - self.percentile(10.0)

    def piled(self) -> Cut:
        """Tell whether far more pixels have the least value, and the greatest, than the next one."""
        if len(self.numbers) < 2:
            return False, False
        return bool(self.numbers[0] > PILE * self.numbers[1]), bool(self.numbers[-1] > PILE * self.numbers[-2])


@dataclass(frozen=True)
class Subset:
    """Pixels of any type, as many as are enough, and the least and the greatest of all."""

    pixels: NDArray[Any]
    least: float
    greatest: float

    @classmethod
    def of(cls, frames: Frames) -> "Subset":
        """Take every so manieth pixel; ImageError if any of all is NaN or infinite."""
        total, width = math.prod(frames.shape), frames.shape[-1]
        step = -(-total // SAMPLE)
        while math.gcd(step, width) > 1:  # else only some columns would be seen
            step += 1
        sample, position, wrong, bad = [], 0, 0, set()
        least, greatest = math.inf, -math.inf
        for index, chunk in _chunks(frames):
            pixels = chunk.ravel()
            ends = float(pixels.min()), float(pixels.max())
            if not (math.isfinite(ends[0]) and math.isfinite(ends[1])):
                wrong += int(np.count_nonzero(~np.isfinite(pixels)))
                bad.add(index)
            least, greatest = min(least, ends[0]), max(greatest, ends[1])
            sample.append(pixels[-position % step :: step])
            position += len(pixels)
        if wrong:
            where = f" ({len(bad)} of {len(frames)} frames, the first is frame {min(bad)})" if len(frames) > 1 else ""
            raise ImageError(
                f"{wrong} of {total} pixels are NaN or infinite{where}: replace them first, "
                "for instance with numpy.nan_to_num or by their neighbours' median"
            )
        return cls(np.concatenate(sample), least, greatest)

    def within(self, least: float, greatest: float) -> "Subset":
        """Return the same without values beyond."""
        pixels = self.pixels[(self.pixels >= least) & (self.pixels <= greatest)]
        return Subset(pixels, float(pixels.min()), float(pixels.max()))

    def percentile(self, percent: float) -> float:
        """Return a percentile of the sample."""
        with np.errstate(over="ignore"):  # of what is refused afterwards
            return percentile(self.pixels, percent)

    def bulk(self) -> float:
        """Return what lies between the percentiles 10 and 90, about."""
        some = self.pixels[:: max(1, self.pixels.size // COARSE)].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            return float(np.subtract(*np.percentile(some, (90.0, 10.0))))

    def piled(self) -> Cut:
        """Tell whether far more pixels have the least value, and the greatest, than the next one."""
        return _piled(self.pixels, self.least, np.min), _piled(self.pixels, self.greatest, np.max)


def percentile(pixels: NDArray[Any], percent: float) -> float:
    """Return a percentile as `numpy.percentile` does, in a fifth of its time where it lies near either end.

    Parameters
    ----------
    pixels : ndarray, (pixels,)
    percent : float
        0 to 100.
    """
    rank = percent / 100 * (pixels.size - 1)
    first, share = int(rank), rank - int(rank)
    coarse = np.sort(pixels[:: max(1, pixels.size // COARSE)])
    place, tail = int(percent / 100 * coarse.size), pixels
    if percent < 50:
        tail = pixels[pixels <= coarse[min(2 * place + SPARE, coarse.size - 1)]]
        below = first
    else:
        tail = pixels[pixels >= coarse[max(2 * place - coarse.size - SPARE, 0)]]
        below = first - (pixels.size - tail.size)
    if not 0 <= below < tail.size - 1:  # chance, or one pixel
        tail, below = pixels, first
    above = min(below + 1, tail.size - 1)
    found = np.partition(tail, (below, above))
    return float(found[below]) + share * (float(found[above]) - float(found[below]))


def _piled(pixels: NDArray[Any], extreme: float, end: Callable[[NDArray[Any]], Any]) -> bool:
    others = pixels[pixels != extreme]
    if not others.size:
        return False
    return bool(pixels.size - others.size > PILE * np.count_nonzero(others == end(others)))


def _chunks(frames: Frames) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield bands of rows, each with the number of its frame, small enough to convert without being noticed."""
    rows = max(1, CHUNK // frames.shape[-1])
    wider = np.float32 if frames.dtype.itemsize < 4 and frames.dtype.kind == "f" else frames.dtype.newbyteorder("=")
    for index in range(len(frames)):
        frame = frames[index]
        for top in range(0, frames.shape[-2], rows):
            yield index, frame[top : top + rows].astype(wider, copy=False)
