"""Compare the house network with the paper's on short exposures: ``python tests/bench/bench_lowdose.py``.

``house`` is the network of ``lde``, ``resnet18`` a U-Net whose way down is a ResNet-18 (Katsuno et al. 2021). Both
learn from nothing, for the same time (``--minutes`` of the training thread, as in bench_networks.py), from the same
seed and stream of what ``lde`` is trained on, by the same loss; the rate falls to zero as the time goes by. Then
``lde`` itself.
Held-out balls of 30 to 200 nm at 5 electrons a pixel, as in ``temclean.training.evaluate.low_dose_scores``; particles
are counted in all, and those that the electrons show by six standard errors or more (``supported``). Diameters: by how
much the mean of all particles is off, the median, and the median of how much each is off, percent; ``read`` off the
restored image, and ``fitted`` to the short exposure from its outlines on, against the same fit to the true image.

``one of 95 nm`` is what the paper measured: one ball, 25 pixels wide, far from others, its diameter in the restored
image beside the true one; here under many drawings of the noise, of which the paper's is one.

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
from warnings import simplefilter

import numpy as np
from bench_networks import exported, milliseconds, train, work

from temclean import TemcleanWarning, filters, noise
from temclean.restoration import pipeline, scaling
from temclean.specimen import survey
from temclean.training import data, evaluate, loop, networks, onnx_graph, particles
from temclean.training.recipes import RECIPES

HOUSE = RECIPES["lde"]
CANDIDATES = {"house": HOUSE, "resnet18": replace(HOUSE, network="resnet18", shape={}, rate=1e-3)}
"""The paper's network takes a lower rate than the house's, which has no normalisation to undo a step too far."""


def restored(noisy: np.ndarray, runner: onnx_graph.Runner) -> np.ndarray:
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
        found = evaluate.low_dose_scores(restore, contrast, count=count, fit=True)
        cells = [f"{contrast:g}", f"{found['mae_restored']:.3f}", f"{found['psnr_restored']:.2f}"]
        for kind in ("", "supported_"):
            whole = found[kind.rstrip("_") or "particles"]
            cells.append(f"{whole}, {found[kind + 'vanished']}, {found[kind + 'imaginary']}")
        for kind in ("", "fitted_"):
            keys = ("mean_diameter", "diameter_bias", "diameter_error")
            cells.append(", ".join(str(found.get(f"{kind}{key}_percent")) for key in keys))
        cells.append(", ".join(str(found[f"distance_{key}_percent"]) for key in ("bias", "error")))
        print(f"| {name} | " + " | ".join([*told, *cells]) + " |", flush=True)


PAPER_NM, PAPER_PIXEL_NM = 95.2, 3.8
"""The particle of the paper's figure 6; its pixel, as 4.7 electrons come to it in 3.3 ms at 100 a nm² and second."""


def ball(contrast: float, size: int = 256) -> np.ndarray:
    """Draw one ball in the middle, as ``survey.dispersed`` does, of the paper's size."""
    y, x = np.indices((size, size)) - size / 2.0
    thick = np.sqrt(np.maximum(1.0 - (y * y + x * x) / (0.5 * PAPER_NM / PAPER_PIXEL_NM) ** 2, 0.0))
    return np.exp(filters.gaussian((np.log1p(-contrast) * thick).astype(np.float32), 0.8))


def one_particle(
    contrast: float, restore: evaluate.Restore, draws: int = 40, dose: float = 5.0
) -> tuple[int, float, float]:
    """Return how often one ball is found alone, how far diameters are off in the mean, and their scatter, percent."""
    clean = ball(contrast) * np.float32(dose)
    found = []
    for seed in range(draws):
        noisy = noise.apply(clean / np.float32(dose), noise.Poisson(dose), evaluate.FIRST_SEED + seed) * np.float32(
            dose
        )
        compared = particles.compare(clean, restore(noisy))
        if len(compared.diameters) == 1 and not compared.imaginary:
            found.append(100.0 * (compared.diameters[0, 1] / compared.diameters[0, 0] - 1.0))
    return len(found), float(np.mean(found or [np.nan])), float(np.std(found or [np.nan]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="0 leaves out what has to be trained")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=12, help="held-out images of each contrast")
    parser.add_argument("--folder", type=Path, help="keep checkpoints there")
    options = parser.parse_args()
    simplefilter("ignore", TemcleanWarning)
    heads = "network", "M", "GFLOP", "ms", "updates", "contrast", "MAE", "PSNR"
    counts = [f"{each}, vanished, imaginary" for each in ("particles", "supported")]
    print(
        "| "
        + " | ".join([*heads, *counts, "diameter read: mean, median, off by", "fitted", "distance: median, off by"])
        + " |"
    )
    print("|" + 13 * "---|", flush=True)
    with TemporaryDirectory() as scratch:
        for name, recipe in CANDIDATES.items() if options.minutes else ():
            checkpoint = (options.folder or Path(scratch)) / f"{name}.pt"
            if not checkpoint.exists():
                train(recipe, options.minutes, options.threads, checkpoint).save({})
            state = loop.load(checkpoint)
            network, model = exported(state["average"], recipe)
            size = sum(weight.numel() for weight in network.parameters())
            told = [f"{size / 1e6:.2f}", f"{work(networks.build(asdict(recipe))):.1f}", f"{milliseconds(model):.0f}"]
            row(name, [*told, str(state["step"])], partial(restored, runner=onnx_graph.Runner(model)), options.count)
    for contrast in evaluate.SHORT_CONTRASTS:
        clear, below, error = bound(contrast, options.count)
        print(f"| bound | | | | | {contrast:g} | | | {clear}, {below} | | {error:.1f} | | |", flush=True)
    lde = partial(pipeline.denoise, model="lde", device="cpu")
    row("lde", 4 * [""], lde, options.count)
    print("\n| one of 95 nm: contrast | found | diameters off by | scatter |\n|---|---|---|---|")
    for contrast in evaluate.SHORT_CONTRASTS:
        times, off, scatter = one_particle(contrast, lde)
        print(f"| {contrast:g} | {times} of 40 | {off:+.1f}% | {scatter:.1f}% |", flush=True)


if __name__ == "__main__":
    main()
