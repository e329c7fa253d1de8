"""A single heavy atom on graphene, that stays for some frames and hops."""

import numpy as np

from temclean.specimen.atoms import BOND, Atoms, lattice_points
from temclean.specimen.movies.scene import Scene, reach

STAY = 3.0, 10.0
"""Frames between hops, on average."""


def scene(rng: np.random.Generator, frames: int, size: int, pixel_size: float) -> Scene:
    """Draw a sheet of graphene, and an atom that sits over one of its atoms and hops by one to three bonds."""
    length = BOND * np.sqrt(3.0)
    vectors = length * np.array([[0.0, 1.0], [np.sqrt(0.75), 0.5]])
    basis = np.array([[0.0, 0.0], [1.0, 1.0]]) / 3.0
    low, high = reach(size)
    points, _ = lattice_points(rng, vectors, basis, (high - low) * pixel_size)
    points = points / pixel_size + low
    blur = rng.uniform(0.45, 0.6) / pixel_size
    support = Atoms(points, np.full(len(points), rng.uniform(0.05, 0.2)), np.full(len(points), blur))
    edge = size / 6
    inside = points[((points > edge) & (points < size - 1 - edge)).all(axis=1)]
    if not len(inside):  # a view so small that it holds no atom of the sheet
        inside = np.array([[size / 2, size / 2]])
    site = int(rng.integers(0, len(inside)))
    chance = 1.0 / rng.uniform(*STAY)
    places = []
    for frame in range(frames):
        if frame and rng.random() < chance:
            gap = np.linalg.norm(inside - inside[site], axis=1) * pixel_size
            near = np.flatnonzero((gap > 0.5 * BOND) & (gap < 3.1 * BOND))
            site = int(rng.choice(near)) if len(near) else site
        places.append(inside[[site]])
    numbers = (np.zeros(1, np.int64),) * frames
    peak, width = np.array([rng.uniform(0.45, 0.6)]), np.array([rng.uniform(0.55, 0.8) / pixel_size])
    return Scene(rng.uniform(0.05, 0.12), support, tuple(places), numbers, peak, width)
