"""Threads in a process that was forked off another: those of the kernels do not live there, and would be waited for."""

import os

_forked: list[bool] = []

if hasattr(os, "register_at_fork"):  # not on Windows, where nothing forks
    os.register_at_fork(after_in_child=lambda: _forked.append(True))


def bearable(threads: int) -> int:
    """Return how many threads kernels may take: as many as wished, but one in a forked process; results are the same.

    OpenMP's threads stay behind in the process that was forked, and a child that asks for several waits for ever
    (GCC's manual, libgomp).
    """
    return 1 if _forked else threads
