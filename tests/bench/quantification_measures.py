"""What is measured of columns, and how well it could be at best.

Places are (row, column) in pixels, intensities are volumes of Gaussians, the image's unit times square pixels.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import erf

from temclean import metrics
from temclean.metrics import Columns
from temclean.metrics.gaussians import Fit, Windows, fit

ENDS = 5.0
"""Widths at which a Gaussian ends."""


def cramer_rao(
    shape: tuple[int, int], places: np.ndarray, heights: np.ndarray, width: float, background: float, counts: float
) -> np.ndarray:
    r"""Return the least standard errors (N, 3) of row, column and intensity that an unbiased estimate can have.

    Pixel k counts a Poisson number of electrons with the mean

    .. math:: \lambda_k = n (b + \sum_c A_c e^{-((y_k - y_c)^2 + (x_k - x_c)^2) / (2 w^2)})

    so that Fisher's information is :math:`F_{ij} = \sum_k \lambda_k^{-1} \, \partial_i \lambda_k \, \partial_j
    \lambda_k`, and the covariance of unbiased estimates is no less than its inverse. Unknown are the place and height
    of every column, their common width w and the background b; an intensity is :math:`2 \pi A w^2`.

    Parameters
    ----------
    shape : of the image, pixels.
    places : (N, 2) row and column, pixels.
    heights : (N,) A, in the image's unit.
    width : w, pixels.
    background : b, in the image's unit; above 0.
    counts : n, electrons a pixel at intensity 1.

    References
    ----------
    den Dekker et al. (2013), Ultramicroscopy 134, 34 (the bound for Poisson counts); De Backer et al. (2016),
    Ultramicroscopy 171, 104 (columns as Gaussians of one width on one background).
    """
    count = len(places)
    reach = int(np.ceil(ENDS * width))
    line = np.arange(-reach, reach + 1)
    row, column = (each.ravel() for each in np.meshgrid(line, line, indexing="ij"))
    middle = np.rint(places).astype(int)
    y, x = middle[:, :1] + row, middle[:, 1:] + column
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    which = np.nonzero(inside)[0]
    pixel = (y * shape[1] + x)[inside]
    away = np.stack([y - places[:, :1], x - places[:, 1:]])[:, inside]
    bell = np.exp(-0.5 * (away**2).sum(axis=0) / width**2)
    high = heights[which] * bell
    size = shape[0] * shape[1]
    mean = background + np.bincount(pixel, high, size)
    # by row, column and height of each column; then the width and the background
    slopes = [high * away[0] / width**2, high * away[1] / width**2, bell]
    parts = [sparse.csr_array((slope, (pixel, which)), shape=(size, count)) for slope in slopes]
    wider = np.bincount(pixel, high * (away**2).sum(axis=0) / width**3, size)
    common = sparse.csr_array(np.stack([wider, np.ones(size)], axis=1))
    every = sparse.csr_array(sparse.hstack([*parts, common]))
    fisher = counts * (every.T @ sparse.diags_array(1.0 / mean) @ every).toarray()
    scale = np.sqrt(np.diagonal(fisher))
    covariance = np.linalg.inv(fisher / np.outer(scale, scale)) / np.outer(scale, scale)
    variance = np.diagonal(covariance)
    volume = 2 * np.pi * width**2
    spread = (
        variance[2 * count : 3 * count] * volume**2
        + 2 * volume * (2 * volume * heights / width) * covariance[2 * count : 3 * count, -2]
        + (2 * volume * heights / width) ** 2 * variance[-2]
    )
    return np.sqrt(np.stack([variance[:count], variance[count : 2 * count], spread], axis=1))


@dataclass(frozen=True)
class Measured:
    """Gaussians that were fitted from known places on: (N, 2) places, (N,) intensities; width, background of all."""

    places: np.ndarray
    intensities: np.ndarray
    heights: np.ndarray
    width: float
    background: float


def measure(image: np.ndarray, places: np.ndarray, width: float, apart: float) -> Measured:
    """Fit a Gaussian to each column from known places on, as Lobato 2024 does, all of one width: the median of all.

    ``width`` and ``apart``, how far the next column is, set the windows, as in :func:`temclean.metrics.columns`.
    """
    low, span = float(image.mean()), float(np.ptp(image)) or 1.0
    scaled = (image.astype(np.float64) - low) / span
    reach = max(2, round(min(3.0 * width, 0.6 * apart)))
    free = fit(scaled, places, width, reach)
    common = float(np.median(free.widths))
    known = Fit.of(free.places, np.full(len(places), common))
    known.measure(scaled, Windows.about(known.places, reach, (image.shape[0], image.shape[1])))
    heights = span * known.heights
    background = low + span * float(np.median(known.backgrounds))
    return Measured(known.places, 2 * np.pi * heights * common**2, heights, common, background)


def library_of(intensities: np.ndarray, atoms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of atoms that columns without noise have, and their mean intensity by number."""
    numbers = np.unique(atoms)
    return numbers, np.array([intensities[atoms == number].mean() for number in numbers])


def counted(intensities: np.ndarray, library: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return the number of atoms (N,) of each column: that whose intensity in the library is the nearest."""
    numbers, known = library
    return numbers[np.abs(intensities[:, None] - known).argmin(axis=1)]


def share_right(atoms: np.ndarray, errors: np.ndarray, library: tuple[np.ndarray, np.ndarray]) -> float:
    """Return which share of columns :func:`counted` gets right if intensities err normally, by ``errors`` (N,)."""
    numbers, known = library
    edges = np.concatenate([[-np.inf], 0.5 * (known[1:] + known[:-1]), [np.inf]])
    at = np.searchsorted(numbers, atoms)
    low, high = ((edges[at + side] - known[at]) / (np.sqrt(2) * errors) for side in (0, 1))
    return float(np.mean(0.5 * (erf(high) - erf(low))))


def empty(image: np.ndarray, found: np.ndarray, gaps: np.ndarray, true: Measured, apart: float) -> np.ndarray:
    """Return which vacancies (M,) are still there: no column is found, and less than half of one is measured.

    ``found`` and ``gaps`` are places (N, 2) and (M, 2), ``true`` the columns that there are.
    """
    places = np.concatenate([gaps, true.places])
    ones = np.ones(len(places))
    known = Columns(places, ones, true.width * ones, ones, np.zeros((len(places), 4)))
    there = metrics.intensities(image, known)
    dim = there[: len(gaps)] < 0.5 * np.median(there[len(gaps) :])
    if not len(found):
        return dim
    near = np.hypot(*(found[:, None] - gaps).transpose(2, 0, 1)).min(axis=0) < 0.4 * apart
    return dim & ~near
