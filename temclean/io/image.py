"""What a reader returns: an image or a stack, its frames read one at a time, with its calibration."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError
from temclean.io.messages import reading
from temclean.io.units import METRES

Array = NDArray[Any]

# LZW reaches about 2700:1 and deflate 1032:1, and real images far less: a header that claims more is damaged.
_MOST_COMPRESSION = 3000
_USUAL_COMPRESSION = 100
_GENEROUS = 1 << 28


ByteOrder = Literal["<", ">"]


class Frames(ABC):
    """Frames of one shape and dtype, read on demand: ``frames[i]`` is a new array in native byte order.

    Nothing is cached, so memory does not grow with the number of frames, and the caller owns what it gets.
    Several threads may read at once.
    """

    holds_file = False
    """Whether a file stays open until :meth:`close`."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.path = path
        self.shape = tuple(int(n) for n in shape)
        self.dtype = np.dtype(dtype).newbyteorder("=")
        if len(self.shape) < 2 or 0 in self.shape:
            raise ImageError(f"{path}: holds no image but {self.shape} values; name a file with an image or a stack")
        if self.dtype.kind not in "iuf" or self.dtype.itemsize > 8:
            raise ImageError(f"{path}: holds {self.dtype.name} values, not an image; export integers or real numbers")

    def __len__(self) -> int:
        return math.prod(self.shape[:-2])

    def __getitem__(self, index: int) -> Array:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"frame {index} of {count}")
        with reading(self.path):
            return self.frame(index % count)

    def __iter__(self) -> Iterator[Array]:
        for index in range(len(self)):
            yield self[index]

    @abstractmethod
    def frame(self, index: int) -> Array:
        """Read frame `index`."""

    def close(self) -> None:  # noqa: B027, most frames keep no file open
        """Let go of the file."""


class ArrayFrames(Frames):
    """Frames of an array that is in memory already."""

    def __init__(self, path: Path, array: Array) -> None:
        super().__init__(path, array.shape, array.dtype)
        self.array = array.reshape(-1, *array.shape[-2:])

    def frame(self, index: int) -> Array:
        frame: Array = self.array[index].astype(self.dtype)
        return frame


class RawFrames(Frames):
    """Uncompressed frames that lie in the file one after the other, or at given offsets."""

    def __init__(
        self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offsets: int | Array, flip: bool = False
    ) -> None:
        super().__init__(path, shape, dtype)
        self.stored = np.dtype(dtype)
        self.offsets = offsets
        self.flip = flip
        self.frame_bytes = frame_bytes(self.shape, self.stored)
        count = len(self)
        need = self.frame_bytes + (
            int(np.max(offsets)) if isinstance(offsets, np.ndarray) else offsets + self.frame_bytes * (count - 1)
        )
        have = path.stat().st_size
        if need > have:
            raise ImageError(
                f"{path}: is cut short or damaged: its header asks for {need} bytes, there are {have}; copy it again"
            )

    def frame(self, index: int) -> Array:
        if isinstance(self.offsets, np.ndarray):
            offset = int(self.offsets[index])
        else:
            offset = self.offsets + index * self.frame_bytes
        array = read_values(self.path, offset, self.shape[-2:], self.stored)
        return np.ascontiguousarray(array[::-1]) if self.flip else array


class MappedFrames(Frames):
    """Frames made from stored ones by a function: luminance of RGB, look-up of a palette."""

    def __init__(self, path: Path, frames: Frames, shape: tuple[int, ...], function: Callable[[Array], Array]) -> None:
        super().__init__(path, shape, frames.dtype)
        self.stored_frames = frames
        self.holds_file = frames.holds_file
        self.function = function

    def frame(self, index: int) -> Array:
        return self.function(self.stored_frames.frame(index))

    def close(self) -> None:
        self.stored_frames.close()


@dataclass(frozen=True)
class StackAxis:
    """How the frames of a stack follow each other along one of its leading axes."""

    step: float
    """From one frame to the next, in `unit`: seconds, nanometres, degrees, ..."""
    unit: str | None = None
    origin: float = 0.0
    """Of the first frame, in `unit`."""


