"""Score the shipped models on held-out images beside the best of scikit-image's and SciPy's filters: mean MS-SSIM.

    python tests/bench/bench_scores.py [COUNT]

COUNT images of graphene and as many other scenes at each of 0.05, 0.10 and 0.20 Å a pixel. A filter gets the true noise
level, and whichever of its strengths scores best over all images.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
from scipy import ndimage
from skimage import restoration

import temclean
from temclean.training import evaluate

LEVELS = (0.1, 0.2, 0.3)

Filter = Callable[[np.ndarray], np.ndarray]


def filters(level: float) -> dict[str, list[Filter]]:
    """Return the peers, each with several strengths."""
    return {
        "Gaussian": [partial(ndimage.gaussian_filter, sigma=sigma) for sigma in (1.0, 1.5, 2.0, 3.0)],
        "median": [partial(ndimage.median_filter, size=size) for size in (3, 5, 7, 9)],
        "TV": [partial(restoration.denoise_tv_chambolle, weight=scale * level) for scale in (1.0, 2.0, 4.0)],
    }


def main() -> None:
    """Print one row for each model and level."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    print("model    level   noisy  Gaussian  median      TV  temclean   (graphene, others)")
    for family in ("g", "sp", "gsp", "bbg", "bbg-keep"):
        for level in LEVELS:
            score = partial(evaluate.similarity, family=family, level=level, count=count)
            noisy = score(lambda image: image)["all"]
            peers = [max(score(each)["all"] for each in strengths) for strengths in filters(level).values()]
            ours = score(partial(temclean.denoise, model=family, device="cpu"))
            other = ours["atoms" if family == "bbg" else "scene"]
            classical = "  ".join(f"{value:.4f}" for value in peers)
            parts = f"({ours['graphene-atoms']:.4f}, {other:.4f})"
            print(f"{family:8} {level:5.2f}  {noisy:.4f}    {classical}    {ours['all']:.4f}   {parts}", flush=True)


if __name__ == "__main__":
    main()
