"""The stream of pairs: the same after a stop, by a thread or by workers; needs the ``train`` extra."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from temclean.training import data  # noqa: E402
from temclean.training.data import DataOptions  # noqa: E402
from temclean.training.stream import Feed, Pairs, undisturbed  # noqa: E402

OPTIONS = DataOptions({"g": 1.0, "poisson": 1.0}, crop=32, batch=3, scene=64, bank=5, first=2, renewal=0.8)

BY_WORKERS = """
import json
import sys
from itertools import islice
from pathlib import Path
import torch
from temclean.training.data import DataOptions
from temclean.training.stream import Feed, Pairs
if __name__ == "__main__":
    options = DataOptions({"g": 1.0, "poisson": 1.0}, crop=32, batch=3, scene=64, bank=6, first=4, renewal=0.8)
    feed = Feed(options, 5, workers=2, rank=1, ranks=2)
    made, states = [], []
    for batch in islice(feed, 7):
        made.append(batch)
        states.append(json.dumps(feed.states))
    half = DataOptions({"g": 1.0, "poisson": 1.0}, crop=32, batch=3, scene=64, bank=3, first=2, renewal=0.8)
    alone = [Pairs(half, 5, 1), Pairs(half, 5, 3)]
    same = [all(map(torch.equal, batch, alone[number % 2].batch())) for number, batch in enumerate(made)]
    again = Feed(options, 99, workers=2, rank=1, ranks=2, states=json.loads(states[2])).streams  # in the workers' order
    gone_on = [all(map(torch.equal, batch, again[number % 2].batch())) for number, batch in enumerate(made[3:])]
    print(json.dumps({"same": same, "gone_on": gone_on, "pace": feed.pace()}))
"""
"""What a program does that workers are spawned from."""


INTERRUPTED = """
import os
import sys
from contextlib import closing
from temclean.cli.interrupts import Interrupts
from temclean.training.data import DataOptions
from temclean.training.stream import Feed
if __name__ == "__main__":
    options = DataOptions({"g": 1.0}, crop=32, batch=3, scene=64, bank=6, first=4, renewal=0.8)
    with Interrupts():
        try:
            with closing(iter(Feed(options, 5, workers=2))) as batches:
                print("starting", flush=True)
                for _ in batches:
                    print("running", flush=True)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            sys.exit(130)
"""
"""What a program does that Ctrl-C ends."""


def test_a_stream_goes_on_from_its_state() -> None:
    whole = Pairs(OPTIONS, 3)
    batches, states = [], []
    for _ in range(16):
        batches.append(whole.batch())
        states.append(json.dumps(whole.state))  # numbers alone
    assert len({json.loads(state)["next"] for state in states}) > 8, "scenes are replaced"
    for stop in (0, 2, 9):
        again = Pairs(OPTIONS, seed=99, state=json.loads(states[stop]))
        for batch in batches[stop + 1 :]:
            assert all(map(torch.equal, batch, again.batch()))


def test_scenes_are_drawn_once_and_only_those_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    draw = data.scene_of
    monkeypatch.setattr(data, "scene_of", lambda options, key: drawn.append(key[-1]) or draw(options, key))
    pairs = Pairs(replace(OPTIONS, bank=500, first=500, renewal=0.0), 3)
    for _ in range(5):
        pairs.batch()
    assert len(drawn) == len(set(drawn)) <= 15


def test_each_rank_has_a_stream_of_its_own() -> None:
    streams = [Pairs(OPTIONS, seed, rank).batch()[0] for seed, rank in ((3, 0), (3, 1), (4, 0))]
    assert not any(torch.equal(streams[a], streams[b]) for a, b in ((0, 1), (0, 2), (1, 2)))


def test_workers_take_turns_each_with_a_stream_of_its_own_and_go_on_where_they_stopped(tmp_path: Path) -> None:
    """Where NumPy's linear algebra has one thread, as workers have; more round otherwise."""
    threads = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    program = tmp_path / "by_workers.py"
    program.write_text(BY_WORKERS)
    done = subprocess.run([sys.executable, str(program)], env=threads, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] == [True] * 7
    assert told["gone_on"] == [True] * 4
    assert told["pace"] > 0.0


def test_what_interrupts_while_workers_start_does_so_afterwards() -> None:
    done = []

    def start() -> None:
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(KeyboardInterrupt):
        start()
    assert done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if hasattr(signal, "pthread_sigmask"):
        assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, set())


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="no process groups here")
@pytest.mark.parametrize(("told", "later"), [("starting", 0.5), ("running", 0.0)])
def test_ctrl_c_ends_workers_without_a_word_of_theirs(tmp_path: Path, told: str, later: float) -> None:
    program = tmp_path / "interrupted.py"
    program.write_text(INTERRUPTED)
    running = subprocess.Popen(
        [sys.executable, str(program)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},  # of few cores
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    while (line := running.stdout.readline().strip()) != told:
        assert line
    time.sleep(later)
    os.killpg(running.pid, signal.SIGINT)
    _, err = running.communicate(timeout=120)  # ends once all that hold its streams have ended
    assert err == "interrupted\n"
    assert running.returncode == 130


def test_a_thread_makes_the_same_batches() -> None:
    feed, alone = Feed(OPTIONS, 3), Pairs(OPTIONS, 3)
    for batch in islice(feed, 5):
        assert all(map(torch.equal, batch, alone.batch()))
        assert feed.states == [alone.state]
