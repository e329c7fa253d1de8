"""What all training runs share: device, schedule, moving average, checkpoints, resuming, the log and the preview.

A method writes its own loop, from top to bottom; :class:`Run` does what stands in every one of them::

    run = Run(network, optimizer, out, average=0.998, clip=0.5)
    for step in range(run.step, steps):
        run.set_rate(warm_cosine(step, steps, 1e-3, 300))
        run.update(loss(network, batch(step)))
        if run.due(250, steps):
            run.save({"recipe": options})
            run.report(steps, batch=8)
"""

import json
import math
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnx
import torch
from onnx.numpy_helper import to_array
from PIL import Image
from torch import Tensor, nn

from temclean.commands.lines import say
from temclean.errors import FileError, ParameterError
from temclean.restoration.modelfile import METADATA_KEY
from temclean.training import outputs


def device() -> str:
    """Return what networks are trained on here: ``cuda`` where there is a GPU that works, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def has_bfloat16(device: str) -> bool:
    """Return whether a device calculates in bfloat16 itself.

    A processor that has not learned it (AMD's before Zen 4, Intel's for laptops and desks) takes many times as long as
    with float32, as torch then multiplies one number at a time. Where torch does not tell, it has not.
    """
    if device != "cpu":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in able)


def mixed(device: str) -> torch.autocast:
    """Return the context in which networks run in training: bfloat16 where the device has it, else float32."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=has_bfloat16(device))


def warm_cosine(step: int, steps: int, rate: float, warm_up: int) -> float:
    """Return the learning rate of a step: a linear rise over ``warm_up`` steps, times half a cosine down to zero."""
    return rate * min(1.0, (step + 1) / warm_up) * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def commit() -> str:
    """Return the short hash of the checked-out commit, with ``+`` where tracked files differ from it."""
    command = ["git", "describe", "--always", "--dirty=+", "--exclude=*"]
    with suppress(OSError):  # no git here
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
        return found.stdout.strip() or "unknown"
    return "unknown"


ANEW = "delete it, or give --overwrite in place of --resume"
"""What to do about a damaged checkpoint that a run is to go on from."""

ELSEWHERE = "another -o, or --overwrite in place of --resume"
"""What to do about one of another run."""


def load(checkpoint: Path, remedy: str = "give another") -> dict[str, Any]:
    """Read a checkpoint that :meth:`Run.save` wrote; nothing in it is executed.

    Raises
    ------
    FileError : it is no checkpoint, or damaged, against which there is a remedy.
    """
    try:
        state: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises whatever a damaged file leads to
        raise FileError(f"{checkpoint}: is no checkpoint, or damaged; {remedy}") from error
    if not isinstance(state, dict) or "network" not in state:
        raise FileError(f"{checkpoint}: is no checkpoint of temclean; {remedy}")
    return state


WRITING = "writing the model, which takes a minute or two"
"""What commands say before torch turns a network into a graph."""

Weights = dict[str, Tensor]
Records = list[dict[str, Any]]


def trained(checkpoint: Path) -> tuple[Weights, Records]:
    """Return the averaged weights of a checkpoint, and the records of the runs that led to it.

    Raises
    ------
    FileError : it is no checkpoint, or one of ``temclean train chae``, which keeps no records.
    """
    state = load(checkpoint)
    if not {"average", "origin", "record"} <= state.keys():
        raise FileError(f"{checkpoint}: training cannot start from this network; give a checkpoint of single-shot")
    return state["average"], [*state["origin"], state["record"]]


def recipe_of(records: Records) -> dict[str, Any]:
    """Return the recipe of the last run, empty where none is told."""
    found = records[-1].get("recipe", {}) if records else {}
    recipe: dict[str, Any] = json.loads(found) if isinstance(found, str) else found
    return recipe


