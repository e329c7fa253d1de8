"""Folders that a microscope writes into: what counts as finished, and what a restart, a break or a bad file changes."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import tifffile
from microscope_files import write_emi, write_ser
from numpy.typing import NDArray

from temclean import io
from temclean.commands import batch
from temclean.commands.jobs import Job, Plan
from temclean.commands.live import watch
from temclean.commands.live.growing import Growing, Pair
from temclean.commands.live.journal import NAME
from temclean.commands.live.landing import Landing, Seen
from temclean.commands.progress import Reporter
from temclean.commands.sessions import OneSession
from temclean.errors import ImageError
from temclean.restoration import models
from temclean.restoration.models import Session

Array = NDArray[Any]
NETWORK = Path(__file__).parents[2] / "data" / "network.onnx"
PATIENCE = 0.3


class Counting(Session):
    """The little network, which counts the tiles it is given."""

    def __init__(self) -> None:
        real = models.open_session(models.load(NETWORK), "cpu", 1)
        super().__init__(real.model, None, "cpu")
        self.real, self.tiles = real, 0

    def run(self, batch: Array) -> Array:
        self.tiles += len(batch)
        return self.real.run(batch)


class Looked(Landing):
    """A folder that counts how often it was looked into."""

    looks = 0

    def look(self) -> list[Seen]:
        self.looks += 1
        return super().look()


class Shown:
    """Keeps what a viewer is shown."""

    def __init__(self) -> None:
        self.pairs: list[tuple[str, Pair, float]] = []

    def show(self, name: str, pair: Pair, lag: float) -> None:
        self.pairs.append((name, pair, lag))


class Scene:
    """A watched folder, and a script of what happens in it."""

    def __init__(self, folder: Path, session: Session) -> None:
        self.folder, self.session, self.shown = folder, session, Shown()

    def play(self, script: Iterator[None], *, recursive: bool = False, settle: float = 0.05, **wishes: Any) -> None:
        """Watch; between two looks, go on with the script, and stop at its end."""

        def stopped() -> bool:
            try:
                next(script)
            except StopIteration:
                return True
            return False

        wish = watch.Wish("network", **wishes)
        self.landing = Looked(self.folder, settle, recursive=recursive)
        with Reporter(Plan(()), as_json=False, bar=False) as reporter:
            loop = watch.Watch(self.landing, wish, OneSession(self.session), reporter, viewer=self.shown)
            loop.run(stopped)


@pytest.fixture(scope="module")
def session() -> Counting:
    return Counting()


@pytest.fixture
def scene(tmp_path: Path, session: Counting, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(watch, "PATIENCE", PATIENCE)
    monkeypatch.setattr(watch, "AGAIN", 0.05)
    folder = tmp_path / "in"
    folder.mkdir()
    return Scene(folder, session)


def until(happened: Callable[[], object], seconds: float = 20.0) -> Iterator[None]:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it has not happened"
        yield


def pause(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield


def image(seed: int, frames: int = 1) -> Array:
    return np.random.default_rng(seed).poisson(40, (frames, 16, 24)).astype(np.uint16)


def save(path: Path, seed: int) -> Path:
    tifffile.imwrite(path, image(seed)[0])
    return path


def right(source: Path, result: Path, session: Session) -> bool:
    """Return whether a result has the pixels that a batch makes of the source."""
    other = result.with_name("expected.tif")
    (done,) = batch.run([Job(source, other)], session)
    assert done.status == "done", done
    same = np.array_equal(tifffile.imread(other), tifffile.imread(result))
    other.unlink()
    return same


def test_files_are_done_as_they_land_and_results_and_unfinished_names_are_not(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = scene.folder
    save(folder / "old.tif", 0)
    (folder / ".a.tif.abcdef-1-12345678.part").write_bytes((folder / "old.tif").read_bytes())
    (folder / "a.tif.tmp").write_bytes((folder / "old.tif").read_bytes())

    def script() -> Iterator[None]:
        yield from until((folder / "old_network.tif").exists)
        save(folder / "new.tif", 1)
        yield from until((folder / "new_network.tif").exists)
        yield from pause(0.3)

    scene.play(script())
    made = sorted(path.name for path in folder.glob("*network*"))
    assert made == ["new_network.tif", "old_network.tif"]
    assert right(folder / "new.tif", folder / "new_network.tif", scene.session)
    lines = capfd.readouterr()
    assert [line.split(" -> ")[0].rsplit(os.sep, 1)[1] for line in lines.out.splitlines()] == ["old.tif", "new.tif"]
    assert [name for name, _, _ in scene.shown.pairs] == ["old.tif", "new.tif"]
    assert np.array_equal(scene.shown.pairs[1][1].before, image(1)[0])
    assert 0 <= scene.shown.pairs[1][2] < 5


def test_a_restart_neither_repeats_nor_skips(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    folder, out = scene.folder, scene.folder.parent / "out"
    out.mkdir()
    for seed in range(3):
        save(folder / f"{seed}.tif", seed)
    results = [out / f"{seed}_network.tif" for seed in range(5)]
    scene.play(until(lambda: all(each.exists() for each in results[:3])), out=out)
    capfd.readouterr()

    journal = out / NAME
    lines = journal.read_text().splitlines()
    assert len(lines) == 3
    journal.write_text("\n".join([*lines[:2], lines[2][:30]]))  # a power cut takes half of the last line
    results[1].unlink()
    save(folder / "3.tif", 3)
    times = {each: each.stat().st_mtime_ns for each in (results[0], results[2])}

    def script() -> Iterator[None]:
        yield from until(lambda: results[1].exists() and results[3].exists())
        save(folder / "4.tif", 4)
        yield from until(results[4].exists)

    scene.play(script(), out=out)
    assert {each: each.stat().st_mtime_ns for each in times} == times
    printed = sorted(line.rsplit(os.sep, 1)[1] for line in capfd.readouterr().out.splitlines())
    assert printed == ["1_network.tif", "2_network.tif (kept)", "3_network.tif", "4_network.tif"]
    entries = [json.loads(line) for line in journal.read_text().splitlines() if not line.endswith(lines[2][25:30])]
    assert [Path(each["input"]).name for each in entries[-1:]] == ["4.tif"]

    tiles = scene.session.tiles
    scene.play(pause(0.2), out=out)
    assert scene.session.tiles == tiles
    assert capfd.readouterr().out == ""


def test_a_file_that_pauses_or_is_written_again_gives_the_result_of_what_it_becomes(
    scene: Scene, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = scene.folder
    whole = save(folder.parent / "whole.tif", 5).read_bytes()
    path, result = folder / "a.tif", folder / "a_network.tif"

    def script() -> Iterator[None]:
        path.write_bytes(whole[:500])
        yield from pause(0.2)  # longer than it takes to count as finished, shorter than the patience
        assert not result.exists()
        path.write_bytes(whole)
        yield from until(result.exists)
        first = result.stat().st_mtime_ns
        save(path, 6)
        yield from until(lambda: result.stat().st_mtime_ns != first)

    scene.play(script())
    assert right(path, result, scene.session)
    assert "cut short" not in capfd.readouterr().err


def series(folder: Path) -> tuple[Path, Callable[[], object]]:
    """Write a .ser; return it, and what writes the .emi that belongs to it."""
    ser = write_ser(folder / "a_1.ser", image(18), metres=2e8)  # if they are metres, as only the .emi denies
    return ser, lambda: write_emi(folder / "a.emi", "TEM Diffraction", True)


def picture(folder: Path) -> tuple[Path, Callable[[], object]]:
    """Write a scanning microscope's picture; return it, and what writes its text."""
    text = "$CM_FULL_SIZE 24 16\n$CM_PIXEL_SIZE 4.96nm\n$$SM_MICRON_MARKER 1um\n"
    return save(folder / "a.tif", 19), lambda: (folder / "a.txt").write_text(text)


