"""Train a network on simulated pairs: ``temclean train single-shot RECIPE``."""

import json
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor

from temclean.cli.options import Name
from temclean.errors import ParameterError
from temclean.restoration.models import usable_cores
from temclean.training import distributed, loop, losses, networks, outputs, teachers
from temclean.training.adversarial import Adversary
from temclean.training.data import DataOptions
from temclean.training.options import POSITIVE, SEED
from temclean.training.recipes import RECIPES, Recipe
from temclean.training.stream import Feed

CHECKPOINTS = Path("training/checkpoints")

ADVERSARIAL = 0.005
"""Weight of the adversarial loss: enough to sharpen what is uncertain, too little to invent what is not [R]."""

CGRDN_RATE = 3e-4
"""Peak learning rate of ``cgrdn``, whose 128 convolutions in a row bear no more."""


MOST_WORKERS = {"cpu": 4, "cuda": 16}
"""Processes that make pairs, unless told."""

QUICK = 6.0
"""Learning rate of what decides about windows, over that of all else."""


def objective(recipe: Recipe, restored: Tensor, clean: Tensor, rare: Tensor) -> Tensor:
    """Return the loss of a recipe, but for the adversarial part."""
    if recipe.loss == "lobato":
        return losses.pixelwise(restored, clean)
    if recipe.relative:
        loss = recipe.relative * losses.relative_error(restored, clean, recipe.gathered, recipe.floor)
    else:
        loss = losses.weighted_error(restored, clean, recipe.heaviest)
    if recipe.rare:
        loss = loss + recipe.rare * losses.rare_error(restored, clean, rare)
    if recipe.similarity:
        loss = loss + recipe.similarity * (1.0 - losses.similarity(restored, clean))
    loss = loss + recipe.lasting * losses.lasting_error(restored, clean)
    return loss + recipe.grid * losses.grid_error(restored, clean)


def groups(network: torch.nn.Module) -> list[dict[str, Any]]:
    """Return parameters for an optimizer: those that decide about windows learn :data:`QUICK` times as fast.

    They are few, and much depends on them.
    """
    parts: dict[bool, list[torch.nn.Parameter]] = {False: [], True: []}
    for name, parameter in network.named_parameters():
        parts[name.startswith(("spectral.", "share."))].append(parameter)
    found: list[dict[str, Any]] = [{"params": parts[False]}]
    return [*found, {"params": parts[True], "times": QUICK}] if parts[True] else found


