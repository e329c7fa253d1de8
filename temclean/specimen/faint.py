"""What is large and weak, beside something strong that sets the scale: it is there, though the noise is stronger.

A thing whose contrast is a tenth of the noise is certain if it covers ten thousand pixels. Images are float32
(size, size), nowhere below 0; lengths are in pixels. All of it is ours, after what was lost on real files.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.specimen import fringed, survey
from temclean.specimen.geometry import (
    cells,
    coverage,
    log_uniform,
    plane,
    points,
    random_outline,
    turn,
    waves,
    window,
)

Image = NDArray[np.float32]

WEAKEST, STRONGEST = 0.005, 0.1
"""Contrast of what is faint, in parts of the image's range."""


def ground(rng: np.random.Generator, size: int) -> Image:
    """Draw what faint things lie on, about 0: nothing, a slope, slow waves, grain."""
    image = np.zeros((size, size), np.float32)
    if rng.random() < 0.5:
        _, y, x = window(np.full(2, (size - 1) / 2), size, size)
        image += np.float32(log_uniform(rng, 0.01, 0.3)) * (plane(rng, y, x, 0.75 * size) - np.float32(0.5))
    if rng.random() < 0.4:
        slow, _ = waves(rng, size, 2.0 * size, 0.25 * size, 1.0)
        image += np.float32(log_uniform(rng, 0.003, 0.08)) * slow
    if rng.random() < 0.4:
        grain, _ = waves(rng, size, log_uniform(rng, 4.0, 40.0), 2.5, rng.uniform(0.3, 1.5))
        image += np.float32(log_uniform(rng, 0.001, 0.03)) * grain
    return image


def bodies(rng: np.random.Generator, size: int) -> Image:
    """Draw one to twelve particles, polygons or ellipses, sharp or soft."""
    image = np.zeros((size, size), np.float32)
    softness = log_uniform(rng, 1.0, 0.1 * size + 1.0) if rng.random() < 0.5 else 1.0
    for _ in range(int(log_uniform(rng, 1.0, 12.9))):
        radius = log_uniform(rng, 0.02, 0.35) * size
        place, y, x = window(rng.uniform(0.0, size, 2), radius + softness + 1.0, size)
        inside = coverage(random_outline(rng, y, x, radius), softness)
        image[place] += np.float32(rng.uniform(0.3, 1.0) * rng.choice([-1.0, 1.0, 1.0])) * inside
    return image


def steps(rng: np.random.Generator, size: int) -> Image:
    """Draw one to five terraces, their edges straight or winding."""
    image = np.zeros((size, size), np.float32)
    y, x = fringed.everywhere(size)
    for _ in range(rng.integers(1, 6)):
        along, _ = turn(y, x, rng.uniform(0.0, 2.0 * np.pi))
        inside = along + np.float32(rng.uniform(-0.4, 0.4) * size)
        if rng.random() < 0.5:
            inside = inside + fringed.bend(rng, size, 0.03 * size, 1.0)
        image += coverage(inside, log_uniform(rng, 1.0, 8.0))
    return image


def grains(rng: np.random.Generator, size: int) -> Image:
    """Draw grains of different levels, their borders a little bent."""
    count = int(log_uniform(rng, 2.0, 60.0)) + 1
    seeds = points(rng, count, size, rng.uniform(0.05, 0.5) * size / np.sqrt(count))
    owner, _, _ = cells(seeds, size)
    levels = rng.uniform(0.0, 1.0, count).astype(np.float32)
    return filters.gaussian(levels.take(owner[survey.warp(rng, size)]), log_uniform(rng, 0.4, 1.5))


def borders(rng: np.random.Generator, size: int) -> Image:
    """Draw the borders of grains alone, as grooves of 1 to 5 px."""
    count = int(log_uniform(rng, 2.0, 40.0)) + 1
    seeds = points(rng, count, size, rng.uniform(0.05, 0.5) * size / np.sqrt(count))
    _, _, distance = cells(seeds, size, reach_px=12.0)
    groove: Image = np.exp(-0.5 * (distance[survey.warp(rng, size)] / np.float32(log_uniform(rng, 0.8, 3.0))) ** 2)
    return groove


