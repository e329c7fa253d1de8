"""Columns of atoms in an image: find them, fit a Gaussian to each, and match them to those of another image.

Places are (row, column) in pixels, the middle of the first pixel being (0, 0); intensities are in the image's unit
times square pixels. All columns of an image are taken to be about equally wide.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError
from temclean.metrics import gaussians
from temclean.metrics.gaussians import Floats, Windows

SHARE = 0.2
SIGNIFICANCE = 5.0
FINE, COARSE = 0.7, 1.6
"""Widths of the two blurs whose difference shows columns: somewhat sharper than what noise asks for, so that neighbours
at three widths stay apart."""

NARROWEST, WIDEST = 0.7, 12.0
"""Standard deviations in pixels that are tried where no width is given."""


@dataclass(frozen=True)
class Columns:
    r"""Columns of atoms, the brightest (or darkest) first.

    Attributes
    ----------
    positions : (N, 2) row and column, pixels.
    intensity : (N,) volume of the Gaussian, :math:`2 \pi A w^2`, the image's unit times square pixels; negative where
        columns are dark.
    width : (N,) w, standard deviation of the Gaussian, pixels.
    background : (N,) what lies below it, the image's unit.
    errors : (N, 4) standard errors of row, column, intensity and width, as far as noise is independent from pixel to
        pixel, which that of a denoised image is not.
    """

    positions: Floats
    intensity: Floats
    width: Floats
    background: Floats
    errors: Floats

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.positions)


@dataclass(frozen=True)
class Matches:
    """Which columns are the same.

    Attributes
    ----------
    found, true : (M,) their numbers among those found and among the true ones.
    distance : (M,) how far apart they are, pixels.
    precision, recall : share of those found that are true, and of the true ones that were found; 1 if there are none.
    """

    found: NDArray[np.intp]
    true: NDArray[np.intp]
    distance: Floats
    precision: float
    recall: float


def columns(
    image: ArrayLike,
    width: float | None = None,
    *,
    dark: bool = False,
    share: float = SHARE,
    significance: float = SIGNIFICANCE,
) -> Columns:
    r"""Find the columns of an image and fit a Gaussian to each.

    Candidates are the maxima of the difference of two Gaussian blurs, by 0.7 and 1.6 widths, within one width.
    To each is fitted :math:`b + A e^{-((y - y_0)^2 + (x - x_0)^2) / (2 w^2)}` by least squares, in a round window of
    three widths or of 0.6 of the distance to the next column, whichever is less, its neighbours' Gaussians taken out.

    Parameters
    ----------
    image : (H, W) real, of any scale.
    width : approximate standard deviation of a column's Gaussian in pixels; None estimates it.
    dark : whether columns are darker than what surrounds them.
    share : least contrast of a column over that of a typical one, 0 to 1.
    significance : least intensity over its standard error.

    Raises
    ------
    ImageError : the image is not two-dimensional, real and finite.
    ParameterError : a parameter is out of range.

    Examples
    --------
    >>> y, x = np.mgrid[:32, :32]
    >>> spot = np.exp(-((y - 12.3) ** 2 + (x - 17.8) ** 2) / (2 * 2.0**2))
    >>> found = columns(spot, width=2.0)
    >>> found.positions.round(3), found.intensity.round(2)
    (array([[12.3, 17.8]]), array([25.13]))
    """
    pixels = _image(image)
    if not 0 <= share <= 1:
        raise ParameterError(f"share is {share!r}; give a number from 0 to 1")
    if not significance >= 0:
        raise ParameterError(f"significance is {significance!r}; give a number of standard errors, such as 5")
    offset, scale = float(pixels.mean()), float(np.ptp(pixels))
    if not scale > 0:
        return _none()
    pixels = (pixels - offset) / (-scale if dark else scale)
    width = column_width(pixels) if width is None else _width(width)
    start = _candidates(pixels, width, share)
    if not len(start):
        return _none()
    first = gaussians.fit(pixels, start, width, reach_of(start, width), steps=gaussians.STEPS[:1])
    heights = np.clip(first.heights, 0, None)
    if heights.any():
        width = float(np.average(first.widths, weights=heights**2))
    fitted = gaussians.fit(pixels, start, width, reach_of(start, width))
    volume = 2 * np.pi * fitted.heights * fitted.widths**2
    # the variance of log(A w^2), first order
    relative = np.zeros((len(start), 5))
    relative[:, 0], relative[:, 4] = 2 * np.pi * fitted.widths**2, 2 * volume
    variance = np.einsum("ni,nij,nj->n", relative, fitted.covariance, relative)
    diagonal = np.einsum("nii->in", fitted.covariance)
    squares = [*diagonal[2:4], variance, diagonal[4] * fitted.widths**2]
    errors = np.sqrt(np.maximum(np.stack(squares, axis=1), 0))
    contrast = np.sqrt(np.maximum(fitted.covariance[:, 0, 0], 0))
    limit = np.array(pixels.shape) - 0.5
    good = (fitted.heights > significance * contrast) & ((fitted.places > -0.5) & (fitted.places < limit)).all(axis=1)
    good &= (np.abs(fitted.places - start) < 1.49 * width).all(axis=1)
    order = np.flatnonzero(good)[np.argsort(-volume[good], kind="stable")]
    order = order[_first(fitted.places[order], width)]
    sign = -scale if dark else scale
    errors[:, 2] *= scale
    return Columns(
        fitted.places[order], sign * volume[order], fitted.widths[order],
        offset + sign * fitted.backgrounds[order], errors[order],
    )  # fmt: skip


def intensities(image: ArrayLike, at: Columns) -> Floats:
    """Measure the intensities (N,) of known columns in another image of the same specimen.

    As :func:`columns`, but with the places and widths of ``at``, so that height and background alone are fitted, and
    there is an intensity for each column, found or not.

    Raises
    ------
    ImageError : as :func:`columns`.
    """
    pixels = _image(image)
    if not len(at):
        return np.empty(0)
    reach = reach_of(at.positions, float(np.median(at.width)))
    known = gaussians.Fit.of(at.positions, at.width)
    known.measure(pixels - pixels.mean(), Windows.about(at.positions, reach, (pixels.shape[0], pixels.shape[1])))
    return np.asarray(2 * np.pi * known.heights * at.width**2, np.float64)


def match(found: Columns | ArrayLike, true: Columns | ArrayLike, distance: float) -> Matches:
    """Match columns to the true ones: pairs of which each is the other's nearest, up to a distance in pixels.

    Raises
    ------
    ParameterError : the distance is not positive, or places are not (N, 2).

    Examples
    --------
    >>> match([[1.0, 1.0], [5.0, 5.0]], [[1.0, 1.5], [9.0, 9.0]], distance=2.0).recall
    0.5
    """
    a, b = (_places(each) for each in (found, true))
    if not distance > 0:
        raise ParameterError(f"distance is {distance!r}; give the pixels that a true column may be away, such as 2")
    if not len(a) or not len(b):
        nothing = np.empty(0, np.intp)
        return Matches(nothing, nothing, np.empty(0), float(not len(a)), float(not len(b)))
    (there, away), (back, _) = _nearest(a, b), _nearest(b, a)
    pairs = np.flatnonzero((back[there] == np.arange(len(a))) & (away <= distance))
    return Matches(pairs, there[pairs], away[pairs], len(pairs) / len(a), len(pairs) / len(b))


def column_width(image: ArrayLike) -> float:
    """Estimate the standard deviation of bright spots in pixels: the scale at which they stand out most.

    Of the Laplacian of Gaussian blurs of 0.7 to 12 pixels, times the square of the blur, the one with the greatest
    variance, less that of white noise; a Gaussian of standard deviation w answers most to a blur of 1.41 w.

    Raises
    ------
    ImageError : as :func:`columns`.

    References
    ----------
    Lindeberg (1998), "Feature detection with automatic scale selection", doi:10.1023/A:1008045108935.
    """
    pixels = _image(image)
    height, width = pixels.shape
    ky, kx = np.fft.fftfreq(2 * height)[:, None], np.fft.rfftfreq(2 * width)
    mirrored = np.pad(pixels - pixels.mean(), ((0, height), (0, width)), mode="symmetric")
    power = np.abs(np.fft.rfft2(mirrored)) ** 2
    squared = (2 * np.pi) ** 2 * (ky**2 + kx**2)
    floor = float(np.median(power[squared > np.pi**2])) / np.log(2.0)
    best, width_found = 0.0, NARROWEST
    for scale in np.geomspace(NARROWEST, min(WIDEST, min(height, width) / 4), 24):
        answer = (scale**2 * squared * np.exp(-0.5 * scale**2 * squared)) ** 2
        total = float((answer * (power - floor)).sum())
        if total > best:
            best, width_found = total, float(scale)
    return float(width_found / np.sqrt(2))


def _image(image: ArrayLike) -> Floats:
    pixels = np.asarray(image)
    if pixels.ndim != 2 or pixels.size == 0 or pixels.dtype.kind not in "buif":
        raise ImageError(f"columns are found in one 2-D image of real numbers, not in {pixels.dtype} {pixels.shape}")
    pixels = pixels.astype(np.float64)
    if not np.isfinite(pixels).all():
        raise ImageError("the image has pixels that are NaN or infinite; replace them first")
    return pixels


def _width(width: float) -> float:
    if not 0.3 <= width <= 1000:
        raise ParameterError(f"width is {width!r}; give a column's standard deviation in pixels, such as 2.5")
    return float(width)


def _none() -> Columns:
    empty = np.empty(0)
    return Columns(np.empty((0, 2)), empty, empty, empty, np.empty((0, 4)))


def _places(columns: Columns | ArrayLike) -> Floats:
    places = columns.positions if isinstance(columns, Columns) else np.asarray(columns, np.float64)
    if places.size == 0:
        return np.empty((0, 2))
    if places.ndim != 2 or places.shape[1] != 2:
        raise ParameterError(f"places have shape {places.shape}; give (N, 2), row and column of each")
    return places


def _candidates(pixels: Floats, width: float, share: float) -> Floats:
    """Return where a band-pass filter has its maxima (N, 2), if they reach a share of a typical one.

    Typical is the median weighted by squares, so that neither a few heavy atoms nor many faint ripples set it.
    """
    single = pixels.astype(np.float32)
    answer = filters.gaussian(single, FINE * width) - filters.gaussian(single, COARSE * width)
    highest, reach = answer, max(1, int(width))
    for axis in (0, 1):
        pad = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(highest, pad, constant_values=-np.inf)
        highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis).max(axis=-1)
    places = np.argwhere((answer == highest) & (answer > 0))
    height = answer[places[:, 0], places[:, 1]].astype(np.float64)
    order = np.argsort(height)
    if not len(order):
        return np.empty((0, 2))
    weight = np.cumsum(height[order] ** 2)
    typical = height[order[np.searchsorted(weight, 0.5 * weight[-1])]]
    candidates: Floats = places[height >= share * typical].astype(np.float64)
    return candidates


def reach_of(places: Floats, width: float) -> int:
    """Return the radius of the windows: three widths, or 0.6 of what lies between neighbours."""
    apart = float(np.median(_nearest(places, places, itself=False)[1])) if len(places) > 1 else np.inf
    return max(2, round(min(3.0 * width, 0.6 * apart)))


def _nearest(a: Floats, b: Floats, *, itself: bool = True) -> tuple[NDArray[np.intp], Floats]:
    """Return for each place of a (N, 2) the number of the nearest of b and how far it is."""
    index, away = np.empty(len(a), np.intp), np.empty(len(a))
    for start in range(0, len(a), 512):
        part = a[start : start + 512]
        squared = (part[:, :1] - b[:, 0]) ** 2 + (part[:, 1:] - b[:, 1]) ** 2
        if not itself:
            squared[np.arange(len(part)), start + np.arange(len(part))] = np.inf
        index[start : start + 512] = squared.argmin(axis=1)
        away[start : start + 512] = np.sqrt(squared.min(axis=1))
    return index, away


def _first(places: Floats, width: float) -> NDArray[np.intp]:
    """Return the numbers of places that no earlier one is within a width of: two fits can end at one column."""
    if len(places) < 2:
        return np.arange(len(places))
    keep = np.ones(len(places), bool)
    index, away = _nearest(places, places, itself=False)
    close = away < width
    keep[np.flatnonzero(close & (index < np.arange(len(places))))] = False
    return np.flatnonzero(keep)
