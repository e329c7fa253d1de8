"""Real files from other people's instruments: each opens as it should, and its result is read by other programs."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import io

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
NOTE = {"temclean": "0.1.0", "model": "sp", "model_sha256": "a1" * 32, "input_sha256": "b2" * 32}

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the collection of real files is not here")


@dataclass(frozen=True)
class Expected:
    """What is written down about a file."""

    shape: tuple[int, ...]
    dtype: str
    size: float | tuple[float, float] | None = None
    unit: str | None = None
    suffix: str = ".tif"
    warning: str | None = None
    axes: str | None = None


FILES = {
    "rebco_roi.dm3": Expected((128, 128), "u2", 0.0541, "nm"),
    "sto_osiris_u16.tif": Expected((512, 512), "u2", 0.01352, "nm"),
    "sto_osiris_r_em_output_f32.tif": Expected((512, 512), "f4", 0.01352, "nm"),
    "rebco_sem_u16.tif": Expected((884, 1024), "u2", 1.908, "nm"),
    "si110_adf.png": Expected((512, 512), "u1", suffix=".png"),
    "rock_sem_lzw.tif": Expected((256, 256), "u1"),
    "soot_hrtem_rgb.tif": Expected((512, 512), "u1", warning="luminance"),
    "feiext_crop1024.mrc": Expected((1024, 1024), "u2", 0.854, "Å", ".mrc"),
    "deapp_movie16.mrc": Expected((30, 16, 16), "u2", suffix=".mrc", warning="cannot be true"),
    "sto_16.emi": Expected((1024, 1024), "u2", 0.01001, "nm"),
    "sto_16_1.ser": Expected((1024, 1024), "u2", 0.01001, "nm"),
    "acq18_ncem.emd": Expected((1024, 1024), "u2", 0.01225, "nm"),
    "haadf_lowmag_1.ser": Expected((1024, 1024), "u2", 3.27, "nm"),
    "ceta_dark_velox.emd": Expected((512, 512), "i2", 3.139, "nm"),
    "haadf_velox.emd": Expected((512, 512), "u2", 5.302, "nm"),
    "si_velox_eds.emd": Expected((5, 16, 16), "u2", 5.302, "nm"),
    "scan5.emi": Expected((5, 128, 128), "u2", 0.384, "nm", axes="TYX"),
    "scan5_1.ser": Expected((5, 128, 128), "u2", 0.384, "nm", axes="TYX"),
    "dark5.emi": Expected((5, 128, 128), "i4", 0.04246, "1/nm"),
    "dark5_1.ser": Expected((5, 128, 128), "i4", 0.04246, "1/nm"),
    "survey_multi_signal.dm3": Expected((512, 512), "u2", 0.01775, "nm", warning="Plot"),
    "imagej_stack.tif": Expected((2, 68, 68), "f4", 0.1687, "µm", axes="ZYX"),
    # The file itself says 0.1687 across and 1.687 down.
    "dm_stack.tif": Expected((2, 68, 68), "f4", (1.687, 0.1687), "µm"),
    "zeiss_sem_u8.tif": Expected((768, 1024), "u1", 2614.5, "nm"),
    "abf_movie5.tif": Expected((5, 512, 512), "u2", 0.0092, "nm", axes="TYX"),
    "abf_movie5.hspy": Expected((5, 512, 512), "u2", 0.0092, "nm", axes="TYX"),
    "graphene_gb4nm.npy": Expected((512, 512), "f4", suffix=".npy"),
    "bto_averaged.dm4": Expected((465, 476), "f8", 0.0356, "nm"),
}

# What a result of MRC has anew: statistics, labels, and the cell that could not be true.
REWRITTEN = {"dmin", "dmax", "dmean", "rms", "label", "nlabl", "nversion", "machst", "cella"}

# Its luminance is ours alone.
ALONE = {"soot_hrtem_rgb.tif"}

# The reader of rosettasciio for what it reads well; NCEM's images it transposes.
PLUGINS = {
    ".dm3": "digitalmicrograph",
    ".dm4": "digitalmicrograph",
    ".ser": "tia",
    ".emi": "tia",
    ".hspy": "hspy",
}


def noted(path: Path) -> dict[str, Any]:
    """Return what a result says of itself, but for the checksum, which temclean adds."""
    return {name: value for name, value in (io.provenance(path) or {}).items() if name != io.PIXELS}


def located(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in the collection")
    return path


def stack(image: io.Image) -> np.ndarray:
    return np.stack(list(image.pixels)).reshape(image.pixels.shape)


def by_hdf5(path: Path) -> np.ndarray:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path) as file:
        if "data/single/data" in file:
            return np.asarray(file["data/single/data"])
        data = next(iter(file["Data/Image"].values()))["Data"]
        return np.moveaxis(np.asarray(data), -1, 0).squeeze()


def by_pillow(path: Path) -> np.ndarray:
    with import_module("PIL.Image").open(path) as image:
        return np.asarray(image)


def by_mrcfile(path: Path) -> np.ndarray:
    with import_module("mrcfile").open(path, permissive=True) as mrc:
        return np.array(mrc.data)


def by_rosettasciio(path: Path) -> np.ndarray:
    plugin = pytest.importorskip(f"rsciio.{PLUGINS[path.suffix]}", reason="the second reader is not installed")
    return np.asarray(plugin.file_reader(str(path))[0]["data"])


def second_opinion(path: Path) -> np.ndarray:
    """Read the pixels with another program."""
    if path.name == "rock_sem_lzw.tif":
        return by_pillow(path)
    by = {".npy": np.load, ".png": by_pillow, ".tif": tifffile.imread, ".emd": by_hdf5, ".mrc": by_mrcfile}
    return by.get(path.suffix, by_rosettasciio)(path)


def test_every_file_is_expected() -> None:
    names = {path.name for path in DATA.iterdir() if path.suffix.lower() in io.READERS}
    assert names <= set(FILES), "a new file came in: write down what it is"


@pytest.mark.parametrize("name", FILES)
def test_it_opens_as_it_should(name: str) -> None:
    path, expected = located(name), FILES[name]
    with io.read(path) as image:
        assert image.pixels.shape == expected.shape
        assert image.pixels.dtype == expected.dtype
        assert image.unit == expected.unit
        if expected.size is None:
            assert image.pixel_size is None
        else:
            size = expected.size if isinstance(expected.size, tuple) else (expected.size, expected.size)
            assert image.pixel_size == pytest.approx(size, rel=1e-3)
        assert len(image.axes) == len(expected.shape)
        assert expected.axes in {None, image.axes}
        assert image.suffix == path.suffix
        if expected.warning is None:
            assert image.warnings == ()
        else:
            assert expected.warning in " ".join(image.warnings)
        found = stack(image)
    np.testing.assert_array_equal(found, second_opinion(path) if name not in ALONE else found)
    assert io.output_suffix(path) == expected.suffix
    assert io.provenance(path) is None


@pytest.mark.parametrize("name", FILES)
def test_its_result_is_read_as_before(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, expected = located(name), FILES[name]
    with io.read(path) as image:
        before = stack(image)
        result = io.write(tmp_path / f"result{expected.suffix}", image, iter(image.pixels), NOTE)
        with io.read(result) as after:
            np.testing.assert_array_equal(stack(after), before)
            assert (after.pixels.dtype, after.unit, after.axes) == (image.pixels.dtype, image.unit, image.axes)
            assert after.pixel_size == (pytest.approx(image.pixel_size, rel=1e-7) if image.pixel_size else None)
            assert after.warnings == ()
            if path.suffix == result.suffix:
                kept = {key: value for key, value in image.metadata.items() if key not in REWRITTEN}
                assert all(
                    equal(after.metadata.get(key), value) for key, value in kept.items() if key in after.metadata
                )
        assert noted(result) == NOTE
        if expected.suffix == ".tif":
            np.testing.assert_array_equal(tifffile.imread(result), before)
            read_by_hyperspy(result, image, before)
        if expected.suffix == ".mrc":
            mrcfile = import_module("mrcfile")
            assert mrcfile.validate(str(result)), capsys.readouterr().out


def equal(one: Any, other: Any) -> bool:
    return bool(np.all(np.asarray(one, object) == np.asarray(other, object)))


def read_by_hyperspy(result: Path, image: io.Image, before: np.ndarray) -> None:
    plugin = pytest.importorskip("rsciio.tiff", reason="HyperSpy's reader is not installed")
    found = plugin.file_reader(str(result))[0]
    np.testing.assert_array_equal(found["data"], before)
    if image.pixel_size is None:
        return
    metres = {"nm": 1e-9, "µm": 1e-6, "m": 1.0, "1/nm": 1.0, "Å": 1e-10}
    for axis, size in zip(found["axes"][-2:], image.pixel_size, strict=True):
        # HyperSpy's reader rounds what Zeiss wrote to a float of its own.
        assert axis["scale"] * metres[axis["units"]] == pytest.approx(size * metres[image.unit or ""], rel=1e-5)


@pytest.mark.parametrize("name", ["zeiss_sem_u8.tif", "dm_stack.tif", "imagej_stack.tif", "rebco_sem_u16.tif"])
def test_tags_of_the_maker_are_kept_byte_by_byte(name: str, tmp_path: Path) -> None:
    path = located(name)
    with io.read(path) as image:
        result = io.write(tmp_path / "result.tif", image, iter(image.pixels), NOTE)
    with tifffile.TiffFile(path) as before, tifffile.TiffFile(result) as after:
        for tag in before.pages.first.tags:
            if tag.code in {305, 306} or tag.code > 32768:
                twin = after.pages.first.tags[tag.code]
                assert raw(after, twin) == raw(before, tag), tag.name
        if before.is_imagej:
            assert after.pages.first.description == before.pages.first.description


def raw(tiff: tifffile.TiffFile, tag: tifffile.TiffTag) -> bytes:
    tiff.filehandle.seek(tag.valueoffset)
    return bytes(tiff.filehandle.read(tag.valuebytecount))
