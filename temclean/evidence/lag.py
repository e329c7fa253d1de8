"""The lag of a scanned image: how a detector's decay smears each pixel into the next ones of its row, and its undoing.

What lags is signal and noise alike, so that noise tells by how much: before it was white. The filter that makes it
white again takes the smear off the signal too, and adds nothing to the noise that was not there before.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import samples
from temclean.evidence.lines import spectrum_floor
from temclean.evidence.samples import Floats, Frames, block_sums, steep

Doubles = NDArray[np.float64]
Weights = tuple[float, ...]

TAPS = 4
"""Pixels before one that the filter looks at: more gains nothing on simulated detectors of any decay."""

FAR, CHANCE = (8, 10, 12, 14, 16, 18, 20), 1.0
"""Pixels apart, where a detector's decay is over, and the least that is alike is what the row has in common: a lattice
does not come back at all of them. And standard errors below which nothing is."""

STRETCH, SHARED = 32, 6.0
"""Pixels of a row that are looked at together, and standard deviations of their mean, were they independent, from which
on they were lit or lost together and say nothing about lag."""

ORDER = 4
"""Of the difference along columns that leaves noise and takes structure away."""

EVERY = 3
"""Of how many rows one is looked at: the difference makes neighbours depend on each other."""

VARIANCES = np.array([math.comb(ORDER, place) ** 2 for place in range(ORDER + 1)]) / math.comb(2 * ORDER, ORDER)
"""Share of each row in the variance of that difference."""

SMALLEST = 48
"""Pixels along a side, below which an image tells too little."""

SURE, LEAST = 5.0, 0.15
"""Standard errors, and correlation with the next pixel, below which nothing is undone."""

ACROSS = 0.35
"""Share of it that the correlation down the columns may have: more, and the image was resampled or blurred."""

BLOCK, APART = 6, 0.2
"""Side in pixels of blocks, and share of that correlation by which it may differ when told by their means: where a beam
strays so far over so fine a lattice that its slopes don't tell, it does."""

BETWEEN = 0.65
"""Share of the correlation that must be between the lines of the spectrum: a longer lag has a peak that is none."""

BEYOND = 0.06
"""Most that the pixel before the last may tell which the last does not, a partial correlation: a decaying detector's
tells next to nothing, and what a beam that strays makes of structure much."""

ALTERNATING = 0.08
"""Share of the first weight from which on the fourth tells resampling by weights that alternate in sign: interpolation
leaves little at the finest waves, which is much to undo; a detector's decay leaves more."""

FADED = 0.25
"""Most of the last weight over the first: a detector that lags forgets within a few pixels."""

STRONGEST = 6.0
"""Most by which the filter may amplify noise."""

WILD = 8.0
"""Standard deviations from its neighbours from which on a pixel was hit after the detector, and did not lag."""

LOOKED_AT = 3
"""Frames of a stack that are looked at."""

BAND = 2**20  # pixels

LAG = "lag"
"""What the filter is called in what a result says of how it was made."""


def measure(frames: Frames) -> Weights:
    """Measure the filter along rows that undoes the lag of a stack; () where no lag is sure.

    The noise's autocorrelation r along rows is measured on differences along columns; an autoregressive process has
    it whose coefficients solve the Yule-Walker equations, and whose inverse is the filter. Where the beam strays from
    row to row, structure enters the differences too, by the products of its slopes: where these are large and where
    they are small tells how much. Three frames are looked at.

    Parameters
    ----------
    frames : Frames, (frames, rows, columns)
        Of any real type.

    Returns
    -------
    tuple of float
        Weights of a pixel and of the ones before it in its row; their sum is 1.

    Examples
    --------
    >>> white = np.random.default_rng(3).normal(100.0, 10.0, (1, 128, 160))
    >>> lagging = 0.6 * white[:, :, 2:] + 0.3 * white[:, :, 1:-1] + 0.1 * white[:, :, :-2]
    >>> measure(white), [round(weight, 1) for weight in measure(lagging)]
    ((), [1.8, -0.9, 0.2, 0.0, -0.1])
    """
    last = len(frames) - 1
    looked_at = sorted({round(last * part / (LOOKED_AT - 1)) for part in range(LOOKED_AT)})
    found = [_correlation(frames[index]) for index in looked_at]
    if not found or any(each is None for each in found):
        return ()
    weights = _whitening(np.median(np.array(found, dtype=np.float64), axis=0))
    return () if _is_resampled(weights) or _is_of_a_lattice(weights) else weights


