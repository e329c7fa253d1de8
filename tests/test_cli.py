"""The command line: exit codes, what goes to stdout and what to stderr, and files that survive anything."""

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import temclean
from temclean import __version__, io
from temclean.commands import doctor
from temclean.errors import DeviceError, MissingExtraError, ModelError, TemcleanWarning
from temclean.io import temporary
from temclean.restoration import models, pipeline, tiling
from temclean.restoration.scaling import Scaling

Run = Callable[..., Any]
ImageFile = Callable[..., Path]


DRAWN = ["0000_clean.tif", "0000_columns.csv", "0000_noisy.tif", "manifest.json"]

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals and terminals")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a model ``sp`` in place that adds 1."""
    model = SimpleNamespace(name="sp", sha256="5e55", frames=1, joined=1, normalisation=SimpleNamespace(scanned=False))

    def load(name: str) -> Any:
        if name != "sp":
            raise ModelError(f"no model {name!r}; choose one of sp")
        return model

    def open_session(model: Any, device: str = "auto", threads: int | None = None, mirrored: int = 1) -> Any:
        if device == "cuda":
            raise DeviceError("cuda is not there")
        return SimpleNamespace(model=model, device="cpu", fallback=None)

    def frames(pixels: Any, session: Any, **_: Any) -> Iterator[NDArray[Any]]:
        for index in range(len(pixels)):
            yield pixels[index] + 1

    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(models, "open_session", open_session)
    monkeypatch.setattr(pipeline, "denoise_frames", frames)
    monkeypatch.setattr(pipeline, "scaling", lambda pixels, model, **_: Scaling(0.0, 100.0))
    monkeypatch.setattr(pipeline, "plan", lambda shape, *_: tiling.plan(shape, 8))


def test_version(run: Run) -> None:
    assert run("--version").out == f"temclean {__version__}\n"


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "--nonsense",
        "denoise",
        "denoise a.tif b.tif -m sp -o y.tif",
        "denoise a.tif -m sp --device gpu",
        "denoise a.tif -m sp --shard 3/2",
        "denoise a.tif -m sp --shard x",
        "denoise a.tif -m sp --threads 0",
        "denoise a.tif -m sp --tile 8",
        "denoise a.tif -m sp --tile 8 --dry-run",
        "denoise a.tif -m sp --threads 99999999999",
        "denoise a.tif -m sp -o a.dm4",
        f"denoise a.tif -m {'a' * 300}",
        f"models {'a' * 300}",
        "simulate",
        "simulate --noise fog",
        "simulate --noise g --level -1",
        "simulate --noise g --specimen cheese",
        "simulate --noise g --set smooth=true",
        "simulate --noise bbg --set smooth",
        "simulate --noise bbg --set smooth=1",
        "simulate --noise g --set clip=null",
        "simulate --noise g --from manifest.json",
        "score a.tif",
        "score",
        "score a.tif b.tif c.tif",
        "score --css movie.tif a.tif b.tif",
        "score --css movie.tif --movie movie.tif a.tif",
        "score --movie movie.tif",
        "score --movie movie.tif a.tif b.tif",
        "score --apart 2 a.tif b.tif",
        "models nonsense",
        "train",
    ],
)
def test_bad_usage_is_one_line_and_2(run: Run, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run(*line.split())
    assert done.code == 2
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert done.err.startswith("temclean: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ["denoise", ""],
        ["denoise", "a.tif", "", "-m", "sp"],
        ["denoise", "a.tif", "-o", ""],
        ["denoise", "a.tif", "--out="],
        ["simulate", "", "--noise", "g"],
        ["simulate", "--noise", "g", "-o", ""],
        ["simulate", "--from", ""],
        ["score", "", "a.tif"],
        ["score", "a.tif", ""],
        ["score", "--css", ""],
        ["models", ""],
    ],
)
def test_a_variable_that_is_not_set_is_bad_usage(
    run: Run, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
) -> None:
    """``temclean denoise "$FILE"`` would else take all that lies in the current folder."""
    image_file(tmp_path / "a.tif")
    monkeypatch.chdir(tmp_path)
    done = run(*words)
    assert (done.code, done.out) == (2, "")
    assert "empty" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_alone_it_prints_its_help_in_lines(run: Run) -> None:
    done = run()
    assert done.out + done.err == run("--help").out


