"""Compare the places of columns that temclean and atomap find on the check set (see checkset.py, which makes it).

    python tests/bench/bench_measure.py [--folder FOLDER] [--atomap PYTHON] [--model NAME] [--noise NAME ...]
        [--scene NAME ...] [--quick]

Per scene and noise (``clean`` is none): columns found of those listed, what is found that is not listed, and how far
found ones are off (median over the square root of log 2, pixels), once of raw images and once of restored ones; and
seconds of the processor. Then the means over all scenes. Scenes in which columns are neither bright nor dark (two of
gold in HRTEM) are left out. Of both the sign of the columns is told, and to atomap also the distance of neighbours,
which it needs; temclean finds columns as ``temclean measure`` does, width and all. atomap refines by centre of mass,
then by a 2-D Gaussian, as its manual does. It is GPL, so it runs in a Python of its own; without ``--atomap`` there is
only temclean. ``--quick`` takes the middle 256 x 256 pixels.
"""

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from checkset import FOLDER, pair, scenes
from checkset_views import Scene

import temclean
from temclean import metrics
from temclean.commands.measuring import atoms
from temclean.commands.measuring.scale import Scale

ATOMAP = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import atomap.api as am
from atomap.atom_finding_refining import get_atom_positions
with np.load(sys.argv[1]) as kept:
    image, apart = kept["image"].astype(float), float(kept["apart"])
import hyperspy.api as hs
start = time.process_time()
places = get_atom_positions(hs.signals.Signal2D(image), separation=max(2, int(0.6 * apart)))
lattice = am.Sublattice(places, image=image)
lattice.find_nearest_neighbors()
lattice.refine_atom_positions_using_center_of_mass(show_progressbar=False)
lattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
places = np.stack([lattice.y_position, lattice.x_position], axis=1)
print("FOUND", json.dumps({"places": places.tolist(), "seconds": time.process_time() - start}))
"""


def by_atomap(python: str, image: np.ndarray, apart: float) -> tuple[np.ndarray, float]:
    """Return places and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "image.npz", image=image, apart=apart)
        line = [python, "-c", ATOMAP, str(Path(folder) / "image.npz")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    said = [each for each in done.stdout.splitlines() if each.startswith("FOUND ")]
    if not said:  # it may fail on what it finds in noise
        print(f"atomap failed: {done.stderr.splitlines()[-1] if done.stderr else 'said nothing'}", flush=True)
        return np.empty((0, 2)), float("nan")
    found = json.loads(said[0].removeprefix("FOUND "))
    return np.array(found["places"]).reshape(-1, 2), found["seconds"]


@dataclass(frozen=True)
class Score:
    """Share of the columns that were found, what was found besides, how far off (pixels), and seconds."""

    recall: float
    false: int
    off: float
    seconds: float

    def __str__(self) -> str:
        return f"{self.recall:7.3f} {self.false:6d} {self.off:7.3f} {self.seconds:6.1f}"


def score(places: np.ndarray, columns: np.ndarray, size: int, apart: float, seconds: float) -> Score:
    """Compare places with the columns of an image of this size; those within half a distance of the border are free."""

    def inner(each: np.ndarray) -> np.ndarray:
        return ((each > 0.5 * apart) & (each < size - 1 - 0.5 * apart)).all(axis=1)

    same = metrics.match(places, columns, 0.3 * apart)
    inside, true = inner(places), inner(columns)
    false = int(inside.sum() - inside[same.found].sum())
    off = float(np.median(same.distance) / np.sqrt(np.log(2))) if len(same.distance) else float("nan")
    return Score(float(true[same.true].sum() / true.sum()), false, off, seconds)


def middle(scene: Scene) -> Scene:
    """Return the middle 256 x 256 pixels of a scene."""
    columns = scene.columns - 128
    inside = ((columns >= 0) & (columns <= 255)).all(axis=1)
    return replace(scene, clean=scene.clean[128:384, 128:384], columns=columns[inside])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--atomap", metavar="PYTHON", help="a Python that has atomap")
    parser.add_argument("--model", default="general")
    parser.add_argument("--noise", nargs="*", default=["p10"])
    parser.add_argument("--scene", nargs="*")
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    chosen = [each for each in scenes(options.folder) if each.sign and len(each.columns) >= 9]
    chosen = [each for each in chosen if not options.scene or each.name in options.scene]
    if not chosen:
        print(f"{options.folder} has no scenes; python tests/bench/checkset.py makes them")
        return
    print(f"{'scene':20} {'noise':6} {'image':9} {'by':9}  recall  false  off/px      s")
    scores: dict[tuple[str, str, str], list[Score]] = {}
    for whole in chosen:
        scene = middle(whole) if options.quick else whole
        gaps = np.linalg.norm(scene.columns[:, None] - scene.columns, axis=-1)
        np.fill_diagonal(gaps, np.inf)
        apart = float(np.median(gaps.min(axis=1)))
        for noise in options.noise:
            raw = scene.clean if noise == "clean" else pair(scene, noise)[1]
            images = {"raw": raw}
            if noise != "clean":
                images["restored"] = temclean.denoise(raw, options.model, device="cpu")
            for name, image in images.items():
                start = time.process_time()
                found = atoms.find(image, Scale(None), dark=scene.sign < 0).columns.positions
                by = {"temclean": (found, time.process_time() - start)}
                if options.atomap:
                    upright = image if scene.sign > 0 else image.max() - image  # it finds nothing below 0
                    by["atomap"] = by_atomap(options.atomap, upright, apart)
                for program, (places, taken) in by.items():
                    got = score(places, scene.columns, len(raw), apart, taken)
                    scores.setdefault((noise, name, program), []).append(got)
                    print(f"{scene.name:20} {noise:6} {name:9} {program:9} {got}", flush=True)
    for (noise, name, program), each in scores.items():
        recall, off, taken = (np.nanmean([getattr(one, what) for one in each]) for what in ("recall", "off", "seconds"))
        false = sum(one.false for one in each)
        print(f"{f'{len(each)} scenes':20} {noise:6} {name:9} {program:9} {Score(recall, false, off, taken)}")


if __name__ == "__main__":
    main()
