"""Hits of X-rays and defects of cameras: replaced, counted and said; points of a microscope stay."""

import itertools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

import temclean
from temclean.errors import TemcleanWarning
from temclean.evidence.impulses import hits
from temclean.restoration import scaling

IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"
SIGMA = 0.1
HITS = [[(20, 30)], [(50, 60), (50, 61)], [(80, 80), (81, 80), (82, 81), (82, 82)]]


def grain(side: int = 128, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, SIGMA, (side, side)).astype(np.float32)


def point(width: float, height: float, off: tuple[float, float]) -> np.ndarray:
    """Return a point of a microscope, with its full width at half of its height in pixels, at the middle of grain."""
    y, x = np.mgrid[:128, :128]
    square = (y - 64 - off[0]) ** 2 + (x - 64 - off[1]) ** 2
    return grain() + np.float32(height) * np.exp2(-4 * square / width**2).astype(np.float32)


@pytest.mark.parametrize("height", [1.5, 4.0, 40.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_hits_of_some_pixels_are_replaced(height: float, sign: int) -> None:
    before = grain()
    tile = before.copy()
    for spot in HITS:
        for place in spot:
            tile[place] += sign * np.float32(height)
    assert sorted(hits.replace_hits(tile)) == sorted(place for spot in HITS for place in spot)
    assert np.abs(tile - before).max() < 4 * SIGMA


@pytest.mark.parametrize("height", [1.0, 3.0, 10.0, 100.0])
@pytest.mark.parametrize("width", [1.6, 2.0, 3.0, 8.0])
def test_points_of_a_microscope_stay(width: float, height: float) -> None:
    for down, right in itertools.product(np.arange(0.0, 0.6, 0.1), repeat=2):
        tile = point(width, height, (down, right))
        before = tile.copy()
        assert hits.replace_hits(tile) == []
        np.testing.assert_array_equal(tile, before)


@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
@pytest.mark.parametrize("share", [0.002, 0.008, 0.04])
@pytest.mark.parametrize("sigma", [0.0, 60.0])
def test_the_scale_is_that_of_what_was_not_hit(dtype: str, share: float, sigma: float) -> None:
    """Saturated pixels of a camera: of more than one in two hundred, all else became one grey."""
    draw = np.random.default_rng(3)
    y, x = np.mgrid[:192, :192]
    clean = 1500 + 500 * np.sin(x / 7.0) * np.cos(y / 9.0)
    image = (clean + draw.normal(0.0, sigma, clean.shape)).astype(dtype)
    hit = draw.random(clean.shape) < share
    noisy = np.where(hit, np.array(65535, dtype), image)
    found = scaling.measure(noisy[None], 0.5, 99.5)
    wanted = np.percentile(image.astype("f8"), (0.5, 99.5))
    np.testing.assert_allclose((found.low, found.high), wanted, atol=20)


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("bright", range(0, 25, 6))
def test_the_scale_of_a_stack_knows_its_one_bright_frame(dtype: str, bright: int) -> None:
    """It did where that was one of eight frames that were asked."""
    stack = np.random.default_rng(2).poisson(100.0, (25, 64, 64))
    stack[bright] = np.random.default_rng(3).poisson(3000.0, (64, 64))
    assert scaling.measure(stack.astype(dtype), 0.5, 99.5).high > 2900


@pytest.mark.parametrize("mean", [0.01, 0.05, 0.2, 0.5, 1.0, 3.0, 30.0])
def test_the_scale_of_counts_is_that_of_all(mean: float) -> None:
    for number in range(3):
        counts = np.random.default_rng(number).poisson(mean, (192, 192)).astype("u2")
        found = scaling.measure(counts[None], 0.5, 99.5)
        low, high = np.percentile(counts, (0.5, 99.5))
        assert (found.low, found.high) == ((low, high) if high > low else (counts.min(), counts.max()))


def test_saturated_pixels_cost_hardly_anything() -> None:
    """Of one in 125, 43 dB were 9 with ``general``; also on an even ground without noise."""
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    draw = np.random.default_rng(4)
    y, x = np.mgrid[:192, :192]
    clean = 1500 + 500 * np.sin(x / 7.0) * np.cos(y / 9.0)
    for sigma in (50.0, 0.0):
        image = np.rint(clean + draw.normal(0.0, sigma, clean.shape)).astype("u2")
        noisy = np.where(draw.random(clean.shape) < 0.008, np.uint16(65535), image)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TemcleanWarning)
            errors = [np.std(temclean.denoise(each, "general") - clean) for each in (image, noisy)]
        assert errors[1] < 1.3 * errors[0], (errors, sigma)


@pytest.mark.parametrize("model", ["general", "gsp"])
def test_bad_pixels_within_the_range_cost_hardly_anything(model: str) -> None:
    """A network lays them out over what is around them: they cost four fifths of what weak noise had left."""
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    clean, draw = lattice(), np.random.default_rng(5)
    image = (clean + draw.normal(0.0, 0.02, clean.shape)).astype(np.float32)
    bad = draw.random(clean.shape) < (0.003 if model == "general" else 0.02)
    noisy = np.where(bad, draw.random(clean.shape), image).astype(np.float32)
    errors = [np.square(temclean.denoise(each, model) - clean).mean() for each in (image, noisy)]
    assert errors[1] < 1.25 * errors[0]


def lattice() -> np.ndarray:
    y, x = np.mgrid[:192, :192]
    return 0.5 + 0.2 * np.sin(x / 3.0) * np.cos(y / 4.0)


def test_what_stands_out_of_a_result_alone_is_found() -> None:
    """Where a hit covers two pixels too; along an edge that was lost, and where there is as strong noise, nothing."""
    clean = lattice()
    frame = clean + np.random.default_rng(6).normal(0.0, 0.02, clean.shape)
    for place in HITS[0] + HITS[1]:
        frame[place] += 0.5
    found = hits.left(frame.astype(np.float32), clean.astype(np.float32), 0.0, 1.0)
    assert sorted(found) == sorted(HITS[0] + HITS[1])
    strong = frame + np.random.default_rng(7).normal(0.0, 0.1, clean.shape)
    assert hits.left(strong, clean, 0.0, 1.0) == []
    stepped = clean + (np.arange(192) > 96)[:, None]
    assert hits.left(stepped, ndimage.shift(stepped, (1, 0), order=1), 0.0, 1.0) == []


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("width", [1.5, 2.0])
def test_points_that_a_network_laid_out_are_no_bad_pixels(width: float, many: bool) -> None:
    """Single heavy atoms on carbon had the first result's value, a third of their height, before a second look."""
    clean = np.full((128, 128), 0.5)
    for down, right in itertools.product(np.arange(0.0, 0.6, 0.1), repeat=2):
        atom = point(width, 0.6, (down, right)) - grain()
        noisy = clean + atom + np.random.default_rng(3).normal(0.0, 0.01, clean.shape)
        for sign, laid_out in itertools.product((1, -1), (0.0, 0.3)):
            found = hits.left(sign * noisy, sign * (clean + laid_out * atom), -1.0, 1.0, many=many)
            assert (64, 64) not in found


@pytest.mark.parametrize(
    ("low", "width", "dtype"),
    [
        (1e6, 1.0, "f8"),
        (1e9, 1.0, "f8"),
        (0.0, 1e-300, "f8"),
        (2**55, 1e3, "i8"),
        (-3e38, 6e38, "f4"),
        (2e9, 900, "u4"),
    ],
)
def test_bad_pixels_are_found_on_any_scale(low: float, width: float, dtype: str) -> None:
    """As float32 a frame of little contrast far from 0 has a few values left; none may overflow."""
    clean = lattice()
    frame = clean + np.random.default_rng(6).normal(0.0, 0.02, clean.shape)
    frame[20, 30] += 0.4
    scaled = [
        (int(low) + (width * each).astype("i8")) if dtype == "i8" else low + width * each for each in (frame, clean)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hits.left(*(each.astype(dtype) for each in scaled), low, low + width) == [(20, 30)]


@pytest.mark.parametrize("many", [False, True])
def test_noise_that_is_cut_off_does_not_stand_out(many: bool) -> None:
    """Of a dark ground half of the pixels are 0 then, and what is left looks like strong noise among none."""
    clean = np.zeros((256, 256), np.float32)
    clean[100:140, 90:160] = 0.5
    for sigma in (0.03, 0.1, 0.2):
        frame = np.maximum(clean + np.random.default_rng(9).normal(0.0, sigma, clean.shape), 0.0).astype(np.float32)
        assert hits.left(frame, clean, 0.0, 1.0, many=many) == []


@pytest.mark.parametrize("mean", [0.02, 0.3, 1.0, 2.0, 20.0, 300.0])
def test_no_count_of_electrons_stands_out(mean: float) -> None:
    clean = mean * lattice()
    counts = np.random.default_rng(8).poisson(clean).astype(np.float32)
    assert hits.left(counts, clean, *np.percentile(counts, (0.5, 99.5)).tolist()) == []


def test_many_hot_pixels_are_replaced() -> None:
    before = grain(256)
    hot = np.random.default_rng(5).random(before.shape) < 0.004
    tile = before + np.float32(6.0) * hot
    assert len(hits.replace_hits(tile)) > 0.95 * np.count_nonzero(hot)
    assert np.count_nonzero(tile > 2.0) < 0.05 * np.count_nonzero(hot)


def test_lines_and_areas_stay() -> None:
    tile = grain()
    tile[40, 20:90] += 5.0
    tile[60:66, 60:66] += 5.0
    before = tile.copy()
    assert hits.replace_hits(tile) == []
    np.testing.assert_array_equal(tile, before)


@pytest.mark.parametrize("mean", [0.005, 0.02, 0.1, 0.5, 3.0, 30.0])
def test_electrons_counted_one_by_one_stay(mean: float) -> None:
    counts = np.random.default_rng(3).poisson(mean, (512, 512)).astype(np.float32)
    low, high = np.percentile(counts, (0.5, 99.5))
    tile = (counts - low) / np.float32(max(high - low, 1.0))
    lost = [counts[place] for place in hits.replace_hits(tile)]
    assert sum(lost) < 1e-3 * counts.sum()


def test_hits_at_corners_and_of_everything_end() -> None:
    tile = grain(8)
    tile[0, 0] = tile[7, 7] = 9.0
    hits.replace_hits(tile)
    assert np.isfinite(tile).all()
    for shape in ((1, 1), (1, 7), (3, 3)):
        hits.replace_hits(np.full(shape, 9.0, np.float32))


@pytest.mark.parametrize("tile", [1024, 448])
def test_hits_are_counted_once_and_said(tile: int, tmp_path: Path, run: Callable[..., Any]) -> None:
    """Whatever the tiles are; the residual shows them."""
    image = 1000 + 400 * grain(640)
    places = [(5, 7), (300, 310), (301, 310), (330, 600), (639, 639)]
    for place in places:
        image[place] = 6000
    tifffile.imwrite(tmp_path / "a.tif", image.astype(np.uint16))
    done = run("denoise", tmp_path / "a.tif", "-m", IDENTITY, "--device", "cpu", "--tile", tile, "--residual", "--json")
    assert any(note.startswith("5 pixels standing out alone") for note in json.loads(done.out)["notes"])
    restored, left = (tifffile.imread(tmp_path / f"a_identity{part}.tif") for part in ("", "_residual"))
    assert restored.max() < 1500
    assert min(left[place] for place in places) > 4000


def test_one_frame_of_a_movie() -> None:
    image = np.stack([grain(64), grain(64, 2)]) + np.linspace(0.0, 2.0, 64, dtype=np.float32)
    image[1, 30, 30] = 30.0
    assert temclean.denoise(image, "g", device="cpu").max() < 3.0
