r"""Fit many Gaussians to an image at once, each in a window of its own, by least squares.

The model of a window is :math:`b + A e^{-((y - y_0)^2 + (x - x_0)^2) / (2 w^2)}`. Neighbours that reach into it are
taken out of the data first, as they were fitted last, and all are fitted again. Lengths are in pixels; where these are
oblong, in square ones as large, and ``even`` is what rows and columns are multiplied by to be in them.
"""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Numbers = NDArray[np.intp]
Even = tuple[float, float]

SQUARE: Even = (1.0, 1.0)

STEPS = (8, 3, 3, 3, 3)
"""Most steps of each round; after each but the first neighbours are taken out."""

MORE = (3,) * 20
"""The same of further rounds, where dense columns are not settled by then."""

SETTLED, EXACT = 0.05, 1e-3
"""How much volumes still change from round to round once they are settled, in standard errors, to which a share of the
volume is added."""

WORSE = 1.02
"""How much more than after the best round may be left, by chance: columns that overlap too much grow ever worse."""

ALIKE = 0.25
"""Standard deviation of the logarithm of widths beforehand: of dense columns in strong noise some would else grow wider
and wider, as they take over what their neighbours leave."""

STILL = 2e-3
"""Pixels that a column moves in a step once it is settled."""

ACROSS = 4.0
"""Widths at which a Gaussian ends for its neighbours."""


def even_of(pixel: tuple[float, float]) -> Even:
    """Return what rows and columns of pixels of a height and width are multiplied by to be in square ones as large."""
    if not all(0 < side < np.inf for side in pixel) or not 0 < pixel[0] / pixel[1] < np.inf:
        raise ParameterError(f"a pixel of {pixel} cannot be; give its height and width")
    side = float(np.sqrt(pixel[0] / pixel[1]))
    return side, 1 / side


@dataclass(frozen=True)
class Windows:
    """Round windows of one radius about so many whole pixels.

    Attributes
    ----------
    middle : (N, 2) row and column, even.
    offsets : (2, P) of the pixels of a window, rows and columns, even.
    index : (N, P) of each pixel in the flat image.
    inside : (N, P) 1 where a pixel lies in the image, else 0.
    """

    middle: Floats
    offsets: Singles
    index: Numbers
    inside: Singles

    @classmethod
    def about(cls, places: Floats, reach: int, shape: tuple[int, int], even: Even = SQUARE) -> "Windows":
        """Lay windows with a radius about places (N, 2), which are brought into the image."""
        most = [int(min((reach + 0.5) / side, size)) for side, size in zip(even, shape, strict=True)]
        down, right = (np.arange(-each, each + 1) for each in most)
        row, column = np.meshgrid(down, right, indexing="ij")
        round_ = np.hypot(row * even[0], column * even[1]) < reach + 0.5
        row, column = row[round_], column[round_]
        middle = np.rint(np.clip(places / np.array(even), 0, np.array(shape) - 1)).astype(np.intp)
        y, x = middle[:, :1] + row, middle[:, 1:] + column
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        index = np.clip(y, 0, shape[0] - 1) * shape[1] + np.clip(x, 0, shape[1] - 1)
        offsets = np.stack([row * even[0], column * even[1]]).astype(np.float32)
        return cls(middle * np.array(even), offsets, index, inside.astype(np.float32))

    def away(self, places: Floats, which: Numbers | slice = slice(None)) -> tuple[Singles, Singles]:
        """Return how far below and right of places (N, 2) the pixels of chosen windows lie."""
        shift = (places - self.middle[which]).astype(np.float32)
        return self.offsets[0] - shift[:, :1], self.offsets[1] - shift[:, 1:]

    def shapes(self, places: Floats, widths: Floats) -> Singles:
        """Return Gaussians of height 1 at places (N, 2)."""
        y, x = self.away(places)
        return bells(y, x, widths)


def bells(y: Singles, x: Singles, widths: Floats) -> Singles:
    """Return Gaussians of height 1 where pixels are so far away (N, P)."""
    squared = y * y
    squared += x * x
    squared *= (-0.5 / widths[:, None] ** 2).astype(np.float32)
    np.exp(squared, out=squared)
    return squared