def _correlation(image: NDArray[Any]) -> Doubles | None:
    """Return the correlation of an image's noise with the pixels before it, (TAPS,); None where no lag is sure."""
    sample = samples.sample(image)
    if sample is None or min(sample.pieces.shape[1:]) < SMALLEST:
        return None
    along = _Along(sample.pieces)
    if along.plain < 0.8 * LEAST:  # a beam that strays only adds to it
        return None
    values, error = along.correlation(1)
    first = float(values[0])
    if first < max(LEAST, SURE * error) or float(values[1]) - first**2 > BEYOND * (1 - first**2):
        return None
    coarse, _ = along.correlation(BLOCK)
    if abs(first - float(coarse[0])) > APART * first:
        return None
    turned = np.ascontiguousarray(sample.pieces.swapaxes(1, 2))
    if float(_Along(turned).correlation(1)[0][0]) > ACROSS * first:
        return None
    told, floor = 0.5 * (values + coarse), spectrum_floor.correlation(along.left, TAPS)
    found = told if floor[0] > BETWEEN * told[0] else floor
    return found if found[0] > LEAST else None


class _Along:
    r"""What noise along rows is told by: products of differences, and of the slopes that a straying beam adds to them.

    Where the beam strays by :math:`\delta` down or along, products of pixels a lag apart hold :math:`\delta^2` times
    those of the structure's slopes there, and noise that counts its level too: a linear model, whose constant is the
    noise's autocovariance.
    """

    def __init__(self, pieces: Floats) -> None:
        left = steep(pieces, 1, ORDER)
        bound = np.float32(5 * math.sqrt(float(np.median(left[:, ::3, ::3] ** 2)) / 0.455 + 1e-12))
        self.rows = left.shape[1]
        self.left = np.clip(left[:, ::EVERY], -bound, bound)
        starts = np.arange(0, self.left.shape[2], STRETCH)
        lengths = np.diff(starts, append=self.left.shape[2])
        means = np.add.reduceat(self.left, starts, axis=2) / np.sqrt(lengths, dtype=np.float32)
        self.left *= np.repeat(np.abs(means) < np.float32(SHARED / 5) * bound, lengths, axis=2)
        self.pieces = pieces

    @property
    def plain(self) -> float:
        """Correlation with the next pixel, all of it taken for noise's."""
        product = self.left[..., 1:] * self.left[..., :-1]
        return float(product.mean() / max(float((self.left**2).mean()), 1e-30))

    def _seen(self, values: Floats) -> Floats:
        """Return the mean of values over the rows that the difference looks at, as it weights their variance."""
        parts = [values[:, place : place + self.rows : EVERY] for place in range(ORDER + 1)]
        total: Floats = np.sum([np.float32(share) * part for share, part in zip(VARIANCES, parts, strict=True)], axis=0)
        return total

    def correlation(self, side: int) -> tuple[Doubles, float]:
        """Return the correlation, (TAPS,), and its first one's standard error, by means over blocks of a side."""
        smooth = _smoothed(self.pieces)
        level = self._seen(smooth)
        level -= np.quantile(level[:, ::4, ::4], 0.3)
        slopes = np.gradient(smooth, axis=1), np.gradient(smooth, axis=2)
        found: list[float] = []
        expected, power, error = np.ones(1, np.float32), 0.0, 1.0
        for lag in (0, 0, *range(1, TAPS + 1), *FAR):
            width = self.left.shape[2] - FAR[-1]
            here, there = slice(lag, lag + width), slice(0, width)
            products = (self._seen(each[..., here] * each[..., there]) for each in slopes)
            product = self.left[..., here] * self.left[..., there]
            parts = product, np.ones_like(product), level[..., here], *products
            seen, *model = (_means(each, side) for each in parts)
            terms, weights = np.stack(model), ((power or 1.0) / expected) ** 2
            unit = np.linalg.pinv(((terms * weights) @ terms.T).astype(np.float64))
            solution = unit @ (terms @ (weights * seen)).astype(np.float64)
            fitted = solution.astype(np.float32) @ terms
            if lag == 0:
                power = float(solution[0])
                if power <= 0:
                    return np.zeros(TAPS), 1.0
                expected = np.maximum(fitted, np.float32(0.2 * power))
                continue
            found.append(float(solution[0]) / power)
            if lag == 1:
                rest = weights * (seen - fitted)
                spread = unit @ ((terms * rest**2) @ terms.T).astype(np.float64) @ unit
                error = math.sqrt(max(float(spread[0, 0]), 0.0) * samples.RELATED[ORDER] / EVERY) / power
        return _of_neighbours(np.array(found), error), error


def _of_neighbours(correlation: Doubles, error: float) -> Doubles:
    """Return the correlation without what all pixels of a stretch of a row share, as where lines are lost in part.

    That stays at :data:`FAR`, less what a decay leaves there which starts as the correlation does; where it is not more
    than chance leaves, nothing is taken off.
    """
    near, common = correlation[:TAPS], 0.0
    for _ in range(4):
        decay = min(max((float(near[0]) - common) / (1 - common), 0.0), 0.95)
        left = correlation[TAPS:] - (1 - common) * decay ** np.array(FAR)
        common = min(max(float(left.min()), 0.0), 0.9)
    return (near - common) / (1 - common) if common > CHANCE * error else near


def _means(values: Floats, side: int) -> Floats:
    means: Floats = values if side == 1 else (block_sums(values, side) / side**2).astype(np.float32)
    return means.ravel()


