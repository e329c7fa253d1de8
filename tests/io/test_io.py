"""Images in and out: what is written is read back by us and by other programs."""

import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from temclean import io
from temclean.errors import FileError, ImageError, MissingExtraError
from temclean.io.tiff import codecs, writer

INTEGERS = ["u1", "u2", "u4", "i1", "i2", "i4"]
FLOATS = ["f2", "f4", "f8"]
DTYPES = INTEGERS + FLOATS
NOTE = {
    "temclean": "0.1.0",
    "model": "sp",
    "model_sha256": "a1" * 32,
    "input_sha256": "b2" * 32,
    "scaling": [1.5, 9.25],
}


def noted(path: Path) -> dict[str, Any]:
    """Return what a result says of itself, but for the checksum, which temclean adds."""
    return {name: value for name, value in (io.provenance(path) or {}).items() if name != io.PIXELS}


def counts(dtype: str, shape: tuple[int, ...] = (19, 23)) -> np.ndarray:
    """Make pixels that use their type's range: negative values, large ones, fractions."""
    rng = np.random.default_rng(len(shape) * 100 + shape[-1])
    if dtype[0] == "f":
        return rng.normal(0, 300, shape).astype(dtype)
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype, endpoint=True)


def stack(image: io.Image) -> np.ndarray:
    return np.stack(list(image.pixels)).reshape(image.pixels.shape)


def save(path: Path, array: np.ndarray, note: dict[str, Any] | None = None, **about: Any) -> Path:
    image = io.Image.from_array(array, **about)
    return io.write(path, image, iter(image.pixels), note)


def by_hyperspy(path: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    plugin = pytest.importorskip("rsciio.tiff", reason="HyperSpy's reader is not installed")
    found = plugin.file_reader(str(path))[0]
    return found["data"], found["axes"]


# --- TIFF -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 7), (7, 1), (19, 23), (1, 5, 6), (3, 5, 6), (2, 3, 5, 6), (2, 2, 3, 4, 5)]
)
def test_tiff_keeps_everything(tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
    array = counts(dtype, shape)
    path = save(tmp_path / "a.tif", array, NOTE, pixel_size=(0.25, 0.125), unit="nm")
    with io.read(path) as image:
        assert image.pixels.shape == shape
        assert image.pixels.dtype == dtype
        assert image.axes == "TZCYX"[:0] + {2: "YX", 3: "TYX", 4: "TZYX", 5: "TZCYX"}[len(shape)]
        assert image.pixel_size == pytest.approx((0.25, 0.125), rel=1e-12)
        assert image.unit == "nm"
        assert image.warnings == ()
        np.testing.assert_array_equal(stack(image), array)
    assert noted(path) == NOTE
    np.testing.assert_array_equal(tifffile.imread(path).reshape(shape), array)


def test_six_dimensions_keep_their_shape(tmp_path: Path) -> None:
    array = counts("u2", (2, 1, 2, 1, 3, 4))
    path = save(tmp_path / "a.tif", array)
    with io.read(path) as image:
        assert image.pixels.shape == array.shape
        np.testing.assert_array_equal(stack(image), array)


@pytest.mark.parametrize(("dtype", "mode"), [("u1", "L"), ("u2", "I;16"), ("i4", "I"), ("f4", "F")])
def test_pillow_reads_our_tiff(tmp_path: Path, dtype: str, mode: str) -> None:
    array = counts(dtype, (3, 9, 11))
    with Pillow.open(save(tmp_path / "a.tif", array, NOTE)) as image:
        assert image.n_frames == 3
        for index, frame in enumerate(array):
            image.seek(index)
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image), frame)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("unit", "shown"), [("nm", "nm"), ("µm", "µm"), ("Å", "Å"), ("1/nm", "1/nm")])
def test_hyperspy_reads_pixel_size_and_unit(tmp_path: Path, dtype: str, unit: str, shown: str) -> None:
    array = counts(dtype, (3, 9, 11))
    data, axes = by_hyperspy(save(tmp_path / "a.tif", array, NOTE, pixel_size=0.0123456789, unit=unit))
    np.testing.assert_array_equal(data, array)
    assert [axis["scale"] for axis in axes[1:]] == pytest.approx([0.0123456789] * 2, rel=1e-9)
    assert [axis["units"] for axis in axes[1:]] == [shown] * 2


@pytest.mark.parametrize(("axes", "line"), [("TYX", "frames=3"), ("ZYX", "slices=3"), ("CYX", "channels=3")])
def test_imagej_reads_unit_axes_and_contiguous_frames(tmp_path: Path, axes: str, line: str) -> None:
    path = save(tmp_path / "a.tif", counts("u2", (3, 9, 11)), pixel_size=2.0, unit="µm", axes=axes)
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        assert tiff.is_imagej
        lines = page.description.splitlines()
        assert {"images=3", line, "unit=micron"} <= set(lines)
        across, down = page.tags.valueof(282), page.tags.valueof(283)
        assert across[0] / across[1] == down[0] / down[1] == 0.5
        # ImageJ ignores the further pages and takes the frames to follow each other.
        starts = [page.dataoffsets[0] for page in tiff.pages]
        assert np.diff(starts).tolist() == [9 * 11 * 2] * 2
    with io.read(path) as image:
        assert image.axes == axes
        assert image.unit == "µm"


