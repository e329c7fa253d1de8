"""How well movies are denoised whose truth is known, beside what people use.

    python tests/bench/bench_movies.py --folder FOLDER

Draws held-out movies of ``temclean.specimen.movies`` under counted electrons: Pt clusters on carbon, an atom that hops
on graphene, a lattice that drifts up to 3 pixels a frame. Trains as ``temclean train movie`` does on each noisy movie
alone, and denoises it by that, by that without training, by models of single images frame by frame and with
``--frames 3``, by Noise2Void trained for the same time of the processor (``noise2void.py``), and by what
``movie_peers.py`` holds, each of these at the strength that is best against the truth, which users do not know.

Rows are kept in FOLDER as they come, and are not made again; all that are there are printed as tables, in Markdown:
PSNR in dB against the truth; uPSNR, which needs none (against frames five before and after, drift taken out), and its
standard error; CSS over the range of each result; atoms found and false (shares; within 2 pixels of a true one, those
of the clusters about their known width; not counted on the sheet, whose own atoms are none of them); hops kept (an atom
is seen where it arrived, and none where it left); by how much the frame before it came and the frame after it left are
too bright there, a share of the atom's height; and the ghost: how much of that comes from other frames, with its
standard error (`movie_ghosts.py`; 0 of models that look at one frame). What ``n2a`` gives, atoms on black, is measured
after the best gain and offset.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from movie_ghosts import Restore, ghost, hops, scenery
from movie_peers import PEERS, best
from noise2void import denoised as noise2void

import temclean
from temclean import metrics, noise
from temclean.commands import scoring
from temclean.evidence import drift
from temclean.restoration import models, pipeline
from temclean.restoration.together import joined
from temclean.restoration.windows import Windows
from temclean.specimen import movies
from temclean.specimen.movies import Movie
from temclean.training import footage, movie
from temclean.training.networks.blindspot import BlindSpot

Frames = np.ndarray
DOSES = 2.0, 20.0, 0.5, 5.0
SEED = 90_000
APART = 5
NEAR = 2.0
WIDTHS = {"clusters": 0.65 / 0.3, "drifting": None}
"""Standard deviation in pixels about which atoms are looked for, in the results of all alike; None looks for it too."""
SINGLE = "general", "g", "n2a"
TOGETHER = {f"{name}, --frames 3": name for name in SINGLE}
METHODS = {"movie", "Noise2Void", "truth", *SINGLE, *TOGETHER, *PEERS}


def counted(frames: Frames, dose: float) -> Frames:
    return np.stack([noise.apply(frame, noise.Poisson(dose), SEED, frame=i) for i, frame in enumerate(frames)])


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
    down, right = drift.shift(result, frame, scoring.FARTHEST)
    return drift.moved(frame, (-down, -right))


def atoms(movie: Movie, result: Frames, width: float | None) -> tuple[float, float]:
    """Return the share of true atoms that are found, and of found ones that are false, 4 pixels off the border."""
    found, false = [], []
    for places, frame in list(zip(movie.positions, result, strict=True))[::6]:
        spots = metrics.columns(frame, width).positions
        gap = np.linalg.norm(places[:, None] - spots, axis=2)
        ends = np.full((len(places), 1), np.inf), np.full((1, len(spots)), np.inf)
        found += (np.hstack([gap, ends[0]]).min(axis=1) < NEAR)[inner(places, len(frame))].tolist()
        false += (np.vstack([gap, ends[1]]).min(axis=0) >= NEAR)[inner(spots, len(frame))].tolist()
    return float(np.mean(found or [np.nan])), float(np.mean(false or [0.0]))


def inner(places: np.ndarray, size: int) -> np.ndarray:
    return ((places > 4) & (places < size - 5)).all(axis=1)


def by_network(network: BlindSpot, scale: footage.Scaling) -> Restore:
    """Return what denoises a frame of a movie by a network as the model does that is made of it."""
    width = scale.high - scale.low

    def one(raw: Frames, index: int) -> Frames:
        window = Windows(raw, network.frames)[index]
        stack = torch.from_numpy(np.stack([footage.unit(frame, scale) for frame in window]))[None]
        with torch.no_grad():
            return network.eval()(stack)[0, 0].numpy() * width + scale.low

    return one


def trained(raw: Frames, out: Path, steps: int) -> tuple[Restore, Restore]:
    """Train on a movie; return what restores a frame before and after; keep the processor's seconds."""
    began = time.process_time()
    scale = footage.scaled(raw)
    measured = footage.measure(raw, scale)
    recipe = movie.Recipe("raw", steps=steps)
    network = movie.train(recipe, raw, scale, measured, out, True, 100)
    if not out.with_suffix(".seconds").exists():
        out.with_suffix(".seconds").write_text(f"{time.process_time() - began:.1f}\n")
    start = movie.begin(recipe.prior, measured, network.frames)
    start.span.copy_(network.span)
    start.line.copy_(network.line)
    return by_network(start, scale), by_network(network, scale)


def single(raw: Frames, name: str, together: int, film: Movie) -> tuple[Frames, Restore]:
    """Return what a model of single images makes of a movie, and what makes one of its frames.

    Of ``n2a`` after the best gain and offset.
    """
    session = models.open_session(models.load(name), "cpu", threads=1)
    scale = pipeline.scaling(raw, session.model)

    def some(raw: Frames, which: Sequence[int]) -> Frames:
        return np.stack(list(pipeline.denoise_frames(joined(raw, together), session, scaling=scale, which=which)))

    result = some(raw, range(len(raw)))
    gain, offset = np.polyfit(result.ravel(), film.frames.ravel(), 1) if name == "n2a" else (1.0, 0.0)
    return gain * result + offset, lambda raw, index: gain * some(raw, [index])[0] + offset


