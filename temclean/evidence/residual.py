"""Where structure that a raw image shows is missing from its result."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _residual
from temclean.evidence import blocks
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.samples import Mask, median

WILD = 3.0
"""Standard deviations to which means of 2x2 pixels are clipped, so that wild pixels make no structure."""

WILD_PIXEL = 4.0
"""The same for single pixels: four of them must be able to tell of an atom, and two wild ones side by side must not."""

STRIP = 2**22
"""Pixels of a strip of an image in which the smallest windows are looked at in one go."""

AMONG = 2**15
"""Windows, of which each may deviate by chance, that `CLEAR` is made for; of the smallest there are more."""

HANGING = 1.1
"""How much more means of 2x2 pixels scatter than such of white noise, from which on it hangs together."""

MORE_SKEW = 1.3
"""Skewness over that of means of such noise, whose single pixels are clipped."""

DOUBTED = 0.8
"""What windows of single pixels count for where some of these are wild."""

APART = 9, 14, 11, 17
"""Pixels between those that are taken together to see what chance does."""

WINDOWS = 4
"""How many sizes of windows there are: 8, 16, 32 and 64 pixels. Those of 2 and 4 pixels take longer than all others."""

TOLD = 0.5
"""Share of a window that must not be cut off."""

FEWEST = 9
"""Windows that there must be of one size."""

MISSING = 0.5
"""Share of what varies, residual and result together, that the residual must hold: at an edge that is a little softer
than it was, it holds less."""

CLEAR = 5.5
"""Significance from which on structure is missing: noise alone reaches it in less than 1% of images."""


@dataclass(frozen=True)
class Missing:
    """The place where most is missing from a result.

    Attributes
    ----------
    significance : mean of the residual over what noise leaves, in standard deviations; 0 where there is nothing to say.
    row, column : middle of the window, in pixels.
    size : side of the window, in pixels.
    """

    significance: float = 0.0
    row: int = 0
    column: int = 0
    size: int = 0

    @property
    def clear(self) -> bool:
        """Whether this is more than noise."""
        return self.significance >= CLEAR


def missing(raw: NDArray[Any], result: NDArray[Any], *, fine: bool = False) -> Missing:
    r"""Find the window in which the mean of the residual, raw minus result, stands out most from noise.

    Of the means :math:`d` of 2x2 pixels, what is usual at the brightness :math:`r` of the result is taken away,
    :math:`e = (d - \mu(r)) / \sigma(r)`. In windows of s means a side, which overlap by half,

    .. math:: z = |\bar e_s| / \max(\sqrt{S} / s,\ 1.48\,\mathrm{median} |\bar e_s - \mathrm{median}\,\bar e_s|)

    S is the variance of a single e if noise were white: the median over the image of the squared differences between
    neighbouring blocks, times the number of e in a block, for blocks of 1 and of 2x2, whichever is more. So structure
    that is wider than such blocks does not enter it, and noise that is correlated over few pixels does; longer
    correlations, such as those of scan lines, enter the median deviation. Where noise is skew, as rare bright pixels
    are, the z of a normal number that is as rare takes its place. A window counts only if the mean residual is more
    than the standard deviation of the result over such windows around it, so that what is missing is not a trifle
    beside what is there.

    Windows of 2 pixels are taken of single pixels instead, and there are so many of them that each counts for less:
    z becomes the deviation that is as rare among 32,768 windows as z is among all n of them,
    :math:`\sqrt{z^2 - 2 \ln (n / 32768)}`. Where noise hangs together, their own scatter and skewness are taken. Where
    four pixels that lie apart deviate more than normal noise does, as with wild pixels and long tails, z is less by
    that factor, and by a fifth where such tails are seen in single pixels.

    Parameters
    ----------
    raw, result : ndarray, (rows, columns)
        Before and after; of the same scale.
    fine : bool
        Whether to look at windows of 2 and 4 pixels too, which takes about ten times as long: ``--residual`` does, the
        warnings of ``denoise`` do not.

    Returns
    -------
    Missing
        The greatest z, its place and the side of its window: 2, 4, 8, 16, 32 or 64 pixels; in images of over 4 million
        pixels, of which coarser means are taken, up to 128 and more, and from 16 on without ``fine``.

    Raises
    ------
    ImageError
        If the shapes differ.

    Examples
    --------
    >>> draw = np.random.default_rng(0)
    >>> raw = draw.normal(10.0, 1.0, (128, 128))
    >>> result = np.full((128, 128), 10.0)
    >>> missing(raw, result).clear
    False
    >>> raw[40:56, 80:96] += 1.0
    >>> found = missing(raw, result)
    >>> found.clear, found.row, found.column, found.size
    (True, 48, 88, 16)
    """
    return missing_from(blocks.pair(raw, result), fine=fine)


def missing_from(pair: Pair | None, *, fine: bool = False) -> Missing:
    """Return what `missing` does of two images on one scale."""
    if pair is None or min(pair.raw.shape) < 4 * pair.side:
        return Missing()
    found, after = pair.compared, pair.means[1]
    residual, standard, skewness = found.standardised(WILD)
    white = _white(found.loud.standardised(WILD)[1] if found.loud else standard, found.kept)
    kept = None if found.kept is None else found.kept.astype(np.float32)
    best = Missing()
    for power in range(0 if fine else 1, WINDOWS + 1):
        if power:
            standard, residual, after = (blocks.halved(each) for each in (standard, residual, after))
            kept = None if kept is None else blocks.halved(kept)
        seen = _windows(standard, residual, after, kept)
        if seen is None:
            break
        best = _better(best, seen, white / 2 ** (power + 1), skewness / 2 ** (power + 1), pair.side * 2**power)
    return max(best, _finest(pair), key=lambda each: each.significance) if fine else best


def _finest(pair: Pair) -> Missing:
    """Return what `missing` does, of windows smaller than two blocks a side, strip by strip."""
    best = Missing()
    strips = max(1, min(-(-pair.raw.size // STRIP), len(pair.raw) // (4 * pair.side)))
    high = -(-len(pair.raw) // strips)
    for top in range(0, len(pair.raw), high):
        result, compared = pair.scaled(pair.result[top : top + high]), pair.strip(slice(top, top + high))
        wild, counts = _wild(*compared.standardised(WILD_PIXEL)[1:])
        residual, standard, skewness = compared.standardised(wild)
        kept = None if compared.kept is None else compared.kept.astype(np.float32)
        white, side = _white(compared.loud.standardised(wild)[1] if compared.loud else standard, compared.kept), 1
        while side < pair.side:
            seen = _windows(standard, residual, result, kept)
            if seen is None:
                break
            spread, skew = max(white / (2 * side), seen.deviation), skewness / (2 * side)
            if spread * 2 * side > HANGING:
                spread, skew = (
                    max(spread, float(seen.means.std())),
                    max(skew, MORE_SKEW * blocks.skewness(seen.means), key=abs),
                )
            deviation, place = _smallest(seen.means, seen.much, spread, skew) if spread > 0 else (0.0, 0)
            chances = 2 * math.log(max(1.0, pair.raw.size / side**2 / AMONG))
            usual = _by_chance(standard, white / (2 * side), skewness / (2 * side))
            significance = math.sqrt(max(0.0, (deviation * counts * min(1.0, usual)) ** 2 - chances))
            if significance > best.significance:
                row, column = divmod(place, seen.means.shape[1])
                best = Missing(significance, top + (row + 1) * side, (column + 1) * side, 2 * side)
            standard, residual, result = (blocks.halved(each) for each in (standard, residual, result))
            kept = None if kept is None else blocks.halved(kept)
            side *= 2
    return best


def _by_chance(standard: Floats, least: float, skewness: float) -> float:
    """Return how far chance would lead normal noise, over how far it leads four pixels that lie apart.

    It is less than 1 where wild pixels or long tails make some means large: no thing that is small is in all four.
    """
    farthest = spread = 0.0
    for apart in APART:
        if min(standard.shape) <= 2 * apart:
            break
        means = standard[apart:, apart:] + standard[:-apart, :-apart]
        means += standard[apart:, :-apart]
        means += standard[:-apart, apart:]
        means *= np.float32(0.25)
        spread = spread or max(least, blocks.deviation(means))
        if not spread > 0:
            break
        extremes = float(means.max()) / spread, -float(means.min()) / spread
        farthest = max(farthest, _as_normal(extremes[0], skewness), _as_normal(extremes[1], -skewness))
    return math.sqrt(2 * math.log(standard.size)) / farthest if farthest > 0 else 1.0


def _smallest(windows: Floats, much: NDArray[np.uint8], spread: float, skewness: float) -> tuple[float, int]:
    """Return how far that of the windows deviates which does most where there is much, and its number."""
    found = []
    for sign in (1, -1):
        deviations = np.maximum(sign * windows, 0) * much
        place = int(np.argmax(deviations))
        found.append((_as_normal(float(deviations.flat[place]) / spread, sign * skewness), place))
    return max(found)


def _as_normal(deviation: float, skewness: float) -> float:
    """Return the normal deviation that is as rare as a positive one of this skewness (Wilson and Hilferty 1931).

    On the side where the tail is short it is the deviation itself, which is less: too much rests on the skewness there.

    >>> round(_as_normal(8.0, 0.5), 2), _as_normal(8.0, -0.5)
    (5.39, 8.0)
    """
    if skewness < 1e-3 or not deviation > 0:
        return max(deviation, 0.0)
    return float((1 + skewness * deviation / 2) ** (1 / 3) - 1) * 6 / skewness + skewness / 6


def _wild(standard: Floats, skewness: float) -> tuple[float, float]:
    """Return to which deviation pixels are clipped, and what windows of 2x2 of them count for.

    Where noise is skew as counts and speckle are, whose fourth moments are known, it is the deviation that is as rare
    as `WILD_PIXEL` of normal noise. Where the fourth moment is more, there are wild pixels, which meet by chance.
    """
    squares = standard * standard
    square, skewness = float(squares.mean()), abs(skewness)
    if square > 0 and float((squares * squares).mean()) > (3.2 + 1.25 * skewness**2) * square**2:
        return WILD_PIXEL, DOUBTED
    if skewness < 1e-3:
        return WILD_PIXEL, 1.0
    return ((1 + skewness * (WILD_PIXEL - skewness / 6) / 6) ** 3 - 1) * 2 / skewness, 1.0


@dataclass(frozen=True)
class _Windows:
    """Means of 2x2 neighbours, where much is missing, and which of them mostly tell something; None where all do."""

    means: Floats
    much: NDArray[np.uint8]
    told: Mask | None

    @property
    def deviation(self) -> float:
        """Standard deviation of a normal distribution that is as wide as the middle half of what tells something."""
        told = self.means if self.told is None else self.means[self.told]
        return blocks.deviation(told) if told.size else 0.0


def _windows(standard: Floats, residual: Floats, after: Floats, kept: Floats | None) -> _Windows | None:
    """Return what is seen in windows of 2x2 means; None where there are too few to tell."""
    shape = standard.shape[0] - 1, standard.shape[1] - 1
    if shape[0] * shape[1] < FEWEST or min(shape) < 2:  # or there is nothing around them
        return None
    windows, much = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    _residual.overlap(standard, residual, after, MISSING, windows, much)
    if kept is None:
        return _Windows(windows, much, None)
    told = kept[1:, 1:] + kept[1:, :-1] + kept[:-1, 1:] + kept[:-1, :-1] > 4 * TOLD
    much[~told] = 0
    return _Windows(windows, much, told)


def _better(best: Missing, seen: _Windows, least: float, skewness: float, half: int) -> Missing:
    """Return the window, of ``half`` a side twice, that deviates most, if that is more than the best before."""
    windows, much, spread = seen.means, seen.much, max(least, seen.deviation)
    if not spread > 0:
        return best
    significance, place = _residual.furthest(windows.ravel(), much.ravel(), 1 / spread, skewness)
    if significance <= best.significance:
        return best
    row, column = divmod(place, windows.shape[1])
    return Missing(significance, (row + 1) * half, (column + 1) * half, 2 * half)


def _white(standard: Floats, kept: Mask | None) -> float:
    """Return the standard deviation of single means if their noise were white, from differences of neighbours."""
    found = []
    share = None if kept is None else kept.astype(np.float32)
    for power in (0, 1):
        squares = np.empty([length // 2 for length in standard.shape], np.float32)
        _residual.unlike(standard, squares)
        held = None if share is None else blocks.halved(share)
        for _ in range(3 - power):  # over 16x16 means, or what there is
            if min(squares.shape) > 1:
                squares = blocks.halved(squares)
                held = None if held is None else blocks.halved(held)
        if held is not None:
            told = held > TOLD
            squares = squares[told] / held[told]
        if squares.size:
            found.append(median(squares) / 8 * 4**power)
        standard = blocks.halved(standard)
        share = None if share is None else blocks.halved(share)
    return float(np.sqrt(max(found, default=0.0)))
