"""The shipped models on disordered graphene as Chae et al. (2025) judge theirs, and by what that paper found wanting.

    python tests/bench/bench_graphene.py [MODEL ...] [--paper FOLDER] [--quick]

Rows such as "g paper" are that paper's own network, trained by its own protocol (temclean.training.chae); it restores
8 x 8 patches one by one. "jumps" is background whose threshold jumps at patch edges, as in the paper; elsewhere it is
smooth.

1. MS-SSIM against the level C, at 0.036 and 0.10 Å a pixel, and on the paper's own kind of test image, 3 x 3 maps side
   by side and upright: levels of the paper's training (marked t), between them (i) and beyond (e). An interpolation
   level is starred where it lies below the line between its neighbours.
2. Beside the shipped models, at the same levels: the median and the Gaussian filter of the best size, and, for g
   and bbg, BM3D with the true sigma where PyPI's ``bm3d`` is installed.
3. Round spots: mean eccentricity of true and of restored spots, and the share with tails (0.25 more than the true one).
4. Lines at cuts: energy of the error at the period of the cuts and its harmonics over that of neighbouring frequencies,
   for the image cut as the pipeline cuts large ones, every TILE_STEP pixels, and for 8 x 8 patches restored one by one
   as in the paper; each over the same ratio of the image restored in one go, which is 1 but for chance and for the
   lattice's own lines.
5. Regional brightness at C = 0.2, for models of uneven background: correlation of local means (64 pixels) with the
   image that has the background and no noise.
6. Nothing invented, nothing lost, at C = 0.2: what rises 3 sigma above the median in ten draws each of noise alone
   and of an even grey under noise; how often a vacancy and a 5-7 pair survive:
   around it the restored image is nearer to the truth than to the same structure without it, by half in squares.
   Images are as large as the paper's, and so is what their background is made of; their middle is restored, by the
   paper's networks too in one go.

Graphene is the structure of the densities from first principles that no training run has seen; for 4 and 6 it is the
sum of free atoms: the repeated cell of the former has lines of its own in the spectrum, and no defects.
"""

import argparse
import io
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from functools import cache, partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import onnxruntime
from scipy import ndimage

import temclean
from temclean import metrics, noise, specimen
from temclean.restoration import models
from temclean.specimen import atoms, densities, monolayers
from temclean.training import evaluate

LEVELS = {
    0.10: "t", 0.125: "i", 0.15: "t", 0.175: "i", 0.20: "t", 0.225: "i", 0.25: "t", 0.27: "e", 0.30: "e", 0.33: "e",
    0.36: "e",
}  # fmt: skip
PIXEL_SIZES = evaluate.GRAPHENE_PIXEL_SIZES
PEER_SIZE = 320
SEED = evaluate.GRAPHENE_SEED
SIZE = 1024
SHOWN = 384
EDGE_IMAGES = 4
TILE, TILE_STEP = 640, 192
BOND = atoms.BOND
TEST_STRUCTURE = densities.COUNT - 1
PAPER = Path(__file__).parents[2] / "training" / "baseline"

Restorers = dict[str, evaluate.Restore]


