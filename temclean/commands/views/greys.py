"""Small pictures of large frames: means over squares of pixels, in 256 greys between two percentiles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]

PERCENTILES = 0.5, 99.5
"""What becomes black and white: nearly all is seen, and a few bright particles do not darken the rest."""


def factor(shape: tuple[int, ...], side: int) -> int:
    """Return the side of the squares whose means make a frame (..., rows, columns) at most ``side`` pixels long."""
    return max(1, -(-max(shape[-2:]) // side))


def reduced(frame: NDArray[Any], side: int) -> Floats:
    """Return the means of a frame (rows, columns) over squares of ``side`` pixels; those at the end may be smaller.

    Examples
    --------
    >>> reduced(np.arange(15).reshape(3, 5), 2)
    array([[ 3. ,  5. ,  6.5],
           [10.5, 12.5, 14. ]])
    """
    if side == 1:
        return frame.astype(np.float64)
    rows, columns = frame.shape
    starts = np.arange(0, columns, side)
    widths = np.minimum(side, columns - starts)
    out = np.empty((-(-rows // side), len(starts)))
    for number, top in enumerate(range(0, rows, side)):
        band = frame[top : top + side]
        out[number] = np.add.reduceat(band.sum(axis=0, dtype=np.float64), starts) / (len(band) * widths)
    return out


def middle(frame: NDArray[Any], side: int) -> NDArray[Any]:
    """Return the middle of a frame (rows, columns), at most ``side`` pixels long and wide."""
    top, left = (max(0, (length - side) // 2) for length in frame.shape)
    return frame[top : top + side, left : left + side]


def contrasted(image: NDArray[Any], above: int | None = None) -> Picture:
    """Return an image (rows, columns) as greys: `PERCENTILES` are black and white; an even one is grey.

    Those of its rows ``above`` a data bar, where it has one.
    """
    low, high = np.percentile(image[:above], PERCENTILES)
    if not high > low:
        low, high = image.min(), image.max()
    return scaled(image, float(low), float(high))


def about_zero(image: NDArray[Any]) -> Picture:
    """Return differences (rows, columns) as greys: 0 is the middle grey, as far to black as to white."""
    most = float(np.percentile(np.abs(image), PERCENTILES[1])) or float(np.abs(image).max())
    return scaled(image, -most, most)


def scaled(image: NDArray[Any], low: float, high: float) -> Picture:
    """Return an image (rows, columns) as greys from ``low``, black, to ``high``, white."""
    if not high > low:
        return np.full(image.shape, 128, np.uint8)
    share = (image.astype(np.float64) - low) / (high - low)
    picture: Picture = np.rint(share.clip(0, 1) * 255).astype(np.uint8)
    return picture
