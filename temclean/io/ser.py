"""Read FEI TIA's .ser, with the .emi that lies beside it and knows what the .ser's numbers mean.

The layout is that of Chris Boothroyd's description of the format: a header, the dimensions, and for each element its
offset, its own calibration and its pixels, the bottom row first.
"""

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from temclean.errors import FileError, ImageError
from temclean.io.axes import calibrate_plane, stack_axis, stack_letters
from temclean.io.emi import describe, find_emi, find_series
from temclean.io.image import Array, Image, RawFrames, StackAxis
from temclean.io.messages import damaged
from temclean.io.selection import left_out, listed, quoted, select

_DTYPES = {1: "u1", 2: "u2", 3: "u4", 4: "i1", 5: "i2", 6: "i4", 7: "f4", 8: "f8"}
_IMAGES = 0x4122
# What lies before the pixels of an image: where an element of each axis lies and the step, type, and size.
_NAMES = ["x", "dx", "at_x", "y", "dy", "at_y", "code", "nx", "ny"]
_TYPES = ["<f8", "<f8", "<i4", "<f8", "<f8", "<i4", "<u2", "<u4", "<u4"]
_ELEMENT = np.dtype({"names": _NAMES, "formats": _TYPES})
_WIDE_OFFSETS = 0x0220
_LONGEST_TEXT = 1 << 12
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Header:
    """What a .ser says before its elements."""

    holds_images: bool
    offsets: Array
    axis: StackAxis | None
    """How the elements follow each other, where they lie along one line and the file says in which unit."""


def read(path: Path, image: str | int | None = None) -> Image:
    """Open a .ser file, or of an .emi the first .ser that holds images, or the one that `image` names or counts."""
    if path.suffix.lower() != ".emi":
        select(path, [path.stem], image)
        return _read_series(path, find_emi(path), ".ser", [])
    images, others = _series(path)
    series = images[select(path, [one.stem for one in images], image)]
    named = [quoted(one.name) for one in images], [f"{quoted(one.name)} (spectra)" for one in others]
    warnings = [] if image is not None else left_out(quoted(series.name), *named)
    return _read_series(series, path, ".emi", warnings)


def list_images(path: Path) -> list[str]:
    """Return the names of the .ser files of an .emi that hold images, without their suffix."""
    return [one.stem for one in _series(path)[0]] if path.suffix.lower() == ".emi" else [path.stem]


def _series(emi: Path) -> tuple[list[Path], list[Path]]:
    """Return the .ser files of an .emi that hold images, and those that hold spectra."""
    series = find_series(emi)
    if not series:
        raise FileError(f"{emi}: its pixels are in {emi.stem}_1.ser, which is missing; copy it too")
    images = [one for one in series if _holds_images(one)]
    if not images:
        names = listed(one.name for one in series)
        raise ImageError(f"{emi}: holds spectra, not images, in {names}; name an .emi with images")
    return images, [one for one in series if one not in images]


def _holds_images(path: Path) -> bool:
    with path.open("rb") as file:
        return _kind(path, file.read(8)) == _IMAGES


