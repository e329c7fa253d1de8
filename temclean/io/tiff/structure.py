"""What a TIFF file's list of pages amounts to: which images, how many, along which axes, and whether all are there."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from temclean.errors import ImageError
from temclean.io.messages import damaged

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

# Bytes of each of TIFF's types of value.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
IMAGEJ_AXES = {"T": "frames", "Z": "slices", "C": "channels"}


def check_chain(path: Path, tiff: "TiffFile") -> None:
    """Refuse a file whose list of pages breaks off: tifffile would hand over the pages before the break as if all."""
    if not len(tiff.pages):
        raise damaged(path, "no page can be read")
    form = tiff.tiff
    file = tiff.filehandle
    last = tiff.pages[len(tiff.pages) - 1]
    if last.is_virtual:
        return
    file.seek(last.offset)
    count = int.from_bytes(file.read(form.tagnosize), "little" if tiff.byteorder == "<" else "big")
    file.seek(last.offset + form.tagnosize + count * form.tagsize)
    end = file.read(form.offsetsize)
    if len(end) < form.offsetsize or any(end):
        raise damaged(path, f"its list of pages breaks off after {len(tiff.pages)}")


def lost_tags(tiff: "TiffFile") -> int:
    """Return how many values of the first page lie beyond the end of the file; tifffile passes over them in silence."""
    form, file = tiff.tiff, tiff.filehandle
    order: Literal["little", "big"] = "little" if tiff.byteorder == "<" else "big"
    inline = form.offsetsize
    file.seek(tiff.pages.first.offset)
    count = int.from_bytes(file.read(form.tagnosize), order)
    entries = file.read(count * form.tagsize)
    lost = 0
    for at in range(0, len(entries), form.tagsize):
        entry = entries[at : at + form.tagsize]
        size = TYPE_BYTES.get(int.from_bytes(entry[2:4], order), 0) * int.from_bytes(entry[4 : 4 + inline], order)
        if size > inline:
            lost += int.from_bytes(entry[-inline:], order) + size > file.size
    return lost


def choose_series(path: Path, tiff: "TiffFile", warnings: list[str]) -> "TiffPageSeries":
    """Return the images that were meant: the series with the largest frames, then the most of them."""
    every = [series for series in tiff.series if math.prod(series.shape)]
    if not every:
        raise ImageError(f"{path}: holds no image; export it anew")
    chosen = max(every, key=lambda one: (one.keyframe.imagewidth * one.keyframe.imagelength, len(one.pages)))
    others = [series for series in every if series is not chosen]
    if others:
        left = ", ".join("x".join(map(str, series.shape)) for series in others[:4])
        warnings.append(
            f"took the images of {'x'.join(map(str, chosen.shape))}; left {len(others)} other kind(s) of page ({left})"
        )
    return chosen


def stack_shape(path: Path, series: "TiffPageSeries") -> tuple[tuple[int, ...], str]:
    """Return the shape and the axes of a series without its samples."""
    page = series.keyframe
    height, width = page.imagelength, page.imagewidth
    shape, axes = [], ""
    for size, axis in zip(series.shape, series.axes, strict=True):
        if axis not in "YXS":
            shape.append(int(size))
            axes += axis
    images = math.prod(shape)
    announced = announced_sizes(page)
    expected = announced.pop("images", 0)
    channels = max(1, page.samplesperpixel)
    if expected and expected not in {images, images * channels, images // channels}:
        raise ImageError(
            f"{path}: is cut short or damaged: it announces {expected} frames and {images} are there; copy it again"
        )
    if announced and math.prod(announced.values()) == images:
        # tifffile drops axes of length one, which the description may name, and all of OME's that name another file.
        shape, axes = list(announced.values()), "".join(announced)
    known = [axis for axis in axes if axis in "TZC"]
    if len(known) != len(axes) or len(set(axes)) != len(axes):
        # Frames of unknown meaning are taken for a movie.
        axes = ("Q" * (len(axes) - 3) + "TZC"[: min(len(axes), 3)]) if axes else ""
    return (*shape, int(height), int(width)), axes + "YX"


def announced_sizes(page: "TiffPage") -> dict[str, int]:
    """Return the length of each axis that ImageJ's or OME's description names, slowest first, and ImageJ's "images"."""
    if page.is_imagej:
        text = page.imagej_description or ""
        found = dict(re.findall(r"^(images|frames|slices|channels)=(\d{1,15})\s*$", text, re.MULTILINE))
        names = {"images": "images", **IMAGEJ_AXES}
        return {axis: int(found[name]) for axis, name in names.items() if name in found}
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^>]*>", page.description) if page.is_ome else None
    if pixels is None:
        return {}
    order = re.search(r'\bDimensionOrder="XY([ZCT]{3})"', pixels[0])
    sizes = {axis: int(size) for axis, size in re.findall(r'\bSize([ZCT])="(\d{1,15})"', pixels[0])}
    return {axis: sizes[axis] for axis in reversed(order[1]) if sizes.get(axis, 1) > 1} if order else {}
