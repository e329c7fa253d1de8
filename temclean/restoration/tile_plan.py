"""How large the tiles of an image are, where they lie, and where each takes over from the one before."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

TILE_AREA = 1280 * 1280
"""Pixels of the largest tile we choose. The network is as fast a pixel at 512x512 as at 2048x2048 and takes about 140
bytes for each, so this sets memory (240 MB) against the share of the tiles that is halo."""

ROOMY = 4096 * 4096
ROOMY_TILE_AREA = 1536 * 1536
"""Frames of up to so many pixels are themselves so small that they leave room for larger tiles."""


@dataclass(frozen=True)
class Axis:
    """Where the tiles lie along one axis.

    Attributes
    ----------
    length, tile : int
        Pixels of the image and of a tile.
    starts : tuple of int
        First pixel of each tile.
    ramps : tuple of (int, int)
        Half-open range of pixels in which each tile takes over from the one before; one fewer than tiles.
    """

    length: int
    tile: int
    starts: tuple[int, ...]
    ramps: tuple[tuple[int, int], ...]

    def table(self) -> NDArray[np.intp]:
        """Return starts and ramps as the kernel wants them: shape (3, tiles + 1)."""
        begins, ends = zip((0, 0), *self.ramps, (self.length, self.length), strict=True)
        return np.array([(*self.starts, self.length), begins, ends], dtype=np.intp)


@dataclass(frozen=True)
class Plan:
    """How one image is cut: two axes, tiles numbered in reading order."""

    rows: Axis
    columns: Axis

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the image in pixels."""
        return self.rows.length, self.columns.length

    @property
    def tile(self) -> tuple[int, int]:
        """Shape of every tile in pixels."""
        return self.rows.tile, self.columns.tile

    def __len__(self) -> int:
        """Return the number of tiles."""
        return len(self.rows.starts) * len(self.columns.starts)

    def own(self, number: int) -> tuple[range, range]:
        """Return rows and columns of the image by which each of its pixels belongs to one tile, which covers it."""
        place = divmod(number, len(self.columns.starts))
        ends = [(*axis.starts, axis.length) for axis in (self.rows, self.columns)]
        rows, columns = (range(*each[k : k + 2]) for each, k in zip(ends, place, strict=True))
        return rows, columns


def plan(
    shape: tuple[int, int],
    tile: int | tuple[int, int],
    overlap: int | tuple[int, int] = 0,
    *,
    margin: int = 0,
    multiple: int = 1,
) -> Plan:
    """Plan the tiles of an image.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of the image.
    tile, overlap : int or (int, int)
        Pixels of a tile, and the least that neighbours share. The tiles are spread evenly, so they often share more.
    margin : int
        Pixels at a tile's inner edges that get no weight; at most half the overlap. Over the rest of what they share,
        one tile gives way to the other.
    multiple : int
        Tiles start at multiples of this, and ``tile`` must be one. Where the image is not, the last tile reaches beyond
        it by less than ``multiple``, as does a tile larger than the image; elsewhere it ends flush with the border.
        Along an axis that one tile covers, overlap and margin mean nothing.

    Raises
    ------
    ParameterError
        If these do not fit each other.

    Examples
    --------
    >>> plan((100, 60), tile=64, overlap=16).rows.starts
    (0, 36)
    """
    tiles, overlaps = pair(tile), pair(overlap)
    rows, columns = (_axis(shape[i], tiles[i], overlaps[i], margin, multiple) for i in range(2))
    return Plan(rows, columns)


def _axis(length: int, tile: int, overlap: int, margin: int, multiple: int) -> Axis:
    if length < 1 or multiple < 1 or tile < 1 or tile % multiple:
        raise ParameterError(f"tile {tile} must be a multiple of {multiple}, the image ({length} pixels) not empty")
    room = max(0, -(-(length - tile) // multiple))  # in units of multiple
    if room == 0:
        return Axis(length, tile, (0,), ())
    if not 0 <= 2 * margin <= overlap < tile:
        raise ParameterError(f"0 <= 2 margin <= overlap < tile: not so with {margin}, {overlap} and {tile} pixels")
    step = (tile - overlap) // multiple
    if step == 0:
        raise ParameterError(f"tile {tile} leaves less than {multiple} pixels beside its overlap of {overlap}")
    gaps = -(-room // step)
    starts = tuple(multiple * (k * room // gaps) for k in range(gaps + 1))
    return Axis(length, tile, starts, tuple(_ramp(a, b, tile, margin) for a, b in pairwise(starts)))


def _ramp(start: int, following: int, tile: int, margin: int) -> tuple[int, int]:
    """Centre a ramp in the overlap of two tiles; never wider than their step, so that ramps stay apart."""
    shared, step = start + tile - following, following - start
    margin = max(margin, -(-(shared - step) // 2))
    return following + margin, start + tile - margin


def pair(value: int | tuple[int, int]) -> tuple[int, int]:
    """Return one number for rows and columns as two."""
    return value if isinstance(value, tuple) else (value, value)


@lru_cache(maxsize=64)
def best_tile(canvas: tuple[int, int], overlap: int, multiple: int) -> tuple[int, int]:
    """Return the tile, no larger than memory allows, with which the fewest pixels are computed in all."""
    area = ROOMY_TILE_AREA if canvas[0] * canvas[1] <= ROOMY else TILE_AREA
    best: tuple[int, tuple[int, int]] | None = None
    for rows in range(1, canvas[0] // multiple + 1):
        height = _side(canvas[0], rows, overlap, multiple)
        widest = area // height // multiple * multiple
        if (rows > 1 and height <= overlap) or (widest < canvas[1] and widest <= overlap):
            continue
        columns = 1 if widest >= canvas[1] else -(-(canvas[1] - overlap) // (widest - overlap))
        width = _side(canvas[1], columns, overlap, multiple)
        total = rows * columns * height * width
        if best is None or total < best[0]:
            best = total, (height, width)
    if best is None:
        raise ParameterError(f"a halo of {overlap // 2} pixels leaves nothing of the largest tile: give a tile size")
    return best[1]


def _side(length: int, count: int, overlap: int, multiple: int) -> int:
    """Return the least side with which ``count`` overlapping tiles cover a length."""
    return -(-(length + (count - 1) * overlap) // (count * multiple)) * multiple
