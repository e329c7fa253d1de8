"""Score models on photographs, whose fine structure is irregular, under weak noise, where it can be told from noise.

    python tests/bench/bench_textures.py [MODEL ...] [--noises g01 g05 p300 ...] [--r-em PYTHON] [--folder FOLDER]

MODEL is a shipped name, ``auto``, or an ONNX file. The photographs are scikit-image's (brick, grass, gravel, a
cameraman, the moon, coins, a page), their middle 256 x 256 pixels: no microscope took them and no model saw their like
drawn, but surfaces and sections are as rough. The noise is Gaussian (``g05``: C = 0.05) or of counts (``p300``: 300
at the brightest). Prints PSNR in dB after the linear fit to the truth: of the noisy image, of BM3D
(``pip install bm3d``), which is told the noise and sees counts through Anscombe's transform, of r_em's network for SEM
images of low magnification, where there is one, and of the models; then the means. What r_em makes is kept in a folder.
"""

import argparse
import hashlib
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from bench_kinds import noisy_of, psnr
from checkset import FOLDER
from checkset_peers import Peers
from skimage import data

import temclean

SIDE = 256
NAMES = ("brick", "grass", "gravel", "camera", "moon", "coins", "page")
NOISES = ("g01", "g02", "g05", "g10", "g20", "p300", "p30")


def photograph(name: str) -> np.ndarray:
    """Return the middle of a photograph, (SIDE, SIDE) or less, from 0 to 1."""
    image = np.asarray(getattr(data, name)(), np.float32)
    top, left = (max(0, (length - SIDE) // 2) for length in image.shape)
    image = image[top : top + SIDE, left : left + SIDE]
    return (image - image.min()) / np.ptp(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general", "lr"])
    parser.add_argument("--noises", nargs="*", default=NOISES)
    parser.add_argument("--only", nargs="*", default=NAMES, choices=NAMES)
    parser.add_argument("--r-em", help="of an environment with tk_r_em")
    parser.add_argument("--folder", type=Path, default=FOLDER.parent / "textures")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    peers = Peers(options.folder, None, options.r_em)

    def r_em(image: np.ndarray) -> np.ndarray:
        path = options.folder / f"{hashlib.sha256(image.tobytes()).hexdigest()[:24]}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, peers.r_em("lrsem", image))
        return np.load(path)

    names = ["bm3d", *(["r_em"] if options.r_em else []), *options.models]
    for noise in options.noises:
        print(f"\n| {noise} | raw | {' | '.join(names)} |")
        print("|---" * (len(names) + 2) + "|")
        rows = []
        for name in options.only:
            clean = photograph(name)
            noisy, bm3d = noisy_of(clean, noise)
            results = [noisy, bm3d, *([r_em(noisy)] if options.r_em else [])]
            results += [temclean.denoise(noisy, model=model, device="cpu") for model in options.models]
            rows.append([psnr(clean, result) for result in results])
            print(f"| {name} | {' | '.join(f'{value:.2f}' for value in rows[-1])} |", flush=True)
        print(f"| mean | {' | '.join(f'{value:.2f}' for value in np.mean(rows, axis=0))} |", flush=True)


if __name__ == "__main__":
    main()
