"""Read what lies in HDF5: Velox's and NCEM's .emd, and HyperSpy's .hspy."""

import math
from pathlib import Path

from temclean.errors import ImageError
from temclean.io.axes import calibrate_plane, stack_axis, stack_letters
from temclean.io.hdf5 import hyperspy, ncem, velox
from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.signals import UNKNOWN, DatasetFrames, Signal
from temclean.io.hdf5.texts import check_texts
from temclean.io.image import Image

SUFFIXES = (".emd", ".hspy")


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
    contents = Contents(path, file)
    signals, suffix = _signals(contents)
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
    axes = about.axes if len(about.axes) == len(frames.shape) else (UNKNOWN,) * len(frames.shape)
    plane = calibrate_plane(axes[-2], axes[-1], warnings)
    stack = tuple(stack_axis(axis.step, axis.unit, axis.origin) for axis in axes[:-2])
    letters = stack_letters(stack, plane.unit)
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        letters,
        about.metadata,
        suffix,
        tuple(warnings),
        origin=plane.origin,
        stack=stack,
    )


def _signals(contents: Contents) -> tuple[list[Signal], str]:
    """Return what the file holds, and the suffix of its kind."""
    experiments = contents.group(contents.file, "Experiments")
    if experiments is not None:
        return list(hyperspy.find(contents, experiments)), ".hspy"
    images = contents.group(contents.file, "Data", "Image")
    return list(ncem.find(contents) if images is None else velox.find(contents, images)), ".emd"
