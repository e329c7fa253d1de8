"""Rough things, as most surfaces and sections are: what is fine and irregular is theirs, and no noise.

Other specimens of low magnification are smooth but for their edges. Networks that saw these alone take what is rough
for noise, however weak that is.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.specimen import faint
from temclean.specimen.geometry import coverage, log_uniform
from temclean.specimen.rough import leaves, relief

Image = NDArray[np.float32]

KINDS: dict[str, Callable[[np.random.Generator, int], Image]] = {
    "relief": relief.relief,
    "stained": relief.stained,
    "sponge": relief.sponge,
    "section": relief.section,
    "leaves": leaves.leaves,
    "fibres": leaves.fibres,
    "stones": leaves.stones,
}

SHARES = (0.26, 0.08, 0.1, 0.08, 0.22, 0.13, 0.13)
"""How often each is drawn."""

SMALLEST = 32
"""Pixels along a side of the smallest image that is drawn; of smaller ones the rest is cut off."""


def one(rng: np.random.Generator, size: int) -> Image:
    """Draw one kind: its median is 0, and 99% of its pixels span 1."""
    image = KINDS[str(rng.choice(list(KINDS), p=SHARES))](rng, size)
    low, middle, high = np.quantile(image[::3, ::3], (0.005, 0.5, 0.995))
    return (image - np.float32(middle)) / np.float32(max(high - low, 1e-6))


def draw(rng: np.random.Generator, size: int) -> Image:
    """Draw one to three rough things, beside each other where there are several, at times beside something strong."""
    if size < SMALLEST:
        return draw(rng, SMALLEST)[:size, :size]
    image = np.float32(log_uniform(rng, 0.1, 1.0)) * one(rng, size)
    for _ in range(rng.choice([0, 1, 2], p=[0.5, 0.35, 0.15])):
        shape = relief.field(rng, size, 2.2, log_uniform(rng, 0.1, 1.0) * size, 0.01 * size)
        slope = float(np.hypot(*np.gradient(shape)).mean())
        inside = coverage((shape - np.float32(rng.normal(0.0, 0.7))) / np.float32(slope), log_uniform(rng, 1.0, 4.0))
        other = np.float32(log_uniform(rng, 0.02, 1.0)) * one(rng, size) + np.float32(rng.normal(0.0, 0.5))
        image += inside * (other - image)
    if rng.random() < 0.3:
        strong = faint.landmark(rng, size)
        hidden, level = np.float32(rng.uniform(0.5, 1.0)), np.float32(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 3.0))
        image = image * (1.0 - hidden * strong) + level * strong
    image = filters.gaussian(image.astype(np.float32), log_uniform(rng, 0.3, 1.5))
    drawn: Image = image - image.min()
    return drawn
