"""A data set of an HDF5 file that may be an image, and how its frames are read."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, SupportsIndex

import numpy as np

from temclean.io.hdf5.contents import h5py
from temclean.io.image import Array, Frames, StackAxis, check_claim, check_frames, frame_bytes
from temclean.io.messages import damaged, printable, reading

_BLOCK = 64 << 20
"""Bytes of frames that are kept where they have to be read together."""

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
        self.at_once = self._frames_at_once()
        self.lock, self.first = Lock(), -1
        self.block: Array = np.empty(0, self.dtype)

    def _frames_at_once(self) -> int:
        """Return how many frames lie so close together that to read one is to read them all."""
        if len(self.order) != 3:
            return 1
        axis = self.order[0]
        # A stack whose frames are last is spread over all of the data set: pixel by pixel where there are no chunks.
        extent = self.dataset.chunks[axis] if self.dataset.chunks else self.shape[0] if axis else 1
        return max(1, min(extent, _BLOCK // frame_bytes(self.shape, self.dtype)))

    def frame(self, index: int) -> Array:
        if self.at_once == 1:
            return self._read(np.unravel_index(index, self.shape[:-2])).astype(self.dtype, copy=False)
        with self.lock:
            first = index // self.at_once * self.at_once
            if self.first != first:
                self.block, self.first = self._read([slice(first, first + self.at_once)]), first
            frame: Array = self.block[index - first].astype(self.dtype)
            return frame

    def _read(self, places: Iterable[SupportsIndex | slice]) -> Array:
        """Read the frames at places along the axes before rows and columns, in the order of an image."""
        at: list[SupportsIndex | slice] = [0] * len(self.dataset.shape)
        for axis, place in zip(self.order, (*places, slice(None), slice(None)), strict=True):
            at[axis] = place
        found = np.asarray(self.dataset[tuple(at)])
        kept = [axis for axis in self.order if isinstance(at[axis], slice)]
        return np.ascontiguousarray(found.transpose([sorted(kept).index(axis) for axis in kept]))

    def close(self) -> None:
        with reading(self.path):
            self.file.close()
