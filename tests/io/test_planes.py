"""Stacks of three or four frames, which tifffile puts down as the planes of a colour image, and colours that are so."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io

NOTE = {"temclean": "0.1.0", "model": "sp"}


def counts(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 99, shape).astype(dtype)


def stored(path: Path, array: np.ndarray, **about: Any) -> Path:
    """Write a file of tifffile's, and see that its planes lie apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tifffile.imwrite(path, array, **about)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if (page.planarconfig, page.samplesperpixel) != (2, array.shape[-3]):
            pytest.skip("this tifffile stores frames as pages")
    return path


def check(path: Path, array: np.ndarray, axes: str) -> tuple[str, ...]:
    """Check that all frames are read, and that tifffile finds them all in a result; return the warnings."""
    result = path.with_name("result.tif")
    with io.read(path) as image:
        assert (image.pixels.shape, image.axes) == (array.shape, axes)
        assert image.pixels.dtype == array.dtype
        np.testing.assert_array_equal(np.stack(list(image.pixels)).reshape(array.shape), array)
        io.write(result, image, iter(image.pixels), NOTE)
        told = image.warnings
    with tifffile.TiffFile(result) as tiff:
        assert len(tiff.series) == 1
        assert tiff.pages.first.samplesperpixel == 1
        np.testing.assert_array_equal(tiff.asarray(), array)
    return told


@pytest.mark.parametrize("packing", [{}, {"compression": "zlib"}, {"tile": (16, 16)}, {"byteorder": ">"}])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize(
    ("axes", "shape", "read"),
    [
        ("TYX", (4, 20, 30), "TYX"),
        ("ZYX", (3, 20, 30), "ZYX"),
        ("QYX", (4, 20, 30), "TYX"),
        ("TZYX", (2, 4, 20, 30), "TZYX"),
    ],
)
def test_planes_are_frames_where_the_axes_say_so(
    tmp_path: Path, axes: str, shape: tuple[int, ...], read: str, dtype: str, packing: dict[str, Any]
) -> None:
    array = counts(dtype, shape)
    assert check(stored(tmp_path / "a.tif", array, metadata={"axes": axes}, **packing), array, read) == ()


@pytest.mark.parametrize("packing", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"description": "200 kV"}])
@pytest.mark.parametrize("dtype", ["u2", "i2", "f4"])
@pytest.mark.parametrize("shape", [(3, 20, 30), (4, 20, 30), (2, 3, 20, 30)])
def test_planes_of_more_than_8_bits_are_frames(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, packing: dict[str, Any]
) -> None:
    array = counts(dtype, shape)
    told = check(stored(tmp_path / "a.tif", array, metadata=None, **packing), array, io.Image.from_array(array).axes)
    assert told == (
        f"the {shape[-3]} planes of {array.dtype} are taken for frames, as tifffile stores a stack; "
        "if they are colours, save them together, pixel by pixel",
    )


@pytest.mark.parametrize(
    ("dtype", "about"),
    [
        ("u1", {"metadata": None}),
        ("u2", {"ome": True, "photometric": "rgb", "planarconfig": "separate", "metadata": {"axes": "SYX"}}),
    ],
)
def test_colours_stay_colours(tmp_path: Path, dtype: str, about: dict[str, Any]) -> None:
    with io.read(stored(tmp_path / "a.tif", counts(dtype, (3, 20, 30)), **about)) as image:
        assert image.pixels.shape == (20, 30)
        assert image.warnings == ("the image is in colour; its luminance is used",)
    together = counts("u2", (20, 30, 3))
    tifffile.imwrite(tmp_path / "b.tif", together, photometric="rgb", metadata=None)
    with io.read(tmp_path / "b.tif") as image:
        assert image.pixels.shape == (20, 30)


@pytest.mark.parametrize("way", ["loop", "append"])
def test_pages_that_were_written_one_by_one_are_a_stack(tmp_path: Path, way: str) -> None:
    """The writer gives each page its own description, and tifffile takes each for an image of its own."""
    stack = np.random.default_rng(5).integers(0, 4000, (5, 40, 52)).astype(np.uint16)
    path = tmp_path / "a.tif"
    if way == "loop":
        with tifffile.TiffWriter(path) as writer:
            for frame in stack:
                writer.write(frame)
    else:
        for frame in stack:
            tifffile.imwrite(path, frame, append=True)
    with io.read(path) as image:
        assert (image.axes, image.warnings) == ("TYX", ())
        np.testing.assert_array_equal(np.stack(list(image.pixels)), stack)
        io.write(tmp_path / "b.tif", image, list(image.pixels))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), stack)
