"""The loop of Noise2Atom on a user's frames: four networks, four steps, and a contrast that is watched."""

import json
import math
import sys
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor

from temclean.errors import ModelError
from temclean.restoration import models
from temclean.training import cycle, domains, loop, networks
from temclean.training.cycle import Partners
from temclean.training.domains import Clean, Sample
from temclean.training.networks import CGRDN, ResidualUNet, ResNetUNet

LIMITS = 0.025, 0.05
"""Cycle and low-frequency loss below which training stops: the paper's 0.05 and 0.1, whose images lie in -1 to 1."""

FEWEST = 500
"""Steps before training may stop for that [ours]: a network that begins with a shipped one is below it at once."""

WARM_UP = 100
"""Steps over which the rate rises [ours], as RMSProp's first updates would be ten times too long."""

LOST = 0.3
"""Share of the contrast at the start below which results no longer follow their frames."""

MOST_TURNS = 3
"""Times that training goes back, before it is given up."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained on a movie.

    Attributes
    ----------
    movie, image : file, and which of its images.
    start : model or checkpoint to begin with.
    clean : the clean domain.
    widths, more, shape : channels of both U-Nets at each depth, further blocks, and what else they are made with.
    steps, rate, batch, crop, seed : updates, learning rate, crops in a batch, their side, of all that is drawn.
    """

    movie: str
    image: str | None
    start: str
    clean: Clean
    widths: tuple[int, ...] = networks.WIDTHS
    more: tuple[int, ...] = ()
    shape: dict[str, Any] = field(default_factory=dict)
    steps: int = 2000
    rate: float = 5e-5
    batch: int = 6
    crop: int = 128
    seed: int = 1

    @property
    def width(self) -> float:
        """Standard deviation of a typical atom's image, pixels."""
        return math.sqrt(self.clean.width[0] * self.clean.width[1])


class Training(loop.Run):
    """A run of Ms2c, its partners, and where to go back to.

    Attributes
    ----------
    partners : Mc2s, the critic and the low-pass filter.
    frames : by whose results the contrast is judged.
    first : the contrast at the start.
    right : the last weights of both U-Nets whose contrast was right, their step, and how often it was lost.
    """

    def __init__(self, recipe: Recipe, sample: Sample, out: Path) -> None:
        torch.manual_seed(recipe.seed)
        place = loop.device()
        network, to_noisy = networks.build(asdict(recipe)), networks.build(asdict(recipe))
        network = network.to(place, memory_format=torch.channels_last)  # type: ignore[call-overload]
        super().__init__(network, cycle.rmsprop(network, recipe.rate), out, average=0.99, clip=1.0)
        self.start(models.find(recipe.start))
        self.recipe, self.sample, self.place = recipe, sample, place
        self.partners = Partners(network, to_noisy, recipe.crop, recipe.rate, place)
        self.trial, self.frames = deepcopy(network), sample.check().to(place)
        self.first = self.contrast()
        self.right: dict[str, Any] = {"turns": 0}
        self.keep()
        self.since, self.totals = 0, [0.0, 0.0, 0.0]

    def contrast(self) -> float:
        """Return the mean contrast of what the averaged weights make of frames of the movie."""
        self.trial.load_state_dict(self.weights)
        self.trial.eval()
        with torch.no_grad():
            found = [cycle.contrast(frame[None], self.trial(frame[None]), self.recipe.width) for frame in self.frames]
        return float(torch.cat(found).mean())

    def keep(self) -> None:
        """Remember both U-Nets as they are."""
        both = {"network": self.weights, "to_noisy": self.partners.to_noisy.state_dict()}
        self.right = {**self.right, **deepcopy(both), "step": self.step}

    def go_back(self) -> None:
        """Return both U-Nets to where the contrast was right, and begin with a new critic and no momentum."""
        self.right["turns"] += 1
        self.network.load_state_dict(self.right["network"])
        self.weights = deepcopy(self.right["network"])
        self.optimizer.state.clear()
        self.partners.to_noisy.load_state_dict(self.right["to_noisy"])
        self.partners.begin()

    def one(self) -> tuple[Tensor, Tensor]:
        """Make the four steps of the paper on one batch; return its noisy and its clean images."""
        recipe, partners, step = self.recipe, self.partners, self.step
        torch.manual_seed(recipe.seed * 2**32 + step)  # dropout and mixtures follow from the step
        draw = np.random.default_rng([recipe.seed, domains.CHECK, step])
        noisy = self.sample.batch(step, 0, recipe.batch).to(self.place)
        clean = recipe.clean.batch(recipe.seed, step, 0, recipe.batch, recipe.crop).to(self.place)
        rate = recipe.rate * min(1.0, (step + 1) / WARM_UP)
        for optimizer in (self.optimizer, partners.of_noisy):
            optimizer.param_groups[0]["lr"] = rate
        judged = partners.judge(noisy, clean)
        descend(partners.pretend(noisy), self.optimizer)
        low, guard = partners.back_to_noisy(noisy, recipe.width, draw)
        descend(low + guard, self.optimizer, partners.of_noisy)
        partners.of_noisy.zero_grad(set_to_none=True)
        self.update(cycle.BETA * partners.back_to_clean(clean))
        partners.of_noisy.step()
        self.totals = [
            a + b for a, b in zip(self.totals, (judged, float(low.detach()), float(guard.detach())), strict=True)
        ]
        return noisy, clean

    def means(self) -> list[float]:
        """Return the mean losses of the critic, of low frequencies and of the guards, and begin anew."""
        means = [total / max(1, self.step - self.since) for total in self.totals]
        self.since, self.totals = self.step, [0.0, 0.0, 0.0]
        return means


