"""Take away the grid of two pixels that a network makes which folds 2x2 pixels into one and unfolds its result.

Its weights for the four places differ a little, so the result is the image plus weak patterns that change sign from
row to row, from column to column, or with both: three spots at the edge of its Fourier transform, where the image
itself has nothing to speak of.
"""

import numpy as np
from numpy.typing import NDArray

from temclean import _grid

Floats = NDArray[np.float32]

BLOCK = _grid.BLOCK
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
    shape = 3, *(length // BLOCK for length in tile.shape)
    mean, limited, agreement = (np.empty(shape, np.float32) for _ in range(3))
    _grid.means(restored, None, _grid.MAGNITUDE, mean)
    _grid.means(restored, (3 * _smooth(mean)).clip(*LIMITS), _grid.LIMITED, limited)
    _grid.means(tile, None, _grid.SIGN, agreement)
    agreement = np.abs(_smooth(agreement)) / np.float32(SUPPORTED)
    rows, columns, both = _smooth(limited) * (2.0 - agreement).clip(0.0, 1.0)
    places = rows + columns + both, rows - columns - both, columns - rows - both, both - rows - columns
    _grid.subtract(restored, np.stack(places))


def _smooth(means: Floats) -> Floats:
    """Average over 3x3 blocks with the weights 1, 2, 1 along either axis, for each pattern.

    Not by matrix products: BLAS would share out what is so small, and its threads take a core to wait for each other.
    """
    rows, columns = means.shape[1:]
    around = np.zeros((len(means), rows + 2, columns + 2), np.float32)
    around[:, 1:-1, 1:-1] = means
    around[:, 0, 1:-1], around[:, -1, 1:-1] = means[:, 0], means[:, -1]
    along = (around[:, :-2] + around[:, 2:]) * np.float32(0.25)
    along += around[:, 1:-1] * np.float32(0.5)
    along[:, :, 0], along[:, :, -1] = along[:, :, 1], along[:, :, -2]
    out = (along[:, :, :-2] + along[:, :, 2:]) * np.float32(0.25)
    out += along[:, :, 1:-1] * np.float32(0.5)
    return out
