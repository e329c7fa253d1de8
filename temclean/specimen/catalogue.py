"""The list of all specimens by name, and what draws each: see :data:`SPECIMENS`."""

from collections.abc import Callable, Sequence
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
    densities,
    monolayers,
    phase,
    shapes,
    structures,
    textures,
)
from temclean.specimen.projection import Projected
from temclean.specimen.truth import Specimen, scale

LARGEST_SIZE = 32768


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


def texture(rng: np.random.Generator, size: int, pixel_size: float, kind: str) -> Specimen:
    """Draw an image of low resolution (Lobato 2024); it has no atoms."""
    image, polarity = contrast.finish(textures.TEXTURES[kind](rng, size), rng)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


def fringes(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw domains of bent lattice fringes 2 to 6 Å apart, as of soot and other layered carbon."""
    image, polarity = contrast.finish(textures.fringes(rng, size, rng.uniform(2.0, 6.0) / pixel_size), rng)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)


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
    """Draw what is seen at atomic resolution, one of :data:`HIGH`, at a random contrast."""
    name = str(rng.choice(list(HIGH), p=list(HIGH.values())))
    drawn = SPECIMENS[name](rng, size, pixel_size)
    if name in {"crystal", "amorphous", "points", "fringes"}:
        return drawn
    image, polarity = contrast.finish(drawn.image, rng)
    return replace(drawn, image=image, polarity=polarity * drawn.polarity)


def finish(
    image: NDArray[np.floating], pixel_size: float, drawn: atoms.Atoms | None = None, polarity: int = 1
) -> Specimen:
    """Scale an image and keep the atoms whose centres lie inside it."""
    size = len(image)
    if drawn is None:
        return Specimen(scale(polarity * image), pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32), polarity)
    inside = ((drawn.positions > -0.5) & (drawn.positions < size - 0.5)).all(axis=1)
    peak = drawn.peak[inside]
    relative = (peak / peak.max() if len(peak) else peak).astype(np.float32)
    return Specimen(scale(polarity * image), pixel_size, drawn.positions[inside], relative, polarity)


def graphene(
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    structures: Sequence[int] = range(densities.COUNT),
) -> Specimen:
    """Draw the density of disordered graphene 3 Å above the sheet, from first principles (Chae 2025).

    Unlike the paper's, the structures that lie side by side fade into each other, over 1 Å on either side of a joint.
    """
    field = densities.draw(rng, size, pixel_size, structures, fade=1.0)
    drawn = atoms.Atoms(field.positions, field.brightness, np.zeros(len(field.positions)))
    return finish(field.image, pixel_size, drawn)


def sheet(rng: np.random.Generator, size: int, pixel_size: float, name: str = "graphene") -> Specimen:
    """Draw a disordered sheet (Chae 2025, section II.2), from 3 Å above it, as a sum of atomic densities."""
    drawn, parts = monolayers.draw(rng, size, pixel_size, name)
    return finish(atoms.gaussians(parts, size), pixel_size, drawn)


def damaged_sheet(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw graphene as a sum of atomic densities with up to 8% of its atoms missing and up to 8% on turned bonds."""
    vacancies, turned = rng.uniform(0.0, 0.08, 2)
    drawn, parts = monolayers.draw(rng, size, pixel_size, vacancies=vacancies, turned=turned)
    return finish(atoms.gaussians(parts, size), pixel_size, drawn)


def lattice(rng: np.random.Generator, size: int, pixel_size: float, kind: str | None = None) -> Specimen:
    """Draw a plane lattice of one to four species on an empty background."""
    drawn = atoms.lattice(rng, size, pixel_size, kind)
    return finish(atoms.gaussians(drawn, size), pixel_size, drawn)


def spots(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw isolated spots."""
    drawn = atoms.spots(rng, size, pixel_size)
    return finish(atoms.gaussians(drawn, size), pixel_size, drawn)


def edges(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw edges and bands."""
    return finish(shapes.edges(rng, size), pixel_size)


def flat(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw an even area, at times with a gentle gradient; not scaled."""
    image = np.clip(shapes.flat(rng, size), 0.0, 1.0)
    return Specimen(image, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32))


def any_atoms(rng: np.random.Generator, size: int, pixel_size: float) -> tuple[str, atoms.Atoms, atoms.Atoms]:
    """Draw atoms of some kind: which kind, the atoms, and the Gaussians that they are made of."""
    kind = str(rng.choice(["graphene", "lattice", "spots", "amorphous"], p=[0.3, 0.45, 0.13, 0.12]))
    if kind == "graphene":
        return kind, *monolayers.draw(rng, size, pixel_size, height=round(float(rng.uniform(1.0, 3.5)), 1))
    drawn = {"lattice": atoms.lattice, "spots": atoms.spots, "amorphous": atoms.amorphous}[kind](rng, size, pixel_size)
    return kind, drawn, drawn


def bright_atoms(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw atoms of any kind, bright on an even background."""
    _, drawn, parts = any_atoms(rng, size, pixel_size)
    return finish(atoms.gaussians(parts, size), pixel_size, drawn)


def atoms_scene(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw atoms as a micrograph shows them: behind a mask, on a support, under uneven light, bright or dark."""
    kind, drawn, parts = any_atoms(rng, size, pixel_size)
    image = atoms.gaussians(parts, size)
    if rng.random() < 0.3:
        image = image * (1.0 - rng.uniform(0.2, 0.7) * shapes.field(rng, size, int(rng.integers(1, 4))))
    if kind != "amorphous" and rng.random() < 0.3:
        mask = shapes.half_plane(rng, size, 4.0) if rng.random() < 0.5 else shapes.ellipse(rng, size, 4.0)
        image = image * mask
        rows, columns = np.clip(np.rint(drawn.positions), 0, size - 1).astype(int).T
        visible = mask[rows, columns] > 0.5
        drawn = atoms.Atoms(drawn.positions[visible], drawn.peak[visible], drawn.width_px[visible])
        if rng.random() < 0.5:
            image = image + rng.uniform(0.0, 0.5) * mask
    if rng.random() < 0.3:
        image = image + rng.uniform(0.1, 0.8) * shapes.field(rng, size, int(rng.integers(1, 5)))
    if rng.random() < 0.15:
        film = atoms.gaussians(atoms.amorphous(rng, size, pixel_size), size)
        image = image + rng.uniform(0.03, 0.25) * film / max(float(film.max()), 1e-6)
    return finish(image, pixel_size, drawn, polarity=-1 if rng.random() < 0.3 else 1)


def shape_scene(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw particles, grains, edges or an even area, at full or at low contrast."""
    shape = [shapes.particles, shapes.grains, shapes.edges, None][rng.choice(4, p=[0.35, 0.2, 0.25, 0.2])]
    if shape is None:
        return flat(rng, size, pixel_size)
    specimen = finish(shape(rng, size), pixel_size)
    if rng.random() < 0.5:
        return specimen
    low, high = np.sort(rng.uniform(0.0, 1.0, 2)).astype(np.float32)
    return Specimen(low + (high - low) * specimen.image, pixel_size, specimen.positions, specimen.brightness)


def scene(rng: np.random.Generator, size: int, pixel_size: float) -> Specimen:
    """Draw anything flat: three times in four atoms, else shapes. The shipped models saw it among others."""
    return (atoms_scene if rng.random() < 0.75 else shape_scene)(rng, size, pixel_size)


SPECIMENS: dict[str, Callable[[np.random.Generator, int, float], Specimen]] = {
    "graphene": graphene,
    "graphene-atoms": sheet,
    "graphene-defects": damaged_sheet,
    "bn": partial(sheet, name="bn"),
    "mos2": partial(sheet, name="mos2"),
    "lattice": lattice,
    **{kind: partial(lattice, kind=kind) for kind in atoms.BRAVAIS},
    "coherent": coherent.draw,
    **{kind: partial(coherent.draw, kind=kind) for kind in coherent.KINDS},
    "phase": phase.draw,
    **{f"phase-{kind}": partial(phase.draw, kind=kind) for kind in phase.SCENES},
    "spots": spots,
    "edges": edges,
    "flat": flat,
    "atoms": bright_atoms,
    "scene": scene,
    "crystal": partial(projected, kind=crystals.crystal),
    "amorphous": partial(projected, kind=crystals.amorphous3d),
    "points": partial(projected, kind=crystals.points),
    "fringes": fringes,
    "hr": high_resolution,
    "particles": lambda rng, size, pixel_size: texture(
        rng, size, pixel_size, "soft_particles" if rng.random() < 0.5 else "sharp_particles"
    ),
    **{name.replace("_", "-"): partial(texture, kind=name) for name in textures.TEXTURES if name != "mixture"},
    "lr": partial(texture, kind="mixture"),
}
