"""Disks that fill up or take nothing, runs that are killed or meet, odd names, clocks that jump: no file is harmed."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in

from temclean import io
from temclean.commands import jobs
from temclean.commands.live.landing import LONGEST, Landing
from temclean.io import temporary

Run = Callable[..., Any]
Calm = Callable[[], dict[str, bytes]]
ImageFile = Callable[..., Path]
TESTS = Path(__file__).resolve().parents[1]
STAND_IN = [sys.executable, str(TESTS / "stand_in.py")]

POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes as POSIX has them")


def can_mount() -> bool:
    """Return whether a disk of our own can be put on a folder, seen by our own processes alone."""
    if shutil.which("unshare") is None:
        return False
    trying = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(trying, capture_output=True, check=False).returncode == 0


DISKS = pytest.mark.skipif(not can_mount(), reason="this system lets nobody mount a disk of their own")


@pytest.fixture
def calm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Calm:
    """Return a function that gives the results of a run that nothing happens to."""
    for module, name in stand_in.PLACES:
        monkeypatch.setattr(module, name, getattr(module, name))
    stand_in.install(pause=0)

    def results() -> dict[str, bytes]:
        assert run("denoise", tmp_path / "in", "-m", "sp", "-o", tmp_path / "calm").code == 0
        return contents(tmp_path / "calm")

    return results


def movie(path: Path, count: int, side: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(count).integers(0, 4000, (count, side, side)).astype(np.uint16)
    return io.write(path, io.Image.from_array(pixels if count > 1 else pixels[0], 0.1, "nm"), list(pixels))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def on_a_disk(script: str, **names: object) -> "subprocess.CompletedProcess[str]":
    """Run a script of the shell that may mount disks; ``temclean`` in it is the one with a stand-in for its network."""
    words = " ".join(f"'{word}'" for word in STAND_IN)
    begin = f'temclean() {{ {words} "$@"; }}\n'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-u", "-c", begin + script]
    environment = os.environ | {name: str(value) for name, value in names.items()}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@DISKS
def test_a_disk_that_fills_up_midway(tmp_path: Path, calm: Calm) -> None:
    """The movie has 400 kB, the disk 200: it alone is lacking, nothing of it is left, and with room it is made."""
    for name, count, side in (("1", 1, 8), ("2", 20, 100), ("3", 2, 8)):
        movie(tmp_path / "in" / f"{name}.tif", count, side)
    (tmp_path / "out").mkdir()
    script = """
        mount -t tmpfs -o size=200k none "$OUT"
        temclean denoise "$IN" -m sp -o "$OUT"; echo "code $?"; ls -A "$OUT"
        mount -o remount,size=4m "$OUT"
        temclean denoise "$IN" -m sp -o "$OUT" --resume -q; echo "code $?"
        cp -a "$OUT" "$SAVED"
    """
    done = on_a_disk(script, IN=tmp_path / "in", OUT=tmp_path / "out", SAVED=tmp_path / "saved")
    lines = [line for line in done.stdout.splitlines() if "->" not in line]
    assert lines == ["code 1", "1_sp.tif", "3_sp.tif", "code 0"], done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "No space left on device" in line]
    assert said.startswith(str(tmp_path / "in" / "2.tif"))
    assert "make room on the disk" in said
    assert contents(tmp_path / "saved") == calm()


@DISKS
def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    movie(tmp_path / "in" / "a.tif", 2)
    (tmp_path / "disk").mkdir()
    script = """
        mount -t tmpfs none "$DISK"; cp "$IN" "$DISK"; mount -o remount,ro "$DISK"
        temclean denoise "$DISK/a.tif" -m sp; echo "code $?"
        temclean denoise "$DISK/a.tif" -m sp -o "$DISK/deeper"; echo "code $?"
        temclean denoise "$DISK/a.tif" -m sp -o "$OUT" -q; echo "code $?"
    """
    done = on_a_disk(script, IN=tmp_path / "in" / "a.tif", DISK=tmp_path / "disk", OUT=tmp_path / "out")
    assert [line for line in done.stdout.splitlines() if "->" not in line] == ["code 1", "code 1", "code 0"]
    said = [line for line in done.stderr.splitlines() if not line.startswith("temclean: sp")]
    assert len(said) == 2, done.stderr
    assert all(line.startswith(f"{tmp_path / 'disk' / 'a.tif'}: ") and "with -o" in line for line in said), said
    with io.read(tmp_path / "in" / "a.tif") as before, io.read(tmp_path / "out" / "a_sp.tif") as after:
        np.testing.assert_array_equal(np.stack(list(after.pixels)), np.stack(list(before.pixels)) + 1)


def as_nobody() -> list[str] | None:
    """Return what stands before a command so that it has no more rights than the owner of its files; None: no way."""
    if getattr(os, "geteuid", lambda: 1)() != 0:
        return []
    before = ["unshare", "--user", "--map-user=65534"]
    known = shutil.which("unshare") and subprocess.run([*before, "true"], capture_output=True, check=False)
    return before if known and known.returncode == 0 else None


@POSIX
@pytest.mark.skipif(as_nobody() is None, reason="root may write into any folder, and this system lets none be less")
def test_a_folder_that_is_read_only(tmp_path: Path) -> None:
    """As one of another group's measurements: nothing goes into it, results may go elsewhere, and modes stay."""
    theirs = movie(tmp_path / "theirs" / "a.tif", 2)
    before = contents(theirs.parent)
    theirs.parent.chmod(0o555)
    denoise = [*(as_nobody() or []), *STAND_IN, "denoise", theirs, "-m", "sp"]
    for more, code in (([], 1), (["-o", tmp_path / "out"], 0)):
        done = subprocess.run([*denoise, "-q", *more], capture_output=True, text=True, check=False)
        said = [line for line in done.stderr.splitlines() if not line.startswith("temclean: sp")]
        assert (done.returncode, len(said)) == (code, code), done.stderr
        assert all(line.startswith(f"{theirs}: ") and "read-only; give another one with -o" in line for line in said)
    assert (contents(theirs.parent), theirs.parent.stat().st_mode & 0o777) == (before, 0o555)
    with io.read(theirs) as raw, io.read(tmp_path / "out" / "a_sp.tif") as after:
        np.testing.assert_array_equal(np.stack(list(after.pixels)), np.stack(list(raw.pixels)) + 1)


