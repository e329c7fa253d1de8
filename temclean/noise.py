"""The noise families, each a frozen dataclass, and ``apply``, which adds one of them to an image.

>>> import numpy as np
>>> clean = np.full((4, 4), 0.5, np.float32)
>>> noisy = apply(clean, Gaussian(level=0.2), seed=1)
>>> noisy.shape, noisy.dtype
((4, 4), dtype('float32'))
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _noise
from temclean.errors import ImageError, ParameterError

Pixels = NDArray[np.float32] | NDArray[np.float64]

CEILING = 0.6
"""Largest background threshold, in intensity: above it spots would vanish."""

LARGEST_GRID = 1024
"""Largest number of background patches along a side."""

LARGEST_LEVEL = 1e30
"""Largest standard deviation of Gaussian noise that float32 holds with room for its tails."""

SMALLEST_COUNT = 1e-12
LARGEST_COUNT = 1e12
"""Largest Poisson mean, in electrons a pixel: the sampler resolves proposals to 1e-4 of an electron there."""


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
        _check("level", self.level, 0, LARGEST_LEVEL)

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
        _check("level", self.level, 0, LARGEST_LEVEL)
        _check("height", self.height, 0, 1)
        if len(self.grid) != 2:
            raise ParameterError(f"patches is {self.patches!r}; give one number, or (rows, columns)")
        for patches in self.grid:
            _whole("patches", patches, 1, LARGEST_GRID)

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches along (rows, columns)."""
        return self.patches if isinstance(self.patches, tuple) else (self.patches, self.patches)

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
        _check("counts", self.counts, SMALLEST_COUNT, LARGEST_COUNT)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        negative = _noise.faults(pixels.reshape(-1))[1]
        if negative:
            raise ImageError(
                f"the image has {negative} negative pixels, which Poisson noise cannot count; lift it to 0"
            )
        brightest = float(pixels.max())
        if self.counts * brightest > LARGEST_COUNT:
            raise ParameterError(
                f"counts is {self.counts!r} and the brightest pixel {brightest:g}: "
                f"their product must not exceed {LARGEST_COUNT:g} electrons"
            )
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
    """Add noise to an image.

    Each pixel's noise depends on the seed, the pixel's place and its intensity, on nothing else: not on the number of
    threads, nor on the processor. A float64 image gets the same normal numbers (of 24 bits) as a float32 one.

    Parameters
    ----------
    image : array (H, W), intensities in [0, 1]; float64 stays float64, everything else becomes float32.
    noise : a family with its parameters.
    seed : whole number from 0 to 2**64 - 1.
    out : array to write the result into, which may be ``image`` itself.
    threads : number of threads, at least 1.

    Returns
    -------
    The noisy image (H, W): ``out`` if given, else a new array.

    Raises
    ------
    ImageError : the image is not two-dimensional, real and finite (and, for Poisson noise, nowhere negative).
    ParameterError : a parameter is out of range, or ``out`` does not fit the image.

    Examples
    --------
    >>> import numpy as np
    >>> apply(np.full((2, 3), 0.25), SaltPepper(level=1), seed=1)
    array([[1., 1., 1.],
           [1., 1., 1.]])
    """
    return _rendered(noise._render, image, seed, out, threads)


def background(
    image: ArrayLike, noise: BackgroundBrightness, seed: int, *, out: Pixels | None = None, threads: int = 1
) -> Pixels:
    """Raise the floor of an image exactly as ``apply`` does with the same seed, and leave out the Gaussian noise.

    Parameters, result and errors are those of ``apply``.

    >>> import numpy as np
    >>> bright = background(np.zeros((64, 64)), BackgroundBrightness(level=0.2), seed=1)
    >>> bool(bright.min() >= 0 and bright.max() <= CEILING)
    True
    """
    return _rendered(noise._raise_floor, image, seed, out, threads)


def _rendered(
    render: Callable[[Pixels, Pixels, int, int], None], image: ArrayLike, seed: int, out: Pixels | None, threads: int
) -> Pixels:
    """Bring image and out into the shape that kernels take, render, and return out."""
    pixels = _pixels(image)
    seed = _whole("seed", seed, 0, 2**64 - 1)
    threads = _whole("threads", threads, 1, 2**15)
    if out is None:
        out = np.empty_like(pixels)
    elif out.shape != pixels.shape or out.dtype.newbyteorder("=") != pixels.dtype or not out.flags.writeable:
        raise ParameterError(
            f"out is a {'' if out.flags.writeable else 'read-only '}{out.dtype} array of shape {out.shape}; "
            f"this image needs a writeable {pixels.dtype} array of shape {pixels.shape}"
        )
    direct = out.flags.c_contiguous and out.dtype.isnative
    if direct and (pixels.ctypes.data == out.ctypes.data or not np.may_share_memory(pixels, out)):
        render(pixels, out, seed, threads)
    else:
        result = np.empty_like(pixels)
        render(pixels, result, seed, threads)
        out[...] = result
    return out


def _pixels(image: ArrayLike) -> Pixels:
    pixels = np.asarray(image)
    if pixels.ndim != 2 or pixels.size == 0:
        raise ImageError(f"the image has shape {pixels.shape}; give one 2-D image, or a stack frame by frame")
    if pixels.dtype.kind not in "buif":
        raise ImageError(f"the image is of type {pixels.dtype}; give real numbers")
    double = pixels.dtype.kind == "f" and pixels.dtype.itemsize >= 8
    pixels = np.ascontiguousarray(pixels, np.float64 if double else np.float32)
    unusable = _noise.faults(pixels.reshape(-1))[0]
    if unusable:
        raise ImageError(f"the image has {unusable} pixels that are NaN or infinite; replace them first")
    return pixels


def _check(name: str, value: float, lowest: float, highest: float) -> None:
    if not isinstance(value, Real) or not lowest <= value <= highest:
        raise ParameterError(f"{name} is {value!r}; give a number from {lowest:g} to {highest:g}")


def _whole(name: str, value: int, lowest: int, highest: int) -> int:
    if not isinstance(value, Integral) or not lowest <= value <= highest:
        raise ParameterError(f"{name} is {value!r}; give a whole number from {lowest} to {highest}")
    return int(value)
