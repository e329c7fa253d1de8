"""Pixel sizes of images made here, in any unit of length and of its inverse, written and read again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from temclean import io

FRAME = np.arange(48, dtype=np.float32).reshape(6, 8)
METRES = {"pm": 1e-12, "A": 1e-10, "Å": 1e-10, "Angstrom": 1e-10, "nm": 1e-9, "um": 1e-6, "µm": 1e-6}
METRES |= {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
ANSWERS = {"pm": 1e-12, "Å": 1e-10, "nm": 1e-9, "µm": 1e-6, "mm": 1e-3, "cm": 1e-2}
"""Names by which a unit is read."""


def written(path: Path, size: tuple[float, float], unit: str) -> io.Image:
    image = io.Image.from_array(FRAME, size, unit)
    io.write(path, image, [FRAME])
    return image


@pytest.mark.parametrize("suffix", [".tif", ".mrc", ".ome.zarr"])
@pytest.mark.parametrize("unit", METRES)
def test_every_unit_of_length_is_written(tmp_path: Path, unit: str, suffix: str) -> None:
    if suffix == ".ome.zarr":
        pytest.importorskip("zarr")
    for number, metres in enumerate((4e-14, 2e-11, 3e-9, 9e-3)):
        path = tmp_path / f"{number}{suffix}"
        made = written(path, (metres / METRES[unit], 0.5 * metres / METRES[unit]), unit)
        assert made.warnings == ()
        with io.read(path) as found:
            assert found.pixel_size
            assert found.unit
            there = np.array(found.pixel_size) * ANSWERS[found.unit]
            assert there == pytest.approx([metres, metres / 2], rel=1e-6)


@pytest.mark.parametrize("size", [1e-15, 1e6])
@pytest.mark.parametrize("unit", METRES)
def test_lengths_that_can_be_true_are_kept_and_others_left_out_with_a_word(
    tmp_path: Path, unit: str, size: float
) -> None:
    made = written(tmp_path / "a.tif", (size, size), unit)
    metres = size * METRES[unit]
    with io.read(tmp_path / "a.tif") as found:
        if 1e-14 <= metres <= 1e-2:
            assert found.pixel_size
            assert found.pixel_size[0] * ANSWERS[str(found.unit)] == pytest.approx(metres, rel=1e-6)
        else:
            assert found.pixel_size is None
            assert "cannot be true" in made.warnings[0]


@pytest.mark.parametrize("size", [1e-12, 2e-11, 0.5, 1e12])
@pytest.mark.parametrize(("unit", "factor"), [("1/nm", 1.0), ("1/m", 1e-9), ("nm^-1", 1.0)])
def test_steps_of_diffraction_patterns_are_kept(tmp_path: Path, unit: str, factor: float, size: float) -> None:
    written(tmp_path / "a.tif", (size / factor, size / factor), unit)
    with io.read(tmp_path / "a.tif") as found:
        assert (found.pixel_size, found.unit) == (pytest.approx((size, size), rel=1e-6), "1/nm")


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf"), 1e-300, 1e300])
def test_no_size_is_no_reason_not_to_write(tmp_path: Path, size: float) -> None:
    made = written(tmp_path / "a.tif", (size, size), "nm")
    assert len(made.warnings) == 1
    with io.read(tmp_path / "a.tif") as found:
        assert found.pixel_size is None
        assert found.warnings == ()


def test_imagej_has_metres_as_nanometres_with_the_origin(tmp_path: Path) -> None:
    image = replace(io.Image.from_array(FRAME, (2e-11, 4e-11), "m"), origin=(2e-10, -4e-10))
    io.write(tmp_path / "a.tif", image, [FRAME])
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.imagej_metadata
        assert tiff.imagej_metadata["unit"] == "nm"
        across, down = (tiff.pages[0].tags.valueof(code) for code in (282, 283))  # type: ignore[union-attr]
        assert (across[0] / across[1], down[0] / down[1]) == pytest.approx((25, 50))
    with io.read(tmp_path / "a.tif") as found:
        assert found.origin == pytest.approx((0.2, -0.4))
