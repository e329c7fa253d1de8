"""Training that is stopped and goes on, against an adversary, and in two processes; needs the ``train`` extra."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from click.testing import CliRunner  # noqa: E402

from temclean.cli import cli  # noqa: E402
from temclean.errors import ParameterError  # noqa: E402
from temclean.training import distributed, loop, networks, single_shot  # noqa: E402
from temclean.training.data import DataOptions  # noqa: E402
from temclean.training.recipes import RECIPES, Recipe  # noqa: E402
from temclean.training.stream import Pairs  # noqa: E402

DATA = DataOptions({"g": 1.0, "gsp": 1.0}, crop=32, batch=2, scene=64, bank=4, first=3, renewal=0.7)
TINY = Recipe(DATA, widths=(4, 6, 8, 8, 8), more=(), steps=6, warm_up=1)
PAPER = replace(
    TINY,
    network="cgrdn",
    shape={"width": 4, "growth": 2, "groups": 1, "blocks": 2, "layers": 2},
    loss="lobato",
    adversarial=0.01,
)


def train(recipe: Recipe, out: Path, resume: bool = False, every: int = 3) -> dict[str, Any]:
    single_shot.train(recipe, 1, out, None, resume, 1, every)
    return loop.load(out)


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def same(first: Any, second: Any) -> bool:
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)


@pytest.mark.parametrize("recipe", [TINY, PAPER], ids=["house", "paper"])
def test_a_stopped_run_ends_with_the_same_bits(recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(recipe, tmp_path / "whole.pt")
    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stop)  # once the first checkpoint is written
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "a.pt")
    assert loop.load(tmp_path / "a.pt")["step"] == 3
    resumed = train(recipe, tmp_path / "a.pt", resume=True)
    parts = ["network", "average", "optimizer", "step", "streams"] + ["adversary"] * bool(recipe.adversarial)
    assert all(same(resumed[part], whole[part]) for part in parts)
    assert resumed["record"]["images"] == whole["record"]["images"] == 12
    assert not same(whole["network"], loop.load(tmp_path / "a.pt")["average"])


def test_a_run_ends_when_its_hours_are_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[float] = []
    now = iter(range(0, 10_000, 60))  # each look at the clock is a minute later
    with monkeypatch.context() as patch:
        patch.setattr(loop.time, "monotonic", lambda: float(next(now)))
        patch.setattr(loop.Run, "set_rate", lambda _, rate: rates.append(rate))
        single_shot.train(TINY, 1, tmp_path / "a.pt", None, False, 1, 1000, hours=1.0)
    state = loop.load(tmp_path / "a.pt")
    assert state["step"] == len(rates) > 6
    assert 1.0 <= state["hours"] < 1.2
    assert rates[1] > 0.9 * TINY.rate
    assert rates[-1] < 0.01 * TINY.rate
    single_shot.train(TINY, 1, tmp_path / "a.pt", None, True, 1, 1000, hours=1.0)
    assert same(loop.load(tmp_path / "a.pt")["network"], state["network"])


def test_checkpoints_without_a_stream_go_on_too(tmp_path: Path) -> None:
    train(replace(TINY, steps=2), tmp_path / "a.pt")
    old = loop.load(tmp_path / "a.pt")
    recipe = json.loads(old["recipe"])
    for name in ("network", "shape", "loss", "adversarial"):
        del recipe[name]
    del recipe["data"]["blurred"], old["streams"]
    torch.save({**old, "recipe": json.dumps(recipe)}, tmp_path / "a.pt")
    single_shot.check_same(tmp_path / "a.pt", TINY)
    assert train(TINY, tmp_path / "a.pt", resume=True)["record"]["images"] == 12
    for other in (replace(TINY, widths=(4, 6, 8, 8, 9)), PAPER, replace(TINY, shape={"biases": False})):
        with pytest.raises(ParameterError, match="another network"):
            single_shot.check_same(tmp_path / "a.pt", other)
    with pytest.raises(ParameterError, match="other data"):
        single_shot.check_same(tmp_path / "a.pt", replace(TINY, data=replace(DATA, crop=64)))


def test_the_papers_network_is_trained_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "hrstem", TINY)
    line = f"hrstem --network cgrdn --width 4 --loss lobato --adversarial --threads 1 --workers 0 -o {tmp_path}/a.pt"
    done = CliRunner().invoke(cli, ["train", "single-shot", *line.split(), "--steps", "1"])
    assert done.exit_code == 0, done.output
    assert "crops/s drawn" in done.stderr
    assert "crops/s trained" in done.stderr
    done = CliRunner().invoke(cli, ["train", "single-shot", *line.split(), "--steps", "2", "--resume"])
    assert done.exit_code == 0, done.output
    state = loop.load(tmp_path / "a.pt")
    assert state["step"] == 2
    assert state["adversary"]["optimizer"]["state"][0]["step"] == 2
    again = networks.build(json.loads(state["recipe"]))
    again.load_state_dict(state["average"])
    assert (again.head.in_channels, again.groups.parts[0].parts[0].layers[1].in_channels) == (4, 4 + 2)
    other = CliRunner().invoke(single_shot.main, f"hrstem --resume -o {tmp_path}/a.pt".split())
    assert isinstance(other.exception, ParameterError)


def test_a_width_keeps_the_proportions() -> None:
    assert single_shot.shaped(TINY, None, 8).widths == (8, 12, 16, 16, 16)
    assert single_shot.shaped(TINY, "cgrdn", 32).shape == {"width": 32, "growth": 16}
    assert single_shot.shaped(TINY, None, None) == TINY
    assert single_shot.shaped(RECIPES["general"], "cgrdn", None).shape == {}


SECOND = """
from pathlib import Path
from test_resume import ONE
from temclean.training import distributed, single_shot
with distributed.together():
    single_shot.train(ONE, 1, Path("second.pt"), None, False, 1, 1)
