"""Train on a movie of atoms without clean images (Wang 2020): ``temclean train noise2atom MOVIE -o my.onnx``.

The network Ms2c learns to make of each frame an image of nothing but round spots on black: a critic compares its
results with simulated ones, Mc2s must lead from clean images back to frames of the same low frequencies, and from there
Ms2c to the same clean images (``cycle.py``, ``unpaired.py``). It begins with a shipped network that has learned of
simulated movies (``pairing.py``), and its contrast is watched: where it is lost, training goes back to where it was
right.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from temclean import io
from temclean.cli.options import Name
from temclean.errors import FileError, ImageError, ParameterError
from temclean.io.units import convert, tidy_unit
from temclean.restoration import models
from temclean.restoration.together import Order
from temclean.training import cycle, domains, export_atoms, footage, loop, networks, outputs, pairing, unpaired
from temclean.training.domains import Clean, Sample
from temclean.training.export import SUMMARIES
from temclean.training.options import POSITIVE, SEED, Finite
from temclean.training.unpaired import Recipe

ATOM_SIZE = 0.5, 0.8
"""Standard deviation of an atom's image in HAADF, Å, where none is given."""

LEAST_CROP = 64

PIXEL_SIZES = 0.02, 5.0
"""Å a pixel, at which atoms are smaller than a crop and there is not one in every pixel."""

STARTS = "n2a", "general"
"""Models to begin with: the first that is there."""


