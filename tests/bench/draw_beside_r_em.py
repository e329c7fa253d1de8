"""Draw README's picture of temclean beside r_em, on images of the check set that neither has been trained on.

    python tests/bench/draw_beside_r_em.py [FILE.jpg] [--folder FOLDER] [--r-em PYTHON]

Noisy, restored by temclean (``general``, or ``lr`` where no atoms show) and by r_em, and true, a scene a row:
multislice by abTEM and shapes of low magnification, under a whole camera, a whole scan, and counted electrons. Each is
brought to the truth by the line that fits best, is shown in the greys of the truth, and has its PSNR beneath. r_em is
the network of Lobato 2024 that is meant for such an image; what it made is kept beside the check set (see
checkset_peers.py); where it is not, ``--r-em`` names the Python that has tk_r_em. ``bench_checkset.py`` scores all
scenes and noises. Without a check set this says so and does nothing.
"""

import argparse
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from bench_checkset import middle
from checkset import FOLDER, pair, scenes
from checkset_peers import Peers
from PIL import Image, ImageDraw

import temclean
from temclean import metrics
from temclean.commands.views import letters, scale_bar

ROWS = {
    "platinum-corrected": ("camera", "Pt particle, TEM"),
    "titanate-abf": ("scan", "SrTiO3, annular bright field"),
    "graphene-boundary": ("p10", "graphene, 10 electrons a pixel"),
    "particles": ("camera", "particles, TEM"),
}
"""Scenes, their noise, and what is written of them."""

SHOWN, GAP, STRIP, SIZE = 220, 4, 22, 14
"""Pixels of a picture's side, between pictures, of the strip beneath, and of the letters."""


def fitted(truth: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Return a result after the line that fits it to the truth best."""
    slope, start = np.polyfit(result.ravel().astype(np.float64), truth.ravel(), 1)
    return (slope * result + start).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=Path("temclean/data/beside_r_em.jpg"))
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--r-em", help="Python of an environment with tk_r_em and TensorFlow 2.15")
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.errors.TemcleanWarning)
    known = {scene.name: middle(scene) for scene in scenes(options.folder) if scene.name in ROWS}
    if len(known) < len(ROWS):
        print(f"not drawn: no check set in {options.folder}; python tests/bench/checkset.py makes it")
        return
    peers = Peers(options.folder / "peers", python=options.r_em)
    height = SHOWN + STRIP
    canvas = Image.new("L", (4 * (SHOWN + GAP) - GAP, len(ROWS) * height), 255)
    on = ImageDraw.Draw(canvas)
    for row, (name, (noise, title)) in enumerate(ROWS.items()):
        scene = known[name]
        truth, noisy = pair(scene, noise)
        model = "lr" if scene.detail == "lr" else "general"
        ours = temclean.denoise(noisy, model=model, device="cpu")
        theirs = peers.restore("r_em", scene, noise, truth, noisy)
        low, high = np.percentile(truth, (0.1, 99.9))
        names = ("noisy", f"temclean {model}", "r_em", "true")
        for column, (label, image) in enumerate(zip(names, (noisy, ours, theirs, truth), strict=True)):
            shown = fitted(truth, image)
            start = (shown.shape[0] - SHOWN) // 2
            cell = (shown[start : start + SHOWN, start : start + SHOWN] - low) / (high - low)
            left, top = column * (SHOWN + GAP), row * height
            canvas.paste(Image.fromarray(np.rint(cell.clip(0, 1) * 255).astype(np.uint8)), (left, top))
            said = title if label == "true" else f"{label}: {metrics.psnr(truth, shown, float(np.ptp(truth))):.1f} dB"
            letters.write(on, (left + 2, top + SHOWN + STRIP - 7), said, SIZE, fill=0)
            if column == 0:
                bar = scale_bar.bar(scene.pixel_size / 10, "nm", SHOWN)
                scale_bar.draw(on, (left, top, left + SHOWN, top + SHOWN), bar, SIZE)
    canvas.save(options.file, quality=88, optimize=True)
    print(options.file, options.file.stat().st_size // 1000, "kB")


if __name__ == "__main__":
    main()
