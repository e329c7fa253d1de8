"""A data set of an HDF5 file that may be an image, and how its frames are read."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from temclean.io.hdf5.contents import h5py
from temclean.io.image import Array, Frames, StackAxis, check_claim, check_frames, frame_bytes
from temclean.io.messages import damaged, printable, reading

UNKNOWN = StackAxis(0.0)
"""An axis of which nothing is said."""


@dataclass(frozen=True)
class Description:
    """What a file says of a signal: the axes in the order of its shape, by the file's own units."""

    axes: tuple[StackAxis, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Signal:
    """A data set that may be an image."""

    name: str
    dataset: "h5py.Dataset"
    order: tuple[int, ...]
    """Its dimensions in the order of an image: frames, rows, columns. Those left out have one element."""
    describe: Callable[[], Description]
    """Read the calibration and the metadata."""
    problem: str | None = None
    """Why it is no image, in a word."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., H, W)."""
        return tuple(int(self.dataset.shape[axis]) for axis in self.order)

    @property
    def is_image(self) -> bool:
        return (
            self.problem is None and len(self.order) >= 2 and min(self.shape) > 0 and self.dataset.dtype.kind in "iuf"
        )

    def __str__(self) -> str:
        size = "x".join(map(str, self.shape or self.dataset.shape))
        problem = self.problem or ("" if self.dataset.dtype.kind in "iuf" else "no real numbers")
        return f'"{printable(self.name)}" ({size}{problem and f", {problem}"})'


def plain_order(dataset: "h5py.Dataset") -> tuple[int, ...]:
    """Return the order of a data set that lies as an image does, its columns last."""
    return tuple(range(len(dataset.shape)))


class DatasetFrames(Frames):
    """Frames of an HDF5 data set."""

    def __init__(self, path: Path, file: "h5py.File", signal: Signal) -> None:
        super().__init__(path, signal.shape, signal.dataset.dtype)
        self.file, self.dataset, self.order = file, signal.dataset, signal.order
        stored = int(self.dataset.id.get_storage_size())
        if not stored:
            raise damaged(path, "no pixels are stored in it")
        check_claim(path, frame_bytes(self.shape, self.dtype), stored)
        check_frames(path, len(self), frame_bytes(self.shape, self.dtype), stored)
        if self.dataset.chunks:
            check_claim(path, math.prod(self.dataset.chunks) * self.dtype.itemsize, stored)

    def frame(self, index: int) -> Array:
        at: list[int | slice] = [0] * len(self.dataset.shape)
        for axis, place in zip(self.order[:-2], np.unravel_index(index, self.shape[:-2]), strict=True):
            at[axis] = int(place)
        rows, columns = self.order[-2:]
        at[rows] = at[columns] = slice(None)
        frame = np.asarray(self.dataset[tuple(at)])
        if rows > columns:
            frame = np.ascontiguousarray(frame.T)
        return frame.astype(self.dtype, copy=False)

    def close(self) -> None:
        with reading(self.path):
            self.file.close()
