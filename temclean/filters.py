"""Convolve images with small symmetric kernels, such as a Gaussian."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def gaussian(image: Image, sigma: float) -> Image:
    """Convolve with a Gaussian cut at four sigma; borders reflect, the mean stays."""
    reach = int(np.ceil(4.0 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2)
    return convolve(image, (kernel / kernel.sum()).astype(np.float32))


def convolve(image: Image, kernel: Image) -> Image:
    """Convolve along y and x with a symmetric kernel of odd length; borders reflect."""
    reach = len(kernel) // 2
    for _ in range(2):
        padded = np.pad(image, ((reach, reach), (0, 0)), mode="symmetric")
        total = kernel[reach] * image
        for k in range(1, reach + 1):
            before, after = padded[reach - k : len(padded) - reach - k], padded[reach + k : len(padded) - reach + k]
            total += kernel[reach + k] * (before + after)
        image = total.T
    return np.ascontiguousarray(image)
