"""Turn a checkpoint into ``weights/NAME.onnx``: all that is known about the model goes into the file."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch

from temclean import specimen
from temclean.errors import ModelError
from temclean.restoration import pipeline
from temclean.restoration.modelfile import FORMAT_BEYOND, METADATA_FORMAT, METADATA_KEY
from temclean.restoration.onnx_outline import Outline, digest
from temclean.training import data, evaluate, networks
from temclean.training.networks import CGRDN, ResidualUNet, ResNetUNet
from temclean.training.onnx_graph import Runner, store_half, to_onnx, verify

LARGEST_SCORE_CHANGE = 5e-5

SUMMARIES = {
    "general": "images as microscopes give them, of any magnification: counts, cameras, scanned beams, grain",
    "lr": "TEM, STEM and SEM at low magnification: particles, grains, edges, wires; also as lrtem, lrstem, lrsem",
    "fast": "the same as general in two fifths of the time, and not as well: for live views without a GPU",
    "g": "Gaussian noise on an even or uneven ground, which stays: readout and thermal noise, many counts a pixel",
    "sp": "salt and pepper: dead and hot pixels, X-ray hits, transfer errors",
    "gsp": "Gaussian noise and salt and pepper together",
    "bbg": "bright atoms under uneven brightness and Gaussian noise, both removed; not for images without atoms",
    "lde": "dark particles in bright-field TEM at 1 to 20 electrons a pixel; quick enough for live views",
    "n2a": "bright atoms on a thin support, as platinum on carbon in HAADF: the atoms alone, on black",
    "hrtem": "TEM at atomic resolution: atoms, lattices, phase contrast, under a camera's noise",
    "lrtem": "TEM at low magnification: particles, grains, edges, under a camera's noise",
    "hrstem": "STEM at atomic resolution: ADF, HAADF, BF, ABF columns, under a scanned beam's noise",
    "lrstem": "STEM at low magnification: particles, grains, edges, under a scanned beam's noise",
    "hrsem": "SEM at high resolution: round and regular features, under a scanned beam's noise",
    "lrsem": "SEM surfaces: particles, grains, cracks, edges, under a scanned beam's noise",
}


def halo(
    runner: Runner, network: ResidualUNet | CGRDN | ResNetUNet, family: str, largest_error: float = 0.3 / 255
) -> int:
    """Measure how far from a cut the result still feels it, in pixels, up to a multiple of the network's own.

    A quarter of an image, cut out and restored alone, is compared with the same quarter of the whole, over several
    kinds of image; beyond the halo they differ by less than ``largest_error`` of the range, a third of a grey level of
    8 bits at a single pixel. Tiles pass into each other over twice the halo, which leaves a tenth of that and less. The
    theoretical reach is an upper bound.
    """
    bound = -(-network.reach // network.multiple) * network.multiple
    side = bound + 8 * network.multiple
    beyond = network.beyond
    edge = np.arange(side)[::-1]
    distance = np.minimum(edge[:, None], edge)
    halo = 0
    for seed, name in enumerate(("graphene-atoms", "lattice", "amorphous", "particles", "flat", "scene")):
        clean = specimen.draw(name, side + bound, 0.1, evaluate.FIRST_SEED + seed).image
        noisy = np.pad(evaluate.distort(clean, family, 0.3, seed), beyond, mode="symmetric")[None, None]
        part = noisy[..., : side + 2 * beyond, : side + 2 * beyond]
        difference = np.abs(runner.raw(noisy)[0, 0, :side, :side] - runner.raw(part)[0, 0])
        felt = distance[difference > largest_error]
        halo = max(halo, -(-(int(felt.max(initial=-1)) + 1) // network.multiple) * network.multiple)
    return min(bound, halo)


SEEN = {
    "graphene": "disordered graphene from first principles",
    "graphene-defects": "graphene with vacancies and turned bonds",
    "coherent": "crystals along their zone axes, perfect, strained and broken",
    "phase": "phase contrast of sheets, crystals, particles and films",
    "supported": "particles on amorphous films in phase contrast",
    "hr": "crystals, films and points in three dimensions",
    "lr": "particles, grains, bands, boxes and cracks",
    "faint": "what is weak and large, and what is saturated",
    "scene": "plane lattices, spots, films, particles, grains, edges",
    "dense": "dense plane lattices",
    "atoms": "bright plane lattices, spots and films on an even background",
    "bn": "boron nitride",
    "mos2": "MoS2",
    "bright-field": "nanoparticles in bright field",
    "flat": "even areas",
    "empty": "nothing at all",
}
"""What a model's file says of the specimens that it has seen."""