@POSIX
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_with_closed_streams_it_does_its_work(tmp_path: Path, closed: str) -> None:
    """As under some schedulers; a file that is opened later must not take the place of the stream."""
    command = f"{shlex.quote(sys.executable)} -m temclean simulate --noise g --size 32 -o . {closed}"
    assert subprocess.run(command, shell=True, cwd=tmp_path, timeout=60, check=False).returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == set(DRAWN)


@pytest.mark.usefixtures("fake")
class TestDenoise:
    def test_results_on_stdout_and_messages_on_stderr(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif")
        done = run("denoise", path, "-m", "sp")
        assert done.code == 0
        assert done.out == f"{path} -> {tmp_path / 'a_sp.tif'}\n"
        assert done.err == "temclean: sp on cpu\n"

    def test_a_name_that_no_disk_takes_is_one_line(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        done = run("denoise", image_file(tmp_path / "a.tif"), "-m", "sp", "-o", tmp_path / f"{'a' * 300}.tif")
        assert done.code == 2
        assert len(done.err.splitlines()) == 1

    def test_json_is_one_object_a_file(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif", frames=3)
        done = run("denoise", path, tmp_path / "none.tif", "-m", "sp", "--json")
        first, second = (json.loads(line) for line in done.out.splitlines())
        assert done.code == 1
        assert first | {"seconds": 0} == {
            "input": str(path),
            "output": str(tmp_path / "a_sp.tif"),
            "status": "done",
            "error": None,
            "warnings": [],
            "shape": [3, 4, 6],
            "dtype": "uint16",
            "device": "cpu",
            "seconds": 0,
            "missing_extra": False,
            "image": None,
            "model": "sp",
            "choice": None,
            "preview": None,
            "evidence": [],
            "structure": None,
            "notes": [],
        }
        assert second["status"] == "failed"
        assert second["error"] == "no such file"

    def test_a_batch_finishes_and_names_what_failed(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        for index in range(40):
            image_file(tmp_path / f"{index}.tif")
        for index in (3, 17):
            (tmp_path / f"{index}.tif").write_bytes(b"II*\0\0")
        done = run("denoise", tmp_path, "-m", "sp", "-o", tmp_path / "out")
        assert done.code == 1
        assert len(done.out.splitlines()) == 38
        assert done.err.splitlines()[-1] == (f"temclean: 2 of 40 failed: {tmp_path / '3.tif'}, {tmp_path / '17.tif'}")
        for index in (3, 17):
            assert sum(line.startswith(f"{tmp_path / f'{index}.tif'}: ") for line in done.err.splitlines()) == 1

    def test_a_second_run_over_the_same_glob_does_nothing_new(
        self, run: Run, tmp_path: Path, image_file: ImageFile
    ) -> None:
        for index in range(3):
            image_file(tmp_path / f"{index}.tif")
        glob = tmp_path / "*.tif"
        assert run("denoise", glob, "-m", "sp").code == 0
        done = run("denoise", glob, "-m", "sp", "--resume")
        assert done.code == 0
        assert [line.endswith("(kept)") for line in done.out.splitlines()] == [True] * 3
        assert "0_sp.tif" in done.err
        again = run("denoise", glob, "-m", "sp")
        assert again.code == 1
        assert again.out == ""
        assert len(list(tmp_path.iterdir())) == 6
        taken = run("denoise", tmp_path / "0_sp.tif", "-m", "sp", "--include-results")
        assert (taken.code, taken.out.split()[-1]) == (0, str(tmp_path / "0_sp_sp.tif"))

    def test_dry_run_writes_nothing(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        image_file(tmp_path / "a.tif")
        done = run("denoise", tmp_path, "-m", "sp", "-o", tmp_path / "out", "--dry-run", "--device", "cuda")
        assert done.code == 0
        assert done.out == f"{tmp_path / 'a.tif'} -> {tmp_path / 'out' / 'a_sp.tif'} (dry run)\n"
        assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]

    def test_dry_run_names_what_cannot_be_read(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        good = image_file(tmp_path / "a.tif")
        for name, content in (("cut.tif", good.read_bytes()[:60]), ("text.png", b"hello"), ("empty.mrc", b"")):
            (tmp_path / name).write_bytes(content)
        dry = run("denoise", tmp_path, "-m", "sp", "--dry-run")
        assert dry.code == 1
        assert dry.out == f"{good} -> {tmp_path / 'a_sp.tif'} (dry run)\n"
        wet = run("denoise", tmp_path, "-m", "sp")
        assert dry.err == wet.err.partition("\n")[2], "the first line says which model runs"
        assert len(dry.err.splitlines()) == 4

    def test_quiet_leaves_errors_only(
        self, run: Run, tmp_path: Path, image_file: ImageFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        good, made = image_file(tmp_path / "a.tif"), image_file(tmp_path / "made.tif", provenance={"temclean": "0"})
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(pipeline, "scaling", lambda *_, **__: Scaling(0.0, 9.0))
        done = run("denoise", good, made, tmp_path / "none.tif", "-m", "sp", "-q")
        assert done.code == 1
        assert done.out == f"{good} -> {tmp_path / 'a_sp.tif'}\n"
        assert done.err == (
            f"{tmp_path / 'none.tif'}: no such file\ntemclean: 1 of 2 failed: {tmp_path / 'none.tif'}\n"
        )

    def test_folders_below_are_gone_through(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        for name in ("a/x.tif", "b/x.tif"):
            image_file(tmp_path / "in" / name)
        done = run("denoise", tmp_path / "in", "-m", "sp", "-o", tmp_path / "out", "-r")
        assert done.code == 0
        assert {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.tif")} == {
            "a/x_sp.tif",
            "b/x_sp.tif",
        }

    def test_a_device_that_is_not_there_is_3(self, run: Run, tmp_path: Path, image_file: ImageFile) -> None:
        done = run("denoise", image_file(tmp_path / "a.tif"), "-m", "sp", "--device", "cuda")
        assert (done.code, done.out, done.err) == (3, "", "temclean: cuda is not there\n")

    def test_warnings_of_python_are_a_line(
        self, run: Run, tmp_path: Path, image_file: ImageFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        open_session = models.open_session

        def warning(*given: Any) -> Any:
            with warnings.catch_warnings():  # they are errors here
                warnings.simplefilter("always")
                warnings.warn("no CUDA graph\x1b[2J", TemcleanWarning, stacklevel=1)
            return open_session(*given)

        monkeypatch.setattr(models, "open_session", warning)
        done = run("denoise", image_file(tmp_path / "a.tif"), "-m", "sp")
        assert (done.code, done.err.splitlines()[0]) == (0, "temclean: warning: no CUDA graph\\x1b[2J")

    def test_warnings_of_a_file_come_once(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
    ) -> None:
        path = image_file(tmp_path / "a.tif")
        with io.read(path) as image:
            object.__setattr__(image, "warnings", ("is in colour",))
            monkeypatch.setattr(io, "read", lambda *_: image)
            done = run("denoise", path, "-m", "sp")
        assert done.err.splitlines().count(f"{path}: warning: is in colour") == 1

    def test_a_missing_runtime_is_2_and_names_the_extra(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
    ) -> None:
        def missing(*_: Any) -> None:
            raise MissingExtraError('no onnxruntime: pip install "temclean[cpu]"')

        monkeypatch.setattr(models, "open_session", missing)
        done = run("denoise", image_file(tmp_path / "a.tif"), "-m", "sp")
        assert done.code == 2
        assert "temclean[cpu]" in done.err


SLOW = Path(__file__).with_name("stand_in.py").read_text(encoding="utf-8")
"""Denoises slowly, so that there is time to be interrupted."""


def start(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SLOW, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def finish(*arguments: object, **options: Any) -> tuple[int, str, str]:
    with start(*arguments, **options) as going:
        printed, messages = going.communicate(timeout=30)
        return going.returncode, printed, messages


def wait_for(folder: Path, count: int) -> None:
    deadline = time.monotonic() + 30
    while len(list(folder.glob("[0-9]*"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@POSIX
class TestInterrupted:
    @pytest.fixture
    def images(self, tmp_path: Path, image_file: ImageFile) -> Path:
        for index in range(12):
            image_file(tmp_path / "in" / f"{index}.tif", index, frames=4)
        return tmp_path / "in"

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
    def test_ctrl_c_is_130_and_leaves_whole_files(self, images: Path, tmp_path: Path, name: str) -> None:
        out = tmp_path / "out"
        with start("denoise", images, "-m", "sp", "-o", out) as going:
            wait_for(out, 2)
            going.send_signal(getattr(signal, name))
            _, messages = going.communicate(timeout=30)
        assert going.returncode == 130
        assert messages.splitlines()[-1].startswith("temclean: interrupted")
        assert "Traceback" not in messages
        assert 2 <= len(list(out.iterdir())) < 12
        for path in out.iterdir():
            with io.read(path) as image:
                assert len(list(image.pixels)) == 4

    def test_a_terminal_that_closes_leaves_whole_files(self, images: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        terminal, end = os.openpty()
        command = [sys.executable, "-c", SLOW, "denoise", str(images), "-m", "sp", "-o", str(out)]
        with subprocess.Popen(command, stdout=end, stderr=end) as going:
            os.close(end)
            wait_for(out, 2)
            os.close(terminal)
            going.send_signal(signal.SIGHUP)
        assert going.returncode == 130
        names = [path.name for path in out.iterdir()]
        assert 2 <= len(names) < 12
        assert all(name.endswith("_sp.tif") for name in names)

    def test_ctrl_c_while_a_package_loads_is_not_a_missing_package(self, tmp_path: Path, images: Path) -> None:
        """As onnxruntime does, whose compiled part says that it could not load NumPy."""
        (tmp_path / "onnxruntime.py").write_text(
            "import os, signal, time\n"
            "try:\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)\n"
            "except KeyboardInterrupt:\n    raise ImportError('numpy.core.multiarray failed to import') from None\n"
        )
        path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
        network = Path(__file__).parent / "data" / "network.onnx"
        done = subprocess.run(
            [sys.executable, "-m", "temclean", "denoise", str(images), "-m", str(network)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            check=False,
        )
        assert (done.returncode, done.stdout) == (130, "")
        assert done.stderr.splitlines() == ["temclean: interrupted; every file that was written is whole"]

    def test_killed_at_any_point_resume_ends_with_the_same_files(self, images: Path, tmp_path: Path) -> None:
        undisturbed, out = tmp_path / "undisturbed", tmp_path / "out"
        assert finish("denoise", images, "-m", "sp", "-o", undisturbed)[0] == 0
        for kill_at in (1, 3, 4, 8):
            with start("denoise", images, "-m", "sp", "-o", out, "--resume") as going:
                wait_for(out, kill_at)
                time.sleep(0.007 * kill_at)
                going.kill()
                going.communicate()
            whole = contents(undisturbed)
            for name, data in contents(out).items():
                assert name.endswith(".part") or data == whole[name]
        (out / f".5_sp.tif.{temporary.HOST}-{2**22 + 1}-00c0ffee.part").write_bytes(b"half")
        assert finish("denoise", images, "-m", "sp", "-o", out, "--resume")[0] == 0
        assert contents(out) == contents(undisturbed)

    def test_a_write_that_fails_leaves_nothing_behind(self, images: Path, tmp_path: Path) -> None:
        def small_files_only() -> None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))

        arguments = ["denoise", images, "-m", "sp", "-o", tmp_path / "out"]
        code, printed, messages = finish(*arguments, preexec_fn=small_files_only)
        assert code == 1
        assert printed == ""
        assert len([line for line in messages.splitlines() if line.startswith(str(images))]) == 12
        assert not list((tmp_path / "out").iterdir())

    def test_a_bar_only_on_a_terminal(self, images: Path, tmp_path: Path) -> None:
        import fcntl
        import pty
        import struct
        import termios

        _, _, piped = finish("denoise", images, "-m", "sp", "-o", tmp_path / "piped")
        assert piped == "temclean: sp on cpu\n"
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("4H", 24, 100, 0, 0))
        command = [sys.executable, "-c", SLOW, "denoise", str(images), "-m", "sp", "-o", str(tmp_path / "shown")]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as shown:
            os.close(theirs)
            seen = b""
            try:
                while part := os.read(ours, 4096):
                    seen += part
            except OSError:
                pass  # this is how Linux says that the other end has closed
            os.close(ours)
            assert b"12" in seen
            assert b"file" in seen
            assert b"tile" in seen
            assert len((shown.stdout.read() if shown.stdout else "").splitlines()) == 12

    def test_names_that_stdout_cannot_spell(self, tmp_path: Path, image_file: ImageFile) -> None:
        for name in ("a", "日本", "z"):
            image_file(tmp_path / "in" / f"{name}.tif")
        environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
        command = [sys.executable, "-c", SLOW, "denoise", str(tmp_path / "in"), "-m", "sp"]
        done = subprocess.run(command, capture_output=True, env=environment, check=False)
        assert done.returncode == 0, done.stderr
        assert len(done.stdout.splitlines()) == 3
        assert b"\\u65e5" in done.stdout

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
    def test_a_full_disk_under_stdout_stops_no_file(self, images: Path, tmp_path: Path) -> None:
        command = [sys.executable, "-c", SLOW, "denoise", str(images), "-m", "sp", "-o", str(tmp_path / "out")]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1
        assert "stdout cannot be written (No space left on device)" in done.stderr
        assert "Traceback" not in done.stderr
        assert len(list((tmp_path / "out").iterdir())) == len(list(images.iterdir()))

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
    @pytest.mark.parametrize("command", [["models"], ["score", "TRUTH", "TRUTH"]])
    def test_a_full_disk_under_stdout_is_one_line(self, images: Path, command: list[str]) -> None:
        arguments = [str(next(images.iterdir())) if word == "TRUTH" else word for word in command]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "temclean", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr.splitlines() == ["temclean: stdout cannot be written (No space left on device)"]

    def test_a_reader_of_stdout_that_goes_away_is_no_traceback(self, images: Path) -> None:
        command = f'"{sys.executable}" -c "$CODE" denoise "$IMAGES" -m sp --dry-run --json | true'
        environment = os.environ | {"CODE": SLOW, "IMAGES": str(images)}
        done = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, check=True)
        assert "Traceback" not in done.stderr
        assert "BrokenPipe" not in done.stderr


class TestRealModel:
    """With the tiny network that the tests of the pipeline use, and nothing replaced."""

    @pytest.fixture(autouse=True)
    def shelf(self, monkeypatch: pytest.MonkeyPatch) -> Path:
        pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
        path = Path(__file__).parent / "data" / "network.onnx"
        monkeypatch.setattr(models, "available", lambda: {"network": path})
        return path

    def test_the_command_line_does_what_python_does(self, run: Run, tmp_path: Path, shelf: Path) -> None:
        pixels = np.random.default_rng(3).normal(1000, 200, (3, 70, 50)).astype(np.int16)
        source = io.write(tmp_path / "movie.mrc", io.Image.from_array(pixels, 0.7, "Å"), list(pixels))
        done = run("denoise", source, "-m", "network", "--threads", 1, "--device", "cpu")
        assert done.code == 0
        expected = pipeline.denoise(pixels, shelf, device="cpu", threads=1)
        with io.read(tmp_path / "movie_network.mrc") as image:
            np.testing.assert_array_equal(np.stack(list(image.pixels)), expected)
        made = io.provenance(tmp_path / "movie_network.mrc")
        assert made is not None
        assert made["model_sha256"] == hashlib.sha256(shelf.read_bytes()).hexdigest()
        assert made["input_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert made["scaling_low"] < 1000 < made["scaling_high"]
        assert {"temclean", "model", "device", "tile", "input"} <= set(made)

    def test_pixels_that_are_no_numbers_are_one_line(self, run: Run, tmp_path: Path) -> None:
        pixels = np.full((8, 8), np.nan, np.float32)
        source = io.write(tmp_path / "nan.tif", io.Image.from_array(pixels), [pixels])
        done = run("denoise", source, "-m", "network", "--json")
        assert done.code == 1
        assert "64" in json.loads(done.out)["error"]
        assert len(list(tmp_path.iterdir())) == 1

    def test_models_are_listed_and_described(self, run: Run, shelf: Path) -> None:
        table = run("models").out.splitlines()
        assert table[0].split()[0] == "model"
        assert table[1].split()[:2] == ["network", "test"]
        assert f"path: {shelf}" in run("models", "network").out.splitlines()
        assert f"path: {shelf}" in run("models", "network", "--full").out.splitlines()
        record = json.loads(run("models", shelf, "--json").out)
        assert record["name"] == "network"
        assert record["levels"] == [0.05, 0.4]
        assert record["normalisation"]["method"] == "percentile"

    def test_doctor_tries_the_devices(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "_models", lambda: doctor.Finding("models", "ok", "a shelf without sums"))
        done = run("doctor", "--json")
        found = json.loads(done.out)
        assert done.code == 0
        assert found["cpu"]["verdict"] == "ok"
        assert found["cuda"]["verdict"] in {"ok", "off"}


def test_a_model_is_described_for_who_chooses_one(run: Run) -> None:
    """The least of each row of README's table, worked out from what the file says, and no training run."""
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    told = run("models", "gsp").out
    known = json.loads(run("models", "gsp", "--json").out)
    lattices = known["scores"]["spots_0.20"].values()
    assert told.startswith(f"gsp: {known['summary']}\n")
    sentences = " ".join(told.split())
    assert f"finds at least {100 * min(found for _, found in lattices):.1f}% of the columns" in sentences
    assert f"at least {100 * min(true for true, _ in lattices):.1f}% of the columns that it shows" in sentences
    assert f"{known['scores']['ms_ssim']['0.20']['all']:.3f}" in told
    assert told.index("Limits") < told.index("MS-SSIM") < told.index("training")
    assert len(told.splitlines()) < 40
    assert "recipe" not in told
    full = run("models", "gsp", "--full").out
    assert full.count("recipe: ") == len(known["training"]["runs"])
    assert full.index("scores:") < full.index("training:")


def test_train_without_torch_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temclean.cli.train.find_spec", lambda name: None)
    done = run("train", "single-shot", "sp")
    assert done.code == 2
    assert done.err == 'temclean: train single-shot needs torch: pip install "temclean[train]"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [(["-h"], "single-shot"), (["single-shot", "sp", "--help"], "temclean[train]"), (["dft", "-h"], "--structures")],
)
def test_help_of_train_needs_no_extra(run: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    for name in ("torch", "pyscf"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("temclean.cli.train.find_spec", lambda name: None)
    done = run("train", *words)
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Usage: temclean train")
    assert said in done.out


def test_dft_without_pyscf_names_the_extra(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("temclean.cli.train.find_spec", lambda name: None if name == "pyscf" else ...)
    done = run("train", "dft", "-o", "maps")
    assert done.code == 2
    assert done.err == 'temclean: train dft needs pyscf: pip install "temclean[dft]"\n'


def test_doctor_says_what_is_there(run: Run) -> None:
    done = run("doctor", "--json")
    found = json.loads(done.out)
    assert found["kernels"]["verdict"] == "ok"
    assert found["TIFF"]["verdict"] == "ok"
    compiled = {path.name.split(".")[0] for path in Path(temclean.__file__).parent.glob("_[a-z]*.*")}
    assert compiled == set(doctor.KERNELS)
    assert {"ok", "off", "broken"} >= {each["verdict"] for each in found.values()}
    assert len(run("doctor").out.splitlines()) == len(found)


class TestSums:
    """`doctor` holds the models against the SHA-256 that they were released with."""

    def test_they_are_those_of_the_files(self) -> None:
        """``make sums`` writes them anew."""
        folder = models.find("gsp").parent
        sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.onnx")}
        text = "".join(f"{number}  {name}\n" for name, number in sorted(sums.items()))
        assert (folder / doctor.SUMS).read_text() == text, "make sums"

    @pytest.mark.parametrize(
        ("change", "verdict", "said"),
        [
            ("none", "ok", "a, b: SHA-256 as released"),
            ("a bit", "broken", "b.onnx: not as released; install temclean again"),
            ("gone", "broken", "b.onnx: not as released; install temclean again"),
            ("own", "ok", "a, b, c: SHA-256 as released, but for c.onnx, of another origin"),
            ("no sums", "broken", "SHA256SUMS cannot be read"),
        ],
    )
    def test_what_was_changed_is_told(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, verdict: str, said: str
    ) -> None:
        for name in ("a", "b"):
            (tmp_path / f"{name}.onnx").write_bytes(b"abc")
        known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
        (tmp_path / doctor.SUMS).write_text(f"{known}  a.onnx\n{known}  b.onnx\n")
        if change == "a bit":
            (tmp_path / "b.onnx").write_bytes(b"abb")
        elif change == "gone":
            (tmp_path / "b.onnx").unlink()
        elif change == "own":
            (tmp_path / "c.onnx").touch()
        elif change == "no sums":
            (tmp_path / doctor.SUMS).unlink()
        shelf = {path.stem: path for path in sorted(tmp_path.glob("*.onnx"))}
        monkeypatch.setattr(models, "available", lambda: shelf)
        found = doctor._models()
        assert found.verdict == verdict
        assert said in found.detail
