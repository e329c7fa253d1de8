"""Hand frames from one thread to another, a few at a time: those read ahead, and those on their way to a file."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition
from types import TracebackType
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

from temclean.evidence.samples import Frames

Frame = NDArray[Any]
Item = TypeVar("Item")


class ReadAhead:
    """Frames of which the next one is being read while the last one is worked on.

    Parameters
    ----------
    frames
        Where they come from.
    whole
        Read all of them at once, here and now.

    Attributes
    ----------
    held
        Whether that was done.
    """

    def __init__(self, frames: Frames, *, whole: bool) -> None:
        self.shape = tuple(frames.shape)
        self.dtype = frames.dtype
        self._frames = frames
        self._held = [frames[index] for index in range(len(frames))] if whole else None
        self.held = whole
        self._reader = ThreadPoolExecutor(1, "temclean-frame")
        self._expected: tuple[int, Future[Frame]] | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        if self._held is not None:
            return self._held[index]
        expected, self._expected = self._expected, None
        hit = expected is not None and expected[0] == index
        frame = expected[1].result() if expected and hit else self._frames[index]
        if index + 1 < len(self):
            self._expected = index + 1, self._reader.submit(self._frames.__getitem__, index + 1)
        return frame

    def __enter__(self) -> "ReadAhead":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.shutdown(cancel_futures=True)


class QueueClosedError(Exception):
    """The other side has stopped."""


class FrameQueue(Generic[Item]):
    """A bounded queue of frames, or of frames and what goes with each, that either side can end.

    One thread calls ``put`` and then ``close``; another iterates. ``put`` waits while ``room`` frames are on their way.

    Parameters
    ----------
    room
        Frames that may wait to be taken.

    Examples
    --------
    >>> import numpy as np
    >>> queue = FrameQueue(room=2)
    >>> queue.put(np.zeros((2, 2)))
    >>> queue.close()
    >>> [frame.shape for frame in queue]
    [(2, 2)]
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._frames: deque[Item] = deque()
        self._changed = Condition()
        self._closed = False
        self._abandoned = False
        self._error: BaseException | None = None

    def put(self, frame: Item) -> None:
        """Send a frame; raise ``QueueClosedError`` if nobody will take it."""
        with self._changed:
            self._changed.wait_for(lambda: self._abandoned or len(self._frames) < self._room)
            if self._abandoned:
                raise QueueClosedError
            self._frames.append(frame)
            self._changed.notify_all()

    def close(self, error: BaseException | None = None) -> None:
        """Say that no more frames come; with an error, the taking side raises it at once."""
        with self._changed:
            self._closed = True
            self._error = error
            self._changed.notify_all()

    def abandon(self) -> None:
        """Say that no more frames are wanted."""
        with self._changed:
            self._abandoned = True
            self._frames.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Item]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._closed)
                if self._error is not None:
                    raise self._error
                if not self._frames:
                    return
                frame = self._frames.popleft()
                self._changed.notify_all()
            yield frame
            del frame