@pytest.mark.parametrize(("kind", "pixel", "unit"), [(series, (0.2, 0.2), "1/nm"), (picture, (4.96, 4.96), "nm")])
@pytest.mark.parametrize("watching", [True, False])
def test_what_comes_beside_an_image_later_does_it_again(
    scene: Scene, kind: Any, pixel: tuple[float, float], unit: str, watching: bool
) -> None:
    folder, out = scene.folder, scene.folder.parent / "out"
    out.mkdir()
    path, write_companion = kind(folder)
    result = out / f"{path.stem}_network.tif"

    def script() -> Iterator[None]:
        yield from until(result.exists)
        yield from pause(0.2)  # its line in the journal
        if not watching:
            return
        first = result.read_bytes()
        write_companion()
        yield from until(lambda: result.read_bytes() != first)
        yield from pause(0.2)

    scene.play(script(), out=out)
    if not watching:
        first = result.read_bytes()
        write_companion()
        scene.play(until(lambda: result.read_bytes() != first), out=out)
    (done,) = batch.run([Job(path, out / "expected.tif")], scene.session)
    assert done.status == "done", done
    assert result.read_bytes() == (out / "expected.tif").read_bytes()
    with io.read(result) as made:
        assert (made.pixel_size, made.unit) == (pytest.approx(pixel), unit)

    tiles = scene.session.tiles
    scene.play(pause(0.3), out=out)
    for beside in (*folder.glob("*.emi"), *folder.glob("*.txt")):
        beside.unlink()  # what it told is in the result
    scene.play(pause(0.3), out=out)
    assert scene.session.tiles == tiles


