"""Lines that a scan lost: stretches of rows that hold one value, mended from the rows above and below."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.data_bar import rows_above
from temclean.evidence.impulses import STREAK
from temclean.evidence.samples import Mask

BAND = 2**22
"""Pixels in which lost lines are looked for at a time."""

LEAST_CHANCE, USUAL = 1e-3, 0.2
"""Lost lines that chance makes of an image at most; and share of the pixels above or below that hold its value too."""

ROWS_AWAY, MOST_PIXELS = 3, 2**26
"""Rows away from which a lost line is mended at most; and pixels above which an image is not copied for that."""


def lost_lines(image: NDArray[Any]) -> list[tuple[int, int, int]]:
    """Find stretches of rows that hold one value, as where a line was lost: (row, first column, last + 1).

    So long that chance does not make them, as often as pixels are like the next ones in the image and in the rows above
    and below; an area of one value is no lost line, nor is the outline of a box.
    """
    rows, columns = image.shape
    if rows < 3 or columns <= STREAK:
        return []
    step = max(1, BAND // columns)
    looked_at = [_runs(image[top : top + step]) for top in range(0, rows, step)]
    counts, long = (np.concatenate(each) for each in zip(*looked_at, strict=True))
    usual = float(np.median(counts)) / (columns - 1)
    found: dict[tuple[int, int, float], list[int]] = {}
    for row in np.flatnonzero(long).tolist():
        ends = np.flatnonzero(np.diff(np.concatenate([[0], _alike(image[row]), [0]]))).reshape(-1, 2)
        for first, last in ends[ends[:, 1] - ends[:, 0] >= STREAK].tolist():
            beside = [image[other, first : last + 1] for other in (row - 1, row + 1) if 0 <= other < rows]
            value = image[row, first]
            if any(np.mean(each == value) > USUAL for each in beside):
                continue
            least = min(np.count_nonzero(_alike(each)) for each in beside) / (last - first)  # one may be lost too
            chance = max(usual, least, 1e-9)
            if math.log(chance) * (last - first) < math.log(LEAST_CHANCE / image.size):
                found.setdefault((first, last + 1, float(value)), []).append(row)
    drawn = {float(image.min()), float(image.max())} if found else set()  # where noise is cut off, and lines are drawn
    return [
        (row, first, end)
        for (first, end, value), lost in found.items()
        if end - first == columns or (len(lost) == 1 and value not in drawn)
        for row in lost
    ]


def mended(image: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return an image whose lost lines hold what lies between the rows above and below, and how many were mended."""
    lost = lost_lines(image) if image.size <= MOST_PIXELS else []
    end, count = rows_above(image) if lost else 0, 0
    whole, where = image, np.zeros(image.shape if lost else (0, 0), bool)
    for row, first, last in lost:
        where[row, first:last] = True
    for row, first, last in lost:
        near = [other for way in (-1, 1) if (other := _next_whole(where[:, first:last], row, way)) is not None]
        if near and row < end:
            whole = np.array(image) if whole is image else whole
            weights = [1 / abs(other - row) for other in near]
            middle = np.average([image[other, first:last].astype(np.float64) for other in near], 0, weights)
            whole[row, first:last] = np.rint(middle) if image.dtype.kind in "iu" else middle
            count += 1
    return whole, count


def _next_whole(where: Mask, row: int, way: int) -> int | None:
    """Return the next row that way in which nothing was lost, if it is near."""
    others = range(row + way, row + way * (ROWS_AWAY + 1), way)
    return next((other for other in others if 0 <= other < len(where) and not where[other].any()), None)


def _runs(image: NDArray[Any]) -> tuple[NDArray[Any], Mask]:
    """Return for each row how many pixels are like the next, and whether :data:`STREAK` in a row are."""
    runs = _alike(image)
    counts = np.count_nonzero(runs, axis=1)
    for step in (1, 2, 4, 8):
        runs = runs[:, :-step] & runs[:, step:]
    return counts, np.logical_or.reduce(runs, axis=1)


def _alike(image: NDArray[Any]) -> Mask:
    return np.asarray(image[..., 1:] == image[..., :-1])
