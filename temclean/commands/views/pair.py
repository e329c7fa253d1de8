"""A raw image and its result, of which one frame each is in memory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from temclean import io
from temclean.errors import ImageError
from temclean.evidence import data_bar


@dataclass(frozen=True)
class Pair:
    """A frame before and after.

    Attributes
    ----------
    raw, restored : (rows, columns).
    frame, frames : which frame it is, from 1, and how many there are.
    pixel_size, unit : as those of :class:`temclean.io.Image`.
    made : what the result says of how it was made.
    """

    raw: NDArray[Any] = field(repr=False)
    restored: NDArray[Any] = field(repr=False)
    frame: int
    frames: int
    pixel_size: tuple[float, float] | None
    unit: str | None
    made: Mapping[str, Any]

    @cached_property
    def above(self) -> int:
        """How many rows there are above a data bar: contrast is theirs, and a scale bar stands in them."""
        return data_bar.rows_above(self.raw)


def read(source: str | os.PathLike[str], image: str | None, target: str | os.PathLike[str]) -> Pair:
    """Read the middle frame of an input and that of its result.

    Raises
    ------
    FileError, ImageError, MissingExtraError
        As :func:`temclean.io.read`; or the two do not belong together.
    """
    with io.read(source, image) as before, io.read(target) as after:
        if before.pixels.shape[-2:] != after.pixels.shape[-2:] or len(before.pixels) != len(after.pixels):
            raise ImageError(f"{target}: is not of the shape of {Path(source).name}; denoise it again")
        index = len(before.pixels) // 2
        made = io.provenance(target) or {}
        frame, count = index + 1, len(before.pixels)
        return Pair(before.pixels[index], after.pixels[index], frame, count, before.pixel_size, before.unit, made)
