"""Files and folders being written: what their names say, and which of them a run that was killed has left."""

import os
import platform
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile

HOST = sha256(platform.node().encode()).hexdigest()[:6]
DAY = 86400.0
_NAME = re.compile(r"\.(?P<stem>.+)\.(?P<host>[0-9a-f]{6})-(?P<process>\d+)-[0-9a-f]{8}\.part", re.DOTALL)


def stem(path: Path) -> str:
    """Return what the names of all unfinished files of a result begin with: up to 100 bytes of its own name."""
    return os.fsencode(path.name)[:100].decode(errors="ignore")


def writer() -> str:
    """Name this process, and its machine, as others may write into the same folder."""
    return f"{HOST}-{os.getpid()}"


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def clear(targets: Iterable[Path]) -> None:
    """Remove the unfinished files of these results, but for those that another run is still writing.

    Of a run on another machine that is not known, nor of other results whether they are still wanted: what such runs
    left in the same folders goes when nothing has been written to it for a day.
    """
    folders: dict[Path, set[str]] = {}
    for target in targets:
        folders.setdefault(target.parent, set()).add(stem(target))
    for folder, stems in folders.items():
        for path in folder.glob(".*.part"):
            made = _NAME.fullmatch(path.name)
            if made is None:
                continue
            here = made["host"] == HOST
            if not (here and _runs(made["process"])) and ((here and made["stem"] in stems) or _is_old(path)):
                with suppress(OSError):  # on Windows, where it is in use
                    remove(path)


def is_written(owner: Path, mark: Path, *, unsure: bool) -> bool:
    """Return whether the process that `owner` names is still at work, as :func:`writer` names one.

    Of another machine's that is not known: then `unsure`, but not where nothing was written to `mark` for a day.
    """
    try:
        host, _, process = owner.read_text().partition("-")
    except FileNotFoundError:
        return False
    return _runs(process) if host == HOST else unsure and not _is_old(mark)


def _is_old(path: Path) -> bool:
    """Return whether nothing was written for a day, by the clock of the disk: a share's is not this machine's."""
    try:
        with TemporaryFile(dir=path.parent) as now:
            return os.fstat(now.fileno()).st_mtime - path.stat().st_mtime > DAY
    except OSError:
        return False


def _runs(process: str) -> bool:
    """Return whether another process of this number runs. On Windows the file itself tells, as it cannot be removed."""
    if os.name == "nt" or not process.isdecimal() or int(process) == os.getpid():
        return False
    try:
        os.kill(int(process), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return True
