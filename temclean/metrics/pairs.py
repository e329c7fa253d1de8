"""Images made fit for comparison: 2-D, contiguous native floats, finite, of one shape, with a span of intensities."""

import math
from typing import NamedTuple, NoReturn, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _sums
from temclean.errors import ImageError, ParameterError
from temclean.forked import bearable

Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.float64]


class Survey(NamedTuple):
    """What one sweep over an image, or over a pair of the same size, finds; in the image's unit."""

    low: float
    high: float
    mean: float

    def joined(self, other: "Survey") -> "Survey":
        """Return the survey of both images together."""
        return Survey(min(self.low, other.low), max(self.high, other.high), (self.mean + other.mean) / 2)


def checked(threads: int) -> int:
    """Return the number of threads: as wished, 1 in a process that was forked.

    Raises
    ------
    ParameterError
        If it is less than 1.
    """
    if threads < 1:
        raise ParameterError(f"threads must be 1 or more, not {threads}")
    return bearable(int(threads))


def size(image: Pixels) -> str:
    """Return the shape for a message: rows x columns."""
    return f"{image.shape[0]}x{image.shape[1]}"


def image(values: ArrayLike, name: str) -> Pixels:
    """Return the values as a contiguous image of native floats: themselves, if they are one.

    Integers of up to 16 bits and half floats become float32, other types than float32 become float64.

    Raises
    ------
    ImageError
        If they are not 2-D or not real numbers.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.size == 0:
        raise ImageError(f"{name} must be a 2-D image, not an array of shape {array.shape}; score a stack by frames")
    if array.dtype.kind not in "biuf":
        raise ImageError(f"{name} must hold real numbers, not {array.dtype}")
    fits = array.dtype.itemsize <= (4 if array.dtype.kind == "f" else 2)
    fit: Pixels = np.require(array, np.float32 if fits else np.float64, ["C_CONTIGUOUS", "ALIGNED"])
    return fit


def alike(x: Pixels, y: Pixels, name_x: str, name_y: str) -> tuple[Pixels, Pixels]:
    """Return two images in the wider of their types.

    Raises
    ------
    ImageError
        If their shapes differ.
    """
    if x.shape != y.shape:
        raise ImageError(f"{name_x} is {size(x)} pixels and {name_y} {size(y)}; crop one to the other")
    if x.dtype == y.dtype:
        return x, y
    return x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)


def pair(truth: ArrayLike, test: ArrayLike) -> tuple[Pixels, Pixels]:
    """Return a truth and its test as images of one shape and type."""
    return alike(image(truth, "truth"), image(test, "test"), "truth", "test")


def refuse(image: Pixels, name: str) -> NoReturn:
    """Say what keeps the sums over an image from being finite."""
    bad = image.size - int(np.count_nonzero(np.isfinite(image)))
    what = f"{bad} of its {image.size} values are not finite; mask or replace them" if bad else "its values overflow"
    raise ImageError(f"{name} cannot be scored: {what}")


def refuse_pair(truth: Pixels, test: Pixels) -> NoReturn:
    """Say what keeps the sums over a pair from being finite."""
    if np.isfinite(truth).all() and not np.isfinite(test).all():
        refuse(test, "test")
    refuse(truth, "truth")


def blocks(image: Pixels, sums: int) -> NDArray[np.float64]:
    """Return room for so many sums over each block of the kernels."""
    height, width = image.shape
    return np.empty((-(-height // _sums.BLOCK) * -(-width // _sums.BLOCK), sums))


def survey(image: Pixels, name: str, threads: int) -> Survey:
    """Return the least value, the greatest and the mean.

    Raises
    ------
    ImageError
        If a value is not finite.
    """
    out = blocks(image, 3)
    _sums.survey(image, out, threads)
    mean = float(out[:, 2].sum()) / image.size
    if not math.isfinite(mean):
        refuse(image, name)
    return Survey(float(out[:, 0].min()), float(out[:, 1].max()), mean)


def positive(data_range: float) -> float:
    """Return the data range.

    Raises
    ------
    ParameterError
        If it is not a positive number.
    """
    if not 0 < data_range < math.inf:
        raise ParameterError(f"data_range, the span of intensities, must be a positive number, not {data_range}")
    return float(data_range)


def span(truth: Survey, test: Survey) -> float:
    """Return the data range that a pair suggests (see :mod:`temclean.metrics`)."""
    if truth.low >= 0 and truth.high <= 1:
        return 1.0
    both = truth.joined(test)
    return truth.high - truth.low or both.high - both.low or 1.0
