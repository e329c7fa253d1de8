"""Random crystals, films and points as a high-resolution microscope projects them; and crystals from files.

After Lobato, Friedrich and Van Aert 2024, "Specimen generation". Lengths are in Å, coordinates (x, y, z): x to the
right, y down, z along the beam. What the paper leaves open is marked [R], our reading.
"""

import contextlib
import io
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from temclean import contrast, profiles, projection
from temclean.blocks import (
    MOST_IN_FILM,
    MOST_IN_SPECIMEN,
    REACH,
    Atoms,
    draw_crystal,
    draw_film,
    fill,
    frame,
    scattered,
    support,
    weathered,
)
from temclean.errors import FileError, ParameterError
from temclean.projection import Projected
from temclean.unitcells import Cell, ase

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LARGEST_SIZE = 32768

WIDEST = 4000.0
"""Field of a random scene in Å at most: over a thousand pixels of the paper's largest, 0.9 Å."""

MOST_FROM_FILE = 4_000_000
"""More atoms than this from a file are refused."""


def read(path: Path) -> tuple[Cell, bool]:
    """Read atoms with ASE: their cell, and whether they repeat in it; without a cell, one of 1 Å with its origin."""
    if not path.is_file():
        raise FileError(f"{path}: there is no such file; give a .cif or .xyz file")
    reader = ase("io")
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            atoms = reader.read(str(path))
            positions = np.array(atoms.get_positions(), np.float64)
            numbers = np.array(atoms.get_atomic_numbers(), np.int64)
            vectors = np.array(atoms.cell[:], np.float64)
            repeats = bool(np.any(atoms.pbc))
    except Exception as error:  # ASE's readers raise whatever a damaged file leads to
        reason = f" ({' '.join(str(error).split())[:120]})" if str(error) else ""
        raise FileError(f"{path}: cannot be read as a crystal{reason}; give a valid .cif or .xyz file") from error
    if not len(numbers) or not np.isfinite(positions).all():
        raise FileError(f"{path}: holds no atoms with positions; give a structure with at least one")
    if numbers.min() < 1 or numbers.max() > 103:
        wrong = int(numbers.min() if numbers.min() < 1 else numbers.max())
        raise FileError(f"{path}: holds an atom of atomic number {wrong}; only 1 to 103 can be drawn")
    if not repeats or abs(float(np.linalg.det(vectors))) < 1e-6:
        return Cell(np.eye(3), positions, numbers), False
    return Cell(vectors, positions @ np.linalg.inv(vectors) % 1.0, numbers), True


def from_file(
    path: str | Path,
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    zone: tuple[int, int, int] = (0, 0, 1),
    thickness: float | None = None,
) -> Projected:
    """Project a crystal from a .cif or .xyz file, or any other that ASE reads.

    The crystal fills the field of view, perfect, with the zone axis along the beam and a (else b) to the right, shifted
    at random. Atoms without a cell are drawn once, centred, the zone being a direction in their own axes. Profiles are
    those of :func:`temclean.profiles.typical`; the image is not inverted and its maximum is 1. All columns are given,
    resolved or not.

    Parameters
    ----------
    path : the file.
    size : pixels along each side.
    pixel_size : Å a pixel.
    zone : the direction [u v w] along the beam.
    thickness : Å; 50 if None.

    Raises
    ------
    FileError : the file is missing, cannot be read, or has no atoms or unknown ones.
    ParameterError : a number is out of range, the atoms are over 4 million, or ASE is not installed.
    """
    width = checked(size, pixel_size)
    if len(zone) != 3 or not np.isfinite(zone).all() or not np.any(zone):
        raise ParameterError(
            f"zone {tuple(zone)} is no direction; give three numbers that are not all 0, such as 0 0 1"
        )
    if thickness is not None and not 0.0 < thickness < np.inf:
        raise ParameterError(f"thickness {thickness} is out of range; choose more than 0 Å")
    cell, periodic = read(Path(path))
    if thickness is not None and not periodic:
        raise ParameterError(f"{path}: has no cell to repeat to a thickness of {thickness} Å; leave the thickness out")
    beam = np.asarray(zone, np.float64) @ cell.vectors
    sideways = cell.vectors[0] if np.linalg.norm(np.cross(cell.vectors[0], beam)) > 1e-6 else cell.vectors[1]
    vectors = cell.vectors @ frame(beam, sideways)
    atoms = stacked(path, cell, vectors, width, thickness or 50.0, rng) if periodic else alone(cell, vectors)
    flat = atoms.positions[:, 1::-1] / pixel_size + (size - 1) / 2
    seen = projected(
        flat, atoms.numbers, profiles.typical(np.unique(atoms.numbers).tolist()), size, pixel_size, len(flat)
    )
    top = max(float(seen.image.max()), 1e-30)
    return Projected(np.maximum(seen.image / np.float32(top), np.float32(0.0)), seen.positions, seen.brightness)


