"""Where temclean's own note lies in a TIFF file: found by a look at its first page, and written anew in place."""

import struct
from pathlib import Path
from typing import BinaryIO

from temclean.io.tiff.tags import PROVENANCE

_HEADS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_ASCII = 2
_HEAD = 2048
_MOST_TAGS = 1 << 12
_MOST_BYTES = 1 << 20


def provenance(path: Path) -> str | None:
    """Return temclean's own tag of the first page."""
    with path.open("rb", buffering=0) as file:
        place = _place(file)
        if place is None:
            return None
        file.seek(place[0])
        return file.read(place[1]).rstrip(b"\0").decode("ascii")


def renew(file: BinaryIO, path: Path, text: str) -> None:
    """Write other text of the same length in its place; LookupError if there is no place of that length."""
    content = text.encode("ascii") + b"\0"
    file.seek(0)
    place = _place(file)
    if place is None or place[1] != len(content):
        raise LookupError(f"{path} has no provenance of {len(content)} bytes")
    file.seek(place[0])
    file.write(content)


def _place(file: BinaryIO) -> tuple[int, int] | None:
    """Return where the value of the tag begins and how many bytes it has; None where there is none."""
    head = file.read(_HEAD)
    order = _HEADS.get(head[:4])
    if order is None:
        return None
    # Of TIFF and BigTIFF: where the first page's list of tags begins, how many there are, and what each one says.
    first, count, tag = ("8xQ", "Q", "HHQQ") if b"+" in head[:4] else ("4xI", "H", "HHII")
    try:
        (start,) = struct.unpack_from(order + first, head)
        (tags,) = struct.unpack(order + count, _piece(file, head, start, struct.calcsize(order + count)))
        start += struct.calcsize(order + count)
        entries = _piece(file, head, start, min(tags, _MOST_TAGS) * struct.calcsize(order + tag))
        for number, kind, length, at in struct.iter_unpack(order + tag, entries):
            if number == PROVENANCE and kind == _ASCII and 8 < length <= _MOST_BYTES:
                return at, length
    except (struct.error, OSError, OverflowError):  # it is damaged, which its reader says better
        return None
    return None


def _piece(file: BinaryIO, head: bytes, start: int, length: int) -> bytes:
    """Return a piece of the file, from what was read already if it lies there."""
    if start + length <= len(head):
        return head[start : start + length]
    file.seek(start)
    return file.read(length)
