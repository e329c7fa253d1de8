"""``temclean inspect``: what it says of files whose content and noise are known."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io

Run = Callable[..., Any]
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
SLOPE = np.linspace(200.0, 900.0, 256) * np.ones((256, 1))


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """Write counts at 3 units an electron on an offset of 100, with a scale that ImageJ wrote."""
    pixels = (100 + 3 * np.random.default_rng(1).poisson(SLOPE / 3)).astype(np.uint16)
    path = tmp_path / "counted.tif"
    tifffile.imwrite(path, pixels, imagej=True, resolution=(50.0, 50.0), metadata={"unit": "nm"})
    return path


def test_a_block_says_what_is_in_the_file_and_what_its_noise_is(run: Run, counted: Path) -> None:
    ended = run("inspect", counted)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == str(counted)
    assert len(lines) <= 12
    said = " ".join(ended.out.split())
    assert "holds 256 x 256 pixels, uint16, TIFF" in said
    assert "calibration 0.02 nm a pixel, 5.12 x 5.12 nm in all" in said
    assert "noise Poisson: variance = " in said
    assert "x (value - 1" in said
    assert "white: no correlation" in said
    assert "model lr: its noise grows with the brightness" in said  # nothing fine is in it


def test_json_has_the_figures_and_their_errors(run: Run, counted: Path) -> None:
    found = json.loads(run("inspect", counted, "--json").out)
    assert (found["shape"], found["dtype"], found["unit"]) == ([256, 256], "uint16", "nm")
    noise = found["noise"]
    assert noise["family"] == "Poisson"
    assert noise["gain"] == pytest.approx(3, abs=4 * noise["gain_error"])
    assert 0 < noise["gain_error"] < 0.2
    assert noise["offset"] == pytest.approx(100, abs=4 * noise["offset_error"])
    assert noise["at_median"] == pytest.approx(np.sqrt(3 * (found["median"] - 100)), rel=0.03)
    assert found["model"] == "lr"


@pytest.mark.parametrize("name", ["camera", "coins", "page", "counted"])
def test_fine_structure_that_counts_as_noise_is_said(run: Run, counted: Path, tmp_path: Path, name: str) -> None:
    """Photographs are rough nearly everywhere, and what changes from pixel to pixel is measured as noise."""
    path, sigma = counted, 1.0
    if name != "counted":
        pytest.importorskip("skimage", reason="the test extra is not installed")
        from skimage import data

        photograph = getattr(data, name)()
        middle = tuple(slice(max(0, (length - 256) // 2), (length + 256) // 2) for length in photograph.shape)
        clean, sigma = photograph[middle] / 255 * 20_000 + 5_000.0, 200.0
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, np.rint(np.random.default_rng(1).normal(clean, sigma)).astype("u2"))
    found = json.loads(run("inspect", path, "--json").out)
    said = " ".join(run("inspect", path).out.split())
    assert ("its quietest places show no more than" in said) == (name != "counted")
    if name == "counted":
        assert found["quietest"] is None
    else:
        assert found["noise"]["at_median"] > 1.7 * found["quietest"]
        assert 0.9 * sigma < found["quietest"] < 1.5 * sigma


def test_a_bad_file_gets_a_line_and_the_others_go_on(run: Run, counted: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0 nothing")
    np.save(tmp_path / "even.npy", np.full((64, 64), 7.0))
    holes = np.ones((64, 64))
    holes[3, 3] = np.nan
    np.save(tmp_path / "holes.npy", holes)
    ended = run("inspect", tmp_path, tmp_path / "none.tif", "--json")
    assert ended.code == 1
    assert [line.split(": ")[0] for line in ended.err.splitlines()] == [
        str(tmp_path / "bad.tif"),
        str(tmp_path / "none.tif"),
    ]
    found = {Path(each["input"]).name: each for each in map(json.loads, ended.out.splitlines())}
    assert found["counted.tif"]["noise"]["gain"] > 0
    assert found["even.npy"]["no_noise"].endswith("all pixels are alike")
    assert found["holes.npy"]["no_noise"].endswith("some pixels are NaN or infinite")
    assert found["holes.npy"]["model"] is None
    assert "denoise refuses it" in found["holes.npy"]["warnings"][-1]
    assert found["none.tif"]["error"] == "no such file"


def test_noise_that_is_not_white_is_said_to_be_so(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    white = rng.normal(0, 20, (256, 257))
    slow = 500 + (white[:, 1:] + 0.7 * white[:, :-1])  # correlation 0.7 / 1.49
    np.save(tmp_path / "slow.npy", slow + rng.normal(0, 10, (256, 1)))
    found = json.loads(run("inspect", tmp_path / "slow.npy", "--json").out)["noise"]
    assert found["family"] == "Gaussian, rows"
    assert not found["white"]
    assert found["along_rows"][0] == pytest.approx(0.7 / 1.49, abs=0.03)
    assert found["row"] == pytest.approx(10, rel=0.15)
    said = " ".join(run("inspect", tmp_path / "slow.npy").out.split())
    assert "pixels of a row share" in said
    assert "not white; correlated with the next pixels along rows 0.4" in said


def test_the_noise_of_counts_is_told_where_most_pixels_have_none(run: Run, tmp_path: Path) -> None:
    mean = np.full((256, 256), 0.15)
    mean[60:200, 60:200] = 1.1
    counts = np.random.default_rng(0).poisson(mean).astype("u2")
    assert np.median(counts) == 0
    path = io.write(tmp_path / "map.tif", io.Image.from_array(counts), [counts])
    (line,) = [line for line in run("inspect", path).out.splitlines() if line.startswith("  noise ")]
    assert "Poisson: variance = " in line
    gain = float(line.split("variance = ")[1].split()[0])
    assert abs(gain - 1) < 0.2


def test_wild_pixels_and_clipping_are_counted(run: Run, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pixels = np.clip(SLOPE + rng.normal(0, 30, SLOPE.shape), 250, None).round().astype(np.uint16)
    hot = rng.random(pixels.shape) < 0.01
    pixels[hot] = 5000
    np.save(tmp_path / "hot.npy", pixels)
    found = json.loads(run("inspect", tmp_path / "hot.npy", "--json").out)["noise"]
    assert found["impulses"] == pytest.approx(hot.mean(), rel=0.1)
    assert 1 < found["impulses_error"] / np.sqrt(hot.mean() / hot.size) < 1.5
    assert found["clipped_low"] == pytest.approx((pixels == 250).mean())
    assert "clipped at the least" in " ".join(run("inspect", tmp_path / "hot.npy").out.split())


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(("resolution", "length"), [((50.0, 50.0), 0.2), ((100 / 3, 100.0), None)])
def test_a_period_is_a_length_where_that_is_the_same_in_all_directions(
    run: Run, tmp_path: Path, axis: int, resolution: tuple[float, float], length: float | None
) -> None:
    wave = 0.2 * np.cos(2 * np.pi * np.indices((256, 256))[axis] / 10)
    pixels = (wave + np.random.default_rng(4).normal(0, 0.1, wave.shape)).astype(np.float32)
    path = tmp_path / "fringes.tif"
    tifffile.imwrite(path, pixels, imagej=True, resolution=resolution, metadata={"unit": "nm"})
    said = re.search(r"about (\S+) pixels from line to line(?: \((\S+) nm\))?\n", run("inspect", path).out)
    assert said
    assert float(said[1]) == pytest.approx(10, rel=0.01)
    assert (said[2] and float(said[2])) == (length and pytest.approx(length, rel=0.01))


@pytest.mark.skipif(not SHARED.is_dir(), reason="real files are not here")
def test_of_a_file_with_several_images_each_can_be_named(run: Run) -> None:
    file = SHARED / "odd" / "fei_example_dpc_titles.emd"
    pytest.importorskip("h5py")
    names = io.list_images(file)
    found = [json.loads(line) for line in run("inspect", file, "--image", "all", "--json").out.splitlines()]
    assert [each["image"] for each in found] == names
    assert json.loads(run("inspect", file, "--image", "iDPC", "--json").out)["image"] == "iDPC"
    assert run("inspect", file, "--image", "nonsense").code == 1