def seen(data: dict[str, Any]) -> str:
    """Say what a network was trained on in its last run, from the options of its data."""
    total = sum(data["specimens"].values())
    shares = sorted(data["specimens"].items(), key=lambda item: -item[1])
    told = (f"{100 * share / total:.0f}% {SEEN.get(name, name)}" for name, share in shares if share >= 0.005 * total)
    return "simulated: " + "; ".join(told)


def pixel_sizes(options: dict[str, Any]) -> list[float]:
    """Return the pixels in Å that a network saw, from the options of its data."""
    smallest, largest = options["pixel_sizes"]
    return [smallest, largest if data.LARGE.isdisjoint(options["specimens"]) else max(largest, data.LARGEST_PIXELS)]


def rounded(row: Mapping[str, float | None]) -> dict[str, float | None]:
    """Round to four decimals."""
    return {key: value if value is None else round(value, 4) for key, value in row.items()}


def score(path: Path, family: str, count: int) -> dict[str, object]:
    """Score an exported model on held-out images, through all that ``temclean denoise`` does.

    MS-SSIM of 6 ``count`` images; columns of thirty images of each lattice, as one dense image decides of fewer. Of
    models of whole microscopes, 25 ``count`` pairs, shared out to all that the model is for.
    """
    runner = partial(pipeline.denoise, model=path, device="cpu")
    if family == "lde":
        rows = {each: evaluate.low_dose_scores(runner, each, count=3 * count) for each in evaluate.SHORT_CONTRASTS}
        return {"short_exposures": {f"{contrast:.2f}": rounded(row) for contrast, row in rows.items()}}
    if family in {*evaluate.MICROSCOPES, *evaluate.TOGETHER}:
        microscopes = evaluate.TOGETHER.get(family, (family,))
        each = 25 * count // len(microscopes)
        found = {name: evaluate.microscope_scores(runner, name, each) for name in microscopes}
        return {"validation": {name: rounded(row) for name, row in found.items()}}
    table = {f"{level:.2f}": evaluate.similarity(runner, family, level, count) for level in evaluate.LEVELS}
    return {
        "ms_ssim": {level: rounded(row) for level, row in table.items()},
        "graphene": {
            f"{pixel_size} A": {
                f"{level:.2f}": round(value, 4)
                for level, value in evaluate.graphene_scores(runner, family, pixel_size, evaluate.LEVELS[1:]).items()
            }
            for pixel_size in evaluate.GRAPHENE_PIXEL_SIZES
        },
        "spots_0.20": {
            kind: [round(value, 4) for value in pair] for kind, pair in evaluate.spots(runner, family, count=10).items()
        },
    }


