"""How one atom looks when projected: Lobato, Friedrich and Van Aert 2024, eqs. 17 to 22. Lengths are in Å."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

Floats = NDArray[np.float64]

# sqrt(<r^2>) of the projected potential (eq. 21) for Z = 1 to 103. From the parameters a, b of Lobato and Van Dyck,
# Acta Cryst. A 70, 636 (2014), as tabulated in abTEM 1.0.11: f_e(g) = sum a (2 + b g^2) / (1 + b g^2)^2 is the
# two-dimensional Fourier transform of the projected potential, hence f_e(0) (1 - pi^2 <r^2> g^2) for small g, and
# <r^2> = 3 sum(a b) / (2 pi^2 sum a).
RMS_RADIUS = (
    0.6481, 0.4288, 1.3044, 0.9337, 0.7696, 0.6614, 0.5731, 0.5058, 0.4490, 0.4023, 1.2532, 1.0233, 0.9842,
    0.8692, 0.7678, 0.6859, 0.6144, 0.5556, 1.3615, 1.1754, 1.0893, 1.0248, 0.9722, 0.9889, 0.8886, 0.8537,
    0.8246, 0.7979, 0.7766, 0.7629, 0.8514, 0.8043, 0.7422, 0.6849, 0.6300, 0.5834, 1.3808, 1.2352, 1.1170,
    1.0337, 1.0025, 0.9663, 0.9308, 0.8974, 0.8643, 0.5707, 0.7463, 0.7351, 0.8314, 0.8171, 0.7741, 0.7276,
    0.6799, 0.6385, 1.3878, 1.2778, 1.1633, 1.2270, 1.2071, 1.1890, 1.1718, 1.1594, 1.1412, 1.0510, 1.1101,
    1.0959, 1.0848, 1.0726, 1.0630, 1.0573, 0.9752, 0.9058, 0.8503, 0.8047, 0.7658, 0.7322, 0.6349, 0.6956,
    0.6229, 0.6363, 0.7371, 0.7819, 0.7675, 0.7317, 0.6902, 0.6556, 1.2475, 1.1895, 1.0879, 1.0054, 1.0338,
    1.0145, 0.9974, 1.0191, 1.0021, 0.9457, 0.9341, 0.9563, 0.9413, 0.9313, 0.9166, 0.9098, 0.8724,
)  # fmt: skip


@dataclass(frozen=True)
class Profile:
    r"""The projected signal of an atom at the distance r from its centre (eq. 17).

    .. math:: f(r) = h_1 e^{-r^2 / 2 r_m^2} + h_2 e^{-r / r_m} + \frac{h_3}{1 + (r / r_m)^{2 n}}

    Attributes
    ----------
    radius : r_m in Å.
    gaussian, exponential, butterworth : the weights h1, h2, h3.
    order : n of the Butterworth term, from 4 up.
    """

    radius: float
    gaussian: float = 0.75
    exponential: float = 0.75
    butterworth: float = 0.75
    order: float = 10.0

    def __call__(self, distance: Floats) -> Floats:
        """Evaluate eq. 17 at distances in Å."""
        u = np.asarray(distance, np.float64) / self.radius
        wall = 1.0 / (1.0 + np.minimum(u, 1e6) ** (2.0 * self.order))
        value: Floats = self.gaussian * np.exp(-0.5 * u**2) + self.exponential * np.exp(-u) + self.butterworth * wall
        return value

    @property
    def peak(self) -> float:
        """The value at the centre, h1 + h2 + h3."""
        return self.gaussian + self.exponential + self.butterworth

    @property
    def integral(self) -> float:
        """The integral over the plane, in Å^2."""
        wall = (np.pi / self.order) / np.sin(np.pi / self.order)
        weight = 2.0 * (self.gaussian + self.exponential) + self.butterworth * wall
        return float(np.pi * self.radius**2 * weight)

    def transform(self, frequency: Floats) -> Floats:
        """Return the two-dimensional Fourier transform in Å^2 at radial frequencies in 1/Å."""
        k = 2.0 * np.pi * self.radius * np.asarray(frequency, np.float64)
        smooth = self.gaussian * np.exp(-0.5 * k**2) + self.exponential / (1.0 + k**2) ** 1.5
        value: Floats = 2.0 * np.pi * self.radius**2 * (smooth + self.butterworth * wall_transform(k, self.order))
        return value


def bessel_j0(z: Floats) -> Floats:
    """Evaluate J0 for z >= 0 to 1e-7: Abramowitz and Stegun, 9.4.1 and 9.4.3."""
    near = np.minimum(z / 3.0, 1.0) ** 2
    inner = np.polyval([0.00021, -0.0039444, 0.0444479, -0.3163866, 1.2656208, -2.2499997, 1.0], near)
    far = np.minimum(3.0 / np.maximum(z, 1e-9), 1.0)
    size = [0.00014476, -0.00072805, 0.00137237, -0.00009512, -0.0055274, -0.00000077, 0.79788456]
    turn = [0.00013558, -0.00029333, -0.00054125, 0.00262573, -0.00003954, -0.04166397, -0.78539816]
    outer = np.polyval(size, far) * np.cos(z + np.polyval(turn, far)) / np.sqrt(np.maximum(z, 3.0))
    value: Floats = np.where(z < 3.0, inner, outer)
    return value


@cache
def hankel() -> tuple[Floats, Floats, Floats]:
    """Tabulate u J0(k u) du: nodes u in [0, 5], k in steps of 0.05 up to 120, and the matrix (k, u)."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    u = 2.5 * (nodes + 1.0)
    k = np.arange(0.0, 120.0, 0.05)
    return u, k, bessel_j0(k[:, None] * u) * (2.5 * weights * u)


