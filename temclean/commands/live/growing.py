"""Stacks that are still being written: each frame is denoised when it is there, not again when the file is whole."""

import hashlib
import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import io
from temclean.commands import batch
from temclean.commands.jobs import Job
from temclean.commands.records import Result
from temclean.commands.sessions import OneSession, Sessions
from temclean.errors import ImageError
from temclean.restoration import pipeline, together
from temclean.restoration.models import Floats, Model, Session


class ReplacedError(ImageError):
    """The file is not the stack any more that it was."""


@dataclass(frozen=True)
class Pair:
    """A frame and what was made of it, each (rows, columns)."""

    before: NDArray[Any]
    after: NDArray[Any]


class Growing:
    """A stack of which frames arrive.

    The scale of intensities is that of the frames that were there at first: it cannot change along the stack.

    Parameters
    ----------
    job
        Its file, and where its result goes.
    sessions
        The models.
    tile
        Side of a tile in pixels; None lets the pipeline choose.

    Raises
    ------
    ImageError
        If there are not yet two frames, nothing is in them, or the format does not tell where they lie.
    """

    def __init__(self, job: Job, sessions: Sessions, tile: int | None = None) -> None:
        self._tile = tile
        self.count = 0
        with _opened(job.source) as image:
            if len(image.pixels) < 2:
                raise ImageError(f"{job.source}: is no stack yet")
            if len(image.axes) > 3 or "C" in image.axes:  # each channel has a scale of its own
                raise ImageError(f"{job.source}: its frames lie along {image.axes}: it is done when it is finished")
            self._shape = image.pixels.shape[-2:]
            self._job, model, self._reason = sessions.settle(job, image)
            self._joined = together.count_of(model, len(image.pixels), self._job.joined)
            self._scale = pipeline.scaling(image.pixels, model, joined=self._joined > 1)
        if self._scale.flat or self._job.target is None or self._job.problem:
            raise ImageError(f"{job.source}: there is nothing in its first frames")
        self._job.target.parent.mkdir(parents=True, exist_ok=True)
        self._session = Remembering(sessions.session(model, self._reason), self._job.target.parent)

    def advance(self) -> Iterator[Pair]:
        """Denoise the frames that have come since, and yield each; ReplacedError if the stack is another one."""
        with _opened(self._job.source) as image:
            if image.pixels.shape[-2:] != self._shape or len(image.pixels) < self.count:
                raise ReplacedError(f"{self._job.source}: has become another stack")
            # Frames may be looked at that come after the one that is restored.
            looked_at = max(self._session.model.frames, self._joined)
            seen = together.joined(image.pixels, self._joined)
            there = len(image.pixels) - looked_at // 2 if len(image.pixels) >= looked_at else 0
            while self.count < there:
                (after,) = pipeline.denoise_frames(
                    seen, self._session, tile=self._tile, scaling=self._scale, which=[self.count]
                )
                self.count += 1
                yield Pair(image.pixels[self.count - 1], after)

    def finish(self, *, overwrite: bool) -> list[Result]:
        """Write the result of the whole file; frames that are as they were are not denoised again."""
        run = _Settled(self._session, self._reason)
        results = batch.run([self._job], run, overwrite=overwrite, resume=True, tile=self._tile, scaling=self._scale)
        with closing(results):
            return list(results)

    def close(self) -> None:
        """Let go of what was kept."""
        self._session.close()


class Remembering(Session):
    """A model that does no tile twice: what it made is kept in a file without a name, which goes with the program.

    Parameters
    ----------
    session
        The model.
    folder
        Where there is room.
    """

    def __init__(self, session: Session, folder: Path) -> None:
        super().__init__(session.model, None, session.device, session.fallback)
        self._session = session
        self._file = TemporaryFile(dir=folder, prefix=".temclean-")  # noqa: SIM115
        self._places: dict[bytes, tuple[int, tuple[int, ...]]] = {}
        self._room = True

    def run(self, batch: Floats) -> Floats:
        """Restore a batch, or give again what was made of it."""
        key = hashlib.blake2b(repr(batch.shape).encode() + batch.tobytes(), digest_size=16).digest()
        if key in self._places:
            place, shape = self._places[key]
            self._file.seek(place)
            kept = bytearray(self._file.read(math.prod(shape) * batch.itemsize))
            return np.frombuffer(kept, np.float32).reshape(shape)
        restored = self._session.run(batch)
        if self._room:
            try:
                place = self._file.seek(0, 2)
                self._file.write(restored.tobytes())
                self._places[key] = place, restored.shape
            except OSError:  # the disk is full: what is not kept is done again
                self._room = False
        return restored

    def close(self) -> None:
        """Remove the file."""
        self._file.close()


class _Settled(OneSession):
    """The one model that has been chosen, and why."""

    def __init__(self, session: Session, reason: str | None) -> None:
        super().__init__(session)
        self._reason = reason

    def settle(self, job: Job, image: io.Image | None = None) -> tuple[Job, Model, str | None]:
        return job, self._only.model, self._reason


def _opened(path: Path) -> io.Image:
    image = io.read_unfinished(path)
    if image is None:
        raise ImageError(f"{path}: its format does not tell where its frames lie before it is finished")
    return image
