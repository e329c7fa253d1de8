"""Rough surfaces: random heights of all scales, ridged, stepped or flat, lit and bright where they are steep; sponges.

Natural surfaces look alike over many scales, so that the spectrum of their heights is a power of the wave number
(Mandelbrot 1983); secondary electrons come from where a surface is steep, and from the side of the detector. Each
function takes a generator and a size in pixels and returns a float32 image (size, size) of any level.
"""

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.specimen.geometry import coverage, log_uniform, waves

Image = NDArray[np.float32]


def field(
    rng: np.random.Generator, size: int, slope: float, longest_px: float, shortest_px: float, ratio: float = 1.0
) -> Image:
    """Draw a field of mean 0 and variance 1 whose amplitudes fall with the wave number to a power.

    Parameters
    ----------
    slope : that power; 0 is white, and above 2 a surface is smooth.
    longest_px : length beyond which waves grow no further.
    shortest_px : width of the Gaussian that blurs it.
    ratio : how many times as long as wide what it shows is, in a direction drawn at random.
    """
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)
    angle = rng.uniform(0.0, np.pi)
    along, across = (np.cos(angle) * columns + np.sin(angle) * rows, np.cos(angle) * rows - np.sin(angle) * columns)
    number = np.sqrt(ratio * along**2 + across**2 / ratio + longest_px**-2.0)
    amplitude = number**-slope * np.exp(-2.0 * (np.pi * shortest_px) ** 2 * (rows**2 + columns**2))
    drawn = np.fft.irfft2(amplitude * np.fft.rfft2(rng.standard_normal((size, size), np.float32)), (size, size))
    drawn -= drawn.mean()
    return (drawn / max(float(drawn.std()), 1e-12)).astype(np.float32)


def bent(rng: np.random.Generator, image: Image, steepest: float = 0.6) -> Image:
    """Bend an image: each pixel takes its value from somewhere near, interpolated between four."""
    size = len(image)
    places = []
    for axis in range(2):
        moved, slope = waves(rng, size, 0.8 * size + 8.0, 0.1 * size + 4.0, 1.0)
        moved *= np.float32(rng.uniform(0.0, steepest) / max(slope, 1e-6))
        grid = np.arange(size, dtype=np.float32)
        moved += grid[:, None] if axis == 0 else grid
        places.append(np.abs((moved + size - 1) % (2 * size - 2) - (size - 1)))  # mirrored at the border
    y, x = (np.minimum(each.astype(np.intp), size - 2) for each in places)
    down, right = places[0] - y, places[1] - x
    upper = image[y, x] * (1 - right) + image[y, x + 1] * right
    lower = image[y + 1, x] * (1 - right) + image[y + 1, x + 1] * right
    bent_image: Image = (upper * (1 - down) + lower * down).astype(np.float32)
    return bent_image


def heights(rng: np.random.Generator, size: int) -> Image:
    """Draw heights over all scales: as they come, ridged, in furrows, in steps, or with plains between."""
    ratio = log_uniform(rng, 1.0, 12.0) if rng.random() < 0.5 else 1.0
    longest = log_uniform(rng, 6.0, size)
    drawn = field(rng, size, rng.uniform(0.6, 2.4), longest, log_uniform(rng, 0.4, 3.0), ratio)
    shape = rng.choice(5, p=[0.4, 0.2, 0.1, 0.15, 0.15])
    if shape == 1:
        drawn = -np.abs(drawn)
    elif shape == 2:
        drawn = np.abs(drawn)
    elif shape == 3:
        steps = np.float32(log_uniform(rng, 0.7, 6.0))
        whole = np.floor(drawn * steps)
        drawn = (whole + np.clip((drawn * steps - whole) * np.float32(rng.uniform(2.0, 10.0)), 0.0, 1.0)) / steps
    elif shape == 4:
        drawn = np.maximum(drawn, np.float32(rng.uniform(-0.5, 1.5)))
    return bent(rng, drawn) if rng.random() < 0.5 else drawn


