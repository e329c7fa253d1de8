r"""Variance against mean in blocks without structure.

In a block whose clean image is flat, a filter that takes away planes and curved surfaces leaves the noise alone, of
whatever distribution as long as it is white; its mean square is the noise's variance (Immerkaer 1996, Comput. Vis.
Image Underst. 64, 300). Of counted electrons the variance grows with the mean,
:math:`v = \sigma^2 + g (m - m_0)` (Foi et al. 2008, IEEE Trans. Image Process. 17, 1737).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.samples import Floats, Mask, bend, block_sums, spread

Doubles = NDArray[np.float64]

QUIET = 0.5
"""Share of the blocks of about one mean that is taken for flat."""

BINS = 10
"""Groups of blocks by their mean."""

MASKED = 0.1
"""Share of masked pixels above which the smallest filter is taken, so that enough of its places are whole."""

SURE = 4.0
"""Standard errors from which on a slope is one."""

NODES = 96
"""Means at which a cut Gaussian is worked out."""


@dataclass(frozen=True)
class Blocks:
    """What is known of the blocks that are quiet.

    Attributes
    ----------
    mean, variance, count : mean of the pixels, mean square of the filter, and places of the filter in each block.
    scatter : variance of ``variance`` over its square, for one place of the filter.
    order : 1, where the filter is the mixed difference of 2x2 pixels, or 2, that of 3x3.
    chosen : which of all blocks, (pieces, down, across), these are.
    side : of a block, in pixels.
    """

    mean: Doubles
    variance: Doubles
    count: Doubles
    scatter: float
    order: int
    chosen: Mask
    side: int


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

    def at(self, mean: Doubles) -> Doubles:
        """Return the variance at these means; at least a little."""
        return np.maximum(self.start + self.slope * mean, 1e-12)


def mixed(pieces: Floats, order: int) -> Floats:
    """Return the mixed difference of every 2x2 (order 1) or 3x3 pixels (order 2); white noise keeps its variance."""
    if order == 1:
        rows = pieces[:, 1:] - pieces[:, :-1]
        return (rows[:, :, 1:] - rows[:, :, :-1]) * np.float32(0.5)
    return bend(bend(pieces, 1), 2) * np.float32(1 / 6)


def blocks(pieces: Floats, masked: Mask | None) -> Blocks | None:
    """Return the quiet half of the blocks of each mean, by what varies slowly in them; None where there are too few.

    The filter does not see what varies slowly, so that the choice does not favour blocks with less noise.
    """
    order = 1 if masked is not None and float(masked.mean()) > MASKED else 2
    side = 16 if pieces.size >= 400 * 256 else 8
    if min(pieces.shape[1:]) <= side + 2:
        return None
    fine = mixed(pieces, order)
    energy = fine * fine
    if masked is None:
        square, shape = block_sums(energy, side), block_sums(energy, side).shape
        count = np.full(shape, float(side * side))
        inner, cells = block_sums(pieces, 4), np.full(1, 16.0)
    else:
        whole = ~spread(masked, order + 1, order + 1)
        square, count = block_sums(energy * whole, side), block_sums(whole, side)
        inner, cells = block_sums(pieces * ~masked, 4), block_sums(~masked, 4)
    down, across = square.shape[1:]
    many = side // 4

    def grouped(cell: Doubles) -> Doubles:
        cut = cell[:, : down * many, : across * many]
        return cut.reshape(len(cut), down, many, across, many).swapaxes(2, 3).reshape(len(cut), down, across, -1)

    held = grouped(np.broadcast_to(cells, inner.shape))
    total = held.sum(3)
    mean = grouped(inner).sum(3) / np.maximum(total, 1.0)
    away = np.where(held > 0, grouped(inner) / np.maximum(held, 1.0) - mean[..., None], 0.0)
    slow = (away * away * held).sum(3) / np.maximum(total, 1.0)
    usable = (count >= max(12, side * side // 16)) & (total >= side * side // 6)
    if int(usable.sum()) < 12:
        return None
    chosen = quiet(mean, slow, usable)
    scatter = 2 * (2.25 if order == 1 else 3.78)
    return Blocks(mean[chosen], square[chosen] / count[chosen], count[chosen], scatter, order, chosen, side)


def quiet(mean: Doubles, slow: Doubles, usable: Mask) -> Mask:
    """Return which blocks vary least among those of about the same mean."""
    numbers = np.flatnonzero(usable.ravel())
    by_mean = numbers[np.argsort(mean.ravel()[numbers], kind="stable")]
    chosen = np.zeros(mean.size, bool)
    for group in np.array_split(by_mean, min(BINS, len(by_mean) // 6)):
        calm = group[np.argsort(slow.ravel()[group], kind="stable")]
        chosen[calm[: max(3, math.ceil(QUIET * len(calm)))]] = True
    return chosen.reshape(mean.shape)


def line(data: Blocks, *, sloped: bool) -> tuple[Line, float]:
    """Fit variance against mean, or a constant, by weighted least squares without outliers above; with the misfit.

    The misfit is the mean square of what the fit leaves, in standard deviations.
    """
    predicted = np.full(data.mean.shape, max(float(np.median(data.variance)), 1e-12))
    kept = np.ones(data.mean.shape, bool)
    fit, misfit = Line(0.0, 0.0, 0.0, 0.0), 0.0
    for _ in range(5):
        weight = kept * data.count / (data.scatter * predicted**2)
        columns = np.stack([np.ones_like(data.mean), data.mean]) if sloped else np.ones((1, data.mean.size))
        normal = (columns * weight) @ columns.T
        if float(np.linalg.cond(normal)) > 1e12:
            return line(data, sloped=False) if sloped else (fit, misfit)
        covariance = np.linalg.inv(normal)
        found = covariance @ ((columns * weight) @ data.variance)
        predicted = np.maximum(found @ columns, 0.05 * float(np.median(data.variance)) + 1e-12)
        off = (data.variance - predicted) / (predicted * np.sqrt(data.scatter / data.count))
        misfit = float(np.mean(off[kept] ** 2))
        errors = np.sqrt(np.diag(covariance) * max(misfit, 1.0))
        slope, slope_error = (float(found[1]), float(errors[1])) if sloped else (0.0, 0.0)
        middle = -float(covariance[0, 1] / covariance[1, 1]) if sloped else 0.0
        surest = math.sqrt(max(float(covariance[0, 0]) - (middle**2 * float(covariance[1, 1]) if sloped else 0.0), 0.0))
        fit = Line(float(found[0]), slope, float(errors[0]), slope_error, middle, surest * math.sqrt(max(misfit, 1.0)))
        kept = off < 3.5 * math.sqrt(max(1.0, float(np.median(off**2)) / 0.455))
    return fit, misfit


def cut_gaussian(sigma: float, low: bool, high: bool) -> tuple[Doubles, Doubles, Doubles]:
    """Return means of Gaussians of one width, and mean and variance of what of them lies in [0, 1].

    ``low`` and ``high`` say at which ends they are cut off. With limits a, b in standard deviations and Z the area
    between them, the mean is shifted by (phi(a) - phi(b)) / Z widths, and the variance in squared widths is
    1 + (a phi(a) - b phi(b)) / Z - shift^2 (Johnson, Kotz and Balakrishnan 1994, Continuous Univariate Distributions).
    """
    middle = np.linspace(-2.5 * sigma if low else 0.0, 1 + 2.5 * sigma if high else 1.0, NODES)
    a = -middle / sigma if low else np.full(NODES, -40.0)
    b = (1 - middle) / sigma if high else np.full(NODES, 40.0)
    area = np.maximum(below(b) - below(a), 1e-300)
    phi_a, phi_b = (np.exp(-0.5 * limit**2) / math.sqrt(2 * math.pi) for limit in (a, b))
    shift = (phi_a - phi_b) / area
    variance = 1 + (a * phi_a - b * phi_b) / area - shift**2
    return middle, middle + sigma * shift, sigma**2 * np.maximum(variance, 1e-9)


def below(deviations: Doubles) -> Doubles:
    """Return the share of a Gaussian below so many standard deviations."""
    return np.array([0.5 * math.erfc(-value / math.sqrt(2)) for value in deviations.ravel()]).reshape(deviations.shape)


def cut_sigma(data: Blocks, low: bool, high: bool) -> tuple[float, float, float]:
    """Find the one width of Gaussians, cut off at 0 or 1, whose pixels between these have the blocks' variance.

    Returns it, its standard error and the misfit, as for `line`.
    """
    least, most = 1e-4, 2.0
    total = float(data.count.sum())
    predicted = data.variance
    for _ in range(30):
        sigma = math.sqrt(least * most)
        _, mean, variance = cut_gaussian(sigma, low, high)
        predicted = np.interp(data.mean, mean, variance)
        ratio = np.minimum(data.variance / predicted, 4.0)
        if float((ratio * data.count).sum()) > total:
            least = sigma
        else:
            most = sigma
    off = (data.variance - predicted) / (predicted * np.sqrt(data.scatter / data.count))
    misfit = float(np.mean(np.minimum(off, 8.0) ** 2))
    return sigma, 0.5 * sigma * math.sqrt(data.scatter * max(misfit, 1.0) / total), misfit
