"""The shipped models on disordered graphene as Chae et al. (2025) judge theirs, and by what that paper found wanting.

    python tests/bench/bench_graphene.py [MODEL ...] [--quick]

1. MS-SSIM against the level C, at 0.036 and 0.10 Å a pixel: levels of the paper's training (marked t), between them (i)
   and beyond (e). An interpolation level is starred where it lies below the line between its neighbours.
2. Beside them at four levels: the median and the Gaussian filter of the best size, and BM3D with the true sigma where
   PyPI's ``bm3d`` is installed.
3. Round spots: mean eccentricity of true and of restored spots, and the share with tails (0.25 more than the true one).
4. Lines at patch edges: energy of the error at the period of an 8 x 8 slicing over that of neighbouring frequencies,
   for the image restored whole and for its patches restored one by one, as in the paper.
5. Regional brightness at C = 0.2, for models of uneven background: correlation of local means (64 pixels) with the
   image that has the background and no noise.
6. Nothing invented, nothing lost, at C = 0.2: spots found in pure noise; how often a vacancy and a 5-7 pair survive:
   around it the restored image is nearer to the truth than to the same structure without it, by half in squares.

Graphene is the structure of the densities from first principles that no training run has seen; for the defects of 6,
which those do not have, it is the sum of free atoms.
"""

import argparse
from functools import partial

import numpy as np
from scipy import ndimage

import temclean
from temclean import atoms, densities, metrics, models, sheets, specimen
from temclean.training import evaluate

LEVELS = {
    0.10: "t", 0.125: "i", 0.15: "t", 0.175: "i", 0.20: "t", 0.225: "i", 0.25: "t", 0.27: "e", 0.30: "e", 0.33: "e",
    0.36: "e",
}  # fmt: skip
PIXEL_SIZES = (0.036, 0.10)
SEED = 7_000_000
SIZE = 1024
BOND = atoms.BOND


TEST_STRUCTURE = densities.COUNT - 1


def truth(pixel_size: float, size: int = SIZE, seed: int = SEED) -> specimen.Specimen:
    """Draw graphene of the structure that no training run has seen."""
    return specimen.graphene(np.random.Generator(np.random.PCG64(seed)), size, pixel_size, [TEST_STRUCTURE])


def spoiled(clean: np.ndarray, family: str, level: float, seed: int = 0) -> np.ndarray:
    return evaluate.distort(clean, family, level, SEED + seed)


def similarity(clean: np.ndarray, run: evaluate.Restore, model: str, level: float) -> float:
    wanted = evaluate.target(clean, model, level, SEED)
    return metrics.ms_ssim(wanted, run(spoiled(clean, model, level)), data_range=1.0)


def table(names: list[str], restore: dict) -> None:
    for pixel_size in PIXEL_SIZES:
        clean = truth(pixel_size).image
        print(f"\n{pixel_size} Å   " + " ".join(f"{level:5.3f}{mark}" for level, mark in LEVELS.items()))
        for model in names:
            scores = {
                level: metrics.ms_ssim(
                    evaluate.target(clean, model, level, SEED),
                    restore[model](spoiled(clean, model, level)),
                    data_range=1.0,
                )
                for level in LEVELS
            }
            levels = list(scores)
            cells = []
            for place, level in enumerate(levels):
                below = False
                if LEVELS[level] == "i":
                    low, high = levels[place - 1], levels[place + 1]
                    below = scores[level] < np.interp(level, [low, high], [scores[low], scores[high]]) - 5e-5
                cells.append(f"{scores[level]:.4f}"[1:] + ("*" if below else " "))
            print(f"{model:8} " + " ".join(cells), flush=True)


