"""How noise hangs together: from pixel to pixel along rows and columns, and along whole rows and columns."""

import math
from dataclasses import dataclass, replace

import numpy as np

from temclean.evidence.blocks import median
from temclean.evidence.samples import RELATED, Floats, Mask, block_products, block_sums, spread, steep
from temclean.evidence.variance import Blocks, Doubles

LAGS = 6
"""Pixels up to which correlation is looked for."""

MASKED = {0.01: 8, 1.0: 4}
"""Share of masked pixels up to which the difference of an order is taken: enough of its places must be whole."""

SURE = 0.05
"""Correlation with the next pixel below which noise is taken for white."""

RESAMPLED = 0.15
"""Correlation along both axes below which it is fine structure's: to resample leaves more."""

PERIODIC = 0.4
"""Autocorrelation of what rows share, 5 rows or more apart, from which on it is a lattice and no noise."""

SEGMENT = 32
"""Pixels of a row over which noise of the whole row is averaged."""


@dataclass(frozen=True)
class Along:
    """Noise along one axis.

    Attributes
    ----------
    correlation : with the pixel 1, 2, ... further on.
    error : standard error of these, and what fine structure may add: noise has the same correlation in a filter of half
        the order, structure more, of which a half is taken to be left.
    line : standard deviation of what all pixels of a row (or column) share, and its standard error, of [0, 1].
    """

    correlation: tuple[float, ...]
    error: float
    line: float
    line_error: float

    @property
    def length(self) -> float:
        """Pixels after which the correlation has fallen to 1/e; 0 of white noise."""
        if abs(self.correlation[0]) < max(SURE, 4 * self.error):
            return 0.0
        before = 1.0
        for lag, value in enumerate(self.correlation, 1):
            if value < math.exp(-1):
                return lag - 1 + (before - math.exp(-1)) / (before - value)
            before = value
        return float(len(self.correlation))


def along_rows(pieces: Floats, masked: Mask | None, data: Blocks) -> Along:
    """Measure the noise along rows, on what a steep filter along columns leaves: a difference of high order.

    The filter keeps the variance of what differs from row to row, and the correlation along rows. The variance of what
    a whole row shares is the mean product of distant parts of one row, to which white noise adds nothing; where it
    comes back at a distance, it is a lattice's.
    """
    share = 0.0 if masked is None else float(masked.mean())
    order = next(each for most, each in MASKED.items() if share <= most)
    if pieces.shape[1] <= order + data.side:
        order = 2
    left = _filtered(pieces, masked, order)
    line, error = shared(left[0], RELATED[order])
    found = [_common(left, lag, line, data) for lag in range(LAGS + 1)]
    power, number = found[0]
    power /= max(number, 1.0)
    if power <= 0:
        return Along((0.0,) * LAGS, 1.0, line, error)
    values = [product / pairs / power if pairs else 0.0 for product, pairs in found[1:]]
    chance = math.sqrt(RELATED[order] / max(1.0, min(pairs for _, pairs in found)))
    rest = 0.0
    half = _filtered(pieces, masked, order // 2)
    (power, number), (product, pairs) = (_common(half, lag, line, data) for lag in (0, 1))
    if power > 0 and pairs:
        fall = product / pairs / (power / number) - values[0]
        if fall > 3 * chance and values[0] > 0:
            rest = min(0.5 * fall, 0.8 * values[0])
            values[0] -= rest
    return Along(tuple(max(-1.0, min(1.0, value)) for value in values), math.hypot(chance, rest), line, error)


def _filtered(pieces: Floats, masked: Mask | None, order: int) -> tuple[Floats, Mask | None]:
    """Return the difference along columns, outliers cut, and where all that it looks at is whole."""
    left = steep(pieces, 1, order)
    bound = np.float32(5 * math.sqrt(median(left[:, ::3, ::3] ** 2) / 0.455 + 1e-12))
    np.clip(left, -bound, bound, out=left)
    if masked is None:
        return left, None
    whole = ~spread(masked, order + 1, 1)
    return left * whole, whole


def _common(filtered: tuple[Floats, Mask | None], lag: int, line: float, data: Blocks) -> tuple[float, float]:
    """Return the sum of products of pixels so far apart in quiet blocks, less what rows share, and of how many."""
    left, whole = filtered
    last = left.shape[2] - lag
    sums = block_products(left, data.side, lag)
    down, across = (min(pair) for pair in zip(sums.shape[1:], data.chosen.shape[1:], strict=True))
    part = data.chosen[:, :down, :across]
    if whole is None:
        pairs = float(np.count_nonzero(part) * data.side**2)
    else:
        both = block_sums(whole[:, :, :last] & whole[:, :, lag:], data.side)
        pairs = float(both[:, :down, :across][part].sum())
    return float(sums[:, :down, :across][part].sum()) - line * line * pairs, pairs


def shared(left: Floats, related: float) -> tuple[float, float]:
    """Return the standard deviation of what a row shares, 0 where it is not sure, and its standard error.

    Of ``related`` rows one is counted.
    """
    parts = left.shape[2] // SEGMENT
    if parts < 2:
        return 0.0, 0.0
    means = left[:, :, : parts * SEGMENT].reshape(*left.shape[:2], parts, SEGMENT).mean(3, dtype=np.float64)
    means = means[:, :, ::2]  # neighbours may hang together
    parts = means.shape[2]
    if parts < 2:
        return 0.0, 0.0
    products = (means.sum(2) ** 2 - (means**2).sum(2)) / (parts * (parts - 1))
    value = float(products.mean())
    error = float(products.std()) * math.sqrt(related / products.size)
    if value < 4 * error or value <= 0 or repeats(means.mean(2)):
        return 0.0, math.sqrt(max(error, 0.0))
    return math.sqrt(value), error / (2 * math.sqrt(value))


def repeats(rows: Doubles) -> bool:
    """Return whether means of rows, (pieces, rows), come back at some distance, as those of a lattice do."""
    rows = rows - rows.mean(1, keepdims=True)
    power = float((rows * rows).mean())
    far = range(5, min(60, rows.shape[1] // 3))
    return any(float((rows[:, lag:] * rows[:, :-lag]).mean()) > PERIODIC * power for lag in far)


def whiteness(across: Along, down: Along, order: int) -> tuple[float, float]:
    """Return the share of the noise that the difference along both axes keeps, and how much of it is in doubt.

    What both axes have in common is fine structure's, or a resampled image's noise, which is never little.
    """
    common = min(across.correlation[0], down.correlation[0])
    alike = down if across.correlation[0] > down.correlation[0] else across
    parts, doubts = [], []
    for each in (across, down):
        own = each
        if 0 < common < RESAMPLED:
            pairs = zip(each.correlation, alike.correlation, strict=True)
            own = replace(each, correlation=tuple(one - max(other, 0.0) for one, other in pairs))
        kept = remaining(own, order) if own.length else 1.0
        parts.append(kept)
        doubts.append(1.6 * own.error / kept if own.length else 0.0)
    return parts[0] * parts[1], min(1.0, math.hypot(*doubts, 0.5 * (1 - max(parts)), max(common, 0.0)))


def remaining(noise: Along, order: int) -> float:
    """Return the share of correlated noise that the difference along its axis keeps of what it keeps of white noise."""
    weights = [(-1) ** lag * math.comb(2 * order, order + lag) for lag in range(order + 1)]
    kept = sum(weight * value for weight, value in zip(weights[1:], noise.correlation, strict=False)) / weights[0]
    return max(1.0 + 2.0 * float(kept), 0.03)
