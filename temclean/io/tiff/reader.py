"""Read TIFF: stacks, every integer and float type, and the calibration of whichever program wrote it."""

import math
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from temclean.errors import ImageError
from temclean.io.image import (
    Array,
    Frames,
    Image,
    MappedFrames,
    RawFrames,
    check_claim,
    frame_bytes,
    luminance,
    native,
    stack_axes,
)
from temclean.io.messages import damaged, silence
from temclean.io.pictures import beside
from temclean.io.tiff import calibration, codecs, pages, rare, tags
from temclean.io.tiff.chain import check_chain
from temclean.io.tiff.structure import PALETTE, bits, choose_series, frame_planes, grey_palette, lost_tags, stack_shape

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

with silence:
    import tifffile

RGB, YCBCR = 2, 6
_SMALL_TILE = 1 << 24
"""Bytes; a tile may have four times as many, whatever the size of the image."""


class PageFrames(Frames):
    """Frames of a file whose pages are compressed, tiled or scattered; (H, W, S) where a pixel has samples."""

    holds_file = True

    def __init__(
        self, path: Path, file: BinaryIO, tiff: "TiffFile", series: "TiffPageSeries", shape: tuple[int, ...]
    ) -> None:
        page = series.keyframe
        super().__init__(path, shape, np.dtype(page.dtype))
        self.file = file
        self.series = series
        self.lock = threading.Lock()
        self.stored = page_bytes(path, series.pages[0], path.stat().st_size)
        check_claim(path, frame_bytes(self.shape, self.dtype, page.samplesperpixel), self.stored)
        self.segment = segment_shape(path, page, self.stored)
        self.layout = page_layout(path, tiff, page, self.segment)
        if self.layout is None:
            rare.check_page(path, page)
        page_bytes(path, series.pages[len(self) - 1], path.stat().st_size)

    def frame(self, index: int) -> Array:
        with self.lock:
            page = self.series.pages[index]
            if page is None:
                raise damaged(self.path, f"frame {index} is missing")
            if self.layout is None:
                rare.check_segments(self.path, self.file, page, self.series.keyframe, self.segment)
                return native(self._by_tifffile(page))
            offsets, counts = page.dataoffsets, page.databytecounts
        planes = codecs.read_page(self.path, self.layout, offsets, counts)
        frame = planes.transpose(1, 2, 0, 3).reshape(*planes.shape[1:3], -1) if len(planes) > 1 else planes[0]
        return frame[..., 0] if frame.shape[-1] == 1 else frame

    def _by_tifffile(self, page: Any) -> Array:
        keyframe = self.series.keyframe
        try:
            frame: Array = page.asarray()
        except (ValueError, NotImplementedError, ImportError) as error:
            if "imagecodecs" in str(error) or isinstance(error, NotImplementedError | ImportError):
                raise rare.unreadable(self.path, rare.packing(keyframe)) from error
            raise
        return np.moveaxis(frame, 0, -1) if keyframe.planarconfig == 2 and frame.ndim == 3 else frame

    def close(self) -> None:
        self.file.close()


