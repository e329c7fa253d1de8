"""Several processes that train one network, as ``torchrun`` starts them; alone, all of this does nothing.

    torchrun --nproc-per-node 4 -m temclean train single-shot hrstem

Each process has a GPU (or shares the processor), its own stream of pairs, and the whole network; the gradient is the
mean over processes. The first one writes the checkpoint and the log.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn


@contextmanager
def together() -> Iterator[None]:
    """Join the other processes, if there are any, and leave them at the end."""
    if not (distributed.is_available() and distributed.is_torchelastic_launched()):
        yield
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def joined() -> bool:
    """Return whether there are other processes."""
    return distributed.is_available() and distributed.is_initialized()


def rank() -> int:
    """Return the number of this process, from 0."""
    return distributed.get_rank() if joined() else 0


def count() -> int:
    """Return how many processes there are."""
    return distributed.get_world_size() if joined() else 1


def shared(network: nn.Module) -> nn.Module:
    """Return what to call instead of a network, so that its gradient is the mean over all processes."""
    return nn.parallel.DistributedDataParallel(network) if joined() else network


def gathered(mine: list[dict[str, object]]) -> list[dict[str, object]]:
    """Return what all processes have, in the order of their numbers, to each of them."""
    if not joined():
        return mine
    found: list[list[dict[str, object]]] = [[] for _ in range(count())]
    distributed.all_gather_object(found, mine)
    return [each for some in found for each in some]
