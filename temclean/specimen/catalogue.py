"""The list of all specimens by name, and what draws each: see :data:`SPECIMENS`."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError
from temclean.specimen import (
    atoms,
    coherent,
    contrast,
    crystals,
    faint,
    fringed,
    phase,
    rough,
    scenes,
    structures,
    survey,
    textures,
)
from temclean.specimen.projection import Projected
from temclean.specimen.truth import Specimen, stretched

LARGEST_SIZE = 32768

FINE_SIZE = 1024
"""Side in pixels of the largest images that are drawn finer than they are shown: larger ones show less of a pixel."""


def draw(name: str, size: int = 512, pixel_size: float = 0.1, seed: int = 0) -> Specimen:
    """Draw a specimen of :data:`SPECIMENS`: the same name, size, pixel size and seed give the same image.

    Parameters
    ----------
    name : a key of :data:`SPECIMENS`.
    size : pixels along each side, 1 to 32768.
    pixel_size : Å a pixel, 0.005 to 100. Specimens without atoms are drawn in pixels and ignore it.
    seed : a whole number from 0 up.

    Raises
    ------
    ParameterError : the name is unknown, a number out of range, or the image would hold millions of atoms.

    Examples
    --------
    >>> specimen = draw("graphene", size=64, pixel_size=0.1, seed=1)
    >>> specimen.image.shape, specimen.positions.shape[1]
    ((64, 64), 2)
    """
    if name not in SPECIMENS:
        raise ParameterError(f"unknown specimen {name!r}; choose one of {', '.join(SPECIMENS)}")
    check(size, pixel_size)
    if seed < 0:
        raise ParameterError(f"seed {seed} is negative; choose a whole number from 0 up")
    return SPECIMENS[name](np.random.Generator(np.random.PCG64(seed)), size, pixel_size)


def check(size: int, pixel_size: float) -> None:
    """Refuse sizes (pixels) and pixel sizes (Å) out of range."""
    if not 1 <= size <= LARGEST_SIZE:
        raise ParameterError(f"size {size} is out of range; choose 1 to {LARGEST_SIZE} pixels")
    if not 0.005 <= pixel_size <= 100.0:
        raise ParameterError(f"pixel size {pixel_size} is out of range; choose 0.005 to 100 Å")


def draw_file(
    path: str | Path,
    size: int = 512,
    pixel_size: float = 0.1,
    seed: int = 0,
    zone: tuple[int, int, int] = (0, 0, 1),
    thickness: float | None = None,
) -> Specimen:
    """Draw the atoms of a .cif or .xyz file, or of any other that ASE reads.

    See :func:`temclean.specimen.structures.from_file`.

    Parameters
    ----------
    path : the file.
    size, pixel_size, seed : as for ``draw``; the seed shifts the crystal under the field of view.
    zone : direction [u v w] of the beam.
    thickness : Å along it; 50 by default.

    Raises
    ------
    FileError : the file cannot be read or holds no atoms.
    ParameterError : a number is out of range, or there are too many atoms.
    MissingExtraError : ASE is not installed.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    return seen(structures.from_file(path, rng, size, pixel_size, zone, thickness), pixel_size)


def seen(drawn: Projected, pixel_size: float) -> Specimen:
    """Return a projected specimen as one."""
    return Specimen(drawn.image, pixel_size, drawn.positions, drawn.brightness, drawn.polarity)


def projected(
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    kind: Callable[[np.random.Generator, int, float], Projected],
) -> Specimen:
    """Draw atoms in three dimensions, projected (Lobato 2024)."""
    return seen(kind(rng, size, pixel_size), pixel_size)


