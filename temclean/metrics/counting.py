"""Groups of columns that are equally bright, such as those of equally many atoms, by the histogram of intensities."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ParameterError

Floats = NDArray[np.float64]

FEWEST = 30
"""Columns that a histogram takes."""

MOST = 30
"""Groups that are tried at most; and no more than a sixth of the columns."""

PATIENCE = 4
"""Further groups that are tried once the criterion gets worse."""

BINS = 1000
"""Into which intensities are put where there are more of them."""

EVEN, WHOLE = 0.15, 0.25
"""How far means may be off even steps, and the first off a whole number of steps, for these to be atoms; in steps."""


@dataclass(frozen=True)
class Groups:
    """A mixture of Gaussians of one width.

    Attributes
    ----------
    means, shares : (G,) of the groups, the least first.
    width : their common standard deviation.
    group : (N,) of each intensity, from 1; the likeliest.
    probability : (N,) that it is that one.
    criterion : (M,) the ICL with 1, 2, ... groups; the least of them was taken.
    step, offset : of the line through the means, mean = step (group + offset); NaN of fewer than three.
    """

    means: Floats
    shares: Floats
    width: float
    group: NDArray[np.intp]
    probability: Floats
    criterion: Floats
    step: float
    offset: float

    @property
    def atoms(self) -> NDArray[np.intp] | None:
        """Atoms of each column (N,) if every atom adds the same; None where the means do not look like it.

        That takes three or more means at even steps from 0. Only a simulation can say whether intensities are so.
        """
        whole = round(self.offset) if np.isfinite(self.offset) else -1
        if whole < 0 or abs(self.offset - whole) > WHOLE:
            return None
        line = self.step * (np.arange(1, len(self.means) + 1) + self.offset)
        if np.abs(self.means - line).max() > EVEN * self.step:
            return None
        return self.group + whole


def intensity_groups(intensities: ArrayLike) -> Groups | None:
    r"""Part intensities into groups by a mixture of Gaussians of one width; None of fewer than 30.

    For each number of groups G the likelihood L is maximised (EM, from several starts); G is that of the least

    .. math:: \mathrm{ICL} = -2 \log L + 2 E + 2 G \log N,\quad E = -\sum \tau_{ng} \log \tau_{ng}

    with the probabilities :math:`\tau` that intensity n is of group g, and 2 G free parameters: the means, the shares
    but one, the width.

    Parameters
    ----------
    intensities : (N,) of any unit; of dark columns their absolute values.

    Raises
    ------
    ParameterError : an intensity is not finite.

    References
    ----------
    Van Aert et al. (2013), doi:10.1103/PhysRevB.87.064107; De Backer et al. (2013), doi:10.1016/j.ultramic.2013.05.003.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> intensity_groups(np.concatenate([draw.normal(mean, 0.1, 60) for mean in (2.0, 3.0, 4.0)])).means.round()
    array([2., 3., 4.])
    """
    values = np.asarray(intensities, np.float64).ravel()
    if not np.isfinite(values).all():
        raise ParameterError("an intensity is NaN or infinite; leave such columns out")
    if len(values) < FEWEST or not np.ptp(values) > 0:
        return None
    points, counts = _binned(values)
    best: tuple[float, Floats, Floats, float] | None = None
    criterion: list[float] = []
    previous: Floats | None = None
    for groups in range(1, min(MOST, len(values) // 6) + 1):
        fits = [_maximised(points, counts, start) for start in _starts(points, counts, groups, previous)]
        likelihood, means, shares, width = max(fits, key=lambda fit: fit[0])
        previous = means
        tau = _responsibilities(points, means, shares, width)[1]
        entropy = -float(counts @ (tau * np.log(np.maximum(tau, 1e-300))).sum(axis=1))
        criterion.append(-2 * likelihood + 2 * entropy + 2 * groups * float(np.log(len(values))))
        if best is None or criterion[-1] < best[0]:
            best = criterion[-1], means, shares, width
        elif groups - int(np.argmin(criterion)) > PATIENCE:
            break
    assert best is not None
    order = np.argsort(best[1])
    means, shares, width = best[1][order], best[2][order], best[3]
    tau = _responsibilities(values, means, shares, width)[1]
    step = offset = float("nan")
    if len(means) >= 3:
        step, start = (float(value) for value in np.polyfit(np.arange(1, len(means) + 1), means, 1))
        offset = start / step
    return Groups(means, shares, width, tau.argmax(axis=1) + 1, tau.max(axis=1), np.array(criterion), step, offset)


def _binned(values: Floats) -> tuple[Floats, Floats]:
    """Return values and how often each is there; many of them at the means of narrow bins."""
    if len(values) <= BINS:
        return values, np.ones(len(values))
    place = np.floor((values - values.min()) / np.ptp(values) * (BINS - 1)).astype(np.intp)
    counts = np.bincount(place, minlength=BINS).astype(np.float64)
    there = counts > 0
    return np.bincount(place, values, BINS)[there] / counts[there], counts[there]


def _starts(points: Floats, counts: Floats, groups: int, previous: Floats | None) -> list[Floats]:
    """Return means to begin with: at even steps, at quantiles, and those of one group fewer and one in a gap."""
    order = np.argsort(points)
    total = np.cumsum(counts[order])
    share = (np.arange(groups) + 0.5) / groups
    quantiles = points[order][np.minimum(np.searchsorted(total, share * total[-1]), len(points) - 1)]
    low, high = (points[order][np.searchsorted(total, each * total[-1])] for each in (0.01, 0.99))
    starts = [low + (high - low) * share, quantiles]
    if previous is not None:
        away = np.abs(points[:, None] - previous).min(axis=1)
        starts.append(np.append(previous, points[int(np.argmax(away * np.sqrt(counts)))]))
    return starts


def _responsibilities(points: Floats, means: Floats, shares: Floats, width: float) -> tuple[Floats, Floats]:
    """Return the logarithm of the density at each point, and the probabilities (N, G) of its groups."""
    logs = -0.5 * ((points[:, None] - means) / width) ** 2 + np.log(np.maximum(shares, 1e-300))
    top = logs.max(axis=1, keepdims=True)
    parts = np.exp(logs - top)
    total = parts.sum(axis=1, keepdims=True)
    density = (top + np.log(total))[:, 0] - np.log(width * np.sqrt(2 * np.pi))
    return density, parts / total


def _maximised(points: Floats, counts: Floats, means: Floats) -> tuple[float, Floats, Floats, float]:
    """Return the greatest likelihood that is reached from some means, and means, shares and width there."""
    number, least = counts.sum(), 1e-3 * float(np.ptp(points))
    shares = np.full(len(means), 1 / len(means))
    width = max(float(np.sqrt(counts @ (points[:, None] - means).min(axis=1) ** 2 / number)), least)
    width = max(min(width, float(np.ptp(points)) / (2 * len(means))), least)
    last = -np.inf
    for _ in range(500):
        density, tau = _responsibilities(points, means, shares, width)
        likelihood = float(counts @ density)
        if likelihood - last < 1e-6 * number:
            break
        last = likelihood
        tau = tau * counts[:, None]
        total = np.maximum(tau.sum(axis=0), 1e-12)
        means, shares = (points @ tau) / total, total / number
        width = max(float(np.sqrt((tau * (points[:, None] - means) ** 2).sum() / number)), least)
    return last, means, shares, width
