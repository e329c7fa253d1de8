"""Score shipped models on held-out images of any seed, and on more lattices than the tests have time for.

    python tests/bench/bench_columns.py [MODEL ...] [--seed S] [--count N]

Prints the mean MS-SSIM at C = 0.2 and 0.3, that of the noisy images beside it, and for each plane lattice precision and
recall of its columns at C = 0.2 over 3 N images; for bbg also of those that its background leaves standing. The seed of
the tests and of the export is 1000000.
"""

import argparse
from functools import partial

import temclean
from temclean.training import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["g", "sp", "gsp", "bbg", "bbg-keep"])
    parser.add_argument("--seed", type=int, default=evaluate.FIRST_SEED)
    parser.add_argument("--count", type=int, default=3)
    options = parser.parse_args()
    evaluate.FIRST_SEED = options.seed
    for model in options.models:
        restore = partial(temclean.denoise, model=model, device="cpu")
        for level in (0.2, 0.3):
            ours = evaluate.similarity(restore, model, level)["all"]
            noisy = evaluate.similarity(lambda image: image, model, level)["all"]
            print(f"{model:8} C {level:.1f}  MS-SSIM {ours:.4f} (noisy {noisy:.4f})", flush=True)
        for kind, (precision, recall) in evaluate.spots(restore, model, count=options.count).items():
            print(f"{model:8} {kind:12} precision {precision:.4f} recall {recall:.4f}", flush=True)
        if model == "bbg":
            for kind, (_, recall) in evaluate.spots(restore, model, count=options.count, standing=True).items():
                print(f"{model:8} {kind:12} recall of what stands out of the background {recall:.4f}", flush=True)


if __name__ == "__main__":
    main()
