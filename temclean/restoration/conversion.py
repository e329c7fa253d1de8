"""What the user wants of the result's pixels: another type than the input's, some of the raw image mixed in."""

import math
import os
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError
from temclean.evidence import lag
from temclean.evidence.samples import Frames

BLOCK = 256  # rows


class Calibrated(Protocol):
    """An image that is more than its pixels, as `temclean.read` gives it."""

    @property
    def pixels(self) -> Frames:
        """Its frames, (..., rows, columns)."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its reader had to say, a line each."""

    def with_pixels(self, pixels: NDArray[Any], /) -> Self:
        """Return it with other pixels of the same shape."""


class Conversion:
    """The way from an input's type of pixels to the result's, and how many values did not fit.

    Parameters
    ----------
    source : dtype
        Of the input.
    wanted : str, optional
        Of the result; without it the result is of the input's own.
    blend : float
        Share of the raw image in the result, 0 to 1.
    joined : bool
        Whether frames are means of several, which are no whole numbers.
    lag : tuple of float
        The filter that undoes the lag of the raw image before it is mixed in, as it was before it was denoised.
    """

    def __init__(
        self,
        source: np.dtype[Any],
        wanted: str | None = None,
        blend: float = 0.0,
        joined: bool = False,
        lag: lag.Weights = (),
    ) -> None:
        self.dtype = np.dtype(wanted) if wanted else source
        self.blend, self.lag = blend, lag
        self.changed = self.dtype != source
        self.needed = self.changed or blend > 0 or joined
        # Floats that hold each value of the input: nothing is rounded on the way, and all of it once at the end.
        self.between: np.dtype[Any] = np.result_type(source, self.dtype, np.float32) if self.needed else source
        whole = self.dtype.kind in "iu"
        info: Any = np.iinfo(self.dtype) if whole else np.finfo(self.dtype)
        self.low, self.high = float(info.min), float(info.max)
        if whole and self.high > info.max:  # the float next to it, which 64-bit integers do not hold
            self.high = math.nextafter(self.high, 0.0)
        self.clipped = self.total = 0
        self.raw: dict[int, NDArray[Any]] = {}
        self.done = 0

    def before(self, frames: Frames) -> Frames:
        """Return the frames as they are to be denoised."""
        return _Cast(frames, self) if self.needed else frames

    def after(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Return the next frame, in their order, as it is to be written: mixed, rounded to whole numbers, clipped."""
        if not self.needed:
            return frame
        raw = self.raw.pop(self.done) if self.blend else None
        if raw is not None and self.lag:
            raw = lag.undo(raw, self.lag)
        self.done += 1
        out = np.empty(frame.shape, self.dtype)
        for top in range(0, frame.shape[0], BLOCK):
            block = frame[top : top + BLOCK].astype(np.float64)
            if raw is not None:
                block *= 1 - self.blend
                block += self.blend * raw[top : top + BLOCK].astype(np.float64)
            if self.dtype.kind in "iu":
                np.rint(block, out=block)
            self.clipped += int(np.count_nonzero((block < self.low) | (block > self.high)))
            out[top : top + BLOCK] = block.clip(self.low, self.high)
        self.total += frame.size
        return out

    def caution(self) -> str | None:
        """Return what to say of values that did not fit, once all frames are done."""
        if not (self.clipped and self.changed):
            return None
        wider = "float64" if self.dtype == np.float32 else "float32"
        return (
            f"{self.clipped} of {self.total} values lay beyond what {self.dtype} holds ({self.low:.6g} to "
            f"{self.high:.6g}) and were clipped; --dtype {wider} keeps them"
        )


class _Cast:
    """Frames in another type, each kept until its result is there where it will be mixed with that.

    A model of movies reads frames ahead, so that the one that was read last is not the one that is done.
    """

    def __init__(self, frames: Frames, conversion: Conversion) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, conversion.between
        self.conversion = conversion

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> NDArray[Any]:
        frame = self.frames[index].astype(self.dtype)
        if self.conversion.blend:
            self.conversion.raw[index] = frame
        return frame


def array(image: ArrayLike) -> NDArray[Any]:
    """Return what is passed for an image as an array; ImageError if it is none."""
    if isinstance(image, str | os.PathLike):
        raise ImageError(f"{os.fspath(image)!r} is a name: pass what temclean.read({os.fspath(image)!r}) gives")
    pixels = unmasked(image)
    check(pixels)
    return pixels


def unmasked(image: ArrayLike) -> NDArray[Any]:
    """Return an array without its mask; ImageError if a pixel is masked."""
    if np.ma.isMaskedArray(image) and np.ma.is_masked(image):
        raise ImageError("some pixels are masked: fill them first, for instance by their neighbours' median")
    return np.asarray(image)


def check(pixels: Any) -> None:
    """Refuse with an ImageError what has no rows and columns, or is in colour."""
    if pixels.ndim < 2 or pixels.size == 0:
        raise ImageError(f"an image has rows and columns, this array has shape {pixels.shape}")
    if pixels.ndim > 2 and pixels.shape[-1] in (3, 4) and min(pixels.shape[-3:-1]) > 4:
        raise ImageError(f"shape {pixels.shape} is that of a colour image: average the channels, or pass one of them")
