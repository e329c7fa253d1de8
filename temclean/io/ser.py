"""Read FEI TIA's .ser, with the .emi that lies beside it and knows what the .ser's numbers mean.

The layout is that of Chris Boothroyd's description of the format: a header, the dimensions, and for each element its
offset, its own calibration and its pixels, the bottom row first.
"""

import html
import os
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from temclean.errors import FileError, ImageError
from temclean.io.image import Image, RawFrames
from temclean.io.messages import damaged
from temclean.io.units import calibrate

_DTYPES = {1: "u1", 2: "u2", 3: "u4", 4: "i1", 5: "i2", 6: "i4", 7: "f4", 8: "f8"}
_IMAGES = 0x4122
# Calibration of both axes, type, and size: what lies before the pixels of an image.
_ELEMENT = struct.Struct("<ddiddiHII")
_WIDE_OFFSETS = 0x0220
_MOST_EMI = 256 << 20


@dataclass(frozen=True)
class Element:
    """One frame: its calibration in the file's own unit, and where its pixels lie."""

    rows: float
    columns: float
    dtype: str
    shape: tuple[int, int]
    offset: int


def read(path: Path) -> Image:
    """Open a .ser file, or the first .ser of an .emi."""
    warnings: list[str] = []
    if path.suffix.lower() == ".emi":
        series = find_series(path)
        if not series:
            raise FileError(f"{path}: its pixels are in {path.stem}_1.ser, which is missing; copy it too")
        if len(series) > 1:
            left = ", ".join(other.name for other in series[1:])
            warnings.append(f"took {series[0].name}; left {left}: name them to have them too")
        return _read_series(series[0], path, ".emi", warnings)
    return _read_series(path, find_emi(path), ".ser", warnings)


def find_series(emi: Path) -> list[Path]:
    """Return the .ser files of an .emi, by number."""
    pattern = re.compile(re.escape(emi.stem) + r"_(\d+)\.ser", re.IGNORECASE)
    numbered = [(match, other) for other in emi.parent.iterdir() if (match := pattern.fullmatch(other.name))]
    return [other for _, other in sorted(numbered, key=lambda pair: int(pair[0][1]))]


def find_emi(ser: Path) -> Path | None:
    """Return the .emi beside a .ser."""
    match = re.fullmatch(r"(.+)_\d+", ser.stem)
    for suffix in (".emi", ".EMI"):
        emi = ser.with_name((match[1] if match else ser.stem) + suffix)
        if emi.is_file():
            return emi
    return None


def _read_series(path: Path, emi: Path | None, suffix: str, warnings: list[str]) -> Image:
    with path.open("rb") as file:
        elements = _elements(path, file)
    first = elements[0]
    same = [element for element in elements if (element.shape, element.dtype) == (first.shape, first.dtype)]
    if len(same) < len(elements):
        warnings.append(f"{len(elements) - len(same)} frames of another size or type were left out")
    offsets = np.array([element.offset for element in same], np.int64)
    shape = (len(same), *first.shape) if len(same) > 1 else first.shape
    frames = RawFrames(path, shape, np.dtype("<" + first.dtype), offsets, flip=True)
    metadata: dict[str, Any] = {}
    unit = "m"
    if emi is not None:
        metadata, reciprocal = describe(emi, path)
        unit = "1/m" if reciprocal else "m"
    pixel_size, name = calibrate(first.rows, first.columns, unit, warnings)
    if pixel_size is None and emi is None and warnings:
        warnings[-1] += f"; the .emi beside {path.name} would say what it means"
    return Image(frames, pixel_size, name, "TYX" if len(shape) > 2 else "YX", metadata, suffix, tuple(warnings))


def _elements(path: Path, file: BinaryIO) -> list[Element]:
    """Read where the frames are."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(30)
    if len(head) < 30:
        raise damaged(path, "its header is cut short")
    _, _, version, kind, _, total, valid = struct.unpack_from("<HHHIIII", head)
    if kind != _IMAGES:
        raise ImageError(f"{path}: holds spectra, not images; name a .ser with images")
    wide = version >= _WIDE_OFFSETS
    start = struct.unpack_from("<Q" if wide else "<I", head, 22)[0]
    width = 8 if wide else 4
    count = min(valid, total) if total else valid
    if count < 1:
        raise ImageError(f"{path}: holds no frame: the acquisition was stopped before the first; acquire it again")
    if start + count * width > size:
        raise ImageError(f"{path}: is cut short or damaged: {count} frames are announced; copy it again")
    file.seek(start)
    offsets = struct.unpack(f"<{count}{'Q' if wide else 'I'}", file.read(count * width))
    elements = []
    for offset in offsets:
        if offset + _ELEMENT.size > size:
            raise ImageError(f"{path}: is cut short or damaged: a frame begins past its end; copy it again")
        file.seek(offset)
        _, columns, _, _, rows, _, code, nx, ny = _ELEMENT.unpack(file.read(_ELEMENT.size))
        if code not in _DTYPES:
            raise ImageError(f"{path}: holds values of type {code}, not an image; export real numbers")
        elements.append(Element(rows, columns, _DTYPES[code], (ny, nx), offset + _ELEMENT.size))
    return elements


def describe(emi: Path, ser: Path) -> tuple[dict[str, Any], bool]:
    """Return what the .emi says of the .ser, and whether its pixels lie in reciprocal space (1/m, not m)."""
    if emi.stat().st_size > _MOST_EMI:
        return {}, False
    objects = re.findall(rb"<ObjectInfo>.*?</ObjectInfo>", emi.read_bytes(), re.DOTALL)
    number = re.search(r"_(\d+)$", ser.stem)
    index = int(number[1]) - 1 if number else 0
    if not objects:
        return {}, False
    text = objects[index if 0 <= index < len(objects) else 0].decode("utf-8", "replace")
    facts: dict[str, Any] = {}
    for label, value, unit in re.findall(r"<Label>([^<]*)</Label><Value>([^<]*)</Value><Unit>([^<]*)</Unit>", text):
        facts[html.unescape(label)] = " ".join(html.unescape(f"{value} {unit}").split())
    for tag in ("AcquireDate", "Manufacturer", "CameraNamePath", "DwellTimePath"):
        found = re.search(f"<{tag}>([^<]*)</{tag}>", text)
        if found:
            facts[tag] = html.unescape(found[1])
    mode = facts.get("Mode", "")
    # In STEM the image is the scan's, "Diffraction" names the projector; a camera there sees the diffraction pattern.
    reciprocal = "CameraNamePath" in facts if "STEM" in mode else "Diffraction" in mode
    return {"emi": facts}, reciprocal
