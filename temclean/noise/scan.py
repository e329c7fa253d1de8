"""What a scanned beam and its detector do to an image: Lobato 2024, S(T)EM noise model, eqs. 41 to 51.

Rows are the fast scan direction. Lengths are in pixels, intensities in those of the image.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import _scan
from temclean.errors import ParameterError
from temclean.noise.base import MOST_EVENTS, Noise, Pixels, check, check_events, whole
from temclean.noise.families import LARGEST_COUNT, SMALLEST_COUNT, Gaussian, Poisson

LARGEST_SHIFT = 1e4
"""Largest standard deviation of a displacement, pixels."""

LONGEST_TAIL = 4096
"""Most pixels over which a row spreads."""

FLATTEST_CORRELATION = 0.999999


@dataclass(frozen=True)
class Jitter(Noise):
    r"""Move each pixel by correlated displacements and resample (eqs. 41 and 42).

    A displacement is an AR(1) series, :math:`D_1 = a_1 / \sqrt{1 - \phi^2}`, :math:`D_k = \phi D_{k-1} + a_k`,
    a ~ N(0, s), so that its variance is :math:`s^2 / (1 - \phi^2)` and its autocorrelation :math:`\phi^k`. Along x each
    row has a series of its own over its pixels; along y one series over the rows moves whole rows. The paper has these
    two; ``line`` is ours: one more series over the rows moves them along x, as mains hum and vibration do that are
    slower than a row. Resampling is bicubic (Keys 1981, a = -1/2), the image being mirrored at its borders; where the
    image is nowhere negative, the result is not either.

    Attributes
    ----------
    x, y, line : s of the three series, pixels.
    x_phi, y_phi, line_phi : phi, 0 to 0.999999.
    """

    x: float = 0.5
    y: float = 0.5
    line: float = 0.0
    x_phi: float = 0.35
    y_phi: float = 0.35
    line_phi: float = 0.35

    def __post_init__(self) -> None:
        for name in ("x", "y", "line"):
            check(name, getattr(self, name), 0, LARGEST_SHIFT)
            check(f"{name}_phi", getattr(self, f"{name}_phi"), 0, FLATTEST_CORRELATION)

    @property
    def strays(self) -> float:
        """Standard deviation of the widest of the three displacements, pixels."""
        series = ((self.x, self.x_phi), (self.y, self.y_phi), (self.line, self.line_phi))
        return max(step / math.sqrt(1 - phi * phi) for step, phi in series)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        rows, columns = pixels.shape
        down, line = np.empty((2, rows))
        across = np.empty((rows, columns), np.float32)
        _scan.walk(down, self.y, self.y_phi, seed, 0)
        _scan.walk(line, self.line, self.line_phi, seed, 1)
        _scan.wander(across, line, self.x, self.x_phi, seed, threads)
        source = pixels.copy() if pixels is out or np.may_share_memory(pixels, out) else pixels
        lowest = 0.0 if float(pixels.min()) >= 0 else -math.inf
        scratch = np.empty((threads, columns + _scan.SCRATCH), pixels.dtype)
        _scan.resample(source, out, across, down, lowest, scratch, threads)


@dataclass(frozen=True)
class Detector(Noise):
    r"""Count electrons with a scintillator and a photomultiplier: :math:`(P(N p) + n(0, \sigma)) / N` (eqs. 45, 46).

    :math:`\sigma = \sqrt{(1 - \eta + 1 / (\delta - 1)) / (m \eta) + \Delta_m^2 / m^2}` is eq. 44 over m eta G, so that
    an electron counts 1 and sigma is in electrons; the paper leaves the unit open.

    Attributes
    ----------
    counts : N, electrons a pixel at intensity 1.
    photons : m, photons that an electron sends to the cathode.
    efficiency : eta, the share of them that frees a photoelectron, up to 1.
    gain : delta, secondary electrons a dynode gives for each.
    photon_spread : standard deviation of the number of photons over their mean.
    """

    counts: float = 20.0
    photons: float = 100.0
    efficiency: float = 0.2
    gain: float = 5.0
    photon_spread: float = 0.3

    def __post_init__(self) -> None:
        check("counts", self.counts, SMALLEST_COUNT, LARGEST_COUNT)
        check("photons", self.photons, 1e-3, 1e9)
        check("efficiency", self.efficiency, 1e-6, 1)
        check("gain", self.gain, 1.001, 1e6)
        check("photon_spread", self.photon_spread, 0, 1e3)

    @property
    def sigma(self) -> float:
        """Standard deviation of the tube's own noise, electrons."""
        freed = self.photons * self.efficiency
        return math.sqrt((1 - self.efficiency + 1 / (self.gain - 1)) / freed + self.photon_spread**2)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        Poisson(self.counts)._render(pixels, out, seed, threads)
        Gaussian(self.sigma / self.counts, clip=False)._render(out, out, seed, threads)


