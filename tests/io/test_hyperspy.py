"""HyperSpy opens a result as it opens the input: same pixel size, unit, origin, type, date and instrument."""

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from temclean import io
from temclean.cli import cli
from temclean.io import StackAxis
from temclean.io.units import METRES, SECONDS, tidy_unit

hs: Any = pytest.importorskip("hyperspy.api", reason="HyperSpy is not installed")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"


def load(path: Path) -> Any:
    """Return the first image that HyperSpy finds in a file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own and its readers'
        found = hs.load(str(path))
    return next(one for one in (found if isinstance(found, list) else [found]) if one.data.ndim > 1)


def axes(signal: Any) -> list[tuple[float, float, str]]:
    """Return scale, offset and unit of each axis as the data has them, lengths in metres and times in seconds."""
    found = []
    for axis in signal.axes_manager._axes:
        unit = tidy_unit(axis.units if isinstance(axis.units, str) else "") or ""
        for known, base in ((METRES, "m"), (SECONDS, "s")):
            if unit in known:
                found.append((axis.scale * known[unit], axis.offset * known[unit], base))
                break
        else:
            found.append((axis.scale, axis.offset, unit))
    return found


def save(path: Path, shape: tuple[int, ...], letters: str, **about: Any) -> Path:
    image = replace(io.Image.from_array(np.zeros(shape, np.uint16), (0.25, 0.5), "nm", letters), **about)
    return io.write(path, image, iter(image.pixels))


@pytest.mark.parametrize("unit", ["nm", "Å", "µm", "pm", "1/nm", "mrad"])
@pytest.mark.parametrize("origin", [(44.888, 34.125), (-803.5, 0.0), None])
def test_origins(tmp_path: Path, unit: str, origin: tuple[float, float] | None) -> None:
    signal = load(save(tmp_path / "a.tif", (8, 10), "YX", unit=unit, origin=origin))
    rows, columns = signal.axes_manager["height"], signal.axes_manager["width"]
    assert (rows.scale, columns.scale) == (0.25, 0.5)
    assert (rows.offset, columns.offset) == (origin or (0.0, 0.0))
    assert (rows.units, columns.units) == (unit, unit)


@pytest.mark.parametrize(
    ("letters", "step"),
    [
        ("TYX", StackAxis(0.8, "s", 1.5)),
        ("TYX", StackAxis(2.0, "deg", -60.0)),
        ("ZYX", StackAxis(2.5, "nm", -7.5)),
        ("CYX", None),
    ],
)
def test_steps_of_a_stack(tmp_path: Path, letters: str, step: StackAxis | None) -> None:
    frames = load(save(tmp_path / "a.tif", (3, 8, 10), letters, stack=(step,))).axes_manager._axes[0]
    if step is None:
        assert (frames.scale, frames.offset) == (1.0, 0.0)
    else:
        assert (frames.scale, frames.offset, frames.units) == (step.step, step.origin, step.unit)


def test_what_hyperspy_saves_is_read(tmp_path: Path) -> None:
    signal = hs.signals.Signal2D(np.zeros((3, 8, 10), np.uint16))
    for axis, (scale, offset, unit) in zip(
        signal.axes_manager._axes, [(2.0, 7.0, "s"), (0.25, 5.5, "nm"), (0.5, -3.25, "nm")], strict=True
    ):
        axis.scale, axis.offset, axis.units = scale, offset, unit
    signal.save(str(tmp_path / "a.tif"))
    with io.read(tmp_path / "a.tif") as image:
        assert (image.pixel_size, image.unit, image.origin) == ((0.25, 0.5), "nm", (5.5, -3.25))
        assert image.stack == (StackAxis(2.0, "s", 7.0),)


def test_ome_of_which_hyperspy_takes_no_calibration(tmp_path: Path) -> None:
    about = {"axes": "TYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25}
    about |= {"PhysicalSizeYUnit": "nm", "TimeIncrement": 2.5, "TimeIncrementUnit": "s"}
    about["Plane"] = {"PositionX": [3.0] * 3, "PositionXUnit": ["µm"] * 3, "PositionY": [4.0] * 3}
    about["Plane"]["PositionYUnit"] = ["nm"] * 3
    tifffile.imwrite(tmp_path / "a.ome.tif", np.zeros((3, 8, 10), np.uint16), metadata=about)
    with io.read(tmp_path / "a.ome.tif") as image:
        result = io.write(tmp_path / "b.tif", image, iter(image.pixels))
    with tifffile.TiffFile(result) as tiff:
        assert tiff.is_ome
    assert axes(load(result)) == [(2.5, 0.0, "s"), (2.5e-10, 4e-9, "m"), (5e-10, pytest.approx(3e-6), "m")]


def test_the_date_and_the_instrument(tmp_path: Path) -> None:
    instrument = {"beam_energy_kV": 200.0, "acquisition_date": "2016-02-22", "acquisition_time": "18:18:34"}
    about = {"much": {str(number): "x" * 3000 for number in range(400)}, "instrument": instrument}
    signal = load(save(tmp_path / "a.tif", (8, 10), "YX", metadata=about))
    assert (signal.metadata.General.date, signal.metadata.General.time) == ("2016-02-22", "18:18:34")
    assert "instrument.beam_energy_kV = 200.0" in signal.original_metadata.IJMetadata.Info.splitlines()
    for half in ({"acquisition_date": "2016-02-22"}, {"acquisition_time": "18:18:34"}, "none", None):
        signal = load(save(tmp_path / "b.tif", (8, 10), "YX", metadata={"instrument": half}))
        assert not signal.metadata.has_item("General.date")


# Where HyperSpy reads the input otherwise than its result, and why; README says so too.
HITS = {"dark5.emi": 7, "dark5_1.ser": 7, "feiext_crop1024.mrc": 3}
"""Pixels that X-rays have hit, and the first ones of rows of a dark image: they are taken out."""

UNREADABLE = {
    "rock_sem_lzw.tif": "LZW, for which HyperSpy needs imagecodecs",
    "si_velox_eds.emd": "spectra beside the images, for which it needs sparse",
}
COLOUR = {"soot_hrtem_rgb.tif": "its luminance is what is denoised"}
TRANSPOSED = {"acq18_ncem.emd": "HyperSpy takes its rows for columns, and its unit is n_m"}
OWN_CALIBRATION = {
    "dark5_1.ser": "alone it says 4e16 nm a pixel; the .emi beside it, which HyperSpy leaves, says 1/nm",
    "deapp_movie16.mrc": "pixels of -1 nm cannot be true",
}
TIA = {"m": 1e9, "1/nm": 1e-9}
"""By unit: of .ser and .emi, HyperSpy brings the pixel size from m to nm, and leaves the origin in m."""
WRITTEN_AS = {
    "acquisition_mode": "kind",
    "microscope": "microscope",
    "beam_energy": "beam_energy_kV",
    "magnification": "magnification",
    "camera_length": "camera_length_mm",
}


ODD = (
    "Si100_3D.emd",
    "dmTest_3D_int16_64,65,66.dm3",
    "dmTest_float32_nonSquare_diffPixelSize.dm3",
    "fei_example_tem_stack.emd",
    "hyperspy_image.emd",
    "hyperspy_stack.emd",
)
"""Of the folder beside: stacks of many units, and axes of different ones."""


def files() -> list[str]:
    usual = sorted(path.name for path in DATA.glob("*.*") if path.suffix in io.READERS)
    return usual + [f"odd/{name}" for name in ODD if (DATA / "odd" / name).exists()]


@pytest.mark.skipif(not DATA.is_dir(), reason="the collection of real files is not here")
@pytest.mark.parametrize("name", files())
def test_a_result_opens_as_its_input(tmp_path: Path, name: str) -> None:
    arguments = ["denoise", str(DATA / name), "-m", str(IDENTITY), "-o", str(tmp_path), "--device", "cpu", "--json"]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    result = Path(json.loads(done.stdout)["output"])
    after = load(result)
    if name in UNREADABLE:
        assert after.axes_manager.signal_dimension == 2
        return
    before = load(DATA / name)
    pixels = before.data.T if name in TRANSPOSED else before.data
    assert after.data.shape == pixels.shape
    if name not in COLOUR:
        assert after.data.dtype == pixels.dtype
        off = np.abs(np.subtract(after.data, pixels, dtype=np.float64)) > 1e-5 * np.ptp(pixels)
        assert np.count_nonzero(off) == HITS.get(name, 0)
    if name not in OWN_CALIBRATION:
        for ours, theirs, raw in zip(axes(after), axes(before), after.axes_manager._axes, strict=True):
            offset = theirs[1] * (TIA.get(theirs[2], 1.0) if Path(name).suffix in {".ser", ".emi"} else 1.0)
            expected = pytest.approx((theirs[0], offset), rel=1e-6, abs=1e-9 * abs(theirs[0]))
            if theirs[2]:
                assert ours[2] == theirs[2]
                assert ours[:2] == expected
            elif theirs[:2] != (1.0, 0.0):
                assert (raw.scale, raw.offset) == expected
    for said in ("General.date", "General.time"):
        if before.metadata.has_item(said):
            assert after.metadata.get_item(said) == before.metadata.get_item(said)
    if "Acquisition_instrument" in before.metadata:
        keeps_instrument(after, before.metadata.Acquisition_instrument.as_dictionary())


def keeps_instrument(after: Any, before: dict[str, Any]) -> None:
    """Check what the result says of the instrument: in HyperSpy's own place, or line by line in ImageJ's."""
    if "Acquisition_instrument" in after.metadata:
        assert after.metadata.Acquisition_instrument.as_dictionary() == before
        return
    (kind,) = before
    lines = dict(line.split(" = ", 1) for line in after.original_metadata.IJMetadata.Info.splitlines() if " = " in line)
    for theirs, ours in WRITTEN_AS.items():
        if before[kind].get(theirs):
            assert lines[f"instrument.{ours}"] == str(before[kind][theirs])
