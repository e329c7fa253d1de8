"""Score models on bad pixels: salt and pepper, pixels of any value, and saturated ones far beyond all others.

    python tests/bench/bench_bad_pixels.py [--size 256]

Eight specimens that ``temclean simulate`` draws, from seeds that are kept for tests, within 0.1 to 0.9 of the range.
PSNR in dB, means over them: of the noisy image, of a median over 3x3 pixels, of the model, and of the model where no
pixel is bad. ``kept`` is the share of the good pixels that come out as they were, bit for bit, of ``sp``.
"""

import argparse
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import ndimage

import temclean
from temclean import specimen
from temclean.errors import TemcleanWarning
from temclean.training import evaluate

SPECIMENS = ("graphene-atoms", "scene", "particles", "grains", "hr", "lr", "coherent", "phase")
CASES = (
    ("sp", "salt and pepper", 0.02, 0.0),
    ("sp", "salt and pepper", 0.1, 0.0),
    ("sp", "salt and pepper", 0.3, 0.0),
    ("sp", "any value", 0.05, 0.0),
    ("sp", "any value", 0.2, 0.0),
    ("gsp", "any value", 0.02, 0.01),
    ("gsp", "any value", 0.02, 0.03),
    ("gsp", "any value", 0.1, 0.03),
    ("general", "any value", 0.003, 0.02),
    ("general", "any value", 0.003, 0.05),
    ("general", "saturated", 0.002, 0.05),
    ("general", "saturated", 0.008, 0.05),
    ("gsp", "saturated", 0.05, 0.05),
    ("auto", "saturated", 0.008, 0.05),
    ("auto", "saturated", 0.05, 0.05),
    ("auto", "any value", 0.02, 0.02),
)
SATURATED = 32.0
"""Ranges by which saturated pixels lie beyond: of 2000 counts in 16 bits."""


def made(
    clean: np.ndarray, kind: str, share: float, sigma: float, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the image with noise alone, the same with bad pixels, and which these are."""
    draw = np.random.default_rng(seed)
    image = (clean + draw.normal(0.0, sigma, clean.shape)).astype(np.float32)
    bad = draw.random(clean.shape) < share
    values = {
        "salt and pepper": draw.integers(0, 2, clean.shape).astype(np.float32),
        "any value": draw.random(clean.shape, np.float32),
        "saturated": np.full(clean.shape, SATURATED, np.float32),
    }[kind]
    return image, np.where(bad, values, image), bad


def psnr(image: np.ndarray, clean: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(image.astype(float) - clean).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    drawn = [specimen.draw(name, options.size, 0.1, evaluate.FIRST_SEED + 3).image for name in SPECIMENS]
    scenes = [0.1 + 0.8 * specimen.scale(image) for image in drawn]
    print("| model | bad pixels | noise | noisy | median | model | without bad pixels | kept |\n" + "|---" * 8 + "|")
    for model, kind, share, sigma in CASES:
        rows = []
        for number, clean in enumerate(scenes):
            image, noisy, bad = made(clean, kind, share, sigma, number)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", TemcleanWarning)
                restored, best = (np.asarray(temclean.denoise(each, model, device="cpu")) for each in (noisy, image))
            kept = float((restored == noisy)[~bad].mean()) if model == "sp" else np.nan
            rows.append(
                [psnr(each, clean) for each in (noisy, ndimage.median_filter(noisy, 3), restored, best)] + [kept]
            )
        *values, kept = np.mean(rows, axis=0)
        told = " | ".join(f"{value:.1f}" for value in values[: 4 if sigma else 3])
        print(
            f"| {model} | {share:.1%} {kind} | {sigma:.0%} | {told} |{'' if sigma else ' |'} {kept:.3f} |".replace(
                "nan", ""
            )
        )


if __name__ == "__main__":
    main()
