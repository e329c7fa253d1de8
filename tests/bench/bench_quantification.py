"""How well columns of atoms can be measured, raw and restored, against dose: Lobato 2024, figures 3 to 5.

    python tests/bench/bench_quantification.py [MODEL ...] [--quick] [--figure OUT.png] [--r-em PYTHON] [--json FILE]

MODEL is a shipped name, an ONNX file, or ``auto``, the default, which is told of a STEM and the pixel size. Three
specimens (quantification_scenes.py, by abTEM: 25 s once; not the paper's own), each at 500 to 50 000 electrons an Å^2:

- perfect: platinum along [001], counting noise alone.
- dislocation: platinum along [112], an edge dislocation and four columns missing; the beam strays (by 0.05 Å from pixel
  to pixel, by 0.06 and 0.08 Å from row to row), the detector adds noise and lags: :data:`SCAN`.
- particle: a sphere of eleven cells on carbon, likewise.

Position [pm, px] and intensity [%] errors are root mean squares against the image without noise, over all columns that
are not at the border, ``bias`` the mean of the latter; like the paper's, these fits begin at the true places. A shift
of the whole image counts as none. ``bound`` is the Cramér-Rao bound of counting noise alone, for columns of one unknown
width. ``found`` and ``false`` are columns that ``temclean.metrics.columns`` finds by itself: of those there are, and
where none is, over those there are. ``vacancy``: missing columns where none is found, and that measure less than half
of one. ``core``: errors within 5 Å of the dislocation, and the images whose columns there are all found and no others.
``counted``: columns whose number of atoms is the one with the nearest intensity, as known from the image without noise.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from checkset import FOLDER
from checkset_peers import Peers
from checkset_views import Scene
from quantification_measures import (
    Measured,
    counted,
    cramer_rao,
    empty,
    library_of,
    measure,
    share_right,
)
from quantification_scenes import Specimen, columns, image_of, scenes

import temclean
from temclean import io, metrics, noise

DOSES = (5e2, 1.5e3, 5e3, 1.5e4, 5e4)
QUICK = (5e2, 5e3, 5e4)

Restore = Callable[[np.ndarray, Specimen, np.ndarray], np.ndarray]


def noise_of(specimen: Specimen, dose: float) -> noise.Noise:
    """Return the noise of a dose in electrons an Å^2."""
    counts, angstrom = dose * specimen.pixel_size**2, 1.0 / specimen.pixel_size
    if not specimen.scanned:
        return noise.Poisson(counts)
    return noise.Chain(
        (
            noise.Jitter(x=0.05 * angstrom, y=0.06 * angstrom, line=0.08 * angstrom),
            noise.Detector(counts),
            noise.FastScan(detector=2.0, decay=0.5, period=12.0, phase=1.2),
        )
    )


@dataclass(frozen=True)
class Known:
    """A specimen's image without noise, and what is measured in it.

    Attributes
    ----------
    true : all columns whose middle is in the image.
    inner : (N,) which of them are away from the border.
    atoms : (N,) of each.
    core : (N,) which of them belong to the dislocation.
    library : intensities by number of atoms.
    width, apart : of a column, and to the next one, pixels.
    bound : (N, 3) the Cramér-Rao bound at one electron an Å^2.
    """

    specimen: Specimen
    clean: np.ndarray
    true: Measured
    inner: np.ndarray
    atoms: np.ndarray
    core: np.ndarray
    library: tuple[np.ndarray, np.ndarray]
    width: float
    apart: float
    bound: np.ndarray


def known_of(specimen: Specimen, folder: Path) -> Known:
    """Compute a specimen's image and measure it."""
    clean = image_of(specimen, columns(specimen.spacing, folder))
    size, apart = specimen.size, specimen.apart / specimen.pixel_size
    places = specimen.pixels(specimen.places)
    seen = ((places >= 0) & (places <= size - 1)).all(axis=1)
    places, atoms = places[seen], specimen.counts[seen]
    width = float(np.median(metrics.columns(clean).width))
    true = measure(clean, places, width, apart)
    inner = ((places > apart) & (places < size - 1 - apart)).all(axis=1)
    core = inner & (np.hypot(*(specimen.places[seen]).T) < specimen.core)
    background = max(true.background, 1e-3 * float(true.heights.max()))
    bound = cramer_rao(clean.shape, true.places, true.heights, true.width, background, specimen.pixel_size**2)
    return Known(
        specimen, clean, true, inner, atoms, core, library_of(true.intensities, atoms), true.width, apart, bound
    )  # fmt: skip


