"""How much of a weak order in a lattice survives: every other column brighter by a few percent, as in ordered alloys.

    python tests/bench/bench_order.py [MODEL ...] [--r-em PYTHON] [--folder FOLDER]

A square lattice of Gaussian columns, 512x512 pixels, turned by 0.2 rad, on a ground of a quarter of its height; every
other column is brighter, and the rest darker, by ``order``; electrons are counted, so many a pixel at a column's top.
Printed is the share of the order that is left in a result: 1 is all, 0 a lattice of equal columns. ``before`` is the
model without what comes back of waves (`temclean.evidence.corrections.lattices`).
"""

import argparse
import itertools
import os
import warnings
from pathlib import Path
from unittest.mock import patch

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from checkset import FOLDER
from checkset_peers import Peers
from checkset_views import Scene

import temclean
from temclean.evidence.corrections import lattices

SIZE, TURN = 512, 0.2
SPACINGS, ORDERS, COUNTS = (5.0, 8.0, 12.0), (0.03, 0.08, 0.2), (3, 10, 100)


def lattice(spacing: float, order: float) -> np.ndarray:
    """Return an image (SIZE, SIZE) of columns, every other one brighter by ``order``; 1 at a usual one's top."""
    y, x = np.mgrid[:SIZE, :SIZE] - SIZE / 2.0
    u, v = (np.cos(TURN) * y + np.sin(TURN) * x) / spacing, (np.cos(TURN) * x - np.sin(TURN) * y) / spacing
    width = 0.2 + 0.1 / spacing
    image, near = np.zeros((SIZE, SIZE)), np.arange(-2, 3)
    for down, across in itertools.product(near, near):
        row, column = np.rint(u) + down, np.rint(v) + across
        bell = np.exp(-0.5 * ((u - row) ** 2 + (v - column) ** 2) / width**2)
        image += (1.0 + order * (-1.0) ** (row + column)) * bell
    return (0.25 + 0.75 * image).astype(np.float32)


def kept(result: np.ndarray, spacing: float, order: float) -> float:
    """Return the share of the order that a result shows."""
    plain, ordered = lattice(spacing, 0.0), lattice(spacing, order)
    change = ordered.astype(float) - plain
    return float(((result - plain) * change).sum() / (change**2).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general"])
    parser.add_argument("--r-em", metavar="PYTHON", help="that of an environment with tk_r_em: see checkset_peers.py")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    heads = [f"{model} {when}" for model in options.models for when in ("before", "now")]
    print("| spacing, px | order | counts | " + " | ".join(heads + ["r_em"] * bool(options.r_em)) + " |")
    print("|---" * (3 + len(heads) + bool(options.r_em)) + "|")
    peers = Peers(options.folder / "peers", python=options.r_em)
    for spacing, order, counts in itertools.product(SPACINGS, ORDERS, COUNTS):
        truth = lattice(spacing, order)
        raw = (np.random.default_rng(1).poisson(counts * truth) / counts).astype(np.float32)
        found = []
        for model in options.models:
            with patch.object(lattices, "correct"):
                found.append(temclean.denoise(raw, model=model, device="cpu"))
            found.append(temclean.denoise(raw, model=model, device="cpu"))
        if options.r_em:
            none, name = np.empty((0, 2)), f"order-{spacing:g}-{order:g}"
            scene = Scene(name, truth, 0.2, "stem", "hr", 1, none, none, none, none, none)
            found.append(peers.restore("r_em", scene, f"p{counts}", truth, raw))
        shares = " | ".join(f"{kept(each, spacing, order):.2f}" for each in found)
        print(f"| {spacing:g} | {order:g} | {counts} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
