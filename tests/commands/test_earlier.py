"""Results that are there already, inputs that change on the way, runs side by side, and what others left behind."""

import hashlib
import os
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from temclean import io
from temclean.commands import batch, jobs, opening
from temclean.io import temporary
from temclean.restoration import pipeline, tiling
from temclean.restoration.scaling import Scaling

ImageFile = Callable[..., Path]
PLAIN = SimpleNamespace(scanned=False)
SESSION: Any = SimpleNamespace(
    model=SimpleNamespace(name="sp", sha256="5e55", frames=1, joined=1, normalisation=PLAIN), device="cpu", threads=1
)
pytestmark = pytest.mark.usefixtures("fake")
FORMATS = [("movie.tif", "u2"), ("big.btf", "f8"), ("movie.mrc", "i2"), ("movie.npy", "f4"), ("one.png", "u1")]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a pipeline in place that adds 1."""

    def frames(pixels: Any, session: Any, **_: Any) -> Iterator[NDArray[Any]]:
        for index in range(len(pixels)):
            yield pixels[index] + 1

    monkeypatch.setattr(pipeline, "denoise_frames", frames)
    monkeypatch.setattr(pipeline, "scaling", lambda pixels, model, **_: Scaling(0.0, 100.0))
    monkeypatch.setattr(pipeline, "plan", lambda shape, *_: tiling.plan(shape, 8))


def run(paths: list[Path], **options: Any) -> list[batch.Result]:
    return list(batch.run(jobs.plan([str(path) for path in paths], "sp").jobs, SESSION, **options))


def written(path: Path, dtype: str) -> Path:
    shape = (40, 50) if path.suffix == ".png" else (6, 40, 50)
    pixels = np.random.default_rng(1).integers(0, 99, shape).astype(dtype)
    io.write(path, io.Image.from_array(pixels), list(pixels.reshape(-1, 40, 50)))
    return path


def result_of(path: Path) -> Path:
    return path.with_stem(f"{path.stem}_sp")


def statuses(results: list[batch.Result]) -> list[str]:
    return [result.status for result in results]


@pytest.mark.parametrize(("name", "dtype"), FORMATS)
def test_the_checksum_is_that_of_the_pixels(tmp_path: Path, name: str, dtype: str) -> None:
    """By tifffile, NumPy, Pillow and the layout of MRC, not by our own readers."""
    path = written(tmp_path / name, dtype)
    assert statuses(run([path])) == ["done"]
    result = result_of(path)
    if path.suffix in {".tif", ".btf"}:
        pixels = tifffile.imread(result)
    elif path.suffix == ".npy":
        pixels = np.load(result)
    elif path.suffix == ".png":
        from PIL import Image

        with Image.open(result) as picture:
            pixels = np.asarray(picture)
    else:
        pixels = np.fromfile(result, "<i2", offset=1024).reshape(6, 40, 50)
    assert pixels.dtype.itemsize == np.dtype(dtype).itemsize
    assert (io.provenance(result) or {})["pixels_sha256"] == hashlib.sha256(pixels.tobytes()).hexdigest()
    assert statuses(run([path], resume=True)) == ["kept"]


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_checksum_does_not_depend_on_the_order_of_bytes(tmp_path: Path, order: Any) -> None:
    path = tmp_path / "a.tif"
    pixels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    tifffile.imwrite(path, pixels, byteorder=order)
    assert statuses(run([path])) == ["done"]
    expected = hashlib.sha256((pixels + 1).astype("<u2").tobytes()).hexdigest()
    assert (io.provenance(result_of(path)) or {})["pixels_sha256"] == expected


@pytest.mark.parametrize(("name", "dtype"), [each for each in FORMATS if each[0] != "one.png"])
def test_a_result_with_zeros_in_its_middle_is_made_again(tmp_path: Path, name: str, dtype: str) -> None:
    path = written(tmp_path / name, dtype)
    run([path])
    result = result_of(path)
    whole = result.read_bytes()
    with result.open("r+b") as file:
        file.seek(len(whole) // 2)
        file.write(bytes(64))
    assert statuses(run([path], resume=True)) == ["done"]
    assert result.read_bytes() == whole


@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
def test_half_an_npy_is_made_again(tmp_path: Path, part: float) -> None:
    path = written(tmp_path / "movie.npy", "f4")
    run([path])
    result = result_of(path)
    whole = result.read_bytes()
    os.truncate(result, int(part * len(whole)))
    assert statuses(run([path], resume=True)) == ["done"]
    assert result.read_bytes() == whole


def test_half_an_npy_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "movie.npy", "f4")
    np.save(result_of(path), np.zeros((6, 40, 51), np.float32))
    os.truncate(result_of(path), 9000)
    mine = result_of(path).read_bytes()
    assert statuses(run([path], resume=True)) == ["failed"]
    np.save(result_of(path), np.zeros((6, 40, 50), np.float32))  # whole, and another's
    assert statuses(run([path], resume=True)) == ["failed"]
    assert len(mine) == 9000


def test_an_old_result_without_a_checksum_is_kept(tmp_path: Path, image_file: ImageFile) -> None:
    """Made as temclean 0.1 made it: by tifffile, with the tag, without ``pixels_sha256``."""
    path = image_file(tmp_path / "a.tif")
    note = f'{{"model_sha256":"5e55","input_sha256":"{hashlib.sha256(path.read_bytes()).hexdigest()}"}}'
    pixels = np.zeros((4, 6), np.uint16)
    tifffile.imwrite(result_of(path), pixels, extratags=[(65330, 2, 0, note, True)])
    assert statuses(run([path], resume=True)) == ["kept"]


class Changed:
    """A pipeline that adds 1, and lets something happen to the input at its fourth frame."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def __call__(self, pixels: Any, session: Any, **_: Any) -> Iterator[NDArray[Any]]:
        for index in range(len(pixels)):
            if index == 3:
                self.change()
            yield pixels[index] + 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps an open file from being replaced")
