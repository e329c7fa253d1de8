"""Score models on scanned images whose beam strays from row to row by up to some pixels, more than the check set has.

    python tests/bench/bench_straying.py [MODEL ...] [--along 0 0.5 1 2] [--across 1 2] [--r-em PYTHON]

Seven scenes of the check set (`checkset.py`), their middle 256 x 256 pixels, are displaced row by row, along the rows
or across them, by an AR(1) series of that many pixels (its innovations; each is correlated with the next by 0.3), and
counted at 30 electrons at the brightest. Prints PSNR in dB after the linear fit to the truth: of models, of r_em's
network for scanned images, where there is one, and of ``known``, the first model on rows that were put back by what
they were displaced by: what is lost by not knowing it.
"""

import argparse
import hashlib
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from bench_checkset import middle
from bench_kinds import psnr
from checkset import FOLDER, pair, scenes
from checkset_peers import Peers

import temclean
from temclean import noise

SCENES = (
    "arsenide-haadf", "atoms-haadf", "disulphide-adf", "gold-boundary-haadf", "grains", "platinum-haadf",
    "titanate-haadf",
)  # fmt: skip
ELECTRONS, PHI = 30.0, 0.3


def moved(image: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return each row as it is so many pixels further right, its noise as strong as before (Fourier's theorem)."""
    columns = image.shape[1]
    wider = np.pad(image, ((0, 0), (columns // 4, columns // 4)), mode="reflect")
    waves = np.fft.rfft(wider, axis=1) * np.exp(2j * np.pi * np.fft.rfftfreq(wider.shape[1]) * right[:, None])
    return np.fft.irfft(waves, n=wider.shape[1], axis=1)[:, columns // 4 :][:, :columns]


def strayed(clean: np.ndarray, beam: noise.Jitter) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image, and the same of rows that did not stray but for what fell between them."""
    rows, columns = clean.shape
    count = noise.Poisson(ELECTRONS)
    noisy = noise.apply(noise.apply(clean, beam, 7), count, 8)
    ramps = np.mgrid[:rows, :columns].astype(np.float32)
    down, right = (noise.apply(np.ascontiguousarray(ramp), beam, 7) - ramp for ramp in ramps)
    places = np.arange(rows) + np.median(down, axis=1)
    steady = moved(noisy, -np.median(right, axis=1))
    away = np.arange(rows)[:, None] - places
    width = np.maximum(0.45, np.abs(away).min(axis=1) / 1.5)[:, None]
    weights = np.exp(-0.5 * (away / width) ** 2)
    known = weights @ steady / weights.sum(axis=1, keepdims=True) if beam.y else steady
    return noisy, known.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general"])
    parser.add_argument("--along", nargs="*", type=float, default=[0.0, 0.5, 1.0, 2.0])
    parser.add_argument("--across", nargs="*", type=float, default=[1.0, 2.0])
    parser.add_argument("--scenes", action="store_true", help="print each scene too")
    parser.add_argument("--r-em", help="of an environment with tk_r_em")
    parser.add_argument("--checkset", type=Path, default=FOLDER)
    parser.add_argument("--folder", type=Path, default=FOLDER.parent / "straying", help="keep what r_em makes there")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    peers = Peers(options.folder, None, options.r_em)
    found = [middle(scene) for scene in scenes(options.checkset) if scene.name in SCENES]

    def r_em(name: str, image: np.ndarray) -> np.ndarray:
        path = options.folder / f"{hashlib.sha256(image.tobytes()).hexdigest()[:24]}.npy"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, peers.r_em(name, image))
        return np.load(path)

    names = [*options.models, "known", *(["r_em"] if options.r_em else [])]
    print(f"| along, across, px | {' | '.join(names)} |")
    print("|---" * (len(names) + 1) + "|")
    for along, across in [*((each, 0.0) for each in options.along), *((0.0, each) for each in options.across)]:
        rows = []
        for scene in found:
            clean, _ = pair(scene, "p10")
            clean = (clean / clean.max()).astype(np.float32)
            beam = noise.Jitter(x=0.0, y=across, line=along, y_phi=PHI, line_phi=PHI)
            noisy, known = strayed(clean, beam)
            results = [temclean.denoise(noisy, model=model, device="cpu") for model in options.models]
            results.append(temclean.denoise(known, model=options.models[0], device="cpu"))
            if options.r_em:
                results.append(r_em("lrstem" if scene.name == "grains" else "hrstem", noisy))
            rows.append([psnr(clean, result) for result in results])
            if options.scenes:
                cells = " | ".join(f"{value:.2f}" for value in rows[-1])
                print(f"| {scene.name}, {along:g}, {across:g} | {cells} |", flush=True)
        print(
            f"| {along:g}, {across:g} | {' | '.join(f'{value:.2f}' for value in np.mean(rows, axis=0))} |", flush=True
        )


if __name__ == "__main__":
    main()
