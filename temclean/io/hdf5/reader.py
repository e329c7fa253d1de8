"""Read what lies in HDF5: Velox's and NCEM's .emd, and HyperSpy's .hspy."""

import math
from dataclasses import replace
from pathlib import Path

from temclean.errors import ImageError
from temclean.io.axes import calibrate_plane, stack_axis, stack_letters
from temclean.io.hdf5 import hyperspy, ncem, velox
from temclean.io.hdf5.contents import Contents, h5py
from temclean.io.hdf5.signals import UNKNOWN, DatasetFrames, Signal
from temclean.io.hdf5.texts import check_texts
from temclean.io.image import Image
from temclean.io.selection import left_out, listed, select, unique

SUFFIXES = (".emd", ".hspy")


def read(path: Path, image: str | int | None = None) -> Image:
    """Open an .emd or .hspy file; `image` is a name of :func:`list_images` or a number counted from 1."""
    check_texts(path)
    file = h5py.File(path, "r", locking=False)
    try:
        return _read(Contents(path, file), image)
    except BaseException:
        file.close()
        raise


def list_images(path: Path) -> list[str]:
    """Return the names of the images, the one that is read where none is named first."""
    check_texts(path)
    with h5py.File(path, "r", locking=False) as file:
        return [one.name for one in _images(Contents(path, file))[0]]


def _images(contents: Contents) -> tuple[list[Signal], list[Signal], str]:
    """Return the images in their order, what else the file holds, and the suffix of its kind."""
    signals, suffix = _signals(contents)
    images = [signal for signal in signals if signal.is_image]
    others = [signal for signal in signals if not signal.is_image]
    if not images:
        held = listed([*others, *(f"{name} in another file" for name in contents.outside)])
        remedy = "copy it into this file" if contents.outside else "export the image itself from its own program"
        raise ImageError(f"{contents.path}: holds no image but {held or 'nothing that temclean knows'}; {remedy}")
    # Of several detectors the largest image is meant, then HAADF.
    images.sort(key=lambda one: (-math.prod(one.shape[-2:]), not one.name.startswith("HAADF")))
    names = unique(one.name for one in images)
    return [replace(one, name=name) for one, name in zip(images, names, strict=True)], others, suffix


def _read(contents: Contents, image: str | int | None) -> Image:
    images, others, suffix = _images(contents)
    signal = images[select(contents.path, [one.name for one in images], image)]
    warnings = [] if image is not None else left_out(signal, images, others)
    frames = DatasetFrames(contents.path, contents.file, signal)
    about = signal.describe()
    if contents.outside:
        warnings.append(f"{listed(contents.outside)} in another file was left out")
    if contents.left_out:
        warnings.append(f"of its metadata, what goes beyond {contents.left_out} was left out")
    axes = about.axes if len(about.axes) == len(frames.shape) else (UNKNOWN,) * len(frames.shape)
    plane = calibrate_plane(axes[-2], axes[-1], warnings)
    stack = tuple(stack_axis(axis.step, axis.unit, axis.origin) for axis in axes[:-2])
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        stack_letters(stack, plane.unit),
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
