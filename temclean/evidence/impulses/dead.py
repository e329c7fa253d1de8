r"""Dead pixels among counted electrons: zeros where neighbours say that none can be a count.

Pixels are grouped by the mean of their neighbours, which tells nothing of their own noise. What is above 0 in a group
has the mean :math:`\mu` and the variance v, in electrons, which is that of counts and of what the clean image varies
there. If clean values have a gamma distribution, a share of :math:`(v / \mu)^{-\mu^2 / (v - \mu)}` is 0 by chance
(Fisher 1941, Ann. Eugen. 11, 182). What is 0 beyond that is dead, the same share of any group.
"""

import math
from dataclasses import dataclass

import numpy as np

from temclean.evidence.impulses.suspects import Suspects
from temclean.evidence.samples import Floats, Mask, Sample
from temclean.evidence.variance import Doubles, below

BINS = 48
"""Groups of pixels, as many of dim as of bright ones: by the root of the mean."""

ALONE, CLEAR = 7, 5
"""Neighbours of eight that are not 0 beside a pixel that tells of dead ones, as what is 0 in an area is none; and
beside one that is taken for dead where these are known to be there."""

FEWEST, LEAST, ENOUGH = 50, 5, 2**18
"""Pixels that tell how the values of a group are distributed; zeros that there must be to look at all; and pixels of
which mean and variance are taken."""

DIM, TELLING = 1.5, 4.0
"""Means, in steps, from which on a group counts, and from which on its variance tells what an electron is."""

QUIETER, SUCH = 0.8, 0.05
"""Variance over the mean, in steps, below which values are no counts; and share of the pixels that may be so."""

UNLIKE = 0.3
"""Share of the zeros by chance that is in doubt: clean values are not gamma distributed."""

REPEATED, FARTHEST = 0.5, 8
"""Share of the dead pixels that others follow at one distance, and how far, from which on they are a lattice's."""

CERTAIN = 4.0
"""Standard errors from which on there are dead pixels."""


@dataclass(frozen=True)
class Dead:
    """Share of all pixels that are dead, its standard error, and which pixels are taken for such, if any is sure to be.

    Where none is, the share is 0, and the error what it may be.
    """

    share: float
    error: float
    mask: Mask | None


@dataclass(frozen=True)
class _Groups:
    """Of groups of pixels: how many, at 0, and at 1 step; and of those above 0 mean and variance, in steps."""

    count: Doubles
    zero: Doubles
    one: Doubles
    mean: Doubles
    variance: Doubles


def dead(sample: Sample, found: Suspects) -> Dead | None:
    """Return the dead pixels of a sample whose values are counts, 0 none; None where they are not.

    Noise that a detector cut off at 0 leaves zeros too: as many as a Gaussian of the same mean and variance has below 0
    are in doubt in each group, and where values vary less than counts do, nothing is told.
    """
    if not sample.step or found.at_low * sample.pieces.size < LEAST or min(sample.pieces.shape[1:]) < 3:
        return None
    steps = np.rint(sample.pieces / np.float32(sample.step))
    zero = steps <= 0
    lit = ~(zero | found.wild)  # no stretches: where dead pixels gather by chance, rows look darker
    number = _ring(lit.astype(np.float32))
    around = np.sqrt(_ring(steps * lit) / np.maximum(number, 1))
    most = float(around.max())
    if not most:
        return None
    place = (around * np.float32(BINS / most)).astype(np.int16).clip(0, BINS - 1)
    inner = (slice(None), slice(1, -1), slice(1, -1))
    groups = _grouped(steps[inner], lit[inner], np.where(number >= ALONE, place, BINS))
    likely = (groups.count >= FEWEST) & (groups.mean > DIM)
    telling = likely & (groups.mean > TELLING)
    over = groups.variance / np.maximum(groups.mean, 1)
    if not telling.any() or groups.count[telling & (over < QUIETER)].sum() > SUCH * groups.count[telling].sum():
        return None
    chance = _by_chance(groups, max(1.0, float(over[telling].min())))
    tail = below(-(groups.mean - 0.5) / np.sqrt(np.maximum(groups.variance, 1e-9)))
    doubt = UNLIKE * chance + tail + groups.one / np.maximum(groups.count, 1)
    share, error = _share(*(each[likely] for each in (groups.count, groups.zero, chance, doubt)))
    if share < CERTAIN * error:
        return Dead(0.0, max(share, error), None)
    mask = np.zeros(zero.shape, bool)
    unlikely = likely & (chance < share / 2)
    mask[inner] = zero[inner] & (number >= CLEAR) & unlikely[place]
    return Dead(0.0, error, None) if _repeated(mask) else Dead(share, error, mask)


