"""Formats of microscopes: files made by the formats' descriptions, read by us and by rosettasciio."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from microscope_files import Dm, write_dm, write_emi, write_hspy, write_ncem, write_ser, write_velox

from temclean import io
from temclean.errors import FileError, ImageError


def pixels(dtype: str, shape: tuple[int, ...] = (9, 14)) -> np.ndarray:
    rng = np.random.default_rng(len(shape))
    low = 0 if dtype[0] == "u" else -90
    return rng.integers(low, 120, shape).astype("<" + dtype)


def stack(image: io.Image) -> np.ndarray:
    return np.stack(list(image.pixels)).reshape(image.pixels.shape)


def by_rosettasciio(plugin: str, path: Path) -> dict[str, Any]:
    module = pytest.importorskip(f"rsciio.{plugin}", reason="the second reader is not installed")
    found: dict[str, Any] = module.file_reader(str(path))[0]
    return found


def same_as_rosettasciio(plugin: str, path: Path) -> None:
    other = by_rosettasciio(plugin, path)
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), other["data"])
        scales = [axis["scale"] for axis in other["axes"][-2:]]
        assert image.pixel_size == pytest.approx(tuple(scales), rel=1e-6)
        assert image.unit == other["axes"][-1]["units"].replace(" ", "")


@pytest.mark.parametrize("suffix", [".dm3", ".dm4"])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8"])
@pytest.mark.parametrize("shape", [(9, 14), (3, 9, 14)])
def test_dm(tmp_path: Path, suffix: str, dtype: str, shape: tuple[int, ...]) -> None:
    array = pixels(dtype, shape)
    scales, units = ([2.0, 0.5, 0.25], ["s", "nm", "nm"]) if len(shape) == 3 else ([0.5, 0.25], ["nm", "nm"])
    path = write_dm(tmp_path / f"a{suffix}", array, scales, units)
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), array)
        assert image.pixels.dtype == dtype
        assert (image.pixel_size, image.unit) == ((0.5, 0.25), "nm")
        assert image.axes == ("TYX" if len(shape) == 3 else "YX")
        assert image.metadata["ImageTags"]["Microscope Info"]["Name"] == "TestScope"
        assert image.warnings == ()
    same_as_rosettasciio("digitalmicrograph", path)


def test_dm_volume_has_depth(tmp_path: Path) -> None:
    path = write_dm(tmp_path / "a.dm4", pixels("f4", (3, 9, 14)), [2.0, 0.5, 0.5], ["nm", "nm", "nm"])
    with io.read(path) as image:
        assert image.axes == "ZYX"
        result = io.write(tmp_path / "a.tif", image, iter(image.pixels))
    with io.read(result) as image:
        assert image.axes == "ZYX"
        assert "spacing=2.0" in image.metadata["ImageDescription"]


def test_dm_takes_the_image_of_several_signals(tmp_path: Path) -> None:
    dm = Dm(3)
    plot, image, other = pixels("f4", (30,)), pixels("u2"), pixels("f4", (5, 6))
    spectrum = pixels("f4", (4, 20))
    entries = [
        dm.image(plot, "Plot", [1.0], ["nm"]),
        dm.image(spectrum, "EELS", [1.0, 0.5], ["nm", "eV"]),
        dm.image(pixels("f4").astype("<c8"), "FFT", [1.0, 1.0], ["1/nm", "1/nm"]),
        dm.image(image, "HAADF", [0.25, 0.25], ["nm", "nm"]),
        dm.image(other, "BF", [0.25, 0.25], ["nm", "nm"]),
    ]
    (tmp_path / "a.dm3").write_bytes(dm.file(entries))
    with io.read(tmp_path / "a.dm3") as found:
        np.testing.assert_array_equal(found.pixels[0], image)
        assert '"HAADF" (9x14)' in found.warnings[0]
        assert all(name in found.warnings[0] for name in ("Plot", "EELS", "FFT", "BF"))
    (tmp_path / "b.dm3").write_bytes(dm.file(entries[:2]))
    with pytest.raises(ImageError, match="holds no image but"):
        io.read(tmp_path / "b.dm3")


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("count", [1, 3])
def test_ser(tmp_path: Path, dtype: str, wide: bool, count: int) -> None:
    array = pixels(dtype, (count, 9, 9))
    path = write_ser(tmp_path / "a_1.ser", array, wide=wide)
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), array if count > 1 else array[0])
        assert image.pixel_size == pytest.approx((0.2, 0.2))
        assert (image.unit, image.axes) == ("nm", "TYX" if count > 1 else "YX")
        assert image.warnings == ()
    same_as_rosettasciio("tia", path)


def test_ser_that_is_not_square(tmp_path: Path) -> None:
    array = pixels("u2", (2, 7, 11))
    with io.read(write_ser(tmp_path / "a_1.ser", array)) as image:
        np.testing.assert_array_equal(stack(image), array)


@pytest.mark.parametrize(
    ("mode", "camera", "unit"),
    [
        ("STEM nP SA Zoom Diffraction", False, "nm"),
        ("STEM nP SA Zoom Diffraction", True, "1/nm"),
        ("TEM uP SA Zoom Diffraction", True, "1/nm"),
        ("TEM uP SA Zoom Image", True, "nm"),
    ],
)
def test_emi_says_what_a_pixel_is(tmp_path: Path, mode: str, camera: bool, unit: str) -> None:
    metres = 4e7 if unit == "1/nm" else 2e-10
    ser = write_ser(tmp_path / "a_1.ser", pixels("u2", (2, 8, 8)), metres)
    if unit == "1/nm":
        with io.read(ser) as image:
            assert image.pixel_size is None
            assert "cannot be true" in image.warnings[0]
            assert ".emi" in image.warnings[0]
    emi = write_emi(tmp_path / "a.emi", mode, camera)
    for path in (ser, emi):
        with io.read(path) as image:
            assert image.unit == unit
            assert image.pixel_size == pytest.approx((0.04, 0.04) if unit == "1/nm" else (0.2, 0.2))
            assert image.metadata["emi"]["High tension"] == "200 kV"
            assert image.warnings == ()


def test_emi_with_several_series_and_with_none(tmp_path: Path) -> None:
    emi = write_emi(tmp_path / "a.emi", "STEM", False)
    with pytest.raises(FileError, match=r"a_1\.ser, which is missing"):
        io.read(emi)
    for number in (10, 2):
        write_ser(tmp_path / f"a_{number}.ser", np.full((1, 4, 4), number, "<u2"))
    with io.read(emi) as image:
        assert image.pixels[0][0, 0] == 2
        assert "a_10.ser" in image.warnings[0]


def test_velox(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    array = pixels("i2", (9, 14, 3))
    path = write_velox(tmp_path / "a.emd", {"BF-S": array + 1, "HAADF": array})
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), np.moveaxis(array, -1, 0))
        assert (image.axes, image.unit, image.suffix) == ("TYX", "nm", ".emd")
        assert image.pixel_size == pytest.approx((0.3, 0.3))
        assert image.metadata["Instrument"]["InstrumentModel"] == "Talos"
        assert "HAADF" in image.warnings[0]
        assert "BF-S" in image.warnings[0]
    with io.read(write_velox(tmp_path / "b.emd", {"Ceta": array[..., :1]}, 4e7, "1/m")) as image:
        assert (image.pixels.shape, image.axes, image.unit) == ((9, 14), "YX", "1/nm")
        assert image.pixel_size == pytest.approx((0.04, 0.04))


@pytest.mark.parametrize("unit", ["[n_m]", "n_m", "nm", "[nm]"])
@pytest.mark.parametrize("shape", [(9, 14), (3, 9, 14)])
def test_ncem(tmp_path: Path, unit: str, shape: tuple[int, ...]) -> None:
    pytest.importorskip("h5py")
    array = pixels("u2", shape)
    with io.read(write_ncem(tmp_path / "a.emd", array, unit=unit)) as image:
        np.testing.assert_array_equal(stack(image), array)
        assert (image.pixel_size, image.unit) == (pytest.approx((0.25, 0.25)), "nm")
        assert image.metadata["microscope"]["high tension"] == 200000.0


@pytest.mark.parametrize("shape", [(9, 14), (3, 9, 14), (2, 3, 9, 14)])
def test_hspy(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pytest.importorskip("h5py")
    array = pixels("f4", shape)
    path = write_hspy(tmp_path / "a.hspy", array)
    with io.read(path) as image:
        np.testing.assert_array_equal(stack(image), array)
        assert (image.pixel_size, image.unit, image.suffix) == ((0.125, 0.125), "nm", ".hspy")
        assert image.metadata["metadata"]["General"]["title"] == "movie"
    same_as_rosettasciio("hspy", path)
    if len(shape) == 3:
        with pytest.raises(ImageError, match="holds no image"):
            io.read(write_hspy(tmp_path / "b.hspy", array, images=False))


def test_hdf5_that_holds_no_image(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.emd", "w") as file:
        file["something"] = np.zeros((4, 4))
    with pytest.raises(ImageError, match="holds no image"):
        io.read(tmp_path / "a.emd")
    write_velox(tmp_path / "b.emd", {"DPC": pixels("f4", (9, 14, 1)).astype("c8")})
    with pytest.raises(ImageError, match="holds no image"):
        io.read(tmp_path / "b.emd")
    with h5py.File(tmp_path / "c.emd", "w") as file:
        group = file.create_group("data/huge")
        group.attrs["emd_group_type"] = 1
        group.create_dataset("data", shape=(10**6, 10**6), dtype="u2", chunks=(1000, 1000))
    with pytest.raises(ImageError, match="no pixels are stored"):
        io.read(tmp_path / "c.emd")


def test_hdf5_text_that_would_be_read_for_ever(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    path = write_hspy(tmp_path / "a.hspy", pixels("f4"))
    data = bytearray(path.read_bytes())
    heap = data.index(b"GCOL")
    # The first object's number and length become those of free space without a length.
    data[heap + 16 : heap + 32] = bytes(16)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="texts are overwritten"):
        io.read(path)


def test_hdf5_text_that_claims_gigabytes(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    path = write_hspy(tmp_path / "a.hspy", pixels("f4"), unit="nanometer")
    data = bytearray(path.read_bytes())
    reference = re.search(rb"units\0.{0,60}?\x09\0\0\0(?=.{8}.\0\0\0)", data, re.DOTALL)
    assert reference is not None
    data[reference.end() - 1] = 0x7F
    path.write_bytes(data)
    with pytest.raises(ImageError, match="a text of 2130706441 bytes is announced, 9 are stored"):
        io.read(path)


def test_hdf5_text_of_gigabytes_in_a_heap_that_is_not_there(tmp_path: Path) -> None:
    """libhdf5 makes room for the text before it looks for the heap."""
    h5py = pytest.importorskip("h5py")
    for version in ("earliest", "latest"):
        path = tmp_path / f"{version}.hspy"
        with h5py.File(path, "w", libver=version) as file:
            file.attrs["units"] = "nanometer"
            file["Experiments/image/data"] = pixels("f4")
        data = bytearray(path.read_bytes())
        reference = re.search(rb"units.{0,60}?\x09\0\0\0(?=.{8}.\0\0\0)", data, re.DOTALL)
        assert reference is not None
        data[reference.end() - 1] = 0x7F
        data[reference.end() : reference.end() + 8] = b"no heap!"
        path.write_bytes(data)
        with pytest.raises(ImageError, match="a text of 2130706441 bytes is announced, which is longer than the file"):
            io.read(path)


def test_every_reader_is_a_module_with_read() -> None:
    for form in (form for form in io.FORMATS if form.available):
        module = import_module(f"temclean.io.{form.reader or form.module}")
        assert callable(module.read)
        if form.writes:
            assert callable(form.load("writer").write)
            assert callable(form.load("note").provenance)
