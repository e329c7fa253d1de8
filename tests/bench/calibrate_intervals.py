"""Calibrate the intervals of `denoise --interval`, and see on other images how many pixels lie inside.

python tests/bench/calibrate_intervals.py [--count 200] [--size 128] [--model NAME] [--write]

For each model draws images of the noise that it is for, denoises them, and chooses the least factor by risk control.
Prints it, and the share of pixels inside on as many other images, in the mean and of the worst image in ten. `--write`
keeps the factors in temclean/data/intervals.json.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np

import temclean
from temclean import noise, specimen
from temclean.evidence import intervals
from temclean.restoration import models, pipeline

NOISES = {
    "g": ("g",),
    "sp": ("sp",),
    "gsp": ("gsp",),
    "general": ("tem", "stem", "sem", "g"),
    "fast": ("tem", "stem", "sem", "g"),
    "lr": ("tem", "stem", "sem", "g"),
}
"""What each model is calibrated on; `bbg` takes a background away, so that no truth is to be had about it."""

COMMAND = "python tests/bench/calibrate_intervals.py --write"
KINDS = ("hr", "lr", "coherent", "phase", "scene")
OF_ITS_KIND = {"lr": ("lr",)}


def drawn(model: str, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw a clean image and a noisy one."""
    rng = np.random.default_rng([2202, list(NOISES).index(model), number])
    family = NOISES[model][number % len(NOISES[model])]
    angstroms = math.exp(rng.uniform(math.log(0.05), math.log(0.3)))
    kind = str(rng.choice(OF_ITS_KIND.get(model, KINDS)))
    clean = specimen.scale(specimen.draw(kind, size, angstroms, int(rng.integers(2**31))).image)
    if family in {"tem", "stem", "sem"}:
        return clean, noise.apply(clean, noise.FAMILIES[family](pixel_size=angstroms), number)  # type: ignore[call-arg]
    return clean, noise.apply(clean, noise.FAMILIES[family](rng.uniform(0.05, 0.36)), number)  # type: ignore[call-arg]


def ratios(model: str, first: int, count: int, size: int) -> list[np.ndarray]:
    """Return how many spreads of the residual the truth is from the result, of each pixel of each image."""
    session = models.open_session(models.load(model))
    found = []
    for number in range(first, first + count):
        clean, raw = drawn(model, number, size)
        result = next(pipeline.denoise_frames(raw[None], session))
        off = np.abs(clean.astype(np.float64) - result)
        found.append(np.sort((off / np.maximum(intervals.spread(raw, result), 1e-6)).ravel()))
    return found


def outside(found: list[np.ndarray], factor: float) -> np.ndarray:
    return np.array([1 - np.searchsorted(each, factor, "right") / len(each) for each in found])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--model", choices=NOISES, help="this one only; the others stay as they are")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    grid = np.geomspace(0.02, 20, 300)
    path = Path(temclean.__file__).parent / "data" / "intervals.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"factors": {}, "weights": {}}
    print(f"{'model':10}{'factor':>8}{'inside':>9}{'elsewhere':>11}{'one in ten':>12}")
    for model in [options.model] if options.model else NOISES:
        found = ratios(model, 0, options.count, options.size)
        factor = intervals.calibrated(lambda value, found=found: outside(found, value), grid)  # type: ignore[misc]
        other = 1 - outside(ratios(model, options.count, options.count, options.size), factor)
        inside = 1 - outside(found, factor).mean()
        print(f"{model:10}{factor:8.3f}{inside:9.1%}{other.mean():11.1%}{np.quantile(other, 0.1):12.1%}", flush=True)
        kept["factors"][model] = round(factor, 4)
        kept["weights"][model] = models.load(model).sha256
    if options.write:
        path.write_text(json.dumps({**kept, "made_by": COMMAND}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
