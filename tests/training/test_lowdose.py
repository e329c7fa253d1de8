"""Training on pairs of short and long exposures, from folders to a model; needs the ``train`` extra."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from click.testing import CliRunner, Result  # noqa: E402

from temclean.cli import cli  # noqa: E402
from temclean.errors import FileError, ParameterError  # noqa: E402
from temclean.restoration import models, pipeline  # noqa: E402
from temclean.specimen import survey  # noqa: E402
from temclean.training import loop, lowdose, lowdose_model, networks  # noqa: E402

TINY = {"network": "residual", "widths": [4, 6], "more": [], "shape": {"base": 4}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four fields of nanoparticles at 30 and at 3000 electrons a pixel, and a tiny network to start from."""
    root = tmp_path_factory.mktemp("pairs")
    for number in range(4):
        rng = np.random.default_rng(number)
        clean = survey.dispersed(rng, 96, 4.0, 0.5, round_share=1.0).image
        for name, dose in (("short", 30.0), ("long", 3000.0)):
            (root / name).mkdir(exist_ok=True)
            tifffile.imwrite(root / name / f"{number}.tif", rng.poisson(dose * clean).astype(np.uint16))
    network = networks.build(TINY)
    run = loop.Run(network, torch.optim.Adam(network.parameters()), root / "tiny.pt")
    run.save(
        {"origin": [], "record": {"recipe": json.dumps(TINY), "hours": 0.0, "images": 0, "commit": "", "command": ""}}
    )
    return root


def call(folder: Path, out: Path, *more: str) -> Result:
    line = [folder / "short", folder / "long", "-o", out, "--start", folder / "tiny.pt", "--threads", 1, "--crop", 32]
    return CliRunner().invoke(cli, ["train", "lowdose", *map(str, line), "--every", "2", *more])


def test_pairs_become_a_model_that_denoise_runs(folder: Path, tmp_path: Path) -> None:
    done = call(folder, tmp_path / "my.onnx", "--steps", "4")
    assert done.exit_code == 0, done.output
    assert "4 pairs of 4 fields of view; 3 to train on, 1 held out" in done.stderr
    model = models.load(tmp_path / "my.onnx")
    assert (model.name, model.multiple, model.training["images"]) == ("my", 4, 16)
    report = json.loads((tmp_path / "my.json").read_text())
    assert (tmp_path / "my.txt").read_text() == done.stdout
    row = report["each"][0]
    short, long = (
        tifffile.imread(folder / name / f"{row['name']}.tif").astype(np.float32) for name in ("short", "long")
    )
    restored = pipeline.denoise(short, model=tmp_path / "my.onnx")
    low, high = np.percentile(long / 100.0, (0.1, 99.9))
    inner = np.s_[8:-8, 8:-8]  # what drift left may be cut at the edges, and the network sees that
    mae = np.abs(short - long / 100.0)[inner].mean() / (high - low)
    assert row["short"]["mae"] == pytest.approx(mae, rel=0.1)
    assert np.abs(restored - long / 100.0)[inner].mean() / (high - low) == pytest.approx(
        row["restored"]["mae"], rel=0.2
    )


def test_a_stopped_run_ends_with_the_same_bits(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowdose_model, "write", lambda *_: "")
    assert call(folder, tmp_path / "whole.onnx", "--steps", "4").exit_code == 0

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stop)
        call(folder, tmp_path / "a.onnx", "--steps", "4")
    assert loop.load(tmp_path / "a.pt")["step"] == 2
    assert call(folder, tmp_path / "a.onnx", "--steps", "4", "--resume").exit_code == 0
    whole, again = (loop.load(tmp_path / f"{name}.pt") for name in ("whole", "a"))
    for part in ("network", "average"):
        assert all(torch.equal(whole[part][name], again[part][name]) for name in whole[part])
    other = call(folder, tmp_path / "a.onnx", "--resume", "--seed", "2")
    assert isinstance(other.exception, ParameterError)
    assert "began with other pairs or options" in str(other.exception)
    other = call(folder, tmp_path / "a.onnx", "--network", "resnet18", "--overwrite")
    assert "holds another network than resnet18" in str(other.exception)


@pytest.mark.parametrize("name", ["my.onnx", "my.json", "my.txt", "my.pt"])
def test_what_is_there_is_not_replaced_unasked(folder: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    done = call(folder, tmp_path / "my.onnx", "--steps", "1")
    assert isinstance(done.exception, FileError)
    assert f"{name} exists" in str(done.exception)
    assert (tmp_path / name).read_text() == "mine"


def test_a_name_that_is_no_models_is_refused(folder: Path, tmp_path: Path) -> None:
    assert "ends in .onnx; give -o" in str(call(folder, tmp_path / "my.h5").exception)


def test_the_loss_is_the_papers() -> None:
    """Of one crop that is a whole pair: the mean absolute error in parts of the long exposure's range."""
    rng = np.random.default_rng(0)
    short, long = rng.random((2, 64, 64)).astype(np.float32)
    pair = lowdose.Scaled(short, long, 0.5)
    options = lowdose.Options(1, 1e-3, 3, 64, 0.2, 1)
    shorts, longs, span = lowdose.batch([pair], options, 0)
    assert float(((shorts - longs).abs() / span).mean()) == pytest.approx(2 * np.abs(short - long).mean(), rel=1e-5)
    flips = [long, long[::-1], long[:, ::-1], long[::-1, ::-1]]
    assert all(any(np.array_equal(one[0], flip) for flip in flips) for one in longs.numpy())
    assert torch.equal(longs, lowdose.batch([pair], options, 0)[1])
    assert not torch.equal(longs, lowdose.batch([pair], options, 1)[1])
