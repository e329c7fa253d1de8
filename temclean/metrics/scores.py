"""The metrics of a pair, and CSS, that of a movie.

Images are 2-D and of any real type: 32 and 64-bit floats are used as they are, in their own precision, integers of up
to 16 bits and half floats become float32, the rest float64; layout and byte order do not matter. Sums are float64, and
each part of an image is freed of its mean first, so counts of 10,000 with a range of 200 lose no digits.

``data_range``, where a metric takes one, is the span of intensities that counts as full contrast. Left out, it is 1 if
the truth lies within [0, 1]; else the truth's maximum less its minimum; if the truth is flat, that of both images; if
all is flat, 1. One hot pixel stretches that span, so give the range where it is known.
"""

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _sums
from temclean.errors import ImageError
from temclean.metrics import pairs, pyramid
from temclean.metrics.pairs import Pixels, Survey
from temclean.metrics.pyramid import K1, K2, WINDOW

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LEAST_SIZE = (WINDOW - 1) * 2 ** (len(WEIGHTS) - 1) + 1
"""Pixels along the shorter side, 161, of which five scales can be made: 161, 81, 41, 21, 11."""


def mae(truth: ArrayLike, test: ArrayLike, *, threads: int = 1) -> float:
    r"""Return the mean absolute error, :math:`\sum |x - y| / n`, in the images' own unit.

    Raises
    ------
    ImageError
        If the images differ in shape, are not 2-D, or hold values that are not finite.

    Examples
    --------
    >>> mae([[0.0, 1.0]], [[0.0, 0.5]])
    0.25
    """
    return _errors(*pairs.pair(truth, test), pairs.checked(threads))[0]


def psnr(truth: ArrayLike, test: ArrayLike, data_range: float | None = None, *, threads: int = 1) -> float:
    r"""Return the peak signal-to-noise ratio, :math:`10 \log_{10}(L^2 n / \sum (x - y)^2)`, in dB.

    Equal images have no noise: their ratio is ``math.inf``, which :func:`to_json` writes as ``"Infinity"``.

    Parameters
    ----------
    data_range
        L, in the images' unit; None as in this module's description.

    Raises
    ------
    ImageError
        As :func:`mae`.
    ParameterError
        If the range is not positive.

    Examples
    --------
    >>> round(psnr([[0.0, 1.0]], [[0.1, 0.9]]), 6)
    20.0
    """
    x, y = pairs.pair(truth, test)
    threads = pairs.checked(threads)
    return _decibels(_errors(x, y, threads)[1], _span(x, y, data_range, threads))


def ssim(truth: ArrayLike, test: ArrayLike, data_range: float | None = None, *, threads: int = 1) -> float:
    r"""Return the structural similarity, 1 for equal images.

    The mean over all windows of

    .. math:: \frac{(2 m_1 m_2 + C_1)(2 v_{12} + C_2)}{(m_1^2 + m_2^2 + C_1)(v_1 + v_2 + C_2)}

    with an 11 x 11 Gaussian window of sigma 1.5 that lies wholly in the image, C1 = (0.01 L)^2, C2 = (0.03 L)^2.

    Parameters
    ----------
    data_range
        L, in the images' unit; None as in this module's description.

    Raises
    ------
    ImageError
        As :func:`mae`, or if a side is shorter than 11 pixels.
    ParameterError
        If the range is not positive.

    References
    ----------
    Wang, Bovik, Sheikh and Simoncelli (2004), doi:10.1109/TIP.2003.819861.

    Examples
    --------
    >>> ssim(np.eye(16), np.eye(16))
    1.0
    """
    x, y = pairs.pair(truth, test)
    if min(x.shape) < WINDOW:
        raise ImageError(f"SSIM needs images of {WINDOW}x{WINDOW} pixels or more, not {pairs.size(x)}")
    threads = pairs.checked(threads)
    return pyramid.factors(x, y, _span(x, y, data_range, threads), 1, threads)[0]


def ms_ssim(truth: ArrayLike, test: ArrayLike, data_range: float | None = None, *, threads: int = 1) -> float:
    r"""Return the multi-scale structural similarity, from 0 to 1 for equal images.

    The product of five scales, each half the size of the one before,

    .. math:: S_5^{0.1333} \prod_{i=1}^{4} c_i^{w_i},\quad w = 0.0448, 0.2856, 0.3001, 0.2363

    where S is :func:`ssim` and c the same without its first (luminance) factor; a negative factor counts as 0. Halving
    takes means of 2 x 2 pixels, an odd last row or column repeated, as TensorFlow's ``ssim_multiscale`` does.

    Parameters
    ----------
    data_range
        L, in the images' unit; None as in this module's description.

    Raises
    ------
    ImageError
        As :func:`mae`, or if a side is shorter than 161 pixels, too few for five scales.
    ParameterError
        If the range is not positive.

    References
    ----------
    Wang, Simoncelli and Bovik (2003), doi:10.1109/ACSSC.2003.1292216.

    Examples
    --------
    >>> ms_ssim(np.eye(176), np.eye(176))
    1.0
    """
    x, y = pairs.pair(truth, test)
    if min(x.shape) < LEAST_SIZE:
        raise ImageError(
            f"the five scales of MS-SSIM need images of {LEAST_SIZE}x{LEAST_SIZE} pixels or more, not {pairs.size(x)}; "
            "use SSIM"
        )
    threads = pairs.checked(threads)
    return _product(pyramid.factors(x, y, _span(x, y, data_range, threads), len(WEIGHTS), threads))


