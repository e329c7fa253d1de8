"""Densities of disordered graphene from first principles, beside the sum of the densities of free atoms.

    python tests/bench/draw_densities.py FOLDER OUT.png [--structure N]

FOLDER is what ``temclean train dft -o FOLDER`` wrote. Columns are the planes 0.5, 1, 2 and 3 Å from the sheet; above is
the density, below the sum of atoms, each from its 0.5th to its 99.5th percentile. The numbers, of every structure, are
least, mean and greatest density (electrons per Å^3), the correlation of the two, and, of either, how much the density
above one atom differs from that above another: standard deviation over mean, and over the contrast (the mean above the
atoms less the least).
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from temclean import densities, sheets
from temclean.training.dft import HEIGHTS

PIXEL_SIZE = 0.05


def sum_of_atoms(places: np.ndarray, positions: np.ndarray, cell: np.ndarray, height: float) -> np.ndarray:
    """Return the summed density (N,) of free carbon atoms and of their images in the neighbouring cells."""
    total = np.zeros(len(places))
    for shift in np.ndindex(3, 3):
        gaps = places[:, None] - positions - (np.array(shift) - 1) * cell
        total += sheets.valence_density("C", np.hypot(np.linalg.norm(gaps, axis=-1), height)).sum(axis=1)
    return total


def read(path: Path, height: float) -> densities.Map:
    """Read one plane of one structure."""
    with np.load(path) as found:
        plane = found[f"plane_{height:.1f}"]
        return densities.Map(plane, found["positions"], found["cell"], height, float(found["energy"]), {})


def atoms_alone(source: densities.Map) -> densities.Map:
    """Return the same plane as the sum of free atoms."""
    axes = (np.arange(n) * side / n for n, side in zip(source.density.shape, source.cell, strict=True))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 2)
    total = sum_of_atoms(grid, source.positions, source.cell, source.height).reshape(source.density.shape)
    return densities.Map(total, source.positions, source.cell, source.height, 0.0, {})


def spread(source: densities.Map) -> tuple[float, float]:
    """Return how much atoms differ: over their mean density, and over the contrast."""
    values = densities.above(source, source.positions)
    return float(values.std() / values.mean()), float(values.std() / (values.mean() - source.density.min()))


def tile(source: densities.Map, label: str) -> Image.Image:
    """Draw one plane."""
    image = densities.interpolated(source, PIXEL_SIZE)
    low, high = np.percentile(image, (0.5, 99.5))
    picture = Image.fromarray(np.rint(np.clip((image - low) / (high - low), 0, 1) * 255).astype(np.uint8))
    framed = Image.new("L", (picture.width + 4, picture.height + 16), 255)
    framed.paste(picture, (2, 14))
    ImageDraw.Draw(framed).text((3, 1), label, fill=0)
    return framed


def main() -> None:
    """Print the numbers of all structures and draw one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--structure", type=int, default=0)
    options = parser.parse_args()
    print("structure  height     least      mean  greatest  correlation  spread/mean: density atoms  /contrast: both")
    drawn = []
    for path in sorted(options.folder.glob("structure_*.npz")):
        number = int(path.stem.removeprefix("structure_"))
        for height in HEIGHTS:
            source = read(path, height)
            alone = atoms_alone(source)
            alike = np.corrcoef(source.density.ravel(), alone.density.ravel())[0, 1]
            values = (source.density.min(), source.density.mean(), source.density.max())
            density, atoms = spread(source), spread(alone)
            print(
                f"{number:9} {height:7.1f}  " + "  ".join(f"{value:8.2e}" for value in values) + f"  {alike:11.4f}"
                f"  {density[0]:20.4f} {atoms[0]:.4f}  {density[1]:10.4f} {atoms[1]:.4f}"
            )
            if number == options.structure:
                drawn.append((tile(source, f"DFT, {height} A"), tile(alone, f"free atoms, {height} A")))
    width, height_px = drawn[0][0].size
    page = Image.new("L", (width * len(drawn), 2 * height_px), 255)
    for column, pair in enumerate(drawn):
        for row, picture in enumerate(pair):
            page.paste(picture, (column * width, row * height_px))
    page.save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
