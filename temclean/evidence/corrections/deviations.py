r"""How a result differs from its own lattice, kept as far as the image bears it out.

In strong noise a network leaves a little of the noise in each cell of a lattice, so that columns differ which are
alike. Where a lattice rules, a result :math:`\hat x` is therefore split into :math:`B`, the waves of the lattice in
a large window and what varies slowly, and the deviation from these, :math:`d = \hat x - B`. How much of that the image
bears out is tested place by place,

.. math:: z^2 = \frac{(\sum w \, d \, (y - B) / \sigma^2)^2}{\sum w \, d^2 / \sigma^2},

:math:`y` being the image, :math:`\sigma^2` its noise, :math:`w` a bell of 8 pixels. Of the deviation remains
:math:`(1 - 6 / z^2)_+` (James and Stein 1961), and no more than

.. math:: \left(\frac{\sum w \, (d \, (y - B) / \sigma^2 - t)}{\sum w \, d^2 / \sigma^2}\right)_+,

:math:`t` being the mean of :math:`\partial \hat x_i / \partial y_i`: a network that leaves much of the noise shows
deviations that agree with it. That share has the least error on the average, and no truth is needed to know it (Stein
1981). All remains where a bell of 3 pixels says by itself that a deviation is there, :math:`z^2 > 14` without the
network's own share of it: a vacancy, a dopant, an atom beside the lattice. Where deviations have a third of the
lattice's power and more, at edges, in films and beside particles, nothing is changed.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats
from temclean.evidence.samples import Mask

BLOCK = 4
"""Pixels along the side of the blocks in which sums are taken."""

NEAR, SMALL, FAR, SOFT, EVEN = 8, 1, 32, 2, 128
"""Times that sums over blocks are spread over the next ones by 1, 2, 1: bells of 8, 3 and 16 pixels, of 4 for what
remains, and of 32 for how much of a lattice there is."""

MORE = -1.0, 1.0
"""By how much less and more there may be of a lattice."""

CHANCE = 6.0
"""Times a standard deviation, squared, that a deviation loses."""

SURE = 6.0, 14.0
"""The same from which on a small one begins to stay whole, and does."""

RULES = 3.0, 6.0
"""Power of a lattice over that of the deviations from which on it begins to rule, and does."""

QUIET = 1e-10
"""Least variance of noise: the range of the result is 1."""

REACH = 3.5
"""Standard deviations to which a bell goes."""

GRADUAL = 6.0
"""Periods in a window of what varies slowly."""

THIN = 0.1
"""Share of itself that a window shows by few waves, below which what is missing is not made up for."""


@dataclass(frozen=True)
class Band:
    """Rows of an image on the scale of its result.

    Attributes
    ----------
    rows : which they are.
    residual, variance : the image minus the result, and the variance of its noise.
    deviation : the result minus what repeats in it.
    lattice : the waves of the lattice alone.
    """

    rows: slice
    residual: Floats
    variance: Floats
    deviation: Floats
    lattice: Floats

    @cached_property
    def means(self) -> Floats:
        """Return means over blocks, (8, down, across), of what the test is made of, see :func:`_judged`."""
        weight = 1 / np.maximum(self.variance, np.float32(QUIET))
        first, second = self.deviation, self.lattice
        parts: list[NDArray[Any]] = [each * self.residual * weight for each in (first, second)]
        for each in (first * first, first * second, second * second):
            parts += [each, each * weight]
        return np.stack([_folded(each) for each in parts])


def lost(
    before: Band | None, band: Band, after: Band | None, divergence: Callable[[], float] | None = None
) -> Floats | None:
    """Return what of its deviation a band of rows between two others loses; None where that is nothing.

    ``divergence`` tells the mean of the derivatives of the result's pixels by their own of the image.
    """
    means = [each.means for each in (before, band, after) if each is not None]
    first = 0 if before is None else before.means.shape[1]
    more, share = _judged(np.concatenate(means, axis=1), divergence)
    if not share[first : first + band.means.shape[1]].any():
        return None
    more, share = (_drawn(each, first, band.lattice.shape) for each in (more, share))
    much: Floats = share * (band.deviation - more * band.lattice)
    return much


def _judged(means: Floats, divergence: Callable[[], float] | None) -> tuple[Floats, Floats]:
    """Return by how much more of the lattice there is in each block, and which share of the deviation is lost.

    What a large window shows of a lattice fades too slowly at its edges, and where it grows thicker.
    """
    noise, noise_of_lattice, own, own_weighed, both, both_weighed, lattice, lattice_weighed = means
    wide = _spread(np.stack([both, lattice]), EVEN)
    more = np.clip(wide[0] / np.maximum(wide[1], np.finfo(np.float32).tiny), *MORE)
    own_weighed = own_weighed + more * (more * lattice_weighed - 2 * both_weighed)
    common = noise - more * noise_of_lattice + own_weighed
    powers = np.stack([(1 + more) ** 2 * lattice, own + more * (more * lattice - 2 * both)])
    ruling, other = _spread(powers, FAR)
    ruled = ruling / np.maximum(other, np.finfo(np.float32).tiny)
    rules = np.clip((ruled - RULES[0]) / (RULES[1] - RULES[0]), 0.0, 1.0)
    if not rules.any():
        return more, rules
    tested = np.stack([common, own_weighed])
    near, small = (_spread(tested, times) for times in (NEAR, SMALL))
    remains = 1.0 - CHANCE / np.maximum(_squared(near, NEAR), CHANCE)
    if divergence:
        left = np.float32(divergence())
        remains = np.minimum(remains, (near[0] - left) / np.maximum(near[1], np.finfo(np.float32).tiny))
        small[0] -= left
    remains = _spread(np.maximum(remains, 0.0)[None], SOFT)[0]
    small = _squared(small, SMALL)
    sure = np.clip((small - SURE[0]) / (SURE[1] - SURE[0]), 0.0, 1.0)
    sure = _spread(_greatest(sure)[None], SMALL)[0]
    return more, rules * (1.0 - np.maximum(remains, sure))


def _squared(means: Floats, times: int) -> Floats:
    """Return z² from the means of both sums under a bell, which count for as many pixels as it covers."""
    variance = BLOCK**2 * (0.5 * times + 1 / 12)
    common, own = means
    share = np.maximum(common, 0.0) / np.maximum(own, np.finfo(np.float32).tiny)
    squared: Floats = np.float32(4 * math.pi * variance) * share * common
    return squared


def _folded(pixels: NDArray[Any]) -> Floats:
    """Return means over blocks; those at the far ends may be smaller."""
    starts = [np.arange(0, length, BLOCK) for length in pixels.shape]
    counts = [np.diff(np.append(each, length)) for each, length in zip(starts, pixels.shape, strict=True)]
    sums = np.add.reduceat(np.add.reduceat(pixels, starts[0], axis=0), starts[1], axis=1)
    means: Floats = (sums / (counts[0][:, None] * counts[1])).astype(np.float32)
    return means


def _spread(values: Floats, times: int) -> Floats:
    """Spread values, (n, down, across), over the next ones by 1, 2, 1, so many times; the outermost go on."""
    reach = math.ceil(REACH * math.sqrt(0.5 * times))
    bell = np.array([math.comb(2 * times, times + each) for each in range(-min(reach, times), min(reach, times) + 1)])
    bell = (bell / bell.sum()).astype(np.float32)
    reach = len(bell) // 2
    for axis in (1, 2):
        wide = np.pad(values, [(reach, reach) if each == axis else (0, 0) for each in range(3)], mode="edge")
        parts = np.lib.stride_tricks.sliding_window_view(wide, len(bell), axis)
        values = parts @ bell
    return values


def _greatest(values: Floats) -> Floats:
    """Return the greatest of each value and the eight next to it."""
    wide = np.pad(values, 1, mode="edge")
    rows = np.maximum(np.maximum(wide[:-2], wide[1:-1]), wide[2:])
    greatest: Floats = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return greatest


def _drawn(values: Floats, first: int, shape: tuple[int, ...]) -> Floats:
    """Return values of blocks, from row ``first`` on, at each pixel of a shape, linearly between their middles."""
    for axis, (start, length) in enumerate(zip((first, 0), shape, strict=True)):
        place = start + (np.arange(length) + 0.5) / BLOCK - 0.5
        place = place.clip(0.0, values.shape[axis] - 1.0)
        low = place.astype(np.intp)
        high = np.minimum(low + 1, values.shape[axis] - 1)
        part = (place - low).astype(np.float32)
        part = part[:, None] if axis == 0 else part
        values = np.take(values, low, axis) * (1 - part) + np.take(values, high, axis) * part
    return values


def parted(whole: NDArray[Any], regular: Mask, down: Floats, across: Floats) -> tuple[Floats, Floats]:
    """Return the lattice in a window, and what varies slowly beside it.

    Parameters
    ----------
    whole, regular : ndarray, (side, side / 2 + 1)
        As in `waves.Waves`.
    down, across : ndarray, (side,)
        The taper along both axes, 0 beyond the image.

    Notes
    -----
    What few waves show of a window is blurred, and fades towards the border of the image. Both are divided by what they
    make of a window that is even.
    """
    side = len(whole)
    shape = side, side
    rows, columns = np.fft.fftfreq(side, 1 / side), np.arange(side // 2 + 1)
    close = [(np.abs(each) <= 1).astype(np.float32) for each in (rows, columns)]
    slow = [np.exp(-0.5 * (each / GRADUAL) ** 2).astype(np.float32) for each in (rows, columns)]
    lattice = np.fft.irfft2(np.where(regular, whole, 0), shape) / _even(down, across, close)
    varying = np.where(regular, 0, whole * (slow[0][:, None] * slow[1]))
    return lattice.astype(np.float32), (np.fft.irfft2(varying, shape) / _even(down, across, slow)).astype(np.float32)


def _even(down: Floats, across: Floats, shown: list[Floats]) -> Floats:
    """Return what is seen of an even window through a taper, by waves along both axes."""
    rows = np.fft.ifft(np.fft.fft(down) * shown[0]).real
    columns = np.fft.irfft(np.fft.rfft(across) * shown[1], len(across))
    even: Floats = np.maximum(rows[:, None] * columns, THIN).astype(np.float32)
    return even
