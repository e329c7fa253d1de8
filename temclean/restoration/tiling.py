"""Cut images into tiles of one shape and put the tiles back together without a seam.

Pixels near a tile's inner edge are not to be trusted, because the network has not seen what lies beyond. So tiles
overlap, neighbours give way to each other in a ramp in the middle of the overlap, and the outermost tiles end flush
with the image: a network that pads with zeros meets the same border in a tile as in the whole image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from temclean import _tiles
from temclean.errors import ImageError, ParameterError
from temclean.forked import bearable
from temclean.restoration.tile_plan import Axis, Plan, pair, plan

Floats = NDArray[np.float32]

__all__ = [
    "SHIFTS",
    "Blender",
    "Plan",
    "blend",
    "crops",
    "limits",
    "plan",
    "roll",
    "shifts",
    "split",
    "writable",
]

SHIFTS = (8, 16, 24)  # pixels; the paper's "a few pixels each", three values of s
KERNEL_TYPES = frozenset("BbHhIiLlQqfd")  # what the kernels read and write as it is


def split(
    image: NDArray[Any],
    plan: Plan,
    *,
    first: int = 0,
    count: int | None = None,
    offset: float = 0.0,
    scale: float = 1.0,
    out: Floats | None = None,
    beyond: int = 0,
    threads: int = 1,
) -> Floats:
    """Cut tiles out of an image: (image - offset) * scale, reflected where a tile reaches beyond the border.

    Parameters
    ----------
    image : ndarray, (rows, columns)
        Any real type, strided or not; read straight from where it lies.
    plan : Plan
        From `plan`, for this shape.
    first, count : int
        Number of the first tile, and how many; all by default.
    offset, scale : float
        Subtracted and multiplied in float64.
    out : ndarray of float32, (count, tile rows, tile columns), optional
        Written in place of a new array.
    beyond : int
        Pixels that the image has more on each side than the plan's, and each tile too.
    threads : int
        Threads to use.

    Raises
    ------
    ImageError, ParameterError
        If the shapes or the range of tiles do not fit.

    Examples
    --------
    >>> image = np.arange(12.0).reshape(3, 4)
    >>> split(image, plan((3, 4), tile=2)).shape
    (4, 2, 2)
    """
    shape, tile = (tuple(side + 2 * beyond for side in sides) for sides in (plan.shape, plan.tile))
    if image.shape != shape:
        raise ImageError(f"the image has shape {image.shape}, its plan {shape}: make a plan for this image")
    count = len(plan) - first if count is None else count
    if first < 0 or count < 1 or first + count > len(plan):
        raise ParameterError(f"tiles {first} to {first + count - 1} are not among the plan's {len(plan)}")
    numbers, across = range(first, first + count), len(plan.columns.starts)
    tops = np.array([plan.rows.starts[number // across] for number in numbers], dtype=np.intp)
    lefts = np.array([plan.columns.starts[number % across] for number in numbers], dtype=np.intp)
    if count == 1 and not _readable(image):
        # One tile of a huge frame: convert what the tile sees, not the frame. It leaves the image only at the far side.
        top, left = int(tops[0]), int(lefts[0])
        image = image[top : top + tile[0], left : left + tile[1]]
        tops, lefts = np.zeros((2, 1), dtype=np.intp)
    return _gather(image, (tops, lefts), (tile[0], tile[1]), (offset, scale), out, threads)


class Blender:
    """Put the tiles of a plan back together, one call after the other, in reading order.

    Only the ramps are kept between calls: memory is that of one tile's column of ramps and one image row of them.

    Parameters
    ----------
    plan : Plan
        The tiles to expect.
    dtype : dtype
        Of the result: native integers, float32 or float64.
    offset, scale : float
        The result is offset + scale * tile; integers are rounded and clipped to what the type can hold.
    threads : int
        Threads to use.
    """

    def __init__(self, plan: Plan, dtype: DTypeLike, *, offset: float = 0.0, scale: float = 1.0, threads: int = 1):
        self.plan, self.dtype = plan, np.dtype(dtype)
        if not writable(self.dtype):
            raise ParameterError(f"tiles are blended into native integers, float32 and float64, not {self.dtype.str}")
        self.done = 0
        threads = bearable(threads)
        self._offset, self._scale, self._threads = offset, scale, threads
        self._low, self._high = limits(self.dtype)
        self._tables = plan.rows.table(), plan.columns.table()
        self._weights = _weights(plan.rows), _weights(plan.columns)
        widest = [max((end - begin for begin, end in axis.ramps), default=0) for axis in (plan.rows, plan.columns)]
        self._left = np.empty((plan.tile[0], max(1, widest[1])), dtype=np.float32)
        self._top = np.empty((max(1, widest[0]), plan.shape[1]), dtype=np.float32)
        self._lines = np.empty((threads, plan.shape[1]), dtype=np.float32)

    def band(self, row: int) -> slice:
        """Return the image's rows that are finished once row ``row`` of the tiles has been added, and not before."""
        begins = self._tables[0][1]
        return slice(int(begins[row]), int(begins[row + 1]))

    def add(self, tiles: Floats, out: NDArray[Any], top: int = 0) -> None:
        """Add the next tiles, (count, tile rows, tile columns); ``out`` is whole rows of the image from ``top`` on."""
        if tiles.shape[1:] != self.plan.tile or self.done + len(tiles) > len(self.plan):
            raise ParameterError(
                f"{len(tiles)} tiles of {tiles.shape[1:]} do not fit a plan of {len(self.plan)} tiles of "
                f"{self.plan.tile}, {self.done} of them done"
            )
        across = len(self.plan.columns.starts)
        last = self.band((self.done + len(tiles) - 1) // across).stop
        if out.dtype != self.dtype or out.shape[1] != self.plan.shape[1]:
            raise ParameterError(f"out is {out.dtype} with {out.shape[1]} columns, not {self.dtype}, {self.plan.shape}")
        if not top <= self.band(self.done // across).start <= last <= top + len(out):
            raise ParameterError(f"out holds rows {top} to {top + len(out)} of the image, the tiles reach row {last}")
        _tiles.blend(
            np.ascontiguousarray(tiles, dtype=np.float32), self.done, *self._tables, *self._weights, self._left,
            self._top, self._lines, out, top, self._offset, self._scale, self._low, self._high, self._threads,
        )  # fmt: skip
        self.done += len(tiles)


def blend(
    tiles: Floats,
    plan: Plan,
    *,
    out: NDArray[Any] | None = None,
    threads: int = 1,
) -> NDArray[Any]:
    """Put all tiles of a plan back together, with weights that add up to one.

    In a ramp of n pixels the later tile has the weight (i + 1) / (n + 1), i = 0 ... n - 1, along each axis.

    Parameters
    ----------
    tiles : ndarray of float32, (len(plan), tile rows, tile columns)
        As `split` returns them.
    plan : Plan
        The plan they were split by.
    out : ndarray, (rows, columns), optional
        Written in place of a new float32 array; into integers the values are rounded and clipped.
    threads : int
        Threads to use.

    Examples
    --------
    >>> image = np.random.default_rng(0).random((100, 60), dtype=np.float32)
    >>> cut = plan(image.shape, tile=32, overlap=8)
    >>> np.array_equal(blend(split(image, cut), cut), image)
    True
    """
    if len(tiles) != len(plan):
        raise ParameterError(f"the plan has {len(plan)} tiles, not {len(tiles)}")
    if out is None:
        out = np.empty(plan.shape, dtype=np.float32)
    Blender(plan, out.dtype, threads=threads).add(tiles, out)
    return out


def roll(
    image: NDArray[Any], down: int, right: int, *, out: NDArray[Any] | None = None, threads: int = 1
) -> NDArray[Any]:
    """Move an image as if it repeated: what leaves on one side comes back on the other.

    Spots that the edge of a patch cuts come to lie whole: the shift augmentation of Chae et al. 2025, II.4.

    Examples
    --------
    >>> roll(np.array([[1, 2, 3]]), 0, 1)
    array([[3, 1, 2]])
    """
    source = _native(_flat(image))
    if out is None:
        out = np.empty(source.shape, dtype=source.dtype)
    elif out.shape != source.shape or out.dtype != source.dtype:
        raise ParameterError(f"out is {out.dtype} {out.shape}, the image {source.dtype} {source.shape}")
    if np.may_share_memory(out, source):
        raise ParameterError("an image cannot be rolled in place: give another array as out")
    _tiles.roll(source, down % source.shape[0], right % source.shape[1], out, bearable(threads))
    return out


def shifts(
    image: NDArray[Any], steps: Sequence[int] = SHIFTS, *, out: NDArray[Any] | None = None, threads: int = 1
) -> NDArray[Any]:
    """Return the image and its copies rolled by each step along both axes, shape (1 + steps, rows, columns).

    The paper makes four images from one, with three shifts of "a few pixels" that it does not state.
    """
    source = _native(_flat(image))
    if out is None:
        out = np.empty((1 + len(steps), *source.shape), dtype=source.dtype)
    for copy, step in zip(out, (0, *steps), strict=True):
        roll(source, step, step, out=copy, threads=threads)
    return out


def crops(
    image: NDArray[Any],
    size: int | tuple[int, int],
    count: int,
    seed: int,
    *,
    out: Floats | None = None,
    threads: int = 1,
) -> Floats:
    """Cut ``count`` crops of ``size`` at random places, all equally likely, as float32 (count, rows, columns).

    Examples
    --------
    >>> crops(np.ones((9, 9)), 4, count=3, seed=0).shape
    (3, 4, 4)
    """
    shape, size = _flat(image).shape, pair(size)
    room = shape[0] - size[0], shape[1] - size[1]
    if min(room) < 0 or min(size) < 1 or count < 0:
        raise ParameterError(f"cannot cut {count} crops of {size} out of an image of {shape}")
    draw = np.random.default_rng(seed)
    tops, lefts = (draw.integers(0, space, size=count, endpoint=True, dtype=np.int64).astype(np.intp) for space in room)
    return _gather(image, (tops, lefts), size, (0.0, 1.0), out, threads)


def writable(dtype: DTypeLike) -> bool:
    """Return whether tiles can be blended straight into an array of this type."""
    dtype = np.dtype(dtype)
    return dtype.isnative and dtype.char in KERNEL_TYPES


def limits(dtype: DTypeLike) -> tuple[float, float]:
    """Return the least and greatest float64 that fit an integer type; infinities for floats."""
    dtype = np.dtype(dtype)
    if dtype.kind not in "iu":
        return -np.inf, np.inf
    info = np.iinfo(dtype)
    high = float(info.max)
    # The greatest 64-bit integers round up to a power of two that no longer fits.
    return float(info.min), float(np.nextafter(high, 0)) if int(high) > info.max else high


def _gather(
    image: NDArray[Any],
    corners: tuple[NDArray[np.intp], NDArray[np.intp]],
    tile: tuple[int, int],
    scaling: tuple[float, float],
    out: Floats | None,
    threads: int,
) -> Floats:
    tops, lefts = corners
    shape = (len(tops), *tile)
    if out is None:
        out = np.empty(shape, dtype=np.float32)
    elif out.shape != shape or out.dtype != np.float32:
        raise ParameterError(f"out is {out.dtype} {out.shape}, the tiles are float32 {shape}")
    _tiles.gather(_native(_flat(image)), tops, lefts, out, *scaling, bearable(threads))
    return out


def _weights(axis: Axis) -> Floats:
    """Return the weight of the later tile at each pixel of a ramp, and one between the ramps."""
    weights = np.ones(axis.length, dtype=np.float32)
    for begin, end in axis.ramps:
        weights[begin:end] = np.arange(1, end - begin + 1) / (end - begin + 1)
    return weights


def _flat(image: NDArray[Any]) -> NDArray[Any]:
    if image.ndim != 2 or image.size == 0:
        raise ImageError(f"an image has rows and columns, this array has shape {image.shape}")
    return image


def _readable(image: NDArray[Any]) -> bool:
    """Return whether the kernels can read the array where it lies."""
    whole_steps = all(stride % image.dtype.itemsize == 0 for stride in image.strides)
    return writable(image.dtype) and bool(image.flags.aligned) and whole_steps


def _native(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image as the kernels read it: itself if it can be, else one converted copy."""
    if _readable(image):
        return image
    if image.dtype.kind not in "biuf":
        raise ImageError(f"pixels of type {image.dtype} cannot be used: convert them to real numbers")
    wider = {"b": np.dtype(np.uint8)}.get(image.dtype.kind, image.dtype.newbyteorder("="))
    if wider.kind == "f" and wider.char not in KERNEL_TYPES:
        wider = np.dtype(np.float32 if wider.itemsize < 4 else np.float64)
    return np.ascontiguousarray(image, dtype=wider)
