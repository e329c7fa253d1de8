"""Raw frames through a pipe: one in, one out, on one scale, and what is said where the stream breaks off."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from temclean.commands.live import raw
from temclean.commands.sessions import OneSession
from temclean.errors import ImageError
from temclean.restoration import models, pipeline
from temclean.restoration.models import Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.together import Together

Array = NDArray[Any]
DATA = Path(__file__).parents[2] / "data"
SHAPE = (16, 24)


@pytest.fixture(scope="module")
def network() -> Session:
    return models.open_session(models.load(DATA / "network.onnx"), "cpu", 1)


def frames(count: int, dtype: str = "uint16") -> Array:
    return np.random.default_rng(3).poisson(300, (count, *SHAPE)).astype(dtype)


def started(*options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "temclean", "denoise", "-", "--shape", "16,24", *options]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_frame_comes_out_before_the_next_goes_in(network: Session) -> None:
    sent = frames(3, ">u2")
    first = pipeline.scaling(sent[:1].astype("u2"), network.model)
    with started("-m", str(DATA / "network.onnx"), "--dtype", ">u2", "-o", "-") as running:
        assert running.stdin and running.stdout and running.stderr  # noqa: PT018
        for frame in sent:
            data = frame.tobytes()
            for piece in (data[:5], data[5:400], data[400:]):
                running.stdin.write(piece)
                running.stdin.flush()
            got = np.frombuffer(running.stdout.read(len(data)), ">u2").reshape(SHAPE)
            (expected,) = pipeline.denoise_frames(frame[None].astype("u2"), network, scaling=first)
            assert np.array_equal(got, expected)
        running.stdin.write(sent[0].tobytes()[:100])
        running.stdin.close()
        assert running.stdout.read() == b""
        model, short = running.stderr.read().decode().splitlines()
    assert running.returncode == 1
    assert model == "temclean: network on cpu"
    assert short == "temclean: the last frame is cut short: 100 of 768 bytes came; 3 were done"


def test_a_reader_that_goes_is_one_line_and_1() -> None:
    with started("-m", str(DATA / "identity.onnx"), "--dtype", "uint16", "-q") as running:
        assert running.stdin and running.stdout and running.stderr  # noqa: PT018
        one = frames(1).tobytes()
        running.stdin.write(one)
        running.stdin.flush()
        assert running.stdout.read(len(one)) == one
        running.stdout.close()
        running.stdin.write(one)
        running.stdin.close()
        (line,) = running.stderr.read().decode().splitlines()
    assert running.returncode == 1
    assert line == "temclean: whoever read the frames has gone; 1 were done"


class Files:
    """Files in the place of stdin and stdout."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch

    def run(self, data: bytes, dtype: str, session: Session) -> tuple[int, bytes]:
        """Return the exit code and what went out."""
        (self.folder / "in").write_bytes(data)
        with (self.folder / "in").open("rb") as source, (self.folder / "out").open("wb") as out:
            self.monkeypatch.setattr(sys, "stdin", source)
            self.monkeypatch.setattr(sys, "stdout", out)
            code = raw.run(raw.Layout(SHAPE, np.dtype(dtype)), session.model, OneSession(session))
        return code, (self.folder / "out").read_bytes()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    return Files(tmp_path, monkeypatch)


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", ">i4", "<f4", ">f4", ">f8", "f2"])
def test_frames_keep_their_type_and_byte_order(files: Files, dtype: str) -> None:
    identity = models.open_session(models.load(DATA / "identity.onnx"), "cpu", 1)
    sent = (np.random.default_rng(4).poisson(60, (4, *SHAPE)) + 3).astype(dtype)
    code, got = files.run(sent.tobytes(), dtype, identity)
    assert code == 0
    found = np.frombuffer(got, dtype).reshape(sent.shape).astype(float)
    assert np.allclose(found, sent.astype(float), rtol=2e-3 if dtype == "f2" else 1e-6, atol=0)


def test_no_frame_is_an_error(files: Files, network: Session, capfd: pytest.CaptureFixture[str]) -> None:
    assert files.run(b"", "u2", network) == (1, b"")
    assert capfd.readouterr().err == "temclean: no frame came in\n"


def test_the_first_frame_that_shows_anything_sets_the_scale_for_all(network: Session) -> None:
    told: list[str] = []
    stream = raw.Stream(network.model, OneSession(network), tell=told.append)
    dark, first, faint, bright = np.full(SHAPE, 7, "u2"), frames(1)[0], frames(1)[0] // 300, 5 * frames(1)[0]
    assert np.array_equal(*stream.restore(dark), dark)
    scale = pipeline.scaling(first[None], network.model)
    for frame in (first, dark, faint, bright):
        (expected,) = pipeline.denoise_frames(frame[None], network, scaling=scale)
        assert np.array_equal(*stream.restore(frame), expected)
    (line,) = told
    assert line.startswith("frame 3 lies between 7 and 7, which does not fit the scale, ")
    assert "--range" in line


