"""The empty files in a job's folder by which RELION and a job tell each other how it stands.

They are those of RELION's documentation of its External jobs (relion.readthedocs.io, Reference, Using RELION).
"""

from contextlib import suppress
from pathlib import Path

SUCCESS, FAILURE, ABORTED = (f"RELION_JOB_EXIT_{how}" for how in ("SUCCESS", "FAILURE", "ABORTED"))
ABORT_NOW = "RELION_JOB_ABORT_NOW"
"""Which the user's wish to end a job leaves there."""


def begin(folder: Path) -> None:
    """Make a job's folder, and take away what an earlier run of the job left."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (SUCCESS, FAILURE, ABORTED, ABORT_NOW):
        (folder / name).unlink(missing_ok=True)


def is_to_end(folder: Path) -> bool:
    """Return whether the user wants the job to end."""
    return (folder / ABORT_NOW).exists()


def end(folder: Path, how: str) -> None:
    """Say how a job has ended, where its folder can be written; whoever called says why."""
    with suppress(OSError):
        (folder / ABORT_NOW).unlink(missing_ok=True)
        (folder / how).touch()
