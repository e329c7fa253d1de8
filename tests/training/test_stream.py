"""The stream of pairs: the same with any number of workers, and after a stop; needs the ``train`` extra."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from temclean.training import data  # noqa: E402
from temclean.training.data import DataOptions  # noqa: E402
from temclean.training.stream import Pairs  # noqa: E402

OPTIONS = DataOptions({"g": 1.0, "poisson": 1.0}, crop=32, batch=3, scene=64, bank=5, first=2, renewal=0.8)

SAME = """
import json
import torch
from temclean.training.data import DataOptions
from temclean.training.stream import Pairs
options = DataOptions({"g": 1.0, "poisson": 1.0}, crop=32, batch=3, scene=64, bank=5, first=2, renewal=0.8)
alone = Pairs(options, 5)
expected = [alone.batch() for _ in range(8)]
same, drawn = [], 0
with Pairs(options, 5, workers=1) as pairs:
    for noisy, clean, rare in expected:
        made = pairs.batch()
        same.append(all(map(torch.equal, made, (noisy, clean, rare))))
        drawn += len([coming.result(timeout=60) for coming in pairs.coming.values()])
    loaded = pairs.pool.submit(eval, "set(__import__('sys').modules)").result(timeout=60)
    print(json.dumps({"same": same, "drawn": drawn, "pace": pairs.pace(), "torch": "torch" in loaded}))
"""
"""What a process of its own does, as a program's first NumPy decides how many threads that has."""


def test_a_stream_goes_on_from_its_state() -> None:
    whole = Pairs(OPTIONS, 3)
    batches, states = [], []
    for batch in islice(whole, 16):
        batches.append(batch)
        states.append(json.dumps(whole.state))  # numbers alone
    assert len({json.loads(state)["next"] for state in states}) > 8, "scenes are replaced"
    for stop in (0, 2, 9):
        again = islice(Pairs(OPTIONS, seed=99, state=json.loads(states[stop])), 15 - stop)
        for batch, same in zip(batches[stop + 1 :], again, strict=True):
            assert all(map(torch.equal, batch, same))


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


def test_workers_draw_the_same_scenes() -> None:
    """Where NumPy's linear algebra has one thread, as `temclean train` and its workers have; more round otherwise."""
    threads = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", SAME], env=threads, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] == [True] * 8
    assert told["drawn"] > 0
    assert told["pace"] > 0.0
    assert not told["torch"], "a worker is small and begins at once"
