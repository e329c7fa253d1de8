"""What the tags of a TIFF page say: its pixel size, and what to carry over into a result."""

import json
import math
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from temclean.io.image import ByteOrder
from temclean.io.tiff import ome
from temclean.io.tiff.structure import TYPE_BYTES
from temclean.io.units import calibrate

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

Calibration = tuple[tuple[float, float] | None, str | None]
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
# A scanner's or printer's resolution says nothing of the specimen; a finer one can only be a microscope's.
_FINEST_SCANNER = 1e-6


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


def calibration(tiff: "TiffFile", page: "TiffPage", warnings: list[str]) -> Calibration:
    """Return the pixel size and unit of a page, from whichever program wrote it."""
    for source in (_fei, _zeiss, _tvips, _olympus, _ome, _digital_micrograph, _imagej):
        found = source(tiff, page)
        if found is not None:
            rows, columns, unit = found
            return calibrate(rows, columns, unit, warnings)
    found = _resolution(page)
    if found is not None and max(found[:2]) < _FINEST_SCANNER:
        return calibrate(*found, warnings)
    return None, None


_Found = tuple[float, float, str] | None


def _number(value: object) -> float:
    """Return a header's number; what is none counts as absent."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return 0.0


def _fei(tiff: "TiffFile", page: "TiffPage") -> _Found:
    metadata = page.tags.valueof(34682) or page.tags.valueof(34680)
    if not isinstance(metadata, dict):
        return None
    for section in ("Scan", "EScan", "IScan"):
        scan = metadata.get(section)
        if isinstance(scan, dict) and "PixelWidth" in scan:
            return _number(scan.get("PixelHeight", scan["PixelWidth"])), _number(scan["PixelWidth"]), "m"
    image = metadata.get("Image", {})
    for section in ("EBeam", "IRBeam"):
        beam = metadata.get(section)
        if isinstance(beam, dict) and isinstance(image, dict) and "HFW" in beam and _number(image.get("ResolutionX")):
            size = _number(beam["HFW"]) / _number(image["ResolutionX"])
            return size, size, "m"
    return None


def _zeiss(tiff: "TiffFile", page: "TiffPage") -> _Found:
    metadata = page.tags.valueof(34118)
    if not isinstance(metadata, dict):
        return None
    entry = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    numbers = metadata.get("")
    if isinstance(numbers, tuple) and len(numbers) > 3 and _number(numbers[3]) > 0:
        # The fourth number is the pixel size in metres on a display 1024 pixels wide, with more digits than the entry.
        size = _number(numbers[3]) * 1024 / page.imagewidth
        return size, size, "m"
    if isinstance(entry, tuple) and len(entry) == 3:
        return _number(entry[1]), _number(entry[1]), str(entry[2])
    return None


def _tvips(tiff: "TiffFile", page: "TiffPage") -> _Found:
    metadata = page.tags.valueof(37706)
    if not isinstance(metadata, dict) or "PixelSizeX" not in metadata:
        return None
    return _number(metadata.get("PixelSizeY")), _number(metadata["PixelSizeX"]), "nm"


def _olympus(tiff: "TiffFile", page: "TiffPage") -> _Found:
    if 33560 not in page.tags:
        return None
    metadata = tiff.sis_metadata or {}
    if "pixelsizex" not in metadata:
        return None
    return _number(metadata.get("pixelsizey")), _number(metadata["pixelsizex"]), "m"


def _ome(tiff: "TiffFile", page: "TiffPage") -> _Found:
    text = ome.chosen_image(ome.xml(tiff), page)
    sizes = {}
    for axis in "XY":
        size = re.search(rf'\bPhysicalSize{axis}="([^"]*)"', text)
        if size is None:
            return None
        sizes[axis] = _number(size[1])
    unit = re.search(r'\bPhysicalSizeXUnit="([^"]*)"', text)
    return sizes["Y"], sizes["X"], unit[1] if unit else "µm"


def _digital_micrograph(tiff: "TiffFile", page: "TiffPage") -> _Found:
    # 65003 and 65009 are x, 65004 and 65010 are y.
    unit = page.tags.valueof(65003) or page.tags.valueof(65004)
    size = page.tags.valueof(65009)
    if not unit or size is None:
        return None
    return _number(page.tags.valueof(65010, size)), _number(size), str(unit)


def _imagej(tiff: "TiffFile", page: "TiffPage") -> _Found:
    if not page.is_imagej:
        return None
    unit = re.search(r"^unit=(.*)$", page.description, re.MULTILINE)
    resolution = _resolution(page, plain=True)
    if unit is None or resolution is None:
        return None
    name = re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), unit[1].strip())
    return resolution[0], resolution[1], name


def _resolution(page: "TiffPage", plain: bool = False) -> _Found:
    """Return the size of a pixel by tags 282, 283 and 296, in metres, or in the unit that another tag names."""
    across, down = page.tags.valueof(282), page.tags.valueof(283)
    if not (_is_ratio(across) and _is_ratio(down) and across[0] and down[0]):
        return None
    columns, rows = across[1] / across[0], down[1] / down[0]
    if plain:
        return rows, columns, ""
    metres = {2: 0.0254, 3: 0.01, 4: 1e-3, 5: 1e-6}.get(int(page.tags.valueof(296, 2)))
    return None if metres is None else (rows * metres, columns * metres, "m")


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
    if page.tags.valueof(296, 2) in {1, 2, 3} and _is_ratio(across) and _is_ratio(down):
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


def _is_ratio(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and value[1] != 0


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
