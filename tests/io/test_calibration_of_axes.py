"""Origins of axes, steps of stacks and what is known of the instrument, against HyperSpy and the files' own words."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from microscope_files import Dm, write_dm, write_hspy, write_ncem, write_ser

from temclean import io
from temclean.errors import ImageError
from temclean.io.axes import conversion

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
METRES = {"pm": 1e-12, "nm": 1e-9, "µm": 1e-6, "um": 1e-6, "A": 1e-10}


def located(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in the collection")
    return path


def by_rosettasciio(plugin: str, path: Path) -> dict[str, Any]:
    module = pytest.importorskip(f"rsciio.{plugin}", reason="the second reader is not installed")
    found: dict[str, Any] = module.file_reader(str(path))[0]
    return found


@pytest.mark.parametrize(
    ("plugin", "name"),
    [
        ("digitalmicrograph", "rebco_roi.dm3"),
        ("digitalmicrograph", "bto_averaged.dm4"),
        ("digitalmicrograph", "odd/dmTest_float32_nonSquare_diffPixelSize.dm3"),
        ("digitalmicrograph", "odd/dmTest_3D_int16_64,65,66.dm3"),
        ("emd", "haadf_velox.emd"),
        ("emd", "ceta_dark_velox.emd"),
        ("emd", "odd/fei_example_tem_stack.emd"),
        ("emd", "odd/hyperspy_stack.emd"),
        ("emd", "odd/hyperspy_image.emd"),
        ("emd", "odd/Si100_3D.emd"),
    ],
)
def test_axes_are_those_that_hyperspy_reads(plugin: str, name: str) -> None:
    path = located(name)
    other = by_rosettasciio(plugin, path)
    with io.read(path) as image:
        np.testing.assert_array_equal(np.stack(list(image.pixels)).reshape(image.pixels.shape), other["data"])
        assert image.pixel_size is not None
        assert image.origin is not None
        ours = METRES[image.unit or ""]
        for axis, size, origin in zip(other["axes"][-2:], image.pixel_size, image.origin, strict=True):
            theirs = METRES[axis["units"]]
            assert size * ours == pytest.approx(axis["scale"] * theirs, rel=1e-5)
            assert origin * ours == pytest.approx(axis["offset"] * theirs, rel=1e-5, abs=1e-16)
        for axis, step in zip(other["axes"][:-2], image.stack, strict=True):
            assert step is not None
            assert step.unit == axis["units"].replace("um", "µm")
            assert (step.step, step.origin) == pytest.approx((axis["scale"], axis["offset"]), rel=1e-5)


def test_the_origin_of_a_dm_file_is_the_pixel_at_zero(tmp_path: Path) -> None:
    dm = Dm(4)
    entry = dm.image(np.zeros((3, 4, 5), "<u2"), "one", [0.25, 0.5, 2.0], ["s", "µm", "nm"])
    for dimension, origin in zip(entry["ImageData"]["Calibrations"]["Dimension"], (10.0, -20.0, 4.0), strict=True):
        dimension["Origin"] = origin
    (tmp_path / "a.dm4").write_bytes(dm.file([entry]))
    with io.read(tmp_path / "a.dm4") as image:
        assert (image.pixel_size, image.unit, image.axes) == ((500.0, 2.0), "nm", "TYX")
        assert image.origin == (10000.0, -20.0)
        assert image.stack == (io.StackAxis(0.25, "s", -1.0),)


@pytest.mark.parametrize(
    ("units", "words"),
    [
        (("µm", "eV"), "spectra"),
        (("nm", "1/nm"), "rows in nm, columns in 1/nm"),
        (("s", "nm"), "rows in s, columns in"),
    ],
)
def test_axes_of_different_kinds_are_no_image(tmp_path: Path, units: tuple[str, str], words: str) -> None:
    path = write_dm(tmp_path / "a.dm3", np.zeros((4, 5), "<u2"), [1.0, 1.0], units)
    with pytest.raises(ImageError, match=f'"one" \\(4x5, {words}'):
        io.read(path)


def test_a_spectrum_over_wavelength_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r'no image but "test-CL_spectrum-SI" .67x1336, spectra'):
        io.read(located("odd/test-MonoCL_spectrum-SI.dm4"))
    dm = Dm(3)
    entry = dm.image(np.zeros((4, 5), "<u2"), "map", [0.5, 0.5], ["nm", "nm"])
    entry["ImageTags"]["Meta Data"] = {"Format": "Spectrum image"}
    (tmp_path / "a.dm3").write_bytes(dm.file([entry]))
    with io.read(tmp_path / "a.dm3") as image:
        assert image.pixels.shape == (4, 5)


@pytest.mark.parametrize("name", ["_2.ser", ".emi"])
def test_the_object_of_a_series_is_found_in_the_emi(name: str) -> None:
    """A survey image and a spectrum come before the camera's frames, of which 1024 pixels were binned by 8."""
    with io.read(located(f"odd/16x16-line_profile_horizontal_5x128x128_EDS{name}")) as image:
        assert image.pixels.shape == (5, 128, 128)
        assert image.pixel_size == pytest.approx((0.17435, 0.17435), rel=1e-4)
        assert image.unit == "1/nm"
        assert image.metadata["emi"]["AcquireDate"] == "Mon Feb 22 19:18:24 2016"
        assert image.metadata["instrument"]["detector"] == "BM-Ceta"
        # The scan's magnification: 3.69 nm from one frame to the next.
        assert image.stack[0] is not None
        assert (image.stack[0].step, image.stack[0].unit) == (pytest.approx(3.68864, rel=1e-5), "nm")