def peers(names: list[str]) -> None:
    print("\nbest filter, MS-SSIM at C = 0.10 / 0.20 / 0.30 / 0.36 (512x512)")
    for pixel_size in PIXEL_SIZES:
        clean = truth(pixel_size, 512).image
        for model in names:
            filters = {
                "median": [partial(ndimage.median_filter, size=size) for size in (3, 5, 7, 9, 11)],
                "Gaussian": [partial(ndimage.gaussian_filter, sigma=sigma) for sigma in (1, 1.5, 2, 3, 4)],
            }
            rows = {"temclean": [partial(temclean.denoise, model=model, device="cpu")], **filters}
            for name, variants in rows.items():
                best = [
                    max(similarity(clean, run, model, level) for run in variants) for level in (0.1, 0.2, 0.3, 0.36)
                ]
                print(f"{pixel_size:5} {model:8} {name:9} " + " ".join(f"{value:.4f}" for value in best), flush=True)
            try:
                from bm3d import bm3d
            except ImportError:
                continue
            best = [
                similarity(clean, lambda noisy, c=level: bm3d(noisy, c).astype(np.float32), model, level)
                for level in (0.1, 0.2, 0.3, 0.36)
            ]
            print(f"{pixel_size:5} {model:8} BM3D      " + " ".join(f"{value:.4f}" for value in best), flush=True)


