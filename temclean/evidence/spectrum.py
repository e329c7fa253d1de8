"""Whether an image shows a lattice or fringes, and how fine its finest structure is, by its power spectrum."""

import math
from dataclasses import dataclass

import numpy as np

from temclean.evidence.samples import Sample
from temclean.evidence.variance import Doubles

PIECES = 4
"""Pieces whose spectra are averaged, at most."""

SIDE = 256
"""Pixels along their sides, at most."""

FINEST, COARSEST = 2.5, 40.0
"""Periods of lattices and fringes, in pixels."""

LOOKED_AT = 60
"""Places that stand out of their ring; each is compared with what lies nearer to the middle and further from it."""

PEAK, RING = 30.0, 3.0
"""From here on a peak, or a ring, is a lattice's; of drawings of low magnification one in twenty comes so far."""

NOISE_ENDS = 1.5
"""Power over that of the highest frequencies from which on it is structure."""


@dataclass(frozen=True)
class Structure:
    """What a spectrum shows.

    Attributes
    ----------
    peak, peak_period : how far the strongest peak stands out of its own direction, and its period in pixels.
    ring, ring_period : how far the strongest ring stands out of what lies inside it, and its period.
    finest : period of the finest structure that stands out of the noise, in pixels; infinite where none does.
    strength : power of the coarsest structure over that of the noise.
    """

    peak: float
    peak_period: float
    ring: float
    ring_period: float
    finest: float
    strength: float

    @property
    def period(self) -> float | None:
        """Period of a lattice, of fringes or of an atomic structure without order; None where there is none."""
        if self.peak > PEAK:
            return self.peak_period
        return self.ring_period if self.ring > RING else None


NOTHING = Structure(0.0, 0.0, 0.0, 0.0, math.inf, 0.0)


def structure(sample: Sample) -> Structure:
    """Look for peaks, rings and the finest structure of an image."""
    side = min(SIDE, *sample.pieces.shape[1:]) // 2 * 2
    if side < 64:
        return NOTHING
    tops, lefts = (sorted({0, length - side}) for length in sample.pieces.shape[1:])
    cut = [piece[top : top + side, left : left + side] for piece in sample.pieces for top in tops for left in lefts]
    cut = cut[:: math.ceil(len(cut) / PIECES)]
    # Wild pixels may have more power than all the rest.
    low, high = np.quantile(sample.pieces[:, ::3, ::3], (0.01, 0.99))
    edge = np.hanning(side + 2)[1:-1].astype(np.float32)
    window = edge[:, None] * edge
    power = np.zeros((side, side))
    for piece in cut:
        kept = piece.clip(low, high)
        power += np.abs(np.fft.fft2((kept - kept.mean()) * window)) ** 2
    power = np.fft.fftshift(power)
    power += 1e-9 * float(power.max())
    return _read(power) if power.max() > 0 else NOTHING


def _read(power: Doubles) -> Structure:
    """Read a spectrum whose middle is frequency 0."""
    side = len(power)
    middle = side // 2
    away = np.arange(-middle, middle, dtype=np.float64)
    radius = np.hypot(away[:, None], away)
    ring = np.minimum(radius.astype(np.int64), middle - 1)
    profile = np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel())
    peak, peak_period = _peak(power, radius, profile[ring])
    smooth = np.convolve(profile, np.full(3, 1 / 3), mode="same")
    first, last = max(4, int(side / COARSEST)), int(side / FINEST)
    over = smooth[first:last] / np.minimum.accumulate(smooth[2 : last - 1])[first - 3 :][: last - first]
    floor = float(np.median(profile[int(0.44 * side) : middle - 1]))
    above = np.flatnonzero(smooth[: middle - 2] > NOISE_ENDS * floor)
    finest = side / max(int(above[-1]), 1) if above.size else math.inf
    strength = float(smooth[2:].max()) / floor
    return Structure(peak, peak_period, float(over.max()), side / (first + int(over.argmax())), finest, strength)


def _peak(power: Doubles, radius: Doubles, ring: Doubles) -> tuple[float, float]:
    """Return how far the strongest peak stands out, and its period.

    Edges make streaks through the middle, which stand out of their ring, but not of the rest of the streak.
    """
    side = len(power)
    middle = side // 2
    rolled = [np.roll(power, (row, column), (0, 1)) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    around: Doubles = np.mean(rolled, axis=0)
    band = (radius > max(5.0, side / COARSEST)) & (radius < side / FINEST)
    band[:middle] = False  # a spectrum is the same upside down
    places = np.flatnonzero(band)
    over = (power / ring).ravel()[places]
    best = places[np.argpartition(over, -LOOKED_AT)[-LOOKED_AT:]]
    y, x = best // side - middle, best % side - middle
    far = np.hypot(y, x)
    step = np.maximum(4.0 / far, 0.12)
    near = 1.0 + step * np.array([-1.6, -1.3, -1.0, 1.0, 1.3, 1.6])[:, None]
    rows, columns = (np.clip(np.rint(middle + along * near).astype(int), 0, side - 1) for along in (y, x))
    inner, outer = np.median(around[rows, columns].reshape(2, 3, -1), axis=1)
    stands = around.ravel()[best] / np.maximum(inner, outer)
    strongest = int(stands.argmax())
    return float(stands[strongest]), float(side / far[strongest])
