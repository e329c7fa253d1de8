"""The files that training writes: it takes no other file's place unasked, and what cannot be written shows at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from temclean.errors import FileError, ParameterError, TemcleanError


def named(out: Path, suffix: str, what: str) -> Path:
    """Return the name of an output, which must have a suffix: another would be that of another file of the run."""
    if out.suffix != suffix:
        raise ParameterError(f"{out}: a {what}'s name ends in {suffix}; give -o {out.with_suffix(suffix)}")
    return out


def ready(checkpoint: Path, results: Sequence[Path], resume: bool, overwrite: bool) -> None:
    """Make sure, before any work, that a run may write its files and that it can.

    Parameters
    ----------
    checkpoint : kept while it trains.
    results : written in the end.
    resume, overwrite : whether it goes on from the checkpoint, and may replace what is there.

    Raises
    ------
    FileError : something is there that would be lost, or nothing can be written there.
    """
    for path in (*results, checkpoint):
        if path.is_dir():
            raise FileError(f"{path} is a folder, and a file is to be written there; give another -o")
    for path in results:
        if path.exists() and not overwrite:
            raise FileError(f"{path} exists; --overwrite replaces it")
    if checkpoint.exists() and not resume and not overwrite:
        raise FileError(f"{checkpoint} exists; --resume goes on from it, --overwrite begins anew")
    part = checkpoint.with_suffix(".part")
    try:
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        part.open("ab").close()
        part.unlink(missing_ok=True)
    except OSError as error:
        out = results[0] if results else checkpoint
        why = "is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise FileError(f"{out}: cannot be written ({error.filename}: {why}); give another -o") from error


@contextmanager
def written(out: Path, *others: type[Exception]) -> Iterator[None]:
    """Say of which file it is that writing fails, as errors do not where a disk is full, and remove the part of it.

    Parameters
    ----------
    out : the file; the part of it has the suffix ``.part``.
    others : what is raised by writing besides OSError.

    Raises
    ------
    FileError : it cannot be written.
    """
    try:
        yield
    except (OSError, *others) as error:
        if isinstance(error, TemcleanError):
            raise
        with suppress(OSError):
            out.with_suffix(".part").unlink()
        reason = error.strerror if isinstance(error, OSError) else "the disk may be full"
        raise FileError(f"{out}: cannot be written ({reason}): free space, and go on with --resume") from error
