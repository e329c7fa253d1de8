r"""What a network took away that noise cannot be: fine, irregular structure, where noise is weak.

Networks take from rough surfaces what is finer than they believe in, however weak the noise is. The residual shows
it: of each of its waves, in blocks of 8x8 pixels, the power :math:`P` is no more than the variance :math:`N` that such
a wave has in quiet places (:mod:`temclean.evidence.corrections.quiet`), but by chance. The share of it that is
structure comes back,

.. math:: (1 - \kappa N / P)_+ ,

which is Wiener's gain (Wiener 1949) for structure of unknown strength in known noise, P being a mean over neighbouring
blocks and waves; and none where neither all waves of a block together nor one alone are beyond chance.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks, samples
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.corrections import cosines, quiet
from temclean.evidence.corrections.recorded import Recorded, add
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Mask, median

SMALLEST = 64
"""Pixels along a side, below which the noise is not known well enough."""

WEAK = 0.12
"""Noise over the contrast of the result from which on all is left to the network."""

WILD = 0.01
"""Share of wild pixels from which on these are a matter for other models."""

UNEVEN = 2.0
"""Times as much as in quiet places the noise may be elsewhere, unless what it usually is tells that it is less."""

HANGING = 0.15
"""Correlation with the next pixel from which on noise is not white, and what it usually is tells nothing of waves; and
how much more of it along rows a scanned beam leaves, of which nothing comes back."""

CHANCE = 1.2
"""Times the noise that is taken off the power of each wave."""

BLOCKS, ONE_WAVE = (1.3, 1.7), (4.0, 7.0)
"""Times the noise that all waves of a block have up to which none of them comes back, and from which on all do; and
what one wave has, with those next to it and of the next blocks, from which on it does whatever the others have."""

MOST = 16.0
"""Times the noise that one wave counts for in that: one alone is no reason for the others."""

ALONE, BESIDE = 5.0, 0.35
"""Deviations from which on a pixel is wild where none beside it has that share of its own, to the same side: such
pixels stay away."""

TOGETHER, ALIKE, SHARP = 4, 0.5, (0.25, 3.0)
"""The same of so many pixels that have at least that share of each other's, where none of the others within two pixels
has more than another share of it and so many deviations of the noise."""

BEYOND = 0.25
"""How far beyond the least and the greatest value of a result, in parts of what lies between, its image's are hits."""

CLEAR = 0.25
"""Share of the residual's power from which on a pixel counts as one where structure came back."""

LEVELS = 256
"""Intensities between which the table of the noise lies."""

BAND = 2**18
"""Pixels looked at in one go."""

MARGIN = 4 * cosines.STEP
"""Pixels around a band that have a share in what comes back in it."""

GLANCE, SAMPLE, PIECE = 2**14, 2**18, 256
"""Pixels that tell whether the noise may be weak at all; those its quiet places are looked for in, and the side of the
pieces that are taken of larger images."""


