"""How well ``n2a`` shows the atoms of movies whose truth is known, beside a Gaussian and another model.

    python tests/bench/bench_noise2atom.py --quick

Held-out movies of platinum clusters on carbon (``temclean.specimen.movies``) under counted electrons, on even ground
and under a gradient of the background as large as an atom is high. Prints for each dose: CSS over the range of each
result (Wang 2020, eq. 10; that of the clean frames is the ceiling), the share of the true atoms that are found and of
the found ones that are false (within 2 pixels, 4 pixels off the border), and PSNR in dB after the best gain and offset:
against the clean frames, carbon and all, and against their atoms alone. The Gaussian has the width that is best against
the truth, which users do not know.
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np

import temclean
from temclean import filters, metrics, noise
from temclean.specimen.atoms import Atoms
from temclean.specimen.movies import clusters, scene
from temclean.specimen.movies.scene import Movie

Frames = np.ndarray
SEED = 91_000
DOSES = 0.5, 1.0, 2.0, 5.0, 20.0
NEAR, EDGE = 2.0, 4
WIDTH = 0.65 / 0.3
"""Standard deviation in pixels about which atoms are looked for, in the results of all alike."""
GRADIENT = 0.4
SIGMAS = 1.0, 1.5, 2.0, 3.0
NOTHING = Atoms(np.zeros((0, 2)), np.zeros(0), np.zeros(0))


def drawn(number: int, frames: int, size: int) -> tuple[Movie, Frames]:
    """Return a movie of 0.3 Å a pixel, and its atoms alone."""
    rng = np.random.default_rng([SEED, number])
    scenery = clusters.scene(rng, frames, size, 0.3)
    path = scene.path(rng, frames, size, float(rng.uniform(0.0, 0.3)), 0.2)
    alone = scene.filmed(replace(scenery, ground=0.0, support=NOTHING), path, size, 0.3).frames
    return scene.filmed(scenery, path, size, 0.3), alone


def counted(frames: Frames, dose: float, number: int, gradient: float) -> Frames:
    """Count electrons, and let the background rise from left to right."""
    rise = gradient * np.linspace(0.0, 1.0, frames.shape[-1], dtype=np.float32)
    return np.stack(
        [noise.apply(frame + rise, noise.Poisson(dose), SEED + number, frame=i) for i, frame in enumerate(frames)]
    )


def psnr(truth: Frames, result: Frames) -> float:
    """Return PSNR over a range of 1 after the best gain and offset."""
    gain, offset = np.polyfit(result.ravel().astype(float), truth.ravel().astype(float), 1)
    return float(-10 * np.log10(np.mean((truth - gain * result - offset) ** 2)))


def atoms(places: np.ndarray, frame: Frames) -> tuple[int, int, int, int]:
    """Return how many true atoms there are and are found, and how many found ones there are and are false."""
    spots = metrics.columns(frame, WIDTH).positions
    gap = np.linalg.norm(places[:, None] - spots, axis=2)
    size = len(frame)
    true, seen = (((each > EDGE) & (each < size - 1 - EDGE)).all(axis=1) for each in (places, spots))
    hit = (gap < NEAR).any(axis=1) if len(spots) else np.zeros(len(places), bool)
    right = (gap < NEAR).any(axis=0) if len(places) else np.zeros(len(spots), bool)
    return int(true.sum()), int((true & hit).sum()), int(seen.sum()), int((seen & ~right).sum())


def measures(movie: Movie, alone: Frames, result: Frames) -> list[float]:
    """Return CSS, found, false, PSNR against frames and against atoms."""
    counts = np.sum([atoms(*pair) for pair in zip(movie.positions[::3], result[::3], strict=True)], axis=0)
    css = float(metrics.movie_css(result).mean())
    return [
        css,
        counts[1] / max(1, counts[0]),
        counts[3] / max(1, counts[2]),
        psnr(movie.frames, result),
        psnr(alone, result),
    ]


def gaussian(movie: Movie, raw: Frames) -> Frames:
    smooth = [np.stack([filters.gaussian(frame, sigma) for frame in raw]) for sigma in SIGMAS]
    return max(smooth, key=lambda result: psnr(movie.frames, result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two movies of six frames at two doses")
    parser.add_argument("--models", nargs="*", default=["n2a", "general"], help="names or files")
    parser.add_argument("--movies", type=int, default=6)
    parser.add_argument("--frames", type=int, help="taken together [default: as each model wants]")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    how = {"device": "cpu", "threads": options.threads, "frames": options.frames}
    count, frames = (2, 6) if options.quick else (options.movies, 12)
    for gradient in (0.0, GRADIENT):
        for dose in (1.0, 5.0) if options.quick else DOSES:
            rows: dict[str, list[list[float]]] = {}
            for number in range(count):
                movie, alone = drawn(number, frames, 128)
                raw = counted(movie.frames, dose, number, gradient)
                methods: dict[str, Callable[[], Frames]] = {
                    name: lambda name=name, raw=raw: temclean.denoise(raw, name, **how) for name in options.models
                }
                methods["Gaussian"] = lambda movie=movie, raw=raw: gaussian(movie, raw)
                methods["clean frames"] = lambda movie=movie: movie.frames
                for name, method in methods.items():
                    rows.setdefault(name, []).append(measures(movie, alone, method()))
            print(f"{dose:g} electrons a pixel" + (", under a gradient" if gradient else ""))
            print("   CSS  found  false  PSNR of frames  of atoms")
            for name, found in rows.items():
                css, hit, false, whole, only = np.mean(found, axis=0)
                print(f"{css:6.3f} {hit:6.0%} {false:6.0%} {min(whole, 99.0):15.2f} {only:9.2f}  {name}", flush=True)


if __name__ == "__main__":
    main()
