"""What training writes and where: nobody's file is replaced unasked; needs the ``train`` extra."""

import errno
import json
from pathlib import Path
from typing import Any

import click
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from click.testing import CliRunner, Result  # noqa: E402

from temclean.cli import cli  # noqa: E402
from temclean.errors import FileError, ParameterError, TemcleanError  # noqa: E402
from temclean.training import loop, lowdose, noise2atom, outputs, single_shot, teachers  # noqa: E402
from temclean.training.networks import ChaeUNet, ResidualUNet  # noqa: E402
from temclean.training.options import Finite  # noqa: E402
from temclean.training.recipes import RECIPES  # noqa: E402

TINY = ["--width", "4", "--crop", "32", "--batch", "1", "--threads", "1", "--workers", "0"]


def train(*words: object) -> Result:
    return CliRunner().invoke(cli, ["train", "single-shot", "lde", *TINY, *map(str, words)])


def run_of(out: Path, network: Any) -> loop.Run:
    return loop.Run(network, torch.optim.SGD(network.parameters(), 0.1), out)


@pytest.fixture
def baseline(tmp_path: Path) -> Path:
    """Return a checkpoint as those of ``temclean train chae``, which keeps no records and no recipe."""
    run_of(tmp_path / "chae.pt", ChaeUNet(4)).save({"width": 4, "validation": 0.1})
    return tmp_path / "chae.pt"


@pytest.fixture
def of_movie(tmp_path: Path) -> Path:
    """Return a checkpoint as those of ``temclean train movie``, whose recipe tells no network."""
    recipe = json.dumps({"movie": "m.tif", "steps": 3})
    record = {"recipe": recipe, "hours": 0.0, "images": 1}
    run_of(tmp_path / "movie.pt", ResidualUNet((4, 6))).save({"recipe": recipe, "record": record, "origin": []})
    return tmp_path / "movie.pt"


@pytest.mark.parametrize("name", ["p.png", "weights.onnx", "plain"])
def test_a_checkpoint_takes_no_other_kind_of_files_place(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = train("--steps", 1, "-o", tmp_path / name)
    assert isinstance(done.exception, ParameterError)
    assert f"give -o {(tmp_path / name).with_suffix('.pt')}" in str(done.exception)
    assert (tmp_path / name).read_text() == "mine"


def test_a_checkpoint_and_a_picture_are_not_replaced_unasked(tmp_path: Path) -> None:
    for name in ("a.pt", "a.png"):
        (tmp_path / name).write_text("mine")
    words = "--steps", 1, "-o", tmp_path / "a.pt"
    done = train(*words)
    assert isinstance(done.exception, FileError)
    assert "--resume goes on from it, --overwrite begins anew" in str(done.exception)
    assert (tmp_path / "a.pt").read_text() == "mine"
    done = train(*words, "--resume")
    assert "delete it, or give --overwrite" in str(done.exception)
    done = train(*words, "--overwrite")
    assert done.exit_code == 0, done.output
    assert loop.load(tmp_path / "a.pt")["step"] == 1
    assert (tmp_path / "a.png").read_text() == "mine"
    assert (tmp_path / "a_preview.png").exists()


def test_results_are_not_replaced_unasked(tmp_path: Path) -> None:
    checkpoint, results = tmp_path / "a.pt", [tmp_path / "a.onnx", tmp_path / "a.json"]
    outputs.ready(checkpoint, results, resume=False, overwrite=False)
    assert not list(tmp_path.iterdir())
    results[1].write_text("mine")
    with pytest.raises(FileError, match=r"a\.json exists; --overwrite"):
        outputs.ready(checkpoint, results, resume=True, overwrite=False)
    outputs.ready(checkpoint, results, resume=False, overwrite=True)
    assert results[1].read_text() == "mine"


@pytest.mark.parametrize("name", ["file/a", "folder", "part"])
def test_what_cannot_be_written_shows_before_any_work(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.pt").mkdir()
    (tmp_path / "part.part").mkdir()
    out = tmp_path / f"{name}.onnx"
    with pytest.raises(FileError, match=f"{name}.*give another -o"):
        outputs.ready(out.with_suffix(".pt"), [out], resume=False, overwrite=False)


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: Any, error: Exception) -> None:
    run = run_of(tmp_path / "a.pt", ResidualUNet((4, 6)))
    run.save({})

    def full(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise error

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(FileError, match=r"a\.pt: cannot be written \(.*\): free space, and go on with --resume"):
        run.save({})
    assert loop.load(tmp_path / "a.pt")["step"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


def test_a_picture_that_cannot_be_written_ends_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a_preview.png").mkdir()
    loop.preview(tmp_path / "a.pt", torch.rand(1, 1, 8, 8))
    assert "a_preview.png: cannot be written" in capsys.readouterr().err


def test_a_run_goes_on_from_one_of_its_own_kind_alone(baseline: Path, of_movie: Path) -> None:
    for path in (baseline, of_movie):
        with pytest.raises(ParameterError, match=r"not of a run of single-shot; give another -o"):
            single_shot.check_same(path, RECIPES["lde"])
        with pytest.raises(ParameterError, match="another run or other options"):
            run_of(path, ResidualUNet((4, 6))).resume(recipe="{}")
        with pytest.raises(ParameterError, match="other pairs or options"):
            lowdose.check_same(path, json.dumps({"pairs": [], "held_out_pairs": []}))
    with pytest.raises(FileError, match="holds another network"):
        run_of(of_movie, ResidualUNet((4, 8))).resume()
    with pytest.raises(ParameterError, match="another run or other options"):
        run_of(baseline, ChaeUNet(8)).resume(width=8)
    assert run_of(baseline, ChaeUNet(4)).resume(width=4)["validation"] == 0.1


@pytest.mark.parametrize("name", ["baseline", "of_movie"])
def test_what_is_no_start_and_no_teacher_is_refused(name: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(name)
    begins = [
        lambda: lowdose.beginning("house", str(path)),
        lambda: noise2atom.shape(str(path)),
        lambda: teachers.load(path, "cpu"),
    ]
    for begin in begins:
        with pytest.raises(FileError, match=rf"{path.name}: .*(start|begin|teach)"):
            begin()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--hours", "nan"),
        ("--hours", "inf"),
        ("--rate", "nan"),
        ("--seed", "4294967296"),
        ("--seed", "99999999999999999999"),
        ("--crop", "48"),
    ],
)
def test_numbers_that_are_none_are_refused_with_their_options_name(tmp_path: Path, option: str, value: str) -> None:
    done = train("-o", tmp_path / "a.pt", option, value)
    assert done.exit_code == 2
    assert f"Invalid value for '{option}'" in done.output
    with pytest.raises(click.BadParameter):
        Finite(min=0.0).convert("nan", None, None)


def test_one_end_is_enough(tmp_path: Path) -> None:
    done = train("-o", tmp_path / "a.pt", "--hours", 1, "--steps", 1)
    assert isinstance(done.exception, TemcleanError)
    assert "--steps and --hours" in str(done.exception)
