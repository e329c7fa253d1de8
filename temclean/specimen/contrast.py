"""From a projected specimen to the contrast of a micrograph: Lobato, Friedrich and Van Aert 2024, eqs. 23 to 26."""

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

LEAST_RATIO, LARGEST_RATIO = 0.01, 0.35
"""The standard deviation of an image over its mean: between these in experimental and simulated data."""


def finish(image: Image, rng: np.random.Generator) -> tuple[Image, int]:
    r"""Give an image a random contrast.

    Each with probability 1/2, the image is inverted, :math:`y \leftarrow \max(y) - y` (eq. 23), and made non-linear,
    :math:`y \leftarrow |y|^\beta` with :math:`\beta \sim U(0.5, 1.5)` (eq. 24). A background is added, the ratio of
    standard deviation to mean is brought into [0.01, 0.35] by :math:`y \leftarrow c y + d` (eq. 25), and
    :math:`y \leftarrow y / \max(y)` (eq. 26).

    Parameters
    ----------
    image : float32 array (H, W), what the specimen projects, in any unit; zero where there is nothing.
    rng : where the chances come from.

    Returns
    -------
    float32 array (H, W) in [0, 1] whose maximum is 1 (an image without contrast becomes 1 everywhere); and the
    polarity, -1 where the image was inverted, else 1.

    Raises
    ------
    ParameterError : the image is empty, not two-dimensional or not finite.
    """
    if image.ndim != 2 or not image.size or not np.isfinite(image).all():
        raise ParameterError(f"an image of shape {image.shape} cannot be used; give finite numbers in two dimensions")
    y = image.astype(np.float64)
    polarity = -1 if rng.random() < 0.5 else 1
    if polarity < 0:
        y = y.max() - y
    if rng.random() < 0.5:
        y = np.abs(y) ** rng.uniform(0.5, 1.5)
    y = bounded(y + background(rng, y), rng)
    top = float(y.max())
    if top <= 0.0:
        return np.ones(image.shape, np.float32), polarity
    return (y / top).astype(np.float32), polarity


def background(rng: np.random.Generator, y: Floats) -> Floats:
    """Draw a plane in any direction or a Gaussian of sigma U(0.2, 0.6) of the shorter side, of height U(0, max(y) / 2).

    The text gives the height for the plane only; the Gaussian is given the same.
    """
    height = rng.uniform(0.0, 0.5) * max(float(y.max()), 0.0)
    rows, columns = np.arange(y.shape[0])[:, None], np.arange(y.shape[1])
    if rng.random() < 0.5:
        angle = rng.uniform(0.0, 2.0 * np.pi)
        plane = np.cos(angle) * rows + np.sin(angle) * columns
        plane -= plane.min()
        ramp: Floats = height * plane / max(float(plane.max()), 1e-12)
        return ramp
    sigma = rng.uniform(0.2, 0.6) * min(y.shape)
    top, left = rng.uniform(0.0, 1.0, 2) * y.shape
    hill: Floats = height * np.exp(-((rows - top) ** 2 + (columns - left) ** 2) / (2 * sigma**2))
    return hill


def bounded(y: Floats, rng: np.random.Generator) -> Floats:
    """Bring standard deviation over mean into the range of eq. 25 (c = 1, d at random) and leave no value negative.

    A ratio that is too small can only be raised until the darkest pixel is zero.
    """
    mean, deviation, darkest = float(y.mean()), float(y.std()), float(y.min())
    if deviation <= 1e-9 * max(abs(mean), 1e-30):
        return y
    if darkest >= 0.0 and LEAST_RATIO * mean <= deviation <= LARGEST_RATIO * mean:
        return y
    largest = min(LARGEST_RATIO, deviation / (mean - darkest))
    ratio = rng.uniform(min(LEAST_RATIO, largest), largest)
    return np.maximum(y + (deviation / ratio - mean), 0.0)
