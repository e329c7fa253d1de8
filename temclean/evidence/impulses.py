"""Pixels that say nothing of the noise around them: those cut off at an extreme, and those far from all neighbours."""

from dataclasses import dataclass

import numpy as np

from temclean.evidence.samples import Floats, Mask, Sample, bend, neighbours

FURTHER = 5.0
"""Standard deviations of the noise by which a wild pixel lies beyond its neighbours."""

STREAK = 16
"""Pixels of a row that are looked at together for stretches that are brighter or darker than the rows beside them."""

MOST_STREAKS = 0.1
"""Share of them above which they are the specimen's."""

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
    mask : all of these, and stretches of rows that stand out from the rows beside them; None where there are none.
    """

    low: bool
    high: bool
    at_low: float
    at_high: float
    dark: float
    bright: float
    mask: Mask | None


def suspects(sample: Sample, *, counted: bool = False) -> Suspects:
    """Find the pixels at extremes where noise is cut off, and those far from their neighbours.

    Of electrons ``counted`` one by one none at all is the least there can be, and nothing is cut off there.
    """
    pieces = sample.pieces
    sigma = first_sigma(pieces)
    at_low, at_high = pieces <= 0, pieces >= 1
    shares = float(at_low.mean()), float(at_high.mean())
    # Electrons counted one by one have many zeros without being cut off.
    alike = not sigma and shares[0] + shares[1] < 0.5
    few = sample.step > 0.4 * max(sigma, 1e-9) and sample.step > 0.02 and not alike
    beside = np.float32(max(1.5 * sample.step, sigma / 16, 1e-3))
    least = 4 / pieces.size
    low = not (few or counted) and shares[0] > max(least, 2 * float((pieces < beside).mean() - shares[0]))
    high = not few and shares[1] > max(least, 2 * float((pieces > 1 - beside).mean() - shares[1]))
    least_near, greatest_near = neighbours(pieces)
    inner = pieces[:, 1:-1, 1:-1]
    bound = np.maximum(np.float32(max(FURTHER * sigma, COUNTS * sample.step, 0.02)), 2 * (greatest_near - least_near))
    dark, bright = least_near - inner > bound, inner - greatest_near > bound
    mask = np.zeros(pieces.shape, bool)
    mask[:, 1:-1, 1:-1] = dark | bright
    streaks(pieces, mask)
    if low:
        dark &= ~at_low[:, 1:-1, 1:-1]
        mask |= at_low
    if high:
        bright &= ~at_high[:, 1:-1, 1:-1]
        mask |= at_high
    return Suspects(low, high, *shares, float(dark.mean()), float(bright.mean()), mask if bool(mask.any()) else None)


def streaks(pieces: Floats, mask: Mask) -> None:
    """Add to a mask the stretches of rows that lie above, or below, the rows on both sides: lost or repeated lines."""
    count, rows, columns = pieces.shape
    parts = columns // STREAK
    if rows < 8 or not parts:
        return
    sums = pieces[:, :, : parts * STREAK].reshape(count, rows, parts, STREAK).mean(3)
    bent = bend(sums, 1)
    usual = np.float32(FURTHER * 1.4826) * np.median(np.abs(bent))
    here, above, below = bent[:, 1:-1], bent[:, :-2], bent[:, 2:]
    beside = np.maximum(np.abs(above), np.abs(below))
    far = (np.abs(here) > np.maximum(usual, 1.4 * beside)) & (here * above < 0) & (here * below < 0)
    found = np.zeros((count, rows, parts), bool)
    found[:, 2:-2] = far
    found[:, :, 1:] |= found[:, :, :-1].copy()  # where a stretch ends is not at a multiple of its parts
    found[:, :, :-1] |= found[:, :, 1:].copy()
    if float(found.mean()) < MOST_STREAKS:
        mask[:, :, : parts * STREAK] |= np.repeat(found, STREAK, 2)


def first_sigma(pieces: Floats) -> float:
    """Guess the noise from the middle of the mixed differences of pixels that are not at an extreme."""
    corner = pieces[:, ::2, ::2]
    down, across = pieces[:, 1::2, ::2], pieces[:, ::2, 1::2]
    both = pieces[:, 1::2, 1::2]
    rows, columns = both.shape[1:]
    four = [part[:, :rows, :columns] for part in (corner, down, across, both)]
    inside = np.logical_and.reduce([(part > 0) & (part < 1) for part in four])
    difference = np.abs(four[0] - four[1] - four[2] + four[3])
    return float(np.median(difference[inside])) / 2 / 0.6745 if int(inside.sum()) > 50 else 0.0
