"""``--dtype`` and ``--blend``: the type that was asked for, rounded once and clipped, and the raw image mixed in."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

import temclean
from temclean import io
from temclean.cli import cli
from temclean.restoration.conversion import Conversion
from temclean.restoration.windows import Windows

DATA = Path(__file__).parents[1] / "data"
IDENTITY, NETWORK = DATA / "identity.onnx", DATA / "network.onnx"


def denoise(path: Path, *options: str, model: Path = IDENTITY) -> dict[str, object]:
    arguments = ["denoise", str(path), "-m", str(model), "--device", "cpu", "--json", *options]
    done = CliRunner().invoke(cli, arguments, catch_exceptions=False, standalone_mode=False)
    result: dict[str, object] = json.loads(done.stdout)
    return result


def ramp(dtype: str, low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 48 * 40).reshape(48, 40).astype(dtype)


@pytest.mark.parametrize(
    ("source", "wanted", "clipped"),
    [
        (ramp("f4", -40.0, 300.0), "uint8", True),
        (ramp("f4", 0.0, 254.6), "uint8", False),
        (ramp("u2", 0, 65535), "int16", True),
        (ramp("u2", 0, 65535), "float32", False),
        (ramp("i4", -(2**31), 2**31 - 1), "uint16", True),
        (ramp("f8", -7e9, 7e9), "int32", True),
        (ramp("f8", -7e9, 7e9), "float16", True),
        (ramp("f8", 0.0, 1e30), "float32", False),
        (ramp("u1", 0, 255), "float64", False),
    ],
)
def test_values_are_rounded_and_clipped(tmp_path: Path, source: np.ndarray, wanted: str, clipped: bool) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, source)
    result = denoise(path, "--dtype", wanted, "-o", str(tmp_path / "b.tif"))
    assert (result["status"], result["dtype"]) == ("done", wanted)
    found = tifffile.imread(tmp_path / "b.tif")
    assert found.dtype == wanted
    info = np.iinfo(wanted) if np.dtype(wanted).kind in "iu" else np.finfo(wanted)
    exact = source.astype(np.float64)
    expected = exact.clip(float(info.min), float(info.max))
    # The network works in 32-bit floats within the contrast; then comes the rounding to the type.
    error = 1e-6 * np.ptp(exact) + (0.5 if np.dtype(wanted).kind in "iu" else np.finfo(wanted).eps * abs(expected))
    assert np.all(abs(found.astype(np.float64) - expected) <= error)
    warnings = " ".join(result["warnings"])  # type: ignore[call-overload]
    assert ("were clipped" in warnings) == clipped
    if clipped:
        beyond = int(np.sum((np.rint(exact) < info.min) | (np.rint(exact) > info.max)))
        assert int(warnings.split(" of 1920 values")[0].split()[-1]) == pytest.approx(beyond, abs=2)


def test_floats_keep_what_lies_between_whole_numbers(tmp_path: Path) -> None:
    counts = np.random.default_rng(1).poisson(4, (48, 40)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", counts)
    rounded = denoise(tmp_path / "a.tif", "-o", str(tmp_path / "b.tif"), model=NETWORK)
    assert "--dtype float32" in " ".join(rounded["warnings"])  # type: ignore[call-overload]
    whole = denoise(tmp_path / "a.tif", "-o", str(tmp_path / "c.tif"), "--dtype", "float32", model=NETWORK)
    assert not any("rounded" in line for line in whole["warnings"])  # type: ignore[attr-defined]
    found = tifffile.imread(tmp_path / "c.tif")
    np.testing.assert_allclose(found, temclean.denoise(counts.astype(np.float32), NETWORK), rtol=0, atol=1e-4)
    assert np.mean(abs(found - np.rint(found)) > 0.01) > 0.9
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), np.rint(found).clip(0))


def test_a_format_that_cannot_hold_the_type_gives_way_to_tiff(tmp_path: Path) -> None:
    for name, array, wanted, suffix in [
        ("a.png", ramp("u1", 0, 255), "float32", ".tif"),
        ("b.png", ramp("u1", 0, 255), "uint16", ".png"),
        ("c.mrc", ramp("u2", 0, 255), "uint8", ".tif"),
        ("d.mrc", ramp("u2", 0, 255), "float32", ".mrc"),
        ("e.npy", ramp("u2", 0, 255), "float64", ".npy"),
    ]:
        image = io.Image.from_array(array)
        io.write(tmp_path / name, image, iter(image.pixels))
        result = denoise(tmp_path / name, "--dtype", wanted)
        assert result["output"] == str((tmp_path / f"{name[0]}_identity").with_suffix(suffix))
        with io.read(str(result["output"])) as made:
            assert made.pixels.dtype == wanted


def test_resume_does_not_take_one_type_for_another(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", ramp("u2", 0, 9000))
    assert denoise(tmp_path / "a.tif", "--dtype", "float32")["status"] == "done"
    assert denoise(tmp_path / "a.tif", "--dtype", "float32", "--resume")["status"] == "kept"
    assert denoise(tmp_path / "a.tif", "--resume")["status"] == "failed"
    assert io.provenance(tmp_path / "a_identity.tif")["dtype"] == "float32"  # type: ignore[index]


# Which types ImageJ 1.53t opens was tried with its own Opener.
@pytest.mark.parametrize(("dtype", "opens"), [("f8", False), ("f2", False), ("u8", False), ("f4", True), ("u4", True)])
def test_what_imagej_cannot_open_is_said(tmp_path: Path, dtype: str, opens: bool) -> None:
    image = io.Image.from_array(np.ones((8, 8), dtype))
    io.write(tmp_path / "a.tif", image, iter(image.pixels))
    assert any("ImageJ" in line for line in image.warnings) == (not opens)


def test_nothing_is_touched_without_a_wish() -> None:
    conversion = Conversion(np.dtype(np.uint16))
    frames = np.ones((1, 4, 4), np.uint16)
    assert conversion.before(frames) is frames
    assert conversion.after(frames[0]).base is frames


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("share", [0.25, 1.0])
def test_the_raw_image_is_mixed_in_and_rounded_once(tmp_path: Path, dtype: str, share: float) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    raw = np.random.default_rng(0).normal(120, 25, (3, 48, 40)).clip(0, 255).astype(dtype)
    tifffile.imwrite(path, raw, photometric="minisblack")
    denoise(path, "--dtype", "float64", "-o", str(tmp_path / "c.tif"), model=NETWORK)
    restored = tifffile.imread(tmp_path / "c.tif")
    assert abs(restored - raw).max() > 5
    denoise(path, "--blend", str(share), "-o", str(out), model=NETWORK)
    found = tifffile.imread(out)
    assert found.dtype == raw.dtype
    mixed = (1 - share) * restored + share * raw
    if dtype == "f4":
        assert abs(found - mixed).max() <= 1e-4
    else:
        assert abs(found - mixed.clip(0, np.iinfo(dtype).max)).max() <= 0.5 + 1e-4
    assert io.provenance(out)["blend"] == share  # type: ignore[index]


def test_a_model_of_movies_that_reads_ahead_has_each_frame_mixed_with_its_own() -> None:
    frames = np.arange(7.0)[:, None, None] * np.ones((7, 24, 24))
    conversion = Conversion(np.dtype(np.float64), blend=0.5)
    seen = Windows(conversion.before(frames), 3)
    for index in range(7):
        assert len(seen[index]) == 3
        assert (conversion.after(np.full((24, 24), 100.0)) == 50 + 0.5 * index).all()


def test_resume_does_not_take_one_blend_for_another(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp("f4", 0.0, 1.0))
    assert denoise(path, "--blend", "0.5")["status"] == "done"
    assert denoise(path, "--resume", "--blend", "0.5")["status"] == "kept"
    assert denoise(path, "--resume", "--blend", "0.25")["status"] == "failed"
    assert denoise(path, "--resume")["status"] == "failed"


@pytest.mark.parametrize("share", ["nan", "1.5", "-0.1", "some"])
def test_a_blend_that_is_no_share_is_bad_usage(tmp_path: Path, share: str) -> None:
    done = CliRunner().invoke(cli, ["denoise", str(tmp_path / "a.tif"), "--blend", share])
    assert done.exit_code == 2
    assert "from 0 to 1" in done.output or "not a valid float" in done.output
