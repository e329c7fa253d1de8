"""Train on a movie itself, without any clean image: ``temclean train movie MOVIE -o my.onnx``.

The network (``networks/blindspot.py``) restores the middle one of some frames without the pixel that it restores, and
learns to come as near as it can to that pixel: as the noise of a pixel is its own, all that can be learned is what lies
under it. It begins with a shipped model for single images behind a mean of the frames that agree, and what it has
gained is told by pixels that were never a target.
"""

import json
import math
import sys
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from temclean import io
from temclean.cli.options import Name
from temclean.errors import FileError
from temclean.evidence.samples import Frames
from temclean.restoration import models
from temclean.restoration.scaling import Scaling
from temclean.restoration.together import Order
from temclean.training import export_movie, footage, loop, networks, outputs
from temclean.training.footage import Footage, Measured
from temclean.training.networks.blindspot import BlindSpot, Spot
from temclean.training.options import POSITIVE, SEED

CHECKS = 12
"""Windows by whose held-out pixels the network is judged."""


SURE = 25.0
"""By how many times the error of a pixel a line must lower the sum of all errors, so that it is not noise that it fits:
noise alone comes to 2."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained on a movie.

    Attributes
    ----------
    movie, image : file, and which of its images.
    prior : model for single images to begin with.
    steps : updates.
    rate : peak learning rate, reached after ``warm_up`` steps, falling to zero along half a cosine.
    batch, crop : windows in a batch, and pixels along their sides.
    seed : of all that is drawn.
    average : decay of the moving average of the weights.
    """

    movie: str
    image: str | None = None
    prior: str = "general"
    steps: int = 1000
    rate: float = 2e-4
    batch: int = 4
    crop: int = 64
    seed: int = 1
    warm_up: int = 50
    average: float = 0.99


def begin(prior: str, measured: Measured, window: int) -> BlindSpot:
    """Return a network that does what a shipped model does with a mean of the frames of a window.

    Raises
    ------
    ModelError, FileError : there is no such model, or none that training can begin with.
    """
    path = models.find(prior)
    weights, records = loop.shipped(path)
    try:
        recipe = json.loads(records[-1]["recipe"])
        inner = networks.build({**recipe, **networks.beginning(recipe)})
        inner.load_state_dict({**inner.state_dict(), **weights})  # newer parts begin with nothing
        if not isinstance(inner, networks.ResidualUNet):
            raise TypeError(type(inner).__name__)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: training on a movie cannot begin with this network; take --start general") from error
    return BlindSpot(inner, measured.spot, measured.differences, frames=window)


def fit_span(network: BlindSpot, windows: Sequence[Tensor], room: float) -> None:
    """Let the percentiles of the means that the network makes of windows become 0 and 1, with ``room`` beside them."""
    with torch.no_grad():
        means = torch.cat([network.mean(window, 0)[0].flatten() for window in windows])
    low, high = (float(value) for value in np.percentile(means.numpy(), footage.PERCENTILES))
    margin = room * (high - low)
    if high > low:
        network.span.copy_(torch.tensor([low - margin, high + margin]))


