"""Salt and pepper: how many pixels were sent to an extreme that noise, cut off there, does not explain."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.impulses.suspects import FURTHER, Suspects
from temclean.evidence.samples import Floats, Mask
from temclean.evidence.variance import Doubles, below

BINS = 48
"""Groups of pixels by what surrounds them."""

FILLED, NARROW = (0.001, 0.999), 0.25
"""Quantiles of the pixels that are neither wild nor at an extreme, between which these groups are where that is less of
the range than NARROW, as outliers far beyond all others leave."""

APART = 17
"""Of the 24 neighbours of 5x5, how many are no suspects beside a pixel that is no part of an area."""

HARDLY_ANY = 0.02
"""Share of the pixels up to which those in groups that are near an extreme do not matter."""

FEWEST = 50
"""Pixels that tell how the values of a group are distributed."""

HALF = 0.2
"""Share of a group that lies beyond 0.5, seen from an extreme, from which on specks at that are counted."""

CERTAIN = 4.0
"""Standard errors from which on there are specks."""

DOUBT = 0.01
"""Of the width of Gaussian noise, what is in doubt besides its standard error: it was fitted to other places."""

TAILS = 0.03
"""Share of a group's tails that may be wrong."""

ALIKE = 0.1
"""By how much the shares that go to 0 and to 1 differ, where nothing tells: a standard deviation."""


@dataclass(frozen=True)
class Groups:
    """Pixels by the mean of their neighbours: how many, at 0, at 1, and mean and variance of those in between.

    And how many lie apart from what is near 0, and near 1, and how many of these are there themselves, (2, groups).
    """

    count: Doubles
    low: Doubles
    high: Doubles
    mean: Doubles
    variance: Doubles
    apart: Doubles
    specks: Doubles


@dataclass(frozen=True)
class Specks:
    """Share of all pixels that are black, and white, specks, and the standard error of the sum."""

    dark: float = 0.0
    bright: float = 0.0
    error: float = 0.0


def salt_and_pepper(pieces: Floats, found: Suspects, sigma: float, error: float) -> Specks:
    r"""Return how many specks there are beside Gaussian noise of this width, cut off at 0 and 1.

    Of pixels whose noisy value is above 0.5 a share r goes to 0, of the others s to 1, as salt and pepper does. With W
    the share of a group that is above 0.5, and P, Q that of the Gaussians' tails below 0 and above 1, there lie at 0
    and at 1 :math:`r W + (1 - s) P` and :math:`s (1 - W) + (1 - r) Q`: two lines in r and s for each group, solved by
    weighted least squares. Groups are of pixels with like neighbours, which tell the clean value roughly: how it is
    distributed in a group is fitted to the values in between. Where noise is cut off at one end only, it
    is no salt and pepper: all pixels have become that alike, as dead ones do.

    No tail reaches an extreme from which a group is :data:`FURTHER` of its own standard deviations away. Where all
    groups are, and where W says nothing of an extreme, what lies there is counted as it is: a bright outlier may bring
    all else to one side of 0.5, dead pixels too.
    """
    if found.mask is None or not (found.low or found.high):
        return Specks()
    groups = grouped(pieces, found)
    if groups is None:
        return Specks()
    cut = found.low, found.high
    tails = _tails(groups, sigma, cut)
    far, seen, of_seen = _far(groups, found, tails[0])
    best, by_chance, of_both = _solved(groups, tails, far, cut)
    doubt = math.hypot(error, DOUBT * sigma)
    other = _solved(groups, _tails(groups, sigma + doubt, cut), far, cut)[0] if sigma else best
    moved = np.abs(best - other)
    error = math.hypot(of_both, float(moved.sum()))
    sure = best > CERTAIN * np.maximum(np.hypot(by_chance, moved), 1 / pieces.size)
    if best.sum() > CERTAIN * max(error, 1 / pieces.size):
        sure[:] = True  # on grey, how many there are may be known, and not how many of each
    dark, bright = np.where(sure, best, 0.0) + seen
    return Specks(float(dark), float(bright), math.hypot(error, of_seen))


