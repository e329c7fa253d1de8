"""By how much a frame of a movie stands off another, and frames moved back."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError

Floats = NDArray[np.float32]
Shift = tuple[float, float]

LOOKED_AT = 512
"""Pixels along a side, in the middle of a frame, that are compared."""

FINE, COARSE = 1.2, 16.0
"""Standard deviations in pixels of two Gaussians: what is finer than the one is noise, coarser than the other uneven
light, which stands still."""

LIMIT = 2.0
"""Standard deviations at which what stands out is cut, as one bright atom may hop while all others stay."""

SURE = 5.0
"""Standard errors of a correlation, from which on it shows that two frames have something in common; of a few thousand
shifts, the best reaches four by chance."""

TAPS = 4
"""Reach in pixels of the interpolating kernel."""


def shift(reference: NDArray[Any], frame: NDArray[Any], farthest: float = 16.0) -> Shift:
    r"""Return by how many pixels (down, right) a frame stands off a reference; (0, 0) where that cannot be told.

    The greatest correlation :math:`\sum_r a(r)\, b(r + d)` of both, each freed of its finest and its coarsest part and
    faded out towards its edges, first in whole pixels; then of what both show, with a parabola through the neighbours
    of the peak. Of a lattice, whose peaks repeat, the least shift counts.

    Parameters
    ----------
    reference, frame : ndarray, (rows, columns)
        Of one shape.
    farthest : float
        Pixels along either axis that are thought possible, no more than a quarter of the shorter side.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> spot = lambda y0, x0: np.exp(-((y - y0) ** 2 + (x - x0) ** 2) / 30)
    >>> [round(float(value), 1) for value in shift(spot(32, 30), spot(29, 32.5))]
    [-3.0, 2.5]
    """
    if reference.shape != frame.shape or reference.ndim != 2:
        raise ImageError(f"frames of {reference.shape} and {frame.shape} cannot be laid over each other")
    sides = [min(length, LOOKED_AT) for length in reference.shape]
    tops = [(length - side) // 2 for length, side in zip(reference.shape, sides, strict=True)]
    window = tuple(slice(top, top + side) for top, side in zip(tops, sides, strict=True))
    first, second = (np.asarray(pixels[window], np.float32) for pixels in (reference, frame))
    most = min(farthest, min(sides) / 4)
    if min(sides) < 4 * TAPS or most < 1:
        return 0.0, 0.0
    found = _peak(first, second, int(most))
    if found is None:
        return 0.0, 0.0
    down, right = (round(value) for value in found)
    rest = _peak(*overlap(first, second, (down, right)), 2)
    if rest is None or max(map(abs, rest)) > 1.5:
        return found
    return down + rest[0], right + rest[1]


def overlap(first: Floats, second: Floats, off: tuple[int, int]) -> tuple[Floats, Floats]:
    """Return the parts of two frames that show the same, the second standing off by whole pixels."""
    parts: list[Floats] = []
    for frame, sign in ((first, 1), (second, -1)):
        rows, columns = (
            slice(max(0, -sign * step), length - max(0, sign * step))
            for step, length in zip(off, frame.shape, strict=True)
        )
        parts.append(frame[rows, columns])
    return parts[0], parts[1]


def _peak(first: Floats, second: Floats, most: int) -> Shift | None:
    """Return the shift of greatest correlation up to ``most`` pixels; None if there is no sure one."""
    window = np.outer(*(np.hanning(side + 2)[1:-1] for side in first.shape)).astype(np.float32)
    bands = [_band(frame) * window for frame in (first, second)]
    spectra = [np.fft.rfft2(band) for band in bands]
    power = math.sqrt(math.prod(float((band**2).sum()) for band in bands))
    if not power > 0:
        return None
    surface = np.fft.irfft2(spectra[0].conj() * spectra[1], first.shape) / power
    lags = np.arange(-most - 1, most + 2)
    near = surface[np.ix_(lags, lags)]
    weight = np.exp(-0.5 * (lags / most) ** 2)
    inner = (near * np.outer(weight, weight))[1:-1, 1:-1]
    y, x = (int(place) + 1 for place in np.unravel_index(int(inner.argmax()), inner.shape))
    error = math.sqrt(4.0 * math.pi * FINE**2 * float((window**2).sum())) / float(window.sum())
    if near[y, x] < SURE * error:
        return None
    (below, down_gain), (aside, right_gain) = _vertex(near[y - 1 : y + 2, x]), _vertex(near[y, x - 1 : x + 2])
    down, right = float(lags[y] + below), float(lags[x] + aside)
    # Neighbouring values of the surface share most of their error, and the more alike frames are, the less there is.
    unlike = -math.expm1(-(down**2 + right**2) / (4.0 * FINE**2))
    gain = near[y, x] + down_gain + right_gain - near[most + 1, most + 1]
    return (down, right) if gain > error * math.sqrt(unlike) * (1.0 - near[y, x]) else (0.0, 0.0)


def _band(frame: Floats) -> Floats:
    """Return a frame without its finest and its coarsest part, in which no single spot outweighs the rest."""
    fine = filters.gaussian(frame, FINE)
    band = fine - filters.gaussian(frame, min(COARSE, min(frame.shape) / 8))
    limit = LIMIT * np.float32(band.std())
    return band.clip(-limit, limit)


def _vertex(values: NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Return where the parabola through three values has its peak, -1 to 1 from the middle, and how much higher."""
    before, here, after = map(float, values)
    bend = before - 2.0 * here + after
    if bend >= 0:
        return 0.0, 0.0
    place = max(-1.0, min(1.0, 0.5 * (before - after) / bend))
    return place, 0.5 * (after - before) * place + 0.5 * bend * place**2


def moved(frame: NDArray[Any], off: Shift) -> Floats:
    """Move a frame, (rows, columns), down and right by fractions of a pixel; what comes in from outside is NaN.

    By a sinc under a window of eight pixels (Lanczos), which keeps all but the finest waves; by whole pixels nothing is
    interpolated. So white noise keeps nearly its strength.

    Raises
    ------
    ParameterError
        If the shift is not finite.

    Examples
    --------
    >>> moved(np.arange(3.0)[None], (0, 1))
    array([[nan,  0.,  1.]], dtype=float32)
    """
    if not all(map(math.isfinite, off)):
        raise ParameterError(f"a frame cannot be moved by {off} pixels")
    out = np.asarray(frame, np.float32)
    for step in off:
        out = _down(out, step).T
    return np.ascontiguousarray(out)


def _down(frame: Floats, step: float) -> Floats:
    whole = math.floor(step)
    share = step - whole
    if share < 1e-3 or share > 1 - 1e-3:
        taps = {round(step): 1.0}
    else:
        places = np.arange(whole - TAPS + 1, whole + TAPS + 1)
        distance = places - step
        kernel = np.sinc(distance) * np.sinc(distance / TAPS)
        taps = dict(zip(places.tolist(), (kernel / kernel.sum()).tolist(), strict=True))
    out = np.zeros_like(frame)
    for place, weight in taps.items():
        out += np.float32(weight) * _rolled(frame, place)
    return out


def _rolled(frame: Floats, down: int) -> Floats:
    out = np.full_like(frame, np.nan)
    height = len(frame)
    if abs(down) < height:
        out[max(0, down) : height + min(0, down)] = frame[max(0, -down) : height - max(0, down)]
    return out
