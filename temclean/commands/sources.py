"""Inputs while they are read: held open, so that a change on the way is noticed and no result mixes two files."""

import hashlib
import os
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from temclean.errors import FileError


class Source:
    """A file that must not change from here on; use it in a ``with`` block.

    Its number cannot go to another file while it is held open.

    Attributes
    ----------
    sha256 : str
        Of its content.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with ExitStack() as closing:
            self._file = closing.enter_context(path.open("rb"))
            self._began = _marks(os.fstat(self._file.fileno()))
            self.sha256 = hashlib.file_digest(self._file, "sha256").hexdigest()
            closing.pop_all()

    def check(self) -> None:
        """Raise FileError if the file has changed, or another one has come in its place."""
        try:
            now = {_marks(self.path.stat()), _marks(os.fstat(self._file.fileno()))}
        except FileNotFoundError:
            now = set()
        if now != {self._began}:
            raise FileError(f"{self.path}: has changed while it was read; run it again when it is finished")

    def __enter__(self) -> "Source":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _marks(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
