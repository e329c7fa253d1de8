"""The strip with figures and a scale that the software of microscopes writes over the bottom of an image."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEFT_OUT = "a data bar, from row {} on, is left out"
"""Said of an image that has one."""

EVEN = 0.6
"""Share of a row that has the strip's one value: the rest is letters."""

BLANK = 0.85
"""The same between letters and at the strip's edge."""

ELSEWHERE = 0.25
"""Share of the image above it that has this value at most: else it is the specimen's background."""

ALIKE = 0.004
"""Of the range of the image, by how much pixels may be off that value: a network may have passed over them."""

LEAST, MOST = 8, 0.4
"""Rows that it has, and of an image's height."""

FRAME = 6
"""Rows of lines or shades about the strip."""

GLANCE = 64
"""Places along a side that are looked at first."""

DEVIANT = 0.12
"""Share of its rows that may be otherwise: lines, and pictures."""


def rows_above(image: NDArray[Any]) -> int:
    """Return how many rows an image (rows, columns) has above its data bar: all of them where there is none.

    A bar has one value in most of each of its rows, from one side nearly to the other, and the image above has not.

    Examples
    --------
    >>> image = np.random.default_rng(1).normal(100, 5, (80, 60))
    >>> image[60:] = 0
    >>> rows_above(image), rows_above(image[:60])
    (60, 60)
    """
    height = len(image)
    if image.ndim != 2 or height < 4 * LEAST or image.shape[1] < 4 * LEAST or image.dtype.kind not in "iuf":
        return height
    # Few pixels tell of most images that they have none.
    down, across = (max(1, length // GLANCE) for length in image.shape)
    last = np.sort(image[-LEAST:, ::across], axis=None).astype(np.float64)
    value = 0.5 * float(last[(len(last) - 1) // 2] + last[len(last) // 2])
    places = image[::down, ::across]
    away = ALIKE * (float(places.max()) - float(places.min()))
    known = math.isfinite(value) and math.isfinite(away) and not math.isnan(last[-1])
    if not known or not away > 0 or np.count_nonzero(np.abs(last - value) <= away) < EVEN * len(last):
        return height
    share = (np.abs(image.astype(np.float64) - value) <= away).mean(axis=1)
    even = share >= EVEN
    # From below: the topmost row up to which hardly any is otherwise, itself blank.
    otherwise = np.cumsum(~even[::-1])[::-1] / np.arange(height, 0, -1)
    tops = np.flatnonzero((otherwise <= DEVIANT) & (share >= BLANK))
    top = int(tops[0]) if len(tops) else height
    over = share[: max(top - FRAME, 0)]
    if not LEAST <= height - top <= MOST * height or over.mean() > ELSEWHERE or over[-1] > ELSEWHERE:
        return height
    # Lines of a frame, and rows that are blended with them.
    frame = image[top - FRAME : top].astype(np.float64)
    lines = (np.abs(frame - np.median(frame, axis=1, keepdims=True)) <= away).mean(axis=1) >= BLANK
    drawn = int(np.argmax(lines)) if lines.any() else FRAME
    return top - (FRAME - drawn) - (1 if drawn < FRAME else 0)


def above(raw: NDArray[Any], result: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return an image (rows, columns) and its result without the image's data bar, if both are of one shape."""
    rows = rows_above(raw)
    return (raw[:rows], result[:rows]) if rows < len(raw) and raw.shape == result.shape else (raw, result)
