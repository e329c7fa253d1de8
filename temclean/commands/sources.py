"""Inputs while they are read: held open, so that a change on the way is noticed and no result mixes two files."""

import hashlib
import os
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from temclean.errors import FileError

_SHARE = 50
"""A folder of many files is looked through again when this many times as long has passed as that takes."""


class Source:
    """A file, or a folder that is an image, that must not change from here on; use it in a ``with`` block.

    A file's number cannot go to another file while it is held open.

    Attributes
    ----------
    sha256 : str
        Of its content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = None
        self._next = 0.0
        with ExitStack() as closing:
            if not path.is_dir():
                self._file = closing.enter_context(path.open("rb"))
            self._began = self._now()
            self.sha256 = digest(path)
            closing.pop_all()

    def check(self) -> None:
        """Raise FileError if the file has changed, or another one has come in its place.

        Of a folder that is looked for now and then, so that it takes no more than a fiftieth of the time.
        """
        began = time.monotonic()
        if began < self._next:
            return
        try:
            same = self._now() == self._began and (self._file is None or _marks(self.path.stat()) == self._began)
        except FileNotFoundError:
            same = False
        if not same:
            raise FileError(f"{self.path}: has changed while it was read; run it again when it is finished")
        if self._file is None:
            ended = time.monotonic()
            self._next = ended + _SHARE * (ended - began)

    def _now(self) -> object:
        if self._file is not None:
            return _marks(os.fstat(self._file.fileno()))
        return [(path, _marks(path.stat())) for path in _files(self.path)]

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's content; of a folder, of the names and contents of all files in it, in order."""
    if not path.is_dir():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    summed = hashlib.sha256()
    for each in _files(path):
        summed.update(f"{each.relative_to(path).as_posix()}\0{digest(each)}\n".encode("utf-8", "surrogateescape"))
    return summed.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _marks(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
