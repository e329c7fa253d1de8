"""Noise that a detector cut off at its least or its greatest value: whether it did, and how strong it was before.

Of what is left mean and variance are worked out for any noise before, and that is looked for which explains what blocks
show. That the least is nothing counted, rather than a cut, is told by how the variance grows with the mean.
"""

import math
from dataclasses import replace

import numpy as np

from temclean.evidence import impulses, variance
from temclean.evidence.impulses import Suspects
from temclean.evidence.samples import Sample, grid, share_of
from temclean.evidence.variance import Blocks, Doubles, Line, below

NODES = 96
"""Means at which noise that is cut off is worked out."""

MOST_SKEWED = 0.5
"""Skewness of counts up to which that is: of 4 electrons."""

OFTEN, MANY = 5e-3, 1.1
"""Of values in few steps: share of the greatest, and times as many as the next ones explain, from which on they are cut
off there."""

CALM, COARSE = 0.9, 0.6
"""Share of its pixels beside another from which on they are not noisy, and step that leaves too few values to tell."""

FEW = 0.02
"""Step above which zeros are counts where noise grows by a step a step."""

BETTER = 0.015
"""By how much less the misfit of a line must be than that of Gaussian noise for zeros to be counts."""

NEAR, CROWDED = 0.05, 10.0
"""And how many times as many pixels a width as zeros there must be so near to them, in widths: 3.3 is much."""


def saturated(sample: Sample, found: Suspects) -> Suspects:
    """Return suspects with the pixels at the greatest value, where values in few steps are cut off there.

    Where these are noisy, more than a few have values beyond them. How many lie one and two steps before tells how
    many might: most distributions' logarithm is concave, that of counted electrons, seen reversed, among them.
    """
    if found.high or found.at_high < OFTEN or not 0 < sample.step < COARSE:
        return found
    first, second = (share_of(np.abs(sample.pieces - (1 - k * sample.step)) < sample.step / 2) for k in (1, 2))
    at_high = sample.pieces >= 1
    calm = share_of(at_high[:, :, 1:] & at_high[:, :, :-1]) > CALM * found.at_high
    if calm or found.at_high * second <= MANY * first**2:
        return found
    return replace(found, high=True, mask=at_high if found.mask is None else found.mask | at_high)


def counted(data: Blocks, found: Suspects, sample: Sample) -> bool:
    """Return whether none is just the least that can be counted, rather than noise cut off there."""
    step = grid(sample.pieces[sample.pieces < 1])
    sloped, _ = variance.line(data, sloped=True)
    if step and one_by_one(sloped, step, 2.0):
        return True
    whole = variance.blocks(sample.pieces, impulses.suspects(sample, counted=True).mask)
    if whole is None:
        return False
    plain, _ = variance.line(whole, sloped=True)
    if step > FEW and one_by_one(plain, step, 1.25):
        return True
    if found.high or plain.slope < variance.SURE * plain.slope_error or plain.start > plain.start_error:
        return False
    sigma, _, _ = sigma_of(data, True, False, step)
    beside = share_of((sample.pieces > 0) & (sample.pieces <= NEAR * sigma))
    _, _, misfit = sigma_of(whole, True, False, step, held=True)
    better = misfit - misfit_of(whole, plain.at(whole.mean)) > BETTER
    return better or beside > CROWDED * NEAR * found.at_low


def one_by_one(line: Line, step: float, most: float) -> bool:
    """Return whether the variance grows by a step a step, give or take a factor ``most``, as that of counts does."""
    return max(variance.SURE * line.slope_error, step / most) < line.slope < step * most


