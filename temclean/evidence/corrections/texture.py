r"""What a network took away that noise cannot be: fine, irregular structure, where noise is weak.

Networks take from rough surfaces what is finer than they believe in, however weak the noise is. Where noise is weak
and each pixel has its own, the residual alone shows it: around a pixel its variance, :math:`v`, is no more than that
of the noise at that brightness, :math:`\sigma^2`, but by chance. The share of it that is structure comes back,

.. math:: \hat x + (1 - \kappa \sigma^2 / v)_+ \, (y - \hat x),

which is Wiener's gain (Wiener 1949) for structure of unknown strength in known noise, and none where :math:`v` may be
chance.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.evidence import blocks
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.corrections.recorded import Recorded, add
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Mask, median

SMALLEST = 64
"""Pixels along a side, below which the noise is not known well enough."""

WEAK = 0.07
"""Noise over the contrast of the result from which on all is left to the network."""

WILD = 0.01
"""Share of wild pixels from which on these are a matter for other models."""

ALIKE = 0.15
"""Correlation with the next pixel from which on the residual may hang together by noise alone."""

AROUND = 3.0
"""Width in pixels of the Gaussian over which the variance of the residual is taken."""

CHANCE = 1.5
"""Times the variance of the noise that the residual's may have by chance, over the hundred pixels of that Gaussian."""

ALONE, BESIDE = 5.0, 0.35
"""Deviations from which on a pixel is wild where none beside it has that share of its own, to the same side: such
pixels stay away."""

BEYOND = 0.25
"""How far beyond the least and the greatest value of a result, in parts of what lies between, its image's are hits."""

CLEAR = 0.25
"""Share of the residual from which on a pixel counts as one where structure came back."""

LEVELS = 256
"""Intensities between which the table of the noise lies."""

BAND = 2**20
"""Pixels looked at in one go."""

GLANCE = 2**14
"""Pixels that tell whether the noise may be weak at all."""


def put_back(
    raw: NDArray[Any],
    result: NDArray[Any],
    without: Iterable[tuple[int, int]] = (),
    *,
    recorded: Recorded | None = None,
) -> float:
    """Put back into a result what its residual has beyond noise, in place; return the share of pixels it changes.

    Nothing is done where the noise is strong, hangs together or is shared by whole rows, as then the residual does not
    tell; nor where an image is small.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale and of any real type.
    without : iterable of (row, column)
        Pixels that were hit, and are to stay away; those outside of the image do not matter.
    recorded : Recorded
        What the image before pixels were replaced tells of its noise; by default ``raw``.
    """
    if min(raw.shape) < SMALLEST:
        return 0.0
    pair = blocks.pair(raw, result)
    if pair is None or not _may_be_weak(pair):
        return 0.0
    recorded = recorded or Recorded(raw)
    variances, cut = _variances(pair, recorded.noise), recorded.cut
    if variances is None:
        return 0.0
    height, width = raw.shape
    hit = np.array([place for place in without if place[0] < height and place[1] < width], np.intp).reshape(-1, 2)
    margin = int(np.ceil(4 * AROUND)) + 1
    band = max(margin, BAND // width)
    above = result[:0].copy()  # rows as they were before something came back
    count = 0
    for top in range(0, height, band):
        rows = slice(top, min(top + band, height))
        wider = slice(top - len(above), min(height, rows.stop + margin))
        before = np.concatenate([above, result[top : wider.stop]])
        above = before[: rows.stop - wider.start][-margin:].copy()
        level = pair.scaled(before)
        residual = pair.scaled(raw[wider]) - level
        place = np.clip(level * np.float32(LEVELS - 1), 0, LEVELS - 1).astype(np.intp)
        variance = variances[place]
        inside = hit[(hit[:, 0] >= wider.start) & (hit[:, 0] < wider.stop)]
        residual[inside[:, 0] - wider.start, inside[:, 1]] = 0.0
        residual[_wild(residual, level, np.sqrt(variance))] = 0.0
        if cut:
            residual[cut.passed(raw[wider], before)] = 0.0
        around = filters.gaussian(residual * residual, AROUND)
        expected = filters.gaussian(variance, AROUND)
        share = 1.0 - np.float32(CHANCE) * expected / np.maximum(around, np.float32(1e-30))
        inner = slice(rows.start - wider.start, rows.stop - wider.start)
        changed = share[inner] > 0.0
        add(result[rows], changed, ((share * residual)[inner] * pair.unit)[changed])
        count += int(np.count_nonzero(share[inner] > CLEAR))
    return count / raw.size


def _may_be_weak(pair: Pair) -> bool:
    """Return whether half of the residual is so small that the noise may be weak."""
    step = max(1, int(np.sqrt(pair.raw.size / GLANCE)))
    few = np.s_[::step, ::step]
    after = pair.scaled(pair.result[few])
    left = np.abs(pair.scaled(pair.raw[few]) - after)
    contrast = blocks.percentile(np.sort(after, axis=None), 99.5) - blocks.percentile(np.sort(after, axis=None), 0.5)
    return 0.0 < median(left) < WEAK * contrast


def _variances(pair: Pair, report: NoiseReport | None) -> Floats | None:
    """Return the most that the noise's variance may be at levels of the result from 0 to 1; None if nothing tells."""
    if report is None:
        return None
    hanging = max(abs(report.along_rows[0]), abs(report.along_columns[0])) > ALIKE
    if hanging or report.row or report.column or report.impulses > WILD:
        return None
    levels = pair.offset + pair.unit * np.linspace(0.0, 1.0, LEVELS)
    most = np.array([_most(report, float(level)) for level in levels.clip(report.low, report.high)]) / pair.unit
    return (most**2).astype(np.float32) if 0.0 < float(np.median(most)) < WEAK else None


def _most(report: NoiseReport, level: float) -> float:
    """Return the standard deviation of the noise at an intensity, and what it may be more."""
    return max(report.at(level) + report.error_at(level), 0.3 * report.step)


def _wild(residual: Floats, level: Floats, deviation: Floats) -> Mask:
    """Return where a pixel deviates and none of the eight beside it does, or beyond all that the result shows."""
    wild = np.abs(residual) > ALONE * deviation
    if not wild.any():
        return wild
    padded = np.pad(residual, 1, mode="edge")
    rows, columns = np.nonzero(wild)
    own = residual[rows, columns]
    most = np.zeros_like(own)
    for down in range(3):
        for across in range(3):
            if (down, across) != (1, 1):
                np.maximum(most, padded[rows + down, columns + across] * np.sign(own), out=most)
    seen = level[rows, columns] + own
    wild[rows, columns] = (most < BESIDE * np.abs(own)) | (seen > 1.0 + BEYOND) | (seen < -BEYOND)
    return wild
