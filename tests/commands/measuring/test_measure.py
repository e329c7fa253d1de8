"""``temclean measure``: files in, figures out that are known beforehand; read as others read them."""

import csv
import hashlib
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.commands.sources import digest

Run = Callable[..., Any]
DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
PIXEL = 0.02
SPACING = 11.7


@pytest.fixture
def strained(tmp_path: Path) -> Path:
    """Write a square lattice whose right half is 2% wider, of two kinds of columns, 0.02 nm a pixel, an origin."""
    line = np.arange(16.0, 240.0, SPACING)
    x = np.where(line > 128, 128 + (line - 128) * 1.02, line)
    y, x = (each.ravel() for each in np.meshgrid(line, x, indexing="ij"))
    height = np.where(np.arange(len(x)) % 2, 60.0, 100.0)
    pixel = np.arange(256)
    across, down = (np.exp(-((pixel - each[:, None]) ** 2) / (2 * 2.2**2)) for each in (x, y))
    image = np.einsum("n,ny,nx->yx", height, down, across) + np.random.default_rng(1).normal(20, 2, (256, 256))
    return save(tmp_path / "strained.tif", image.astype(np.float32))


def save(path: Path, image: np.ndarray, provenance: dict[str, Any] | None = None, pixel: float = PIXEL) -> Path:
    from dataclasses import replace

    made = replace(io.Image.from_array(image, pixel, "nm"), origin=(0.0, 5.0))
    return io.write(path, made, list(image) if image.ndim == 3 else [image], provenance)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_columns_in_pixels_and_nanometres(run: Run, strained: Path, tmp_path: Path) -> None:
    done = run("measure", strained, "-o", tmp_path / "out.csv")
    assert (done.code, done.err) == (0, "")
    said = " ".join(done.out.split())
    assert "columns 400" in said
    assert "2 groups (ICL)" in said
    rows = table(tmp_path / "out.csv")
    assert len(rows) == 400
    assert {row["kind"] for row in rows} == {"columns"}
    first = rows[0]
    assert float(first["x_nm"]) == pytest.approx(5.0 + PIXEL * float(first["x_px"]), rel=1e-6)
    assert float(first["y_nm"]) == pytest.approx(PIXEL * float(first["y_px"]), rel=1e-6)
    assert np.median([float(row["width_nm"]) for row in rows]) == pytest.approx(2.2 * PIXEL, rel=0.02)
    left = [row for row in rows if 30 < float(row["x_px"]) < 110 and row["exx"]]
    right = [row for row in rows if 150 < float(row["x_px"]) < 220 and row["exx"]]
    exx = [float(np.median([float(row["exx"]) for row in side])) for side in (left, right)]
    assert exx[1] - exx[0] == pytest.approx(0.02, abs=0.002)
    assert np.median([float(row["along_a_nm"]) for row in left]) == pytest.approx(SPACING * PIXEL, rel=0.003)
    assert np.median([float(row["nearest_px"]) for row in rows]) == pytest.approx(SPACING, rel=0.01)
    bright = [float(row["intensity"]) > 80 * 2 * np.pi * 2.2**2 for row in rows]
    assert [row["group"] == "2" for row in rows] == bright


