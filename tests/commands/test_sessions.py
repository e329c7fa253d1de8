"""Models that are chosen file by file: names of results, what is said, what is kept, and how many are open."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.commands import sessions
from temclean.errors import DeviceError
from temclean.restoration import choice, models
from temclean.restoration.choice import Choice
from temclean.restoration.modelfile import Normalisation

Run = Callable[..., Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Put models in place that leave images as they are, chosen by the first pixel; return those opened, in turn."""
    names = ["g", "sp", "gsp"]
    taken: list[str] = []

    def load(name: str | Path) -> Any:
        low = Normalisation("percentile", 0.0, 100.0)
        return SimpleNamespace(
            name=str(name), sha256=f"5e{name}", frames=1, joined=1, family="g", normalisation=low, multiple=2, halo=1,
            beyond=0,
        )  # fmt: skip

    def open_session(model: Any, *_: object) -> Any:
        taken.append(model.name)
        return SimpleNamespace(model=model, device="cpu", fallback=None, run=lambda batch: batch)

    def choose(image: Any, *_: object) -> Choice:
        name = names[int(image.pixels[0][0, 0])]
        return Choice(name, f"it looks like {name}")

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(models, "open_session", open_session)
    monkeypatch.setattr(choice, "choose", choose)
    return taken


def write(path: Path, first: int) -> Path:
    pixels = np.arange(96, dtype=np.uint16).reshape(8, 12) + 3
    pixels[0, 0] = first
    io.write(path, io.Image.from_array(pixels), pixels[None])
    return path


def test_each_file_has_a_model_of_its_own(run: Run, tmp_path: Path, opened: list[str]) -> None:
    for number, first in enumerate((0, 1, 0, 2, 0)):
        write(tmp_path / f"{number}.tif", first)
    done = run("denoise", tmp_path, "--json", "-o", tmp_path / "out")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 0
    assert [record["model"] for record in records] == ["g", "sp", "g", "gsp", "g"]
    assert records[1]["choice"] == "it looks like sp"
    assert [Path(record["output"]).name for record in records] == [
        "0_g.tif", "1_sp.tif", "2_g.tif", "3_gsp.tif", "4_g.tif",
    ]  # fmt: skip
    assert done.err.splitlines() == [
        f"temclean: {name} on cpu: it looks like {name}; -m chooses another model" for name in ("g", "sp", "gsp")
    ]
    assert opened == ["g", "sp", "gsp"]
    made = io.provenance(tmp_path / "out" / "1_sp.tif")
    assert made is not None
    assert (made["model"], made["choice"]) == ("sp", "it looks like sp")


def test_the_result_of_a_packed_file_is_called_as_any_other(run: Run, tmp_path: Path, opened: list[str]) -> None:
    (tmp_path / "a.tif.gz").write_bytes(gzip.compress(write(tmp_path / "plain.tif", 1).read_bytes()))
    done = run("denoise", tmp_path / "a.tif.gz")
    assert done.out == f"{tmp_path / 'a.tif.gz'} -> {tmp_path / 'a_sp.tif'}\n"


def test_only_two_models_are_held(opened: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    held = sessions.Sessions()
    for name in ("g", "sp", "gsp", "sp", "g"):
        held.session(models.load(name), "why")
    assert opened == ["g", "sp", "gsp", "g"]


def test_resume_overwrite_dry_run_and_shards_go_by_the_chosen_model(
    run: Run, tmp_path: Path, opened: list[str]
) -> None:
    first, second = write(tmp_path / "a.tif", 0), write(tmp_path / "b.tif", 1)
    planned = run("denoise", first, second, "--dry-run")
    assert planned.out.splitlines() == [
        f"{path} -> {path.with_name(f'{path.stem}_{name}.tif')} (dry run)"
        for path, name in ((first, "g"), (second, "sp"))
    ]
    assert "temclean: sp: it looks like sp" in planned.err
    assert not opened
    assert run("denoise", first, second, "--shard", "2/2").out == f"{second} -> {tmp_path / 'b_sp.tif'}\n"
    again = run("denoise", first, second, "--resume")
    assert again.out.splitlines()[1].endswith("b_sp.tif (kept)")
    assert run("denoise", first, second).code == 1
    assert run("denoise", first, second, "--overwrite").code == 0
    named = run("denoise", first, "-o", tmp_path / "clean.tif")
    assert named.out == f"{first} -> {tmp_path / 'clean.tif'} (g)\n"


def test_a_device_that_is_not_there_ends_the_run(
    run: Run, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise DeviceError("cuda is not there")

    monkeypatch.setattr(models, "open_session", refuse)
    done = run("denoise", write(tmp_path / "a.tif", 0), "--device", "cuda")
    assert (done.code, done.out, done.err) == (3, "", "temclean: cuda is not there\n")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_no_input_is_written_over(run: Run, tmp_path: Path, opened: list[str]) -> None:
    write(tmp_path / "a.tif", 0)
    write(tmp_path / "a_g.tif", 1)
    before = (tmp_path / "a_g.tif").read_bytes()
    done = run("denoise", tmp_path, "--overwrite")
    assert done.code == 1
    assert "written over the input" in done.err
    assert (tmp_path / "a_g.tif").read_bytes() == before
    assert (tmp_path / "a_g_sp.tif").exists()


def test_models_says_what_is_taken(run: Run) -> None:
    assert "auto, the default of denoise" in run("models").out
    assert run("models", "auto").out == run("models").out
