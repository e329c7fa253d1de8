"""Open ten thousand damaged files, and say whether any crashed, hung, took too much memory or was not put in one line.

``python tests/fuzz.py [--count N] [--seed S]``, or ``make fuzz``. What mutation I of a file is follows from the seed,
the file's name and I alone: ``--only NAME --first I --count 1 --folder KEPT`` makes it again, and keeps the file.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

SECONDS = 5
"""For one file; real ones of this size take some milliseconds."""

PATIENCE = 40
"""Seconds without a word after which a worker is ended: its own alarm does not reach into compiled code."""

MEMORY = 1 << 30
"""Bytes that a worker may claim for its files, beyond what it has when it begins."""


def work(name: str, seed: int, first: int, last: int, folder: Path) -> None:
    """Open mutations of one file, and print the number and what became of each."""
    from damaged_files import MADE, damage, open_fully

    from temclean import io

    path = folder / name
    MADE[name](path)
    data = path.read_bytes()
    open_fully(path)  # what is imported for it does not count
    _bound_memory()
    signal.signal(signal.SIGALRM, _too_long)
    for number in range(first, last):
        path.write_bytes(damage(data, random.Random(f"{seed} {name} {number}")))
        print(number, "begun", flush=True)
        signal.setitimer(signal.ITIMER_REAL, SECONDS)
        try:
            said = open_fully(path)
            io.provenance(path)
            outcome = said if said.startswith("opened") else "needs memory" if "more memory" in said else "refused"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}".splitlines()[0]
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(number, outcome, flush=True)


def _bound_memory() -> None:
    import resource

    held = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))


def _too_long(number: int, frame: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def mutations(name: str, seed: int, first: int, last: int, folder: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and what became of each mutation of one file; a worker that crashes or hangs is begun anew."""
    while first < last:
        place = folder / f"{name}.{first}"
        place.mkdir()
        arguments = ["--work", name, "--seed", str(seed), "--first", str(first), "--count", str(last - first)]
        command = [sys.executable, __file__, *arguments, "--folder", str(place)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
        ) as one:
            heard = [time.monotonic()]
            threading.Thread(target=_watch, args=(one, heard), daemon=True).start()
            begun = first
            for line in one.stdout or ():
                heard[0] = time.monotonic()
                number, outcome = line.rstrip("\n").split(" ", 1)
                begun = int(number)
                if outcome != "begun":
                    first = begun + 1
                    yield begun, outcome
            error = (one.stderr.read() if one.stderr else "").strip().splitlines()
        if first < last:
            how = f"ended by signal {-one.returncode}" if one.returncode < 0 else f"exit code {one.returncode}"
            yield begun, f"crashed or hung: {how} {error[-1] if error else ''}".strip()
            first = begun + 1


def _watch(worker: "subprocess.Popen[str]", heard: list[float]) -> None:
    """End a worker that has said nothing for long."""
    while worker.poll() is None:
        if time.monotonic() - heard[0] > PATIENCE:
            worker.kill()
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000, help="mutations in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutation of each file")
    parser.add_argument("--only", metavar="NAME", help="one file of tests/damaged_files.py")
    parser.add_argument("--folder", type=Path, help="where files are kept; none are by default")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.work, given.seed, given.first, given.first + given.count, given.folder)
        return 0
    from damaged_files import MADE

    names = [given.only] if given.only else list(MADE)
    each = -(-given.count // len(names))
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        folder = given.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        asked = [(name, given.seed, given.first, given.first + each, folder) for name in names]
        found = dict(zip(names, pool.map(lambda one: list(mutations(*one)), asked), strict=True))
    bad = 0
    for name, outcomes in found.items():
        wrong = [(number, said) for number, said in outcomes if said != "refused" and not said.startswith("opened")]
        counted = collections.Counter("wrong" if said in {w[1] for w in wrong} else said for _, said in outcomes)
        print(f"{name:16}", ", ".join(f"{count} {said}" for said, count in sorted(counted.items())))
        for number, said in wrong[:10]:
            print(f"    --only {name} --first {number} --count 1 --seed {given.seed}: {said}")
        bad += len(wrong)
    total = sum(map(len, found.values()))
    print(f"{total} damaged files: {bad} crashed, hung, took too much memory or ended in no line of ours")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