def _repeated(mask: Mask) -> bool:
    """Tell whether pixels lie at the same distance from each other, as between columns of a lattice."""
    least, width = REPEATED * np.count_nonzero(mask), mask.shape[2]
    for down in range(FARTHEST + 1):
        for right in range(-FARTHEST if down else 2, FARTHEST + 1):
            here = mask[:, down:, max(right, 0) : width + min(right, 0)]
            there = mask[:, : mask.shape[1] - down, max(-right, 0) : width + min(-right, 0)]
            if here.size and np.count_nonzero(here & there) > least:
                return True
    return False


def _ring(values: Floats) -> Floats:
    """Return the sums over the eight neighbours of pixels that have as many."""
    rows = values[:, :-2] + values[:, 1:-1] + values[:, 2:]
    sums: Floats = rows[:, :, :-2] + rows[:, :, 1:-1] + rows[:, :, 2:] - values[:, 1:-1, 1:-1]
    return sums


def _grouped(steps: Floats, lit: Mask, place: "np.ndarray[tuple[int, ...], np.dtype[np.int16]]") -> _Groups:
    def total(which: Mask | None = None, weights: Floats | None = None) -> Doubles:
        where = place.ravel() if which is None else place[which]
        sums: Doubles = np.bincount(where, weights, BINS + 1)[:BINS].astype(np.float64)
        return sums

    some = lit.copy()
    thin = -(-steps.size // ENOUGH)
    for skipped in range(1, thin):
        some[:, skipped::thin] = False
    values, number = steps[some], np.maximum(total(some), 1)
    mean = total(some, values) / number
    variance = np.maximum(total(some, values * values) / number - mean**2, 0.0)
    return _Groups(total(), total(steps <= 0), total(steps == 1), mean, variance)


def _by_chance(groups: _Groups, electron: float) -> Doubles:
    """Return the share of each group that counts of so many steps an electron leave at 0."""
    mean = np.maximum(groups.mean / electron, 1e-9)
    variance = np.maximum(groups.variance / electron**2, 1.0001 * mean)
    share: Doubles = np.exp(-(mean**2) / (variance - mean) * np.log(variance / mean))
    return share


def _share(count: Doubles, zero: Doubles, chance: Doubles, doubt: Doubles) -> tuple[float, float]:
    """Return the share of dead pixels and its standard error; doubts of all groups are taken to go the same way."""
    share = float(zero.sum() / count.sum())
    error = 1.0
    for _ in range(3):
        expected = chance + share * (1 - chance)
        by_number = (expected * (1 - expected) + 1 / count) / count
        weight = (1 - chance) ** 2 / (by_number + doubt**2)
        left = (zero / count - chance) / (1 - chance)
        share = max(float((weight * left).sum() / weight.sum()), 0.0)
        misfit = float(np.mean((left - share) ** 2 * weight))
        spread = math.sqrt(float((weight**2 * by_number / (1 - chance) ** 2).sum()) * max(misfit, 1.0))
        error = math.hypot(spread, float((weight * doubt).sum())) / float(weight.sum())
    return share, error
