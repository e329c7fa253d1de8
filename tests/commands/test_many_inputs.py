"""Folders that go in circles, names that are no files, and folders of thousands: each ends, and soon."""

import glob
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io
from temclean.commands import jobs
from temclean.commands.folders import matches
from temclean.commands.inputs import expand
from temclean.errors import FileError
from temclean.io import formats
from temclean.io.tiff import own_tag

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes of POSIX")
Run = Callable[..., Any]


@POSIX
def test_links_in_circles_end(tmp_path: Path) -> None:
    """Two links to their own folder give 2^40 paths, as many as the system follows links."""
    (tmp_path / "loop" / "deep").mkdir(parents=True)
    for name in ("loop/1.tif", "loop/deep/2.tif"):
        (tmp_path / name).touch()
    for name in ("one", "two"):
        (tmp_path / "loop" / "deep" / name).symlink_to(tmp_path / "loop")
    for pattern in ("loop/**", "loop/**/*", "**/*.tif", "loop/**/deep/**"):
        found = expand([str(tmp_path / pattern)])
        assert {item.path.name for item in found} >= {"2.tif"}
        assert len(found) <= 3
    assert [item.path.name for item in expand([str(tmp_path / "loop")], recursive=True)] == ["1.tif", "2.tif"]


@POSIX
def test_a_folder_behind_a_link_is_gone_through(tmp_path: Path) -> None:
    (tmp_path / "disk" / "day").mkdir(parents=True)
    (tmp_path / "disk" / "day" / "1.tif").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "link").symlink_to(tmp_path / "disk")
    assert list(matches(str(tmp_path / "mine" / "**" / "*.tif"))) == [tmp_path / "mine" / "link" / "day" / "1.tif"]


@POSIX
def test_links_to_what_is_not_there_are_named(tmp_path: Path, run: Run, image_file: Callable[..., Path]) -> None:
    """As where the disk that the images lie on is not mounted."""
    folder = image_file(tmp_path / "in" / "a.tif").parent
    (folder / "b.tif").symlink_to(tmp_path / "disk" / "b.tif")
    (folder / "notes.txt").symlink_to(tmp_path / "disk" / "notes.txt")
    for name, more in ((folder, []), (folder, ["-r"]), (folder / "*.tif", [])):
        done = run("denoise", name, "-m", "sp", "--dry-run", *more)
        assert done.code == 1
        assert "a_sp.tif" in done.out
        named, count = done.err.splitlines()
        assert named.startswith(f"{folder / 'b.tif'}: is a link to what is not there")
        assert "1 of 2 failed" in count


def test_globs_match_what_python_s_match(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a/1.tif", "a/b/2.tif", "a/b/c/3.tif", "a/.hidden/4.tif", "5.tif", "a/.6.tif", "[x]/7.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = ["**", "**/*", "a/**", "a/**/*.tif", "*/**/c/*", "**/b/**", "**/**/*.tif", "a/*", "a**/*", "[[]x]/**"]
    for pattern in [*patterns, str(tmp_path / "**" / "*.tif")]:
        expected = {Path(hit) for hit in glob.glob(pattern, recursive=True) if Path(hit).is_file()}  # noqa: PTH207
        assert {hit for hit in matches(pattern) if hit.is_file()} == expected, pattern


@POSIX
def test_pipes_and_devices_are_refused(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "pipe.tif")
    for path in (tmp_path / "pipe.tif", Path("/dev/zero")):
        assert "not a file" in str(expand([str(path)])[0].problem)
        with pytest.raises(FileError, match="is a pipe or a device, not a file"):
            io.read(path)
        assert io.provenance(path) is None
        done = run("simulate", "--from", path)
        assert (done.code, len(done.err.splitlines())) == (1, 1)
        assert run("score", path, path).code == 1
    assert expand([str(tmp_path)])[0].problem == "no image in this folder"


def test_emi_files_take_time_in_proportion(tmp_path: Path) -> None:
    """A quadratic search takes 64 times as long for 8 times as many."""
    times = []
    for count in (200, 1600):
        folder = tmp_path / str(count)
        folder.mkdir()
        for index in range(count):
            (folder / f"{index}.emi").touch()
            (folder / f"{index}_1.ser").touch()
        tries = []
        for _ in range(3):  # the quickest has been disturbed least
            start = time.process_time()
            assert len(expand([str(folder)])) == count
            tries.append(time.process_time() - start)
        times.append(min(tries))
    assert times[1] < 30 * times[0]


def test_what_takes_a_while_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MANY", 3)
    for index in range(3):
        (tmp_path / f"{index}.tif").touch()
    told: list[str] = []
    jobs.plan([str(tmp_path)], "sp", tell=told.append)
    assert told == ["looking at 3 files"]


@pytest.mark.parametrize("model", [None, "sp"])
def test_planning_looks_into_each_file_twice_and_at_the_models_once(
    tmp_path: Path, image_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, model: str | None
) -> None:
    """Once for what it is, once for temclean's own note: of 100,000 files, each look takes seconds."""
    for index in range(5):
        image_file(tmp_path / f"{index}.tif")
    looks: list[object] = []
    for module, name in ((formats, "_head"), (own_tag, "_place"), (jobs, "available")):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given, real=real, name=name: looks.append(name) or real(*given))
    assert len(jobs.plan([str(tmp_path)], model).jobs) == 5
    assert (looks.count("_head"), looks.count("_place"), looks.count("available")) == (5, 5, 1)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_note_is_found_without_tifffile_where_tifffile_finds_it(tmp_path: Path, big: bool, order: Any) -> None:
    path, text = tmp_path / "a.tif", '{"temclean":"1","pixels":"' + "0" * 64 + '"}'
    pixels = np.zeros((9, 7), np.uint16)
    extra = [(own_tag.PROVENANCE, 2, 0, text, True), (65000, 2, 0, "x" * 5000, True)]
    tifffile.imwrite(path, pixels, bigtiff=big, byteorder=order, extratags=extra)
    assert own_tag.provenance(path) == text
    with path.open("r+b") as file:
        own_tag.renew(file, path, text.replace("0", "7"))
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.tags.valueof(own_tag.PROVENANCE) == text.replace("0", "7")
        assert tiff.pages.first.tags.valueof(65000) == "x" * 5000
        np.testing.assert_array_equal(tiff.asarray(), pixels)
    with path.open("r+b") as file, pytest.raises(LookupError):
        own_tag.renew(file, path, text + " ")
    tifffile.imwrite(path, pixels, bigtiff=big, byteorder=order)
    assert own_tag.provenance(path) is None


def test_looking_at_a_file_is_faster_than_tifffile_opens_it(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    path = image_file(tmp_path / "a.tif", provenance={"model": "sp"})

    def seconds(work: Callable[[], object]) -> float:
        start = time.process_time()
        for _ in range(300):
            work()
        return time.process_time() - start

    def opened() -> object:
        with tifffile.TiffFile(path) as tiff:
            return tiff.pages.first.tags.valueof(own_tag.PROVENANCE)

    assert seconds(lambda: own_tag.provenance(path)) < 0.5 * seconds(opened)


@pytest.mark.skipif(sys.platform == "win32", reason="a current folder cannot be deleted there")
def test_whole_names_lead_somewhere_from_a_folder_that_is_gone(
    run: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(7).random((40, 40), np.float32))
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    done = run("inspect", tmp_path / "a.npy", "b.npy")
    assert done.code == 1
    assert str(tmp_path / "a.npy") in done.out
    assert done.err == "b.npy: no such file\n"
