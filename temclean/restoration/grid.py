"""Take away the grid of two pixels that a network makes which folds 2x2 pixels into one and unfolds its result.

Its weights for the four places differ a little, so the result is the image plus weak patterns that change sign from
row to row, from column to column, or with both: three spots at the edge of its Fourier transform, where the image
itself has nothing to speak of.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BLOCK = 32
"""Side in pixels of the blocks in which the amplitudes are averaged, before they are smoothed over 3x3 blocks: so wide
that of the image itself hardly anything is lost, 0.01 dB at most."""

LIMITS = 0.02, 0.05
"""What counts at one place, of the image's range: three times the mean of its block, but no less and no more than this.
Grids are below 0.005; edges and letters must not count."""

SUPPORTED = 0.12
"""Where the signs of a pattern in the raw image agree by more, it is the specimen's: five standard deviations of what
noise does, as a weighted mean over 3x3 blocks counts as many places as 1820 do that are independent."""


def remove(tile: Floats, restored: Floats) -> None:
    r"""Subtract the patterns from a result.

    With the parity of rows and columns from the first on, the result is
    :math:`r = s + (-1)^y a_1 + (-1)^x a_2 + (-1)^{x+y} a_3`. Second differences, in which the slopes of s cancel, tell
    the amplitudes at each place; they are limited (:data:`LIMITS`) and averaged, and what the raw image does not have
    is subtracted.

    Parameters
    ----------
    tile, restored : ndarray of float32, (rows, columns)
        Before and after, on the network's scale; sides must be multiples of :data:`BLOCK`. ``restored`` is changed in
        place.

    Examples
    --------
    >>> smooth = np.full((64, 64), 0.5, np.float32)
    >>> restored = smooth + 0.004 * (-1) ** np.arange(64, dtype=np.float32)
    >>> remove(smooth, restored)
    >>> float(np.ptp(restored)) < 1e-6
    True
    """
    side = BLOCK // 2
    amplitudes = []
    for found, raw in zip(_patterns(restored), _patterns(tile), strict=True):
        limit = (3 * _mean(np.abs(found))).clip(*LIMITS).repeat(side, 0).repeat(side, 1)
        amplitude = _mean(np.minimum(np.maximum(found, -limit), limit))
        agreement = np.abs(_mean(np.sign(raw))) / np.float32(SUPPORTED)
        amplitudes.append(amplitude * (2.0 - agreement).clip(0.0, 1.0))
    rows, columns, both = amplitudes
    for y, x, amplitude in (
        (0, 0, rows + columns + both),
        (0, 1, rows - columns - both),
        (1, 0, columns - rows - both),
        (1, 1, both - rows - columns),
    ):
        restored[y::2, x::2] -= _interpolated(_interpolated(amplitude).T).T


def _patterns(image: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the amplitudes of the three patterns at each 2x2 pixels: between rows, between columns, and both."""
    a, b, c, d = image[::2, ::2], image[::2, 1::2], image[1::2, ::2], image[1::2, 1::2]
    both = (a - b - c + d) * np.float32(0.25)
    return _between(a + b, c + d), _between((a + c).T, (b + d).T).T, both


def _between(even: Floats, odd: Floats) -> Floats:
    """Return by how much even lines exceed the odd ones between them, halved; both are sums of two pixels."""
    even = even * np.float32(0.125)
    found: Floats = even - odd * np.float32(0.25)
    found[:-1] += even[1:]
    found[-1] += even[-1]
    return found


def _mean(values: Floats) -> Floats:
    """Average over the 2x2 pixels of each block, then over 3x3 blocks with the weights 1, 2, 1 along either axis.

    Not by matrix products: BLAS would share out what is so small, and its threads take a core to wait for each other.
    """
    side = BLOCK // 2
    height, width = (length // side for length in values.shape)
    means = values.reshape(height, side, width, side).sum(axis=3).sum(axis=1) * np.float32(side**-2)
    for _ in range(2):
        around = np.pad(means, ((1, 1), (0, 0)), mode="edge")
        means = ((around[:-2] + around[2:]) * np.float32(0.25) + means * np.float32(0.5)).T
    smooth: Floats = means
    return smooth


def _interpolated(amplitude: Floats) -> Floats:
    """Interpolate linearly, down the rows, from the middles of blocks to the 2x2 pixels in them."""
    first, second, share = _places(len(amplitude))
    between: Floats = amplitude[first] * (1 - share) + amplitude[second] * share
    return between


@lru_cache(maxsize=8)
def _places(blocks: int) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Return between which blocks each of the 2x2 pixels lies, and what share it has of the second."""
    side = BLOCK // 2
    place = ((np.arange(blocks * side) + 0.5) / side - 0.5).clip(0, blocks - 1)
    first = place.astype(np.intp)
    return first, np.minimum(first + 1, blocks - 1), (place - first).astype(np.float32)[:, None]