def css(frame1: ArrayLike, frame2: ArrayLike, data_range: float | None = None, *, threads: int = 1) -> float:
    """Return the consecutive structural similarity of two frames of a movie, 1 for equal frames.

    :func:`ssim`'s formula with the means, (population) variances and covariance of the whole frame.

    Parameters
    ----------
    data_range
        L, in the images' unit. Neither frame is the truth, so None means 1 if both lie within [0, 1], else the maximum
        less the minimum of both.

    Raises
    ------
    ImageError
        As :func:`mae`.
    ParameterError
        If the range is not positive.

    References
    ----------
    Wang, Henninen, Keller and Erni (2020), Noise2Atom, equation 10, where L = 1.

    Examples
    --------
    >>> css([[0.0, 1.0]], [[0.0, 1.0]])
    1.0
    """
    return float(movie_css((frame1, frame2), data_range, threads=threads)[0])


def movie_css(frames: Iterable[ArrayLike], data_range: float | None = None, *, threads: int = 1) -> NDArray[np.float64]:
    """Return :func:`css` of each frame with the next: one value fewer than frames.

    Two frames at a time are held. ``data_range=None`` looks at the whole movie, so that its values can be compared.

    Raises
    ------
    ImageError
        As :func:`mae`, or if there are fewer than two frames.
    ParameterError
        If the range is not positive.
    """
    threads = pairs.checked(threads)
    unit = None if data_range is None else pairs.positive(data_range)
    found: list[tuple[float, float, float, float]] = []
    last: tuple[Pixels, Survey] | None = None
    whole: Survey | None = None
    for index, values in enumerate(frames):
        image = pairs.image(values, f"frame {index}")
        survey = pairs.survey(image, f"frame {index}", threads)
        whole = whole.joined(survey) if whole else survey
        if last:
            x, y = pairs.alike(last[0], image, f"frame {index - 1}", f"frame {index}")
            found.append(_moments(x, y, last[1].mean, survey.mean, threads))
        last = image, survey
    if whole is None or not found:
        raise ImageError("CSS compares consecutive frames; give two or more")
    unit = unit or pairs.span(whole, whole)
    mean_s, mean_d, variance_s, variance_d = np.array(found).T / np.array([[unit], [unit], [unit**2], [unit**2]])
    light = mean_d**2 / ((mean_s**2 + mean_d**2) / 2 + K1**2)
    structure = variance_d / ((variance_s + variance_d) / 2 + K2**2)
    return np.asarray((1 - light) * (1 - structure), np.float64)


def score(
    truth: ArrayLike, test: ArrayLike, data_range: float | None = None, *, threads: int = 1
) -> dict[str, float | None]:
    """Return ``mae``, ``psnr``, ``ssim`` and ``ms_ssim`` of a pair.

    A metric that the images are too small for is None: SSIM below 11 pixels, MS-SSIM below 161. Equal images have a
    PSNR of ``math.inf``.

    Raises
    ------
    ImageError
        As :func:`mae`.
    ParameterError
        If the range is not positive.

    Examples
    --------
    >>> score([[0.0, 1.0]], [[0.0, 1.0]])
    {'mae': 0.0, 'psnr': inf, 'ssim': None, 'ms_ssim': None}
    """
    x, y = pairs.pair(truth, test)
    threads = pairs.checked(threads)
    span = _span(x, y, data_range, threads)
    absolute, square = _errors(x, y, threads)
    single = multi = None
    if min(x.shape) >= WINDOW:
        single = pyramid.factors(x, y, span, 1, threads)[0]
    if min(x.shape) >= LEAST_SIZE:
        multi = _product(pyramid.factors(x, y, span, len(WEIGHTS), threads))
    return {"mae": absolute, "psnr": _decibels(square, span), "ssim": single, "ms_ssim": multi}


def to_json(scores: dict[str, float | None]) -> dict[str, float | str | None]:
    """Return scores that any JSON reader takes.

    JSON has no infinity, and null says that a metric is absent, so the PSNR of equal images is written as the string
    ``"Infinity"`` (the convention of Protocol Buffers), which ``float``, JavaScript's ``Number``, pandas and R turn
    back into the number.

    Examples
    --------
    >>> to_json({"psnr": math.inf, "ms_ssim": None})
    {'psnr': 'Infinity', 'ms_ssim': None}
    """
    return {name: "Infinity" if value == math.inf else value for name, value in scores.items()}


def _span(x: Pixels, y: Pixels, data_range: float | None, threads: int) -> float:
    if data_range is not None:
        return pairs.positive(data_range)
    return pairs.span(pairs.survey(x, "truth", threads), pairs.survey(y, "test", threads))


def _errors(x: Pixels, y: Pixels, threads: int) -> tuple[float, float]:
    """Return the mean absolute and the mean squared difference."""
    out = pairs.blocks(x, 2)
    _sums.differences(x, y, out, threads)
    absolute, square = (float(value) for value in out.sum(axis=0) / x.size)
    if not math.isfinite(square):
        pairs.refuse_pair(x, y)
    return absolute, square


def _decibels(square: float, span: float) -> float:
    return 20 * math.log10(span) - 10 * math.log10(square) if square else math.inf


def _moments(x: Pixels, y: Pixels, mean_x: float, mean_y: float, threads: int) -> tuple[float, float, float, float]:
    """Return the means of x + y and of x - y, and their variances."""
    out = pairs.blocks(x, 2)
    _sums.moments(x, y, mean_x + mean_y, mean_x - mean_y, out, threads)
    variance_s, variance_d = (float(value) for value in out.sum(axis=0) / x.size)
    return mean_x + mean_y, mean_x - mean_y, variance_s, variance_d


def _product(factors: list[float]) -> float:
    return math.prod(float(max(factor, 0.0) ** weight) for factor, weight in zip(factors, WEIGHTS, strict=True))
