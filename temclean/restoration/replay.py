"""A CUDA session whose tiles stay on the GPU: what it did on a tile is replayed on the next one of the same shape.

Launching a network's kernels one by one takes longer than a small tile takes to compute. onnxruntime can record them in
a CUDA graph, which reads and writes the memory that it was recorded with: so input and output of each shape are bound
once. Nothing is taken on trust: the first replay of a shape must give what a run without it gives, and where recording
or binding fails, tiles are run as before, and one warning says so.

The layout NHWC (``prefer_nhwc``) is left alone: it pays with Tensor Cores, which compute with less than 32 bits.
"""

import threading
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import TemcleanWarning

Floats = NDArray[np.float32]

SETTING = {"enable_cuda_graph": "1"}
"""What the session of a `Replaying` must be opened with."""

MOST = 8
"""Shapes that are recorded; each keeps its input and output in the GPU's memory."""

TOLERANCE = 1e-5
"""By how much a replay may differ from a run, over the greatest value: the same kernels, maybe in another order."""

_GRAPH, _NONE = "gpu_graph_id", "-1"


class Replaying:
    """Runs as an ``InferenceSession`` does, with one input ``image`` and one output ``restored`` of its size.

    Parameters
    ----------
    ort : module
        onnxruntime.
    runtime : InferenceSession
        Opened with `SETTING`.
    device : str
        Where the buffers lie; tests have no GPU.
    """

    def __init__(self, ort: Any, runtime: Any, device: str = "cuda") -> None:
        self._ort, self._runtime, self._device = ort, runtime, device
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._seen: set[tuple[int, ...]] = set()
        self._recorded: dict[tuple[int, ...], _Recorded] = {}
        self._off = False

    def run(self, names: list[str], feeds: dict[str, Floats]) -> list[Floats]:
        """Return the output for an image, (batch, frames, height, width)."""
        image = feeds["image"]
        with self._lock:  # all share the buffers
            mine = self._thread in (None, threading.get_ident())  # onnxruntime keeps graphs for each thread
            recorded = self._recorded.get(image.shape) if mine else None
            if recorded:
                try:
                    return [recorded.run(image)]
                except Exception as error:
                    self._give_up(error)
            restored = self._plainly(names, feeds)
            wanted = image.shape in self._seen and len(self._recorded) < MOST
            if mine and wanted and not self._off:
                self._thread = threading.get_ident()
                self._record(image, restored)
            self._seen.add(image.shape)
            return [restored]

    def _record(self, image: Floats, expected: Floats) -> None:
        try:
            recorded = _Recorded(
                self._ort, self._runtime, self._device, (image.shape, expected.shape), len(self._recorded) + 1
            )
            for _ in range(2):  # the first time records
                replayed = recorded.run(image)
            if not np.abs(replayed - expected).max() <= TOLERANCE * np.abs(expected).max():
                raise RuntimeError("it gave another result")
        except Exception as error:
            self._give_up(error)
        else:
            self._recorded[image.shape] = recorded

    def _plainly(self, names: list[str], feeds: dict[str, Floats]) -> Floats:
        options = self._ort.RunOptions()
        options.add_run_config_entry(_GRAPH, _NONE)
        restored: Floats = self._runtime.run(names, feeds, options)[0]
        return restored

    def _give_up(self, error: Exception) -> None:
        self._off = True
        self._recorded.clear()
        warn(error)


class _Recorded:
    """The buffers of one shape of image and result, and the graph that reads and writes them."""

    def __init__(
        self, ort: Any, runtime: Any, device: str, shapes: tuple[tuple[int, ...], tuple[int, ...]], number: int
    ) -> None:
        self._runtime, self._shared = runtime, device == "cpu"
        self._image, self._restored = (
            ort.OrtValue.ortvalue_from_shape_and_type(list(each), np.float32, device, 0) for each in shapes
        )
        self._binding = runtime.io_binding()
        self._binding.bind_ortvalue_input("image", self._image)
        self._binding.bind_ortvalue_output("restored", self._restored)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry(_GRAPH, str(number))

    def run(self, image: Floats) -> Floats:
        self._image.update_inplace(np.ascontiguousarray(image))
        self._binding.synchronize_inputs()
        self._runtime.run_with_iobinding(self._binding, self._options)
        self._binding.synchronize_outputs()
        restored: Floats = self._restored.numpy()
        return restored.copy() if self._shared else restored  # the buffer itself, or what came from the GPU


def warn(error: Exception) -> None:
    """Say once that tiles are launched one by one."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    warnings.warn(
        f"no CUDA graph can be used here ({line}); the GPU runs without, as before, and small tiles take longer",
        TemcleanWarning,
        stacklevel=2,
    )
