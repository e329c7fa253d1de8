"""The EMD files of NCEM, openNCEM, HyperSpy, Prismatic and py4DSTEM: groups marked as EMD's, wherever they are.

Each holds one data set and, for each of its dimensions in their order, a vector of coordinates with a name and a unit.
The programs differ in that order: openNCEM writes (frame, y, x), HyperSpy (x, y, frame).
"""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from temclean.io.axes import no_plane
from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.signals import UNKNOWN, Description, Signal, plain_order
from temclean.io.image import StackAxis
from temclean.io.instrument import Instrument, number, tidy

# Pairs of names for (rows, columns): of diffraction patterns, of which a scan has many, before those of the scan.
_PAIRS = (
    ("q_y", "q_x"), ("qy", "qx"), ("k_y", "k_x"), ("ky", "kx"), ("y", "x"), ("r_y", "r_x"), ("ry", "rx"),
    ("height", "width"), ("row", "column"), ("rows", "columns"),
)  # fmt: skip


def find(contents: Contents) -> Iterator[Signal]:
    """Yield the data sets of the groups marked as EMD's."""
    for name, group in contents.walk(contents.file, 8):
        if "emd_group_type" not in group.attrs:
            continue
        for _, dataset in contents.members(group):
            if isinstance(dataset, h5py.Dataset) and len(dataset.shape) >= 2:
                dims = _dims(contents, group, len(dataset.shape))
                order = _order(
                    [str(contents.attributes(dim).get("name", "")) if dim else "" for dim in dims], group, dataset
                )
                dims = [dims[at] for at in order]
                problem = no_plane(*(_axis(contents, dim) for dim in dims[-2:]))
                yield Signal(name, dataset, order, partial(_describe, contents, group, dims), problem)
                break


def _dims(contents: Contents, group: "h5py.Group", count: int) -> list["h5py.Dataset | None"]:
    """Return the vectors of coordinates; a few files count them from 0."""
    first = 0 if "dim0" in group else 1
    return [contents.table(group, f"dim{at + first}") for at in range(count)]


def _order(names: list[str], group: "h5py.Group", dataset: "h5py.Dataset") -> tuple[int, ...]:
    """Return the dimensions in the order frames, rows, columns: by their names, not by their places."""
    low = [name.strip().lower() for name in names]
    for rows, columns in _PAIRS:
        if low.count(rows) == low.count(columns) == 1:
            plane = low.index(rows), low.index(columns)
            rest = [at for at in plain_order(dataset) if at not in plane]
            # Whoever writes columns first counts the frames from the fastest on, too.
            return (*(reversed(rest) if plane[0] > plane[1] else rest), *plane)
    # HyperSpy marks its groups so; it writes all dimensions in reverse, and axes may have no names.
    return plain_order(dataset)[::-1] if "signal_type" in group.attrs else plain_order(dataset)


def _describe(contents: Contents, group: "h5py.Group", dims: list["h5py.Dataset | None"]) -> Description:
    axes = tuple(_axis(contents, dim) for dim in dims)
    metadata: dict[str, Any] = {}
    for name in ("microscope", "sample", "stage", "user", "comments"):
        about = contents.group(contents.file, name)
        if about is not None:
            metadata[name] = contents.attributes(about)
    simulation = _simulation(contents)
    if simulation:
        metadata["simulation"] = simulation
    metadata["instrument"] = _instrument(metadata)
    return Description(axes, metadata)


def _axis(contents: Contents, dim: "h5py.Dataset | None") -> StackAxis:
    """Return the step and the beginning of a dimension given by its coordinates, all of them or the first two."""
    if dim is None or len(dim.shape) != 1 or dim.shape[0] < 2 or dim.dtype.kind not in "iuf":
        return UNKNOWN
    first, last = float(dim[0]), float(dim[dim.shape[0] - 1])
    step = (last - first) / (dim.shape[0] - 1)
    if not math.isfinite(step) or not math.isfinite(first):
        return UNKNOWN
    return StackAxis(step, contents.attributes(dim).get("units"), first)


def _simulation(contents: Contents) -> dict[str, Any]:
    """Return the parameters of Prismatic, whose beam energy is in keV."""
    for _, group in contents.members(contents.file):
        about = contents.group(group, "metadata", "metadata_0", "original") if isinstance(group, h5py.Group) else None
        if about is not None:
            found: dict[str, Any] = contents.tree(about)
            return found
    return {}


def _instrument(metadata: dict[str, Any]) -> dict[str, Any]:
    """Map the names of NCEM's microscopes, in SI units, and of Prismatic."""
    about = {str(key).lower().replace("_", " "): value for key, value in metadata.get("microscope", {}).items()}
    said = Instrument(
        microscope=str(about.get("name", "")),
        beam_energy_kV=number(about.get("high tension", about.get("accelerating voltage")), 1e-3),
        magnification=number(about.get("magnification")),
        camera_length_mm=number(about.get("camera length"), 1e3),
        convergence_angle_mrad=number(about.get("convergence angle"), 1e3),
        defocus_nm=number(about.get("defocus"), 1e9),
        dwell_time_s=number(about.get("dwell time")),
        operator=str(metadata.get("user", {}).get("User name", "")),
        sample=str(metadata.get("sample", {}).get("sample name", "")),
    )
    simulated = metadata.get("simulation", {}).get("simulation_parameters", {})
    if isinstance(simulated, dict) and "E" in simulated:
        said["beam_energy_kV"] = number(simulated["E"])
    return tidy(said)
