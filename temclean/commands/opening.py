"""Open the input of a job, unless its result is there already, and settle what comes before the first frame."""

import math
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temclean import __version__, io
from temclean.commands.evidence.as_seen import SCANNED
from temclean.commands.frame_queue import ReadAhead
from temclean.commands.jobs import Job
from temclean.commands.records import Result, failed, refused
from temclean.commands.sessions import Sessions
from temclean.commands.sources import Source, digest
from temclean.errors import FileError, TemcleanError
from temclean.evidence import lag
from temclean.evidence.samples import Frames
from temclean.io import npy
from temclean.io.companions import Companions
from temclean.restoration import cautions, pipeline, tiling, together, windows
from temclean.restoration.choice import About
from temclean.restoration.conversion import Conversion
from temclean.restoration.models import Model
from temclean.restoration.scaling import Scaling
from temclean.restoration.together import Order

SMALL = 2**26
"""Bytes up to which an image is read as a whole before its turn."""


@dataclass(frozen=True)
class Opened:
    """An input that is open, its model and its scale; ``closing`` lets go of it."""

    job: Job
    model: Model
    choice: str | None
    image: io.Image
    pixels: ReadAhead
    scaling: Scaling
    source: Source
    replace: bool
    resume: bool
    began: float
    closing: ExitStack
    joined: int = 1
    notes: list[str] = field(default_factory=list)

    def conversion(self) -> Conversion:
        """Return the way from its pixels to the result's."""
        job = self.job
        return Conversion(self.pixels.dtype, job.dtype, job.blend, self.joined > 1, self.scaling.lag)

    def seen(self) -> Frames:
        """Return its frames, several taken together where that is wanted."""
        return together.joined(self.pixels, self.joined, self.order)

    @property
    def order(self) -> Order:
        """How its frames lie."""
        return Order.of(self.pixels.shape, self.image.axes)

    def facts(self, device: str, cut: tiling.Plan) -> dict[str, object]:
        """Return what is noted in the result."""
        job, frames = self.job, self.model.frames
        facts: dict[str, object] = {
            "temclean": __version__,
            "model": self.model.name,
            "model_sha256": self.model.sha256,
            "device": device,
            "tile": "x".join(map(str, cut.tile)),
            "scaling_low": self._ends("low"),
            "scaling_high": self._ends("high"),
            "input": job.source.name,
            "input_sha256": self.source.sha256,
        }
        wishes: dict[str, object] = {"choice": self.choice, **job.wishes}
        wishes["frames"] = frames if frames > 1 else None
        wishes[SCANNED] = True if self.model.normalisation.scanned else None
        wishes[lag.LAG] = lag.noted(self.scaling.lag) if self.scaling.lag else None
        wishes["joined"] = self.joined if self.joined > 1 else None
        return facts | {name: value for name, value in wishes.items() if value is not None}

    def done(self, device: str) -> Result:
        """Return the record of it once its result is written."""
        return Result(
            str(self.job.source),
            str(self.job.target),
            "done",
            warnings=tuple(self.image.warnings),
            shape=tuple(self.image.pixels.shape),
            dtype=self.job.dtype or str(self.image.pixels.dtype),
            device=device,
            seconds=round(time.perf_counter() - self.began, 4),
            image=self.job.image,
            model=self.model.name,
            choice=self.choice,
            notes=(*filter(None, self._said()), *self.notes),
        )

    def _ends(self, end: str) -> object:
        """Return what became 0 or 1; of several channels one after the other."""
        each = [getattr(channel, end) for channel in self.scaling.channels or [self.scaling]]
        return " ".join(map(str, each)) if len(each) > 1 else each[0]

    def _said(self) -> list[str | None]:
        return [cautions.of_lag(self.scaling.lag), cautions.of_joined(self.model, self.joined, self.job.joined)]


