"""How far a scanned beam strayed from row to row: each row of the raw image beside a first result, which averages many.

A row holds hundreds of pixels, and all of them are displaced alike, by vibration and mains hum: together they tell to a
few hundredths of a pixel what none tells alone.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import _straying
from temclean.evidence import blocks, samples
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.samples import median

Doubles = NDArray[np.float64]

SMALLEST = 64
"""Pixels along a side, below which rows tell too little."""

LARGEST = 2**26
"""Pixels, above which another image of them would take too much memory."""

BAND = 2**20
"""Pixels looked at in one go."""

SEEN = 256
"""Pixels along a side that are enough to measure the noise."""

LEVELS, FINER = 16, 256
"""Intensities at which the strength of the noise is measured, and between how many the table lies of what follows."""

INEXACT = 0.015
"""Share of its contrast by which a first result errs at least, however little noise there is."""

APART = 64
"""Columns that tell of a row's displacement together, and the next ones by themselves: they must agree, as the two
edges of a thing do only where the beam strayed and not where they are rough."""

AGREED = 3.0
"""Standard errors of that."""

USUAL = 0.1
"""Square of the pixels by which beams stray: rows that tell less well count less."""

MILD, WILD = 2.5, 6.0
"""Deviations from which on a pixel counts less, and from which on it counts nothing."""

ROUNDS = 2
"""Times that displacements are corrected: structure is no plane."""

SLOW = 21
"""Rows over which a mean displacement is drift, which the first result has followed, and no straying."""

AROUND, PEAK = 15, 6.0
"""Waves on either side whose median power is that of chance, and how many times it a wave has that comes back."""

LEAST = 0.06
"""Pixels, root mean square, from which on a second look is worth its time."""

STILL = 1e-6
"""Square of the pixels by which rows are taken to stray along an axis where that is not clear."""

FURTHEST = 2.0
"""Pixels by which a row is moved at most."""

FOLLOWED = 0.3
"""Share of a row's displacement that a first result has itself, as it leans on each row; by the gain that lies in more,
which was still growing at 0.4 on simulated columns, but not on lattices that are bent."""

WORSE = 1.15
"""Times the squares of what the first result lacks of a row from which on the row stays where it was: displacements of
more than a few pixels are not told by slopes."""

REFUSED, SWEPT = 0.125, 0.7
"""Shares of the rows that would become worse, and that seem to lie as far off as a row is moved at most: from these on
all stay, as the beam strayed further than slopes tell."""

CLEAR = 2.5
"""Mean square of displacements over their variance, from which on the beam strayed: 1 is noise."""


@dataclass(frozen=True)
class Straying:
    """How far each row lies off its place, in pixels: what the row shows stands that much further on in the result.

    Attributes
    ----------
    right, down : along the row and across it, float64 (rows,).
    """

    right: Doubles
    down: Doubles

    @property
    def width(self) -> float:
        """Root mean square of the displacements, pixels."""
        return float(np.sqrt(np.mean(self.right**2 + self.down**2)))

    @property
    def swept(self) -> bool:
        """Whether most rows seem to lie as far off as they are moved at most: then none is where it seems to be."""
        limit = (1 - FOLLOWED) * FURTHEST
        return float(np.mean((np.abs(self.right) > limit) | (np.abs(self.down) > limit))) >= SWEPT

    def whole(self) -> "Straying":
        """Return what was measured beside a first result with what that has of it itself."""
        moved = (np.clip(part / (1 - FOLLOWED), -FURTHEST, FURTHEST) for part in (self.right, self.down))
        return Straying(*moved)


def measure(raw: NDArray[Any], restored: NDArray[Any], *, far: bool = False) -> Straying | None:
    r"""Measure by how much the rows of an image are displaced; None where they are no more than noise makes them seem.

    Of each row :math:`y - f = o + a (f - \bar f) + d_x \partial_x f + d_y \partial_y f`, least squares weighted by the
    noise at each intensity; offset and amplitude, which lost lines change, are thrown away. The displacements are drawn
    towards 0 by their variance over all rows, as far as two halves of the columns agree on them: the edges of things
    may be rough, and a first result errs. What is slow or comes back at a distance is not straying.

    Parameters
    ----------
    raw, restored : ndarray, (rows, columns)
        Of any real type.
    far
        Whether to return what is found where most rows seem to lie as far off as they are moved at most, too.
    """
    rows, columns = raw.shape
    if min(rows, columns) < SMALLEST or raw.size > LARGEST:
        return None
    pair = blocks.pair(raw, restored)
    noise = noise_of(pair) if pair else None
    if pair is None or noise is None:
        return None
    moved = np.zeros((rows, 2))
    for turn in range(ROUNDS):
        parts = _equations(pair, moved, noise)
        matrices, sides = (part.sum(axis=0) for part in parts)
        make_regular(matrices)
        if not turn:
            steps, errors = _solved(matrices, sides)
            if not np.isfinite(steps).all():
                return None
            clear = np.mean(_irregular(steps / np.sqrt(errors)) ** 2, axis=0) > CLEAR
            if not clear.any():
                return None
            widths = agreed(*parts, _irregular)
            widths = np.where(clear, np.maximum(widths, STILL), STILL)
        matrices[:, (0, 1), (0, 1)] += 1 / widths
        sides[:, :2] -= moved / widths
        moved = moved + np.linalg.solve(matrices, sides[..., None])[:, :2, 0]
        moved = _irregular(moved).clip(-FURTHEST, FURTHEST)
    found = Straying(moved[:, 0], moved[:, 1])
    return found if found.width > LEAST and (far or not found.swept) else None


def steadied(raw: NDArray[Any], restored: NDArray[Any], straying: Straying) -> NDArray[Any] | None:
    """Return the image as if the beam had not strayed: without what that adds to the first result, noise as it is.

    A row that would be further from the first result than it is stays as it is: it strayed so far that its slopes tell
    nothing. Where too many do, None is returned. Where the image is cut off, at its least or greatest value, it stays
    so. Of float32, or of what holds its own numbers.
    """
    steady = np.array(raw, np.result_type(raw.dtype, np.float32).newbyteorder("="), order="C")
    ends = samples.cut_off(raw)
    moved = np.stack([straying.right, straying.down], axis=1)
    pair = blocks.pair(raw, restored)
    if pair is None:
        return None
    refused = 0
    work = np.empty((_straying.ROOM, raw.shape[1]), np.float32)
    for rows, above, wider in _bands(pair):
        _straying.steady(wider, above, moved[rows], pair.unit, work, steady[rows])
        before, after = (_squares(each[rows], restored[rows]) for each in (raw, steady))
        worse = after > WORSE * before
        steady[rows][worse] = raw[rows][worse]
        refused += int(np.count_nonzero(worse))
        samples.keep_cut_off(steady[rows], raw[rows], ends)
    return steady if refused < REFUSED * len(raw) else None


def _squares(rows: NDArray[Any], restored: NDArray[Any]) -> Doubles:
    """Return for each row the sum of squares of what a result lacks."""
    left = np.subtract(rows, restored, dtype=np.result_type(rows.dtype, np.float32))
    squares: Doubles = np.einsum("ij,ij->i", left, left).astype(np.float64)
    return squares


def _bands(pair: Pair) -> Iterator[tuple[slice, int, Floats]]:
    """Yield bands of rows, and the result's of two rows more above and below, which derivatives need."""
    height, width = pair.raw.shape
    band = max(1, BAND // width)
    for top in range(0, height, band):
        rows = slice(top, min(top + band, height))
        above = min(2, top)
        yield rows, above, pair.scaled(pair.result[top - above : rows.stop + 2])


def _equations(pair: Pair, moved: Doubles, noise: "Noise") -> tuple[Doubles, Doubles]:
    """Return the normal equations of all rows, by every other block of columns and by those between.

    Matrices (2, rows, 4, 4), right sides (2, rows, 4).
    """
    height, width = pair.raw.shape
    matrices, sides = np.empty((2, height, 4, 4)), np.empty((2, height, 4))
    count = 2 * max(1, round(width / (2 * APART)))
    starts = np.arange(count) * width // count
    work = np.empty((_straying.ROOM, width), np.float32)
    for rows, above, wider in _bands(pair):
        _straying.equations(
            pair.scaled(pair.raw[rows]), wider, above, moved[rows], noise.deviations, noise.low, noise.scale, starts,
            MILD, WILD, work, rows.start, matrices, sides,
        )  # fmt: skip
    return matrices, sides


def make_regular(matrices: Doubles) -> None:
    """Have matrices (rows, 4, 4) an inverse: that of a row of one value has none."""
    diagonals = matrices.diagonal(axis1=1, axis2=2).copy()
    matrices[:, range(4), range(4)] += np.where(diagonals > 0, 1e-9 * diagonals, 1.0)


def _solved(matrices: Doubles, sides: Doubles) -> tuple[Doubles, Doubles]:
    """Return displacements of rows, and their variances, (rows, 2) each."""
    inverses = np.linalg.inv(matrices).astype(np.float64)
    steps: Doubles = np.einsum("rij,rj->ri", inverses, sides)[:, :2]
    return steps, inverses[:, (0, 1), (0, 1)]


def agreed(matrices: Doubles, sides: Doubles, irregular: Callable[[Doubles], Doubles]) -> Doubles:
    """Return the variance of displacements, (2,), by what both halves of the columns say of them; 0 if they differ.

    Of what of them is ``irregular``.
    """
    shrunk, shares = [], []
    for half, side in zip(matrices, sides, strict=True):
        make_regular(half)
        steps, errors = _solved(half, side)
        shares.append(USUAL / (USUAL + errors))
        shrunk.append(irregular(steps * shares[-1]))
    products = shrunk[0] * shrunk[1]
    total = products.sum(axis=0)
    sure = total > AGREED * np.sqrt((products**2).sum(axis=0))
    found: Doubles = np.where(sure, total / (shares[0] * shares[1]).sum(axis=0), 0.0)
    return found


@dataclass(frozen=True)
class Noise:
    """The noise's standard deviation at evenly spaced intensities of the result from ``low`` on, ``scale`` a unit."""

    deviations: Floats
    low: float
    scale: float

    @property
    def levels(self) -> tuple[Doubles, Floats]:
        """Intensities, and the standard deviations at them."""
        return self.low + np.arange(len(self.deviations)) / (self.scale or 1.0), self.deviations


def noise_of(pair: Pair) -> Noise | None:
    """Measure the noise at some intensities; None where there is none."""
    step = max(1, math.isqrt(pair.raw.size) // SEEN)
    levels = pair.scaled(pair.result[::step, ::step]).ravel()
    left = np.abs(pair.scaled(pair.raw[::step, ::step]).ravel() - levels)
    order = np.argsort(levels)
    ordered, left = levels[order], left[order]
    least = INEXACT * (blocks.percentile(ordered, 99.0) - blocks.percentile(ordered, 1.0))
    edges = [blocks.percentile(ordered, 100 * k / LEVELS) for k in range(1, LEVELS)]
    ends = np.searchsorted(ordered, edges, side="right")
    found = []
    for first, end in pairwise((0, *(int(each) for each in ends), len(ordered))):
        if end - first > SMALLEST and (deviation := 1.4826 * median(left[first:end])) > 0:
            found.append((float(ordered[first:end].mean(dtype=np.float64)), math.hypot(deviation, least)))
    if not found:
        return None
    intensities, deviations = np.array(found).T
    low, width = float(intensities[0]), float(intensities[-1] - intensities[0])
    table = np.interp(np.linspace(low, low + width, FINER), intensities, deviations)
    return Noise(table.astype(np.float32), low, (FINER - 1) / width if width > 0 else 0.0)


def _irregular(moved: Doubles) -> Doubles:
    """Return what of displacements, (rows, 2), is neither slow nor comes back from row to row.

    Where a lattice lies along the rows, what the first result lacks of its columns looks like displacements that
    come back with them: waves that stand out of their neighbours' power.
    """
    reach = SLOW // 2
    wider = np.pad(moved, ((reach, reach), (0, 0)), mode="reflect")
    sums = np.cumsum(np.pad(wider, ((1, 0), (0, 0))), axis=0)
    waves = np.fft.rfft(moved - (sums[SLOW:] - sums[:-SLOW]) / SLOW, axis=0)
    power = np.abs(waves) ** 2
    around = np.pad(power, ((AROUND, AROUND), (0, 0)), mode="reflect")
    floor = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * AROUND + 1, axis=0), axis=2) / math.log(2)
    found: Doubles = np.fft.irfft(np.where(power > PEAK * floor, 0, waves), n=len(moved), axis=0)
    return found
