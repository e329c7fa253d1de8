"""Fringes of every spacing: straight and crossed, bent, around centres as in soot, moiré, and those of equal thickness.

And what repeats like fringes and is flat between its borders: phases that wind about each other, gratings and devices.
Each function returns a float32 image (size, size) of no particular scale. Lengths are in pixels. All of it is ours.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.specimen.geometry import coverage, ellipse, log_uniform, turn, waves, window

Image = NDArray[np.float32]

FINEST = 2.5
"""The closest fringes, in pixels from one to the next: closer ones are lost to the pixels of the camera."""


def spacing_of(rng: np.random.Generator, pixel_size: float | None) -> float:
    """Draw a spacing: that of graphite or another layered or close-packed crystal at its size, or any from 2.5 px."""
    if pixel_size is not None and rng.random() < 0.5:
        true = rng.choice([3.40, 3.35, 2.35, 2.04, 6.15, 9.5]) / pixel_size
        if FINEST <= true <= 40.0:
            return float(true)
    return log_uniform(rng, FINEST, 18.0)


def everywhere(size: int) -> tuple[Image, Image]:
    """Return y (size, 1) and x (1, size) from the middle."""
    _, y, x = window(np.full(2, (size - 1) / 2), size, size)
    return y, x


def bend(rng: np.random.Generator, size: int, spacing: float, most: float) -> Image:
    """Draw how far fringes are moved, by waves whose slope is at most about ``most``, rms."""
    moved, slope = waves(rng, size, size / 1.2, min(max(6.0 * spacing, 8.0), size / 1.2), 1.5)
    return moved * np.float32(rng.uniform(0.0, most) / max(slope, 1e-6))


def straight(rng: np.random.Generator, size: int, spacing: float) -> Image:
    """Draw one to three sets of straight fringes across each other, hardly bent, each of a strength that varies."""
    y, x = everywhere(size)
    total = np.zeros((size, size), np.float32)
    moved = bend(rng, size, spacing, 0.03)
    for _ in range(rng.choice([1, 2, 3], p=[0.6, 0.3, 0.1])):
        along, _ = turn(y, x, rng.uniform(0.0, np.pi))
        period = max(spacing * rng.choice([1.0, 1.0, rng.uniform(0.6, 1.6)]), FINEST)
        total += np.float32(rng.uniform(0.3, 1.0)) * np.cos(np.float32(2.0 * np.pi / period) * (along + moved))
    drawn: Image = total * strength(rng, size, spacing)
    return drawn


def strength(rng: np.random.Generator, size: int, spacing: float, least: float = 0.2) -> Image:
    """Draw where fringes are strong and where weak, between ``least`` or less and 1."""
    field, _ = waves(rng, size, log_uniform(rng, 0.15, 1.5) * size, max(4.0 * spacing, 6.0), 1.0)
    floor = np.float32(rng.uniform(0.0, least))
    weight: Image = np.clip(np.float32(0.6) + np.float32(rng.uniform(0.0, 0.6)) * field, floor, np.float32(1.0))
    return weight


def curved(rng: np.random.Generator, size: int, spacing: float) -> Image:
    """Draw fringes around a centre in or outside the image, bent."""
    y, x = everywhere(size)
    away, angle = log_uniform(rng, 0.05, 3.0) * size, rng.uniform(0.0, 2.0 * np.pi)
    radius = np.hypot(y - np.float32(away * np.sin(angle)), x - np.float32(away * np.cos(angle)))
    phase = np.float32(2.0 * np.pi / spacing) * (radius + bend(rng, size, spacing, 0.3))
    drawn: Image = np.cos(phase) * strength(rng, size, spacing)
    return drawn


def soot(rng: np.random.Generator, size: int, spacing: float) -> Image:
    """Draw particles of shells around centres, short of reach and bent, joined, on nothing or a granular film."""
    image = np.zeros((size, size), np.float32)
    body = np.zeros((size, size), np.float32)
    grid = np.arange(size, dtype=np.float32)
    moved, slope = waves(rng, size, 25.0 * spacing, 5.0 * spacing, 1.2)
    moved *= np.float32(rng.uniform(0.05, 0.55) / max(slope, 1e-6))
    broken, _ = waves(rng, size, 16.0 * spacing, 3.0 * spacing, 0.7)
    patchy = np.clip(np.float32(rng.uniform(0.3, 1.2)) + np.float32(rng.uniform(0.2, 0.8)) * broken, 0.0, 1.0)
    centre = rng.uniform(0.2, 0.8, 2) * size
    for _ in range(rng.integers(1, 5)):
        radius = max(log_uniform(rng, 0.15, 0.6) * size, 4.0 * spacing)
        y = grid[:, None] - np.float32(centre[0])
        x = grid - np.float32(centre[1])
        inside = coverage(ellipse(y, x, radius, radius * rng.uniform(0.7, 1.0), rng.uniform(0.0, np.pi)), 3.0)
        shells = np.cos(np.float32(2.0 * np.pi / spacing) * (np.hypot(y, x) + moved)) * patchy
        image += inside * (shells - image)
        np.maximum(body, inside, out=body)
        angle = rng.uniform(0.0, 2.0 * np.pi)
        centre = centre + radius * rng.uniform(0.8, 1.6) * np.array([np.sin(angle), np.cos(angle)])
    ground, _ = waves(rng, size, 8.0 * spacing, spacing, 0.5)
    image += np.float32(log_uniform(rng, 0.02, 0.4)) * ground
    return image + np.float32(rng.normal(0.0, 1.0)) * body


def thickness_fringes(rng: np.random.Generator, size: int, spacing: float) -> Image:
    """Draw fringes of equal thickness in from an edge, their spacing and strength falling, as two beams make them."""
    y, x = everywhere(size)
    along, _ = turn(y, x, rng.uniform(0.0, 2.0 * np.pi))
    depth = along + np.float32(size * rng.uniform(0.0, 0.5)) + bend(rng, size, spacing, 0.5)
    inside = np.maximum(depth, 0.0)
    reach = np.float32(size * log_uniform(rng, 0.1, 1.0))
    drawn = np.cos(np.float32(2.0 * np.pi / (3.0 * spacing)) * inside) * np.exp(-inside / reach)
    vacuum, body = np.float32(rng.uniform(0.0, 1.0)), coverage(depth, 2.0)
    image: Image = vacuum + (1.0 - vacuum - drawn) * body
    return image


def moire(rng: np.random.Generator, size: int, spacing: float) -> Image:
    """Draw two sets of fringes, little apart in spacing and direction, that beat."""
    y, x = everywhere(size)
    angle = rng.uniform(0.0, np.pi)
    first, _ = turn(y, x, angle)
    second, _ = turn(y, x, angle + rng.uniform(-0.25, 0.25))
    other = max(spacing * rng.uniform(0.85, 1.15), FINEST)
    part = np.float32(rng.uniform(0.3, 1.0))
    beats = np.cos(np.float32(2.0 * np.pi / spacing) * first) + part * np.cos(np.float32(2.0 * np.pi / other) * second)
    drawn: Image = beats * strength(rng, size, spacing)
    return drawn


KINDS: dict[str, Callable[[np.random.Generator, int, float], Image]] = {
    "straight": straight,
    "curved": curved,
    "soot": soot,
    "thickness": thickness_fringes,
    "moire": moire,
}


def draw(rng: np.random.Generator, size: int, pixel_size: float | None = None, kind: str | None = None) -> Image:
    """Draw fringes of one of :data:`KINDS`, over all or a part of the image, no value below 0."""
    kind = kind or str(rng.choice(list(KINDS), p=[0.3, 0.2, 0.28, 0.12, 0.1]))
    image = KINDS[kind](rng, size, spacing_of(rng, pixel_size))
    if kind != "soot" and rng.random() < 0.4:
        level, slope = waves(rng, size, size * 1.5, size / 4.0, 1.0)
        inside = coverage((level + np.float32(rng.uniform(-0.6, 1.2))) / np.float32(slope), rng.uniform(1.0, 8.0))
        image = image * inside + np.float32(rng.uniform(-1.5, 1.5)) * inside
    drawn: Image = image - image.min() + np.float32(1e-3)
    return drawn


def labyrinth(rng: np.random.Generator, size: int) -> Image:
    """Draw two phases that wind about each other: block copolymers, magnetic domains, alloys that came apart.

    Waves of nearly one length, cut at a level: stripes, or islands where one phase is rarer; borders from sharp to a
    third of the length wide, and phases that are flat or not quite.
    """
    period, spread = log_uniform(rng, max(6.0, size / 50.0), max(6.0, size / 5.0)), log_uniform(rng, 1.02, 1.6)
    field, slope = waves(rng, size, period * spread, period / spread, 1.0)
    if rng.random() < 0.7:
        field = wound(field, period, spread, int(rng.integers(1, 9)))
    field -= np.float32(rng.normal(0.0, 0.35))
    image = coverage(field / np.float32(slope), log_uniform(rng, 1.0, max(period / 3.0, 1.0)))
    image += np.float32(rng.choice([0.0, rng.uniform(-0.15, 0.3)])) * np.abs(field)
    image *= np.float32(rng.uniform(0.1, 1.0))
    slow, _ = waves(rng, size, 1.5 * size, 0.2 * size, 1.0)
    image += np.float32(log_uniform(rng, 0.002, 0.1)) * slow
    image = filters.gaussian(image, log_uniform(rng, 0.4, 1.5))
    drawn: Image = np.maximum(image + np.float32(rng.uniform(0.1, 0.8)), np.float32(0.0))
    return drawn


def wound(field: Image, period: float, spread: float, times: int) -> Image:
    """Let waves of one length grow at the cost of all others, as phases that part do, so that stripes seldom end."""
    frequency = np.hypot(np.fft.fftfreq(len(field))[:, None], np.fft.rfftfreq(len(field)))
    passed = (np.abs(np.log(np.maximum(frequency * period, 1e-6))) < np.log(spread) + 0.1).astype(np.float32)
    for _ in range(times):
        field = np.fft.irfft2(np.fft.rfft2(np.tanh(np.float32(2.0) * field)) * passed, field.shape).astype(np.float32)
        field /= np.float32(max(float(field.std()), 1e-6))
    return field


def circuits(rng: np.random.Generator, size: int) -> Image:
    """Draw gratings and devices: layers of bars or contacts along and across, each layer of one level, some missing."""
    y, x = everywhere(size)
    directions = turn(y, x, float(rng.choice([0.0, 0.5 * np.pi, rng.normal(0.0, 0.1)])))
    image = np.full((size, size), np.float32(rng.uniform(0.1, 0.5)))
    first, softness = int(rng.integers(2)), log_uniform(rng, 1.0, 6.0)
    for layer in range(rng.integers(1, 4)):
        period, duty = log_uniform(rng, 5.0, size / 3.0 + 5.0), rng.uniform(0.15, 0.85)
        bars = covered(rng, directions[(first + layer) % 2], period, duty, softness)
        if rng.random() < 0.35:
            other = period * rng.uniform(0.5, 3.0)
            bars = bars * covered(rng, directions[(first + layer + 1) % 2], other, duty, softness)
        image += bars * (np.float32(rng.uniform(0.0, 1.0)) - image)
    rough, _ = waves(rng, size, log_uniform(rng, 6.0, size + 6.0), 3.0, 0.8)
    image += np.float32(log_uniform(rng, 0.002, 0.05)) * rough
    drawn: Image = np.maximum(filters.gaussian(image, log_uniform(rng, 0.4, 1.5)), np.float32(0.0))
    return drawn


def covered(rng: np.random.Generator, along: Image, period: float, duty: float, softness: float) -> Image:
    """Draw bars of which some are missing: the share of each pixel that they cover, from a coordinate across them."""
    place = along / np.float32(period) + np.float32(rng.random())
    number = np.floor(place).astype(np.intp)
    number -= number.min()
    there = (rng.random(int(number.max()) + 1) < rng.choice([1.0, rng.uniform(0.4, 1.0)])).astype(np.float32)
    away = np.abs(place - np.floor(place) - np.float32(0.5))
    bars: Image = there.take(number) * coverage((np.float32(0.5 * duty) - away) * np.float32(period), softness)
    return bars
