"""The scenes of low magnification: particles, grains, and weak fringes, each from a formula of its own."""

from collections.abc import Callable

import numpy as np
from checkset_views import SIZE, Scene
from scipy.spatial import cKDTree

FINE = 3
"""Samples along each side of a pixel, which gathers over its square."""


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return y and x of all samples, in pixels."""
    line = (np.arange(SIZE * FINE) + 0.5) / FINE
    return line[:, None], line[None]


def gathered(fine: np.ndarray) -> np.ndarray:
    return fine.reshape(SIZE, FINE, SIZE, FINE).mean(axis=(1, 3))


def thickness(spheres: np.ndarray) -> np.ndarray:
    """Return how much of spheres (N, 4; y, x, radius, weight) lies above each sample: the sum of their chords."""
    y, x = grid()
    total = np.zeros((SIZE * FINE, SIZE * FINE))
    for row, column, radius, weight in spheres:
        rows = slice(max(int((row - radius) * FINE), 0), max(int((row + radius) * FINE) + 2, 0))
        columns = slice(max(int((column - radius) * FINE), 0), max(int((column + radius) * FINE) + 2, 0))
        squared = radius**2 - (y[rows] - row) ** 2 - (x[:, columns] - column) ** 2
        total[rows, columns] += weight * 2 * np.sqrt(np.clip(squared, 0, None))
    return total


def waves(rng: np.random.Generator, period: float) -> np.ndarray:
    """Return a smooth field between -1 and 1 with nothing shorter than a period in pixels."""
    y, x = grid()
    field = np.zeros((SIZE * FINE, SIZE * FINE))
    for _ in range(8):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        wave = 2 * np.pi / (period * rng.uniform(1, 3))
        field += np.cos(wave * (np.cos(angle) * y + np.sin(angle) * x) + phase)
    return field / np.abs(field).max()


def plain(name: str, image: np.ndarray, pixel_size: float, microscope: str) -> list[Scene]:
    clean = gathered(image)
    none, names = np.empty((0, 2)), np.empty(0, "U1")
    clean = (clean / clean.max()).astype(np.float32)
    return [Scene(name, clean, pixel_size, microscope, "lr", 0, none, names, none, names, names)]


def particles() -> list[Scene]:
    """Bright field of spheres on a film: intensity exp(-thickness / mean free path), large ones hardly visible."""
    rng = np.random.default_rng(20)
    size = np.exp(rng.normal(np.log(9.0), 0.5, 90))
    spheres = np.column_stack([*rng.uniform(0, SIZE, (2, 90)), size, np.full(90, 1 / 45.0)])
    faint = np.array([[120, 380, 60, 1 / 1800], [370, 140, 75, 1 / 1500], [400, 420, 35, 1 / 700]])
    image = np.exp(-thickness(np.vstack([spheres, faint])) - 0.06 * (1 + waves(rng, 120.0)))
    return plain("particles", image, 4.0, "tem")


def grains() -> list[Scene]:
    """Dark field of a polycrystal: Voronoi cells, each under a plane of its own, with narrow dark boundaries."""
    rng = np.random.default_rng(21)
    seeds = rng.uniform(-40, SIZE + 40, (70, 2))
    y, x = np.broadcast_arrays(*grid())
    points = np.stack([y.ravel(), x.ravel()], axis=1)
    away, nearest = cKDTree(seeds).query(points, k=2)
    level = rng.uniform(0.15, 1.0, len(seeds))[nearest[:, 0]]
    slope = rng.normal(0, 8e-4, (len(seeds), 2))[nearest[:, 0]]
    level = level + (slope * (points - seeds[nearest[:, 0]])).sum(axis=1)
    line = 1 - 0.5 * np.exp(-((away[:, 1] - away[:, 0]) ** 2) / 6.0)
    return plain("grains", np.clip((level * line).reshape(y.shape), 0.02, None), 12.0, "stem")


def fringes() -> list[Scene]:
    """Two-beam thickness fringes of a pyramid and weak bend contours: 1 - sin^2(pi t w) / w^2, w^2 = 1 + s^2."""
    rng = np.random.default_rng(22)
    y, x = grid()
    height = np.minimum.reduce([
        np.abs((y - 250) * np.cos(a) + (x - 270) * np.sin(a)) * -1.0 + 175 for a in (0.3, 0.3 + np.pi / 2)
    ])  # fmt: skip
    deviation = 1.2 * waves(rng, 150.0)
    width = np.sqrt(1 + deviation**2)
    inside = np.clip(height, 0, None) / 42.0
    image = 1 - 0.75 * (np.sin(np.pi * inside * width) / width) ** 2 * np.exp(-inside / 3) - 0.03 * inside
    return plain("fringes", image - 0.04 * waves(rng, 60.0), 6.0, "tem")


SHAPES: dict[str, Callable[[], list[Scene]]] = {run.__name__: run for run in (particles, grains, fringes)}
