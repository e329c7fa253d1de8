"""Read Gatan DigitalMicrograph's .dm3 and .dm4: a tree of tags, the pixels of each image in one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError
from temclean.io.axes import calibrate_plane, kind, no_plane, stack_axis, stack_letters
from temclean.io.dm_instrument import instrument
from temclean.io.dm_tags import Block, TagReader, Tree
from temclean.io.image import Image, RawFrames, StackAxis
from temclean.io.instrument import finite, number
from temclean.io.messages import damaged, printable
from temclean.io.selection import left_out, listed, select, unique
from temclean.io.units import tidy_unit

SUFFIXES = (".dm3", ".dm4")

# DataType of an image that is one: no complex numbers, no colours, no masks.
_PIXELS = {1: "i2", 2: "f4", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8"}


@dataclass(frozen=True)
class Signal:
    """One entry of the file's list of images."""

    name: str
    shape: tuple[int, ...]
    kind: int
    block: Block | None
    axes: tuple[StackAxis, ...]
    """Of each dimension, in the order of `shape`."""
    tags: Tree

    @property
    def problem(self) -> str | None:
        """Why it is no image, in a few words, as far as its axes tell."""
        if any(kind(tidy_unit(axis.unit)) == "energy" for axis in self.axes) or self._is_over_wavelength:
            return "spectra"
        return no_plane(*self.axes[-2:]) if len(self.shape) >= 2 else None

    @property
    def _is_over_wavelength(self) -> bool:
        """Spectra of light are over nm, as places are: only their format tells them from images."""
        about = self.tags.get("Meta Data")
        form = str(about.get("Format", "")) if isinstance(about, dict) else ""
        alike = len({(axis.unit, axis.step) for axis in self.axes}) == 1 and len(self.axes) == 2
        return form.startswith("Spectrum") and not alike

    @property
    def is_image(self) -> bool:
        """Two dimensions of real numbers in space, more than a row."""
        return (
            self.kind in _PIXELS
            and self.block is not None
            and len(self.shape) in (2, 3, 4)
            and min(self.shape[-2:]) > 0
            and self.problem is None
        )

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape))
        problem = self.problem or ("" if self.kind in _PIXELS else "no real numbers")
        return f'"{printable(self.name)}" ({size}{problem and f", {problem}"})'


def read(path: Path, image: str | int | None = None) -> Image:
    """Open a .dm3 or .dm4 file; `image` is a name of :func:`list_images` or a number counted from 1."""
    images, others = _images(path)
    signal = images[select(path, [one.name for one in images], image)]
    warnings = [] if image is not None else left_out(signal, images, others)
    assert signal.block is not None
    dtype = np.dtype(signal.block.dtype[:1] + _PIXELS[signal.kind])
    frames = RawFrames(path, signal.shape, dtype, signal.block.offset)
    if signal.block.count * np.dtype(signal.block.dtype or "u1").itemsize < len(frames) * frames.frame_bytes:
        raise damaged(path, "it announces more pixels than it holds")
    plane = calibrate_plane(signal.axes[-2], signal.axes[-1], warnings)
    stack = tuple(stack_axis(axis.step, axis.unit, axis.origin) for axis in signal.axes[:-2])
    metadata: Tree = {"Name": signal.name}
    if signal.tags:
        metadata["ImageTags"] = _plain(signal.tags)
    metadata["instrument"] = instrument(signal.tags)
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else ".dm3"
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        stack_letters(stack, plane.unit),
        metadata,
        suffix,
        tuple(warnings),
        origin=plane.origin,
        stack=stack,
    )


def list_images(path: Path) -> list[str]:
    """Return the names of the images, the one that is read where none is named first."""
    return [one.name for one in _images(path)[0]]


def _images(path: Path) -> tuple[list[Signal], list[Signal]]:
    """Return the images, in the order of the file, and what else it holds."""
    with path.open("rb") as file:
        signals = list(_signals(TagReader(path, file).tree()))
    images = [signal for signal in signals if signal.is_image]
    others = [signal for signal in signals if not signal.is_image]
    if not images:
        held = listed(others) or "nothing"
        raise ImageError(f"{path}: holds no image but {held}; name a file with an image or a stack of images")
    names = unique(one.name for one in images)
    return [replace(one, name=name) for one, name in zip(images, names, strict=True)], others


def _signals(tree: Tree) -> Iterator[Signal]:
    """Yield the file's images, without its thumbnail."""
    thumbnails = {entry.get("ImageIndex") for entry in _groups(tree.get("Thumbnails"))}
    entries = _groups(tree.get("ImageList"))
    for index, entry in enumerate(entries):
        if index in thumbnails and len(entries) > 1:
            continue
        data = entry.get("ImageData")
        if not isinstance(data, dict):
            continue
        sizes = [size for size in _values(data.get("Dimensions")) if isinstance(size, int)]
        calibrations = data.get("Calibrations")
        axes = _groups(calibrations.get("Dimension")) if isinstance(calibrations, dict) else []
        axes = (axes + [{}] * len(sizes))[: len(sizes)]
        block, name, tags = data.get("Data"), entry.get("Name"), entry.get("ImageTags")
        # The file names the fastest dimension first. A third dimension of one frame is none.
        kept = [(size, axis) for at, (size, axis) in enumerate(zip(sizes, axes, strict=True)) if at < 2 or size != 1]
        yield Signal(
            name=str(name) if isinstance(name, str) and name else f"image {index}",
            shape=tuple(size for size, _ in reversed(kept)),
            kind=int(data.get("DataType", 0)) if isinstance(data.get("DataType"), int) else 0,
            block=block if isinstance(block, Block) else None,
            axes=tuple(_axis(axis) for _, axis in reversed(kept)),
            tags=tags if isinstance(tags, dict) else {},
        )


def _axis(tags: Tree) -> StackAxis:
    """Return the calibration of a dimension; its origin is the pixel that lies at zero."""
    step, unit = finite(number(tags.get("Scale"))), tags.get("Units")
    return StackAxis(step, unit if isinstance(unit, str) else None, -step * finite(number(tags.get("Origin"))))


def _values(tree: Any) -> list[Any]:
    return list(tree.values()) if isinstance(tree, dict) else []


def _groups(tree: Any) -> list[Tree]:
    return [value for value in _values(tree) if isinstance(value, dict)]


def _plain(tree: Tree) -> Tree:
    """Leave out what stayed in the file."""
    return {
        name: _plain(value) if isinstance(value, dict) else value
        for name, value in tree.items()
        if not isinstance(value, Block)
    }
