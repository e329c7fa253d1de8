"""How much of a raw image a result explains: one from which a background was taken, and how much contrast any lost."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks
from temclean.evidence.blocks import Floats

SIDE = 16
"""Means of 2x2 pixels along a square, within which a background is even."""

FAINT = 0.08
"""Standard deviation of the result in a square, over its range, below which it has no spots there."""

SUPPORTED = 4.0
"""Slope of raw on result over its error, from which on the raw image supports what is in a square."""

FEWEST = 4
"""Squares with spots that there must be."""

LEAST, MOST = 0.45, 0.55
"""Below this share of the raw image that is explained, or above this share of squares that are not supported, a result
is not to be trusted. Of 360 images of bright atoms, at noise levels up to 0.36, one in a hundred goes as far."""

PATCH = 8
"""Means of pixels along the sides of patches whose scatter tells how sure a share of the contrast is."""


@dataclass(frozen=True)
class Agreement:
    """How a result fits its raw image, square by square, whatever the background.

    Attributes
    ----------
    explained : share of what varies within squares of the raw image, noise left out, that the result explains.
    unsupported : share of the squares with spots in the result in which the raw image does not rise with them.
    """

    explained: float = 1.0
    unsupported: float = 0.0

    @property
    def clear(self) -> bool:
        """Whether the result is to be doubted."""
        return self.explained < LEAST or self.unsupported > MOST


def agreement(raw: NDArray[Any], result: NDArray[Any]) -> Agreement:
    r"""Fit raw = a + b result in every square of 32x32 pixels that has spots.

    With the variances :math:`v_p` of the raw image and :math:`v_r` of the result, their covariance c and the variance
    of the noise n, as the diagonal differences of neighbours tell it, a share

    .. math:: \left(\sum c\right)^2 / \left(\sum v_r \sum \max(v_p - n, 0)\right)

    is explained, summed over squares. A square is not supported where the slope :math:`c / v_r` is less than four times
    its error.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> y, x = np.mgrid[:256, :256]
    >>> spots = np.clip(np.cos(x / 3) * np.cos(y / 3), 0, 1)
    >>> raw = spots + x / 50 + np.random.default_rng(0).normal(0, 0.3, x.shape)
    >>> agreement(raw, spots).clear, agreement(raw, np.roll(spots, 5)).clear
    (False, True)
    """
    pair = blocks.pair(raw, result)
    if pair is None or min(raw.shape) < SIDE * pair.side:
        return Agreement()
    before, after = pair.means
    low, high = np.percentile(after, (0.5, 99.5))
    first, second = _squares(before), _squares(after)
    pairs = (first, second), (first, first), (second, second)
    both, raw_part, result_part = ((one * other).mean(axis=(1, 3)) for one, other in pairs)
    spotty = result_part > (FAINT * (high - low)) ** 2
    if np.count_nonzero(spotty) < FEWEST:
        return Agreement()
    both, raw_part, result_part = (each[spotty] for each in (both, raw_part, result_part))
    structure = np.maximum(raw_part - _noise(before), 0.0).sum()
    explained = both.sum() * abs(both.sum()) / (result_part.sum() * structure) if structure > 0 else 1.0
    left = np.maximum(raw_part - both**2 / result_part, np.finfo(np.float64).tiny)
    unsupported = (both / np.sqrt(result_part * left) * SIDE < SUPPORTED).mean()
    return Agreement(min(float(explained), 1.0), float(unsupported))


def _squares(means: Floats) -> NDArray[np.float64]:
    """Return an image as (rows, side, columns, side), without the mean of each square."""
    rows, columns = (length // SIDE for length in means.shape)
    squares = means[: rows * SIDE, : columns * SIDE].astype(np.float64).reshape(rows, SIDE, columns, SIDE)
    even: NDArray[np.float64] = squares - squares.mean(axis=(1, 3), keepdims=True)
    return even


def _noise(means: Floats) -> float:
    """Return the variance of noise, from (a + d - b - c) / 2 in every 2x2, to which slopes add nothing."""
    even = means[: means.shape[0] // 2 * 2, : means.shape[1] // 2 * 2]
    rows = even[::2] - even[1::2]
    return float(np.median(np.abs(rows[:, ::2] - rows[:, 1::2])) / 2 / 0.6745) ** 2


def contrast_left(raw: NDArray[Any], result: NDArray[Any]) -> tuple[float, float]:
    r"""Return which share of the result's contrast is in the residual, raw minus result, and its standard error.

    It is the slope of the one on the other, :math:`\langle d (r - \bar r) \rangle / \langle (r - \bar r)^2 \rangle`, of
    means d and r of 2x2 pixels: 0 where the residual has nothing in common with the result, positive where contrast was
    lost. The error is by how much patches of 16x16 pixels differ; 0, 0 where the result is even.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> clean = np.cos(np.arange(256) / 9) * np.cos(np.arange(256)[:, None] / 7)
    >>> share, error = contrast_left(clean + draw.normal(0, 0.3, clean.shape), 0.8 * clean)
    >>> round(share, 2), error < 0.01
    (0.25, True)
    """
    pair = blocks.pair(raw, result)
    if pair is None or min(pair.raw.shape) < PATCH * pair.side:
        return 0.0, 0.0
    before, after = (means.astype(np.float64) for means in pair.means)
    left, about = before - after, after - after.mean()
    products, squares = (_patches((left - left.mean()) * about), _patches(about * about))
    total = float(squares.sum())
    if not total > 0:
        return 0.0, 0.0
    share = float(products.sum()) / total
    return share, math.sqrt(float(((products - share * squares) ** 2).sum())) / total


def _patches(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over patches; what does not fill one is left out."""
    down, across = (length // PATCH for length in values.shape)
    cut = values[: down * PATCH, : across * PATCH]
    sums: NDArray[np.float64] = cut.reshape(down, PATCH, across, PATCH).sum(axis=(1, 3))
    return sums
