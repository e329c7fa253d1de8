"""Train on the user's own pairs of short and long exposures: ``temclean train lowdose SHORT LONG -o my.onnx``.

After Katsuno et al. (2021). ``exposures`` lays the pairs over each other, ``lowdose_model`` judges the
result.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temclean.cli.options import Name
from temclean.errors import FileError, ParameterError
from temclean.restoration import models, scaling
from temclean.restoration.inference import REACH
from temclean.training import exposures, loop, lowdose_model, networks, outputs
from temclean.training.data import PERCENTILES
from temclean.training.exposures import Pair
from temclean.training.options import POSITIVE, SEED, Finite
from temclean.training.recipes import RECIPES

ROOM = 0.15
"""Share of the range left at either end for noise that is not cut off, as of the shipped models."""

RATES = {"house": 5e-4, "resnet18": 1e-4}
"""Peak learning rates; the second is the paper's."""

WARM_UP = 50

STARTS = ("lde", "general")
"""What the house network starts from, the first of these that is here."""


@dataclass(frozen=True)
class Options:
    """What a run does, apart from its network.

    Attributes
    ----------
    steps : updates.
    rate : peak learning rate.
    batch, crop : crops in a batch, and their side in pixels.
    held_out : share of the fields of view that are only looked at in the end.
    seed : of the split, the crops and the network.
    """

    steps: int
    rate: float
    batch: int
    crop: int
    held_out: float
    seed: int


@dataclass(frozen=True)
class Scaled:
    """A pair as the network sees it: both exposures (rows, columns) on the pipeline's scale, the long one's span."""

    short: NDArray[np.float32]
    long: NDArray[np.float32]
    span: float


def scaled(pair: Pair) -> Scaled:
    """Bring a pair to the scale that the pipeline would choose for its short exposure."""
    scale = scaling.measure(pair.short[None], *PERCENTILES, ROOM)
    low, width = scale.low, max(scale.high - scale.low, 1e-6)
    short, long = (
        np.clip((each - low) / width, -REACH, 1.0 + REACH).astype(np.float32) for each in (pair.short, pair.long)
    )
    dark, bright = lowdose_model.limits(long)
    return Scaled(short, long, max(bright - dark, 1e-3))


def batch(pairs: list[Scaled], options: Options, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Cut the crops of a step, which follow from the seed and the step alone, flipped along either axis or not.

    Returns
    -------
    short, long : (batch, 1, crop, crop).
    span : (batch, 1, 1, 1), what an error of 1 is in the range of the long exposure.
    """
    rng = np.random.Generator(np.random.PCG64([options.seed, step]))
    chosen = [pairs[number] for number in rng.integers(len(pairs), size=options.batch)]
    parts = []
    for pair in chosen:
        top, left = (int(rng.integers(length - options.crop + 1)) for length in pair.short.shape)
        place = np.s_[top : top + options.crop, left : left + options.crop]
        flips = tuple(axis for axis in (0, 1) if rng.random() < 0.5)
        parts.append([np.flip(each[place], flips).copy() for each in (pair.short, pair.long)])
    short, long = (torch.from_numpy(np.stack(each))[:, None] for each in zip(*parts, strict=True))
    return short, long, torch.tensor([pair.span for pair in chosen])[:, None, None, None]


def beginning(network: str, start: str | None) -> tuple[dict[str, Any], Path | None]:
    """Return the network's recipe and the file that it starts from, None for none.

    Raises
    ------
    ParameterError : the file holds a network of the other kind.
    FileError : it is no start, or holds a network for more than single images.
    """
    if network == "resnet18":
        recipe: dict[str, Any] = {"network": "resnet18", "shape": {}}
    else:
        recipe = {key: asdict(RECIPES["lde"])[key] for key in ("network", "widths", "more", "shape")}
    if start is None:
        shipped = models.available()
        start = next((name for name in STARTS if name in shipped), "none") if network == "house" else "none"
    if start == "none":
        return recipe, None
    source = Path(start) if Path(start).suffix == ".pt" else models.find(start)
    known = loop.trained(source)[1] if source.suffix == ".pt" else loop.shipped(source)[1]
    found = loop.recipe_of(known)
    if (found.get("network") == "resnet18") != (network == "resnet18"):
        raise ParameterError(f"{source}: holds another network than {network}; give its --network, or --start none")
    if "widths" not in found and found.get("network", "residual") == "residual":
        raise FileError(f"{source}: training on pairs cannot start from this network; take --start lde, or none")
    return {key: found[key] for key in ("network", "widths", "more", "shape") if key in found}, source


def check_same(checkpoint: Path, recipe: str) -> None:
    """Refuse to go on with other pairs, another split or another network than a checkpoint's."""
    was, now = json.loads(loop.load(checkpoint, loop.ANEW).get("recipe", "{}")), json.loads(recipe)
    for key in ("pairs", "held_out_pairs", "crop", "batch", "seed"):
        if was.get(key) != now[key]:
            raise ParameterError(
                f"{checkpoint}: began with other pairs or options ({key}); give the same, or another -o"
            )
    if any(was.get(key) != now.get(key) for key in ("network", "widths", "more", "shape")):
        raise ParameterError(f"{checkpoint}: holds another network; give its --network and --start, or another -o")


def train(
    pairs: list[Scaled],
    recipe: dict[str, Any],
    options: Options,
    checkpoint: Path,
    start: Path | None,
    resume: bool,
    every: int,
) -> dict[str, Any]:
    """Train a network on pairs, with a checkpoint every so many updates; return the last."""
    torch.manual_seed(options.seed)
    device = loop.device()
    network = networks.build(recipe).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), lr=options.rate)
    run = loop.Run(network, optimizer, checkpoint, average=0.998, clip=1.0)
    if start is not None:
        run.start(start)
    if resume:
        run.resume()
    told = json.dumps({key: value for key, value in recipe.items() if key not in ("pairs", "held_out_pairs")})
    network.train()
    for step in range(run.step, options.steps):
        short, long, span = (each.to(device) for each in batch(pairs, options, step))
        run.set_rate(loop.warm_cosine(step, options.steps, options.rate, WARM_UP))
        with loop.mixed(device):
            restored = network(short.to(memory_format=torch.channels_last))
        restored = restored.float()
        run.update(((restored - long).abs() / span).mean())
        if run.due(every, options.steps):
            record = {
                "command": "temclean " + " ".join(sys.argv[1:]),
                "commit": loop.commit(),
                "hours": round(run.hours, 3),
                "images": run.step * options.batch,
                "crop": options.crop,
                "device": device,
                "recipe": told,
            }
            run.save({"recipe": json.dumps(recipe), "record": record, "origin": run.origin})
            loop.preview(checkpoint, short, restored, long)
            run.report(options.steps, options.batch)
    return loop.load(checkpoint)


