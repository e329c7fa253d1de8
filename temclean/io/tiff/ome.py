"""OME-XML: the part about the images that were taken, made to describe the result's pages.

Text from a file is searched in time that grows with its length: no pattern here runs past the next mark of its kind.
"""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_IMAGE_ENDS = re.compile(r"<(?:\w+:)?Image\b|</(?:\w+:)?Image\s*>")
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b[^<>]*>")
_CHANNEL = re.compile(r"<(?:\w+:)?Channel\b[^<>]*>")
_TIFF_DATA = re.compile(
    r"<(\w+:)?TiffData\b[^<>]*(?:(?<=/)>|>[^<]*(?:<(?!/?(?:\w+:)?TiffData\b)[^<]*)*</(?:\w+:)?TiffData\s*>)"
)


def xml(tiff: "TiffFile") -> str:
    """Return the OME-XML of a file, which is on its first page; empty where there is none."""
    first = tiff.pages.first
    return first.description if first.is_ome else ""


def images(text: str) -> list[str]:
    """Return every ``<Image>`` of OME-XML, in order; none lies inside another."""
    return [text[start:end] for start, end in _places(text)]


def _places(text: str) -> list[tuple[int, int]]:
    places, start = [], None
    for mark in _IMAGE_ENDS.finditer(text):
        if mark[0].startswith("</"):
            if start is not None:
                places.append((start, mark.end()))
            start = None
        elif start is None:
            start = mark.start()
    return places


def chosen_image(text: str, page: "TiffPage") -> str:
    """Return the ``<Image>`` of which `page` is the first page; empty where none fits."""
    fitting = []
    for image in images(text):
        pixels = _PIXELS.search(image)
        if pixels and (_size(pixels[0], "X"), _size(pixels[0], "Y")) == (page.imagewidth, page.imagelength):
            fitting.append(image)
    for image in fitting:
        if any(re.search(rf'\bIFD="{page.index}"', found[0]) for found in _TIFF_DATA.finditer(image)):
            return image
    return fitting[0] if fitting else ""


def fitted(text: str, page: "TiffPage", count: int) -> bytes | None:
    """Return OME-XML for `count` frames of one sample, which are all the pages of a file; None where it cannot fit.

    Names of files go too: Bio-Formats would follow them back to the source's pixels.
    """
    image = chosen_image(text, page)
    pixels = _PIXELS.search(image)
    if pixels is None:
        return None
    channels, samples = _size(pixels[0], "C"), int(page.samplesperpixel)
    if channels % samples or channels // samples * _size(pixels[0], "Z") * _size(pixels[0], "T") != count:
        return None
    own = image
    if samples > 1:
        head = re.sub(r'\bSizeC="\d+"', f'SizeC="{channels // samples}"', pixels[0])
        own = own.replace(pixels[0], re.sub(r'\sInterleaved="\w*"', "", head))
        own = _CHANNEL.sub(lambda one: re.sub(r'(\bSamplesPerPixel=)"\d+"', r'\1"1"', one[0]), own)
    data = _TIFF_DATA.search(own)
    if data is not None:
        one = f'<{data[1] or ""}TiffData IFD="0" PlaneCount="{count}"/>'
        own = own[: data.start()] + one + _TIFF_DATA.sub("", own[data.end() :])
    parts, end = [], 0
    for start, stop in _places(text):
        parts += [text[end:start], own if text[start:stop] == image else ""]
        end = stop
    return re.sub(r'\sUUID="[^"]*"', "", "".join([*parts, text[end:]])).encode()


def attribute(image: str, element: str, name: str) -> str | None:
    """Return an attribute of the first `element` of an ``<Image>``."""
    tag = re.search(rf"<(?:\w+:)?{element}\b[^<>]*>", image)
    found = re.search(rf'\s{name}="([^"]*)"', tag[0]) if tag else None
    return found[1] if found else None


def _size(pixels: str, axis: str) -> int:
    found = re.search(rf'\bSize{axis}="(\d{{1,15}})"', pixels)
    return int(found[1]) if found else 1
