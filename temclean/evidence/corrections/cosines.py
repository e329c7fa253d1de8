"""Waves in small overlapping blocks: the cosine transform of blocks of 8x8 pixels that begin at each fourth."""

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats

SIDE = 8
"""Pixels along a side of a block, and waves along an axis."""

STEP = SIDE // 2
"""Pixels from one block to the next: all but those at the border are in four."""

WAVES = SIDE * SIDE
"""Waves of a block, that of row frequency i and column frequency j at 8 i + j."""


def _basis() -> Floats:
    """Return the waves, (WAVES, WAVES), one a row: orthonormal (discrete cosine transform of the second kind)."""
    place, wave = np.arange(SIDE) + 0.5, np.arange(SIDE)
    one = np.sqrt(2.0 / SIDE) * np.cos(np.pi / SIDE * np.outer(wave, place))
    one[0] = np.sqrt(1.0 / SIDE)
    return np.kron(one, one).astype(np.float32)


BASIS = _basis()


def cut(image: Floats) -> Floats:
    """Return the blocks of an image, (down, across, WAVES), their pixels row after row; what fills none is left out."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (SIDE, SIDE))[::STEP, ::STEP]
    return windows.reshape(*windows.shape[:2], WAVES)


def transform(blocks: Floats) -> Floats:
    """Return the waves of blocks, of the same shape."""
    waves: Floats = blocks @ BASIS.T
    return waves


def together(waves: Floats) -> Floats:
    """Return the image of such waves, where blocks overlap their mean, as far as four do: (rows, columns).

    It begins ``STEP`` pixels after the first block.
    """
    down, across = waves.shape[:2]
    parts = (waves @ BASIS).reshape(down, across, 2, STEP, 2, STEP)
    total = parts[1:, 1:, 0, :, 0] + parts[1:, :-1, 0, :, 1] + parts[:-1, 1:, 1, :, 0] + parts[:-1, :-1, 1, :, 1]
    image: NDArray[np.float32] = total.swapaxes(1, 2).reshape(STEP * (down - 1), STEP * (across - 1))
    return image * np.float32(0.25)


def smooth(values: Floats, axis: int) -> Floats:
    """Return values weighted 1, 2, 1 with their neighbours along an axis; at its ends the outermost counts twice."""
    padded = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in range(values.ndim)], mode="edge")
    first, last = (padded[(slice(None),) * axis + (part,)] for part in (slice(None, -2), slice(2, None)))
    smoothed: Floats = np.float32(0.25) * (first + last) + np.float32(0.5) * values
    return smoothed
