"""Find out what works on this machine and what does not, and why."""

import platform
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

import temclean
from temclean import __version__, io
from temclean.errors import DeviceError, TemcleanError
from temclean.restoration import models

KERNELS = sorted(path.stem for path in Path(temclean.__file__).parent.glob("_[a-z]*.pyi"))

SUMS = "SHA256SUMS"
"""Beside the models: a line for each, as ``sha256sum`` writes and checks it."""

# What compilers call the entry to a parallel region, as it stands among the symbols of a compiled module.
OPENMP = (b"GOMP_parallel", b"__kmpc_fork_call", b"_vcomp_fork")


@dataclass(frozen=True)
class Finding:
    """One thing looked at: ``ok``, ``off`` if temclean can do without it, ``broken`` if denoising cannot."""

    name: str
    verdict: Literal["ok", "off", "broken"]
    detail: str


def examine() -> Iterator[Finding]:
    """Look at the build, onnxruntime, the models, the devices and the formats."""
    yield Finding("temclean", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    yield _kernels()
    runtime = _runtime()
    yield runtime
    names = sorted(models.available())
    yield _models()
    if names and runtime.verdict == "ok":
        yield _device("cpu", names[0])
        yield _device("cuda", names[0])
    for form in io.FORMATS:
        yield _format(form)
    yield _codecs()
    yield _training()


def _kernels() -> Finding:
    try:
        compiled = [import_module(f"temclean.{name}").__file__ or "" for name in KERNELS]
    except ImportError as error:
        return Finding("kernels", "broken", f"{error}; install temclean again")
    threaded = any(mark in Path(file).read_bytes() for file in compiled for mark in OPENMP)
    cores = models.usable_cores()
    return Finding("kernels", "ok", f"OpenMP, {cores} cores" if threaded else "one thread: built without OpenMP")


def _runtime() -> Finding:
    installed = []
    for package in ("onnxruntime", "onnxruntime-gpu"):
        try:
            installed.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    if not installed:
        return Finding("onnxruntime", "broken", 'missing: pip install "temclean[cpu]" or "temclean[gpu]"')
    if len(installed) > 1:
        remedy = 'pip uninstall onnxruntime onnxruntime-gpu, then pip install "temclean[gpu]"'
        return Finding("onnxruntime", "broken", f"{' and '.join(installed)} overwrite each other: {remedy}")
    try:
        providers = import_module("onnxruntime").get_available_providers()
    except (ImportError, AttributeError) as error:
        return Finding("onnxruntime", "broken", f"{installed[0]} does not load ({error}); install it again")
    return Finding("onnxruntime", "ok", f"{installed[0]} with {', '.join(providers)}")


def _models() -> Finding:
    """Compare the models' files with those that were released, by SHA-256."""
    shipped = models.available()
    if not shipped:
        return Finding("models", "broken", "none came with it")
    folder = next(iter(shipped.values())).parent
    try:
        released = dict(line.split()[::-1] for line in (folder / SUMS).read_text("ascii").splitlines())
    except (OSError, ValueError) as error:
        return Finding("models", "broken", f"{folder / SUMS} cannot be read ({error}); install temclean again")
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in shipped.values()}
    wrong = [name for name, sum_ in released.items() if found.get(name) != sum_]
    if wrong:
        return Finding("models", "broken", f"{', '.join(wrong)}: not as released; install temclean again")
    detail = f"{', '.join(shipped)}: SHA-256 as released"
    own = sorted(found.keys() - released.keys())
    return Finding("models", "ok", f"{detail}, but for {', '.join(own)}, of another origin" if own else detail)


def _device(device: Literal["cpu", "cuda"], name: str) -> Finding:
    """Try a device by running a model on it."""
    try:
        model = models.load(name)
        session = models.open_session(model, device)
        side = model.multiple + 2 * model.beyond
        session.run(np.zeros((1, 1, side, side), np.float32))
    except DeviceError as error:
        return Finding(device, "off" if device == "cuda" else "broken", str(error))
    except TemcleanError as error:
        return Finding(device, "broken", str(error))
    return Finding(device, "ok", f"runs {name}" + (", and auto takes it" if device == "cuda" else ""))


def _format(form: io.Format) -> Finding:
    suffixes = " ".join(form.suffixes)
    if not form.available:
        return Finding(form.name, "off", f'{suffixes}: pip install "temclean[{form.extra}]"')
    if form.module == "gzipped":
        return Finding(form.name, "ok", f"{suffixes}: read, written as what is inside")
    return Finding(form.name, "ok", f"{suffixes}: " + ("read and written" if form.writes else "read, written as .tif"))


def _codecs() -> Finding:
    packings = "JPEG, JPEG 2000, Zstandard and packed bits in TIFF"
    if find_spec("imagecodecs") is None:
        return Finding("codecs", "off", f'{packings}: pip install "temclean[codecs]"')
    return Finding("codecs", "ok", f"{packings}: read")


def _training() -> Finding:
    if find_spec("torch") is None:
        return Finding("train", "off", 'no torch: pip install "temclean[train]"')
    return Finding("train", "ok", f"torch {metadata.version('torch')}")
