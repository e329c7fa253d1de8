"""What a scanned beam does, undone around the network: from Python, from Dask, and from the command line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import temclean
from temclean import io, metrics, noise, specimen
from temclean.evidence import lag
from temclean.evidence.corrections import lattices, texture
from temclean.evidence.lines import repeats, shuffled, straightened, straying
from temclean.restoration import models, pipeline

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore:a regular pattern:temclean.errors.TemcleanWarning"
)  # of the atoms' tops

SIDE, PITCH = 192, 16
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
CLEAN = np.float32(40 + 160 * np.exp(-((ROWS % PITCH - 8) ** 2 + (COLUMNS % PITCH - 8) ** 2) / 9))


@pytest.fixture(scope="module")
def raw() -> np.ndarray:
    """Return an image of counts whose detector lags by most of a pixel."""
    counted = noise.apply(CLEAN, noise.Poisson(0.5), 1)
    return noise.apply(counted, noise.FastScan(detector=4.0, decay=0.0), 0)


def right_of_truth(image: np.ndarray) -> float:
    """Return by how many pixels a lattice stands right of where it is, by its phase in the transform."""
    wave = np.exp(-2j * np.pi * COLUMNS / PITCH)
    centred, truth = (each - each.mean(dtype=np.float64) for each in (image, CLEAN))
    return -PITCH / (2 * np.pi) * float(np.angle(np.sum(centred * wave) / np.sum(truth * wave)))


def test_atoms_stand_where_they_are(raw: np.ndarray) -> None:
    assert right_of_truth(raw) > 0.4
    assert right_of_truth(temclean.denoise(raw, "general", device="cpu")) == pytest.approx(0.0, abs=0.15)


def test_a_model_sees_the_image_as_if_nothing_had_lagged(raw: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texture, "put_back", lambda *_, **__: 0.0)  # which does nothing where something had lagged
    session = models.session_of(models.find("general"), "cpu")
    scale = pipeline.scaling(raw[None], session.model)
    assert scale.lag == lag.measure(raw[None]) != ()
    undone = lag.undo(raw, scale.lag)
    again = pipeline.scaling(undone[None], session.model)
    assert (scale.low, scale.high) == (again.low, again.high)
    (wanted,) = pipeline.denoise_frames(undone[None], session, scaling=again)
    np.testing.assert_array_equal(temclean.denoise(raw, "general", device="cpu"), wanted)
    assert pipeline.scaling(raw[None], models.load("g")).lag == ()


def test_whole_numbers_stay_whole_and_what_is_mixed_in_does_not_lag(raw: np.ndarray) -> None:
    counts = np.stack([np.clip(raw, 0, None).round().astype(np.uint16)] * 2)
    assert temclean.denoise(counts, "general", device="cpu").dtype == np.uint16
    weights = lag.measure(counts)
    mixed = temclean.denoise(counts, "general", device="cpu", blend=1.0)
    undone = lag.undo(counts[1], weights)
    np.testing.assert_array_equal(mixed[1], np.rint(undone).clip(0, 65535))


def test_blocks_of_dask_lag_no_more_than_the_array(raw: np.ndarray) -> None:
    da = pytest.importorskip("dask.array", reason="Dask is not installed")
    stack = np.stack([raw, raw[::-1]])
    lazily = temclean.denoise(da.from_array(stack, chunks=(1, 96, 192)), "general", device="cpu", threads=1)
    np.testing.assert_array_equal(lazily.compute(), temclean.denoise(stack, "general", device="cpu", threads=1))


def test_the_result_says_so_and_its_evidence_rests_on_what_the_network_saw(
    raw: np.ndarray, tmp_path: Path, run: Callable[..., Any]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", raw)
    done = run("denoise", tmp_path / "a.tif", "-m", "general", "--device", "cpu", "--residual", "--support", "--json")
    assert done.code == 0, done.err
    assert any("a detector's lag; it is undone" in note for note in json.loads(done.out)["notes"])
    made = io.provenance(tmp_path / "a_general.tif")
    assert made is not None
    undone = lag.undo(raw, lag.weights_of(made["lag"]))
    restored, left = (tifffile.imread(tmp_path / f"a_general{part}.tif") for part in ("", "_residual"))
    np.testing.assert_allclose(left, undone - restored, atol=1e-3)
    verdicts = (tmp_path / "a_general_support.csv").read_text().count(",supported")
    assert verdicts == (SIDE // PITCH) ** 2


@pytest.fixture(scope="module")
def strayed() -> np.ndarray:
    """Return counts of a beam that strays by half a pixel from row to row."""
    moved = noise.apply(CLEAN, noise.Jitter(x=0.0, y=0.4, line=0.4, y_phi=0.0, line_phi=0.0), 3)
    return noise.apply(moved, noise.Poisson(0.5), 1)


def error_of(image: np.ndarray) -> float:
    return float(np.sqrt(np.mean((image - CLEAN)[8:-8, 8:-8].astype(np.float64) ** 2)))


def test_rows_are_put_back_for_a_second_look(strayed: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    result = temclean.denoise(strayed, "general", device="cpu")
    stack = np.stack([strayed, strayed[::-1]]).round().astype(np.uint16)
    frames = temclean.denoise(stack, "general", device="cpu")
    np.testing.assert_array_equal(frames[0], temclean.denoise(stack, "general", device="cpu")[0])
    monkeypatch.setattr(straightened, "by_repeats", lambda *_: None)
    monkeypatch.setattr(straightened, "by_slopes", lambda *_, **__: None)
    assert error_of(result) < 0.95 * error_of(temclean.denoise(strayed, "general", device="cpu"))


def across(clean: np.ndarray, rows: float, counts: float, seed: int) -> np.ndarray:
    """Return counts of a beam that strays across the rows by so many of them."""
    moved = noise.apply(clean, noise.Jitter(x=0.0, y=rows, line=0.0, y_phi=0.2), seed)
    return noise.apply(moved, noise.Poisson(counts), seed) * np.float32(counts)


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("model", ["general", "fast", "lr"])
def test_rows_across_which_a_beam_strayed_far_are_put_in_order_first(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = specimen.scale(specimen.draw("rough", 256, 0.2, 4).image)
    clean = specimen.scale(ndimage.gaussian_filter(clean, 5.0))
    raw = across(clean, 8.0, 30.0, 1)
    bar = np.concatenate([raw, np.zeros((24, 256), np.float32)])
    bar[-24:, 40:80:3] = 40.0  # letters
    result, with_bar = (temclean.denoise(each, model, device="cpu") for each in (raw, bar))
    np.testing.assert_array_equal(with_bar[-24:], bar[-24:])
    monkeypatch.setattr(shuffled, "put_in_order", lambda *_: None)
    torn = temclean.denoise(raw, model, device="cpu")
    errors = [metrics.psnr(clean, each / np.float32(30.0), 1.0) for each in (result, with_bar[:256], torn)]
    assert min(errors[:2]) > errors[2] + 2.0


def test_that_rows_were_put_in_order_is_said_and_the_residual_is_of_them(
    tmp_path: Path, run: Callable[..., Any]
) -> None:
    clean = specimen.scale(ndimage.gaussian_filter(np.random.default_rng(0).standard_normal((256, 256)), 8.0))
    raw = across(clean, 8.0, 200.0, 1)
    tifffile.imwrite(tmp_path / "a.tif", raw)
    done = run("denoise", tmp_path / "a.tif", "-m", "general", "--device", "cpu", "--residual", "--json")
    (note,) = [each for each in json.loads(done.out)["notes"] if "the beam strayed from row to row" in each]
    restored, left = (tifffile.imread(tmp_path / f"a_general{part}.tif") for part in ("", "_residual"))
    apart = np.abs((restored + left)[:, None] - raw[None]).max(axis=2)
    order = apart.argmin(axis=1)
    assert apart.min(axis=1).max() < 1e-3
    np.testing.assert_array_equal(np.sort(order), np.arange(256))
    assert f"by {np.sqrt(np.mean((order - np.arange(256)) ** 2)):.1f} pixels" in note


def test_that_rows_were_put_back_is_said_and_the_residual_is_of_them(
    strayed: np.ndarray, tmp_path: Path, run: Callable[..., Any]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", strayed)
    done = run("denoise", tmp_path / "a.tif", "-m", "general", "--device", "cpu", "--residual", "--json")
    record = json.loads(done.out)
    assert any("the beam strayed from row to row, by 0." in note for note in record["notes"])
    restored, left = (tifffile.imread(tmp_path / f"a_general{part}.tif") for part in ("", "_residual"))
    steady = straightened.by_repeats(strayed, restored)
    assert steady is not None
    np.testing.assert_allclose(left, steady.image - restored, atol=1e-3)
    assert left.std() < 0.95 * (strayed - restored).std()
    run("denoise", tmp_path / "a.tif", "-m", "g", "--device", "cpu", "--residual", "--json")
    restored, left = (tifffile.imread(tmp_path / f"a_g{part}.tif") for part in ("", "_residual"))
    np.testing.assert_allclose(left, strayed - restored, atol=1e-3)


def test_what_a_beam_that_strayed_leaves_does_not_come_back_into_models_that_do_not_look_for_it(
    strayed: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shows: list[bool] = []
    monkeypatch.setattr(texture, "put_back", lambda *_, unless, **__: shows.append(unless()) or 0.0)
    temclean.denoise(strayed, "g", device="cpu")
    steady = specimen.draw("lattice", 256, 0.1, 3).image
    temclean.denoise(noise.apply(steady, noise.Gaussian(0.1, clip=False), 1), "g", device="cpu")
    assert shows == [True, False]


@pytest.mark.filterwarnings("ignore:structure that:temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("seed", [4, 25])
def test_a_beam_that_strayed_too_far_for_slopes_is_left_alone(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing repeats. By what rows seem to be moved then is wrong, and a second look at them would be worse."""
    rng = np.random.Generator(np.random.PCG64([1_000_000, seed]))
    pixel_size = float(np.exp(rng.uniform(np.log(0.03), np.log(0.4))))
    clean = specimen.SPECIMENS["hr"](rng, 256, pixel_size).image
    raw = noise.apply(clean, noise.Stem(pixel_size=pixel_size), 1_000_000 + seed)
    monkeypatch.setattr(shuffled, "put_in_order", lambda *_: None)  # the first of them strays across the rows
    monkeypatch.setattr(repeats, "seen", lambda *_, **__: None)
    monkeypatch.setattr(lattices, "correct", lambda *_, **__: None)  # a lattice's waves would come back to either
    looked = temclean.denoise(raw, "general", device="cpu")
    monkeypatch.setattr(straying, "REFUSED", 1.0)
    monkeypatch.setattr(straying, "SWEPT", 1.0)
    moved = temclean.denoise(raw, "general", device="cpu")
    monkeypatch.setattr(straightened, "by_repeats", lambda *_: None)
    monkeypatch.setattr(straightened, "by_slopes", lambda *_, **__: None)
    first = temclean.denoise(raw, "general", device="cpu")
    np.testing.assert_array_equal(looked, first)
    before, after = (metrics.psnr(clean, each, float(np.ptp(clean))) for each in (first, moved))
    assert after < before
