"""Outliers far beyond all other pixels: set aside, as they make a narrow range of values a sliver of the whole one.

What looks at a sample takes its values to fill [0, 1]: steps, widths and slopes below some share of that are nothing.
"""

from dataclasses import dataclass

import numpy as np

from temclean.evidence.impulses.suspects import NEARLY_ALL
from temclean.evidence.samples import Floats, Mask, Sample, share_of

BEYOND = 6.0
"""Ranges that nearly all pixels fill by which an outlier lies beyond these."""

TOGETHER = 3
"""Outliers of 5x5 pixels up to which they are no area."""

NARROWER = 0.25
"""Share of the range that is left at most; else nothing is gained."""


@dataclass(frozen=True)
class Aside:
    """A sample with outliers set aside, which these are, and the share of all pixels that is dark, or bright, ones."""

    sample: Sample
    mask: Mask
    dark: float
    bright: float


def set_aside(sample: Sample) -> Aside | None:
    """Return a sample in which outliers have the median of their neighbours; None where that does not narrow its range.

    Only single ones are set aside, and two or three that touch, as cosmic rays and hot pixels are.
    """
    pieces = sample.pieces
    least, most = map(float, np.quantile(pieces[:, ::3, ::3], NEARLY_ALL))
    reach = BEYOND * (most - least)
    if not 0 < 2 * reach < 1:
        return None
    dark, bright = pieces < least - reach, pieces > most + reach
    far = dark | bright
    crowd = _around(far.astype(np.float32))
    mask = far & (crowd <= TOGETHER)
    rest = pieces[~mask]
    low, high = float(rest.min()), float(rest.max())
    if not (mask.any() and 0 < high - low < NARROWER):
        return None
    filled = pieces.copy()
    filled[mask] = _beside(pieces, far, mask)
    filled = ((filled - low) / (high - low)).astype(np.float32)
    inner = Sample(filled, sample.low + low * sample.width, (high - low) * sample.width)
    return Aside(inner, mask, share_of(dark & mask), share_of(bright & mask))


def _around(values: Floats) -> Floats:
    """Return the sums over 5x5 pixels, fewer at the edges."""
    for axis in (1, 2):
        length = values.shape[axis]
        padded = np.pad(values, [(2, 2) if each == axis else (0, 0) for each in range(3)])
        parts = [padded[(slice(None),) * axis + (slice(start, start + length),)] for start in range(5)]
        values = parts[0] + parts[1] + parts[2] + parts[3] + parts[4]
    return values


def _beside(pieces: Floats, far: Mask, mask: Mask) -> Floats:
    """Return for each pixel of a mask the lower median of those of its eight neighbours that are not far."""
    piece, row, column = (each[:, None] for each in np.nonzero(mask))
    down, right = (each.ravel() for each in np.mgrid[-1:2, -1:2])
    rows, columns = (row + down).clip(0, far.shape[1] - 1), (column + right).clip(0, far.shape[2] - 1)
    kept = ~far[piece, rows, columns]
    values = np.sort(np.where(kept, pieces[piece, rows, columns], np.inf), axis=1)
    middle: Floats = values[np.arange(len(values)), np.maximum(kept.sum(axis=1) - 1, 0) // 2]
    return middle
