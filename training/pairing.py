"""Pairs of noisy frames and their atoms, from simulated movies: the network that Noise2Atom may begin with.

Where the truth is known, nothing need be learned from a critic: the network learns the atoms themselves.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from temclean.restoration import models
from temclean.training import domains, loop, losses, networks

FAINTEST = 0.03
"""Least standard deviation of a clean image by which its error is divided: there may be no atoms."""


@dataclass(frozen=True)
class Paired:
    """How a network is trained on simulated movies.

    Attributes
    ----------
    start : model or checkpoint to begin with.
    steps, rate, batch, crop, seed : updates, peak learning rate, frames in a batch, their side, of all that is drawn.
    widths, more, shape : the network, as it stands in the file of the model that it begins with.
    """

    start: str
    steps: int = 2000
    rate: float = 4e-4
    batch: int = 8
    crop: int = 128
    seed: int = 1
    widths: tuple[int, ...] = networks.WIDTHS
    more: tuple[int, ...] = ()
    shape: dict[str, Any] = field(default_factory=dict)
    simulated: bool = True


def error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean of 0.5 abs(d) + d^2, d in standard deviations of each clean image, so that each counts alike.

    The square keeps faint atoms, of which the least absolute error is none; the other part keeps the ground dark.
    """
    relative = (restored - clean) / losses.spread(clean).clamp(min=FAINTEST)
    return (0.5 * relative.abs() + relative.square()).mean()


def train(recipe: Paired, out: Path, resume: bool, every: int) -> None:
    """Train on simulated movies, and keep a checkpoint in ``out``."""
    torch.manual_seed(recipe.seed)
    device = loop.device()
    network = networks.build(asdict(recipe)).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=0.0, fused=True)
    run = loop.Run(network, optimizer, out, average=0.995, clip=0.5)
    run.start(models.find(recipe.start))
    options = json.dumps(asdict(recipe))
    if resume:
        run.resume(recipe=options)
    for step in range(run.step, recipe.steps):
        noisy, clean = (
            tensor.to(device, memory_format=torch.channels_last)
            for tensor in domains.simulated(recipe.seed, step, recipe.batch, recipe.crop)
        )
        run.set_rate(loop.warm_cosine(step, recipe.steps, recipe.rate, min(100, recipe.steps)))
        with loop.mixed(device):
            restored = network(noisy)
        run.update(error(restored.float(), clean))
        if not run.due(every, recipe.steps):
            continue
        record = {
            "command": "temclean " + " ".join(sys.argv[1:]),
            "commit": loop.commit(),
            "hours": round(run.hours, 3),
            "images": run.step * recipe.batch,
            "crop": recipe.crop,
            "device": device,
            "recipe": options,
        }
        run.save({"recipe": options, "record": record, "origin": run.origin})
        loop.preview(out, noisy, restored, clean)
        run.report(recipe.steps, recipe.batch)
