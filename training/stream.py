"""An endless stream of pairs from a seed, made by one process or several, which goes on exactly where it stopped.

Scene n follows from the seed and n alone, batch k from the seed, k, and which scenes are in the bank. So a checkpoint
holds numbers of scenes instead of scenes.
"""

import atexit
import math
import os
import signal
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from multiprocessing import resource_tracker
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from temclean.specimen import Specimen
from temclean.training import data
from temclean.training.data import DataOptions

AHEAD = 3
"""Batches that each worker may make before it is their turn."""

SCENE, BATCH = 0, 1
"""Parts of the keys, so that no scene has the numbers of a batch."""

ENDS = ("SIGINT", "SIGTERM", "SIGHUP")
"""What interrupts a command; Windows has no SIGHUP."""

Made = Generator[tuple[tuple[Tensor, ...], dict[str, Any], float], None, None]
"""Batches, where the stream stands after each, and its pace."""


class Pairs:
    """A stream of batches (noisy, clean, rare), each a float32 tensor (batch, 1, crop, crop), see :func:`data.rare`.

    Parameters
    ----------
    options : what the pairs are made of.
    seed, rank : which stream; each process of a training run has a rank of its own, and each of its workers.
    state : where to go on, see below.

    Attributes
    ----------
    state : where the stream stands after the last batch: plain numbers, for a checkpoint.
    """

    def __init__(self, options: DataOptions, seed: int, rank: int = 0, state: dict[str, Any] | None = None) -> None:
        self.options = options
        first = min(options.first, options.bank)
        begun: dict[str, Any] = {"seed": seed, "rank": rank, "batch": 0}
        begun |= {"bank": list(range(first)), "next": first, "due": 0.0}
        state = state or begun
        self.seed, self.rank, self.number = state["seed"], state["rank"], state["batch"]
        self.bank, self.next, self.due = list(state["bank"]), state["next"], state["due"]
        self.drawn: dict[int, Specimen] = {}
        self._made, self._busy = 0, 0.0

    @property
    def state(self) -> dict[str, Any]:
        """Where the stream stands."""
        now = {"batch": self.number, "bank": list(self.bank), "next": self.next, "due": self.due}
        return {"seed": self.seed, "rank": self.rank, **now}

    def key(self, number: int, part: int = SCENE) -> tuple[int, ...]:
        """Return the key of a scene or a batch of this stream."""
        return self.seed, self.rank, part, number

    def scene(self, number: int) -> Specimen:
        """Return a scene of the bank, which is drawn when it is needed first."""
        if number not in self.drawn:
            self.drawn[number] = data.scene_of(self.options, self.key(number))
        return self.drawn[number]

    def renew(self, rng: np.random.Generator) -> None:
        """Put new scenes into the bank, as many as are due."""
        self.due += self.options.renewal
        while self.due >= 1.0:
            if len(self.bank) < self.options.bank:
                self.bank.append(self.next)
            else:
                place = rng.integers(len(self.bank))
                self.drawn.pop(self.bank[place], None)
                self.bank[place] = self.next
            self.next += 1
            self.due -= 1.0

    def batch(self) -> tuple[Tensor, ...]:
        """Make one batch, and renew the bank a little."""
        began = time.monotonic()
        rng = np.random.Generator(np.random.PCG64(self.key(self.number, BATCH)))
        self.renew(rng)
        chosen = [self.scene(self.bank[place]) for place in rng.integers(len(self.bank), size=self.options.batch)]
        made = zip(*(data.pair(scene, self.options, rng) for scene in chosen), strict=True)
        batch = tuple(torch.from_numpy(np.stack(part))[:, None] for part in made)
        self.number += 1
        self._made += len(chosen)
        self._busy += time.monotonic() - began
        return batch

    def pace(self) -> float:
        """Return how many crops a second this stream has made, while it made any."""
        return self._made / max(self._busy, 1e-9)


