"""Denoise many files, with reading, running and writing side by side, and keep one record of each."""

import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from temclean import __version__, io
from temclean.commands.conversion import Conversion
from temclean.commands.earlier import foresee
from temclean.commands.jobs import Job
from temclean.commands.records import Result, failed, refused
from temclean.commands.sessions import OneSession, Sessions
from temclean.commands.sources import Source
from temclean.errors import FileError
from temclean.evidence.findings import Findings
from temclean.io import Array, temporary
from temclean.restoration import cautions, pipeline, windows
from temclean.restoration.frame_queue import FrameQueue, QueueClosedError, ReadAhead
from temclean.restoration.models import Model, Session
from temclean.restoration.scaling import Frames, Scaling
from temclean.restoration.shipped import available
from temclean.restoration.together import Together

AHEAD = 2
"""Files that are opened before their turn, and results that may wait to be written."""

SMALL = 2**26
"""Bytes up to which an image is read as a whole before its turn."""

LARGE = 2**24
"""Bytes above which an image waits until the results before it are written, and is waited for."""


class Progress(Protocol):
    """Who is told how far a run has come."""

    def begin(self, job: Job, tiles: int) -> None:
        """Start a file that takes so many tiles."""

    def advance(self, tiles: int) -> None:
        """Note that so many tiles of this file are done."""


Passing = tuple[Array, Callable[[], None] | None]
"""A frame on its way to the file, and what compares it with the raw one first, while the network goes on."""


class InterruptedRunError(Exception):
    """The run was given up before this file was whole."""


@dataclass(frozen=True)
class _Opened:
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


def run(
    jobs: Iterable[Job],
    session: Session | Sessions,
    *,
    overwrite: bool = False,
    resume: bool = False,
    tile: int | None = None,
    progress: Progress | None = None,
    scaling: Scaling | None = None,
) -> Generator[Result]:
    """Denoise the jobs and yield a record of each, in their order; one that fails does not stop the others.

    While one file runs, the next is being read and the last being written. Close the iterator to give up: every
    result that is there is whole.

    Parameters
    ----------
    session
        A model for all of them, or what chooses one for each.
    overwrite, resume
        As in `earlier.foresee`.
    tile
        Side of a tile in pixels; None lets the pipeline choose.
    progress
        Is told about every file and tile.
    scaling
        Of all of them, where it is known; else it is measured on each.
    """
    jobs = list(jobs)
    sessions = session if isinstance(session, Sessions) else OneSession(session)
    temporary.clear(target for job in jobs for target in _targets(job))
    reader = ThreadPoolExecutor(1, "temclean-read")
    writer = ThreadPoolExecutor(1, "temclean-write")
    waiting = iter(jobs)
    opening: deque[Future[_Opened | Result]] = deque()
    writing: deque[Future[Result]] = deque()
    opened: _Opened | Result | None = None
    queue = FrameQueue[Passing](room=1)

    def open_next() -> None:
        for job in waiting:
            opening.append(reader.submit(_open, job, sessions, overwrite, resume, scaling))
            return

    def written(room: int) -> Iterator[Result]:
        while writing and (len(writing) > room or writing[0].done()):
            yield writing.popleft().result()

    try:
        for _ in range(AHEAD):
            open_next()
        while opening:
            opened = opening.popleft().result()
            open_next()
            if isinstance(opened, Result):
                writing.append(_finished(opened))
                yield from written(AHEAD)
                continue
            # Before and after what takes long or much memory, nothing is left waiting.
            room = 0 if _size(opened.pixels) > LARGE else AHEAD
            yield from written(room)
            queue = FrameQueue[Passing](room=1)
            ready = sessions.session(opened.model, opened.choice)
            writing.append(_denoise(opened, ready, tile, queue, writer, progress))
            yield from written(room)
        yield from written(0)
    finally:
        queue.close(InterruptedRunError())
        reader.shutdown(cancel_futures=True)
        writer.shutdown(cancel_futures=True)
        for future in opening:
            if not future.cancelled() and isinstance(left := future.result(), _Opened):
                left.closing.close()
        if isinstance(opened, _Opened):
            opened.closing.close()


def _open(job: Job, sessions: Sessions, overwrite: bool, resume: bool, scaling: Scaling | None) -> _Opened | Result:
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
        pixels = closing.enter_context(ReadAhead(image.pixels, whole=_size(image.pixels) <= SMALL))
        windows.check(pixels.shape, model)
        scaling = scaling or pipeline.scaling(pixels, model)
        source.check()
    except Exception as error:
        closing.close()
        return failed(job, error)
    return _Opened(job, model, choice, image, pixels, scaling, source, replacing, resume, began, closing)