def test_an_input_that_goes_before_its_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calm: Calm, run: Run
) -> None:
    """What was there when the folder was looked at, and is not when its turn comes, is one line; the rest is made."""
    for name in ("1", "2", "3"):
        movie(tmp_path / "in" / f"{name}.tif", 2)
    wanted = calm()
    third = tmp_path / "in" / "3.tif"
    planned = jobs.plan

    def plan(*arguments: Any, **more: Any) -> Any:
        made = planned(*arguments, **more)
        third.unlink()
        return made

    monkeypatch.setattr(jobs, "plan", plan)
    done = run("denoise", tmp_path / "in", "-m", "sp", "-o", tmp_path / "out", "-q")
    said = [line for line in done.err.splitlines() if line.startswith(str(third))]
    assert (done.code, len(said)) == (1, 1), done.err
    assert contents(tmp_path / "out") == {name: data for name, data in wanted.items() if name[0] != "3"}


@POSIX
def test_killed_at_any_call_resume_gives_the_same_bytes(tmp_path: Path) -> None:
    """Each thread that reads or writes is a place where SIGKILL may come; each format is one in which half is left."""
    for name in ("a.tif", "b.mrc", "c.npy", "d.png"):
        movie(tmp_path / "in" / name, 1 if name == "d.png" else 3)
    command = [sys.executable, str(TESTS / "killed.py"), str(tmp_path / "in"), str(tmp_path), "12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert (told["files"], told["killed"], told["wrong"]) == (4, 12, [])


@POSIX
@pytest.mark.parametrize("option", ["--resume", "--overwrite", None])
def test_two_runs_over_one_folder(tmp_path: Path, calm: Calm, option: str | None) -> None:
    for index in range(6):
        movie(tmp_path / "in" / f"{index}.tif", 2)
    command = [*STAND_IN, "denoise", tmp_path / "in", "-m", "sp", "-o", tmp_path / "out", *([option] if option else [])]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [each.communicate(timeout=60) for each in both]
    found = contents(tmp_path / "out")
    assert sorted(found) == [f"{index}_sp.tif" for index in range(6)]
    assert found == calm()
    if option:
        assert [each.returncode for each in both] == [0, 0], ended
    else:
        made = [line for printed, _ in ended for line in printed.splitlines()]
        told = [line for _, said in ended for line in said.splitlines() if line.startswith(str(tmp_path))]
        assert (len(made), len(told)) == (6, 6), "each result is made by one and refused to the other"
        assert all("--overwrite" in line for line in told)


def test_names_that_look_like_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    """Python's own names for the files are the fact: what the folder holds afterwards."""
    names = ["--overwrite.tif", "-o.tif", "-rf.tif", "-.tif", "-"]
    monkeypatch.chdir(tmp_path)
    for name in names[:-1]:
        movie(tmp_path / name, 1)
    shutil.copy(tmp_path / "-o.tif", tmp_path / "-")
    before = contents(tmp_path)
    network = TESTS / "data" / "network.onnx"
    asked = ["-m", network, "--device", "cpu", "--dry-run"]
    for words in (["*.tif"], ["."], ["--", *names[:-1]]):
        done = run("denoise", *asked, *words)
        assert (done.code, len(done.out.splitlines())) == (0, 4), done.err
    assert run("denoise", *asked, "./-").code == 0
    done = run("denoise", *asked, "-rf.tif")
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "./-rf.tif" in done.err
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("calm")
@pytest.mark.parametrize(("where", "code"), [("a.tif", 1), ("a_sp.tif", 0), ("gone.tif", 0)])
def test_a_result_that_is_a_link(tmp_path: Path, run: Run, where: str, code: int) -> None:
    """To the input it is refused; in a circle or to nowhere it is replaced, and nothing is written where it leads."""
    path = movie(tmp_path / "a.tif", 1)
    before, result = path.read_bytes(), tmp_path / "a_sp.tif"
    result.symlink_to(tmp_path / where)
    assert run("denoise", path, "-m", "sp").code == 1
    assert result.is_symlink()
    done = run("denoise", path, "-m", "sp", "--overwrite")
    assert (done.code, len(done.err.splitlines())) == (code, 1 + code)
    assert (path.read_bytes(), result.is_symlink()) == (before, bool(code))
    assert {each.name for each in tmp_path.iterdir()} == {"a.tif", "a_sp.tif"}


class TestClocks:
    def test_a_clock_that_is_days_ahead_takes_nothing_from_others(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What another machine writes on a share bears the time of the share, not of this machine."""
        theirs = tmp_path / ".a_sp.tif.5e1f00-7-0123abcd.part"
        theirs.touch()
        ahead = theirs.stat().st_mtime + 10 * temporary.DAY
        monkeypatch.setattr(time, "time", lambda: ahead)
        temporary.clear([tmp_path / "a_sp.tif"])
        assert list(tmp_path.iterdir()) == [theirs]

    def test_a_clock_that_is_days_behind_lets_old_ones_go(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        theirs = tmp_path / ".a_sp.tif.5e1f00-7-0123abcd.part"
        theirs.touch()
        old = theirs.stat().st_mtime - 2 * temporary.DAY
        os.utime(theirs, (old, old))
        monkeypatch.setattr(time, "time", lambda: old)
        temporary.clear([tmp_path / "a_sp.tif"])
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("jump", [-86400, 86400, 40 * 365 * 86400])
    def test_a_file_whose_time_jumps_is_still_taken(self, tmp_path: Path, image_file: ImageFile, jump: int) -> None:
        """The clock of the machine that writes is set while a stack grows."""
        now = [0.0]
        landing = Landing(tmp_path, 1.0, clock=lambda: now[0])
        path = image_file(tmp_path / "a.tif")
        landing.look()
        began = path.stat().st_mtime
        with path.open("ab") as file:
            file.write(b"more")
        os.utime(path, (began + jump, began + jump))
        now[0] = 2.0
        (one,) = landing.look()
        assert not landing.finished(one)
        now[0] += LONGEST
        (one,) = landing.look()
        assert landing.finished(one)
