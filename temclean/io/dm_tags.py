"""Read the tags of a .dm3 or .dm4 file: a tree of names and values, long arrays left in the file."""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from temclean.errors import ImageError
from temclean.io.messages import damaged

# Codes of simple values in a tag.
_SIMPLE = {2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1", 11: "i8", 12: "u8"}
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_DEEPEST = 64
_MOST_TAGS = 200_000
"""Tags, and fields of their values, that are read: files of the field have some thousand."""
_LONGEST_TEXT = 1 << 16

Tree = dict[str, Any]


@dataclass(frozen=True)
class Block:
    """An array left in the file."""

    offset: int
    dtype: str
    count: int


class TagReader:
    """Read the tags of a .dm3 or .dm4 file. Every length is held against what is left of the file."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path, self.file = path, file
        self.left = _MOST_TAGS
        self.size = os.fstat(file.fileno()).st_size
        version = self.number(">I")
        if version not in (3, 4):
            raise ImageError(f"{path}: is of DigitalMicrograph's version {version}; only 3 and 4 can be read")
        self.wide = version == 4
        self.length()
        self.order = "<" if self.number(">I") else ">"

    def tree(self) -> Tree:
        """Return all tags, long arrays as :class:`Block`."""
        return self.group(0)

    def take(self, count: int) -> bytes:
        data = self.file.read(count) if 0 <= count <= self.size else b""
        if len(data) != count or count < 0:
            raise damaged(self.path, "its tags break off")
        return data

    def number(self, code: str) -> int:
        return int(struct.unpack(code, self.take(struct.calcsize(code)))[0])

    def length(self) -> int:
        """Read a length: 4 bytes in .dm3, 8 in .dm4."""
        return self.number(">Q" if self.wide else ">I")

    def group(self, depth: int) -> Tree:
        if depth > _DEEPEST:
            raise damaged(self.path, "its tags are nested without end")
        self.take(2)
        found: Tree = {}
        count = self.length()
        if count > self.size:
            raise damaged(self.path, f"a group claims {count} tags")
        for index in range(count):
            self.spend(1)
            kind = self.number(">B")
            name = self.take(self.number(">H")).decode("latin-1") or str(index)
            if self.wide:
                self.length()
            if kind == 20:
                found[name] = self.group(depth + 1)
            elif kind == 21:
                found[name] = self.value(name)
            else:
                raise damaged(self.path, f"a tag is of kind {kind}")
        return found

    def spend(self, count: int) -> None:
        """Refuse a file with more tags than may be read."""
        self.left -= count
        if self.left < 0:
            raise ImageError(
                f"{self.path}: holds over {_MOST_TAGS} tags, which no image file does; "
                "save the image anew in DigitalMicrograph"
            )

    def value(self, name: str) -> Any:
        if self.take(4) != b"%%%%":
            raise damaged(self.path, "a tag's mark is missing")
        self.length()
        kind = self.length()
        if kind in _SIMPLE:
            return self.simple(kind)
        if kind == _STRING:
            return self.take(min(self.length() * 2, self.size + 1)).decode("utf-16", "replace")
        if kind == _STRUCT:
            return tuple(self.simple(field) for field in self.fields())
        if kind == _ARRAY:
            return self.array(pixels=name == "Data")
        raise damaged(self.path, f"a value is of type {kind}")

    def simple(self, kind: int) -> Any:
        if kind not in _SIMPLE:
            raise damaged(self.path, f"a value is of type {kind}")
        dtype = np.dtype(self.order + _SIMPLE[kind])
        return np.frombuffer(self.take(dtype.itemsize), dtype)[0].item()

    def fields(self) -> list[int]:
        """Read the types of a struct's fields."""
        self.length()
        count = self.length()
        if count > 1 << 12:
            raise damaged(self.path, f"a struct claims {count} fields")
        self.spend(count)
        kinds = []
        for _ in range(count):
            self.length()
            kinds.append(self.length())
        return kinds

    def array(self, pixels: bool) -> Any:
        kind = self.length()
        fields = self.fields() if kind == _STRUCT else [kind]
        if not all(field in _SIMPLE for field in fields):
            raise damaged(self.path, f"an array is of type {kind}")
        count = self.length()
        item = sum(np.dtype(_SIMPLE[field]).itemsize for field in fields)
        here = self.file.tell()
        if count * item > self.size - here:
            raise ImageError(
                f"{self.path}: is cut short or damaged: an array of {count * item} bytes is announced, "
                f"{self.size - here} are there; copy it again"
            )
        if kind == 4 and count < _LONGEST_TEXT and not pixels:
            # Text is an array of 16-bit letters.
            return self.take(count * item).decode("utf-16-le" if self.order == "<" else "utf-16-be", "replace")
        self.file.seek(count * item, os.SEEK_CUR)
        return Block(here, self.order + _SIMPLE[kind] if kind in _SIMPLE else "", count)