def _smoothed(pieces: Floats) -> Floats:
    """Return pieces smoothed by a binomial of variance 2 along both axes."""
    for axis in (1, 2):
        for _ in range(4):
            ends = [np.take(pieces, [place], axis=axis) for place in (0, -1)]
            wider = np.concatenate([ends[0], pieces, ends[1]], axis=axis)
            pieces = pieces + np.float32(0.25) * samples.bend(wider, axis)
    return pieces


def _whitening(correlation: Doubles) -> Weights:
    """Return the filter that makes noise of an autocorrelation white, by Levinson's recursion; () where none can."""
    filter_, power = np.array([1.0]), 1.0
    r = np.concatenate([[1.0], correlation])
    for order in range(1, len(r)):
        reflection = -float(filter_ @ r[order:0:-1]) / power
        if abs(reflection) >= 1:
            return ()
        longer = np.append(filter_, 0.0)
        filter_ = longer + reflection * longer[::-1]
        power *= 1 - reflection**2
    total = float(filter_.sum())
    if total * STRONGEST < 1:
        return ()
    return tuple(float(weight) for weight in np.round(filter_ / total, 6))


def _is_resampled(weights: Weights) -> bool:
    """Return whether a filter would undo the interpolation of an image that was stretched along its rows."""
    if not weights:
        return False
    _, _, second, third, fourth = weights
    return second > 0 and fourth > 0 and -third > ALTERNATING * weights[0]


def _is_of_a_lattice(weights: Weights) -> bool:
    """Return whether a filter does not fade, as a detector's memory does: it would undo a lattice of few pixels."""
    return bool(weights) and abs(weights[-1]) > FADED * weights[0]


def noted(weights: Weights) -> str:
    """Return a filter in words that :func:`weights_of` reads."""
    return " ".join(map(str, weights))


def weights_of(note: object) -> Weights:
    """Return the filter that a result notes; () where that is none."""
    try:
        weights = tuple(map(float, str(note).split()))
    except ValueError:
        return ()
    return weights if 1 < len(weights) <= TAPS + 1 and abs(sum(weights) - 1) < 1e-3 else ()


def pixels(weights: Weights) -> float:
    r"""Return by how many pixels the lag that a filter undoes has moved what the image shows along its rows.

    The filter advances slow structure by the mean of its taps' places, :math:`-\sum_k k w_k`.
    """
    return -sum(place * weight for place, weight in enumerate(weights))


def undo(image: NDArray[Any], weights: Weights) -> NDArray[Any]:
    """Filter an image along its rows; before a row is its first pixel.

    A pixel that stands out of its row by :data:`WILD` deviations was hit after the detector: it stays what it is, and
    the next ones are filtered as if it were like its neighbours. Where an image is cut off, at its least or greatest
    value, it stays cut off there. One that holds NaN or infinite values stays as it is: it will be refused.

    Parameters
    ----------
    image : ndarray, (rows, columns)
    weights : tuple of float
        From :func:`measure`.

    Returns
    -------
    ndarray, (rows, columns)
        Of float32, or of what holds the image's own numbers.
    """
    kind = np.result_type(image.dtype, np.float32)
    if not (weights and np.isfinite(image.min()) and np.isfinite(image.max())):
        return image.astype(kind)
    taps = len(weights) - 1
    out = np.empty(image.shape, kind)
    bound = _wildness(image[:: max(1, image.size // BAND)].astype(kind))
    ends = samples.cut_off(image)
    rows = max(1, BAND // image.shape[1])
    for top in range(0, image.shape[0], rows):
        band = image[top : top + rows].astype(kind)
        wild = _off(band)
        wild[np.abs(wild) <= bound] = 0
        before = np.concatenate([np.repeat((band - wild)[:, :1], taps, axis=1), band - wild], axis=1)
        part = out[top : top + rows]
        part[...] = wild
        for place, weight in enumerate(weights):
            part += kind.type(weight) * before[:, taps - place : taps - place + band.shape[1]]
        samples.keep_cut_off(part, band, ends)
    return out


def _wildness(rows: NDArray[Any]) -> float:
    seen = np.abs(_off(rows))
    return WILD * 1.4826 * float(np.median(seen[seen > 0])) if seen.any() else math.inf


def _off(rows: NDArray[Any]) -> NDArray[Any]:
    """Return by how much each pixel differs from the median of itself and its two neighbours along the row."""
    before, after = (
        np.concatenate(each, axis=1) for each in ((rows[:, :1], rows[:, :-1]), (rows[:, 1:], rows[:, -1:]))
    )
    off: NDArray[Any] = rows - np.maximum(np.minimum(before, after), np.minimum(rows, np.maximum(before, after)))
    return off


class Undone:
    """Frames whose lag is undone as they are read."""

    def __init__(self, frames: Frames, weights: Weights) -> None:
        self._frames, self._weights = frames, weights
        self.shape = frames.shape
        self.dtype: np.dtype[Any] = np.result_type(frames.dtype, np.float32)

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> NDArray[Any]:
        return undo(self._frames[index], self._weights)