def shipped(model: Path) -> tuple[Weights, Records]:
    """Return the weights of an ONNX file that :mod:`temclean.training.export` wrote, and the records of its runs.

    Raises
    ------
    FileError : it is no such file.
    """
    try:
        proto = onnx.load(str(model))
        facts = json.loads(next(entry.value for entry in proto.metadata_props if entry.key == METADATA_KEY))
        arrays = {tensor.name.removesuffix("_half"): to_array(tensor) for tensor in proto.graph.initializer}
        records = facts["training"]["runs"]
    except Exception as error:  # onnx raises whatever a damaged file leads to
        raise FileError(f"{model}: is no model of temclean, or damaged; start from another") from error
    named = {name: array for name, array in arrays.items() if "." in name}  # the rest are constants of the exporter
    return {name: torch.from_numpy(array.astype(np.float32)) for name, array in named.items()}, records


def fits(small: Tensor, large: Tensor) -> bool:
    """Return whether one tensor can be a corner of another."""
    return small.dim() == large.dim() and all(a <= b for a, b in zip(small.shape, large.shape, strict=True))


def grown(small: Tensor, large: Tensor) -> Tensor:
    """Put the weights of a layer, (outputs, inputs, ...) or (outputs,), into those of a wider one.

    The old outputs are what they were, as they take nothing from the new inputs; the new outputs stay as they are.
    """
    corner = tuple(slice(length) for length in small.shape)
    wide = large.clone()
    wide[: small.shape[0]] = 0.0
    wide[corner] = small.to(wide)
    return wide


