"""Packages for bioimage.io, by what its model description 0.5 asks for, and by its own program where there is one."""

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import temclean

ort: Any = pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

Run = Callable[..., Any]
DATA = Path(__file__).parents[1] / "data"
NETWORK, BEYOND, MOVIE = (DATA / f"{name}.onnx" for name in ("network", "beyond", "movie"))


@pytest.fixture(params=[NETWORK, BEYOND], ids=["network", "beyond"])
def model(request: pytest.FixtureRequest) -> Path:
    """One model, and one whose result is smaller than what it looks at."""
    path: Path = request.param
    return path


@pytest.fixture
def package(run: Run, tmp_path: Path, model: Path) -> Path:
    folder = tmp_path / "new" / "package"
    done = run("models", "--export-bioimageio", model, folder)
    assert (done.code, done.out, done.err) == (0, f"{folder}\n", "")
    assert [each.name for each in folder.parent.iterdir()] == ["package"], "nothing is left beside it"
    return folder


def description(package: Path) -> Any:
    """Return what the package says; JSON is YAML."""
    return json.loads((package / "rdf.yaml").read_text(encoding="utf-8"))


def test_the_test_tensors_follow_from_the_description(package: Path) -> None:
    """The specification's equation of `scale_range`, then the network as onnxruntime runs it."""
    told = description(package)
    (image,), (restored,) = told["inputs"], told["outputs"]
    before, after = (np.load(package / each["test_tensor"]["source"]) for each in (image, restored))
    (step,) = image["preprocessing"]
    assert step["id"] == "scale_range"
    how = step["kwargs"]
    low, high = (np.quantile(before, how[f"{end}_percentile"] / 100) for end in ("min", "max"))
    scaled = ((before - low) / (high - low + how["eps"])).astype(np.float32)
    session = ort.InferenceSession(str(package / told["weights"]["onnx"]["source"]), providers=["CPUExecutionProvider"])
    assert [each.name for each in session.get_inputs()] == [image["id"]]
    assert [each.name for each in session.get_outputs()] == [restored["id"]]
    np.testing.assert_allclose(session.run(None, {image["id"]: scaled})[0], after, rtol=1e-5, atol=1e-6)
    assert before.std() > 0
    assert after.std() > 0


def test_files_and_axes_are_as_told(package: Path, model: Path) -> None:
    told = description(package)
    (image,), (restored,) = told["inputs"], told["outputs"]
    named = [told["weights"]["onnx"], image["test_tensor"], restored["test_tensor"]]
    for each in named:
        assert each["sha256"] == hashlib.sha256((package / each["source"]).read_bytes()).hexdigest()
    written = {each["source"] for each in named} | {told["documentation"], *told["covers"], "rdf.yaml"}
    assert {path.name for path in package.iterdir()} == written
    assert (package / named[0]["source"]).read_bytes() == model.read_bytes()
    known = temclean.models.load(model)
    shape, smaller = (np.load(package / each["test_tensor"]["source"]).shape for each in (image, restored))
    for tensor in (image, restored):
        assert [axis["type"] for axis in tensor["axes"]] == ["batch", "channel", "space", "space"]
    for length, left, taken, given in zip(shape[2:], smaller[2:], image["axes"][2:], restored["axes"][2:], strict=True):
        assert taken["size"]["min"] == length
        assert taken["size"]["step"] == known.multiple
        assert left % known.multiple == 0
        assert left > 2 * given.get("halo", 0) == 2 * known.halo
        less = {"offset": left - length} if left < length else {}
        assert left == length - 2 * known.beyond
        assert given["size"] == {"tensor_id": "image", "axis_id": taken["id"], **less}
    assert (told["type"], told["format_version"].rpartition(".")[0]) == ("model", "0.5")
    with Image.open(package / told["covers"][0]) as cover:
        assert cover.width == 2 * cover.height


def test_the_opset_is_that_of_the_file(package: Path) -> None:
    onnx: Any = pytest.importorskip("onnx", reason="onnx is not installed")
    (opset,) = onnx.load(package / "weights.onnx").opset_import
    assert description(package)["weights"]["onnx"]["opset_version"] == opset.version


@pytest.mark.parametrize(("model", "name", "words"), [(NETWORK, "", "new folder"), (MOVIE, "a", "frames of a movie")])
def test_what_cannot_be_exported_is_told(run: Run, tmp_path: Path, model: Path, name: str, words: str) -> None:
    done = run("models", "--export-bioimageio", model, tmp_path / name)
    assert (done.code, done.out) == (2, "")
    assert words in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("bioimageio") is None, reason="bioimageio.core is not installed")
def test_its_own_program_passes_it(package: Path) -> None:
    line = ["bioimageio", "test", str(package / "rdf.yaml")]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
