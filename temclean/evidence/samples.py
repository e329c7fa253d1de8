"""The pixels that are looked at, brought to [0, 1], and filters that leave noise and take structure away."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from hashlib import blake2b
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from temclean import _pieces
from temclean.evidence.data_bar import rows_above

Asked = ParamSpec("Asked")
Found = TypeVar("Found")
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

MOST = 2**20
"""Pixels that are enough."""

SIDE = 256
"""Pixels along a side of the pieces that a larger image is looked at in."""

FEW, NARROW = 4 * 96**2, 96
"""The same where a rough answer is enough, in a sixth of the time of a frame of 512x512."""

CUT_OFF = 1e-3
"""Share of the pixels at the least or greatest value from which on an image is cut off there."""

VALUES = 2**16
"""Pixels that are enough to see in what steps values come."""

REMEMBERED = 8
"""Samples of which is remembered what was measured: two of each frame that some threads work on."""

AT_ENDS, MORE, TOGETHER = 2e-3, 1.3, 0.05
"""Share of the pixels at the ends, power over what its middle tells, and correlation with the next pixel, up to which
noise is plain at a glance: far less than what images ask to be told of."""

RELATED = {order: math.comb(4 * order, 2 * order) / math.comb(2 * order, order) ** 2 for order in (1, 2, 4, 8)}
"""Pixels that count as one after the difference of an order, as it makes neighbours depend on each other: the sum of
its squared autocorrelation."""


_REMEMBERED: list[dict[object, Any]] = []


class Frames(Protocol):
    """A stack of frames: an array, or frames that are read on demand."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape (..., rows, columns)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the pixels."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> NDArray[Any]: ...


@dataclass(frozen=True)
class Sample:
    """Pieces of an image, (count, rows, columns), whose least and greatest value are 0 and 1.

    Attributes
    ----------
    pieces : the pixels, row after row in memory however the image lies there.
    low, width : intensity that is 0, and intensity from 0 to 1, in the image's own units.
    """

    pieces: Floats
    low: float
    width: float

    @cached_property
    def step(self) -> float:
        """From one value to the next where all lie on a grid, in units of `width`; 0 where they do not."""
        return grid(self.pieces)


def remembered(measure: Callable[Concatenate[Sample, Asked], Found]) -> Callable[Concatenate[Sample, Asked], Found]:
    """Have what is measured of the last samples kept: it is asked for before a model runs, while it does and after."""
    known: dict[object, Found] = {}
    _REMEMBERED.append(known)

    @wraps(measure)
    def asked(sample: Sample, /, *values: Asked.args, **named: Asked.kwargs) -> Found:
        pixels = blake2b(np.ascontiguousarray(sample.pieces).data).digest()
        key = pixels, sample.pieces.shape, sample.low, sample.width, *values, *sorted(named.items())
        found = known.get(key)
        if found is None:
            found = measure(sample, *values, **named)
            for oldest in list(known)[: 1 - REMEMBERED]:
                known.pop(oldest, None)
            known[key] = found
        return found

    return asked


def forget() -> None:
    """Let go of all that is remembered of samples, as benchmarks must that ask again about the same image."""
    for known in _REMEMBERED:
        known.clear()