def test_the_origin_of_a_ser_is_scaled_with_its_pixels(tmp_path: Path) -> None:
    path = write_ser(tmp_path / "a_1.ser", np.zeros((1, 4, 6), "<u2"), 2e-10)
    data = bytearray(path.read_bytes())
    place = data.index(np.array([0.0, 2e-10]).tobytes(), 60)
    data[place : place + 8] = np.float64(-1e-8).tobytes()
    path.write_bytes(data)
    with io.read(path) as image:
        assert image.origin == pytest.approx((0.0, -10.0))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # rosettasciio leaves a file open
@pytest.mark.parametrize("field", ["nstart", "origin"])
def test_mrc_says_where_its_first_voxel_lies(tmp_path: Path, field: str) -> None:
    mrcfile = import_module("mrcfile")
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.zeros((3, 4, 5), np.int16))
        file.set_volume()
        file.voxel_size = (1.0, 2.0, 4.0)
        if field == "nstart":
            file.nstart = (10, -20, 5)  # of columns, rows and sections
        else:
            file.header.origin.x, file.header.origin.y, file.header.origin.z = 10.0, -40.0, 20.0  # in Å
    with io.read(tmp_path / "a.mrc") as image:
        assert (image.pixel_size, image.unit, image.axes) == ((2.0, 1.0), "Å", "ZYX")
        assert image.origin == (-40.0, 10.0)
        assert image.stack == (io.StackAxis(4.0, "Å", 20.0),)
    if field == "origin":
        axes = by_rosettasciio("mrc", tmp_path / "a.mrc")["axes"]
        assert [axis["offset"] for axis in axes] == pytest.approx([2.0, -4.0, 1.0])  # in nm


