"""Pixels that say nothing of the noise around them: those cut off at an extreme, and those far from all neighbours."""

from dataclasses import dataclass

import numpy as np

from temclean import _pieces
from temclean.evidence.samples import Floats, Mask, Sample, bend, median, share_of

FURTHER = 5.0
"""Standard deviations of the noise by which a wild pixel lies beyond its neighbours."""

STREAK = 16
"""Pixels of a row that are looked at together for stretches that are brighter or darker than the rows beside them."""

MOST_STREAKS = 0.1
"""Share of them above which they are the specimen's."""

LEAST_BEYOND = 0.02
"""By how much of the range that nearly all pixels fill a wild pixel lies beyond its neighbours at least."""

NEARLY_ALL = (0.02, 0.98)
"""Quantiles between which that range is: a single outlier may make that of all a hundred times as wide."""

COUNTS = 6
"""Steps by which it does where values come in steps: of counted electrons one alone is nothing wild."""


@dataclass(frozen=True)
class Suspects:
    """Pixels that say nothing about the noise around them.

    Attributes
    ----------
    low, high : whether noise is cut off at 0 and at 1: far more pixels lie there than beside it.
    at_low, at_high : share of all pixels there.
    dark, bright : share of the other pixels that are far below, or above, all their neighbours.
    wild : all of these.
    mask : and stretches of rows that stand out from the rows beside them; None where there are none.
    """

    low: bool
    high: bool
    at_low: float
    at_high: float
    dark: float
    bright: float
    wild: Mask
    mask: Mask | None


def suspects(sample: Sample, *, counted: bool = False, known: Mask | None = None) -> Suspects:
    """Find the pixels at extremes where noise is cut off, and those far from their neighbours.

    Of electrons ``counted`` one by one none at all is the least there can be, and nothing is cut off there. Those that
    are ``known`` are suspects, and not counted.
    """
    pieces = sample.pieces
    sigma = first_sigma(pieces)
    at_low, at_high = pieces <= 0, pieces >= 1
    shares = share_of(at_low), share_of(at_high)
    # Electrons counted one by one have many zeros without being cut off.
    alike = not sigma and shares[0] + shares[1] < 0.5
    few = sample.step > 0.4 * max(sigma, 1e-9) and sample.step > 0.02 and not alike
    beside = np.float32(max(1.5 * sample.step, sigma / 16, 1e-3))
    least = 4 / pieces.size
    low = not (few or counted) and shares[0] > max(least, 2 * (share_of(pieces < beside) - shares[0]))
    high = not few and shares[1] > max(least, 2 * (share_of(pieces > 1 - beside) - shares[1]))
    dark, bright = (np.empty((len(pieces), *(length - 2 for length in pieces.shape[1:])), bool) for _ in range(2))
    filled = float(np.subtract(*np.quantile(pieces[:, ::3, ::3], NEARLY_ALL[::-1]))) if sigma else 1.0
    beyond = max(FURTHER * sigma, COUNTS * sample.step, LEAST_BEYOND * filled)
    _pieces.wild(pieces, beyond, dark.view(np.uint8), bright.view(np.uint8))
    wild = np.zeros(pieces.shape, bool) if known is None else known.copy()
    if known is not None:
        dark &= ~known[:, 1:-1, 1:-1]
        bright &= ~known[:, 1:-1, 1:-1]
    wild[:, 1:-1, 1:-1] |= dark | bright
    if low:
        dark &= ~at_low[:, 1:-1, 1:-1]
        wild |= at_low
    if high:
        bright &= ~at_high[:, 1:-1, 1:-1]
        wild |= at_high
    mask = streaks(pieces, wild)
    return Suspects(low, high, *shares, share_of(dark), share_of(bright), wild, mask if bool(mask.any()) else None)


def streaks(pieces: Floats, wild: Mask) -> Mask:
    """Return a mask with stretches of rows that lie above, or below, the rows on both sides: lost or repeated lines."""
    count, rows, columns = pieces.shape
    parts = columns // STREAK
    if rows < 8 or not parts:
        return wild
    sums = pieces[:, :, : parts * STREAK].reshape(count, rows, parts, STREAK).mean(3)
    bent = bend(sums, 1)
    usual = np.float32(FURTHER * 1.4826) * np.float32(median(np.abs(bent)))
    here, above, below = bent[:, 1:-1], bent[:, :-2], bent[:, 2:]
    beside = np.maximum(np.abs(above), np.abs(below))
    far = (np.abs(here) > np.maximum(usual, 1.4 * beside)) & (here * above < 0) & (here * below < 0)
    found = np.zeros((count, rows, parts), bool)
    found[:, 2:-2] = far
    found[:, :, 1:] |= found[:, :, :-1].copy()  # where a stretch ends is not at a multiple of its parts
    found[:, :, :-1] |= found[:, :, 1:].copy()
    if not found.any() or share_of(found) >= MOST_STREAKS:
        return wild
    mask = wild.copy()
    mask[:, :, : parts * STREAK] |= np.repeat(found, STREAK, 2)
    return mask


def first_sigma(pieces: Floats) -> float:
    """Guess the noise from the middle of the mixed differences of pixels that are not at an extreme."""
    found = np.empty(len(pieces) * (pieces.shape[1] // 2) * (pieces.shape[2] // 2), np.float32)
    inside = _pieces.crossed(pieces, found)
    return median(found[:inside]) / 2 / 0.6745 if inside > 50 else 0.0
