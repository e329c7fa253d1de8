"""How far an image rises at each pixel as a spot would, in standard deviations of its noise, and how far noise does."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import filters
from temclean.evidence.likelihood import Law, correlated
from temclean.evidence.noise import IMPULSES, NoiseReport
from temclean.evidence.samples import Mask
from temclean.evidence.variance import below

Doubles = NDArray[np.float64]
Singles = NDArray[np.float32]

WIDER = 2.0
"""Width of the ground that a spot is compared with, in widths of the spot."""

FAR, FAR_AT_EXTREMES, RANGE_SHARE = 5.0, 2.5, 0.05
"""A speck is so many standard deviations of the noise from its neighbours, fewer where it is the least or the greatest
value that there is, and so large a share of the range."""

BAND = 256
"""Rows that are looked at in one go."""

LOWEST, HIGHEST, STEPS = -6.0, 10.0, 1601
"""Heights, in standard deviations, at which the density is worked out."""

UNLIKELIEST = 1e-22
"""Chances below this are all alike."""

KAPPA = 1.15
"""Of the filter that the fit of a spot and an even ground comes to, as found on white noise."""


@dataclass(frozen=True)
class Matched:
    """A filter of the shape of a spot, less its surroundings: a Gaussian less one that is twice as wide.

    Attributes
    ----------
    width : of the spot, pixels.
    kernel : what the filter makes of a single pixel.
    variance : of a pixel's noise, by the result (rows, columns), over that in the middle.
    noise : variance of single pixels in the middle, times how many count as one under this filter.
    """

    width: float
    kernel: Doubles
    variance: Singles
    noise: float

    @classmethod
    def of(cls, result: Doubles, law: Law, report: NoiseReport, width: float) -> "Matched":
        """Make the filter for an image of this result."""
        reach = int(np.ceil(4 * WIDER * width))
        point = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
        point[reach, reach] = 1.0
        kernel = _filtered(point, width).astype(np.float64)
        variance = law.variance(result)
        middle = float(np.median(variance))
        count = float(correlated(kernel, report, np.array([middle]))[0])
        return cls(width, kernel, (variance / middle).astype(np.float32), count * middle)

    def answer(self, image: Doubles) -> Singles:
        """Return the filter's answer at each pixel over its standard deviation."""
        unit = float(np.sqrt(self.noise * (self.kernel**2).sum()))
        single = ((image - image.mean()) / unit).astype(np.float32)
        answer = _filtered(single, self.width)
        answer /= np.sqrt(filters.gaussian(self.variance, self.width))
        return answer


def _filtered(image: Singles, width: float) -> Singles:
    found: Singles = filters.gaussian(image, width) - filters.gaussian(image, WIDER * width)
    return found


def excess(answer: Singles, width: float) -> float:
    """Return by how much an answer scatters more than it should: its variance, or 1 where chance may have made it so.

    By the median deviation, so that what stands in few places does not count.
    """
    spread = 1.4826 * float(np.median(np.abs(answer - np.median(answer))))
    samples = max(answer.size / (4 * np.pi * width**2), 1.0)
    return max(spread * (1 - 1.2 / math.sqrt(samples)), 1.0) ** 2


def peaks(answer: Singles) -> NDArray[np.intp]:
    """Return the rows and columns (N, 2) of maxima among 3x3 pixels."""
    padded = np.pad(answer, 1, constant_values=-np.inf)
    rows = np.maximum(np.maximum(padded[:-2], padded[1:-1]), padded[2:])
    highest = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return np.argwhere((answer >= highest) & (answer > 0))


def specks(raw: Doubles, result: Doubles, law: Law, report: NoiseReport) -> Mask | None:
    """Return the pixels far from the median of their neighbours and from the result; None where there are no specks."""
    if report.impulses <= IMPULSES:
        return None
    found = np.zeros(raw.shape, bool)
    padded = np.pad(raw, 1, mode="edge")
    for top in range(0, len(raw), BAND):
        rows = slice(top, min(top + BAND, len(raw)))
        part = padded[top : rows.stop + 2]
        around = np.median(np.lib.stride_tricks.sliding_window_view(part, (3, 3)).reshape(*raw[rows].shape, 9), axis=2)
        noise = np.sqrt(law.variance(around))
        extreme = (raw[rows] <= report.low) | (raw[rows] >= report.high)
        far = np.maximum(np.where(extreme, FAR_AT_EXTREMES, FAR) * noise, RANGE_SHARE * (report.high - report.low))
        found[rows] = (np.abs(raw[rows] - around) > far) & (np.abs(raw[rows] - result[rows]) > far)
    return found


def chance(heights: ArrayLike) -> Doubles:
    r"""Return the share of the maxima of noise, under the filter that finds spots, that are at least so high.

    The density of the height x of maxima of isotropic Gaussian noise, in standard deviations, is

    .. math:: \sqrt3 \kappa^2 (x^2 - 1) \phi(x) \Phi\left(\frac{\kappa x}{\sqrt{2 - \kappa^2}}\right)
       + \frac{\kappa x \sqrt{3 (2 - \kappa^2)}}{2 \pi} e^{-x^2 / (2 - \kappa^2)}
       + \frac{\sqrt6}{\sqrt{\pi (3 - \kappa^2)}} e^{-3 x^2 / (2 (3 - \kappa^2))}
       \Phi\left(\frac{\kappa x}{\sqrt{(3 - \kappa^2) (2 - \kappa^2)}}\right)

    (Cheng and Schwartzman 2018, Bernoulli 24, 3422); kappa is 1 under a Gaussian filter, and more under one that takes
    the ground away. A spot that follows noise sits on one of its maxima, so it is these that it is to be compared with,
    and not noise at any place.

    Examples
    --------
    >>> chance([-9.0, 0.0, 3.0, 99.0]).round(3).tolist()
    [1.0, 0.977, 0.031, 0.0]
    """
    grid, logarithm = _table()
    found: Doubles = np.exp(np.interp(np.asarray(heights, dtype=np.float64), grid, logarithm))
    return found


@lru_cache(maxsize=1)
def _table() -> tuple[Doubles, Doubles]:
    """Return heights, and the logarithm of the share of maxima above each."""
    x = np.linspace(LOWEST, HIGHEST, STEPS)
    square = KAPPA**2
    normal = np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi)
    density = math.sqrt(3) * square * (x**2 - 1) * normal * below(KAPPA * x / math.sqrt(2 - square))
    density += KAPPA * x * math.sqrt(3 * (2 - square)) / (2 * math.pi) * np.exp(-(x**2) / (2 - square))
    width = math.sqrt((3 - square) * (2 - square))
    third = math.sqrt(6 / (math.pi * (3 - square))) * np.exp(-1.5 * x**2 / (3 - square))
    density += third * below(KAPPA * x / width)
    between = np.maximum(0.5 * (density[1:] + density[:-1]), 0.0)
    above = np.concatenate([np.cumsum(between[::-1])[::-1], [0.0]])
    return x, np.log(np.maximum(above / above[0], UNLIKELIEST))
