"""Decode the strips and tiles of a TIFF page: none, LZW, deflate, LZMA and PackBits, with both predictors.

tifffile leaves LZW and the predictors to imagecodecs, which few microscope PCs have; ``rare`` says what is left to it.
Nothing is decompressed further than the page is large.
"""

import lzma
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from temclean import _lzw
from temclean.io.image import Array, check_claim, native
from temclean.io.messages import damaged

NONE, LZW, DEFLATE, PACKBITS, LZMA, OLD_DEFLATE = 1, 5, 8, 32773, 34925, 32946
SUPPORTED = {NONE, LZW, DEFLATE, PACKBITS, LZMA, OLD_DEFLATE}
_MOST_LZMA = 1 << 27
"""Bytes of memory for its dictionary; the strongest of the usual settings takes half of it."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_MOST_LZMA = 1 << 27
"""Bytes of memory for its dictionary; the strongest of the usual settings takes half of it."""
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BY_TIFFFILE_ALONE = {NONE, DEFLATE, PACKBITS, LZMA, OLD_DEFLATE}
_BY_IMAGECODECS = {
    LZW, 6, 7, 22610, 33003, 33004, 33005, 33007, 34712, 34887, 34892, 34926, 34927, 34933, 34934, 50000, 50001, 50002,
    50013, 52546, 65000, 65001, 65002,
}  # fmt: skip
"""JPEG and its many kin, LERC, Zstandard, WebP, PNG and electron events."""


@dataclass(frozen=True)
class Layout:
    """How the pixels of a page lie in its segments."""

    height: int
    width: int
    samples: int
    separate: bool
    """Samples lie in planes of their own."""
    segment: tuple[int, int]
    """Height and width of a strip or tile."""
    tiled: bool
    compression: int
    predictor: int
    dtype: np.dtype[Any]
    """With the byte order of the file."""
    reverse: bool = False
    """The first bit of a byte is its lowest."""

    @property
    def planes(self) -> int:
        return self.samples if self.separate else 1

    @property
    def depth(self) -> int:
        """Samples in each pixel of a segment."""
        return 1 if self.separate else self.samples

    @property
    def segments(self) -> int:
        """Segments in all planes."""
        rows, columns = self.segment
        return self.planes * -(-self.height // rows) * -(-self.width // columns)


def read_page(path: Path, layout: Layout, offsets: Sequence[int], counts: Sequence[int]) -> Array:
    """Return a page as (planes, height, width, depth), reading one segment at a time."""
    if min(len(offsets), len(counts)) < layout.segments:
        raise damaged(path, f"{min(len(offsets), len(counts))} of {layout.segments} strips or tiles are listed")
    rows, columns = layout.segment
    across = -(-layout.width // columns)
    down = -(-layout.height // rows)
    page = np.empty((layout.planes, layout.height, layout.width, layout.depth), layout.dtype.newbyteorder("="))
    with path.open("rb") as file:
        for index in range(layout.segments):
            plane, place = divmod(index, down * across)
            top, left = place // across * rows, place % across * columns
            height = rows if layout.tiled else min(rows, layout.height - top)
            segment = read_segment(path, file, layout, (offsets[index], counts[index]), height)
            target = page[plane, top : top + height, left : left + columns]
            target[:] = segment[: target.shape[0], : target.shape[1]]
    return page


def read_segment(path: Path, file: BinaryIO, layout: Layout, place: tuple[int, int], height: int) -> Array:
    """Return one strip or tile as (height, width, depth)."""
    width = layout.segment[1]
    shape = (height, width, layout.depth)
    size = height * width * layout.depth * layout.dtype.itemsize
    offset, count = place
    check_claim(path, size, count)
    file.seek(offset)
    stored = file.read(min(count, size) if layout.compression == NONE else count)
    stored = stored.translate(_REVERSED) if layout.reverse else stored
    data = stored if layout.compression == NONE else decompress(stored, layout.compression, size)
    if len(data) < size:
        raise damaged(path, f"a strip or tile holds {len(data)} of {size} bytes")
    flat = np.frombuffer(bytearray(data[:size]) if layout.compression == NONE else data[:size], layout.dtype)
    if layout.predictor == 1:
        return flat.reshape(shape)
    if layout.predictor == 2:
        return add_up(flat, shape)
    return add_up_float(flat, shape, layout.dtype)


def decompress(data: bytes, compression: int, size: int) -> bytes | bytearray:
    """Return at most `size` decompressed bytes."""
    if compression == LZW:
        return lzw(data, size)
    if compression == PACKBITS:
        return packbits(data, size)
    if compression == LZMA:
        return lzma.LZMADecompressor(memlimit=_MOST_LZMA).decompress(data, size)
    return zlib.decompressobj().decompress(data, size)


def lzw(data: bytes, size: int) -> bytearray:
    """Return at most `size` bytes of decoded LZW.

    A stream of the kind that writers made before TIFF 5.0 has its bits in reverse order: its first code, 256, begins
    with a byte of zero.
    """
    out = bytearray(size)
    written = _lzw.decode(data, out, reverse=data[:1] == b"\0" and data[1:2] != b"" and data[1] % 2 == 1)
    if written < 0:
        raise ValueError("its LZW codes make no sense")
    del out[written:]
    return out


def packbits(data: bytes, size: int) -> bytes:
    """Decode PackBits (TIFF 6.0, section 9)."""
    out = bytearray()
    position = 0
    while position + 1 < len(data) and len(out) < size:
        head = data[position]
        if head < 128:
            out += data[position + 1 : position + 2 + head]
            position += 2 + head
        else:
            if head > 128:
                out += data[position + 1 : position + 2] * (257 - head)
            position += 2 if head > 128 else 1
    return bytes(out)


def add_up(flat: Array, shape: tuple[int, int, int]) -> Array:
    """Undo horizontal differencing (TIFF 6.0, section 14), which works on integers of the sample's size."""
    dtype = flat.dtype.newbyteorder("=")
    values = native(flat.copy()).view(f"u{dtype.itemsize}").reshape(shape)
    return np.cumsum(values, axis=1, dtype=values.dtype, out=values).view(dtype)


def add_up_float(flat: Array, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> Array:
    """Undo the floating-point predictor (TIFF technical note 3): bytes by significance, each row differenced."""
    height, width, depth = shape
    row = flat.view(np.uint8).reshape(height, -1, depth)
    row = np.cumsum(row, axis=1, dtype=np.uint8).reshape(height, dtype.itemsize, width * depth)
    return native(np.ascontiguousarray(row.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))).reshape(shape)