def test_imagej_escapes_other_letters(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", counts("u1"), pixel_size=1.5, unit="Å")
    with tifffile.TiffFile(path) as tiff:
        assert "unit=\\u00C5" in tiff.pages.first.description
        assert all(ord(char) < 128 for char in tiff.pages.first.description)
    with io.read(path) as image:
        assert image.unit == "Å"


@pytest.mark.parametrize("size", [1e-7, 3.7e-4, 0.0135172174137, 1.0, 1.9080510212843, 2614.514, 9.9e6])
def test_pixel_sizes_keep_their_digits(tmp_path: Path, size: float) -> None:
    with io.read(save(tmp_path / "a.tif", counts("u1"), pixel_size=size, unit="µm" if size < 1 else "pm")) as image:
        assert image.pixel_size == pytest.approx((size, size), rel=1e-9)


def test_metadata_of_other_formats_shows_in_fiji(tmp_path: Path) -> None:
    about = {
        "ImageTags": {"Microscope": {"Voltage": 300000.0, "Name": "Titan Å"}},
        "list": [{"a": 1}],
        "user": "Ren\udce9\n",
    }
    path = save(tmp_path / "a.tif", counts("u1"), metadata=about)
    with tifffile.TiffFile(path) as tiff:
        info = tiff.imagej_metadata["Info"]
    assert "ImageTags.Microscope.Voltage = 300000.0" in info
    assert "ImageTags.Microscope.Name = Titan Å" in info
    assert "list.0.a = 1" in info
    assert "user = Ren? " in info


def test_bigtiff_where_four_gigabytes_are_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "_CLASSIC_LIMIT", 1000)
    array = counts("u2", (3, 20, 30))
    path = save(tmp_path / "a.tif", array, NOTE, pixel_size=0.1, unit="nm")
    assert path.read_bytes()[:4] == b"II+\0"
    np.testing.assert_array_equal(tifffile.imread(path), array)
    with io.read(path) as image:
        assert image.pixel_size == pytest.approx((0.1, 0.1))
        np.testing.assert_array_equal(stack(image), array)
    assert noted(path) == NOTE


def test_a_frame_beyond_four_gigabytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "big.tif"
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        start, _ = writer.write(None, shape=(1100, 2000, 2000), dtype="u1", metadata=None, returnoffset=True)
    with path.open("r+b") as file:
        file.seek(start + 1099 * 2000 * 2000)
        file.write(b"\7")
    with io.read(path) as image:
        assert image.pixels.shape == (1100, 2000, 2000)
        assert image.pixels[1099][0, 0] == 7


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
@pytest.mark.parametrize(
    ("compression", "predictor"),
    [("tiff_lzw", 1), ("tiff_lzw", 2), ("tiff_adobe_deflate", 1), ("tiff_adobe_deflate", 2), ("packbits", 1)],
)
def test_what_libtiff_compressed_is_read(tmp_path: Path, dtype: str, compression: str, predictor: int) -> None:
    array = np.cumsum(counts("u1", (170, 191)) % 5, axis=1).astype(dtype)
    path = tmp_path / "a.tif"
    if dtype == "f4":
        predictor = {1: 1, 2: 3}[predictor]
    Pillow.fromarray(array).save(path, compression=compression, tiffinfo={317: predictor} if predictor > 1 else {})
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages.first.predictor == predictor
        assert tiff.pages.first.compression > 1
    with io.read(path) as image:
        assert image.pixels.dtype == dtype
        np.testing.assert_array_equal(image.pixels[0], array)


def plain_lzw(data: bytes) -> bytes:
    """Decode LZW as TIFF 6.0, section 13, words it: a table of strings."""
    table, out, width, before, position = [bytes([code]) for code in range(256)] + [b"", b""], b"", 9, b"", 0
    bits = "".join(f"{byte:08b}" for byte in data)
    while position + width <= len(bits):
        code = int(bits[position : position + width], 2)
        position += width
        if code == 257:
            break
        if code == 256:
            table, width, before = table[:258], 9, b""
            continue
        entry = table[code] if code < len(table) else before + before[:1]
        out += entry
        if before:
            table.append(before + entry[:1])
        width = max(width, min(12, (len(table) + 1).bit_length()))
        before = entry
    return out


@pytest.mark.parametrize("kind", ["noise", "smooth", "flat", "tiny"])
def test_lzw_against_the_letter_of_the_standard(tmp_path: Path, kind: str) -> None:
    array = {
        "noise": counts("u1", (64, 300)),
        "smooth": np.sort(counts("u1", (64, 300)), axis=1),
        "flat": np.full((64, 300), 7, "u1"),
        "tiny": counts("u1", (1, 1)),
    }[kind]
    path = tmp_path / "a.tif"
    Pillow.fromarray(array).save(path, compression="tiff_lzw")
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        places = zip(page.dataoffsets, page.databytecounts, strict=True)
        segments = [path.read_bytes()[start : start + count] for start, count in places]
    expected = b"".join(map(plain_lzw, segments))
    assert expected == array.tobytes()
    assert b"".join(codecs.lzw(data, array.size) for data in segments) == expected
    # Whatever the bytes, no more than was asked for comes out, and nothing but an error else.
    rng = np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(segments[0])
        damaged[rng.integers(len(damaged))] ^= 1 << int(rng.integers(8))
        with contextlib.suppress(ValueError):
            assert len(codecs.lzw(bytes(damaged), 500)) <= 500


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tile", [None, (16, 32)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_deflate_strips_tiles_and_byte_orders(
    tmp_path: Path, dtype: str, tile: tuple[int, int] | None, order: str
) -> None:
    array = counts(dtype, (3, 50, 41))
    path = tmp_path / "a.tif"
    rows = {} if tile else {"rowsperstrip": 7}
    tifffile.imwrite(path, array, compression="zlib", tile=tile, byteorder=order, photometric="minisblack", **rows)
    with io.read(path) as image:
        assert image.pixels.dtype.isnative
        np.testing.assert_array_equal(stack(image), array)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_colour_becomes_luminance(tmp_path: Path, planar: str, compression: str | None) -> None:
    rgb = counts("u1", (20, 30, 3))
    stored = rgb if planar == "contig" else np.moveaxis(rgb, -1, 0)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planar, compression=compression, metadata=None)
    with io.read(path) as image:
        assert image.pixels.shape == (20, 30)
        assert image.pixels.dtype == np.uint8
        assert "luminance" in image.warnings[0]
        expected = np.asarray(Pillow.fromarray(rgb).convert("L"))
        assert np.abs(image.pixels[0].astype(int) - expected).max() <= 1


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_greys_in_colour_keep_their_value(tmp_path: Path, dtype: str) -> None:
    grey = np.abs(counts(dtype))
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([grey] * 3, -1), photometric="rgb")
    with io.read(path) as image:
        np.testing.assert_allclose(image.pixels[0], grey, rtol=1e-6 if dtype == "f4" else 0)


