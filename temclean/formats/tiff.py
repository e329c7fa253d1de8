"""Read TIFF: stacks, every integer and float type, and the calibration of whichever program wrote it."""

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from temclean.errors import ImageError
from temclean.formats import tiff_codecs, tiff_tags
from temclean.formats.image import (
    Array,
    Frames,
    Image,
    MappedFrames,
    RawFrames,
    check_claim,
    frame_bytes,
    luminance,
    native,
)
from temclean.formats.quiet import damaged, silence

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

with silence:
    import tifffile

MONO = {0, 1}
RGB, PALETTE, YCBCR = 2, 3, 6


class PageFrames(Frames):
    """Frames of a file whose pages are compressed, tiled or scattered; (H, W, S) where a pixel has samples."""

    def __init__(
        self, path: Path, file: BinaryIO, tiff: "TiffFile", series: "TiffPageSeries", shape: tuple[int, ...]
    ) -> None:
        page = series.keyframe
        super().__init__(path, shape, np.dtype(page.dtype))
        self.file = file
        self.series = series
        self.lock = threading.Lock()
        self.layout = page_layout(path, tiff, page)
        self.stored = page_bytes(path, series.pages[0], path.stat().st_size)
        self.claimed = frame_bytes(self.shape, self.dtype, page.samplesperpixel)
        check_claim(path, self.claimed, self.stored)
        page_bytes(path, series.pages[len(self) - 1], path.stat().st_size)

    def frame(self, index: int) -> Array:
        with self.lock:
            page = self.series.pages[index]
            if page is None:
                raise damaged(self.path, f"frame {index} is missing")
            if self.layout is None:
                return native(self._by_tifffile(page))
            offsets, counts = page.dataoffsets, page.databytecounts
        planes = tiff_codecs.read_page(self.path, self.layout, offsets, counts)
        frame = planes.transpose(1, 2, 0, 3).reshape(*planes.shape[1:3], -1) if len(planes) > 1 else planes[0]
        return frame[..., 0] if frame.shape[-1] == 1 else frame

    def _by_tifffile(self, page: Any) -> Array:
        try:
            frame: Array = page.asarray()
        except (ValueError, NotImplementedError, ImportError) as error:
            if "imagecodecs" in str(error) or isinstance(error, NotImplementedError):
                name = getattr(self.series.keyframe.compression, "name", self.series.keyframe.compression)
                raise ImageError(
                    f"{self.path}: is compressed with {name}; run `pip install imagecodecs`, or save it uncompressed"
                ) from error
            raise
        return np.moveaxis(frame, 0, -1) if self.series.keyframe.planarconfig == 2 and frame.ndim == 3 else frame

    def close(self) -> None:
        self.file.close()


def read(path: Path) -> Image:
    """Open a TIFF file."""
    # tifffile leaves a file of its own open when its header is damaged.
    file = path.open("rb")
    try:
        image = _read(path, file)
    except BaseException:
        file.close()
        raise
    if isinstance(image.pixels, RawFrames):
        file.close()
    return image


