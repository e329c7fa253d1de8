"""A page for the browser on this computer that shows the latest frame and its result; nobody else is answered."""

import base64
import hashlib
import json
import re
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from temclean.commands.live.growing import Pair
from temclean.errors import ParameterError

HOST = "127.0.0.1"
NAMES = {HOST, "localhost"}
"""What may stand in a request's Host: a page elsewhere, whose name has been pointed at this computer, has another."""

LARGEST = 1024
"""Pixels along a side; larger frames are shown smaller."""

WAIT = 5.0
"""Seconds that a question for what is new may wait for an answer."""

RECENT = 10.0
"""Seconds over which frames are counted."""


@dataclass(frozen=True)
class State:
    """The latest pair, but for its pixels, as the page is told it."""

    number: int = 0
    name: str = ""
    rows: int = 0
    columns: int = 0
    size: str = ""
    low: float = 0.0
    high: float = 1.0
    lag: float = 0.0
    rate: float = 0.0


class View:
    """Serves the page, in threads of its own, from when it is made until it is closed; use it in a ``with`` block.

    Parameters
    ----------
    port : int
        0 for one that is free.

    Raises
    ------
    ParameterError
        If the port is not free.
    """

    def __init__(self, port: int = 0) -> None:
        self._changed = threading.Condition()
        self._state = State()
        self._pixels = b""
        self._times: deque[float] = deque(maxlen=1000)
        self._open = True
        try:
            self._server = _Server((HOST, port), partial(_Answers, self))
        except OSError as error:
            raise ParameterError(
                f"port {port} cannot be had ({error.strerror}); give another --port, or leave it out"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), name="temclean-view", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://{HOST}:{self._server.server_address[1]}/"

    def show(self, name: str, pair: Pair, lag: float) -> None:
        """Show a frame (rows, columns) and its result, which was there `lag` seconds after the frame was written."""
        before, after = (_small(frame) for frame in (pair.before, pair.after))
        low, high = (float(value) for value in np.percentile(after, (0.5, 99.5)))
        shown = " x ".join(map(str, pair.after.shape))
        size = shown if after.shape == pair.after.shape else f"{shown}, shown at {after.shape[0]} x {after.shape[1]}"
        now = time.monotonic()
        with self._changed:
            self._times.append(now)
            recent = [moment for moment in self._times if now - moment < RECENT]
            rate = (len(recent) - 1) / (now - recent[0]) if len(recent) > 1 and now > recent[0] else 0.0
            number = self._state.number + 1
            rows, columns = after.shape
            self._state = State(number, name, rows, columns, size, low, high, round(lag, 3), round(rate, 3))
            self._pixels = before.tobytes() + after.tobytes()
            self._changed.notify_all()

    def state(self, known: int) -> State:
        """Return what is shown; where that is the pair that is `known`, wait a while for the next."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.number != known or not self._open, WAIT)
            return self._state

    def pixels(self, number: int) -> bytes | None:
        """Return the frame and its result, float32, little-endian; None if that is not the latest pair."""
        with self._changed:
            return self._pixels if number == self._state.number and number else None

    def close(self) -> None:
        """Answer no more."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> "View":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = sys.platform != "win32"  # where it would share a port that is in use

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a browser that closes its page while it is answered is no error."""


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "temclean", ""
    timeout = 30

    def __init__(self, view: View, *arguments: Any) -> None:
        self._view = view
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer one of the three paths."""
        if self._host() not in NAMES:
            self._send(403, "text/plain", b"temclean answers this computer only, at the address that it has printed\n")
            return
        where = urlsplit(self.path)
        if where.path == "/" and not where.query:
            self._send(200, "text/html; charset=utf-8", PAGE)
        elif where.path == "/state" and (asked := re.fullmatch(r"after=(\d{1,15})", where.query)):
            self._send(200, "application/json", json.dumps(asdict(self._view.state(int(asked[1])))).encode())
        elif (number := re.fullmatch(r"/pair/(\d{1,15})", self.path)) and (found := self._view.pixels(int(number[1]))):
            self._send(200, "application/octet-stream", found)
        else:
            self._send(404, "text/plain", b"there is nothing here\n")

    def _host(self) -> str:
        """Return the name by which this computer was asked, without the port: it may be another through a tunnel."""
        names = self.headers.get_all("Host") or []
        return names[0].rpartition(":")[0] or names[0] if len(names) == 1 else ""

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in SAFETY.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keep stderr for messages."""


PAGE = (resources.files("temclean.commands.live") / "page.html").read_bytes()


def _digest(element: bytes) -> str:
    """Return what allows the page's own style or script, and no other."""
    inside = PAGE.split(b"<%b>" % element)[1].split(b"</%b>" % element)[0]
    return f"'sha256-{base64.b64encode(hashlib.sha256(inside).digest()).decode()}'"


SAFETY = {
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src data:; "
    f"script-src {_digest(b'script')}; style-src {_digest(b'style')}; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def _small(frame: NDArray[Any]) -> NDArray[np.float32]:
    """Return a frame as it is shown: means over squares, where it is too large."""
    side = -(-max(frame.shape) // LARGEST)
    if side == 1:
        return frame.astype("<f4")
    rows, columns = (length // side * side for length in frame.shape)
    if not rows or not columns:
        return frame[::side, ::side].astype("<f4")
    squares = frame[:rows, :columns].astype(np.float32).reshape(rows // side, side, columns // side, side)
    means: NDArray[np.float32] = squares.mean(axis=(1, 3), dtype=np.float64).astype("<f4")
    return means
