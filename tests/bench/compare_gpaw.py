"""A density of temclean/data/graphene_maps.npz beside that of a second engine, GPAW.

    python3 tests/bench/compare_gpaw.py temclean/data/graphene_maps.npz [--structure N] [--mode fd] [--folder FOLDER]

GPAW (Debian: ``gpaw`` and ``gpaw-data``) may live in another interpreter than temclean, which is not needed here. It
computes the structure with its own projector augmented waves and PBE, in the same cell at its Gamma point, in atomic
orbitals (``lcao``: its dzp basis, which ends where the first line says) or on a real-space grid without a basis
(``fd``: some minutes for 16 atoms, hours for 60). Compared are the valence densities, the mean of both sides of the
sheet, on the map's own grid: least, mean and greatest (electrons per Å^3), the ratio of the means, the correlation, and
that of the images, scaled to [0, 1] by the percentiles 0.5 and 99.5. FOLDER is what ``temclean train dft -o FOLDER``
wrote; its lower planes are compared too. The 16 atoms, in temclean's interpreter:

    from pathlib import Path
    from temclean.training import dft
    settings = dft.Settings(repeats=(2, 2), basis="gth-dzvp-molopt-sr")
    dft.structure(Path("small/structure_0.npz"), settings, seed=1, number=0)
    dft.pack([Path("small/structure_0.npz")], Path("small/graphene_maps.npz"))
"""

import argparse
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from gpaw import GPAW, FermiDirac
from gpaw.basis_data import Basis
from scipy.signal import resample

THICKNESS = 15.0
PLANES = 120
"""0.125 Å apart."""
SPACING = 0.18
"""Å between the points in a plane, about: their number is a multiple of four."""
BOHR = 0.529177210903


def solve(positions: np.ndarray, cell: np.ndarray, mode: str, log: str) -> np.ndarray:
    """Return the valence density (x, y, z) in electrons per Å^3 of carbon atoms at ``positions`` (N, 2), y first."""
    middle = np.full(len(positions), THICKNESS / 2)
    rows, columns = 4 * np.rint(cell / SPACING / 4).astype(int)
    places = np.column_stack([positions[:, 1], positions[:, 0], middle])
    sheet = Atoms(f"C{len(positions)}", places, cell=[cell[1], cell[0], THICKNESS], pbc=True)
    sheet.calc = GPAW(
        mode=mode,
        basis="dzp",
        xc="PBE",
        gpts=(columns, rows, PLANES),
        occupations=FermiDirac(0.1),
        symmetry="off",
        txt=log,
    )
    sheet.get_potential_energy()
    return sheet.calc.get_pseudo_density()


def scaled(image: np.ndarray) -> np.ndarray:
    """Return an image in [0, 1]."""
    low, high = np.percentile(image, (0.5, 99.5))
    return np.clip((image - low) / (high - low), 0.0, 1.0)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two images."""
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def main() -> None:
    """Compute one structure and print how it compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, metavar="MAPS.npz")
    parser.add_argument("--structure", type=int, default=5)
    parser.add_argument("--mode", choices=["lcao", "fd"], default="lcao")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--log", help="where GPAW writes what it does")
    parser.add_argument("--density", type=Path, help="an .npy file that keeps GPAW's density; read if it is there")
    options = parser.parse_args()
    with np.load(options.maps) as found:
        positions, cell = found["positions"][options.structure].astype(float), found["cell"]
        low, high = found["range"][options.structure]
        planes = {float(found["height"]): low + (high - low) * found["maps"][options.structure] / 65535}
    if options.folder is not None:
        with np.load(options.folder / f"structure_{options.structure}.npz") as found:
            planes |= {float(name[6:]): found[name] for name in found.files if name.startswith("plane_")}

    if options.mode == "lcao":
        ends = ", ".join(f"{'spd'[each.l]} {each.rc * BOHR:.2f} Å" for each in Basis("C", "dzp").bf_j)
        print(f"the orbitals of dzp end at: {ends}")
    began = time.monotonic()
    if options.density is not None and options.density.exists():
        density = np.load(options.density)
    else:
        density = solve(positions, cell, options.mode, options.log)
        if options.density is not None:
            np.save(options.density, density)
    print(f"structure {options.structure}, {options.mode}: {time.monotonic() - began:.0f} s")
    print("height  PySCF: least, mean, greatest      GPAW: least, mean, greatest  ratio  correlation  of the images")
    for height in sorted(planes):
        step = round(height / THICKNESS * PLANES)
        both = 0.5 * (density[:, :, PLANES // 2 + step] + density[:, :, PLANES // 2 - step]).T
        ours = planes[height]
        theirs = resample(resample(both, ours.shape[0], axis=0), ours.shape[1], axis=1)
        values = "    ".join(f"{each.min():.2e}  {each.mean():.2e}  {each.max():.2e}" for each in (ours, theirs))
        print(
            f"{height:6.1f}  {values}  {theirs.mean() / ours.mean():5.3f}"
            f"  {alike(ours, theirs):11.4f}  {alike(scaled(ours), scaled(theirs)):13.4f}"
        )


if __name__ == "__main__":
    main()
