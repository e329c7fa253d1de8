"""Images of low magnification: nanoparticles, polished grains, powders, wires, arrays, particles in bright field.

All but the last as STEM and SEM show them. Each function takes a generator and a size and returns a float32 image
(size, size), nowhere below 0. Lengths are in pixels, positions are rows of (y, x). All of it is ours, after real files.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.specimen.geometry import cells, coverage, log_uniform, points, random_outline, turn, waves, window
from temclean.specimen.particles import gather

Image = NDArray[np.float32]
Floats = NDArray[np.float64]


def sizes(rng: np.random.Generator, count: int, size: int) -> Floats:
    """Draw radii (count,): log-normal around 2.5 px to a quarter of the image, nearly alike or of all sizes."""
    middle = log_uniform(rng, 2.5, max(size / 4.0, 3.0))
    drawn: Floats = middle * np.exp(rng.uniform(0.03, 0.6) * rng.standard_normal(count))
    return np.clip(drawn, 1.5, size / 2.0)


def many(rng: np.random.Generator, size: int) -> tuple[Floats, Floats]:
    """Draw where particles are (N, 2) and their radii (N,): few or many, apart or in heaps."""
    radius = sizes(rng, int(log_uniform(rng, 2.0, 150.0)), size)
    crowd = np.cumsum(np.pi * radius**2) < log_uniform(rng, 0.05, 0.7) * size**2
    radius = radius[: max(int(crowd.sum()), 1)]
    centres = points(rng, len(radius), size, log_uniform(rng, 1.0, 2.5 * float(radius.mean())))
    if rng.random() < 0.4:
        centres = gather(rng, centres, radius)
    return centres, radius


def film(rng: np.random.Generator, size: int) -> Image:
    """Draw a supporting film, about 0: grain of 2 to 12 px, thicker and thinner, at times with a hole."""
    grain, _ = waves(rng, size, log_uniform(rng, 4.0, 30.0), 2.5, 0.5)
    slow, _ = waves(rng, size, 2.0 * size, 0.2 * size, 1.0)
    image = np.float32(log_uniform(rng, 0.002, 0.05)) * grain + np.float32(log_uniform(rng, 0.005, 0.1)) * slow
    if rng.random() < 0.25:
        level, slope = waves(rng, size, 2.0 * size, 0.3 * size, 1.5)
        hole = coverage((level - np.float32(rng.uniform(-0.3, 1.0))) / np.float32(slope), log_uniform(rng, 1.0, 12.0))
        image -= np.float32(log_uniform(rng, 0.02, 0.3)) * hole
    return image


def nanoparticles(rng: np.random.Generator, size: int) -> Image:
    """Draw particles as bright as they are thick, of one or two materials, over each other, on a film.

    Round ones are spheres, or flat; others are polygons with slopes. All are as soft as the probe is wide.
    """
    centres, radius = many(rng, size)
    image = np.zeros((size, size), np.float32)
    flat, angular = rng.random() < 0.25, rng.random() < 0.35
    lighter = log_uniform(rng, 0.05, 1.0)
    second = rng.random(len(radius)) < rng.choice([0.0, rng.uniform(0.0, 0.6)])
    alike = rng.random() < 0.5
    for centre, r, light in zip(centres, radius, second, strict=True):
        place, y, x = window(centre, 1.1 * r + 2.0, size)
        if angular:
            inside = random_outline(rng, y, x, r) / np.float32(r)
            height = np.clip(inside / np.float32(rng.uniform(0.05, 0.8)) + 0.02, 0.0, 1.0)
        else:
            u, v = turn(y, x, rng.uniform(0.0, np.pi))
            rho = np.hypot(u, v / np.float32(rng.uniform(0.75, 1.0))) / np.float32(r)
            height = (rho < 1.0).astype(np.float32) if flat else np.sqrt(np.maximum(1.0 - rho * rho, 0.0))
        deep = (r / radius.max()) if alike else rng.uniform(0.5, 1.0)
        image[place] += np.float32(deep * (lighter if light else 1.0)) * height
    image = filters.gaussian(image, log_uniform(rng, 0.5, 2.5))
    image += film(rng, size) * max(float(image.max()), 1e-3) + np.float32(rng.uniform(0.0, 0.4))
    return np.maximum(image, 0.0)


def polycrystal(rng: np.random.Generator, size: int) -> Image:
    """Draw grains, nearly alike or as bright as can be, with twins, pores and inclusions, each at times under a slope.

    Their borders are straight or bent, grooves or not seen.
    """
    count = int(log_uniform(rng, 4.0, 120.0))
    seeds = points(rng, count, size, rng.uniform(0.05, 0.6) * size / np.sqrt(count))
    owner, _, distance = cells(seeds, size, reach_px=4.0)
    bent = warp(rng, size)
    owner, distance = owner[bent], distance[bent]
    contrast = log_uniform(rng, 0.02, 0.6)
    levels = (1.0 + contrast * rng.standard_normal(count)).astype(np.float32)
    image = levels.take(owner)
    y, x = np.indices((size, size), np.float32)
    if rng.random() < 0.4:
        slope = contrast * rng.uniform(0.1, 1.0) * np.sqrt(count) / size * rng.standard_normal((count, 2))
        (down, across), (rows, columns) = slope.astype(np.float32).T, seeds.astype(np.float32).T
        image += down.take(owner) * (y - rows.take(owner)) + across.take(owner) * (x - columns.take(owner))
    for grain in np.flatnonzero(rng.random(count) < rng.uniform(0.0, 0.5)):
        along, _ = turn(y - np.float32(seeds[grain, 0]), x - np.float32(seeds[grain, 1]), rng.uniform(0.0, np.pi))
        here = (owner == grain) & (np.abs(along) < log_uniform(rng, 0.01, 0.1) * size)
        image[here] += np.float32(contrast * rng.normal())
    if rng.random() < 0.7:
        groove = np.exp(-0.5 * (distance / np.float32(rng.uniform(0.6, 2.0))) ** 2)
        depth = np.float32(rng.choice([-1.0, -1.0, 1.0]) * log_uniform(rng, 0.01, 0.6)) * groove
        image = image * (1.0 + depth) if rng.random() < 0.5 else image + depth
    image = filters.gaussian(image, log_uniform(rng, 0.4, 1.2))
    for centre in points(rng, int(log_uniform(rng, 1.0, 60.0)), size, 4.0):
        spot(rng, image, centre, log_uniform(rng, 1.0, 6.0), float(rng.choice([-0.8, 0.8])))
    rough, _ = waves(rng, size, log_uniform(rng, 6.0, 0.3 * size + 6.0), 3.0, 0.8)
    image *= 1.0 + np.float32(log_uniform(rng, 0.002, 0.03)) * rough
    lower: Image = np.maximum(image - np.float32(rng.uniform(0.0, 0.5)), np.float32(0.0))
    return lower


def warp(rng: np.random.Generator, size: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw where each pixel takes its value from, so that straight lines become a little bent; in four of ten, not."""
    places = []
    steepest = 0.0 if rng.random() < 0.4 else 0.25
    for axis in range(2):
        moved, slope = waves(rng, size, 0.8 * size + 8.0, 0.15 * size + 4.0, 1.0)
        moved *= np.float32(rng.uniform(0.0, steepest) / max(slope, 1e-6))
        grid = np.arange(size, dtype=np.float32)
        moved += grid[:, None] if axis == 0 else grid
        places.append(np.clip(np.rint(moved), 0, size - 1).astype(np.intp))
    return places[0], places[1]


