r"""How far the truth may be from a result: a half width for each pixel, calibrated on images whose truth is known.

The half width is :math:`\lambda s`, with the local spread s of the residual and a factor of the model. The factor was
chosen once, by risk control (Angelopoulos et al. 2022, arXiv 2202.05265): the least one for which the share of pixels
outside is at most `OUTSIDE`, in the mean over images like those of the calibration, with a confidence of `SURE`.
"""

import json
import math
from collections.abc import Callable
from functools import lru_cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError

Floats = NDArray[np.float32]

OUTSIDE, SURE = 0.1, 0.9

SIDE = 4
"""Pixels along the blocks of which the mean square is taken, before it is smoothed: that is much quicker."""

REACH = 0.9
"""Standard deviation in blocks of the Gaussian over which the residual's spread is taken: some 4 pixels in all."""


@lru_cache(maxsize=1)
def factors() -> dict[str, float]:
    """Return the factor of each model that was calibrated (``tests/bench/calibrate_intervals.py`` made them)."""
    text = resources.files("temclean.data").joinpath("intervals.json").read_text(encoding="utf-8")
    found: dict[str, float] = json.loads(text)["factors"]
    return found


def spread(raw: NDArray[Any], result: NDArray[Any]) -> Floats:
    r"""Return the local spread of the residual, :math:`\sqrt{G * (\mathrm{raw} - \mathrm{result})^2}`, G a Gaussian.

    Raises
    ------
    ImageError
        If these are not two images of one shape.
    """
    if raw.ndim != 2 or raw.shape != result.shape:
        raise ImageError(f"an image of {raw.shape} and a result of {result.shape}: rows and columns must be the same")
    wide = np.float32 if max(raw.dtype.itemsize, result.dtype.itemsize) <= 2 else np.float64
    left = np.subtract(raw, result, dtype=wide)
    largest = float(max(left.max(), -left.min()))
    if not (largest > 0 and math.isfinite(largest)):
        return np.zeros(raw.shape, np.float32)
    left = left.astype(np.float32, copy=False)
    left *= np.float32(1 / largest)
    blocks = filters.gaussian(_mean_squares(left), REACH)
    found = np.sqrt(np.maximum(blocks, 0)) * np.float32(largest)
    return _between(_between(found, raw.shape[0]).T, raw.shape[1]).T


def _mean_squares(left: Floats) -> Floats:
    """Return the mean squares of blocks; those at the lower and right edge may be smaller."""
    starts = [np.arange(0, length, SIDE) for length in left.shape]
    sums = np.add.reduceat(np.add.reduceat(np.square(left), starts[0], axis=0), starts[1], axis=1)
    counts = [np.diff([*start, length]) for start, length in zip(starts, left.shape, strict=True)]
    return (sums / np.multiply.outer(*counts)).astype(np.float32)


def _between(blocks: Floats, length: int) -> Floats:
    """Return rows between the middles of rows of blocks, linearly: as many as there are pixels."""
    place = np.clip((np.arange(length) - (SIDE - 1) / 2) / SIDE, 0, len(blocks) - 1)
    before = np.minimum(place.astype(np.intp), max(len(blocks) - 2, 0))
    share = (place - before).astype(np.float32)[:, None]
    after = np.minimum(before + 1, len(blocks) - 1)
    found: Floats = blocks[before] * (1 - share)
    found += blocks[after] * share
    return found


def half_widths(raw: NDArray[Any], result: NDArray[Any], model: str) -> Floats:
    """Return the half width of each pixel's interval about the result, in the image's unit.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after, of the same scale.
    model : str
        The name of the model that made the result.

    Raises
    ------
    ParameterError
        If the model was not calibrated.
    ImageError
        If the shapes differ.
    """
    known = factors()
    if model not in known:
        raise ParameterError(f"the intervals of {model} were not calibrated; take one of {', '.join(sorted(known))}")
    return spread(raw, result) * np.float32(known[model])


def calibrated(losses: Callable[[float], NDArray[np.float64]], factors_: NDArray[np.float64]) -> float:
    """Return the least factor whose risk is controlled, and of which all greater ones' are.

    Parameters
    ----------
    losses
        The share of pixels outside, of each of n images that were drawn alike, at a factor.
    factors_
        To choose from, the least first.

    Raises
    ------
    ParameterError
        If there are too few images, or no factor is large enough.
    """
    best = None
    for factor in factors_[::-1]:
        shares = losses(float(factor))
        if chance_of_risk(float(shares.mean()), len(shares)) > 1 - SURE:
            break
        best = float(factor)
    if best is None:
        raise ParameterError("no factor controls the risk; give more images, or greater factors")
    return best


def chance_of_risk(found: float, count: int) -> float:
    r"""Return a bound on the chance that a mean loss so small is found though the risk is above `OUTSIDE`.

    The lesser of Hoeffding's and Bentkus' bounds for n losses in [0, 1] with the mean :math:`\hat R`,

    .. math:: \min\left(e^{-n h(\min(\hat R, \alpha), \alpha)},
       e P(\mathrm{Bin}(n, \alpha) \le \lceil n \hat R \rceil)\right),
       \quad h(a, b) = a \ln\frac{a}{b} + (1 - a) \ln\frac{1 - a}{1 - b}

    Examples
    --------
    >>> chance_of_risk(0.1, 50) > 0.5, chance_of_risk(0.02, 50) < 0.1
    (True, True)
    """
    risk = min(found, OUTSIDE)
    first = risk * math.log(risk / OUTSIDE) if risk > 0 else 0.0
    second = (1 - risk) * math.log((1 - risk) / (1 - OUTSIDE))
    hoeffding = math.exp(-count * (first + second))
    least = math.ceil(count * found - 1e-9)
    below = sum(math.comb(count, k) * OUTSIDE**k * (1 - OUTSIDE) ** (count - k) for k in range(min(least, count) + 1))
    return min(hoeffding, math.e * below, 1.0)
