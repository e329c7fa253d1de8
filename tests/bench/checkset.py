"""Make the check set: images that no simulator of temclean's made, with the places of their columns and defects.

    python tests/bench/checkset.py [--second] [--folder FOLDER] [--only RUN ...] [--sheets FOLDER]

Needs the extra ``bench``, and a quarter of an hour of one core. Twenty scenes of 512 x 512 pixels: seventeen of 0.055
to 0.45 Å a pixel, multislice by abTEM with frozen phonons (HRTEM at several defoci, ADF, HAADF, annular and plain
bright field), and three of low magnification. They are kept outside the repository, by default in
``~/.cache/temclean/checkset``; a run whose scenes are there is not repeated. ``--second`` makes fifteen others, of
checkset_second.py, by which no model was chosen, in half an hour; by default beside these, in ``checkset-second``.
``--sheets`` draws each scene with its noises.
"""

import argparse
import os
import time
import zlib
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from checkset_views import Scene, load, save

from temclean import noise

FOLDER = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "temclean" / "checkset"

SECOND = FOLDER.with_name("checkset-second")

DOSE = 60.0
"""Electrons a pixel of ``camera`` and ``scan``: below the median of :data:`temclean.noise.priors.DOSE`, 102, so that
there is something to restore."""

STRAYS = 0.15, 1.0
"""Pixels by which the beam of ``scan`` strays."""

Noisy = tuple[np.ndarray, np.ndarray]


def _counts(scene: Scene, electrons: float) -> float:
    """Return the electrons at intensity 1 for so many on the mean pixel.

    Of sparse bright atoms, whose mean is far below their peak, on a quarter of the peak: else there were no noise left.
    """
    return electrons / max(float(scene.clean.mean()), 0.25)


def _stretched(family: noise.Noise) -> Callable[[Scene, int], Noisy]:
    def apply(scene: Scene, seed: int) -> Noisy:
        low, high = scene.clean.min(), scene.clean.max()
        clean = (scene.clean - low) / (high - low)
        return clean, noise.apply(clean, family, seed)

    return apply


def _counted(electrons: float) -> Callable[[Scene, int], Noisy]:
    def apply(scene: Scene, seed: int) -> Noisy:
        return scene.clean, noise.apply(scene.clean, noise.Poisson(_counts(scene, electrons)), seed)

    return apply


def _camera(scene: Scene, seed: int) -> Noisy:
    return scene.clean, noise.apply(scene.clean, noise.Tem(_counts(scene, DOSE)), seed)


def _scanned(scene: Scene, seed: int) -> Noisy:
    """Draw until the beam strays, but by no more than a pixel: further, and no method could say where a column was."""
    microscope = noise.Stem(_counts(scene, DOSE), scene.pixel_size)
    least = min(STRAYS[0], 0.1 / scene.pixel_size)  # the prior is in Å, and large pixels hide it
    while not least <= _straying(microscope.draw(scene.clean, seed)) <= STRAYS[1]:
        seed += 1
    return scene.clean, noise.apply(scene.clean, microscope, seed)


def _straying(chain: noise.Chain) -> float:
    """Return by how many pixels the beam is displaced, root mean square."""
    return max((step.strays for step in chain.steps if isinstance(step, noise.Jitter)), default=0.0)


NOISES: dict[str, Callable[[Scene, int], Noisy]] = {
    "g20": _stretched(noise.Gaussian(0.2)),
    "g36": _stretched(noise.Gaussian(0.36)),
    "p1": _counted(1.0),
    "p10": _counted(10.0),
    "camera": _camera,
    "scan": _scanned,
    "gsp": _stretched(noise.GaussianSaltPepper(0.2)),
    "sp": _stretched(noise.SaltPepper(0.2)),
}
"""Noises by name. ``g20``, ``g36``, ``gsp``, ``sp``: the image stretched to [0, 1], C = 0.36 for ``g36`` and 0.2 for
the others, clipped to [0, 1]; ``p1``, ``p10``: 1 and 10 electrons a pixel, see :func:`_counts`; ``camera``, ``scan``:
whole microscopes, whose parameters are drawn with the scene's seed, at :data:`DOSE` electrons a pixel, the beam
straying by :data:`STRAYS`."""


def pair(scene: Scene, name: str) -> Noisy:
    """Return the truth and the noisy image (float32) of a scene under a noise, always the same."""
    return NOISES[name](scene, zlib.crc32(f"{scene.name} {name}".encode()))


def scenes(folder: Path = FOLDER) -> list[Scene]:
    """Return the scenes that a folder holds, by name."""
    return [load(path) for path in sorted(folder.glob("*.npz"))]


def make(folder: Path, only: list[str] | None = None, second: bool = False) -> None:
    """Compute what the folder lacks: of the check set, or of the second set."""
    import abtem
    import checkset_second
    import dask
    from checkset_images import RUNS
    from checkset_shapes import SHAPES

    abtem.config.set({"fftw.threads": 1, "fftw.planning_effort": "FFTW_ESTIMATE", "num_workers": 1})
    dask.config.set(scheduler="synchronous")
    folder.mkdir(parents=True, exist_ok=True)
    for name, run in (checkset_second.RUNS if second else RUNS | SHAPES).items():
        done = folder / f"{name}.done"
        if done.exists() or (only and name not in only):
            continue
        start = time.process_time()
        made = run()
        for scene in made:
            save(scene, folder)
        done.touch()
        print(f"{name}: {', '.join(scene.name for scene in made)}; {time.process_time() - start:.0f} s CPU", flush=True)


def sheet(scene: Scene, path: Path) -> None:
    """Draw a scene, its columns and marks, and its noisy images beside each other."""
    from PIL import Image

    def shown(image: np.ndarray) -> np.ndarray:
        low, high = np.percentile(image, (0.5, 99.5))
        return (255 * np.clip((image - low) / (high - low), 0, 1)).astype(np.uint8)

    marked = np.repeat(shown(scene.clean)[..., None], 3, axis=2)
    for places, colour, reach in ((scene.columns, (0, 255, 0), 0), (scene.marks, (255, 40, 0), 3)):
        for row, column in np.rint(places).astype(int):
            marked[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = colour
    tiles = [np.repeat(shown(scene.clean)[..., None], 3, axis=2), marked]
    tiles += [np.repeat(shown(pair(scene, name)[1])[..., None], 3, axis=2) for name in NOISES]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % 5)
    rows = [np.concatenate(tiles[start : start + 5], axis=1) for start in range(0, len(tiles), 5)]
    Image.fromarray(np.concatenate(rows)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--only", nargs="*", help="names of runs")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--second", action="store_true", help="the second set")
    options = parser.parse_args()
    folder = options.folder or (SECOND if options.second else FOLDER)
    make(folder, options.only, options.second)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        for scene in scenes(folder):
            sheet(scene, options.sheets / f"{scene.name}.png")


if __name__ == "__main__":
    main()
