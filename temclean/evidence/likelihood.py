r"""How much likelier a raw image is with a spot than without, under the noise that was measured in it.

Of each spot a window is looked at. There the raw image is :math:`\mu_0 + b`, the result without the spot and what is
even, or :math:`\mu_0 + b + a g` with a Gaussian g of the spot's place and width. Heights a and grounds b are those of
greatest likelihood.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.noise import NoiseReport

Doubles = NDArray[np.float64]

TURNS = 4
"""Rounds of Fisher scoring: noise that hardly depends on the height needs one."""

FEWEST_COUNTS = 0.02
"""Electrons a pixel that the variance of counted electrons is worth at least: where none came, one may have."""

STEP_SHARE, RANGE_SHARE = 0.3, 1e-3
"""The least standard deviation of noise, in steps between values (what rounding leaves) and in ranges of the image."""


@dataclass(frozen=True)
class Law:
    r"""The variance of a pixel of intensity :math:`\mu`: :math:`\alpha + \beta \mu`, at least ``least``."""

    alpha: float
    beta: float
    least: float

    @classmethod
    def of(cls, report: NoiseReport) -> "Law":
        """Return the law that a report found."""
        rounding, trifle = STEP_SHARE * report.step, RANGE_SHARE * (report.high - report.low)
        counts = FEWEST_COUNTS * report.gain**2 if report.gain > 0 else 0.0
        least = max(rounding**2, trifle**2 if report.gain <= 0 else 0.0, counts)
        return cls(report.sigma**2 - report.gain * report.offset, report.gain, max(least, 1e-300))

    def variance(self, intensity: Doubles) -> Doubles:
        """Return the variance of pixels."""
        found: Doubles = np.maximum(self.alpha + self.beta * intensity, self.least)
        return found

    def gained(self, data: Doubles, first: Doubles, second: Doubles) -> Doubles:
        r"""Return by how much the logarithm of the likelihood of pixels is greater with means ``second``.

        Where the variance grows with the mean it is that of counts, :math:`y \ln(v_2 / v_1) / \beta - (\mu_2 - \mu_1) /
        \beta` with :math:`y = (d + \alpha / \beta) / \beta`: Poisson's without read-out noise, and with it that of a
        Poisson number of the same mean and variance (Huang et al. 2013, Nat. Methods 10, 653). Else Gaussian.
        """
        before, after = self.variance(first), self.variance(second)
        if self.beta <= 0:
            gauss: Doubles = 0.5 * ((data - first) ** 2 - (data - second) ** 2) / before
            return gauss
        # By the variances, which are bounded where the means are not.
        counted: Doubles = (data * self.beta + self.alpha) * np.log(after / before) - (after - before)
        return counted / self.beta**2


@dataclass(frozen=True)
class Ratio:
    """Of each window (N,): height, its standard error, and the logarithm of the likelihood ratio, with its sign.

    ``noise`` is the variance in the middle of the window. All are those of noise that is white.
    """

    height: Doubles
    error: Doubles
    logarithm: Doubles
    noise: Doubles


def ratio(data: Doubles, without: Doubles, shape: Doubles, weight: Doubles, law: Law) -> Ratio:
    r"""Fit windows with and without a spot, and compare the two.

    Parameters
    ----------
    data, without, shape : (N, P)
        The raw image, the result without the spot, and the spot at height 1.
    weight : (N, P)
        1 where a pixel counts, 0 where it does not.
    law : Law
        Of the noise.
    """
    ground = _best(data, without, np.zeros_like(shape), weight, law)
    spot = _best(data, without, shape, weight, law)
    gained = (law.gained(data, ground.mean, spot.mean) * weight).sum(axis=1)
    sign = np.sign(spot.height)
    middle = np.take_along_axis(spot.variance, (shape * weight).argmax(axis=1)[:, None], axis=1)[:, 0]
    return Ratio(spot.height, spot.error, sign * np.maximum(gained, 0.0), middle)


@dataclass(frozen=True)
class _Best:
    height: Doubles
    error: Doubles
    mean: Doubles
    variance: Doubles


def _best(data: Doubles, without: Doubles, shape: Doubles, weight: Doubles, law: Law) -> _Best:
    """Fit height and ground by Fisher scoring."""
    height, ground = np.zeros((2, len(data), 1))
    mean = without
    for _ in range(TURNS if law.beta > 0 else 1):
        certain = weight / law.variance(mean)
        total = np.maximum(certain.sum(axis=1, keepdims=True), 1e-300)
        centre = (certain * shape).sum(axis=1, keepdims=True) / total
        off = shape - centre
        information = (certain * off * off).sum(axis=1, keepdims=True)
        left = data - without
        known = information > 0
        height = np.where(known, (certain * off * left).sum(axis=1, keepdims=True) / np.where(known, information, 1), 0)
        ground = (certain * left).sum(axis=1, keepdims=True) / total - height * centre
        mean = without + ground + height * shape
    error = np.where(known, 1 / np.sqrt(np.where(known, information, 1.0)), np.inf)
    return _Best(height[:, 0], error[:, 0], mean, law.variance(mean))


def correlated(filter_: Doubles, report: NoiseReport, variance: Doubles) -> Doubles:
    r"""Return how much greater the variance of a filter's answer is than under white noise of the same strength.

    .. math:: \frac{\sum_{ij} h_i h_j \rho(i - j)}{\sum_i h_i^2}
       + \frac{r^2 \sum_y (\sum_x h)^2 + c^2 \sum_x (\sum_y h)^2}{v \sum h^2}

    with the correlations along rows and columns, :math:`\rho = \rho_x \rho_y`, and what whole rows and columns share.
    So many samples count as one; never fewer than one.

    Parameters
    ----------
    filter_ : (rows, columns)
        h.
    report : NoiseReport
        What is known of the noise.
    variance : (N,)
        v, that of single pixels where the filter is applied.
    """
    along_rows, along_columns = correlations(report, max(filter_.shape))
    down, right = (np.abs(np.subtract.outer(np.arange(size), np.arange(size))) for size in filter_.shape)
    power = float((filter_**2).sum())
    spread = float((filter_ * (along_columns[down] @ filter_ @ along_rows[right])).sum()) / power
    rows = report.row**2 * float((filter_.sum(axis=1) ** 2).sum())
    columns = report.column**2 * float((filter_.sum(axis=0) ** 2).sum())
    found: Doubles = np.maximum(spread + (rows + columns) / (power * variance), 1.0)
    return found


def correlations(report: NoiseReport, size: int) -> tuple[Doubles, Doubles]:
    """Return the correlation of noise along rows and along columns at 0, 1, ... pixels (size,); 1, 0, 0, ... of white.

    Beyond what was measured it falls on as it did.
    """
    return (
        _falling(report.along_rows, report.row_length, report.along_error, size),
        _falling(report.along_columns, report.column_length, report.along_error, size),
    )


def _falling(known: tuple[float, ...], length: float, error: float, size: int) -> Doubles:
    values = np.zeros(max(size, len(known) + 1))
    values[0] = 1.0
    sure = max(abs(each) for each in known) > 4 * error
    if sure:
        values[1 : len(known) + 1] = np.where(np.abs(known) > 2 * error, known, 0.0)
    last, before = values[len(known)], values[len(known) - 2]
    if length and last > 0 and before > 0:
        falls = min(float(np.sqrt(last / before)), 0.97)
        further = np.arange(1, len(values) - len(known))
        values[len(known) + 1 :] = last * falls**further
    return values[:size]
