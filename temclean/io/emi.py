"""Read what FEI TIA's .emi says of the .ser files beside it: XML among binary data, an object for each series."""

import html
import mmap
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from temclean.io.instrument import Instrument, number, tidy

_MOST_EMI = 256 << 20
_LONGEST_OBJECT = 1 << 20
_MOST_OBJECTS = 1000
_BEGIN, _END = b"<ObjectInfo>", b"</ObjectInfo>"
_TAGS = ("AcquireDate", "Manufacturer", "CameraNamePath", "DwellTimePath", "FrameTime", "Binning")


def find_series(emi: Path) -> list[Path]:
    """Return the .ser files of an .emi, by number."""
    pattern = re.compile(re.escape(emi.stem) + r"_(\d+)\.ser", re.IGNORECASE)
    numbered = [(match, other) for other in emi.parent.iterdir() if (match := pattern.fullmatch(other.name))]
    return [other for _, other in sorted(numbered, key=lambda pair: int(pair[0][1]))]


def find_emi(ser: Path) -> Path | None:
    """Return the .emi beside a .ser."""
    match = re.fullmatch(r"(.+)_\d+", ser.stem)
    for suffix in (".emi", ".EMI"):
        emi = ser.with_name((match[1] if match else ser.stem) + suffix)
        if emi.is_file():
            return emi
    return None


def describe(emi: Path, ser: Path, shape: tuple[int, int]) -> tuple[dict[str, Any], bool]:
    """Return what the .emi says of the .ser, and whether its pixels lie in reciprocal space (1/m, not m).

    The objects of an .emi are not numbered as the .ser files are: survey images and spectra come between. The one is
    taken that could have made frames of `shape`, and of several the one at the number of the .ser.
    """
    number_of = re.search(r"_(\d+)$", ser.stem)
    index = int(number_of[1]) - 1 if number_of else 0
    objects = list(_objects(emi))
    if not objects:
        return {}, False
    ranked = [(_likeness(text, shape), at == index, -at) for at, text in enumerate(objects)]
    text = objects[-max(ranked)[2]]
    facts: dict[str, Any] = {}
    for label, value, unit in re.findall(r"<Label>([^<]*)</Label><Value>([^<]*)</Value><Unit>([^<]*)</Unit>", text):
        facts[html.unescape(label)] = " ".join(html.unescape(f"{value} {unit}").split())
    facts.update({tag: found for tag in _TAGS if (found := _value(text, tag))})
    mode = facts.get("Mode", "")
    # In STEM the image is the scan's, "Diffraction" names the projector; a camera there sees the diffraction pattern.
    reciprocal = "CameraNamePath" in facts if "STEM" in mode else "Diffraction" in mode
    return {"emi": facts, "instrument": _instrument(facts)}, reciprocal


def _objects(emi: Path) -> Iterator[str]:
    """Yield the texts of the objects."""
    if not 0 < emi.stat().st_size <= _MOST_EMI:
        return
    with emi.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        end = 0
        for _ in range(_MOST_OBJECTS):
            start = data.find(_BEGIN, end)
            end = data.find(_END, start + len(_BEGIN)) if start >= 0 else -1
            if end < 0:
                return
            if end - start <= _LONGEST_OBJECT:
                yield data[start:end].decode("utf-8", "replace")


def _value(text: str, tag: str) -> str:
    found = re.search(f"<{tag}>([^<]*)</{tag}>", text)
    return html.unescape(found[1]) if found else ""


def _likeness(text: str, shape: tuple[int, int]) -> int:
    """Return whether an object made images of `shape` (H, W): 3 it did, 2 it may have, 1 hardly, 0 it has none."""
    if "<EnergyResolution>" in text or "<NumberSpectra>" in text:
        return 0
    if "<AcquireInfo" not in text:
        return 1
    if "<CameraNamePath>" in text:
        binning = number(_value(text, "Binning"))
        sides = [number(_value(text, f"End{axis}")) - number(_value(text, f"Start{axis}")) for axis in "YX"]
        known = binning > 0 and all(side > 0 for side in sides)
        fits = all(abs(side / binning - size) < 1 for side, size in zip(sides, shape, strict=True)) if known else False
    else:
        pixels = number(_value(text, "FrameTime")) / (number(_value(text, "DwellTimePath")) or float("nan"))
        known = pixels > 0
        # The beam flies back after each line, which takes its time.
        fits = 0.9 < pixels / (shape[0] * shape[1]) < 2.5
    return 3 if known and fits else 1 if known else 2


def _instrument(facts: dict[str, Any]) -> dict[str, Any]:
    camera = str(facts.get("CameraNamePath", ""))
    mode = str(facts.get("Mode", ""))
    time = number(facts.get("DwellTimePath"))
    said = Instrument(
        kind=next((kind for kind in ("STEM", "TEM") if kind in mode), ""),
        microscope=str(facts.get("Microscope", "")).removeprefix("Microscope "),
        detector=camera,
        beam_energy_kV=_in(facts.get("High tension"), "kV", {"kV": 1.0, "V": 1e-3}),
        magnification=number(facts.get("Magnification")),
        camera_length_mm=_in(facts.get("Camera length"), "m", {"m": 1e3, "mm": 1.0}),
        defocus_nm=_in(facts.get("Defocus"), "", {"um": 1e3, "nm": 1.0}),
        exposure_s=time if camera else number(None),
        dwell_time_s=number(None) if camera else time,
        frame_time_s=number(facts.get("FrameTime")),
        tilt_alpha_deg=_in(facts.get("Stage A"), "deg", {"deg": 1.0}),
        tilt_beta_deg=_in(facts.get("Stage B"), "deg", {"deg": 1.0}),
        stage_x_mm=_in(facts.get("Stage X"), "um", {"um": 1e-3}),
        stage_y_mm=_in(facts.get("Stage Y"), "um", {"um": 1e-3}),
        stage_z_mm=_in(facts.get("Stage Z"), "um", {"um": 1e-3}),
        operator=str(facts.get("User", "")),
    )
    try:
        when = datetime.strptime(str(facts.get("AcquireDate")), "%a %b %d %H:%M:%S %Y")
    except ValueError:
        return tidy(said)
    said["acquisition_date"], said["acquisition_time"] = when.date().isoformat(), when.time().isoformat("seconds")
    return tidy(said)


def _in(fact: object, default: str, factors: dict[str, float]) -> float:
    """Return a number with its unit as ours, by the factor of the unit; of an unknown unit none."""
    words = str(fact or "").split()
    unit = words[1] if len(words) > 1 else default
    return number(fact, factors[unit]) if unit in factors else number(None)