def stacked(
    path: str | Path, cell: Cell, vectors: Floats, width: float, thickness: float, rng: np.random.Generator
) -> Atoms:
    """Fill a box around the origin with a crystal, if that is not too much."""
    expected = cell.density * width**2 * thickness
    if expected > MOST_FROM_FILE:
        raise ParameterError(
            f"{path}: {expected:.3g} atoms in a field of {width:.0f} Å and a thickness of {thickness:g} Å are over "
            f"{MOST_FROM_FILE}; use a smaller size, pixel size or thickness"
        )
    high = np.array([width, width, thickness]) / 2.0
    origin = rng.random(3) @ vectors * (1.0, 1.0, 0.0)
    return fill(cell, vectors, -high - 1e-6, high - 1e-6, origin)


def alone(cell: Cell, vectors: Floats) -> Atoms:
    """Centre atoms that have no cell."""
    positions = cell.sites @ vectors
    return Atoms(positions - (positions.min(axis=0) + positions.max(axis=0)) / 2.0, cell.numbers)


def checked(size: int, pixel_size: float) -> float:
    """Return the width in Å of the box that holds a field of view and what reaches into it."""
    if not 1 <= size <= LARGEST_SIZE:
        raise ParameterError(f"size {size} is out of range; choose 1 to {LARGEST_SIZE} pixels")
    if not 0.005 <= pixel_size <= 100.0:
        raise ParameterError(f"pixel size {pixel_size} is out of range; choose 0.005 to 100 Å")
    return size * pixel_size + 2.0 * REACH


def field(size: int, pixel_size: float) -> float:
    """Return the same of a random scene, whose atoms could not fill a field of any size."""
    if size * pixel_size > WIDEST:
        raise ParameterError(
            f"a field of {size * pixel_size:.0f} Å is too wide to draw its atoms; choose a smaller size or pixel size, "
            f"of up to {WIDEST:.0f} Å together"
        )
    return checked(size, pixel_size)


def crystal(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random crystal, oriented, cut, with defects, on a support.

    The paper's box is as deep as it is wide; a crystal of over 250 000 atoms and a support of over 150 000 (a film of
    over 80 000) are made thinner, so that a scene never has more than 400 000. The columns are those of the crystal
    alone, and only where tilt, thickness and defects leave them resolved.

    Parameters
    ----------
    size : pixels along each side.
    pixel_size : Å a pixel; the paper draws it from 0.025 to 0.9.

    Raises
    ------
    ParameterError : size or pixel size is out of range, or ASE is not installed.
    """
    width = field(size, pixel_size)
    atoms = weathered(rng, draw_crystal(rng, width, size * pixel_size, MOST_IN_SPECIMEN), width)
    return scene(rng, atoms, support(rng, width), size, pixel_size)


def amorphous3d(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random amorphous specimen, cut, with defects, on a support; its atoms overlap and are not given.

    It has at most 80 000 atoms. Parameters and errors are those of :func:`crystal`.
    """
    width = field(size, pixel_size)
    atoms = weathered(rng, draw_film(rng, width, size * pixel_size, MOST_IN_FILM), width)
    return scene(rng, atoms, support(rng, width), size, pixel_size, columns=False)


