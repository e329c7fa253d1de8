"""Another type of pixels than the input's, where the user asks for one, and what is lost by it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.restoration.scaling import Frames

BLOCK = 256  # rows


class Conversion:
    """The way from an input's type of pixels to the result's, and how many values did not fit.

    Parameters
    ----------
    source : dtype
        Of the input.
    wanted : str, optional
        Of the result; without it the result is of the input's own.
    """

    def __init__(self, source: np.dtype[Any], wanted: str | None = None) -> None:
        self.dtype = np.dtype(wanted) if wanted else source
        self.needed = self.dtype != source
        # Floats that hold each value of the input: nothing is rounded on the way, and all of it once at the end.
        self.between: np.dtype[Any] = np.result_type(source, self.dtype, np.float32) if self.needed else source
        whole = self.dtype.kind in "iu"
        info: Any = np.iinfo(self.dtype) if whole else np.finfo(self.dtype)
        self.low, self.high = float(info.min), float(info.max)
        self.clipped = self.total = 0

    def before(self, frames: Frames) -> Frames:
        """Return the frames as they are to be denoised."""
        return _Cast(frames, self.between) if self.needed else frames

    def after(self, frame: NDArray[Any]) -> NDArray[Any]:
        """Return a denoised frame as it is to be written: rounded if it is to be of whole numbers, and clipped."""
        if not self.needed:
            return frame
        out = np.empty(frame.shape, self.dtype)
        for top in range(0, frame.shape[0], BLOCK):
            block = frame[top : top + BLOCK].astype(np.float64)
            if self.dtype.kind in "iu":
                np.rint(block, out=block)
            self.clipped += int(np.count_nonzero((block < self.low) | (block > self.high)))
            out[top : top + BLOCK] = block.clip(self.low, self.high)
        self.total += frame.size
        return out

    def caution(self) -> str | None:
        """Return what to say of values that did not fit, once all frames are done."""
        if not self.clipped:
            return None
        wider = "float64" if self.dtype == np.float32 else "float32"
        return (
            f"{self.clipped} of {self.total} values lay beyond what {self.dtype} holds ({self.low:.6g} to "
            f"{self.high:.6g}) and were clipped; --dtype {wider} keeps them"
        )


class _Cast:
    """Frames in another type."""

    def __init__(self, frames: Frames, dtype: np.dtype[Any]) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, dtype

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self.frames[index].astype(self.dtype)
