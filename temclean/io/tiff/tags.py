"""What the tags of a TIFF page say that a result carries over."""

import json
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temclean.io.image import ByteOrder
from temclean.io.tiff import ome
from temclean.io.tiff.calibration import is_ratio
from temclean.io.tiff.structure import TYPE_BYTES

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
_OFFSETS = {330, 400, 33560, 33471, 33628, 33629, 33630, 33631, 34412, 34665, 34853, 40965, 50740, 51123}
_MOST_TAG_BYTES = 16 << 20


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
    description, note = _raw(tiff, page, 270).rstrip(b"\0"), ""
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
        kind = "plain" if description.strip() and not page.is_imagej else "none"
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
        tags=tuple(own_tags(tiff, page, colour)),
        pages=pages,
        shape=shape,
        dtype=np.dtype(page.dtype),
    )


def own_tags(tiff: "TiffFile", page: "TiffPage", colour: bool) -> list[ExtraTag]:
    """Return the tags of a page that are its maker's own, their values as they stand in the file."""
    tags: list[ExtraTag] = []
    for tag in page.tags:
        if tag.code in _STRUCTURE or tag.code in _OFFSETS or tag.dtype == 13 or tag.valuebytecount > _MOST_TAG_BYTES:
            continue
        if tag.code in {50838, 50839} and colour:
            continue
        value = _raw(tiff, page, tag.code)
        if len(value) == TYPE_BYTES.get(int(tag.dtype), 0) * tag.count:
            tags.append((tag.code, int(tag.dtype), tag.count, value, True))
    return tags


def plain_description(tiff: "TiffFile", page: "TiffPage") -> bytes:
    """Return a page's description, unless it is a program's account of the pixels."""
    text = _raw(tiff, page, 270).rstrip(b"\0")
    return text if text.strip() and not (page.is_imagej or page.is_ome or page.is_shaped) else b""


def _fitted_shape(description: bytes, shape: tuple[int, ...]) -> tuple[bytes, str]:
    """Return tifffile's JSON made to fit frames of `shape`, one to a page, and what else it says."""
    try:
        says = json.loads(description)
        other = {name: value for name, value in says.items() if name not in {"shape", "axes", "truncated"}}
        same = math.prod(says["shape"]) == math.prod(shape)
    except (ValueError, TypeError, KeyError, AttributeError):
        return json.dumps({"shape": shape}).encode(), ""
    note = json.dumps(other) if other else ""
    axes = str(says.get("axes", ""))
    if same and "truncated" not in says and "S" not in axes:
        return description, note
    axes = axes.replace("S", "")
    fitting: dict[str, Any] = {"shape": says["shape"] if same else shape}
    if len(axes) == len(fitting["shape"]):
        fitting["axes"] = axes
    return json.dumps(fitting | other).encode(), note


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
    for tag in page.tags:
        if (tag.code not in _STRUCTURE or tag.code == 270) and tag.valuebytecount <= _MOST_TAG_BYTES:
            value = tag.value
            if value is not None and value != "" and not isinstance(value, bytes | np.ndarray):
                found[tag.name] = value
    return found