def training_of(network: torch.nn.Module, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model says of its training: all the runs that led to a checkpoint, and what they took together."""
    runs = [*state["origin"], state["record"]]
    return {
        "runs": runs,
        "hours": round(sum(run["hours"] for run in runs), 2),
        "images": sum(run["images"] for run in runs),
        "commit": runs[-1]["commit"],
        "command": runs[-1]["command"],
        "parameters": sum(weight.numel() for weight in network.parameters()),
    }


def write(model: onnx.ModelProto, metadata: Mapping[str, Any], path: Path) -> None:
    """Write a model with what is known about it, in place of what it said before."""
    entry = next((each for each in model.metadata_props if each.key == METADATA_KEY), None)
    entry = model.metadata_props.add() if entry is None else entry
    entry.key, entry.value = METADATA_KEY, json.dumps(metadata)
    path.write_bytes(model.SerializeToString())


Weights = Mapping[str, torch.Tensor]


def mean(network: torch.nn.Module, weights: Weights, others: Weights, share: float = 0.5) -> Weights:
    """Return the means of two checkpoints' weights, with a share of the others; the network has just been built.

    Of what the other has not, because it was grown since, the mean is with what it begins as where that is 0; what
    begins at random stays as it is.
    """
    begun = network.state_dict()
    with_ = {name: others.get(name, begun[name] if not begun[name].any() else own) for name, own in weights.items()}
    return {name: (1.0 - share) * own + share * with_[name] for name, own in weights.items()}


def export(
    checkpoint: Path, name: str, out: Path, count: int, other: Path | None = None, share: float = 0.5
) -> dict[str, object]:
    """Export, verify, score and write a model, or the mean of two; return its metadata."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    recipe = json.loads(state["recipe"])
    network = networks.build(recipe)
    weights = state["average"]
    if other is not None:
        weights = mean(network, weights, torch.load(other, map_location="cpu", weights_only=True)["average"], share)
    network.load_state_dict(weights)
    network = networks.folded(network)
    network.beyond = getattr(network, "furthest", 0)
    whole = to_onnx(network)
    verify(network, Runner(whole, network.beyond))
    half = store_half(whole)
    for level in () if name in (*evaluate.MICROSCOPES, *evaluate.TOGETHER, "lde") else ("0.20", "0.30"):
        change = evaluate.similarity(Runner(whole, network.beyond), name, float(level), count)["all"]
        change -= evaluate.similarity(Runner(half, network.beyond), name, float(level), count)["all"]
        if abs(change) > LARGEST_SCORE_CHANGE:
            raise ModelError(f"storing the weights as float16 changes the MS-SSIM at C = {level} by {change:.1e}")
    metadata: dict[str, object] = {
        "format": FORMAT_BEYOND if network.beyond else METADATA_FORMAT,
        "name": name,
        "family": name,
        "summary": SUMMARIES[name],
        "graph_sha256": digest(Outline(half.SerializeToString()).graph),
        "levels": list(recipe["data"]["levels"]),
        "pixel_sizes": pixel_sizes(recipe["data"]),
        "normalisation": {
            "method": "percentile",
            "low": data.PERCENTILES[0],
            "high": data.PERCENTILES[1],
            "room": recipe["data"]["room"],
            "scanned": not data.SCANNED.isdisjoint(recipe["data"]["noises"]),
        },
        "multiple": network.multiple,
        **({"beyond": network.beyond} if network.beyond else {}),
        "halo": halo(Runner(half, network.beyond), network, name),
        "training": training_of(network, state)
        | ({} if other is None else {"mean_with": f"{share:g} of {other.name}"}),
        "data": seen(recipe["data"]),
        "scores": {},
        "licence": "BSD-3-Clause",
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.with_suffix(".part")
    write(half, metadata, part)
    metadata["scores"] = score(part, name, count)
    write(half, metadata, part)
    part.replace(out)
    return metadata


@click.command()
@click.argument("checkpoint", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("name", type=click.Choice(list(SUMMARIES)))
@click.option("-o", "--out", type=click.Path(path_type=Path), help="ONNX file [default: weights/NAME.onnx].")
@click.option("--count", default=4, show_default=True, help="Held-out images of each kind at each pixel size.")
@click.option("--mean-with", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Another checkpoint.")
@click.option("--share", default=0.5, show_default=True, type=click.FloatRange(0.0, 1.0), help="Of that, in the mean.")
def main(checkpoint: Path, name: str, out: Path | None, count: int, mean_with: Path | None, share: float) -> None:
    """Export CHECKPOINT, or the mean of its weights and another's, as the shipped model NAME."""
    metadata = export(checkpoint, name, out or Path("weights") / f"{name}.onnx", count, mean_with, share)
    click.echo(json.dumps(metadata["scores"], indent=1))


if __name__ == "__main__":
    main()
