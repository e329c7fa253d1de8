"""What a TIFF file says of its axes, whichever program wrote it: pixel size, origin, and the steps of a stack."""

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from temclean.io.image import StackAxis
from temclean.io.tiff import ome
from temclean.io.units import calibrate, convert, tidy_unit

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# A scanner's or printer's resolution says nothing of the specimen; a finer one can only be a microscope's.
_FINEST_SCANNER = 1e-6

DM_UNITS = (65003, 65004, 65005)
DM_ORIGINS = (65006, 65007, 65008)
DM_SCALES = (65009, 65010, 65011)
"""DigitalMicrograph's tags of columns, rows and frames; HyperSpy takes the origins to be in the unit, and so do we."""


@dataclass(frozen=True)
class Calibration:
    """As the fields of the same names of an `Image`."""

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    origin: tuple[float, float] | None = None
    stack: tuple[StackAxis | None, ...] = ()


class _Found(NamedTuple):
    """Rows before columns, in the file's own unit."""

    size: tuple[float, float]
    unit: str
    origin: tuple[float, float] | None = None


def read(tiff: "TiffFile", page: "TiffPage", shape: tuple[int, ...], axes: str, warnings: list[str]) -> Calibration:
    """Return the calibration of images of `shape` along `axes`, of which `page` is the first."""
    stack = tuple(_stack_axis(tiff, page, axis, alone(shape) == at) for at, axis in enumerate(axes[:-2]))
    for source in (_fei, _zeiss, _tvips, _olympus, _ome, _digital_micrograph, _imagej, _microscope_resolution):
        found = source(tiff, page)
        if found is not None:
            size, unit = calibrate(*found.size, found.unit, warnings)
            if size is None or found.origin is None or not all(map(math.isfinite, found.origin)):
                return Calibration(size, unit, None, stack)
            factor = size[0] / found.size[0]  # metres may have become nanometres
            return Calibration(size, unit, (found.origin[0] * factor + 0.0, found.origin[1] * factor + 0.0), stack)
    return Calibration(stack=stack)


def alone(shape: tuple[int, ...]) -> int | None:
    """Return which axis before rows and columns is the only one that is longer than 1; None if there is no such one."""
    longer = [at for at, size in enumerate(shape[:-2]) if size > 1]
    return longer[0] if len(longer) == 1 else None


def _number(value: object) -> float:
    """Return a header's number; what is none counts as absent."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return 0.0


def _fei(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    metadata = page.tags.valueof(34682) or page.tags.valueof(34680)
    if not isinstance(metadata, dict):
        return None
    for section in ("Scan", "EScan", "IScan"):
        scan = metadata.get(section)
        if isinstance(scan, dict) and "PixelWidth" in scan:
            return _Found((_number(scan.get("PixelHeight", scan["PixelWidth"])), _number(scan["PixelWidth"])), "m")
    image = metadata.get("Image", {})
    for section in ("EBeam", "IRBeam"):
        beam = metadata.get(section)
        if isinstance(beam, dict) and isinstance(image, dict) and "HFW" in beam and _number(image.get("ResolutionX")):
            size = _number(beam["HFW"]) / _number(image["ResolutionX"])
            return _Found((size, size), "m")
    return None


def _zeiss(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    metadata = page.tags.valueof(34118)
    if not isinstance(metadata, dict):
        return None
    entry = metadata.get("ap_image_pixel_size") or metadata.get("ap_pixel_size")
    numbers = metadata.get("")
    if isinstance(numbers, tuple) and len(numbers) > 3 and _number(numbers[3]) > 0:
        # The fourth number is the pixel size in metres on a display 1024 pixels wide, with more digits than the entry.
        size = _number(numbers[3]) * 1024 / page.imagewidth
        return _Found((size, size), "m")
    if isinstance(entry, tuple) and len(entry) == 3:
        return _Found((_number(entry[1]), _number(entry[1])), str(entry[2]))
    return None


def _tvips(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    metadata = page.tags.valueof(37706)
    if not isinstance(metadata, dict) or "PixelSizeX" not in metadata:
        return None
    return _Found((_number(metadata.get("PixelSizeY")), _number(metadata["PixelSizeX"])), "nm")


def _olympus(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    if 33560 not in page.tags:
        return None
    metadata = tiff.sis_metadata or {}
    if "pixelsizex" not in metadata:
        return None
    return _Found((_number(metadata.get("pixelsizey")), _number(metadata["pixelsizex"])), "m")


def _ome(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    text = ome.chosen_image(ome.xml(tiff), page)
    sizes = {axis: ome.attribute(text, "Pixels", f"PhysicalSize{axis}") for axis in "YX"}
    if None in sizes.values():
        return None
    units = {axis: ome.attribute(text, "Pixels", f"PhysicalSize{axis}Unit") or "µm" for axis in "YX"}
    places = []
    for axis in "YX":
        place = ome.attribute(text, "Plane", f"Position{axis}")
        # A position without a unit is one in a frame of reference that only its microscope knows.
        unit = ome.attribute(text, "Plane", f"Position{axis}Unit")
        found = convert(_number(place), tidy_unit(unit), tidy_unit(units["X"])) if place and unit else None
        places += [] if found is None else [found]
    size = _in_unit(_number(sizes["Y"]), units["Y"], units["X"]), _number(sizes["X"])
    return _Found(size, units["X"], (places[0], places[1]) if len(places) == 2 else None)


def _digital_micrograph(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    unit, rows_unit = page.tags.valueof(DM_UNITS[0]), page.tags.valueof(DM_UNITS[1])
    unit, rows_unit = unit or rows_unit, rows_unit or unit
    columns = page.tags.valueof(DM_SCALES[0])
    if not unit or columns is None:
        return None
    rows = _in_unit(_number(page.tags.valueof(DM_SCALES[1], columns)), rows_unit, unit)
    down, across = page.tags.valueof(DM_ORIGINS[1]), page.tags.valueof(DM_ORIGINS[0])
    origin = None if None in {down, across} else (_in_unit(_number(down), rows_unit, unit), _number(across))
    return _Found((rows, _number(columns)), str(unit), origin)


def _in_unit(value: float, own: object, other: object) -> float:
    """Return a length in another unit, or as it stands where that cannot be."""
    found = convert(value, tidy_unit(own), tidy_unit(other))
    return value if found is None or tidy_unit(own) == tidy_unit(other) else found


def _imagej(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    unit = _imagej_entry(page, "unit")
    resolution = _resolution(page, plain=True)
    if unit is None or resolution is None:
        return None
    origin = None
    places = _imagej_entry(page, "yorigin"), _imagej_entry(page, "xorigin")
    if places != (None, None):
        # ImageJ's origin is the pixel, counted from 0, at which the axis is 0.
        rows, columns = resolution.size
        origin = -_number(places[0] or 0) * rows, -_number(places[1] or 0) * columns
    return _Found(resolution.size, unit, origin)


def _imagej_entry(page: "TiffPage", name: str) -> str | None:
    """Return a line of ImageJ's description, which is written as Java writes properties."""
    found = re.search(rf"^{name}=(.*)$", page.description, re.MULTILINE) if page.is_imagej else None
    return found and re.sub(r"\\u([0-9A-Fa-f]{4})", lambda code: chr(int(code[1], 16)), found[1].strip())


