r"""What a network took away of waves that its result shows: the weak reflections of lattices.

A network looks at some cells of a lattice at once, and averages over few of them. A large window of the Fourier
transform adds up all cells: a reflection that is hardly there for the network stands far out of the noise. So the
residual :math:`D = F\{y - \hat x\}` is laid beside the result :math:`R = F\{\hat x\}`, in windows of up to 512 pixels,
at each wave at which the result has a peak. Over that and its eight neighbours

.. math:: h = \frac{\sum \Re(D R^*)}{\sum |R|^2}, \qquad z = \frac{\sum \Re(D R^*)}{\sqrt{\tfrac12 N \sum |R|^2}},

:math:`h` is by how much the result falls short of the image there, :math:`z` how many standard deviations of the noise
of power :math:`N` that is; and :math:`h \, (1 - 4 / z^2)_+ \, R` comes back, a shrunken least-squares estimate (James
and Stein 1961). It has the result's own phase, and its own form around the peak, so that it is where the lattice is,
and noise cannot bring a wave of its own. Waves that the result does not show are looked for where sums and differences
of its own are (`orders`).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats
from temclean.evidence.corrections import orders
from temclean.evidence.corrections.spectrum import BLURRED, SLOW, floor_of, gathered, power_of
from temclean.evidence.samples import Mask

RISE = 20.0
"""Times what the result's power is in a block's middle that a peak has."""

LEAST = 1.0
"""Times the noise that its power is: of weaker ones much is noise that the result kept."""

WEAKER = 4.0
"""Times what a satellite's power is that of its wave is, at least; and share of it that its twin has."""

CHANCE = 2.0
"""Standard deviations of which nothing comes back."""

MOST = 32
"""Waves, the strongest ones, of which sums and differences are taken: a lattice has few, a texture hundreds."""

LONGEST = 9
"""Periods in a window of the longest waves that count as a lattice's: longer ones vary slowly."""

NOTHING = 0.1
"""Times the noise's power that a wave has at least which belongs to a lattice."""


@dataclass(frozen=True)
class Waves:
    """Half spectra of a window, and in which places its lattice is.

    Attributes
    ----------
    back : what the result lacks, or has too much.
    whole : the result with that.
    regular : bool, what of it belongs to a lattice: its waves, and sums and differences of these.
    """

    back: NDArray[Any]
    whole: NDArray[Any]
    regular: Mask


def lacking(residual: Floats, result: Floats, *, strayed: bool) -> Waves | None:
    """Return what a window of a result lacks of its waves; None where it shows no lattice.

    Parameters
    ----------
    residual, result : ndarray, (side, side)
        Through a taper; the result without its mean.
    strayed : bool
        Rows strayed, and what that may have blurred is not taken off.
    """
    left: NDArray[Any] = np.fft.rfft2(residual)
    shown: NDArray[Any] = np.fft.rfft2(result)
    power = power_of(shown)
    floor, around = floor_of(power_of(left)), floor_of(power)
    peak = (power > RISE * around) & (power > LEAST * floor)
    peak[:, -2:] = False
    peak[:SLOW, :SLOW] = peak[1 - SLOW :, :SLOW] = False
    peak &= power >= gathered(power, 2, np.maximum)
    rows, columns = _of_the_specimen(power, peak)
    if not rows.size:
        return None
    common = gathered(left.real * shown.real + left.imag * shown.imag, 1, np.add)
    around = gathered(power, 1, np.add)
    short, total = common[rows, columns], around[rows, columns]
    if strayed:
        short = np.where(short < 0.0, np.minimum(short + np.float32(BLURRED) * total, 0.0), short)
    sure = short * short / (0.5 * CHANCE**2 * floor[rows, columns] * total)
    gain = np.zeros(power.shape, np.float32)
    gain[rows, columns] = short / total * (1.0 - 1.0 / np.maximum(sure, 1.0))
    spread = gathered(gain, 1, np.add)  # peaks are three pixels apart at least
    first = spread[:, 0]
    np.copyto(first, np.roll(first[::-1], 1), where=first == 0.0)
    back = spread * shown
    left -= back
    strongest = np.argsort(power[rows, columns])[-MOST:]
    sums = orders.sums_of((rows[strongest], columns[strongest]), len(power))
    orders.add_lacking(back, left, floor, shown, sums, strayed=strayed)
    whole = shown + back
    regular = sums & (power_of(whole) > NOTHING * floor)
    gain[rows, columns] = 1.0
    regular |= gathered(gain, 1, np.maximum) >= 1.0
    regular[:LONGEST, :LONGEST] = regular[1 - LONGEST :, :LONGEST] = False
    return Waves(back, whole, regular)


def _of_the_specimen(power: Floats, peak: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return rows and columns of the peaks of a half spectrum, without those that hum makes.

    A beam that swings with the mains displaces rows, and each wave of a lattice gets satellites, as far before as
    behind, that share its period along rows. So may other reflections of a lattice that lies along the rows; but by as
    much as these are apart down the rows, one lies straight down, and so does one that a specimen has by brightness.
    """
    rows, columns = np.nonzero(peak)
    strength, near = power[rows, columns], gathered(power, 1, np.maximum)
    opposite = (2 * rows - rows[:, None]) % len(power), np.maximum(2 * columns - columns[:, None], 0)
    satellite = (np.abs(columns[:, None] - columns) <= 1) & (WEAKER * strength[:, None] < strength)
    satellite &= near[opposite[0], np.minimum(opposite[1], power.shape[1] - 1)] > strength[:, None] / WEAKER
    straight = np.zeros(len(power), bool)
    straight[rows[columns <= 1]] = True
    straight |= straight[-np.arange(len(power))]
    straight |= np.roll(straight, 1) | np.roll(straight, -1)
    satellite &= ~straight[rows[:, None] - rows]
    kept = ~satellite.any(axis=1)
    return rows[kept], columns[kept]