def test_palettes(tmp_path: Path) -> None:
    array = counts("u1")
    ramp = np.stack([np.arange(256) * 257] * 3).astype("u2")
    for name, palette, expected in (("ramp", ramp, array), ("inverse", ramp[:, ::-1], 255 - array)):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, array, photometric="palette", colormap=palette)
        with io.read(path) as image:
            np.testing.assert_array_equal(image.pixels[0], expected)
            assert len(image.warnings) == (name == "inverse")


def test_white_is_zero_stays_so(tmp_path: Path) -> None:
    array = counts("u2")
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="miniswhite", metadata=None)
    with io.read(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.pixels[0], array)
        io.write(tmp_path / "b.tif", image, iter(image.pixels))
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.pages.first.photometric == 0


FEI = "[User]\r\nUserText=\r\n[Scan]\r\nPixelWidth=2.5e-09\r\nPixelHeight=2.5e-09\r\n[EBeam]\r\nHV=5000\r\n"


def test_maker_tags_are_carried_over_byte_by_byte(tmp_path: Path) -> None:
    tags = [
        (34682, 2, 0, FEI, True),
        (50431, 1, 5, b"\1\2\3\4\5", True),
        (271, 2, 0, "FEI", True),
        (65100, 12, 2, (1.5, -2.5), True),
        (274, 3, 1, 6, True),
        (330, 4, 1, 8, True),
    ]
    for order in "<>":
        source, result = tmp_path / f"a{ord(order)}.tif", tmp_path / f"b{ord(order)}.tif"
        tifffile.imwrite(source, counts("u2"), metadata=None, extratags=tags[:5], byteorder=order, software="xT 5.1")
        with io.read(source) as image:
            assert image.pixel_size == pytest.approx((2.5, 2.5))
            assert image.unit == "nm"
            assert image.metadata["FEI_HELIOS"]["Scan"]["PixelWidth"] == 2.5e-9
            io.write(result, image, iter(image.pixels), NOTE)
        with tifffile.TiffFile(source) as before, tifffile.TiffFile(result) as after:
            assert after.byteorder == order
            assert after.is_fei
            for code in (34682, 50431, 271, 65100, 274, 305):
                assert after.pages.first.tags.valueof(code) == before.pages.first.tags.valueof(code)
            # ImageJ, which knows nothing of FEI, gets the size in its own way.
            assert "unit=nm" in after.pages.first.description
        _, axes = by_hyperspy(result)
        assert [axis["scale"] for axis in axes] == pytest.approx([2.5e-9, 2.5e-9])
        with io.read(result) as image:
            assert image.pixel_size == pytest.approx((2.5, 2.5))


def test_ome_is_kept_without_its_file_names(tmp_path: Path) -> None:
    source, result = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    about = {
        "axes": "ZYX",
        "PhysicalSizeX": 0.4,
        "PhysicalSizeXUnit": "Å",
        "PhysicalSizeY": 0.5,
        "PhysicalSizeYUnit": "Å",
    }
    array = counts("u2", (3, 9, 11))
    tifffile.imwrite(source, array, metadata={**about, "UUID": "x"}, ome=True)
    with tifffile.TiffFile(source, mode="r+") as tiff:
        text = tiff.pages.first.description.replace(
            '<TiffData IFD="0" PlaneCount="3"/>',
            '<TiffData IFD="0" PlaneCount="3"><UUID FileName="a.ome.tif">urn:uuid:1</UUID></TiffData>',
        )
        assert "FileName" in text
        tiff.pages.first.tags[270].overwrite(text.encode())
    with io.read(source) as image:
        assert (image.axes, image.pixel_size, image.unit) == ("ZYX", (0.5, 0.4), "Å")
        io.write(result, image, iter(image.pixels), NOTE)
        io.write(tmp_path / "float.tif", image, (frame.astype("f4") for frame in image.pixels))
    with tifffile.TiffFile(result) as tiff:
        assert tiff.is_ome
        assert "a.ome.tif" not in tiff.pages.first.description
        np.testing.assert_array_equal(tiff.asarray(), array)
        assert tiff.series[0].axes == "ZYX"
    # The XML would claim uint16: a result of another type is described as ImageJ's.
    with io.read(tmp_path / "float.tif") as image:
        assert (image.axes, image.pixel_size, image.unit) == ("ZYX", pytest.approx((0.5, 0.4)), "Å")
        assert image.pixels.dtype == np.float32


CALIBRATED = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25, "PhysicalSizeYUnit": "nm"}


def check_by_tifffile(path: Path, array: np.ndarray, caplog: pytest.LogCaptureFixture) -> None:
    """Check that tifffile finds the whole of `array` in one series and has nothing to say about it."""
    caplog.clear()
    with tifffile.TiffFile(path) as tiff:
        assert [series.shape for series in tiff.series] == [array.shape]
        np.testing.assert_array_equal(tiff.asarray(), array)
    assert caplog.messages == []


@pytest.mark.parametrize("frames", [(), (4,)])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("samples", [3, 4])
@pytest.mark.parametrize("ome", [True, False])
def test_descriptions_of_colour_fit_its_luminance(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, ome: bool, samples: int, planar: str, frames: tuple[int, ...]
) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    shape = (*frames, 19, 23, samples) if planar == "contig" else (*frames, samples, 19, 23)
    axes = "T" * len(frames) + ("YXS" if planar == "contig" else "SYX")
    about = {"axes": axes, **CALIBRATED} if ome else {"axes": axes, "who": "me"}
    tifffile.imwrite(source, counts("u1", shape), photometric="rgb", planarconfig=planar, metadata=about, ome=ome)
    with io.read(source) as image:
        array = stack(image)
        io.write(result, image, iter(image.pixels), NOTE)
    check_by_tifffile(result, array, caplog)
    with io.read(result) as image:
        np.testing.assert_array_equal(stack(image), array)
        assert (image.pixel_size, image.unit) == (((0.25, 0.5), "nm") if ome else (None, None))
        assert ome or "me" in image.metadata["ImageDescription"]


