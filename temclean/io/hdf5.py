"""Read what lies in HDF5: Velox's and NCEM's .emd, and HyperSpy's .hspy."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError, MissingExtraError
from temclean.io.hdf5_texts import check_texts
from temclean.io.image import Array, Frames, Image, check_claim, frame_bytes, stack_axes
from temclean.io.messages import damaged, printable, reading, silence
from temclean.io.units import calibrate, tidy_unit

try:
    with silence:
        import h5py
except ImportError as error:
    raise MissingExtraError('EMD and HSPY files need h5py; run `pip install "temclean[em]"`') from error

SUFFIXES = (".emd", ".hspy")


@dataclass(frozen=True)
class Signal:
    """A data set that may be an image, with the calibration of its dimensions."""

    name: str
    dataset: "h5py.Dataset"
    frame_last: bool
    """Velox puts the frames last: (height, width, frame)."""
    describe: Callable[[], "Description"]
    """Read the calibration and the metadata."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., H, W); a single frame is none."""
        shape = tuple(int(size) for size in self.dataset.shape)
        if self.frame_last and len(shape) == 3:
            shape = (shape[2], *shape[:2]) if shape[2] != 1 else shape[:2]
        return shape

    @property
    def is_image(self) -> bool:
        return len(self.shape) >= 2 and min(self.shape) > 0 and self.dataset.dtype.kind in "iuf"

    def __str__(self) -> str:
        return f'"{printable(self.name)}" ({"x".join(map(str, self.shape))})'


@dataclass(frozen=True)
class Description:
    """What a file says of a signal."""

    rows: float
    columns: float
    unit: object
    axes: str
    metadata: dict[str, Any]


class DatasetFrames(Frames):
    """Frames of an HDF5 data set."""

    def __init__(self, path: Path, file: "h5py.File", signal: Signal) -> None:
        super().__init__(path, signal.shape, signal.dataset.dtype)
        self.file, self.dataset = file, signal.dataset
        self.frame_last = signal.frame_last and len(signal.dataset.shape) == 3
        stored = int(self.dataset.id.get_storage_size())
        if not stored:
            raise damaged(path, "no pixels are stored in it")
        check_claim(path, frame_bytes(self.shape, self.dtype), stored)
        if self.dataset.chunks:
            check_claim(path, math.prod(self.dataset.chunks) * self.dtype.itemsize, stored)

    def frame(self, index: int) -> Array:
        if self.frame_last:
            frame = self.dataset[:, :, index]
        else:
            frame = self.dataset[tuple(int(at) for at in np.unravel_index(index, self.shape[:-2]))]
        return np.asarray(frame).astype(self.dtype, copy=False)

    def close(self) -> None:
        with reading(self.path):
            self.file.close()


def read(path: Path) -> Image:
    """Open an .emd or .hspy file."""
    check_texts(path)
    file = h5py.File(path, "r", locking=False)
    try:
        return _read(path, file)
    except BaseException:
        file.close()
        raise


def _read(path: Path, file: "h5py.File") -> Image:
    signals: list[Signal] = []
    suffix = ".emd"
    if "Experiments" in file:
        signals, suffix = list(_hyperspy(file)), ".hspy"
    elif "Data/Image" in file:
        signals = list(_velox(file))
    else:
        _ncem(file, signals)
    images = [signal for signal in signals if signal.is_image]
    if not images:
        held = ", ".join(map(str, signals)) or "nothing that temclean knows"
        raise ImageError(f"{path}: holds no image but {held}; export the image itself from its own program")
    # Of several detectors the largest image is meant, then HAADF.
    signal = max(images, key=lambda one: (math.prod(one.shape[-2:]), one.name.startswith("HAADF")))
    warnings: list[str] = []
    if len(signals) > 1:
        left = ", ".join(str(other) for other in signals if other is not signal)
        warnings.append(f"took the image {signal}; left {left}")
    frames = DatasetFrames(path, file, signal)
    about = signal.describe()
    pixel_size, unit = calibrate(about.rows, about.columns, about.unit, warnings)
    return Image(frames, pixel_size, unit, about.axes, about.metadata, suffix, tuple(warnings))


def _velox(file: "h5py.File") -> Iterator[Signal]:
    for group in file["Data/Image"].values():
        dataset = group.get("Data") if isinstance(group, h5py.Group) else None
        if isinstance(dataset, h5py.Dataset):
            metadata = _velox_metadata(group)
            name = _section(metadata, "BinaryResult").get("Detector") or "image"
            yield Signal(str(name), dataset, True, partial(_describe_velox, dataset, metadata))


def _describe_velox(dataset: "h5py.Dataset", metadata: dict[str, Any]) -> Description:
    binary = _section(metadata, "BinaryResult")
    size = _section(binary, "PixelSize")
    axes = "TYX" if len(dataset.shape) == 3 and dataset.shape[2] != 1 else "YX"
    unit = binary.get("PixelUnitX", "m")
    return Description(_number(size.get("height")), _number(size.get("width")), unit, axes, metadata)


