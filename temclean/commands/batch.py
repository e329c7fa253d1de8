"""Denoise many files, with reading, running and writing side by side, and keep one record of each."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from temclean import io
from temclean.commands.frame_queue import FrameQueue, QueueClosedError
from temclean.commands.jobs import Job
from temclean.commands.opening import SMALL, Opened, foresee, open_job, size
from temclean.commands.records import Result, failed, refused
from temclean.commands.sessions import OneSession, Sessions
from temclean.evidence.findings import Findings
from temclean.io import Array, temporary
from temclean.restoration import cautions, pipeline, windows
from temclean.restoration.models import Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.shipped import available
from temclean.restoration.together import Order

AHEAD = 2
"""Files that are opened before their turn, and results that may wait to be written."""

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


def rehearse(job: Job, sessions: Sessions, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job, as :func:`foresee` does, but open the input too: one may be unreadable."""
    if job.target is None or job.problem:
        return refused(job)
    try:
        job, model, choice = sessions.settle(job)
        foreseen = replace(foresee(job, model, overwrite=overwrite, resume=resume), model=model.name, choice=choice)
        if foreseen.status != "planned":
            return foreseen
        with io.read(job.source, job.image) as image:
            shape, dtype = tuple(image.pixels.shape), str(image.pixels.dtype)
            windows.check(Order.of(shape, image.axes).length, model)
            return replace(foreseen, warnings=image.warnings, shape=shape, dtype=dtype)
    except Exception as error:
        return failed(job, error)


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
    opening: deque[Future[Opened | Result]] = deque()
    writing: deque[Future[Result]] = deque()
    opened: Opened | Result | None = None
    queue = FrameQueue[Passing](room=1)

    def open_next() -> None:
        for job in waiting:
            opening.append(reader.submit(open_job, job, sessions, overwrite, resume, scaling))
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
            room = 0 if size(opened.pixels) > LARGE else AHEAD
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
            if not future.cancelled() and isinstance(left := future.result(), Opened):
                left.closing.close()
        if isinstance(opened, Opened):
            opened.closing.close()


def _denoise(
    opened: Opened,
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
    provenance = opened.facts(session.device, cut)
    conversion = opened.conversion()
    if line := cautions.of_steps(conversion.dtype, scaling):
        opened.image.warn(line)
    levels: list[float] = []
    found: list[Findings] = []
    compare: list[Callable[[], None]] = []

    def caution() -> None:
        opened.notes.extend(filter(None, (cautions.of_straying(found), *cautions.of_defects(found))))
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
            conversion.before(opened.seen()),
            session,
            tile=tile,
            scaling=scaling,
            order=opened.order,
            progress=advance,
            noise=levels.append,
            findings=found.append,
            later=compare.append if size(pixels) // len(pixels) <= SMALL else None,
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
    opened: Opened,
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
    return opened.done(session.device)


def _finished(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _targets(job: Job) -> list[Path]:
    """Return where the result of a job may go: with a model that is yet to be chosen, to one place of several."""
    if job.before is None:
        return [job.target] if job.target else []
    return [place for name in available() if (place := job.named(name).target)]
