"""Platinum on carbon: close-packed patches and single atoms that hop between sites, appear and vanish.

The sizes are those of a HAADF movie of a catalyst (Wang et al. 2020); the rates are ours.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.atoms import Atoms
from temclean.specimen.movies.scene import Floats, Scene, reach

Integers = NDArray[np.int64]

APART = 2.77
"""Nearest neighbours in platinum, Å."""

WIDTH = 0.5, 0.8
"""Standard deviation of an atom's image, Å."""

DENSITY = 1.5e-3, 6e-3
"""Patches for each Å² of carbon."""

MOST = 200
"""Patches in one movie."""

LOOSE = 6.0
"""How many times as often an atom hops that has no more than two neighbours."""


def scene(rng: np.random.Generator, frames: int, size: int, pixel_size: float) -> Scene:
    """Draw patches and what becomes of them from frame to frame."""
    apart = APART / pixel_size
    sites = _sites(rng, size, pixel_size, apart)
    occupied = _occupied(rng, sites, apart)
    rate = np.exp(rng.uniform(np.log(0.002), np.log(0.02)))
    peak: list[float] = []
    places, numbers = [], []
    holder = np.full(len(sites), -1, np.int64)
    single, double = rng.uniform(0.3, 0.45), rng.uniform(1.5, 1.9)

    def new(site: int) -> None:
        holder[site] = len(peak)
        peak.append(single * rng.normal(1.0, 0.05) * (double if rng.random() < 0.2 else 1.0))

    for site in np.flatnonzero(occupied):
        new(int(site))
    distance = np.linalg.norm(sites[:, None] - sites, axis=2)
    for frame in range(frames):
        if frame:
            _step(rng, holder, distance / apart, rate, new)
        there = np.flatnonzero(holder >= 0)
        places.append(sites[there])
        numbers.append(holder[there])
    peaks = np.array(peak)
    widths = np.full(len(peaks), rng.uniform(*WIDTH) / pixel_size)
    return Scene(rng.uniform(0.08, 0.18), _carbon(rng, size, pixel_size), tuple(places), tuple(numbers), peaks, widths)


def _sites(rng: np.random.Generator, size: int, pixel_size: float, apart: float) -> Floats:
    """Return the sites (N, 2) of all patches: hexagonal, each turned at random, none too close to those before."""
    low, high = reach(size)
    count = 1 + rng.poisson(rng.uniform(*DENSITY) * ((high - low) * pixel_size) ** 2)
    found = np.zeros((0, 2))
    for _ in range(min(count, MOST)):
        rings = float(rng.choice([1.2, 1.2, 2.1, 3.2]))
        cells = np.stack(np.meshgrid(np.arange(-4, 5), np.arange(-4, 5), indexing="ij"), -1).reshape(-1, 2)
        angle = rng.uniform(0.0, np.pi / 3) + np.array([0.0, np.pi / 3])
        patch = apart * cells @ np.stack([np.sin(angle), np.cos(angle)], axis=1)
        patch = patch[np.linalg.norm(patch, axis=1) < rings * apart] + rng.uniform(low, high, 2)
        if len(found):
            gap = np.linalg.norm(patch[:, None] - found, axis=2).min(axis=1)
            patch = patch[gap > 0.85 * apart]
        found = np.concatenate([found, patch])
    return found


def _occupied(rng: np.random.Generator, sites: Floats, apart: float) -> NDArray[np.bool_]:
    """Return which sites hold an atom at first: in places nearly all, in places hardly any."""
    middle = sites[rng.integers(0, len(sites), 1 + len(sites) // 12)]
    close = np.linalg.norm(sites[:, None] - middle, axis=2).min(axis=1) < 1.5 * apart
    filled: NDArray[np.bool_] = rng.random(len(sites)) < np.where(close, 0.8, 0.12)
    filled[int(rng.integers(0, len(sites)))] = True
    return filled


def _step(
    rng: np.random.Generator, holder: Integers, distance: Floats, rate: float, new: Callable[[int], None]
) -> None:
    """Let a frame pass; distances between sites are in nearest neighbours. What is left stays empty for a frame."""
    free = holder < 0
    for site in np.flatnonzero(~free):
        neighbours = int(((distance[site] < 1.2) & (holder >= 0)).sum()) - 1
        chance = rate * (LOOSE if neighbours <= 2 else 1.0)
        fate = rng.random()
        goals = np.flatnonzero(free & (distance[site] < 3.2))
        if fate < chance and len(goals):
            goal = int(rng.choice(goals))
            holder[goal], holder[site], free[goal] = holder[site], -1, False
        elif chance <= fate < 1.2 * chance:
            holder[site] = -1
    for site in np.flatnonzero(free):
        if rng.random() < 0.15 * rate:
            new(int(site))


def _carbon(rng: np.random.Generator, size: int, pixel_size: float) -> Atoms:
    """Draw an amorphous film: broad weak spots, as many bright as dark."""
    low, high = reach(size)
    count = int(min(4000, max(20, ((high - low) * pixel_size) ** 2 / 12.0)))
    places = rng.uniform(low, high, (count, 2))
    strength = rng.uniform(0.01, 0.05)
    return Atoms(places, rng.normal(0.0, strength, count), rng.uniform(1.2, 3.0, count) / pixel_size)