def lit(rng: np.random.Generator, height: Image) -> Image:
    """Show a surface: bright where it faces the detector, where it is steep, and where it is high."""
    down, across = np.gradient(height)
    steepness = float(np.sqrt(np.mean(down * down + across * across))) or 1.0
    scale = np.float32(log_uniform(rng, 0.2, 2.5) / steepness)
    down, across = scale * down, scale * across
    steep = np.sqrt(1.0 + down * down + across * across)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    facing = (np.float32(np.cos(angle)) * across + np.float32(np.sin(angle)) * down) / steep
    level, slope, edge = rng.uniform(0.0, 1.0, 3) ** 2
    shown: Image = (level * height + slope * facing + edge * steep).astype(np.float32)
    return shown


def relief(rng: np.random.Generator, size: int) -> Image:
    """Draw a rough surface as secondary electrons show it."""
    return lit(rng, heights(rng, size))


def stained(rng: np.random.Generator, size: int) -> Image:
    """Draw heights themselves, as absorption shows them."""
    return heights(rng, size)


def sponge(rng: np.random.Generator, size: int) -> Image:
    """Draw pores or struts of one or two scales, their inner sides shaded."""
    image = np.zeros((size, size), np.float32)
    for _ in range(rng.integers(1, 3)):
        longest = log_uniform(rng, 5.0, 0.3 * size)
        drawn = field(rng, size, rng.uniform(1.5, 3.0), longest, 0.1 * longest, rng.choice([1.0, 1.0, 3.0]))
        down, across = np.gradient(drawn)
        slope = float(np.sqrt(np.mean(down * down + across * across))) or 1.0
        level = np.float32(rng.uniform(-1.0, 1.0))
        solid = coverage((drawn - level) / np.float32(slope), log_uniform(rng, 1.0, 5.0))
        image = image * solid + (solid - 1.0) * np.float32(rng.uniform(0.3, 1.0))
        image += solid * np.float32(rng.uniform(0.0, 0.4)) * np.exp(-np.abs(drawn - level) / np.float32(2.0 * slope))
        image += (1.0 - solid) * np.float32(rng.uniform(0.0, 0.3)) * drawn
    return image


def section(rng: np.random.Generator, size: int) -> Image:
    """Draw a stained section: membranes that wind and close, fine dark grains, dense bodies; about 0."""
    image = np.float32(log_uniform(rng, 0.02, 0.3)) * field(rng, size, rng.uniform(0.3, 1.5), 0.2 * size, 0.7)
    for _ in range(rng.integers(1, 5)):
        longest = log_uniform(rng, 0.06, 0.6) * size
        drawn = field(rng, size, 2.5, longest, 0.05 * longest)
        down, across = np.gradient(drawn)
        away = np.abs(drawn - np.float32(rng.normal())) / (np.hypot(down, across) + np.float32(1e-6))
        width = np.float32(log_uniform(rng, 0.7, 4.0))
        wall = np.exp(-0.5 * (away / width) ** 2)
        if rng.random() < 0.5:
            wall = np.exp(-0.5 * ((away - 2.5 * width) / width) ** 2)
        image -= np.float32(rng.uniform(0.2, 1.0)) * wall
    grains = np.zeros((size, size), np.float32)
    spread = log_uniform(rng, 0.8, 4.0)
    count = int(log_uniform(rng, 0.003, 0.1) * size**2 / spread**2)
    np.add.at(grains.ravel(), rng.integers(0, size**2, count), rng.uniform(0.3, 1.0, count).astype(np.float32))
    where = field(rng, size, 2.0, 0.3 * size, 4.0) > rng.uniform(-2.0, 1.0)
    grains = filters.gaussian(grains * where, spread)
    return image - np.float32(rng.uniform(0.2, 1.0) * 6.0 * spread**2) * grains
