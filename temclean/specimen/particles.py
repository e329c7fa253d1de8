"""Soft and sharp particles of low resolution: Lobato, Friedrich and Van Aert 2024, "Undistorted data generation".

Lengths are in pixels, positions are rows of (y, x). What the paper leaves open is ours and said to be so.
"""

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.geometry import coverage, plane, points, radii, random_outline, turn, window
from temclean.specimen.profiles import Profile

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

PROFILE_REACH = 6.0
"""Where a soft particle ends, in units of its radius r_m."""

PROFILE_STEPS = 16384


def gather(rng: np.random.Generator, centres: Floats, radius: Floats) -> Floats:
    """Move half of the particles beside others that stay, so that pairs, chains and heaps form; ours."""
    moved = np.flatnonzero(rng.random(len(centres)) < 0.5)
    beside = rng.integers(0, np.maximum(moved, 1))
    angle = rng.uniform(0.0, 2.0 * np.pi, len(moved))
    apart = (radius[moved] + radius[beside]) * rng.uniform(0.5, 1.1, len(moved))
    gathered = centres.copy()
    gathered[moved] = centres[beside] + apart[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return gathered


def soft_profile(rng: np.random.Generator) -> Image:
    r"""Draw a radial profile (PROFILE_STEPS,) over r / r_m from 0 to PROFILE_REACH, where it comes to 0 (eq. 17).

    .. math:: f(r) = h_1 e^{-r^2 / 2 r_m^2} + h_2 e^{-r / r_m} + h_3 / (1 + (r / r_m)^{2n})

    with h in [0.5, 1] and n in [4, 16].
    """
    r = np.linspace(0.0, PROFILE_REACH, PROFILE_STEPS)
    h1, h2, h3 = rng.uniform(0.5, 1.0, 3)
    value = Profile(1.0, h1, h2, h3, rng.uniform(4.0, 16.0))(r)
    profile: Image = (value - value[-1]).astype(np.float32)
    return profile


def soft_particles(rng: np.random.Generator, size: int) -> Image:
    """Draw 15 to 85 soft particles: eq. 17 with a ratio of axes in [0.8, 1.2], each turned at random.

    Ours: r_m from 1.5 px to a twelfth of the image, one to four profiles an image, heights in [0.1, 1].
    """
    count = int(rng.integers(15, 86))
    centres = points(rng, count, size, rng.uniform(1.0, 20.0))
    profiles = [soft_profile(rng) for _ in range(rng.integers(1, 5))]
    ratios, angles = rng.uniform(0.8, 1.2, count), rng.uniform(0.0, np.pi, count)
    heights = rng.uniform(rng.uniform(0.1, 1.0), 1.0, count)
    image = np.zeros((size, size), np.float32)
    for index, radius in enumerate(radii(rng, count, size / 12)):
        profile = np.float32(heights[index]) * profiles[index % len(profiles)]
        add_soft(image, profile, centres[index], radius, ratios[index] * radius, angles[index])
    return image


def add_soft(image: Image, profile: Image, centre: Floats, along_px: float, across_px: float, angle: float) -> None:
    """Add a soft particle to an image: a profile over r / r_m, with an r_m of its own along each axis."""
    place, y, x = window(centre, PROFILE_REACH * max(along_px, across_px), len(image))
    u, v = turn(y, x, angle)
    steps = (PROFILE_STEPS - 1) / PROFILE_REACH
    u, v = u * np.float32(steps / along_px), v * np.float32(steps / across_px)
    image[place] += profile.take(np.sqrt(u * u + v * v).astype(np.int32), mode="clip")


def sharp_particles(rng: np.random.Generator, size: int) -> Image:
    """Draw 15 to 40 sharp particles, polygons or ellipses, each under a positive plane of its own.

    Ours: radii from 1.5 px to a sixth of the image. In some images every particle hides what it lies on (0.4), has a
    bright rim as secondary electrons give it (0.3), is brightest in its middle as a thick body is (0.3), or touches
    others (0.3).
    """
    count = int(rng.integers(15, 41))
    centres = points(rng, count, size, rng.uniform(1.0, 20.0))
    radius_px = radii(rng, count, size / 6)
    hides, rimmed, domed, gathered = rng.random(4) < (0.4, 0.3, 0.3, 0.3)
    if gathered:
        centres = gather(rng, centres, radius_px)
    least = rng.uniform(0.1, 1.0)
    rim = np.float32(rng.uniform(0.3, 1.5) if rimmed else 0.0)
    rim_share = rng.uniform(0.05, 0.3)
    image = np.zeros((size, size), np.float32)
    for centre, radius in zip(centres, radius_px, strict=True):
        place, y, x = window(centre, radius + 1.0, size)
        distance = random_outline(rng, y, x, radius)
        weight, body = coverage(distance), plane(rng, y, x, radius + 1.0, least)
        if domed:
            body *= np.sqrt(np.clip(distance / np.float32(radius), 0.05, 1.0))
        if rimmed:
            body *= 1.0 + rim * np.exp(np.minimum(-distance / np.float32(max(rim_share * radius, 1.0)), 0.0))
        image[place] += weight * (body - image[place] if hides else body)
    return np.maximum(image, 0.0)