def sample(image: NDArray[np.generic], *, most: int = MOST, side: int = SIDE) -> Sample | None:
    """Return what is looked at of an image (rows, columns): all of it, or of a large one pieces at full resolution.

    A data bar at its bottom is left out. None where all its pixels are alike, or some are NaN, infinite or too far
    apart. What is large has more than ``most`` pixels; pieces of ``side`` x ``side`` are taken of it, each from the
    middle of its share of the image.
    """
    image = image[: rows_above(image)]
    rows, columns = image.shape
    if rows * columns <= most or min(rows, columns) < side:
        # Of a long strip that is narrower than a piece, its beginning.
        pieces = image[None, : max(1, most // columns), : max(1, most // min(rows, most))]
    else:
        across = min(columns // side, max(1, round(math.sqrt(most / side**2 * columns / rows))))
        down = min(rows // side, most // side**2 // across)
        tops, lefts = (
            ((np.arange(count) + 0.5) * length / count - side / 2).astype(int)
            for length, count in ((rows, down), (columns, across))
        )
        pieces = np.stack([image[top : top + side, left : left + side] for top in tops for left in lefts])
    exact = pieces.astype(np.float64)
    low, high = float(exact.min()), float(exact.max())
    width = high - low
    if not (math.isfinite(width) and width > 0 and math.isfinite(1 / width)):
        return None
    return Sample(((exact - low) / width).astype(np.float32, order="C"), low, width)


def cut_off(image: NDArray[Any]) -> tuple[Any, Any]:
    """Return the least and the greatest value of an image, each where it is cut off there, else None."""
    least, greatest = (
        end if np.count_nonzero(image == end) > CUT_OFF * image.size else None for end in (image.min(), image.max())
    )
    return least, greatest


def keep_cut_off(changed: NDArray[Any], image: NDArray[Any], ends: tuple[Any, Any]) -> None:
    """Have what was made of an image cut off where that is: networks know that there is more behind it."""
    for end in ends:
        if end is not None:
            changed[image == end] = end
    if ends != (None, None):
        np.clip(changed, *ends, out=changed)


def grid(scaled: Floats) -> float:
    """Return the step between values where all are multiples of one, else 0; of some thousand pixels."""
    flat = scaled.ravel()
    values = np.unique(flat[:: max(1, flat.size // VALUES)]).astype(np.float64)
    gaps = np.diff(values)
    if not gaps.size or float(gaps.min()) < 2e-6:  # finer than single precision holds
        return 0.0
    least = float(gaps.min())
    step = float(gaps[gaps < 1.5 * least].mean())
    for _ in range(3):  # the further apart two values, the better they tell the step
        numbers = np.rint((values - values[0]) / step)
        step = float((values - values[0]) @ numbers / (numbers @ numbers))
    off = np.abs((values - values[0]) / step - np.rint((values - values[0]) / step))
    return step if float(np.quantile(off, 0.95)) < 0.05 else 0.0


def bend(pixels: Floats, axis: int) -> Floats:
    """Return the second difference along an axis, 1 or 2: x[-1] - 2 x[0] + x[1]."""
    rows, turned = in_rows(pixels)
    axis = 3 - axis if turned else axis
    out = np.empty([max(length - 2 * (each == axis), 0) for each, length in enumerate(rows.shape)], np.float32)
    if out.size:
        _pieces.bend(rows, axis, out)
    return out.swapaxes(1, 2) if turned else out


def in_rows(pixels: Floats) -> tuple[Floats, bool]:
    """Return pieces whose rows lie in memory as such, and whether they are turned to that end, rows for columns."""
    for turned, each in enumerate((pixels, pixels.swapaxes(1, 2))):
        if each.strides[2] == each.itemsize:
            return each, bool(turned)
    return np.ascontiguousarray(pixels), False


def steep(pixels: Floats, axis: int, order: int) -> Floats:
    """Return the difference along an axis of order 1 or an even one; white noise keeps its variance."""
    if order == 1:
        parts = [pixels[(slice(None),) * axis + (part,)] for part in (slice(1, None), slice(None, -1))]
        return (parts[0] - parts[1]) * np.float32(math.sqrt(0.5))
    for _ in range(order // 2):
        pixels = bend(pixels, axis)
    return pixels * np.float32(1 / math.sqrt(math.comb(2 * order, order)))


def spread(mask: Mask, rows: int, columns: int) -> Mask:
    """Return where any of the ``rows`` x ``columns`` pixels from here on is set, as the filters look at them."""
    for axis, count in ((1, rows), (2, columns)):
        length = mask.shape[axis] - count + 1
        parts = [mask[(slice(None),) * axis + (slice(start, start + length),)] for start in range(count)]
        mask = np.logical_or.reduce(parts)
    return mask


def median(values: Floats | NDArray[np.float64]) -> float:
    """Return what `np.median` does, of numbers that are finite: with one look for the middle instead of three."""
    middle = values.size // 2
    parted = np.partition(values, middle, axis=None)
    upper = parted[middle]
    return float(upper if values.size % 2 else (parted[:middle].max() + upper) / np.float32(2))


def is_plain(sample: Sample, counts: float) -> bool:
    """Return whether a glance is enough to see that noise is white, of even strength enough, and without specks.

    Few pixels are at the ends, second differences have no more power than their middle tells and hang together along
    neither axis, and the mean is so many steps, where values come in steps.
    """
    pieces = sample.pieces
    if np.count_nonzero((pieces <= 0) | (pieces >= 1)) > AT_ENDS * pieces.size:
        return False
    for axis in (1, 2):
        left = bend(pieces, axis)
        rows = left if axis == 1 else left.swapaxes(1, 2)
        power = float(np.vdot(left, left)) / left.size
        usual = 1.4826 * median(np.abs(left[:, ::3, ::3]))
        together = float(np.einsum("ijk,ijk->", rows[..., 1:], rows[..., :-1])) / left.size
        if power > MORE * usual**2 or abs(together) > TOGETHER * power:
            return False
    return not sample.step or sample.low / sample.width + float(pieces.mean()) > counts * sample.step


def share_of(mask: Mask) -> float:
    """Return which share of the pixels is set."""
    return int(np.count_nonzero(mask)) / mask.size


def block_sums(values: NDArray[Any], side: int) -> NDArray[np.float64]:
    """Return the sums over blocks of ``side`` x ``side`` from the top left on, (count, blocks down, blocks across)."""
    count, rows, columns = values.shape
    down, across = rows // side, columns // side
    sums: NDArray[np.float64] = np.empty((count, down, across))
    if values.dtype == np.float32 and values.strides[2] == values.itemsize and sums.size:
        _pieces.block_sums(values, side, sums)
        return sums
    cut = values[:, : down * side, : across * side]
    kind = np.float32 if values.dtype.kind == "f" else np.int32
    strips = cut.reshape(count, down, side, across * side).sum(2, dtype=kind)
    sums = strips.reshape(count, down, across, side).sum(3, dtype=np.float64)
    return sums


def block_products(pixels: Floats, side: int, lag: int = 0) -> NDArray[np.float64]:
    """Return the sums over such blocks of the products of each pixel with the one ``lag`` further along its row."""
    count, rows, columns = pixels.shape
    sums = np.empty((count, rows // side, max(0, columns - lag) // side))
    if sums.size:
        lying, turned = in_rows(pixels)
        (_pieces.block_products_down if turned else _pieces.block_products)(lying, lag, side, sums)
    return sums
