"""Read and write NumPy's .npy.

It holds no calibration. The provenance follows the pixels, where NumPy and others do not look.
"""

import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy

from temclean.errors import ImageError
from temclean.io.image import Array, Frames, Image, MappedFrames, RawFrames, luminance, stack_axes
from temclean.io.messages import damaged
from temclean.io.note import Note

DTYPES = frozenset(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
TRAILER = b"TEMCLEAN"
_MOST_TRAILER = 1 << 20


class ColumnFrames(Frames):
    """Frames of an array in Fortran order, which are scattered over the file: mapped, and copied one at a time."""

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int) -> None:
        super().__init__(path, shape, dtype)
        RawFrames(path, shape, dtype, offset)
        self.stored, self.offset = dtype, offset

    def frame(self, index: int) -> Array:
        array = np.memmap(self.path, self.stored, "r", self.offset, self.shape, "F")
        return np.array(array[np.unravel_index(index, self.shape[:-2])], self.dtype, order="C")


def read(path: Path, *, unfinished: bool = False) -> Image:
    """Open an .npy file; nothing in it is ever executed. Of one that is unfinished, take the frames that are there."""
    with path.open("rb") as file:
        shape, fortran, dtype = _header(path, file)
        offset = file.tell()
    if unfinished and len(shape) == 3 and not fortran:
        there = (path.stat().st_size - offset) // (math.prod(shape[1:]) * dtype.itemsize or 1)
        shape = (min(there, shape[0]), *shape[1:])
    if dtype.hasobject or dtype.kind not in "iuf":
        raise ImageError(f"{path}: holds {dtype.name} values, not an image; save integers or real numbers")
    warnings: list[str] = []
    order: type[RawFrames] | type[ColumnFrames] = ColumnFrames if fortran else RawFrames
    if len(shape) == 3 and shape[-1] in {3, 4} and min(shape[:2]) > 4:
        if fortran:
            raise ImageError(f"{path}: is in colour and in Fortran order; save numpy.ascontiguousarray of it")
        warnings.append("the image is in colour; its luminance is used")
        pixels = RawFrames(path, (1, shape[0], shape[1] * shape[2]), dtype, offset)
        frames: Frames = MappedFrames(
            path, pixels, shape[:2], lambda frame: luminance(frame.reshape(*shape[:2], shape[2]))
        )
    else:
        frames = order(path, shape, dtype, offset)
    return Image(frames, None, None, stack_axes(len(frames.shape)), {}, ".npy", tuple(warnings))


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version == (2, 0):
        return npy.read_array_header_2_0(file)
    raise damaged(path, f"version {version} of .npy is not for images")


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write `frames` of `dtype` to `path`."""
    image.warn_of_lost_size(".npy")
    header = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": image.pixels.shape}
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, header)
        for frame in frames:
            file.write(np.ascontiguousarray(frame, dtype).data)
        if note is not None:
            text = note.text().encode()
            file.write(text + struct.pack("<Q", len(text)) + TRAILER)


def cut_short(path: Path) -> tuple[tuple[int, ...], np.dtype[Any]] | None:
    """Return the shape and the type that a file's head claims and its length does not hold; None of any other file."""
    try:
        with path.open("rb") as file:
            shape, _, dtype = _header(path, file)
            there = path.stat().st_size - file.tell()
    except (ImageError, OSError, ValueError):
        return None
    return (shape, dtype) if there < math.prod(shape) * dtype.itemsize else None


def provenance(path: Path) -> str | None:
    """Return the JSON after the pixels."""
    tail = 8 + len(TRAILER)
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < tail:
            return None
        file.seek(size - tail)
        length, mark = struct.unpack("<Q8s", file.read(tail))
        if mark != TRAILER or length > min(size - tail, _MOST_TRAILER):
            return None
        file.seek(size - tail - length)
        return file.read(length).decode()