def gaussian(line: Line, low: bool, high: bool, step: float) -> tuple[Doubles, Doubles, Doubles]:
    """Return means of noise whose variance is on a line, and mean and variance of what of it lies in [0, 1].

    ``low`` and ``high`` say at which ends it is cut off, half a step before, as values in steps are rounded. It is
    Gaussian but for the skewness of counts (Edgeworth's first term). Integrals between limits a, b in standard
    deviations are of powers of z times phi(z) at a and b, as those of truncated Gaussians (Johnson, Kotz and
    Balakrishnan 1994, Continuous Univariate Distributions).
    """
    reach = 2.5 * np.sqrt(line.at(np.array([0.0, 1.0])))
    middle = np.linspace(-reach[0] if low else 0.0, 1 + reach[1] if high else 1.0, NODES)
    sigma = np.sqrt(line.at(middle.clip(0, 1)))
    a = (step / 2 - middle) / sigma if low else np.full(NODES, -40.0)
    b = (1 - step / 2 - middle) / sigma if high else np.full(NODES, 40.0)
    skewed = (line.slope / sigma).clip(-MOST_SKEWED, MOST_SKEWED) / 6
    at_a, at_b = (np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi) * np.stack([z**k for k in range(5)]) for z in (a, b))
    phi = at_a - at_b
    whole = np.maximum(below(b) - below(a), 1e-300)
    area = np.maximum(whole + skewed * (phi[2] - phi[0]), whole / 2)
    shift = (phi[0] + skewed * phi[3]) / area
    left = (whole + phi[1] + skewed * (phi[4] + phi[2] + 2 * phi[0])) / area - shift**2
    return middle, np.maximum.accumulate(middle + sigma * shift), sigma**2 * np.maximum(left, 1e-9)


def sigma_of(data: Blocks, low: bool, high: bool, step: float, held: bool = False) -> tuple[float, float, float]:
    """Return width, its error and misfit of Gaussians cut off at 0 or 1, or at 0 ``held`` there, of these variances."""
    least, most = 1e-4, 2.0
    total = float(data.count.sum())

    def expected(sigma: float) -> Doubles:
        middle, mean, left = gaussian(Line(sigma**2, 0.0, 0.0, 0.0), low, high, step)
        if held:
            share = below((middle - step / 2) / sigma)
            mean, left = share * mean, share * (left + (1 - share) * mean**2)
        return np.interp(data.mean, mean, left)

    predicted = data.variance
    for _ in range(17):  # to 1e-4 of it
        sigma = math.sqrt(least * most)
        predicted = expected(sigma)
        ratio = np.minimum(data.variance / predicted, 4.0)
        if float((ratio * data.count).sum()) > total:
            least = sigma
        else:
            most = sigma
    misfit = misfit_of(data, predicted)
    # The wider, the less the variance of what is left tells the width.
    growth = float((np.log(expected(1.02 * sigma) / predicted) * data.count).sum()) / total / math.log(1.02)
    return sigma, sigma * math.sqrt(data.scatter * max(misfit, 1.0) / total) / min(max(growth, 0.1), 2.0), misfit


def misfit_of(data: Blocks, predicted: Doubles) -> float:
    """Return the mean square of what is left over its error, as for Gaussian noise; what is far off counts little."""
    off = (data.variance - predicted) / (predicted * np.sqrt(data.scatter / data.count))
    return float(np.mean(np.minimum(off, 8.0) ** 2))


def line(data: Blocks, low: bool, high: bool, step: float) -> tuple[Line, float]:
    """Fit a line as `line` to blocks of noise cut off at 0 or 1 as they were before; hardly to those that lost most."""
    found, misfit = variance.line(data, sloped=True)
    for _ in range(12):
        before = found
        middle, mean, spread = gaussian(before, low, high, step)
        place = np.interp(data.mean, mean, middle)
        left = np.interp(data.mean, mean, spread) / before.at(place.clip(0, 1))
        whole = replace(data, mean=place, variance=data.variance / left, count=data.count * left.clip(0.05, 1) ** 2)
        found, misfit = variance.line(whole, sloped=True)
        if math.dist((found.start, found.slope), (before.start, before.slope)) < 1e-3 * abs(found.slope):
            break
    return found, misfit
