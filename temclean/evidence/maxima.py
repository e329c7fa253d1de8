"""How high the maxima of smooth noise are: what a spot must reach that is there by chance alone."""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.evidence.variance import below

Doubles = NDArray[np.float64]

LOWEST, HIGHEST, STEPS = -6.0, 10.0, 1601
"""Heights, in standard deviations, at which the density is worked out."""

LEAST = 1e-22
"""Chances below this are all alike."""

KAPPA = 1.15
"""Of the filter that the fit of a spot and an even ground comes to, as found on white noise."""


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
    return x, np.log(np.maximum(above / above[0], LEAST))
