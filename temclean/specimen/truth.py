"""A clean image, and the truth behind it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Specimen:
    """A clean image and the truth behind it.

    Attributes
    ----------
    image : float32 array (size, size), intensities in [0, 1].
    pixel_size : Å a pixel.
    positions : float64 array (N, 2), rows of (y, x) in pixels, the centre of the first pixel being (0, 0);
        only atoms whose centre lies inside the image. Empty for specimens without atoms.
    brightness : float32 array (N,), peak intensity of each atom before the image was scaled, relative to the brightest.
    polarity : 1 where atoms are brighter than their surroundings, -1 where they are darker.
    marks : uint8 array (N,), what each atom is: 0 like its neighbours, 1 a dopant (brighter or fainter than its like),
        2 an interstitial. Empty for specimens that do not tell.
    vacancies : float64 array (M, 2), where an atom of the lattice is missing, rows of (y, x) in pixels; of coherent
        lattices and of those in phase contrast.
    """

    image: NDArray[np.float32]
    pixel_size: float
    positions: NDArray[np.float64]
    brightness: NDArray[np.float32]
    polarity: int = 1
    marks: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    vacancies: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))


def scale(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Scale to [0, 1] by the percentiles 0.5 and 99.5, and clip; a flat image becomes 0.5."""
    low, high = np.percentile(image, (0.5, 99.5))
    if high - low <= 1e-6 * max(abs(high), abs(low), 1e-30):
        return np.full(image.shape, 0.5, np.float32)
    scaled: NDArray[np.float32] = np.clip((image - low) / (high - low), 0.0, 1.0).astype(np.float32)
    return scaled


def stretched(image: NDArray[np.floating], polarity: int = 1) -> NDArray[np.float32]:
    """Scale to [0, 1] by the least and the greatest value, so that no column is cut; a flat image becomes 0.5."""
    signed = polarity * image
    low, high = float(signed.min()), float(signed.max())
    if high - low <= 1e-6 * max(abs(high), abs(low), 1e-30):
        return np.full(image.shape, 0.5, np.float32)
    scaled: NDArray[np.float32] = ((signed - low) / (high - low)).astype(np.float32)
    return scaled
