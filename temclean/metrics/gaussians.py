r"""Fit many Gaussians to an image at once, each in a window of its own, by least squares.

The model of a window is :math:`b + A e^{-((y - y_0)^2 + (x - x_0)^2) / (2 w^2)}`. Neighbours that reach into it are
taken out of the data first, as they were fitted last, and all are fitted again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Numbers = NDArray[np.intp]

STEPS = (8, 3, 3, 3, 3)
"""Most steps of each round; after each but the first neighbours are taken out."""

STILL = 2e-3
"""Pixels that a column moves in a step once it is settled."""

ACROSS = 4.0
"""Widths at which a Gaussian ends for its neighbours."""


@dataclass(frozen=True)
class Windows:
    """Round windows of one radius about so many whole pixels.

    Attributes
    ----------
    middle : (N, 2) row and column.
    offsets : (2, P) of the pixels of a window, rows and columns.
    index : (N, P) of each pixel in the flat image.
    inside : (N, P) 1 where a pixel lies in the image, else 0.
    """

    middle: Floats
    offsets: Singles
    index: Numbers
    inside: Singles

    @classmethod
    def about(cls, places: Floats, reach: int, shape: tuple[int, int]) -> "Windows":
        """Lay windows with a radius in pixels about places (N, 2), which are brought into the image."""
        line = np.arange(-reach, reach + 1)
        row, column = np.meshgrid(line, line, indexing="ij")
        round_ = np.hypot(row, column) < reach + 0.5
        row, column = row[round_], column[round_]
        middle = np.rint(np.clip(places, 0, np.array(shape) - 1)).astype(np.intp)
        y, x = middle[:, :1] + row, middle[:, 1:] + column
        inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
        index = np.clip(y, 0, shape[0] - 1) * shape[1] + np.clip(x, 0, shape[1] - 1)
        offsets = np.stack([row, column]).astype(np.float32)
        return cls(middle.astype(np.float64), offsets, index, inside.astype(np.float32))

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

    The order of the covariance is height, background, y, x, logarithm of the width.
    """

    places: Floats
    widths: Floats
    heights: Floats
    backgrounds: Floats
    covariance: Floats

    @classmethod
    def of(cls, places: Floats, widths: Floats) -> "Fit":
        """Return Gaussians of which only places and widths are known."""
        count = len(places)
        return cls(places.copy(), widths.copy(), np.zeros(count), np.zeros(count), np.zeros((count, 5, 5)))

    def others(self, shape: tuple[int, int], windows: Windows) -> Singles:
        """Return what all other Gaussians add to each window."""
        reach = int(np.ceil(ACROSS * float(np.median(self.widths))))
        wide = Windows.about(self.places, reach, shape)
        heights = self.heights.astype(np.float32)[:, None]
        drawn = wide.inside * heights * wide.shapes(self.places, self.widths)
        total = np.bincount(wide.index.ravel(), drawn.ravel(), shape[0] * shape[1]).astype(np.float32)
        moved = (wide.middle - windows.middle).astype(np.float32)
        near = np.hypot(windows.offsets[0] - moved[:, :1], windows.offsets[1] - moved[:, 1:]) < reach + 0.5
        left: Singles = total[windows.index] - near * heights * windows.shapes(self.places, self.widths)
        return left

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


def fit(image: Floats, places: Floats, width: float, reach: int, steps: tuple[int, ...] = STEPS) -> Fit:
    """Fit Gaussians from their approximate places (N, 2) and width; they may be up to twice as wide, or half.

    Gauss-Newton with the steps held short; heights and backgrounds are linear, so they are the best at every step. The
    image's span should be about 1, as single precision is used.
    """
    found = Fit.of(places, np.full(len(places), width))
    shape, flat = (image.shape[0], image.shape[1]), image.astype(np.float32).ravel()
    for turn, most in enumerate(steps):
        windows = Windows.about(found.places, reach, shape)
        data = flat[windows.index]
        if turn:
            data -= found.others(shape, windows)
        moving = np.arange(len(places))
        for _ in range(most):
            moving = moving[_step(found, moving, windows, data, places, width) > STILL]
            if not len(moving):
                break
    return found


def _step(found: Fit, which: Numbers, windows: Windows, data: Singles, start: Floats, width: float) -> Floats:
    """Take a step with some Gaussians, which keep within 1.5 widths of their start; return how far each moves."""
    places, widths = found.places[which], found.widths[which]
    inside, data = windows.inside[which], data[which]
    heights, backgrounds, rows, left = linear(places, widths, windows, which, data)
    inverted = inverse(rows)
    change = np.einsum("nij,nj->ni", inverted, (rows @ left[..., None])[..., 0].astype(np.float64))
    spare = np.maximum(inside.sum(axis=1) - 5, 1)
    found.heights[which], found.backgrounds[which] = heights, backgrounds
    found.covariance[which] = inverted * (np.einsum("np,np->n", left, left) / spare)[:, None, None]
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


def inverse(rows: Singles) -> Floats:
    """Return the inverse of the normal matrix (N, 5, 5) of slopes."""
    normal = (rows @ rows.transpose(0, 2, 1)).astype(np.float64)
    scale = np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    scale = scale[:, :, None] * scale[:, None]
    inverted: Floats = np.linalg.inv(normal / scale + 1e-6 * np.eye(5)) / scale
    return inverted
