"""What ends a command from outside, all in the same way.

Ctrl-C; SIGTERM, which a queue sends before it kills; SIGHUP, which comes when a terminal closes or a connection breaks.
"""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Interrupts:
    """Raises KeyboardInterrupt on these signals, but for those that are ignored, as `nohup` wants it, and remembers it.

    A compiled module that is interrupted while it loads may make an ImportError of its own of it, as if the
    package were not there: ``came`` says what it was.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def _raise(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other may set them
            for number in SIGNALS:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


class AskedToStop(Interrupts):
    """Takes the first signal for a wish to stop when what is in hand is done; the next raises KeyboardInterrupt."""

    def _raise(self, number: int, frame: FrameType | None) -> None:
        if self.came:
            super()._raise(number, frame)
        self.came = True
        # Printing is not safe here: the signal may have come in the middle of a print.
        with suppress(OSError):  # the terminal may have gone
            os.write(2, b"temclean: stops when the file in hand is done; again gives it up\n")

    def asked(self) -> bool:
        """Return whether it is time to stop."""
        return self.came