def wall_transform(k: Floats, order: float) -> Floats:
    """Return the Hankel transform of 1 / (1 + u^(2 order)) at k; under 1e-5 beyond k = 120, where it is left out."""
    u, table_k, matrix = hankel()
    table = matrix @ (1.0 / (1.0 + u ** (2.0 * order)))
    return np.interp(k, table_k, table, right=0.0)


def radii(alpha: float) -> Floats:
    """Return r_m in Å for Z = 1 to 103 (eqs. 18 to 20): the rms radii to the power alpha, mean and spread kept."""
    rms = np.array(RMS_RADIUS)
    power = rms**alpha
    slope = rms.std() / power.std()
    spread: Floats = slope * power + (rms.mean() - slope * power.mean())
    return spread


def draw(numbers: Iterable[int], rng: np.random.Generator) -> dict[int, Profile]:
    """Draw the profiles of some elements, whose integrals increase with Z (eqs. 18 to 22).

    alpha ~ U(0.75, 1.25) is common to all; h1, h2, h3 ~ U(0.5, 1) and n ~ U(4, 16) are drawn for each. Heavier elements
    take the greater h. Where the radii alone break the order (an alkali metal and its heavier neighbours), the h of the
    lighter element are scaled down, below 0.5 if need be: the paper does not say how it orders them.

    Parameters
    ----------
    numbers : atomic numbers, 1 to 103; repeats count once.

    Raises
    ------
    ParameterError : an atomic number is out of range.
    """
    elements = checked(numbers)
    radius = radii(rng.uniform(0.75, 1.25))
    weights = rng.uniform(0.5, 1.0, (len(elements), 3))
    weights = weights[np.argsort(weights.sum(axis=1))]
    orders = rng.uniform(4.0, 16.0, len(elements))
    return ordered(
        {
            z: Profile(float(radius[z - 1]), float(weight[0]), float(weight[1]), float(weight[2]), float(order))
            for z, weight, order in zip(elements, weights, orders, strict=True)
        },
        rng,
    )


def typical(numbers: Iterable[int]) -> dict[int, Profile]:
    """Return fixed profiles, for crystals that are known: what a corrected STEM shows with an annular detector.

    The weights are equal and n = 10. Integrals go with Z^1.5, the middle of the range that the paper states for them,
    which takes the weights out of the range of :func:`draw`. Radii are 0.3 Å + 0.2 rms radii: thermal motion and probe
    make atoms more alike than their potentials are, and the pairs of silicon, 1.36 Å apart, are seen as two [R].

    Raises
    ------
    ParameterError : an atomic number is out of range.
    """
    shapes = {z: 0.3 + 0.2 * RMS_RADIUS[z - 1] for z in checked(numbers)}
    unit = Profile(1.0, 1.0, 1.0, 1.0).integral
    heights = {z: z**1.5 / (unit * r**2) for z, r in shapes.items()}
    return {z: Profile(r, heights[z], heights[z], heights[z]) for z, r in shapes.items()}


def checked(numbers: Iterable[int]) -> list[int]:
    """Return each atomic number once, in order."""
    elements = sorted({int(z) for z in numbers})
    for z in elements:
        if not 1 <= z <= len(RMS_RADIUS):
            raise ParameterError(f"atomic number {z} is out of range; use 1 to {len(RMS_RADIUS)}")
    return elements


def ordered(profiles: dict[int, Profile], rng: np.random.Generator) -> dict[int, Profile]:
    """Scale down the profiles whose integral is not below that of the next heavier element (eq. 22)."""
    result: dict[int, Profile] = {}
    limit = np.inf
    for z in sorted(profiles, reverse=True):
        profile = profiles[z]
        factor = 1.0 if profile.integral < limit else float(limit / profile.integral * rng.uniform(0.9, 0.999))
        h1, h2, h3 = (factor * h for h in (profile.gaussian, profile.exponential, profile.butterworth))
        result[z] = Profile(profile.radius, h1, h2, h3, profile.order)
        limit = result[z].integral
    return dict(sorted(result.items()))
