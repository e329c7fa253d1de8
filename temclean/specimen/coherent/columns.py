"""Plane lattices of columns: what they are made of, and rows of them stacked until they fill an image.

Lengths are in pixels, positions are rows of (y, x).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError
from temclean.specimen import atoms
from temclean.specimen.coherent.motifs import MOTIFS, closest
from temclean.specimen.geometry import log_uniform

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

NORMAL, DOPANT, INTERSTITIAL = 0, 1, 2
"""What a column is: one of the lattice, of another brightness than its like, or between the sites of the lattice."""


@dataclass(frozen=True)
class Crystal:
    """A plane lattice of columns.

    Attributes
    ----------
    vectors : (2, 2), rows of (y, x).
    basis : (n, 2), where the columns of a cell stand.
    peak, width : (n,), their brightness, and their standard deviation.
    """

    vectors: Floats
    basis: Floats
    peak: Floats
    width: Floats

    @property
    def gap(self) -> float:
        """Least distance of two columns."""
        return closest(self.vectors, self.basis)

    @property
    def area(self) -> float:
        """Square pixels for each column."""
        return float(abs(np.linalg.det(self.vectors))) / len(self.basis)


@dataclass(frozen=True)
class Columns:
    """Columns in an image: positions (N, 2), peak, width and mark (N,), and where columns are missing, (M, 2)."""

    positions: Floats
    peak: Floats
    width: Floats
    marks: Bytes
    vacancies: Floats

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Columns":
        return Columns(
            self.positions[chosen], self.peak[chosen], self.width[chosen], self.marks[chosen], self.vacancies
        )


def joined(first: Columns, second: Columns) -> Columns:
    """Return two sets of columns as one."""
    names = ("positions", "peak", "width", "marks", "vacancies")
    return Columns(*(np.concatenate([getattr(first, name), getattr(second, name)]) for name in names))


def draw_crystal(rng: np.random.Generator, pixel_size: float) -> Crystal:
    """Draw a lattice: one of :data:`MOTIFS` (0.65) or of one to four columns in a random cell, turned at random.

    Where its true size would make columns less than 3.5 or more than 40 pixels apart, and in half of the others, they
    are put 4 to 24 pixels apart, or, in one of eight, 2.5 to 4, where rows become fringes.
    """
    if rng.random() < 0.65:
        motif = MOTIFS[str(rng.choice(list(MOTIFS)))]
        vectors, basis = motif.vectors, motif.places
        strength = motif.strengths(rng.uniform(0.5, 2.0))
        if rng.random() < 0.25:
            strength = np.exp(rng.uniform(np.log(0.03), 0.0, len(basis)))
    else:
        vectors, basis = random_cell(rng)
        strength = np.exp(rng.uniform(np.log(rng.choice([0.03, 0.3])), 0.0, len(basis)))
    gap = closest(vectors, basis)
    spacing = gap / pixel_size
    if not 3.5 <= spacing <= 40.0 or rng.random() < 0.5:
        spacing = log_uniform(rng, 2.5, 4.0) if rng.random() < 0.2 else log_uniform(rng, 4.0, 24.0)
    width = max(spacing / log_uniform(rng, 2.2, 7.0), 0.75)
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = spacing / gap * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    vectors = vectors[np.argsort(rng.random(2))]
    if rng.random() < 0.3:
        vectors = np.stack([vectors[0] + vectors[1], vectors[1]])
    widths = width * (rng.uniform(0.8, 1.0, len(basis)) if rng.random() < 0.5 else np.ones(len(basis)))
    return Crystal(vectors @ turn, basis @ turn, strength / strength.max(), widths)


def random_cell(rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw a cell of any plane lattice and one to four columns in it; lengths are relative."""
    ratio, degrees = atoms.BRAVAIS[str(rng.choice(list(atoms.BRAVAIS)))](rng)
    vectors = np.array([[1.0, 0.0], [ratio * np.cos(np.radians(degrees)), ratio * np.sin(np.radians(degrees))]])
    basis = np.zeros((1, 2))
    least, most = rng.uniform(0.25, 0.6), int(rng.integers(1, 5))
    tried = rng.random((40, 2)) if rng.random() < 0.5 else rng.integers(0, 6, (40, 2)) / 6.0
    for place in tried @ vectors:
        if len(basis) < most and closest(vectors, np.vstack([basis, place])) >= least:
            basis = np.vstack([basis, place])
    return vectors, basis


