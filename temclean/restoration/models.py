"""Models: ONNX files that say all about themselves, and the sessions that run them."""

import contextlib
import io
import os
import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from threading import Lock
from types import ModuleType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from temclean.errors import DeviceError, MissingExtraError, ModelError, ParameterError
from temclean.restoration import proof, replay
from temclean.restoration.modelfile import Model, Normalisation, describe
from temclean.restoration.shipped import ALSO, available

Device = Literal["auto", "cpu", "cuda"]
Floats = NDArray[np.float32]

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

MIRRORED = 1, 2, 4
"""Of how many mirror images a result may be the mean, the image itself among them."""

MIRRORS = (2, 3), (3,), (2,)
"""Axes of a batch that are mirrored for the others. Rows stay rows: a scanned beam leaves other noise along them."""

__all__ = [
    "CPU",
    "CUDA",
    "Device",
    "Model",
    "Normalisation",
    "Session",
    "available",
    "find",
    "load",
    "name_of",
    "open_session",
]


def find(name_or_path: str | Path) -> Path:
    """Return the file of a model; ModelError if there is none of this name."""
    shipped = available()
    name = ALSO.get(str(name_or_path), str(name_or_path))
    if name in shipped:
        return shipped[name]
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix == ".onnx" or path.name != str(name_or_path):
        raise ModelError(f"{path}: there is no such file")
    names = ", ".join(shipped) or "none are installed"
    raise ModelError(f"no model is called {str(name_or_path)!r}; choose one of: {names}, or give an ONNX file")


def load(name_or_path: str | Path) -> Model:
    """Read what a model says about itself; onnxruntime is not needed for that.

    Parameters
    ----------
    name_or_path : str or Path
        A name from `available`, or an ONNX file.

    Raises
    ------
    ModelError
        If there is no such model, or the file is damaged or not one of temclean's.
    """
    return describe(find(name_or_path))


def name_of(model: Model) -> str:
    """Return what another process finds a model by: its name if it comes with temclean, or where its file is."""
    return model.name if available().get(model.name) == model.path else str(model.path.absolute())


class Session:
    """A model ready to run on one device.

    Attributes
    ----------
    model : Model
        What is run.
    device : {"cpu", "cuda"}
        Where.
    fallback : str or None
        Why ``auto`` did not take the GPU, where onnxruntime could have.
    mirrored : int
        Of how many mirror images of an image results are the mean, the image itself among them.
    """

    def __init__(
        self,
        model: Model,
        runtime: Any,
        device: Literal["cpu", "cuda"],
        fallback: str | None = None,
        mirrored: int = 1,
    ):
        self.model, self.device, self.fallback, self.mirrored = model, device, fallback, mirrored
        self._runtime = runtime

    def run(self, batch: Floats) -> Floats:
        """Restore a batch of float32 images, (batch, frames, height, width), to (batch, 1, height, width).

        A model that looks beyond its images takes ``model.beyond`` pixels more of them on each side.
        """
        multiple, frames, around = self.model.multiple, self.model.frames, 2 * self.model.beyond
        sides = tuple(side - around for side in batch.shape[2:])
        if batch.ndim != 4 or batch.shape[1] != frames or min(sides) < 1 or any(side % multiple for side in sides):
            more = f", {around} more than" if around else ""
            raise ParameterError(
                f"{self.model.name} takes (batch, {frames}, height, width), the last both{more} multiples of "
                f"{multiple}, not {batch.shape}"
            )
        shape = len(batch), 1, *sides
        restored = self._once(batch, shape)
        if self.mirrored == 1:
            return restored
        mirrors = MIRRORS[: self.mirrored - 1]
        others = (np.flip(self._once(np.ascontiguousarray(np.flip(batch, axes)), shape), axes) for axes in mirrors)
        return sum(others, restored) / np.float32(self.mirrored)

    def _once(self, batch: Floats, shape: tuple[int, ...]) -> Floats:
        try:
            restored: Floats = self._runtime.run(["restored"], {"image": batch})[0]
        except Exception as error:  # onnxruntime's errors share no parent of their own
            raise _run_error(self.model, self.device, error) from error
        if restored.shape != shape:
            raise ModelError(f"{self.model.path}: made {restored.shape} of {batch.shape}; its multiple must be wrong")
        return restored


