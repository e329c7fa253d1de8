"""Where temclean's own note lies in a TIFF file: found by a look at its first page, and written anew in place."""

import struct
from pathlib import Path
from typing import BinaryIO

from temclean.io.tiff.tags import PROVENANCE

_HEADS = {b"II*\0": "<", b"MM\0*": ">", b"II+\0": "<", b"MM\0+": ">"}
_ASCII = 2
_MOST_BYTES = 1 << 20


def provenance(path: Path) -> str | None:
    """Return temclean's own tag of the first page."""
    with path.open("rb") as file:
        place = _place(file)
        if place is None:
            return None
        file.seek(place[0])
        return file.read(place[1]).rstrip(b"\0").decode("ascii")


def renew(path: Path, text: str) -> None:
    """Write other text of the same length in its place; LookupError if there is no place of that length."""
    content = text.encode("ascii") + b"\0"
    with path.open("r+b") as file:
        place = _place(file)
        if place is None or place[1] != len(content):
            raise LookupError(f"{path} has no provenance of {len(content)} bytes")
        file.seek(place[0])
        file.write(content)


def _place(file: BinaryIO) -> tuple[int, int] | None:
    """Return where the value of the tag begins and how many bytes it has; None where there is none."""
    head = file.read(16)
    order = _HEADS.get(head[:4])
    if order is None or len(head) < 8:
        return None
    big = head[2:4] in {b"+\0", b"\0+"}
    counts, entry, start = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    try:
        (first,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", head, start)
        file.seek(first)
        (count,) = struct.unpack(f"{order}{counts}", file.read(struct.calcsize(f"{order}{counts}")))
        size = struct.calcsize(f"{order}{entry}")
        inline = 8 if big else 4
        entries = file.read(min(count, 1 << 16) * (size + inline))
        for at in range(0, len(entries) - size - inline + 1, size + inline):
            tag, kind, length = struct.unpack_from(f"{order}{entry}", entries, at)
            if tag == PROVENANCE and kind == _ASCII and inline < length <= _MOST_BYTES:
                return struct.unpack_from(f"{order}{'Q' if big else 'I'}", entries, at + size)[0], length
    except (struct.error, OSError, OverflowError, ValueError):
        return None
    return None