@dataclass
class Fit:
    """Gaussians: places (N, 2), widths, heights and backgrounds (N,), and the covariance (N, 5, 5) of all five.

    The order of the covariance is height, background, y, x, logarithm of the width. Lengths are even.
    """

    places: Floats
    widths: Floats
    heights: Floats
    backgrounds: Floats
    covariance: Floats
    even: Even = SQUARE

    @classmethod
    def of(cls, places: Floats, widths: Floats, even: Even = SQUARE) -> "Fit":
        """Return Gaussians of which only places and widths are known."""
        count = len(places)
        return cls(places.copy(), widths.copy(), np.zeros(count), np.zeros(count), np.zeros((count, 5, 5)), even)

    def windows(self, reach: int, shape: tuple[int, int]) -> Windows:
        """Lay windows with a radius about the Gaussians."""
        return Windows.about(self.places, reach, shape, self.even)

    def volumes(self) -> tuple[Floats, Floats]:
        """Return the volumes over 2 pi (N,), and their standard errors."""
        volume = self.heights * self.widths**2
        slopes = np.zeros((len(volume), 5))
        slopes[:, 0], slopes[:, 4] = self.widths**2, 2 * volume
        variance = np.einsum("ni,nij,nj->n", slopes, self.covariance, slopes)
        return volume, np.sqrt(np.maximum(variance, 0.0))

    def usual_width(self) -> float:
        """Return the median width, weighted by squares of height times width; 0 where no height is above 0.

        By heights alone, spikes of noise would count most.
        """
        order = np.argsort(self.widths)
        weight = np.cumsum(((np.clip(self.heights, 0, None) * self.widths) ** 2)[order])
        return float(self.widths[order[np.searchsorted(weight, 0.5 * weight[-1])]]) if weight[-1] > 0 else 0.0

    def others(self, shape: tuple[int, int], windows: Windows) -> Singles:
        """Return what all other Gaussians add to each window."""
        reach = int(np.ceil(ACROSS * float(np.median(self.widths))))
        wide = self.windows(reach, shape)
        heights = self.heights.astype(np.float32)[:, None]
        drawn = wide.inside * heights * wide.shapes(self.places, self.widths)
        total = np.bincount(wide.index.ravel(), drawn.ravel(), shape[0] * shape[1]).astype(np.float32)
        moved = (wide.middle - windows.middle).astype(np.float32)
        near = np.hypot(windows.offsets[0] - moved[:, :1], windows.offsets[1] - moved[:, 1:]) < reach + 0.5
        left: Singles = total[windows.index] - near * heights * windows.shapes(self.places, self.widths)
        return left

    def left(self, windows: Windows, data: Singles) -> float:
        """Return the sum of squares that is left of data (N, P) without neighbours."""
        model = self.heights.astype(np.float32)[:, None] * windows.shapes(self.places, self.widths)
        model += self.backgrounds.astype(np.float32)[:, None]
        return float((((data - model) * windows.inside) ** 2).sum(dtype=np.float64))

    def measure(self, image: Floats, windows: Windows, rounds: int = len(STEPS)) -> None:
        """Fit heights and backgrounds alone."""
        shape, data = (image.shape[0], image.shape[1]), image.astype(np.float32).ravel()[windows.index]
        shapes = windows.shapes(self.places, self.widths)
        for turn in range(rounds):
            left = data - self.others(shape, windows) if turn else data
            self.heights, self.backgrounds = lines(left, shapes, windows.inside)


def lines(data: Singles, shapes: Singles, inside: Singles) -> tuple[Floats, Floats]:
    """Return the heights and backgrounds (N,) with which shapes (N, P) fit data best."""
    count = inside.sum(axis=1)
    shape, mean = (np.einsum("np,np->n", each, inside) / count for each in (shapes, data))
    centred = (shapes - shape[:, None]) * inside
    height = np.einsum("np,np->n", centred, data) / np.maximum(np.einsum("np,np->n", centred, shapes), 1e-12)
    return height.astype(np.float64), (mean - height * shape).astype(np.float64)


def fit(image: Floats, places: Floats, width: float, reach: int, even: Even = SQUARE) -> Fit:
    """Fit Gaussians from their approximate places (N, 2) and width; they may be up to twice as wide, or half.

    Gauss-Newton with the steps held short; heights and backgrounds are linear, so they are the best at every step.
    Widths that noise leaves open are drawn towards the usual one. Rounds go on while the volumes of most still change,
    unless more and more is left. The image's span should be about 1, as single precision is used.
    """
    found = alone(image, places, width, reach, even, ALIKE)
    shape, flat = (image.shape[0], image.shape[1]), image.astype(np.float32).ravel()
    best, least, before = found, np.inf, found.volumes()[0]
    for turn, most in enumerate((*STEPS[1:], *MORE, 0), 1):
        windows = found.windows(reach, shape)
        data = flat[windows.index] - found.others(shape, windows)
        volume, error = found.volumes()
        if turn >= len(STEPS):
            left = found.left(windows, data)
            if left > WORSE * least:
                return best
            if left < least:
                best, least = deepcopy(found), left
            if np.median(np.abs(volume - before) / (error + EXACT * np.abs(volume) + 1e-30)) < SETTLED:
                break
        before = volume
        _settle(found, windows, data, most, places, width, ALIKE)
    return found