def test_a_stack_of_several_axes_is_done_when_it_is_finished(scene: Scene, tmp_path: Path) -> None:
    """Where its frames will lie is not known before: it ended the whole watch."""
    whole = tmp_path / "whole.tif"
    stack = np.stack([image(seed) for seed in range(6)]).reshape(3, 2, *image(0).shape[-2:])
    tifffile.imwrite(whole, stack, imagej=True, metadata={"axes": "TCYX"})
    with pytest.raises(ImageError, match="done when it is finished"):
        Growing(Job(whole, tmp_path / "b.tif"), OneSession(scene.session))
    channels = tmp_path / "channels.tif"
    tifffile.imwrite(channels, stack[:, 0], imagej=True, metadata={"axes": "CYX"})
    with pytest.raises(ImageError, match="done when it is finished"):
        Growing(Job(channels, tmp_path / "c.tif"), OneSession(scene.session))
    content, path, result = whole.read_bytes(), scene.folder / "a.tif", scene.folder / "a_network.tif"

    def script() -> Iterator[None]:
        for end in range(len(content) // 8, len(content) + len(content) // 8, len(content) // 8):
            path.write_bytes(content[:end])
            yield from pause(0.06)
        path.write_bytes(content)
        yield from until(result.exists)
        yield from pause(0.1)

    scene.play(script())
    assert tifffile.imread(result).shape == stack.shape


def test_a_log_beside_an_image_is_nothing_to_wait_for(scene: Scene) -> None:
    folder = scene.folder
    log, result = folder / "a.txt", folder / "a_network.tif"
    save(folder / "a.tif", 20)

    def script() -> Iterator[None]:
        end = time.monotonic() + 20
        while not result.exists():
            with log.open("a") as file:
                file.write("the stage has moved\n")
            assert time.monotonic() < end
            yield
        tiles = scene.session.tiles
        log.write_text("the end\n")
        yield from pause(0.3)
        assert scene.session.tiles == tiles

    scene.play(script(), settle=0.2)


def test_what_is_no_text_beside_an_image_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "b.txt").mkdir()
    names = {save(tmp_path / f"{name}.tif", 21).name for name in "abc"}
    if sys.platform != "win32":
        (tmp_path / "a.txt").symlink_to(tmp_path / "gone.txt")
    found = Landing(tmp_path, 0.0).look()
    assert {one.path.name for one in found} == names
    assert {len(one.stamp) for one in found} == {2}


