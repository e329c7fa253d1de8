"""The protocol of Chae et al. (2025), as a baseline: ``temclean train chae FAMILY``.

Their data set, network and training, as they stand in the paper; [R] marks what our copy of it lacks and we chose. The
network that comes out, ``FAMILY.onnx``, is no model of the pipeline: it takes 8 x 8 patches of a whole image in [0, 1],
one by one, and has no normalisation of its own.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from temclean import noise, specimen
from temclean.cli.options import Name
from temclean.restoration import tiling
from temclean.specimen import densities
from temclean.training import evaluate, loop, onnx_graph, outputs
from temclean.training.data import TRAINING_STRUCTURES
from temclean.training.networks import ChaeUNet
from temclean.training.options import SEED

FAMILIES = ("g", "sp", "gsp", "bbg")
LEVELS = (0.10, 0.15, 0.20, 0.25)
IMAGES = {2: 5, 3: 3, 4: 3}
"""How many images of k x k maps there are [R: five, three and three, of which five is the smallest, say]."""

SIDE = 1024
"""Pixels along each side of an image [R]."""

MAP_STEP = 0.012
"""A pixel of k x k maps is k times as many Å: 0.024, 0.036 and 0.048 Å, so that they fill the image [R]."""

EPOCHS = 150
RATE = 1e-3
BATCH = 8
"""Patches in a batch [R]."""

VALIDATED = 256
"""Patches of the fifth kept for validation whose error is reported."""

SETTLING = 32
"""Batches from which the statistics of batch normalisation are taken when the network is written."""


def draw_images(seed: int) -> list[NDArray[np.float32]]:
    """Draw the clean images: axis-aligned maps side by side, cut to a square at their far ends, scaled to [0, 1]."""
    rng = np.random.Generator(np.random.PCG64(seed))
    layouts = [rng.choice(TRAINING_STRUCTURES, (k, k)) for k, count in IMAGES.items() for _ in range(count)]
    maps = (densities.combined(layout, MAP_STEP * len(layout)) for layout in layouts)
    return [specimen.scale(image[:SIDE, :SIDE]) for image in maps]


class Patches:
    """The data set: every image, shift and level, sliced 8 x 8; noise is drawn once, from the number of the pair.

    Attributes
    ----------
    clean : float32 array (N, 128, 128); pair n is patch n // 4 at level n % 4.
    training, validation : numbers of pairs, 80% and 20% of them, at random.
    """

    def __init__(self, family: str, seed: int, images: list[NDArray[np.float32]]) -> None:
        self.family, self.seed = family, seed
        self.clean = np.concatenate([evaluate.patches(shifted) for image in images for shifted in tiling.shifts(image)])
        order = np.random.Generator(np.random.PCG64([seed, 0])).permutation(len(self.clean) * len(LEVELS))
        cut = len(order) * 4 // 5
        self.training, self.validation = order[:cut], order[cut:]

    def pair(self, number: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return one pair (noisy, clean). As each patch has a background of its own, it can be drawn by itself."""
        clean, level = self.clean[number // len(LEVELS)], LEVELS[number % len(LEVELS)]
        kind = noise.FAMILIES[self.family](level)
        if self.family == "bbg":
            kind = noise.BackgroundBrightness(level, patches=1, smooth=False)
        return noise.apply(clean, kind, self.seed * 10**6 + number), clean

    def batch(self, numbers: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return pairs as tensors (N, 1, 128, 128)."""
        noisy, clean = zip(*(self.pair(int(number)) for number in numbers), strict=True)
        return torch.from_numpy(np.stack(noisy))[:, None], torch.from_numpy(np.stack(clean))[:, None]

    def update(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the batch of one update; each epoch takes the training pairs in a new order."""
        epoch, place = divmod(number, len(self.training) // BATCH)
        order = np.random.Generator(np.random.PCG64([self.seed, 1 + epoch])).permutation(self.training)
        return self.batch(order[place * BATCH : (place + 1) * BATCH])


def error(network: ChaeUNet, noisy: Tensor, clean: Tensor) -> Tensor:
    """Return the mean absolute error."""
    with loop.mixed("cpu"):
        restored = network(noisy.contiguous(memory_format=torch.channels_last))
    return nn.functional.l1_loss(restored.float(), clean)


def validation(network: ChaeUNet, data: Patches) -> float:
    """Return the mean absolute error over patches that are not trained on (rolled or at another level, they may be)."""
    network.eval()
    with torch.no_grad():
        parts = np.array_split(data.validation[:VALIDATED], math.ceil(min(VALIDATED, len(data.validation)) / BATCH))
        found = float(np.mean([float(error(network, *data.batch(part))) for part in parts]))
    network.train()
    return found


def train(data: Patches, updates: int, width: int, out: Path, resume: bool, every: int) -> dict[str, Any]:
    """Train a network, with a checkpoint at ``out`` every so many updates; return the last."""
    torch.manual_seed(data.seed)
    network = ChaeUNet(width).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, eps=1e-7)
    run = loop.Run(network, optimizer, out)
    if resume:
        run.resume(width=width)
    for number in range(run.step, updates):
        run.update(error(network, *data.update(number)))
        if run.due(every, updates):
            found = validation(network, data)
            run.save({"width": width, "validation": found})
            run.report(updates, BATCH, f"validation {found:.4f}")
    return loop.load(out)


def settle(network: ChaeUNet, data: Patches) -> None:
    """Take the statistics of batch normalisation once more: after a short run the moving ones still lag behind."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.reset_running_stats()
            part.momentum = None  # the plain mean of what follows
    network.train()
    with torch.no_grad():
        for number in range(SETTLING):
            error(network, *data.update(number))
    network.eval()


def write(state: dict[str, Any], data: Patches, out: Path) -> float:
    """Write a trained network as ONNX, its weights as float16, with how it came about; return its validation error."""
    network = ChaeUNet(state["width"])
    network.load_state_dict(state["network"])
    settle(network, data)
    model = onnx_graph.to_onnx(network)
    onnx_graph.verify(network, onnx_graph.Runner(model))
    half = onnx_graph.store_half(model)
    found = validation(network, data)
    record = {
        "protocol": "Chae 2025",
        "family": data.family,
        "command": "temclean " + " ".join(sys.argv[1:]),
        "commit": loop.commit(),
        "updates": state["step"],
        "batch": BATCH,
        "epochs": round(state["step"] * BATCH / len(data.training), 2),
        "width": state["width"],
        "hours": round(state["hours"], 3),
        "validation": round(found, 5),
    }
    onnx.helper.set_model_props(half, {"temclean": json.dumps(record)})
    with outputs.written(out):
        onnx.save(half, out.with_suffix(".part"))
        out.with_suffix(".part").replace(out)
    return found


@click.command(name="chae")
@click.argument("family", type=click.Choice(FAMILIES))
@click.option("--updates", type=click.IntRange(min=1), help="[default: 150 epochs of the data set, as in the paper]")
@click.option("--width", default=32, show_default=True, type=click.IntRange(min=1), help="Channels at the top.")
@click.option("--seed", default=1, show_default=True, type=SEED)
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=250, show_default=True, type=click.IntRange(min=1), help="Updates per checkpoint.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint, if it is there.")
@click.option("--overwrite", is_flag=True, help="Replace a network that is there, and begin anew.")
@click.option("-o", "--out", default="training/baseline", type=Name(file_okay=False, path_type=Path))
def main(
    family: str,
    updates: int | None,
    width: int,
    seed: int,
    threads: int,
    every: int,
    resume: bool,
    overwrite: bool,
    out: Path,
) -> None:
    """Train the paper's network on the paper's data set with noise FAMILY; write OUT/FAMILY.pt and OUT/FAMILY.onnx."""
    checkpoint, written = out / f"{family}.pt", out / f"{family}.onnx"
    outputs.ready(checkpoint, [written], resume, overwrite or resume)  # what it goes on from is what it wrote before
    torch.set_num_threads(threads)
    data = Patches(family, seed, draw_images(seed))
    paper = EPOCHS * (len(data.training) // BATCH)
    click.echo(f"{len(data.training)} patches to train on; 150 epochs are {paper} updates of {BATCH}", err=True)
    state = train(data, updates or paper, width, checkpoint, resume, every)
    found = write(state, data, written)
    click.echo(f"{written}  validation {found:.4f}")
