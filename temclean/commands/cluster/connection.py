"""Find a scheduler of Dask, and see that its workers can do the work."""

import json
import logging
import pydoc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temclean import __version__
from temclean.errors import MissingExtraError, ParameterError
from temclean.io.messages import first_line, silence

PATIENCE = 10
"""Seconds until a scheduler must have answered."""


@contextmanager
def connected(scheduler: str | Path, tell: Callable[[str], object]) -> Iterator[Any]:
    """Yield a client of the scheduler at an address, or that a file tells of, which has workers with temclean.

    Waits until there is a worker, and tells so.

    Raises
    ------
    MissingExtraError : dask is not installed here, or temclean not where the workers are.
    ParameterError : no scheduler answers, or the workers have another version of temclean.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtraError('a cluster of Dask needs the dask extra: pip install "temclean[dask]"') from error
    address = _address(scheduler) if isinstance(scheduler, Path) else scheduler
    with _quiet():
        try:
            with silence:
                client = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise ParameterError(
                f"no scheduler of Dask answers at {address} ({first_line(error)}); start one with dask scheduler, or "
                "check the address"
            ) from error
        with client:
            if not client.scheduler_info()["workers"]:
                tell(f"temclean: {address} has no workers yet, waiting for one; dask worker {address} starts it")
                client.wait_for_workers(1)
            _look_over(client)
            threads = client.nthreads()
            tell(f"temclean: {len(threads)} workers of {address}, {sum(threads.values())} threads")
            yield client


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Dask from printing what it does about workers that die: what matters is raised."""
    levels = {log: log.level for log in map(logging.getLogger, ("distributed", "distributed.client"))}
    for log in levels:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in levels.items():
            log.setLevel(level)


def _address(file: Path) -> str:
    """Return the address that a scheduler has written to a file."""
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except FileNotFoundError as error:
        raise ParameterError(
            f"{file}: there is no such file; dask scheduler --scheduler-file {file} makes it"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ParameterError(f"{file}: is no file of a scheduler of Dask ({first_line(error)})") from error


def _look_over(client: Any) -> None:
    """See that the workers there are have what it takes, in one version; those that come later tell when they work."""
    for worker, version in _versions(client, "temclean").items():
        if version is None:
            raise MissingExtraError(f"worker {worker} has no temclean: install temclean {__version__} there too")
        if version != __version__:
            raise ParameterError(f"worker {worker} has temclean {version}, here is {__version__}: install the same")
    runtimes = _versions(client, "onnxruntime")
    for worker, version in runtimes.items():
        if version is None:
            raise MissingExtraError(f'worker {worker} has no onnxruntime: pip install "temclean[cpu]" there')
    if len(set(runtimes.values())) > 1:
        versions = ", ".join(sorted(map(str, set(runtimes.values()))))
        raise ParameterError(f"the workers have onnxruntime {versions}, whose results may differ: install the same")


def _versions(client: Any, module: str) -> dict[str, str | None]:
    """Return the version of a module that each worker has; None where it has none. What is asked for is in Python."""
    found = client.run(pydoc.locate, f"{module}.__version__", on_error="return")
    return {worker: version if isinstance(version, str) else None for worker, version in sorted(found.items())}
