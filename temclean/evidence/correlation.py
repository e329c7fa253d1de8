"""How noise hangs together, from pixel to pixel and along whole rows and columns, and how strong it is if it does.

Of noise that is smooth along rows a difference along these keeps hardly anything, how little is hard to tell, and what
is left hides whether it hangs together along columns. Where it does not, a difference along columns alone keeps all of
its variance; where it does, nothing parts smooth noise from structure, and all that varies may be the one or the other.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from temclean.evidence.samples import RELATED, Floats, Mask, block_products, block_sums, median, spread, steep
from temclean.evidence.variance import CELL_SIDE, Blocks, Doubles, weighted, whitened

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

SEGMENT, SHORTEST = 32, 8
"""Pixels of a row over which noise of the whole row is averaged, and at least in images that are no three as wide."""

LITTLE = 0.5
"""Share of the noise that a difference along an axis keeps, below which it is measured along the other alone."""

HARDLY = 0.3
"""Share that differences along both axes keep, below which its strength is unsure where it cannot be."""

LEAST = 1e-3
"""Share of the variance in a block that is left at least where what whole rows share is taken off."""

FEWEST = 12
"""Blocks that there must be."""

CALM = 1.5
"""Variance of smooth noise in all blocks, over that in the calm half of them."""

AGREE = 1.12
"""What a difference of order 2 may keep over one of order 8 of noise that does not hang together along its axis: where
each pixel holds half of the one before, that is 1.17."""


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
    if values[0] > chance:  # else there is nothing to take off
        half = _filtered(pieces, masked, order // 2)
        (power, number), (product, pairs) = (_common(half, lag, line, data) for lag in (0, 1))
        fall = product / pairs / (power / number) - values[0] if power > 0 and pairs else 0.0
        if fall > 3 * chance:
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

    Of ``related`` rows one is counted. Where rows are too short to tell, the error is all that varies.
    """
    side = min(SEGMENT, left.shape[2] // 3)
    if side < SHORTEST:
        return 0.0, float(np.sqrt(np.mean(left * left)))
    parts = left.shape[2] // side
    means = left[:, :, : parts * side].reshape(*left.shape[:2], parts, side).mean(3, dtype=np.float64)
    means = means[:, :, ::2]  # neighbours may hang together
    parts = means.shape[2]
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


@dataclass(frozen=True)
class Restored:
    """Blocks with all the variance of their noise, and how it hangs together.

    Attributes
    ----------
    data : the blocks.
    across, down : the noise along rows, and along columns.
    kept : share of the noise that the filter kept.
    doubt : share of its variance that is in doubt; above 1 where there may be more of it.
    """

    data: Blocks
    across: Along
    down: Along
    kept: float
    doubt: float


def restored(pieces: Floats, masked: Mask | None, data: Blocks, across: Along, down: Along) -> Restored:
    """Return the blocks with the variance that their noise had before the filter, which keeps only some of it.

    The filter is the mixed difference of ``data``, or that along the axis along which noise does not hang together.
    """
    kept, doubt = whiteness(across, down, data.order)
    for one, other in sorted(((across, down), (down, across)), key=lambda pair: -pair[0].correlation[0]):
        if not one.length or remaining(one, data.order) > LITTLE:
            continue
        found = _by_columns(pieces, masked, data, one, other, turned=one is down)
        if found is None:
            continue
        leftover = replace(other, correlation=(0.0,) * LAGS, error=max(one.error, AGREE - 1)) if other.length else other
        across, down = (leftover, one) if one is down else (one, leftover)
        found, leak = whitened(found, 1.0, 1.0)
        common = max(min(across.correlation[0], down.correlation[0]), 0.0)
        return Restored(found, across, down, 1.0, math.hypot(common, leak))
    by_coarse, _ = whiteness(across, down, 2)
    before = data
    data, leak = whitened(data, kept, by_coarse)
    doubt = math.hypot(doubt, leak)
    if kept < HARDLY:
        doubt = max(doubt, _share_of_all(pieces, before, data, (across, down)))
    return Restored(data, across, down, kept, doubt)


def _by_columns(
    pieces: Floats, masked: Mask | None, data: Blocks, rows: Along, columns: Along, *, turned: bool
) -> Blocks | None:
    r"""Return blocks whose noise hangs together along rows alone, by differences of columns; ``turned`` if the reverse.

    Pixels count for :math:`1 / (1 + 2 \sum \rho^2)` of one as to chance, and means of 4x4 of them scatter by
    :math:`1 + 2 \sum (1 - k / 4) \rho_k` times as much as of white noise. None where too few pixels are whole, or
    where it may hang together along columns too: then differences of order 2 and of the greatest disagree.
    """
    chosen = data.chosen
    if turned:
        pieces, chosen = pieces.swapaxes(1, 2), chosen.swapaxes(1, 2)
        masked = None if masked is None else masked.swapaxes(1, 2)
    share = 0.0 if masked is None else float(masked.mean())
    order = next(each for most, each in MASKED.items() if share <= most)
    if pieces.shape[1] <= order + data.side:
        return None
    whole = np.ones((len(pieces), pieces.shape[1] - order, pieces.shape[2]), bool)
    if masked is not None:
        whole = ~spread(masked, order + 1, 1)
    count = block_sums(whole, data.side)
    down, across = (min(pair) for pair in zip(count.shape[1:], chosen.shape[1:], strict=True))
    chosen = chosen[:, :down, :across] & (count[:, :down, :across] >= data.side**2 // 8)
    if int(chosen.sum()) < FEWEST:
        return None
    places = count[:, :down, :across][chosen]

    def means(values: Floats) -> Doubles:
        found: Doubles = block_sums(values * whole, data.side)[:, :down, :across][chosen] / places
        return found

    def squares(inner: int) -> Doubles:
        start = (order - inner) // 2
        found = means(steep(pieces[:, start : pieces.shape[1] - start], 1, inner) ** 2)
        return np.maximum(found - rows.line**2, LEAST * found)

    fine, coarse, coarsest = (squares(inner) for inner in (order, order // 2, 2))
    if columns.length and float((coarsest * places).sum()) > AGREE * float((fine * places).sum()):
        return None
    alike = 1 + 2 * sum(value * value for value in rows.correlation)
    near = enumerate(rows.correlation[: CELL_SIDE - 1], 1)
    return replace(
        data,
        mean=means(weighted(pieces, order, axes=(1,))),
        variance=fine,
        count=places,
        coarse=coarse,
        scatter=2 * RELATED[order] * alike,
        coarse_scatter=2 * RELATED[order // 2] * alike,
        chosen=chosen,
        pooled=max(1 + 2 * sum((1 - lag / CELL_SIDE) * value for lag, value in near), 1.0),
    )


def _mean_of(noise: Along, side: int) -> float:
    """Return the variance of means of so many pixels in a line, over that of one."""
    values = [*noise.correlation, *[noise.correlation[-1]] * side][: side - 1]
    return min(
        max((1 + 2 * sum((1 - lag / side) * value for lag, value in enumerate(values, 1))) / side, 1 / side), 1.0
    )


def _share_of_all(pieces: Floats, before: Blocks, data: Blocks, known: tuple[Along, Along]) -> float:
    """Return the standard error of the variance, over it, with which it reaches up to all that varies in the blocks.

    From block to block noise varies too, the more the further it hangs together, and blocks in which it does less are
    those that were chosen.
    """
    side, chosen = data.side, before.chosen
    sums, squares = (block_sums(each, side)[:, : chosen.shape[1], : chosen.shape[2]] for each in (pieces, pieces**2))
    varies = (squares / side**2 - (sums / side**2) ** 2)[chosen]
    shared = math.prod(_mean_of(each, side) for each in known)
    varies *= CALM / max(1 - shared, CALM / 10)
    found = float((data.variance * data.count).sum())
    return (float((varies * data.count).sum()) / max(found, 1e-12) - 1) / 1.96
