"""The files of evidence beside a result, made of images whose truth is known."""

import csv
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from temclean import io
from temclean.commands.evidence.files import Evidence
from temclean.commands.evidence.residual import Residual
from temclean.commands.jobs import plan
from temclean.commands.records import Result
from temclean.evidence.intervals import factors

Run = Callable[..., Any]
Floats = NDArray[np.float64]
SIDE = 128
SITES = [(row, column) for row in range(16, SIDE, 24) for column in range(16, SIDE, 24)]


def spots(sites: list[tuple[int, int]]) -> Floats:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.sum([np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 8) for y, x in sites], axis=0)


@pytest.fixture
def pair(tmp_path: Path) -> Result:
    """Write a stack of two frames and a result of it that invents a spot, (16, 16), and loses one, (64, 64)."""
    rng = np.random.default_rng(1)
    raw = 500 + 300 * spots([site for site in SITES if site != (16, 16)]) + rng.normal(0, 40, (2, SIDE, SIDE))
    result = 500 + 300 * spots([site for site in SITES if site != (64, 64)]) * np.ones((2, 1, 1))
    stack = io.Image.from_array(raw.round().astype(np.uint16), (0.02, 0.02), "nm")
    source = io.write(tmp_path / "a.tif", replace(stack, origin=(1.0, 5.0)), list(stack.pixels))
    note = {"temclean": "0", "model": "g", "input": "a.tif"}
    target = io.write(tmp_path / "a_g.tif", stack, list(result.round().astype(np.uint16)), note)
    return Result(str(source), str(target), "done", model="g")


def test_the_residual_is_raw_minus_restored_with_its_calibration(pair: Result, tmp_path: Path) -> None:
    found = Evidence(residual=True).look(pair)
    assert found.warnings == ()
    assert found.evidence == (str(tmp_path / "a_g_residual.tif"),)
    raw, result = (tifffile.imread(tmp_path / name).astype(np.float64) for name in ("a.tif", "a_g.tif"))
    left = tifffile.imread(tmp_path / "a_g_residual.tif")
    assert left.dtype == np.float32
    assert (left == raw - result).all()
    with io.read(tmp_path / "a_g_residual.tif") as image:
        assert (image.pixel_size, image.unit) == (pytest.approx((0.02, 0.02)), "nm")
    made = io.provenance(tmp_path / "a_g_residual.tif")
    assert made is not None
    assert (made["evidence_of"], made["evidence"], made["model"]) == ("a_g.tif", "residual", "g")
    assert found.structure is not None
    assert found.structure > 5.5
    assert "structure was removed here" in found.notes[0]


def test_a_residual_tells_what_it_does_not_know() -> None:
    """Of a result from which nearly all was taken, and of one whose contrast halved without anything wide missing."""
    draw = np.random.default_rng(3)
    fine = 50 * np.cos(2 * np.pi * np.arange(SIDE) / 4.3) * np.cos(2 * np.pi * np.arange(SIDE)[:, None] / 4.3)
    raw = 500 + fine + draw.normal(0, 30, (SIDE, SIDE))
    for left, said in ((0.5 * fine, "fine contrast is"), (draw.normal(0, 2, fine.shape), "cannot be told")):
        residual = Residual(raw[None], (500 + left)[None])
        assert len(list(residual)) == 1
        assert said in residual.line
        assert "has the contrast of the raw image" not in residual.line


