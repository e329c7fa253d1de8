"""Random crystals, films and points as a high-resolution microscope projects them.

After Lobato, Friedrich and Van Aert 2024, "Specimen generation". Lengths are in Å, coordinates (x, y, z): x to the
right, y down, z along the beam. What the paper leaves open is marked [R], our reading.
"""

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError
from temclean.specimen import contrast, profiles, projection
from temclean.specimen.blocks import (
    MOST_IN_FILM,
    MOST_IN_SPECIMEN,
    REACH,
    Atoms,
    draw_crystal,
    draw_film,
    scattered,
    support,
    weathered,
)
from temclean.specimen.projection import Projected

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Mask = NDArray[np.bool_]

LARGEST_SIZE = 32768

WIDEST = 4000.0
"""Field of a random scene in Å at most: over a thousand pixels of the paper's largest, 0.9 Å."""


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
    alone; :func:`temclean.specimen.projection.resolved` tells which of them tilt, thickness and defects leave apart.

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
    return scene(rng, atoms, support(rng, width), size, pixel_size, len(atoms.numbers))


def amorphous3d(rng: np.random.Generator, size: int, pixel_size: float) -> Projected:
    """Draw a random amorphous specimen, cut, with defects, on a support; its atoms overlap and are not given.

    It has at most 80 000 atoms. Parameters and errors are those of :func:`crystal`.
    """
    width = field(size, pixel_size)
    atoms = weathered(rng, draw_film(rng, width, size * pixel_size, MOST_IN_FILM), width)
    return scene(rng, atoms, support(rng, width), size, pixel_size, 0)


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
    return scene(rng, atoms, support(rng, width), size, pixel_size, len(atoms.numbers))


def scene(rng: np.random.Generator, atoms: Atoms, below: Atoms, size: int, pixel_size: float, named: int) -> Projected:
    """Project a specimen and its support (eqs. 16 to 22) and give the image its contrast (eqs. 23 to 26).

    The first ``named`` atoms form columns.
    """
    numbers = np.concatenate([atoms.numbers, below.numbers])
    drawn = profiles.draw(np.unique(numbers).tolist(), rng)
    flat = (np.concatenate([atoms.positions, below.positions])[:, :2] - REACH)[:, ::-1] / pixel_size - 0.5
    clean = projected(flat, numbers, drawn, size, pixel_size, named)
    image, polarity = contrast.finish(clean.image, rng)
    return Projected(image, clean.positions, clean.brightness, polarity)


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