class Streams(IterableDataset[Any]):
    """Streams, each for the worker of its number: batches, where it stands after each, and its pace."""

    def __init__(self, streams: Sequence[Pairs]) -> None:
        self.streams = streams

    def __iter__(self) -> Iterator[tuple[tuple[Tensor, ...], dict[str, Any], float]]:
        worker = get_worker_info()
        assert worker is not None
        stream = self.streams[worker.id]
        while True:
            yield stream.batch(), stream.state, stream.pace()


def begin(_: int) -> None:
    """Make a worker ignore Ctrl-C, which is for the process that asked for its work, and end without further ado.

    Torch's libraries may abort a process that they are unloaded from while it works.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    atexit.register(os._exit, 0)


@contextmanager
def undisturbed() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach; what interrupts meanwhile does so once they are started.

    A process takes over which signals are blocked, and has no handlers of its own before it has imported this module.
    One whose start is cut short would complain too.
    """
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # no other may set them
        for number in (getattr(signal, name) for name in ENDS if hasattr(signal, name)):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                before[number] = signal.signal(number, lambda number, _: came.append(number))
    blocked = None
    if hasattr(signal, "pthread_sigmask"):
        resource_tracker.ensure_running()  # else it is started in here, and in Python 3.11 unblocks what is blocked
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        if blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


class Feed:
    """Batches for training, made while others are trained on: of one stream, or of one in each of several processes.

    Parameters
    ----------
    options : what the pairs are made of; the bank of scenes is shared out to the workers.
    seed : of the streams.
    workers : processes that make batches, which are taken in turn; with none, a thread of this process makes them.
    rank, ranks : number of this process among those that train together, and how many they are.
    states : where streams go on, of all processes; those that have none there begin anew.

    Attributes
    ----------
    states : where the streams of this process stand after the batch that iteration gave last.
    """

    def __init__(
        self,
        options: DataOptions,
        seed: int,
        workers: int = 0,
        rank: int = 0,
        ranks: int = 1,
        states: Sequence[dict[str, Any]] = (),
    ) -> None:
        share = max(workers, 1)
        part = replace(options, bank=math.ceil(options.bank / share), first=math.ceil(options.first / share))
        known = {state["rank"]: state for state in states}
        numbers = [rank + ranks * worker for worker in range(share)]
        streams = [Pairs(part, seed, number, known.get(number)) for number in numbers]
        turn = sum(stream.number for stream in streams) % share
        self.workers, self.streams = workers, [*streams[turn:], *streams[:turn]]
        self.states = [stream.state for stream in self.streams]
        self.paces = [0.0] * share

    def pace(self) -> float:
        """Return how many crops a second could be had."""
        return sum(self.paces)

    def __iter__(self) -> Generator[tuple[Tensor, ...], None, None]:
        """Yield batches for ever, or until it is closed, which ends the workers."""
        with closing(self._by_workers() if self.workers else self._by_a_thread()) as made:
            for number, (batch, state, pace) in enumerate(made):
                place = number % len(self.streams)
                self.states[place], self.paces[place] = state, pace
                yield batch

    def _by_a_thread(self) -> Made:
        (stream,) = self.streams

        def step() -> tuple[tuple[Tensor, ...], dict[str, Any], float]:
            return stream.batch(), stream.state, stream.pace()

        with ThreadPoolExecutor(1) as maker:
            coming = maker.submit(step)
            while True:
                made = coming.result()
                coming = maker.submit(step)
                yield made

    def _by_workers(self) -> Made:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # a second thread would take another's core
            os.environ.setdefault(name, "1")
        loader = DataLoader(
            Streams(self.streams),
            batch_size=None,
            num_workers=self.workers,
            prefetch_factor=AHEAD,
            multiprocessing_context="spawn",  # a copy of a process that holds a GPU, or threads, would hang
            worker_init_fn=begin,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # that of the run is for the network
        )
        made: Any = None
        try:
            with undisturbed():
                made = iter(loader)
            yield from made
        finally:
            if made is not None:
                made._shutdown_workers()  # else they end when Python forgets them, which may be too late
