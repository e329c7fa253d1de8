"""Calibrations of axes: rows and columns in one unit, with their origin, and the steps of a stack."""

import math
from dataclasses import dataclass

from temclean.io.image import StackAxis, stack_axes
from temclean.io.units import METRES, SECONDS, calibrate, tidy_unit


@dataclass(frozen=True)
class Calibration:
    """Of rows and columns, as :class:`~temclean.io.image.Image` has them."""

    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    origin: tuple[float, float] | None = None


def calibrate_plane(rows: StackAxis, columns: StackAxis, warnings: list[str]) -> Calibration:
    """Return the calibration of a frame in one unit, that of its columns; none, and a warning, where there can be none.

    Parameters
    ----------
    rows, columns
        As the file has them, the unit under any of its names.
    """
    units = tidy_unit(rows.unit), tidy_unit(columns.unit)
    factor = conversion(*units)
    if factor is None:
        known = rows.step and columns.step
        if known and any(units):
            names = [unit or "no unit" for unit in units]
            warnings.append(f"the pixel size was ignored: its rows are in {names[0]}, its columns in {names[1]}")
        return Calibration()
    size, unit = calibrate(rows.step * factor, columns.step, units[1], warnings)
    if size is None:
        return Calibration()
    # Metres have become nanometres.
    factors = size[0] / rows.step, size[1] / columns.step
    origin = rows.origin * factors[0] + 0.0, columns.origin * factors[1] + 0.0  # no -0.0
    return Calibration(size, unit, origin if all(map(math.isfinite, origin)) else None)


def stack_axis(step: float, unit: object = None, origin: float = 0.0) -> StackAxis | None:
    """Return the calibration of an axis of frames, metres as nanometres; None if it says no more than a count does."""
    name = tidy_unit(unit)
    if not math.isfinite(step) or not math.isfinite(origin) or step == 0 or (name is None and (step, origin) == (1, 0)):
        return None
    if name in {"m", "1/m"}:
        factor = 1e9 if name == "m" else 1e-9
        return StackAxis(step * factor, "nm" if name == "m" else "1/nm", origin * factor)
    return StackAxis(float(step), name, float(origin) + 0.0)


def stack_letters(stack: tuple[StackAxis | None, ...], unit: str | None) -> str:
    """Return the axes of a stack whose frames are in `unit`: ``"ZYX"`` where frames follow each other in space too."""
    if len(stack) == 1:
        in_space = stack[0] is not None and kind(stack[0].unit) == kind(unit) == "length"
        return "ZYX" if in_space else "TYX"
    return stack_axes(len(stack) + 2)


def conversion(unit: str | None, other: str | None) -> float | None:
    """Return what a number in `unit` is multiplied by to be one in `other`, or None if there is no such factor."""
    if unit == other:
        return 1.0
    if unit is None or other is None or kind(unit) != kind(other):
        return None
    if unit.startswith("1/") and other.startswith("1/"):
        return conversion(other[2:], unit[2:])
    for scale in (METRES, SECONDS, _ELECTRONVOLTS, _RADIANS):
        if unit in scale and other in scale:
            # Ratios of powers of ten, or nearly so: 0.1 is meant where the division gives 0.09999999999999999.
            return float(f"{scale[unit] / scale[other]:.14g}")
    return None


_ELECTRONVOLTS = {"eV": 1.0, "keV": 1e3, "MeV": 1e6, "meV": 1e-3}
_RADIANS = {"rad": 1.0, "mrad": 1e-3, "µrad": 1e-6, "deg": math.pi / 180}


def kind(unit: str | None) -> str | None:
    """Return what a tidy unit measures: ``"length"``, ``"1/length"``, ``"time"``, ``"energy"``, ``"angle"``, or None.

    Examples
    --------
    >>> kind("1/nm"), kind("eV"), kind("furlong")
    ('1/length', 'energy', None)
    """
    if unit is None:
        return None
    if unit.startswith("1/"):
        inner = kind(unit[2:])
        return inner and f"1/{inner}"
    scales = {"length": METRES, "time": SECONDS, "energy": _ELECTRONVOLTS, "angle": _RADIANS}
    return next((name for name, scale in scales.items() if unit in scale), None)


def no_plane(rows: StackAxis, columns: StackAxis) -> str | None:
    """Return why two axes are no image's, in a few words: one is over energy, or they measure different things."""
    units = tidy_unit(rows.unit), tidy_unit(columns.unit)
    kinds = kind(units[0]), kind(units[1])
    if "energy" in kinds:
        return "spectra"
    if None not in kinds and kinds[0] != kinds[1]:
        return f"rows in {units[0]}, columns in {units[1]}"
    return None