def foresee(job: Job, model: Model, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job: ``planned``, ``kept`` or ``failed``; nothing is written.

    A result that is there already is kept with ``resume`` if this model made it of this input, or made again if it is
    damaged; replaced with ``overwrite``; and otherwise in the way.
    """
    source = str(job.source)
    if job.target is None or job.problem:
        return refused(job)
    if os.path.lexists(job.target):
        ours = resume and _is_result_of(job, job.target, model)
        if ours and _is_whole(job.target) and not _is_older(job):
            return Result(source, str(job.target), "kept", image=job.image)
        if not overwrite and not ours:
            remedy = (
                "is not what this model makes of this input; --overwrite replaces it"
                if resume
                else "exists; --overwrite replaces it, --resume keeps it"
            )
            return Result(source, None, "failed", f"{job.target} {remedy}", image=job.image)
    return Result(source, str(job.target), "planned", image=job.image)


def open_job(job: Job, sessions: Sessions, overwrite: bool, resume: bool, scaling: Scaling | None) -> Opened | Result:
    """Open the input of a job, and read it if it is small; fail now where its result could not be written."""
    began = time.perf_counter()
    closing = ExitStack()
    if job.target is None or job.problem:
        return refused(job)
    try:
        job, model, choice = sessions.settle(job)
        foreseen = replace(foresee(job, model, overwrite=overwrite, resume=resume), model=model.name, choice=choice)
        if foreseen.status != "planned" or job.target is None:
            return foreseen
        replacing = overwrite or os.path.lexists(job.target)
        folder = job.target.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(
                f"the folder {folder} cannot be made ({error.strerror}); give another one with -o"
            ) from error
        if not os.access(folder, os.W_OK):
            raise FileError(f"the folder {folder} is read-only; give another one with -o")
        source = closing.enter_context(Source(job.source))
        image = closing.enter_context(io.read(job.source, job.image))
        pixels = closing.enter_context(ReadAhead(image.pixels, whole=size(image.pixels) <= SMALL))
        order = Order.of(pixels.shape, image.axes)
        windows.check(order.length, model)
        joined = together.count_of(model, order.length, job.joined, job.blend)
        scaling = scaling or pipeline.scaling(pixels, model, joined=joined > 1, order=order)
        seen = together.joined(pixels, joined, order)
        for line in cautions.of_model(seen, model, About.of(image), chosen=choice is not None):
            image.warn(line)
        source.check()
    except Exception as error:
        closing.close()
        return failed(job, error)
    return Opened(job, model, choice, image, pixels, scaling, source, replacing, resume, began, closing, joined)


def size(pixels: Frames) -> int:
    """Return the bytes of all frames."""
    return math.prod(pixels.shape) * pixels.dtype.itemsize


def _is_result_of(job: Job, target: Path, model: Model) -> bool:
    """Return whether the target was made by this model of this input, or is empty; whole or damaged."""
    try:
        if target.is_file() and target.stat().st_size == 0:
            return True
        made = io.provenance(target)
        if made is None:
            return _is_begun(job, target)
        same = all(made.get(name) == wish for name, wish in job.wishes.items())
        if made.get("model_sha256") != model.sha256 or not same or not _is_joined(job, target, model, made):
            return False
        return bool(made.get("input_sha256") == digest(job.source))
    except (TemcleanError, OSError):
        return False


def _is_joined(job: Job, target: Path, model: Model, made: Mapping[str, Any]) -> bool:
    """Return whether as many frames were taken together for a result as would be now."""
    noted, wanted = made.get("joined", 1), together.count_of(model, 2, job.joined, job.blend)
    if noted == 1 < wanted:
        with io.read(job.source, job.image) as image:
            return Order.of(image.pixels.shape, image.axes).length == 1
    return bool(noted == wanted)


def _is_whole(target: Path) -> bool:
    """Return whether a result's pixels are as they were written; of an old one, whether the last frame is there.

    A failing disk or a copy cut short may have undone that.
    """
    made = io.provenance(target) or {}
    try:
        with io.read(target) as image:
            if io.PIXELS in made:
                return bool(io.checksum(image.pixels) == made[io.PIXELS])
            image.pixels[len(image.pixels) - 1]
    except (TemcleanError, OSError):
        return False
    return True


def _is_older(job: Job) -> bool:
    """Return whether a result is older than the file beside its input that tells its scale, as an .emi does."""
    beside = Companions().stamp(job.source)[2:]
    return bool(beside and job.target and beside[1] > job.target.stat().st_mtime_ns)


def _is_begun(job: Job, target: Path) -> bool:
    """Return whether the target is an ``.npy`` cut short of what this input gives; what made it stood at its end."""
    if target.suffix.lower() != ".npy":
        return False
    begun = npy.cut_short(target)
    if begun is None:
        return False
    with io.read(job.source, job.image) as image:
        return begun == (image.pixels.shape, np.dtype(job.dtype) if job.dtype else image.pixels.dtype)