@pytest.mark.parametrize("shape", [(4, 20), (3, 4, 20)])
def test_spectra_of_hyperspy_are_no_image(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = write_hspy(tmp_path / "a.hspy", np.zeros(shape, "u2"), unit="eV", images=False)
    with pytest.raises(ImageError, match=f'no image but "movie" .{"x".join(map(str, shape))}, spectra'):
        io.read(path)


def test_places_and_energies_of_ncem_are_no_image(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(write_ncem(tmp_path / "a.emd", np.zeros((4, 20), "u2")), "a") as file:
        file["data/single/dim2"].attrs["units"] = "eV"
    with pytest.raises(ImageError, match=r'no image but "single" .4x20, spectra'):
        io.read(tmp_path / "a.emd")


def test_hspy_keeps_the_step_of_its_frames(tmp_path: Path) -> None:
    with io.read(write_hspy(tmp_path / "a.hspy", np.zeros((3, 9, 14), "u2"))) as image:
        assert (image.origin, image.stack) == ((0.0, 0.0), (io.StackAxis(0.5, "s", 0.0),))


# What HyperSpy shows under Acquisition_instrument, in its units, and the files' own texts.
INSTRUMENTS: dict[str, dict[str, Any]] = {
    "survey_multi_signal.dm3": {
        "kind": "STEM", "microscope": "Example Microscope", "beam_energy_kV": 300.0, "magnification": 1e7,
        "camera_length_mm": 77.0, "dwell_time_s": 3.24e-5, "tilt_alpha_deg": 0.001952, "stage_x_mm": 0.0787215,
        "acquisition_date": "2019-12-10", "acquisition_time": "15:32:41", "operator": "JohnDoe",
    },
    "haadf_velox.emd": {
        "kind": "STEM", "microscope": "Talos", "detector": "HAADF", "beam_energy_kV": 200.0, "magnification": 40000.0,
        "camera_length_mm": 98.0, "dwell_time_s": 2e-5, "acquisition_date": "2017-03-06", "time_zone": "UTC",
        "acquisition_time": "09:56:41", "tilt_alpha_deg": 0.006344,
    },
    "odd/fei_example_tem_stack.emd": {
        "kind": "TEM", "microscope": "Titan", "detector": "BM-Ceta", "exposure_s": 0.8, "tilt_alpha_deg": -12.58637,
    },
    "sto_16.emi": {
        "kind": "STEM", "microscope": "TitanCubed D3147 S-Twin", "beam_energy_kV": 80.0, "camera_length_mm": 116.0,
        "magnification": 13.5e6, "dwell_time_s": 2.9e-5, "acquisition_date": "2011-10-18",
    },
    "dark5_1.ser": {
        "kind": "TEM", "detector": "BM-Ceta", "exposure_s": 0.0125, "camera_length_mm": 1100.0, "operator": "ERIC",
    },
    "acq18_ncem.emd": {
        "microscope": "TEAM 0.5", "beam_energy_kV": 200.0, "magnification": 5.1e6, "camera_length_mm": 85.0,
    },
    "odd/Si100_3D.emd": {"beam_energy_kV": 100.0},
    "rebco_roi.dm3": {},
}  # fmt: skip


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_the_instrument_goes_by_one_set_of_names(name: str) -> None:
    with io.read(located(name)) as image:
        found = image.metadata["instrument"]
    for key, value in INSTRUMENTS[name].items():
        assert found[key] == (pytest.approx(value, rel=1e-4) if isinstance(value, float) else value)
    assert INSTRUMENTS[name] or not found


def test_hspy_names_its_instrument(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = write_hspy(tmp_path / "a.hspy", np.zeros((9, 14), "u2"))
    with h5py.File(path, "a") as file:
        about = file.create_group("Experiments/movie/metadata/Acquisition_instrument/TEM")
        about.attrs.update(
            {"beam_energy": 80.0, "acquisition_mode": "STEM", "camera_length": 77.0, "magnification": 0.0}
        )
        about.create_group("Stage").attrs["tilt_alpha"] = -3.5
    with io.read(path) as image:
        assert image.metadata["instrument"] == {
            "kind": "STEM", "beam_energy_kV": 80.0, "camera_length_mm": 77.0, "tilt_alpha_deg": -3.5,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("unit", "other", "factor"),
    [
        ("Å", "nm", 0.1),
        ("1/Å", "1/nm", 10.0),
        ("keV", "eV", 1000.0),
        ("ms", "s", 0.001),
        ("nm", "s", None),
        ("a", "b", None),
    ],
)
def test_units_convert_within_their_kind(unit: str, other: str, factor: float | None) -> None:
    assert conversion(unit, other) == factor