def _denoise(
    opened: _Opened,
    session: Session,
    tile: int | None,
    queue: FrameQueue[Passing],
    writer: ThreadPoolExecutor,
    progress: Progress | None,
) -> Future[Result]:
    """Run the network over the frames in this thread while another writes them."""
    pixels, scaling = opened.pixels, opened.scaling
    try:
        cut = pipeline.plan((pixels.shape[-2], pixels.shape[-1]), session.model, tile)
    except Exception as error:
        opened.closing.close()
        return _finished(failed(opened.job, error, opened.image.warnings))
    provenance: dict[str, object] = {
        "temclean": __version__,
        "model": session.model.name,
        "model_sha256": session.model.sha256,
        "device": session.device,
        "tile": "x".join(map(str, cut.tile)),
        "scaling_low": scaling.low,
        "scaling_high": scaling.high,
        "input": opened.job.source.name,
        "input_sha256": opened.source.sha256,
    }
    job, frames = opened.job, session.model.frames
    wishes = {"choice": opened.choice, "dtype": job.dtype, "image": job.image, "blend": job.blend or None}
    wishes["frames"] = frames if frames > 1 else None
    wishes["joined"] = job.joined if job.joined > 1 else None
    provenance |= {name: value for name, value in wishes.items() if value is not None}
    conversion = Conversion(pixels.dtype, job.dtype, job.blend, job.joined > 1)
    if line := cautions.of_steps(conversion.dtype, scaling):
        opened.image.warn(line)
    levels: list[float] = []
    found: list[Findings] = []
    compare: list[Callable[[], None]] = []

    def caution() -> None:
        for line in (cautions.of_noise(levels), *cautions.of_findings(found), conversion.caution()):
            if line:
                opened.image.warn(line)

    written = writer.submit(_write, opened, queue, caution, session, provenance)
    written.add_done_callback(lambda _: opened.closing.close())  # a run given up cancels it before it has begun
    try:
        advance = progress.advance if progress else None
        if progress:
            progress.begin(opened.job, len(pixels) * len(cut))
        for frame in pipeline.denoise_frames(
            conversion.before(Together(pixels, job.joined) if job.joined > 1 else pixels),
            session,
            tile=tile,
            scaling=scaling,
            progress=advance,
            noise=levels.append,
            findings=found.append,
            later=compare.append if _size(pixels) // len(pixels) <= SMALL else None,
        ):
            if not pixels.held:
                opened.source.check()
            queue.put((conversion.after(frame), compare.pop() if compare else None))
        queue.close()
    except QueueClosedError:
        pass  # the writer has failed, and its record says why
    except Exception as error:
        queue.close(error)
    return written


def _compared(queue: FrameQueue[Passing], caution: Callable[[], None]) -> Iterator[Array]:
    """Hand on the frames, each compared with its raw one, and warn of what that showed of them all."""
    for frame, compare in queue:
        if compare:
            compare()
            del compare  # it holds the raw frame
        yield frame
    caution()


def _write(
    opened: _Opened,
    queue: FrameQueue[Passing],
    caution: Callable[[], None],
    session: Session,
    provenance: dict[str, object],
) -> Result:
    job, image = opened.job, opened.image
    if job.target is None:
        raise AssertionError(job)
    try:
        with opened.closing:
            io.write(job.target, image, _compared(queue, caution), provenance, replace=opened.replace)
    except Exception as error:
        if opened.resume and foresee(job, session.model, resume=True).status == "kept":  # another run was faster
            name = opened.model.name
            return Result(str(job.source), str(job.target), "kept", image=job.image, model=name, choice=opened.choice)
        return failed(job, error, image.warnings)
    finally:
        queue.abandon()
    return Result(
        str(job.source),
        str(job.target),
        "done",
        warnings=tuple(image.warnings),
        shape=tuple(image.pixels.shape),
        dtype=job.dtype or str(image.pixels.dtype),
        device=session.device,
        seconds=round(time.perf_counter() - opened.began, 4),
        image=job.image,
        model=opened.model.name,
        choice=opened.choice,
    )


def _finished(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _targets(job: Job) -> list[Path]:
    """Return where the result of a job may go: with a model that is yet to be chosen, to one place of several."""
    if job.before is None:
        return [job.target] if job.target else []
    return [place for name in available() if (place := job.named(name).target)]


def _size(pixels: Frames) -> int:
    return math.prod(pixels.shape) * pixels.dtype.itemsize