def middle(window: Tensor) -> Tensor:
    """Return the frame in the middle of each window, (batch, 1, rows, columns)."""
    return window[:, window.shape[1] // 2, None]


def errors(network: BlindSpot, checks: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Return the squared differences between a result and the noisy pixels that were held out, in a row."""
    found = []
    network.eval()
    with torch.no_grad():
        for window, held in checks:
            squared = (network(window) - middle(window)).square()
            found.append(squared[held > 0.5])
    network.train()
    return torch.cat(found)


def fit_line(network: BlindSpot, checks: Sequence[tuple[Tensor, Tensor]]) -> None:
    """Bring the network's results to the movie's intensities, where these are off, by the line that fits best.

    A pixel's noise is not in its result, so that noisy pixels over results are a line about which only noise scatters.
    The pixels that are held out, and judge the network, are left out.
    """
    results, pixels = [], []
    network.eval()
    with torch.no_grad():
        for window, held in checks:
            seen = held < 0.5
            results.append(network(window)[seen].double())
            pixels.append(middle(window)[seen].double())
    network.train()
    x, y = torch.cat(results), torch.cat(pixels)
    slope = float(((x - x.mean()) * (y - y.mean())).mean() / x.var().clamp_min(1e-12))
    offset = float(y.mean()) - slope * float(x.mean())
    before, after = float((y - x).square().sum()), float((y - offset - slope * x).square().sum())
    if before - after > SURE * after / len(x):
        network.line.copy_(network.line * slope + torch.tensor([offset, 0.0]))


def gain(before: Tensor, after: Tensor) -> tuple[float, float]:
    """Return by how much the squared error has fallen, and the standard error of that."""
    fallen = (before - after).double()
    return float(fallen.mean()), float(fallen.std()) / math.sqrt(max(1, len(fallen)))


def train(
    recipe: Recipe, frames: Frames, scale: Scaling, measured: Measured, out: Path, resume: bool, every: int
) -> BlindSpot:
    """Train on a movie, keep a checkpoint in ``out``, and return the best network, its start if it has not gained."""
    torch.manual_seed(recipe.seed)
    device = loop.device()
    network = begin(recipe.prior, measured, footage.window(len(frames)))
    crop = -(-recipe.crop // network.multiple) * network.multiple
    film = Footage(frames, scale, crop, recipe.seed)
    checks = film.check(CHECKS, network.multiple)
    fit_span(network, [window for window, _ in checks], models.load(recipe.prior).normalisation.room)
    fit_line(network, checks)
    start = errors(network, checks)
    whole = max(1e-12, float(start.mean()))  # most of it is the noise of the pixels themselves
    best: dict[str, Any] = {"gain": 0.0, "step": 0, "error": whole, "weights": deepcopy(network.state_dict())}
    network = network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=0.0, fused=True)
    run = loop.Run(network, optimizer, out, average=recipe.average, clip=0.5)
    options = json.dumps(asdict(recipe))
    before = run.resume(recipe=options) if resume else {}
    run.origin = loop.shipped(models.find(recipe.prior))[1]
    best = before.get("best", best)
    for step in range(run.step, recipe.steps):
        window, held = (tensor.to(device) for tensor in film.batch(step, recipe.batch))
        run.set_rate(loop.warm_cosine(step, recipe.steps, recipe.rate, recipe.warm_up))
        target = middle(window)
        number = step % network.passes
        with loop.mixed(device):
            restored = network.restored(window, number)
        counted = network.hidden(window, number) * (1.0 - held)
        run.update((counted * (restored.float() - target).square()).sum() / counted.sum().clamp_min(1.0))
        if not run.due(every, recipe.steps):
            continue
        trial = deepcopy(network).cpu()
        trial.load_state_dict(run.weights)
        fallen, error = gain(start, errors(trial, checks))
        if fallen > best["gain"]:
            weights = deepcopy(trial.state_dict())
            best = {"gain": fallen, "step": run.step, "error": whole - fallen, "weights": weights}
        record = {
            "command": "temclean " + " ".join(sys.argv[1:]),
            "commit": loop.commit(),
            "hours": round(run.hours, 3),
            "images": run.step * recipe.batch,
            "crop": crop,
            "device": device,
            "recipe": options,
        }
        run.save({"recipe": options, "record": record, "origin": run.origin, "best": best})
        loop.preview(out, target, restored)
        share = f"held out: off by {100 * fallen / whole:.2f}% +- {100 * error / whole:.2f}% less than at the start"
        run.report(recipe.steps, recipe.batch, share)
    finished = begin(recipe.prior, measured, network.frames)
    finished.load_state_dict(best["weights"])
    return finished.eval()


def told(measured: Measured) -> str:
    """Say how the noise hangs together, and what is hidden for that."""
    spot = measured.spot
    along = f"along rows {measured.along_rows[0]:+.2f}, along columns {measured.along_columns[0]:+.2f}"
    if spot == Spot():
        return f"noise: {measured.level:.3g} of the range; each pixel has its own ({along}): it alone is hidden"
    passes = math.prod(spot.period)
    return (
        f"noise: {measured.level:.3g} of the range; it hangs together with the next pixel ({along}): hidden with each "
        f"pixel are {spot.columns} to its left and right and {spot.rows} above and below, in {passes} passes"
    )


@click.command(name="movie")
@click.argument("movie", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o", "--out", type=Name(dir_okay=False, path_type=Path), help="Model to write [default: STEM_movie.onnx]."
)
@click.option("--image", metavar="NAME", help="Which image of a file with several, by name or number.")
@click.option("--start", default="general", show_default=True, help="Model for single images to begin with.")
@click.option("--steps", default=1000, show_default=True, type=click.IntRange(min=1), help="Updates.")
@click.option("--rate", default=2e-4, show_default=True, type=POSITIVE)
@click.option("--batch", default=4, show_default=True, type=click.IntRange(min=1), help="Windows in a batch.")
@click.option("--crop", default=64, show_default=True, type=click.IntRange(32, footage.SIDE), help="Their side.")
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint beside the model, if it is there.")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there, and begin anew.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=100, show_default=True, type=click.IntRange(min=1), help="Steps between checkpoints.")
def main(
    movie: Path,
    out: Path | None,
    image: str | None,
    start: str,
    steps: int,
    rate: float,
    batch: int,
    crop: int,
    seed: int,
    resume: bool,
    overwrite: bool,
    threads: int,
    every: int,
) -> None:
    """Train a model on MOVIE alone, that denoises it, and movies like it, from up to nine frames at a time.

    No clean image is needed. Then: temclean denoise MOVIE -m STEM_movie.onnx
    """
    out = outputs.named(out or Path(f"{movie.stem}_movie.onnx"), ".onnx", "model")
    checkpoint = out.with_suffix(".pt")
    outputs.ready(checkpoint, [out], resume, overwrite)
    torch.set_num_threads(threads)
    recipe = Recipe(str(movie), image, start, steps, rate, batch, crop, seed)
    with io.read(movie, image) as opened:
        frames = opened.pixels
        Order.of(opened.pixels.shape, opened.axes).check_movie(movie)
        with footage.named(movie):
            footage.window(len(frames))
            scale = footage.scaled(frames)
            measured = footage.measure(frames, scale)
        click.echo(told(measured), err=True)
        network = train(recipe, frames, scale, measured, checkpoint, resume, every)
        state = loop.load(checkpoint)
        if state["best"]["step"] == 0:
            click.echo("training has gained nothing: the model is as it was at the start", err=True)
        if state["best"]["error"] > 2.0 * measured.level**2:
            click.echo("the model is further off than the noise is strong: the movie is better as it is", err=True)
        click.echo(loop.WRITING, err=True)
        with outputs.written(out):
            export_movie.export(network, state, out, opened, measured)
    click.echo(f"{movie} -> {out}")
