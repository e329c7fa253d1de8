"""Results that are there already: whose they are, and whether they are whole."""

from pathlib import Path

import numpy as np

from temclean import io
from temclean.commands.jobs import Job
from temclean.commands.sources import digest
from temclean.errors import TemcleanError
from temclean.io import npy
from temclean.restoration.models import Model


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
