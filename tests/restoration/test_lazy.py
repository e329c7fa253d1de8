"""Arrays of Dask: the pixels of `temclean.denoise`, computed when they are asked for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import temclean
from temclean.restoration import models
from temclean.restoration.lazy import LazyFrames

da: Any = pytest.importorskip("dask.array", reason="Dask is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

DATA = Path(__file__).parents[1] / "data"
NETWORK, MOVIE = DATA / "network.onnx", DATA / "movie.onnx"
STACK = (np.random.default_rng(0).normal(500, 30, (2, 3, 40, 56)) + 100 * np.arange(3)[:, None, None]).astype("u2")


@pytest.mark.parametrize("chunks", [(1, 2, 24, 56), (2, 3, 40, 56), (1, 1, 40, 30)])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_blocks_have_the_pixels_of_the_array_and_its_scale(chunks: tuple[int, ...], dtype: str) -> None:
    stack = STACK.astype(dtype)
    given = da.from_array(stack, chunks=chunks)
    clean = temclean.denoise(given, NETWORK, device="cpu", blend=0.25)
    assert isinstance(clean, da.Array)
    assert (clean.shape, clean.dtype, clean.chunks[:2]) == (given.shape, given.dtype, given.chunks[:2])
    wanted = temclean.denoise(stack, NETWORK, device="cpu", blend=0.25)
    np.testing.assert_array_equal(clean.compute(), wanted)
    np.testing.assert_array_equal(clean[1, 2].compute(), wanted[1, 2])
    assert np.abs(wanted.astype(float) - stack).max() > 0


def test_the_network_runs_for_the_block_that_is_computed_and_no_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[int] = []
    run = models.Session.run
    monkeypatch.setattr(models.Session, "run", lambda self, batch: ran.append(1) or run(self, batch))
    clean = temclean.denoise(da.from_array(STACK, chunks=(1, 1, 40, 56)), NETWORK, device="cpu")
    assert not ran
    clean[1, 0].compute()
    assert len(ran) == 1


def test_one_image_and_the_model_that_fits_it() -> None:
    image = 50 * np.arange(96) + 300 * np.random.default_rng(1).normal(size=(96, 96))
    clean = temclean.denoise(da.from_array(image, chunks=20), device="cpu")
    np.testing.assert_array_equal(clean.compute(), temclean.denoise(image, device="cpu"))


def test_the_choice_is_that_of_the_array() -> None:
    for array in (STACK[0], STACK[0, 0], STACK):
        assert temclean.choose(da.from_array(array, chunks=20)) == temclean.choose(array)


def test_threads_that_begin_at_once_open_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []
    opening = models.open_session
    monkeypatch.setattr(models, "open_session", lambda *line: opened.append(line) or opening(*line))
    models._session.cache_clear()
    da.compute(temclean.denoise(da.from_array(STACK, chunks=(1, 1, 40, 56)), NETWORK, device="cpu"), num_workers=4)
    assert len(opened) == 1


@pytest.mark.parametrize(
    ("image", "model", "words"),
    [
        (da.zeros((3, 40, 56)), MOVIE, "compute"),
        (da.zeros(40), NETWORK, "rows and columns"),
        (da.zeros((40, 56, 3)), NETWORK, "colour"),
        (da.ones((4, 40, 56))[da.ones(4) > 0], NETWORK, "compute_chunk_sizes"),
        (da.full((40, 56), np.nan), NETWORK, "NaN"),
        (da.ma.masked_greater(da.from_array(STACK[0], chunks=(1, 40, 56)), 700), NETWORK, "masked"),
    ],
)
def test_what_cannot_be_denoised_is_told_at_once(image: Any, model: Path, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        temclean.denoise(image, model, device="cpu")


def test_frames_are_read_a_chunk_at_a_time() -> None:
    loaded = []

    def load(block: Any, block_info: Any = None) -> Any:
        loaded.append(block_info[0]["chunk-location"] if block_info else None)
        return block

    pixels = np.arange(5 * 4 * 6.0).reshape(5, 4, 6)
    data = da.from_array(pixels, chunks=(2, 4, 3)).map_blocks(load, dtype=float, meta=np.empty((0, 0, 0)))
    frames = LazyFrames(data)
    np.testing.assert_array_equal([frames[index] for index in range(5)], pixels)
    assert len(loaded) == 6, "each of the 3 x 2 chunks once"
