r"""How strong the noise of an image may be at most, wave by wave, as its quietest places tell.

Noise is everywhere; what is fine and irregular is here and there. So of the blocks of 8x8 pixels that are about as
bright, those in which least varies hold the noise and little else, be it white or not. To choose them by the waves
that are then measured would find chance low, so half of the waves, as the squares of a chessboard, chooses for the
other half: waves of noise are independent of each other.

Brighter places have more noise, but no detector's noise grows faster than electrons are counted,
:math:`\sigma^2(p) \leq \sigma^2(q) (p - p_0) / (q - p_0)` for intensities p above q and that of the darkest place,
:math:`p_0`, or, where an image was reversed, below q and the brightest: so a quiet place at one intensity bounds the
noise at all others.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats
from temclean.evidence.corrections import cosines
from temclean.evidence.ends import Ends
from temclean.evidence.samples import Sample

LEVELS = 8
"""Groups of blocks by brightness, as many in each."""

SHARE, FEWEST = 0.025, 40
"""Share of a group that counts as quiet, and how many blocks these are at least."""

ENOUGH = 1024
"""Blocks that tell what is usual, about."""

SMALLEST = 2 * cosines.SIDE
"""Pixels along a side, below which blocks tell nothing."""

ALIKE = 0.5
"""Share of the pixels of a block that equal the next of their row, from which on it was filled in or saturated."""

WHITE = 1.5
"""Median of the waves over the mean of the weakest third up to which the noise is white: as it is then."""

ORDER = np.add.outer(np.arange(cosines.SIDE), np.arange(cosines.SIDE)).ravel()
"""Half periods of each wave along rows and columns together."""

TOLD, LONGEST = ORDER >= 2, ORDER == 2
"""Waves that tell, and the longest of these: of longer ones, the specimen's mean and slopes, noise has as much."""

CHESSBOARD = ORDER % 2 == 0


@dataclass(frozen=True)
class Quiet:
    """The noise of quiet places.

    Attributes
    ----------
    low, high : mean intensity of the darkest block and of the brightest.
    levels : (n,), mean intensity of the quiet blocks of each group.
    variances : (n, WAVES), variance of each wave of theirs.
    """

    low: float
    high: float
    levels: NDArray[np.float64]
    variances: NDArray[np.float64]

    def at(self, intensities: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the most that the variance of each wave may be, (intensities, WAVES)."""
        most = np.full((len(intensities), cosines.WAVES), np.inf)
        for level, variance in zip(self.levels, self.variances, strict=True):
            grown = np.ones(len(intensities))
            with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # at an end nothing is known of others
                for end, sign in ((self.low, 1), (self.high, -1)):
                    grown = np.fmax(grown, sign * (intensities - end) / max(sign * (level - end), 0.0))
                most = np.fmin(most, np.outer(grown, variance))
        return most


def deviation(sample: Sample, intensity: float, cut: Ends | None = None) -> float | None:
    """Return the most that the standard deviation of the noise may be at an intensity; None where too little tells.

    Parameters as of :func:`measure`, the intensity and the result in the image's own units.
    """
    found = measure(sample, cut) if min(sample.pieces.shape[1:]) >= SMALLEST else None
    return None if found is None else float(np.sqrt(found.at(np.array([intensity]))[0].mean()))


def measure(sample: Sample, cut: Ends | None = None) -> Quiet | None:
    """Measure the noise of the quiet places of a sample; None where there are too few.

    Parameters
    ----------
    sample : what is looked at of an image, at least 16x16 pixels.
    cut : where the image is cut off, in its own units: blocks with pixels there tell nothing.
    """
    blocks = np.concatenate([cosines.cut(piece).reshape(-1, cosines.WAVES) for piece in sample.pieces])
    rows = blocks.reshape(-1, cosines.SIDE, cosines.SIDE)
    kept = np.mean(rows[:, :, 1:] == rows[:, :, :-1], axis=(1, 2)) < ALIKE
    if cut:
        kept &= ~cut.scaled(sample.low, sample.width).beyond(blocks).any(axis=1)
    blocks = blocks[kept]
    if len(blocks) < LEVELS * FEWEST:
        return None
    level = blocks.mean(axis=1)
    powers = np.square(cosines.transform(blocks))
    usual = np.maximum(np.median(powers[:: max(1, len(powers) // ENOUGH)], axis=0), 1e-30)
    choosing = [(powers[:, each] / usual[each]).mean(axis=1) for each in (TOLD & CHESSBOARD, TOLD & ~CHESSBOARD)]
    levels, variances = [], []
    for group in np.array_split(np.argsort(level, kind="stable"), LEVELS):
        count = max(int(SHARE * len(group)), FEWEST)
        first, second = (group[np.argpartition(energy[group], count - 1)[:count]] for energy in choosing)
        variance = np.where(CHESSBOARD, powers[second].mean(axis=0), powers[first].mean(axis=0))
        variance[~TOLD] = variance[LONGEST].mean()
        levels.append(0.5 * float(level[first].mean() + level[second].mean()))
        variances.append(_even(variance.astype(np.float64)))
    least = sample.step**2 / 12  # values that were rounded
    return Quiet(
        sample.low + sample.width * float(level.min()),
        sample.low + sample.width * float(level.max()),
        sample.low + sample.width * np.array(levels),
        sample.width**2 * np.maximum(np.array(variances), least),
    )


def _even(variance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the variances of waves without chance: one for white noise, else geometric means of nine."""
    ordered = np.sort(variance[TOLD])
    middle = float(np.median(ordered))
    if middle < WHITE * float(ordered[: len(ordered) // 3].mean()):
        return np.full(cosines.WAVES, middle)
    square: Floats = np.log(np.maximum(variance, 1e-30)).reshape(cosines.SIDE, cosines.SIDE).astype(np.float32)
    return np.exp(cosines.smooth(cosines.smooth(square, 0), 1).ravel().astype(np.float64))
