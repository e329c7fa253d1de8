"""Particles of one image as a table."""

import numpy as np

from temclean.commands.measuring.scale import Floats, Scale, Table
from temclean.metrics.particles import Particles


def table(found: Particles, scale: Scale) -> tuple[Table, dict[str, object]]:
    """Return what is known of each particle, and what of all that the border does not cut."""
    side = scale.side if scale.pixel else 1.0
    made: Table = {"particle": np.arange(1, len(found) + 1)}
    scale.places(made, found.positions)
    scale.lengths(made, "diameter", found.diameter / side, found.diameter_error / side)
    scale.lengths(made, "feret_max", found.feret_max / side)
    scale.lengths(made, "feret_min", found.feret_min / side)
    made["area_px2"] = found.area / side**2
    made["area_nm2"] = found.area if scale.pixel else np.full(len(found), np.nan)
    made["contrast"] = found.contrast
    made["on_border"] = found.on_border.astype(np.intp)
    if found.fitted is not None:
        made["fitted"] = found.fitted.astype(np.intp)
    unit = "nm" if scale.pixel else "px"
    whole = found.diameter[~found.on_border]
    known = {} if found.fitted is None else {"fitted": int(found.fitted.sum())}
    return made, {
        "particles": len(found),
        "on_border": int(found.on_border.sum()),
        "dark": found.dark,
        f"diameter_mean_{unit}": _of(whole, np.mean),
        f"diameter_std_{unit}": _of(whole, np.std),
        f"diameter_median_{unit}": _of(whole, np.median),
        **known,
    }


def _of(values: Floats, what: "np.ufunc | object") -> float | None:
    return float(what(values)) if len(values) else None  # type: ignore[operator]
