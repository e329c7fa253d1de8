r"""Coherent crystals: columns that stand where the lattice has them, :math:`x = R (lattice + basis) + u(x) + e`.

In a real crystal neighbouring columns move together: u is smooth (strain), or the field of dislocations, or constant
on either side of a boundary; e, that of each column alone, is small. What else varies is smooth (thickness), rare
(vacancies, dopants, interstitials) or sharp (boundaries, surfaces).

Lengths are in pixels, positions are rows of (y, x).
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.coherent import imperfections, strain
from temclean.specimen.coherent.columns import Columns, Crystal, draw_crystal, fill, joined, kept_apart, turned
from temclean.specimen.geometry import log_uniform
from temclean.specimen.truth import Specimen, stretched

Floats = NDArray[np.float64]


def origin(rng: np.random.Generator, size: int) -> Floats:
    """Draw a point of the lattice, in the middle third of the image."""
    return rng.uniform(1 / 3, 2 / 3, 2) * size


def perfect(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw a perfect lattice."""
    return fill(crystal, size, margin, origin(rng, size))


def strained(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw a lattice bent by three long waves."""
    columns = fill(crystal, size, 2.0 * margin + 0.05 * size, origin(rng, size))
    return replace(columns, positions=columns.positions + strain.draw_waves(rng, size)(columns.positions))


def dislocated(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw a lattice with dislocations, its columns a little fainter at the cores in half of the images."""
    cores, burgers = strain.draw_cores(rng, size, crystal.vectors)
    b = float(np.linalg.norm(burgers, axis=1).max())
    columns = fill(crystal, size, margin + 3.0 * b, origin(rng, size))
    points, ratio = columns.positions, rng.uniform(0.25, 0.4)
    moved, near, peak = points.copy(), np.zeros(len(points), bool), columns.peak
    fainter = rng.uniform(0.0, 0.5) if rng.random() < 0.5 else 0.0
    for core, each in zip(cores, burgers, strict=True):
        moved += strain.edge_dislocation(points, core, each, ratio)
        away = np.linalg.norm(points - core, axis=1)
        near |= away < 4.0 * b
        peak = peak * (1.0 - fainter * np.exp(-0.5 * (away / b) ** 2))
    return kept_apart(replace(columns, positions=moved, peak=peak), near, 0.6 * crystal.gap)


def two_sided(first: Columns, second: Columns, border: strain.Border, least: float) -> Columns:
    """Join what is inside a border of one crystal to what is outside of another."""
    inside, outside = border(*first.positions.T), border(*second.positions.T)
    both = joined(first[inside > 0.0], second[outside <= 0.0])
    near = np.abs(border(*both.positions.T)) < 2.0 * least + 1.0
    return kept_apart(both, near, least)


def bicrystal(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw two grains, turned by 2 to 90 degrees against each other, their boundary straight, facetted or winding."""
    other = turned(crystal, np.radians(log_uniform(rng, 2.0, 90.0)))
    kind = rng.choice(3)
    if kind == 0:
        border = strain.winding(rng, size)
    else:
        border = strain.facets(rng, size, crystal.vectors) if kind == 1 else strain.straight(rng, size)
    first, second = (fill(each, size, margin, origin(rng, size)) for each in (crystal, other))
    if rng.random() < 0.3:
        second = replace(second, peak=second.peak * rng.uniform(0.5, 1.0))
    return two_sided(first, second, border, rng.uniform(0.6, 0.9) * crystal.gap)


def faulted(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw stacking faults: rows that slip by a third or half of the period, or by any part, against the last."""
    length = float(np.linalg.norm(crystal.vectors[0]))
    part = rng.choice([1 / 3, 1 / 2, 2 / 3, rng.uniform(0.1, 0.9)])
    chance = log_uniform(rng, 0.005, 0.2)
    seed = rng.integers(1 << 30)

    def slip(rows: NDArray[np.intp]) -> Floats:
        hit = np.random.Generator(np.random.PCG64(seed)).random(len(rows)) < chance
        hit[len(rows) // 2] = True
        return np.where(hit, length * part, 0.0)

    return fill(crystal, size, margin, origin(rng, size), slip=slip)


def twinned(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw one twin boundary, or lamellae of twins."""
    start, mean = rng.integers(1 << 30), log_uniform(rng, 2.0, 40.0)
    single = rng.random() < 0.5

    def mirrored(rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        if single:
            return np.arange(len(rows)) >= len(rows) // 2
        borders = np.random.Generator(np.random.PCG64(start)).random(len(rows)) < 1.0 / mean
        odd: NDArray[np.bool_] = np.cumsum(borders) % 2 == 1
        return odd

    return fill(crystal, size, margin, origin(rng, size), mirrored=mirrored)


def ended(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw a crystal with a surface to vacuum: facets along its rows, or a winding one; loose columns are rare."""
    facetted = rng.random() < 0.7
    border = strain.facets(rng, size, crystal.vectors) if facetted else strain.winding(rng, size)
    columns = fill(crystal, size, margin, origin(rng, size))
    inside = border(*columns.positions.T)
    if inside.size and (inside > 0.0).mean() < 0.15:
        inside = -inside
    outermost = (np.abs(inside) < crystal.gap) & (rng.random(len(inside)) < rng.uniform(0.0, 0.3))
    kept = (inside > 0.0) ^ outermost
    slope = log_uniform(rng, 0.5, 100.0) * crystal.gap
    thinner = np.clip(0.3 + inside / slope, 0.3, 1.0) if rng.random() < 0.5 else np.ones(len(inside))
    return replace(columns, peak=columns.peak * thinner)[kept]


def precipitate(rng: np.random.Generator, crystal: Crystal, size: int, margin: float) -> Columns:
    """Draw a crystal in another: the same lattice with other brightnesses, a turned one, or any other."""
    kind = rng.choice(3)
    where = origin(rng, size)
    if kind == 0:
        other = replace(crystal, peak=crystal.peak * rng.uniform(0.2, 1.6, len(crystal.peak)))
    elif kind == 1:
        other = turned(crystal, rng.uniform(0.1, 1.5))
        other = replace(other, peak=other.peak * rng.uniform(0.5, 1.3))
    else:
        other = draw_crystal(rng, 1.0)
        scale = crystal.gap / other.gap * rng.uniform(0.8, 1.4)
        other = Crystal(
            other.vectors * scale,
            other.basis * scale,
            other.peak * rng.uniform(0.5, 1.3),
            np.full(len(other.peak), crystal.width.max()),
        )
    border = strain.oval(rng, size)
    for _ in range(rng.integers(0, 3)):
        border = either(border, strain.oval(rng, size))
    inner = fill(other, size, margin, where if kind == 0 else origin(rng, size))
    return two_sided(inner, fill(crystal, size, margin, where), border, 0.8 * min(crystal.gap, other.gap))


def either(first: strain.Border, second: strain.Border) -> strain.Border:
    """Return the border of what is inside one of two."""
    return lambda y, x: np.maximum(first(y, x), second(y, x))


KINDS: dict[str, Callable[[np.random.Generator, Crystal, int, float], Columns]] = {
    "perfect": perfect,
    "strained": strained,
    "dislocations": dislocated,
    "bicrystal": bicrystal,
    "stacking-faults": faulted,
    "twins": twinned,
    "surface": ended,
    "precipitates": precipitate,
}

CHANCES = {
    "perfect": 0.25,
    "strained": 0.12,
    "dislocations": 0.13,
    "bicrystal": 0.12,
    "stacking-faults": 0.08,
    "twins": 0.08,
    "surface": 0.13,
    "precipitates": 0.09,
}
"""How often each kind is drawn."""


def draw(rng: np.random.Generator, size: int, pixel_size: float, kind: str | None = None) -> Specimen:
    """Draw a coherent lattice of one of :data:`KINDS`, or of any: bright columns, in a quarter of the images dark ones.

    Parameters
    ----------
    size : pixels along each side.
    pixel_size : Å a pixel; see :func:`temclean.specimen.coherent.columns.draw_crystal` for where it rules.

    Raises
    ------
    ParameterError : the image would hold millions of columns.
    """
    kind = kind or str(rng.choice(list(CHANCES), p=list(CHANCES.values())))
    crystal = draw_crystal(rng, pixel_size)
    margin = 6.0 * float(crystal.width.max())
    columns = KINDS[kind](rng, crystal, size, margin)
    reached = np.abs(columns.positions - (size - 1) / 2).max(axis=1, initial=0.0) < size / 2 + margin
    columns = imperfections.shaken(rng, imperfections.defects(rng, columns[reached], crystal.gap))
    thick = imperfections.thickness(rng, size, crystal.gap)
    rows, places = np.clip(np.rint(columns.positions), 0, size - 1).astype(np.intp).T
    columns = replace(columns, peak=columns.peak * thick[rows, places])
    image = imperfections.drawn(rng, columns, size)
    polarity = -1 if rng.random() < 0.25 else 1
    image = imperfections.grounded(rng, image, columns, thick, crystal.area)
    inside = inner(columns.positions, size)
    kept = columns[inside]
    relative = (kept.peak / kept.peak.max(initial=1e-30)).astype(np.float32)
    vacancies = kept.vacancies[inner(kept.vacancies, size)]
    return Specimen(stretched(image, polarity), pixel_size, kept.positions, relative, polarity, kept.marks, vacancies)


def inner(positions: Floats, size: int) -> NDArray[np.bool_]:
    """Tell which of (N, 2) positions lie inside an image."""
    lie: NDArray[np.bool_] = np.abs(positions - (size - 1) / 2).max(axis=1, initial=0.0) < size / 2
    return lie