def session_of(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def training(path: Path) -> str:
    """Say how far one of the paper's networks was trained."""
    record = json.loads(session_of(path).get_modelmeta().custom_metadata_map["temclean"])
    return (
        f"{path.stem} paper: {record['updates']} updates x {record['batch']}, {record['epochs']} epochs of the paper's "
        f"150, width {record['width']}, {record['hours']:.2f} h, validation MAE {record['validation']:.4f}"
    )


def network(path: Path) -> evaluate.Restore:
    """Load one of the paper's networks, to restore an image in one go."""
    session = session_of(path)
    return lambda image: session.run(None, {"image": image[None, None]})[0][0, 0]


truth = cache(evaluate.kept_graphene)
"""Graphene of the structure that no training run has seen."""


def upright() -> np.ndarray:
    """Return the paper's kind of test image: 3 x 3 maps of that structure, 0.036 Å a pixel."""
    return specimen.scale(densities.combined(np.full((3, 3), TEST_STRUCTURE), 0.036)[:SIZE, :SIZE])


def family(name: str) -> str:
    """Return the noise family of a row; its name begins with it."""
    return name.split(maxsplit=1)[0]


def spoiled(clean: np.ndarray, name: str, level: float, seed: int = 0) -> np.ndarray:
    if name.endswith("jumps"):
        return noise.apply(clean, noise.BackgroundBrightness(level, smooth=False), SEED + seed)
    return evaluate.distort(clean, family(name), level, SEED + seed)


def similarity(clean: np.ndarray, run: evaluate.Restore, name: str, level: float) -> float:
    wanted = evaluate.target(clean, family(name), level, SEED)
    return metrics.ms_ssim(wanted, run(spoiled(clean, name, level)), data_range=1.0)


def table(restore: Restorers) -> None:
    jumps = {f"{name} jumps": run for name, run in restore.items() if family(name) == "bbg"}
    images = {f"{pixel_size} Å": truth(pixel_size).image for pixel_size in PIXEL_SIZES} | {"0.036 Å upright": upright()}
    for title, clean in images.items():
        print(f"\n{title:15} " + " ".join(f"{level:5.3f}{mark}" for level, mark in LEVELS.items()))
        for name, run in (restore | jumps).items():
            scores = {level: similarity(clean, run, name, level) for level in LEVELS}
            levels = list(scores)
            cells = []
            for place, level in enumerate(levels):
                below = False
                if LEVELS[level] == "i":
                    low, high = levels[place - 1], levels[place + 1]
                    below = scores[level] < np.interp(level, [low, high], [scores[low], scores[high]]) - 5e-5
                told = f"{scores[level]:.4f}"
                cells.append((told[1:] if told.startswith("0") else told[:5]) + ("*" if below else " "))
            print(f"{name:15} " + " ".join(cells), flush=True)


def filters(name: str, level: float) -> dict[str, list[evaluate.Restore]]:
    """Return the filters that need no training, each at several strengths; of Gaussian noise BM3D, told its sigma."""
    found = {
        "median": [partial(ndimage.median_filter, size=size) for size in (3, 5, 7, 9, 11)],
        "Gaussian": [partial(ndimage.gaussian_filter, sigma=sigma) for sigma in (1, 1.5, 2, 3, 4)],
    }
    try:
        from bm3d import bm3d
    except ImportError:
        return found
    if name not in {"g", "bbg", "bbg-keep"}:
        return found
    return {**found, "BM3D": [lambda noisy: bm3d(noisy, level).astype(np.float32)]}


def peers(restore: Restorers) -> None:
    print(f"\nbest filter, MS-SSIM ({PEER_SIZE} x {PEER_SIZE}) at C = " + " / ".join(f"{level:g}" for level in LEVELS))
    for pixel_size in PIXEL_SIZES:
        clean = truth(pixel_size, PEER_SIZE).image
        for name, run in restore.items():
            best: dict[str, list[float]] = {}
            for level in LEVELS:
                for title, variants in {"temclean": [run], **filters(name, level)}.items():
                    value = max(similarity(clean, each, name, level) for each in variants)
                    best.setdefault(title, []).append(value)
            for title, values in best.items():
                print(f"{pixel_size:5} {name:8} {title:9} " + " ".join(f"{value:.4f}" for value in values), flush=True)


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


def roundness(restore: Restorers) -> None:
    print("\nround spots at C = 0.2: eccentricity true, restored; share with tails")
    for pixel_size in PIXEL_SIZES:
        drawn = truth(pixel_size)
        radius = int(0.45 * BOND / pixel_size)
        inner = drawn.positions[((drawn.positions > 2 * radius) & (drawn.positions < SIZE - 2 * radius)).all(axis=1)]
        true = eccentricities(drawn.image, inner, radius)
        for name, run in restore.items():
            ours = eccentricities(run(spoiled(drawn.image, name, 0.2)), inner, radius)
            tails = (ours > true + 0.25).mean()
            print(f"{pixel_size:5} {name:9} {np.nanmean(true):.3f} {np.nanmean(ours):.3f}  {tails:.3f}", flush=True)


def edge_energy(error: np.ndarray, patch: int) -> tuple[float, float]:
    """Return the energy of the error at the harmonics of a patch's period, and that of the frequencies beside them.

    Both are sums over the harmonics, each over the level of the spectrum around it, and up to five times that: a line
    of the lattice's own counts little. Harmonics whose period divides 32 pixels are left out: that is the pitch of our
    networks' coarsest features, wherever the image is cut.
    """
    first, lines = len(error) // patch, [0.0, 0.0]
    for axis in (0, 1):
        power = np.abs(np.fft.fft(error.mean(axis=axis))) ** 2
        at = np.arange(first, len(error) // 2 - 8, first)
        at = at[at % (len(error) // 32) > 0]
        level = np.median([power[at + away] for away in (-7, -6, -5, -4, 4, 5, 6, 7) if away % first], axis=0)
        beside = np.mean([np.minimum(power[at + away] / level, 5.0) for away in (-3, -2, 2, 3)], axis=0)
        lines = [lines[0] + float(np.minimum(power[at] / level, 5.0).sum()), lines[1] + float(beside.sum())]
    return lines[0], lines[1]


def line_ratio(errors: list[np.ndarray], period: int) -> float:
    """Return the energy of errors at the harmonics of a period over that beside them."""
    side = SIZE // period * period
    at, beside = np.sum([edge_energy(error[:side, :side], period) for error in errors], axis=0)
    return float(at / beside)


def edges(restore: Restorers) -> None:
    print(f"\nlines at cuts at C = 0.2: energy ratio over that of the uncut image, in brackets ({EDGE_IMAGES} images)")
    print("               our tiles      8 x 8 patches")
    for pixel_size in PIXEL_SIZES:
        for name, run in restore.items():
            ways = {"uncut": run, "tiles": partial(run, tile=TILE), "patches": partial(evaluate.in_patches, run)}
            if name.endswith("paper"):
                del ways["tiles"]
            errors: dict[str, list[np.ndarray]] = {way: [] for way in ways}
            for seed in range(EDGE_IMAGES):
                clean = specimen.draw("graphene-atoms", SIZE, pixel_size, SEED + seed).image
                wanted = evaluate.target(clean, family(name), 0.2, SEED + seed)
                noisy = spoiled(clean, name, 0.2, seed)
                for way, restored in ways.items():
                    errors[way].append(restored(noisy) - wanted)
            cells = []
            for way, period in (("tiles", TILE_STEP), ("patches", SIZE // 8)):
                uncut = line_ratio(errors["uncut"], period)
                cut = f"{line_ratio(errors[way], period) / uncut:.3f}" if way in ways else "    -"
                cells.append(f"{cut} ({uncut:.3f})")
            print(f"{pixel_size:5} {name:9} " + "  ".join(cells), flush=True)


def brightness(restore: Restorers) -> None:
    print("\nregional brightness at C = 0.2 under uneven background: correlation of local means")
    for pixel_size in PIXEL_SIZES:
        clean = truth(pixel_size).image
        lit, noisy = evaluate.target(clean, "bbg-keep", 0.2, SEED), spoiled(clean, "bbg", 0.2)
        for name, run in restore.items():
            print(f"{pixel_size:5} {name:9} {evaluate.regional_brightness(lit, run(noisy)):.3f}", flush=True)


def with_defects(pixel_size: float, seed: int) -> tuple[np.ndarray, dict[str, tuple[np.ndarray, np.ndarray]]]:
    """Draw graphene; and with a vacancy and with a 5-7 pair in its middle, each with a mask of the place.

    A defect is drawn as the difference that its own atoms make, which is far quicker than all of them anew.
    """
    drawn, parts = monolayers.draw(np.random.Generator(np.random.PCG64(seed)), SIZE, pixel_size)
    each = len(parts.positions) // len(drawn.positions)
    first = np.argmin(np.linalg.norm(drawn.positions - SIZE / 2, axis=1))
    second = np.argsort(np.linalg.norm(drawn.positions - drawn.positions[first], axis=1))[1]
    pair = np.array([first, second])

    def spots(which: np.ndarray, where: np.ndarray) -> np.ndarray:
        peak, width = parts.peak.reshape(-1, each)[which], parts.width_px.reshape(-1, each)[which]
        return atoms.gaussians(atoms.Atoms(np.repeat(where, each, axis=0), peak.ravel(), width.ravel()), SIZE)

    def around(middle: np.ndarray) -> np.ndarray:
        y, x = np.ogrid[:SIZE, :SIZE]
        return np.hypot(y - middle[0], x - middle[1]) < 1.3 * BOND / pixel_size

    before = drawn.positions[pair]
    middle = before.mean(axis=0)
    turned = (before[0] - middle)[::-1] * [1.0, -1.0]
    perfect = spots(np.arange(len(drawn.positions)), drawn.positions)
    vacancy = perfect - spots(pair[:1], before[:1])
    turn = perfect - spots(pair, before) + spots(pair, np.array([middle + turned, middle - turned]))
    defects = {"vacancy": (specimen.scale(vacancy), around(before[0])), "pair": (specimen.scale(turn), around(middle))}
    return specimen.scale(perfect), defects


def draws(name: str, kind: str) -> int:
    """Return how many defects a row is judged on; of a few vacancies its background leaves nothing to see."""
    return 200 if (family(name), kind) == ("bbg", "vacancy") else 40


def faithfulness(restore: Restorers) -> None:
    print("\nat C = 0.2: spots above 3 sigma in 512x512 of noise alone and on even grey; defects that survive")
    invented = {
        name: sum(evaluate.invented(run(field), 0.2) for field in evaluate.empty_fields(family(name), 0.2, 10))
        for name, run in restore.items()
    }
    part = (slice((SIZE - SHOWN) // 2, (SIZE + SHOWN) // 2),) * 2
    for pixel_size in PIXEL_SIZES:
        kept = {(name, kind): 0 for name in restore for kind in ("vacancy", "pair")}
        for seed in range(max(draws(name, kind) for name, kind in kept)):
            perfect, defects = with_defects(pixel_size, SEED + seed)
            for kind, (clean, around) in defects.items():
                for name, run in restore.items():
                    if seed >= draws(name, kind):
                        continue
                    restored = run(np.ascontiguousarray(spoiled(clean, name, 0.2, seed)[part]))
                    wanted = [evaluate.target(other, family(name), 0.2, SEED + seed) for other in (clean, perfect)]
                    far = [np.square(restored - other[part])[around[part]].sum() for other in wanted]
                    kept[name, kind] += far[0] < 0.5 * far[1]
        for name in restore:
            found = ", ".join(f"{kind} {kept[name, kind]} of {draws(name, kind)}" for kind in ("vacancy", "pair"))
            print(f"{pixel_size:5} {name:9} invented {invented[name]}, {found}", flush=True)


IN_PATCHES = {table: True, peers: None, roundness: True, edges: False, brightness: True, faithfulness: False}
"""The parts, and whether the paper's networks take part, and restore patches or the whole image."""


def printed(part: Callable[[Restorers], None], names: list[str], paper: list[Path]) -> str:
    """Return what a part prints; models and networks have one thread, as each part has a core of its own."""
    restore: Restorers = {name: partial(temclean.denoise, model=name, device="cpu", threads=1) for name in names}
    if IN_PATCHES[part] is not None:
        for path in paper:
            run = network(path)
            restore[f"{path.stem} paper"] = partial(evaluate.in_patches, run) if IN_PATCHES[part] else run
    with redirect_stdout(io.StringIO()) as text:
        part(restore)
    return text.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=sorted(models.available()))
    parser.add_argument("--paper", type=Path, default=PAPER, help="folder of FAMILY.onnx [default: training/baseline]")
    parser.add_argument("--quick", action="store_true", help="only the first tables")
    options = parser.parse_args()
    paper = sorted(options.paper.glob("*.onnx"))
    print(*map(training, paper), sep="\n", flush=True)
    parts = [table] if options.quick else list(IN_PATCHES)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        longest_first = sorted(parts, key=lambda part: part not in {table, faithfulness})
        texts = {part: workers.submit(printed, part, options.models, paper) for part in longest_first}
        for part in parts:
            print(texts[part].result(), end="", flush=True)


if __name__ == "__main__":
    main()