def spot(rng: np.random.Generator, image: Image, centre: Floats, radius: float, height: float) -> None:
    """Draw a pore or an inclusion into an image, with a bright rim at times."""
    place, y, x = window(centre, 2.5 * radius + 2.0, len(image))
    inside = random_outline(rng, y, x, radius)
    image[place] += np.float32(height * rng.uniform(0.3, 1.0)) * coverage(inside, 1.5)
    if rng.random() < 0.4:
        rim = inside / np.float32(max(0.4 * radius, 1.0))
        image[place] += np.float32(rng.uniform(0.1, 0.6)) * np.exp(-rim * rim)


def powder(rng: np.random.Generator, size: int) -> Image:
    """Draw bodies as secondary electrons show them, bright where steep, each hiding and shading what is behind."""
    centres, radius = many(rng, size)
    rough, _ = waves(rng, size, log_uniform(rng, 8.0, 0.5 * size + 8.0), 3.0, 1.0)
    image = np.float32(rng.uniform(0.1, 0.6)) + np.float32(log_uniform(rng, 0.005, 0.1)) * rough
    edge, skin = rng.uniform(0.3, 2.0), rng.uniform(0.05, 0.4)
    angular = rng.random() < 0.4
    lit = rng.uniform(0.0, 2.0 * np.pi)
    for centre, r in zip(centres, radius, strict=True):
        place, y, x = window(centre, 1.6 * r + 3.0, size)
        if angular:
            inside = random_outline(rng, y, x, r)
        else:
            u, v = turn(y, x, rng.uniform(0.0, np.pi))
            inside = np.float32(r) - np.hypot(u, v / np.float32(rng.uniform(0.7, 1.0)))
        shade = np.exp(np.minimum(inside, 0.0) / np.float32(0.3 * r + 1.0))
        image[place] *= 1.0 - np.float32(rng.uniform(0.0, 0.4)) * shade
        slope = np.exp(-np.maximum(inside, 0.0) / np.float32(skin * r + 0.7))
        side = (np.float32(np.sin(lit)) * y + np.float32(np.cos(lit)) * x) / np.float32(r)
        body = rng.uniform(0.2, 0.6) * (1.0 + np.float32(edge) * slope + np.float32(0.3) * side)
        image[place] += coverage(inside, 1.5) * (body.astype(np.float32) - image[place])
    return np.maximum(filters.gaussian(image, log_uniform(rng, 0.4, 1.5)), 0.0)