def test_a_given_range_is_the_scale_from_the_first_frame_on(network: Session) -> None:
    stream = raw.Stream(network.model, OneSession(network), Scaling(100.0, 900.0))
    dark = np.full(SHAPE, 150, "u2")
    (expected,) = pipeline.denoise_frames(dark[None], network, scaling=Scaling(100.0, 900.0))
    assert np.array_equal(*stream.restore(dark), expected)


def test_what_is_no_number_is_named_with_its_frame(network: Session) -> None:
    stream = raw.Stream(network.model, OneSession(network))
    list(stream.restore(frames(1, "f4")[0]))
    with pytest.raises(ImageError, match="frame 2 holds NaN"):
        list(stream.restore(np.full(SHAPE, np.nan, "f4")))


def test_a_model_of_movies_holds_back_only_the_frames_that_it_looks_at() -> None:
    movie = models.open_session(models.load(DATA / "movie.onnx"), "cpu", 1)
    looked_at = movie.model.frames
    assert looked_at > 1
    sent = np.random.default_rng(5).poisson(90, (looked_at + 4, 32, 32)).astype("u2")
    scale = pipeline.scaling(sent[:1], movie.model)
    stream = raw.Stream(movie.model, OneSession(movie), tell=None)
    got = [list(stream.restore(frame)) for frame in sent]
    got.append(list(stream.end()))
    late = looked_at // 2
    assert [len(each) for each in got] == [*[0] * (looked_at - 1), late + 1, 1, 1, 1, 1, late]
    expected = list(pipeline.denoise_frames(sent, movie, scaling=scale))
    assert np.array_equal([frame for each in got for frame in each], expected)

    short = raw.Stream(movie.model, OneSession(movie))
    assert not [frame for each in sent[: looked_at - 1] for frame in short.restore(each)]
    with pytest.raises(ImageError, match="longer movie"):
        list(short.end())


def test_frames_that_are_taken_together_are_those_of_the_whole_movie() -> None:
    wants_three = models.open_session(models.load(DATA / "joined.onnx"), "cpu", 1)
    sent = np.random.default_rng(6).poisson(90, (5, 32, 32)).astype("u2")
    expected = np.rint([Together(sent, 3)[index] for index in range(5)])
    stream = raw.Stream(wants_three.model, OneSession(wants_three))
    got = [list(stream.restore(frame)) for frame in sent]
    got.append(list(stream.end()))
    assert [len(each) for each in got] == [0, 0, 2, 1, 1, 1]
    found = np.array([frame for each in got for frame in each])
    assert found.dtype == np.uint16
    assert np.abs(found - expected).max() <= 1  # of halves
    assert np.mean(found != expected) < 0.01

    alone = raw.Stream(wants_three.model, OneSession(wants_three), joined=1)
    assert all(np.array_equal(*alone.restore(frame), frame) for frame in sent)
    short = raw.Stream(wants_three.model, OneSession(wants_three))
    assert not list(short.restore(sent[0]))
    assert np.array_equal(*short.end(), sent[0])


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("- a.tif --shape 4,4 --dtype u2", "name - alone"),
        ("-", "--shape ROWS,COLUMNS and --dtype TYPE"),
        ("- --shape 4,4", "--shape ROWS,COLUMNS and --dtype TYPE"),
        ("- --shape 4,0 --dtype u2", "is not ROWS,COLUMNS"),
        ("- --shape 4 --dtype u2", "is not ROWS,COLUMNS"),
        ("- --shape 4,4 --dtype c8", "--dtype"),
        ("- --shape 4,4 --dtype u2 -o x.tif", "> x.tif"),
        ("- --shape 4,4 --dtype u2 --resume", "--resume is for files"),
        ("- --shape 4,4 --dtype u2 -r", "--recursive is for files"),
        ("- --shape 4,4 --dtype u2 --range 5,5", "is not LOW,HIGH"),
        ("- --shape 4,4 --dtype u2 --range 0,nan", "is not LOW,HIGH"),
        ("a.tif -o -", "-o - is for raw frames"),
        ("a.tif --shape 4,4", "--shape is for raw frames"),
        ("a.tif --range 0,1", "--range is for raw frames"),
        ("a.tif --dtype >u2", "of files choose"),
    ],
)
def test_what_does_not_go_together_is_one_line_and_2(run: Callable[..., Any], line: str, said: str) -> None:
    done = run("denoise", *line.split())
    assert done.code == 2
    (only,) = done.err.splitlines()
    assert said in only
