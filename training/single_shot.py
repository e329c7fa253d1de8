"""Train a network on simulated pairs: ``temclean train RECIPE``."""

import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import click
import torch

from temclean.errors import ParameterError
from temclean.training import loop, losses
from temclean.training.data import DataOptions, Pairs
from temclean.training.networks import WIDTHS, ResidualUNet

CHECKPOINTS = Path("training/checkpoints")


@dataclass(frozen=True)
class Recipe:
    """How one network is trained.

    Attributes
    ----------
    data : the pairs.
    steps : updates.
    rate : peak learning rate, reached after ``warm_up`` steps, falling to zero along half a cosine.
    heaviest : largest weight of an image in the loss; even images weigh most.
    average : decay of the moving average of the weights, which is what gets exported.
    similarity : weight of 1 - MS-SSIM in the loss.
    """

    data: DataOptions
    widths: tuple[int, ...] = WIDTHS
    steps: int = 10_000
    rate: float = 1.2e-3
    warm_up: int = 300
    weight_decay: float = 1e-4
    heaviest: float = 3.0
    average: float = 0.998
    similarity: float = 0.0


RECIPES = {
    "base": Recipe(DataOptions(families=("g", "sp", "gsp"))),
    "g": Recipe(
        DataOptions(
            families=("g",),
            dense=0.08,
            maps=0.65,
            coarse=0.5,
            defects=0.05,
            others=0.15,
            grainy=0.25,
            crop=192,
            batch=4,
        ),
        similarity=1.5,
    ),
    "sp": Recipe(DataOptions(families=("sp",), maps=0.25, defects=0.08, others=0.3, crop=192, batch=4), similarity=0.3),
    "gsp": Recipe(
        DataOptions(
            families=("gsp",),
            dense=0.35,
            maps=0.25,
            defects=0.05,
            others=0.25,
            grainy=0.2,
            apart=0.25,
            crop=192,
            batch=4,
        ),
        similarity=0.5,
    ),
    "bbg": Recipe(
        DataOptions(
            families=("bbg",),
            specimen="atoms",
            dense=0.1,
            maps=0.5,
            coarse=0.75,
            defects=0.22,
            empty=0.06,
            dark=0.0,
            crop=256,
            batch=4,
            scene=384,
            bank=256,
        ),
        heaviest=1.0,
        similarity=1.0,
    ),
    "bbg-keep": Recipe(
        DataOptions(
            families=("bbg-keep",), maps=0.3, defects=0.08, others=0.3, grainy=0.2, smooth=0.85, crop=192, batch=4
        ),
        similarity=1.0,
    ),
}
"""``base`` sees three families at once and is the start of the others. ``bbg`` sees bright atoms on an even background
alone: of anything else it could not tell what is background, and what the noise hides of it is lost."""


def train(recipe: Recipe, seed: int, out: Path, start: Path | None, resume: bool, threads: int, every: int) -> None:
    """Run a recipe and write a checkpoint to ``out`` every ``every`` steps and at the end."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    device = loop.device()
    network = ResidualUNet(recipe.widths).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    run = loop.Run(network, optimizer, out, average=recipe.average, clip=0.5)
    if start is not None:
        run.start(start)
    if resume:
        run.resume()
    options = json.dumps(asdict(recipe))
    pairs = iter(Pairs(recipe.data, seed + run.step))
    for step in range(run.step, recipe.steps):
        noisy, clean = (tensor.to(device, memory_format=torch.channels_last) for tensor in next(pairs))
        run.set_rate(loop.warm_cosine(step, recipe.steps, recipe.rate, recipe.warm_up))
        with torch.autocast(device, dtype=torch.bfloat16):
            restored = network(noisy)
        loss = losses.weighted_error(restored.float(), clean, recipe.heaviest)
        if recipe.similarity:
            loss = loss + recipe.similarity * (1.0 - losses.similarity(restored.float(), clean))
        run.update(loss)
        if run.due(every, recipe.steps):
            record = {
                "command": "temclean " + " ".join(sys.argv[1:]),
                "commit": loop.commit(),
                "hours": round(run.hours, 3),
                "images": run.step * recipe.data.batch,
                "crop": recipe.data.crop,
                "device": device,
                "recipe": options,
            }
            run.save({"recipe": options, "record": record, "origin": run.origin})
            loop.preview(out, noisy, restored, clean)
            run.report(recipe.steps, recipe.data.batch)


def check_data(checkpoint: Path, data: DataOptions) -> None:
    """Refuse to go on from a checkpoint of other data, as its record would then be wrong."""
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if json.loads(state["recipe"])["data"] != json.loads(json.dumps(asdict(data))):
        raise ParameterError(f"{checkpoint} saw other data or crops: give the same, or begin anew with --start")


@click.command(name="train")
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@click.option("--steps", type=click.IntRange(min=1), help="Updates [default: the recipe's].")
@click.option("--rate", type=click.FloatRange(min=0.0, min_open=True), help="Peak learning rate.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops in a batch.")
@click.option("--crop", type=click.IntRange(min=32), help="Side of a crop, a multiple of 32 pixels.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Checkpoint to start from.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Checkpoint [default: training/checkpoints/NAME.pt]."
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, if it is there.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=250, show_default=True, type=click.IntRange(min=1), help="Steps between checkpoints.")
def main(
    recipe: str,
    steps: int | None,
    rate: float | None,
    batch: int | None,
    crop: int | None,
    seed: int,
    start: Path | None,
    out: Path | None,
    resume: bool,
    threads: int,
    every: int,
) -> None:
    """Train the network of RECIPE on simulated images and write a checkpoint.

    `temclean train dft` computes the densities that the images of graphene show.
    """
    chosen = RECIPES[recipe]
    data = replace(chosen.data, batch=batch or chosen.data.batch, crop=crop or chosen.data.crop)
    chosen = replace(chosen, data=data, steps=steps or chosen.steps, rate=rate or chosen.rate)
    if data.crop % 2 ** len(chosen.widths) or data.crop > data.scene:
        raise click.BadParameter(f"{data.crop} is not a multiple of {2 ** len(chosen.widths)} up to {data.scene}")
    target = out or CHECKPOINTS / f"{recipe}.pt"
    if resume and target.exists():
        check_data(target, data)
    train(chosen, seed, target, start, resume, threads, every)
