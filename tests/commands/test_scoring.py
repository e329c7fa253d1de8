"""Scores of files: which belong together, and what is printed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io

Run = Callable[..., Any]
ImageFile = Callable[..., Path]


@pytest.fixture
def pairs(run: Run, tmp_path: Path) -> Path:
    run("simulate", "--noise", "g", "-n", 2, "--size", 176, "-o", tmp_path)
    return tmp_path


def test_two_files(run: Run, pairs: Path) -> None:
    truth, test = pairs / "0000_clean.tif", pairs / "0000_noisy.tif"
    done = run("score", truth, test, "--json")
    record = json.loads(done.out)
    assert list(record) == ["truth", "test", "mae", "psnr", "ssim", "ms_ssim"]
    with io.read(truth) as clean, io.read(test) as noisy:
        error = noisy.pixels[0].astype(np.float64) - clean.pixels[0]
    assert record["mae"] == pytest.approx(np.abs(error).mean())
    assert record["psnr"] == pytest.approx(-10 * np.log10((error**2).mean()))
    assert 0 < record["ssim"] < record["ms_ssim"] < 1
    half = run("score", truth, test, "--data-range", "0.5")
    assert f"{record['psnr'] - 20 * np.log10(2):.4f}" in half.out


def test_globs_are_paired_by_their_wildcards(run: Run, pairs: Path, image_file: ImageFile) -> None:
    (pairs / "0001_noisy.tif").unlink()
    image_file(pairs / "0007_noisy.tif")
    done = run("score", pairs / "*_clean.tif", pairs / "*_noisy.tif", "--json")
    assert done.code == 1
    records = [json.loads(line) for line in done.out.splitlines()]
    assert "mae" in records[0]
    assert [Path(record["truth"] or record["test"]).name for record in records] == [
        "0000_clean.tif", "0001_clean.tif", "0007_noisy.tif",
    ]  # fmt: skip
    assert all("no partner" in record["error"] for record in records[1:])


def test_folders_are_paired_by_name(run: Run, pairs: Path) -> None:
    done = run("score", pairs, pairs)
    assert done.code == 0
    lines = done.out.splitlines()
    assert len(lines) == 6
    assert lines[-1].endswith("mean")
    assert "inf" in lines[1]


def test_a_zarr_folder_is_one_file(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="the zarr extra is not installed")
    pixels = np.arange(48, dtype=np.float32).reshape(6, 8)
    truth, test = (
        io.write(tmp_path / name, io.Image.from_array(pixels + add), [pixels + add])
        for name, add in (("raw.zarr", np.float32(0)), ("result.ome.zarr", np.float32(2)))
    )
    done = run("score", truth, test, "--json")
    assert (done.code, done.err) == (0, "")
    record = json.loads(done.out)
    assert (record["truth"], record["test"]) == (str(truth), str(test))
    assert record["mae"] == pytest.approx(2)
    mixed = run("score", truth, tmp_path)
    assert mixed.code == 2
    assert "must both be files" in mixed.err


def test_two_stars_stand_for_no_folder_too(run: Run, pairs: Path) -> None:
    (pairs / "deeper").mkdir()
    for name in ("0001_clean.tif", "0001_noisy.tif"):
        (pairs / name).rename(pairs / "deeper" / name)
    done = run("score", f"{pairs}/**/*_clean.tif", f"{pairs}/**/*_noisy.tif", "--json")
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 2


def test_a_truth_that_is_not_there_is_named_alone(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    done = run("score", tmp_path / "none.tif", image_file(tmp_path / "b.tif"))
    assert done.code == 1
    assert done.err == f"{tmp_path / 'none.tif'}: there is no such file; check the name\n"


def test_small_images_and_stacks(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    one, other = image_file(tmp_path / "a.tif", frames=3), image_file(tmp_path / "b.tif", 5, frames=3)
    record = json.loads(run("score", one, other, "--json").out)
    assert record["mae"] == pytest.approx(4)
    assert record["ms_ssim"] is None
    done = run("score", one, image_file(tmp_path / "c.tif"))
    assert done.code == 1
    assert "shape" in done.err


def test_css_of_a_movie(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    frame = np.random.default_rng(0).random((20, 30), np.float32)
    movie = np.stack([frame, frame, frame[::-1]])
    path = io.write(tmp_path / "movie.tif", io.Image.from_array(movie), list(movie))
    record = json.loads(run("score", "--css", path, "--json").out)
    assert record["css"][0] == pytest.approx(1)
    assert record["css"][1] < 0.5
    assert record["mean"] == pytest.approx(np.mean(record["css"]))
    assert len(run("score", "--css", path).out.splitlines()) == 4
    still = run("score", "--css", image_file(tmp_path / "still.tif"))
    assert still.code == 1
    assert "one frame" in still.err


def test_who_holds_no_number_is_named(run: Run, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).random((5, 20, 30), np.float32)
    good = io.write(tmp_path / "good.tif", io.Image.from_array(frames), list(frames))
    frames[2, 3, 4] = np.nan
    bad = io.write(tmp_path / "bad.tif", io.Image.from_array(frames), list(frames))
    for arguments in ([good, bad], [bad, good], ["--css", bad], ["--movie", good, bad], ["--movie", bad, good]):
        done = run("score", *arguments)
        assert done.code == 1
        (line,) = done.err.splitlines()
        assert line.removeprefix("temclean: ").startswith(f"{bad}: ")
        assert str(good) not in line


def test_a_range_that_is_no_number_is_a_wrong_command(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    path = image_file(tmp_path / "a.tif")
    for value in ("nan", "inf", "0"):
        assert run("score", path, path, "--data-range", value).code == 2
