r"""How a transmission microscope turns a projected potential into an image: its transfer function.

After Kirkland, "Advanced Computing in Electron Microscopy", ch. 3, and Williams and Carter, "Transmission Electron
Microscopy", ch. 28. Lengths are in Å, spatial frequencies k in 1/Å, angles in radians, energies in eV. Underfocus is
negative; the wave at the detector is :math:`F^{-1}\{F\{\psi\} e^{-i \chi} E\}`, so atoms are dark at Scherzer's focus.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.geometry import log_uniform

Waves = NDArray[np.floating]
Image = NDArray[np.float32]

REST = 510998.95
"""Rest energy of the electron."""

ENERGIES = (60e3, 80e3, 120e3, 200e3, 300e3)


def wavelength(energy: float) -> float:
    r""":math:`\lambda = 12.2643 / \sqrt{E (1 + 0.978476 \cdot 10^{-6} E)}` Å."""
    return 12.2643 / float(np.sqrt(energy * (1.0 + 0.978476e-6 * energy)))


def interaction(energy: float) -> float:
    r""":math:`\sigma = \frac{2 \pi}{\lambda E} \frac{m c^2 + E}{2 m c^2 + E}`, radians for a volt ångström."""
    return 2.0 * np.pi / (wavelength(energy) * energy) * (REST + energy) / (2.0 * REST + energy)


@dataclass(frozen=True)
class Microscope:
    """What the transfer function depends on.

    Attributes
    ----------
    energy : of the electrons, eV.
    defocus, spherical : df and Cs, Å.
    spread : delta, standard deviation of the focus, Å.
    convergence : a, the angle of illumination, radians.
    astigmatism : of the focus, Å; its direction in radians from x to y.
    amplitude : the share of the potential that absorbs.
    """

    energy: float = 300e3
    defocus: float = 0.0
    spherical: float = 0.0
    spread: float = 0.0
    convergence: float = 0.0
    astigmatism: float = 0.0
    direction: float = 0.0
    amplitude: float = 0.0

    def aberration(self, ky: Waves, kx: Waves) -> Waves:
        r"""Return :math:`\chi = \pi \lambda df k^2 + \frac{\pi}{2} C_s \lambda^3 k^4`, df with its astigmatism."""
        length = wavelength(self.energy)
        squared = ky**2 + kx**2
        chi: Waves = squared * (np.pi * length * self.defocus + 0.5 * np.pi * self.spherical * length**3 * squared)
        if self.astigmatism:
            cosine, sine = float(np.cos(2.0 * self.direction)), float(np.sin(2.0 * self.direction))
            twofold = cosine * kx**2 - cosine * ky**2 + (2.0 * sine * kx) * ky
            chi += np.pi * length * self.astigmatism * twofold
        return chi

    def envelope(self, ky: Waves, kx: Waves) -> Waves:
        r"""Return the damping by the spread of focus and of the illumination.

        .. math:: E_t E_s = e^{-(\pi \lambda \delta k^2)^2 / 2}
                  e^{-(\pi a / \lambda)^2 (C_s \lambda^3 k^3 + df \lambda k)^2}
        """
        length = wavelength(self.energy)
        squared = ky**2 + kx**2
        slope = np.pi * self.convergence * (self.spherical * length**2 * squared + self.defocus)
        damped: Waves = np.exp(-squared * (slope * slope + 0.5 * (np.pi * length * self.spread) ** 2 * squared))
        return damped

    def transfer(self, ky: Waves, kx: Waves) -> Waves:
        r"""Return what a weak phase is multiplied by: :math:`(\sin \chi - q \cos \chi) E_t E_s`, q the amplitude."""
        chi = self.aberration(ky, kx)
        passed: Waves = (np.sin(chi) - self.amplitude * np.cos(chi)) * self.envelope(ky, kx)
        return passed


def frequencies(shape: tuple[int, int], step: float, half: bool) -> tuple[Image, Image]:
    """Return k along y (H, 1) and along x (1, W), or its half from zero up as ``numpy.fft.rfft2`` has it."""
    kx = np.fft.rfftfreq(shape[1], step) if half else np.fft.fftfreq(shape[1], step)
    return np.fft.fftfreq(shape[0], step).reshape(-1, 1).astype(np.float32), kx.reshape(1, -1).astype(np.float32)


def weak(spectrum: NDArray[np.complex64], shape: tuple[int, int], step: float, microscope: Microscope) -> Image:
    r"""Return the image of a weak phase object, :math:`I = 1 + 2 F^{-1}\{\hat\varphi (\sin \chi - q \cos \chi) E\}`.

    Parameters
    ----------
    spectrum : ``numpy.fft.rfft2`` of the phase shift, sigma times the projected potential, in radians.
    shape : of the image.
    step : Å a pixel.
    """
    passed = microscope.transfer(*frequencies(shape, step, half=True))
    image: Image = (1.0 + 2.0 * np.fft.irfft2(spectrum * passed, shape)).astype(np.float32)
    return image


def strong(spectrum: NDArray[np.complex64], shape: tuple[int, int], step: float, microscope: Microscope) -> Image:
    r"""Return the image of any phase object, :math:`I = |F^{-1}\{F\{e^{(i - q) \varphi}\} e^{-i \chi} E\}|^2`.

    Its envelope, which damps the wave, is that of the linear theory: exact where the phase is weak. Parameters are
    those of :func:`weak`.
    """
    phase = np.fft.irfft2(spectrum, shape).astype(np.float32)
    phase -= phase.min()
    k = frequencies(shape, step, half=False)
    wave = np.fft.fft2(turned(phase) * np.exp(-microscope.amplitude * phase))
    wave *= turned(-microscope.aberration(*k)) * microscope.envelope(*k)
    passed = np.fft.ifft2(wave)
    image: Image = (np.square(passed.real) + np.square(passed.imag)).astype(np.float32)
    return image


def turned(angle: Waves) -> NDArray[np.complex64]:
    """Return e^(i angle)."""
    wave = np.empty(angle.shape, np.complex64)
    np.cos(angle, out=wave.real)
    np.sin(angle, out=wave.imag)
    return wave


def draw_microscope(rng: np.random.Generator) -> Microscope:
    """Draw a microscope: six in ten corrected, with astigmatism of 1 to 60 Å (half); the ranges are ours.

    Corrected: Cs within -40 to 20 µm, defocus within 150 Å. Not: Cs 0.3 to 1.4 mm, defocus -1500 to 300 Å. Spread of
    focus 8 to 60 Å, illumination 0.05 to 0.5 mrad, absorption up to a tenth.
    """
    corrected = rng.random() < 0.6
    spherical = rng.uniform(-40e4, 20e4) if corrected else rng.uniform(0.3e7, 1.4e7)
    defocus = rng.uniform(-150.0, 150.0) if corrected else rng.uniform(-1500.0, 300.0)
    return Microscope(
        energy=float(rng.choice(ENERGIES)),
        defocus=defocus,
        spherical=spherical,
        spread=rng.uniform(8.0, 60.0),
        convergence=rng.uniform(0.05e-3, 0.5e-3),
        astigmatism=log_uniform(rng, 1.0, 60.0) if rng.random() < 0.5 else 0.0,
        direction=rng.uniform(0.0, np.pi),
        amplitude=rng.uniform(0.0, 0.1),
    )
