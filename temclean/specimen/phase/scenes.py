"""What high-resolution transmission microscopes look at: sheets, crystals with an end or a boundary, particles, films.

Each function draws an :class:`Exit`: the phase that the specimen gives to the wave, and what stands where. Positions
are in pixels of the image, rows of (y, x).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from temclean.specimen import monolayers
from temclean.specimen.coherent import imperfections, strain
from temclean.specimen.coherent.columns import DOPANT, Columns, Crystal, fill, joined
from temclean.specimen.coherent.kinds import KINDS, inner
from temclean.specimen.coherent.motifs import MOTIFS, Motif
from temclean.specimen.geometry import coverage, log_uniform, waves
from temclean.specimen.phase.grid import Grid
from temclean.specimen.phase.potentials import FACTORS, Spectrum, of_atoms, of_film, scattering

Image = NDArray[np.float32]
Floats = NDArray[np.float64]

SHEETS = ("graphene", "boron nitride", "molybdenum disulphide", "tungsten diselenide")
CARBON = 0.1
"""Atoms of amorphous carbon in a cubic ångström, at 2 g/cm3."""

THERMAL = 0.07
"""Standard deviation of the thermal motion along each axis, Å."""

SIGNAL = {number: float(scattering(number, np.full(1, 0.16))[0]) for number in FACTORS}
"""Scattering factor of each element at k = 0.4 / Å."""


@dataclass(frozen=True)
class Exit:
    """A specimen as the wave leaves it.

    Attributes
    ----------
    potential : half spectrum of the projected potential on the grid, V Å.
    columns : what stands where; its peaks are numbers of atoms.
    detail : the spacing in Å that a microscope must see, or 0.
    thick : how much of the crystal is at each pixel, (size, size), for what it absorbs; or None.
    """

    potential: Spectrum
    columns: Columns
    detail: float = 0.0
    thick: Image | None = None


def nothing() -> Columns:
    """Return no columns."""
    return Columns(np.zeros((0, 2)), np.zeros(0), np.zeros(0), np.zeros(0, np.uint8), np.zeros((0, 2)))


def to_pixels(rng: np.random.Generator, motif: Motif, strengths: Floats, pixel_size: float) -> Crystal:
    """Return a crystal of true size, turned at random; the width of a column is half an ångström."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) / pixel_size
    vectors = motif.vectors[np.argsort(rng.random(2))]
    return Crystal(vectors @ turn, motif.places @ turn, strengths, np.full(len(strengths), 0.5 / pixel_size))


def heaviest(motif: Motif) -> int:
    """Return the largest atomic number in a motif among those with a scattering factor."""
    return max((z for site in motif.sites for z in site[2] if z in FACTORS), default=14)


def strengths(motif: Motif) -> Floats:
    """Return the scattering of each column at k = 0.4 / Å in atoms of its heaviest element, (N,)."""
    sums = np.array([sum(SIGNAL.get(z, 0.5) for z in site[2]) for site in motif.sites])
    relative: Floats = sums / SIGNAL[heaviest(motif)]
    return relative


def film_under(rng: np.random.Generator, grid: Grid, atoms: float, where: Image | None = None) -> Spectrum:
    """Draw an amorphous film of carbon (0.7), silicon or germanium, of so many atoms a square ångström."""
    number, spacing = ((6, 2.1), (14, 3.2), (32, 3.3))[rng.choice(3, p=[0.7, 0.2, 0.1])]
    return of_film(rng, number, atoms, grid.shape, grid.step, grid.squared, spacing, where)


