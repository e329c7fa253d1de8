"""Names of units, and which pixel sizes can be true."""

import math

# Length units in metres. What is not listed is kept as it stands and cannot be judged.
METRES = {"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2, "m": 1.0}
SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}

_NAMES = {
    "picometer": "pm",
    "picometre": "pm",
    "a": "Å",
    "å": "Å",
    "ang": "Å",
    "angstrom": "Å",
    "ångström": "Å",
    "nanometer": "nm",
    "nanometre": "nm",
    "um": "µm",
    "μm": "µm",
    "micron": "µm",
    "micrometer": "µm",
    "micrometre": "µm",
    "millimeter": "mm",
    "millimetre": "mm",
    "meter": "m",
    "metre": "m",
    "s": "s",
    "sec": "s",
    "second": "s",
    "us": "µs",
    "msec": "ms",
    "millisecond": "ms",
    "microsecond": "µs",
    "minute": "min",
    "hour": "h",
    "degree": "deg",
    "°": "deg",
    "radian": "rad",
    "ev": "eV",
    "kev": "keV",
}
# Images that are made in Python may give any of these names.
METRES |= {each: METRES[unit] for name, unit in _NAMES.items() if unit in METRES for each in (name, name.capitalize())}
_NO_UNIT = {"", "pixel", "px", "none", "null", "undefined", "<undefined>", "unknown", "dimensionless", "arb"}

# Nothing smaller is an electron micrograph's pixel, nothing larger either: such numbers are mistakes of the header.
_SMALLEST, _LARGEST = 1e-14, 1e-2


def tidy_unit(text: object) -> str | None:
    """Return a unit under its usual name: ``n_m`` and ``nanometer`` become ``nm``, ``nm^-1`` becomes ``1/nm``."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    name = str(text or "").strip().strip("\0[]").replace("_", "").replace(" ", "")
    if name.startswith("1/"):
        inner = tidy_unit(name[2:])
        return f"1/{inner}" if inner else None
    for power in ("^-1", "**-1", "-1", "⁻¹"):
        if len(name) > len(power) and name.endswith(power):
            inner = tidy_unit(name[: -len(power)])
            return f"1/{inner}" if inner else None
    name = name.replace("\u212b", "Å").replace("\u03bc", "µ")
    key = name.lower()
    for plain in (key, key.removesuffix("s")):
        if plain in _NO_UNIT:
            return None
        if plain in _NAMES:
            return _NAMES[plain]
    if key in METRES:
        return key
    return name if len(name) <= 32 and name.isprintable() else None


def convert(value: float, unit: str | None, other: str | None) -> float | None:
    """Return a length or a time in `other` unit; None where one of the two is neither."""
    for known in (METRES, SECONDS):
        if unit in known and other in known:
            return value * (known[unit] / known[other])
    return None


def calibrate(
    rows: float, columns: float, unit: object, warnings: list[str]
) -> tuple[tuple[float, float] | None, str | None]:
    """Return ``(pixel_size, unit)`` from a header's numbers; ``(None, None)`` and a warning where they can't be true.

    Metres become nanometres; a size of zero, or one without a unit, means that there is no calibration.
    """
    name = tidy_unit(unit)
    if name is None or (rows == 0 and columns == 0):
        return None, None
    if name == "m":
        rows, columns, name = rows * 1e9, columns * 1e9, "nm"
    elif name == "1/m":
        rows, columns, name = rows / 1e9, columns / 1e9, "1/nm"
    if not plausible(rows, name) or not plausible(columns, name):
        shown = f"{rows:.6g}" if rows == columns else f"{rows:.6g} x {columns:.6g}"
        warnings.append(f"the pixel size of {shown} {name} in the file cannot be true and was ignored")
        return None, None
    return (float(rows), float(columns)), name


def plausible(size: float, unit: str) -> bool:
    """Return whether a pixel of `size` `unit` can be an electron micrograph's."""
    if not math.isfinite(size) or size <= 0:
        return False
    if unit in METRES:
        return _SMALLEST <= size * METRES[unit] <= _LARGEST
    return 1e-15 < size < 1e15