def grouped(pieces: Floats, found: Suspects) -> Groups | None:
    """Gather the pixels with three neighbours of 5x5 or more that are neither at an extreme nor wild."""
    assert found.mask is not None
    inside = ~found.mask
    kept = pieces * inside
    centre = (slice(None), slice(2, -2), slice(2, -2))
    inner = inside[centre]
    number = box(inside.astype(np.float32)) - inner
    around = (box(kept) - kept[centre]) / np.maximum(number, 1)
    start, end = _filled(pieces, inside)
    place = ((around - start) * np.float32(BINS / max(end - start, 1e-6))).clip(0, BINS - 1)
    place = np.where(number >= 3, place, BINS).astype(np.int16).ravel()
    values = pieces[centre].ravel()
    between = inner.ravel() & (values > 0) & (values < 1)

    def total(weights: NDArray[np.generic]) -> Doubles:
        sums: Doubles = np.bincount(place, weights, BINS + 1)[:BINS].astype(np.float64)
        return sums

    few = values * between
    known = total(between)
    enough = known >= FEWEST
    if not enough.any():
        return None
    mean = total(few)[enough] / known[enough]
    variance = np.maximum(total(few * values)[enough] / known[enough] - mean**2, 0.0)
    count = np.bincount(place, minlength=BINS + 1)[:BINS].astype(np.float64)
    low, high = values <= 0, values >= 1
    wide = np.full(BINS + 1, np.inf, np.float32)
    wide[:BINS][enough] = FURTHER * np.sqrt(variance)
    apart, specks = np.zeros((2, 2, len(mean)))
    for end, there in enumerate((low, high)):
        if (abs(end - mean) > wide[:BINS][enough]).any():
            least = _least(abs(end - pieces), inside).ravel()
            alone = (number.ravel() >= APART) & (least > wide[place])
            apart[end], specks[end] = total(alone)[enough], total(alone & there)[enough]
    return Groups(count[enough], total(low)[enough], total(high)[enough], mean, variance, apart, specks)


def _least(values: Floats, inside: Mask) -> Floats:
    """Return the least of each pixel's 8 neighbours that are ``inside``, of those with 5x5 around them."""
    kept = np.where(inside, values, np.float32(1))[:, 1:-1, 1:-1]
    rows = np.minimum(np.minimum(kept[:, :-2], kept[:, 2:]), kept[:, 1:-1])
    beside = np.minimum(rows[:, :, :-2], rows[:, :, 2:])
    least: Floats = np.minimum(beside, np.minimum(kept[:, :-2, 1:-1], kept[:, 2:, 1:-1]))
    return least


def _filled(pieces: Floats, inside: Mask) -> tuple[float, float]:
    """Return between which values nearly all of these pixels are, if that is little of the range."""
    part = pieces[:, ::3, ::3][inside[:, ::3, ::3]]
    start, end = map(float, np.quantile(part, FILLED)) if part.size else (0.0, 1.0)
    return (start, end) if end - start < NARROW else (0.0, 1.0)


def _far(groups: Groups, found: Suspects, above: Doubles) -> tuple[Mask, Doubles, float]:
    """Return in which groups what is at 0, and at 1, is counted as it is, which share of all that is, and its error.

    It is told by the pixels that are apart from areas: at the rim of a black one many are at 0 that are no specks.
    """
    away = np.stack([groups.mean, 1 - groups.mean])
    far = (away > FURTHER * np.sqrt(groups.variance)) & (groups.apart >= FEWEST)
    all_of_them = (far * groups.count).sum(1, keepdims=True) > (1 - HARDLY_ANY) * groups.count.sum()
    far &= (all_of_them | ~_telling(above)) & np.array([[found.low], [found.high]])
    share = groups.specks / np.maximum(groups.apart, 1)
    weight = far * groups.count / groups.count.sum()
    by_chance = weight**2 * share * (1 - share) / np.maximum(groups.apart, 1)
    return far, (weight * share).sum(1), math.sqrt(float(by_chance.sum()))


def _telling(above: Doubles) -> Mask:
    """Return which groups tell of specks at 0, and at 1.

    Far from 0.5 only the far extreme is sure to hold specks; about it how many lie at both does not hang on W.
    """
    return np.stack([above > HALF, above < 1 - HALF])


