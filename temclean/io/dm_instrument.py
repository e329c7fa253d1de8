"""What DigitalMicrograph's tags say of the instrument."""

from datetime import datetime, timedelta
from typing import Any

from temclean.io.dm_tags import Tree
from temclean.io.instrument import Instrument, number, tidy

_LONG_AGO = datetime(1601, 1, 1)
_A_DAY = timedelta(days=1)


def instrument(tags: Tree) -> dict[str, Any]:
    """Return the instrument of an image with such ``ImageTags``."""
    about, session, bar = (_section(tags, name) for name in ("Microscope Info", "Session Info", "DataBar"))
    stage = _section(about, "Stage Position")
    camera = _section(tags, "Acquisition", "Parameters", "High Level")
    said = Instrument(
        kind=_kind(about),
        microscope=str(session.get("Microscope") or about.get("Name") or ""),
        detector=str(_section(tags, "Acquisition", "Device").get("Name") or bar.get("Device Name") or ""),
        beam_energy_kV=number(about.get("Voltage"), 1e-3),
        magnification=number(about.get("Indicated Magnification")),
        camera_length_mm=number(about.get("STEM Camera Length")),
        beam_current_nA=number(about.get("Probe Current (nA)")),
        dwell_time_s=number(_section(tags, "DigiScan").get("Sample Time"), 1e-6),
        exposure_s=number(camera.get("Exposure (s)", bar.get("Exposure Time (s)"))),
        tilt_alpha_deg=number(stage.get("Stage Alpha")),
        tilt_beta_deg=number(stage.get("Stage Beta")),
        stage_x_mm=number(stage.get("Stage X"), 1e-3),
        stage_y_mm=number(stage.get("Stage Y"), 1e-3),
        stage_z_mm=number(stage.get("Stage Z"), 1e-3),
        operator=str(session.get("Operator", "")),
        sample=str(session.get("Specimen", "")),
    )
    when = _when(bar)
    if when is not None:
        said["acquisition_date"], said["acquisition_time"] = when.date().isoformat(), when.time().isoformat("seconds")
    return tidy(said)


def _kind(about: Tree) -> str:
    mode = str(about.get("Illumination Mode", "")).upper()
    return next((kind for kind in ("STEM", "TEM", "SEM") if mode.startswith(kind)), "")


def _when(bar: Tree) -> datetime | None:
    """Return the local time of the acquisition.

    The date stands there in the order of the computer's country; Windows' own clock, in UTC, tells the day from the
    month, and where it is missing only a date that can be read in one way is taken.
    """
    words = f"{bar.get('Acquisition Date')} {bar.get('Acquisition Time')}".split()
    text = " ".join(words)
    found = []
    for form in ("%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y", "%Y-%m-%d"):
        for clock in ("%I:%M:%S %p", "%H:%M:%S"):
            try:
                found.append(datetime.strptime(text, f"{form} {clock}"))
            except ValueError:
                continue
    ticks = bar.get("Acquisition Time (OS)")
    if isinstance(ticks, int | float) and 0 < ticks < 1e18:
        utc = _LONG_AGO + timedelta(microseconds=ticks / 10)
        found = [when for when in found if abs(when - utc) <= _A_DAY]
    return found[0] if found and len(set(found)) == 1 else None


def _section(tree: Tree, *names: str) -> Tree:
    for name in names:
        below = tree.get(name)
        tree = below if isinstance(below, dict) else {}
    return tree
