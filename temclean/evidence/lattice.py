"""Whether a regular pattern that a raw image shows is missing from its result, such as one half of a lattice."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _spectra
from temclean.evidence import blocks
from temclean.evidence.blocks import Floats, Pair

SIDE = _spectra.SIDE
"""Pixels of a square whose spectrum is taken."""

SQUARES, FEWEST = 16, 4
"""How many squares are looked at, spread over the image, and how many there must be."""

TOLD = 0.75
"""Share of a square in which not all of the noise is cut off."""

PERIODS = 2.5, 18.0
"""Pixels of the shortest and the longest period."""

REGULAR = 5.0
"""A pattern is one that stands out of its surroundings so far in the spectrum of the result."""

SHARE = 0.25
"""Amplitude that a pattern must lack, over what it would have."""

CLEAR = 6.0
"""From here on a pattern is missing: noise alone reaches half of it in one of thousands of images."""

OUTER, INNER = 9, 3
"""Sides of the ring in a spectrum from which its smooth part is taken."""


@dataclass(frozen=True)
class Lattice:
    """The regular pattern that is most missing from a result.

    Attributes
    ----------
    height : power of the residual there, over its surroundings in the spectrum; 0 where there is nothing to say.
    period : in pixels.
    share : amplitude in the residual over the sum of that and of the result's.
    """

    height: float = 0.0
    period: float = 0.0
    share: float = 0.0

    @property
    def clear(self) -> bool:
        """Whether this is more than noise."""
        return self.height >= CLEAR


def lattice(raw: NDArray[Any], result: NDArray[Any]) -> Lattice:
    r"""Find the regular pattern of the result of which the residual, raw minus result, holds most.

    The power spectra :math:`P` of the residual, without what is usual at each brightness (`blocks.Compared`), and
    :math:`R` of the result are medians over squares of 64x64 pixels under a Hann window; what is smooth in them is the
    geometric mean :math:`\bar P`, :math:`\bar R` over the ring between 3x3 and 9x9 frequencies, but of rows or columns
    that are brighter or darker as a whole what these have at half of their waves. Of the frequencies with
    :math:`R / \bar R > 5` and :math:`\sqrt P / (\sqrt P + \sqrt R) > 0.25`, that with the greatest :math:`P / \bar P`
    is returned. A median over 16 squares of noise scatters by about a third, so noise does not reach 4.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> y, x = np.mgrid[:256, :256]
    >>> waves = np.cos(2 * np.pi * x / 8)
    >>> raw = 3 * waves + np.random.default_rng(0).normal(0, 1, (256, 256))
    >>> lattice(raw, 3 * waves).clear, lattice(raw, waves).clear, lattice(raw, waves).period
    (False, True, 8.0)
    """
    return missing_from(blocks.pair(raw, result))


def missing_from(pair: Pair | None) -> Lattice:
    """Return what `lattice` does of two images on one scale."""
    down, across = (length // SIDE for length in pair.raw.shape) if pair else (0, 0)
    if pair is None or down * across < FEWEST:
        return Lattice()
    told = np.arange(down * across)
    if pair.kept is not None:
        side = SIDE // pair.side
        kept = pair.kept[: down * side, : across * side].reshape(down, side, across, side).mean((1, 3))
        told = told[kept.ravel() > TOLD]
        if len(told) < FEWEST:
            return Lattice()
    places = told[np.linspace(0, len(told) - 1, min(SQUARES, len(told))).astype(int)]
    before, result = (_squares(image, places, across) for image in (pair.raw, pair.result))
    after = pair.scaled(result)
    there = _power(after)
    candidate = _periods() & (there > REGULAR * _smooth(there))
    if not candidate.any():
        return Lattice()
    found = blocks.Compared(pair.scaled(pair.without_specks(before, result)), after)
    missing = _power(found.residual - pair.compared.usual.mean[found.level])
    lost, left = np.sqrt(missing), np.sqrt(there)
    share = lost / np.maximum(lost + left, np.finfo(np.float32).tiny)
    height = missing / np.maximum(_smooth(missing), _of_lines(missing))
    height = np.where(candidate & (share > SHARE), height, 0.0)
    row, column = np.unravel_index(int(np.argmax(height)), height.shape)
    if not height[row, column] > 0:
        return Lattice()
    period = 1 / float(_frequencies()[row, column])
    return Lattice(float(height[row, column]), period, float(share[row, column]))


def _squares(image: NDArray[Any], places: NDArray[np.int_], across: int) -> NDArray[Any]:
    corners = [(int(place) // across * SIDE, int(place) % across * SIDE) for place in places]
    return np.stack([image[top : top + SIDE, left : left + SIDE] for top, left in corners])


def _power(squares: Floats) -> NDArray[np.float64]:
    """Return the median power spectrum of squares, without their mean."""
    half = SIDE // 2 + 1
    power, work = np.empty((SIDE, half)), np.empty((len(squares) + 1, SIDE, half), np.float32)
    _spectra.median_power(squares, _window(), work, power)
    return power


@lru_cache(maxsize=1)
def _window() -> Floats:
    window = np.hanning(SIDE + 1)[:SIDE].astype(np.float32)
    return window[:, None] * window


def _smooth(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the geometric mean over a ring around each frequency; the other half of the spectrum mirrors this one."""
    logarithm = np.log(np.maximum(power, np.finfo(np.float64).tiny))
    table = np.zeros((SIDE + OUTER, SIDE // 2 + 1 + OUTER))
    np.cumsum(logarithm.ravel()[_around()], axis=0, out=table[1:, 1:])
    np.cumsum(table, axis=1, out=table)
    total = _box(table, OUTER, 0) - _box(table, INNER, (OUTER - INNER) // 2)
    smooth: NDArray[np.float64] = np.exp(total / (OUTER**2 - INNER**2))
    return smooth


def _of_lines(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what whole rows, or columns, that are brighter or darker have at most of their waves; 0 elsewhere.

    They lie on the axes of a spectrum, where the window spreads them to the next frequencies. Noise of rows has all
    waves along its axis, a pattern few.
    """
    usual = np.zeros_like(power)
    for column in (0, 1):
        usual[:, column] = np.median(power[:, column])
    for row in (-1, 0, 1):
        usual[row] = np.maximum(usual[row], np.median(power[row]))
    return usual


@lru_cache(maxsize=1)
def _around() -> NDArray[np.intp]:
    """Return which frequency stands at each place of a half spectrum that goes on by half a ring on all sides."""
    half, reach = SIDE // 2, OUTER // 2
    rows, columns = np.ogrid[-reach : SIDE + reach, -reach : half + 1 + reach]
    mirrored = (columns < 0) | (columns > half)
    found: NDArray[np.intp] = np.where(mirrored, -rows, rows) % SIDE * (half + 1) + np.where(
        columns > half, SIDE - columns, np.abs(columns)
    )
    return found


def _box(table: NDArray[np.float64], side: int, margin: int) -> NDArray[np.float64]:
    """Return the sums over squares of a side, from a table of sums over all above and to the left."""
    cut = table[margin : len(table) - margin, margin : table.shape[1] - margin]
    rows = cut[side:] - cut[:-side]
    sums: NDArray[np.float64] = rows[:, side:] - rows[:, :-side]
    return sums


def _frequencies() -> NDArray[np.float64]:
    frequencies: NDArray[np.float64] = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE))
    return frequencies


@lru_cache(maxsize=1)
def _periods() -> NDArray[np.bool_]:
    frequencies = _frequencies()
    return (frequencies > 1 / PERIODS[1]) & (frequencies < 1 / PERIODS[0])
