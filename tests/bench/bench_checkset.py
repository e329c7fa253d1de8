"""Score models on the check set (see checkset.py, which makes it).

    python tests/bench/bench_checkset.py [MODEL ...] [--peers NAME ...] [--quick] [--json FILE] [--folder FOLDER]

MODEL is a shipped name, ``auto``, an ONNX file, or ``raw``, the noisy image itself. Without a check set it says so and
does nothing. ``--quick``, for use while a model is trained, takes the middle 256 x 256 pixels and half of the noises.
Peers: gaussian nlm bm3d topaz r_em; topaz and r_em need ``--topaz FOLDER`` and ``--r-em PYTHON`` (see
checkset_peers.py), and all but gaussian take minutes the first time.

Per scene and noise, then as means:

- psnr, msssim: PSNR in dB and MS-SSIM after the linear fit of the result to the truth, whose span is the range.
- recall, precision: columns found of those that are there, and those found that are there. There is what
  ``temclean.metrics.columns`` finds in the image without noise, the first at known columns alone.
- error, median: how far they are off, pixels: root mean square, and median over the square root of log 2, which is the
  same for normal errors and blind to a few lost columns.
- correlation, slope: of intensities at all known columns with those in the image without noise; not fitted before.
  Only where these differ by 5% or more.
- defects: how much of a vacancy's or dopant's difference to its kind is left, 1 being all and 0 none: least squares.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from checkset import FOLDER, NOISES, pair, scenes
from checkset_peers import NAMES, Peers
from checkset_views import Scene

import temclean
from temclean import metrics
from temclean.metrics import Columns

QUICK = ("g20", "p10", "camera", "scan")
MIDDLE = 256
LEAST_SPREAD = 0.05
SCORES = ("psnr", "msssim", "recall", "precision", "error", "median", "correlation", "slope", "defects")

Restore = Callable[[Scene, str, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Truth:
    """What is known of a scene's columns: all that are seen without noise, and which of them are listed atoms."""

    seen: Columns
    listed: np.ndarray
    apart: float
    width: float
    marks: list[tuple[int, np.ndarray]]

    def only(self) -> Columns:
        return picked(self.seen, self.listed)


def picked(columns: Columns, which: np.ndarray) -> Columns:
    return Columns(*(getattr(columns, name)[which] for name in Columns.__dataclass_fields__))


def truth_of(scene: Scene) -> Truth | None:
    """Find the columns of an image without noise; None if it has none."""
    if not scene.sign or len(scene.columns) < 4:
        return None
    seen = metrics.columns(scene.clean, dark=scene.sign < 0)
    gaps = np.linalg.norm(seen.positions[:, None] - seen.positions[None], axis=-1)
    apart = float(np.median(np.sort(gaps, axis=1)[:, 1]))
    same = metrics.match(seen, scene.columns, 0.3 * apart)
    kinds = np.full(len(seen), "", scene.kinds.dtype if len(scene.kinds) else "U1")
    kinds[same.found] = scene.kinds[same.true]
    marks = []
    if len(scene.marks):
        for number, (place, what, host) in enumerate(zip(scene.marks, scene.mark_kinds, scene.hosts, strict=True)):
            near = np.linalg.norm(seen.positions - place, axis=1)
            alike = np.flatnonzero((kinds == host) & (near > 0.3 * apart))
            if what != "boundary" and len(alike) >= 6:
                marks.append((number, alike[np.argsort(near[alike])[:12]]))
    return Truth(seen, same.found, apart, float(np.median(seen.width[same.found])), marks)


def defects(truth: Truth, scene: Scene, image: np.ndarray) -> np.ndarray:
    """Return the intensity at each defect less the mean of the nearest columns of the kind it should be."""
    width = np.full(len(truth.marks), truth.width)
    none = np.zeros((len(truth.marks), 4))
    there = Columns(scene.marks[[number for number, _ in truth.marks]], width, width, width, none)
    known = metrics.intensities(image, replace(truth.seen, width=np.full(len(truth.seen), truth.width)))
    return metrics.intensities(image, there) - np.array([known[alike].mean() for _, alike in truth.marks])


def score(scene: Scene, truth: Truth | None, clean: np.ndarray, result: np.ndarray) -> dict[str, float]:
    """Return the scores of a result; a column's are absent where there are none."""
    spread = result - result.mean()
    power = float((spread * spread).mean())
    slope = float((spread * (clean - clean.mean())).mean()) / power if power else 0.0
    fitted = (clean.mean() + slope * spread).astype(np.float32)
    span = float(np.ptp(clean))
    scores = {"psnr": metrics.psnr(clean, fitted, span), "msssim": metrics.ms_ssim(clean, fitted, span)}
    if truth is None:
        return scores
    found = metrics.columns(result, truth.width, dark=scene.sign < 0)
    listed = truth.only()
    scores["precision"] = metrics.match(found, truth.seen, 0.4 * truth.apart).precision
    same = metrics.match(found, listed, 0.4 * truth.apart)
    scores["recall"] = same.recall
    if len(same.distance):
        scores["error"] = float(np.sqrt(np.mean(same.distance**2)))
        scores["median"] = float(np.median(same.distance) / np.sqrt(np.log(2)))
    wanted, ours = (metrics.intensities(image, listed) for image in (clean, result))
    if wanted.std() > LEAST_SPREAD * abs(wanted.mean()):
        scores["correlation"] = float(np.corrcoef(wanted, ours)[0, 1]) if ours.std() else 0.0
        scores["slope"] = float(np.polyfit(wanted, ours, 1)[0])
    if truth.marks:
        wanted, ours = defects(truth, scene, clean), defects(truth, scene, result)
        scores["defects"] = float((wanted * ours).sum() / (wanted * wanted).sum())
    return scores


