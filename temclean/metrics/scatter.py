r"""How far fitted Gaussians scatter: the covariance of least squares under noise that follows the signal.

The fit weighs all pixels of a window alike. With its slopes J, :math:`J^+ = (J^T J)^{-1} J^T` and the covariance V of
the pixels, that of what is fitted is :math:`J^+ V J^{+T}` (White 1980, doi:10.2307/1912934). Of counted electrons V
grows with the intensity: how, is fitted to what all windows leave; how large it is, to what each leaves.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.metrics.gaussians import Even, Fit, Floats, Numbers, inverse, linear

Pixels = NDArray[np.floating[Any]]

SURE = 4.0
"""Standard errors from which on the variance is taken to grow with the intensity."""

LEAST = 0.05
"""Of the mean variance, what a pixel has at least."""

WILD = 25.0
"""Squares of standard deviations that a pixel counts for at most: no hot pixel tells how noise grows."""

ENOUGH = 400_000
"""Pixels from which the growth is fitted."""


def covariance(
    found: Fit, image: Floats, reach: int, which: Numbers, correlation: tuple[Floats, Floats] | None = None
) -> Floats:
    r"""Return the covariance (N, 5, 5) of chosen Gaussians of a fit, in the order of :attr:`Fit.covariance`.

    Parameters
    ----------
    found : of them all.
    image : that was fitted, of a span of about 1.
    reach : radius of the windows.
    which : (N,) the chosen ones.
    correlation : of the noise along rows and along columns at 0, 1, 2, ... pixels, 1 at 0; None is white noise.
    """
    shape = image.shape[0], image.shape[1]
    windows = found.windows(reach, shape)
    others, pixels = found.others(shape, windows)[which], image.astype(np.float32).ravel()[windows.index[which]]
    inside = windows.inside[which]
    _, _, rows, left = linear(found.places[which], found.widths[which], windows, which, pixels - others)
    pseudo = inverse(rows).astype(np.float32) @ rows
    hangs = None if correlation is None else _matrix(correlation, windows.offsets, found.even)
    spread = pseudo if hangs is None else pseudo @ hangs
    shared = rows.transpose(0, 2, 1) @ (spread @ pseudo.transpose(0, 2, 1))
    spare = inside - 2 * np.einsum("nip,nip->np", rows, spread) + np.einsum("npi,nip->np", shared, rows)
    growth, middle = growth_of_variance((pixels - left)[inside > 0], left[inside > 0], spare[inside > 0])
    deviation = np.sqrt(np.maximum(1 + growth * (pixels - left - middle), LEAST)).astype(np.float32) * inside
    rows *= deviation[:, None]
    pseudo *= deviation[:, None]
    spread = pseudo if hangs is None else pseudo @ hangs
    expected = (deviation**2).sum(axis=1) - np.einsum("nip,nip->n", rows, spread)
    level = np.einsum("np,np->n", left, left) / np.maximum(expected, 1.0)
    made: Floats = (spread @ pseudo.transpose(0, 2, 1)).astype(np.float64) * level[:, None, None]
    return made


def growth_of_variance(mean: Pixels, left: Pixels, spare: Pixels) -> tuple[float, float]:
    """Return by what share of itself the variance grows with the intensity, and the intensity where it is that.

    ``spare`` is what the fit leaves of the variance of each pixel.
    """
    thin = slice(None, None, max(1, mean.size // ENOUGH))
    mean, square, spare = mean[thin].astype(np.float64), left[thin].astype(np.float64) ** 2, spare[thin]
    good = spare > 0.2
    mean, square = mean[good], square[good] / spare[good]
    middle = float(mean.mean()) if mean.size else 0.0
    total = float(square.mean()) if mean.size else 0.0
    if not total > 0:
        return 0.0, middle
    away, slope, level = mean - middle, 0.0, total
    for _ in range(4):
        variance = np.maximum(level + slope * away, LEAST * total)
        weight = variance**-2
        clipped = np.minimum(square, WILD * variance)
        first, second, third = weight.sum(), (weight * away).sum(), (weight * away**2).sum()
        one, two = (weight * clipped).sum(), (weight * clipped * away).sum()
        determinant = first * third - second**2
        if not determinant > 1e-9 * first * third:
            return 0.0, middle
        level, slope = (third * one - second * two) / determinant, (first * two - second * one) / determinant
    error = float(np.sqrt(2 * first / determinant))
    if not level > 0 or abs(slope) < SURE * error:
        return 0.0, middle
    return float(slope / level), middle


def _matrix(correlation: tuple[Floats, Floats], offsets: NDArray[np.float32], even: Even) -> NDArray[np.float32]:
    """Return how the pixels of a window hang together (P, P)."""
    lines = (np.rint(each / side) for each, side in zip(offsets, even, strict=True))
    down, right = (np.abs(np.subtract.outer(each, each)).astype(np.intp) for each in lines)
    along_rows, along_columns = (np.append(each, 0.0) for each in correlation)
    made: NDArray[np.float32] = (
        along_columns[np.minimum(down, len(along_columns) - 1)] * along_rows[np.minimum(right, len(along_rows) - 1)]
    ).astype(np.float32)
    return made
