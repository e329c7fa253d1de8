r"""What moves the columns of a crystal together: long waves and dislocations; and borders where a crystal ends.

Lengths are in pixels; positions and displacements are (N, 2), rows of (y, x).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.geometry import log_uniform

Floats = NDArray[np.float64]
Border = Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]]
"""From y and x, arrays that broadcast, to the distance inside a border, negative outside."""

POISSON = 0.3
"""Poisson's ratio of common crystals: 0.25 to 0.4."""


@dataclass(frozen=True)
class Waves:
    """Three long waves: directions (3, 2) with amplitudes, wave vectors (3, 2) in radians a pixel, phases (3,)."""

    amplitude: Floats
    vector: Floats
    phase: Floats

    def __call__(self, points: Floats) -> Floats:
        """Return the displacement at each point."""
        moved: Floats = np.cos(points @ self.vector.T + self.phase) @ self.amplitude
        return moved


def draw_waves(rng: np.random.Generator, size: int) -> Waves:
    """Draw three waves of 0.3 to 3 images in length whose strain is at most 0.0002 to 0.02 each, log-uniform."""
    length = np.exp(rng.uniform(np.log(0.3), np.log(3.0), 3)) * size
    strain = log_uniform(rng, 0.0002, 0.02) * rng.random(3)
    across, along = rng.uniform(0.0, 2.0 * np.pi, (2, 3))
    number = 2.0 * np.pi / length
    return Waves(
        (strain / number)[:, None] * np.stack([np.sin(along), np.cos(along)], axis=1),
        number[:, None] * np.stack([np.sin(across), np.cos(across)], axis=1),
        rng.uniform(0.0, 2.0 * np.pi, 3),
    )


def edge_dislocation(points: Floats, core: Floats, burgers: Floats, poisson: float = POISSON) -> Floats:
    r"""Return the displacement by an edge dislocation in an isotropic crystal, its line along the beam.

    .. math:: u_1 = \frac{b}{2 \pi} \left(\theta + \frac{x_1 x_2}{2 (1 - \nu) r^2}\right), \quad
              u_2 = -\frac{b}{2 \pi} \left(\frac{1 - 2 \nu}{4 (1 - \nu)} \ln \frac{r^2}{b^2}
              + \frac{x_1^2 - x_2^2}{4 (1 - \nu) r^2}\right)

    with x_1 along the Burgers vector (Hirth and Lothe, "Theory of Dislocations", eqs. 3-45 and 3-46). Across the half
    line behind the core the displacement jumps by b, so that a crystal of which b is a translation is whole there.
    Within a quarter of b of the core r does not become less. The screw part of a mixed dislocation moves the atoms
    along the beam, and is not seen.

    Parameters
    ----------
    points : (N, 2).
    core : (2,), where the line is.
    burgers : (2,), the part of the Burgers vector in the plane of the image.
    poisson : Poisson's ratio.
    """
    b = float(np.linalg.norm(burgers))
    along = burgers / b
    across = np.array([-along[1], along[0]])
    x1, x2 = (points - core) @ along, (points - core) @ across
    squared = np.maximum(x1 * x1 + x2 * x2, (0.25 * b) ** 2)
    u1 = np.arctan2(x2, x1) + x1 * x2 / (2.0 * (1.0 - poisson) * squared)
    u2 = (1.0 - 2.0 * poisson) * np.log(squared / b**2) + (x1 * x1 - x2 * x2) / squared
    u2 = -u2 / (4.0 * (1.0 - poisson))
    moved: Floats = b / (2.0 * np.pi) * (u1[:, None] * along + u2[:, None] * across)
    return moved


