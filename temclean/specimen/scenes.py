"""Flat specimens and mixtures of them: sheets, lattices, spots, shapes, as sums of Gaussians or of plain areas."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from temclean.specimen import atoms, densities, monolayers, shapes
from temclean.specimen.truth import Specimen, scale


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
