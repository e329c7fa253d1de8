"""Write TIFF frame by frame: ImageJ's kind, so that Fiji and HyperSpy read the pixel size, or the source's own kind."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import TemcleanError
from temclean.io.image import Array, ByteOrder, Image, StackAxis
from temclean.io.messages import silence
from temclean.io.note import Note
from temclean.io.tiff import makers, pages
from temclean.io.tiff.calibration import DM_ORIGINS, DM_SCALES, DM_UNITS, alone
from temclean.io.tiff.own_tag import renew
from temclean.io.tiff.tags import PROVENANCE, ExtraTag, TiffContainer, rational
from temclean.io.units import METRES, SECONDS, calibrate, tidy_unit

with silence:
    import tifffile

DTYPES = frozenset(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
# Classic TIFF ends at 4 GiB; leave room for tags and page lists.
_CLASSIC_LIMIT = (1 << 32) - (1 << 26)
_BLOCK = 8 << 20
_DATE = 306
# Tried with ImageJ 1.53t: it says "Unsupported format" of these, and opens the rest.
_NOT_IMAGEJ = {"f2": "float32", "f8": "float32", "i8": "int32", "u8": "uint32"}
_MOST_INFO = 1 << 20
_HELD = 1e-9, 1e9
"""Sizes of pixels, in their unit, that a ratio of 32-bit integers holds with all the digits that anyone needs."""


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write `frames` of `dtype` to `path`."""
    source = image.container if isinstance(image.container, TiffContainer) else None
    shape = image.pixels.shape
    count = math.prod(shape[:-2])
    order: ByteOrder = source.byteorder if source else "<"
    description, resolution, tags = _describe(_calibrated(image), source, dtype, order)
    if note is not None:
        tags.append((PROVENANCE, 2, 0, note.text(), True))
    other = _NOT_IMAGEJ.get(dtype.str[1:])
    if other:
        image.warn(f"ImageJ 1.53 opens no TIFF of {dtype.name}; --dtype {other} makes one that it opens")
    origin = source.pages if source and source.shape == shape else None
    page_bytes = 512 + (sum(len(tag[3]) for tag in source.tags) if source and origin else 0)
    big = (source.big if source else False) or math.prod(shape) * dtype.itemsize + count * page_bytes > _CLASSIC_LIMIT
    if not big:
        # The 64-bit tag types exist in BigTIFF only.
        tags = [tag for tag in tags if tag[1] < 16]
    table = source.colormap if source and description == source.description and dtype == source.dtype else None
    with path.open("w+b") as file:
        with tifffile.TiffWriter(file, bigtiff=big, byteorder=order) as writer:
            place = writer.write(
                None,
                shape=(count, *shape[-2:]) if count > 1 else shape[-2:],
                dtype=dtype,
                photometric="palette" if table is not None else source.photometric if source else "minisblack",
                colormap=table,
                description=description,
                metadata=None,
                resolution=resolution[:2] if resolution else None,
                resolutionunit=resolution[2] if resolution else None,
                software=False if any(tag[0] == 305 for tag in tags) else "temclean",
                extratags=tags,
                returnoffset=True,
            )
        if place is None:
            raise AssertionError(path)
        file.seek(place[0])
        stored = dtype.newbyteorder(order)
        for frame in frames:
            rows = max(1, _BLOCK // max(1, frame.shape[1] * dtype.itemsize))
            for top in range(0, frame.shape[0], rows):
                file.write(np.ascontiguousarray(frame[top : top + rows], stored).data)
        if note is not None:
            renew(file, path, note.text())  # by now the checksum of the pixels is known
    if any(tag[0] == makers.SIS for tag in tags):
        makers.settle(path)
    if origin is not None:
        _carry_pages(path, origin, image)


def _carry_pages(path: Path, source: Path, image: Image) -> None:
    """Give the pages after the first what those of the source say; warn where that cannot be."""
    try:
        whole = pages.append(path, pages.of_source(source, len(image.pixels)))
    except TemcleanError:
        whole = False
    if not whole:
        image.warn("what the tags of its pages after the first say was not carried over whole; keep the source")


def _calibrated(image: Image) -> Image:
    """Return the image with a pixel size as readers give it, metres as nanometres; without one that can't be true."""
    unit = tidy_unit(image.unit)
    if image.pixel_size is None or unit is None:
        return image
    size, unit = calibrate(*image.pixel_size, unit, [])
    if size is None:
        shown = " x ".join(f"{side:.6g}" for side in image.pixel_size)
        image.warn(f"the pixel size of {shown} {image.unit} cannot be true and was left out")
        return replace(image, pixel_size=None, origin=None)
    if unit in METRES and not _held(size):
        size, unit = (size[0] * METRES[unit] / METRES["nm"], size[1] * METRES[unit] / METRES["nm"]), "nm"
    factor = size[0] / image.pixel_size[0]
    origin = image.origin and (image.origin[0] * factor, image.origin[1] * factor)
    return replace(image, pixel_size=size, unit=unit, origin=origin)


def _held(size: tuple[float, float]) -> bool:
    """Return whether TIFF's resolution can tell this size of pixels."""
    return all(_HELD[0] <= side <= _HELD[1] for side in size)


_Resolution = tuple[tuple[int, int], tuple[int, int], int] | None


def _describe(
    image: Image, source: TiffContainer | None, dtype: np.dtype[Any], order: ByteOrder
) -> tuple[bytes | None, _Resolution, list[ExtraTag]]:
    """Return the description, the resolution and the further tags of the first page."""
    shape = image.pixels.shape
    tags = list(source.tags) if source else []
    tags += _gatan_tags(image, tags) + _date_tag(image, tags)
    if source and source.shape == shape:
        if source.kind in {"imagej", "plain"} or (source.kind == "shaped" and image.pixel_size is None):
            return source.description, source.resolution, tags
        if source.kind == "ome" and source.dtype == dtype:
            return source.description, source.resolution, tags
    instrument = {"instrument": image.metadata["instrument"]} if "instrument" in image.metadata else {}
    info = "\n".join(_lines(instrument | image.metadata)) if source is None else source.note
    if info and not any(tag[0] in {50838, 50839} for tag in tags):
        tags += tifffile.imagej_metadata_tag({"Info": info[:_MOST_INFO]}, order)
    if image.pixel_size is not None and not _held(image.pixel_size):
        image = replace(image, pixel_size=None)  # DigitalMicrograph's tags alone hold it
    description = _imagej_description(image)
    if image.pixel_size is None:
        return description, source.resolution if source else None, tags
    return description, (rational(1 / image.pixel_size[1]), rational(1 / image.pixel_size[0]), 1), tags


def _imagej_description(image: Image) -> bytes:
    """Return the description from which ImageJ takes units and axes; the shape alone where ImageJ has no such axes."""
    axes, sizes = image.axes[:-2], image.pixels.shape[:-2]
    if "".join(axis for axis in "TZC" if axis in axes) != axes:
        return json.dumps({"shape": image.pixels.shape}).encode()
    lines = ["ImageJ=1.54f"]
    if math.prod(sizes) > 1 or len(sizes) > 0:
        names = {"T": "frames", "Z": "slices", "C": "channels"}
        lines.append(f"images={math.prod(sizes)}")
        lines += [f"{names[axis]}={size}" for axis, size in sorted(zip(axes, sizes, strict=True))]
        lines += ["hyperstack=true", "mode=grayscale"]
    if image.pixel_size is not None and image.unit:
        lines.append(f"unit={_escaped(image.unit)}")
        if image.origin is not None:
            # ImageJ's origin is the pixel, counted from 0, at which the axis is 0.
            rows, columns = (0.0 - start / size for start, size in zip(image.origin, image.pixel_size, strict=True))
            lines += [f"xorigin={columns!r}", f"yorigin={rows!r}"]
    for axis, step in zip(axes, _steps(image), strict=False):
        if step is None:
            continue
        if axis == "T" and step.unit in SECONDS:
            lines += [f"finterval={step.step!r}", f"tunit={'sec' if step.unit == 's' else _escaped(step.unit)}"]
        if axis == "Z":
            lines.append(f"spacing={step.step!r}")
            lines += [f"zunit={_escaped(step.unit)}"] if step.unit and step.unit != image.unit else []
            lines += [f"zorigin={-step.origin / step.step!r}"] if step.origin else []
    return ("\n".join(lines) + "\n").encode("ascii", "replace")


def _escaped(unit: str) -> str:
    """Return a unit as ImageJ writes it: Java reads the description as properties, other letters are escaped."""
    return "".join(char if " " < char <= "~" else f"\\u{ord(char):04X}" for char in {"µm": "micron"}.get(unit, unit))


def _steps(image: Image) -> list[StackAxis | None]:
    """Return the steps of the stack's axes, None for one that is not known or can't be true."""
    return [
        step if step and step.step and math.isfinite(step.step) and math.isfinite(step.origin) else None
        for step in image.stack
    ]


def _gatan_tags(image: Image, tags: list[ExtraTag]) -> list[ExtraTag]:
    """Return DigitalMicrograph's tags of the axes, the only ones of which HyperSpy takes every unit and the origins.

    It has no more than one axis before rows and columns.
    """
    if any(65000 <= tag[0] < 65100 for tag in tags):
        return []
    made: list[ExtraTag] = []

    def add(axis: int, unit: str | None, scale: float, origin: float | None) -> None:
        if unit:
            made.append((DM_UNITS[axis], 2, 0, unit.encode("latin-1", "replace"), True))
        if origin is not None:
            made.append((DM_ORIGINS[axis], 12, 1, origin, True))
        made.append((DM_SCALES[axis], 12, 1, scale, True))

    if image.pixel_size is not None and image.unit:
        down, across = image.origin or (None, None)
        add(0, image.unit, image.pixel_size[1], across)
        add(1, image.unit, image.pixel_size[0], down)
    frames, steps = alone(image.pixels.shape), _steps(image)
    step = steps[frames] if frames is not None and frames < len(steps) else None
    if step is not None:
        add(2, step.unit, step.step, step.origin)
    return made


def _date_tag(image: Image, tags: list[ExtraTag]) -> list[ExtraTag]:
    """Return TIFF's date and time of the image, which HyperSpy takes for that of the acquisition."""
    instrument = image.metadata.get("instrument")
    if any(tag[0] == _DATE for tag in tags) or not isinstance(instrument, dict):
        return []
    taken = f"{instrument.get('acquisition_date')} {instrument.get('acquisition_time')}"
    found = re.match(r"(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)", taken)
    return [(_DATE, 2, 0, f"{found[1]}:{found[2]}:{found[3]} {found[4]}", True)] if found else []


def _lines(value: object, name: str = "", depth: int = 0) -> Iterator[str]:
    """Yield ``name = value`` for everything in nested metadata."""
    if isinstance(value, dict) and depth < 32:
        for key, inner in value.items():
            yield from _lines(inner, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list | tuple) and depth < 32 and any(isinstance(inner, dict) for inner in value):
        for index, inner in enumerate(value):
            yield from _lines(inner, f"{name}.{index}", depth + 1)
    else:
        text = str(value)
        if len(text) <= 4000:
            # Letters that were no UTF-8 stand in Python's text as halves of pairs, which no encoding takes.
            line = f"{name} = {text}".replace("\n", " ").replace("\0", "")
            yield line.encode("utf-8", "replace").decode()
