"""Train a network on simulated pairs: ``temclean train single-shot RECIPE``."""

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
    widths, more : of the network, see :class:`ResidualUNet`.
    steps : updates.
    rate : peak learning rate, reached after ``warm_up`` steps, falling to zero along half a cosine.
    heaviest : largest weight of an image in the loss; even images weigh most.
    average : decay of the moving average of the weights, which is what gets exported.
    relative : weight in the loss of :func:`losses.relative_error`; 0 for :func:`losses.weighted_error` in its place.
    similarity, lasting, grid : weights in the loss of 1 - MS-SSIM, of :func:`losses.lasting_error` and of
        :func:`losses.grid_error`.
    """

    data: DataOptions
    widths: tuple[int, ...] = WIDTHS
    more: tuple[int, ...] = (1, 2, 4)
    steps: int = 10_000
    rate: float = 1.2e-3
    warm_up: int = 300
    weight_decay: float = 1e-4
    heaviest: float = 3.0
    average: float = 0.998
    relative: float = 0.0
    similarity: float = 0.5
    lasting: float = 0.05
    grid: float = 0.05


ATOMIC = {
    "coherent": 0.28,
    "phase": 0.18,
    "hr": 0.16,
    "scene": 0.05,
    "graphene": 0.08,
    "graphene-defects": 0.03,
    "dense": 0.03,
    "bn": 0.01,
    "mos2": 0.02,
}
"""Shares of specimens whose atoms show."""

LARGE = {"lr": 0.55, "faint": 0.3, "scene": 0.15}
"""Shares of specimens of low magnification."""


def mixture(atomic: float) -> dict[str, float]:
    """Mix specimens: a share of :data:`ATOMIC`, the rest of :data:`LARGE`."""
    shares: dict[str, float] = {}
    for part, weight in ((ATOMIC, atomic), (LARGE, 1.0 - atomic)):
        for name, share in part.items():
            shares[name] = shares.get(name, 0.0) + weight * share / sum(part.values())
    return shares


GAUSSIAN = DataOptions(
    noises={"g": 1.0},
    specimens=mixture(0.75),
    room=0.15,
    grainy=0.2,
    crop=192,
    batch=4,
    bank=512,
    first=160,
    renewal=0.12,
)

WIDER = (48, 96, 128, 160, 192)
"""Channels at each depth of ``general``: a weak lattice is averaged over many cells at a quarter of the resolution."""

RECIPES = {
    "general": Recipe(
        replace(
            GAUSSIAN,
            noises={"g": 0.24, "poisson": 0.2, "tem": 0.18, "stem": 0.21, "sem": 0.17},
        ),
        WIDER,
        average=0.999,
        relative=0.04,
        similarity=0.3,
    ),
    "g": Recipe(GAUSSIAN),
    "sp": Recipe(replace(GAUSSIAN, noises={"sp": 1.0}, room=0.0)),
    "gsp": Recipe(replace(GAUSSIAN, noises={"gsp": 1.0}, room=0.2, apart=0.25)),
    "bbg": Recipe(
        DataOptions(
            noises={"bbg": 1.0},
            specimens={"dense": 0.1, "graphene": 0.5, "graphene-defects": 0.22, "empty": 0.06, "atoms": 0.12},
            coarse=0.75,
            dark=0.0,
            crop=256,
            batch=4,
            scene=384,
            bank=256,
        ),
        heaviest=1.0,
        similarity=1.0,
    ),
    "bbg-keep": Recipe(replace(GAUSSIAN, noises={"bbg-keep": 1.0}, smooth=0.85)),
    **{
        f"{kind}{microscope}": Recipe(
            replace(GAUSSIAN, noises={microscope: 0.75, "poisson": 0.25}, specimens=mixture(atomic))
        )
        for microscope in ("tem", "stem", "sem")
        for kind, atomic in (("hr", 0.9), ("lr", 0.1))
    },
}
"""``general`` sees all noises but impulses, and is the start of the others. ``bbg`` sees bright atoms on an even
background alone: of anything else it could not tell what is background, and what the noise hides of it is lost. The last six are
the models of Lobato et al. (2024)."""


def train(recipe: Recipe, seed: int, out: Path, start: Path | None, resume: bool, threads: int, every: int) -> None:
    """Run a recipe and write a checkpoint to ``out`` every ``every`` steps and at the end."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    device = loop.device()
    network = ResidualUNet(recipe.widths, recipe.more).to(device, memory_format=torch.channels_last)
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
        restored = restored.float()
        if recipe.relative:
            loss = recipe.relative * losses.relative_error(restored, clean)
        else:
            loss = losses.weighted_error(restored, clean, recipe.heaviest)
        loss = loss + recipe.similarity * (1.0 - losses.similarity(restored, clean))
        loss = loss + recipe.lasting * losses.lasting_error(restored, clean)
        run.update(loss + recipe.grid * losses.grid_error(restored, clean))
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


@click.command(name="single-shot")
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@click.option("--steps", type=click.IntRange(min=1), help="Updates [default: the recipe's].")
@click.option("--rate", type=click.FloatRange(min=0.0, min_open=True), help="Peak learning rate.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops in a batch.")
@click.option("--crop", type=click.IntRange(min=32), help="Side of a crop, a multiple of 32 pixels.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option(
    "--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Checkpoint or model to start from."
)
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
    """Train the network of RECIPE on simulated images and write a checkpoint."""
    chosen = RECIPES[recipe]
    data = replace(chosen.data, batch=batch or chosen.data.batch, crop=crop or chosen.data.crop)
    chosen = replace(chosen, data=data, steps=steps or chosen.steps, rate=rate or chosen.rate)
    if data.crop % 2 ** len(chosen.widths) or data.crop > data.scene:
        raise click.BadParameter(f"{data.crop} is not a multiple of {2 ** len(chosen.widths)} up to {data.scene}")
    target = out or CHECKPOINTS / f"{recipe}.pt"
    if resume and target.exists():
        check_data(target, data)
    train(chosen, seed, target, start, resume, threads, every)