def score(known: Known, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return what is measured in one image: arrays over columns, vacancies, or of one number."""
    specimen, true = known.specimen, known.true
    here = measure(image, true.places, known.width, known.apart)
    away = (here.places - true.places)[known.inner]
    squared = np.zeros(len(true.places))
    squared[known.inner] = np.square(away - away.mean(axis=0)).sum(axis=1)
    off = here.intensities / true.intensities - 1.0
    found = metrics.columns(image, known.width).positions
    limit = 0.4 * known.apart
    same = metrics.match(found, true.places, limit)
    whether = np.zeros(len(true.places))
    whether[same.true] = 1.0
    extra = np.delete(found, same.found, axis=0)
    extra = extra[((extra > known.apart) & (extra < specimen.size - 1 - known.apart)).all(axis=1)]
    scores = {
        "squared": squared[known.inner],
        "off": off[known.inner],
        "found": whether[known.inner],
        "false": np.array([len(extra) / known.inner.sum()]),
    }
    if len(specimen.vacancies):
        gaps = specimen.pixels(specimen.vacancies)
        scores["vacancy"] = empty(image, found, gaps, true, known.apart)
    if specimen.core:
        scores["core"] = squared[known.core]
        invented = np.hypot(*(extra - (specimen.size - 1) / 2.0).T) < specimen.core / specimen.pixel_size
        scores["kept"] = np.array([whether[known.core].all() and not invented.any()])
    if len(known.library[0]) > 1:
        scores["counted"] = counted(here.intensities, known.library)[known.inner] == known.atoms[known.inner]
    return scores


def row_of(known: Known, name: str, dose: float, tries: list[dict[str, np.ndarray]]) -> dict[str, object]:
    """Return one row of the table: means over tries and columns."""
    every = {key: np.concatenate([each[key] for each in tries]).astype(float) for key in tries[0]}
    pixel = 100.0 * known.specimen.pixel_size
    row: dict[str, object] = {"specimen": known.specimen.name, "dose": dose, "name": name}
    row["px"] = float(np.sqrt(every["squared"].mean()))
    row["pm"] = pixel * row["px"]
    row["intensity"] = 100 * float(np.sqrt(np.mean(every["off"] ** 2)))
    row["bias"] = 100 * float(every["off"].mean())
    row |= {key: 100 * float(every[key].mean()) for key in ("found", "false", "vacancy", "kept", "counted")
            if key in every}  # fmt: skip
    if "core" in every:
        row["core"] = pixel * float(np.sqrt(every["core"].mean()))
    return row


def bound_of(known: Known, dose: float) -> dict[str, object]:
    """Return the row of the Cramér-Rao bound."""
    errors = known.bound / np.sqrt(dose)
    squared, pixel = (errors[:, :2] ** 2).sum(axis=1), 100.0 * known.specimen.pixel_size
    share = errors[:, 2] / known.true.intensities
    px = float(np.sqrt(squared[known.inner].mean()))
    row: dict[str, object] = {"specimen": known.specimen.name, "dose": dose, "name": "bound", "px": px}
    row |= {"pm": pixel * px, "intensity": 100 * float(np.sqrt(np.mean(share[known.inner] ** 2)))}
    if known.specimen.core:
        row["core"] = pixel * float(np.sqrt(squared[known.core].mean()))
    if len(known.library[0]) > 1:
        row["counted"] = 100 * share_right(known.atoms[known.inner], errors[known.inner, 2], known.library)
    return row


HEADS = {
    "pm": "position, pm", "px": "position, px", "intensity": "intensity, %", "bias": "bias, %", "found": "found, %",
    "false": "false, %", "vacancy": "vacancies kept, %", "core": "core, pm", "kept": "core kept, %",
    "counted": "counted right, %",
}  # fmt: skip


def report(rows: list[dict], name: str) -> None:
    """Print the table of a specimen in Markdown: measures by dose, all restorers in a cell."""
    own = [row for row in rows if row["specimen"] == name]
    doses = list(dict.fromkeys(row["dose"] for row in own))
    names = list(dict.fromkeys(row["name"] for row in own))
    print(f"\n| {name}: {' / '.join(names)} | " + " | ".join(f"{dose:.0f} e/Å²" for dose in doses) + " |")
    print("|---" * (1 + len(doses)) + "|")
    for key, head in HEADS.items():
        if any(key in row for row in own):
            digits = 2 if key == "px" else 1
            cells = [[row for row in own if row["dose"] == dose and key in row] for dose in doses]
            print(f"| {head} | " + " | ".join(" / ".join(f"{row[key]:.{digits}f}" for row in cell) for cell in cells)
                  + " |")  # fmt: skip


def through_model(model: str) -> Restore:
    """Return what restores by a model of temclean's, told what a file of a STEM says."""

    def restore(noisy: np.ndarray, specimen: Specimen, clean: np.ndarray) -> np.ndarray:
        image = io.Image.from_array(noisy, specimen.pixel_size, "Å")
        image.metadata["instrument"] = {"kind": "STEM", "detector": "HAADF"}
        return np.asarray(temclean.denoise(image, model=model, device="cpu").pixels).reshape(noisy.shape)

    return restore


def through_r_em(peers: Peers) -> Restore:
    """Return what restores by r_em's network for STEM at high resolution."""

    def restore(noisy: np.ndarray, specimen: Specimen, clean: np.ndarray) -> np.ndarray:
        none = np.empty((0, 2))
        name = f"quantification-{specimen.name}"
        scene = Scene(name, clean, specimen.pixel_size, "stem", "hr", 1, none, none, none, none, none)
        return peers.restore("r_em", scene, "dose", clean, noisy)

    return restore


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["auto"])
    parser.add_argument("--quick", action="store_true", help="three doses, three images each")
    parser.add_argument("--count", type=int, help="images a dose and specimen: 3 if quick, else 10")
    parser.add_argument("--figure", type=Path, metavar="OUT.png", help="draw errors against dose")
    parser.add_argument("--json", type=Path, help="write all rows there")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--r-em", metavar="PYTHON", help="that of an environment with tk_r_em: see checkset_peers.py")
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.errors.TemcleanWarning)  # of noise too strong: that is what is tried
    started, rows, shown = time.process_time(), [], {}
    restorers: dict[str, Restore] = {"raw": lambda noisy, specimen, clean: noisy}
    for model in options.models:
        restorers[Path(model).stem if model.endswith(".onnx") else model] = through_model(model)
    if options.r_em:
        restorers["r_em"] = through_r_em(Peers(options.folder / "peers", python=options.r_em))
    tries = options.count or (3 if options.quick else 10)
    for specimen in scenes():
        known = known_of(specimen, options.folder / "quantification")
        for dose in QUICK if options.quick else DOSES:
            done: dict[str, list[dict[str, np.ndarray]]] = {name: [] for name in restorers}
            for seed in range(tries):
                noisy = noise.apply(known.clean, noise_of(specimen, dose), seed)
                for name, restore in restorers.items():
                    result = restore(noisy, specimen, known.clean)
                    done[name].append(score(known, result))
                    if dose == min(DOSES) and not seed:
                        shown[specimen.name, name] = result
            rows += [row_of(known, name, dose, each) for name, each in done.items()] + [bound_of(known, dose)]
        report(rows, specimen.name)
        if len(known.library[0]) > 1:
            own = known.inner & (counted(known.true.intensities, known.library) == known.atoms)
            print(f"without noise {100 * own.sum() / known.inner.sum():.2f}% of the columns are counted right")
    print(f"\n{time.process_time() - started:.0f} s CPU, without r_em's; {tries} images a dose")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    if options.figure:
        from quantification_figure import draw

        draw(rows, shown, options.figure)
        print(options.figure)


if __name__ == "__main__":
    main()
