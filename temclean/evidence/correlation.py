"""How noise hangs together: from pixel to pixel along rows and columns, and along whole rows and columns."""

import math
from dataclasses import dataclass

import numpy as np

from temclean.evidence.samples import Floats, Mask, bend, block_sums, spread
from temclean.evidence.variance import Blocks, Doubles

LAGS = 6
"""Pixels up to which correlation is looked for."""

RELATED = 2.63
"""Rows that count as one, as the fourth difference makes neighbours depend on each other: the sum of its squared
autocorrelation."""

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
    error : standard error of these.
    line : standard deviation of what all pixels of a row (or column) share, and its standard error, of [0, 1].
    """

    correlation: tuple[float, ...]
    error: float
    line: float
    line_error: float

    @property
    def length(self) -> float:
        """Pixels after which the correlation has fallen to 1/e; 0 of white noise."""
        if abs(self.correlation[0]) < max(0.08, 4 * self.error):
            return 0.0
        before = 1.0
        for lag, value in enumerate(self.correlation, 1):
            if value < math.exp(-1):
                return lag - 1 + (before - math.exp(-1)) / (before - value)
            before = value
        return float(len(self.correlation))


def along_rows(pieces: Floats, masked: Mask | None, data: Blocks) -> Along:
    """Measure the noise along rows, on what a steep filter along columns leaves: the fourth difference.

    The filter keeps the variance of what differs from row to row, and the correlation along rows. The variance of what
    a whole row shares is the mean product of distant parts of one row, to which white noise adds nothing; where it
    comes back at a distance, it is a lattice's.
    """
    steep = bend(bend(pieces, 1), 1) * np.float32(1 / math.sqrt(70))
    bound = np.float32(5 * math.sqrt(float(np.median(steep[:, ::3, ::3] ** 2)) / 0.455 + 1e-12))
    np.clip(steep, -bound, bound, out=steep)
    whole = None if masked is None else ~spread(masked, 5, 1)
    if whole is not None:
        steep *= whole
    energy = block_sums(steep * steep, data.side)
    down, across = (min(pair) for pair in zip(energy.shape[1:], data.chosen.shape[1:], strict=True))
    energy, chosen = energy[:, :down, :across], data.chosen[:, :down, :across]
    line, error = shared(steep)
    number = float(chosen.sum() * data.side**2)
    if whole is not None:
        number = float(block_sums(whole, data.side)[:, :down, :across][chosen].sum())
    power = float(energy[chosen].sum()) - line * line * number
    found = []
    for lag in range(1, LAGS + 1):
        sums = block_sums(steep[:, :, :-lag] * steep[:, :, lag:], data.side)[:, :down, :across]
        part = chosen[:, : sums.shape[1], : sums.shape[2]]
        pairs = float(part.sum() * data.side**2)
        if whole is not None:
            pairs = float(block_sums(whole[:, :, :-lag] & whole[:, :, lag:], data.side)[:, :down, :across][part].sum())
        product = float(sums[part].sum()) - line * line * pairs
        found.append(product / pairs / (power / number) if power > 0 and pairs > 0 else 0.0)
    error_of_lag = math.sqrt(RELATED / max(1.0, number))
    return Along(tuple(max(-1.0, min(1.0, value)) for value in found), error_of_lag, line, error)


def shared(steep: Floats) -> tuple[float, float]:
    """Return the standard deviation of what a row shares, 0 where it is not sure, and its standard error."""
    parts = steep.shape[2] // SEGMENT
    if parts < 2:
        return 0.0, 0.0
    means = steep[:, :, : parts * SEGMENT].reshape(*steep.shape[:2], parts, SEGMENT).mean(3, dtype=np.float64)
    means = means[:, :, ::2]  # neighbours may hang together
    parts = means.shape[2]
    if parts < 2:
        return 0.0, 0.0
    products = (means.sum(2) ** 2 - (means**2).sum(2)) / (parts * (parts - 1))
    value = float(products.mean())
    error = float(products.std()) * math.sqrt(RELATED / products.size)
    if value < 4 * error or value <= 0 or repeats(means.mean(2)):
        return 0.0, math.sqrt(max(error, 0.0))
    return math.sqrt(value), error / (2 * math.sqrt(value))


def repeats(rows: Doubles) -> bool:
    """Return whether means of rows, (pieces, rows), come back at some distance, as those of a lattice do."""
    rows = rows - rows.mean(1, keepdims=True)
    power = float((rows * rows).mean())
    far = range(5, min(60, rows.shape[1] // 3))
    return any(float((rows[:, lag:] * rows[:, :-lag]).mean()) > PERIODIC * power for lag in far)


def remaining(noise: Along, order: int) -> float:
    """Return the share of correlated noise that the difference along its axis keeps of what it keeps of white noise."""
    if not noise.length:
        return 1.0
    first, second = noise.correlation[:2]
    kept = 1 - first if order == 1 else (6 - 8 * first + 2 * second) / 6
    return max(kept, 0.05)
