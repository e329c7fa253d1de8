"""Where structure that a raw image shows is missing from its result."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _residual
from temclean.evidence import blocks
from temclean.evidence.blocks import Floats, Pair

WILD = 3.0
"""Standard deviations to which means of 2x2 pixels are clipped, so that wild pixels make no structure."""

WINDOWS = 4
"""How many sizes of windows there are: 8, 16, 32 and 64 pixels. Those of 4 pixels take as long as all of these."""

PATCH = 8
"""Means of pixels along the sides of patches whose scatter tells how sure a share of the contrast is."""

FEWEST = 9
"""Windows that there must be of one size."""

MISSING = 0.5
"""Share of what varies, residual and result together, that the residual must hold: at an edge that is a little softer
than it was, it holds less."""

CLEAR = 5.5
"""Significance from which on structure is missing: noise alone reaches it in less than 1% of images."""


@dataclass(frozen=True)
class Missing:
    """The place where most is missing from a result.

    Attributes
    ----------
    significance : mean of the residual over what noise leaves, in standard deviations; 0 where there is nothing to say.
    row, column : middle of the window, in pixels.
    size : side of the window, in pixels.
    """

    significance: float = 0.0
    row: int = 0
    column: int = 0
    size: int = 0

    @property
    def clear(self) -> bool:
        """Whether this is more than noise."""
        return self.significance >= CLEAR


def missing(raw: NDArray[Any], result: NDArray[Any], *, fine: bool = False) -> Missing:
    r"""Find the window in which the mean of the residual, raw minus result, stands out most from noise.

    Of the means :math:`d` of 2x2 pixels, what is usual at the brightness :math:`r` of the result is taken away,
    :math:`e = (d - \mu(r)) / \sigma(r)`. In windows of s means a side, which overlap by half,

    .. math:: z = |\bar e_s| / \max(\sqrt{S} / s,\ 1.48\,\mathrm{median} |\bar e_s - \mathrm{median}\,\bar e_s|)

    S is the variance of a single e if noise were white: the median over the image of the squared differences between
    neighbouring blocks, times the number of e in a block, for blocks of 1 and of 2x2, whichever is more. So structure
    that is wider than such blocks does not enter it, and noise that is correlated over few pixels does; longer
    correlations, such as those of scan lines, enter the median deviation. Where noise is skew, as rare bright pixels
    are, the z of a normal number that is as rare takes its place. A window counts only if the mean residual is more
    than the standard deviation of the result over such windows around it, so that what is missing is not a trifle
    beside what is there.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale.
    fine : bool
        Whether to look at windows of 4 pixels too.

    Returns
    -------
    Missing
        The greatest z, its place and the side of its window: 4, 8, 16, 32 or 64 pixels, and more in images of over 4
        million pixels, of which coarser means are taken.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> raw = draw.normal(10.0, 1.0, (128, 128))
    >>> result = np.full((128, 128), 10.0)
    >>> missing(raw, result).clear
    False
    >>> raw[40:56, 80:96] += 1.0
    >>> found = missing(raw, result)
    >>> found.clear, found.row, found.column, found.size
    (True, 48, 88, 16)
    """
    return missing_from(blocks.pair(raw, result), fine=fine)


def missing_from(pair: Pair | None, *, fine: bool = False) -> Missing:
    """Return what `missing` does of two images on one scale."""
    if pair is None or min(pair.raw.shape) < 4 * pair.side:
        return Missing()
    found, after = pair.compared, pair.means[1]
    residual, standard = np.empty_like(after), np.empty_like(after)
    moments = np.empty(2)
    _residual.standardise(
        found.residual.reshape(-1), found.level.reshape(-1), found.usual.mean, found.usual.per_spread, WILD,
        residual.reshape(-1), standard.reshape(-1), moments,
    )  # fmt: skip
    variance, cubes = moments / after.size
    skewness = float(cubes) / float(variance) ** 1.5 if variance > 0 else 0.0
    white = _white(standard)
    best = Missing()
    for power in range(0 if fine else 1, WINDOWS + 1):
        if power:
            standard, residual, after = (blocks.halved(each) for each in (standard, residual, after))
        shape = standard.shape[0] - 1, standard.shape[1] - 1
        if shape[0] * shape[1] < FEWEST or min(shape) < 2:  # or there is nothing around them
            break
        windows, much = np.empty(shape, np.float32), np.empty(shape, np.uint8)
        _residual.overlap(standard, residual, after, MISSING, windows, much)
        spread = max(white / 2 ** (power + 1), 1.4826 * median(np.abs(windows - np.float32(median(windows)))))
        if spread > 0:
            skew = skewness / 2 ** (power + 1)
            significance, place = _residual.furthest(windows.ravel(), much.ravel(), 1 / spread, skew)
            if significance > best.significance:
                row, column = divmod(place, shape[1])
                half = pair.side * 2**power
                best = Missing(significance, (row + 1) * half, (column + 1) * half, 2 * half)
    return best


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


def _white(standard: Floats) -> float:
    """Return the standard deviation of single means if their noise were white, from differences of neighbours."""
    found = []
    for power in (0, 1):
        squares = np.empty([length // 2 for length in standard.shape], np.float32)
        _residual.unlike(standard, squares)
        for _ in range(3 - power):  # over 16x16 means, or what there is
            if min(squares.shape) > 1:
                squares = blocks.halved(squares)
        found.append(median(squares) / 8 * 4**power)
        standard = blocks.halved(standard)
    return float(np.sqrt(max(found)))


def median(values: Floats) -> float:
    """Return what `np.median` does, of numbers that are finite: with one look for the middle instead of three."""
    middle = values.size // 2
    parted = np.partition(values, middle, axis=None)
    upper = parted[middle]
    return float(upper if values.size % 2 else (parted[:middle].max() + upper) / np.float32(2))
