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
"""Periods in pixels at which lattices and fringes are looked for; of coarser ones flanks and harmonics are found."""

LOOKED_AT = 60
"""Places that stand out of their ring; each is compared with what lies nearer to the middle and further from it."""

PEAK, RING = 30.0, 3.0
"""From here on a peak, or a ring, is a lattice's; of drawings of low magnification one in twenty comes so far."""

SLOWEST, HARMONIC = 3.0, 3.0
"""Periods that a piece holds at least of a wave that is told, as uneven light has fewer; and how many times coarser
than what stands out it may be."""

AS_STRONG, SHARP = 0.25, 60.0
"""Least power of that wave: over that of the strongest such one, and over what a fifth of its ring has less than."""

NOISE_ENDS = 1.5
"""Power over that of the highest frequencies from which on it is structure."""


@dataclass(frozen=True)
class Structure:
    """What a spectrum shows.

    Attributes
    ----------
    period : of a lattice, of fringes or of an atomic structure without order, in pixels; None where there is none.
    finest : period of the finest structure that stands out of the noise, in pixels; infinite where none does.
    strength : power of the coarsest structure over that of the noise.
    """

    period: float | None
    finest: float
    strength: float


NOTHING = Structure(None, math.inf, 0.0)


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
    peak, found = _peak(power, radius, profile[ring])
    smooth = np.convolve(profile, np.full(3, 1 / 3), mode="same")
    first, last = max(4, int(side / COARSEST)), int(side / FINEST)
    over = smooth[first:last] / np.minimum.accumulate(smooth[2 : last - 1])[first - 3 :][: last - first]
    floor = float(np.median(profile[int(0.44 * side) : middle - 1]))
    above = np.flatnonzero(smooth[: middle - 2] > NOISE_ENDS * floor)
    finest = side / max(int(above[-1]), 1) if above.size else math.inf
    strength = float(smooth[2:].max()) / floor
    if peak <= PEAK:
        found = float(_ring(smooth, first + int(over.argmax()))) if over.max() > RING else 0.0
    return Structure(side / _wave(power, radius, found) if found else None, finest, strength)


def _ring(profile: Doubles, found: int) -> int:
    """Return where the ring is whose flank was found, or it itself."""
    while found > SLOWEST and profile[found - 1] > profile[found]:
        found -= 1
    return found


def _wave(power: Doubles, radius: Doubles, found: float) -> float:
    """Return how far from the middle the wave is that was found to stand out at a distance from the middle.

    That may be the flank or a harmonic of a coarser one than were looked for, which is then the one.
    """
    side = len(power)
    middle = side // 2
    least, most = max(SLOWEST, found / HARMONIC), min(1.25 * found + 1, middle - 2.0)
    inside = (radius >= least) & (radius <= most)
    inside[:middle] = False  # a spectrum is the same upside down
    rows, columns = np.nonzero(inside)
    far, strengths = radius[rows, columns], power[rows, columns]
    waves: list[float] = []
    weakest = 0.0
    for place in np.argsort(-strengths)[: 5 * LOOKED_AT]:  # each wave has several
        row, column, strength = rows[place], columns[place], float(strengths[place])
        if strength < weakest:
            break
        around = power[row - 1 : row + 2, column - 1 : column + 2]
        ring = strengths[np.abs(far - far[place]) < 0.7]
        if strength == around.max() and strength > SHARP * np.quantile(ring, 0.2):
            weakest = max(weakest, AS_STRONG * strength)
            # The window spreads a wave over three places, the more evenly the closer it is to the middle of two.
            down, across = (float(around.sum(axis=axis) @ (-1.0, 0.0, 1.0) / around.sum()) for axis in (1, 0))
            waves.append(math.hypot(row - middle + down, column - middle + across))
    coarsest = min(waves, default=found)
    if coarsest < _nearest(side):
        return coarsest
    closest = min(waves, key=lambda away: abs(away - found), default=found)
    return closest if abs(closest - found) < 1 else found


def _nearest(side: int) -> float:
    """Return how near the middle peaks are looked for."""
    return max(5.0, side / COARSEST)


def _peak(power: Doubles, radius: Doubles, ring: Doubles) -> tuple[float, float]:
    """Return how far the strongest peak stands out, and how far from the middle it is.

    Edges make streaks through the middle, which stand out of their ring, but not of the rest of the streak.
    """
    side = len(power)
    middle = side // 2
    rolled = [np.roll(power, (row, column), (0, 1)) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    around: Doubles = np.mean(rolled, axis=0)
    band = (radius > _nearest(side)) & (radius < side / FINEST)
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
    return float(stands[strongest]), float(far[strongest])