def middle(scene: Scene) -> Scene:
    """Return the middle of a scene."""
    first = (scene.clean.shape[0] - MIDDLE) // 2

    def within(places: np.ndarray) -> np.ndarray:
        return ((places >= first) & (places <= first + MIDDLE - 1)).all(axis=1)

    columns, marks = within(scene.columns), within(scene.marks)
    return replace(
        scene, clean=np.ascontiguousarray(scene.clean[first : first + MIDDLE, first : first + MIDDLE]),
        columns=scene.columns[columns] - first, kinds=scene.kinds[columns],
        marks=scene.marks[marks] - first, mark_kinds=scene.mark_kinds[marks], hosts=scene.hosts[marks],
    )  # fmt: skip


def mean(rows: list[dict], name: str) -> float:
    values = [row[name] for row in rows if name in row]
    return float(np.mean(values)) if values else float("nan")


def report(rows: list[dict], names: list[str], noises: list[str]) -> None:
    """Print means by noise, then PSNR by scene."""
    print("mean of all scenes")
    print(f"{'':16}{'noise':8}" + "".join(f"{name:>12}" for name in SCORES))
    for noise in [*noises, "all"]:
        for name in names:
            chosen = [row for row in rows if row["restorer"] == name and noise in (row["noise"], "all")]
            print(f"{name:16}{noise:8}" + "".join(f"{mean(chosen, each):12.3f}" for each in SCORES))
    for each in ("psnr", "median"):
        print(f"\n{each} by scene, mean of the noises; then by noise")
        print(f"{'':16}{'scene':22}{'all':>8}" + "".join(f"{noise:>8}" for noise in noises))
        for scene in sorted({row["scene"] for row in rows if each in row}):
            for name in names:
                own = [row for row in rows if row["restorer"] == name and row["scene"] == scene]
                parts = [own, *([row for row in own if row["noise"] == noise] for noise in noises)]
                cells = [mean(part, each) for part in parts]
                print(f"{name:16}{scene:22}" + "".join(f"{cell:8.2f}" for cell in cells))


def restorers(models: list[str], peers: list[str], runner: Peers, mirrored: int) -> dict[str, Restore]:
    made: dict[str, Restore] = {}
    for model in models:
        ours = partial(temclean.denoise, model=model, device="cpu", mirrored=mirrored)
        run = ours if model != "raw" else lambda noisy: noisy
        name = Path(model).stem if model.endswith(".onnx") else model
        made[name] = lambda scene, noise, truth, noisy, run=run: run(noisy)
    for peer in peers:
        made[peer] = partial(runner.restore, peer)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["raw", "g"])
    parser.add_argument("--peers", nargs="*", default=[], choices=NAMES)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, help="write all scores there")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--scenes", nargs="*", help="names of scenes")
    parser.add_argument("--noises", nargs="*", choices=list(NOISES))
    parser.add_argument("--mirrored", type=int, default=1, help="as of `temclean denoise`")
    parser.add_argument("--topaz", type=Path, help="folder that topaz-em is installed in")
    parser.add_argument("--r-em", help="Python of an environment with tk_r_em and TensorFlow 2.15")
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.errors.TemcleanWarning)  # of noise too strong: that is what is tried
    found = [scene for scene in scenes(options.folder) if not options.scenes or scene.name in options.scenes]
    if not found:
        print(f"not measured: no check set in {options.folder}; python tests/bench/checkset.py makes it")
        return
    if "r_em" in options.peers and not options.r_em:
        parser.error("r_em needs --r-em PYTHON, that of an environment with tk_r_em and TensorFlow 2.15")
    noises = options.noises or list(QUICK if options.quick else NOISES)
    found = [middle(scene) for scene in found] if options.quick else found
    runner = Peers(options.folder / "peers", options.topaz, options.r_em)
    known = [(scene, truth_of(scene)) for scene in found]
    rows, started = [], time.process_time()
    made = restorers(options.models, options.peers, runner, options.mirrored)
    for name, restore in made.items():
        for scene, truth in known:
            for noise in noises:
                clean, noisy = pair(scene, noise)
                scores = score(scene, truth, clean, restore(scene, noise, clean, noisy))
                rows.append({"restorer": name, "scene": scene.name, "noise": noise, "detail": scene.detail, **scores})
    report(rows, list(made), noises)
    print(f"\n{time.process_time() - started:.0f} s CPU")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
