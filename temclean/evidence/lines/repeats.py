"""An image as its own repeats show it: each square as others that look like it do, some cells of a lattice further on.

What a beam did to a row, a restored row shows too, as it leans on that row and its neighbours. Squares that look alike
lie in other rows, which strayed otherwise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import _repeats, filters
from temclean.evidence.blocks import Floats
from temclean.evidence.lines.splines import Doubles, coefficients

SIDE = 64
"""Pixels along a side of the squares."""

REACH = 64
"""Pixels along rows and columns up to which others are looked for."""

STEP, WIDER, LARGE = 32, 48, 2**20
"""Pixels from square to square, and the same in images of more than so many pixels."""

ALIKE, NEARLY = 0.7, 0.12
"""Correlation with others that look like a square, at least, and by how much it may be less than that of the best."""

APART = 5
"""Rows between a square and its repeats at least: nearer ones share what the beam did."""

TWICE, MOST = 2, 16
"""Repeats of a square that it must have, as one may be like another by chance, and that are looked at."""

SOFT = 0.02
"""Share of a square's variance that is no difference of a repeat from it; seen in blocks of 8x8 pixels."""

DOUBTED = 11
"""Pixels over which it is seen how far an image differs from its repeats."""

FEWEST, UNLIKE = 0.3, 0.07
"""Share of an image that must repeat; and share of its variance that repeats may lack there, over that share and how
many they are: single atoms are like each other, and repeat nothing."""

LARGEST = 2**25
"""Pixels, above which this takes too much memory."""


@dataclass(frozen=True)
class Repeats:
    """What the repeats of an image show.

    Attributes
    ----------
    image : float32 (rows, columns), that itself where nothing repeats.
    doubt : float32 (rows, columns), variance by which it may be wrong; infinite where nothing repeats.
    """

    image: Floats
    doubt: Floats


def seen(image: Floats, *, quick: bool = False) -> Repeats | None:
    """Return what the repeats of an image show of it; None where too little of it repeats.

    Squares that overlap are laid over the places around at which they correlate best (to a fraction of a pixel), and
    the mean of these is taken, each weighted by the inverse of its squared difference around each pixel. Means of what
    lies before and behind, so that a lattice that is strained evenly is met. ``quick`` is for a glance: squares that
    do not overlap.
    """
    rows, columns = image.shape
    if min(rows, columns) < 2 * SIDE or image.size > LARGEST:
        return None
    pad = REACH + 4
    wider = np.pad(image, pad, mode="reflect")
    bent = coefficients(wider)
    inside = np.pad(np.ones(image.shape, np.float32), pad)
    total, weights = np.zeros_like(image), np.zeros_like(image)
    bell = np.hanning(SIDE + 2)[1:-1].astype(np.float32)
    window = np.outer(bell, bell)
    step = SIDE if quick else STEP if image.size <= LARGE else WIDER
    tops, lefts = (sorted({*range(0, length - SIDE + 1, step), length - SIDE}) for length in image.shape)
    found, weight = np.empty((2, SIDE, SIDE), np.float32)
    counts = []
    for top in tops:
        search = _Search(wider[top + 4 : top + 4 + SIDE + 2 * REACH])
        for left in lefts:
            square = image[top : top + SIDE, left : left + SIDE]
            places = search.repeats(square, left + 4)
            if not places:
                continue
            counts.append(len(places))
            soft = SOFT * float(square.var()) + 1e-20
            _repeats.mean_of(square, bent, inside, np.array(places), top + pad, left + pad, soft, found, weight)
            shown = window * (weight > 0)
            total[top : top + SIDE, left : left + SIDE] += shown * found
            weights[top : top + SIDE, left : left + SIDE] += shown
    known = weights > 1e-6
    share = float(np.count_nonzero(known)) / image.size
    if share < FEWEST:
        return None
    mean = np.where(known, total / np.maximum(weights, np.float32(1e-6)), image)
    unlike = (image - mean) ** 2
    if float(unlike[known].mean()) > UNLIKE * share * float(np.mean(counts)) * float(image[known].var()):
        return None
    doubt = 2 * filters.convolve(unlike, np.full(DOUBTED, 1 / DOUBTED, np.float32))
    return Repeats(mean, np.where(known, doubt, np.float32(np.inf)))


class _Search:
    """Looks for squares in the rows around them, from :data:`REACH` pixels above to as many below."""

    def __init__(self, rows: Floats) -> None:
        self._rows = rows
        self._shape = (SIDE + 2 * REACH,) * 2
        sums, squares = (_summed(each) for each in (rows.astype(np.float64), rows.astype(np.float64) ** 2))
        self._spread = np.maximum(squares - sums * sums / SIDE**2, 1e-6 * float(squares.max()) + 1e-20)

    def repeats(self, square: Floats, left: int) -> list[tuple[float, float, float]]:
        """Return (down, right, correlation) of the places at which a square is found again, the best first.

        What is around it begins at the column ``left``, :data:`REACH` pixels before it.
        """
        varied = square - square.mean()
        power = float((varied * varied).sum())
        if not power > 0:
            return []
        inner = slice(0, 2 * REACH + 1)
        around = self._rows[:, left : left + self._shape[1]]
        spectrum = np.fft.rfft2(around) * np.conj(np.fft.rfft2(varied, self._shape))
        products = np.fft.irfft2(spectrum, self._shape)[inner, inner]
        spread = self._spread[:, left : left + inner.stop]
        alike = products / np.sqrt(spread * power)
        peaks = (alike == _greatest_around(alike)) & (alike > ALIKE)
        peaks[REACH - APART + 1 : REACH + APART] = False
        peaks[[0, -1]] = peaks[:, [0, -1]] = False
        places = np.argwhere(peaks)
        heights = alike[peaks]
        order = np.argsort(-heights)[:MOST]
        best = heights[order[0]] if order.size else 0.0
        found = [
            (*(_vertex(alike, row, column) - REACH), float(alike[row, column]))
            for row, column in places[order]
            if alike[row, column] > best - NEARLY
        ]
        return found if len(found) >= TWICE else []


def _summed(values: Doubles) -> Doubles:
    """Return the sums over squares of :data:`SIDE` pixels that begin at each place."""
    for _ in range(2):
        running = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
        values = (running[SIDE:] - running[:-SIDE]).T
    return values


def _greatest_around(values: Doubles | Floats) -> Doubles | Floats:
    """Return the greatest of 5x5 values around each."""
    for _ in range(2):
        wider = np.pad(values, ((2, 2), (0, 0)), mode="edge")
        values = np.max([wider[k : k + len(values)] for k in range(5)], axis=0).T
    return values


def _vertex(alike: Doubles | Floats, row: int, column: int) -> NDArray[np.float64]:
    """Return where a peak is, by parabolas through its neighbours."""
    middle = float(alike[row, column])
    found = []
    for place, before, after in (
        (row, alike[row - 1, column], alike[row + 1, column]),
        (column, alike[row, column - 1], alike[row, column + 1]),
    ):
        bend = float(before) + float(after) - 2 * middle
        found.append(place + (0.5 * (float(before) - float(after)) / bend if bend < 0 else 0.0))
    return np.array(found)
