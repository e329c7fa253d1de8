"""The camera's modulation-transfer function: how a detector of electrons smears what it records.

Eqs. 27 to 29 of Lobato, Friedrich and Van Aert 2024, "Deep convolutional neural networks to restore single-shot
electron microscopy images". They blur the *clean* image of a training pair, for such a blur cannot be told from that
of a microscope.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

GRID = np.linspace(0.0, 10.0, 1000)
"""Where a function must be positive and decreasing, in units of the Nyquist frequency."""


@dataclass(frozen=True)
class Mtf:
    r"""The round part of the modulation-transfer function (eq. 29).

    .. math:: \mathrm{MTF}_r(g) = a e^{-g^2 / 2 b^2} + (1 - a) e^{-g^2 / 2 c^2}

    Attributes
    ----------
    a : the share of the first Gaussian; above 0, and above 1 where the second one is taken from it.
    b, c : widths of the two, in units of the Nyquist frequency, above 0.

    Raises
    ------
    ParameterError : a number is not positive, or the function is not positive and decreasing on :data:`GRID`.

    Examples
    --------
    >>> float(Mtf(0.5, 0.2, 1.0).radial(0.0))
    1.0
    """

    a: float
    b: float
    c: float

    def __post_init__(self) -> None:
        """Refuse what is not the transfer function of a camera."""
        for name, value in (("a", self.a), ("b", self.b), ("c", self.c)):
            if not 0.0 < value < np.inf:
                raise ParameterError(f"{name} = {value} of the transfer function must be a positive number")
        if not self._decreases():
            raise ParameterError(
                f"the transfer function of a = {self.a}, b = {self.b}, c = {self.c} is not positive and decreasing; "
                "choose a <= 1, or a nearer to 1, or b above c"
            )

    def _decreases(self) -> bool:
        """Tell whether value and slope have the right signs on the grid, both over the wider Gaussian.

        Without that division both come to 0 far out, where no sign is left to look at.
        """
        widths = np.array([[self.b], [self.c]])
        exponents = -0.5 * (GRID / widths) ** 2
        terms = np.array([[self.a], [1.0 - self.a]]) * np.exp(exponents - exponents.max(axis=0))
        return bool((terms.sum(axis=0) > 0.0).all() and ((terms / widths**2).sum(axis=0) > 0.0).all())

    def radial(self, frequency: NDArray[np.floating] | float) -> Floats:
        """Compute eq. 29 at frequencies in units of the Nyquist frequency."""
        squared = np.square(np.asarray(frequency, np.float64))
        value: Floats = self.a * np.exp(-0.5 * squared / self.b**2) + (1.0 - self.a) * np.exp(
            -0.5 * squared / self.c**2
        )
        return value

    def __call__(self, v: NDArray[np.floating] | float, u: NDArray[np.floating] | float) -> Floats:
        r"""Compute :math:`\mathrm{MTF}_r(\sqrt{u^2 + v^2}) \, \mathrm{sinc}(\pi u / 2) \, \mathrm{sinc}(\pi v / 2)`.

        Eq. 28, with sinc(x) = sin(x) / x: each pixel gathers over its own square. ``v`` and ``u`` are frequencies
        along y and x in units of the Nyquist frequency.
        """
        # numpy's sinc(x) is sin(pi x) / (pi x).
        value: Floats = self.radial(np.hypot(v, u)) * np.sinc(np.divide(v, 2.0)) * np.sinc(np.divide(u, 2.0))
        return value


def draw(rng: np.random.Generator) -> Mtf:
    """Draw a transfer function: a uniform in [0, 1.3], log b and log c uniform in [log 0.15, log 1.5] (ranges ours).

    Redrawn until positive and decreasing, as the paper does. At the Nyquist frequency the round part then lies between
    nearly 0, as that of scintillators, and 0.8, as that of direct detectors that count.
    """
    while True:
        a = rng.uniform(0.0, 1.3)
        b, c = np.exp(rng.uniform(np.log(0.15), np.log(1.5), 2)).tolist()
        try:
            return Mtf(a, b, c)
        except ParameterError:
            continue


def blur(image: NDArray[np.floating], mtf: Mtf) -> Image:
    """Convolve an image with the point-spread function of a camera (eq. 27).

    Parameters
    ----------
    image : (H, W) real, of any scale.
    mtf : the round part of the transfer function.

    Returns
    -------
    float32 (H, W), of the same mean. Borders reflect: nothing comes in from the opposite side.

    Raises
    ------
    ParameterError : the image is not two-dimensional, or empty.

    Examples
    --------
    >>> even = blur(np.full((4, 6), 0.5, np.float32), Mtf(0.5, 0.2, 1.0))
    >>> even.shape, round(float(even.max()), 6)
    ((4, 6), 0.5)
    """
    if image.ndim != 2 or not image.size:
        raise ParameterError(f"an image of shape {image.shape} cannot be blurred; give one of two dimensions")
    height, width = image.shape
    mirrored = np.empty((2 * height, 2 * width), np.float32)
    mirrored[:height, :width] = image
    mirrored[:height, width:] = mirrored[:height, width - 1 :: -1]
    mirrored[height:] = mirrored[height - 1 :: -1]
    v = 2.0 * np.fft.fftfreq(2 * height)[:, None]
    u = 2.0 * np.fft.rfftfreq(2 * width)
    spectrum = np.fft.rfft2(mirrored) * mtf(v, u).astype(np.float32)
    blurred: Image = np.fft.irfft2(spectrum, mirrored.shape)[:height, :width].astype(np.float32)
    return blurred