def test_a_truncated_stack_is_written_whole(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = counts("u2", (5, 19, 23))
    tifffile.imwrite(tmp_path / "a.tif", array, truncate=True, photometric="minisblack")
    with io.read(tmp_path / "a.tif") as image:
        io.write(tmp_path / "b.tif", image, iter(image.pixels), NOTE)
    check_by_tifffile(tmp_path / "b.tif", array, caplog)


@pytest.mark.parametrize("sides", [(40, 20), (20, 40)])
def test_the_chosen_image_of_several_in_ome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, sides: tuple[int, int]
) -> None:
    source, result = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    with tifffile.TiffWriter(source, ome=True) as writer:
        for side in sides:
            about = {**CALIBRATED, "axes": "ZYX", "Name": f"side {side}", "PhysicalSizeX": side / 100}
            writer.write(counts("u2", (3, side, side + 4)), photometric="minisblack", metadata=about)
    with io.read(source) as image:
        assert (image.pixel_size, image.unit, image.axes) == ((0.25, 0.4), "nm", "ZYX")
        io.write(result, image, iter(image.pixels), NOTE)
    check_by_tifffile(result, counts("u2", (3, 40, 44)), caplog)
    with io.read(result) as image:
        assert (image.pixel_size, image.unit, image.axes) == ((0.25, 0.4), "nm", "ZYX")
    with tifffile.TiffFile(result) as tiff:
        assert tiff.series[0].name == "side 40"


def test_ome_that_cannot_fit_is_kept_as_a_note(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    array = counts("u2", (3, 19, 23))
    tifffile.imwrite(tmp_path / "a.tif", array, ome=True, metadata={"axes": "ZYX", **CALIBRATED})
    with io.read(tmp_path / "a.tif") as image:
        io.write(tmp_path / "b.tif", image, (frame.astype("f4") for frame in image.pixels), NOTE)
    check_by_tifffile(tmp_path / "b.tif", array.astype("f4"), caplog)
    with tifffile.TiffFile(tmp_path / "b.tif") as tiff:
        assert tiff.imagej_metadata is not None
        assert 'PhysicalSizeXUnit="nm"' in tiff.imagej_metadata["Info"]
    with io.read(tmp_path / "b.tif") as image:
        assert (image.pixel_size, image.unit) == (pytest.approx((0.25, 0.5)), "nm")


@pytest.mark.parametrize("big", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_page_keeps_its_own_tags(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, order: str, big: bool, compression: str | None
) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    array = counts("u2", (5, 19, 23))
    with tifffile.TiffWriter(source, bigtiff=big, byteorder=order) as writer:
        for index, frame in enumerate(array):
            tags = [(65100, 12, 2, (1.5, float(index)), True), (65101, 3, 1, index, True)]
            about = {"description": f"frame {index}", "metadata": None, "compression": compression}
            writer.write(frame, photometric="minisblack", contiguous=False, extratags=tags, **about)
    for name, before in ((result, source), (tmp_path / "again.tif", result)):
        with io.read(before) as image:
            io.write(name, image, iter(image.pixels), NOTE)
            assert image.warnings == ()
        check_by_tifffile(name, array, caplog)
        with tifffile.TiffFile(name) as tiff:
            assert tiff.series[0].dataoffset is not None
            for index, page in enumerate(tiff.pages):
                assert page.description == f"frame {index}"
                assert page.tags.valueof(65100) == (1.5, float(index))
                assert page.tags.valueof(65101) == index
        if not (big and order == ">"):  # which Pillow does not read, whoever wrote it
            with Pillow.open(name) as picture:
                picture.seek(4)
                assert picture.tag_v2[270] == "frame 4"
        assert noted(name) == NOTE


def test_a_source_that_is_gone_costs_its_pages_tags_not_the_result(tmp_path: Path) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    array = counts("u2", (3, 19, 23))
    with tifffile.TiffWriter(source) as writer:
        for index, frame in enumerate(array):
            writer.write(frame, photometric="minisblack", contiguous=False, description=f"{index}", metadata=None)
    with io.read(source) as image:
        frames = list(image.pixels)
    source.unlink()
    io.write(result, image, iter(frames))
    assert image.warnings == (
        "what the tags of its pages after the first say was not carried over whole; keep the source",
    )
    with io.read(result) as image:
        np.testing.assert_array_equal(stack(image), array)


def test_imagej_files_keep_description_labels_and_overlays(tmp_path: Path) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    about = {"unit": "nm", "spacing": 3.5, "axes": "ZYX", "Labels": ["one", "two"], "Info": "dose = 3", "min": 4.0}
    tifffile.imwrite(source, counts("u2", (2, 9, 11)), imagej=True, resolution=(4, 2), metadata=about, byteorder=">")
    with io.read(source) as image:
        assert image.pixel_size == (0.5, 0.25)
        io.write(result, image, iter(image.pixels), NOTE)
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(result) as after:
        assert after.imagej_metadata == before.imagej_metadata
        assert after.imagej_metadata["Labels"] == ["one", "two"]


@pytest.mark.parametrize(
    ("resolution", "unit", "expected"),
    [((300, 300), 2, None), ((3600, 3600), 2, None), ((1e7, 2e7), 3, (0.5, 1.0)), ((72, 72), 1, None)],
)
def test_resolution_counts_only_where_a_microscope_wrote_it(
    tmp_path: Path, resolution: tuple[float, float], unit: int, expected: tuple[float, float] | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, counts("u1"), metadata=None, resolution=resolution, resolutionunit=unit)
    with io.read(path) as image:
        assert image.pixel_size == (pytest.approx(expected) if expected else None)
        assert image.unit == ("nm" if expected else None)


def test_pages_of_several_kinds(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    big = counts("u2", (2, 40, 50))
    with tifffile.TiffWriter(path) as writer:
        writer.write(counts("u1", (8, 10)), metadata=None)
        for frame in big:
            writer.write(frame, metadata=None)
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), big)
        assert "8x10" in image.warnings[0]
        io.write(tmp_path / "b.tif", image, iter(image.pixels))
    with io.read(tmp_path / "b.tif") as image:
        np.testing.assert_array_equal(stack(image), big)


def test_black_and_white_names_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Pillow.fromarray(counts("u1") > 100).save(path, compression="tiff_ccitt")
    with pytest.raises(ImageError, match=r"a\.tif: .*black and white"):
        io.read(path)


def test_a_list_of_pages_that_breaks_off_is_no_shorter_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in counts("u2", (4, 9, 11)):
            writer.write(frame, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        end = tiff.pages[3].offset
    path.write_bytes(path.read_bytes()[: end + 10])
    with pytest.raises(ImageError, match=r"breaks off|damaged"):
        io.read(path)


# --- MRC --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["i1", "i2", "u2", "f2", "f4"])
@pytest.mark.parametrize(
    ("axes", "shape"), [("YX", (9, 11)), ("TYX", (3, 9, 11)), ("ZYX", (3, 9, 11)), ("TZYX", (2, 3, 9, 11))]
)
def test_mrc_is_valid_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dtype: str, axes: str, shape: tuple[int, ...]
) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    # mrcfile's validator itself overflows on large float16 values.
    array = counts(dtype, shape) if dtype != "f2" else (counts(dtype, shape) / 100).astype("f2")
    path = save(tmp_path / "a.mrc", array, NOTE, pixel_size=(0.5, 0.25), unit="nm", axes=axes)
    assert mrcfile.validate(str(path)), capsys.readouterr().out
    with mrcfile.open(path) as mrc:
        np.testing.assert_array_equal(mrc.data, array)
        assert (mrc.voxel_size.x, mrc.voxel_size.y) == pytest.approx((2.5, 5.0))
        assert mrc.header.dmean == pytest.approx(array.astype("f8").mean(), rel=1e-5)
        assert mrc.header.rms == pytest.approx(array.astype("f8").std(), rel=1e-5)
    with io.read(path) as image:
        assert (image.axes, image.pixels.shape, image.unit) == (axes, shape, "Å")
        assert image.pixel_size == pytest.approx((5.0, 2.5))
        np.testing.assert_array_equal(stack(image), array)
    assert noted(path) == NOTE


@pytest.mark.parametrize("order", ["<", ">"])
def test_mrc_keeps_header_labels_and_extended_header(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], order: str
) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    array = counts("i2", (2, 9, 11))
    source, result = tmp_path / "a.mrc", tmp_path / "b.mrc"
    with mrcfile.new(source, array) as mrc:
        mrc.set_image_stack()
        mrc.voxel_size = 1.5
        mrc.header.nxstart = 7
        mrc.header.origin = (1, 2, 3)
        mrc.set_extended_header(np.frombuffer(b"FEI's own words " * 8, "V16"))
        mrc.header.exttyp = b"CCP4"
        mrc.add_label("first")
    if order == ">":
        with mrcfile.open(source) as mrc:
            head, rest = mrc.header.copy(), source.read_bytes()[1024 : 1024 + 128]
        head = head.astype(head.dtype.newbyteorder(">"))
        head["machst"] = (0x11, 0x11, 0, 0)
        source.write_bytes(head.tobytes() + rest + array.astype(">i2").tobytes())
    with io.read(source) as image:
        np.testing.assert_array_equal(stack(image), array)
        io.write(result, image, iter(image.pixels), NOTE)
    assert mrcfile.validate(str(result)), capsys.readouterr().out
    with mrcfile.open(result) as mrc:
        assert bytes(mrc.extended_header)[:32] == b"FEI's own words " * 2
        assert (mrc.header.exttyp, int(mrc.header.nxstart), float(mrc.header.origin.y)) == (b"CCP4", 7, 2.0)
        assert any("first" in label for label in mrc.get_labels())
        np.testing.assert_array_equal(mrc.data, array)
    assert noted(result) == NOTE


