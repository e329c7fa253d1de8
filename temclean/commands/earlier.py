"""Results that are there already: whose they are, whether they are whole, and so what a run would do with each job."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from temclean import io
from temclean.commands.jobs import Job
from temclean.commands.records import Result, failed, refused
from temclean.commands.sessions import Sessions
from temclean.commands.sources import digest
from temclean.errors import TemcleanError
from temclean.io import npy
from temclean.restoration import windows
from temclean.restoration.models import Model


def foresee(job: Job, model: Model, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job: ``planned``, ``kept`` or ``failed``; nothing is written.

    A result that is there already is kept with ``resume`` if this model made it of this input, or made again if it is
    damaged; replaced with ``overwrite``; and otherwise in the way.
    """
    source = str(job.source)
    if job.target is None or job.problem:
        return refused(job)
    if os.path.lexists(job.target):
        ours = resume and is_result_of(job, job.target, model)
        if ours and is_whole(job.target):
            return Result(source, str(job.target), "kept", image=job.image)
        if not overwrite and not ours:
            remedy = (
                "is not what this model makes of this input; --overwrite replaces it"
                if resume
                else "exists; --overwrite replaces it, --resume keeps it"
            )
            return Result(source, None, "failed", f"{job.target} {remedy}", image=job.image)
    return Result(source, str(job.target), "planned", image=job.image)


def rehearse(job: Job, sessions: Sessions, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job, as `foresee` does, but open the input too: one may be unreadable."""
    if job.target is None or job.problem:
        return refused(job)
    try:
        job, model, choice = sessions.settle(job)
        foreseen = replace(foresee(job, model, overwrite=overwrite, resume=resume), model=model.name, choice=choice)
        if foreseen.status != "planned":
            return foreseen
        with io.read(job.source, job.image) as image:
            shape, dtype = tuple(image.pixels.shape), str(image.pixels.dtype)
            windows.check(shape, model)
            return replace(foreseen, warnings=image.warnings, shape=shape, dtype=dtype)
    except Exception as error:
        return failed(job, error)


def is_result_of(job: Job, target: Path, model: Model) -> bool:
    """Return whether the target was made by this model of this input, or is empty; whole or damaged."""
    try:
        if target.is_file() and target.stat().st_size == 0:
            return True
        made = io.provenance(target)
        if made is None:
            return _is_begun(job, target)
        wishes = made.get("dtype"), made.get("image"), made.get("blend", 0.0), made.get("joined", 1)
        same = wishes == (job.dtype, job.image, job.blend, job.joined)
        if made.get("model_sha256") != model.sha256 or not same:
            return False
        return bool(made.get("input_sha256") == digest(job.source))
    except (TemcleanError, OSError):
        return False


def is_whole(target: Path) -> bool:
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


def _is_begun(job: Job, target: Path) -> bool:
    """Return whether the target is an ``.npy`` cut short of what this input gives; what made it stood at its end."""
    if target.suffix.lower() != ".npy":
        return False
    begun = npy.cut_short(target)
    if begun is None:
        return False
    with io.read(job.source, job.image) as image:
        return begun == (image.pixels.shape, np.dtype(job.dtype) if job.dtype else image.pixels.dtype)
