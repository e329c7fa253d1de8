"""Workers of Dask that die in the midst of their work, or lack what they need."""

import os
import signal
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from distributed import WorkerPlugin


class Dying(WorkerPlugin):
    """Kills the process of a worker by SIGKILL when it has written a frame, but not yet said so.

    Parameters
    ----------
    mark
        A file that the first to die makes, and where it is nobody dies any more; None: all die.
    frame
        Which frame of the movie that is.
    """

    name = "dying"

    def __init__(self, mark: Path | None, frame: int) -> None:
        self.mark, self.frame = mark, frame

    def setup(self, worker: Any) -> None:
        from temclean.io.omezarr import writer

        self.put = writer.put
        writer.put = self.write

    def teardown(self, worker: Any) -> None:
        from temclean.io.omezarr import writer

        writer.put = self.put

    def write(self, array: Any, index: int, frame: Any) -> None:
        self.put(array, index, frame)
        if index == self.frame and (self.mark is None or not self.mark.exists()):
            if self.mark is not None:
                self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def lose(module: str, again: bool = False) -> None:
    """Let a worker have no such module, or have it again."""
    if again:
        sys.modules[module] = LOST.pop(module)
    else:
        LOST[module], sys.modules[module] = sys.modules[module], None  # type: ignore[assignment]


LOST: dict[str, ModuleType] = {}


def blind(path: str) -> None:
    """Let a worker see no such file, as where a disk is not mounted; without one it sees all again."""
    exists = getattr(Path.exists, "before", Path.exists)

    def seen(self: Path) -> bool:
        return str(self) != path and bool(exists(self))

    seen.before = exists  # type: ignore[attr-defined]
    Path.exists = seen if path else exists  # type: ignore[method-assign]
