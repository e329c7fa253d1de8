"""Densities of disordered graphene from first principles, beside the sum of the densities of free atoms.

    python tests/bench/draw_densities.py FOLDER OUT.png [--structure N]

FOLDER is what ``temclean train dft -o FOLDER`` wrote. Columns are the planes 0.5, 1, 2 and 3 Å from the sheet; above is
the density, below the sum of atoms, each from its 0.5th to its 99.5th percentile, and under either pair their
correlation. The numbers, of every structure, are least, mean and greatest density (electrons per Å^3), the correlation
of the two, and, of either, how much the density above one atom differs from that above another: standard deviation over
mean, and over the contrast (the mean above the atoms less the least).
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from temclean.specimen import densities, monolayers
from temclean.training.dft import HEIGHTS

PIXEL_SIZE = 0.04
MARGIN, GAP = 34, 6
"""Pixels left of and above the pictures for their labels, and between them."""


def sum_of_atoms(places: np.ndarray, positions: np.ndarray, cell: np.ndarray, height: float) -> np.ndarray:
    """Return the summed density (N,) of free carbon atoms and of their images in the neighbouring cells."""
    total = np.zeros(len(places))
    for shift in np.ndindex(3, 3):
        gaps = places[:, None] - positions - (np.array(shift) - 1) * cell
        total += monolayers.valence_density("C", np.hypot(np.linalg.norm(gaps, axis=-1), height)).sum(axis=1)
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


def tile(source: densities.Map) -> Image.Image:
    """Draw one plane in 64 greys."""
    image = densities.interpolated(source, PIXEL_SIZE)
    low, high = np.percentile(image, (0.5, 99.5))
    return Image.fromarray(np.rint(np.clip((image - low) / (high - low), 0, 1) * 63).astype(np.uint8) * 4)


def page(columns: list[tuple[float, densities.Map, densities.Map, float]]) -> Image.Image:
    """Draw the planes of one structure: by height, the density, the sum of atoms and their correlation."""
    font = ImageFont.load_default(18)
    pairs = [(tile(source), tile(alone)) for _, source, alone, _ in columns]
    width, height = (side + GAP for side in pairs[0][0].size)
    drawn = Image.new("L", (MARGIN + width * len(pairs), 2 * (MARGIN + height)), 252)
    pen = ImageDraw.Draw(drawn)
    for column, (distance, _, _, alike) in enumerate(columns):
        middle = MARGIN + column * width + (width - GAP) // 2
        pen.text((middle, MARGIN // 2), f"{distance:g} angstrom above the sheet", fill=0, font=font, anchor="mm")
        foot = (middle, MARGIN + 2 * height + MARGIN // 2 - GAP)
        pen.text(foot, f"correlation {alike:.3f}", fill=0, font=font, anchor="mm")
        for row in (0, 1):
            drawn.paste(pairs[column][row], (MARGIN + column * width, MARGIN + row * height))
    for row, label in enumerate(("first principles", "sum of free atoms")):
        name = Image.new("L", (height - GAP, MARGIN), 252)
        ImageDraw.Draw(name).text((name.width // 2, MARGIN // 2), label, fill=0, font=font, anchor="mm")
        drawn.paste(name.transpose(Image.Transpose.ROTATE_90), (0, MARGIN + row * height))
    return drawn


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
                drawn.append((height, source, alone, float(alike)))
    page(drawn).save(options.out, optimize=True)
    print(options.out)


if __name__ == "__main__":
    main()
