"""Projected potentials: of atoms, and of films so full of them that only their statistics matter.

Lengths are in Å, spatial frequencies k in 1/Å, projected potentials in V Å.
"""

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.projection import deposit

Floats = NDArray[np.float64]
Image = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

SCALE = 47.878
"""From a scattering factor in Å to the Fourier transform of a projected potential in V Å^3: h^2 / (2 pi m e)."""

FACTORS: dict[int, tuple[float, float, float, float]] = {
    1: (0.265, 0.602, 0.264, 0.602),
    5: (2.487, 0.574, 0.285, 1.294),
    6: (2.175, 0.674, 0.308, 1.336),
    7: (1.878, 0.767, 0.349, 1.334),
    8: (1.577, 0.842, 0.438, 1.255),
    12: (3.953, 0.369, 1.316, 0.929),
    13: (4.736, 0.415, 1.163, 1.034),
    14: (4.824, 0.480, 1.009, 1.161),
    15: (4.684, 0.550, 0.874, 1.299),
    16: (4.475, 0.620, 0.767, 1.440),
    22: (5.534, 0.356, 3.242, 0.741),
    26: (3.836, 0.389, 3.364, 0.801),
    27: (3.559, 0.395, 3.332, 0.823),
    28: (3.325, 0.403, 3.281, 0.848),
    29: (2.221, 0.371, 3.411, 0.849),
    30: (2.963, 0.411, 3.147, 0.905),
    31: (4.164, 0.408, 2.975, 0.951),
    32: (4.718, 0.448, 2.741, 1.013),
    33: (4.971, 0.496, 2.507, 1.081),
    34: (5.078, 0.546, 2.291, 1.155),
    38: (9.303, 0.364, 3.367, 0.968),
    39: (9.077, 0.400, 3.209, 1.008),
    40: (8.714, 0.432, 3.110, 1.037),
    42: (7.282, 0.490, 3.141, 1.051),
    46: (5.553, 0.793, 1.897, 1.450),
    47: (5.073, 0.611, 3.328, 1.068),
    49: (5.861, 0.461, 4.424, 0.932),
    50: (6.580, 0.464, 4.318, 0.955),
    56: (12.222, 0.344, 5.465, 0.885),
    57: (12.105, 0.376, 5.190, 0.920),
    58: (11.333, 0.352, 5.549, 0.895),
    74: (7.993, 0.499, 4.465, 1.167),
    78: (6.921, 0.620, 4.014, 1.269),
    79: (6.698, 0.681, 3.697, 1.338),
    82: (8.221, 0.545, 4.560, 1.205),
}
"""A, p, B, q of :func:`scattering`, fitted to the factors of Lobato and Van Dyck, Acta Cryst. A 70, 636 (2014), as
tabulated in abTEM 1.0.11, over k from 0 to 3; off by at most 4% of f(0)."""


def scattering(number: int, squared: NDArray[np.floating]) -> Image:
    """Return the electron scattering factor f = A / (1 + k^2 / p^2)^2 + B / (1 + k^2 / q^2) in Å, from k^2."""
    a, p, b, q = FACTORS[number]
    k2 = squared.astype(np.float32)
    inner, outer = 1.0 + k2 * np.float32(1.0 / p**2), 1.0 + k2 * np.float32(1.0 / q**2)
    factor: Image = np.float32(a) / (inner * inner) + np.float32(b) / outer
    return factor


def spline(shape: tuple[int, int]) -> Image:
    """Return the transform of a cubic B-spline on a grid, which :func:`temclean.specimen.projection.deposit` lays."""
    along_y, along_x = np.sinc(np.fft.fftfreq(shape[0])) ** 4, np.sinc(np.fft.rfftfreq(shape[1])) ** 4
    product: Image = np.outer(along_y, along_x).astype(np.float32)
    return product


def of_atoms(
    points: Floats, weight: Floats, number: int, shape: tuple[int, int], step: float, squared: Image, vibration: float
) -> Spectrum:
    """Return the half spectrum (``numpy.fft.rfft2``) of the projected potential of atoms of one element.

    Parameters
    ----------
    points : (N, 2), rows of (y, x) in pixels of the grid.
    weight : (N,), how many atoms stand there.
    number : atomic number, a key of :data:`FACTORS`.
    shape, step : of the grid, and its pixel in Å.
    squared : k^2 of the half spectrum.
    vibration : standard deviation of the thermal motion along each axis, Å.
    """
    laid = np.fft.rfft2(deposit(points, shape, weight)) / spline(shape)
    factor = scattering(number, squared) * np.exp(np.float32(-2.0 * (np.pi * vibration) ** 2) * squared)
    potential: Spectrum = (laid * (factor * np.float32(SCALE / step**2))).astype(np.complex64)
    return potential


def order(squared: Image, spacing: float) -> Image:
    """Return the structure factor of an amorphous film: none at small k, two broad maxima, 1 at large k; ours.

    Parameters
    ----------
    spacing : of the first maximum, Å: 2.1 in amorphous carbon, 3.2 in silicon.
    """
    k = np.sqrt(squared) * np.float32(spacing)
    factor: Image = (k**4 / (k**4 + 0.2) + 0.8 * np.exp(-(((k - 1.0) / 0.17) ** 2))).astype(np.float32)
    factor += np.float32(0.25) * np.exp(-(((k - np.float32(1.75)) / np.float32(0.25)) ** 2))
    return factor


def of_film(
    rng: np.random.Generator,
    number: int,
    density: float,
    shape: tuple[int, int],
    step: float,
    squared: Image,
    spacing: float,
    where: Image | None = None,
) -> Spectrum:
    """Return the half spectrum of the projected potential of an amorphous film.

    So many atoms overlap that their sum is Gaussian noise with the spectrum n f(k)^2 S(k), n atoms a square ångström.

    Parameters
    ----------
    density : n, atoms a square ångström.
    spacing : see :func:`order`.
    where : how thick the film is, in parts of its thickness, (H, W); 1 everywhere if None.
    """
    noise = np.fft.rfft2(rng.standard_normal(shape, dtype=np.float32))
    colour = scattering(number, squared) * np.sqrt(order(squared, spacing))
    spectrum = noise * (colour * np.float32(SCALE * np.sqrt(density) / step))
    if where is not None:
        full = np.fft.irfft2(spectrum, shape)
        mean = np.float32(density * SCALE * float(scattering(number, np.zeros(1))[0]))
        spectrum = np.fft.rfft2(full * np.sqrt(where) + mean * where)
    return spectrum.astype(np.complex64)