@pytest.mark.parametrize("how", ["replaced", "written into", "grown", "removed"])
def test_an_input_that_changes_is_an_error_and_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    path = written(tmp_path / "movie.npy", "f4")
    other = tmp_path / "other.npy"
    other.write_bytes(path.read_bytes()[:-100] + bytes(100))
    before = path.stat()
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))  # as a copy that keeps its time

    def change() -> None:
        if how == "replaced":
            other.replace(path)
        elif how == "removed":
            path.unlink()
        else:
            with path.open("r+b") as file:
                file.seek(0, 2 if how == "grown" else 0)
                file.write(b"\x93")

    monkeypatch.setattr(opening, "SMALL", 0)
    monkeypatch.setattr(pipeline, "denoise_frames", Changed(change))
    (result,) = run([path])
    assert result.status == "failed"
    assert how == "removed" or "has changed while it was read" in str(result.error)
    assert not result_of(path).exists()


def test_an_input_that_was_read_as_a_whole_may_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "movie.npy", "f4")
    monkeypatch.setattr(pipeline, "denoise_frames", Changed(lambda: path.write_bytes(b"other")))
    expected = np.load(path) + 1
    assert statuses(run([path])) == ["done"]
    np.testing.assert_array_equal(np.load(result_of(path)), expected)


@pytest.mark.parametrize("option", ["resume", "overwrite"])
def test_two_runs_at_once_do_not_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile, option: str
) -> None:
    """The other run finishes each result while this one is about to."""
    paths = [image_file(tmp_path / f"{index}.tif", index) for index in range(4)]
    asked = jobs.plan([str(path) for path in paths], "sp").jobs

    def frames(pixels: Any, session: Any, **_: Any) -> Iterator[NDArray[Any]]:
        number = int(pixels[0][0, 0])
        if session is SESSION:
            other: Any = SimpleNamespace(**vars(SESSION))
            (done,) = batch.run([asked[number]], other, **{option: True})
            assert done.status == "done"
        for index in range(len(pixels)):
            yield pixels[index] + 1

    monkeypatch.setattr(pipeline, "denoise_frames", frames)
    results = list(batch.run(asked, SESSION, **{option: True}))
    assert statuses(results) == ["kept" if option == "resume" else "done"] * 4
    assert statuses(list(batch.run(asked, SESSION, resume=True))) == ["kept"] * 4


def test_what_others_left_goes_after_a_day(tmp_path: Path, image_file: ImageFile) -> None:
    path = image_file(tmp_path / "a.tif")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, there = f"{temporary.HOST}-{gone.pid}-0123abcd", f"5e1f00-{gone.pid}-0123abcd"
    names = [f".b_g.tif.{here}.part", f".a_sp.tif.{there}.part", f".c.tif.{there}.part"]
    old = time.time() - 2 * temporary.DAY
    kept = {tmp_path / name for name in (".mine.part", ".mine.tif.5e1f00.part", f".x.tif.{there}.partial")}
    kept.add(tmp_path / f".a_sp.tif.{temporary.HOST}-{os.getppid()}-0123abcd.part")  # it still runs
    for each in (*kept, *(tmp_path / name for name in names)):
        each.touch()
        os.utime(each, (old, old))
    kept.add(tmp_path / f".new.tif.{there}.part")
    (tmp_path / f".new.tif.{there}.part").touch()
    run([path])
    assert {each for each in tmp_path.iterdir() if each.name.startswith(".")} == kept


def test_mrc_labels_hold_the_checksum_too(tmp_path: Path) -> None:
    """Ten labels of 80 bytes, by the standard's layout: 224 bytes from the start, their number at 220."""
    path = written(tmp_path / "movie.mrc", "i2")
    run([path])
    head = result_of(path).read_bytes()[:1024]
    count = struct.unpack_from("<i", head, 220)[0]
    text = b"".join(head[224 + 80 * at : 304 + 80 * at].rstrip().removeprefix(b"temclean:") for at in range(count))
    assert b'"pixels_sha256":"' in text
    assert b"0" * 64 not in text
