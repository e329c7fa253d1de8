"""Where the axes of a TIFF begin and how its frames follow each other: read from other programs, written for them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io
from temclean.io import StackAxis

PIXELS = np.arange(240, dtype=np.uint16).reshape(3, 8, 10)


def described(path: Path, text: str, array: np.ndarray = PIXELS, tags: list[Any] | None = None) -> Path:
    tifffile.imwrite(
        path,
        array,
        description=text.encode(),
        metadata=None,
        photometric="minisblack",
        resolution=(2, 4),
        resolutionunit=1,
        extratags=tags or [],
    )
    return path


def write(path: Path, array: np.ndarray, axes: str, **about: Any) -> Path:
    image = replace(io.Image.from_array(array, (0.25, 0.5), "nm", axes), **about)
    return io.write(path, image, iter(image.pixels))


# The numbers that ImageJ 1.53t itself shows for these lines: x of the first pixel is -xorigin * pixel width.
@pytest.mark.parametrize(
    ("lines", "axes", "unit", "origin", "stack"),
    [
        ("frames=3\nunit=nm\nfinterval=4.0E-3\nxorigin=-3.5\nyorigin=2.0", "TYX", "nm", (-0.5, 1.75), (0.004, "s", 0)),
        ("frames=3\nunit=nm\nfinterval=4\ntunit=ms", "TYX", "nm", None, (4, "ms", 0)),
        ("frames=3\nunit=nm\nfinterval=4\ntunit=sec\nyorigin=1", "TYX", "nm", (-0.25, 0.0), (4, "s", 0)),
        ("slices=3\nunit=micron\nspacing=2.5", "ZYX", "µm", None, (2.5, "µm", 0)),
        ("slices=3\nunit=nm\nspacing=2.5\nzunit=\\u00B5m\nzorigin=2", "ZYX", "nm", None, (2.5, "µm", -5)),
        ("slices=3\nunit=nm\nspacing=0", "ZYX", "nm", None, None),
        ("frames=3\nunit=nm\nfinterval=nan", "TYX", "nm", None, None),
        ("frames=3\nfinterval=2\nxorigin=7", "TYX", None, None, (2, "s", 0)),
    ],
)
def test_imagej_origin_and_steps(
    tmp_path: Path,
    lines: str,
    axes: str,
    unit: str | None,
    origin: tuple[float, float] | None,
    stack: tuple[float, str, float] | None,
) -> None:
    path = described(tmp_path / "a.tif", f"ImageJ=1.53t\nimages=3\nhyperstack=true\n{lines}\n")
    with io.read(path) as image:
        assert (image.axes, image.unit) == (axes, unit)
        assert image.origin == (pytest.approx(origin) if origin else None)
        assert image.stack == ((StackAxis(*stack) if stack else None),)


def test_both_axes_of_a_hyperstack(tmp_path: Path) -> None:
    text = "ImageJ=1.53t\nimages=6\nslices=3\nframes=2\nhyperstack=true\nunit=nm\nspacing=2\nfinterval=5\n"
    with io.read(described(tmp_path / "a.tif", text, np.zeros((6, 8, 10), np.uint8))) as image:
        assert image.axes == "TZYX"
        assert image.stack == (StackAxis(5, "s"), StackAxis(2, "nm"))


def test_digital_micrograph_origin_and_steps(tmp_path: Path) -> None:
    def texts(*values: str) -> list[Any]:
        return [(65003 + at, 2, 0, value.encode("latin-1"), True) for at, value in enumerate(values)]

    def numbers(first: int, *values: float) -> list[Any]:
        return [(first + at, 12, 1, value, True) for at, value in enumerate(values)]

    tags = texts("nm", "nm", "s") + numbers(65006, 34.125, -0.0, 7.0, 0.5, 0.25, 2.0)
    with io.read(described(tmp_path / "a.tif", "", tags=tags)) as image:
        assert (image.pixel_size, image.unit) == ((0.25, 0.5), "nm")
        assert image.origin == (0.0, 34.125)
        assert str(image.origin) == "(0.0, 34.125)"
        assert image.stack == (StackAxis(2.0, "s", 7.0),)
    metres = texts("m", "m") + numbers(65006, 3e-9, 4e-9, 0.0, 5e-10, 5e-10, 1.0)
    with io.read(described(tmp_path / "b.tif", "", tags=metres)) as image:
        assert image.unit == "nm"
        assert image.origin == pytest.approx((4, 3))
        assert image.stack == (None,)
    mixed = texts("nm", "Å") + numbers(65006, 3.0, 40.0, 0.0, 0.5, 2.5, 1.0)
    with io.read(described(tmp_path / "c.tif", "", tags=mixed)) as image:
        assert (image.pixel_size, image.unit) == (pytest.approx((0.25, 0.5)), "nm")
        assert image.origin == pytest.approx((4, 3))


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0"
DimensionOrder="XYZCT" Type="uint16" SizeX="10" SizeY="8" SizeZ="{z}" SizeC="1" SizeT="{t}" PhysicalSizeX="0.5"
PhysicalSizeXUnit="nm" PhysicalSizeY="2.5" PhysicalSizeYUnit="Å" {step}><Channel ID="Channel:0:0"
SamplesPerPixel="1"/><TiffData IFD="0" PlaneCount="3"/><Plane TheC="0" TheZ="0" TheT="0" {place}/></Pixels>
</Image></OME>"""


