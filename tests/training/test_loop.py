"""What all training runs share: updates, averages, checkpoints and resuming; needs the ``train`` extra."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from PIL import Image  # noqa: E402

from temclean.errors import FileError  # noqa: E402
from temclean.training import loop  # noqa: E402
from temclean.training.networks import ResidualUNet  # noqa: E402


def line(out: Path, **options: float) -> Any:
    """Return a run that fits one number to 1 by plain gradient descent, (1 - w)^2 at a rate of 0.25."""
    network = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(network.weight)
    return loop.Run(network, torch.optim.SGD(network.parameters(), lr=0.25, momentum=0.5), out, **options)


def steps(run: Any, count: int) -> list[float]:
    seen = []
    for _ in range(count):
        run.update((1.0 - run.network.weight).square().sum())
        seen.append(run.network.weight.item())
    return seen


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="what a processor can do is read from /proc/cpuinfo")
def test_networks_run_in_bfloat16_where_the_processor_has_it_and_in_float32_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    flags = set(Path("/proc/cpuinfo").read_text().split())
    assert loop.has_bfloat16("cpu") == bool(flags & {"avx512_bf16", "amx_bf16"})
    for able, kind in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(loop, "has_bfloat16", lambda device, able=able: able)
        with loop.mixed("cpu"):
            assert torch.nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 8, 8)).dtype == kind


def test_an_update_goes_down_the_gradient_and_the_average_follows(tmp_path: Path) -> None:
    run = line(tmp_path / "a.pt", average=0.5)
    run.update((1.0 - run.network.weight).square().sum())
    assert run.network.weight.item() == pytest.approx(0.5)  # 0 + 0.25 * 2 * (1 - 0)
    assert run.weights["weight"].item() == pytest.approx(0.45)  # the first decay is 1 / 10
    assert run.mean == pytest.approx(1.0)


def test_a_gradient_is_clipped(tmp_path: Path) -> None:
    run = line(tmp_path / "a.pt", clip=1.0)
    run.update((1.0 - run.network.weight).square().sum())
    assert run.network.weight.item() == pytest.approx(0.25, rel=1e-5)


def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path: Path) -> None:
    whole = line(tmp_path / "whole.pt", average=0.9)
    expected = steps(whole, 6)
    stopped = line(tmp_path / "a.pt", average=0.9)
    first = steps(stopped, 3)
    stopped.save({"record": {"command": "x"}, "origin": [{"command": "before"}]})
    again = line(tmp_path / "a.pt", average=0.9)
    again.resume()
    assert (again.step, again.origin) == (3, [{"command": "before"}])
    assert first + steps(again, 3) == expected
    assert torch.equal(again.weights["weight"], whole.weights["weight"])
    assert again.hours > loop.load(tmp_path / "a.pt")["hours"] > 0.0


def test_a_run_starts_from_the_average_of_another_and_remembers_it(tmp_path: Path) -> None:
    first = line(tmp_path / "a.pt", average=0.9)
    steps(first, 4)
    first.save({"record": {"command": "first"}, "origin": []})
    second = line(tmp_path / "b.pt")
    second.start(tmp_path / "a.pt")
    assert second.network.weight.item() == first.weights["weight"].item() != first.network.weight.item()
    assert (second.step, second.origin) == (0, [{"command": "first"}])


def test_a_wider_and_deeper_network_begins_as_the_one_that_it_grows_from(tmp_path: Path) -> None:
    torch.manual_seed(3)
    narrow = ResidualUNet((4, 6), (1,))
    for value in narrow.parameters():
        torch.nn.init.normal_(value, std=0.2)
    loop.Run(narrow, torch.optim.SGD(narrow.parameters()), tmp_path / "a.pt").save({"record": {}, "origin": []})
    wide = ResidualUNet((6, 9), (1, 2))
    loop.Run(wide, torch.optim.SGD(wide.parameters()), tmp_path / "b.pt").start(tmp_path / "a.pt")
    image = torch.rand(2, 1, 16, 16)
    assert torch.allclose(wide(image), narrow(image), atol=1e-5)
    assert not torch.allclose(narrow(image), image, atol=0.1)
    wide(image).sum().backward()
    assert wide.head.weight.grad[:, 4:].abs().min() > 0.0  # the new channels are there to be listened to
    loop.Run(wide, torch.optim.SGD(wide.parameters()), tmp_path / "b.pt").save({"record": {}, "origin": []})
    again = loop.Run(narrow, torch.optim.SGD(narrow.parameters()), tmp_path / "a.pt")
    with pytest.raises(FileError, match="another network"):
        again.start(tmp_path / "b.pt")


def test_a_loss_that_is_not_finite_leaves_the_checkpoint(tmp_path: Path) -> None:
    run = line(tmp_path / "a.pt")
    steps(run, 1)
    run.save({})
    before = (tmp_path / "a.pt").read_bytes()
    run.update(run.network.weight.sum() * math.inf)
    with pytest.raises(FileError, match="no longer finite"):
        run.save({})
    assert (tmp_path / "a.pt").read_bytes() == before


def test_checkpoints_are_due_at_times_and_at_the_end(tmp_path: Path) -> None:
    run = line(tmp_path / "a.pt")
    due = []
    for _ in range(7):
        steps(run, 1)
        due.append(run.due(3, 7))
    assert due == [False, False, True, False, False, True, True]


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut"])
def test_what_is_no_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.pt"
    path.write_bytes(content)
    with pytest.raises(FileError, match="is no checkpoint"):
        loop.load(path)


def test_the_rate_warms_up_and_falls_to_zero() -> None:
    rates = [loop.warm_cosine(step, 100, 2.0, 10) for step in range(100)]
    assert rates[0] == pytest.approx(0.2)
    assert max(rates) == pytest.approx(rates[9])
    assert rates[50] == pytest.approx(1.0)
    assert rates[99] < 0.001


def test_a_commit_is_unknown_without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert loop.commit() == "unknown"


def test_a_preview_shows_crops_side_by_side(tmp_path: Path) -> None:
    clean = torch.linspace(0.0, 1.0, 8 * 8).reshape(1, 1, 8, 8).repeat(3, 1, 1, 1)
    loop.preview(tmp_path / "a.pt", 1.0 - clean, clean)
    with Image.open(tmp_path / "a_preview.png") as picture:
        values = np.asarray(picture)
    assert values.shape == (24, 16)
    assert (values[0, 0], values[0, 8]) == (255, 0)
