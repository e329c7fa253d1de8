r"""How a particle falls off from its middle: a plateau, a ball, or what lies between, behind a blur.

.. math:: f = (1 - m)\,\Phi(u) + m \sqrt{(1 + r / R)\, w / R}\; G(u), \qquad u = (R - r) / w,

at the distance r from the middle. R is the outer radius, m the mix, 0 of a plateau and 1 of a ball, whose thickness is
:math:`\sqrt{1 - r^2 / R^2}`; w the standard deviation of a blur that is much less than R. :math:`\Phi` is the normal
distribution, and :math:`G(u) = E \sqrt{\max(u + z, 0)}` over a normal z what the blur leaves of a ball's edge.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FAR = 8.0
"""Blurs from an edge from which on it is not felt."""

FINE = 100.0
"""Steps of a blur in which it is tabulated."""


@dataclass(frozen=True)
class Profile:
    """Values (P,) of a profile, and their slopes along r, R, m and w."""

    value: Floats
    by_distance: Floats
    by_radius: Floats
    by_mix: Floats
    by_blur: Floats


def profile(distance: Floats, radius: float, mix: float, blur: float) -> Profile:
    """Return a profile at distances (P,)."""
    u = (radius - distance) / blur
    inside = np.maximum(u, FAR)
    near = u < FAR
    place = np.clip((u + FAR) * FINE, 0, 2 * FAR * FINE - 1e-6)
    below = place.astype(np.intp)
    table = _table()
    flat, drop, root, rise = table[:, below] + (place - below) * (table[:, below + 1] - table[:, below])
    round_ = np.where(near, root, np.sqrt(inside) * (1 - 1 / (8 * inside**2)))
    steep = np.where(near, rise, 0.5 / np.sqrt(inside))
    out = 1 + distance / radius
    lift = np.sqrt(out * blur / radius)
    ball = lift * round_
    by_u = ((1 - mix) * drop + mix * lift * steep) / blur
    return Profile(
        value=(1 - mix) * flat + mix * ball,
        by_distance=-by_u + mix * ball / (2 * out * radius),
        by_radius=by_u - mix * ball * (2 - 1 / out) / (2 * radius),
        by_mix=ball - flat,
        by_blur=-by_u * u + mix * ball / (2 * blur),
    )


def half(radius: float, mix: float, blur: float) -> float:
    """Return the distance at which a profile has fallen to half of its height."""
    distance = np.linspace(0.0, radius + 4 * blur, 400)
    values = profile(distance, radius, mix, blur).value
    return float(np.interp(-0.5 * values[0], -values, distance))


@cache
def _table() -> Floats:
    """Return distribution, density, G and its slope (4, N) at steps of u from one end to the other."""
    u = np.linspace(-FAR, FAR, round(2 * FAR * FINE) + 1)
    density = np.exp(-0.5 * u * u) / math.sqrt(2 * math.pi)
    distribution = np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in u])
    root = np.sqrt(np.maximum(u[:, None] + u, 0.0)) @ density / FINE
    return np.stack([distribution, density, root, np.gradient(root, u)])