class Run:
    """A training run: what changes in it, and the checkpoint that keeps it.

    Parameters
    ----------
    network, optimizer : what is trained, and how.
    out : the checkpoint's file.
    average : decay of the moving average of the weights; 0 for none. It is shorter at the beginning.
    clip : largest norm of the gradient; 0 for any.

    Attributes
    ----------
    step : updates made so far, those of the stopped run too.
    weights : the averaged weights by name, or the network's own without an average.
    origin : records of the runs that this one started from.
    """

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, out: Path, average: float = 0.0, clip: float = 0.0
    ) -> None:
        self.network, self.optimizer, self.out = network, optimizer, out
        self.average, self.clip = average, clip
        self.step = self._first = 0
        self.origin: Records = []
        self._hours, self._began = 0.0, time.monotonic()
        self._total, self._summed = torch.zeros((), device=next(network.parameters()).device), 0
        self.weights = {name: value.detach().clone() for name, value in network.state_dict().items()}

    @property
    def hours(self) -> float:
        """Hours of training so far, those of the stopped run too."""
        return self._hours + (time.monotonic() - self._began) / 3600.0

    def start(self, source: Path) -> None:
        """Begin with the averaged weights of another run, from its checkpoint or from the model that was made of it.

        A network may be deeper or wider than the other was, and still does what that did: its new blocks start as
        identities, its new channels start at random and are not listened to yet (:func:`grown`).

        Raises
        ------
        FileError : the file is neither, or of another network.
        """
        weights, self.origin = shipped(source) if source.suffix == ".onnx" else trained(source)
        own = self.network.state_dict()
        if any(name not in own or not fits(value, own[name]) for name, value in weights.items()):
            raise FileError(f"{source}: holds another network than the one to be trained; start from one like it")
        self.network.load_state_dict({**own, **{name: grown(value, own[name]) for name, value in weights.items()}})
        self.weights = {name: value.detach().clone() for name, value in self.network.state_dict().items()}

    def resume(self, **same: Any) -> dict[str, Any]:
        """Go on from the checkpoint, if it is there; return all that it holds, or nothing.

        Parameters
        ----------
        same : what must stand in it, as ``recipe=options``.

        Raises
        ------
        ParameterError : something else stands there.
        FileError : it is no checkpoint, or one of another network.
        """
        if not self.out.exists():
            return {}
        state = load(self.out, ANEW)
        if any(state.get(name) != value for name, value in same.items()):
            raise ParameterError(f"{self.out} is of another run or other options: give the same, {ELSEWHERE}")
        try:
            self.network.load_state_dict(state["network"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise FileError(
                f"{self.out}: holds another network than the one to be trained; give {ELSEWHERE}"
            ) from error
        place = next(self.network.parameters()).device
        self.weights = {name: value.to(place) for name, value in state["average"].items()}
        self.step = self._first = state["step"]
        self._hours, self.origin = state["hours"], state.get("origin", [])
        return state

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the coming update."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("times", 1.0)

    def update(self, loss: Tensor) -> None:
        """Make one update down the gradient of a loss."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip, foreach=True)
        self.optimizer.step()
        decay = min(self.average, (1.0 + self.step) / (10.0 + self.step)) if self.average else 0.0
        averaged, own = list(self.weights.values()), list(self.network.state_dict().values())
        floats = [number for number, value in enumerate(own) if value.is_floating_point()]
        torch._foreach_lerp_([averaged[each] for each in floats], [own[each] for each in floats], 1.0 - decay)
        for number in {*range(len(own))}.difference(floats):
            averaged[number].copy_(own[number])
        self._total += loss.detach()
        self._summed += 1
        self.step += 1

    def planned(self, hours: float) -> int:
        """Return how many updates there will be in so many hours at the pace so far: one more when they are over."""
        share = self.hours / hours
        return self.step + 1 if share >= 1.0 else max(self.step + 2, round((self.step + 1) / max(share, 1e-9)))

    def due(self, every: int, steps: int) -> bool:
        """Return whether it is time for a checkpoint: every so many updates, and after the last."""
        return self.step % every == 0 or self.step == steps

    @property
    def mean(self) -> float:
        """Mean loss since the last report."""
        return float(self._total) / max(self._summed, 1)

    def save(self, more: Mapping[str, Any]) -> None:
        """Write the checkpoint, whole or not at all.

        Raises
        ------
        FileError : the loss is no longer finite, or the disk is full; the last checkpoint stays.
        """
        if not math.isfinite(self.mean):
            raise FileError(f"{self.out}: the loss is no longer finite; go on from what is there, at a lower --rate")
        state = {
            "network": self.network.state_dict(),
            "average": self.weights,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "hours": self.hours,
        }
        part = self.out.with_suffix(".part")
        with outputs.written(self.out, RuntimeError):  # which torch raises where a disk is full
            self.out.parent.mkdir(parents=True, exist_ok=True)
            torch.save({**state, **more}, part)
            part.replace(self.out)

    def report(self, steps: int, batch: int, more: str = "") -> None:
        """Say how far the run is, on stderr, and begin a new mean of the loss."""
        pace = (self.step - self._first) * batch / (time.monotonic() - self._began)
        trained = f"{pace:.1f} crops/s trained"
        click.echo(f"step {self.step}/{steps}  loss {self.mean:.5f}  {more or ''}  {trained}", err=True)
        self._total.zero_()
        self._summed = 0


def preview(out: Path, *columns: Tensor, count: int = 4) -> None:
    """Write ``OUT_preview.png``: rows of noisy, restored and clean crops, each row on the scale of its last column.

    A picture is not worth a run: where it cannot be written, that is said.
    """
    shown = [column.detach().float().cpu().numpy()[:count, 0] for column in columns]
    low, high = (shown[-1].min(axis=(1, 2)), shown[-1].max(axis=(1, 2)))
    span = np.maximum(high - low, 1e-6)[:, None, None]
    picture = np.concatenate([np.concatenate(list((column - low[:, None, None]) / span)) for column in shown], axis=1)
    path = out.with_name(f"{out.stem}_preview.png")
    try:
        Image.fromarray((picture.clip(0.0, 1.0) * 255.0).astype(np.uint8)).save(path)
    except OSError as error:
        say(f"warning: {path}: cannot be written ({error.strerror or error}); training goes on")
