"""Real densities of disordered graphene: ``temclean train dft``; needs the ``dft`` extra.

Each structure is one self-consistent calculation (PySCF: periodic, PBE, norm-conserving pseudopotentials, Gaussian
orbitals) in one cell at its Gamma point. Lengths are in Å unless a name says otherwise; positions are rows of (y, x).
"""

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from temclean.errors import FileError
from temclean.specimen.atoms import BOND, disorder
from temclean.training.options import SEED

Floats = NDArray[np.float64]

BOHR = 0.529177210903
"""One Bohr in Å."""

HEIGHTS = (0.5, 1.0, 2.0, 3.0)
"""Planes whose densities are written, Å from the sheet."""

SHIPPED_HEIGHT = 3.0
"""The plane of Chae 2025, and the one that is packed."""


@dataclass(frozen=True)
class Settings:
    """How a density is computed.

    Attributes
    ----------
    functional, pseudopotential, basis : names that PySCF knows.
    cutoff : kinetic energy in Hartree that the grid of the density can hold.
    smearing : width of the Fermi function that fills the orbitals, in Hartree.
    thickness : height of the periodic cell in Å, the sheet in its middle.
    tolerance : change of the energy in Hartree at which the calculation ends.
    repeats : how many cells of four atoms along y (a bond's direction) and x.
    """

    functional: str = "pbe"
    pseudopotential: str = "gth-pbe"
    basis: str = "gth-dzvp-molopt-sr"
    cutoff: float = 75.0
    smearing: float = 0.0037
    thickness: float = 15.0
    tolerance: float = 1e-7
    repeats: tuple[int, int] = (3, 5)


@dataclass(frozen=True)
class Density:
    """What one calculation gives.

    Attributes
    ----------
    planes : {height in Å: float64 array (ny, nx), valence electrons per Å^3}, the mean of both sides of the sheet.
    energy : Hartree, of the valence electrons in the cell.
    cycles : steps to self-consistency.
    """

    planes: dict[float, Floats]
    energy: float
    cycles: int


def cell_of(repeats: tuple[int, int]) -> Floats:
    """Return the sides (y, x) in Å of a rectangular cell of graphene."""
    return np.array([3.0 * BOND, np.sqrt(3.0) * BOND]) * repeats


def perfect(repeats: tuple[int, int]) -> Floats:
    """Return the atoms (4 n m, 2) of a cell, set so that none is within 0.61 Å of its border.

    The border then cuts bonds in the middle, and a displaced atom stays in its own cell.
    """
    sites = np.array([[1 / 6, 0.25], [1 / 3, 0.75], [2 / 3, 0.75], [5 / 6, 0.25]])
    corners = np.stack(np.meshgrid(*(np.arange(n) for n in repeats), indexing="ij"), -1).reshape(-1, 1, 2)
    atoms: Floats = ((corners + sites) * cell_of((1, 1))).reshape(-1, 2)
    return atoms


def disordered(repeats: tuple[int, int], seed: int, number: int) -> Floats:
    """Draw the atoms (4 n m, 2) of one disordered structure: Chae 2025, eqs. 1 and 2."""
    sites = perfect(repeats)
    return sites + disorder(np.random.Generator(np.random.PCG64([seed, number])), len(sites))


