"""What tells a real crystal from a perfect one: small shifts, thickness, rare defects; and how columns become an image.

Lengths are in pixels, positions are rows of (y, x).
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from temclean.specimen import atoms
from temclean.specimen.coherent.columns import DOPANT, INTERSTITIAL, Columns, joined
from temclean.specimen.coherent.strain import straight
from temclean.specimen.geometry import coverage, log_uniform, waves

Image = NDArray[np.float32]
Floats = NDArray[np.float64]


def shaken(rng: np.random.Generator, columns: Columns) -> Columns:
    """Shift and dim each column for itself, by little.

    Shifts have a standard deviation of 0.002 to 0.06 of the width, log-uniform, in a sixth of the images of up to 0.35;
    peaks scatter by 0.003 to 0.12, log-uniform.
    """
    part = rng.uniform(0.0, 0.35) if rng.random() < 1 / 6 else log_uniform(rng, 0.002, 0.06)
    spread = log_uniform(rng, 0.003, 0.12)
    count = len(columns.peak)
    return replace(
        columns,
        positions=columns.positions + part * columns.width[:, None] * rng.standard_normal((count, 2)),
        peak=columns.peak * np.clip(1.0 + spread * rng.standard_normal(count), 0.5, 1.5),
    )


def defects(rng: np.random.Generator, columns: Columns, gap: float) -> Columns:
    """Take a few columns away (0.5), make a few brighter or fainter (0.5), put a few between others (0.15)."""
    count = len(columns.peak)
    if rng.random() < 0.5 and count:
        missing = rng.random(count) < log_uniform(rng, 0.002, 0.03)
        columns = replace(columns[~missing], vacancies=columns.positions[missing])
    if rng.random() < 0.5:
        hit = rng.random(len(columns.peak)) < log_uniform(rng, 0.002, 0.03)
        factor = rng.uniform(0.2, 0.85) if rng.random() < 0.5 else rng.uniform(1.15, 2.5)
        columns = replace(
            columns,
            peak=np.where(hit, columns.peak * factor, columns.peak),
            marks=np.where(hit, DOPANT, columns.marks).astype(np.uint8),
        )
    if rng.random() < 0.15 and len(columns.peak):
        chosen = np.flatnonzero(rng.random(len(columns.peak)) < log_uniform(rng, 0.0005, 0.01))
        angle = rng.uniform(0.0, 2.0 * np.pi, len(chosen))
        beside = columns.positions[chosen] + 0.55 * gap * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        columns = Columns(
            np.concatenate([columns.positions, beside]),
            np.concatenate([columns.peak, columns.peak[chosen] * rng.uniform(0.3, 1.0)]),
            np.concatenate([columns.width, columns.width[chosen]]),
            np.concatenate([columns.marks, np.full(len(chosen), INTERSTITIAL, np.uint8)]),
            columns.vacancies,
        )
    return columns


def thickness(rng: np.random.Generator, size: int, softness: float) -> Image:
    """Draw how thick a specimen is, (size, size), about 1: waves, a wedge, steps as soft as told, or all the same."""
    thick = np.ones((size, size), np.float32)
    y, x = np.indices((size, size), np.float32)
    if rng.random() < 0.5:
        field, _ = waves(rng, size, 3.0 * size, 0.3 * size, 1.0)
        thick *= np.clip(1.0 + np.float32(log_uniform(rng, 0.01, 0.2)) * field, 0.3, 2.0)
    if rng.random() < 0.3:
        thick *= np.clip(1.0 + np.float32(rng.uniform(0.1, 0.7) / size) * straight(rng, size)(y, x), 0.2, 2.0)
    if rng.random() < 0.2:
        for _ in range(rng.integers(1, 4)):
            height = np.float32(log_uniform(rng, 0.02, 0.4))
            thick *= 1.0 - height * coverage(straight(rng, size)(y, x), softness)
    return thick.astype(np.float32)


def tilted(rng: np.random.Generator, columns: Columns) -> Columns:
    """Draw each column twice, 0.4 to 1.6 widths apart, as a crystal or a beam that is tilted draws them out."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    half = rng.uniform(0.2, 0.8) * columns.width[:, None] * np.array([np.sin(angle), np.cos(angle)])
    ends = (replace(columns, positions=columns.positions + sign * half, peak=0.5 * columns.peak) for sign in (-1, 1))
    return joined(*ends)


def drawn(rng: np.random.Generator, columns: Columns, size: int) -> Image:
    """Draw columns: Gaussian, or sharper with tails, or with the tails of a probe; a fifth tilted."""
    columns = tilted(rng, columns) if rng.random() < 0.2 else columns
    tails = log_uniform(rng, 0.05, 0.5) if rng.random() < 0.5 else 0.0
    narrow, wide = (rng.uniform(0.7, 1.0), rng.uniform(1.4, 3.0)) if tails else (1.0, 1.0)
    image = atoms.gaussians(
        atoms.Atoms(columns.positions, (1.0 - tails) * columns.peak, np.maximum(narrow * columns.width, 0.65)), size
    )
    if tails:
        image += atoms.gaussians(atoms.Atoms(columns.positions, tails * columns.peak, wide * columns.width), size)
    return image


def grounded(rng: np.random.Generator, image: Image, columns: Columns, thick: Image, area: float) -> Image:
    """Put a floor under the crystal, as far as its columns reach (0.4), and all on a thin granular film (0.2).

    Parameters
    ----------
    image : (size, size), the columns.
    thick : (size, size), the thickness.
    area : square pixels of the lattice for each column.
    """
    top = max(float(image.max(initial=0.0)), 1e-6)
    if rng.random() < 0.4 and len(columns.peak):
        image = image + np.float32(top * rng.uniform(0.05, 0.8)) * thick * floor(columns.positions, len(image), area)
    if rng.random() < 0.2:
        apart = float(np.sqrt(area))
        film, _ = waves(rng, len(image), 2.5 * apart, max(0.5 * apart, 2.0), 0.5)
        image = image + np.float32(log_uniform(rng, 0.01, 0.12) * top) * film
    return image


def floor(positions: Floats, size: int, area: float) -> Image:
    """Return how densely columns stand around each pixel, (size, size): 1 inside a crystal.

    Each counts as a Gaussian of 0.8 of the root of its area. Their sum is smooth: it is drawn with narrower Gaussians
    on a coarser grid, and the grid is summed with Gaussians of one step, which leave no trace of it.
    """
    spread = max(0.8 * float(np.sqrt(area)), 1.5)
    step = spread / 1.5
    edge = 6
    coarse = int(np.ceil(size / step)) + 2 * edge
    count, width = len(positions), float(np.sqrt(1.5**2 - 1.0))
    body = atoms.gaussians(atoms.Atoms(positions / step + edge, np.ones(count), np.full(count, width)), coarse)
    apart = (np.arange(size) / step + edge)[:, None] - np.arange(coarse)
    weights = np.exp(-0.5 * apart**2).astype(np.float32)
    dense = weights @ body @ weights.T
    dense *= np.float32(area / step**2 / (2.0 * np.pi) ** 2 / width**2)
    return dense.astype(np.float32)