def test_mrc_labels_that_are_full_give_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    source, result = tmp_path / "a.mrc", tmp_path / "b.mrc"
    with mrcfile.new(source, counts("i2")) as mrc:
        for index in range(9):
            mrc.add_label(f"label {index}")
    note = {**NOTE, "words": "with spaces " * 5, "long": "x" * 3000}
    with io.read(source) as image:
        io.write(result, image, iter(image.pixels), note)
        (warning,) = image.warnings
    assert mrcfile.validate(str(result)), capsys.readouterr().out
    assert noted(result) == {name: value for name, value in note.items() if name != "long"}
    with io.read(result) as image:
        kept = [label for label in image.metadata["label"] if not label.startswith("temclean:")]
    assert warning == f"its last {10 - len(kept)} label(s) gave way to the provenance; write .tif to keep them"


def test_blank_mrc_labels_give_way_first(tmp_path: Path) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    source, result = tmp_path / "a.mrc", tmp_path / "b.mrc"
    with mrcfile.new(source, counts("i2")) as mrc:
        mrc.header.label[:] = b" " * 80
        mrc.header.label[9] = b"the last".ljust(80)
        mrc.header.nlabl = 10
    with io.read(source) as image:
        io.write(result, image, iter(image.pixels), NOTE)
        assert image.warnings == ()
    with io.read(result) as image:
        assert image.metadata["label"][0] == "the last"
    assert noted(result) == NOTE


@pytest.mark.parametrize(("suffix", "kind"), [(".npy", ".npy"), (".png", "PNG"), (".mrc", "MRC in 1/nm")])
def test_a_pixel_size_is_not_lost_without_a_word(tmp_path: Path, suffix: str, kind: str) -> None:
    array = counts("u2")
    for unit, size, shown in (("1/nm", 0.5, "0.5 1/nm"), ("1/nm", (0.25, 0.5), "0.25 x 0.5 1/nm")):
        image = io.Image.from_array(array, size, unit)
        for _ in range(2):
            io.write(tmp_path / f"a{suffix}", image, iter(image.pixels))
        assert image.warnings == (f"{kind} holds no pixel size: {shown} is lost; write .tif to keep it",)
    with io.read(tmp_path / f"a{suffix}") as image:
        io.write(tmp_path / f"b{suffix}", image, iter(image.pixels))
        assert image.warnings == ()


def test_mrc_traps(tmp_path: Path) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    path, copy = tmp_path / "a.mrc", tmp_path / "b.mrc"
    with mrcfile.new(path, counts("u2", (2, 9, 11))) as mrc:
        mrc.header.cella = (-1, -1, -1)
    with io.read(path) as image:
        assert image.pixel_size is None
        assert "cannot be true" in image.warnings[0]
        io.write(copy, image, iter(image.pixels))
    with io.read(copy) as image:
        assert image.warnings == ()
    data = bytearray(path.read_bytes())
    data[12:16] = struct.pack("<i", 16)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="mode 16"):
        io.read(path)


