"""Inputs that workers are at: of a movie whose result is OME-Zarr ranges of frames, of others the whole file."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from temclean import io
from temclean.commands.cluster.unfinished import Unfinished
from temclean.commands.cluster.work import Done, Movie, Network, Setting, stamp
from temclean.commands.jobs import Job
from temclean.commands.opening import Opened, foresee
from temclean.commands.records import Result, failed
from temclean.errors import FileError
from temclean.io.formats import OME_ZARR
from temclean.restoration import cautions, pipeline

PIXELS = 2**22
"""Of a range of frames, at most: some seconds of work, which are lost where a worker dies."""

PARTS = 64
"""Ranges that a movie is divided into at least, where it has as many frames."""


class WholeFile:
    """An input that one worker does, and writes from one end to the other.

    Attributes
    ----------
    result : what has become of it; None while it is not known.
    waiting : keys of the tasks that are not done.
    tiles : as many as a task counts for.
    """

    def __init__(self, job: Job, result: Result | None = None) -> None:
        self.job, self.result = job, result
        self.waiting: set[str] = set()
        self.tiles = 1

    def take(self, found: Done | Result) -> None:
        """Take what a task gave."""
        if isinstance(found, Result):
            job = self.job.named(str(found.model))
            self.result = replace(found, input=str(job.source), output=found.output and str(job.target))

    def fail(self, error: Exception) -> None:
        """Take it that a task failed."""
        self.result = failed(self.job, error)

    def close(self) -> None:
        """Let go of the input."""


class Ranges(WholeFile):
    """A movie of which workers do ranges of frames."""

    def __init__(self, opened: Opened, setting: Setting) -> None:
        super().__init__(opened.job)
        self._opened, job, shape = opened, opened.job, opened.pixels.shape
        self._cut = pipeline.plan((shape[-2], shape[-1]), opened.model, setting.tile)
        self._conversion = opened.conversion()
        self._most = max(1, min(PIXELS // math.prod(shape[-2:]), -(-len(opened.pixels) // PARTS)))
        self.tiles = len(self._cut) * self._most
        self._grows = Unfinished(
            Path(str(job.target)).absolute(),
            opened.facts("", self._cut),
            opened.image,
            np.dtype(self._conversion.dtype),
            resume=opened.resume,
        )
        self.movie = Movie(
            job.source.absolute(),
            job.image,
            stamp(job.source),
            opened.image.pixels.shape,
            str(opened.pixels.dtype),
            self._grows.result,
            opened.scaling,
            job.dtype,
            job.blend,
            opened.joined,
        )
        self.network = Network.of(opened.model)
        if caution := cautions.of_steps(self._conversion.dtype, opened.scaling):
            opened.image.warn(caution)

    def parts(self) -> Iterator[tuple[int, int]]:
        """Yield the ranges that are still to be done: the first frame, and the one after the last."""
        return self._grows.missing(self._most)

    def take(self, found: Done | Result) -> None:
        """Take what a task gave, and finish the result where it was the last."""
        if isinstance(found, Done):
            self._opened.source.check()
            self._grows.add(found)
            if not self.waiting:
                self.finish()

    def fail(self, error: Exception) -> None:
        """Take it that a task failed; what the others have done stays for another run."""
        self.result = failed(self.job, error, self._opened.image.warnings)

    def close(self) -> None:
        """Let go of the input, and leave the result to another run where it is not finished."""
        self._opened.closing.close()
        self._grows.leave()

    def finish(self) -> None:
        """Give the result of all frames its name, and say what there is to say of them."""
        opened, parts = self._opened, [self._grows.done[first] for first in sorted(self._grows.done)]
        self._conversion.clipped = sum(each.clipped for each in parts)
        self._conversion.total = sum(each.total for each in parts)
        devices = sorted({each.device for each in parts})
        found = [each for part in parts for each in part.findings]
        opened.notes.extend(filter(None, (cautions.of_straying(found), *cautions.of_defects(found))))
        lines = [
            cautions.of_noise([level for each in parts for level in each.levels]),
            *cautions.of_findings(found),
            self._conversion.caution(),
        ]
        if len(devices) > 1:
            lines.append("some frames were done on the CPU and others on a GPU, which differ in the last digits")
        for line in filter(None, lines):
            opened.image.warn(line)
        done = opened.done(", ".join(devices))
        try:
            self._grows.finish(opened.facts(str(done.device), self._cut), replace=opened.replace)
        except FileError:
            if not opened.resume or foresee(opened.job, opened.model, resume=True).status != "kept":
                raise
            done = replace(done, status="kept")  # another run was faster
        self.result = done


def is_divided(job: Job) -> bool:
    """Return whether several workers can write the result of a job at once."""
    return job.target is not None and io.WRITERS.get(job.target.suffix.lower()) is OME_ZARR
