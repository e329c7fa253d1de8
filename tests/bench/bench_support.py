"""What `denoise --support` says of spots that are there, that were made up, and that are noise.

python tests/bench/bench_support.py [--count 4] [--size 512] [--skip-noise] [--checkset FOLDER]

First planted spots: crystals of two kinds of column, with vacancies and dopants, under noise, restored by `general`;
into the result spots are planted where vacancies are, and some columns are cut out of it. Prints how well support tells
planted from true ones (area under the ROC), beside the residual over a column; how many of both it judges rightly; and
how many of those cut out are named as lost. Then the same of spots that networks make up by themselves. With the folder
of the check set (see checkset.py), the same of its multislice images alone: their vacancies, into which spots are
planted, and what networks make up where no column is.

Last noise alone, of each kind: the "result" is the noise under a Gaussian, so that each of its maxima is a spot, and
all of them are false. Prints how many there are, and the share that are said to be less likely than 10%, 1% and 0.1%.
"""

import argparse
import collections
from collections.abc import Callable
from pathlib import Path

import numpy as np
from bench_checkset import middle, truth_of
from checkset_views import load

from temclean import filters, noise
from temclean.evidence import matched
from temclean.evidence.support import SUPPORTED, WEAK, support
from temclean.metrics import columns, match
from temclean.restoration import models, pipeline

Rng = np.random.Generator
Shape = tuple[int, int]


def slow(rng: Rng, shape: Shape, rho: float) -> np.ndarray:
    """Noise of a slow detector: each pixel keeps a share of the one before it."""
    white = rng.normal(size=shape)
    for column in range(1, shape[1]):
        white[:, column] = rho * white[:, column - 1] + np.sqrt(1 - rho**2) * white[:, column]
    return white


def resampled(rng: Rng, shape: Shape) -> np.ndarray:
    """White noise between whose pixels is interpolated: at random places in a finer grid."""
    white = rng.normal(size=(shape[0] + 1, shape[1] + 1))
    return white[1:, 1:] + 0.7 * white[:-1, 1:] + 0.7 * white[1:, :-1] + 0.49 * white[:-1, :-1]


def family(name: str, level: float, ground: float) -> Callable[[Rng, Shape], np.ndarray]:
    return lambda rng, shape: noise.apply(
        np.full(shape, ground),
        noise.FAMILIES[name](level),  # type: ignore[call-arg]
        int(rng.integers(2**32)),
    )


NOISES: dict[str, Callable[[Rng, Shape], np.ndarray]] = {
    "Gaussian": lambda rng, shape: rng.normal(5, 2, shape),
    "Gaussian, cut off at black": lambda rng, shape: np.maximum(rng.normal(0.1, 0.2, shape), 0),
    "10 counts": lambda rng, shape: rng.poisson(10, shape) * 7.0,
    "1 count": lambda rng, shape: rng.poisson(1, shape) * 7.0,
    "0.2 counts": lambda rng, shape: rng.poisson(0.2, shape) * 7.0,
    "3 counts and read-out": lambda rng, shape: rng.poisson(3, shape) + rng.normal(0, 1, shape),
    "specks": family("sp", 0.1, 0.3),
    "grain and specks": family("gsp", 0.1, 0.4),
    "slow, 0.5": lambda rng, shape: slow(rng, shape, 0.5),
    "slow, 0.9": lambda rng, shape: slow(rng, shape, 0.9),
    "resampled": resampled,
    "rows": lambda rng, shape: rng.normal(0, 1, shape) + rng.normal(0, 0.5, (shape[0], 1)),
    "columns, 10 counts": lambda rng, shape: rng.poisson(10, shape) + rng.normal(0, 1, (1, shape[1])),
}


def heights(name: str, seed: int, size: int, width: float) -> np.ndarray:
    """Return the heights of all false spots in noise alone."""
    raw = NOISES[name](np.random.default_rng([18, seed]), (size, size))
    result = filters.gaussian(raw.astype(np.float32), width)
    places = matched.peaks(result - result.min())
    found = support(raw, result.astype(np.float64), at=places, width=width, dark=False)
    return found.height[~found.lost]


def calibration(count: int, size: int) -> None:
    print(f"{'noise alone':28}{'width':>6}{'spots':>8}{'at 10%':>9}{'at 1%':>9}{'at 0.1%':>9}")
    for name in NOISES:
        for width in (1.0, 2.0, 4.0):
            found = np.concatenate([heights(name, seed, size, width) for seed in range(count)])
            shares = "".join(f"{(matched.chance(found) <= level).mean():9.2%}" for level in (0.1, 0.01, 0.001))
            print(f"{name:28}{width:6g}{len(found):8}{shares}", flush=True)


