"""Read Gatan DigitalMicrograph's .dm3 and .dm4: a tree of tags, the pixels of each image in one of them."""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from temclean.errors import ImageError
from temclean.io.image import Image, RawFrames
from temclean.io.messages import damaged, printable
from temclean.io.units import calibrate, tidy_unit

SUFFIXES = (".dm3", ".dm4")

# Codes of simple values in a tag.
_SIMPLE = {2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1", 11: "i8", 12: "u8"}
_STRUCT, _STRING, _ARRAY = 15, 18, 20
# DataType of an image that is one: no complex numbers, no colours, no masks.
_PIXELS = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8"}
_DEEPEST = 64
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


@dataclass(frozen=True)
class Signal:
    """One entry of the file's list of images."""

    name: str
    shape: tuple[int, ...]
    kind: int
    block: Block | None
    axes: tuple[Tree, ...]
    """Scale and unit of each dimension, in the order of `shape`."""

    @property
    def is_image(self) -> bool:
        """Two dimensions of real numbers in space, more than a row."""
        return (
            self.kind in _PIXELS
            and self.block is not None
            and len(self.shape) in (2, 3, 4)
            and min(self.shape[-2:]) > 0
            and not any(_is_energy(axis) for axis in self.axes)
        )

    def __str__(self) -> str:
        return f'"{printable(self.name)}" ({"x".join(map(str, self.shape))})'


def _is_energy(axis: Tree) -> bool:
    unit = tidy_unit(axis.get("Units")) or ""
    return unit.lower() in {"ev", "kev", "mev"}


def read(path: Path) -> Image:
    """Open a .dm3 or .dm4 file."""
    with path.open("rb") as file:
        tree = TagReader(path, file).tree()
    signals = list(_signals(tree))
    images = [signal for signal in signals if signal.is_image]
    if not images:
        held = ", ".join(map(str, signals)) or "nothing"
        raise ImageError(f"{path}: holds no image but {held}; name a file with an image or a stack of images")
    signal = images[0]
    warnings = []
    if len(signals) > 1:
        left = ", ".join(str(other) for other in signals if other is not signal)
        warnings.append(f"took the image {signal}; left {left}")
    assert signal.block is not None
    dtype = np.dtype(signal.block.dtype[:1] + _PIXELS[signal.kind])
    frames = RawFrames(path, signal.shape, dtype, signal.block.offset)
    if signal.block.count * np.dtype(signal.block.dtype or "u1").itemsize < len(frames) * frames.frame_bytes:
        raise damaged(path, "it announces more pixels than it holds")
    rows, columns = signal.axes[-2], signal.axes[-1]
    pixel_size, unit = calibrate(
        float(rows.get("Scale", 0)), float(columns.get("Scale", 0)), columns.get("Units"), warnings
    )
    metadata = _metadata(tree, signal)
    axes = "YX"
    if len(signal.shape) > 2:
        step, depth_unit = signal.axes[0].get("Scale"), tidy_unit(signal.axes[0].get("Units"))
        axes = {3: "ZYX" if unit and depth_unit == unit else "TYX", 4: "TZYX"}[len(signal.shape)]
        metadata["frame_step"], metadata["frame_unit"] = step, depth_unit
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".dm3"
    return Image(frames, pixel_size, unit, axes, metadata, suffix, tuple(warnings))


def _signals(tree: Tree) -> Iterator[Signal]:
    """Yield the file's images, without its thumbnail."""
    thumbnails = {entry.get("ImageIndex") for entry in _groups(tree.get("Thumbnails"))}
    entries = _groups(tree.get("ImageList"))
    for index, entry in enumerate(entries):
        if index in thumbnails and len(entries) > 1:
            continue
        data = entry.get("ImageData")
        if not isinstance(data, dict):
            continue
        sizes = [size for size in _values(data.get("Dimensions")) if isinstance(size, int)]
        calibrations = data.get("Calibrations")
        axes = _groups(calibrations.get("Dimension")) if isinstance(calibrations, dict) else []
        axes = (axes + [{}] * len(sizes))[: len(sizes)]
        block = data.get("Data")
        name = entry.get("Name")
        # The file names the fastest dimension first. A third dimension of one frame is none.
        kept = [(size, axis) for at, (size, axis) in enumerate(zip(sizes, axes, strict=True)) if at < 2 or size != 1]
        yield Signal(
            name=str(name) if isinstance(name, str) and name else f"image {index}",
            shape=tuple(size for size, _ in reversed(kept)),
            kind=int(data.get("DataType", 0)) if isinstance(data.get("DataType"), int) else 0,
            block=block if isinstance(block, Block) else None,
            axes=tuple(axis for _, axis in reversed(kept)),
        )


def _values(tree: Any) -> list[Any]:
    return list(tree.values()) if isinstance(tree, dict) else []


def _groups(tree: Any) -> list[Tree]:
    return [value for value in _values(tree) if isinstance(value, dict)]


def _metadata(tree: Tree, signal: Signal) -> Tree:
    """Return the tags that describe the image: those of the microscope, and its name."""
    found: Tree = {"Name": signal.name}
    for entry in _groups(tree.get("ImageList")):
        if entry.get("Name") == signal.name and isinstance(entry.get("ImageTags"), dict):
            found["ImageTags"] = _plain(entry["ImageTags"])
    return found


def _plain(tree: Tree) -> Tree:
    """Leave out what stayed in the file."""
    return {
        name: _plain(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if not isinstance(value, Block)
    }