def points(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random number of single atoms of up to three elements, no two closer than 1 to 20 pixels, on a support.

    The distances hold in the image. Parameters and errors are those of :func:`crystal`.
    """
    width = field(size, pixel_size)
    closest = rng.uniform(1.0, 20.0) * pixel_size
    pitch = max(closest * rng.uniform(1.5, 5.0), width / 400.0)
    flat = scattered(rng, 2 * [int(np.ceil(width / pitch))], pitch, closest)
    flat = flat[rng.random(len(flat)) < rng.uniform(0.05, 1.0)]
    numbers = rng.choice(rng.integers(1, 104, int(rng.integers(1, 4))), len(flat))
    atoms = Atoms(np.pad(flat, ((0, 0), (0, 1))), numbers)
    return scene(rng, atoms, support(rng, width), size, pixel_size)


def scene(
    rng: np.random.Generator, atoms: Atoms, below: Atoms, size: int, pixel_size: float, columns: bool = True
) -> Projected:
    """Project a specimen and its support (eqs. 16 to 22) and give the image its contrast (eqs. 23 to 26)."""
    numbers = np.concatenate([atoms.numbers, below.numbers])
    drawn = profiles.draw(np.unique(numbers).tolist(), rng)
    flat = (np.concatenate([atoms.positions, below.positions])[:, :2] - REACH)[:, ::-1] / pixel_size - 0.5
    clean = resolved(
        projected(flat, numbers, drawn, size, pixel_size, len(atoms.numbers) if columns else 0), pixel_size
    )
    image, polarity = contrast.finish(clean.image, rng)
    return Projected(image, clean.positions, clean.brightness, polarity)


def resolved(clean: Projected, pixel_size: float) -> Projected:
    """Keep the columns that are within a pixel or 0.3 Å of a maximum of the image; none if these are under a third.

    Where a specimen is not resolved, a few of its columns are near a maximum by chance.
    """
    padded = np.pad(clean.image, 1, constant_values=-np.inf)
    rows, columns = clean.image.shape
    around = [padded[1 + i : 1 + i + rows, 1 + j : 1 + j + columns] for i, j in product((-1, 0, 1), repeat=2) if i or j]
    top = np.flatnonzero((clean.image > np.maximum.reduce(around)).ravel())
    order = np.argsort(-clean.brightness, kind="stable")
    where = clean.positions[order]
    reach = max(1.0, 0.3 / pixel_size)
    owner = np.full(clean.image.size, -1)
    owner[top] = np.arange(len(top))
    found = np.full(len(where), -1)
    steps = range(-int(reach + 0.5), int(reach + 0.5) + 1)
    for i, j in sorted(product(steps, steps), key=lambda step: -(step[0] ** 2 + step[1] ** 2)):
        pixel = np.rint(where).astype(np.intp) + np.array([i, j])
        valid = ((pixel >= 0) & (pixel < clean.image.shape)).all(axis=1) & (np.hypot(*(pixel - where).T) <= reach)
        hit = owner[np.where(valid, pixel[:, 0] * columns + pixel[:, 1], 0)]
        found = np.where(valid & (hit >= 0), hit, found)
    _, first = np.unique(found, return_index=True)
    chosen = np.sort(first[found[first] >= 0])
    if 3 * len(chosen) < len(where):
        chosen = chosen[:0]
    kept = np.sort(order[chosen])
    brightness = clean.brightness[kept]
    return Projected(clean.image, clean.positions[kept], brightness / brightness.max(initial=np.float32(1e-30)))


def projected(
    flat: Floats, numbers: Numbers, drawn: dict[int, profiles.Profile], size: int, pixel_size: float, named: int
) -> Projected:
    """Project atoms at (N, 2) in pixels and find the columns of the first ``named`` of them."""
    elements = np.array(list(drawn), np.int64)
    species = np.searchsorted(elements, numbers)
    image = projection.project(flat, species, list(drawn.values()), (size, size), pixel_size)
    signal = np.array([profile.integral for profile in drawn.values()] or [0.0])
    seen = flat[:named]
    inside = ((seen > -3.0 / pixel_size - 0.5) & (seen < size + 3.0 / pixel_size)).all(axis=1)
    where, mass = projection.columns(seen[inside] * pixel_size, signal[species[:named][inside]])
    where /= pixel_size
    within_image = ((where > -0.5) & (where < size - 0.5)).all(axis=1)
    where, mass = where[within_image], mass[within_image]
    return Projected(image, where, (mass / mass.max(initial=1e-30)).astype(np.float32))