def wires(rng: np.random.Generator, size: int) -> Image:
    """Draw wires, tubes, fibres or dislocations: long and thin, straight or winding, over each other, on a film.

    Across, they are thick as cylinders are, or bright at their walls as tubes are, or Gaussian.
    """
    image = film(rng, size)
    y, x = np.indices((size, size), np.float32)
    kind, narrowest = rng.choice(3), log_uniform(rng, 0.6, 6.0)
    winding = 0.0 if rng.random() < 0.3 else log_uniform(rng, 0.02, 0.5)
    for _ in range(int(log_uniform(rng, 1.0, 25.0))):
        start = rng.uniform(0.0, size, 2)
        along, across = turn(y - np.float32(start[0]), x - np.float32(start[1]), rng.uniform(0.0, np.pi))
        for _ in range(2):
            turns = np.float32(2.0 * np.pi / (size * log_uniform(rng, 0.1, 1.0)))
            across = across + np.float32(winding * rng.uniform(0.0, 1.0)) / turns * np.sin(turns * along)
        away = np.abs(across) / np.float32(narrowest * log_uniform(rng, 1.0, 3.0))
        if kind == 0:
            profile = np.sqrt(np.maximum(1.0 - away * away, 0.0))
        elif kind == 1:
            inner = rng.uniform(0.3, 0.9)
            profile = np.sqrt(np.maximum(1.0 - away**2, 0.0)) - np.sqrt(np.maximum(inner**2 - away**2, 0.0))
        else:
            profile = np.exp(-0.5 * away * away)
        image += np.float32(log_uniform(rng, 0.1, 1.0)) * profile
    image -= min(float(image.min()), 0.0)
    return filters.gaussian(image, log_uniform(rng, 0.4, 1.5))


def arrays(rng: np.random.Generator, size: int) -> Image:
    """Draw pores, dots, pillars or cells: bodies of one shape, nearly of one size, ordered or not, some missing.

    On a hexagonal, square or oblique lattice, each off its place by up to a fifth of the pitch, or as far apart as they
    come by chance. Round to square, their edges sharp or sloping, flat or domed.
    """
    pitch = log_uniform(rng, max(6.0, size / 60.0), size / 5.0)
    between = rng.choice([np.pi / 3.0, np.pi / 2.0, rng.uniform(1.0, 2.0)], p=[0.5, 0.35, 0.15])
    heading, reach = rng.uniform(0.0, 2.0 * np.pi), int(1.5 * size / pitch / np.sin(between)) + 1
    steps = np.stack([[np.sin(each), np.cos(each)] for each in (heading, heading + between)])
    indices = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    centres = size / 2.0 + pitch * (indices + rng.random(2)) @ steps
    centres += pitch * log_uniform(rng, 0.002, 0.2) / np.sqrt(2.0) * rng.standard_normal(centres.shape)
    centres = centres[(np.abs(centres - size / 2.0) < size / 2.0 + pitch).all(axis=1)]
    if rng.random() < 0.15:
        centres = points(rng, min(len(centres), 400), size, 0.8 * pitch)
    if rng.random() < 0.5:
        centres = centres[rng.random(len(centres)) > log_uniform(rng, 0.003, 0.2)]
    radius = pitch * rng.uniform(0.15, 0.47) * np.exp(log_uniform(rng, 0.005, 0.2) * rng.standard_normal(len(centres)))
    heights = 1.0 + log_uniform(rng, 0.003, 0.3) * rng.standard_normal(len(centres))
    power, ratio = rng.choice([2.0, 2.0, 4.0, 12.0]), rng.uniform(0.6, 1.0) if rng.random() < 0.3 else 1.0
    softness, domed = log_uniform(rng, 1.0, max(0.2 * pitch, 1.0)), rng.random() < 0.2
    image = np.zeros((size, size), np.float32)
    for centre, r, height in zip(centres, radius, heights, strict=True):
        place, y, x = window(centre, 1.5 * r + 2.0, size)
        u, v = turn(y, x, heading)
        away = (np.abs(u) ** np.float32(power) + np.abs(v / np.float32(ratio)) ** np.float32(power)) ** (1.0 / power)
        inside = coverage(np.float32(r) - away.astype(np.float32), softness)
        body = np.sqrt(np.maximum(1.0 - (away / r) ** 2, 0.0)) if domed else 1.0
        image[place] = np.maximum(image[place], np.float32(height) * inside * body)
    image = filters.gaussian(image, log_uniform(rng, 0.4, 1.2))
    rough, _ = waves(rng, size, log_uniform(rng, 6.0, size + 6.0), 3.0, 0.8)
    return np.maximum(image + np.float32(log_uniform(rng, 0.002, 0.1)) * rough + np.float32(rng.uniform(0.1, 0.6)), 0.0)


