"""What users type in Python: the same as on the command line, warnings and calibration included."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_overloads

import numpy as np
import pytest

import temclean
from temclean.restoration import cautions, models, pipeline, shipped

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

Run = Callable[..., Any]

DATA = Path(__file__).parent / "data"
IDENTITY, NETWORK = DATA / "identity.onnx", DATA / "network.onnx"


def image_of(pixels: Any) -> temclean.io.Image:
    axis = temclean.io.StackAxis(0.5, "s", 2.0)
    made = temclean.io.Image.from_array(pixels, (0.2, 0.3), "nm", metadata={"voltage": 300})
    return temclean.io.image.replace(made, origin=(-3.0, 4.0), stack=(axis,) * (pixels.ndim - 2))


def test_an_image_keeps_its_calibration_and_the_pixels_are_those_of_its_array(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).normal(50, 9, (3, 40, 50)).astype(np.float32)
    image = image_of(stack)
    clean = temclean.denoise(image, NETWORK, device="cpu")
    assert isinstance(clean, temclean.io.Image)
    np.testing.assert_array_equal(np.stack(list(clean.pixels)), temclean.denoise(stack, NETWORK, device="cpu"))
    for name in ("pixel_size", "unit", "axes", "metadata", "origin", "stack"):
        assert getattr(clean, name) == getattr(image, name), name
    path = temclean.io.write(tmp_path / "clean.tif", clean, clean.pixels)
    with temclean.read(path) as again:
        assert again.pixel_size == pytest.approx((0.2, 0.3))
        assert again.unit == "nm"


@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_a_blend_is_that_of_the_command_line(run: Run, tmp_path: Path, dtype: str) -> None:
    raw = np.random.default_rng(1).normal(900, 90, (2, 40, 50)).astype(dtype)
    np.save(tmp_path / "a.npy", raw)
    run("denoise", tmp_path / "a.npy", "-m", NETWORK, "--blend", "0.3", "--device", "cpu", "-o", tmp_path / "b.npy")
    mixed = temclean.denoise(raw, NETWORK, device="cpu", blend=0.3)
    np.testing.assert_array_equal(mixed, np.load(tmp_path / "b.npy"))
    restored = temclean.denoise(raw.astype(np.float64), NETWORK, device="cpu")
    assert mixed.dtype == raw.dtype
    assert abs(mixed - (0.7 * restored + 0.3 * raw)).max() < (0.51 if dtype == "u2" else 1e-3)
    np.testing.assert_array_equal(temclean.denoise(raw, NETWORK, device="cpu", blend=1), raw)


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), "0.5", True])
def test_a_blend_that_is_no_share_is_refused(share: Any) -> None:
    with pytest.raises(temclean.errors.ParameterError, match="from 0 to 1"):
        temclean.denoise(np.eye(48), NETWORK, device="cpu", blend=share)


def test_pixels_of_another_shape_are_refused() -> None:
    with pytest.raises(temclean.errors.ImageError, match="do not fit"):
        image_of(np.zeros((4, 5))).with_pixels(np.zeros((5, 4)))


def test_python_warns_in_the_words_of_the_command_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts of a few electrons: too few whole numbers, and more noise than the result has contrast."""
    pixels = np.random.default_rng(0).poisson(3, (64, 64)).astype(np.uint8)
    colour = np.repeat(pixels[..., None], 3, axis=-1)
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", colour, photometric="rgb")
    monkeypatch.setattr(cautions, "noise_level", lambda *_, **__: 2.0)
    (record,) = map(json.loads, run("denoise", tmp_path / "a.tif", "-m", NETWORK, "--json").out.splitlines())
    with temclean.read(tmp_path / "a.tif") as image, pytest.warns(temclean.TemcleanWarning) as caught:
        temclean.denoise(image, NETWORK, device="cpu")
    assert [str(each.message) for each in caught] == record["warnings"]
    assert {each.filename for each in caught} == {__file__}, "a warning names the line that called"
    texts = "\n".join(record["warnings"])
    assert "2.0 times as strong" in texts
    assert "whole numbers" in texts
    assert len(caught) == 3


def test_a_good_image_gives_no_warning() -> None:
    pixels = np.tile(np.linspace(0, 60_000, 64).astype(np.uint16), (64, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        temclean.denoise(pixels, IDENTITY, device="cpu")


def test_python_and_the_command_line_take_the_same_model_where_none_is_named() -> None:
    from temclean.cli.denoise import command

    (option,) = (each for each in command.params if each.name == "model")
    defaults = [*pipeline.denoise.__kwdefaults__.values(), *pipeline.denoise.__defaults__]  # type: ignore[misc]
    assert option.default == shipped.DEFAULT
    assert shipped.DEFAULT in defaults
    assert shipped.DEFAULT == shipped.AUTO


def test_denoise_is_typed_for_images_and_arrays() -> None:
    assert [each.__annotations__["return"] for each in get_overloads(pipeline.denoise)] == [
        pipeline.Picture,
        pipeline.Chunked,
        pipeline.NDArray[Any],
    ]


def test_threads_that_denoise_at_once_get_the_bytes_of_one_after_the_other() -> None:
    """One session is opened by whoever comes first and runs for both; sizes differ, so that no buffer fits both."""
    rng = np.random.default_rng(7)
    shapes = [(96, 64), (64, 80), (80, 96)] * 2
    images = [(50 * np.arange(shape[1]) + rng.normal(0, 9, shape)).astype(np.float32) for shape in shapes]

    def clean(image: Any) -> bytes:
        return bytes(temclean.denoise(image, "lde", device="cpu", threads=2).tobytes())

    models._session.cache_clear()
    with ThreadPoolExecutor(2) as two:
        together = list(two.map(clean, images))
    models._session.cache_clear()
    assert together == [clean(image) for image in images]
    assert len(set(together)) == len(images)


FORKED = """
import multiprocessing, sys
import numpy as np
import temclean

fork = multiprocessing.get_context("fork")
theirs = fork.SimpleQueue()
image = (50 * np.arange(64) + np.random.default_rng(0).normal(0, 9, (64, 64))).astype("f4")

def clean():
    return temclean.denoise(image, "lde", device="cpu", threads=2).tobytes()

before = clean()
child = fork.Process(target=lambda: theirs.put(hash(clean())), daemon=True)
child.start()
child.join(30)
sys.exit("waits for ever" if child.exitcode is None else "failed" if child.exitcode else theirs.get() != hash(before))
"""


KERNELS = """
    tile = temclean.restoration.tiling
    several = tile.split(image, tile.plan(image.shape, (32, 32), 8), threads=2)
    return (temclean.noise.apply(image, temclean.noise.Poisson(9.0), 1, threads=2).tobytes()
        + several.tobytes() + str(temclean.metrics.ms_ssim(image, image + 1, threads=2)).encode())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("what", ["denoise", "kernels"])
def test_children_forked_off_one_that_has_denoised_get_the_same_bytes(what: str) -> None:
    """Threads of a session are not in the child: it must neither wait for them nor lose what they would have done."""
    script = FORKED
    if what == "kernels":
        before, after = FORKED.split("def clean():")
        script = (
            f"{before}import temclean.restoration.tiling\nimage = np.abs(np.tile(image, (4, 4)))\ndef clean():{KERNELS}"
        )
        script += after[after.index("\n\nbefore") :]
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
