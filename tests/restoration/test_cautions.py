"""What is said of what results lack: by Python as a warning, by the command line as a line; of good ones nothing."""

import warnings
from pathlib import Path

import numpy as np
import pytest

from temclean import io
from temclean.errors import TemcleanWarning
from temclean.evidence.agreement import Agreement
from temclean.evidence.findings import Findings
from temclean.evidence.lattice import Lattice
from temclean.evidence.residual import Missing
from temclean.restoration import cautions, inference, pipeline, scaling

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"
AMPLIFIER = Path(__file__).parents[1] / "data" / "amplifier.onnx"


def test_nothing_is_said_of_nothing() -> None:
    assert list(cautions.of_findings([])) == []
    assert list(cautions.of_findings([Findings(), Findings(Missing(3.0, 1, 1, 8), Lattice(3.0, 8.0, 0.9))])) == []


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_few_bright_things_do_not_hide_that_a_ground_has_few_whole_numbers(dtype: str) -> None:
    draw = np.random.default_rng(1)
    for mean, said in ((2.0, True), (40.0, False)):
        counts = draw.poisson(mean, (128, 128))
        counts[:12, :12] = draw.poisson(200, (12, 12))
        image = counts.astype(dtype)
        line = cautions.of_steps(image.dtype, scaling.measure(image[None], 0.5, 99.5))
        assert bool(line and "four fifths of its pixels" in line) == (said and dtype != "f4")


def test_the_worst_place_is_named_and_how_many_frames_have_one() -> None:
    found = [Findings(Missing(value, 10 * k, 20 * k, 8)) for k, value in enumerate((2.0, 9.1, 7.0))]
    (line,) = cautions.of_findings(found)
    assert "in 2 of 3 frames" in line
    assert "row 10, column 20" in line
    assert "9 times" in line
    (alone,) = cautions.of_findings(found[1:2])
    assert "frames" not in alone


def test_patterns_and_doubts_have_lines_of_their_own() -> None:
    found = [Findings(lattice=Lattice(20.0, 7.25, 0.41)), Findings(agreement=Agreement(0.12, 0.9))]
    pattern, doubt = cautions.of_findings(found)
    assert "7.2 pixels" in pattern
    assert "41%" in pattern
    assert "12%" in doubt
    assert "take g" in doubt


@pytest.fixture
def faint() -> np.ndarray:
    """Return noise with something wide and weak in it."""
    image = np.random.default_rng(0).normal(1000, 40, (192, 192))
    image[60:90, 100:130] += 25
    return image


@pytest.mark.filterwarnings("ignore:the noise that was removed")
def test_python_warns_of_what_a_model_removes(faint: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "run", lambda _, tiles, within: np.full_like(tiles[0], 0.5))
    with pytest.warns(TemcleanWarning, match="missing from the result, most clearly at row"):
        pipeline.denoise(faint, IDENTITY, device="cpu")


def test_what_comes_back_as_it_was_lacks_nothing(faint: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.denoise(faint, IDENTITY, device="cpu")


def test_the_command_line_says_it_too(tmp_path: Path, run, faint: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "faint.tif"
    pixels = np.stack([faint, np.roll(faint, 30, axis=0)]).astype(np.uint16)
    io.write(path, io.Image.from_array(pixels, 0.1, "nm"), list(pixels))
    monkeypatch.setattr(inference, "run", lambda _, tiles, within: np.full_like(tiles[0], 0.5))
    done = run("denoise", path, "-m", IDENTITY, "--device", "cpu")
    assert done.code == 0
    assert "missing from the result in 2 of 2 frames" in done.err
