"""What the tags of a TIFF page say that a result carries over."""

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temclean.io.image import Array, ByteOrder
from temclean.io.tiff import makers, ome
from temclean.io.tiff.calibration import is_ratio
from temclean.io.tiff.structure import PALETTE, TYPE_BYTES

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

ExtraTag = tuple[int, int, int, Any, bool]

PROVENANCE = 65330
"""Tag of temclean's provenance: JSON as ASCII, in the range that TIFF leaves to private use."""

# Tags that describe how the pixels lie, which the writer sets itself.
_STRUCTURE = {
    254, 255, 256, 257, 258, 259, 262, 263, 264, 265, 266, 270, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289,
    290, 291, 292, 293, 296, 297, 301, 317, 318, 319, 320, 321, 322, 323, 324, 325, 326, 327, 328, 332, 333, 334, 336,
    337, 338, 339, 340, 341, 342, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 32995, 32996,
    32997, 32998, 33421, 33422, PROVENANCE,
}  # fmt: skip
# Tags whose values are offsets into the source file: they would point nowhere in the result.
_OFFSETS = {330, 400, 33628, 33629, 33630, 33631, 34412, 34665, 34853, 40965, 50740, 51123}
_MOST_TAG_BYTES = 16 << 20
_MOST_BYTES = 64 << 20
"""Of all tags of a page: they may lie in the same place, so that the size of the file bounds nothing."""
_MOST_FACTS = 1000
"""Numbers in a tag that says something of the image; what has more of them is data."""
_TEXTS = {1, 2, 7}


@dataclass(frozen=True)
class TiffContainer:
    """What a TIFF result takes over from its TIFF source."""

    byteorder: ByteOrder
    big: bool
    kind: str
    """``"imagej"``, ``"ome"``, ``"shaped"``, ``"plain"`` or ``"none"``: what the description is."""
    description: bytes
    """It fits the frames, one to a page; with ``"none"`` it does not, or there is none."""
    note: str
    """What the description says of more than the pixels, for a result that cannot have it as it is."""
    resolution: tuple[tuple[int, int], tuple[int, int], int] | None
    photometric: str
    colormap: Array | None
    """ImageJ's look-up table of greys, (3, 256): how they are shown, not what they are."""
    tags: tuple[ExtraTag, ...]
    pages: Path | None
    """The source itself, where its pages after the first have tags to carry over."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def rational(value: float) -> tuple[int, int]:
    """Return `value` as the closest ratio of two unsigned 32-bit integers."""
    most = (1 << 32) - 1
    if value < 1:
        over, under = rational(1 / value)
        return under, over
    ratio = Fraction(value).limit_denominator(max(1, int(most / value)))
    return ratio.numerator, ratio.denominator


def container(
    tiff: "TiffFile", page: "TiffPage", shape: tuple[int, ...], colour: bool, pages: Path | None
) -> TiffContainer:
    """Collect what a result takes over: description, resolution, and every tag that is the maker's own."""
    description, note = _description(tiff, page), ""
    xml = ome.xml(tiff)
    if page.is_imagej and not colour:
        kind = "imagej"
    elif xml:
        fitted = ome.fitted(xml, page, math.prod(shape[:-2]))
        kind, description, note = ("ome", fitted, xml) if fitted else ("none", b"", xml)
    elif page.is_shaped:
        kind = "shaped"
        description, note = _fitted_shape(description, shape)
    else:
        kind = "plain" if plain_description(tiff, page) else "none"
        if kind == "plain" and len(shape) > 3:
            # The words do not say along which axes the frames lie, and ImageJ's, which do, stand in their place.
            kind, note = "none", description.decode(errors="replace")
    across, down = page.tags.valueof(282), page.tags.valueof(283)
    resolution = None
    if page.tags.valueof(296, 2) in {1, 2, 3} and is_ratio(across) and is_ratio(down):
        resolution = (across, down, page.tags.valueof(296, 2))
    return TiffContainer(
        byteorder=tiff.byteorder,
        big=tiff.is_bigtiff,
        kind=kind,
        description=description,
        note=note,
        resolution=resolution,
        photometric="miniswhite" if page.photometric == 0 else "minisblack",
        colormap=page.colormap if kind == "imagej" and page.photometric == PALETTE else None,
        tags=tuple(own_tags(tiff, page, colour)),
        pages=pages,
        shape=shape,
        dtype=np.dtype(page.dtype),
    )


