"""A crystal with a few empty sites, that only drifts."""

import numpy as np

from temclean.specimen.atoms import Atoms, lattice_points
from temclean.specimen.movies.scene import Scene, reach

PERIOD = 2.4, 4.2
"""Å from column to column."""

EMPTY = 0.01
"""Share of the sites that hold nothing."""


def scene(rng: np.random.Generator, frames: int, size: int, pixel_size: float) -> Scene:
    """Draw a plane lattice of one or two kinds of columns."""
    a, b = rng.uniform(*PERIOD, 2)
    angle = rng.uniform(np.pi / 3, np.pi / 2)
    vectors = np.array([[0.0, a], [b * np.sin(angle), b * np.cos(angle)]])
    basis = np.array([[0.0, 0.0], [0.5, 0.5]])[: rng.integers(1, 3)]
    low, high = reach(size)
    points, kind = lattice_points(rng, vectors, basis, (high - low) * pixel_size)
    points = points / pixel_size + low
    kept = rng.random(len(points)) >= EMPTY
    points, kind = points[kept], kind[kept]
    level = np.array([1.0, rng.uniform(0.3, 0.7)])[kind] * rng.normal(1.0, 0.03, len(points))
    width = np.full(len(points), rng.uniform(0.14, 0.2) * min(a, b) / pixel_size)
    nothing = Atoms(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    numbers = np.arange(len(points), dtype=np.int64)
    peak = rng.uniform(0.4, 0.7) * level
    return Scene(rng.uniform(0.1, 0.25), nothing, (points,) * frames, (numbers,) * frames, peak, width)
