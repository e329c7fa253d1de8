"""How far a scanned beam strayed from row to row: each row of the raw image beside a first result, which averages many.

A row holds hundreds of pixels, and all of them are displaced alike, by vibration and mains hum: together they tell to a
few hundredths of a pixel what none tells alone.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import samples

Doubles = NDArray[np.float64]

SMALLEST = 64
"""Pixels along a side, below which rows tell too little."""

LARGEST = 2**26
"""Pixels, above which another image of them would take too much memory."""

BAND = 2**20
"""Pixels looked at in one go."""

SEEN = 256
"""Pixels along a side that are enough to measure the noise."""

LEVELS = 16
"""Intensities at which the strength of the noise is measured."""

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


def measure(raw: NDArray[Any], restored: NDArray[Any]) -> Straying | None:
    r"""Measure by how much the rows of an image are displaced; None where they are no more than noise makes them seem.

    Of each row :math:`y - f = o + a (f - \bar f) + d_x \partial_x f + d_y \partial_y f`, least squares weighted by the
    noise at each intensity; offset and amplitude, which lost lines change, are thrown away. The displacements are drawn
    towards 0 by their variance over all rows, as far as two halves of the columns agree on them: the edges of things
    may be rough, and a first result errs. What is slow or comes back at a distance is not straying.

    Parameters
    ----------
    raw, restored : ndarray, (rows, columns)
        Of any real type.
    """
    rows, columns = raw.shape
    if min(rows, columns) < SMALLEST or raw.size > LARGEST:
        return None
    deviations = _deviations(raw, restored)
    if deviations is None:
        return None
    moved = np.zeros((rows, 2))
    for turn in range(ROUNDS):
        parts = _equations(raw, restored, moved, *deviations)
        matrices, sides = (part.sum(axis=0) for part in parts)
        _make_regular(matrices)
        if not turn:
            steps, errors = _solved(matrices, sides)
            if not np.isfinite(steps).all():
                return None
            clear = np.mean(_irregular(steps / np.sqrt(errors)) ** 2, axis=0) > CLEAR
            if not clear.any():
                return None
            widths = _agreed(*parts)
            widths = np.where(clear, np.maximum(widths, STILL), STILL)
        matrices[:, (0, 1), (0, 1)] += 1 / widths
        sides[:, :2] -= moved / widths
        moved = moved + np.linalg.solve(matrices, sides[..., None])[:, :2, 0]
        moved = _irregular(moved).clip(-FURTHEST, FURTHEST)
    found = Straying(moved[:, 0], moved[:, 1])
    return found if found.width > LEAST else None


def steadied(raw: NDArray[Any], restored: NDArray[Any], straying: Straying) -> NDArray[Any]:
    """Return the image as if the beam had not strayed: without what that adds to the first result, noise as it is.

    Where it is cut off, at its least or greatest value, it stays so. Of float32, or of what holds its own numbers.
    """
    steady = raw.astype(np.result_type(raw.dtype, np.float32))
    ends = samples.cut_off(raw)
    moved = np.stack([straying.right, straying.down], axis=1)
    for rows, surface in _bands(restored):
        steady[rows] -= surface.at(moved[rows]) - surface.here
        samples.keep_cut_off(steady[rows], raw[rows], ends)
    return steady


class _Surface:
    """A band of an image and its derivatives, from which follows what it is when its rows are displaced a little."""

    def __init__(self, pixels: Doubles, inner: slice) -> None:
        """Take the rows of a slice; those around them are for the derivatives."""
        down, right = np.gradient(pixels, axis=0), np.gradient(pixels, axis=1)
        self.here, self.down, self.right = pixels[inner], down[inner], right[inner]
        self.down_down = np.gradient(down, axis=0)[inner]
        self.right_right = np.gradient(self.right, axis=1)
        self.right_down = np.gradient(self.down, axis=1)

    def at(self, moved: Doubles) -> Doubles:
        """Return it with its rows displaced, (rows, 2), to the second order."""
        right, down = moved[:, :1], moved[:, 1:]
        first = right * self.right + down * self.down
        second = 0.5 * (right**2 * self.right_right + down**2 * self.down_down) + right * down * self.right_down
        found: Doubles = self.here + first + second
        return found

    def slopes(self, moved: Doubles) -> tuple[Doubles, Doubles]:
        """Return its derivatives along rows and across them where its rows are displaced."""
        right, down = moved[:, :1], moved[:, 1:]
        return (
            self.right + right * self.right_right + down * self.right_down,
            self.down + down * self.down_down + right * self.right_down,
        )


def _bands(image: NDArray[Any]) -> Iterator[tuple[slice, _Surface]]:
    """Yield bands of rows, and what they show."""
    band = max(1, BAND // image.shape[1])
    for top in range(0, len(image), band):
        rows = slice(top, min(top + band, len(image)))
        above = min(2, top)
        wider = image[top - above : rows.stop + 2].astype(np.float64)
        yield rows, _Surface(wider, slice(above, above + rows.stop - top))


def _equations(
    raw: NDArray[Any], restored: NDArray[Any], moved: Doubles, intensities: Doubles, deviations: Doubles
) -> tuple[Doubles, Doubles]:
    """Return the normal equations of all rows, by every other block of columns and by those between.

    Matrices (2, rows, 4, 4), right sides (2, rows, 4).
    """
    matrices, sides = np.empty((2, len(raw), 4, 4)), np.empty((2, len(raw), 4))
    blocks = 2 * max(1, round(raw.shape[1] / (2 * APART)))
    starts = np.arange(blocks) * raw.shape[1] // blocks

    def halves(values: Doubles) -> tuple[Doubles, Doubles]:
        sums = np.add.reduceat(values, starts, axis=1)
        return sums[:, ::2].sum(axis=1), sums[:, 1::2].sum(axis=1)

    for rows, surface in _bands(restored):
        expected = surface.at(moved[rows])
        left = raw[rows].astype(np.float64) - expected
        deviation = np.interp(expected, intensities, deviations)
        off = np.abs(left) / deviation
        weights = (off < WILD) * np.minimum(1.0, MILD / np.maximum(off, MILD)) / deviation**2
        amplitude = expected - expected.mean(axis=1, keepdims=True)
        terms = (*surface.slopes(moved[rows]), np.ones_like(expected), amplitude)
        for i, term in enumerate(terms):
            weighted = weights * term
            sides[:, rows, i] = halves(weighted * left)
            for j in range(i, len(terms)):
                matrices[:, rows, i, j] = matrices[:, rows, j, i] = halves(weighted * terms[j])
    return matrices, sides


def _make_regular(matrices: Doubles) -> None:
    """Have matrices (rows, 4, 4) an inverse: that of a row of one value has none."""
    diagonals = matrices.diagonal(axis1=1, axis2=2).copy()
    matrices[:, range(4), range(4)] += np.where(diagonals > 0, 1e-9 * diagonals, 1.0)


def _solved(matrices: Doubles, sides: Doubles) -> tuple[Doubles, Doubles]:
    """Return displacements of rows, and their variances, (rows, 2) each."""
    inverses = np.linalg.inv(matrices).astype(np.float64)
    steps: Doubles = np.einsum("rij,rj->ri", inverses, sides)[:, :2]
    return steps, inverses[:, (0, 1), (0, 1)]


def _agreed(matrices: Doubles, sides: Doubles) -> Doubles:
    """Return the variance of displacements, (2,), by what both halves of the columns say of them; 0 if they differ."""
    shrunk, shares = [], []
    for half, side in zip(matrices, sides, strict=True):
        _make_regular(half)
        steps, errors = _solved(half, side)
        shares.append(USUAL / (USUAL + errors))
        shrunk.append(_irregular(steps * shares[-1]))
    products = shrunk[0] * shrunk[1]
    total = products.sum(axis=0)
    sure = total > AGREED * np.sqrt((products**2).sum(axis=0))
    found: Doubles = np.where(sure, total / (shares[0] * shares[1]).sum(axis=0), 0.0)
    return found


def _deviations(raw: NDArray[Any], restored: NDArray[Any]) -> tuple[Doubles, Doubles] | None:
    """Return the noise's standard deviation at some intensities of the result: (intensities, deviations)."""
    step = max(1, math.isqrt(raw.size) // SEEN)
    levels = restored[::step, ::step].astype(np.float64).ravel()
    left = np.abs(raw[::step, ::step].astype(np.float64).ravel() - levels)
    places = np.searchsorted(np.quantile(levels, np.linspace(0, 1, LEVELS + 1))[1:-1], levels)
    least = INEXACT * float(np.ptp(np.quantile(levels, (0.01, 0.99))))
    found = []
    for place in range(LEVELS):
        here = places == place
        if here.sum() > SMALLEST and (deviation := 1.4826 * float(np.median(left[here]))) > 0:
            found.append((float(levels[here].mean()), math.hypot(deviation, least)))
    intensities, deviations = np.array(found).reshape(-1, 2).T
    return (intensities, deviations) if found else None


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