def test_a_bad_file_is_one_line_and_the_others_go_on(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    folder = scene.folder

    def script() -> Iterator[None]:
        (folder / "bad.tif").write_bytes(save(folder / "good.tif", 7).read_bytes()[:500])
        yield from until((folder / "good_network.tif").exists)
        yield from pause(PATIENCE + 0.3)
        save(folder / "later.tif", 8)
        yield from until((folder / "later_network.tif").exists)

    scene.play(script())
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(str(folder / "bad.tif"))
    assert "copy it again" in line


def test_a_share_may_go_and_come_back(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    folder, away = scene.folder, scene.folder.parent / "away"
    save(folder / "a.tif", 9)

    def script() -> Iterator[None]:
        yield from until((folder / "a_network.tif").exists)
        folder.rename(away)
        yield from pause(0.3)
        save(away / "b.tif", 10)
        away.rename(folder)
        yield from until((folder / "b_network.tif").exists)

    scene.play(script())
    lines = capfd.readouterr()
    gone, back = lines.err.splitlines()
    assert "out of reach" in gone
    assert "is back" in back
    assert len(lines.out.splitlines()) == 2  # and `a` was not done again


def test_folders_below_are_mirrored(scene: Scene) -> None:
    folder, out = scene.folder, scene.folder / "out"
    out.mkdir()

    def script() -> Iterator[None]:
        (folder / "day 1").mkdir()
        save(folder / "day 1" / "a.tif", 11)
        yield from until((out / "day 1" / "a_network.tif").exists)
        yield from pause(0.3)

    scene.play(script(), recursive=True, out=out)
    assert [path.name for path in out.rglob("*.tif")] == ["a_network.tif"]


def test_what_is_in_the_way_is_kept(scene: Scene, capfd: pytest.CaptureFixture[str]) -> None:
    folder = scene.folder
    save(folder / "a.tif", 12)
    theirs = save(folder / "a_network.tif", 13).read_bytes()
    scene.play(pause(PATIENCE + 0.4))
    assert (folder / "a_network.tif").read_bytes() == theirs
    assert "--overwrite replaces it" in capfd.readouterr().err


def appended_mrc(path: Path, frames: Array, count: int) -> None:
    """Add a frame to a file whose header says from the start how many there will be."""
    if count == 0:
        with mrcfile.new(path.with_suffix(".whole"), frames.astype(np.int16)) as file:
            file.set_image_stack()
        path.write_bytes(path.with_suffix(".whole").read_bytes()[:1024])
    with path.open("ab") as file:
        file.write(frames[count].astype("<i2").tobytes())


def appended_tiff(path: Path, frames: Array, count: int) -> None:
    tifffile.imwrite(path, frames[count], append=count > 0, metadata=None)


@pytest.mark.parametrize(("append", "suffix"), [(appended_mrc, ".mrc"), (appended_tiff, ".tif")])
def test_a_stack_is_followed_while_it_grows_and_no_frame_is_denoised_twice(
    scene: Scene, session: Counting, append: Callable[..., None], suffix: str
) -> None:
    frames, path = image(14, 6), scene.folder / f"movie{suffix}"
    result = scene.folder / f"movie_network{suffix}"

    def script() -> Iterator[None]:
        for count in range(6):
            append(path, frames, count)
            looks = scene.landing.looks
            yield from until(lambda looks=looks: scene.landing.looks > looks)
            if count > 1:  # of TIFF, all but the last frame
                yield from until(lambda count=count: len(scene.shown.pairs) >= count)
        assert not result.exists()
        yield from until(result.exists)

    before = session.tiles
    scene.play(script(), settle=0.8)
    names = [name for name, _, _ in scene.shown.pairs]
    assert names[:5] == [f"{path.name} {number + 1}" for number in range(5)]
    assert session.tiles - before == 6
    made = io.provenance(result)
    assert made is not None
    with io.read(result) as stack, io.read(path) as source:
        assert stack.pixels.shape == (6, 16, 24)
        assert io.checksum(source.pixels) == io.checksum(io.Image.from_array(frames.astype(source.pixels.dtype)).pixels)
        expected = [
            next(frame_of(source.pixels[index], session, made["scaling_low"], made["scaling_high"]))
            for index in range(6)
        ]
        assert all(np.array_equal(stack.pixels[index], expected[index]) for index in range(6))


def frame_of(frame: Array, session: Session, low: float, high: float) -> Iterator[Array]:
    from temclean.restoration import pipeline
    from temclean.restoration.scaling import Scaling

    return pipeline.denoise_frames(frame[None], session, scaling=Scaling(low, high))


def test_a_frame_that_changes_after_it_was_followed_is_done_again(tmp_path: Path, session: Counting) -> None:
    frames, path = image(15, 3), tmp_path / "movie.npy"
    np.save(path, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[:-700])  # the last frame is not there yet
    growing = Growing(Job(path, tmp_path / "out.npy"), OneSession(session))
    assert len(list(growing.advance())) == 2
    frames[0, :, 3] += 9
    np.save(path, frames)
    (result,) = growing.finish(overwrite=False)
    growing.close()
    assert result.status == "done", result
    made = io.provenance(tmp_path / "out.npy")
    assert made is not None
    expected = next(frame_of(frames[0], session, made["scaling_low"], made["scaling_high"]))
    assert np.array_equal(np.load(tmp_path / "out.npy")[0], expected)


@pytest.mark.parametrize(("name", "looked_at"), [("movie", 5), ("joined", 3)])
def test_a_model_that_looks_at_several_frames_follows_a_stack_too(tmp_path: Path, name: str, looked_at: int) -> None:
    movie = models.open_session(models.load(NETWORK.with_name(f"{name}.onnx")), "cpu", 1)
    frames, path = np.random.default_rng(17).poisson(50, (9, 32, 32)).astype(np.uint16), tmp_path / "movie.npy"
    np.save(path, frames)
    whole = path.read_bytes()
    path.write_bytes(whole[: -2 * frames[0].nbytes])
    growing = Growing(Job(path, tmp_path / "out.npy"), OneSession(movie))
    shown = [pair.after for pair in growing.advance()]
    assert len(shown) == 7 - looked_at // 2
    path.write_bytes(whole)
    (result,) = growing.finish(overwrite=False)
    growing.close()
    assert result.status == "done", result
    assert np.array_equal(np.load(tmp_path / "out.npy")[: len(shown)], np.rint(shown))


def test_what_has_paused_before_is_given_longer(tmp_path: Path) -> None:
    now = [100.0]
    landing = Landing(tmp_path, 0.5, clock=lambda: now[0])
    path = tmp_path / "a.tif"

    def after(seconds: float, size: int, changed: float) -> bool:
        now[0] += seconds
        path.write_bytes(b"x" * size)
        os.utime(path, (changed, changed))
        (one,) = landing.look()
        return landing.finished(one)

    assert not after(0, 10, 1000)
    assert not after(0.4, 10, 1000)
    assert after(0.2, 10, 1000)
    assert not after(0.1, 20, 1002)  # it went on after two seconds
    assert not after(5.9, 20, 1002)
    assert after(0.2, 20, 1002)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_it_with_130_and_whole_results(tmp_path: Path) -> None:
    save(tmp_path / "a.tif", 16)
    command = [sys.executable, "-m", "temclean", "watch", str(tmp_path), "-m", str(NETWORK), "--view", "-q"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        assert running.stdout.readline().endswith("a_network.tif\n")
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 130
    assert out == ""
    address, asked, ended = filter(None, err.splitlines())
    assert "http://127.0.0.1:" in address
    assert "again gives it up" in asked
    assert "every file that was written is whole" in ended
    assert right(tmp_path / "a.tif", tmp_path / "a_network.tif", models.open_session(models.load(NETWORK), "cpu"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("nowhere", "is no folder"),
        (". -o x.tif", "is the name of a file"),
        (". --settle -1", "settle"),
        (". --port 8000", "--port means nothing without --view"),
    ],
)
def test_bad_usage_is_one_line_and_2(
    run: Any, line: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("watch", *line.split())
    assert done.code == 2
    (only,) = done.err.splitlines()
    assert said in only
