r"""Variance against mean in blocks without structure.

In a block whose clean image is flat, a filter that takes away planes and curved surfaces leaves the noise alone, of
whatever distribution as long as it is white; its mean square is the noise's variance (Immerkaer 1996, Comput. Vis.
Image Underst. 64, 300). Of counted electrons the variance grows with the mean,
:math:`v = \sigma^2 + g (m - m_0)` (Foi et al. 2008, IEEE Trans. Image Process. 17, 1737).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from temclean import _pieces
from temclean.evidence import samples
from temclean.evidence.samples import RELATED, Floats, Mask, bend, block_products, block_sums, in_rows, median, spread

Doubles = NDArray[np.float64]

QUIET, BINS, CELL_SIDE = 0.5, 10, 4
"""Share of the blocks of about one mean that is taken for flat, groups of blocks by their mean, and pixels along the
side of a cell whose mean tells what varies slowly."""

MASKED, TOGETHER = {0.02: 4, 0.1: 2, 1.0: 1}, 1 - 0.9**9
"""Share of masked pixels up to which a filter of an order is taken: enough of its places must be whole; and share of
places of that of order 2 that are not, up to which it is taken of more pixels, as these lie together then."""

LEAK, LEAST_LEFT = 7.0, 0.02
"""What fine structure leaves in the filter of order 2 over what it leaves in that of order 4, about; and share of the
variance that is left at least where structure is taken off: what was taken off is in doubt."""

GLANCED, CALMEST, MOST_COARSE = 8, 0.1, 1.4
"""Pixels along a side of the blocks by which noise is seen at a glance; share of them, those with the least; and by how
much more the filter of order 2 may keep then: of structure of 3 pixels it keeps 1.7 times as much."""

SURE = 4.0
"""Standard errors from which on a slope is one."""


@dataclass(frozen=True)
class Blocks:
    """What is known of the blocks that are quiet.

    Attributes
    ----------
    mean, variance, count : mean of the pixels as the filter weights them, mean square of the filter, and places of the
        filter in each block.
    coarse : mean square of the filter of order 2 in the same blocks; None where that is the filter.
    scatter, coarse_scatter : variance of ``variance``, and of ``coarse``, over its square, for one place of the filter,
        of Gaussian noise.
    order : of the filter, the mixed difference of so many orders along both axes.
    slow : variance of what varies in these blocks from 4x4 pixels to the next, noise among it.
    chosen : which of all blocks, (pieces, down, across), these are.
    side : of a block, in pixels.
    pooled : variance of means of 4x4 pixels of the noise over that of white noise.
    """

    mean: Doubles
    variance: Doubles
    count: Doubles
    coarse: Doubles | None
    scatter: float
    order: int
    slow: float
    chosen: Mask
    side: int
    coarse_scatter: float = 2 * RELATED[2] ** 2
    pooled: float = 1.0

    @property
    def structured(self) -> float:
        """Share of what varies in the blocks, from a few pixels to the next, that is not noise."""
        found = float((self.variance * self.count).sum() / self.count.sum())
        structure = max(self.slow - self.pooled * found / CELL_SIDE**2, 0.0)
        return structure / (structure + found) if structure else 0.0


@dataclass(frozen=True)
class Line:
    """Variance at intensity 0 and its slope, with their standard errors.

    At the intensity ``middle`` the variance is surest, with the error ``middle_error``, and independent of the slope.
    """

    start: float
    slope: float
    start_error: float
    slope_error: float
    middle: float = 0.0
    middle_error: float = 0.0

    def doubted(self, share: float) -> "Line":
        """Return it with larger errors, where that share of the variance may not be noise."""
        values = max(self.start, 0.0), abs(self.slope), max(self.start + self.slope * self.middle, 0.0)
        errors = self.start_error, self.slope_error, self.middle_error
        start, slope, middle = (math.hypot(error, share * of) for error, of in zip(errors, values, strict=True))
        return replace(self, start_error=start, slope_error=slope, middle_error=middle)

    def at(self, mean: Doubles) -> Doubles:
        """Return the variance at these means; at least a little."""
        return np.maximum(self.start + self.slope * mean, 1e-12)


def mixed(pieces: Floats, order: int) -> Floats:
    """Return the mixed difference of some order along both axes, 1 or an even one; white noise keeps its variance."""
    return samples.steep(samples.steep(pieces, 1, order), 2, order)


def at_a_glance(pieces: Floats) -> float:
    """Return the least that the standard deviation of the noise can be; 0 where that takes a closer look.

    It is a quarter of that of the calmest blocks, if the filters of both orders agree that hardly any of it is
    structure's (`whitened`): noise that hangs together may keep 13 times its variance (`correlation.remaining`).
    """
    if min(pieces.shape[1:]) < GLANCED + 4:
        return 0.0
    bent = bend(bend(pieces, 1), 2)
    fine = block_products(bend(bend(bent, 1), 2), GLANCED) / (GLANCED * math.comb(8, 4)) ** 2
    coarse = block_products(bent[:, 1:-1, 1:-1], GLANCED) / (GLANCED * math.comb(4, 2)) ** 2
    if float(coarse.sum()) > MOST_COARSE * float(fine.sum()):
        return 0.0
    return math.sqrt(float(np.quantile(fine, CALMEST)) / 16)


def weighted(pieces: Floats, order: int, *, axes: tuple[int, ...] = (1, 2)) -> Floats:
    """Return the mean of the pixels that differences along the axes look at, as their variances enter into the square.

    So where the variance grows with the intensity, that of the filter is on the same line, even across edges.
    """
    weights = np.array([math.comb(order, k) ** 2 for k in range(order + 1)], np.float64)
    weights /= weights.sum()
    rows, turned = in_rows(pieces)
    for axis in axes:
        along = 3 - axis if turned else axis
        out = np.empty([length - order * (each == along) for each, length in enumerate(rows.shape)], np.float32)
        _pieces.weighted(rows, weights.astype(np.float32), along, out)
        rows = out
    return rows.swapaxes(1, 2) if turned else rows


def blocks(pieces: Floats, masked: Mask | None) -> Blocks | None:
    """Return the quiet half of the blocks of each mean, by what varies slowly in them; None where there are too few.

    The filter does not see what varies slowly, so that the choice does not favour blocks with less noise.
    """
    share = 0.0 if masked is None else float(masked.mean())
    order = next(each for most, each in MASKED.items() if share <= most)
    if masked is not None and order == 1 and float(spread(masked, 3, 3).mean()) < TOGETHER:
        order = 2
    side = 16 if order == 1 and pieces.size >= 96 * 96 else 8
    if min(pieces.shape[1:]) <= side + order:
        return None
    fine = mixed(pieces, order)
    whole = None if masked is None else ~spread(masked, order + 1, order + 1)
    square, count = block_products(_only(fine, whole), side), _counts(fine, whole, side)
    level = block_sums(_only(weighted(pieces, order), whole), side)
    coarse = None
    if order == 4:
        coarse = block_products(_only(mixed(pieces[:, 1:-1, 1:-1], 2), whole), side)
    lit = None if masked is None else ~masked
    down, across = square.shape[1:]
    many = side // 4

    def grouped(cell: Doubles) -> Doubles:
        cut = cell[:, : down * many, : across * many]
        return cut.reshape(len(cut), down, many, across, many).swapaxes(2, 3).reshape(len(cut), down, across, -1)

    held, inner = grouped(_counts(pieces, lit, 4)), grouped(block_sums(_only(pieces, lit), 4))
    total = held.sum(3)
    mean = inner.sum(3) / np.maximum(total, 1.0)
    away = np.where(held > 0, inner / np.maximum(held, 1.0) - mean[..., None], 0.0)
    slow = (away * away * held).sum(3) / np.maximum(total, 1.0)
    usable = (count >= max(12, side * side // 16)) & (total >= side * side // 6)
    if int(usable.sum()) < 12:
        return None
    chosen = quiet(mean, slow, usable)
    places = count[chosen]
    mean = level[chosen] / places if order > 1 else mean[chosen]
    left = None if coarse is None else coarse[chosen] / places
    scatter, varies = 2 * RELATED[order] ** 2, float(slow[chosen].mean())
    return Blocks(mean, square[chosen] / places, places, left, scatter, order, varies, chosen, side)


def _only(pieces: Floats, whole: Mask | None) -> Floats:
    return pieces if whole is None else pieces * whole


def _counts(pieces: Floats, whole: Mask | None, side: int) -> Doubles:
    """Return how many pixels count in each block."""
    if whole is not None:
        return block_sums(whole, side)
    return np.full((len(pieces), *(length // side for length in pieces.shape[1:])), float(side * side))


def quiet(mean: Doubles, slow: Doubles, usable: Mask) -> Mask:
    """Return which blocks vary least among those of about the same mean."""
    numbers = np.flatnonzero(usable.ravel())
    by_mean = numbers[np.argsort(mean.ravel()[numbers], kind="stable")]
    chosen = np.zeros(mean.size, bool)
    for group in np.array_split(by_mean, min(BINS, len(by_mean) // 6)):
        calm = group[np.argsort(slow.ravel()[group], kind="stable")]
        chosen[calm[: max(3, math.ceil(QUIET * len(calm)))]] = True
    return chosen.reshape(mean.shape)


def whitened(data: Blocks, kept: float, kept_by_coarse: float) -> tuple[Blocks, float]:
    """Return blocks with the variance of all the noise, and how much of it, over it, may be fine structure instead.

    The two are what filters of both orders keep of it. What structure left in the filter is taken off, by how much more
    it left in the coarse one: of simulated specimens `LEAK` times as much, give or take as much again.
    """
    variance = data.variance / kept
    total = float((variance * data.count).sum())
    if data.coarse is None or not total:
        return replace(data, variance=variance), 0.0
    coarse = data.coarse / kept_by_coarse
    leak = (coarse - variance) / (LEAK - 1)
    share = float((leak * data.count).sum()) / total
    if abs(share) * (LEAK - 1) < 3 * math.sqrt(data.scatter / float(data.count.sum())):
        return replace(data, variance=coarse, scatter=data.coarse_scatter), abs(share)
    left = np.maximum(variance - leak, LEAST_LEFT * variance)
    return replace(data, variance=left), abs(share) / max(1 - share, LEAST_LEFT)


def line(data: Blocks, *, sloped: bool) -> tuple[Line, float]:
    """Fit variance against mean, or a constant, without outliers above; with the mean square of what is left."""
    middle = max(median(data.variance), 0.2 * float(data.variance.mean()))
    least = 0.05 * middle + 1e-12
    predicted, kept = np.full(data.mean.shape, max(middle, 1e-12)), np.ones(data.mean.shape, bool)
    slope, last = 0.0, None
    columns = np.stack([np.ones_like(data.mean), data.mean]) if sloped else np.ones((1, data.mean.size))
    for _ in range(5):  # or until it has settled
        # Of counted electrons a pixel's fourth cumulant is the cube of the gain times their mean.
        scatter = data.scatter + max(slope, 0.0) ** 2 / predicted
        weight = kept * data.count / (scatter * predicted**2)
        normal = (columns * weight) @ columns.T
        if not normal.any():
            break
        covariance = 1.0 / normal[:1, :1]
        if sloped:
            (first, mixed), (_, second) = normal.tolist()
            determinant = first * second - mixed * mixed
            if (first + second) * (first + second) > 1e12 * determinant:  # nearly singular
                return line(data, sloped=False)
            covariance = np.array([[second, -mixed], [-mixed, first]]) / determinant
        found = covariance @ ((columns * weight) @ data.variance)
        slope = float(found[1]) if sloped else 0.0
        predicted = np.maximum(found @ columns, least)
        settled = last is not None and math.dist(found, last[0]) < 1e-3 * math.hypot(*found)
        last = found, covariance, kept, predicted, scatter
        # A sum of squares is skewed, its cube root is not (Wilson and Hilferty 1931, Proc. Natl. Acad. Sci. 17, 684).
        part = scatter / data.count / 9
        off = (np.cbrt(data.variance / predicted) - 1 + part) / np.sqrt(part)
        seen, kept = kept, off < 3.5 * math.sqrt(max(1.0, median(off**2) / 0.455))
        if settled and np.array_equal(seen, kept):
            break
    return _told(data, *last) if last else (Line(0.0, 0.0, 0.0, 0.0), 0.0)


def _told(
    data: Blocks, found: Doubles, covariance: Doubles, kept: Mask, predicted: Doubles, scatter: Doubles
) -> tuple[Line, float]:
    """Return a fit, of one parameter or two, with its errors and its misfit."""
    off = (data.variance - predicted) / (predicted * np.sqrt(scatter / data.count))
    misfit = float(np.mean(off[kept] ** 2))
    errors = np.sqrt(np.diag(covariance) * max(misfit, 1.0))
    slope, slope_error = (float(found[1]), float(errors[1])) if len(found) > 1 else (0.0, 0.0)
    place = -float(covariance[0, 1] / covariance[1, 1]) if len(found) > 1 else 0.0
    surest = float(covariance[0, 0]) - (place**2 * float(covariance[1, 1]) if len(found) > 1 else 0.0)
    surest = math.sqrt(max(surest, 0.0)) * math.sqrt(max(misfit, 1.0))
    return Line(float(found[0]), slope, float(errors[0]), slope_error, place, surest), misfit


def below(deviations: Doubles) -> Doubles:
    """Return the share of a Gaussian below so many standard deviations."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in deviations.ravel()]).reshape(deviations.shape)