def squares(rng: np.random.Generator, size: int) -> Image:
    """Draw the rectangles that earlier scans leave, by contamination or damage."""
    image = np.zeros((size, size), np.float32)
    grid = np.arange(size, dtype=np.float32)
    for _ in range(rng.integers(1, 4)):
        middle, half = rng.uniform(0.0, 1.0, 2) * size, rng.uniform(0.05, 0.3, 2) * size
        rows, columns = (coverage(np.float32(half[k]) - np.abs(grid - np.float32(middle[k]))) for k in range(2))
        image += np.float32(rng.uniform(0.3, 1.0)) * rows[:, None] * columns
    return image


def contours(rng: np.random.Generator, size: int) -> Image:
    """Draw bend contours: soft dark bands along the levels of a slow field."""
    field, slope = waves(rng, size, 2.0 * size, 0.3 * size, 1.5)
    width = np.float32(slope * log_uniform(rng, 2.0, 0.06 * size + 2.0))
    image = np.zeros((size, size), np.float32)
    for level in rng.normal(0.0, 1.0, int(rng.integers(1, 5))):
        image -= np.float32(rng.uniform(0.3, 1.0)) * np.exp(-0.5 * ((field - np.float32(level)) / width) ** 2)
    return image


def weak_fringes(rng: np.random.Generator, size: int) -> Image:
    """Draw fringes of any kind."""
    return fringed.draw(rng, size)


KINDS: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "bodies": bodies,
    "steps": steps,
    "grains": grains,
    "borders": borders,
    "squares": squares,
    "contours": contours,
    "fringes": weak_fringes,
}


def landmark(rng: np.random.Generator, size: int) -> Image:
    """Draw what sets the scale, 0 to 1, over 2% of the image or more: particles, an edge to vacuum, a bright band."""
    kind = rng.choice(3, p=[0.6, 0.25, 0.15])
    y, x = fringed.everywhere(size)
    if kind:
        along, _ = turn(y, x, rng.uniform(0.0, 2.0 * np.pi))
        inside = along - np.float32(rng.uniform(0.05, 0.5) * size)
        inside = inside + fringed.bend(rng, size, 0.03 * size, 0.7)
        if kind == 2:
            inside = np.float32(log_uniform(rng, 0.012, 0.1) * size) - np.abs(inside)
        return coverage(inside, log_uniform(rng, 1.0, 6.0))
    image = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(1, 7)):
        radius = log_uniform(rng, 0.05, 0.18) * size
        place, y, x = window(rng.uniform(0.1, 0.9, 2) * size, radius + 2.0, size)
        inside = coverage(random_outline(rng, y, x, radius), log_uniform(rng, 1.0, 6.0))
        np.maximum(image[place], np.float32(rng.uniform(0.6, 1.0)) * inside, out=image[place])
    return image / max(float(image.max()), 1e-3)


def draw(rng: np.random.Generator, size: int) -> Image:
    """Draw one to three kinds of faint things on a ground, and in eight of ten images something strong beside them."""
    image = ground(rng, size)
    names = rng.choice(list(KINDS), int(rng.choice([1, 2, 3], p=[0.5, 0.35, 0.15])), replace=False)
    for name in names.tolist():
        layer = KINDS[name](rng, size)
        image += np.float32(log_uniform(rng, WEAKEST, STRONGEST) / max(float(np.ptp(layer)), 1e-6)) * layer
    strong = landmark(rng, size) if rng.random() < 0.8 else np.zeros((size, size), np.float32)
    level = np.float32(rng.uniform(0.0, 1.0))
    hidden = np.float32(rng.uniform(0.0, 1.0))
    image = image * (1.0 - hidden * strong) + strong * (1.0 - level if rng.random() < 0.6 else -level) + level
    drawn: Image = image - np.float32(min(float(image.min()), 0.0))
    return drawn


def saturated(rng: np.random.Generator, image: Image) -> Image:
    """Cut an image off at a ceiling that 3 to 60% of it reach, or (a third) at a floor."""
    share = log_uniform(rng, 0.03, 0.6)
    top = rng.random() < 2 / 3
    limit = np.float32(np.quantile(image[::2, ::2], 1.0 - share if top else share))
    cut: Image = np.minimum(image, limit) if top else np.maximum(image - limit, np.float32(0.0))
    return cut
