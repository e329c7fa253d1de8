"""Columns of atoms in an image: find them, and fit a Gaussian to each.

Places are (row, column) in pixels, the middle of the first pixel being (0, 0); intensities are in the image's unit
times the area of a pixel. Widths are in pixels too, of oblong ones in square ones as large: the Gaussians are round in
the specimen. All columns of an image are taken to be about equally wide.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError, ParameterError
from temclean.metrics import gaussians, scatter
from temclean.metrics.gaussians import Even, Fit, Floats, Singles, even_of
from temclean.metrics.neighbours import nearest

SHARE = 0.2
SIGNIFICANCE = 5.0
FINE, COARSE = 0.7, 1.6
"""Widths of the two blurs whose difference shows columns: somewhat sharper than what noise asks for, so that neighbours
at three widths stay apart."""

CLEAR = 3.5
"""Standard deviations of blurred noise that a candidate has: else those of noise alone set the windows."""

AGAIN, LOOKS = 0.1, 2
"""Logarithm of the fitted width over the one looked with from which on to look again, and how often at most."""

LOST, FEWER = 0.01, 0.05
"""Share of candidates that are no columns from which on to look again, and how many columns fewer that may bring: some
that a look with the wrong width brings are noise."""

LEAST_REACH = 2.0
"""Widths that a window reaches at least: in a smaller one nothing tells a wide column from a high background."""

NARROWEST, WIDEST = 0.7, 12.0
"""Standard deviations in pixels that are tried where no width is given."""

MEDIAN, UNSURE = 0.4549, 2.33
"""Of squares of Gaussian numbers, over their mean: the median, and its standard error times the root of their count."""

SURE = 4.0
"""How far the variance at a scale is above that of white noise, in standard deviations by chance, to be a spot's."""


@dataclass(frozen=True)
class Columns:
    r"""Columns of atoms, the brightest (or darkest) first.

    Attributes
    ----------
    positions : (N, 2) row and column, pixels.
    intensity : (N,) volume of the Gaussian, :math:`2 \pi A w^2`, the image's unit times square pixels; negative where
        columns are dark.
    width : (N,) w, standard deviation of the Gaussian, pixels (the root of height times width of oblong ones).
    background : (N,) what lies below it, the image's unit.
    errors : (N, 4) standard errors of row, column, intensity and width: of noise that may grow with the intensity, as
        counting makes it (:mod:`temclean.metrics.scatter`). What a network did to an image they cannot know.
    """

    positions: Floats
    intensity: Floats
    width: Floats
    background: Floats
    errors: Floats

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.positions)