def sheet(rng: np.random.Generator, grid: Grid) -> Exit:
    """Draw a monolayer (an eighth partly two), with vacancies, foreign atoms, turned bonds, a hole, dirt."""
    name = str(rng.choice(SHEETS, p=[0.5, 0.15, 0.25, 0.1]))
    motif, size = MOTIFS[name], grid.size
    points, site = monolayer(rng, grid, motif)
    if rng.random() < 0.35:
        points = points + strain.draw_waves(rng, size)(points)
    turned = rng.uniform(0.0, 0.06) if name == "graphene" and rng.random() < 0.3 else 0.0
    points, kept = monolayers.damage(rng, points, log_uniform(rng, 0.001, 0.03) if rng.random() < 0.6 else 0.0, turned)
    vacancies = points[~kept]
    if rng.random() < 0.12:
        border = strain.oval(rng, size) if rng.random() < 0.6 else strain.winding(rng, size)
        there = border(*points.T) < 0.0
        there = there if there[inner(points, size)].mean() > 0.3 else ~there
        vacancies, kept = points[~kept & there], kept & there
    points, site = points[kept], site[kept]
    number, count = np.array([each[2][0] for each in motif.sites]), np.array([len(each[2]) for each in motif.sites])
    element, many = number[site], count[site].astype(np.float64)
    marks = np.zeros(len(points), np.uint8)
    if rng.random() < 0.3:
        hit = rng.random(len(points)) < log_uniform(rng, 0.0005, 0.02)
        element[hit], many[hit], marks[hit] = rng.choice([7, 8, 14, 26, 42, 74, 78]), 1.0, DOPANT
    potential = layer(grid, points, many, element)
    if rng.random() < 0.12:
        above, kind = monolayer(rng, grid, motif)
        over = strain.winding(rng, size)(*above.T) > 0.0
        potential += layer(grid, above[over], count[kind[over]].astype(np.float64), number[kind[over]])
    if rng.random() < 0.3:
        potential += film_under(rng, grid, log_uniform(rng, 0.1, 2.0), patch(rng, grid))
    strength = np.array([SIGNAL[int(each)] for each in element]) * many
    columns = Columns(points, strength, np.full(len(points), 0.5 / grid.pixel_size), marks, vacancies)
    return Exit(potential, columns, 0.87 * motif.vectors[0, 0])


def monolayer(rng: np.random.Generator, grid: Grid, motif: Motif) -> tuple[Floats, NDArray[np.intp]]:
    """Fill the grid with a lattice: the points (N, 2) and which site of the motif each is (N,)."""
    numbers = np.arange(len(motif.sites), dtype=np.float64)
    crystal = to_pixels(rng, motif, numbers, grid.pixel_size)
    filled = fill(crystal, grid.size, 1.2 * grid.margin, rng.uniform(0.0, grid.size, 2))
    return filled.positions, np.rint(filled.peak).astype(np.intp)


def layer(grid: Grid, points: Floats, weight: Floats, element: NDArray[np.integer]) -> Spectrum:
    """Return the potential of atoms of several elements."""
    total = np.zeros(grid.squared.shape, np.complex64)
    for z in np.unique(element).tolist():
        one = element == z
        laid = grid.points(points[one])
        total += of_atoms(laid, weight[one], int(z), grid.shape, grid.step, grid.squared, THERMAL)
    return total


def patch(rng: np.random.Generator, grid: Grid) -> Image:
    """Draw where there is dirt, or a film with a hole, as a part in [0, 1] on the grid; its edge is soft."""
    height, slope = waves(rng, grid.shape[0], grid.shape[0] * rng.uniform(0.5, 2.0), 0.2 * grid.shape[0], 1.0)
    inside = (height - np.float32(rng.uniform(-0.8, 0.8))) / np.float32(slope)
    return coverage(inside, max(rng.uniform(2.0, 15.0) / grid.step, 1.0))


def crystal(rng: np.random.Generator, grid: Grid, kind: str | None = None) -> Exit:
    """Draw a crystal of 8 to 120 Å, whole or as one of the kinds of coherent lattices; at times under a film."""
    motif = MOTIFS[str(rng.choice([name for name in MOTIFS if name not in SHEETS]))]
    lattice = to_pixels(rng, motif, strengths(motif), grid.pixel_size)
    chances = [0.25, 0.1, 0.13, 0.18, 0.06, 0.06, 0.18, 0.04]
    kind = kind or str(rng.choice(list(KINDS), p=chances))
    margin = 1.1 * grid.margin
    columns = KINDS[kind](rng, lattice, grid.size, margin)
    columns = imperfections.shaken(rng, imperfections.defects(rng, columns, lattice.gap))
    thick = imperfections.thickness(rng, grid.size, 1.0)
    rows, places = np.clip(np.rint(columns.positions), 0, grid.size - 1).astype(np.intp).T
    atoms = log_uniform(rng, 2.0, 30.0)
    columns = replace(columns, peak=atoms * columns.peak * thick[rows, places])
    element = np.full(len(columns.peak), heaviest(motif))
    potential = layer(grid, columns.positions, columns.peak, element)
    body = imperfections.floor(columns.positions, grid.size, lattice.area) * thick if columns.peak.size else None
    if rng.random() < 0.45:
        where = patch(rng, grid) if rng.random() < 0.5 else None
        potential = potential + film_under(rng, grid, CARBON * log_uniform(rng, 3.0, 60.0), where)
    return Exit(potential, columns, lattice.gap * grid.pixel_size, body)


