"""Tags whose value is the place of a record elsewhere in the file: TVIPS' header, and Olympus SIS' with its own places.

A tag's type and count say nothing of how long these records are. What is known of them is what tifffile knows.
"""

import struct
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temclean.io.messages import silence

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffTag

with silence:
    import tifffile

TVIPS, SIS = 37706, 33560
_SIS_HEAD = struct.Struct("<4s54xH")
_SIS_ENTRY = struct.Struct("<hhI")
_MOST_BLOCKS = 256
_MOST_BLOCK_BYTES = 16 << 10


def record(tiff: "TiffFile", page: "TiffPage", tag: "TiffTag") -> bytes | None:
    """Return the record that a tag points at, places in it counted from its start; None where it is damaged."""
    return _tvips(tiff, tag) if tag.code == TVIPS else _sis(tiff, page, tag)


def _tvips(tiff: "TiffFile", tag: "TiffTag") -> bytes | None:
    first, second = (
        np.dtype(fields).itemsize for fields in (tifffile.TIFF.TVIPS_HEADER_V1, tifffile.TIFF.TVIPS_HEADER_V2)
    )
    version = _bytes(tiff, tag.valueoffset, 4)
    size = {1: first, 2: first + second}.get(int.from_bytes(version, "little" if tiff.byteorder == "<" else "big"), 0)
    size = max(size, tag.valuebytecount) if size else 0
    found = _bytes(tiff, tag.valueoffset, size)
    return found if size and len(found) == size else None


def _sis(tiff: "TiffFile", page: "TiffPage", tag: "TiffTag") -> bytes | None:
    start = tag.valueoffset
    head = _bytes(tiff, start, _SIS_HEAD.size)
    magic, count = _SIS_HEAD.unpack(head) if len(head) == _SIS_HEAD.size else (b"", 0)
    listed = _bytes(tiff, start + len(head), count * _SIS_ENTRY.size)
    if magic != b"SIS0" or not 0 < count <= _MOST_BLOCKS or len(listed) < count * _SIS_ENTRY.size:
        return None
    entries = list(_SIS_ENTRY.iter_unpack(listed))
    # A block ends where the next thing in the file begins, at the latest.
    places = {
        start,
        page.offset,
        int(tiff.filehandle.size),
        *page.dataoffsets,
        *(each.valueoffset for each in page.tags),
    }
    ends = sorted(places | {place for _, _, place in entries})
    out = bytearray(head + listed)
    for at, (kind, number, place) in enumerate(entries):
        end = min((end for end in ends if end > place), default=place)
        block = _bytes(tiff, place, min(end - place, _MOST_BLOCK_BYTES))
        _SIS_ENTRY.pack_into(out, len(head) + at * _SIS_ENTRY.size, kind, number, len(out))
        out += block
    return bytes(out)


def settle(path: Path) -> None:
    """Make the places in a result's SIS record those of the result."""
    with tifffile.TiffFile(path, _multifile=False) as tiff:
        start = tiff.pages.first.tags[SIS].valueoffset
        count = _SIS_HEAD.unpack(_bytes(tiff, start, _SIS_HEAD.size))[1]
    with path.open("r+b") as file:
        file.seek(start + _SIS_HEAD.size)
        entries = list(_SIS_ENTRY.iter_unpack(file.read(count * _SIS_ENTRY.size)))
        file.seek(start + _SIS_HEAD.size)
        file.write(b"".join(_SIS_ENTRY.pack(kind, number, place + start) for kind, number, place in entries))


def _bytes(tiff: "TiffFile", place: int, size: int) -> bytes:
    tiff.filehandle.seek(place)
    return bytes(tiff.filehandle.read(size))
