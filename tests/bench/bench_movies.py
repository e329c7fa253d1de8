"""How well movies are denoised whose truth is known, beside what people use.

    python tests/bench/bench_movies.py --quick

Draws held-out movies of ``temclean.specimen.movies`` under counted electrons, trains ``temclean train movie`` on each
noisy movie alone, and denoises it by that, by models of single images frame by frame, a Gaussian, a mean of frames, and
non-local means of scikit-image, each of these three at the strength that is best against the truth, which users do not
know.

Prints for each movie: PSNR in dB against the truth, uPSNR (against unseen frames, drift taken out), error, CSS, atoms
found and false (shares; within 2 pixels of a true one), hops kept (an atom is seen where it arrived, and none where it
left), and the ghost: what shows of a hopped atom in the frame before it came and in the frame after it left, a share of
its height. Atoms of the sheet under a hopping one count as false.
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import temclean
from temclean import filters, io, metrics, noise
from temclean.commands import scoring
from temclean.evidence import drift
from temclean.specimen import movies
from temclean.specimen.movies import Movie

Frames = np.ndarray
MOVIES = [
    ("clusters", 2.0),
    ("hopping", 5.0),
    ("drifting", 2.0),
    ("clusters", 0.5),
    ("clusters", 10.0),
    ("hopping", 20.0),
]
MOVIES += [("drifting", 0.5), ("drifting", 20.0)]
SEED = 90_000
APART = 3
NEAR = 2.0


def gaussian(raw: Frames, sigma: float) -> Frames:
    return np.stack([filters.gaussian(frame, sigma) for frame in raw])


def temporal_mean(raw: Frames, reach: float) -> Frames:
    """Average each frame with its neighbours, drift taken out by whole pixels."""
    from temclean.restoration.windows import Windows

    window = 2 * int(reach) + 1
    return np.stack([np.mean(each, axis=0) for each in Windows(raw, window)])


def non_local_means(raw: Frames, strength: float) -> Frames:
    from skimage.restoration import denoise_nl_means, estimate_sigma

    sigmas = [float(estimate_sigma(frame)) for frame in raw]
    return np.stack(
        [
            denoise_nl_means(frame, patch_size=7, patch_distance=9, h=strength * sigma, sigma=sigma, fast_mode=True)
            for frame, sigma in zip(raw, sigmas, strict=True)
        ]
    )


PEERS: dict[str, tuple[Callable[[Frames, float], Frames], tuple[float, ...]]] = {
    "Gaussian": (gaussian, (1.0, 1.5, 2.0, 3.0)),
    "mean of frames": (temporal_mean, (1, 2)),
    "non-local means": (non_local_means, (0.5, 0.8, 1.2)),
}


def best(movie: Movie, raw: Frames, name: str) -> Frames:
    method, strengths = PEERS[name]
    return max((method(raw, strength) for strength in strengths), key=lambda result: psnr(movie.frames, result))


def psnr(truth: Frames, result: Frames) -> float:
    return float(-10 * np.log10(np.mean((truth - result) ** 2)))


def upsnr(raw: Frames, result: Frames) -> metrics.Unseen:
    def triples():  # type: ignore[no-untyped-def]
        for index, frame in enumerate(result):
            chosen = scoring.references(index, len(raw), APART)
            if chosen:
                yield (frame, *(back(frame, raw[other]) for other in chosen))

    return metrics.unseen_error(triples(), 1.0)


def back(result: Frames, frame: Frames) -> Frames:
    down, right = drift.shift(result, frame)
    return drift.moved(frame, (-down, -right))


def atoms(movie: Movie, result: Frames) -> tuple[float, float]:
    """Return the share of true atoms that are found, and of found ones that are false, 4 pixels off the border."""
    found, false = [], []
    for places, frame in list(zip(movie.positions, result, strict=True))[::6]:
        spots = metrics.columns(frame).positions
        gap = np.linalg.norm(places[:, None] - spots, axis=2)
        ends = np.full((len(places), 1), np.inf), np.full((1, len(spots)), np.inf)
        found += (np.hstack([gap, ends[0]]).min(axis=1) < NEAR)[inner(places, len(frame))].tolist()
        false += (np.vstack([gap, ends[1]]).min(axis=0) >= NEAR)[inner(spots, len(frame))].tolist()
    return float(np.mean(found or [np.nan])), float(np.mean(false or [0.0]))


def inner(places: np.ndarray, size: int) -> np.ndarray:
    return ((places > 4) & (places < size - 5)).all(axis=1)


def at(frame: Frames, place: tuple[float, float]) -> float:
    """Return the mean of 3x3 pixels around a place."""
    y, x = (round(value) for value in place)
    return float(frame[y - 1 : y + 2, x - 1 : x + 2].mean())


def hops(movie: Movie, result: Frames) -> tuple[float, float, int]:
    """Return the share of ends of hops that are kept, the mean ghost, and how many ends there are.

    An end is a place, with the frame in which an atom stands there and the next or last one in which it does not; kept
    where more than half of the true difference between these frames shows.
    """
    ghosts, kept = [], []
    size = movie.frames.shape[1]
    for hop in movie.hops:
        step = movie.drift[hop.frame] - movie.drift[hop.frame - 1]
        for place, full, empty in ((hop.left, hop.frame - 1, hop.frame), (hop.reached, hop.frame, hop.frame - 1)):
            if place is None or not all(4 < value < size - 5 for value in (*place, *(np.array(place) - step))):
                continue
            places = {hop.frame: place, hop.frame - 1: tuple(np.array(place) - step)}
            clean = [at(movie.frames[index], places[index]) for index in (full, empty)]
            if clean[0] - clean[1] < 0.1:  # another atom is so near that nothing changes
                continue
            shown = [at(result[index], places[index]) for index in (full, empty)]
            ghosts.append((shown[1] - clean[1]) / (clean[0] - clean[1]))
            kept.append(shown[0] - shown[1] > 0.5 * (clean[0] - clean[1]))
    return float(np.mean(kept or [np.nan])), float(np.mean(ghosts or [np.nan])), len(ghosts)


def trained(raw: Frames, folder: Path, steps: int, threads: int) -> tuple[Frames, float]:
    """Train on a movie by the command line; return what the model makes of it, and the minutes it took."""
    path, model = folder / "raw.tif", folder / "own.onnx"
    io.write(path, io.Image.from_array(raw, 0.03, "nm"), list(raw))
    words = [sys.executable, "-m", "temclean", "train", "movie", str(path), "-o", str(model), "--overwrite"]
    began = time.monotonic()
    subprocess.run([*words, "--steps", str(steps), "--threads", str(threads)], check=True, capture_output=True)
    minutes = (time.monotonic() - began) / 60
    return temclean.denoise(raw, model, device="cpu", threads=threads), minutes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two movies of twelve frames, few steps")
    parser.add_argument("--steps", type=int, help="of training [default: 1000, quick 40]")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", help="movies of one kind")
    parser.add_argument("--models", nargs="*", default=["general", "g"])
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    steps = options.steps or (40 if options.quick else 1000)
    kinds = [each for each in MOVIES[: 2 if options.quick else None] if options.only in (None, each[0])]
    for kind, dose in kinds:
        movie = movies.draw(kind, 12 if options.quick else 24, 96 if options.quick else 128, 0.3, SEED)
        raw = np.stack([noise.apply(f, noise.Poisson(dose), SEED, frame=i) for i, f in enumerate(movie.frames)])
        with TemporaryDirectory() as folder:
            own, minutes = trained(raw, Path(folder), steps, options.threads)
        results = {f"movie, {minutes:.1f} min": own}
        for name in options.models:
            results[name] = temclean.denoise(raw, name, device="cpu", threads=options.threads)
        results |= {name: best(movie, raw, name) for name in PEERS}
        print(f"{kind}, {dose:g} electrons a pixel, {len(movie.hops)} hops")
        print("     PSNR  uPSNR +-      CSS  found  false  hops kept  ghost")
        for name, result in results.items():
            unseen = upsnr(raw, result)
            css = metrics.movie_css(result, 1.0).mean()
            found, false = atoms(movie, result)
            kept, ghost, ends = hops(movie, result)
            numbers = f"{psnr(movie.frames, result):9.2f} {unseen.upsnr:6.2f} {unseen.upsnr_high - unseen.upsnr:4.2f}"
            told = f"{kept:9.0%}  {ghost:6.1%}" if ends else f"{'-':>9}  {'-':>6}"
            print(f"{numbers}  {css:6.3f}  {found:5.0%}  {false:5.0%}  {told}  {name}", flush=True)


if __name__ == "__main__":
    main()
