"""What ends a command from outside: Ctrl-C and SIGTERM, which a queue sends before it kills, both in the same way."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, NoReturn


class Interrupts:
    """Raises KeyboardInterrupt on both signals, and remembers it.

    A compiled module that is interrupted while it loads may make an ImportError of its own of it, as if the
    package were not there: ``came`` says what it was.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def _raise(self, number: int, frame: FrameType | None) -> NoReturn:
        self.came = True
        raise KeyboardInterrupt

    def __enter__(self) -> "Interrupts":
        if threading.current_thread() is threading.main_thread():  # no other may set them
            for number in (signal.SIGINT, signal.SIGTERM):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._raise)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
