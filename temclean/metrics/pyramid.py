"""The factors of SSIM and MS-SSIM: how alike a pair is at each of its scales.

A scale is half the size of the one before. It is scored in strips as its rows come in, and each strip hands its halves
on, so that no scale but the first is ever in memory whole.
"""

import math
from dataclasses import dataclass

import numpy as np

from temclean import _metrics
from temclean.metrics.pairs import Pixels, refuse_pair

K1, K2 = 0.01, 0.03
SIGMA = 1.5
WINDOW = 11
EDGE = WINDOW - 1
"""Rows, or columns, of an image in which no window begins."""


@dataclass
class _Scale:
    """One scale of a pair, and its rows that wait for the windows they belong to."""

    height: int
    width: int
    x: Pixels
    y: Pixels
    came: int = 0  # rows so far, of them waiting:
    waiting: int = 0
    deficit: float = 0.0  # sum of 1 - similarity over the windows so far

    def ready(self) -> tuple[int, int]:
        """Return how many of the waiting rows make whole tiles, and how many of these will be done with."""
        if self.came == self.height:
            return self.waiting, self.waiting
        windows = max(self.waiting - EDGE, 0) // _metrics.TILE_ROWS * _metrics.TILE_ROWS
        return windows + EDGE, windows

    def mean(self) -> float:
        """Return the mean similarity of all windows."""
        return 1 - self.deficit / ((self.height - EDGE) * (self.width - EDGE))


class _Ladder:
    """The scales of a pair."""

    def __init__(self, like: Pixels, offsets: tuple[float, float], count: int, threads: int) -> None:
        height, width = like.shape
        self.offsets = offsets
        self.taps = _taps(like)
        self.threads = threads
        self.scales = [_Scale(height, width, like, like)]
        room = _metrics.TILE_ROWS + EDGE
        for _ in range(count - 1):
            height, width, arriving = (height + 1) // 2, (width + 1) // 2, (room + 1) // 2
            room = min(height, _metrics.TILE_ROWS + EDGE - 1 + arriving)
            buffers = np.empty((2, room, width), like.dtype)
            self.scales.append(_Scale(height, width, buffers[0], buffers[1]))

    def score(
        self, level: int, x: Pixels, y: Pixels, own: int, scale: float, taken: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Score a strip of one scale, times ``scale``, and hand the halves of its first ``own`` rows on.

        ``taken`` is what the pixels of x and of y have been freed of, in units of the data range.
        """
        coarser = self.scales[level + 1] if level + 1 < len(self.scales) else None
        if coarser:
            half_x, half_y = coarser.x[coarser.waiting :], coarser.y[coarser.waiting :]
        else:
            half_x = half_y = np.empty((0, 0), x.dtype)
        offset_x, offset_y = (0.0, 0.0) if level else self.offsets
        out = np.empty(
            (-(-(x.shape[0] - EDGE) // _metrics.TILE_ROWS), -(-(x.shape[1] - EDGE) // _metrics.TILE_COLUMNS))
        )
        _metrics.similarity(
            x,
            y,
            scale,
            K1**2,
            K2**2,
            coarser is None,
            self.taps,
            offset_x,
            offset_y,
            *taken,
            half_x,
            half_y,
            own,
            out,
            self.threads,
        )
        self.scales[level].deficit += float(out.sum())
        if coarser is None:
            return
        coarser.came += (own + 1) // 2
        coarser.waiting += (own + 1) // 2
        rows, done = coarser.ready()
        if done:
            if level == 0:
                taken = offset_x * scale, offset_y * scale
            self.score(level + 1, coarser.x[:rows], coarser.y[:rows], done, 1.0, taken)
            coarser.waiting -= done
            for buffer in (coarser.x, coarser.y):
                buffer[: coarser.waiting] = buffer[done : done + coarser.waiting]


def factors(x: Pixels, y: Pixels, span: float, count: int, threads: int) -> list[float]:
    """Return the mean contrast-structure of each of ``count`` scales; of the last, times luminance.

    Raises
    ------
    ImageError
        If a value is not finite.
    """
    ladder = _Ladder(x, (_offset(x), _offset(y)), count, threads)
    height = x.shape[0]
    for top in range(0, height - EDGE, _metrics.TILE_ROWS):
        bottom = min(top + _metrics.TILE_ROWS + EDGE, height)
        own = bottom - top if bottom == height else _metrics.TILE_ROWS
        ladder.score(0, x[top:bottom], y[top:bottom], own, 1 / span)
    means = [scale.mean() for scale in ladder.scales]
    if not all(map(math.isfinite, means)):
        refuse_pair(x, y)
    return means


def _offset(image: Pixels) -> float:
    """Return about the mean of an image, as a value of its own type: any would do that is near most pixels."""
    rows, columns = (max(1, side // 64) for side in image.shape)
    with np.errstate(all="ignore"):
        mean = float(image.dtype.type(image[::rows, ::columns].mean(dtype=np.float64)))
    return mean if math.isfinite(mean) else 0.0


def _taps(like: Pixels) -> Pixels:
    taps = np.exp(-((np.arange(WINDOW) - WINDOW // 2) ** 2) / (2 * SIGMA**2))
    taps /= taps.sum()
    return taps.astype(np.float32) if like.dtype == np.float32 else taps