def made(
    film: Movie, raw: Frames, out: Path, steps: int, known: set[str]
) -> Iterator[tuple[str, Frames, Restore | None]]:
    """Yield what each method makes of a movie, and what makes one frame; but for methods that are known or left out."""
    if "movie" not in known:
        for name, restore in zip(("movie before training", "movie"), trained(raw, out, steps), strict=True):
            yield name, np.stack([restore(raw, index) for index in range(len(raw))]), restore
    if "Noise2Void" not in known:
        yield "Noise2Void", noise2void(raw, float(out.with_suffix(".seconds").read_text())), None
    for name in set(SINGLE) - known:
        yield name, *single(raw, name, 1, film)
    for label in set(TOGETHER) - known:
        yield label, *single(raw, TOGETHER[label], 3, film)
    for name in set(PEERS) - known:
        yield name, best(raw, name, lambda result: -psnr(film.frames, result)), None
    if "truth" not in known:
        yield "truth", film.frames, None


def measures(film: Movie, kind: str, raw: Frames, result: Frames) -> dict[str, float]:
    unseen = upsnr(raw, result)
    found, false = atoms(film, result, WIDTHS[kind]) if kind in WIDTHS else (np.nan, np.nan)
    kept, bright, ends = hops(film, result)
    return {
        "psnr": min(99.0, psnr(film.frames, result)) if result is not film.frames else np.inf,
        "upsnr": unseen.upsnr,
        "error": (unseen.upsnr_high - unseen.upsnr_low) / 2,
        "css": float(metrics.movie_css(result).mean()),
        "found": found,
        "false": false,
        "kept": kept,
        "bright": bright,
        "ends": ends,
    }


def tables(rows: list[dict[str, Any]]) -> None:
    """Print a table for each measure: methods down, from the best PSNR to the worst, and movies with doses across."""
    films = sorted({(row["kind"], row["dose"]) for row in rows})
    cells = {(row["method"], row["kind"], row["dose"]): row for row in rows}
    rank = {name: np.mean([row["psnr"] for row in rows if row["method"] == name]) for name, *_ in cells}
    measured: dict[str, tuple[Callable[[dict[str, Any]], str], tuple[str, ...]]] = {
        "PSNR (uPSNR), dB": (lambda row: f"{row['psnr']:.1f} ({row['upsnr']:.1f})", tuple(movies.KINDS)),
        "CSS": (lambda row: f"{row['css']:.2f}", ("clusters", "hopping")),
        "atoms found, false": (lambda row: f"{row['found']:.0%}, {row['false']:.0%}", tuple(WIDTHS)),
        "hops kept, too bright": (lambda row: f"{row['kept']:.0%}, {row['bright']:.0%}", ("clusters", "hopping")),
        "ghost": (
            lambda row: f"{row['ghost']:.1%} +- {row['ghost_error']:.1%}" if "ghost" in row else "",
            ("clusters", "hopping"),
        ),
    }
    for title, (told, kinds) in measured.items():
        shown = [film for film in films if film[0] in kinds]
        print(f"\n| {title} | " + " | ".join(f"{kind}, {dose:g}" for kind, dose in shown) + " |")
        print("|---" * (len(shown) + 1) + "|")
        for name in sorted(rank, key=lambda name: -rank[name]):
            found = [cells.get((name, *film)) for film in shown]
            print(f"| {name} | " + " | ".join(told(row) if row else "" for row in found) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where rows are kept")
    parser.add_argument("--quick", action="store_true", help="movies of 12 frames of 64x64 pixels, few steps")
    parser.add_argument("--steps", type=int, help="of training [default: 1000, quick 20]")
    parser.add_argument("--kinds", nargs="*", default=list(movies.KINDS))
    parser.add_argument("--doses", nargs="*", type=float, default=DOSES)
    parser.add_argument("--without", nargs="*", default=[], metavar="METHOD", help="leave these out for now")
    parser.add_argument("--print", action="store_true", help="only print what is there")
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    torch.set_num_threads(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = options.folder / "rows.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    count, size = (12, 64) if options.quick else (24, 128)
    for dose in () if options.print else options.doses:
        for kind in options.kinds:
            known = {str(row["method"]) for row in rows if (row["kind"], row["dose"]) == (kind, dose)}
            known |= set(options.without)
            if known >= METHODS:
                continue
            film = movies.draw(kind, count, size, 0.3, SEED)
            raw = counted(film.frames, dose)
            out = options.folder / f"{kind}_{dose:g}.pt"
            for name, result, restore in made(film, raw, out, options.steps or (20 if options.quick else 1000), known):
                rows.append({"kind": kind, "dose": dose, "method": name, **measures(film, kind, raw, result)})
                if restore and film.hops:
                    drawn = scenery(kind, count, size, 0.3, SEED)
                    told = ghost(film, drawn, partial(counted, dose=dose), restore)
                    rows[-1] |= dict(zip(("ghost", "ghost_error"), told, strict=True))
                with kept.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    tables(rows)


if __name__ == "__main__":
    main()
