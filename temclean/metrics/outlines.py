"""Particles' outlines as ellipses, and the pixels of a raw image about them."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import filters

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

REACH, MARGIN = 1.6, 6.0
"""Radii, and pixels more, that are looked at about a particle."""

COARSE = 40.0
"""Pixels of radius from which on pixels are taken together."""

SOLID, LONG = 0.95, 3.0
"""Least share that an outline fills of the ellipse of its second moments, and the greatest ratio of its axes."""


@dataclass(frozen=True)
class Window:
    """Pixels about an outline: values and places (P,) from its middle, and what is known of the outline."""

    data: Floats
    down: Floats
    right: Floats
    inside: NDArray[np.bool_]
    middle: Floats
    radius: float
    form: Floats
    simple: bool
    coarse: int


def cut_out(pixels: Floats, labels: Numbers, number: int) -> Window:
    """Cut out what lies about the outline of a number among labels (H, W), without what lies about others."""
    rows, columns = np.nonzero(labels == number)
    middle = np.array([rows.mean(), columns.mean()])
    radius = math.sqrt(len(rows) / math.pi)
    spread = np.cov(np.stack([rows, columns]), bias=True) + np.eye(2) / 12
    (small, large), axes = np.linalg.eigh(spread)
    tall, wide = axes[:, 1]
    form = 0.25 * math.log(large / small) * np.array([tall**2 - wide**2, 2 * tall * wide])
    simple = len(rows) > SOLID * 4 * math.pi * math.sqrt(small * large) and large < LONG**2 * small
    reach = REACH * radius * min((large / small) ** 0.25, LONG) + MARGIN
    (top, left), (bottom, right) = (np.clip(middle + each, 0, labels.shape).astype(int) for each in (-reach, reach + 2))
    part, data = labels[top:bottom, left:right], pixels[top:bottom, left:right]
    others = (part > 0) & (part != number)
    if others.any():
        others = filters.gaussian(others.astype(np.float32), (2 + 0.2 * radius) / 1.5) > 0.07  # wider by 1.5 sigma
    free = ~(others & (part != number))
    down, right_ = (each - start for each, start in zip(np.indices(part.shape), (middle - (top, left)), strict=True))
    coarse = max(1, int(radius / COARSE))
    if coarse > 1:
        data, down, right_, free = (_together(each, coarse) for each in (data, down, right_, free))
        free = free == 1
    inside = free & (away(down, right_, form)[2] < REACH * radius + MARGIN)
    return Window(data[inside], down[inside], right_[inside], inside, middle, radius, form, simple, coarse)


def _together(values: NDArray[np.generic], count: int) -> Floats:
    """Return means of ``count`` x ``count`` pixels."""
    rows, columns = (length // count for length in values.shape)
    means: Floats = values[: rows * count, : columns * count].reshape(rows, count, columns, count).mean(axis=(1, 3))
    return means


def away(down: Floats, right: Floats, form: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Turn an ellipse into a circle as large; return both ways, the distance, and the matrix that does it."""
    turn = matrix(form)
    y, x = (row[0] * down + row[1] * right for row in turn)
    return y, x, np.sqrt(y * y + x * x + 1e-12), turn


def matrix(form: Floats) -> Floats:
    r"""Return :math:`e^{-E}` of the symmetric matrix E without trace of which two figures are the first row."""
    size = math.hypot(*form)
    odd = math.sinh(size) / size if size > 1e-9 else 1.0
    return math.cosh(size) * np.eye(2) - odd * np.array([[form[0], form[1]], [form[1], -form[0]]])