def test_support_is_a_table_and_a_map(pair: Result, tmp_path: Path) -> None:
    found = Evidence(support=True).look(pair)
    assert found.warnings == ()
    with (tmp_path / "a_g_support.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:5] == ["frame", "x_px", "y_px", "x_nm", "y_nm"]
    for frame in ("0", "1"):
        verdicts = {
            (round(float(row["y_px"])), round(float(row["x_px"]))): row["verdict"]
            for row in rows
            if row["frame"] == frame
        }
        assert verdicts.pop((16, 16)) == "unsupported"
        assert verdicts.pop((64, 64)) == "lost"
        assert sorted(verdicts) == sorted(site for site in SITES if site not in {(16, 16), (64, 64)})
        assert set(verdicts.values()) == {"supported"}
    for row in rows:
        assert float(row["x_nm"]) == pytest.approx(5 + 0.02 * float(row["x_px"]), abs=1e-4)
        assert float(row["y_nm"]) == pytest.approx(1 + 0.02 * float(row["y_px"]), abs=1e-4)
    there = [row for row in rows if row["verdict"] == "supported"]
    pulls = [(float(row["intensity"]) - 300 * 8 * np.pi) / float(row["error"]) for row in there]
    assert abs(np.mean(pulls)) < 1
    answers = tifffile.imread(tmp_path / "a_g_support.tif")
    assert answers.shape == (2, SIDE, SIDE)
    assert answers[:, 64, 64].min() > 5 > answers[:, 16, 16].max()
    assert "of 48 bright spots of the result the raw image supports 46, 0 weakly, 2 not; 2" in found.notes[0]


def test_intervals_are_of_models_that_were_calibrated(pair: Result, tmp_path: Path) -> None:
    found = Evidence(interval=True).look(pair)
    assert found.warnings == ()
    raw, result = (tifffile.imread(tmp_path / name).astype(np.float64) for name in ("a.tif", "a_g.tif"))
    widths = tifffile.imread(tmp_path / "a_g_interval.tif")
    assert widths.shape == raw.shape
    even = np.s_[:, 40:100, 100:]  # nothing is invented or lost there: the residual is the noise, of 40
    assert widths[even].mean() == pytest.approx(factors()["g"] * (raw - result)[even].std(), rel=0.05)
    assert "± " in found.notes[0]
    (refused,) = Evidence(interval=True).look(replace(pair, model="bbg")).warnings
    assert "the intervals of bbg were not calibrated" in refused
    found = Evidence(residual=True, interval=True).look(replace(pair, model="bbg"))  # the rest is there all the same
    assert found.evidence == (str(tmp_path / "a_g_residual.tif"),)
    assert "no interval was written" in found.warnings[0]
    assert len(found.notes) == 1


def test_nothing_else_is_written_over(pair: Result, tmp_path: Path) -> None:
    (tmp_path / "a_g_support.csv").write_text("mine")
    tifffile.imwrite(tmp_path / "a_g_residual.tif", np.zeros((4, 4), np.float32))
    for wish in (Evidence(residual=True), Evidence(support=True)):
        assert "--overwrite replaces it" in wish.look(pair).warnings[0]
    assert (tmp_path / "a_g_support.csv").read_text() == "mine"
    assert Evidence(residual=True, support=True, replace=True).look(pair).warnings == ()
    assert Evidence(residual=True, support=True).look(pair).warnings == ()  # its own are
    assert plan([str(tmp_path)], "g", include_results=True).left_out == (
        tmp_path / "a_g_residual.tif",
        tmp_path / "a_g_support.tif",
    )


def test_what_failed_has_no_evidence_and_a_blank_image_no_spots(tmp_path: Path) -> None:
    failed = Result(str(tmp_path / "x.tif"), None, "failed", "why")
    assert Evidence(residual=True, support=True).look(failed) == failed
    blank = io.Image.from_array(np.full((40, 50), 7.0, np.float32))
    for name, note in (("b.tif", None), ("b_g.tif", {"temclean": "0", "model": "g"})):
        io.write(tmp_path / name, blank, list(blank.pixels), note)
    found = Evidence(residual=True, support=True).look(
        Result(str(tmp_path / "b.tif"), str(tmp_path / "b_g.tif"), "done")
    )
    assert found.warnings == ()
    assert "support cannot be told" in found.notes[1]
    assert (tmp_path / "b_g_support.csv").read_text().count("\n") == 1


def test_denoise_writes_them_beside_its_result(run: Run, tmp_path: Path) -> None:
    pixels = 500 + 300 * spots(SITES) + np.random.default_rng(2).normal(0, 60, (SIDE, SIDE))
    image = io.Image.from_array(pixels.astype(np.float32), 0.1, "nm")
    io.write(tmp_path / "c.tif", image, list(image.pixels))
    ended = run("denoise", tmp_path / "c.tif", "-m", "g", "--residual", "--support", "--threads", 1)
    assert ended.code == 0
    assert "c.tif: of 25 bright spots of the result the raw image supports 25" in ended.err.replace(
        str(tmp_path) + "/", ""
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "c.tif", "c_g.tif", "c_g_residual.tif", "c_g_support.csv", "c_g_support.tif",
    ]  # fmt: skip
    raw, result, left = (tifffile.imread(tmp_path / f"c{end}.tif") for end in ("", "_g", "_g_residual"))
    assert left == pytest.approx(raw - result, abs=1e-3)


def test_the_residual_says_by_how_much_contrast_is_less() -> None:
    rows, columns = np.mgrid[:128, :128]
    waves = np.cos(columns / 5.0) * np.cos(rows / 4.0)
    raw = (1000 + 100 * waves + np.random.default_rng(1).normal(0, 20, waves.shape)).astype(np.float32)
    for kept, said in (
        (1.0, "the contrast of the raw"),
        (0.8, r"(19\.[5-9]|20\.[0-4])% .* less"),
        (1.25, r"2[45]\.[0-9]% .* more"),
    ):
        result = (1000 + 100 * kept * waves).astype(np.float32)
        left = Residual(raw[None], result[None])  # type: ignore[arg-type]
        assert len(list(left)) == 1
        assert re.search(said, left.line), left.line
