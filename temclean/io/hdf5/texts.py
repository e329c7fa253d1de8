"""Look through an HDF5 file for damaged texts before libhdf5 does, which would loop for ever or allocate gigabytes.

Texts of any length lie in global heaps (HDF5 file format, III.E); an attribute holds the length of its text, the place
of the heap, and the number of an object in it.
"""

import re
import struct
from pathlib import Path

from temclean.io.messages import damaged

# Of large files only both ends are looked through: that is where programs put their texts.
_SEARCHED = 32 << 20
_HEAP = re.compile(re.escape(b"GCOL\1\0\0\0"))
# A message of one value, of HDF5's first and second way to say so, is followed by the value.
_SCALARS = (b"\1" + bytes(7), b"\2" + bytes(3))


def check_texts(path: Path) -> None:
    """Refuse a file whose heaps do not end, or whose attributes claim longer texts than the heaps hold."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for start in sorted({0, max(0, size - _SEARCHED)}):
            file.seek(start)
            part = file.read(_SEARCHED)
            for heap in _HEAP.finditer(part):
                sizes = _objects(path, part, heap.start())
                _check_references(path, part, heap.start() + start, sizes)


def _objects(path: Path, part: bytes, start: int) -> dict[int, int]:
    """Return the sizes of a heap's objects by their numbers."""
    end = start + int.from_bytes(part[start + 8 : start + 16], "little")
    place = start + 16
    sizes = {}
    while place + 16 <= min(end, len(part)):
        number, _, _, size = struct.unpack_from("<HHIQ", part, place)
        # Number 0 is the free space that ends the heap, and its length counts all of it.
        step = size if number == 0 else 16 + (size + 7) // 8 * 8
        if step == 0 or place + step > end:
            # libhdf5 would step over it without moving, or past the end and round again.
            raise damaged(path, "its texts are overwritten")
        sizes[number] = size
        place += step
    return sizes


def _check_references(path: Path, part: bytes, heap: int, sizes: dict[int, int]) -> None:
    for found in re.finditer(re.escape(struct.pack("<Q", heap)), part):
        place = found.start() - 4
        if place < 8 or found.end() + 4 > len(part):
            continue
        if not any(part[place - len(scalar) : place] == scalar for scalar in _SCALARS):
            continue
        length, number = struct.unpack_from("<I8xI", part, place)
        if length > sizes.get(number, length):
            raise damaged(path, f"a text of {length} bytes is announced, {sizes[number]} are stored")
