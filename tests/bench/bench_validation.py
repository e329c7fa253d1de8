"""Score a model on validation pairs of all six microscopes beside other programs.

    python tests/bench/bench_validation.py [MODEL ...] [--count 200] [--peers bm3d nlm gaussian topaz r_em]
        [--only hrtem ...] [--topaz FOLDER] [--r-em PYTHON] [--folder FOLDER]

MODEL is a shipped name, an ONNX file, or ``fitting``, the model that the microscope's name stands for. What the peers
make of the pairs is kept in a folder, as BM3D takes seconds for each; r_em takes the network of the same name.

The pairs are those of ``temclean.training.evaluate.validation``: specimens of Lobato (2024) that no training saw, under
the noise of a whole TEM, STEM or SEM. PSNR in dB and MS-SSIM after the linear fit to the truth, whose span is the
range; BM3D and non-local means are told the true standard deviation, and the Gaussian's width is the best there is.
"""

import argparse
import hashlib
import os
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from checkset import FOLDER
from checkset_peers import FILTERS, NAMES, Peers

import temclean
from temclean import metrics
from temclean.training import evaluate

Restore = Callable[[np.ndarray, np.ndarray], np.ndarray]


def raw(truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
    return noisy


def ours(name: str, model: str) -> Restore:
    denoise = partial(temclean.denoise, model=model if name == "fitting" else name, device="cpu")
    return lambda _, noisy: denoise(noisy)


def kept(peer: str, restore: Restore, folder: Path) -> Restore:
    """Return the same, which keeps its results in a folder."""

    def found(truth: np.ndarray, noisy: np.ndarray) -> np.ndarray:
        path = folder / peer / f"{hashlib.sha256(truth.tobytes() + noisy.tobytes()).hexdigest()[:24]}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            with part.open("wb") as file:
                np.save(file, np.asarray(restore(truth, noisy), np.float32).astype(np.float16))
            part.rename(path)
        return np.load(path).astype(np.float32)

    return found


def rows(model: str, programs: dict[str, Restore], count: int) -> dict[str, np.ndarray]:
    """Return PSNR and MS-SSIM of each program for each pair, (pairs, 2)."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    for clean, noisy in evaluate.validation(model, count):
        span = float(np.ptp(clean))
        if span < 1e-3:
            continue
        for name, restore in programs.items():
            line = evaluate.fitted(clean, np.asarray(restore(clean, noisy), np.float32))
            scores = (metric(clean, line, data_range=span) for metric in (metrics.psnr, metrics.ms_ssim))
            found[name].append(tuple(scores))
    return {name: np.array(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general"])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--peers", nargs="*", default=["bm3d", "nlm", "gaussian"], choices=NAMES)
    parser.add_argument("--only", nargs="*", default=[*evaluate.MICROSCOPES], choices=[*evaluate.MICROSCOPES])
    parser.add_argument("--topaz", type=Path)
    parser.add_argument("--r-em", help="of an environment with tk_r_em")
    parser.add_argument("--folder", type=Path, default=FOLDER.parent / "validation")
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    peers = Peers(options.folder, options.topaz, options.r_em)

    def programs_for(model: str) -> dict[str, Restore]:
        found: dict[str, Restore] = {"raw": raw, **{name: ours(name, model) for name in options.models}}
        others = {"topaz": lambda _, noisy: peers._topaz(noisy), "r_em": lambda _, noisy: peers.r_em(model, noisy)}
        for peer in options.peers:
            found[peer] = kept(peer, FILTERS.get(peer) or others[peer], options.folder)
        return found

    names = " | ".join(["raw", *options.models, *options.peers])
    print(f"| PSNR, MS-SSIM | {names} | gain at the median | ahead of all peers in |")
    print("|---" * (len(options.models) + len(options.peers) + 4) + "|")
    for model in options.only:
        table = rows(model, programs_for(model), options.count)
        cells = [f"{values[:, 0].mean():.2f}, {values[:, 1].mean():.3f}" for values in table.values()]
        first = table[next(iter(options.models or ["raw"]))][:, 0]
        best = np.max([table[peer][:, 0] for peer in options.peers or ["raw"]], axis=0)
        gain = np.median(first - table["raw"][:, 0])
        print(f"| {model} | {' | '.join(cells)} | {gain:.1f} dB | {100.0 * (first > best).mean():.0f}% |", flush=True)


if __name__ == "__main__":
    main()
