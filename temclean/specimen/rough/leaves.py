"""Things that hide each other: dead leaves, fibres, packed stones.

Shapes of all sizes laid over each other, their number falling with the cube of their radius, have the statistics of
natural images (Lee, Mumford and Huang 2001), and networks that saw no other denoise these nearly as well as networks
that saw them (Achddou, Gousseau and Ladjal 2021). Each function takes a generator and a size in pixels and returns a
float32 image (size, size) of any level.
"""

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.geometry import cells, coverage, log_uniform, points, random_outline, turn, window
from temclean.specimen.rough import relief

Image = NDArray[np.float32]

MOST = 4000
"""Shapes in an image, at most."""

DEEP = 2.5
"""Times that an image is covered, so that little is left of what it began with."""


def leaves(rng: np.random.Generator, size: int) -> Image:
    """Draw polygons and ellipses over each other: even, sloping or domed, each smooth or rough in one of two ways."""
    largest = log_uniform(rng, 0.03, 0.4) * size
    least = min(log_uniform(rng, 1.5, 12.0), 0.5 * largest)
    count = int(DEEP * size**2 / (2.0 * np.pi * least**2 * np.log(largest / least)))
    share = rng.random(min(count, MOST))
    radii = (largest**-2 + share * (least**-2 - largest**-2)) ** -0.5
    centres = rng.uniform(0.0, size, (len(radii), 2))
    image = relief.field(rng, size, 1.5, size, 1.0)
    skins = [relief.lit(rng, relief.heights(rng, size)) for _ in range(2)]
    skins = [(skin - skin.mean()) / max(float(skin.std()), 1e-6) for skin in skins]
    rough = np.float32(log_uniform(rng, 0.01, 0.6))
    ground = relief.field(rng, size, 2.0, size, 0.05 * size)
    own = rng.uniform(0.0, 1.0)
    softness = log_uniform(rng, 1.0, 3.0)
    for centre, r in zip(centres, radii, strict=True):
        place, y, x = window(centre, r + 1.0, size)
        inside = random_outline(rng, y, x, r)
        level = own * rng.normal() + (1.0 - own) * float(ground[int(centre[0]), int(centre[1])])
        slope = rng.normal(0.0, 0.3, 2) / r if rng.random() < 0.4 else np.zeros(2)
        body = np.float32(level) + np.float32(slope[0]) * y + np.float32(slope[1]) * x
        if rng.random() < 0.2:
            body = body + np.float32(rng.normal(0.0, 0.5)) * np.minimum(inside / np.float32(0.5 * r + 1.0), 1.0)
        which = int(rng.integers(3))
        if which < 2:
            body = body + rough * skins[which][place]
        image[place] += coverage(inside, softness) * (body - image[place])
    return image


def fibres(rng: np.random.Generator, size: int) -> Image:
    """Draw fibres over each other, along one direction or in all, bent, round across or flat."""
    width = log_uniform(rng, 0.8, 8.0)
    length = min(width * log_uniform(rng, 4.0, 60.0), 0.5 * size)
    count = min(int(log_uniform(rng, 0.3, 4.0) * size**2 / (width * length)), MOST)
    image = np.float32(rng.uniform(-1.5, 0.0)) + np.float32(0.3) * relief.field(rng, size, 1.5, size, 1.0)
    heading, spread = rng.uniform(0.0, np.pi), rng.choice([log_uniform(rng, 0.03, 0.6), np.pi])
    curled = log_uniform(rng, 0.02, 0.6)
    flat = rng.uniform(0.0, 1.0)
    fading = rng.uniform(0.0, 1.5)
    for number, centre in enumerate(rng.uniform(0.0, size, (count, 2))):
        half, thick = 0.5 * length * rng.uniform(0.5, 1.5), 0.5 * width * rng.uniform(0.6, 1.6)
        place, y, x = window(centre, half + thick + 1.0, size)
        along, across = turn(y, x, heading + rng.uniform(-spread, spread))
        across = across + np.float32(curled * rng.normal() / half) * along * along
        away = np.maximum(np.abs(across) - np.float32(thick), np.abs(along) - np.float32(half))
        inside = coverage(-away)
        round_ = np.sqrt(np.maximum(1.0 - np.minimum(np.abs(across) / np.float32(thick + 0.5), 1.0) ** 2, 0.0))
        level = rng.normal(0.0, 0.5) + fading * number / count
        body = np.float32(level) + np.float32(1.0 - flat) * round_
        image[place] += inside * (body.astype(np.float32) - image[place])
    return image


def stones(rng: np.random.Generator, size: int) -> Image:
    """Draw bodies side by side, with dark gaps, each domed or cut, at its own level, smooth or rough."""
    radius = log_uniform(rng, 2.5, 0.12 * size)
    count = int(np.clip(0.3 * size**2 / radius**2, 4, 800))
    owner, _, distance = cells(points(rng, count, size, rng.uniform(0.3, 1.6) * radius), size, reach_px=1.5 * radius)
    distance = np.minimum(distance, np.float32(1.5 * radius))
    sloping = np.float32(log_uniform(rng, 0.05, 1.0) * radius)
    dome = 1.0 - np.exp(-distance / sloping)
    levels = rng.standard_normal(count).astype(np.float32) * np.float32(log_uniform(rng, 0.05, 1.0))
    image = dome * np.float32(rng.uniform(0.2, 1.0)) + levels.take(owner) * np.minimum(dome * 3.0, 1.0)
    if rng.random() < 0.6:
        image += np.float32(rng.uniform(0.2, 1.0)) * relief.lit(rng, np.asarray(dome, np.float32))
    if rng.random() < 0.6:
        skin = relief.relief(rng, size)
        image += np.float32(log_uniform(rng, 0.02, 0.5) / max(float(skin.std()), 1e-6)) * (skin - skin.mean())
    return relief.bent(rng, image.astype(np.float32), 0.3) if rng.random() < 0.4 else image.astype(np.float32)
