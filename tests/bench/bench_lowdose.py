"""Compare the house network with the paper's on short exposures: ``python tests/bench/bench_lowdose.py``.

``house`` is the network of ``lde``, ``resnet18`` a U-Net whose way down is a ResNet-18 (Katsuno et al. 2021). Both
learn from nothing, for the same time (``--minutes`` of the training thread, as in bench_networks.py), from the same
seed and stream of what ``lde`` is trained on, by the same loss; the rate falls to zero as the time goes by. Then
``lde`` itself.
Held-out balls of 30 to 200 nm at 5 electrons a pixel, as in ``temclean.training.evaluate.low_dose_scores``.

``bound`` is what counting leaves to anybody who knows each particle's place, height and ground: the particles that
stand out by less than 4 standard errors, all of their pixels together (vanished), and the median error of diameters at
Cramér and Rao's bound.
``--folder`` keeps checkpoints, and takes those that are there.
"""

import argparse
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from bench_networks import exported, milliseconds, train, work

from temclean import filters
from temclean.restoration import pipeline, scaling
from temclean.specimen import survey
from temclean.training import data, evaluate, export, loop, networks, particles
from temclean.training.recipes import RECIPES

HOUSE = RECIPES["lde"]
CANDIDATES = {"house": HOUSE, "resnet18": replace(HOUSE, network="resnet18", shape={}, rate=1e-3)}
"""The paper's network takes a lower rate than the house's, which has no normalisation to undo a step too far."""


def restored(noisy: np.ndarray, runner: export.Runner) -> np.ndarray:
    """Restore an image on the scale that the pipeline would choose for it."""
    scale = scaling.measure(noisy[None], *data.PERCENTILES, HOUSE.data.room)
    width = max(scale.high - scale.low, 1e-6)
    return runner.raw(((noisy - scale.low) / width).astype(np.float32)[None, None])[0, 0] * width + scale.low


def bound(contrast: float, count: int, dose: float = 5.0) -> tuple[int, int, float]:
    """Return how many clear particles there are, and are below 4 sigma, and by how much diameters are off, percent.

    A radius R has the information sum (dI / dR)^2 / I over the pixels, of a particle that is scaled about its centre.
    """
    clear, errors = [], []
    for number in range(count):
        rng = np.random.Generator(np.random.PCG64([evaluate.FIRST_SEED, number]))
        image = survey.dispersed(rng, 512, evaluate.SHORT_NM, contrast, round_share=1.0).image * np.float32(dose)
        least = particles.threshold(image)
        true = particles.find(image, least, particles.polarity(image))
        off = image - particles.ground(image)
        slopes = np.gradient(filters.gaussian(image, 0.7).astype(np.float64))
        places = np.indices(image.shape)
        for k in np.flatnonzero(true.heights >= particles.CLEAR * least):
            inside = true.labels == k + 1
            clear.append(np.sqrt((off[inside] ** 2 / image[inside]).sum()))
            radius = true.diameters[k] / 2.0
            if np.isnan(radius):
                continue
            away = places - true.centres[k][:, None, None]
            near = np.hypot(*away) < 1.5 * radius + 4.0
            change = sum(step * slope for step, slope in zip(away, slopes, strict=True)) / radius
            errors.append(100.0 / radius / np.sqrt((change[near] ** 2 / image[near]).sum()))
    drawn = np.abs(np.random.default_rng(0).standard_normal((2000, len(errors))) * errors)
    return len(clear), int((np.array(clear) < 4.0).sum()), float(np.median(drawn))


def row(name: str, told: list[str], restore: evaluate.Restore, count: int) -> None:
    for contrast in evaluate.SHORT_CONTRASTS:
        found = evaluate.low_dose_scores(restore, contrast, count=count)
        cells = [f"{contrast:g}", f"{found['mae_restored']:.3f}", f"{found['psnr_restored']:.2f}"]
        cells += [str(found[key]) for key in ("particles", "vanished", "imaginary")]
        cells += [f"{found['diameter_bias_percent']}, {found['diameter_error_percent']}"]
        print(f"| {name} | " + " | ".join([*told, *cells]) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=12, help="held-out images of each contrast")
    parser.add_argument("--folder", type=Path, help="keep checkpoints there")
    options = parser.parse_args()
    heads = "network", "M", "GFLOP", "ms", "updates", "contrast", "MAE", "PSNR", "particles", "vanished", "imaginary"
    print("| " + " | ".join([*heads, "diameter: median, off by, %"]) + " |")
    print("|" + 12 * "---|", flush=True)
    with TemporaryDirectory() as scratch:
        for name, recipe in CANDIDATES.items():
            checkpoint = (options.folder or Path(scratch)) / f"{name}.pt"
            if not checkpoint.exists():
                train(recipe, options.minutes, options.threads, checkpoint).save({})
            state = loop.load(checkpoint)
            network, model = exported(state["average"], recipe)
            size = sum(weight.numel() for weight in network.parameters())
            told = [f"{size / 1e6:.2f}", f"{work(networks.build(asdict(recipe))):.1f}", f"{milliseconds(model):.0f}"]
            row(name, [*told, str(state["step"])], partial(restored, runner=export.Runner(model)), options.count)
    for contrast in evaluate.SHORT_CONTRASTS:
        clear, below, error = bound(contrast, options.count)
        print(f"| bound | | | | | {contrast:g} | | | {clear} | {below} | | {error:.1f} |", flush=True)
    row("lde", 4 * [""], partial(pipeline.denoise, model="lde", device="cpu"), options.count)


if __name__ == "__main__":
    main()