def gathered(
    rng: np.random.Generator, size: int, drawn: Callable[[np.random.Generator, int], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Draw at one to three times the resolution and gather over pixels: edges as sharp as pixels can show them."""
    times = int(rng.choice([1, 2, 3], p=[0.25, 0.5, 0.25])) if size <= FINE_SIZE else 1
    fine = drawn(rng, times * size).reshape(size, times, size, times)
    image: NDArray[np.float32] = fine.mean(axis=(1, 3), dtype=np.float32)
    return image


def texture(rng: np.random.Generator, size: int, pixel_size: float, kind: str) -> Specimen:
    """Draw an image of low resolution (Lobato 2024); it has no atoms."""
    image, polarity = contrast.finish(textures.TEXTURES[kind](rng, size), rng)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


def fringes(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw domains of bent lattice fringes 2 to 6 Å apart, as of soot and other layered carbon."""
    image, polarity = contrast.finish(textures.fringes(rng, size, rng.uniform(2.0, 6.0) / pixel_size), rng)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


def any_fringes(rng: np.random.Generator, size: int, pixel_size: float, kind: str | None = None) -> Specimen:
    """Draw fringes from 2.5 pixels apart up: straight, crossed, bent, in shells, beating, of equal thickness."""
    image, polarity = contrast.finish(fringed.draw(rng, size, pixel_size, kind), rng)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


SURVEYS: dict[str, Callable[[np.random.Generator, int], NDArray[np.float32]]] = {
    "faint": faint.draw,
    "nanoparticles": survey.nanoparticles,
    "polycrystal": survey.polycrystal,
    "powder": survey.powder,
    "wires": survey.wires,
    "arrays": survey.arrays,
    "labyrinth": fringed.labyrinth,
    "circuits": fringed.circuits,
    "rough": rough.draw,
}


def surveyed(rng: np.random.Generator, size: int, pixel_size: float, kind: str) -> Specimen:
    """Draw one of :data:`SURVEYS`, a fifth of them saturated."""
    image = gathered(rng, size, SURVEYS[kind])
    polarity = 1
    if kind != "powder":
        image, polarity = contrast.finish(image, rng)
    if rng.random() < 0.2:
        image = faint.saturated(rng, image)
    return Specimen(stretched(image), pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


def bright_field(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw nanoparticles of 30 to 200 nm as transmission shows them, dark on a ground that stays bright."""
    image = survey.dispersed(rng, size).image
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity=-1)


LOW = {
    "mixture": 0.3,
    "faint": 0.15,
    "nanoparticles": 0.13,
    "bright-field": 0.08,
    "polycrystal": 0.13,
    "powder": 0.09,
    "wires": 0.06,
    "any-fringes": 0.06,
}
"""How often ``lr`` draws what: the paper's mixture of textures, and what those do not show."""


def low_resolution(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw what is seen at low magnification, one of :data:`LOW`."""
    name = str(rng.choice(list(LOW), p=list(LOW.values())))
    if name == "mixture":
        image, polarity = contrast.finish(gathered(rng, size, textures.TEXTURES[name]), rng)
        return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)
    return SPECIMENS[name](rng, size, pixel_size)


HIGH = {
    "crystal": 0.22,
    "amorphous": 0.06,
    "points": 0.1,
    "lattice": 0.12,
    "graphene-atoms": 0.03,
    "coherent": 0.25,
    "phase": 0.17,
    "fringes": 0.05,
}
"""How often ``hr`` draws what: the paper has the first three, in .45, .1 and .15 of its images, but few of their
columns stand apart, nearly none is where a perfect lattice has it, and none shows phase contrast."""


def high_resolution(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw what is seen at atomic resolution, one of :data:`HIGH`, at a random contrast.

    Of phase contrast, which is low, 0.6 to 1 of the darkest level is taken away, as displays do; else it is as drawn.
    """
    name = str(rng.choice(list(HIGH), p=list(HIGH.values())))
    drawn = SPECIMENS[name](rng, size, pixel_size)
    if name in {"crystal", "amorphous", "points", "fringes"}:
        return drawn
    if name == "phase":
        floor = np.float32(rng.uniform(0.6, 1.0)) * drawn.image.min()
        return replace(drawn, image=(drawn.image - floor) / max(float(drawn.image.max() - floor), 1e-6))
    image, polarity = contrast.finish(drawn.image, rng)
    return replace(drawn, image=image, polarity=polarity * drawn.polarity)


SPECIMENS: dict[str, Callable[[np.random.Generator, int, float], Specimen]] = {
    "graphene": scenes.graphene,
    "graphene-atoms": scenes.sheet,
    "graphene-defects": scenes.damaged_sheet,
    "bn": partial(scenes.sheet, name="bn"),
    "mos2": partial(scenes.sheet, name="mos2"),
    "lattice": scenes.lattice,
    **{kind: partial(scenes.lattice, kind=kind) for kind in atoms.BRAVAIS},
    "coherent": coherent.draw,
    **{kind: partial(coherent.draw, kind=kind) for kind in coherent.KINDS},
    "phase": phase.draw,
    **{f"phase-{kind}": partial(phase.draw, kind=kind) for kind in phase.SCENES},
    "spots": scenes.spots,
    "edges": scenes.edges,
    "flat": scenes.flat,
    "atoms": scenes.bright_atoms,
    "scene": scenes.scene,
    "crystal": partial(projected, kind=crystals.crystal),
    "amorphous": partial(projected, kind=crystals.amorphous3d),
    "points": partial(projected, kind=crystals.points),
    "fringes": fringes,
    "hr": high_resolution,
    "particles": lambda rng, size, pixel_size: texture(
        rng, size, pixel_size, "soft_particles" if rng.random() < 0.5 else "sharp_particles"
    ),
    **{name.replace("_", "-"): partial(texture, kind=name) for name in textures.TEXTURES if name != "mixture"},
    **{kind: partial(surveyed, kind=kind) for kind in SURVEYS},
    "bright-field": bright_field,
    "soot": partial(any_fringes, kind="soot"),
    "any-fringes": any_fringes,
    "lr": low_resolution,
}
