"""Train a network on simulated pairs: ``temclean train RECIPE``."""

import json
import math
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import click
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from temclean import metrics
from temclean.errors import FileError, ParameterError
from temclean.training.data import DataOptions, Pairs
from temclean.training.network import WIDTHS, ResidualUNet

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


def weighted_error(restored: Tensor, clean: Tensor, heaviest: float) -> Tensor:
    """Mean of abs(d) + 4 d^2, each image weighted by 0.2 / Std{clean} (Lobato 2024, eqs. 4 to 6), 0.7 to heaviest.

    The square keeps faint columns: where a column is uncertain, the least absolute error is the median, which is none.
    """
    spread = clean.std(dim=(1, 2, 3), keepdim=True)
    error = (restored - clean).abs()
    return ((error + 4.0 * error.square()) * (0.2 / spread.clamp(0.2 / heaviest, 0.2 / 0.7))).mean()


@cache
def windows(length: int) -> Tensor:
    """Return the matrix (length - 10, length) of Gaussian windows of 11 taps: a product is quicker than conv2d."""
    taps = torch.exp(-0.5 * (torch.arange(-5.0, 6.0) / 1.5) ** 2)
    band = torch.zeros(length - 10, length)
    for tap, weight in enumerate(taps / taps.sum()):
        band.diagonal(tap).fill_(float(weight))
    return band


def similarity(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean MS-SSIM of batches (N, 1, H, W) over a range of 1 (Wang 2003), with fewer scales on small crops.

    Factors below 0 count as hardly above it, so that the product has a gradient.
    """
    product = torch.ones((), device=clean.device)
    exponents = metrics.WEIGHTS[: max(1, min(len(metrics.WEIGHTS), 1 + int(math.log2(min(clean.shape[-2:]) / 11.0))))]
    for number, exponent in enumerate(exponents):
        moments = torch.cat([restored, clean, restored**2, clean**2, restored * clean], dim=1)
        rows, columns = (windows(length).to(clean.device) for length in clean.shape[-2:])
        mean0, mean1, square0, square1, both = (rows @ moments.contiguous() @ columns.mT).split(1, dim=1)
        structure = (2 * (both - mean0 * mean1) + 9e-4) / (square0 - mean0**2 + square1 - mean1**2 + 9e-4)
        if number == len(exponents) - 1:
            structure = structure * (2 * mean0 * mean1 + 1e-4) / (mean0**2 + mean1**2 + 1e-4)
        factor = structure.mean(dim=(1, 2, 3)).clamp(min=1e-3)
        product = product * factor ** (exponent / sum(exponents))
        restored, clean = avg_pool2d(restored, 2), avg_pool2d(clean, 2)
    return product.mean()


def rate_at(step: int, recipe: Recipe) -> float:
    """Return the learning rate of a step: linear warm-up, then half a cosine down to zero."""
    warm = min(1.0, (step + 1) / recipe.warm_up)
    return recipe.rate * warm * 0.5 * (1.0 + math.cos(math.pi * step / recipe.steps))


def commit() -> str:
    """Return the short hash of the checked-out commit, with ``+`` where tracked files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    with suppress(OSError):  # no git here
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return found.stdout.strip() or "unknown"
    return "unknown"


def train(recipe: Recipe, seed: int, out: Path, start: Path | None, resume: bool, threads: int, every: int) -> None:
    """Run a recipe and write a checkpoint to ``out`` every ``every`` steps and at the end."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = ResidualUNet(recipe.widths).to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    first, hours, origin = 0, 0.0, []
    if start is not None:
        state = torch.load(start, map_location=device, weights_only=True)
        network.load_state_dict(state["average"])
        origin = [*state["origin"], state["record"]]
    average = {name: value.detach().clone() for name, value in network.state_dict().items()}
    if resume and out.exists():
        state = torch.load(out, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, first, hours, origin = state["average"], state["step"], state["record"]["hours"], state["origin"]

    options = json.dumps(asdict(recipe))

    def save(step: int) -> None:
        elapsed = hours + (time.monotonic() - began) / 3600.0
        record = {
            "command": "temclean " + " ".join(sys.argv[1:]),
            "commit": revision,
            "hours": round(elapsed, 3),
            "images": step * recipe.data.batch,
            "crop": recipe.data.crop,
            "device": device,
            "recipe": options,
        }
        state = {"network": network.state_dict(), "average": average, "optimizer": optimizer.state_dict(), "step": step}
        out.parent.mkdir(parents=True, exist_ok=True)
        torch.save({**state, "recipe": options, "record": record, "origin": origin}, out.with_suffix(".part"))
        out.with_suffix(".part").replace(out)

    revision, began = commit(), time.monotonic()
    total = torch.zeros((), device=device)
    pairs = iter(Pairs(recipe.data, seed + first))
    for step in range(first, recipe.steps):
        noisy, clean = (tensor.to(device, memory_format=torch.channels_last) for tensor in next(pairs))
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, recipe)
        with torch.autocast(device, dtype=torch.bfloat16):
            restored = network(noisy)
        loss = weighted_error(restored.float(), clean, recipe.heaviest)
        if recipe.similarity:
            loss = loss + recipe.similarity * (1.0 - similarity(restored.float(), clean))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5, foreach=True)
        optimizer.step()
        decay = min(recipe.average, (1.0 + step) / (10.0 + step))
        torch._foreach_lerp_(list(average.values()), list(network.state_dict().values()), 1.0 - decay)
        total += loss.detach()
        if (step + 1) % every == 0 or step + 1 == recipe.steps:
            mean = float(total) / ((step % every) + 1)
            if not math.isfinite(mean):
                raise FileError(f"{out}: the loss is no longer finite; go on from what is there, at a lower --rate")
            save(step + 1)
            total.zero_()
            pace = (step + 1 - first) * recipe.data.batch / (time.monotonic() - began)
            click.echo(f"step {step + 1}/{recipe.steps}  loss {mean:.5f}  {pace:.0f} crops/s", err=True)


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