@pytest.mark.parametrize(
    ("sizes", "step", "stack"),
    [
        ((1, 3), 'TimeIncrement="2.5"', StackAxis(2.5, "s")),
        ((1, 3), 'TimeIncrement="2.5" TimeIncrementUnit="ms"', StackAxis(2.5, "ms")),
        ((3, 1), 'PhysicalSizeZ="0.125"', StackAxis(0.125, "µm")),
        ((3, 1), 'PhysicalSizeZ="0.125" PhysicalSizeZUnit="nm"', StackAxis(0.125, "nm")),
        ((3, 1), "", None),
    ],
)
def test_ome_positions_and_steps(tmp_path: Path, sizes: tuple[int, int], step: str, stack: StackAxis | None) -> None:
    place = 'PositionX="0.003" PositionXUnit="µm" PositionY="4" PositionYUnit="nm"'
    text = OME.format(z=sizes[0], t=sizes[1], step=step, place=place)
    with io.read(described(tmp_path / "a.ome.tif", text)) as image:
        assert image.pixel_size == pytest.approx((0.25, 0.5))
        assert image.origin == pytest.approx((4, 3))
        assert image.stack == (stack,)
    # Without a unit, a position is one in the stage's own frame of reference.
    text = OME.format(z=sizes[0], t=sizes[1], step=step, place='PositionX="3" PositionY="4"')
    with io.read(described(tmp_path / "b.ome.tif", text)) as image:
        assert image.origin is None


@pytest.mark.parametrize(
    ("axes", "shape", "stack", "wanted"),
    [
        ("TYX", (3,), (StackAxis(0.8, "s"),), {"finterval": 0.8, "tunit": "sec"}),
        ("TYX", (3,), (StackAxis(40.0, "µs"),), {"finterval": 40.0, "tunit": "\\u00B5s"}),
        ("TYX", (3,), (StackAxis(2.0, "deg", -60.0),), {}),
        ("ZYX", (3,), (StackAxis(2.5, "nm", 5.0),), {"spacing": 2.5, "zorigin": -2.0}),
        ("ZYX", (3,), (StackAxis(2.5, "Å"),), {"spacing": 2.5, "zunit": "\\u00C5"}),
        ("ZYX", (3,), (StackAxis(0.0, "nm"),), {}),
        (
            "TZYX",
            (2, 3),
            (StackAxis(5.0, "s"), StackAxis(2.0, "nm")),
            {"finterval": 5.0, "tunit": "sec", "spacing": 2.0},
        ),
        ("TZYX", (2, 3), (None, StackAxis(2.0, "nm")), {"spacing": 2.0}),
    ],
)
def test_imagej_is_told_origin_and_steps(
    tmp_path: Path, axes: str, shape: tuple[int, ...], stack: tuple[StackAxis | None, ...], wanted: dict[str, Any]
) -> None:
    array = np.zeros((*shape, 8, 10), np.uint8)
    result = write(tmp_path / "a.tif", array, axes, origin=(2.5, -3.0), stack=stack)
    with tifffile.TiffFile(result) as tiff:
        says = tiff.imagej_metadata
        assert says is not None
    assert (says["xorigin"], says["yorigin"]) == (6.0, -10.0)
    found = {name: says[name] for name in ("finterval", "tunit", "spacing", "zunit", "zorigin") if name in says}
    assert found == wanted


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for axes, shape, stack in [
        ("YX", (), ()),
        ("TYX", (3,), (StackAxis(0.8, "s", 0.4),)),
        ("TYX", (3,), (StackAxis(2.0, "deg", -60.0),)),
        ("TZYX", (2, 3), (StackAxis(5.0, "ms"), StackAxis(2.0, "Å"))),
        ("TZYX", (2, 1), (StackAxis(5.0, "ms", 3.0), None)),
        ("TZCYX", (1, 2, 3), (None, StackAxis(2.0, "nm"), None)),
    ]:
        array = np.zeros((*shape, 8, 10), np.uint8)
        with io.read(write(tmp_path / "a.tif", array, axes, origin=(44.888, -34.125), stack=stack)) as image:
            assert image.axes == axes
            assert image.origin == pytest.approx((44.888, -34.125), rel=1e-12)
            assert image.stack == stack
            again = io.write(tmp_path / "b.tif", image, iter(image.pixels))
        with io.read(again) as image:
            assert image.stack == stack