def _read_series(path: Path, emi: Path | None, suffix: str, warnings: list[str]) -> Image:
    with path.open("rb") as file:
        header = _header(path, file)
        if not header.holds_images:
            raise ImageError(f"{path}: holds spectra, not images; name a .ser with images")
        elements = _elements(file, header.offsets)
    first = elements[0]
    same = (elements["nx"] == first["nx"]) & (elements["ny"] == first["ny"]) & (elements["code"] == first["code"])
    if not same.all():
        warnings.append(f"{np.count_nonzero(~same)} frames of another size or type were left out")
    offsets = header.offsets[same] + _ELEMENT.itemsize
    frame = int(first["ny"]), int(first["nx"])
    shape = (len(offsets), *frame) if len(offsets) > 1 else frame
    code = int(first["code"])
    if code not in _DTYPES:
        raise ImageError(f"{path}: holds values of type {code}, not an image; export real numbers")
    each = _ELEMENT.itemsize + frame[0] * frame[1] * np.dtype(_DTYPES[code]).itemsize
    if len(offsets) * each > path.stat().st_size:
        raise damaged(path, f"{len(offsets)} frames of {each} bytes are announced, which do not fit into it")
    frames = RawFrames(path, shape, np.dtype("<" + _DTYPES[code]), offsets, flip=True)
    metadata: dict[str, Any] = {}
    unit = "m"
    if emi is not None:
        metadata, reciprocal = describe(emi, path, frame)
        unit = "1/m" if reciprocal else "m"
    rows, columns = (
        StackAxis(float(first[f"d{axis}"]), unit, float(first[axis] - first[f"at_{axis}"] * first[f"d{axis}"]))
        for axis in "yx"
    )
    plane = calibrate_plane(rows, columns, warnings)
    if plane.pixel_size is None and emi is None and warnings:
        warnings[-1] += f"; the .emi beside {path.name} would say what it means"
    stack = (header.axis,) if len(shape) > 2 else ()
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        stack_letters(stack, plane.unit),
        metadata,
        suffix,
        tuple(warnings),
        origin=plane.origin,
        stack=stack,
    )


def _kind(path: Path, head: bytes) -> int:
    if len(head) < 8:
        raise damaged(path, "its header is cut short")
    return int.from_bytes(head[6:8], "little")


def _header(path: Path, file: BinaryIO) -> Header:
    size = os.fstat(file.fileno()).st_size
    head = file.read(30)
    kind = _kind(path, head)
    if kind != _IMAGES:
        return Header(False, np.zeros(0, np.int64), None)
    if len(head) < 30:
        raise damaged(path, "its header is cut short")
    _, _, version, _, _, total, valid = struct.unpack_from("<HHHIIII", head[:22])
    wide = version >= _WIDE_OFFSETS
    word = np.dtype("<u8" if wide else "<u4")
    start = int(np.frombuffer(head, word, 1, 22)[0])
    count = min(valid, total) if total else valid
    if count < 1:
        raise ImageError(f"{path}: holds no frame: the acquisition was stopped before the first; acquire it again")
    if start + count * word.itemsize > size or count * _ELEMENT.itemsize > size:
        raise ImageError(f"{path}: is cut short or damaged: {count} frames are announced; copy it again")
    file.seek(22 + word.itemsize)
    axis = _axis(file)
    file.seek(start)
    offsets = np.fromfile(file, word, count)
    if offsets.size < count or int(offsets.max()) + _ELEMENT.itemsize > size:
        raise ImageError(f"{path}: is cut short or damaged: a frame begins past its end; copy it again")
    return Header(True, offsets.astype(np.int64), axis)


def _axis(file: BinaryIO) -> StackAxis | None:
    """Read the dimensions; return the calibration of the only one."""
    dimensions = int.from_bytes(file.read(4), "little")
    fixed = file.read(28)
    if dimensions != 1 or len(fixed) < 28:
        return None
    _, offset, step, at, length = struct.unpack("<IddiI", fixed)
    if length > _LONGEST_TEXT:
        return None
    file.read(length)
    unit = file.read(min(int.from_bytes(file.read(4), "little"), _LONGEST_TEXT)).decode("latin-1")
    return stack_axis(step, unit, offset - at * step) if unit else None


def _elements(file: BinaryIO, offsets: Array) -> Array:
    """Read what lies before the pixels of each frame."""
    mapped = np.memmap(file, np.uint8, "r")
    width = np.arange(_ELEMENT.itemsize)
    blocks = [
        mapped[offsets[at : at + _BLOCK, None] + width].view(_ELEMENT)[:, 0] for at in range(0, len(offsets), _BLOCK)
    ]
    return np.concatenate(blocks)
