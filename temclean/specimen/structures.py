"""Structures from files, drawn along a zone axis as a high-resolution microscope projects them (Lobato 2024, eq. 16).

Lengths are in Å, coordinates (x, y, z): x to the right, y down, z along the beam.
"""

import contextlib
import io
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import FileError, ParameterError
from temclean.specimen import profiles
from temclean.specimen.blocks import Atoms, fill, frame
from temclean.specimen.crystals import checked, projected
from temclean.specimen.projection import Projected
from temclean.specimen.unitcells import Cell, ase

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

MOST_FROM_FILE = 4_000_000
"""Atoms that a crystal from a file may have in the field of view."""

MOST_IN_A_PIXEL = 100_000
"""Atoms that one pixel may show."""

MOST_SITES = 1000
"""Sites that a file may list for a space group's operations to multiply: ASE compares each with each."""

ALONE = 1e5
"""Å between a sheet or a rod and its next copy along the axes in which a file says that it does not repeat."""

OCCUPANCY_STEPS = 1000
"""Occupancies are rounded to one of so many steps."""


@dataclass(frozen=True)
class Structure:
    """What a file holds.

    Attributes
    ----------
    cell : the atoms; the numbers are atomic numbers plus 1000 times the missing occupancy in steps of 1/1000.
    repeats : whether the cell repeats along each of its vectors.
    """

    cell: Cell
    repeats: tuple[bool, bool, bool]


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
    at random. A sheet repeats within its plane alone; atoms without a cell are drawn once, centred, the zone being a
    direction in their own axes. An atom of partial occupancy has that part of its signal. Profiles are those of
    :func:`temclean.specimen.profiles.typical`; the image is not inverted and its maximum is 1.

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
    ParameterError : a number is out of range, or the atoms are over 4 million, or 100 000 in one pixel.
    MissingExtraError : ASE is not installed.
    """
    width = checked(size, pixel_size)
    check_view(zone, thickness)
    structure = read(Path(path))
    if thickness is not None and not any(structure.repeats):
        raise ParameterError(f"{path}: has no cell to repeat to a thickness of {thickness} Å; leave the thickness out")
    cell = structure.cell
    beam = np.asarray(zone, np.float64) @ cell.vectors
    sideways = cell.vectors[0] if np.linalg.norm(np.cross(cell.vectors[0], beam)) > 1e-6 else cell.vectors[1]
    vectors = cell.vectors @ frame(beam, sideways)
    if any(structure.repeats):
        atoms = stacked(path, structure, vectors, width, thickness or 50.0, rng)
    else:
        atoms = centred(Atoms(cell.sites @ vectors, cell.numbers))
    flat = atoms.positions[:, 1::-1] / pixel_size + (size - 1) / 2
    check_crowd(path, flat)
    seen = projected(flat, atoms.numbers, weighted(atoms.numbers), size, pixel_size, len(flat))
    top = max(float(seen.image.max()), 1e-30)
    return Projected(np.maximum(seen.image / np.float32(top), np.float32(0.0)), seen.positions, seen.brightness)


def check_crowd(path: str | Path, flat: Floats) -> None:
    """Refuse atoms at ``flat`` (N, 2), pixels, that fall into one pixel by the hundred thousand."""
    if len(flat) > MOST_IN_A_PIXEL:
        crowd = int(np.unique(np.rint(flat), axis=0, return_counts=True)[1].max())
        if crowd > MOST_IN_A_PIXEL:
            raise ParameterError(f"{path}: {crowd} atoms in one pixel; use a smaller pixel size or thickness")


def check_view(zone: tuple[int, int, int], thickness: float | None) -> None:
    """Refuse a zone axis that is no direction, and a thickness that is none."""
    if len(zone) != 3 or not any(zone) or max(abs(index) for index in zone) > 1000:
        raise ParameterError(f"zone {tuple(zone)} is no direction; give three numbers up to 1000, such as 0 0 1")
    if thickness is not None and not 0.0 < thickness < np.inf:
        raise ParameterError(f"thickness {thickness} is out of range; choose more than 0 Å")


def read(path: Path) -> Structure:
    """Read atoms with ASE; without a cell they get one of 1 Å."""
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
            atoms = listed(path) if path.suffix.lower() == ".cif" else reader.read(str(path))
            positions = np.array(atoms.get_positions(), np.float64)
            numbers = np.array(atoms.get_atomic_numbers(), np.int64)
            vectors = np.array(atoms.cell[:], np.float64)
            repeats = np.array(atoms.pbc, bool)
            owner, element, share = occupancies(atoms, numbers)
    except FileError:
        raise
    except Exception as error:  # ASE's readers raise whatever a damaged file leads to
        reason = f" ({' '.join(str(error).split())[:120]})" if str(error) else ""
        raise FileError(f"{path}: cannot be read as a crystal{reason}; give a valid .cif or .xyz file") from error
    if not len(numbers) or not np.isfinite(positions).all():
        raise FileError(f"{path}: holds no atoms with positions; give a structure with at least one")
    if element.min() < 1 or element.max() > 103:
        wrong = int(element.min() if element.min() < 1 else element.max())
        raise FileError(f"{path}: holds an atom of atomic number {wrong}; only 1 to 103 can be drawn")
    missing = np.rint((1.0 - np.clip(share, 0.0, 1.0)) * OCCUPANCY_STEPS).astype(np.int64)
    coded = (element + 1000 * missing)[missing < OCCUPANCY_STEPS]
    positions = positions[owner][missing < OCCUPANCY_STEPS]
    repeats &= np.linalg.norm(vectors, axis=1) > 1e-6
    if not repeats.any():
        return Structure(Cell(np.eye(3), positions, coded), (False, False, False))
    vectors = completed(vectors, repeats)
    if abs(float(np.linalg.det(vectors))) < 1e-6:
        raise FileError(f"{path}: its cell has no volume; give a structure whose vectors span space")
    x, y, z = (bool(axis) for axis in repeats)
    sites = positions @ np.linalg.inv(vectors)
    sites -= np.where(repeats, np.floor(sites), (sites.min(axis=0) + sites.max(axis=0)) / 2.0)
    return Structure(Cell(vectors, sites, coded), (x, y, z))


def listed(path: Path) -> Any:
    """Read the first structure of a CIF, without comparing the atoms of one that has no symmetry but its own."""
    (block,) = [each for each in ase("io.cif").parse_cif(str(path)) if each.has_structure()][:1]
    sites = len(block["_atom_site_fract_x"] if "_atom_site_fract_x" in block else block["_atom_site_cartn_x"])
    if block.get_spacegroup("crystal_system").no == 1:
        atoms = block.get_unsymmetrized_structure()
        atoms.pbc = atoms.cell.rank == 3
        shares, symbols = block.get("_atom_site_occupancy"), atoms.get_chemical_symbols()
        if shares is not None:
            atoms.set_array("spacegroup_kinds", np.arange(len(atoms)))
            atoms.info["occupancy"] = {str(k): {symbols[k]: float(share)} for k, share in enumerate(shares)}
        return atoms
    if sites > MOST_SITES:
        raise FileError(f"{path}: lists {sites} sites in a space group; give it in P 1, or up to {MOST_SITES} sites")
    return block.get_atoms(fractional_occupancies=True)


def occupancies(atoms: Any, numbers: Numbers) -> tuple[Numbers, Numbers, Floats]:
    """Return for each element on each site the index of its atom, its atomic number and its occupancy."""
    table = atoms.info.get("occupancy")
    kinds = atoms.arrays.get("spacegroup_kinds")
    if table is None or kinds is None:
        return np.arange(len(numbers)), numbers, np.ones(len(numbers))
    known = ase("data").atomic_numbers
    found = [
        (index, known[symbol], float(share))
        for index, kind in enumerate(kinds)
        for symbol, share in table.get(str(kind), {}).items()
    ]
    owner, element, share = (np.array(column) for column in zip(*found, strict=True))
    return owner.astype(np.int64), element.astype(np.int64), share.astype(np.float64)


def weighted(numbers: Numbers) -> dict[int, profiles.Profile]:
    """Return the profile of each coded number: that of its element, weakened by what it lacks of full occupancy."""
    found = {}
    for code in np.unique(numbers).tolist():
        whole = profiles.typical([code % 1000])[code % 1000]
        share = 1.0 - (code // 1000) / OCCUPANCY_STEPS
        heights = (share * height for height in (whole.gaussian, whole.exponential, whole.butterworth))
        gaussian, exponential, butterworth = heights
        found[code] = replace(whole, gaussian=gaussian, exponential=exponential, butterworth=butterworth)
    return found


def completed(vectors: Floats, repeats: NDArray[np.bool_]) -> Floats:
    """Return a cell whose vectors along axes that do not repeat are :data:`ALONE` long and square to the others."""
    whole = vectors.copy()
    basis = np.linalg.svd(vectors[repeats])[2][int(repeats.sum()) :]
    whole[~repeats] = ALONE * basis
    return whole


def stacked(
    path: str | Path, structure: Structure, vectors: Floats, width: float, thickness: float, rng: np.random.Generator
) -> Atoms:
    """Fill a box around the origin with a crystal, if that is not too much."""
    cell = structure.cell
    expected = cell.density * width**2 * thickness * (ALONE / max(width, thickness)) ** structure.repeats.count(False)
    if expected > MOST_FROM_FILE:
        raise ParameterError(
            f"{path}: {expected:.3g} atoms in a field of {width:.0f} Å and a thickness of {thickness:g} Å are over "
            f"{MOST_FROM_FILE}; use a smaller size, pixel size or thickness"
        )
    high = np.array([width, width, thickness]) / 2.0
    shift = rng.random(3) * structure.repeats
    return fill(cell, vectors, -high - 1e-6, high - 1e-6, shift @ vectors * (1.0, 1.0, 0.0))


def centred(atoms: Atoms) -> Atoms:
    """Centre atoms that have no cell."""
    middle = (atoms.positions.min(axis=0) + atoms.positions.max(axis=0)) / 2.0
    return Atoms(atoms.positions - middle, atoms.numbers)
