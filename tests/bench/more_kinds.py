"""Five more kinds of images for ``bench_kinds.py``: a wire, a map of X-rays, a hologram, pollen, an electrode."""

import numpy as np
from scipy import ndimage

N = 320
Image = np.ndarray


def grid() -> tuple[Image, Image]:
    y, x = np.mgrid[:N, :N].astype(float)
    return y, x


def stretched(image: Image) -> Image:
    return ((image - image.min()) / np.ptp(image)).astype(np.float32)


def spots(places: list[tuple[float, float]], heights: list[float], width: float) -> Image:
    image, reach = np.zeros((N, N)), int(5 * width) + 2
    for (y, x), height in zip(places, heights, strict=True):
        rows = np.arange(max(int(y) - reach, 0), min(int(y) + reach + 1, N))
        columns = np.arange(max(int(x) - reach, 0), min(int(x) + reach + 1, N))
        if rows.size and columns.size:
            profiles = (np.exp(-((each - place) ** 2) / (2 * width**2)) for each, place in ((rows, y), (columns, x)))
            image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] += height * np.outer(*profiles)
    return image


def twinned_wire(rng: np.random.Generator) -> Image:
    """Draw HAADF of a wire of InP along [110], twinned again and again, in vacuum: most pixels hold no electron."""
    spacing, repeat, turn = 11.3, 24.0, 0.35
    middle, wide = N / 2, 74.0
    places, heights = [], []
    along, offset, side, left = -150.0, 0.0, 1, 6
    while along < N + 150:
        for across in offset + repeat * np.arange(-20, 20):
            thick = 1 - (across / (1.2 * wide)) ** 2
            if thick > 0.1:
                for shift, height in ((0.0, 1.0), (2.8, 0.28)):
                    y, x = along + shift - middle, across
                    places.append((middle + y * np.cos(turn) - x * np.sin(turn),
                                   middle + y * np.sin(turn) + x * np.cos(turn)))  # fmt: skip
                    heights.append(height * thick**0.5)
        along, offset, left = along + spacing, offset + side * repeat / 3, left - 1
        if not left:
            side, left = -side, int(rng.integers(3, 14))
    y, x = grid()
    across = (x - middle) * np.cos(turn) - (y - middle) * np.sin(turn)
    body = np.sqrt(np.maximum(1 - (across / (1.2 * wide)) ** 2, 0))
    return stretched(spots(places, heights, 2.1) + 0.25 * body)


def x_rays(rng: np.random.Generator) -> Image:
    """Draw a map of an element in shells of particles."""
    y, x = grid()
    image = np.zeros((N, N))
    for _ in range(20):
        (cy, cx), radius = rng.uniform(0, N, 2), rng.uniform(10, 30)
        squared = (y - cy) ** 2 + (x - cx) ** 2
        image += np.sqrt(np.maximum(radius**2 - squared, 0)) - np.sqrt(np.maximum(0.49 * radius**2 - squared, 0))
    return stretched(ndimage.gaussian_filter(image, 1.0))


def hologram(rng: np.random.Generator) -> Image:
    """Draw an off-axis hologram: fringes that balls bend."""
    y, x = grid()
    phase = np.zeros((N, N))
    for _ in range(7):
        (cy, cx), radius = rng.uniform(40, N - 40, 2), rng.uniform(15, 45)
        phase += np.sqrt(np.maximum(radius**2 - (y - cy) ** 2 - (x - cx) ** 2, 0)) / 15
    amplitude = np.exp(-0.25 * phase)
    carrier = 2 * np.pi * (0.93 * x + 0.37 * y) / 6.2
    return stretched(ndimage.gaussian_filter(1 + amplitude**2 + 0.9 * amplitude * np.cos(carrier + phase), 0.5))


def pollen(rng: np.random.Generator) -> Image:
    """Draw grains of pollen as secondary electrons show them: bright rims, and spines."""
    y, x = grid()
    image = np.full((N, N), 0.12)
    for _ in range(7):
        (cy, cx), radius = rng.uniform(20, N - 20, 2), rng.uniform(28, 60)
        distance = np.hypot(y - cy, x - cx)
        grain = 0.3 + 0.5 * (1 - np.sqrt(np.maximum(1 - (distance / radius) ** 2, 0))) ** 1.5
        for way in rng.standard_normal((60, 3)):
            down, right = radius * way[:2] / np.linalg.norm(way)
            for part in np.linspace(0, 1, 7):
                far, width = 1 + 0.18 * part, 0.7 + 2.6 * (1 - part)
                squared = (y - cy - far * down) ** 2 + (x - cx - far * right) ** 2
                grain = grain + 0.28 * np.exp(-squared / (2 * width**2))
        beyond = np.maximum(image, (grain - 0.8) * (distance < 1.25 * radius))
        image = np.where(distance < 1.02 * radius, grain, beyond)
    return stretched(ndimage.gaussian_filter(image, 0.8))


def electrode(rng: np.random.Generator) -> Image:
    """Draw a slice of a porous electrode, cut by ions: three phases with sharp borders, in a shadow, under curtains."""
    large, small = (ndimage.gaussian_filter(rng.standard_normal((N, N)), width, mode="wrap") for width in (3.5, 1.4))
    large, small = large / large.std(), small / small.std()
    image = np.select([large > 0.35, large < -0.6], [0.75, 0.12], 0.4) + 0.1 * ((small > 1.2) & (large < 0.35))
    y, _ = grid()
    curtains = ndimage.gaussian_filter1d(rng.standard_normal(N), 2.5)
    shadow = ndimage.gaussian_filter(image, 0.7) * (1 - 0.35 * y / N)
    return stretched(shadow + 0.045 * curtains / curtains.std() * np.sqrt(y / N))


KINDS = {each.__name__: each for each in (twinned_wire, x_rays, hologram, pollen, electrode)}
