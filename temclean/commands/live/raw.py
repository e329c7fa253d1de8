"""Raw frames through a pipe, as camera programs give them: for each frame that comes in one goes out, at once."""

import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import FileIO
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.commands import codes
from temclean.commands.frame_queue import FrameQueue
from temclean.commands.lines import say
from temclean.commands.sessions import Sessions
from temclean.errors import ImageError, ParameterError
from temclean.restoration import cautions, choice, models, pipeline, together, windows
from temclean.restoration.conversion import Conversion
from temclean.restoration.models import Model, Session
from temclean.restoration.scaling import Scaling

STEP = 4
"""Of the pixels that tell whether a frame fits the scale, from one to the next, along rows and columns."""

FAINT = 0.1
"""Share of the scale that a frame spans at least, if the scale is to fit it."""


@dataclass(frozen=True)
class Layout:
    """How a frame lies in a stream: rows and columns, and NumPy's type of a pixel, byte order included."""

    shape: tuple[int, int]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, shape: tuple[int, int] | None, dtype: str | None) -> "Layout":
        """Return the layout that the options say; ParameterError if one is missing."""
        if shape is None or dtype is None:
            raise ParameterError("raw frames say nothing of themselves: give --shape ROWS,COLUMNS and --dtype TYPE")
        return cls(shape, np.dtype(dtype))

    @property
    def size(self) -> int:
        """Bytes of a frame."""
        return self.shape[0] * self.shape[1] * self.dtype.itemsize


