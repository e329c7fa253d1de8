r"""Rows that a beam recorded out of order, as it strayed across them by more than they are apart: put in order again.

Where a beam strays by :math:`D_i` rows from row to row, row i shows what lies at :math:`i + D_i`. Rows that show nearly
the same belong side by side. So each row is laid where it fits best between the others, again and again, while fewer
and fewer of the others tell what is around a place. All rows together show the specimen once, so their places are
ranks: rows are only exchanged, and noise stays as it is. (A seriation: Robinson 1951. Each turn is a step of
expectation and maximisation, which without ranks heaps rows up.)
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.data_bar import rows_above
from temclean.evidence.samples import median

Doubles = NDArray[np.float64]
Order = NDArray[np.intp]

SMALLEST, LARGEST = 64, 1024
"""Rows from which on, and up to which, rows are looked at: each is laid beside all others."""

SMOOTH, EVERY = 2.0, 4
"""Pixels along rows over which they are averaged, a Gaussian's standard deviation, so that noise counts less; then one
of every so many is kept."""

COLUMNS = 256
"""How many of the pixels that were kept are looked at, in the middle of each row."""

WIDTHS = (8.0, 16.0)
"""Rows by which a beam may stray, standard deviations: the order must be about the same with both."""

TURNS, FINEST = 10, 0.8
"""Times that each row is laid anew; and over how many rows around a place their mean tells what is there, in the last
turn, a Gaussian's standard deviation. In the first turn it is the width that is tried."""

TRUST = 0.3
"""Share of the likelihood that counts: the mean of the rows around a place is not quite what is there."""

FIT = 0.3
"""How well a row can fit: no better than noise allows, nor than this quantile of all rows at their best places."""

NEAR = (0.6, 1.0, 1.5, 2.5, 4.0, 8.0)
"""Rows around a row that tell what it shows where the order is judged, a Gaussian's standard deviation."""

GAIN = 0.85
"""Share of the mean square of what rows differ from what those around them show that is left at most in a new order."""

MIDDLE, HOPELESS = 256, 0.92
"""Rows that are looked at first, and share from which on in these all others are not."""

LEAST, MOST, GROWS = 3.0, 24.0, 1.4
"""By how many rows, root mean square, rows are moved at least (of less, slopes tell: `straying`), and at most. And how
many times as far they go at most with the second width as with the first: rows that fit in many places, as where a
lattice lies across them, or in none, as where they are displaced along themselves too, go as far as they may."""

ALIKE = 0.5
"""How different next rows are at least, over rows that are four apart: less where rows are in order."""

FAR, FALLS = 24, 0.8
"""Up to this distance, rows further apart are more different, or at least this share as different as nearer ones were:
less where something repeats across the rows, so that they fit in many places."""


@dataclass(frozen=True)
class InOrder:
    """An image whose rows are in order.

    Attributes
    ----------
    image : (rows, columns), of the type it had.
    order : (rows,), which row came to each place, above a data bar.
    """

    image: NDArray[Any]
    order: Order

    @property
    def width(self) -> float:
        """By how many rows they were moved, root mean square."""
        return _moved(self.order)


def put_in_order(image: NDArray[Any]) -> InOrder | None:
    """Put the rows of an image in order; None where they are, or where it is not clear in which they were.

    Parameters
    ----------
    image : (rows, columns), of any real type; a data bar stays where it is.
    """
    rows = rows_above(image)
    if not SMALLEST <= rows <= LARGEST or image.shape[1] < SMALLEST:
        return None
    shown, noise = _smoothed(image[:rows])
    if not noise or not _differ_at_once(shown, noise):  # no noise: most pixels have no count
        return None
    top = max(0, rows - MIDDLE) // 2
    middle = shown[top : top + MIDDLE]
    if _share_left(middle, _order(middle, noise, WIDTHS[0])) > HOPELESS:
        return None
    orders = [_order(shown, noise, width) for width in WIDTHS]
    left = [_share_left(shown, order) for order in orders]
    narrow, wide = (_moved(order) for order in orders)
    if min(left) > GAIN or narrow < LEAST or wide > min(MOST, GROWS * narrow):
        return None
    order, ordered = orders[int(np.argmin(left))], image.copy()
    ordered[:rows] = image[order]
    return InOrder(ordered, order)


