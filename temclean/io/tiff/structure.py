"""What a TIFF file's list of pages amounts to: which images, how many and along which axes."""

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from temclean.errors import ImageError
from temclean.io.tiff import chain

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

# Bytes of each of TIFF's types of value.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
PALETTE = 3
_GREYS_AND_RGB = {0, 1, 2}
IMAGEJ_AXES = {"T": "frames", "Z": "slices", "C": "channels"}


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
    """Return the images that were meant.

    Of those about as large as the largest, grey ones go before colours, which may have a scale bar drawn in, and deep
    ones before shallow; then the kind with the most pages counts. The others are named in a warning.
    """
    every = [series for series in chain.series(path, tiff) if math.prod(series.shape)]
    if not every:
        raise ImageError(f"{path}: holds no image; export it anew")
    if len(every) > 1 and len({(one.axes, one.keyframe.hash) for one in every}) == 1 and len(every[0].shape) == 2:
        return chain.joined(every)
    largest = max(_pixels(series.keyframe) for series in every)

    def worth(one: "TiffPageSeries") -> tuple[bool, bool, int, int, int]:
        page = one.keyframe
        size = _pixels(page)
        return 2 * size > largest, is_grey(page), page.bitspersample, len(one.pages), size

    chosen = max(every, key=worth)
    others = [series for series in every if series is not chosen]
    if others:
        left = "; ".join(map(_kind, others[:4])) + ("; ..." if len(others) > 4 else "")
        warnings.append(f"took {_kind(chosen)}; left {len(others)} other kind(s) of page: {left}")
    return chosen


def _pixels(page: "TiffPage") -> int:
    return int(page.imagewidth) * int(page.imagelength)


def is_grey(page: "TiffPage") -> bool:
    """Return whether the page's values are intensities, not colours."""
    return bool(page.samplesperpixel == 1 and (page.photometric != PALETTE or page.is_imagej or grey_palette(page)))


def grey_palette(page: "TiffPage") -> bool:
    """Return whether the palette only says that larger values are lighter greys."""
    colours = page.colormap
    if colours is None:
        return True
    first = colours[0].astype(np.int64)
    return bool(np.all(colours == colours[:1]) and np.all(np.diff(first) >= 0) and first[-1] > first[0])


def bits(page: "TiffPage") -> str:
    """Return how many bits a value has, in words: samples may differ, and a damaged file names hundreds of them."""
    each = page.bitspersample
    return f"{each}-bit" if isinstance(each, int) else "differently long"


def _kind(series: "TiffPageSeries") -> str:
    """Return what a series is: ``page 2 (96x128, 16-bit grey)``, ``20 pages from page 3 (...)``."""
    page = series.keyframe
    number = (page.index if isinstance(page.index, int) else page.index[0]) + 1
    where = f"page {number}" if len(series.pages) == 1 else f"{len(series.pages)} pages from page {number}"
    what = f"{bits(page)} {'grey' if is_grey(page) else 'colour'}"
    return f"{where} ({page.imagelength}x{page.imagewidth}, {what})"


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


def frame_planes(series: "TiffPageSeries") -> int:
    """Return how many frames a page holds as planes of its own; 1 where what it holds is samples of a pixel.

    tifffile puts a stack of three or four frames down as the planes of a colour image, unless told otherwise. Its
    own description says so, or its axes do. Without either, colours have 8 bits, and more than that is frames.
    """
    page = series.keyframe
    if page.samplesperpixel < 2 or page.planarconfig != 2:
        return 1
    deep = page.photometric in _GREYS_AND_RGB and page.dtype != np.uint8 and not page.is_ome
    return int(page.samplesperpixel) if page.is_shaped or deep or "S" not in series.axes else 1


def announced_sizes(page: "TiffPage") -> dict[str, int]:
    """Return the length of each axis that ImageJ's or OME's description names, slowest first, and ImageJ's "images"."""
    if page.is_imagej:
        text = page.imagej_description or ""
        found = dict(re.findall(r"^(images|frames|slices|channels)=(\d{1,15})\s*$", text, re.MULTILINE))
        names = {"images": "images", **IMAGEJ_AXES}
        return {axis: int(found[name]) for axis, name in names.items() if name in found}
    pixels = re.search(r"<(?:\w+:)?Pixels\b[^<>]*>", page.description) if page.is_ome else None
    if pixels is None:
        return {}
    order = re.search(r'\bDimensionOrder="XY([ZCT]{3})"', pixels[0])
    sizes = {axis: int(size) for axis, size in re.findall(r'\bSize([ZCT])="(\d{1,15})"', pixels[0])}
    return {axis: sizes[axis] for axis in reversed(order[1]) if sizes.get(axis, 1) > 1} if order else {}