class Stream:
    """Frames that are denoised one by one, on one scale of intensities.

    Parameters
    ----------
    model
        None takes the one that fits the first frame.
    sessions
        Opens it.
    scale
        None measures it on the first frame. Frames before it of which all pixels are equal, as from a closed
        shutter, are given back as they are.
    tile
        Side of a tile in pixels; None lets the pipeline choose.
    tell
        Called with a line where a frame does not fit the scale, once.
    joined
        Frames that are taken together; None as many as the model wants.
    """

    def __init__(
        self,
        model: Model | None,
        sessions: Sessions,
        scale: Scaling | None = None,
        tile: int | None = None,
        tell: Callable[[str], object] | None = None,
        joined: int | None = None,
    ) -> None:
        self._sessions, self._scale, self._tile, self._tell = sessions, scale, tile, tell
        self._joined = joined
        self._session: Session | None = sessions.session(model, None) if model else None
        self._held: list[NDArray[Any]] = []
        self.count = 0

    def restore(self, frame: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """Take a frame (rows, columns), and yield it denoised; ImageError if it holds what is no number.

        Where others are looked at beside it, it is given when these have come, or at the :meth:`end`.
        """
        self.count += 1
        if frame.dtype.kind == "f" and not np.isfinite(frame).all():
            raise ImageError(f"frame {self.count} holds NaN or infinite values; is --dtype {frame.dtype} right?")
        if self._scale is None and frame.min() == frame.max():
            yield frame
            return
        if self._session is None:
            chosen = choice.choose(frame)
            self._session = self._sessions.session(models.load(chosen.name), chosen.reason)
        if self._scale is None:
            several = together.count_of(self._session.model, 2, self._joined) > 1
            self._scale = pipeline.scaling(frame[None], self._session.model, joined=several)
        self._compare(frame, self._scale)
        looked_at, before = self._looked_at(self._session.model), len(self._held)
        self._held = [*self._held[-looked_at + 1 :], frame] if looked_at > 1 else [frame]
        if len(self._held) == looked_at:
            middle = looked_at // 2
            yield from self._denoised(self._session, range(middle if before == looked_at else 0, middle + 1))

    def end(self) -> Iterator[NDArray[Any]]:
        """Yield what is left when no frame comes any more; ImageError if there were fewer than the model looks at."""
        if self._held and self._session:
            windows.check(len(self._held), self._session.model)
            looked_at = self._looked_at(self._session.model)
            given = looked_at // 2 + 1 if len(self._held) == looked_at else 0
            yield from self._denoised(self._session, range(given, len(self._held)))

    def _looked_at(self, model: Model) -> int:
        """Return how many frames one is restored from."""
        return max(model.frames, together.count_of(model, 2, self._joined))

    def _denoised(self, session: Session, which: range) -> Iterator[NDArray[Any]]:
        """Denoise these of the frames that are held."""
        frames = np.stack(self._held)
        count = together.count_of(session.model, len(frames), self._joined)
        conversion = Conversion(frames.dtype, joined=count > 1)
        seen = together.joined(frames, count)
        found = pipeline.denoise_frames(seen, session, tile=self._tile, scaling=self._scale, which=which)
        return map(conversion.after, found)

    def _compare(self, frame: NDArray[Any], scale: Scaling) -> None:
        """Say once that a frame does not fit the scale: what lies far beyond stays, what is faint counts for noise."""
        if self._tell is None:
            return
        width = scale.high - scale.low
        low, high = np.percentile(frame[::STEP, ::STEP], (0.5, 99.5))
        if low < scale.low - width or high > scale.high + width or high - low < FAINT * width:
            self._tell(
                f"frame {self.count} lies between {low:.6g} and {high:.6g}, which does not fit the scale, "
                f"{scale.low:.6g} to {scale.high:.6g}, and is denoised badly; start again, or give a --range for all"
            )
            self._tell = None


def run(
    layout: Layout,
    model: Model | None,
    sessions: Sessions,
    *,
    limits: tuple[float, float] | None = None,
    tile: int | None = None,
    quiet: bool = False,
    joined: int | None = None,
) -> int:
    """Denoise what comes in at stdin and send it out at stdout; return the exit code.

    `limits` are the intensities that become 0 and 1, `joined` frames are taken together. The code is 1 where the last
    frame is cut short, none came, or nobody reads the results any more.
    """
    if sys.stdout.isatty():
        raise ParameterError("raw frames are not for a terminal; send them on with | PROGRAM or > FILE")
    scale = Scaling(*limits) if limits else None
    stream = Stream(model, sessions, scale, tile, None if quiet else say, joined)
    if model and not quiet and (line := cautions.of_joined(model, together.count_of(model, 2, joined), joined)):
        say(line)
    reader = _Reader(layout)
    # Unbuffered, so that nothing is held back, and nothing is left that Python would try to write at its end.
    with FileIO(sys.stdout.fileno(), "wb", closefd=False) as out:
        done = 0
        for restored in chain(chain.from_iterable(map(stream.restore, reader.frames())), stream.end()):
            try:
                _write(out, restored.astype(layout.dtype, copy=False))
            except BrokenPipeError:
                say(f"whoever read the frames has gone; {done} were done")
                return codes.FAILED
            done += 1
    if reader.left:
        say(f"the last frame is cut short: {reader.left} of {layout.size} bytes came; {done} were done")
    elif not stream.count:
        say("no frame came in")
    return codes.FAILED if reader.left or not stream.count else codes.DONE


class _Reader:
    """Reads the next frame while one is worked on.

    Attributes
    ----------
    left : bytes of a last frame that is not whole.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._queue = FrameQueue[NDArray[Any]](room=1)
        self.left = 0

    def frames(self) -> Iterator[NDArray[Any]]:
        if sys.stdin is None:
            raise ParameterError("stdin is closed: no raw frames can come through it")
        # A daemon, as nothing ends a read of a camera that is silent.
        threading.Thread(target=self._read, name="temclean-read", daemon=True).start()
        return iter(self._queue)

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            with FileIO(sys.stdin.fileno(), "rb", closefd=False) as source:
                while (buffer := self._one(source)) is not None:
                    frame = np.frombuffer(buffer, self._layout.dtype).reshape(self._layout.shape)
                    self._queue.put(frame.astype(frame.dtype.newbyteorder("="), copy=False))
        except Exception as caught:
            error = caught
        self._queue.close(error)

    def _one(self, source: FileIO) -> bytearray | None:
        """Return a frame's bytes, however small the pieces they come in; None when no whole frame comes any more."""
        try:
            buffer = bytearray(self._layout.size)
        except MemoryError as error:
            raise ParameterError(f"a frame of {self._layout.size} bytes is too large: check --shape") from error
        view, got = memoryview(buffer), 0
        while got < len(buffer):
            count = source.readinto(view[got:])
            if not count:
                self.left = got
                return None
            got += count
        return buffer


def _write(out: FileIO, frame: NDArray[Any]) -> None:
    """Write all of a frame: a pipe may take a part at a time."""
    view = memoryview(frame.tobytes())
    while view:
        view = view[out.write(view) or 0 :]