def clean_domain(
    sample: Sample, pixel_size: float | None, size: tuple[float, float] | None, density: tuple[float, float] | None
) -> Clean:
    """Choose the clean domain of a movie: sizes by its pixel size, in Å, and heights by what stands out of its frames.

    Raises
    ------
    ImageError : its atoms are dark, or its pixels of no size at which they show.
    ParameterError : a size is given in Å, and no pixel size; or atoms are as large as crops, or in every pixel.
    """
    if pixel_size is not None and not PIXEL_SIZES[0] <= pixel_size <= PIXEL_SIZES[1]:
        least, most = PIXEL_SIZES
        raise ImageError(f"pixels of {pixel_size:g} Å, where {least:g} to {most:g} show atoms: give --pixel-size")
    if pixel_size is None and (size or density):
        raise ParameterError("the movie tells no pixel size, by which atoms have a size: give --pixel-size too")
    width: tuple[float, float] = (domains.WIDTHS[0] ** 0.5, domains.WIDTHS[1] ** 0.5)
    if pixel_size is not None:
        least, most = size or ATOM_SIZE
        width = max(0.6, least / pixel_size), max(0.7, most / pixel_size)
    unit = (pixel_size or domains.PAPER_PIXEL) / domains.PAPER_PIXEL
    positions = (domains.POSITIONS[0] * unit**2, domains.POSITIONS[1] * unit**2)
    if density and pixel_size:
        positions = (density[0] * pixel_size**2 / 100.0, density[1] * pixel_size**2 / 100.0)
    if width[1] > sample.crop / 2:
        raise ParameterError(
            f"atoms of {width[1]:.3g} pixels are as large as crops: give another --atom-size or --crop"
        )
    if positions[1] > 1.0:
        raise ParameterError(f"{positions[1]:.3g} positions a pixel are too many: give a smaller --density")
    typical = math.sqrt(width[0] * width[1])
    some = sample.held[:: max(1, len(sample.held) // 24)]
    bright, dark = (np.concatenate([domains.spots(sign * frame, typical) for frame in some]) for sign in (1, -1))
    if len(dark) > max(10, 2 * len(bright)):
        raise ImageError(
            f"{len(dark)} dark spots stand out of the frames, and {len(bright)} bright ones: Noise2Atom is for atoms "
            "that are bright, as in HAADF; invert the movie, or train on it by: temclean train movie"
        )
    # Of a Gaussian of height A, blurs by once and three times its width leave A / 2 and A / 10.
    height = float(np.percentile(bright, 25)) / 0.4 if len(bright) else 0.3
    return Clean(width, positions, min(1.0, height))


def under_gradients(network: nn.Module, frames: Tensor, recipe: Recipe) -> tuple[int, int]:
    """Return how many atoms a network sees in frames, and how many in the same frames under gradients."""
    draw = np.random.default_rng([recipe.seed, domains.CHECK])
    counts = []
    for images in (frames, cycle.lit(frames, draw)):
        with torch.no_grad():
            restored = network(images).numpy()[:, 0]
        least = 0.2 * recipe.clean.height  # half the height of an atom, as the band shows it
        counts.append(sum(int((domains.spots(image, recipe.width) > least).sum()) for image in restored))
    return counts[0], counts[1]


def shape(start: str) -> dict[str, Any]:
    """Return the channels of the network in a model or checkpoint, as a recipe has them.

    Raises
    ------
    FileError : it is another kind of network.
    """
    path = models.find(start)
    origin = loop.shipped(path)[1] if path.suffix == ".onnx" else loop.trained(path)[1]
    recipe = loop.recipe_of(origin)
    if recipe.get("network", "residual") != "residual" or "widths" not in recipe:
        raise FileError(f"{path}: training cannot begin with this network; take --start general")
    return networks.beginning(recipe)


def of_movie(movie: Path, out: Path, recipe: dict[str, Any], about: dict[str, Any], run: dict[str, Any]) -> None:
    """Train on a movie, and write the model."""
    with io.read(movie, recipe["image"]) as opened:
        Order.of(opened.pixels.shape, opened.axes).check_movie(movie)
        pixels = about["pixel_size"]
        if pixels is None and opened.pixel_size:
            pixels = convert(opened.pixel_size[1], tidy_unit(opened.unit), "Å")
        with footage.named(movie):
            scale = footage.scaled(opened.pixels, LEAST_CROP)
            sample = Sample(opened.pixels, scale, recipe["crop"], recipe["seed"])
            clean = clean_domain(sample, pixels, about["size"], about["density"])
    chosen = Recipe(str(movie), clean=clean, **shape(recipe["start"]), **recipe)
    multiple = networks.build(asdict(chosen)).multiple
    if chosen.crop % multiple:
        raise ParameterError(f"--crop {chosen.crop}: with this --start give a multiple of {multiple}")
    low, high = clean.width
    click.echo(
        f"{len(sample.held)} frames; clean images of atoms {low:.1f} to {high:.1f} pixels wide (standard deviation), "
        f"{clean.density[0] * chosen.crop**2:.0f} to {clean.density[1] * chosen.crop**2:.0f} positions in a crop, "
        f"{clean.height:.2f} of the range high",
        err=True,
    )
    checkpoint = out.with_suffix(".pt")
    network = unpaired.train(chosen, sample, checkpoint, **run)
    seen_plain, seen_lit = under_gradients(network, sample.check(), chosen)
    told = f"atoms in {len(sample.check())} crops: {seen_plain}; under a gradient of the background {seen_lit}"
    click.echo(told + ("; beware of false ones" if seen_lit > 1.5 * seen_plain + 4 else ""), err=True)
    noisy = round(float(np.median([np.diff(frame).std() for frame in sample.held])) / 2**0.5, 3)
    words = {
        "summary": f"atoms in the movie {movie.name} and movies like it, on black",
        "data": f"{len(sample.held)} frames of {movie.name}, and simulated atoms",
        "scores": {"atoms": {"plain": seen_plain, "under_gradients": seen_lit}},
        "levels": [noisy, noisy],
    }
    state = loop.load(checkpoint)
    click.echo(loop.WRITING, err=True)
    with outputs.written(out):
        export_atoms.export(network, state, out, words, (pixels or 0.0, pixels or 0.0))
    click.echo(f"{movie} -> {out}")


def of_simulated(out: Path, recipe: pairing.Paired, run: dict[str, Any]) -> None:
    """Train on simulated movies, and write the model."""
    checkpoint = out.with_suffix(".pt")
    pairing.train(recipe, checkpoint, **run)
    state = loop.load(checkpoint)
    network = networks.build(asdict(recipe))
    network.load_state_dict(state["average"])
    words = {
        "summary": SUMMARIES["n2a"],
        "data": "simulated movies of platinum on carbon: counted electrons, jitter, uneven light",
        "scores": {},
        "levels": [round(dose**-0.5, 2) for dose in reversed(domains.DOSES)],  # of counts, at intensity 1
    }
    click.echo(loop.WRITING, err=True)
    with outputs.written(out):
        export_atoms.export(network, state, out, words, domains.PIXEL_SIZES)
    click.echo(f"simulated movies -> {out}")


@click.command(name="noise2atom")
@click.argument("movie", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--out", type=Name(dir_okay=False, path_type=Path), help="Model to write [default: STEM_n2a.onnx].")
@click.option("--image", metavar="NAME", help="Which image of a file with several, by name or number.")
@click.option("--simulated", is_flag=True, help="Instead of a movie: simulated ones of platinum on carbon, in pairs.")
@click.option("--start", help=f"Model or checkpoint to begin with [default: {' or '.join(STARTS)}].")
@click.option("--pixel-size", type=Finite(*PIXEL_SIZES), help="Å a pixel, where the file has none.")
@click.option(
    "--atom-size", nargs=2, type=POSITIVE, help="Least and greatest standard deviation of an atom's image, Å."
)
@click.option("--density", nargs=2, type=POSITIVE, help="Least and greatest number of positions for each nm².")
@click.option("--minutes", default=45.0, show_default=True, type=Finite(min=0.0), help="At most; 0: no limit.")
@click.option("--steps", default=2000, show_default=True, type=click.IntRange(min=1), help="Updates, at most.")
@click.option("--rate", type=POSITIVE, help="Learning rate.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops in a batch [default: 6].")
@click.option(
    "--crop", default=128, show_default=True, type=click.IntRange(min=LEAST_CROP), help="Their side, 32 n pixels."
)
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint beside the model, if it is there.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there, and begin anew.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=50, show_default=True, type=click.IntRange(min=1), help="Steps between checkpoints.")
def main(
    movie: Path | None,
    out: Path | None,
    image: str | None,
    simulated: bool,
    start: str | None,
    pixel_size: float | None,
    atom_size: tuple[float, float] | None,
    density: tuple[float, float] | None,
    minutes: float,
    steps: int,
    rate: float | None,
    batch: int | None,
    crop: int,
    seed: int,
    resume: bool,
    overwrite: bool,
    threads: int,
    every: int,
) -> None:
    """Train a model on MOVIE that shows its atoms alone, on black, without clean images (Noise2Atom, Wang 2020).

    For bright atoms on an even ground, as in HAADF. Then: temclean denoise MOVIE -m STEM_n2a.onnx
    """
    if (movie is None) != simulated:
        raise ParameterError("give a movie to train on, or --simulated, one of the two")
    out = outputs.named(out or Path(f"{movie.stem}_n2a.onnx" if movie else "n2a.onnx"), ".onnx", "model")
    for name, pair in (("--atom-size", atom_size), ("--density", density)):
        if pair and not 0 < pair[0] <= pair[1]:
            raise ParameterError(f"{name} {pair[0]:g} {pair[1]:g}: give a least and a greatest number above 0")
    if crop % 32:
        raise ParameterError(f"--crop {crop}: give a multiple of 32, such as {crop // 32 * 32}")
    outputs.ready(out.with_suffix(".pt"), [out], resume, overwrite)
    torch.set_num_threads(threads)
    run = {"resume": resume, "every": every}
    if movie is None:
        given = {name: value for name, value in (("rate", rate), ("batch", batch)) if value is not None}
        recipe = pairing.Paired(start or "bbg", steps=steps, crop=crop, seed=seed, **given)  # type: ignore[arg-type]
        of_simulated(out, recipe, run)
        return
    if start is None:
        start = next(name for name in STARTS if name in models.available())
    how: dict[str, Any] = {
        "image": image,
        "start": start,
        "steps": steps,
        "batch": batch or 6,
        "crop": crop,
        "seed": seed,
    }
    if rate:
        how["rate"] = rate
    about = {"pixel_size": pixel_size, "size": atom_size, "density": density}
    of_movie(movie, out, how, about, {**run, "minutes": minutes})