def test_imod_bytes_are_unsigned(tmp_path: Path) -> None:
    mrcfile = pytest.importorskip("mrcfile")
    array = counts("u1")
    path, copy = tmp_path / "a.mrc", tmp_path / "b.mrc"
    mrcfile.write(path, array.view("i1"))
    data = bytearray(path.read_bytes())
    data[152:160] = struct.pack("<ii", 1146047817, 0)
    path.write_bytes(data)
    for _ in range(2):
        with io.read(path) as image:
            assert image.pixels.dtype == np.uint8
            np.testing.assert_array_equal(image.pixels[0], array)
            path = io.write(copy, image, iter(image.pixels))
    with pytest.raises(ImageError, match="unsigned 8-bit"):
        save(tmp_path / "c.mrc", array)


# --- NumPy and PNG ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [*DTYPES, "u8", "i8", ">u2", ">f8"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1, 1), (9, 11), (3, 9, 11), (2, 3, 5, 6)])
def test_npy(tmp_path: Path, dtype: str, order: str, shape: tuple[int, ...]) -> None:
    array = np.asarray(counts(dtype.lstrip(">"), shape).astype(dtype), order=order)
    np.save(tmp_path / "a.npy", array)
    with io.read(tmp_path / "a.npy") as image:
        np.testing.assert_array_equal(stack(image), array)
        assert image.pixels.dtype.isnative
        path = io.write(tmp_path / "b.npy", image, iter(image.pixels), NOTE)
    np.testing.assert_array_equal(np.load(path), array)
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), array)
    assert noted(path) == NOTE
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), array)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(5),
        np.zeros((0, 4)),
        np.ones((3, 3), bool),
        np.ones((3, 3), complex),
        np.array([[{}]], object),
        np.float64(1),
    ],
    ids=["row", "empty", "bool", "complex", "object", "scalar"],
)
def test_npy_that_is_no_image(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(ImageError, match=r"a\.npy: "):
        io.read(tmp_path / "a.npy")


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_png(tmp_path: Path, dtype: str) -> None:
    from PIL.PngImagePlugin import PngInfo

    array = counts(dtype)
    info = PngInfo()
    info.add_text("Title", "gold")
    Pillow.fromarray(array).save(tmp_path / "a.png", pnginfo=info, dpi=(300, 300))
    with io.read(tmp_path / "a.png") as image:
        assert image.pixels.dtype == dtype
        path = io.write(tmp_path / "b.png", image, iter(image.pixels), NOTE)
    with Pillow.open(path) as after:
        np.testing.assert_array_equal(np.asarray(after), array)
        assert after.info["Title"] == "gold"
        assert after.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert noted(path) == NOTE


def test_three_frames_that_tifffile_stored_as_colour_planes(tmp_path: Path) -> None:
    # tifffile takes a stack of three or four frames for the planes of a colour image, unless told otherwise.
    array = counts("u2", (3, 20, 30))
    for compression in (None, "zlib"):
        path = tmp_path / "a.tif"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tifffile.imwrite(path, array, compression=compression)
        with tifffile.TiffFile(path) as tiff:
            if tiff.pages.first.photometric == 1:
                return
        with io.read(path) as image:
            np.testing.assert_array_equal(stack(image), array)
            assert "frames" in image.warnings[0]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("channels", [3, 4])
def test_npy_in_colour(tmp_path: Path, dtype: str, channels: int) -> None:
    grey = counts(dtype)
    np.save(tmp_path / "a.npy", np.repeat(grey[..., None], channels, axis=2))
    with io.read(tmp_path / "a.npy") as image:
        assert image.pixels.shape == grey.shape
        np.testing.assert_allclose(image.pixels[0], grey, rtol=1e-6)
        assert "luminance" in image.warnings[0]
    np.save(tmp_path / "b.npy", np.asfortranarray(np.load(tmp_path / "a.npy")))
    with pytest.raises(ImageError, match=r"b\.npy: is in colour and in Fortran order; save numpy\.ascontiguousarray"):
        io.read(tmp_path / "b.npy")


def test_what_another_program_wrote_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def frames() -> Iterator[np.ndarray]:
        (tmp_path / "a.tif").write_bytes(b"theirs")
        yield counts("u2")

    image = io.Image.from_array(counts("u2"), None, None)
    with pytest.raises(FileError, match="meanwhile; --overwrite replaces it"):
        io.write(tmp_path / "a.tif", image, frames(), replace=False)
    assert (tmp_path / "a.tif").read_bytes() == b"theirs"
    monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(95, "no links here")))
    with pytest.raises(FileError, match="meanwhile; --overwrite replaces it"):
        io.write(tmp_path / "a.tif", image, frames(), replace=False)
    assert (tmp_path / "a.tif").read_bytes() == b"theirs"
    io.write(tmp_path / "b.tif", image, iter([counts("u2")]), replace=False)
    io.write(tmp_path / "a.tif", image, iter([counts("u2")]))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"a.tif", "b.tif"}


