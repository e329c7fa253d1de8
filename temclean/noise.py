"""The noise families, each a frozen dataclass, and ``apply``, which adds one of them to an image.

>>> import numpy as np
>>> clean = np.full((4, 4), 0.5, np.float32)
>>> noisy = apply(clean, Gaussian(level=0.2), seed=1)
>>> noisy.shape, noisy.dtype
((4, 4), dtype('float32'))
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from operator import index

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _noise
from temclean.errors import ParameterError

Pixels = NDArray[np.float32] | NDArray[np.float64]

CEILING = 0.6
"""Largest background threshold, in intensity: above it spots would vanish."""

LARGEST_COUNT = 1e15
"""Largest Poisson mean whose neighbours are still told apart."""


@dataclass(frozen=True)
class Noise(ABC):
    """A noise family with its parameters."""

    @abstractmethod
    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        """Write the noisy pixels into ``out``, which may be ``pixels``; both are contiguous and alike."""


@dataclass(frozen=True)
class Gaussian(Noise):
    r"""Add Gaussian noise, :math:`p' = p + C n`, n ~ N(0, 1).

    Attributes
    ----------
    level : C, standard deviation of the noise in units of intensity.
    clip : truncate the result to [0, 1]; False is a detector that does not saturate.
    """

    level: float
    clip: bool = True

    def __post_init__(self) -> None:
        _check("level", self.level, 0, math.inf)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        _noise.gaussian(pixels.reshape(-1), out.reshape(-1), self.level, self.clip, seed, threads)


@dataclass(frozen=True)
class SaltPepper(Noise):
    """Send a fraction of the pixels to the opposite extreme: 1 where p < 0.5, 0 elsewhere.

    Attributes
    ----------
    level : probability that a pixel is hit, 0 to 1.
    """

    level: float

    def __post_init__(self) -> None:
        _check("level", self.level, 0, 1)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        hits = round(self.level * 2**32)
        if hits:
            _noise.salt_pepper(pixels.reshape(-1), out.reshape(-1), hits - 1, seed, threads)
        else:
            np.copyto(out, pixels)


@dataclass(frozen=True)
class GaussianSaltPepper(Noise):
    """Add Gaussian noise, then salt and pepper, both at one level.

    Attributes
    ----------
    level : standard deviation of the Gaussian, and probability of a hit, 0 to 1.
    clip : truncate the Gaussian's result to [0, 1] before the hits.
    """

    level: float
    clip: bool = True

    def __post_init__(self) -> None:
        _check("level", self.level, 0, 1)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        Gaussian(self.level, self.clip)._render(pixels, out, seed, threads)
        SaltPepper(self.level)._render(out, out, seed, threads)


@dataclass(frozen=True)
class BackgroundBrightness(Noise):
    r"""Raise the floor of the image by a random amount in each patch, then add Gaussian noise.

    A patch is dark, slightly bright or high with probability 0.15, 0.70 and 0.15; its benchmark b is uniform in
    [0, h], [h, 2h] or [2h, 3h], its threshold t ~ N(b, h) clipped to [0, 0.6]. Pixels below t become t; the others
    become :math:`t + (p - t)^2 / (1 - t)`: in the same order, with slope 0 at t, and 1 at 1. The equations of the
    paper are lost; these are a reconstruction.

    Attributes
    ----------
    level : standard deviation of the Gaussian noise in units of intensity.
    height : h, in units of intensity.
    patches : number of patches along each side, or (rows, columns).
    smooth : mix the thresholds bilinearly between patch centres; False lets them jump at the patch edges, as in
        the paper.
    clip : truncate the result to [0, 1].
    """

    level: float
    height: float = 0.2
    patches: int | tuple[int, int] = 8
    smooth: bool = True
    clip: bool = True

    def __post_init__(self) -> None:
        _check("level", self.level, 0, math.inf)
        _check("height", self.height, 0, 1)
        if min(self.grid) < 1:
            raise ParameterError(f"patches is {self.patches}; give one or two whole numbers of at least 1")

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches along (rows, columns)."""
        return (self.patches, self.patches) if isinstance(self.patches, int) else self.patches

    def _raise_floor(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        drawn = np.empty(math.prod(self.grid))
        _noise.patch_thresholds(drawn, self.height, CEILING, seed)
        thresholds = drawn.reshape(self.grid).astype(np.float32)
        above, below, weight = self._between(pixels.shape[0], self.grid[0])
        left, right, mix = self._between(pixels.shape[1], self.grid[1])
        columns = np.ascontiguousarray(thresholds[:, left] + mix * (thresholds[:, right] - thresholds[:, left]))
        _noise.lift(pixels, out, columns, above, below, weight, threads)

    def _between(self, length: int, patches: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Return the patch before each pixel's centre, the one after it, and the weight of the latter."""
        place = (np.arange(length) + 0.5) * (patches / length)
        if not self.smooth:
            patch = np.minimum(place.astype(np.intp), patches - 1)
            return patch, patch, np.zeros(length, np.float32)
        place = np.clip(place - 0.5, 0, patches - 1)
        before = place.astype(np.intp)
        return before, np.minimum(before + 1, patches - 1), (place - before).astype(np.float32)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        self._raise_floor(pixels, out, seed, threads)
        Gaussian(self.level, self.clip)._render(out, out, seed, threads)


@dataclass(frozen=True)
class Poisson(Noise):
    r"""Count electrons: :math:`p' = P(N p) / N`, P a Poisson number of the given mean.

    Attributes
    ----------
    counts : N, electrons a pixel at intensity 1.
    """

    counts: float

    def __post_init__(self) -> None:
        _check("counts", self.counts, 0, LARGEST_COUNT)
        if self.counts == 0:
            raise ParameterError("counts is 0; give the electrons a pixel at intensity 1, more than 0")

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        negative = _noise.faults(pixels.reshape(-1))[1]
        if negative:
            raise ParameterError(f"image has {negative} negative pixels; Poisson noise needs them to be 0 or more")
        if float(pixels.max()) * self.counts > LARGEST_COUNT:
            raise ParameterError(f"counts is {self.counts}; the image's brightest pixel would exceed {LARGEST_COUNT}")
        _noise.poisson(pixels.reshape(-1), out.reshape(-1), self.counts, seed, threads)


FAMILIES: dict[str, type[Noise]] = {
    "g": Gaussian,
    "sp": SaltPepper,
    "gsp": GaussianSaltPepper,
    "bbg": BackgroundBrightness,
    "poisson": Poisson,
}
"""Noise families by the name that the command line uses."""


def apply(image: ArrayLike, noise: Noise, seed: int, *, out: Pixels | None = None, threads: int = 1) -> Pixels:
    """Add noise to a 2-D image.

    Parameters
    ----------
    image : array (H, W), intensities in [0, 1]; float64 stays so, everything else becomes float32.
    noise : family with its parameters.
    seed : 0 to 2**64 - 1; the same seed gives the same result for any number of threads.
    out : array to write into, which may be ``image``.
    threads : number of threads, at least 1.

    Returns
    -------
    The noisy image: ``out`` or a new array.
    """
    pixels = _pixels(image)
    result = _target(pixels, out)
    noise._render(pixels, result, _seed(seed), threads)
    return result


def background(
    image: ArrayLike, noise: BackgroundBrightness, seed: int, *, out: Pixels | None = None, threads: int = 1
) -> Pixels:
    """Raise the floor as ``apply`` does with the same seed, without the Gaussian noise."""
    pixels = _pixels(image)
    result = _target(pixels, out)
    noise._raise_floor(pixels, result, _seed(seed), threads)
    return result


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    if not (lowest <= value <= highest and math.isfinite(value)):
        bounds = f"{lowest:g} or more" if highest == math.inf else f"{lowest:g} to {highest:g}"
        raise ParameterError(f"{name} is {value}; give a number that is {bounds}")


def _seed(seed: int) -> int:
    if not 0 <= index(seed) < 2**64:
        raise ParameterError(f"seed is {seed}; give a whole number from 0 to 2**64 - 1")
    return index(seed)


def _pixels(image: ArrayLike) -> Pixels:
    pixels = np.asarray(image)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ParameterError(f"image has shape {pixels.shape}; give one 2-D image")
    pixels = np.ascontiguousarray(pixels, np.float64 if pixels.dtype.newbyteorder("=") == np.float64 else np.float32)
    unusable = _noise.faults(pixels.reshape(-1))[0]
    if unusable:
        raise ParameterError(f"image has {unusable} pixels that are NaN or infinite; replace them first")
    return pixels


def _target(pixels: Pixels, out: Pixels | None) -> Pixels:
    if out is None:
        return np.empty_like(pixels)
    if out.shape != pixels.shape or out.dtype != pixels.dtype or not out.flags.c_contiguous:
        raise ParameterError(
            f"out is {out.dtype} {out.shape}; give a contiguous array of {pixels.dtype} {pixels.shape} like the image"
        )
    return out
