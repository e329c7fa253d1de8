"""Arrays of Dask: frames are read a block at a time, and denoised when their block is computed."""

from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ImageError
from temclean.restoration.conversion import unmasked


class Blocks(Protocol):
    """An array of Dask."""

    def map_blocks(self, *args: Any, **kwargs: Any) -> Any:
        """Return what a function makes of its blocks."""


class LazyFrames:
    """The frames of a dask array, of which those of one chunk are in memory."""

    def __init__(self, data: Any) -> None:
        if any(side != side for side in data.shape):  # NaN  # noqa: PLR0124
            raise ImageError(f"an array of shape {data.shape} has sides that nobody knows: call compute_chunk_sizes()")
        flat = data.reshape(-1, *data.shape[-2:])
        self._blocks = flat.rechunk((flat.chunks[0], -1, -1))
        self._ends = list(accumulate(self._blocks.chunks[0]))
        self._held: tuple[int, NDArray[Any]] = (-1, np.empty(0))
        self.shape: tuple[int, ...] = flat.shape
        self.dtype: np.dtype[Any] = flat.dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> NDArray[Any]:
        block = bisect_right(self._ends, index)
        if self._held[0] != block:
            self._held = block, unmasked(self._blocks.blocks[block].compute())
        first = self._ends[block - 1] if block else 0
        frame: NDArray[Any] = self._held[1][index - first]
        return frame


def is_lazy(image: object) -> bool:
    """Return whether an image is an array of Dask, which is not imported for that."""
    return type(image).__module__.partition(".")[0] == "dask" and hasattr(image, "map_blocks")


def by_blocks(image: Any, function: Callable[..., NDArray[Any]], **settings: object) -> Any:
    """Return the array that a function makes of each block, (..., rows, columns) of whole frames, of the same type."""
    whole = image.rechunk({image.ndim - 2: -1, image.ndim - 1: -1})
    empty = np.empty((0,) * image.ndim, image.dtype)
    return whole.map_blocks(function, dtype=image.dtype, meta=empty, **settings)
