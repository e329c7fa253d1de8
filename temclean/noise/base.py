"""What a noise family is, and how one is applied to an image."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _noise
from temclean.errors import ImageError, ParameterError
from temclean.forked import bearable

Pixels = NDArray[np.float32] | NDArray[np.float64]

LARGEST_LEVEL = 1e30
"""Largest standard deviation of Gaussian noise that float32 holds with room for its tails."""


MOST_EVENTS = 10**8
"""Clusters or lines that an image may have at most, and over a thousand not more than it has pixels."""


@dataclass(frozen=True)
class Noise(ABC):
    """A noise family with its parameters.

    Attributes
    ----------
    of_sensor : whether the noise is a property of the sensor, the same in all frames of a movie.
    """

    of_sensor: ClassVar[bool] = False

    @abstractmethod
    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        """Write the noisy pixels into ``out``, which may be ``pixels``; both are contiguous and alike."""

    def _render_frame(self, pixels: Pixels, out: Pixels, seed: int, frame: int, threads: int) -> None:
        """Do the same for one frame of a movie."""
        self._render(pixels, out, seed if self.of_sensor else (seed + frame) % 2**64, threads)


def apply(
    image: ArrayLike, noise: Noise, seed: int, *, out: Pixels | None = None, threads: int = 1, frame: int = 0
) -> Pixels:
    """Add noise to an image.

    Each pixel's noise depends on the seed, the pixel's place and its intensity, on nothing else: not on the number of
    threads, nor on the processor. A float64 image gets the same normal numbers (of 24 bits) as a float32 one.

    Parameters
    ----------
    image : array (H, W), intensities in [0, 1]; float64 stays float64, everything else becomes float32.
    noise : a family with its parameters.
    seed : whole number from 0 to 2**64 - 1.
    out : array to write the result into, which may be ``image`` itself.
    threads : number of threads, at least 1; a process that was forked takes 1.
    frame : which frame of a movie this is: what belongs to the sensor stays, the rest is as of ``seed + frame``.

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
    >>> from temclean.noise import SaltPepper
    >>> apply(np.full((2, 3), 0.25), SaltPepper(level=1), seed=1)
    array([[1., 1., 1.],
           [1., 1., 1.]])
    """

    def render(pixels: Pixels, result: Pixels, seed: int, threads: int) -> None:
        noise._render_frame(pixels, result, seed, whole("frame", frame, 0, 2**64 - 1), threads)

    return rendered(render, image, seed, out, threads)


def rendered(
    render: Callable[[Pixels, Pixels, int, int], None], image: ArrayLike, seed: int, out: Pixels | None, threads: int
) -> Pixels:
    """Bring image and out into the shape that kernels take, render, and return out."""
    pixels = usable(image)
    seed = whole("seed", seed, 0, 2**64 - 1)
    threads = bearable(whole("threads", threads, 1, 2**15))
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


def usable(image: ArrayLike) -> Pixels:
    """Return an image as contiguous float32 or float64, or say what is wrong with it."""
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


def check(name: str, value: float, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, Real) or not lowest <= value <= highest:
        raise ParameterError(f"{name} is {value!r}; give a number from {lowest:g} to {highest:g}")


def check_flags(noise: Noise, *names: str) -> None:
    """Refuse fields that are neither True nor False."""
    for name in names:
        if not isinstance(getattr(noise, name), bool | np.bool_):
            raise ParameterError(f"{name} is {getattr(noise, name)!r}; give true or false")


def check_events(count: int, pixels: int) -> None:
    """Refuse more clusters or lines than an image has pixels."""
    if count > max(pixels, 1000):
        raise ParameterError(f"count is {count}; an image of {pixels} pixels takes up to {max(pixels, 1000)}")


def whole(name: str, value: int, lowest: int, highest: int) -> int:
    if not isinstance(value, Integral) or not lowest <= value <= highest:
        raise ParameterError(f"{name} is {value!r}; give a whole number from {lowest} to {highest}")
    return int(value)
