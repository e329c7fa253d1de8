"""What became of each input of a run, and errors in one line."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from temclean.commands.jobs import Job
from temclean.errors import ImageError, MissingExtraError, TemcleanError


@dataclass(frozen=True)
class Result:
    """What became of one input.

    Attributes
    ----------
    status : ``done``; ``kept``, where an earlier run had done it; ``failed``; ``planned``, in a dry run.
    error : why it failed, in one line.
    missing_extra : whether it failed for want of an optional package, which ``error`` names.
    image : which of several images of its file it is.
    model : the name of the model, and ``choice`` why it was taken, where nobody named it.
    warnings : what its reader, the network's result and its writer gave cause to say, a line each.
    preview : where the picture of it went, where one was asked for.
    evidence : the files that were written to judge it by, where they were asked for, and ``notes`` what they say.
    structure : how far the residual stands out of what noise leaves of it, where it was asked for.
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
    model: str | None = None
    choice: str | None = None
    preview: str | None = None
    evidence: tuple[str, ...] = ()
    structure: float | None = None
    notes: tuple[str, ...] = ()


def refused(job: Job) -> Result:
    """Return the record of a job that its plan has found a problem with."""
    return Result(str(job.source), None, "failed", job.problem, image=job.image)


def failed(job: Job, error: Exception, warnings: Iterable[str] = ()) -> Result:
    """Return the record of a job that ended with an error."""
    missing = isinstance(error, MissingExtraError)
    text = describe(error, job.source)
    source = str(job.source)
    return Result(source, None, "failed", text, tuple(warnings), missing_extra=missing, image=job.image)


@contextmanager
def naming(path: Path, *others: Path) -> Iterator[None]:
    """Let an error about an image begin with its file, unless it begins with one of these files already."""
    try:
        yield
    except ImageError as error:
        if str(error).startswith(tuple(f"{each}: " for each in (path, *others))):
            raise
        raise ImageError(f"{path}: {error}") from error


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