def train(
    recipe: Recipe, sample: Sample, out: Path, resume: bool, every: int, minutes: float = 0.0
) -> ResidualUNet | CGRDN | ResNetUNet:
    """Train on a movie, keep a checkpoint in ``out``, and return the last network whose contrast was right.

    Raises
    ------
    ModelError : the contrast was wrong from the start, or lost again and again.
    """
    run, options = Training(recipe, sample, out), json.dumps(asdict(recipe))
    if run.first <= 0.0:
        raise ModelError(f"{recipe.start}: makes atoms dark in this movie; begin with another model (--start general)")
    before = run.resume(recipe=options) if resume else {}
    if before:
        run.partners.load(before["partners"])
        run.right, run.since = before["right"], run.step
    over = False
    while run.step < recipe.steps and not over:
        noisy, clean = run.one()
        late = 0.0 < minutes <= 60.0 * run.hours
        if not (run.due(every, recipe.steps) or late):
            continue
        (judged, low, guards), value = run.means(), run.contrast()
        lost = value < LOST * run.first
        if lost:
            run.go_back()
        else:
            run.keep()
        below = not lost and run.step >= FEWEST and run.mean < LIMITS[0] and low < LIMITS[1]
        over = late or below
        record = {
            "command": "temclean " + " ".join(sys.argv[1:]),
            "commit": loop.commit(),
            "hours": round(run.hours, 3),
            "images": run.step * recipe.batch,
            "crop": recipe.crop,
            "device": run.place,
            "recipe": options,
        }
        state = {"recipe": options, "record": record, "origin": run.origin}
        run.save({**state, "right": run.right, "partners": run.partners.state()})
        with torch.no_grad():
            loop.preview(out, noisy, run.trial(noisy), clean)
        told = f"low frequency {low:.4f}  critic {judged:+.3f}  guards {guards:.4f}  contrast {value:+.2f}"
        run.report(recipe.steps, recipe.batch, told)
        if lost:
            click.echo(f"the contrast is lost: back to step {run.right['step']}, with a new critic", err=True)
        if run.right["turns"] > MOST_TURNS:
            raise ModelError(
                f"the contrast was lost {run.right['turns']} times, and no model is written: give another --seed, or a "
                "lower --rate"
            )
        if below:
            click.echo(f"cycle and low-frequency loss are below {LIMITS[0]} and {LIMITS[1]}: done", err=True)
    finished = networks.build(asdict(recipe))
    finished.load_state_dict(run.right["network"])
    return finished.eval()


def descend(error: Tensor, *optimizers: torch.optim.Optimizer) -> None:
    """Make one update of some networks."""
    for optimizer in optimizers:
        optimizer.zero_grad(set_to_none=True)
    error.backward()  # type: ignore[no-untyped-call]
    for optimizer in optimizers:
        optimizer.step()
