"""The one image of a picture that Pillow decodes, in greys."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from temclean.io.image import Array, Frames, check_claim, luminance, native
from temclean.io.messages import damaged

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

GREY = {"1": "u1", "L": "u1", "I;16": "u2", "I;16B": "u2", "I": "u2"}
"""Types of pixels, by Pillow's modes."""
COLOUR = {"RGB", "RGBA", "P", "LA", "PA"}
_BYTES = {"RGB": 4, "RGBA": 4, "LA": 4, "PA": 4, "I": 4, "I;16": 2, "I;16B": 2}
"""Of a pixel in Pillow's memory, where more than one."""
_ROWS = 256


class PictureFrames(Frames):
    """Luminance of colours, numbers of greys; only strips are ever converted whole."""

    def __init__(self, path: Path, opener: "Callable[[Path], ImageFile]", size: tuple[int, int], mode: str) -> None:
        super().__init__(path, (size[1], size[0]), np.dtype(GREY.get(mode, "u1")))
        self.opener, self.mode = opener, mode
        check_claim(path, size[0] * size[1] * _BYTES.get(mode, 1), path.stat().st_size)

    def frame(self, index: int) -> Array:
        with self.opener(self.path) as image:
            if image.size[::-1] != self.shape:
                raise damaged(self.path, f"its pixels are {image.size[::-1]}, not {self.shape}")
            if self.mode in GREY:
                grey = np.asarray(image.convert("L") if self.mode == "1" else image)
                return native(np.array(grey)).astype(self.dtype, copy=False)
            out = np.empty(self.shape, self.dtype)
            for top in range(0, self.shape[0], _ROWS):
                strip = image.crop((0, top, self.shape[1], min(top + _ROWS, self.shape[0])))
                out[top : top + _ROWS] = luminance(np.asarray(strip.convert("RGB")))
            return out