def draw_cores(rng: np.random.Generator, size: int, vectors: Floats) -> tuple[Floats, Floats]:
    """Draw where dislocations are and their Burgers vectors: one to four, a pair that cancel, or a wall of them.

    A wall of equal ones, b / theta apart, is a boundary of low angle theta.

    Returns
    -------
    cores, burgers : (N, 2) each.
    """
    choices = np.concatenate([vectors, -vectors, [vectors[0] - vectors[1], vectors[1] - vectors[0]]])
    lengths = np.linalg.norm(choices, axis=1)
    choices = choices[lengths <= 1.5 * lengths.min()]
    kind = rng.choice(3, p=[0.5, 0.25, 0.25])
    burgers = choices[rng.integers(len(choices))]
    if kind == 0:
        count = int(rng.integers(1, 5))
        return rng.uniform(0.1, 0.9, (count, 2)) * size, choices[rng.integers(len(choices), size=count)]
    if kind == 1:
        angle, apart = rng.uniform(0.0, 2.0 * np.pi), log_uniform(rng, 0.1, 0.6) * size
        half = 0.5 * apart * np.array([np.sin(angle), np.cos(angle)])
        middle = rng.uniform(0.3, 0.7, 2) * size
        return np.stack([middle - half, middle + half]), np.stack([burgers, -burgers])
    spacing = float(np.linalg.norm(burgers)) * log_uniform(rng, 4.0, 20.0)
    across = np.array([-burgers[1], burgers[0]]) / np.linalg.norm(burgers)
    count = min(int(2.0 * size / spacing) + 1, 200)
    steps = (np.arange(count) - count / 2 + rng.random()) * spacing
    return rng.uniform(0.3, 0.7, 2) * size + steps[:, None] * across, np.tile(burgers, (count, 1))


def straight(rng: np.random.Generator, size: int, angle: float | None = None) -> Border:
    """Draw a straight border through the image; ``angle`` is that of its normal, from x to y."""
    angle = rng.uniform(0.0, 2.0 * np.pi) if angle is None else angle
    sine, cosine = np.sin(angle), np.cos(angle)
    away = size / 2 * (sine + cosine) + rng.uniform(-0.35, 0.35) * size
    return lambda y, x: sine * y + cosine * x - away


def winding(rng: np.random.Generator, size: int) -> Border:
    """Draw a border that winds: two waves on a straight one."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    line = straight(rng, size, angle)
    sine, cosine = np.sin(angle), np.cos(angle)
    number = 2.0 * np.pi / (size * np.exp(rng.uniform(np.log(0.15), np.log(2.0), 2)))
    height = rng.uniform(0.05, 0.6, 2) / number
    phase = rng.uniform(0.0, 2.0 * np.pi, 2)

    def distance(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        along = cosine * y - sine * x
        moved: NDArray[np.floating] = line(y, x)
        for k in range(2):
            moved = moved + height[k] * np.sin(number[k] * along + phase[k])
        return moved

    return distance


def facets(rng: np.random.Generator, size: int, vectors: Floats) -> Border:
    """Draw a border of one to four facets that lie along rows of columns."""
    rows = np.concatenate([vectors, [vectors[0] + vectors[1], vectors[0] - vectors[1]]])
    angles = np.arctan2(rows[:, 1], -rows[:, 0])
    count = int(rng.integers(1, 5))
    chosen = angles[rng.integers(4, size=count)] + np.pi * rng.integers(0, 2, count)
    planes = [straight(rng, size, float(angle)) for angle in chosen]
    lowest = planes[0]
    for plane in planes[1:]:
        lowest = both(lowest, plane)
    return lowest


def both(first: Border, second: Border) -> Border:
    """Return the border of what is inside two."""
    return lambda y, x: np.minimum(first(y, x), second(y, x))


def oval(rng: np.random.Generator, size: int) -> Border:
    """Draw an ellipse of 0.05 to 0.35 of the image, to first order at its edge."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    longer = log_uniform(rng, 0.05, 0.35) * size
    shorter = longer * rng.uniform(0.4, 1.0)
    middle = rng.uniform(0.15, 0.85, 2) * size
    sine, cosine = np.sin(angle), np.cos(angle)

    def distance(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        v, u = y - middle[0], x - middle[1]
        radius = np.hypot((cosine * u + sine * v) / longer, (cosine * v - sine * u) / shorter)
        inside: NDArray[np.floating] = (1.0 - radius) * shorter
        return inside

    return distance