@dataclass(frozen=True)
class FastScan(Noise):
    r"""Let the signal of each pixel decay into the next ones of its row (eqs. 47 to 50).

    The detector's decay is :math:`\alpha / (4 \pi^2 x^2 + \alpha^2)`, the read-out's a damped oscillation
    :math:`e^{-x / \beta} \sin(2 \pi x / \gamma + \theta)`, x being the pixels since; each sums to 1. What lies before a
    row is its first pixel. The paper's sign in the exponent diverges; this one decays.

    Attributes
    ----------
    detector : alpha, pixels; small is short. 0 leaves the detector's decay out.
    decay : beta, pixels. 0 leaves the read-out's out.
    period : gamma, pixels.
    phase : theta, radians.
    """

    detector: float = 2.0
    decay: float = 1.5
    period: float = 12.0
    phase: float = 1.0

    def __post_init__(self) -> None:
        check("detector", self.detector, 0, 1e3)
        check("decay", self.decay, 0, 200)
        check("period", self.period, 1e-3, 1e9)
        check("phase", self.phase, -7, 7)
        reply = self._readout(self._reach)
        if not abs(reply.sum()) > 0.05 * np.abs(reply).sum():
            raise ParameterError(
                f"phase {self.phase} with decay {self.decay} and period {self.period} makes a read-out whose parts "
                "cancel; choose a phase nearer to pi / 2"
            )

    @property
    def _reach(self) -> int:
        return min(LONGEST_TAIL, 64 + int(40 * self.detector + 12 * self.decay))

    def _readout(self, reach: int) -> NDArray[np.float64]:
        since = np.arange(reach, dtype=np.float64)
        reply: NDArray[np.float64] = (since == 0).astype(np.float64)
        if self.decay:
            reply = np.exp(-since / self.decay) * np.sin(2 * np.pi * since / self.period + self.phase)
        return reply

    def taps(self, width: int) -> NDArray[np.float64]:
        """Return what a pixel leaves in itself and in those after it, float64 (K,), K up to ``width``; they sum to 1.

        Taps after which less than 0.2% is left of the first few thousand are cut off. The detector's decay falls with
        the square of x alone, and more of it lies further out: of the whole up to 0.5% are cut off where the detector
        has up to 100 pixels, and 3% where it has 1000.
        """
        reach = self._reach
        since = np.arange(reach, dtype=np.float64)
        decay = (since == 0).astype(np.float64)
        if self.detector:
            decay = self.detector / (4 * np.pi**2 * since**2 + self.detector**2)
        readout = self._readout(reach)
        both = np.convolve(decay / decay.sum(), readout / readout.sum())[:reach]
        left = np.cumsum(np.abs(both)[::-1])[::-1]
        both = both[: max(1, min(width, int(np.count_nonzero(left > 0.002 * left[0]))))]
        taps: NDArray[np.float64] = both / both.sum()
        return taps

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        source = pixels.copy() if pixels is out or np.may_share_memory(pixels, out) else pixels
        _scan.spread(source, out, self.taps(pixels.shape[1]).astype(np.float32), threads)


@dataclass(frozen=True)
class RowLines(Noise):
    """Replace stretches of rows by their mean times a random factor (eq. 51).

    Attributes
    ----------
    count : stretches; each starts anywhere and is up to a row long.
    low, high : range of the factor.
    """

    count: int = 5
    low: float = 0.5
    high: float = 1.5

    def __post_init__(self) -> None:
        whole("count", self.count, 0, MOST_EVENTS)
        check("low", self.low, 0, self.high)
        check("high", self.high, self.low, 1e6)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        check_events(self.count, pixels.size)
        np.copyto(out, pixels)
        _scan.lines(out, self.count, self.low, self.high, seed)
