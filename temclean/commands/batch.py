"""Denoise many files, with reading, running and writing side by side, and keep one record of each."""

import math
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from temclean import __version__, io
from temclean.commands import earlier
from temclean.commands.conversion import Conversion
from temclean.commands.jobs import Job
from temclean.commands.sources import Source
from temclean.errors import FileError, MissingExtraError, TemcleanError
from temclean.evidence.findings import Findings
from temclean.io import temporary
from temclean.restoration import cautions, pipeline
from temclean.restoration.frame_queue import FrameQueue, QueueClosedError, ReadAhead
from temclean.restoration.models import Model, Session
from temclean.restoration.scaling import Frames, Scaling

AHEAD = 2
"""Files that are opened before their turn, and results that may wait to be written."""

SMALL = 2**26
"""Bytes up to which an image is read as a whole before its turn."""

LARGE = 2**24
"""Bytes above which an image waits until the results before it are written, and is waited for."""


@dataclass(frozen=True)
class Result:
    """What became of one input.

    Attributes
    ----------
    status : ``done``; ``kept``, where an earlier run had done it; ``failed``; ``planned``, in a dry run.
    error : why it failed, in one line.
    missing_extra : whether it failed for want of an optional package, which ``error`` names.
    image : which of several images of its file it is.
    warnings : what its reader, the network's result and its writer gave cause to say, a line each.
    seconds : from opening the input to the finished result, waiting included.
    """

    input: str
    output: str | None
    status: Literal["done", "kept", "failed", "planned"]
    error: str | None = None
    warnings: tuple[str, ...] = ()
    shape: tuple[int, ...] | None = None
    dtype: str | None = None
    device: str | None = None
    seconds: float | None = None
    missing_extra: bool = False
    image: str | None = None


class Progress(Protocol):
    """Who is told how far a run has come."""

    def begin(self, job: Job, tiles: int) -> None:
        """Start a file that takes so many tiles."""

    def advance(self, tiles: int) -> None:
        """Note that so many tiles of this file are done."""


class InterruptedRunError(Exception):
    """The run was given up before this file was whole."""


@dataclass(frozen=True)
class _Opened:
    job: Job
    image: io.Image
    pixels: ReadAhead
    scaling: Scaling
    source: Source
    replace: bool
    resume: bool
    began: float
    closing: ExitStack


