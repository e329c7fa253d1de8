"""Compare the places of columns that temclean and atomap find on the check set (see checkset.py, which makes it).

    python tests/bench/bench_measure.py [--folder FOLDER] [--atomap PYTHON] [--noise NAME ...] [--scene NAME ...]

Per scene and noise (``clean`` is none): columns found of those listed, what is found that is not listed, and how far
found ones are off (median over the square root of log 2, pixels), once of raw images and once of those that ``auto``
restored; and seconds. Of both the sign of the columns is told, and to atomap also the distance of neighbours, which it
needs; temclean estimates the width. atomap refines by centre of mass, then by a 2-D Gaussian, as its manual does. It is
GPL, so it runs in a Python of its own; without ``--atomap`` there is only temclean.
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from checkset import FOLDER, pair, scenes
from checkset_views import Scene

import temclean
from temclean import metrics

ATOMAP = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
import numpy as np
import atomap.api as am
from atomap.atom_finding_refining import get_atom_positions
with np.load(sys.argv[1]) as kept:
    image, apart = kept["image"].astype(float), float(kept["apart"])
import hyperspy.api as hs
start = time.perf_counter()
places = get_atom_positions(hs.signals.Signal2D(image), separation=max(2, int(0.6 * apart)))
lattice = am.Sublattice(places, image=image)
lattice.find_nearest_neighbors()
lattice.refine_atom_positions_using_center_of_mass(show_progressbar=False)
lattice.refine_atom_positions_using_2d_gaussian(show_progressbar=False)
places = np.stack([lattice.y_position, lattice.x_position], axis=1)
print("FOUND", json.dumps({"places": places.tolist(), "seconds": time.perf_counter() - start}))
"""


def by_atomap(python: str, image: np.ndarray, apart: float) -> tuple[np.ndarray, float]:
    """Return places and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "image.npz", image=image, apart=apart)
        line = [python, "-c", ATOMAP, str(Path(folder) / "image.npz")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
    said = [each for each in done.stdout.splitlines() if each.startswith("FOUND ")]
    if not said:
        raise SystemExit(f"atomap: {done.stderr.splitlines()[-1] if done.stderr else 'said nothing'}")
    found = json.loads(said[0].removeprefix("FOUND "))
    return np.array(found["places"]).reshape(-1, 2), found["seconds"]


def row(scene: Scene, places: np.ndarray, apart: float, seconds: float) -> str:
    inside = ((places > 0.5 * apart) & (places < 511 - 0.5 * apart)).all(axis=1)
    same = metrics.match(places, scene.columns, 0.3 * apart)
    true = ((scene.columns > 0.5 * apart) & (scene.columns < 511 - 0.5 * apart)).all(axis=1)
    recall, false = true[same.true].sum() / true.sum(), inside.sum() - inside[same.found].sum()
    error = np.median(same.distance) / np.sqrt(np.log(2)) if len(same.distance) else float("nan")
    return f"{recall:7.3f} {false:6d} {error:7.3f} {seconds:6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--atomap", metavar="PYTHON", help="a Python that has atomap")
    parser.add_argument("--noise", nargs="*", default=["clean", "p10"])
    parser.add_argument("--scene", nargs="*")
    options = parser.parse_args()
    chosen = [each for each in scenes(options.folder) if each.sign and len(each.columns) >= 9]
    chosen = [each for each in chosen if not options.scene or each.name in options.scene]
    if not chosen:
        print(f"{options.folder} has no scenes; python tests/bench/checkset.py makes them")
        return
    print(f"{'scene':20} {'noise':6} {'image':9} {'by':9}  recall  false  off/px      s")
    for scene in chosen:
        gaps = np.linalg.norm(scene.columns[:, None] - scene.columns, axis=-1)
        np.fill_diagonal(gaps, np.inf)
        apart = float(np.median(gaps.min(axis=1)))
        for noise in options.noise:
            raw = scene.clean if noise == "clean" else pair(scene, noise)[1]
            images = {"raw": raw} if noise == "clean" else {"raw": raw, "restored": temclean.denoise(raw, device="cpu")}
            for name, image in images.items():
                start = time.perf_counter()
                found = metrics.columns(image, dark=scene.sign < 0).positions
                taken = time.perf_counter() - start
                line = f"{scene.name:20} {noise:6} {name:9}"
                print(f"{line} {'temclean':9} {row(scene, found, apart, taken)}", flush=True)
                if options.atomap:
                    places, taken = by_atomap(options.atomap, scene.sign * image, apart)
                    print(f"{line} {'atomap':9} {row(scene, places, apart, taken)}", flush=True)


if __name__ == "__main__":
    main()
