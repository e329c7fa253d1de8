"""Columns of atoms of one image as a table, with its lattice, its strain and groups of equal intensity."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import metrics
from temclean.commands.measuring.scale import Floats, Scale, Table
from temclean.evidence import samples, spectrum
from temclean.evidence.likelihood import correlations
from temclean.evidence.noise import report
from temclean.metrics import Columns
from temclean.metrics.columns import column_width
from temclean.metrics.counting import Groups, intensity_groups
from temclean.metrics.echoes import echoes
from temclean.metrics.gaussians import even_of
from temclean.metrics.lattice import Lattice, fit_lattice
from temclean.metrics.neighbours import nearest
from temclean.metrics.strain import local_strain

NARROW, WIDE = 1 / 12, 1 / 6
"""Of a lattice's period, what columns are wide: standard deviations."""

FURTHEST = 64
"""Pixels up to which noise may hang together."""

NOISE = 0.6
"""Pixels; where the estimate is no more, it is the noise's."""


@dataclass(frozen=True)
class Atoms:
    """What was found of columns.

    Attributes
    ----------
    columns : them.
    lattice : in nm, or in pixels where there is no scale; None where there is none.
    echoes : how many weak maxima between columns were left out.
    """

    columns: Columns
    lattice: Lattice | None
    echoes: int = 0


def find(pixels: NDArray[Any], scale: Scale, *, dark: bool, width: float | None = None) -> Atoms:
    """Find columns, of a width in pixels if that is known, and their lattice, without `echoes`."""
    sample = samples.sample(pixels)
    noise = report(sample) if sample else None
    correlation = correlations(noise, FURTHEST) if noise and (noise.row_length or noise.column_length) else None
    pixel = scale.pixel or (1.0, 1.0)
    found = metrics.columns(pixels, width or usual_width(pixels, pixel), pixel, dark=dark, correlation=correlation)
    between = echoes(found.positions * scale.even, np.abs(found.intensity) / np.maximum(found.width, 1e-9) ** 2)
    kept = Columns(**{each.name: getattr(found, each.name)[~between] for each in fields(found)})
    return Atoms(kept, fit_lattice(kept.positions * scale.even), int(between.sum()))


def usual_width(pixels: NDArray[Any], pixel: tuple[float, float] = (1.0, 1.0)) -> float | None:
    """Return the width that columns seem to have, in pixels; None where nothing in the image is wider than its noise.

    Where a lattice shows, its period says what is possible, as strong noise and uneven light mislead the estimate. Of
    oblong pixels, of a height and width ``pixel`` in any unit, it is in square ones as large, and the period, which is
    told in pixels along whichever direction, may be as many of these as pixels are long, or as they are short.

    Raises
    ------
    ImageError : the image is not two-dimensional, real and finite.
    ParameterError : a pixel cannot be so high and wide.
    """
    width, even = column_width(pixels, pixel), even_of(pixel)
    sample = samples.sample(pixels)
    period = spectrum.structure(sample).period if sample else None
    if period is not None and not period * NARROW * min(even) < width < period * WIDE * max(even):
        return period * WIDE
    return width if width > NOISE else None


def table(atoms: Atoms, scale: Scale) -> tuple[Table, dict[str, object]]:
    """Return what is known of each column, and what of all together."""
    found, lattice = atoms.columns, atoms.lattice
    count, even = len(found), scale.even
    places, errors = found.positions * even, found.errors[:, :2] * even
    made: Table = {"column": np.arange(1, count + 1)}
    scale.places(made, found.positions, found.errors[:, :2])
    made["intensity"], made["intensity_error"] = found.intensity, found.errors[:, 2]
    scale.lengths(made, "width", found.width, found.errors[:, 3])
    made["background"] = found.background
    _nearest(made, places, errors, scale)
    summary: dict[str, object] = {"columns": count, "lattice": None, "groups": None, "left_out": atoms.echoes}
    if lattice:
        summary["lattice"] = _lattice(made, places, errors, lattice, scale)
    groups = intensity_groups(np.abs(found.intensity))
    if groups and len(groups.means) > 1:
        made["group"], made["group_probability"] = groups.group, groups.probability
        if groups.atoms is not None:
            made["atoms"] = groups.atoms
    if groups:
        summary["groups"] = _groups(groups)
    return made, summary


def _nearest(made: Table, places: Floats, errors: Floats, scale: Scale) -> None:
    """Put the distance to the nearest column into a table, and its error along the line to it."""
    count = len(places)
    away, error = np.full(count, np.nan), np.full(count, np.nan)
    if count > 1:
        there, away = nearest(places)
        along = (places[there] - places) / np.maximum(away, 1e-300)[:, None]
        error = np.sqrt((along**2 * (errors**2 + errors[there] ** 2)).sum(axis=1))
    _distance(made, "nearest", away, scale, error)


def _distance(made: Table, name: str, away: Floats, scale: Scale, error: Floats | None = None) -> None:
    side = scale.side if scale.pixel else 1.0  # of oblong pixels, that of a square one as large
    scale.lengths(made, name, away / side, None if error is None else error / side)


def _lattice(made: Table, places: Floats, errors: Floats, lattice: Lattice, scale: Scale) -> dict[str, object]:
    made["sublattice"] = lattice.sublattice + 1
    for axis, name in ((0, "i"), (1, "j")):
        made[name] = np.where(lattice.on, lattice.indices[:, axis], np.nan)
    for axis, name in ((0, "along_a"), (1, "along_b")):
        there = lattice.following[:, axis]
        away = np.linalg.norm(places[there] - places, axis=1)
        _distance(made, name, np.where(there >= 0, away, np.nan), scale)
    scale.vectors(made, "displacement", lattice.displacement)
    strain = local_strain(places, lattice, errors)
    parts = {"exx": strain.exx, "eyy": strain.eyy, "exy": strain.exy, "rotation_deg": strain.rotation}
    for (name, values), spread in zip(parts.items(), strain.errors.T, strict=True):
        made[name], made[f"{name.replace('_deg', '')}_error{'_deg' if '_deg' in name else ''}"] = values, spread
    unit = "nm" if scale.pixel else "px"
    lengths = np.linalg.norm(lattice.vectors, axis=1)
    angles = np.degrees(np.arctan2(lattice.vectors[:, 0], lattice.vectors[:, 1]))
    off = lattice.displacement[lattice.on]
    told: dict[str, object] = {f"a_{unit}": float(lengths[0]), f"b_{unit}": float(lengths[1])}
    return told | {
        "angle_deg": float(angles[1] - angles[0]),
        "a_from_x_deg": float(-angles[0]),
        "columns": int(lattice.on.sum()),
        "sublattices": len(lattice.origins),
        f"displacement_rms_{unit}": float(np.sqrt((off**2).sum(axis=1).mean())),
        **{f"{name}_std": _spread(values) for name, values in parts.items()},
        **{f"{name}_noise": _middle(spread) for name, spread in zip(parts, strain.errors.T, strict=True)},
    }


def _groups(groups: Groups) -> dict[str, object]:
    atoms = groups.atoms
    return {
        "number": len(groups.means),
        "means": groups.means.tolist(),
        "shares": groups.shares.tolist(),
        "width": groups.width,
        "icl": groups.criterion.tolist(),
        "atoms_of_first": int(atoms.min() - groups.group.min() + 1) if atoms is not None else None,
    }


def _spread(values: Floats) -> float | None:
    """Return a standard deviation that wild values do not move."""
    there = values[np.isfinite(values)]
    return 1.4826 * float(np.median(np.abs(there - np.median(there)))) if len(there) else None


def _middle(values: Floats) -> float | None:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else None
