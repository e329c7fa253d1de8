"""Wild pixels: those far from all their neighbours, and those at an extreme that noise does not explain."""

import math
from dataclasses import dataclass

import numpy as np

from temclean.evidence.samples import Floats, Mask, Sample, neighbours
from temclean.evidence.variance import below, cut_gaussian

FURTHER = 5.0
"""Standard deviations of the noise by which a wild pixel lies beyond its neighbours."""

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
    mask : all of these; None where there are none.
    """

    low: bool
    high: bool
    at_low: float
    at_high: float
    dark: float
    bright: float
    mask: Mask | None


def suspects(sample: Sample) -> Suspects:
    """Find the pixels at extremes where noise is cut off, and those far from their neighbours."""
    pieces = sample.pieces
    sigma = first_sigma(pieces)
    at_low, at_high = pieces <= 0, pieces >= 1
    shares = float(at_low.mean()), float(at_high.mean())
    # Electrons counted one by one have many zeros without being cut off.
    alike = not sigma and shares[0] + shares[1] < 0.5
    counted = sample.step > 0.4 * max(sigma, 1e-9) and sample.step > 0.02 and not alike
    beside = np.float32(max(1.5 * sample.step, sigma / 16, 1e-3))
    least = 4 / pieces.size
    low = not counted and shares[0] > max(least, 2 * float((pieces < beside).mean() - shares[0]))
    high = not counted and shares[1] > max(least, 2 * float((pieces > 1 - beside).mean() - shares[1]))
    least_near, greatest_near = neighbours(pieces)
    inner = pieces[:, 1:-1, 1:-1]
    bound = np.maximum(np.float32(max(FURTHER * sigma, COUNTS * sample.step, 0.02)), 2 * (greatest_near - least_near))
    dark, bright = least_near - inner > bound, inner - greatest_near > bound
    mask = np.zeros(pieces.shape, bool)
    mask[:, 1:-1, 1:-1] = dark | bright
    if low:
        dark &= ~at_low[:, 1:-1, 1:-1]
        mask |= at_low
    if high:
        bright &= ~at_high[:, 1:-1, 1:-1]
        mask |= at_high
    return Suspects(low, high, *shares, float(dark.mean()), float(bright.mean()), mask if bool(mask.any()) else None)


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


def salt_and_pepper(pieces: Floats, found: Suspects, sigma: float) -> tuple[float, float]:
    """Return the share of all pixels that are at 0 among bright ones, and at 1 among dark ones.

    Their rate is measured where the surroundings are far from that extreme, and taken for all of that half. What
    Gaussian noise of this width brings to the extremes is taken off. The surroundings' mean is that of the 5x5 pixels
    that are not at an extreme, with what being cut off moved it by.
    """
    if found.mask is None or not (found.low or found.high):
        return 0.0, 0.0
    inside = (~found.mask).astype(np.float32)
    number = box(inside)
    # Where all of them are, that of all tells which extreme is theirs.
    mean = np.where(number > 0, box(pieces * inside) / np.maximum(number, 1), box(pieces) / 25)
    edge = 2
    if sigma > 1e-4:
        middle, seen, _ = cut_gaussian(sigma, found.low, found.high)
        bins = np.linspace(0, 1, 257)
        corrected = np.clip(np.interp(bins, seen, middle), -2 * sigma, 1 + 2 * sigma)
    else:
        bins = corrected = np.linspace(0, 1, 257)
    place = np.clip((mean * 256).astype(np.int16), 0, 256)
    total = np.bincount(place.ravel(), minlength=257)
    shares = []
    ends = pieces[:, edge:-edge, edge:-edge]
    for there, is_cut, distance in ((ends <= 0, found.low, corrected), (ends >= 1, found.high, 1 - corrected)):
        half = distance > 0.5
        sure = distance > 0.6 if total[distance > 0.6].sum() > 0.1 * total[half].sum() else half
        hits = np.bincount(place[there], minlength=257)[sure].sum()
        expected = float((total * below(-distance / max(sigma, 1e-6)))[sure].sum())
        eligible = max(1.0, float(total[sure].sum()))
        # Of the pixels that noise would have brought there, hits are not told.
        rate = (float(hits) - expected) / max(1.0, eligible - expected)
        certain = float(hits) - expected > 3 * math.sqrt(expected + 9)
        shares.append(rate * float(total[half].sum()) / place.size if is_cut and certain else 0.0)
    return shares[0], shares[1]


def box(values: Floats) -> Floats:
    """Return the sums over 5x5 pixels, where they are whole."""
    for axis in (1, 2):
        length = values.shape[axis] - 4
        parts = [values[(slice(None),) * axis + (slice(start, start + length),)] for start in range(5)]
        values = parts[0] + parts[1]
        for part in parts[2:]:
            values += part
    return values
