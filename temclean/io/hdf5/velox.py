"""Velox's .emd: each image a group, its metadata JSON in a column of bytes for each frame."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np

from temclean.io.hdf5 import velox_names
from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.signals import Description, Signal
from temclean.io.image import StackAxis
from temclean.io.instrument import Instrument, finite, number, tidy

_KINDS = {"1": "TEM", "2": "STEM"}


def find(contents: Contents, images: "h5py.Group") -> Iterator[Signal]:
    """Yield the images of ``Data/Image``."""
    names = velox_names.names(contents)
    for key, group in contents.members(images):
        dataset = contents.dataset(group, "Data") if isinstance(group, h5py.Group) else None
        if dataset is not None:
            metadata = _metadata(contents.table(group, "Metadata"))
            name = names.get(key) or _section(metadata, "BinaryResult").get("Detector") or "image"
            # The frames are last: (height, width, frame), and a single one is none.
            order = {2: (0, 1), 3: (2, 0, 1)}.get(len(dataset.shape), ())
            if len(order) == 3 and dataset.shape[2] == 1:
                order = (0, 1)
            yield Signal(str(name), dataset, order, partial(_describe, metadata, len(order) - 2))


def _metadata(dataset: "h5py.Dataset | None") -> dict[str, Any]:
    """Return the JSON of the first frame, which is stored as a column of bytes."""
    if dataset is None or len(dataset.shape) != 2 or dataset.dtype != np.uint8:
        return {}
    if not 0 < dataset.shape[0] <= 1 << 24:
        return {}
    try:
        text = bytes(np.asarray(dataset[:, 0], np.uint8)).split(b"\0", 1)[0].decode("utf-8", "replace")
        metadata = json.loads(text)
    except (ValueError, IndexError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _describe(metadata: dict[str, Any], leading: int) -> Description:
    binary = _section(metadata, "BinaryResult")
    size, offset = _section(binary, "PixelSize"), _section(binary, "Offset")
    plane = tuple(
        StackAxis(number(size.get(side)), binary.get(f"PixelUnit{axis}", "m"), finite(number(offset.get(axis.lower()))))
        for side, axis in (("height", "Y"), ("width", "X"))
    )
    said = _instrument(metadata)
    step = said.get("exposure_s") or said.get("frame_time_s") or math.nan
    return Description((*[StackAxis(step, "s")] * leading, *plane), {**metadata, "instrument": said})


def _instrument(metadata: dict[str, Any]) -> dict[str, Any]:
    optics, stage = _section(metadata, "Optics"), _section(metadata, "Stage")
    scan, place = _section(metadata, "Scan"), _section(stage, "Position")
    maker, name = _section(metadata, "Instrument"), str(_section(metadata, "BinaryResult").get("Detector") or "")
    detector: dict[str, Any] = next(
        (one for one in _section(metadata, "Detectors").values() if _is_called(one, name)), {}
    )
    scanned = _section(_section(metadata, "CustomProperties"), "StemMagnification")
    kind = _KINDS.get(str(optics.get("OperatingMode")), "")
    said = Instrument(
        kind=kind,
        microscope=str(maker.get("InstrumentClass") or maker.get("InstrumentModel") or ""),
        detector=name,
        beam_energy_kV=number(optics.get("AccelerationVoltage"), 1e-3),
        magnification=number(optics.get("NominalMagnification", scanned.get("value"))),
        camera_length_mm=number(optics.get("CameraLength"), 1e3),
        convergence_angle_mrad=number(optics.get("BeamConvergence"), 1e3),
        defocus_nm=number(optics.get("Defocus"), 1e9),
        dwell_time_s=number(scan.get("DwellTime")),
        frame_time_s=number(scan.get("FrameTime") if kind == "STEM" else None),
        exposure_s=number(detector.get("ExposureTime")),
        tilt_alpha_deg=number(stage.get("AlphaTilt"), 180 / math.pi),
        tilt_beta_deg=number(stage.get("BetaTilt"), 180 / math.pi),
        stage_x_mm=number(place.get("x"), 1e3),
        stage_y_mm=number(place.get("y"), 1e3),
        stage_z_mm=number(place.get("z"), 1e3),
    )
    seconds = number(_section(_section(metadata, "Acquisition"), "AcquisitionStartDatetime").get("DateTime"))
    if 0 < seconds < 1 << 33:
        began = datetime.fromtimestamp(seconds, UTC)
        said["acquisition_date"], said["acquisition_time"] = began.date().isoformat(), began.time().isoformat("seconds")
        said["time_zone"] = "UTC"
    return tidy(said)


def _is_called(detector: object, name: str) -> bool:
    return isinstance(detector, dict) and detector.get("DetectorName") == name


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}
