"""An invented atom and a lost particle, each caught by the evidence files, on images whose truth is known.

python tests/bench/show_evidence.py [--folder FOLDER]

Writes the images and runs the command line on the first. That is a square lattice with vacancies under Gaussian noise at
C = 0.4, in which `g` makes up atoms. Of the second, particles of low magnification at C = 0.3, the result of `g` is
taken, and one particle is painted over in it, as a network may do.
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from temclean import io, noise
from temclean.commands.evidence.files import Evidence
from temclean.commands.records import Result

WIDTH, APART, SIDE = 2.2, 9, 256
"""Of the atoms, in pixels, and the side of both images."""


def bells(places: np.ndarray, heights: np.ndarray, width: float) -> np.ndarray:
    line = np.arange(SIDE)
    down, across = (np.exp(-0.5 * ((line - places[:, [axis]]) / width) ** 2) for axis in (0, 1))
    return (down.T * heights) @ across


def noisy(clean: np.ndarray, level: float, path: Path) -> None:
    raw = noise.apply(clean.astype(np.float32), noise.Gaussian(level), 1)
    image = io.Image.from_array(raw, 0.03, "nm")
    io.write(path, image, [raw])


def denoise(path: Path, *wishes: str) -> None:
    command = [sys.executable, "-m", "temclean", "denoise", str(path), "-m", "g", "--overwrite", *wishes]
    subprocess.run(command, check=True)


def invented(folder: Path) -> None:
    rng = np.random.default_rng(3)
    sites = np.stack(np.meshgrid(*[np.arange(APART, SIDE - 4.0, APART)] * 2, indexing="ij"), axis=-1).reshape(-1, 2)
    there = rng.random(len(sites)) > 0.05
    noisy(0.1 + 0.8 * bells(sites, there.astype(float), WIDTH), 0.4, folder / "atoms.tif")
    denoise(folder / "atoms.tif", "--support")
    with (folder / "atoms_g_support.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        place = float(row["y_px"]), float(row["x_px"])
        nearest = int(np.hypot(*(sites - place).T).argmin())
        true = bool(there[nearest]) and np.hypot(*(sites[nearest] - place)) < 1.5 * WIDTH
        kind = "true" if true else "made up"
        counts[kind, row["verdict"]] = counts.get((kind, row["verdict"]), 0) + 1
        if not true and (kind, row["verdict"]) == ("made up", "unsupported") and counts[kind, row["verdict"]] == 1:
            print("made up by g:", ", ".join(f"{name} {value}" for name, value in row.items()))
    for (kind, verdict), count in sorted(counts.items()):
        print(f"{kind}: {count} {verdict}")


def lost(folder: Path) -> None:
    places = np.array([[60.0, 60.0], [70.0, 190.0], [180.0, 80.0], [190.0, 200.0]])
    heights = np.array([0.5, 0.4, 0.5, 0.3])
    noisy(0.2 + bells(places, heights, 8.0), 0.3, folder / "particles.tif")
    denoise(folder / "particles.tif")
    target = folder / "particles_g.tif"
    with io.read(target) as result, io.read(folder / "particles.tif") as raw:
        painted = result.pixels[0] - bells(places[3:], heights[3:], 8.0).astype(np.float32)
        made = io.provenance(target)
        io.write(target, raw, [painted], made)
    found = Evidence(residual=True, support=True).look(
        Result(str(folder / "particles.tif"), str(target), "done", model="g")
    )
    print(f"the particle at row 190, column 200 was painted over: {found.notes[0]}")
    with (folder / "particles_g_support.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            print(", ".join(f"{name} {value}" for name, value in row.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the images are left")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        invented(folder)
        lost(folder)


if __name__ == "__main__":
    main()
