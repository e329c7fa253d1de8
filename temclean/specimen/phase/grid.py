"""The grid on which waves are computed: finer than the image and wider, so that neither pixel nor edge shows."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.projection import smooth_size

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

FINEST = 0.26
"""Å a grid point, where three points a pixel are enough for it."""


@dataclass(frozen=True)
class Grid:
    """A field of view: pixels along each side, Å a pixel; margin on each side in pixels, points along a pixel."""

    size: int
    pixel_size: float
    margin: int
    fine: int

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Points along y and x; more than needed, so that their transform is quick."""
        side = smooth_size(self.fine * (self.size + 2 * self.margin))
        return side, side

    @property
    def step(self) -> float:
        """Å a point."""
        return self.pixel_size / self.fine

    @cached_property
    def squared(self) -> Image:
        """k^2 in 1/Å^2 of ``numpy.fft.rfft2``."""
        ky = np.fft.fftfreq(self.shape[0], self.step)[:, None]
        kx = np.fft.rfftfreq(self.shape[1], self.step)[None]
        return (ky**2 + kx**2).astype(np.float32)

    def points(self, positions: Floats) -> Floats:
        """Turn pixels of the image into points of the grid."""
        return self.fine * (positions + self.margin + 0.5) - 0.5

    def seen(self, field: Image) -> Image:
        """Return the part of a field on the grid that the camera sees, each pixel the mean of its points."""
        first, last = self.fine * self.margin, self.fine * (self.margin + self.size)
        part = field[first:last, first:last].reshape(self.size, self.fine, self.size, self.fine)
        return np.ascontiguousarray(part.mean(axis=(1, 3)), np.float32)


def grid_of(size: int, pixel_size: float) -> Grid:
    """Choose a grid for an image: a margin of 12 Å (4 to 40 pixels), 1 to 3 points a pixel."""
    margin = int(np.clip(np.ceil(12.0 / pixel_size), 4, 40))
    return Grid(size, pixel_size, margin, int(np.clip(np.ceil(pixel_size / FINEST), 1, 3)))