def open_session(model: Model, device: Device = "auto", threads: int | None = None, mirrored: int = 1) -> Session:
    """Get a model ready to run.

    Parameters
    ----------
    model : Model
        From `load`.
    device : {"auto", "cpu", "cuda"}
        ``auto`` takes the GPU where it truly works, else the CPU; ``cuda`` fails rather than falling back.
    threads : int, optional
        Threads of the CPU; as many as this process may use by default.
    mirrored : {1, 2, 4}
        Mirror images to take the mean of, the image itself among them; as many times the work.

    Raises
    ------
    MissingExtraError
        If onnxruntime is not installed.
    DeviceError
        If ``cuda`` was asked for and does not work.
    ModelError
        If onnxruntime cannot load the model; of one that did not come with temclean, also if its first run on a small
        image takes too long or too much memory.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise ParameterError(f"device is {device!r}; choose auto, cpu or cuda")
    if threads is not None and threads < 1:
        raise ParameterError(f"threads is {threads}; give 1 or more")
    check_mirrored(mirrored)
    ort = _onnxruntime()
    if model.path not in available().values():
        proof.run(ort, model)
    fallback = None
    if device != "cpu":
        try:
            return Session(model, _cuda(ort, model), "cuda", mirrored=mirrored)
        except DeviceError as error:
            if device == "cuda":
                raise
            fallback = str(error) if CUDA in ort.get_available_providers() else None
    options = _options(ort)
    options.intra_op_num_threads = threads or usable_cores()
    try:
        runtime = ort.InferenceSession(str(model.path), options, providers=[CPU])
    except Exception as error:
        raise ModelError(f"{model.path}: onnxruntime cannot load it: {_first_line(error)}") from error
    _check_interface(runtime, model)
    return Session(model, runtime, "cpu", fallback, mirrored)


def check_mirrored(mirrored: int) -> None:
    """Refuse numbers of mirror images that are not in :data:`MIRRORED`."""
    if mirrored not in MIRRORED:
        raise ParameterError(f"mirrored is {mirrored!r}; give 1, 2 or 4 mirror images to take the mean of")


def session_of(path: Path, device: Device = "auto", threads: int | None = None, mirrored: int = 1) -> Session:
    """Return a session on a model's file, the same as the last time if neither the file nor the wishes have changed."""
    status = path.stat()
    with _OPENING:  # or threads that begin at once would open one each
        return _session(path, (status.st_mtime_ns, status.st_size), device, threads, mirrored)


_OPENING = Lock()


@lru_cache(maxsize=2)
def _session(path: Path, _version: tuple[int, int], device: Device, threads: int | None, mirrored: int) -> Session:
    return open_session(load(path), device, threads, mirrored)


def _onnxruntime() -> ModuleType:
    try:
        ort = import_module("onnxruntime")
        ort.InferenceSession  # noqa: B018  a half-removed installation has the module but not this
    except (ImportError, AttributeError) as error:
        raise MissingExtraError(
            'running a model needs onnxruntime: pip install "temclean[cpu]", or "temclean[gpu]" for an NVIDIA GPU'
        ) from error
    ort.set_default_logger_severity(4)  # what matters is raised
    return ort


def _options(ort: Any) -> Any:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Memory patterns are kept for every shape: without them seven shapes take what the largest takes, as fast.
    options.enable_mem_pattern = False
    # Spinning threads take the cores from those that read, blend and write; the network is no slower without.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry(
        "optimization.constant_folding_max_output_size_in_bytes", str(proof.LARGEST_CONSTANT)
    )
    return options


