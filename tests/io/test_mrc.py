"""What of an image's axes MRC holds, by mrcfile and HyperSpy's reader, and what is said of the rest."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from microscope_files import write_hspy

from temclean import io
from temclean.io import StackAxis

mrcfile = pytest.importorskip("mrcfile")


def write(path: Path, axes: str, shape: tuple[int, ...], unit: str = "nm", **about: Any) -> tuple[str, ...]:
    """Write an image of 0.5 x 0.25 `unit` and return the warnings."""
    image = replace(io.Image.from_array(np.zeros(shape, "f4"), (0.5, 0.25), unit, axes), **about)
    io.write(path, image, iter(image.pixels))
    assert mrcfile.validate(str(path))
    return image.warnings


@pytest.mark.parametrize(("unit", "factor"), [("nm", 10.0), ("Å", 1.0), ("µm", 1e4), ("pm", 0.01)])
def test_the_origin_is_written(tmp_path: Path, unit: str, factor: float) -> None:
    assert write(tmp_path / "a.mrc", "YX", (8, 9), unit, origin=(1.0, -2.0)) == ()
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.header.origin.item() == pytest.approx((-2.0 * factor, 1.0 * factor, 0.0))
    with io.read(tmp_path / "a.mrc") as image:
        assert image.unit == "Å"
        assert image.origin == pytest.approx((1.0 * factor, -2.0 * factor))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # rosettasciio leaves a file open
def test_the_origin_of_a_volume_is_where_hyperspy_finds_it(tmp_path: Path) -> None:
    depth = StackAxis(2.0, "nm", 5.0)
    assert write(tmp_path / "a.mrc", "ZYX", (3, 8, 9), origin=(1.0, -2.0), stack=(depth,)) == ()
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.header.origin.item() == pytest.approx((-20.0, 10.0, 50.0))
        assert file.voxel_size.item() == pytest.approx((2.5, 5.0, 20.0))
    with io.read(tmp_path / "a.mrc") as image:
        assert image.origin == pytest.approx((10.0, -20.0))
        assert image.stack == (StackAxis(20.0, "Å", 50.0),)
    pytest.importorskip("rsciio.mrc", reason="the second reader is not installed")
    axes = import_module("rsciio.mrc").file_reader(str(tmp_path / "a.mrc"))[0]["axes"]
    assert [axis["offset"] for axis in axes] == pytest.approx([5.0, 1.0, -2.0])  # in nm


def test_the_origin_of_hyperspys_file_goes_over(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(write_hspy(tmp_path / "a.hspy", np.zeros((8, 9), "f4")), "a") as file:
        for at, offset in enumerate((1.0, -1.0)):
            file[f"Experiments/movie/axis-{at}"].attrs["offset"] = offset
    with io.read(tmp_path / "a.hspy") as image:
        io.write(tmp_path / "a.mrc", image, iter(image.pixels))
        assert image.warnings == ()
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.header.origin.item() == pytest.approx((-10.0, 10.0, 0.0))


@pytest.mark.parametrize(
    ("axes", "shape", "unit", "about", "lost"),
    [
        ("TYX", (3, 8, 9), "nm", {}, ""),
        ("TYX", (3, 8, 9), "nm", {"stack": (None,), "origin": (1.0, 2.0)}, ""),
        (
            "TYX", (3, 8, 9), "nm", {"stack": (StackAxis(0.8, "s", 0.4),)},
            "the step of axis T (0.8 s, from 0.4 s), which is lost; write .tif to keep it",
        ),
        (
            "TYX", (3, 8, 9), "nm", {"stack": (StackAxis(2.0),)},
            "the step of axis T (2), which is lost; write .tif to keep it",
        ),
        (
            "TZYX", (2, 3, 8, 9), "nm", {"stack": (StackAxis(5.0, "ms"), StackAxis(2.0, "nm"))},
            "the step of axis T (5 ms), which is lost; write .tif to keep it",
        ),
        ("CYX", (3, 8, 9), "nm", {}, "that frames are channels, which is lost; write .tif to keep it"),
        (
            "TCYX", (2, 3, 8, 9), "nm", {"stack": (StackAxis(5.0, "ms"), None)},
            "the axes TC of its 2x3 frames and the step of axis T (5 ms), which are lost; write .tif to keep them",
        ),
        (
            "YX", (8, 9), "1/nm", {"origin": (-4.0, -2.0)},
            "the origin of rows and columns (-4, -2 1/nm), which is lost; write .tif to keep it",
        ),
        (
            "ZYX", (3, 8, 9), "1/nm", {"stack": (StackAxis(2.0, "nm"),)},
            "the step of axis Z (2 nm), which is lost; write .tif to keep it",
        ),
    ],
)  # fmt: skip
def test_what_is_lost_of_the_axes_is_said(
    tmp_path: Path, axes: str, shape: tuple[int, ...], unit: str, about: dict[str, Any], lost: str
) -> None:
    told = [line for line in write(tmp_path / "a.mrc", axes, shape, unit, **about) if "pixel size" not in line]
    assert told == ([f"MRC cannot hold {lost}"] if lost else [])
    with io.read(tmp_path / "a.mrc") as image:
        io.write(tmp_path / "b.mrc", image, iter(image.pixels))
        assert image.warnings == ()