def own_tags(tiff: "TiffFile", page: "TiffPage", colour: bool) -> list[ExtraTag]:
    """Return the tags of a page that are its maker's own, their values as they stand in the file."""
    tags: list[ExtraTag] = []
    room = _MOST_BYTES
    for tag in page.tags:
        if (
            tag.valuebytecount > room
            or tag.code in _STRUCTURE
            or tag.code in _OFFSETS
            or tag.dtype == 13
            or tag.valuebytecount > _MOST_TAG_BYTES
        ):
            continue
        if tag.code in {50838, 50839} and colour:
            continue
        if tag.code in {makers.TVIPS, makers.SIS}:
            found = makers.record(tiff, page, tag)
            if found is not None:
                tags.append((tag.code, 7, len(found), found, True))
            continue
        value = _raw(tiff, page, tag.code)
        if len(value) == TYPE_BYTES.get(int(tag.dtype), 0) * tag.count:
            tags.append((tag.code, int(tag.dtype), tag.count, value, True))
            room -= len(value)
    return tags


def plain_description(tiff: "TiffFile", page: "TiffPage") -> bytes:
    """Return a page's description, unless it is a program's account of the pixels.

    The words decide, not whether tifffile follows them: of a damaged tag it may not, and of the result's it would.
    """
    text = _description(tiff, page)
    xml = text.lstrip().startswith(b"<") and text.rstrip().endswith(b"OME>")
    shape = text.startswith(b"shape=") or (text.startswith(b"{") and b'"shape":' in text)
    return b"" if xml or shape or text.startswith(b"ImageJ=") or not text.strip() else text


def _description(tiff: "TiffFile", page: "TiffPage") -> bytes:
    """Return the bytes of a page's description; none where its type is not a text's, as of a damaged tag."""
    tag = page.tags.get(270)
    return _raw(tiff, page, 270).rstrip(b"\0") if tag is not None and int(tag.dtype) in _TEXTS else b""


def _fitted_shape(description: bytes, shape: tuple[int, ...]) -> tuple[bytes, str]:
    """Return tifffile's JSON made to fit frames of `shape`, one to a page, and what else it says."""
    try:
        says = json.loads(description)
        other = {name: value for name, value in says.items() if name not in {"shape", "axes", "truncated"}}
        own = tuple(says["shape"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return json.dumps({"shape": shape}).encode(), ""
    note = json.dumps(other) if other else ""
    axes = str(says.get("axes", ""))
    if own == shape and "truncated" not in says and (not axes or _names(axes, shape)):
        return description, note
    fitting: dict[str, Any] = {"shape": shape}
    if _names(axes := axes.replace("S", ""), shape):
        fitting["axes"] = axes
    return json.dumps(fitting | other).encode(), note


def _names(axes: str, shape: tuple[int, ...]) -> bool:
    """Return whether `axes` can be those of frames of `shape`: a letter each, rows and columns last."""
    fits = len(set(axes)) == len(axes) == len(shape) and axes.endswith("YX")
    return fits and axes.isascii() and axes.isalpha() and "S" not in axes


def _raw(tiff: "TiffFile", page: "TiffPage", code: int) -> bytes:
    """Return a tag's value as it stands in the file."""
    tag = page.tags.get(code)
    if tag is None or tag.valuebytecount > _MOST_TAG_BYTES:
        return b""
    tiff.filehandle.seek(tag.valueoffset)
    return bytes(tiff.filehandle.read(tag.valuebytecount))


def facts(page: "TiffPage") -> dict[str, Any]:
    """Return the tags that say something about the image, by name."""
    found = {}
    room = _MOST_BYTES
    for tag in page.tags:
        data = tag.count > _MOST_FACTS and int(tag.dtype) not in _TEXTS
        if (
            (tag.code not in _STRUCTURE or tag.code == 270)
            and tag.valuebytecount <= min(room, _MOST_TAG_BYTES)
            and not data
        ):
            room -= tag.valuebytecount
            value = tag.value
            if value is not None and value != "" and not isinstance(value, bytes | np.ndarray):
                found[tag.name] = value
    return found