@dataclass(frozen=True)
class Dispersed:
    """Particles in bright field, and the truth behind them.

    Attributes
    ----------
    image : float32 (size, size), electrons relative to the brightest pixel.
    centres : (N, 2), rows of (y, x) in pixels; they may lie outside the image.
    diameters_px : (N,), of a ball as large as the particle is wide.
    contrasts : (N,), the share of electrons that its middle takes away.
    """

    image: Image
    centres: Floats
    diameters_px: Floats
    contrasts: Floats


NANOMETRES = (30.0, 200.0)
"""Diameters of particles in bright field (Katsuno 2021)."""

CONTRASTS = (0.1, 0.6)
"""Contrasts of their middles (Katsuno 2021), of the darkest of an image."""


def dispersed(
    rng: np.random.Generator,
    size: int,
    pixel_nm: float | None = None,
    contrast: float | None = None,
    round_share: float = 0.6,
    crowded: bool | None = None,
) -> Dispersed:
    r"""Draw particles as a transmission microscope shows them in bright field: what is thick takes electrons away.

    Of all particles at a pixel, :math:`I = I_0 \prod_i (1 - c_i)^{t_i}`, t being the thickness over the greatest: a
    ball's :math:`\sqrt{1 - r^2 / R^2}`, or a plateau with slopes. On an even or a granular ground.

    Parameters
    ----------
    pixel_nm : width of a pixel; 2.5 to 6 nm by default, as of a field of one to three micrometres.
    contrast : of the darkest particle's middle, one of :data:`CONTRASTS` by default.
    round_share : share of the images whose particles are balls.
    crowded : whether half of the particles lie beside or over others; in four of ten images by default.
    """
    pixel_nm = log_uniform(rng, 2.5, 6.0) if pixel_nm is None else pixel_nm
    contrast = log_uniform(rng, *CONTRASTS) if contrast is None else contrast
    low, high = np.sort(rng.uniform(np.log(NANOMETRES[0]), np.log(NANOMETRES[1]), 2))
    count = int(log_uniform(rng, 3.0, 120.0))
    radius = 0.5 * np.exp(rng.uniform(low, high, count)) / pixel_nm
    radius = radius[: max(int((np.cumsum(np.pi * radius**2) < rng.uniform(0.02, 0.45) * size**2).sum()), 1)]
    centres = points(rng, len(radius), size, 2.2 * float(radius.mean()))
    if rng.random() < 0.4 if crowded is None else crowded:
        centres = gather(rng, centres, radius)
    spread = rng.choice([0.0, rng.uniform(0.0, 0.5)])
    contrasts = contrast * (1.0 - spread * rng.random(len(radius)))
    if rng.random() < 0.5:  # of one material, the thicker the darker
        contrasts = 1.0 - (1.0 - contrasts) ** (radius / radius.max())
    balls = rng.random() < round_share
    taken = np.zeros((size, size), np.float32)
    for centre, r, each in zip(centres, radius, contrasts, strict=True):
        place, y, x = window(centre, 1.3 * r + 2.0, size)
        if balls:
            height = np.sqrt(np.maximum(1.0 - (y * y + x * x) / np.float32(r * r), 0.0))
        elif rng.random() < 0.5:
            u, v = turn(y, x, rng.uniform(0.0, np.pi))
            ratio = np.float32(rng.uniform(0.8, 1.0))
            height = np.sqrt(np.maximum(1.0 - (u * u * ratio + v * v / ratio) / np.float32(r * r), 0.0))
        else:
            inside = random_outline(rng, y, x, 1.2 * r) / np.float32(r)
            height = np.clip(inside / np.float32(rng.uniform(0.1, 0.8)) + 0.02, 0.0, 1.0)
        taken[place] -= np.float32(np.log1p(-each)) * height
    taken = filters.gaussian(taken, log_uniform(rng, 0.4, 1.5))
    if rng.random() < 0.6:
        taken += np.float32(rng.uniform(0.3, 1.0)) * film(rng, size)
    image = np.exp(taken.min() - taken)
    return Dispersed(image, centres, 2.0 * radius, contrasts)