def eccentricities(image: np.ndarray, positions: np.ndarray, radius: int) -> np.ndarray:
    """Return the eccentricity of the spot at each position, from the second moments of what rises above its rim."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = np.hypot(y, x) <= radius
    found = []
    for row, column in np.rint(positions).astype(int):
        part = image[row - radius : row + radius + 1, column - radius : column + radius + 1].astype(np.float64)
        weight = np.clip(part - np.quantile(part[disc], 0.3), 0, None) * disc
        if weight.sum() <= 0:
            found.append(np.nan)
            continue
        weight /= weight.sum()
        middle = (weight * y).sum(), (weight * x).sum()
        spread = np.cov(np.stack([(y - middle[0]).ravel(), (x - middle[1]).ravel()]), aweights=weight.ravel(), ddof=0)
        small, large = np.linalg.eigvalsh(spread)
        found.append(np.sqrt(max(0.0, 1 - small / large)))
    return np.array(found)


def roundness(names: list[str], restore: dict) -> None:
    print("\nround spots at C = 0.2: eccentricity true, restored; share with tails")
    for pixel_size in PIXEL_SIZES:
        drawn = truth(pixel_size)
        radius = int(0.45 * BOND / pixel_size)
        inner = drawn.positions[((drawn.positions > 2 * radius) & (drawn.positions < SIZE - 2 * radius)).all(axis=1)]
        true = eccentricities(drawn.image, inner, radius)
        for model in names:
            ours = eccentricities(restore[model](spoiled(drawn.image, model, 0.2)), inner, radius)
            tails = (ours > true + 0.25).mean()
            print(f"{pixel_size:5} {model:8} {np.nanmean(true):.3f} {np.nanmean(ours):.3f}  {tails:.3f}", flush=True)


def edge_energy(error: np.ndarray, patch: int) -> float:
    """Return the energy of the error at the harmonics of a patch's period over that of the frequencies beside them."""
    ratio = []
    for axis in (0, 1):
        power = (np.abs(np.fft.fft(error.mean(axis=axis))) ** 2)[: len(error) // 2]
        at = np.arange(len(error) // patch, len(power) - 3, len(error) // patch)
        beside = np.concatenate([at - 3, at - 2, at + 2, at + 3])
        ratio.append(power[at].mean() / power[beside].mean())
    return float(np.mean(ratio))


def edges(names: list[str], restore: dict) -> None:
    print("\nlines at patch edges at C = 0.2: energy ratio, restored whole and sliced 8 x 8 (mean of 6)")
    patch = SIZE // 8
    for pixel_size in PIXEL_SIZES:
        for model in names:
            whole, sliced = [], []
            for seed in range(6):
                clean = truth(pixel_size, seed=SEED + seed).image
                noisy = spoiled(clean, model, 0.2, seed)
                whole.append(edge_energy(restore[model](noisy) - clean, patch))
                apart = np.empty_like(clean)
                for top in range(0, SIZE, patch):
                    for left in range(0, SIZE, patch):
                        part = (slice(top, top + patch), slice(left, left + patch))
                        apart[part] = restore[model](noisy[part])
                sliced.append(edge_energy(apart - clean, patch))
            print(f"{pixel_size:5} {model:8} {np.mean(whole):.3f} {np.mean(sliced):.3f}", flush=True)


def brightness(names: list[str], restore: dict) -> None:
    print("\nregional brightness at C = 0.2 under uneven background: correlation of local means")
    for pixel_size in PIXEL_SIZES:
        clean = truth(pixel_size).image
        lit = evaluate.target(clean, "bbg-keep", 0.2, SEED)
        values = (evaluate.regional_brightness(lit, restore[model](spoiled(clean, "bbg", 0.2))) for model in names)
        cells = (f"{model} {value:.3f}" for model, value in zip(names, values, strict=True))
        print(f"{pixel_size:5} " + "  ".join(cells), flush=True)


def with_defect(pixel_size: float, kind: str, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw graphene (256x256) with a vacancy or a 5-7 pair in its middle; and without; and a mask of the place."""
    size = 256
    drawn, parts = sheets.draw(np.random.Generator(np.random.PCG64(seed)), size, pixel_size)
    each = len(parts.positions) // len(drawn.positions)
    first = np.argmin(np.linalg.norm(drawn.positions - size / 2, axis=1))
    second = np.argsort(np.linalg.norm(drawn.positions - drawn.positions[first], axis=1))[1]
    positions = drawn.positions.copy()
    kept = np.ones(len(positions), bool)
    middle = positions[first].copy()
    if kind == "vacancy":
        kept[first] = False
    else:
        middle = (positions[first] + positions[second]) / 2
        turned = (positions[first] - middle)[::-1] * [1.0, -1.0]
        positions[first], positions[second] = middle + turned, middle - turned

    def image(where: np.ndarray, which: np.ndarray) -> np.ndarray:
        peak, width = parts.peak.reshape(-1, each)[which], parts.width_px.reshape(-1, each)[which]
        spots = atoms.Atoms(np.repeat(where[which], each, axis=0), peak.ravel(), width.ravel())
        return specimen.scale(atoms.gaussians(spots, size))

    y, x = np.mgrid[:size, :size]
    around = np.hypot(y - middle[0], x - middle[1]) < 1.3 * BOND / pixel_size
    return image(positions, kept), image(drawn.positions, np.ones(len(positions), bool)), around


def faithfulness(names: list[str], restore: dict, draws: int) -> None:
    print("\nat C = 0.2: spots above 3 sigma in 512x512 of noise on even grey, and the highest rise;")
    print(f"shares of {draws} vacancies and 5-7 pairs that survive")
    for pixel_size in PIXEL_SIZES:
        for model in names:
            even = np.full((512, 512), 0.5, np.float32)
            restored_even = restore[model](spoiled(even, model, 0.2))
            invented = len(evaluate.find_spots(restored_even, 2.0, 3 * 0.2))
            rates = []
            for kind in ("vacancy", "pair"):
                kept = 0
                for seed in range(draws):
                    clean, perfect, around = with_defect(pixel_size, kind, SEED + seed)
                    restored = restore[model](spoiled(clean, model, 0.2, seed))
                    wanted = [evaluate.target(other, model, 0.2, SEED + seed) for other in (clean, perfect)]
                    far = [np.square(restored - other)[around].sum() for other in wanted]
                    kept += far[0] < 0.5 * far[1]
                rates.append(kept / draws)
            print(
                f"{pixel_size:5} {model:8} invented {invented}, vacancy {rates[0]:.2f}, pair {rates[1]:.2f}", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=sorted(models.available()))
    parser.add_argument("--quick", action="store_true", help="only the first table")
    options = parser.parse_args()
    restore = {model: partial(temclean.denoise, model=model, device="cpu") for model in options.models}
    table(options.models, restore)
    if not options.quick:
        peers(options.models)
        roundness(options.models, restore)
        edges(options.models, restore)
        brightness(options.models, restore)
        faithfulness(options.models, restore, 40)


if __name__ == "__main__":
    main()