def columns(
    image: ArrayLike,
    width: float | None = None,
    pixel: tuple[float, float] = (1.0, 1.0),
    *,
    dark: bool = False,
    share: float = SHARE,
    significance: float = SIGNIFICANCE,
    correlation: tuple[ArrayLike, ArrayLike] | None = None,
) -> Columns:
    r"""Find the columns of an image and fit a Gaussian to each.

    Candidates are the maxima of the difference of two Gaussian blurs, by 0.7 and 1.6 widths, within one width, that
    white noise hardly has. Where some are no columns, and the others turn out wider or narrower, they are looked for
    again with the width they have, which counts unless it brings fewer columns.
    To each is fitted :math:`b + A e^{-((y - y_0)^2 + (x - x_0)^2) / (2 w^2)}` by least squares, in a round window of
    three widths or of 0.6 of the distance to the next column, whichever is less, and of two widths at least, its
    neighbours' Gaussians taken out. Where noise leaves a width open, it is drawn towards that of the others.

    Parameters
    ----------
    image : (H, W) real, of any scale.
    width : approximate standard deviation of a column's Gaussian in pixels; None estimates it.
    pixel : height and width of a pixel, in any unit.
    dark : whether columns are darker than what surrounds them.
    share : least contrast of a column over that of a typical one, 0 to 1.
    significance : least height over its standard error, were noise white and the same everywhere.
    correlation : of the noise with the pixels 0, 1, 2, ... further along rows, and along columns, 1 at 0, for
        ``errors``; None is white noise.

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
    pixels, even = _image(image), even_of(pixel)
    if not 0 <= share <= 1:
        raise ParameterError(f"share is {share!r}; give a number from 0 to 1")
    if not significance >= 0:
        raise ParameterError(f"significance is {significance!r}; give a number of standard errors, such as 5")
    lags = None if correlation is None else (_lags(correlation[0]), _lags(correlation[1]))
    offset, scale = float(pixels.mean()), float(np.ptp(pixels))
    if not scale > 0:
        return _none()
    pixels = (pixels - offset) / (-scale if dark else scale)
    width = column_width(pixels, pixel) if width is None else _width(width)
    start = _candidates(pixels, width, share, even)
    if not len(start):
        return _none()
    look = _look(pixels, start, width, significance, even)
    for _ in range(LOOKS):
        lost = len(start) - len(look.order)
        if abs(np.log(look.width / width)) < AGAIN or lost < LOST * len(start):
            break
        width = look.width
        start = _candidates(pixels, width, share, even)
        fewest = (1 - FEWER) * len(look.order)
        again = _look(pixels, start, width, significance, even) if len(start) > fewest else None
        if again is None or len(again.order) < fewest:  # a wider look takes a dumbbell for one column
            break
        look = again
    fitted, order = look.fitted, look.order
    if not len(order):
        return _none()
    volume = 2 * np.pi * fitted.heights * fitted.widths**2
    spread = scatter.covariance(fitted, pixels, look.reach, order, lags)
    errors = _errors(volume[order], fitted.widths[order], spread)
    sign = -scale if dark else scale
    errors[:, :3] /= *even, 1 / scale
    return Columns(
        fitted.places[order] / even, sign * volume[order], fitted.widths[order],
        offset + sign * fitted.backgrounds[order], errors,
    )  # fmt: skip


@dataclass(frozen=True)
class _Look:
    """Gaussians about candidates, the radius of their windows, which are columns, the brightest first, and how wide."""

    fitted: Fit
    reach: int
    order: NDArray[np.intp]
    width: float


def _look(pixels: Floats, start: Floats, width: float, significance: float, even: Even) -> _Look:
    """Fit Gaussians to candidates (N, 2), even, first alone to know how wide they are."""
    first = gaussians.alone(pixels, start, width, reach_of(start, width), even)
    energy = (np.clip(first.heights, 0, None) * first.widths) ** 2  # by heights alone, spikes of noise would count most
    width = float(np.average(first.widths, weights=energy)) if energy.any() else width
    reach = reach_of(start, width)
    fitted = gaussians.fit(pixels, start, width, reach, even)
    contrast = np.sqrt(np.maximum(fitted.covariance[:, 0, 0], 0))
    places, limit = fitted.places / even, np.array(pixels.shape) - 0.5
    good = (fitted.heights > significance * contrast) & ((places > -0.5) & (places < limit)).all(axis=1)
    good &= (np.abs(fitted.places - start) < 1.49 * width).all(axis=1)
    order = np.flatnonzero(good)[np.argsort(-(fitted.heights * fitted.widths**2)[good], kind="stable")]
    return _Look(fitted, reach, order[_first(fitted.places[order], width)], fitted.usual_width() or width)


def _errors(volume: Floats, widths: Floats, spread: Floats) -> Floats:
    """Return standard errors (N, 4) of row, column, volume and width from the covariance (N, 5, 5) of a fit."""
    relative = np.zeros((len(volume), 5))
    relative[:, 0], relative[:, 4] = 2 * np.pi * widths**2, 2 * volume  # of 2 pi A w^2, first order
    variance = np.einsum("ni,nij,nj->n", relative, spread, relative)
    squares = [spread[:, 2, 2], spread[:, 3, 3], variance, spread[:, 4, 4] * widths**2]
    errors: Floats = np.sqrt(np.maximum(np.stack(squares, axis=1), 0))
    return errors


def intensities(image: ArrayLike, at: Columns, pixel: tuple[float, float] = (1.0, 1.0)) -> Floats:
    """Measure the intensities (N,) of known columns in another image of the same specimen.

    As :func:`columns`, but with the places and widths of ``at``, so that height and background alone are fitted, and
    there is an intensity for each column, found or not. ``pixel`` is the height and width of a pixel.

    Raises
    ------
    ImageError, ParameterError : as :func:`columns`.
    """
    pixels, even = _image(image), even_of(pixel)
    if not len(at):
        return np.empty(0)
    known = gaussians.Fit.of(at.positions * even, at.width, even)
    reach = reach_of(known.places, float(np.median(at.width)))
    known.measure(pixels - pixels.mean(), known.windows(reach, (pixels.shape[0], pixels.shape[1])))
    return np.asarray(2 * np.pi * known.heights * at.width**2, np.float64)


def column_width(image: ArrayLike, pixel: tuple[float, float] = (1.0, 1.0)) -> float:
    """Estimate the standard deviation of bright spots in pixels: the scale at which they stand out most.

    Of the Laplacian of Gaussian blurs of 0.7 to 12 pixels, times the square of the blur, the one with the greatest
    variance, less that of white noise; a Gaussian of standard deviation w answers most to a blur of 1.41 w. Where none
    has more than noise may have by chance, it is the narrowest, 0.5. ``pixel`` is the height and width of a pixel.

    Raises
    ------
    ImageError, ParameterError : as :func:`columns`.

    References
    ----------
    Lindeberg (1998), "Feature detection with automatic scale selection", doi:10.1023/A:1008045108935.
    """
    pixels, even = _image(image), even_of(pixel)
    height, width = pixels.shape
    ky, kx = np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width)
    mirrored = np.pad(pixels - pixels.mean(), ((0, height), (0, width)), mode="symmetric")
    # Of a mirrored image each wave is real but for a known phase: of noise, its power is the square of one number.
    power = np.abs(np.fft.rfft2(mirrored)[:height, :width]) ** 2
    power[0] /= 2
    power[:, 0] /= 2
    squared = (2 * np.pi) ** 2 * ((ky / even[0]) ** 2 + (kx / even[1]) ** 2)
    fine = power[ky**2 + kx**2 > 0.25]
    floor = float(np.median(fine)) / MEDIAN if fine.size else 0.0
    best, width_found = 0.0, NARROWEST
    for scale in np.geomspace(NARROWEST, min(WIDEST, min(height, width) / 4), 24):
        answer = (scale**2 * squared * np.exp(-0.5 * scale**2 * squared)) ** 2
        total = float((answer * (power - floor)).sum())
        chance = 2 * float((answer**2).sum()) + UNSURE**2 / max(fine.size, 1) * float(answer.sum()) ** 2
        if total > max(best, SURE * floor * np.sqrt(chance)):
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


def _lags(correlation: ArrayLike) -> Floats:
    values = np.asarray(correlation, np.float64)
    if values.ndim != 1 or not len(values) or values[0] != 1 or not (np.abs(values) <= 1).all():
        raise ParameterError(f"correlations are {correlation!r}; give 1, then those at 1, 2, ... pixels, -1 to 1")
    return values


def _none() -> Columns:
    empty = np.empty(0)
    return Columns(np.empty((0, 2)), empty, empty, empty, np.empty((0, 4)))


def _candidates(pixels: Floats, width: float, share: float, even: Even) -> Floats:
    """Return where a band-pass filter has its maxima (N, 2), if they are clear and reach a share of a typical one.

    Lengths are even (:mod:`temclean.metrics.gaussians`). Typical is the median weighted by squares, so
    that neither a few heavy atoms nor many faint ripples set it.
    """
    single = pixels.astype(np.float32)
    answer = _blurred(single, FINE * width, even) - _blurred(single, COARSE * width, even)
    highest = answer
    for axis in (0, 1):
        reach = max(1, int(min(width / even[axis], pixels.shape[axis])))
        pad = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        padded = np.pad(highest, pad, constant_values=-np.inf)
        highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis).max(axis=-1)
    places = np.argwhere((answer == highest) & (answer > 0))
    height = answer[places[:, 0], places[:, 1]].astype(np.float64)
    sure = height > CLEAR * _white(pixels) * _norm(width)
    places, height = places[sure], height[sure]
    order = np.argsort(height)
    if not len(order):
        return np.empty((0, 2))
    weight = np.cumsum(height[order] ** 2)
    typical = height[order[np.searchsorted(weight, 0.5 * weight[-1])]]
    found: Floats = places[height >= share * typical] * np.array(even)
    return found


def _blurred(image: Singles, width: float, even: Even) -> Singles:
    """Convolve with a Gaussian that is round in even lengths, and is cut at four widths; borders reflect."""
    for axis in (0, 1):
        reach = int(np.ceil(min(4.0 * width / even[axis], image.shape[axis])))
        kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * even[axis] / max(width, 1e-3)) ** 2)
        pad = [(reach, reach) if each == axis else (0, 0) for each in (0, 1)]
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(image, pad, mode="symmetric"), 2 * reach + 1, axis)
        image = windows @ (kernel / kernel.sum()).astype(np.float32)
    return image


def _white(pixels: Floats) -> float:
    """Return the standard deviation of white noise: of the median of what is fine in the Fourier plane.

    Lattices have their power in few places there.
    """
    power = np.abs(np.fft.rfft2(pixels)) ** 2
    ky, kx = np.fft.fftfreq(pixels.shape[0])[:, None], np.fft.rfftfreq(pixels.shape[1])
    fine = power[ky**2 + kx**2 > 0.25**2]
    return float(np.sqrt(np.median(fine) / np.log(2.0) / pixels.size)) if fine.size else 0.0


def _norm(width: float) -> float:
    r"""Return what the difference of the two blurs leaves of white noise of standard deviation 1.

    The product of two Gaussians of standard deviations s and t has the integral :math:`1 / (2 \pi (s^2 + t^2))`.
    """
    a, b = (FINE * width) ** 2, (COARSE * width) ** 2
    return float(np.sqrt((1 / (4 * a) + 1 / (4 * b) - 1 / (a + b)) / np.pi))


def reach_of(places: Floats, width: float) -> int:
    """Return the radius of the windows: three widths, or 0.6 of what lies between neighbours; two widths at least."""
    apart = float(np.median(nearest(places)[1])) if len(places) > 1 else np.inf
    return max(2, round(LEAST_REACH * width), round(min(3.0 * width, 0.6 * apart)))


def _first(places: Floats, width: float) -> NDArray[np.intp]:
    """Return the numbers of places that no earlier one is within a width of: two fits can end at one column."""
    if len(places) < 2:
        return np.arange(len(places))
    keep = np.ones(len(places), bool)
    index, away = nearest(places)
    close = away < width
    keep[np.flatnonzero(close & (index < np.arange(len(places))))] = False
    return np.flatnonzero(keep)