@click.command(name="lowdose")
@click.argument("shorts", metavar="SHORT_DIR", type=click.Path(path_type=Path))
@click.argument("longs", metavar="LONG_DIR", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=Name(dir_okay=False, path_type=Path), help="The model, .onnx.")
@click.option("--network", type=click.Choice(list(RATES)), default="house", show_default=True)
@click.option(
    "--start", metavar="MODEL", help="A model or checkpoint to start from, or none [default: lde; resnet18: none]."
)
@click.option("--dark-short", type=click.Path(exists=True, path_type=Path), help="Dark image of the short exposures.")
@click.option("--dark-long", type=click.Path(exists=True, path_type=Path), help="Dark image of the long exposures.")
@click.option("--held-out", default=0.2, show_default=True, type=Finite(0.0, 0.9), help="Share of fields.")
@click.option("--steps", default=2000, show_default=True, type=click.IntRange(min=1), help="Updates.")
@click.option("--rate", type=POSITIVE, help="Peak learning rate.")
@click.option("--batch", "crops", default=4, show_default=True, type=click.IntRange(min=1), help="Crops in a batch.")
@click.option("--crop", default=192, show_default=True, type=click.IntRange(min=32), help="Side of a crop, pixels.")
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint beside OUT, if it is there.")
@click.option("--overwrite", is_flag=True, help="Replace a model and reports that are there, and begin anew.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=100, show_default=True, type=click.IntRange(min=1), help="Updates per checkpoint.")
def main(
    shorts: Path,
    longs: Path,
    out: Path,
    network: str,
    start: str | None,
    dark_short: Path | None,
    dark_long: Path | None,
    held_out: float,
    steps: int,
    rate: float | None,
    crops: int,
    crop: int,
    seed: int,
    resume: bool,
    overwrite: bool,
    threads: int,
    every: int,
) -> None:
    """Train on your own pairs: images of SHORT_DIR, and of LONG_DIR the same fields under the same names, long exposed.

    The long ones may have more pixels, by a whole factor, and may stand off by drift. Whole fields of view are held
    out, on which the model is judged: OUT.json and OUT.txt tell how well it does, particle by particle. Then
    `temclean denoise -m OUT` runs it.
    """
    checkpoint = outputs.named(out, ".onnx", "model").with_suffix(".pt")
    outputs.ready(checkpoint, [out, out.with_suffix(".json"), out.with_suffix(".txt")], resume, overwrite)
    torch.set_num_threads(threads)
    pairs, places, left_out = exposures.load(shorts, longs, dark_short, dark_long)
    for line in left_out:
        click.echo(line, err=True)
    inside, outside = exposures.split(places, held_out, seed)
    click.echo(
        f"{len(pairs)} pairs of {len(set(places))} fields of view; {len(inside)} to train on, {len(outside)} held out",
        err=True,
    )
    recipe, source = beginning(network, start)
    side = min(min(pairs[number].short.shape) for number in inside)
    multiple = networks.build(recipe).multiple
    options = Options(steps, rate or RATES[network], crops, min(crop, side) // multiple * multiple, held_out, seed)
    if not options.crop:
        raise ParameterError(
            f"crops of {min(crop, side)} pixels are too small for this network; give {multiple} or more"
        )
    recipe |= asdict(options) | {
        "room": ROOM,
        "data": f"pairs of short and long exposures, {len(inside)} of {len(set(places))} fields of view",
        "pairs": [pairs[number].name for number in inside],
        "held_out_pairs": [pairs[number].name for number in outside],
    }
    if resume and checkpoint.exists():
        check_same(checkpoint, json.dumps(recipe))
    state = train([scaled(pairs[number]) for number in inside], recipe, options, checkpoint, source, resume, every)
    click.echo(loop.WRITING, err=True)
    with outputs.written(out):
        report = lowdose_model.write(state, [pairs[number] for number in outside], out)
    click.echo(report)