def put_back(
    raw: NDArray[Any],
    result: NDArray[Any],
    without: Iterable[tuple[int, int]] = (),
    *,
    recorded: Recorded | None = None,
    unless: Callable[[], bool] | None = None,
) -> float:
    """Put back into a result what its residual has beyond noise, in place; return the share of pixels it changes.

    Nothing is done where the noise is strong or shared by whole rows, as then the residual does not tell; nor where an
    image is small.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale and of any real type.
    without : iterable of (row, column)
        Pixels that were hit, and are to stay away; those outside of the image do not matter.
    recorded : Recorded
        What the image before pixels were replaced tells of its noise; by default ``raw``.
    unless : callable
        Tells whether the residual holds something else, as a beam that strayed leaves it; asked if the noise is weak.
    """
    if min(raw.shape) < SMALLEST:
        return 0.0
    pair = blocks.pair(raw, result)
    if pair is None or not _may_be_weak(pair):
        return 0.0
    recorded = recorded or Recorded(raw)
    variances, cut = _variances(pair, recorded), recorded.cut
    if variances is None or (unless and unless()):
        return 0.0
    height, width = raw.shape
    hit = np.array([place for place in without if place[0] < height and place[1] < width], np.intp).reshape(-1, 2)
    band = max(1, BAND // width // cosines.SIDE) * cosines.SIDE
    above = result[:0].copy()  # rows as they were before something came back
    count = 0
    for top in range(0, height, band):
        rows = slice(top, min(top + band, height))
        wider = slice(top - len(above), min(height, rows.stop + MARGIN))
        before = np.concatenate([above, result[top : wider.stop]])
        above = before[: rows.stop - wider.start][-MARGIN:].copy()
        level = pair.scaled(before)
        residual = pair.scaled(raw[wider]) - level
        inside = hit[(hit[:, 0] >= wider.start) & (hit[:, 0] < wider.stop)]
        residual[inside[:, 0] - wider.start, inside[:, 1]] = 0.0
        residual[_wild(residual, level, np.sqrt(variances.mean(axis=1))[_place(level)])] = 0.0
        if cut:
            residual[cut.passed(raw[wider], before)] = 0.0
        lacked, shares = _structure(residual, level, variances)
        inner = slice(rows.start - wider.start, rows.stop - wider.start)
        changed = shares[inner] > 0.0
        add(result[rows], changed, (lacked[inner] * pair.unit)[changed])
        count += int(np.count_nonzero(shares[inner] > CLEAR))
    return count / raw.size


def _structure(residual: Floats, level: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Return what a residual has beyond noise, and which share of its power that is, for each pixel.

    Parameters
    ----------
    residual, level : (rows, columns), the residual and the result it belongs to.
    variances : (LEVELS, WAVES), of the noise, by the level of the result.
    """
    before = [(cosines.SIDE, cosines.SIDE + -length % cosines.STEP) for length in residual.shape]
    padded, levels = (np.pad(each, before, mode="symmetric") for each in (residual, level))
    waves = cosines.transform(cosines.cut(padded))
    power: NDArray[Any] = np.square(waves) / variances[_place(cosines.cut(levels).mean(axis=-1))]
    opened = np.minimum(power, np.float32(MOST)).mean(axis=-1)
    for axis in (0, 1):
        opened = cosines.smooth(opened, axis)
    opened = _ramp(opened, BLOCKS)
    shape = power.shape
    power = power.reshape(*shape[:2], cosines.SIDE, cosines.SIDE)
    for axis in range(4):
        power = cosines.smooth(power, axis)
    power = power.reshape(shape)
    gain = np.maximum(1.0 - np.float32(CHANCE) / np.maximum(power, np.float32(1e-30)), 0.0)
    gain *= np.maximum(_ramp(power, ONE_WAVE), opened[..., None])
    square = np.square(waves)
    share = np.square(gain * waves).sum(axis=-1) / np.maximum(square.sum(axis=-1), np.float32(1e-30))
    rows, columns = residual.shape
    inner = np.s_[cosines.STEP : cosines.STEP + rows, cosines.STEP : cosines.STEP + columns]
    shares = np.repeat(np.repeat(_covering(share), cosines.STEP, axis=0), cosines.STEP, axis=1)
    return cosines.together(gain * waves)[inner], shares[inner]


def _place(level: Floats) -> NDArray[np.intp]:
    """Return where in the table of the noise levels of a result stand."""
    place: NDArray[np.intp] = np.clip(level * np.float32(LEVELS - 1), 0, LEVELS - 1).astype(np.intp)
    return place


def _ramp(values: Floats, ends: tuple[float, float]) -> Floats:
    """Return 0 up to the first end, 1 from the second on."""
    rising: Floats = np.clip((values - np.float32(ends[0])) / np.float32(ends[1] - ends[0]), 0.0, 1.0)
    return rising


def _covering(values: Floats) -> Floats:
    """Return the means over the four blocks that cover each square of STEP pixels."""
    mean: Floats = 0.25 * (values[1:, 1:] + values[1:, :-1] + values[:-1, 1:] + values[:-1, :-1])
    return mean


def _may_be_weak(pair: Pair) -> bool:
    """Return whether half of the residual is so small that the noise may be weak."""
    step = max(1, int(np.sqrt(pair.raw.size / GLANCE)))
    few = np.s_[::step, ::step]
    after = pair.scaled(pair.result[few])
    left = np.abs(pair.scaled(pair.raw[few]) - after)
    contrast = blocks.percentile(np.sort(after, axis=None), 99.5) - blocks.percentile(np.sort(after, axis=None), 0.5)
    return 0.0 < median(left) < WEAK * contrast


def _variances(pair: Pair, recorded: Recorded) -> Floats | None:
    """Return the most that the noise may be, (LEVELS, WAVES), where a result is 0 to 1; None if nothing tells."""
    report = recorded.noise
    if report is None or report.row or report.column or report.impulses > WILD:
        return None
    if report.along_rows[0] - report.along_columns[0] > HANGING:  # rows that strayed have that too
        return None
    looked_at = pair.raw
    if min(looked_at.shape) < PIECE:  # of a long strip its beginning
        looked_at = looked_at[: SAMPLE // PIECE, : SAMPLE // PIECE]
    sample = samples.sample(looked_at, most=SAMPLE, side=PIECE)
    known = quiet.measure(sample, recorded.cut) if sample else None
    if known is None:
        return None
    levels = pair.offset + pair.unit * np.linspace(0.0, 1.0, LEVELS)
    most = UNEVEN * known.at(levels)
    if max(abs(report.along_rows[0]), abs(report.along_columns[0])) < HANGING:
        usual = np.array([_most(report, float(level)) ** 2 for level in levels.clip(report.low, report.high)])
        most = np.minimum(most, usual[:, None])
    most = most.clip(1e-12 * pair.unit**2) / pair.unit**2
    return most.astype(np.float32) if float(np.median(most.mean(axis=1))) < WEAK**2 else None


def _most(report: NoiseReport, level: float) -> float:
    """Return the standard deviation of the noise at an intensity, and what it may be more."""
    return max(report.at(level) + report.error_at(level), 0.3 * report.step)


def _wild(residual: Floats, level: Floats, deviation: Floats) -> Mask:
    """Return which pixels deviate alone, or few together with sharp edges, or go beyond all that the result shows.

    Beside one that is alone none of the eight deviates by much of its own. Around up to ``TOGETHER`` that touch, as bad
    pixels of a camera do, each of the 24 is either about as far off or noise: structure has soft edges.
    """
    wild = np.abs(residual) > ALONE * deviation
    rows, columns = np.nonzero(wild)
    if not rows.size:
        return wild
    own = residual[rows, columns]
    reach = np.arange(-2, 3)
    padded = np.pad(residual, 2, mode="edge")
    windows = (
        padded[rows[:, None, None] + 2 + reach[:, None], columns[:, None, None] + 2 + reach]
        * np.sign(own)[:, None, None]
    )
    parts = windows / np.abs(own)[:, None, None]
    noise = SHARP[1] * (deviation[rows, columns] / np.abs(own))[:, None, None]
    inner = parts[:, 1:4, 1:4].reshape(-1, 9)
    alone = np.delete(inner, 4, axis=1).max(axis=1) < BESIDE
    between = (np.abs(parts) > np.maximum(SHARP[0], noise)) & (parts < ALIKE)
    few = ((parts >= ALIKE).sum(axis=(1, 2)) <= TOGETHER) & ~between.any(axis=(1, 2))
    seen = level[rows, columns] + own
    wild[rows, columns] = alone | few | (seen > 1.0 + BEYOND) | (seen < -BEYOND)
    return wild