def _read(path: Path, file: BinaryIO) -> Image:
    warnings: list[str] = []
    tiff = tifffile.TiffFile(file, _multifile=False)
    check_chain(path, tiff)
    series = choose_series(path, tiff, warnings)
    page = series.keyframe
    shape, axes = stack_shape(path, series)
    if page.dtype is None:
        raise ImageError(f"{path}: holds {page.bitspersample}-bit values; save it as 8, 16 or 32-bit")
    if page.dtype.kind == "b":
        raise ImageError(f"{path}: is black and white (1 bit a pixel); export it in grey levels")
    if page.samplesperpixel < 1:
        raise damaged(path, "its pixels have no samples")
    frames = open_frames(path, file, tiff, series, shape)
    colour = page.samplesperpixel > 1 or page.photometric == PALETTE
    if page.samplesperpixel > 1:
        frames = grey_frames(path, page, frames, shape, warnings)
    elif page.photometric == PALETTE and not grey_palette(page):
        frames = palette_frames(path, page, frames, shape, warnings)
    pixel_size, unit = tiff_tags.calibration(tiff, page, warnings)
    return Image(
        frames,
        pixel_size,
        unit,
        axes,
        tiff_tags.facts(page),
        path.suffix.lower() if path.suffix.lower() in {".tif", ".tiff", ".btf", ".tf8"} else ".tif",
        tuple(warnings),
        tiff_tags.container(tiff, page, shape, colour),
    )


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
    expected = re_images(page.description) if page.is_imagej else 0
    channels = max(1, page.samplesperpixel)
    if expected and expected not in {images, images * channels, images // channels}:
        raise ImageError(
            f"{path}: is cut short or damaged: it announces {expected} frames and {images} are there; copy it again"
        )
    known = [axis for axis in axes if axis in "TZC"]
    if len(known) != len(axes) or len(set(axes)) != len(axes):
        # Frames of unknown meaning are taken for a movie.
        axes = ("Q" * (len(axes) - 3) + "TZC"[: min(len(axes), 3)]) if axes else ""
    return (*shape, int(height), int(width)), axes + "YX"


def re_images(description: str) -> int:
    """Return the number of frames that an ImageJ description announces, or 0."""
    for line in description.splitlines():
        if line.startswith("images="):
            number = line[7:].strip()
            return int(number) if number.isdigit() else 0
    return 0


def open_frames(
    path: Path, file: BinaryIO, tiff: "TiffFile", series: "TiffPageSeries", shape: tuple[int, ...]
) -> Frames:
    """Return the frames, straight from the file where they lie in it as they are."""
    page = series.keyframe
    dtype = np.dtype(page.dtype).newbyteorder(tiff.byteorder)
    plain = page.compression == 1 and page.samplesperpixel == 1 and page.bitspersample == dtype.itemsize * 8
    if plain and page.fillorder == 1 and series.dataoffset is not None:
        return RawFrames(path, shape, dtype, int(series.dataoffset))
    pages = len(series.pages)
    if pages != math.prod(shape[:-2]):
        raise ImageError(
            f"{path}: holds {math.prod(shape[:-2])} frames in {pages} pages, a layout that is not supported; "
            "save it from Fiji as a plain TIFF stack"
        )
    return PageFrames(path, file, tiff, series, shape)


def page_layout(path: Path, tiff: "TiffFile", page: "TiffPage") -> tiff_codecs.Layout | None:
    """Return how the page's pixels lie, or None where only tifffile can tell."""
    dtype = np.dtype(page.dtype)
    whole = page.bitspersample == dtype.itemsize * 8 and page.fillorder == 1 and page.imagedepth == 1
    if page.compression not in tiff_codecs.SUPPORTED or page.predictor not in {1, 2, 3} or not whole:
        return None
    if page.predictor == 3 and dtype.kind != "f":
        return None
    tiled = bool(page.is_tiled)
    strip = (min(page.rowsperstrip, page.imagelength), page.imagewidth)
    segment = (page.tilelength, page.tilewidth) if tiled else strip
    if min(segment) < 1:
        raise damaged(path, "its strips or tiles have no size")
    if tiled and segment[0] * segment[1] > 4 * max(page.imagelength * page.imagewidth, 1 << 20):
        raise damaged(path, f"its tiles of {segment[0]} x {segment[1]} pixels exceed the image")
    return tiff_codecs.Layout(
        height=int(page.imagelength),
        width=int(page.imagewidth),
        samples=int(page.samplesperpixel),
        separate=page.planarconfig == 2 and page.samplesperpixel > 1,
        segment=(int(segment[0]), int(segment[1])),
        tiled=tiled,
        compression=int(page.compression),
        predictor=int(page.predictor),
        dtype=dtype.newbyteorder(tiff.byteorder),
    )


def page_bytes(path: Path, page: Any, size: int) -> int:
    """Return the bytes stored for a page, after a look whether they are all there."""
    if page is None:
        raise damaged(path, "a page is missing")
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if not ends or max(ends) > size:
        raise ImageError(
            f"{path}: is cut short: its pixels end at {max(ends, default=0)} of {size} bytes; copy it again"
        )
    return int(sum(page.databytecounts))


def grey_frames(path: Path, page: "TiffPage", frames: Frames, shape: tuple[int, ...], warnings: list[str]) -> Frames:
    """Return frames of several samples as one: luminance of colours, else the first sample."""
    if page.photometric in {RGB, YCBCR} and page.samplesperpixel >= 3:
        warnings.append("the image is in colour; its luminance is used")
        return MappedFrames(path, frames, shape, luminance)
    warnings.append(f"the image has {page.samplesperpixel} samples a pixel; the first is used")
    return MappedFrames(path, frames, shape, lambda frame: np.ascontiguousarray(frame[..., 0]))


def grey_palette(page: "TiffPage") -> bool:
    """Return whether the palette only says that larger values are lighter greys."""
    colours = page.colormap
    if colours is None:
        return True
    first = colours[0].astype(np.int64)
    return bool(np.all(colours == colours[:1]) and np.all(np.diff(first) >= 0) and first[-1] > first[0])


def palette_frames(path: Path, page: "TiffPage", frames: Frames, shape: tuple[int, ...], warnings: list[str]) -> Frames:
    """Return the luminance of the palette's colours, in the type of the indices."""
    warnings.append("the image has a colour palette; its luminance is used")
    assert page.colormap is not None
    table = luminance(np.ascontiguousarray(page.colormap.T)[None])[0]
    look_up = (table >> 8).astype(frames.dtype) if frames.dtype.itemsize == 1 else table.astype(frames.dtype)
    return MappedFrames(path, frames, shape, lambda frame: look_up[np.minimum(frame, len(look_up) - 1)])


def provenance(path: Path) -> str | None:
    """Return temclean's own tag of the first page."""
    with path.open("rb") as file:
        value = tifffile.TiffFile(file, _multifile=False).pages.first.tags.valueof(tiff_tags.PROVENANCE)
    return value if isinstance(value, str) else None
