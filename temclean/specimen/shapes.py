"""Smooth fields, edges, ellipses and grains: the shapes that images without atoms are made of."""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]


def field(rng: np.random.Generator, size: int, cells: int) -> Image:
    """Draw a smooth random field in [0, 1]: a few random values, joined by cosines."""
    values = rng.random((cells + 1, cells + 1))
    place = np.linspace(0.0, cells, size, endpoint=False)
    cell = place.astype(int)
    part = 0.5 - 0.5 * np.cos(np.pi * (place - cell))
    mix = np.zeros((size, cells + 1))
    mix[np.arange(size), cell] = 1.0 - part
    mix[np.arange(size), cell + 1] += part
    smooth: Image = (mix @ values @ mix.T).astype(np.float32)
    return smooth


def half_plane(rng: np.random.Generator, size: int, softness_px: float) -> Image:
    """Draw a straight edge through the image as a weight in [0, 1]."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    along = np.arange(size, dtype=np.float32) - size / 2
    distance = np.cos(angle) * along[:, None] + np.sin(angle) * along - rng.uniform(-0.35, 0.35) * size
    return step(distance, softness_px)


def ellipse(rng: np.random.Generator, size: int, softness_px: float) -> Image:
    """Draw a filled ellipse as a weight in [0, 1]."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    axes = np.exp(rng.uniform(np.log(0.03), np.log(0.35))) * size * np.array([1.0, rng.uniform(0.6, 1.0)])
    centre = rng.uniform(0.0, size, 2)
    y, x = np.arange(size, dtype=np.float32)[:, None] - centre[0], np.arange(size, dtype=np.float32) - centre[1]
    u = (np.cos(angle) * x + np.sin(angle) * y) / axes[0]
    v = (np.cos(angle) * y - np.sin(angle) * x) / axes[1]
    return step((1.0 - np.hypot(u, v)) * axes.min(), softness_px)


def step(distance_px: NDArray[np.floating], softness_px: float) -> Image:
    """Turn a signed distance into a weight that rises from 0 to 1 over about ``softness_px`` pixels."""
    soft = np.clip(0.5 + 0.5 * distance_px / max(softness_px, 0.5), 0.0, 1.0)
    weight: Image = (soft * soft * (3.0 - 2.0 * soft)).astype(np.float32)
    return weight


def particles(rng: np.random.Generator, size: int) -> Image:
    """Draw soft and sharp particles of several sizes on a smooth background."""
    image = rng.uniform(0.0, 0.4) * field(rng, size, int(rng.integers(1, 4)))
    for _ in range(rng.integers(2, 16)):
        softness_px = np.exp(rng.uniform(np.log(1.0), np.log(max(size / 8, 2.0))))
        image += rng.uniform(-0.4, 1.0) * ellipse(rng, size, softness_px)
    return image


def grains(rng: np.random.Generator, size: int) -> Image:
    """Draw Voronoi grains, each under a plane of its own."""
    count = int(rng.integers(3, 25))
    seeds = rng.uniform(0.0, size, (count, 2))
    grid = np.arange(size, dtype=np.float32)
    squared = (grid[:, None] - seeds[:, :1, None]) ** 2 + (grid - seeds[:, 1:, None]) ** 2
    owner = squared.argmin(axis=0)
    level = rng.uniform(0.0, 1.0, count).astype(np.float32)
    slope = (rng.normal(0.0, 0.25, (count, 2)) / size).astype(np.float32)
    image: Image = level[owner] + slope[owner, 0] * grid[:, None] + slope[owner, 1] * grid
    return image


def edges(rng: np.random.Generator, size: int) -> Image:
    """Draw straight edges and bands over each other, sharp or soft."""
    image = np.full((size, size), rng.random(), np.float32)
    for _ in range(rng.integers(1, 5)):
        softness_px = np.exp(rng.uniform(np.log(0.5), np.log(max(size / 16, 1.0))))
        weight = half_plane(rng, size, softness_px)
        if rng.random() < 0.4:
            weight = weight * half_plane(rng, size, softness_px)
        image += (np.float32(rng.random()) - image) * weight
    return image


def flat(rng: np.random.Generator, size: int) -> Image:
    """Draw an even area, at times with a gentle gradient."""
    level, height = rng.uniform(0.05, 0.95), rng.uniform(0.0, 0.3) * (rng.random() < 0.5)
    return np.float32(level) + np.float32(height) * (field(rng, size, 1) - np.float32(0.5))
