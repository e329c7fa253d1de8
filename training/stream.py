"""An endless stream of pairs from a seed, drawn by one process or several, which goes on exactly where it stopped.

Scene n follows from the seed and n alone, batch k from the seed, k, and which scenes are in the bank. So it does not
matter who draws a scene, or when, and a checkpoint holds numbers of scenes instead of scenes.
"""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from temclean.specimen import Specimen
from temclean.training import data
from temclean.training.data import DataOptions

AHEAD = 2
"""Scenes that each worker may draw before it is their turn."""

SCENE, BATCH = 0, 1
"""Parts of the keys, so that no scene has the numbers of a batch."""


class Pairs:
    """A stream of batches (noisy, clean, rare), each a float32 tensor (batch, 1, crop, crop), see :func:`data.rare`.

    Parameters
    ----------
    options : what the pairs are made of.
    seed, rank : which stream; each process of a training run has a rank of its own.
    workers : processes that draw scenes beside this one. Use the stream as a context, which ends them.
    state : where to go on, see below.

    Attributes
    ----------
    state : where the stream stands after the batch that iteration gave last: plain numbers, for a checkpoint.
    """

    def __init__(
        self, options: DataOptions, seed: int, rank: int = 0, workers: int = 0, state: dict[str, Any] | None = None
    ) -> None:
        self.options, self.workers = options, workers
        first = min(options.first, options.bank)
        begun: dict[str, Any] = {"seed": seed, "rank": rank, "batch": 0}
        begun |= {"bank": list(range(first)), "next": first, "due": 0.0}
        self.state = state or begun
        self.seed, self.rank, self.number = self.state["seed"], self.state["rank"], self.state["batch"]
        self.bank, self.next, self.due = list(self.state["bank"]), self.state["next"], self.state["due"]
        self.drawn: dict[int, Specimen] = {}
        self.coming: dict[int, Future[Specimen]] = {}
        self.pool = None
        if workers:
            for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # a second thread would take another's core
                os.environ.setdefault(name, "1")
            # Ctrl-C is for the process that asked for the work. What workers run needs no torch, so they load none.
            self.pool = ProcessPoolExecutor(
                workers,
                mp_context=get_context("spawn"),
                initializer=signal.signal,
                initargs=(signal.SIGINT, signal.SIG_IGN),
            )
        self._made, self._busy = 0, 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)

    def key(self, number: int, part: int = SCENE) -> tuple[int, ...]:
        """Return the key of a scene or a batch of this stream."""
        return self.seed, self.rank, part, number

    def scene(self, number: int) -> Specimen:
        """Return a scene of the bank; one that no worker has begun is drawn here."""
        if number not in self.drawn:
            coming = self.coming.pop(number, None)
            if coming is None or coming.cancel():
                self.drawn[number] = data.scene_of(self.options, self.key(number))
            else:
                self.drawn[number] = coming.result()
        return self.drawn[number]

    def renew(self, rng: np.random.Generator) -> None:
        """Put new scenes into the bank, as many as are due, and let the workers draw what will be needed."""
        self.due += self.options.renewal
        while self.due >= 1.0:
            if len(self.bank) < self.options.bank:
                self.bank.append(self.next)
            else:
                place = rng.integers(len(self.bank))
                self.drawn.pop(self.bank[place], None)
                if (coming := self.coming.pop(self.bank[place], None)) is not None:
                    coming.cancel()
                self.bank[place] = self.next
            self.next += 1
            self.due -= 1.0
        if self.pool is not None:
            for number in (*self.bank, *range(self.next, self.next + AHEAD * self.workers)):
                if number not in self.drawn and number not in self.coming:
                    self.coming[number] = self.pool.submit(data.scene_of, self.options, self.key(number))

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
        """Return how many crops a second could be had from this stream, since this was asked last."""
        pace = self._made / max(self._busy, 1e-9)
        self._made, self._busy = 0, 0.0
        return pace

    def _step(self) -> tuple[tuple[Tensor, ...], dict[str, Any]]:
        made = self.batch()
        now = {"batch": self.number, "bank": list(self.bank), "next": self.next, "due": self.due}
        return made, {"seed": self.seed, "rank": self.rank, **now}

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        """Yield batches for ever, the next one being made while the last one is used."""
        with ThreadPoolExecutor(1) as maker:
            coming = maker.submit(self._step)
            while True:
                made, self.state = coming.result()
                coming = maker.submit(self._step)
                yield made
