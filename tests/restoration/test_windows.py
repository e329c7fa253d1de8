"""Models that look at several frames: which frames they get, at the ends of a movie too, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.errors import ImageError, ModelError
from temclean.evidence import drift
from temclean.restoration import models, pipeline, windows

DATA = Path(__file__).parents[1] / "data"
MOVIE = DATA / "movie.onnx"
Run = Callable[..., Any]


class OnDemand:
    """Frames that exist only while they are looked at; counts how often each is read."""

    def __init__(self, frames: np.ndarray) -> None:
        self.frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.reads = [0] * len(frames)

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> np.ndarray:
        self.reads[index] += 1
        return self.frames[index].copy()


@pytest.fixture(scope="module")
def session() -> models.Session:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    return models.open_session(models.load(MOVIE), "cpu", threads=1)


def expected(frames: np.ndarray, index: int) -> np.ndarray:
    """Do what the model does, in NumPy, with the frames that belong into the window."""
    draw = np.random.default_rng(1).random((1, 5, 3, 3))
    kernels = (draw / draw.sum(axis=(2, 3), keepdims=True) * (2.0 ** np.arange(5) / 31)[:, None, None])[0]
    count = len(frames)
    order = {0: [4, 3, 0, 1, 2], 1: [4, 0, 1, 2, 3], count - 2: [*range(count - 4, count), count - 5]}
    order[count - 1] = [count - 3, count - 2, count - 1, count - 4, count - 5]
    total = np.zeros(frames.shape[1:])
    for kernel, other in zip(kernels, order.get(index, range(index - 2, index + 3)), strict=True):
        padded = np.pad(frames[other].astype(float), 1)
        view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3))
        total += (view * kernel).sum(axis=(2, 3))
    return total


@pytest.mark.parametrize("tile", [None, 16])
def test_each_frame_gets_its_neighbours_whatever_the_tiles(session: models.Session, tile: int | None) -> None:
    frames = np.random.default_rng(2).random((9, 30, 46)).astype(np.float32)  # noise: nothing is moved
    lazy = OnDemand(frames)
    scale = pipeline.intensities.Scaling(0.0, 1.0)
    results = list(pipeline.denoise_frames(lazy, session, tile=tile, scaling=scale))
    assert max(lazy.reads) == 1  # a movie of thousands is read once, a window held
    for index, result in enumerate(results):
        inside = np.s_[:-2, :-2]  # beyond the last row and column the image is continued, not zero
        assert result[inside] == pytest.approx(expected(frames, index)[inside], abs=1e-5)


def test_every_window_holds_different_frames() -> None:
    for count in range(5, 9):
        for index in range(count):
            chosen = windows.neighbours(index, count, 5)
            assert chosen[2] == index
            assert len(set(chosen)) == 5
            assert set(chosen) <= set(range(count))


def test_drift_is_taken_out_by_whole_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = np.random.default_rng(3).integers(0, 99, (60, 70))
    frames = np.stack([wide[10 + 2 * i : 50 + 2 * i, 12 - 3 * i : 52 - 3 * i] for i in range(3)])
    monkeypatch.setattr(drift, "shift", lambda reference, frame: (-2.2, 2.6) if frame is reference else (-1.8, 3.3))
    moved = windows.over(frames[1], frames[0], whole=True)
    assert np.array_equal(moved[2:, :-3], frames[0][2:, :-3])
    assert np.array_equal(moved[:2], moved[2:4][::-1])  # what comes in is reflected
    assert np.array_equal(moved[:, -3:], moved[:, -6:-3][:, ::-1])


def spots(down: float, right: float, offset: float = 0.0) -> np.ndarray:
    """Draw atoms, as formulas and not moved pixels, off their places by fractions of a pixel."""
    places = np.random.default_rng(6).uniform(8, 88, (40, 2)) + np.array([down, right])
    y, x = np.mgrid[:96, :96]
    return offset + 100 * np.exp(-0.25 * ((y - places[:, :1, None]) ** 2 + (x - places[:, 1:, None]) ** 2)).sum(0)


@pytest.mark.parametrize("offset", [0.0, 2.0**22])
def test_drift_is_taken_out_by_fractions_of_a_pixel(offset: float) -> None:
    here, there = spots(0, 0, offset), spots(2.4, -1.3, offset)
    inside = np.s_[12:-12, 12:-12]
    apart, rough = (np.abs(windows.over(there, here, whole=whole) - here)[inside].max() for whole in (False, True))
    assert apart < 3
    assert rough > 30
    assert windows.over(here, here) is here


@pytest.mark.filterwarnings("ignore:there is hardly any noise:temclean.errors.TemcleanWarning")
@pytest.mark.filterwarnings("ignore:structure that the raw image shows")  # it only smooths
def test_drift_is_found_in_a_movie(session: models.Session) -> None:
    rng = np.random.default_rng(4)
    waves = np.fft.fftfreq(160)
    smooth = np.exp(-2 * (np.pi * 2.5) ** 2 * (waves[:, None] ** 2 + waves**2))
    wide = np.fft.ifft2(np.fft.fft2(rng.normal(size=(160, 160))) * smooth).real
    wide = (wide / wide.std() * 100 + 1000).astype(np.uint16)
    frames = np.stack([wide[20 + 2 * i : 116 + 2 * i, 40 - i : 136 - i] for i in range(6)])
    result = pipeline.denoise(frames, MOVIE, device="cpu")
    middle = np.s_[16:-16, 16:-16]
    # All five show the same, so that the model only smooths: without registration they would differ.
    alike = pipeline.denoise(np.repeat(frames[2:3], 6, axis=0), MOVIE, device="cpu")
    assert result[2][middle].astype(int) == pytest.approx(alike[2][middle].astype(int), abs=1)


def test_single_images_and_short_movies_are_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 9, (4, 32, 32)).astype(np.uint16)
    for count in (1, 4):
        with pytest.raises(ImageError, match=f"holds {count} frame"):
            pipeline.denoise(frames[:count], MOVIE, device="cpu")
        path = io.write(tmp_path / f"{count}.tif", io.Image.from_array(frames[:count]), list(frames[:count]))
        for words in ([], ["--dry-run"]):
            done = run("denoise", path, "-m", MOVIE, "-q", *words)
            assert done.code == 1
            assert len(done.err.splitlines()) == 1
            assert f"{path}: holds {count} frame" in done.err
    assert len(list(tmp_path.iterdir())) == 2


def test_the_result_says_how_many_frames_were_looked_at(run: Run, tmp_path: Path) -> None:
    frames = np.random.default_rng(2).integers(0, 9, (6, 32, 32)).astype(np.uint16)
    path = io.write(tmp_path / "a.tif", io.Image.from_array(frames), list(frames))
    assert run("denoise", path, "-m", MOVIE, "-o", tmp_path / "b.tif").code == 0
    note = io.provenance(tmp_path / "b.tif")
    assert note is not None
    assert note["frames"] == 5
    assert "looks at 5 frames" in run("models", MOVIE).out
    assert json.loads(run("models", MOVIE, "--json").out)["frames"] == 5


@pytest.mark.parametrize("frames", [0, 4, 35, -5, "many", None])
def test_metadata_that_make_no_sense_are_damaged(frames: object, tmp_path: Path) -> None:
    content = MOVIE.read_bytes()
    value = json.dumps(frames) if frames is not None else "null"
    path = tmp_path / "damaged.onnx"
    old = b'"frames": 5'
    new = f'"frames": {value}'.encode()
    assert old in content
    short = content.replace(old, new[: len(old)].ljust(len(old))) if len(new) <= len(old) else None
    if short is None:  # the length of the entry may not change: give up digits of another field
        spare = b'"summary": "for tests"'
        cut = len(new) - len(old)
        short = content.replace(old, new).replace(spare, b'"summary": "' + b"for tests"[cut:] + b'"')
    path.write_bytes(short)
    with pytest.raises(ModelError, match="damaged"):
        models.load(path)
