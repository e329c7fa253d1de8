"""A first, short run of a model that did not come with temclean: within a bound of memory and of time.

What a graph will make of its constants can be told only by running it. So it is run once on a small image, by a session
whose memory onnxruntime itself bounds, in a thread that nothing waits for when it takes too long: Ctrl-C and the time
limit end the wait whatever the graph does. This bounds the memory of a graph's intermediate results on a small image;
it says nothing of an image for which a graph wants more than in proportion to its pixels.
"""

import time
from collections.abc import Callable
from functools import cache
from threading import Event, Thread
from typing import Any

import numpy as np

from temclean.errors import ModelError
from temclean.restoration.modelfile import Model

SIDE = 32
"""Least side of the image, in pixels."""

MEMORY = 256 << 20
"""Bytes that intermediate results may take; networks for restoring images take a few MB at this size."""

SECONDS = 3.0
BYTES_A_SECOND = 8 << 20
"""The time limit is `SECONDS`, and a second more for so many bytes of the file."""

PATIENCE = 2.0
"""Seconds in which the running operator mostly ends; Python should not end while onnxruntime returns to it."""

LARGEST_CONSTANT = 64 << 20
"""Bytes of a constant that onnxruntime may compute once, when it loads a graph."""


def run(ort: Any, model: Model) -> None:
    """Run a model once on a small image; ModelError if it fails, takes too long or too much memory."""
    side = -(-SIDE // model.multiple) * model.multiple + 2 * model.beyond
    image = np.zeros((1, model.frames, side, side), dtype=np.float32)
    limit = SECONDS + model.path.stat().st_size / BYTES_A_SECOND
    stopping = ort.RunOptions()
    stopping.log_severity_level = 4

    def first() -> None:
        session = ort.InferenceSession(str(model.path), _options(ort), providers=["CPUExecutionProvider"])
        names = [value.name for value in session.get_inputs()]
        if names == ["image"]:  # else it is refused as no model of temclean, in better words
            session.run(None, {"image": image}, stopping)

    failed = within(limit, first, stop=lambda: setattr(stopping, "terminate", True))
    if failed is None:
        return
    if isinstance(failed, TimeoutError):
        raise ModelError(
            f"{model.path}: a first run on {side}x{side} pixels took more than {limit:.0f} s; it is not used"
        ) from failed
    line = (str(failed).strip().splitlines() or [type(failed).__name__])[0]
    if "Available memory" in line or "alloc" in line.lower():
        raise ModelError(
            f"{model.path}: a first run on {side}x{side} pixels wanted more than {MEMORY >> 20} MB; it is not used"
        ) from failed
    raise ModelError(f"{model.path}: onnxruntime cannot load or run it: {line}") from failed


def within(seconds: float, work: Callable[[], object], stop: Callable[[], object]) -> Exception | None:
    """Do some work in a thread; return what it raised, a TimeoutError if it took too long.

    When the time is over, or Ctrl-C comes, ``stop`` is called; work that does not end then is left to itself.
    """
    done = Event()
    raised: list[Exception] = []

    def do() -> None:
        try:
            work()
        except Exception as error:
            raised.append(error)
        finally:
            done.set()

    thread = Thread(target=do, name="temclean-proof", daemon=True)
    thread.start()
    end = time.monotonic() + seconds
    try:
        while not done.wait(0.1):  # in short waits, as Windows hands over Ctrl-C between them
            if time.monotonic() > end:
                return TimeoutError(f"{seconds} s")
    finally:
        if not done.is_set():
            stop()
            thread.join(PATIENCE)
    return raised[0] if raised else None


def _options(ort: Any) -> Any:
    _bound(ort)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.enable_mem_pattern = False
    # As the graph stands: what is computed when it loads is not under the bound.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.use_env_allocators", "1")
    # The weights are as large as the file, which is bounded itself.
    options.add_session_config_entry("session.use_device_allocator_for_initializers", "1")
    return options


@cache
def _bound(ort: Any) -> None:
    """Let onnxruntime refuse memory beyond the bound to sessions that ask for its shared allocator."""
    info = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    settings = {"max_mem": MEMORY, "arena_extend_strategy": 1, "initial_chunk_size_bytes": -1}
    ort.create_and_register_allocator(info, ort.OrtArenaCfg({**settings, "max_dead_bytes_per_chunk": -1}))
