"""Trained networks that teach another one: the mean of what they make of mirrored images is less wrong than each.

It is several times the work. A network that is trained towards it comes to much of it by itself: a clean image also
holds what the noise leaves no trace of, whose gradient is noise, and a teacher's result does not (Hinton, Vinyals and
Dean 2015, arXiv 1503.02531).
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from temclean.errors import FileError
from temclean.training import loop, networks

MIRRORS: tuple[tuple[int, ...], ...] = ((), (2, 3), (3,), (2,))
"""Axes that are mirrored, for each teacher by turns. Rows stay rows: noise along them is another than across."""


def load(checkpoint: Path, device: str) -> nn.Module:
    """Load the averaged weights of a checkpoint.

    Raises
    ------
    FileError : it is no checkpoint, or none of a network for single images.
    """
    state = loop.load(checkpoint)
    try:
        network = networks.build(json.loads(state["recipe"]))
        network.load_state_dict(network.state_dict() | state["average"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise FileError(f"{checkpoint}: holds no network that teaches; give a checkpoint of single-shot") from error
    return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def taught(teachers: list[nn.Module], noisy: Tensor) -> Tensor:
    """Return the mean of what teachers make of a batch (N, 1, H, W), each mirrored in another way; no gradient."""
    total = torch.zeros_like(noisy)
    with torch.no_grad():
        for number, teacher in enumerate(teachers):
            axes = MIRRORS[number % len(MIRRORS)]
            total += torch.flip(teacher(torch.flip(noisy, axes)).float(), axes)
    return total / len(teachers)
