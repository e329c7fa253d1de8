"""How much worse a model restores what stands near an image's border, with lattices that go on there and reflected.

    python tests/bench/bench_borders.py [MODEL] [--folder FOLDER] [--noises g20 p10 camera] [--size 256]

On the middle of each scene of the check set (`checkset.py`), all around which it is known what stands there. PSNR in dB
of the outermost 32 pixels, and of the rest, after one linear fit to the truth: with reflection, with lattices going on
(what ``temclean denoise`` does), and with what truly lies around.
"""

import argparse
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import checkset
import numpy as np

import temclean
from temclean.restoration import surroundings

WIDTH = 32
"""Pixels from the border that are its surroundings."""


def errors(truth: np.ndarray, restored: np.ndarray) -> tuple[float, float]:
    """Return PSNR at the border and inside, after a linear fit."""
    slope, offset = np.polyfit(restored.ravel().astype(float), truth.ravel().astype(float), 1)
    square = (slope * restored + offset - truth) ** 2
    inside = np.zeros(truth.shape, bool)
    inside[WIDTH:-WIDTH, WIDTH:-WIDTH] = True
    span = float(np.ptp(truth))
    return tuple(float(20 * np.log10(span) - 10 * np.log10(square[part].mean())) for part in (~inside, inside))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="general")
    parser.add_argument("--folder", type=Path, default=checkset.FOLDER)
    parser.add_argument("--noises", nargs="+", default=["g20", "p10", "camera"], choices=list(checkset.NOISES))
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    shifts = surroundings.lattice_shifts
    found: list[list[tuple[float, float]]] = []
    print("| scene, noise | reflected: border, inside | going on | what truly lies there |\n|---|---|---|---|")
    for scene in checkset.scenes(options.folder):
        for noise in options.noises:
            truth, noisy = checkset.pair(scene, noise)
            edge = (len(truth) - options.size) // 2
            middle = (slice(edge, edge + options.size),) * 2
            row = []
            for known, look in ((False, lambda _: []), (False, shifts), (True, shifts)):
                surroundings.lattice_shifts = look
                part = np.ascontiguousarray(noisy if known else noisy[middle], np.float32)
                restored = temclean.denoise(part, model=options.model, device="cpu")
                row.append(errors(truth[middle], restored[middle] if known else restored))
            found.append(row)
            cells = " | ".join(f"{border:.2f}, {inside:.2f}" for border, inside in row)
            print(f"| {scene.name}, {noise} | {cells} |", flush=True)
    means = np.mean(found, axis=0)
    print("| mean | " + " | ".join(f"{border:.2f}, {inside:.2f}" for border, inside in means) + " |")


if __name__ == "__main__":
    main()