def _solved(
    groups: Groups, tails: tuple[Doubles, Doubles, Doubles], far: Mask, cut: tuple[bool, bool]
) -> tuple[Doubles, Doubles, float]:
    """Return what share of all pixels is dark, and bright, specks, and the errors by chance, and of their sum.

    Where these are ``far`` from their group they are left out, as they are counted already. ``cut`` says at which ends
    there may be any.
    """
    above, low, high = tails
    count = groups.count
    at_low, at_high = _telling(above) & np.array(cut)[:, None]
    darker, brighter = (above, 1 - above) if all(cut) else (cut[0] * (1 - low), cut[1] * (1 - high))
    system = np.stack([darker * at_low - high * at_high, brighter * at_high - low * at_low], axis=1)
    system *= cut
    seen = ((groups.low / count - low) * at_low) + ((groups.high / count - high) * at_high)
    share = (groups.low * at_low + groups.high * at_high) / count
    weight = 1 / (share * (1 - share) / count + 1 / count**2 + (TAILS * (low * at_low + high * at_high)) ** 2)
    alike = np.array([[1.0, -1.0], [-1.0, 1.0]]) * all(cut) / ALIKE**2  # where all is grey nothing else parts r from s
    covariance = np.linalg.inv((system.T * weight) @ system + alike + 1e-6 * np.eye(2))
    rates = covariance @ ((system.T * weight) @ seen)
    misfit = float(np.mean((system @ rates - seen) ** 2 * weight)) / (1 + 2 * math.sqrt(2 / len(seen)))
    covariance = covariance * max(misfit, 1.0)
    sides = (count * ~far * np.stack([darker, brighter])).sum(1) / count.sum()
    total = math.sqrt(float(sides @ covariance @ sides))
    return np.maximum(rates, 0.0) * sides, np.sqrt(np.diag(covariance)) * sides, total


def _tails(groups: Groups, sigma: float, cut: tuple[bool, bool]) -> tuple[Doubles, Doubles, Doubles]:
    """Return of each group's pixels, before specks, the share above 0.5, cut off at 0, and at 1.

    The clean values are taken to be normal between 0 and 1; of many such distributions that one is taken for a group
    which leaves the mean and variance between the extremes that it has.
    """
    clean = np.linspace(0, 1, 65)
    width = max(sigma, 1e-3)
    nothing = np.zeros(65)
    low, high, above = below(-clean / width), below((clean - 1) / width), below((clean - 0.5) / width)
    low, high = low if cut[0] and sigma > width / 2 else nothing, high if cut[1] and sigma > width / 2 else nothing
    phi_low, phi_high = (np.exp(-0.5 * (edge / width) ** 2) / math.sqrt(2 * math.pi) for edge in (clean, 1 - clean))
    inside = 1 - low - high
    first = clean * inside + width * (phi_low - phi_high)
    second = (clean**2 + width**2) * inside + width * (clean * (phi_low - phi_high) - phi_high)
    shape = _distributions()
    whole, one, two, *tails = (shape @ each for each in (inside, first, second, above, low, high))
    mean = one / whole
    variance = two / whole - mean**2
    scale = groups.variance / groups.count + 1e-6
    off = (groups.mean[:, None] - mean) ** 2 / scale[:, None]
    off += (groups.variance[:, None] - variance) ** 2 / (2 * groups.variance**2 / groups.count + 1e-7)[:, None]
    best = np.argmin(off, axis=1)
    return tails[0][best], tails[1][best], tails[2][best]


@cache
def _distributions() -> Doubles:
    """Return normal distributions between 0 and 1, (distributions, 65 places), of many middles and widths."""
    clean = np.linspace(0, 1, 65)
    middles, spreads = np.linspace(-0.25, 1.25, 121), np.array([0.005, 0.02, 0.04, 0.06, 0.08, 0.11, 0.15, 0.2, 0.3])
    shape = np.exp(-0.5 * ((clean - middles[:, None, None]) / spreads[:, None]) ** 2).reshape(-1, 65)
    shape = shape[shape.sum(1) > 1e-6]
    made: Doubles = shape / shape.sum(1, keepdims=True)
    return made


def box(values: Floats) -> Floats:
    """Return the sums over 5x5 pixels, where they are whole."""
    for axis in (1, 2):
        length = values.shape[axis] - 4
        parts = [values[(slice(None),) * axis + (slice(start, start + length),)] for start in range(5)]
        values = parts[0] + parts[1]
        for part in parts[2:]:
            values += part
    return values
