"""Where a detector cut off a raw image: what its residual does there that is neither noise nor structure.

Noise that is cut off is one-sided. Its mean depends on what lies behind the end, which a result may show, leave out, or
replace by that mean; deep behind it nothing of the noise is left. Specks, that noise sent to the ends, are wild.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import noise, samples, variance
from temclean.evidence.samples import Floats, Mask
from temclean.evidence.variance import Doubles

NEIGHBOURS = 5
"""Blocks along the sides of the neighbourhood whose share of pixels at an end, and whose mean residual, count."""

BLIND = 0.9
"""Share of pixels at one end of the range from which on nothing can be told there."""

UNSURE = 1.5
"""By how much stronger noise that is cut off may be than it was measured."""

MOSTLY, MANY = 0.3, 0.2
"""Specks, over the pixels at the ends, from which on these are taken for specks; and share of all pixels from which on
specks are so many that their means scatter as those of normal noise do."""

COARSE = 0.4, 0.02
"""Step from one value to the next, of the noise and of the range, above which counts are few and end by themselves."""

HARDLY = 0.02
"""Noise, of the range, below which specks are nearly all there is of it."""

FARTHEST = 8.0
"""Standard deviations behind an end up to which more than all is cut off."""


@dataclass(frozen=True)
class Ends:
    """The values at which an image is cut off, None where it is not; the noise at both, and whether there are specks.

    Attributes
    ----------
    low, high : the least value and the greatest.
    at_low, at_high : standard deviation of the noise there.
    specks : whether most of what lies at the ends is specks.
    quiet : whether there is hardly any noise beside these.
    """

    low: float | None
    high: float | None
    at_low: float
    at_high: float
    specks: bool
    quiet: bool = False

    def scaled(self, offset: float, unit: float) -> "Ends":
        """Return them in units of ``unit``, from ``offset`` on."""
        low, high = (None if end is None else (end - offset) / unit for end in (self.low, self.high))
        return Ends(low, high, self.at_low / unit, self.at_high / unit, self.specks, self.quiet)

    def at(self, pixels: NDArray[Any]) -> Mask:
        """Return which pixels are at an end."""
        found = np.zeros(pixels.shape, bool)
        for end in (self.low, self.high):
            if end is not None:
                found |= pixels == end
        return found

    def beyond(self, pixels: NDArray[Any]) -> Mask:
        """Return which pixels are at an end or beyond it."""
        found = np.zeros(pixels.shape, bool)
        if self.low is not None:
            found |= pixels <= self.low
        if self.high is not None:
            found |= pixels >= self.high
        return found

    def passed(self, pixels: NDArray[Any], result: NDArray[Any]) -> Mask:
        """Return which pixels are at an end that their result is beyond, and tell nothing of it."""
        found = np.zeros(pixels.shape, bool)
        for end, sign in ((self.low, -1), (self.high, 1)):
            if end is not None:
                found |= (pixels == end) & (sign * (result.astype(np.float64) - end) > 0.0)
        return found

    def explained(self, residual: Floats, result: Floats) -> Floats:
        r"""Return how much of what is left of means, raw minus result, cutting off may have done.

        Of normal noise about a result that lies t standard deviations inside of the end it moves the mean by
        :math:`\varphi(t) - t \Phi(-t)` of them; t is below 0 where the result is beyond the end. What is left on
        average over a neighbourhood is explained as far as that goes.
        """
        least, most = np.zeros_like(result), np.zeros_like(result)
        if self.high is not None:
            least -= moved(self.high - result, UNSURE * self.at_high)
        if self.low is not None:
            most += moved(result - self.low, UNSURE * self.at_low)
        found: Floats = np.clip(around(residual), least, most)
        return found


def moved(inside: Floats, sigma: Floats | float) -> Floats:
    """Return by how much cutting off moves the mean of noise so far inside of an end."""
    return _by_table(inside, sigma, lambda density, share, deviations: density - deviations * (1.0 - share))


def spared(inside: Floats, sigma: Floats | float) -> Floats:
    """Return by how much the mean of what is not cut off lies further inside than that of all noise would."""
    return _by_table(inside, sigma, lambda density, share, deviations: density / share)


def _by_table(inside: Floats, sigma: Floats | float, shift: Callable[[Doubles, Doubles, Doubles], Doubles]) -> Floats:
    """Return a shift in standard deviations, of the density and the share inside of an end, times ``sigma``."""
    deviations = np.linspace(-FARTHEST, FARTHEST / 2, 241)
    density = np.exp(-0.5 * deviations**2) / math.sqrt(2 * math.pi)
    shifts = shift(density, variance.below(deviations), deviations)
    found: Floats = np.interp(inside / np.maximum(sigma, 1e-12), deviations, shifts).astype(np.float32)
    return found * np.asarray(sigma, np.float32)


def around(values: Floats) -> Floats:
    """Return the means over the neighbourhood of each value; at the edge, over those that are there twice."""
    reach = NEIGHBOURS // 2
    for axis in (0, 1):
        padded = np.pad(values, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], mode="edge")
        length = values.shape[axis]
        parts = [padded[(slice(None),) * axis + (slice(k, k + length),)] for k in range(NEIGHBOURS)]
        values = parts[0] + parts[1]
        for part in parts[2:]:
            values += part
        values *= np.float32(1 / NEIGHBOURS)
    return values


def ends(image: NDArray[Any]) -> Ends | None:
    """Return where an image (rows, columns) is cut off, or full of specks; None where it is not.

    At an end lie more than twice as many pixels as in what is next to it. Where electrons are counted one by one, none
    at all is no end.
    """
    least, greatest = samples.cut_off(image)
    sample = None
    if least is not None or greatest is not None:
        sample = samples.sample(image, most=samples.FEW, side=samples.NARROW)
    if sample is None:
        return None
    report = noise.report(sample)
    if report.step > max(COARSE[0] * report.at(report.middle), COARSE[1] * sample.width):
        return None
    found: list[float | None] = []
    size = 0
    for end, sign in ((least, 1), (greatest, -1)):
        found.append(None)
        if end is None or (sign > 0 and report.step and 0.5 < report.gain / report.step < 2):
            continue
        beside = sign * max(1.5 * report.step, report.at(float(end)) / 16, 1e-3 * sample.width)
        near = image <= float(end) + beside if sign > 0 else image >= float(end) + beside
        at = int(np.count_nonzero(image == end))
        if 3 * at > 2 * int(np.count_nonzero(near)):
            found[-1] = float(end)
            size += at
    if found == [None, None]:
        return None
    specks = MOSTLY * size < report.impulses * image.size < MANY * image.size
    at_low, at_high = (report.at(report.low if end is None else end) for end in found)
    quiet = specks and max(at_low, at_high) < HARDLY * sample.width
    return Ends(found[0], found[1], at_low, at_high, specks, quiet)