LEVELS: dict[str, noise.Noise] = {
    "Gaussian, 0.3": noise.Gaussian(0.3),
    "Gaussian, 0.5": noise.Gaussian(0.5, clip=False),
    "5 counts": noise.Poisson(5.0),
    "1.5 counts": noise.Poisson(1.5),
    "slow scan, 10 counts": noise.Chain((noise.Poisson(10.0), noise.FastScan(2.0, 1.5, 40.0, 1.2))),
}


def crystal(rng: Rng, size: int, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw columns of two kinds: the image, places (N, 2), and heights, which are 0 of vacancies."""
    apart = 5.5 * width
    rows, across = np.meshgrid(*[np.arange(apart, size - apart, apart)] * 2, indexing="ij")
    heavy = np.stack([rows, across], axis=-1).reshape(-1, 2)
    light = heavy + apart / 2
    places = np.concatenate([heavy, light[(light < size - apart).all(axis=1)]])
    heights = np.where(np.arange(len(places)) < len(heavy), 1.0, 0.6) * rng.normal(1, 0.05, len(places))
    places = places + rng.normal(0, 0.05 * width, places.shape)
    drawn = rng.random(len(places))
    heights[drawn < 0.06] = 0.0
    heights[(drawn > 0.06) & (drawn < 0.12)] *= 0.6
    return image_of(places, heights, size, width), places, heights


def image_of(places: np.ndarray, heights: np.ndarray, size: int, width: float) -> np.ndarray:
    line = np.arange(size)
    across = np.exp(-0.5 * ((line - places[:, 1:]) / width) ** 2)
    down = np.exp(-0.5 * ((line - places[:, :1]) / width) ** 2) * heights[:, None]
    return np.clip(0.05 + 0.9 * (down.T @ across), 0, 1).astype(np.float32)


def area(false: np.ndarray, true: np.ndarray) -> float:
    """Return the area under the ROC: how often a true one has more than a false one."""
    return float((true[:, None] > false).mean() + 0.5 * (true[:, None] == false).mean())


def planted(count: int, size: int, width: float = 2.2) -> None:
    session = models.open_session(models.load("general"))
    print(
        f"{'noise':22}{'columns':>9}{'invented':>10}{'support':>9}{'residual':>10}{'caught':>8}{'held':>7}"
        f"{'lost named':>12}"
    )
    for name, kind in LEVELS.items():
        found = collections.defaultdict(list)
        for seed in range(count):
            rng = np.random.default_rng([19, seed])
            clean, places, heights = crystal(rng, size, width)
            raw = noise.apply(clean, kind, seed)
            result = next(pipeline.denoise_frames(raw[None], session))
            vacant, there = heights == 0, heights > 0
            cut = there & (rng.random(len(places)) < 0.05)
            planted = np.where(vacant, np.where(rng.random(len(places)) < 0.5, 1.0, 0.6), 0.0)
            result = result + image_of(places, planted, size, width) - 0.05
            result -= image_of(places, np.where(cut, heights, 0.0), size, width) - 0.05
            shown = ~cut
            seen = support(raw, result, at=places[shown], width=width, dark=False)
            spots = ~seen.lost
            left = filters.gaussian((raw - result).astype(np.float32), 0.7 * width)
            rows, across = np.rint(places[shown]).astype(int).T
            found["support"].append((seen.height[spots][vacant[shown]], seen.height[spots][there[shown]]))
            found["residual"].append((left[rows, across][vacant[shown]], left[rows, across][there[shown]]))
            chance = matched.chance(seen.height[spots])
            found["caught"].append(chance[vacant[shown]] > WEAK)
            found["held"].append(chance[there[shown]] <= SUPPORTED)
            lost = seen.positions[seen.lost]
            found["named"].append([len(lost) and np.hypot(*(lost - each).T).min() < width for each in places[cut]])
        both = {
            each: [np.concatenate(part) for part in zip(*found[each], strict=True)] for each in ("support", "residual")
        }
        caught, held, named = (np.concatenate(found[each]).mean() for each in ("caught", "held", "named"))
        false, true = both["support"]
        areas = area(*both["support"]), area(*both["residual"])
        print(
            f"{name:22}{len(true):9}{len(false):10}{areas[0]:9.4f}{areas[1]:10.4f}{caught:8.0%}{held:7.0%}{named:12.0%}",
            flush=True,
        )


def made_up(count: int, size: int, width: float = 2.2) -> None:
    """Print the same of what networks make up by themselves: spots in results where no column is."""
    print(f"{'noise':22}{'model':9}{'true':>9}{'false':>10}{'support':>9}{'residual':>10}{'caught':>8}{'held':>7}")
    kinds = {"Gaussian, 0.7": noise.Gaussian(0.7, clip=False), "0.7 counts": noise.Poisson(0.7), **LEVELS}
    for name, kind in kinds.items():
        for model in ("general", "bbg"):
            session = models.open_session(models.load(model))
            false, true, residual_false, residual_true = [], [], [], []
            for seed in range(count):
                clean, places, heights = crystal(np.random.default_rng([20, seed]), size, width)
                raw = noise.apply(clean, kind, seed)
                result = next(pipeline.denoise_frames(raw[None], session))
                shown = columns(result, width)
                if not len(shown):
                    continue
                real = np.zeros(len(shown), bool)
                real[match(shown, places[heights > 0], 1.5 * width).found] = True
                seen = support(raw, result, at=shown.positions, width=width, dark=False)
                height = seen.height[~seen.lost]
                left = filters.gaussian((raw - result).astype(np.float32), 0.7 * width)
                rows, across = np.rint(shown.positions).astype(int).clip(0, size - 1).T
                false.append(height[~real])
                true.append(height[real])
                residual_false.append(left[rows, across][~real])
                residual_true.append(left[rows, across][real])
            if not false or sum(map(len, false)) < 5 or sum(map(len, true)) < 5:
                continue
            one, other = np.concatenate(false), np.concatenate(true)
            areas = area(one, other), area(np.concatenate(residual_false), np.concatenate(residual_true))
            caught, held = (matched.chance(one) > WEAK).mean(), (matched.chance(other) <= SUPPORTED).mean()
            print(
                f"{name:22}{model:9}{len(other):9}{len(one):10}{areas[0]:9.4f}{areas[1]:10.4f}{caught:8.0%}{held:7.0%}",
                flush=True,
            )


def multislice(folder: Path) -> None:
    """Print the same of the multislice images of the check set whose columns are known."""
    print(f"{'noise':12}{'model':9}{'true':>9}{'planted':>9}{'made up':>9}{'support':>17}{'residual':>17}")
    scenes = [middle(load(path)) for path in sorted(folder.glob("*.npz"))]
    known = [(scene, truth) for scene in scenes if (truth := truth_of(scene)) is not None]
    for counts in (1.0, 3.0, 10.0):
        for model in ("general", "g"):
            session = models.open_session(models.load(model))
            found = collections.defaultdict(list)
            for seed, (scene, truth) in enumerate(known):
                raw = noise.apply(scene.clean, noise.Poisson(counts), seed)
                result = next(pipeline.denoise_frames(raw[None], session))
                shown = columns(result, truth.width, dark=scene.sign < 0)
                vacant = scene.marks[scene.mark_kinds == "vacancy"].reshape(-1, 2)
                height = np.median(shown.intensity) if len(shown) else 0.0
                spots = image_of(vacant, np.full(len(vacant), 1.0), len(raw), truth.width) - 0.05
                result = result + np.float32(scene.sign * height / 0.9) * spots
                far = match(shown, truth.seen, 0.6 * truth.apart)
                real, nowhere = np.zeros(len(shown), bool), np.ones(len(shown), bool)
                real[match(shown, truth.only(), 0.4 * truth.apart).found] = True
                nowhere[far.found] = False
                if len(vacant):
                    nowhere &= np.hypot(*(shown.positions[:, None] - vacant).T).min(axis=0) > 0.6 * truth.apart
                at = np.concatenate([shown.positions[real], vacant, shown.positions[nowhere]])
                kind = np.repeat(["true", "planted", "made up"], [real.sum(), len(vacant), nowhere.sum()])
                seen = support(raw, result, at=at, width=truth.width, dark=scene.sign < 0)
                left = scene.sign * filters.gaussian((raw - result).astype(np.float32), 0.7 * truth.width)
                rows, across = np.rint(at).astype(int).clip(0, len(raw) - 1).T
                for each in ("true", "planted", "made up"):
                    found[each, "support"].append(seen.height[~seen.lost][kind == each])
                    found[each, "residual"].append(left[rows, across][kind == each])
            both = {each: np.concatenate(parts) for each, parts in found.items()}
            numbers = [len(both[each, "support"]) for each in ("true", "planted", "made up")]
            areas = [
                "".join(
                    f"{area(both[each, by], both['true', by]) if len(both[each, by]) else np.nan:8.3f}"
                    for each in ("planted", "made up")
                )
                for by in ("support", "residual")
            ]
            print(f"{counts:<12g}{model:9}{numbers[0]:9}{numbers[1]:9}{numbers[2]:9} {areas[0]} {areas[1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--skip-noise", action="store_true")
    parser.add_argument("--checkset", type=Path)
    options = parser.parse_args()
    if options.checkset:
        multislice(options.checkset)
        return
    planted(options.count, options.size)
    made_up(options.count, options.size)
    if not options.skip_noise:
        calibration(options.count, options.size)


if __name__ == "__main__":
    main()
