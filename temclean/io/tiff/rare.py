"""What is left to tifffile and imagecodecs, the extra ``codecs``: which packings of a page, within which bounds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from temclean.errors import ImageError, MissingExtraError, TemcleanError
from temclean.io.messages import damaged
from temclean.io.tiff import codecs
from temclean.io.tiff.structure import bits

if TYPE_CHECKING:
    from tifffile import TiffPage

JPEG = {7, 33007, 34892}
JPEG_2000 = {33003, 33004, 33005, 34712}
ZSTANDARD = {34926, 50000}
_PICTURES = JPEG | JPEG_2000
"""Each segment has a header of its own, which could claim any size."""
_JPEG_SIZES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_2000_SIZE = b"\xff\x4f\xff\x51"
_FIRST_BYTES = 1 << 16


def check_page(path: Path, page: "TiffPage") -> None:
    """Refuse a page that needs imagecodecs where that is not installed, and one that nothing here could read."""
    how = packing(page)
    if page.compression not in codecs.SUPPORTED | _PICTURES | ZSTANDARD or page.imagedepth != 1:
        raise ImageError(f"{path}: its pixels are {how}, which temclean does not read; save it uncompressed")
    if not has_imagecodecs():
        raise unreadable(path, how)


def packing(page: "TiffPage") -> str:
    """Return how the pixels of a page lie, in words."""
    if page.imagedepth != 1:
        return "in blocks of several planes"
    if page.compression not in codecs.SUPPORTED:
        return f"compressed with {getattr(page.compression, 'name', f'method {int(page.compression)}')}"
    return f"packed in {bits(page)} values"


def has_imagecodecs() -> bool:
    """Return whether the extra ``codecs`` is installed and loads."""
    try:
        import imagecodecs
    except ImportError:
        return False
    return bool(imagecodecs)


def unreadable(path: Path, how: str) -> TemcleanError:
    """Return the error for pixels that neither temclean nor what is installed can unpack."""
    if has_imagecodecs():
        return ImageError(f"{path}: its pixels are {how}, which cannot be undone here; save it uncompressed")
    return MissingExtraError(
        f'{path}: its pixels are {how}; run `pip install "temclean[codecs]"`, or save it uncompressed'
    )


def check_segments(path: Path, file: BinaryIO, page: Any, keyframe: "TiffPage", segment: tuple[int, int]) -> None:
    """Refuse a page whose strips or tiles are pictures that say of themselves that they are larger than these."""
    if keyframe.compression not in _PICTURES:
        return
    for place, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        file.seek(place)
        height, width = picture_size(file.read(min(count, _FIRST_BYTES)))
        if not 0 < height * width <= 2 * max(segment[0] * segment[1], 64):
            raise damaged(
                path, f"a strip or tile says that it is {height}x{width} pixels, not {segment[0]}x{segment[1]}"
            )


def picture_size(data: bytes) -> tuple[int, int]:
    """Return the height and width in the header of a JPEG or JPEG 2000 picture; zeros where there is none."""
    place = data.find(_JPEG_2000_SIZE)
    if data[:2] != b"\xff\xd8":
        width, height = data[place + 8 : place + 12], data[place + 12 : place + 16]
        return (int.from_bytes(height, "big"), int.from_bytes(width, "big")) if place >= 0 else (0, 0)
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _JPEG_SIZES:
            return int.from_bytes(data[at + 5 : at + 7], "big"), int.from_bytes(data[at + 7 : at + 9], "big")
        at += 1 if data[at + 1] == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return 0, 0