class PlaneFrames(Frames):
    """The planes of pages that hold a frame in each."""

    def __init__(self, path: Path, frames: Frames, shape: tuple[int, ...], planes: int) -> None:
        super().__init__(path, shape, frames.dtype)
        self.pages, self.planes = frames, planes
        self.holds_file = frames.holds_file

    def frame(self, index: int) -> Array:
        return np.ascontiguousarray(self.pages.frame(index // self.planes)[..., index % self.planes])

    def close(self) -> None:
        self.pages.close()


def read(path: Path) -> Image:
    """Open a TIFF file."""
    # tifffile leaves a file of its own open when its header is damaged.
    file = path.open("rb")
    try:
        image = _read(path, file)
    except BaseException:
        file.close()
        raise
    if not image.pixels.holds_file:
        file.close()
    return image


def _read(path: Path, file: BinaryIO) -> Image:
    warnings: list[str] = []
    tiff = tifffile.TiffFile(file, _multifile=False)
    check_chain(path, file, tiff)
    lost = lost_tags(tiff)
    if lost:
        warnings.append(f"{lost} of its tags lie beyond its end and were lost; copy the file again")
    series = choose_series(path, tiff, warnings)
    page = series.keyframe
    shape, axes = stack_shape(path, series)
    if page.dtype is None:
        raise ImageError(f"{path}: holds {bits(page)} values; save it as 8, 16 or 32-bit")
    if page.dtype.kind == "b":
        raise ImageError(f"{path}: is black and white (1 bit a pixel); export it in grey levels")
    if page.samplesperpixel < 1:
        raise damaged(path, "its pixels have no samples")
    planes = frame_planes(series)
    if planes > 1 and "S" in series.axes:
        warnings.append(told_planes(page))
        shape, axes = (*shape[:-2], planes, *shape[-2:]), stack_axes(len(shape) + 1)
    frames = open_frames(path, file, tiff, series, shape, planes)
    table = page.photometric == PALETTE and page.is_imagej and page.samplesperpixel == 1
    colour = page.samplesperpixel > 1 or (page.photometric == PALETTE and not table)
    if page.samplesperpixel > planes:
        frames = grey_frames(path, page, frames, shape, warnings)
    elif table and not grey_palette(page):
        warnings.append("its numbers are taken as they are: ImageJ's look-up table is for display, and stays with them")
    elif page.photometric == PALETTE and not grey_palette(page):
        frames = palette_frames(path, page, frames, shape, warnings)
    measured = calibration.read(tiff, page, shape, axes, warnings)
    note = None if measured.pixel_size else beside.read(path, shape, warnings)
    own = path if pages.has_own(path, tiff, series, math.prod(shape[:-2])) else None
    container = tags.container(tiff, page, shape, colour, own)
    if note and note.pixel_size and container.kind in {"plain", "shaped"}:
        # The source's own description has no room for the pixel size, and Fiji would not see it.
        container = replace(container, kind="none", note=container.description.decode(errors="replace"))
    return Image(
        frames,
        note.pixel_size if note else measured.pixel_size,
        note.unit if note else measured.unit,
        axes,
        {**tags.facts(page), note.program: note.entries} if note else tags.facts(page),
        path.suffix.lower() if path.suffix.lower() in {".tif", ".tiff", ".btf", ".tf8"} else ".tif",
        tuple(warnings),
        container,
        measured.origin,
        measured.stack,
    )


def open_frames(
    path: Path, file: BinaryIO, tiff: "TiffFile", series: "TiffPageSeries", shape: tuple[int, ...], planes: int
) -> Frames:
    """Return the frames, `planes` to a page, straight from the file where they lie in it as they are."""
    page = series.keyframe
    dtype = np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    plain = page.compression == 1 and page.samplesperpixel == planes and page.bitspersample == dtype.itemsize * 8
    if plain and page.fillorder == 1 and series.dataoffset is not None:
        return RawFrames(path, shape, dtype, int(series.dataoffset))
    pages = len(series.pages)
    if pages * planes != math.prod(shape[:-2]):
        raise ImageError(
            f"{path}: holds {math.prod(shape[:-2])} frames in {pages} pages, a layout that is not supported; "
            "save it from Fiji as a plain TIFF stack"
        )
    if planes > 1:
        whole = PageFrames(path, file, tiff, series, (pages, *shape[-2:]))
        return PlaneFrames(path, whole, shape, planes)
    return PageFrames(path, file, tiff, series, shape)


def segment_shape(path: Path, page: "TiffPage", stored: int) -> tuple[int, int]:
    """Return the height and width of a strip or tile, unless it claims more bytes than the page can have.

    A tile of any size may hold an image of one pixel, so that the size of the image bounds nothing.
    """
    tiled = bool(page.is_tiled)
    rows, columns = (page.tilelength, page.tilewidth) if tiled else (page.rowsperstrip, page.imagewidth)
    rows = rows if tiled else min(rows, page.imagelength)
    if min(rows, columns) < 1:
        raise damaged(path, "its strips or tiles have no size")
    sample = np.dtype(page.dtype).itemsize * (1 if page.planarconfig == 2 else page.samplesperpixel)
    claimed = int(rows) * int(columns) * sample
    if tiled and claimed > 4 * max(page.imagelength * page.imagewidth * sample, _SMALL_TILE):
        raise damaged(path, f"its tiles of {rows}x{columns} pixels, {claimed} bytes each, exceed the image")
    check_claim(path, claimed, stored)
    return int(rows), int(columns)


def page_layout(path: Path, tiff: "TiffFile", page: "TiffPage", segment: tuple[int, int]) -> codecs.Layout | None:
    """Return how the page's pixels lie, or None where only tifffile can tell."""
    dtype = np.dtype(page.dtype)
    whole = page.bitspersample == dtype.itemsize * 8 and page.imagedepth == 1
    if page.compression not in codecs.SUPPORTED or page.predictor not in {1, 2, 3} or not whole:
        return None
    if page.predictor == 3 and dtype.kind != "f":
        return None
    return codecs.Layout(
        height=int(page.imagelength),
        width=int(page.imagewidth),
        samples=int(page.samplesperpixel),
        separate=page.planarconfig == 2 and page.samplesperpixel > 1,
        segment=segment,
        tiled=bool(page.is_tiled),
        compression=int(page.compression),
        predictor=int(page.predictor),
        dtype=dtype.newbyteorder(tiff.byteorder),
        reverse=page.fillorder == 2,
    )


def page_bytes(path: Path, page: Any, size: int) -> int:
    """Return the bytes stored for a page, after a look whether they are all there; strips may share some."""
    if page is None:
        raise damaged(path, "a page is missing")
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > size:
        raise ImageError(
            f"{path}: is cut short: its pixels end at {max(ends, default=0)} of {size} bytes; copy it again"
        )
    return min(int(sum(page.databytecounts)), size)


def told_planes(page: "TiffPage") -> str:
    """Return the warning that planes, of which the file does not say it, are taken for frames."""
    if page.is_shaped:
        return f"the {page.samplesperpixel} colour planes are taken for frames, as tifffile stores a stack"
    return (
        f"the {page.samplesperpixel} planes of {page.dtype} are taken for frames, as tifffile stores a stack; "
        "if they are colours, save them together, pixel by pixel"
    )


def grey_frames(path: Path, page: "TiffPage", frames: Frames, shape: tuple[int, ...], warnings: list[str]) -> Frames:
    """Return frames of several samples as one: luminance of colours, else the first sample."""
    if page.photometric in {RGB, YCBCR} and page.samplesperpixel >= 3:
        warnings.append("the image is in colour; its luminance is used")
        return MappedFrames(path, frames, shape, luminance)
    warnings.append(f"the image has {page.samplesperpixel} samples a pixel; the first is used")
    return MappedFrames(path, frames, shape, lambda frame: np.ascontiguousarray(frame[..., 0]))


def palette_frames(path: Path, page: "TiffPage", frames: Frames, shape: tuple[int, ...], warnings: list[str]) -> Frames:
    """Return the luminance of the palette's colours, in the type of the indices."""
    warnings.append("the image has a colour palette; its luminance is used")
    assert page.colormap is not None
    table = luminance(np.ascontiguousarray(page.colormap.T)[None])[0]
    look_up = (table >> 8).astype(frames.dtype) if frames.dtype.itemsize == 1 else table.astype(frames.dtype)
    return MappedFrames(path, frames, shape, lambda frame: look_up[np.minimum(frame, len(look_up) - 1)])