def particles(rng: np.random.Generator, grid: Grid) -> Exit:
    """Draw one to six crystalline particles, round or facetted, on an amorphous film of 10 to 150 Å."""
    potential = film_under(rng, grid, CARBON * log_uniform(rng, 10.0, 150.0))
    every: list[Columns] = []
    named: list[Columns] = []
    detail = 0.0
    body = np.zeros((grid.size, grid.size), np.float32)
    motif = MOTIFS[str(rng.choice([name for name in MOTIFS if name not in SHEETS]))]
    for _ in range(int(rng.choice([1, 2, 3, 6], p=[0.5, 0.25, 0.15, 0.1]))):
        fringed = rng.random() < 0.35
        lattice = to_pixels(rng, motif, strengths(motif), grid.pixel_size)
        if fringed:
            spacing = rng.uniform(1.8, 3.6) / grid.pixel_size
            rows = np.array([[0.0, 0.0], [0.0, spacing]])
            rows[0] = [0.9 / grid.pixel_size, 0.0]
            angle = rng.uniform(0.0, 2.0 * np.pi)
            rows = rows @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            lattice = Crystal(rows, np.zeros((1, 2)), np.full(1, 0.4), np.full(1, 0.5 / grid.pixel_size))
        border, radius = outline(rng, grid.size, lattice)
        kind = str(rng.choice(["perfect", "strained", "twins", "stacking-faults"], p=[0.6, 0.15, 0.2, 0.05]))
        columns = KINDS[kind](rng, lattice, grid.size, 1.1 * grid.margin)
        inside = border(*columns.positions.T)
        height = np.sqrt(np.clip(1.0 - np.square(1.0 - np.clip(inside / radius, 0.0, 1.0)), 0.0, 1.0))
        atoms = min(2.0 * radius * grid.pixel_size, 150.0) * rng.uniform(0.3, 1.0) / 4.0
        columns = replace(columns, peak=columns.peak * atoms * height)[inside > 0.0]
        every.append(columns)
        y, x = np.indices((grid.size, grid.size), np.float32)
        body += np.sqrt(np.clip(border(y, x) / radius, 0.0, 1.0)).astype(np.float32)
        detail = max(detail, lattice.gap * grid.pixel_size if not fringed else 2.0)
        if not fringed:
            named.append(columns)
    drawn = reduce(joined, every)
    element = np.full(len(drawn.peak), heaviest(motif))
    potential = potential + layer(grid, drawn.positions, drawn.peak, element)
    return Exit(potential, reduce(joined, named, nothing()), detail, body)


def outline(rng: np.random.Generator, size: int, lattice: Crystal) -> tuple[strain.Border, float]:
    """Draw the outline of a particle, an ellipse or a polygon along its rows, and the radius of what fits in it."""
    radius = log_uniform(rng, 0.08, 0.45) * size
    middle = rng.uniform(0.15, 0.85, 2) * size
    stretch, angle = rng.uniform(0.7, 1.0), rng.uniform(0.0, np.pi)
    if rng.random() < 0.5:
        sine, cosine = np.sin(angle), np.cos(angle)

        def round_one(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
            v, u = y - middle[0], x - middle[1]
            away = np.hypot(cosine * u + sine * v, (cosine * v - sine * u) / stretch)
            inside: NDArray[np.floating] = radius - away
            return inside

        return round_one, radius
    rows = np.concatenate([lattice.vectors, [lattice.vectors[0] + lattice.vectors[1]]])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    reach = radius * rng.uniform(0.7, 1.0, 6)

    def facetted(y: NDArray[np.floating], x: NDArray[np.floating]) -> NDArray[np.floating]:
        least = radius - np.hypot(y - middle[0], x - middle[1])
        for k, row in enumerate(rows):
            across = row[1] * (y - middle[0]) - row[0] * (x - middle[1])
            least = np.minimum(least, np.minimum(reach[k] - across, reach[k + 3] + across))
        inside: NDArray[np.floating] = least
        return inside

    return facetted, radius


def film(rng: np.random.Generator, grid: Grid) -> Exit:
    """Draw an amorphous film of 10 to 400 Å, in half of the images with an edge or a hole."""
    where = patch(rng, grid) if rng.random() < 0.5 else None
    return Exit(film_under(rng, grid, CARBON * log_uniform(rng, 10.0, 400.0), where), nothing())


SCENES: dict[str, Callable[[np.random.Generator, Grid], Exit]] = {
    "sheet": sheet,
    "crystal": crystal,
    "particles": particles,
    "film": film,
}
