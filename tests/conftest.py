"""What all tests share: deterministic hypothesis, the command line, and small image files."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any


def keep_to_own_cores() -> None:
    """Give each worker of pytest-xdist its share of the cores, before any library counts them.

    Else the threads of NumPy, PyTorch and onnxruntime, as many in each worker as there are cores, wait for each other.
    """
    worker, workers = (os.environ.get(f"PYTEST_XDIST_WORKER{end}", "") for end in ("", "_COUNT"))
    if worker.startswith("gw") and hasattr(os, "sched_setaffinity"):
        cores, number = sorted(os.sched_getaffinity(0)), int(worker[2:])
        own = cores[number :: int(workers)] if int(workers) <= len(cores) else [cores[number % len(cores)]]
        os.sched_setaffinity(0, own or cores)


keep_to_own_cores()

# Torch exports a network with sizes that are not numbers; what it keeps of these steps it hardly ever needs again.
# Without keeping it, it takes three quarters of the time, and writes the same file.
os.environ.setdefault("TORCH_FAKE_TENSOR_DISPATCH_CACHE", "0")

import numpy as np  # noqa: E402
import pytest  # noqa: E402
from browser import forget, started  # noqa: E402
from hypothesis import settings  # noqa: E402

from temclean import cli, io  # noqa: E402
from temclean.restoration import models  # noqa: E402

settings.register_profile("temclean", derandomize=True, deadline=None, print_blob=False)
settings.load_profile("temclean")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # in the background of a shell, whose children would ignore it too
    signal.signal(signal.SIGINT, signal.default_int_handler)

ImageFile = Callable[..., Path]


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that runs the command line."""

    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as done:
            cli.main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Done(int(done.value.code or 0), out, err)

    return call


@pytest.fixture
def image_file() -> Callable[..., Path]:
    """Return a function that writes a small uint16 file: 0, 1, 2, ... above a value, 0.1 nm a pixel."""

    def write(path: Path, value: int = 1, frames: int = 1, provenance: dict[str, Any] | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        stack = np.arange(frames * 24, dtype=np.uint16).reshape(frames, 4, 6) + np.uint16(value)
        image = io.Image.from_array(stack if frames > 1 else stack[0], 0.1, "nm")
        return io.write(path, image, list(stack), provenance)

    return write


@pytest.fixture
def network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each network once on the same pixels, for tests that compare what is done with one and the same output."""
    done: dict[tuple[str, bytes], Any] = {}
    run = models.Session.run

    def known(session: models.Session, batch: Any) -> Any:
        key = session.model.sha256, sha256(np.ascontiguousarray(batch).data).digest()
        if key not in done:
            done[key] = run(session, batch)
        return done[key].copy()  # what comes after the network works in place

    monkeypatch.setattr(models.Session, "run", known)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Return a headless Chromium, one for all tests."""
    with started() as driver:
        yield driver


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """Return that Chromium with an empty page, and nothing asked for or complained about: see `browser.py`."""
    forget(chromium)
    yield chromium
    forget(chromium)