def foresee(job: Job, model: Model, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job: ``planned``, ``kept`` or ``failed``; nothing is written.

    A result that is there already is kept with ``resume`` if this model made it of this input, or made again if it is
    damaged; replaced with ``overwrite``; and otherwise in the way.
    """
    source = str(job.source)
    if job.target is None or job.problem:
        return Result(source, None, "failed", job.problem, image=job.image)
    if os.path.lexists(job.target):
        ours = resume and earlier.is_result_of(job, job.target, model)
        if ours and earlier.is_whole(job.target):
            return Result(source, str(job.target), "kept", image=job.image)
        if not overwrite and not ours:
            remedy = (
                "is not what this model makes of this input; --overwrite replaces it"
                if resume
                else "exists; --overwrite replaces it, --resume keeps it"
            )
            return Result(source, None, "failed", f"{job.target} {remedy}", image=job.image)
    return Result(source, str(job.target), "planned", image=job.image)


def rehearse(job: Job, model: Model, *, overwrite: bool = False, resume: bool = False) -> Result:
    """Return what a run would do with a job, as :func:`foresee` does, but open the input too: one may be unreadable."""
    foreseen = foresee(job, model, overwrite=overwrite, resume=resume)
    if foreseen.status != "planned":
        return foreseen
    try:
        with io.read(job.source, job.image) as image:
            shape, dtype = tuple(image.pixels.shape), str(image.pixels.dtype)
            return replace(foreseen, warnings=image.warnings, shape=shape, dtype=dtype)
    except Exception as error:
        return _failed(job, error)


def run(
    jobs: Iterable[Job],
    session: Session,
    *,
    overwrite: bool = False,
    resume: bool = False,
    tile: int | None = None,
    progress: Progress | None = None,
) -> Generator[Result]:
    """Denoise the jobs and yield a record of each, in their order; one that fails does not stop the others.

    While one file runs, the next is being read and the last being written. Close the iterator to give up: every
    result that is there is whole.

    Parameters
    ----------
    overwrite, resume
        As in :func:`foresee`.
    tile
        Side of a tile in pixels; None lets the pipeline choose.
    progress
        Is told about every file and tile.
    """
    jobs = list(jobs)
    temporary.clear(job.target for job in jobs if job.target)
    reader = ThreadPoolExecutor(1, "temclean-read")
    writer = ThreadPoolExecutor(1, "temclean-write")
    waiting = iter(jobs)
    opening: deque[Future[_Opened | Result]] = deque()
    writing: deque[Future[Result]] = deque()
    opened: _Opened | Result | None = None
    queue = FrameQueue(room=1)

    def open_next() -> None:
        for job in waiting:
            opening.append(reader.submit(_open, job, session.model, overwrite, resume))
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
            queue = FrameQueue(room=1)
            writing.append(_denoise(opened, session, tile, queue, writer, progress))
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


def _open(job: Job, model: Model, overwrite: bool, resume: bool) -> _Opened | Result:
    """Open the input of a job, and read it if it is small; fail now where its result could not be written."""
    began = time.perf_counter()
    closing = ExitStack()
    try:
        foreseen = foresee(job, model, overwrite=overwrite, resume=resume)
        if foreseen.status != "planned" or job.target is None:
            return foreseen
        replace = overwrite or os.path.lexists(job.target)
        folder = job.target.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise FileError(f"the folder {folder} is read-only; give another one with -o")
        source = closing.enter_context(Source(job.source))
        image = closing.enter_context(io.read(job.source, job.image))
        pixels = closing.enter_context(ReadAhead(image.pixels, whole=_size(image.pixels) <= SMALL))
        scaling = pipeline.scaling(pixels, model)
        source.check()
    except Exception as error:
        closing.close()
        return _failed(job, error)
    return _Opened(job, image, pixels, scaling, source, replace, resume, began, closing)


def _denoise(
    opened: _Opened,
    session: Session,
    tile: int | None,
    queue: FrameQueue,
    writer: ThreadPoolExecutor,
    progress: Progress | None,
) -> Future[Result]:
    """Run the network over the frames in this thread while another writes them."""
    pixels, scaling = opened.pixels, opened.scaling
    try:
        cut = pipeline.plan((pixels.shape[-2], pixels.shape[-1]), session.model, tile)
    except Exception as error:
        opened.closing.close()
        return _finished(_failed(opened.job, error, opened.image.warnings))
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
    if opened.job.dtype:
        provenance["dtype"] = opened.job.dtype
    if opened.job.image is not None:
        provenance["image"] = opened.job.image
    conversion = Conversion(pixels.dtype, opened.job.dtype)
    if caution := cautions.of_steps(conversion.dtype, scaling):
        opened.image.warn(caution)
    levels: list[float] = []
    found: list[Findings] = []
    written = writer.submit(_write, opened, queue, session, provenance)
    written.add_done_callback(lambda _: opened.closing.close())  # a run given up cancels it before it has begun
    try:
        advance = progress.advance if progress else None
        if progress:
            progress.begin(opened.job, len(pixels) * len(cut))
        for frame in pipeline.denoise_frames(
            conversion.before(pixels),
            session,
            tile=tile,
            scaling=scaling,
            progress=advance,
            noise=levels.append,
            findings=found.append,
        ):
            if not pixels.held:
                opened.source.check()
            queue.put(conversion.after(frame))
        for caution in (cautions.of_noise(levels), *cautions.of_findings(found), conversion.caution()):
            if caution:
                opened.image.warn(caution)
        queue.close()
    except QueueClosedError:
        pass  # the writer has failed, and its record says why
    except Exception as error:
        queue.close(error)
    return written


def _write(opened: _Opened, queue: FrameQueue, session: Session, provenance: dict[str, object]) -> Result:
    job, image = opened.job, opened.image
    if job.target is None:
        raise AssertionError(job)
    try:
        with opened.closing:
            io.write(job.target, image, queue, provenance, replace=opened.replace)
    except Exception as error:
        if opened.resume and foresee(job, session.model, resume=True).status == "kept":  # another run was faster
            return Result(str(job.source), str(job.target), "kept", image=job.image)
        return _failed(job, error, image.warnings)
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
    )


def _finished(result: Result) -> Future[Result]:
    future: Future[Result] = Future()
    future.set_result(result)
    return future


def _failed(job: Job, error: Exception, warnings: Iterable[str] = ()) -> Result:
    missing = isinstance(error, MissingExtraError)
    text = describe(error, job.source)
    source = str(job.source)
    return Result(source, None, "failed", text, tuple(warnings), missing_extra=missing, image=job.image)


def describe(error: Exception, path: Path) -> str:
    """Return one line about an error, without the path if the line begins with it."""
    if isinstance(error, TemcleanError):
        text = str(error)
    elif isinstance(error, OSError):
        text = f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    elif isinstance(error, MemoryError):
        text = "not enough memory; close other programs or give a smaller --tile"
    else:
        text = f"unexpected {type(error).__name__}: {error}; please report it"
    return " ".join(text.removeprefix(f"{path}: ").split())


def _size(pixels: Frames) -> int:
    return math.prod(pixels.shape) * pixels.dtype.itemsize