def _cuda(ort: Any, model: Model) -> Any:
    """Return a session that runs on the GPU, and has; onnxruntime by itself would fall back to the CPU in silence."""
    if CUDA not in ort.get_available_providers():
        raise DeviceError('this onnxruntime has no CUDA: pip uninstall onnxruntime, then pip install "temclean[gpu]"')
    options = _options(ort)
    settings = {
        "cudnn_conv_algo_search": "HEURISTIC",  # an exhaustive search costs seconds for every new shape
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": "0",  # TF32 differs from the CPU by 1e-3: seams and results would depend on the device
    }
    # The CPU provider stays: a handful of shape computations belong there, so session.disable_cpu_ep_fallback would
    # turn working GPUs away. That the GPU itself is used shows in the session's providers and in a first run.
    try:
        # Both print to stdout, where the results go.
        with contextlib.redirect_stdout(io.StringIO()):
            if hasattr(ort, "preload_dlls"):
                ort.preload_dlls(directory="")  # from the nvidia packages, rather than torch's, which may differ
            try:
                runtime = _proved(_cuda_session(ort, model, options, settings | replay.SETTING), model, ort)
            except ModelError:
                raise
            except Exception as error:  # it may be the graph's, or the GPU's: then this fails too
                runtime = _proved(_cuda_session(ort, model, options, settings), model)
                replay.warn(error)
    except ModelError:
        raise
    except Exception as error:
        raise DeviceError(
            f"CUDA does not work here: {_cause(error)}; check the driver with nvidia-smi, "
            'install "temclean[gpu]" again ("temclean[cuda12]" for a driver of CUDA 12), or take --device cpu'
        ) from error
    return runtime


def _cuda_session(ort: Any, model: Model, options: Any, settings: dict[str, str]) -> Any:
    return ort.InferenceSession(str(model.path), options, providers=[(CUDA, settings), CPU], enable_fallback=0)


def _proved(runtime: Any, model: Model, ort: Any = None) -> Any:
    """Return a session that runs on the GPU; with ``ort``, one that replays CUDA graphs, recorded here once."""
    if CUDA not in runtime.get_providers():
        raise RuntimeError("onnxruntime could not load it")
    runtime.disable_fallback()
    _check_interface(runtime, model)
    if ort:
        runtime = replay.Replaying(ort, runtime)
    side = model.multiple + 2 * model.beyond
    probe = np.linspace(0, 1, model.frames * side * side, dtype=np.float32).reshape(1, model.frames, side, side)
    for _ in range(3 if ort else 1):  # the second run records, the third replays
        restored = runtime.run(["restored"], {"image": probe})[0]
        if not np.isfinite(restored).all():
            raise RuntimeError("a first run gave numbers that are not finite")
    return runtime


def _check_interface(runtime: Any, model: Model) -> None:
    inputs, outputs = runtime.get_inputs(), runtime.get_outputs()
    names = [value.name for value in inputs], [value.name for value in outputs]
    types = {value.type for value in (*inputs, *outputs)}
    if names != (["image"], ["restored"]) or types != {"tensor(float)"} or len(inputs[0].shape) != 4:
        raise ModelError(f"{model.path}: a model of temclean takes float32 'image' and gives 'restored', not {names}")


def _run_error(model: Model, device: str, error: Exception) -> Exception:
    text = _first_line(error)
    if "alloc" in text.lower() or "out of memory" in text.lower():
        return DeviceError(f"{device} has not enough memory for a tile of this size ({text}); give a smaller --tile")
    return ModelError(f"{model.path}: the model failed to run: {text}")


def _cause(error: Exception) -> str:
    """Return what CUDA itself said, without the places in onnxruntime's source that stand around it."""
    line = _first_line(error)
    found = re.search(r"\b\w+ failure -?\d+: [^;]+", line)
    return found[0].strip() if found else line


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def usable_cores() -> int:
    """Return how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # a queue or a container may grant fewer than there are
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