def _moved(order: Order) -> float:
    """Return by how many rows an order moves them, root mean square."""
    return float(np.sqrt(np.mean(np.square(order - np.arange(len(order))))))


def _smoothed(image: NDArray[Any]) -> tuple[Doubles, float]:
    """Return the middle of an image, averaged along rows, without the rows' means; and its noise's variance there."""
    half = min(image.shape[1], EVERY * COLUMNS) // 2
    middle = slice(image.shape[1] // 2 - half, image.shape[1] // 2 + half)
    pixels = image[:, middle].astype(np.float64)
    rough = pixels[:, 2:] - 2 * pixels[:, 1:-1] + pixels[:, :-2]
    sigma = 1.4826 * median(np.abs(rough[:, ::3]).astype(np.float32)) / math.sqrt(6.0)
    reach = round(4 * SMOOTH)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SMOOTH) ** 2)
    taps /= taps.sum()
    wider = np.pad(pixels, ((0, 0), (reach, reach)), mode="symmetric")
    length = pixels.shape[1]
    smooth = sum(tap * wider[:, place : place + length] for place, tap in enumerate(taps))[:, ::EVERY]
    return smooth - smooth.mean(axis=1, keepdims=True), float(sigma**2 * np.square(taps).sum())


def _differ_at_once(shown: Doubles, noise: float) -> bool:
    """Return whether rows differ from the next ones about as much as from those further off, at a glance."""
    unlike = np.array([np.mean(np.square(shown[lag:] - shown[:-lag])) for lag in range(1, FAR + 1)]) - 2 * noise
    grows = bool(np.all(unlike >= FALLS * np.maximum.accumulate(unlike)))
    return grows and unlike[3] > 0 and unlike[0] > ALIKE * unlike[3]


def _share_left(shown: Doubles, order: Order) -> float:
    """Return what rows differ from those around them in an order, over what they did before."""
    return _unlike(shown[order]) / _unlike(shown)


def _unlike(shown: Doubles) -> float:
    """Return the mean square of what rows differ from what those around them show, over as many as tell it best."""
    found = []
    apart = np.arange(len(shown))
    for near in NEAR:
        weights = np.exp(-0.5 * (np.subtract.outer(apart, apart) / near) ** 2)
        np.fill_diagonal(weights, 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        found.append(float(np.mean(np.square(shown - weights @ shown))))
    return min(found)


def _order(shown: Doubles, noise: float, width: float) -> Order:
    """Return in which order rows fit, if a beam strayed by about so many of them."""
    count, length = shown.shape
    places = np.arange(count)
    ranks = places.astype(np.float64)
    own = np.square(shown).sum(axis=1)
    independent = 0.5 * TRUST * length * EVERY / (2 * math.sqrt(math.pi) * SMOOTH)
    usual = 0.5 * np.square(np.subtract.outer(places, places) / width)
    for near in np.geomspace(width, FINEST, TURNS):
        weights = np.exp(-0.5 * np.square(np.subtract.outer(places, ranks) / near))
        sums = weights @ shown
        others = np.maximum(weights.sum(axis=1)[:, None] - weights, 0.01)
        # What the others show at a place is (sums - weight * row) / others; this is how far a row is from that.
        both, squares = sums @ shown.T, np.square(sums).sum(axis=1)[:, None]
        left = own - 2 * (both - weights * own) / others
        left += (squares - 2 * weights * both + np.square(weights) * own) / np.square(others)
        left = np.maximum(left, 0.0) / length
        expected = np.maximum(noise * (1 + 1 / others), np.quantile(left.min(axis=0), FIT))
        unlikely = independent * left / np.maximum(expected, 1e-30) + usual
        likely = np.exp(unlikely.min(axis=0) - unlikely)
        order = np.argsort((likely * places[:, None]).sum(axis=0) / likely.sum(axis=0), kind="stable")
        ranks[order] = places
    return order
