"""What textures are made of: random sizes, places and planes; polygons, ellipses, cells and lines; smooth fields.

Lengths are in pixels, positions are rows of (y, x) with the centre of the first pixel at (0, 0).
"""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Slices = tuple[slice, slice]

SMALLEST_PX = 1.5
"""Radius of the smallest particle."""


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number of which the logarithm is uniform from that of ``low`` to that of ``high``."""
    return float(np.exp(rng.uniform(np.log(low), np.log(max(low, high)))))


def radii(rng: np.random.Generator, count: int, largest_px: float) -> Floats:
    """Draw radii (count,) between two limits that are drawn too: alike at times, at times many small and few large."""
    low, high = np.sort(rng.uniform(np.log(SMALLEST_PX), np.log(max(SMALLEST_PX, largest_px)), 2))
    drawn: Floats = np.exp(low + (high - low) * rng.random(count) ** rng.uniform(1.0, 4.0))
    return drawn


def points(rng: np.random.Generator, count: int, size: int, least_px: float) -> Floats:
    """Draw points (count, 2) at least ``least_px`` apart, or nearer where the image has no room for so many.

    The paper's specimen "individual points", whose least distance is 1 to 20 pixels.
    """
    least_px = min(least_px, 0.5 * size / np.sqrt(count))
    tried = rng.uniform(-0.5, size - 0.5, (4 * count, 2))
    y, x = tried.T
    near = (y[:, None] - y) ** 2 + (x[:, None] - x) ** 2 < least_px**2
    free = np.ones(len(tried), bool)
    for index in range(len(tried)):
        if free[index]:
            free[index + 1 :] &= ~near[index, index + 1 :]
    return np.concatenate([tried[free], tried[~free]])[:count]


def plane(rng: np.random.Generator, y: Image, x: Image, reach_px: float, least: float = 0.1) -> Image:
    """Draw a positive plane: a level in [least, 1], tilted so that it stays above 0 within a reach of the origin."""
    level, tilt, angle = rng.uniform(least, 1.0), rng.uniform(0.0, 0.9), rng.uniform(0.0, 2.0 * np.pi)
    slope = level * tilt / max(reach_px, 1.0)
    return np.float32(slope * np.sin(angle)) * y + (np.float32(slope * np.cos(angle)) * x + np.float32(level))


def window(centre: NDArray[np.floating], reach_px: float, size: int) -> tuple[Slices, Image, Image]:
    """Return the part of the image within a reach of a centre, and its y (h, 1) and x (1, w) from there."""
    (top, left), (bottom, right) = np.clip([centre - reach_px, centre + reach_px + 2.0], 0, size).astype(int)
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(centre[0])
    x = np.arange(left, right, dtype=np.float32)[None] - np.float32(centre[1])
    return (slice(top, bottom), slice(left, right)), y, x


def turn(y: Image, x: Image, angle: float) -> tuple[Image, Image]:
    """Return coordinates along and across a direction, ``angle`` radians from x to y."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cosine * x + sine * y, cosine * y - sine * x


def coverage(distance_px: Image, softness_px: float = 1.0) -> Image:
    """Turn a distance from an edge, positive inside, into the share of each pixel that is inside."""
    share: Image = np.clip(np.float32(0.5) + distance_px / np.float32(softness_px), 0.0, 1.0)
    return share


def waves(
    rng: np.random.Generator, size: int, longest_px: float, shortest_px: float, decay: float
) -> tuple[Image, float]:
    r"""Draw a random field of mean 0 and variance 1 that looks alike in all directions, and its rms slope a pixel.

    A sum of 80 plane waves, their lengths log-uniform between the two given and their heights proportional to
    length to the power ``decay``: the larger that is, the smoother the field. As
    :math:`\cos(a + b) = \cos a \cos b - \sin a \sin b`, it is one matrix product.
    """
    count = 80
    length = np.exp(rng.uniform(np.log(min(shortest_px, longest_px)), np.log(longest_px), count))
    height = length**decay
    height *= np.sqrt(2.0 / (height**2).sum())
    angle, phase = rng.uniform(0.0, 2.0 * np.pi, (2, count))
    number = 2.0 * np.pi / length
    grid = np.arange(size)
    rows = np.outer(grid, number * np.sin(angle)) + phase
    columns = np.outer(number * np.cos(angle), grid)
    left = np.concatenate([height * np.cos(rows), -height * np.sin(rows)], axis=1).astype(np.float32)
    right = np.concatenate([np.cos(columns), np.sin(columns)]).astype(np.float32)
    return left @ right, float(np.sqrt(0.5 * ((height * number) ** 2).sum()))