def test_a_link_whose_answer_got_lost_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS asks a server again, which has done it and says that the name is taken."""
    link = os.link

    def twice(*names: Path) -> None:
        link(*names)
        link(*names)

    monkeypatch.setattr(os, "link", twice)
    io.write(tmp_path / "a.tif", io.Image.from_array(counts("u2"), None, None), iter([counts("u2")]), replace=False)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA", "1"])
def test_png_in_colour(tmp_path: Path, mode: str) -> None:
    grey = counts("u1")
    Pillow.fromarray(grey).convert(mode).save(tmp_path / "a.png")
    with io.read(tmp_path / "a.png") as image:
        assert image.pixels.dtype == np.uint8
        if mode == "1":
            assert set(np.unique(image.pixels[0])) <= {0, 255}
        else:
            np.testing.assert_allclose(image.pixels[0], grey, atol=1)
            assert "luminance" in image.warnings[0]


def test_pixels_that_a_format_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"float32 values; write \.tif"):
        save(tmp_path / "a.png", counts("f4"))
    with pytest.raises(ImageError, match="one image, not 3"):
        save(tmp_path / "a.png", counts("u1", (3, 4, 5)))
    with pytest.raises(ImageError, match="MRC cannot hold int32"):
        save(tmp_path / "a.mrc", counts("i4"))
    with pytest.raises(FileError, match=r"cannot be written; name one of"):
        save(tmp_path / "a.dm3", counts("i4"))
    assert list(tmp_path.iterdir()) == []


# --- which file is what -----------------------------------------------------------------------------------------------


def test_the_content_decides(tmp_path: Path) -> None:
    array = counts("u2")
    save(tmp_path / "a.tif", array)
    (tmp_path / "a.tif").rename(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", array)
    (tmp_path / "b.npy").rename(tmp_path / "b.dat")
    for name, suffix in (("a.png", ".tif"), ("b.dat", ".npy")):
        with io.read(tmp_path / name) as image:
            np.testing.assert_array_equal(image.pixels[0], array)
            assert image.suffix == suffix
        assert io.output_suffix(tmp_path / name) == suffix


def test_suffixes_of_results(tmp_path: Path) -> None:
    expected = {
        ".tif": ".tif", ".TIFF": ".tiff", ".btf": ".btf", ".png": ".png", ".mrc": ".mrc", ".mrcs": ".mrcs",
        ".npy": ".npy", ".dm3": ".tif", ".DM4": ".tif", ".ser": ".tif", ".emi": ".tif", ".emd": ".tif",
        ".hspy": ".tif", ".xyz": ".tif",
    }  # fmt: skip
    assert {suffix: io.output_suffix(tmp_path / f"missing{suffix}") for suffix in expected} == expected
    assert set(io.WRITERS) < set(io.READERS)
    assert all(form.available for form in io.FORMATS if form.needs is None)


BAD = {
    "empty.tif": (b"", FileError, "is empty"),
    "photo.tif": (b"\xff\xd8\xff\xe0" + bytes(300), ImageError, "damaged"),
    "words.tif": (b"Dear reader, this is a letter." * 20, FileError, "TIFF file that its name says"),
    "notes.txt": (b"Dear reader, this is a letter." * 20, FileError, "no image that temclean reads"),
    "short.tif": (b"II*\0\x08\0\0\0", ImageError, "damaged"),
    "short.png": (b"\x89PNG\r\n\x1a\n", (FileError, ImageError), "short"),
    "short.npy": (b"\x93NUMPY\1\0", ImageError, "damaged"),
    "short.mrc": (b"\1" * 100, ImageError, "damaged"),
    "short.dm3": (b"\0\0\0\3\0\0\0\0", ImageError, "damaged"),
    "short.ser": (b"II\x97\1\x10\2", ImageError, "damaged"),
    "alone.emi": (b"JK\0\2" + bytes(100), FileError, "alone_1.ser"),
    "zip.tif": (b"PK\3\4" + bytes(100), FileError, "ZIP"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_give_one_clear_line(tmp_path: Path, name: str) -> None:
    content, kind, words = BAD[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=words) as caught:
        io.read(tmp_path / name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value), "the remedy is missing"
    assert io.provenance(tmp_path / name) is None


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        io.read(tmp_path / "missing.tif")
    with pytest.raises(FileError, match=r"folder|permissions"):
        io.read(tmp_path)
    assert io.provenance(tmp_path / "missing.tif") is None
    assert io.provenance(tmp_path) is None


def test_unreadable_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.tif", counts("u1"))

    def locked(self: Path, *arguments: Any, **options: Any) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(FileError, match="permissions"):
        io.read(path)


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".npy", ".png"])
def test_a_header_that_claims_a_trillion_pixels_costs_nothing(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", counts("u2", (40, 50)))
    data = path.read_bytes()
    huge = {
        ".tif": lambda: data.replace(struct.pack("<HHII", 256, 4, 1, 50), struct.pack("<HHII", 256, 4, 1, 10**9)),
        ".mrc": lambda: struct.pack("<ii", 10**6, 10**6) + data[8:],
        ".npy": lambda: data.replace(b"(40, 50)", b"(10000000,99999)")[:],
        ".png": lambda: data[:16] + struct.pack(">II", 10**6, 10**6) + data[24:],
    }[suffix]()
    assert huge != data
    path.write_bytes(huge)
    tracemalloc.start()
    with pytest.raises((ImageError, FileError)), io.read(path) as image:
        image.pixels[0]
    assert tracemalloc.get_traced_memory()[1] < 30e6
    tracemalloc.stop()


# --- writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".npy"])
@pytest.mark.parametrize("error", [ImageError("model broke"), KeyboardInterrupt(), RuntimeError("bug")])
def test_nothing_half_written_remains(tmp_path: Path, suffix: str, error: BaseException) -> None:
    array = counts("u2", (4, 9, 11))
    image = io.Image.from_array(array)

    def frames() -> Iterator[np.ndarray]:
        yield array[0]
        yield array[1]
        raise error

    with pytest.raises(type(error)):
        io.write(tmp_path / f"a{suffix}", image, frames())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".npy", ".png"])
def test_a_full_disk(tmp_path: Path, suffix: str) -> None:
    resource = pytest.importorskip("resource", reason="Windows cannot limit the size of a file")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = save(tmp_path / f"a{suffix}", counts("u2", (20, 30)))
    old = path.read_bytes()
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(FileError, match=rf"a{suffix}: cannot be written .*;"):
            save(path, counts("u2", (400, 500)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == old


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="make the folder"):
        save(tmp_path / "missing" / "a.tif", counts("u1"))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileError, match="cannot be written"):
        save(tmp_path / "file" / "a.tif", counts("u1"))
    (tmp_path / "a.tif").mkdir()
    with pytest.raises(FileError, match="cannot be written"):
        save(tmp_path / "a.tif", counts("u1"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "file"]


def test_frames_must_fit(tmp_path: Path) -> None:
    array = counts("u2", (3, 9, 11))
    image = io.Image.from_array(array)
    for frames, words in (
        ([], "no frames"),
        (array[:2], "there are 2 frames, 3 are needed"),
        ([*array, array[0]], "more than the 3"),
        ([array[0], array[1].T, array[2]], "frame 1 is"),
        ([array[0], array[1].astype("f4"), array[2]], "frame 1 is"),
    ):
        with pytest.raises(ImageError, match=words):
            io.write(tmp_path / "a.tif", image, frames)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ImageError, match="axes"):
        io.Image.from_array(array, axes="YX")


def test_a_result_may_have_another_type(tmp_path: Path) -> None:
    source = save(tmp_path / "a.tif", counts("u2", (3, 9, 11)), pixel_size=0.5, unit="nm")
    with io.read(source) as image:
        path = io.write(tmp_path / "b.tif", image, (frame / np.float32(3) for frame in image.pixels))
        expected = stack(image) / np.float32(3)
    with io.read(path) as image:
        assert (image.pixels.dtype, image.unit) == (np.float32, "nm")
        np.testing.assert_array_equal(stack(image), expected)


def test_a_file_may_be_written_over_itself(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", counts("u1", (5, 9, 11)))
    with io.read(path) as image:
        expected = 255 - stack(image)
        io.write(path, image, (255 - frame for frame in image.pixels))
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), expected)


# --- cost and manners -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".npy"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_memory_does_not_grow_with_the_stack(tmp_path: Path, suffix: str, order: str) -> None:
    frame_bytes = 128 * 128 * 2
    shape = (200, 128, 128)
    source = tmp_path / f"a{suffix}"
    if suffix == ".tif":
        tifffile.imwrite(source, np.zeros(shape, "u2"), byteorder=order)
    elif suffix == ".npy":
        np.save(source, np.zeros(shape, order + "u2"))
    else:
        save(source, np.zeros(shape, "u2"))
    with io.read(source) as image:
        io.write(tmp_path / f"warm{suffix}", image, iter(image.pixels))
    tracemalloc.start()
    with io.read(source) as image:
        io.write(tmp_path / f"b{suffix}", image, (frame for frame in image.pixels), NOTE)
    assert tracemalloc.get_traced_memory()[1] < 8 * frame_bytes + 2e6
    tracemalloc.stop()


def test_one_big_frame_costs_itself(tmp_path: Path) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    for order in "<>":
        tifffile.imwrite(source, np.zeros((4096, 4096), "u2"), byteorder=order)
        with io.read(source) as image:
            image.pixels[0]
        tracemalloc.start()
        with io.read(source) as image:
            frame = image.pixels[0]
            io.write(result, image, [frame], NOTE)
        assert tracemalloc.get_traced_memory()[1] < frame.nbytes + 20e6
        tracemalloc.stop()


def test_frames_are_read_when_asked_for(tmp_path: Path) -> None:
    array = counts("u2", (4, 9, 11))
    tifffile.imwrite(tmp_path / "a.tif", array, compression="zlib", photometric="minisblack")
    with io.read(tmp_path / "a.tif") as image:
        assert len(image.pixels) == 4
        np.testing.assert_array_equal(image.pixels[-1], array[3])
        image.pixels[2][:] = 0
        np.testing.assert_array_equal(image.pixels[2], array[2])
        with pytest.raises(IndexError):
            image.pixels[4]


def test_threads_may_read_together(tmp_path: Path) -> None:
    paths, arrays = [], []
    for index in range(4):
        array = counts("u2", (20, 30 + index, 40))
        path = tmp_path / f"{index}.tif"
        tifffile.imwrite(path, array, compression="zlib")
        paths.append(path)
        arrays.append(array)
    wrong = []

    def work(index: int) -> None:
        for _ in range(3):
            with io.read(paths[index]) as image:
                if not np.array_equal(stack(image), arrays[index]):
                    wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def run(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_importing_is_quick_because_it_loads_nothing() -> None:
    code = """