def _section(tree: dict[str, Any], name: str) -> dict[str, Any]:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}


def _velox_metadata(group: "h5py.Group") -> dict[str, Any]:
    """Return the JSON of the first frame, which is stored as a column of bytes."""
    dataset = group.get("Metadata")
    if not isinstance(dataset, h5py.Dataset) or len(dataset.shape) != 2 or dataset.dtype != np.uint8:
        return {}
    if not 0 < dataset.shape[0] <= 1 << 24:
        return {}
    try:
        text = bytes(np.asarray(dataset[:, 0], np.uint8)).split(b"\0", 1)[0].decode("utf-8", "replace")
        metadata = json.loads(text)
    except (ValueError, IndexError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _ncem(group: "h5py.Group", found: list[Signal], depth: int = 0) -> None:
    """Collect the groups marked as EMD's, wherever they are."""
    for name, child in group.items():
        if not isinstance(child, h5py.Group) or depth > 8:
            continue
        if "emd_group_type" in child.attrs:
            for dataset in child.values():
                if isinstance(dataset, h5py.Dataset) and len(dataset.shape) >= 2:
                    found.append(Signal(str(name), dataset, False, partial(_describe_ncem, child, dataset)))
                    break
        _ncem(child, found, depth + 1)


def _describe_ncem(group: "h5py.Group", dataset: "h5py.Dataset") -> Description:
    ndim = len(dataset.shape)
    first = 0 if "dim0" in group else 1
    rows, columns = (group.get(f"dim{axis + first}") for axis in (ndim - 2, ndim - 1))
    unit = _attributes(columns).get("units") if isinstance(columns, h5py.Dataset) else None
    metadata = {}
    for name in ("microscope", "sample", "stage", "comments"):
        about = group.file.get(name)
        if isinstance(about, h5py.Group):
            metadata[name] = _attributes(about)
    return Description(_step(rows), _step(columns), unit, stack_axes(ndim), metadata)


def _step(dim: object) -> float:
    """Return the step of a dimension given by its coordinates."""
    if not isinstance(dim, h5py.Dataset) or len(dim.shape) != 1 or dim.shape[0] < 2 or dim.dtype.kind not in "iuf":
        return 0.0
    ends = dim[: min(2, dim.shape[0])]
    last = float(dim[dim.shape[0] - 1]) if dim.shape[0] > 2 else float(ends[1])
    step: float = (last - float(ends[0])) / (dim.shape[0] - 1)
    return step


def _hyperspy(file: "h5py.File") -> Iterator[Signal]:
    for name, group in file["Experiments"].items():
        dataset = group.get("data") if isinstance(group, h5py.Group) else None
        if not isinstance(dataset, h5py.Dataset):
            continue
        axes = [_attributes(group[f"axis-{at}"]) for at in range(len(dataset.shape)) if f"axis-{at}" in group]
        signal_axes = [axis for axis in axes if not axis.get("navigate")]
        if len(axes) == len(dataset.shape) and len(signal_axes) != 2 and len(axes) > 2:
            # Spectra, or frames of one row: HyperSpy itself would not show an image.
            continue

        yield Signal(str(name), dataset, False, partial(_describe_hyperspy, group, dataset, axes))


def _describe_hyperspy(group: "h5py.Group", dataset: "h5py.Dataset", axes: list[dict[str, Any]]) -> Description:
    ndim = len(dataset.shape)
    rows, columns = (axes[-2], axes[-1]) if len(axes) == ndim else ({}, {})
    metadata: dict[str, Any] = {}
    for part in ("metadata", "original_metadata"):
        if isinstance(group.get(part), h5py.Group):
            metadata[part] = _tree(group[part])
    if len(axes) == 3:
        metadata["frame_step"] = _number(axes[0].get("scale"))
        metadata["frame_unit"] = tidy_unit(axes[0].get("units"))
    sizes = _number(rows.get("scale")), _number(columns.get("scale"))
    return Description(*sizes, columns.get("units"), stack_axes(ndim), metadata)


def _tree(group: "h5py.Group", depth: int = 0) -> dict[str, Any]:
    """Return the attributes of a group and of the groups in it."""
    found = _attributes(group)
    for name, child in group.items():
        if isinstance(child, h5py.Group) and depth < 16:
            found[str(name)] = _tree(child, depth + 1)
    return found


def _attributes(thing: "h5py.Group | h5py.Dataset") -> dict[str, Any]:
    """Return numbers and texts among the attributes as plain Python values.

    Other kinds tell nothing of an image, and libhdf5 crashes on a text whose type is damaged into a list's.
    """
    kinds = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM}
    found = {}
    for name in thing.attrs:
        attribute = thing.attrs.get_id(name)
        kind = attribute.get_type().get_class()
        if kind in kinds and (kind != h5py.h5t.STRING or attribute.shape == ()):
            value = thing.attrs[name]
            if isinstance(value, bytes):
                value = value.decode("utf-8", "replace")
            found[str(name)] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return found


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0
