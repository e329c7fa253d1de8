"""Look through an HDF5 file for damaged texts before libhdf5 does, which would loop for ever or allocate gigabytes.

Texts of any length lie in global heaps (HDF5 file format, III.E); an attribute or a data set holds the length of its
text, the place of the heap, and the number of an object in it.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temclean.io.messages import damaged

if TYPE_CHECKING:
    import h5py

# Of large files only both ends are looked through: that is where programs put their texts.
_SEARCHED = 32 << 20
_HEAP = b"GCOL\1\0\0\0"
_REFERENCE = struct.Struct("<IQI")
# More heaps and objects than this do not fit side by side: they lie over each other.
_MOST_OBJECTS = 1 << 19
_LONGEST_TEXT = 1 << 20
# A type of class 9, of texts of any length, by the lower halves of its two lowest bytes; a reference has 16 bytes.
_TEXT, _TEXT_PARTS = 0x0109, 0x0F0F

Objects = dict[int, tuple[int, int]]
"""Place and size of a heap's objects by their numbers."""


def check_texts(path: Path) -> None:
    """Refuse a file whose heaps do not end, or whose attributes claim longer texts than heaps, or the file, hold."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for start in sorted({0, max(0, size - _SEARCHED)}):
            file.seek(start)
            part = file.read(_SEARCHED)
            # The file itself begins at 0.
            heaps = {start + place: objects for place, objects in _heaps(path, part) if start + place}
            if heaps:
                _check_references(path, part, heaps)
            _check_lengths(path, part, size)


def read_text(path: Path, dataset: "h5py.Dataset") -> str:
    """Return the text that a data set of one text of any length holds; an empty one if it is not such a data set."""
    if dataset.dtype.kind != "O" or dataset.shape not in {(), (1,)}:
        return ""
    place = dataset.id.get_offset()
    if dataset.chunks == (1,) and not dataset.id.get_create_plist().get_nfilters() and dataset.id.get_num_chunks():
        place = dataset.id.get_chunk_info(0).byte_offset
    if place is None:
        return ""
    with path.open("rb") as file:
        file.seek(place)
        reference = file.read(_REFERENCE.size)
        if len(reference) < _REFERENCE.size:
            return ""
        length, heap, number = _REFERENCE.unpack(reference)
        file.seek(heap)
        head = file.read(16)
        size = int.from_bytes(head[8:], "little")
        if not head.startswith(_HEAP) or not 16 <= size <= _LONGEST_TEXT or length > size:
            return ""
        part = head + file.read(size - 16)
    begin, stored = dict(_objects(path, part, 0)).get(number, (0, 0))
    return part[begin : begin + min(length, stored)].split(b"\0", 1)[0].decode("utf-8", "replace")


def _heaps(path: Path, part: bytes) -> Iterator[tuple[int, Objects]]:
    """Yield the place of each heap, and its objects."""
    place, left = part.find(_HEAP), _MOST_OBJECTS
    while place >= 0:
        objects: Objects = {}
        for number, where in _objects(path, part, place):
            objects[number] = where
            left -= 1
        left -= 1
        if left < 0:
            raise damaged(path, "its texts lie over each other")
        yield place, objects
        place = part.find(_HEAP, place + 1)


def _objects(path: Path, part: bytes, start: int) -> Iterator[tuple[int, tuple[int, int]]]:
    """Yield the number, place and size of each object of the heap that begins at `start`."""
    end = start + int.from_bytes(part[start + 8 : start + 16], "little")
    place = start + 16
    for _ in range(_MOST_OBJECTS):
        if place + 16 > min(end, len(part)):
            return
        number, _, _, size = struct.unpack_from("<HHIQ", part, place)
        # Number 0 is the free space that ends the heap, and its length counts all of it.
        step = size if number == 0 else 16 + (size + 7) // 8 * 8
        if step == 0 or place + step > end:
            # libhdf5 would step over it without moving, or past the end and round again.
            raise damaged(path, "its texts are overwritten")
        yield number, (place + 16, size)
        place += step


def _check_lengths(path: Path, part: bytes, size: int) -> None:
    """Refuse an attribute whose text is longer than the file: libhdf5 makes room for it before it looks for the heap.

    Its message has a type of 16 to 24 bytes, then says in one of two ways that there is one value, which follows.
    """
    for shift in range(4):
        words = np.frombuffer(part, "<u4", max(0, len(part) - shift) // 4, shift)
        types = np.flatnonzero(words[1:-9] == _REFERENCE.size)
        types = types[words[types] & _TEXT_PARTS == _TEXT]
        for space in range(4, 7):
            one = words[types + space]
            old = (one == 1) & (words[types + space + 1] == 0)
            lengths = np.concatenate([words[types[one == 2] + space + 1], words[types[old] + space + 2]])
            if (lengths > size).any():
                raise damaged(path, f"a text of {lengths.max()} bytes is announced, which is longer than the file")


def _check_references(path: Path, part: bytes, heaps: dict[int, Objects]) -> None:
    """Hold the length of each text of an attribute against the object that it is said to be."""
    known = np.array(sorted(heaps), np.uint64)
    # Numbers of objects have 16 bits: one key for both the heap and the object.
    table = sorted(
        (at << 16 | number, size) for at, heap in enumerate(sorted(heaps)) for number, (_, size) in heaps[heap].items()
    )
    keys, sizes = np.array([*table, (1 << 62, 0)], np.int64).T
    for shift in range(min(8, len(part) - 8)):
        words = np.frombuffer(part, "<u8", (len(part) - shift) // 8, shift)
        near = np.flatnonzero((words >= known[0]) & (words <= known[-1]))
        # A reference is a length of 4 bytes, the heap's place of 8, and a number of 4.
        halves = np.frombuffer(part, "<u4", (len(part) - shift % 4) // 4, shift % 4)
        heap = near * 2 + shift // 4
        heap = heap[(heap >= 3) & (heap + 2 < len(halves))]
        # A message of one value, of HDF5's first and second way to say so, is followed by the value.
        heap = heap[(halves[heap - 2] == 2) | ((halves[heap - 3] == 1) & (halves[heap - 2] == 0))]
        places = halves[heap].astype(np.uint64) | halves[heap + 1].astype(np.uint64) << np.uint64(32)
        index = np.minimum(np.searchsorted(known, places), len(known) - 1)
        wanted = index.astype(np.int64) << 16 | halves[heap + 2] & 0xFFFF
        at = np.searchsorted(keys, wanted)
        wrong = (known[index] == places) & (keys[at] == wanted) & (halves[heap - 1] > sizes[at])
        for one in np.flatnonzero(wrong)[:1]:
            length, stored = int(halves[heap[one] - 1]), int(sizes[at[one]])
            raise damaged(path, f"a text of {length} bytes is announced, {stored} are stored")