import sys, temclean.io
print(sorted(set(sys.modules) & {"tifffile", "PIL", "h5py", "mrcfile", "rsciio", "dask", "xml", "onnxruntime"}))
"""
    assert run(code).stdout == "[]\n"


def test_a_missing_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.emd").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    code = """
import sys
sys.modules["h5py"] = None
from temclean import errors, io
try:
    io.read(sys.argv[1])
except errors.MissingExtraError as error:
    print(error)
"""
    done = run(code, tmp_path / "a.emd")
    assert 'pip install "temclean[em]"' in done.stdout, done.stderr
    assert issubclass(MissingExtraError, ImportError)


def test_other_peoples_warnings_stay_inside(tmp_path: Path) -> None:
    # tifffile logs about this file, mrcfile warns about that one, Pillow of decompression bombs.
    good = save(tmp_path / "a.tif", counts("u2", (3, 9, 11)), pixel_size=0.1, unit="nm")
    bad = tmp_path / "bad.tif"
    data = bytearray(good.read_bytes())
    with tifffile.TiffFile(good) as tiff:
        offset = tiff.pages.first.tags[282].offset
    data[offset + 8 : offset + 12] = struct.pack("<I", 10**9)
    bad.write_bytes(data)
    save(tmp_path / "b.mrc", counts("f4"))
    (tmp_path / "cut.mrc").write_bytes((tmp_path / "b.mrc").read_bytes()[:-9])
    code = """
import sys
from temclean import errors, io
for path in sys.argv[1:]:
    try:
        with io.read(path) as image:
            image.pixels[0]
    except errors.TemcleanError as error:
        pass
print("done")
"""
    done = run(code, *tmp_path.iterdir())
    assert (done.stdout, done.stderr) == ("done\n", "")


def test_provenance_is_plain_json(tmp_path: Path) -> None:
    note = {"temclean": "0.1.0", "input": "grüß µm", "tile": None, "scaling": [0.1, 1e-9], "nested": {"a": 1}}
    for suffix in (".tif", ".png", ".mrc", ".npy"):
        path = save(tmp_path / f"a{suffix}", counts("u2"), note)
        assert noted(path) == json.loads(json.dumps(note))
        plain = save(tmp_path / f"b{suffix}", counts("u2"))
        assert io.provenance(plain) is None
