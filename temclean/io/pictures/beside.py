"""The text file that a scanning electron microscope writes beside a picture of the same name.

JEOL writes a line an entry: ``$CM_MAG 430``, ``$CM_FULL_SIZE 2560 1920``, ``$$SM_MICRON_BAR 91`` and
``$$SM_MICRON_MARKER 10um``. The scale bar is so many pixels long of the full size, and stands for such a length; the
magnification agrees, by which an image is 120 mm wide on paper: 120 mm / 430 / 2560 = 10 um / 91.7. Newer programs
write ``$CM_PIXEL_SIZE 4.96nm`` too. Hitachi writes ``PixelSize=9.92`` in nanometres and ``DataSize=1280x960`` under
``[SemImageFile]``.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from temclean.io.messages import printable
from temclean.io.units import calibrate

_MOST_BYTES = 1 << 20
_JEOL = re.compile(r"^\$\$?([A-Z][A-Z0-9_%]*)[ \t]+(\S[^\r\n]*)", re.MULTILINE)
_HITACHI = re.compile(r"^([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*(\S[^\r\n]*)", re.MULTILINE)
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?)\s*(nm|um|µm|μm|mm)")


@dataclass(frozen=True)
class Note:
    """What such a file says."""

    pixel_size: tuple[float, float] | None
    unit: str | None
    program: str
    """``"JEOL"`` or ``"Hitachi"``."""
    entries: dict[str, str]


def read(path: Path, shape: tuple[int, ...], warnings: list[str]) -> Note | None:
    """Return what the text beside an image of `shape` says; None where there is none that a microscope wrote.

    A scale that belongs to an image of another width is not taken; it and one of few digits are told in a warning.
    """
    file = next((one for one in (path.with_suffix(".txt"), path.with_suffix(".TXT")) if one.is_file()), None)
    if file is None or file == path:
        return None
    with file.open("rb") as opened:
        text = _decoded(opened.read(_MOST_BYTES))
    if "$SM_MICRON_MARKER" in text or "$CM_FORMAT" in text:
        program, entries = "JEOL", dict(_JEOL.findall(text))
        found, digits = _jeol(entries)
        width = entries.get("CM_FULL_SIZE") or entries.get("CM_IMAGE_SIZE")
    elif "[SemImageFile]" in text:
        program, entries = "Hitachi", dict(_HITACHI.findall(text))
        found, digits = _number(entries.get("PixelSize")), None
        width = entries.get("DataSize")
    else:
        return None
    across = re.match(r"[0-9]+", width or "")
    if found and across and int(across[0][:9]) != shape[-1]:
        warnings.append(
            f"the scale in {printable(file.name)} is that of an image {across[0][:9]} pixels wide, not {shape[-1]}; "
            "it was not taken"
        )
        found = 0.0
    size, unit = calibrate(found, found, "nm", warnings) if found else (None, None)
    if size and digits:
        warnings.append(
            f"the pixel size is that of the scale bar in {printable(file.name)}, which is known to {digits:.1g}%"
        )
    return Note(size, unit, program, entries)


def _jeol(entries: dict[str, str]) -> tuple[float, float | None]:
    """Return the size of a pixel in nm, and how well a bar of whole pixels tells it, in percent."""
    size = _nanometres(entries.get("CM_PIXEL_SIZE"))
    if size:
        return size, None
    bar, length = _number(entries.get("SM_MICRON_BAR")), _nanometres(entries.get("SM_MICRON_MARKER"))
    return (length / bar, 50 / bar) if bar >= 1 else (0.0, None)


def _nanometres(text: str | None) -> float:
    found = _LENGTH.match((text or "").strip())
    return float(found[1]) * {"nm": 1.0, "mm": 1e6}.get(found[2], 1e3) if found else 0.0


def _number(text: str | None) -> float:
    found = re.match(r"[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?", text or "")
    return float(found[0]) if found else 0.0


def _decoded(data: bytes) -> str:
    """Return a text in whichever of the encodings that these programs use."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return data.decode("utf-16", "replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")