def train(
    recipe: Recipe,
    seed: int,
    out: Path,
    start: Path | None,
    resume: bool,
    threads: int,
    every: int,
    workers: int = 0,
    taught_by: tuple[Path, ...] = (),
    hours: float = 0.0,
) -> None:
    """Run a recipe and write a checkpoint to ``out`` every ``every`` steps and at the end.

    Its end is after the recipe's updates, or after some ``hours``, those before a stop counted in.
    """
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    device = loop.device()
    torch.backends.cudnn.benchmark = True  # all batches are of one shape
    network = networks.build(asdict(recipe)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(groups(network), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    shared = distributed.shared(network)
    teaching = [teachers.load(each, device) for each in taught_by]
    adversary = Adversary(device) if recipe.adversarial else None
    run = loop.Run(network, optimizer, out, average=recipe.average, clip=0.5)
    if start is not None:
        run.start(start)
    before = run.resume() if resume else {}
    if adversary is not None and "adversary" in before:
        adversary.load(before["adversary"])
    options, commit = json.dumps(asdict(recipe)), loop.commit()  # others may be made while this runs
    batch = recipe.data.batch * distributed.count()
    images = before["record"]["images"] - run.step * batch if before else 0
    feed = Feed(
        recipe.data, seed + run.step, workers, distributed.rank(), distributed.count(), before.get("streams", ())
    )
    if run.step and (run.hours >= hours if hours else run.step >= recipe.steps):
        return
    steps = run.planned(hours) if hours else recipe.steps
    with closing(iter(feed)) as batches:
        for drawn in batches:
            noisy, clean, rare = (
                tensor.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last) for tensor in drawn
            )
            run.set_rate(loop.warm_cosine(run.step, steps, recipe.rate, recipe.warm_up))
            with loop.mixed(device):
                restored = shared(noisy)
                shown = teachers.taught(teaching, noisy) if teaching else None
            restored = restored.float()
            if recipe.forgiven:
                restored = losses.forgiven(restored, noisy, clean, recipe.forgiven)
            loss = objective(recipe, restored, clean, rare)
            if shown is not None:
                loss = loss + recipe.taught * losses.taught_error(restored, shown, clean)
            if adversary is not None:
                loss = loss + recipe.adversarial * adversary.loss(restored, clean)
            run.update(loss)
            if adversary is not None:
                adversary.update(restored, clean)
            if run.due(every, steps):
                streams = distributed.gathered(feed.states)
                if distributed.rank() == 0:
                    record = {
                        "command": "temclean " + " ".join(sys.argv[1:]),
                        "commit": commit,
                        "hours": round(run.hours, 3),
                        "images": images + run.step * batch,
                        "crop": recipe.data.crop,
                        "device": device,
                        "recipe": options,
                    }
                    more = {} if adversary is None else {"adversary": adversary.state()}
                    run.save({"recipe": options, "record": record, "origin": run.origin, "streams": streams, **more})
                    loop.preview(out, noisy, restored, clean)
                    run.report(steps, batch, f"{feed.pace() * distributed.count():.1f} crops/s drawn")
            if run.step >= steps:
                break
            steps = run.planned(hours) if hours else steps


def check_same(checkpoint: Path, recipe: Recipe) -> None:
    """Refuse to go on from a checkpoint of other data, as its record would then be wrong, or of another network."""
    was = json.loads(loop.load(checkpoint, loop.ANEW).get("recipe", "{}"))
    now = json.loads(json.dumps(asdict(recipe)))
    if not isinstance(was.get("data"), dict):
        raise ParameterError(f"{checkpoint} is not of a run of single-shot; give {loop.ELSEWHERE}")
    if asdict(DataOptions(noises={})) | was["data"] != now["data"]:
        raise ParameterError(f"{checkpoint} saw other data or crops: give the same, or another -o and --start")
    older: dict[str, Any] = {"network": "residual", "shape": {}, "more": []}
    parts = ("network", "shape") if now["network"] == "cgrdn" else ("network", "shape", "widths", "more")
    if any(was.get(part, older.get(part)) != now[part] for part in parts):
        raise ParameterError(f"{checkpoint} holds another network: give its --network and --width, or another -o")


def shaped(recipe: Recipe, network: str | None, width: int | None) -> Recipe:
    """Return a recipe for another network, or a narrower or wider one with ``width`` channels at its top."""
    recipe = replace(recipe, network=network or recipe.network)
    if recipe.network == "cgrdn":
        return replace(recipe, rate=CGRDN_RATE, shape={"width": width, "growth": max(1, width // 2)} if width else {})
    if width:
        widths = tuple(max(1, round(each * width / recipe.widths[0])) for each in recipe.widths)
        recipe = replace(recipe, widths=widths)
    return recipe


@click.command(name="single-shot")
@click.argument("recipe", type=click.Choice(list(RECIPES)))
@click.option("--steps", type=click.IntRange(min=1), help="Updates [default: the recipe's].")
@click.option("--hours", type=POSITIVE, help="Time in place of --steps, that before a stop too.")
@click.option("--rate", type=POSITIVE, help="Peak learning rate.")
@click.option("--batch", type=click.IntRange(min=1), help="Crops in a batch.")
@click.option("--crop", type=click.IntRange(min=32), help="Side of a crop, a multiple of 32 or 64 pixels.")
@click.option(
    "--network", type=click.Choice(networks.NAMES), help="cgrdn is that of Lobato 2024 [default: the recipe's]."
)
@click.option("--width", type=click.IntRange(min=2), help="Channels at its top; the rest in proportion.")
@click.option("--loss", type=click.Choice(["house", "lobato"]), help="lobato is the paper's [default: the recipe's].")
@click.option("--adversarial", is_flag=True, help="Train against a discriminator too, as the paper does.")
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option(
    "--start", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Checkpoint or model to start from."
)
@click.option(
    "-o",
    "--out",
    type=Name(dir_okay=False, path_type=Path),
    help="Checkpoint [default: training/checkpoints/NAME.pt].",
)
@click.option(
    "--teacher",
    "taught_by",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Checkpoint to learn from too; several teach by their mean.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, if it is there.")
@click.option("--overwrite", is_flag=True, help="Begin anew where there is a checkpoint.")
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes that make pairs [default: cores left by --threads, up to 4; beside a GPU to 16].",
)
@click.option("--every", default=250, show_default=True, type=click.IntRange(min=1), help="Steps between checkpoints.")
def main(
    recipe: str,
    steps: int | None,
    hours: float | None,
    rate: float | None,
    batch: int | None,
    crop: int | None,
    network: str | None,
    width: int | None,
    loss: str | None,
    adversarial: bool,
    seed: int,
    start: Path | None,
    out: Path | None,
    taught_by: tuple[Path, ...],
    resume: bool,
    overwrite: bool,
    threads: int,
    workers: int | None,
    every: int,
) -> None:
    """Train the network of RECIPE on simulated images and write a checkpoint.

    Started by torchrun, on several GPUs: torchrun --nproc-per-node 4 -m temclean train single-shot RECIPE
    """
    if steps and hours:
        raise ParameterError("--steps and --hours both say when to end; give one of the two")
    chosen = shaped(RECIPES[recipe], network, width)
    data = replace(chosen.data, batch=batch or chosen.data.batch, crop=crop or chosen.data.crop)
    data = replace(data, renewal=chosen.data.renewal * data.batch / chosen.data.batch)  # as many crops of each scene
    chosen = replace(chosen, data=data, steps=steps or chosen.steps, rate=rate or chosen.rate, loss=loss or chosen.loss)
    if adversarial:
        chosen = replace(chosen, adversarial=chosen.adversarial or ADVERSARIAL)
    if data.crop % data.multiple or data.crop > data.scene:
        wrong = f"{data.crop} is not a multiple of {data.multiple} up to {data.scene}"
        raise click.BadParameter(wrong, param_hint="'--crop'")
    target = outputs.named(out or CHECKPOINTS / f"{recipe}.pt", ".pt", "checkpoint")
    outputs.ready(target, (), resume, overwrite)
    if resume and target.exists():
        check_same(target, chosen)
    with distributed.together():
        if hours and distributed.joined():
            raise ParameterError("--hours is for a run in one process, as each has a clock of its own; give --steps")
        left = usable_cores() // distributed.count() - threads
        workers = max(0, min(left, MOST_WORKERS[loop.device()])) if workers is None else workers
        train(chosen, seed, target, start, resume, threads, every, workers, taught_by, hours or 0.0)