def test_pandas_reads_the_table(run: Run, strained: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    run("measure", strained, "-o", tmp_path / "out.csv")
    frame = pandas.read_csv(tmp_path / "out.csv")
    numbers = frame.drop(columns=["file", "image", "frame", "kind"])
    assert all(pandas.api.types.is_numeric_dtype(kind) for kind in numbers.dtypes)
    record = json.loads(run("measure", strained, "--json").out)
    same = pandas.DataFrame(record["table"])
    assert list(same) == list(numbers)
    np.testing.assert_allclose(same["exx"], numbers["exx"], rtol=1e-6)
    assert record["summary"]["lattice"]["a_nm"] == pytest.approx(1.01 * SPACING * PIXEL, rel=0.01)


def test_hyperspy_and_pandas_find_the_columns_in_the_file(run: Run, strained: Path, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    hs: Any = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")
    run("measure", strained, "-o", tmp_path / "out.csv")
    frame = pandas.read_csv(tmp_path / "out.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its readers'
        signal = hs.load(str(strained))
    columns, rows = (signal.axes_manager[name] for name in ("width", "height"))
    for one in frame[::10].itertuples():  # HyperSpy takes numbers with a point in the unit of its axes
        column, row = columns.value2index(one.x_nm), rows.value2index(one.y_nm)
        assert abs(column - one.x_px) <= 0.5
        assert abs(row - one.y_px) <= 0.5
        ring = signal.data[max(row - 5, 0) : row + 6, max(column - 5, 0) : column + 6]
        assert float(signal.isig[float(one.x_nm), float(one.y_nm)].data[0]) > np.percentile(ring, 80)
    points = hs.plot.markers.Points(frame[["x_nm", "y_nm"]])
    signal.add_marker(points, permanent=True, plot_marker=False, render_figure=False)
    signal.save(str(tmp_path / "marked.hspy"))
    kept = hs.load(str(tmp_path / "marked.hspy")).metadata.Markers
    (name,) = kept.keys()
    np.testing.assert_allclose(kept[name].kwargs["offsets"], frame[["x_nm", "y_nm"]].to_numpy())


def test_dumbbells_of_silicon_are_two_columns_each(run: Run) -> None:
    path = DATA / "si110_adf.png"
    if not path.exists():
        pytest.skip(f"{path} is not here")
    found = json.loads(run("measure", path, "--json").out)
    lattice = found["summary"]["lattice"]
    assert found["kind"] == "columns"
    assert lattice["sublattices"] == 2
    assert lattice["columns"] > 0.95 * found["summary"]["columns"]
    apart = np.median(found["table"]["nearest_px"]) / min(lattice["a_px"], lattice["b_px"])
    assert apart == pytest.approx(1 / np.sqrt(6), rel=0.1)  # a / 4, to a vector of a sqrt(3 / 8)


def test_particles_are_chosen_where_there_are_no_columns(run: Run, tmp_path: Path) -> None:
    y, x = np.mgrid[:200, :200]
    discs = sum(1.0 * (np.hypot(y - a, x - b) < 15) for a, b in ((50, 50), (140, 60), (100, 150)))
    image = (100 - 60 * discs + np.random.default_rng(2).normal(0, 4, (200, 200))).astype(np.float32)
    path = save(tmp_path / "dark.tif", image, pixel=0.5)
    found = json.loads(run("measure", path, "--json").out)
    assert found["kind"] == "particles"
    assert found["summary"]["particles"] == 3
    assert found["summary"]["dark"] is True
    assert found["summary"]["diameter_mean_nm"] == pytest.approx(15.0, rel=0.01)
    assert found["table"]["diameter_px"] == pytest.approx([30.0] * 3, rel=0.01)
    forced = json.loads(run("measure", path, "--columns", "--json").out)
    assert forced["kind"] == "columns"


def test_particles_of_a_restored_image_are_fitted_to_the_raw_one(run: Run, tmp_path: Path) -> None:
    """Discs of 30 pixels, restored 3 pixels too small; two that touch are left as they are."""
    y, x = np.mgrid[:240, :240]
    draw, middles = np.random.default_rng(2), ((50, 50), (150, 60), (60, 180), (180, 160), (180, 184))
    true, small = (sum(1.0 * (np.hypot(y - a, x - b) < r) for a, b in middles).clip(0, 1) for r in (15, 13.5))
    raw = save(tmp_path / "raw.tif", draw.poisson(20 - 8 * true).astype(np.uint16), pixel=0.5)
    note = {"model": "lde", "input": "raw.tif", "input_sha256": hashlib.sha256(raw.read_bytes()).hexdigest()}
    path = save(tmp_path / "raw_lde.tif", (20 - 8 * small).astype(np.float32), note, pixel=0.5)
    alone = run("measure", path, "--particles")
    assert "--raw FILE" in alone.err
    done = run("measure", path, "--particles", "--raw", tmp_path, "-o", tmp_path / "out.csv")
    assert (done.code, done.err) == (0, "")
    assert "3 of 4 to the raw image" in done.out
    rows = table(tmp_path / "out.csv")
    for row in (each for each in rows if each["fitted"] == "1"):
        error = float(row["diameter_error_nm"])
        assert 0 < error < 0.5
        assert float(row["diameter_nm"]) == pytest.approx(15.0, abs=3 * error)
    assert [row["diameter_error_px"] for row in rows if row["fitted"] == "0"] == [""]
    raw.write_bytes(raw.read_bytes() + b"\0")
    assert "another file" in run("measure", path, "--particles", "--raw", raw).err
    coarser = save(tmp_path / "coarser.tif", draw.poisson(20 - 8 * true).astype(np.uint16), pixel=0.7)
    said = run("measure", path, "--particles", "--raw", coarser).err
    assert f"its pixels are 0.5 nm, which are taken here, those of {coarser} 0.7 nm" in said
    other = save(tmp_path / "other.tif", np.zeros((30, 30), np.uint8))
    failed = run("measure", path, "--raw", other)
    assert failed.code == 1
    assert "is not that of" in failed.err


def test_the_raw_image_may_be_a_zarr_folder(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="the zarr extra is not installed")
    y, x = np.mgrid[:120, :120]
    true, small = ((np.hypot(y - 60, x - 60) < radius) * 1.0 for radius in (15, 13.5))
    noisy = np.random.default_rng(4).poisson(20 - 8 * true).astype(np.uint16)
    raw = save(tmp_path / "raw.zarr", noisy, pixel=0.5)
    note = {"model": "lde", "input": "raw.zarr", "input_sha256": digest(raw)}
    path = save(tmp_path / "result.zarr", (20 - 8 * small).astype(np.float32), note, pixel=0.5)
    for given in (raw, tmp_path):
        done = run("measure", path, "--particles", "--raw", given)
        assert (done.code, done.err) == (0, "")
        assert "1 of 1 to the raw image" in done.out


def test_a_width_means_nothing_with_particles(
    run: Run, strained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run("measure", strained, "--particles", "--width", 2)
    assert (done.code, done.out) == (2, "")
    assert "--width means nothing with --particles" in done.err
    assert run("measure", strained, "--columns", "--width", 2).code == 0
    monkeypatch.setenv("TEMCLEAN_MEASURE_WIDTH", "2")
    assert run("measure", strained, "--particles").code == 0


def test_restored_intensities_are_warned_of(run: Run, strained: Path, tmp_path: Path) -> None:
    with io.read(strained) as image:
        path = save(tmp_path / "restored.tif", image.pixels[0], {"model": "general"})
    done = run("measure", path)
    assert done.code == 0
    assert done.err.count("\n") == 1
    assert "restored by general" in done.err
    assert str(path) in done.err
    assert "restored" not in run("measure", strained).err


def test_errors_of_restored_images_are_left_empty(run: Run, strained: Path, tmp_path: Path) -> None:
    with io.read(strained) as image:
        path = save(tmp_path / "restored.tif", image.pixels[0], {"model": "general"})
    done = run("measure", path, "-o", tmp_path / "out.csv")
    assert "errors not known" in done.out
    assert "nan" not in done.out
    for row in table(tmp_path / "out.csv"):
        assert {value for name, value in row.items() if "error" in name} == {""}
        assert row["x_px"]
        assert row["intensity"]
    assert json.loads(run("measure", path, "--json").out)["summary"]["lattice"]["exx_noise"] is None


def test_errors_follow_noise_that_hangs_together(run: Run, tmp_path: Path) -> None:
    from scipy.ndimage import gaussian_filter

    line = np.arange(16.0, 240.0, SPACING)
    pixel = np.arange(256)
    across = np.exp(-((pixel - line[:, None]) ** 2) / (2 * 2.2**2))
    noise = gaussian_filter(np.random.default_rng(1).normal(0, 15, (256, 256)), 0.8)
    path = save(tmp_path / "resampled.tif", (100 * np.einsum("ny,mx->yx", across, across) + noise).astype(np.float32))
    assert run("measure", path, "-o", tmp_path / "out.csv").code == 0
    rows = table(tmp_path / "out.csv")
    names = ("x_px", "y_px", "x_error_px", "y_error_px")
    x, y, *said = (np.array([float(row[name]) for row in rows]) for name in names)
    off = [np.abs(each[:, None] - line).min(axis=1) for each in (x, y)]
    true = np.hypot(*off) < 3
    assert true.sum() == len(line) ** 2
    for away, error in zip(off, said, strict=True):
        assert np.sqrt((away[true] ** 2).mean()) == pytest.approx(np.sqrt((error[true] ** 2).mean()), rel=0.2)


def test_bad_files_get_a_line_and_others_go_on(run: Run, strained: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.tif").write_bytes(b"II*\0 nothing")
    np.save(tmp_path / "holes.npy", np.full((64, 64), np.nan))
    np.save(tmp_path / "even.npy", np.full((64, 64), 3.0))
    names = [tmp_path / name for name in ("bad.tif", "none.tif", "holes.npy", "even.npy")]
    done = run("measure", *names, strained, "-o", tmp_path / "out.csv")
    assert done.code == 1
    assert [line.split(": ")[0] for line in done.err.splitlines()] == list(map(str, names[:3]))
    assert str(strained) in done.out
    assert {row["file"] for row in table(tmp_path / "out.csv")} == {str(strained)}


def test_frames_of_a_stack(run: Run, strained: Path, tmp_path: Path) -> None:
    with io.read(strained) as image:
        frame = image.pixels[0]
    path = save(tmp_path / "stack.tif", np.stack([frame, frame[::-1]]))
    records = [json.loads(line) for line in run("measure", path, "--json").out.splitlines()]
    assert [record["frame"] for record in records] == [0, 1]
    assert [record["summary"]["columns"] for record in records] == [400, 400]


def test_the_table_is_not_written_over(run: Run, strained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("mine")
    refused = run("measure", strained, "-o", out)
    assert refused.code == 2
    assert out.read_text() == "mine"
    assert run("measure", strained, "-o", out, "--overwrite").code == 0
    assert run("measure", strained, "-o", tmp_path / "out.tif").code == 2
    assert not list(tmp_path.glob(".*.part"))


def test_particles_among_pixels_that_are_no_numbers(run: Run, tmp_path: Path) -> None:
    frame = np.ones((64, 64), np.float32)
    frame[3, 4] = np.nan
    path = save(tmp_path / "a.tif", frame)
    done = run("measure", path, "--particles")
    assert (done.code, done.err) == (1, f"{path}: some pixels are NaN or infinite; replace them first\n")
    assert run("measure", path, "--width", "nan").code == 2