def solve(positions: Floats, settings: Settings, heights: tuple[float, ...] = HEIGHTS) -> Density:
    """Compute the valence density of carbon atoms at ``positions`` (N, 2) on the planes at ``heights``.

    The density is that of the occupied orbitals at the plane's points themselves. (On the three-dimensional grid of
    the calculation, or from plane waves, what is left of it 3 Å away drowns in the errors of the Fourier sum.)

    Raises
    ------
    FileError : the calculation did not converge.
    """
    from pyscf.pbc import dft, gto

    height, width = cell_of(settings.repeats)
    middle = settings.thickness / 2.0
    cell = gto.M(
        a=np.diag([width, height, settings.thickness]),
        atom=[("C", (x, y, middle)) for y, x in positions],
        unit="Angstrom",
        basis=settings.basis,
        pseudo=settings.pseudopotential,
        ke_cutoff=settings.cutoff,
        verbose=0,
    )
    field = dft.RKS(cell, xc=settings.functional).multigrid_numint()
    field = field.smearing(sigma=settings.smearing, method="fermi")
    field.conv_tol = settings.tolerance
    energy = float(field.kernel())
    if not field.converged:
        raise FileError(f"the density is not self-consistent after {field.cycles} steps")
    filled = field.mo_occ > 1e-10
    orbitals = field.mo_coeff[:, filled] * np.sqrt(field.mo_occ[filled])
    columns, rows = int(cell.mesh[0]), int(cell.mesh[1])
    grid = np.meshgrid(np.arange(rows) * height / rows, np.arange(columns) * width / columns, indexing="ij")

    def density(z: float) -> Floats:
        points = np.stack([grid[1].ravel(), grid[0].ravel(), np.full(rows * columns, z)], axis=1) / BOHR
        values = np.concatenate(
            [
                np.square(np.real(np.asarray(cell.pbc_eval_gto("GTOval_sph", part))) @ orbitals).sum(axis=1)
                for part in np.array_split(points, max(1, len(points) // 2048))
            ]
        )
        return values.reshape(rows, columns) / BOHR**3

    planes = {each: 0.5 * (density(middle + each) + density(middle - each)) for each in heights}
    return Density(planes, energy, int(field.cycles))


def write(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays to an .npz file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(path)


def described(settings: Settings, seed: int) -> str:
    """Return, as JSON, all that a structure depends on but its number."""
    return json.dumps({**asdict(settings), "seed": seed, "bond": BOND})


def structure(path: Path, settings: Settings, seed: int, number: int) -> bool:
    """Compute one structure and write it to ``path``; return False if it is there already."""
    wanted = described(settings, seed)
    if path.exists():
        with np.load(path) as found:
            if str(found["settings"]) != wanted:
                raise FileError(f"{path} was computed with other settings or another seed; choose another folder")
        return False
    positions = disordered(settings.repeats, seed, number)
    found = solve(positions, settings)
    planes = {f"plane_{height:.1f}": plane for height, plane in found.planes.items()}
    cell = cell_of(settings.repeats)
    record = {"positions": positions, "cell": cell, "energy": found.energy, "cycles": found.cycles, "settings": wanted}
    write(path, {**planes, **record})
    return True


def pack(paths: list[Path], out: Path) -> None:
    """Pack the planes at :data:`SHIPPED_HEIGHT` into one file for :mod:`temclean.specimen.densities`.

    Each map is stored as 16-bit steps from its least to its greatest density, which ``range`` keeps.
    """
    maps, ranges, positions, energies, settings, cell = [], [], [], [], "", np.zeros(2)
    for path in paths:
        with np.load(path) as found:
            plane = found[f"plane_{SHIPPED_HEIGHT:.1f}"]
            positions.append(found["positions"])
            energies.append(float(found["energy"]))
            settings, cell = str(found["settings"]), found["cell"]
        low, high = float(plane.min()), float(plane.max())
        maps.append(np.rint((plane - low) / (high - low) * 65535.0).astype(np.uint16))
        ranges.append((low, high))
    arrays = {
        "maps": np.stack(maps),
        "range": np.array(ranges),
        "positions": np.stack(positions).astype(np.float32),
        "energy": np.array(energies),
        "cell": cell,
        "height": SHIPPED_HEIGHT,
        "settings": settings,
    }
    write(out, arrays)


@click.command(name="dft")
@click.option("--structures", default=6, show_default=True, type=click.IntRange(min=1), help="How many are drawn.")
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option("-o", "--out", type=click.Path(file_okay=False, path_type=Path), required=True, metavar="FOLDER")
def main(structures: int, seed: int, out: Path) -> None:
    """Compute the densities of disordered graphene, some minutes each, and pack their planes 3 Å above the sheet.

    FOLDER gets a file for each structure, with its planes at 0.5, 1, 2 and 3 Å, and graphene_maps.npz. Structures that
    are there already are kept, so that an interrupted run goes on where it was.
    """
    settings = Settings()
    paths = [out / f"structure_{number}.npz" for number in range(structures)]
    for number, path in enumerate(paths):
        began = time.monotonic()
        new = structure(path, settings, seed, number)
        with np.load(path) as found:
            result = f"{float(found['energy']):.6f} Ha, {int(found['cycles'])} steps"
        spent = f"{time.monotonic() - began:.0f} s" if new else "kept"
        click.echo(f"structure {number + 1}/{structures}  {result}, {spent}", err=True)
    packed = out / "graphene_maps.npz"
    pack(paths, packed)
    click.echo(str(packed))