def _microscope_resolution(tiff: "TiffFile", page: "TiffPage") -> _Found | None:
    found = _resolution(page)
    return found if found is not None and max(found.size) < _FINEST_SCANNER else None


def _resolution(page: "TiffPage", plain: bool = False) -> _Found | None:
    """Return the size of a pixel by tags 282, 283 and 296, in metres, or in the unit that another tag names."""
    across, down = page.tags.valueof(282), page.tags.valueof(283)
    if not (is_ratio(across) and is_ratio(down) and across[0] and down[0]):
        return None
    columns, rows = across[1] / across[0], down[1] / down[0]
    if plain:
        return _Found((rows, columns), "")
    metres = {2: 0.0254, 3: 0.01, 4: 1e-3, 5: 1e-6}.get(int(page.tags.valueof(296, 2)))
    return None if metres is None else _Found((rows * metres, columns * metres), "m")


def is_ratio(value: object) -> bool:
    """Return whether a tag's value is a ratio of two integers."""
    return isinstance(value, tuple) and len(value) == 2 and value[1] != 0


def _stack_axis(tiff: "TiffFile", page: "TiffPage", axis: str, is_alone: bool) -> StackAxis | None:
    """Return how frames follow each other along `axis`; DigitalMicrograph's tags tell where there is but one."""
    for source in (_ome_axis, _dm_axis if is_alone else None, _imagej_axis):
        found = source(tiff, page, axis) if source else None
        if found is not None and found.step and math.isfinite(found.step) and math.isfinite(found.origin):
            return found
    return None


def _ome_axis(tiff: "TiffFile", page: "TiffPage", axis: str) -> StackAxis | None:
    text = ome.chosen_image(ome.xml(tiff), page)
    name, usual = {"T": ("TimeIncrement", "s"), "Z": ("PhysicalSizeZ", "µm")}.get(axis, ("", ""))
    step = ome.attribute(text, "Pixels", name) if name else None
    if step is None:
        return None
    return StackAxis(_number(step), tidy_unit(ome.attribute(text, "Pixels", f"{name}Unit") or usual))


def _dm_axis(tiff: "TiffFile", page: "TiffPage", axis: str) -> StackAxis | None:
    step, unit = page.tags.valueof(DM_SCALES[2]), tidy_unit(page.tags.valueof(DM_UNITS[2]))
    origin = _number(page.tags.valueof(DM_ORIGINS[2], 0.0)) + 0.0
    if step is None or (unit is None and (_number(step), origin) == (1.0, 0.0)):
        return None
    return StackAxis(_number(step), unit, origin)


def _imagej_axis(tiff: "TiffFile", page: "TiffPage", axis: str) -> StackAxis | None:
    name, units = {"T": ("finterval", ["tunit"]), "Z": ("spacing", ["zunit", "unit"])}.get(axis, ("", []))
    step = _imagej_entry(page, name) if name else None
    if step is None:
        return None
    unit = next(filter(None, (_imagej_entry(page, each) for each in units)), "s" if axis == "T" else None)
    origin = -_number(_imagej_entry(page, "zorigin") or 0) * _number(step) if axis == "Z" else 0.0
    return StackAxis(_number(step), tidy_unit(unit), origin + 0.0)
