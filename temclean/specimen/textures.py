"""Scenes of low resolution: soft and sharp particles, grains, bands, boxes, cracks, and mixtures of them.

The undistorted images without atoms of Lobato, Friedrich and Van Aert 2024, "Deep convolutional neural networks to
restore single-shot electron microscopy images". Every function of :data:`TEXTURES` takes a generator and a size and
returns a float32 array (size, size), nowhere below 0 and somewhere above, of no particular scale. Lengths are in
pixels, positions are rows of (y, x) with the centre of the first pixel at (0, 0). What the paper leaves open is ours
and said to be so.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.geometry import cells, coverage, line, log_uniform, plane, points, radii, turn, waves, window
from temclean.specimen.particles import sharp_particles, soft_particles

Image = NDArray[np.float32]
Floats = NDArray[np.float64]


def grains(rng: np.random.Generator, size: int) -> Image:
    """Draw 15 to 175 Voronoi grains, each under a positive plane; p = 0.5: with borders of 0.5 to 1.5 their mean.

    Ours: borders 1 to 5 pixels wide, of the same ratio to each grain throughout an image.
    """
    count = int(rng.integers(15, 176))
    seeds = points(rng, count, size, rng.uniform(1.0, 20.0))
    owner, neighbour, distance = cells(seeds, size, reach_px=3.0)
    image = grain_levels(rng, seeds, owner, neighbour, distance)
    if rng.random() < 0.5:
        width, ratio = rng.uniform(1.0, 5.0), rng.uniform(0.5, 1.5)
        pixels = np.bincount(owner.ravel(), minlength=count)
        means = np.bincount(owner.ravel(), image.ravel(), count) / np.maximum(pixels, 1)
        border = (ratio * means).astype(np.float32).take(owner)
        image += coverage(np.float32(width / 2) - distance) * (border - image)
    return np.maximum(image, 0.0)


def grain_levels(
    rng: np.random.Generator, seeds: Floats, owner: NDArray[np.intp], neighbour: NDArray[np.intp], distance: Image
) -> Image:
    """Draw a positive plane for each grain, and mix the two that share a pixel."""
    size, count = len(owner), len(seeds)
    angle, tilt = rng.uniform(0.0, 2.0 * np.pi, count), rng.uniform(0.0, rng.uniform(0.0, 0.9), count)
    level = rng.uniform(rng.uniform(0.0, 0.9), 1.0, count)
    slope = level * tilt / max(size / np.sqrt(count), 1.0)
    by_row, by_column = slope * np.sin(angle), slope * np.cos(angle)
    start = level - by_row * seeds[:, 0] - by_column * seeds[:, 1]
    parts = np.stack([start, by_row, by_column]).astype(np.float32)
    grid = np.arange(size, dtype=np.float32)

    def shade(cell: NDArray[np.intp]) -> Image:
        shaded: Image = parts[0].take(cell) + parts[1].take(cell) * grid[:, None] + parts[2].take(cell) * grid
        return shaded

    mixed = coverage(distance)
    image: Image = mixed * shade(owner) + (np.float32(1.0) - mixed) * shade(neighbour)
    return image


def bands(rng: np.random.Generator, size: int) -> Image:
    """Draw one to three families of parallel bands, straight or wavy.

    All ours: 1 to 15 bands a family, 1 px to half the image wide, as layers, lamellae, fringes and folds are; borders
    sharp or soft; each band of a level in [0.1, 1] on nothing, under one plane a family.
    """
    image = np.zeros((size, size), np.float32)
    _, y, x = window(np.full(2, (size - 1) / 2), size, size)
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])):
        u, v = turn(y, x, rng.uniform(0.0, 2.0 * np.pi))
        if rng.random() < 0.3:
            period, height = size * log_uniform(rng, 0.2, 2.0), size * log_uniform(rng, 0.003, 0.05)
            phase = np.float32(2.0 * np.pi / period) * u + np.float32(rng.uniform(0.0, 2.0 * np.pi))
            v = v + np.float32(height) * np.sin(phase)
        profile = band_profile(rng, size)
        step = ((v + np.float32(size)) * np.float32((len(profile) - 1) / (2 * size))).astype(np.int32)
        image += profile.take(step, mode="clip") * plane(rng, y, x, 0.75 * size)
    return image


def band_profile(rng: np.random.Generator, size: int) -> Image:
    """Draw levels across bands, from -size to size in steps of an eighth of a pixel."""
    place = np.arange(-size, size, 0.125, dtype=np.float32)
    count = int(rng.integers(1, 16))
    largest = min(0.5 * size, 1.5 * size / count)
    low, high = np.sort([log_uniform(rng, 1.0, largest), log_uniform(rng, 1.0, largest)])
    softness = log_uniform(rng, 1.0, max(0.1 * size, 1.0)) if rng.random() < 0.4 else 1.0
    pitch = high * rng.uniform(1.2, 3.0) if rng.random() < 0.3 else 0.0
    start = rng.uniform(-0.45, 0.45) * size
    profile = np.zeros(len(place), np.float32)
    for index in range(count):
        middle = start + (index - count // 2) * pitch if pitch else rng.uniform(-0.45, 0.45) * size
        width = high if pitch else log_uniform(rng, low, high)
        inside = coverage(np.float32(width / 2) - np.abs(place - np.float32(middle)), min(softness, width))
        profile += inside * (np.float32(rng.uniform(0.1, 1.0)) - profile)
    return profile


def boxes(rng: np.random.Generator, size: int) -> Image:
    """Draw 3 to 40 rectangles, each under a positive plane of its own, some of them hollow.

    All ours: sides from 1 px to 0.8 of the image, as rods, plates, devices and the squares that a scan leaves are; in
    half of the images all lie the same way; in half each hides what it lies on.
    """
    count = int(log_uniform(rng, 3.0, 41.0))
    aligned, hides, hollow = rng.random(3) < (0.5, 0.5, 0.2)
    common, stretch = rng.uniform(0.0, np.pi), rng.uniform(0.0, np.log(8.0))
    image = np.zeros((size, size), np.float32)
    for half in radii(rng, count, 0.4 * size):
        other = max(half * np.exp(-rng.uniform(0.0, stretch)), 0.5)
        place, y, x = window(rng.uniform(-0.5, size - 0.5, 2), np.hypot(half, other) + 1.0, size)
        angle = common + rng.integers(2) * np.pi / 2 if aligned else rng.uniform(0.0, np.pi)
        u, v = turn(y, x, angle)
        depth = np.minimum(np.float32(half) - np.abs(u), np.float32(other) - np.abs(v))
        weight, body = coverage(depth), plane(rng, y, x, 1.5 * half + 1.0)
        if hollow:
            weight = weight * (1.0 - coverage(depth - np.float32(max(0.3 * other, 1.0))))
        image[place] += weight * (body - image[place] if hides else body)
    return np.maximum(image, 0.0)


def cracks(rng: np.random.Generator, size: int) -> Image:
    """Draw 2 to 8 cracks with their branches, bright on nothing (a mixture also takes them from what lies below).

    All ours: random walks, jagged or gently bent, 0.3 to 1.5 of the image long, 1 to 10 px wide at their root and
    tapering to their tips, branching up to three times; or, where they do not taper, threads and folds.
    """
    image = np.zeros((size, size), np.float32)
    bend, tapers = log_uniform(rng, 0.05, 0.7), rng.random() < 0.7
    stride = max(size * rng.uniform(0.02, 0.06), 2.0)
    branching = rng.uniform(0.0, 0.1)
    for _ in range(rng.integers(2, 9)):
        level, softness = rng.uniform(0.2, 1.0), rng.uniform(1.0, 3.0)
        root, length = rng.uniform(0.0, 1.0, 2) * size, log_uniform(rng, 0.3, 1.5) * size
        waiting = [(root, rng.uniform(0.0, 2.0 * np.pi), log_uniform(rng, 1.0, 10.0), length)]
        branches = 0
        while waiting:
            place, heading, width, left = waiting.pop()
            for done in range(steps := max(int(left / stride), 1)):
                ahead = place + stride * np.array([np.sin(heading), np.cos(heading)])
                now = width * (1.0 - done / steps if tapers else 1.0)
                line(image, place, ahead, now, level, softness)
                if branches < 3 and rng.random() < branching:
                    waiting.append((ahead, heading + rng.choice([-1, 1]) * rng.uniform(0.4, 1.2), 0.7 * now, left / 2))
                    branches += 1
                place, heading = ahead, heading + rng.normal(0.0, bend)
    return image


def patches(rng: np.random.Generator, size: int) -> Image:
    """Draw regions with winding edges: islands, holes, films and contamination, each under a positive plane.

    Not in the paper: parts of real images that no other texture resembles. A region is where a random field exceeds a
    threshold; its edge is smooth or ragged, sharp or soft; at times the edge alone is drawn, as wisps and folds.
    """
    image = np.zeros((size, size), np.float32)
    _, y, x = window(np.full(2, (size - 1) / 2), size, size)
    for _ in range(rng.integers(1, 4)):
        longest = log_uniform(rng, 0.15, 2.0) * size
        height, slope = waves(rng, size, longest, log_uniform(rng, 4.0, max(0.5 * longest, 4.0)), rng.uniform(0.7, 2.0))
        depth = (height - np.quantile(height[::4, ::4], rng.uniform(0.2, 0.9)).astype(np.float32)) / np.float32(slope)
        if rng.random() < 0.2:
            depth = np.float32(log_uniform(rng, 1.0, 10.0)) - np.abs(depth)
        softness = log_uniform(rng, 1.0, max(0.1 * size, 1.0)) if rng.random() < 0.5 else 1.0
        image += coverage(depth, softness) * (plane(rng, y, x, 0.75 * size) - image)
    return np.maximum(image, 0.0)


def fringes(rng: np.random.Generator, size: int, spacing_px: float) -> Image:
    """Draw domains of fringes, each bent around a centre near or far and by waves, over a part of the image; ours."""
    spacing_px = max(spacing_px, 2.5)
    seeds = rng.uniform(0.0, size, (int(rng.integers(2, 25)), 2))
    owner, _, distance = cells(seeds, size, reach_px=spacing_px)
    away = log_uniform(rng, 0.2, 5.0) * size
    angle = rng.uniform(0.0, 2.0 * np.pi, len(seeds))
    centres = (seeds + away * np.stack([np.sin(angle), np.cos(angle)], axis=1)).astype(np.float32)
    y, x = np.indices((size, size), np.float32)
    bent, slope = waves(rng, size, size / 1.5, max(size / 10.0, 2.0 * spacing_px), 1.0)
    bent *= np.float32(rng.uniform(0.0, 0.35) / max(slope, 1e-6))
    radius = np.hypot(y - centres[owner, 0], x - centres[owner, 1]) + bent
    strength = rng.uniform(0.1, 1.0, len(seeds)).astype(np.float32)[owner] * coverage(distance, spacing_px)
    image = np.float32(1.0) + strength * np.cos(np.float32(2.0 * np.pi / spacing_px) * radius)
    level, _ = waves(rng, size, size / 1.0, size / 5.0, 1.0)
    inside = coverage(level + np.float32(rng.uniform(-0.5, 2.0)), 0.1)
    drawn: Image = image * inside + np.float32(rng.uniform(0.0, 1.0)) * inside
    return drawn + np.float32(1e-3)


def mixture(rng: np.random.Generator, size: int) -> Image:
    """Superpose a random set of one to four textures, as the paper does, each at a height of its own.

    Ours: the chances of each; cracks as often taken from what is there as added to it; a floor that is at most as
    high as the rest (0.7); a surface that is rough by up to a twentieth rms (0.25).
    """
    count = int(rng.choice([1, 2, 3, 4], p=[0.35, 0.35, 0.2, 0.1]))
    names = rng.choice(list(CHANCES), count, replace=False, p=list(CHANCES.values()))
    image = np.zeros((size, size), np.float32)
    torn = None
    for name in names.tolist():
        layer = TEXTURES[name](rng, size)
        layer *= np.float32(log_uniform(rng, 0.1, 1.0) / max(float(layer.max()), 1e-6))
        if name == "cracks" and rng.random() < 0.5:
            torn = layer
        else:
            image += layer
    if rng.random() < 0.7:
        image += np.float32(rng.random() * max(float(image.max()), 0.1))
    if rng.random() < 0.25:
        rough, _ = waves(rng, size, log_uniform(rng, 12.0, 0.2 * size), 6.0, rng.uniform(0.5, 1.5))
        image *= np.maximum(1.0 + np.float32(log_uniform(rng, 0.01, 0.05)) * rough, 0.0)
    if torn is not None:
        image = np.maximum(image, np.float32(0.1)) * (1.0 - torn)
    return image


TEXTURES: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "soft_particles": soft_particles,
    "sharp_particles": sharp_particles,
    "grains": grains,
    "bands": bands,
    "boxes": boxes,
    "cracks": cracks,
    "patches": patches,
    "mixture": mixture,
}

CHANCES = {
    "soft_particles": 0.2,
    "sharp_particles": 0.2,
    "grains": 0.15,
    "bands": 0.12,
    "boxes": 0.11,
    "cracks": 0.1,
    "patches": 0.12,
}
"""How probable each texture is to be the first of a mixture."""