def alone(image: Floats, places: Floats, width: float, reach: int, even: Even = SQUARE, alike: float = np.inf) -> Fit:
    """Fit Gaussians as :func:`fit`, but as if none had neighbours; widths are held to nothing, or to the given one."""
    found = Fit.of(places, np.full(len(places), width), even)
    windows = found.windows(reach, (image.shape[0], image.shape[1]))
    _settle(found, windows, image.astype(np.float32).ravel()[windows.index], STEPS[0], places, width, alike)
    return found


def _settle(found: Fit, windows: Windows, data: Singles, most: int, start: Floats, width: float, alike: float) -> None:
    """Take steps until all are settled."""
    usual = found.usual_width() or width
    moving = np.arange(len(start))
    for _ in range(most):
        moving = moving[_step(found, moving, windows, data, start, width, usual, alike) > STILL]
        if not len(moving):
            break


def _step(
    found: Fit,
    which: Numbers,
    windows: Windows,
    data: Singles,
    start: Floats,
    width: float,
    usual: float,
    alike: float,
) -> Floats:
    """Take a step with some Gaussians, which keep within 1.5 widths of their start; return how far each moves."""
    places, widths = found.places[which], found.widths[which]
    inside, data = windows.inside[which], data[which]
    heights, backgrounds, rows, left = linear(places, widths, windows, which, data)
    noise = np.einsum("np,np->n", left, left) / np.maximum(inside.sum(axis=1) - 5, 1)
    firm = (noise / alike**2).astype(np.float64)
    slope = (rows @ left[..., None])[..., 0].astype(np.float64)
    slope[:, 4] -= firm * np.log(widths / usual)
    inverted = inverse(rows, firm)
    change = np.einsum("nij,nj->ni", inverted, slope)
    found.heights[which], found.backgrounds[which] = heights, backgrounds
    found.covariance[which] = inverted * noise[:, None, None]
    move = np.clip(change[:, 2:4], -0.4 * width, 0.4 * width)
    moved = np.clip(places + move, start[which] - 1.5 * width, start[which] + 1.5 * width)
    found.places[which] = moved
    wider = np.exp(np.clip(change[:, 4], -0.2, 0.2))
    found.widths[which] = np.clip(widths * wider, 0.5 * width, 2.0 * width)
    away: Floats = np.abs(moved - places).max(axis=1) + np.abs(wider - 1) * width
    return away


def linear(
    places: Floats, widths: Floats, windows: Windows, which: Numbers | slice, data: Singles
) -> tuple[Floats, Floats, Singles, Singles]:
    """Return the best heights and backgrounds (N,), slopes of the model by its five (N, 5, P), and what is left."""
    inside = windows.inside[which]
    y, x = windows.away(places, which)
    shapes = bells(y, x, widths)
    heights, backgrounds = lines(data, shapes, inside)
    slopes = np.empty((5, *shapes.shape), np.float32)
    np.multiply(shapes, inside, out=slopes[0])
    slopes[1] = inside
    lift = slopes[0] * (heights / widths**2).astype(np.float32)[:, None]
    np.multiply(lift, y, out=slopes[2])
    np.multiply(lift, x, out=slopes[3])
    np.add(slopes[2] * y, slopes[3] * x, out=slopes[4])
    left = (data - backgrounds.astype(np.float32)[:, None]) * inside - heights.astype(np.float32)[:, None] * slopes[0]
    return heights, backgrounds, slopes.transpose(1, 0, 2), left


def inverse(rows: Singles, firm: Floats | float = 0.0) -> Floats:
    """Return the inverse of the normal matrix (N, 5, 5) of slopes, to which something holds the widths."""
    normal = (rows @ rows.transpose(0, 2, 1)).astype(np.float64)
    normal[:, 4, 4] += firm
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    scale = scale[:, :, None] * scale[:, None]
    inverted: Floats = np.linalg.inv(normal / scale + 1e-6 * np.eye(5)) / scale
    return inverted
