"""Kill runs at many points and resume them: ``python tests/killed.py INPUTS FOLDER POINTS`` prints what was not well.

Each run is a process forked off this one, which ends itself with SIGKILL at the Nth call that one of its threads makes
while it reads, writes, renames or clears away.
"""

import json
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import stand_in

from temclean import cli


def main() -> None:
    """Do as the module says; the last thing printed is an object of JSON."""
    inputs, folder, points = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    stand_in.install(pause=0)
    os.fsync = lambda file: None  # which a power cut needs, not a kill
    command(inputs, folder / "first", Mark())  # loads what is loaded when it is first needed
    counting = Mark()
    command(inputs, folder / "undisturbed", counting)
    wanted = contents(folder / "undisturbed")
    killed, wrong = 0, []
    # Runs differ by a few calls of threads that wait for each other: each makes nine in ten of those counted.
    for point in random.Random(19).sample(range(1, counting.calls * 9 // 10), points):
        out = folder / str(point)
        killed += forked(inputs, out, Mark(point)) == -signal.SIGKILL
        found = contents(out)
        wrong += [f"{point}: {name}" for name, data in found.items() if name[0] != "." and data != wanted[name]]
        if forked(inputs, out, Mark()) != 0 or contents(out) != wanted:
            wrong.append(f"{point}: resumed")
    print(json.dumps({"files": len(wanted), "calls": counting.calls, "killed": killed, "wrong": wrong}))


class Mark:
    """Counts the calls of functions in all threads but the first, which only runs the network; one may be the last."""

    def __init__(self, point: int | None = None) -> None:
        self.point, self.calls = point, 0

    def __call__(self, frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            self.calls += 1
            if self.calls == self.point:
                os.kill(os.getpid(), signal.SIGKILL)


def command(inputs: str, out: Path, mark: Mark) -> int:
    threading.setprofile(mark)
    try:
        cli.main(["denoise", inputs, "-m", "sp", "-o", str(out), "--resume", "-q"])
    except SystemExit as done:
        return int(done.code or 0)
    finally:
        threading.setprofile(None)


def forked(inputs: str, out: Path, mark: Mark) -> int:
    """Run the command line in a process of its own; return its exit code."""
    process = os.fork()
    if process == 0:
        os._exit(command(inputs, out, mark))
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


if __name__ == "__main__":
    main()
