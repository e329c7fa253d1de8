"""What a file says of the instrument, under the same names whatever its format: ``Image.metadata["instrument"]``."""

import math
from typing import Any, TypedDict


class Instrument(TypedDict, total=False):
    """Only what the file says is there; numbers are finite, and those that a microscope cannot have are left out."""

    kind: str
    """``"TEM"``, ``"STEM"`` or ``"SEM"``."""
    microscope: str
    detector: str
    """Of this image: the name of a camera or of a scanning detector."""
    beam_energy_kV: float
    magnification: float
    camera_length_mm: float
    convergence_angle_mrad: float
    working_distance_mm: float
    beam_current_nA: float
    defocus_nm: float
    dwell_time_s: float
    """At each pixel of a scan."""
    exposure_s: float
    """Of a frame of a camera."""
    frame_time_s: float
    """From the beginning of a scanned frame to that of the next."""
    tilt_alpha_deg: float
    tilt_beta_deg: float
    stage_x_mm: float
    stage_y_mm: float
    stage_z_mm: float
    acquisition_date: str
    """``"2019-12-10"``."""
    acquisition_time: str
    """``"15:32:41"``, by the instrument's clock unless there is a `time_zone`."""
    time_zone: str
    operator: str
    sample: str


# What programs write where they do not know.
_ABOVE_ZERO = {
    "beam_energy_kV", "magnification", "camera_length_mm", "convergence_angle_mrad", "working_distance_mm",
    "beam_current_nA", "dwell_time_s", "exposure_s", "frame_time_s",
}  # fmt: skip


def tidy(said: Instrument) -> dict[str, Any]:
    """Return what is known of `said`, in the order of the class's names: no empty texts, no zeros that mean "unknown".

    Examples
    --------
    >>> tidy({"magnification": 0.0, "beam_energy_kV": 200.0, "kind": "STEM", "detector": " "})
    {'kind': 'STEM', 'beam_energy_kV': 200.0}
    """
    known: dict[str, Any] = {}
    for name, kind in Instrument.__annotations__.items():
        value: object = said.get(name)
        if kind is str:
            text = " ".join(str(value or "").split())
            if text and text.isprintable():
                known[name] = text[:256]
        elif isinstance(value, int | float) and math.isfinite(value) and (value > 0 or name not in _ABOVE_ZERO):
            known[name] = float(value) + 0.0  # no -0.0
    return known


def number(value: object, factor: float = 1.0) -> float:
    """Return the number that a text begins with, times `factor`; NaN, which :func:`tidy` drops, where there is none.

    Examples
    --------
    >>> number("0.135 m", 1e3)
    135.0
    """
    words = str(value).split(maxsplit=1)
    try:
        return float(words[0]) * factor
    except (ValueError, IndexError):
        return math.nan


def finite(value: float) -> float:
    """Return `value`, or 0 where it is no number."""
    return value if math.isfinite(value) else 0.0
