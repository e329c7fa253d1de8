"""HyperSpy's .hspy: each signal a group in ``Experiments``, with a group for each axis."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from temclean.io.axes import no_plane
from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.signals import UNKNOWN, Description, Signal, plain_order
from temclean.io.image import StackAxis
from temclean.io.instrument import Instrument, number, tidy


def find(contents: Contents, experiments: "h5py.Group") -> Iterator[Signal]:
    """Yield the signals of ``Experiments``."""
    for name, group in contents.members(experiments):
        dataset = contents.dataset(group, "data") if isinstance(group, h5py.Group) else None
        if dataset is None:
            continue
        found = [contents.group(group, f"axis-{at}") for at in range(len(dataset.shape))]
        axes = [contents.attributes(axis) for axis in found if axis is not None]
        problem = _problem(axes) if len(axes) == len(dataset.shape) > 1 else None
        describe = partial(_describe, contents, group, axes)
        yield Signal(name, dataset, plain_order(dataset), describe, problem)


def _problem(axes: list[dict[str, Any]]) -> str | None:
    """Return why such axes are no image's."""
    rows, columns = map(_axis, axes[-2:])
    signal_axes = sum(not axis.get("navigate") for axis in axes)
    alike = len(axes) == 2 and (rows.step, rows.unit) == (columns.step, columns.unit)
    if signal_axes != 2 and not alike:
        # Frames of one row: HyperSpy itself would not show an image.
        return "spectra"
    return no_plane(rows, columns)


def _describe(contents: Contents, group: "h5py.Group", axes: list[dict[str, Any]]) -> Description:
    metadata: dict[str, Any] = {}
    for part in ("metadata", "original_metadata"):
        about = contents.group(group, part)
        if about is not None:
            metadata[part] = contents.tree(about)
    metadata["instrument"] = _instrument(metadata.get("metadata", {}))
    return Description(tuple(map(_axis, axes)), metadata)


def _axis(axis: dict[str, Any]) -> StackAxis:
    step, origin = number(axis.get("scale")), number(axis.get("offset", 0.0))
    if not math.isfinite(step) or not math.isfinite(origin):
        return UNKNOWN
    return StackAxis(step, axis.get("units"), origin)


def _instrument(metadata: dict[str, Any]) -> dict[str, Any]:
    acquisition = _section(metadata, "Acquisition_instrument")
    kind = next((kind for kind in ("TEM", "SEM") if isinstance(acquisition.get(kind), dict)), "")
    about, general = _section(acquisition, kind), _section(metadata, "General")
    stage, detector = _section(about, "Stage"), _section(about, "Detector")
    camera = _section(detector, "Camera")
    mode = str(about.get("acquisition_mode", ""))
    return tidy(
        Instrument(
            kind=mode if mode in {"TEM", "STEM", "SEM"} else kind,
            microscope=about.get("microscope", ""),
            detector=str(camera.get("name") or detector.get("detector_type") or ""),
            beam_energy_kV=number(about.get("beam_energy")),
            magnification=number(about.get("magnification")),
            camera_length_mm=number(about.get("camera_length")),
            convergence_angle_mrad=number(about.get("convergence_angle")),
            working_distance_mm=number(about.get("working_distance")),
            beam_current_nA=number(about.get("beam_current")),
            dwell_time_s=number(about.get("dwell_time")),
            exposure_s=number(camera.get("exposure")),
            tilt_alpha_deg=number(stage.get("tilt_alpha")),
            tilt_beta_deg=number(stage.get("tilt_beta")),
            stage_x_mm=number(stage.get("x")),
            stage_y_mm=number(stage.get("y")),
            stage_z_mm=number(stage.get("z")),
            acquisition_date=str(general.get("date", "")),
            acquisition_time=str(general.get("time", "")),
            time_zone=str(general.get("time_zone", "")),
            operator=str(general.get("authors", "")),
            sample=str(_section(metadata, "Sample").get("description", "")),
        )
    )


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}