def polygon(y: Image, x: Image, corners: Floats) -> Image:
    """Return the distance inside the nearest edge of a convex polygon, corners (N, 2) in order of their angle."""
    edges = np.roll(corners, -1, axis=0) - corners
    normals = edges[:, ::-1] * [[1.0, -1.0]] / np.linalg.norm(edges, axis=1, keepdims=True)
    offsets = (normals * corners).sum(axis=1)
    normals *= -np.sign(offsets)[:, None]
    distance = np.full(np.broadcast_shapes(y.shape, x.shape), np.inf, np.float32)
    for (across, along), offset in zip(normals.astype(np.float32), np.abs(offsets).astype(np.float32), strict=True):
        np.minimum(distance, across * y + (along * x + offset), out=distance)
    return distance


def ellipse(y: Image, x: Image, along_px: float, across_px: float, angle: float) -> Image:
    """Return the distance inside an ellipse, right to first order at its edge."""
    u, v = turn(y, x, angle)
    u, v = u / np.float32(along_px), v / np.float32(across_px)
    rho = np.sqrt(u * u + v * v)
    slope = np.hypot(u / np.float32(along_px), v / np.float32(across_px)) + np.float32(1e-6)
    distance: Image = (np.float32(1.0) - rho) * rho / slope
    return distance


def random_outline(rng: np.random.Generator, y: Image, x: Image, radius: float) -> Image:
    """Draw a polygon of 3 to 5 corners or an ellipse, 0.5 each, within a radius, as the distance inside it."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    if rng.random() < 0.5:
        return ellipse(y, x, radius, max(radius * rng.uniform(0.4, 1.0), 0.5), angle)
    count = int(rng.integers(3, 6))
    angles = angle + 2.0 * np.pi / count * (np.arange(count) + rng.uniform(-0.22, 0.22, count))
    return polygon(y, x, radius * np.stack([np.sin(angles), np.cos(angles)], axis=1))


def cells(seeds: Floats, size: int, reach_px: float = 1.0) -> tuple[NDArray[np.intp], NDArray[np.intp], Image]:
    """Tell for each pixel the Voronoi cell that it is in, the nearest cell beside, and how far their border is.

    Parameters
    ----------
    seeds : (N, 2), N >= 2, rows of (y, x) in pixels.
    reach_px : the neighbour and the distance are right where the distance is up to this; else the distance is too
        large, or infinite.

    Returns
    -------
    owner, neighbour : integer arrays (size, size), rows of ``seeds``.
    distance : float32 array (size, size), pixels.

    The distance of r from the border of cells i and j is (|r - j|^2 - |r - i|^2) / (2 |i - j|).
    """
    owner, neighbour = np.empty((2, size, size), np.intp)
    distance = np.empty((size, size), np.float32)
    tile = 32
    for top in range(0, size, tile):
        for left in range(0, size, tile):
            place = slice(top, top + tile), slice(left, left + tile)
            middle = np.array([top, left]) + (tile - 1) / 2
            away = np.hypot(*(seeds - middle).T)
            near = np.flatnonzero(away <= np.sort(away)[:2].max() + 1.5 * tile + 2.0 * reach_px)
            y = np.arange(top, min(top + tile, size), dtype=np.float32)[:, None]
            x = np.arange(left, min(left + tile, size), dtype=np.float32)
            first, second, gap = nearest_two(seeds[near], y, x)
            owner[place], neighbour[place], distance[place] = near[first], near[second], gap
    return owner, neighbour, distance


def nearest_two(seeds: Floats, y: Image, x: Image) -> tuple[NDArray[np.intp], NDArray[np.intp], Image]:
    """Return the owner, the nearest cell beside and the distance of their border, over a few seeds."""
    rows, columns = seeds.astype(np.float32).T[:, :, None, None]
    squared = (y - rows) ** 2 + (x - columns) ** 2
    owner = squared.argmin(axis=0)
    apart = 2.0 * np.hypot(*(seeds[:, None] - seeds).transpose(2, 0, 1)).astype(np.float32)
    np.fill_diagonal(apart, np.nan)
    gap = (squared - squared.min(axis=0)) / np.maximum(apart, 1e-6)[:, owner]
    np.nan_to_num(gap, copy=False, nan=np.inf)
    neighbour = gap.argmin(axis=0)
    return owner, neighbour, gap.min(axis=0)


def line(image: Image, start: Floats, end: Floats, width: float, level: float, softness: float = 1.0) -> None:
    """Draw a straight line with round ends over an image, where it is darker."""
    middle, half = (start + end) / 2, (end - start) / 2
    place, y, x = window(middle, float(np.abs(half).max()) + width / 2 + softness, len(image))
    along = (np.float32(half[0]) * y + np.float32(half[1]) * x) / np.float32(max(float(half @ half), 1e-6))
    np.clip(along, -1.0, 1.0, out=along)
    away = np.hypot(y - along * np.float32(half[0]), x - along * np.float32(half[1]))
    inside = coverage(np.float32(width / 2) - away, softness)
    np.maximum(image[place], np.float32(level) * inside, out=image[place])