@dataclass(frozen=True)
class Image:
    """An image or a stack of them, as a file holds it. Use it in a ``with`` block, or call :meth:`close`."""

    pixels: Frames
    """``.shape`` (..., H, W), ``.dtype``, ``len()`` frames, ``[i]`` a frame."""
    pixel_size: tuple[float, float] | None = None
    """Height and width of a pixel, in `unit`."""
    unit: str | None = None
    """``"nm"``, ``"Å"``, ``"µm"``, ``"1/nm"``, ..."""
    axes: str = "YX"
    """A letter for each dimension: ``"YX"``, ``"TYX"`` (a movie, or frames of unknown meaning), ``"ZYX"``, ..."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What else the container says, by its own names."""
    suffix: str = ".tif"
    """Of the source file, by its content."""
    warnings: tuple[str, ...] = ()
    """What was ignored or changed, in a line each."""
    container: object = field(default=None, repr=False, compare=False)
    """What the writer of the same format needs to carry its own metadata over."""
    origin: tuple[float, float] | None = None
    """Where the centre of the first pixel lies along rows and columns, in `unit`; None where the file does not say."""
    stack: tuple[StackAxis | None, ...] = ()
    """The calibration of each axis before rows and columns, in the order of `axes`; None where it is not known."""

    @classmethod
    def from_array(
        cls,
        array: ArrayLike,
        pixel_size: tuple[float, float] | float | None = None,
        unit: str | None = None,
        axes: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "Image":
        """Return an image of pixels made here; `array` is (..., H, W) and is not copied."""
        pixels = np.asarray(array)
        if isinstance(pixel_size, int | float):
            pixel_size = (pixel_size, pixel_size)
        axes = axes or stack_axes(pixels.ndim)
        if len(axes) != pixels.ndim or not axes.endswith("YX"):
            raise ImageError(f"axes {axes!r} do not fit an array of {pixels.ndim} dimensions; end them with 'YX'")
        return cls(ArrayFrames(Path("array"), pixels), pixel_size, unit, axes, dict(metadata or {}))

    def with_pixels(self, pixels: ArrayLike) -> "Image":
        """Return this image with other pixels of the same shape, all in memory, and the rest as it is."""
        array = np.asarray(pixels)
        if array.shape != self.pixels.shape:
            raise ImageError(f"pixels of shape {array.shape} do not fit this image of {self.pixels.shape}")
        return replace(self, pixels=ArrayFrames(self.pixels.path, array))

    @property
    def angstroms(self) -> float | None:
        """Side of a pixel in Å, of an oblong one that of a square as large; None where no length is known."""
        if self.pixel_size is None or self.unit not in METRES:
            return None
        return math.sqrt(self.pixel_size[0] * self.pixel_size[1]) * METRES[self.unit] * 1e10

    def warn(self, line: str) -> None:
        """Add a line to the warnings, unless it is there; writers say so what their format could not hold."""
        if line not in self.warnings:
            object.__setattr__(self, "warnings", (*self.warnings, line))

    def warn_of_lost_size(self, kind: str) -> None:
        """Say that files of `kind` cannot hold the pixel size, where there is one."""
        if self.pixel_size is not None:
            rows, columns = (f"{size:.6g}" for size in self.pixel_size)
            shown = rows if rows == columns else f"{rows} x {columns}"
            self.warn(f"{kind} holds no pixel size: {shown} {self.unit} is lost; write .tif to keep it")

    def close(self) -> None:
        """Let go of the file."""
        self.pixels.close()

    def __enter__(self) -> "Image":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def stack_axes(ndim: int) -> str:
    """Return the axes of an array of `ndim` dimensions about which nothing more is known."""
    return ("Q" * max(0, ndim - 5) + ("", "T", "TZ", "TZC")[min(max(ndim - 2, 0), 3)]) + "YX"


def frame_bytes(shape: tuple[int, ...], dtype: np.dtype[Any], samples: int = 1) -> int:
    """Return the bytes of one frame of a stack of `shape`."""
    return int(shape[-1]) * int(shape[-2]) * samples * dtype.itemsize


def check_claim(path: Path, claimed: int, stored: int) -> None:
    """Refuse a header that claims more bytes than `stored` compressed bytes can hold, before anything is allocated."""
    most = min(stored * _MOST_COMPRESSION, max(_GENEROUS, stored * _USUAL_COMPRESSION))
    if claimed > most:
        raise ImageError(
            f"{path}: damaged: its header claims a frame of {claimed} bytes, for which {stored} bytes are stored; "
            "copy it again"
        )


def check_frames(path: Path, count: int, each: int, stored: int) -> None:
    """Refuse a header that claims more frames of `each` bytes than `stored` compressed bytes can hold."""
    if count * each > stored * _MOST_COMPRESSION:
        raise ImageError(
            f"{path}: damaged: its header claims {count} frames of {each} bytes, for which {stored} bytes are stored; "
            "copy it again"
        )


def read_values(path: Path, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Read an array from `offset` in `path`, in native byte order."""
    count = math.prod(shape)
    with path.open("rb") as file:
        file.seek(offset)
        array = np.fromfile(file, dtype, count)
    if array.size != count:
        raise ImageError(f"{path}: is cut short: {array.size} of {count} pixels are there; copy it again")
    return native(array).reshape(shape)


def native(array: Array) -> Array:
    """Return `array` in native byte order, swapped in place where need be."""
    if not array.dtype.isnative:
        array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
    return array


def luminance(frame: Array) -> Array:
    """Return the Rec. 601 luminance of a (H, W, 3 or 4) frame in its own dtype; greys keep their value exactly."""
    red, green, blue = frame[..., 0], frame[..., 1], frame[..., 2]
    # One row block at a time: a whole frame in float64 would be eight times the image.
    out = np.empty(red.shape, frame.dtype)
    for top in range(0, red.shape[0], 256):
        rows = slice(top, top + 256)
        grey = 0.299 * red[rows].astype(np.float64) + 0.587 * green[rows] + 0.114 * blue[rows]
        out[rows] = np.rint(grey) if frame.dtype.kind in "iu" else grey
    return out