def fill(
    crystal: Crystal,
    size: int,
    margin: float,
    origin: Floats,
    mirrored: Callable[[NDArray[np.intp]], NDArray[np.bool_]] | None = None,
    slip: Callable[[NDArray[np.intp]], Floats] | None = None,
) -> Columns:
    """Stack rows of columns until they fill the image and a margin around it.

    Parameters
    ----------
    crystal : its first vector is that of a row, its second leads to the next row.
    size, margin : pixels.
    origin : (2,), a point of the lattice.
    mirrored : from the numbers of rows to which of them are mirrored, as in twins.
    slip : from the numbers of rows to how far each is moved from where the last would have it, as in stacking faults.

    Raises
    ------
    ParameterError : there would be millions of columns.
    """
    along, to_next = crystal.vectors
    length = float(np.linalg.norm(along))
    e1 = along / length
    e2 = np.array([-e1[1], e1[0]])
    e2 = e2 if to_next @ e2 > 0 else -e2
    height = float(to_next @ e2)
    b1, b2 = crystal.basis @ e1, crystal.basis @ e2
    centre = np.full(2, (size - 1) / 2)
    reach = (size / 2 + margin) * float(np.sqrt(2.0))
    away = (centre - origin) @ np.stack([e1, e2], axis=1)
    first, last = ((away[1] + part - bound) / height for part, bound in ((-reach, b2.max()), (reach, b2.min())))
    rows = np.arange(int(np.floor(first)), int(np.ceil(last)) + 1)
    count = int(np.ceil(2.0 * reach / length)) + 1
    if len(rows) * count * len(b1) > atoms.LARGEST_COUNT:
        raise ParameterError(f"over {atoms.LARGEST_COUNT} atoms in the image; use a smaller size or larger pixel size")
    sign = np.where(mirrored(rows), -1.0, 1.0) if mirrored else np.ones(len(rows))
    steps = sign * float(to_next @ e1) + (slip(rows) if slip else 0.0)
    start = np.cumsum(steps) - steps + (rows[0] * float(to_next @ e1) if not mirrored and not slip else 0.0)
    start = start[:, None] + sign[:, None] * b1
    start += length * np.ceil((away[0] - reach - start) / length)
    x1 = start[:, None, :] + length * np.arange(count)[:, None]
    x2 = np.broadcast_to(rows[:, None, None] * height + b2, x1.shape)
    points = origin + x1.reshape(-1, 1) * e1 + x2.reshape(-1, 1) * e2
    site = np.broadcast_to(np.arange(len(b1)), x1.shape).reshape(-1)
    inside = ((points > -0.5 - margin) & (points < size - 0.5 + margin)).all(axis=1)
    points, site = points[inside], site[inside]
    none = np.zeros(len(points), np.uint8)
    return Columns(points, crystal.peak[site], crystal.width[site], none, np.zeros((0, 2)))


def kept_apart(columns: Columns, near: NDArray[np.bool_], least: float) -> Columns:
    """Leave out the fainter of every two columns closer than ``least``, among those that are ``near`` what breaks."""
    index = np.flatnonzero(near)
    points = columns.positions[index]
    if len(index) < 2:
        return columns
    axis = int(np.argmax(np.ptp(points, axis=0)))
    order = np.argsort(points[:, axis])
    index, points = index[order], points[order]
    kept = np.ones(len(columns.positions), bool)
    for step in range(1, len(index)):
        apart = points[step:] - points[:-step]
        close = apart[:, axis] < least
        if not close.any():
            break
        both = np.flatnonzero(close & (np.hypot(*apart.T) < least))
        first, second = index[both], index[both + step]
        both_kept = kept[first] & kept[second]
        fainter = np.where(columns.peak[first] < columns.peak[second], first, second)
        kept[fainter[both_kept]] = False
    return columns[kept]


def turned(crystal: Crystal, angle: float) -> Crystal:
    """Return a crystal turned by an angle in radians."""
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return replace(crystal, vectors=crystal.vectors @ turn, basis=crystal.basis @ turn)
