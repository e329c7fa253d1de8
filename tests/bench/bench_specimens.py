"""Score shipped models on every specimen of the simulator, beside the best filters that need no training: mean MS-SSIM.

    python tests/bench/bench_specimens.py [MODEL ...] [--count N] [--level C]

N images of 256x256 of each specimen between 0.03 and 0.4 Å a pixel. A median and a Gaussian filter have whichever size
scores best of that specimen; for ``g`` BM3D is told the true sigma, where ``bm3d`` is installed.
A row is starred where a filter is ahead. ``bbg``, which is for bright atoms on an even background, is left out unless
it is named.
"""

import argparse
from functools import partial

import numpy as np
from bench_graphene import filters

import temclean
from temclean import metrics
from temclean.training import evaluate


def mean_similarity(run: evaluate.Restore, model: str, level: float, images: list[evaluate.Array]) -> float:
    """Return the mean MS-SSIM of restored images."""
    values = []
    for number, clean in enumerate(images):
        seed = evaluate.FIRST_SEED + number
        wanted = evaluate.target(clean, model, level, seed)
        values.append(metrics.ms_ssim(wanted, run(evaluate.distort(clean, model, level, seed)), data_range=1.0))
    return float(np.mean(values))


def main() -> None:
    """Print a row for each model and specimen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["g", "sp", "gsp"])
    parser.add_argument("--count", type=int, default=6)
    parser.add_argument("--level", type=float, default=0.2)
    options = parser.parse_args()
    for model in options.models:
        score = partial(mean_similarity, model=model, level=options.level)
        peers = filters(model, options.level)
        print(f"\n{model:15}   noisy  " + "  ".join(f"{title:>8}" for title in peers) + "  temclean")
        for name in evaluate.OTHERS:
            images = list(evaluate.others(name, options.count))
            noisy = score(lambda image: image, images=images)
            best = [max(score(each, images=images) for each in strengths) for strengths in peers.values()]
            ours = score(partial(temclean.denoise, model=model, device="cpu"), images=images)
            cells = "  ".join(f"{value:8.4f}" for value in best)
            print(f"{name:15}  {noisy:.4f}  {cells}    {ours:.4f}{'*' if ours < max(best) else ''}", flush=True)


if __name__ == "__main__":
    main()