"""
ONE = replace(TINY, steps=1, adversarial=0.01)


def test_two_processes_go_down_the_mean_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    torchrun = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "TORCHELASTIC_RUN_ID": "1"}
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    ranks = [{**torchrun, "RANK": rank, "LOCAL_RANK": rank} for rank in "01"]
    other = subprocess.Popen(
        [sys.executable, "-c", SECOND], cwd=tmp_path, env={**os.environ, **ranks[1], "PYTHONPATH": paths}
    )
    for name, value in ranks[0].items():
        monkeypatch.setenv(name, value)
    patient = partial(torch.distributed.init_process_group, timeout=timedelta(minutes=2))
    monkeypatch.setattr(torch.distributed, "init_process_group", patient)  # where the other one fails, so does this
    with distributed.together():
        found = train(ONE, tmp_path / "first.pt")
    assert other.wait(60) == 0
    assert not (tmp_path / "second.pt").exists()
    assert found["record"]["images"] == 4
    assert [stream["rank"] for stream in found["streams"]] == [0, 1]

    torch.manual_seed(1)
    network = networks.build(json.loads(found["recipe"]))
    adversary = single_shot.Adversary("cpu")
    optimizer = torch.optim.AdamW(network.parameters(), lr=ONE.rate, weight_decay=ONE.weight_decay)
    for rank in range(2):  # one after the other, their gradients added up
        noisy, clean, rare = Pairs(DATA, 1, rank).batch()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            restored = network(noisy)
        restored = restored.float()
        loss = single_shot.objective(ONE, restored, clean, rare) + 0.01 * adversary.loss(restored, clean)
        (loss / 2.0).backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 0.5)
    optimizer.step()
    for name, weights in network.state_dict().items():
        assert torch.allclose(found["network"][name], weights, atol=1e-2 * ONE.rate), name
    assert not torch.equal(found["network"]["head.weight"], torch.zeros_like(network.head.weight))
