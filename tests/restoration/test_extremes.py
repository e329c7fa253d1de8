"""What a detector has cut off stays, and impulses go as before."""

import numpy as np
import pytest
from scipy import ndimage

from temclean import noise, specimen
from temclean.restoration import extremes, models, pipeline
from temclean.training import evaluate

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")

WILD = ("gsp", "sp")


def discs(radius: int, size: int = 160, pitch: int = 53) -> np.ndarray:
    """Return where discs of a radius lie."""
    rows, columns = np.ogrid[:size, :size]
    return (rows % pitch - pitch // 2) ** 2 + (columns % pitch - pitch // 2) ** 2 <= radius**2


@pytest.mark.parametrize("side", [5, 7, 9, 17, 33])
@pytest.mark.parametrize("shape", [(60, 41), (1, 50), (12, 9)])
def test_sums_are_those_of_scipy(shape: tuple[int, int], side: int) -> None:
    image = (np.random.default_rng(0).random(shape) < 0.5).astype(np.uint8)
    wanted = ndimage.convolve(image.astype(int), np.ones((side, side), int), mode="reflect")
    np.testing.assert_array_equal(extremes.sums(image, side), wanted)


@pytest.mark.parametrize("level", [0.03, 0.2, 0.42])
@pytest.mark.parametrize("family", ["sp", "gsp"])
def test_impulses_make_no_area(family: str, level: float) -> None:
    """Of the dark they turn 42% white at most; what is white and was hit by Gaussian noise is so by half."""
    for grey in (0.0, 0.3, 0.49):
        noisy = noise.apply(np.full((256, 256), grey, np.float32), noise.FAMILIES[family](level), seed=3)
        assert extremes.areas(noisy > 1 - extremes.NEAR) == (None, None)
    white = noise.apply(np.ones((256, 256), np.float32), noise.FAMILIES["gsp"](level), seed=3)
    assert extremes.areas(white > 1 - extremes.NEAR) == (None, None)


@pytest.mark.parametrize("model", WILD)
@pytest.mark.parametrize("dark", [False, True], ids=["white", "black"])
@pytest.mark.parametrize("radius", [3, 5, 10])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_areas_at_an_extreme_stay(model: str, dark: bool, radius: int, dtype: str) -> None:
    """A disc of 255 became its surroundings, 60."""
    top = np.iinfo(dtype).max
    inside = discs(radius)
    image = np.where(inside, 1.5, 0.25) + np.random.default_rng(1).normal(0, 0.06, inside.shape)
    image = image.clip(0, 1)
    image = np.rint(top * (1 - image if dark else image)).astype(dtype)
    restored = pipeline.denoise(image, model, device="cpu") / top
    assert abs(restored[inside].mean() - (not dark)) < 0.02
    outside = ~ndimage.binary_dilation(inside, iterations=4)
    assert abs(restored[outside].mean() - (0.75 if dark else 0.25)) < 0.01


@pytest.mark.parametrize("model", WILD)
def test_clipped_tops_of_particles_and_a_data_bar_stay(model: str) -> None:
    rows, columns = np.mgrid[:256, :256]
    dome = (1 - ((rows % 64 - 32) ** 2 + (columns % 64 - 32) ** 2) / 26**2).clip(0, None) ** 0.5
    draw = np.random.default_rng(2)
    image = (8000 + 80_000 * dome + draw.normal(0, 1500, dome.shape)).clip(0, 65535).astype(np.uint16)
    clipped = ndimage.binary_erosion(image == 65535, iterations=2)
    assert 0.1 < clipped.mean() < 0.4
    assert pipeline.denoise(image, model, device="cpu")[clipped].min() > 0.89 * 65535
    bar = draw.normal(100, 25, (256, 256)).clip(1, 250).astype(np.uint8)
    bar[220:] = 255
    assert pipeline.denoise(bar, model, device="cpu")[223:].min() > 0.89 * 255


@pytest.mark.parametrize("model", WILD)
def test_areas_stay_among_impulses(model: str) -> None:
    inside = discs(12, 212)
    image = np.where(inside, 1.0, 0.25).astype(np.float32)
    noisy = noise.apply(image, noise.SaltPepper(0.1), seed=4)
    restored = pipeline.denoise(noisy, model, device="cpu")
    assert restored[inside].mean() > 0.85
    outside = ~ndimage.binary_dilation(inside, iterations=4)
    assert (restored[outside] > 0.9).mean() < 1e-4


@pytest.mark.usefixtures("network_once")
@pytest.mark.parametrize("model", WILD)
@pytest.mark.parametrize("level", [0.03, 0.42])
def test_impulses_go_as_before(model: str, level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (_, _, drawn) in enumerate(evaluate.held_out(1, 160)):
        noisy = evaluate.distort(drawn.image, model, level, number)
        restored = pipeline.denoise(noisy, model, device="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(extremes, "keep_areas", lambda *_: None)
            before = pipeline.denoise(noisy, model, device="cpu")
        errors = [float(np.square(each - drawn.image).mean()) for each in (restored, before)]
        assert errors[0] <= 1.0001 * errors[1]


def test_areas_leave_no_seam() -> None:
    session = models.open_session(models.load("gsp"), "cpu")
    image = np.random.default_rng(5).normal(0.3, 0.05, (448, 512)).astype(np.float32)
    image[:, 120:400][discs(14, 448)[:, :280]] = 1.0
    image[300:, 230:275] = 1.0
    image = image.clip(0, 1)
    assert len(pipeline.plan(image.shape, session.model, 448)) > 1
    whole, tiled = (next(pipeline.denoise_frames(image[None], session, tile=tile)) for tile in (None, 448))
    assert np.abs(whole - tiled).max() < 1e-4


@pytest.mark.parametrize("level", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_sp_changes_what_impulses_hit_alone(dtype: str, level: float) -> None:
    """All else comes out bit for bit, and in their place stands more than the median of what they have left."""
    clean = 0.1 + 0.8 * specimen.scale(specimen.draw("scene", 192, 0.1, evaluate.FIRST_SEED + 7).image)
    top = 1.0 if dtype == "f4" else np.iinfo(dtype).max
    clean = (np.rint(top * clean) if dtype != "f4" else clean).astype(dtype)
    draw = np.random.default_rng(8)
    hit = draw.random(clean.shape) < level
    noisy = np.where(hit, draw.integers(0, 2, clean.shape) * top, clean).astype(dtype)
    restored = pipeline.denoise(noisy, "sp", device="cpu")
    assert (restored == noisy)[~hit].mean() > 0.999
    assert not (restored == noisy)[hit].any()
    left = np.where(hit, np.nan, clean.astype(float))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(left, 2, mode="reflect"), (5, 5))[hit]
    medians = np.nanmedian(around.reshape(-1, 25), axis=1)
    errors = [np.square(each - clean[hit]).mean() for each in (restored[hit].astype(float), medians)]
    assert errors[0] < 0.4 * errors[1]


def test_impulses_between_black_and_white_go() -> None:
    """Half dead pixels, of which a mask of the extremes tells nothing."""
    clean = 0.1 + 0.8 * specimen.scale(specimen.draw("lr", 192, 0.1, evaluate.FIRST_SEED + 7).image)
    draw = np.random.default_rng(9)
    hit = draw.random(clean.shape) < 0.03
    noisy = np.where(hit, draw.random(clean.shape), clean).astype(np.float32)
    noisy[draw.random(clean.shape) < 0.01] = 1.0
    restored = pipeline.denoise(noisy, "sp", device="cpu")
    seen = hit & (np.abs(noisy - clean) > 0.2)
    assert (np.abs(restored - clean) < 0.25 * np.abs(noisy - clean))[seen].mean() > 0.95


def test_untouched_pixels_are_told_as_by_loops() -> None:
    draw = np.random.default_rng(10)
    tile = draw.random((40, 33)).astype(np.float32)
    tile[draw.random(tile.shape) < 0.2] = 0.0
    change = draw.normal(0, 0.004, tile.shape) + (draw.random(tile.shape) < 0.1) * draw.normal(0, 0.2, tile.shape)
    change[:, 20:] *= 3.0
    restored = (tile + change).astype(np.float32)
    wanted = restored.copy()
    known = (tile >= extremes.NEAR) & (tile <= 1 - extremes.NEAR)
    changes = np.where(known, np.abs(restored - tile), np.nan)
    around = np.pad(changes, 2, mode="symmetric")
    usual = max(0.02, 10 * np.nanquantile(changes, 0.3))
    for row, column in np.argwhere(known):
        beside = np.nanmedian(around[row : row + 5, column : column + 5])
        if changes[row, column] <= max(usual, 4 * beside):
            wanted[row, column] = tile[row, column]
    kept = restored.copy()
    extremes.keep_untouched(tile, kept)
    np.testing.assert_array_equal(kept, wanted)
    assert 20 < np.count_nonzero(kept[known] == restored[known]) < 200


def test_peaks_beyond_the_percentiles_stay_where_few_pixels_were_hit() -> None:
    """Tops of columns, of which the brightest half percent lies beyond the scale; a track across pixels does not."""
    rows, columns = np.mgrid[:160, :160] * (2 * np.pi / 16.0)
    clean = np.rint(20000 + 6000 * (np.cos(rows) + np.cos(columns)) + 1000 * np.cos(rows / 7)).astype("u2")
    noisy = clean.copy()
    hit = np.random.default_rng(11).random(clean.shape) < 0.001
    hit[88, 90:97] = True
    noisy[hit] = 60000
    restored = pipeline.denoise(noisy, "sp", device="cpu")
    assert (np.abs(restored[hit].astype(float) - clean[hit]) < 1500).all()
    assert (restored == noisy)[~hit].mean() > 0.995


@pytest.mark.parametrize(("dtype", "offset", "contrast"), [("f8", 0, 1), ("f8", 1e6, 1), ("f4", 0, 1), ("i8", 0, 1e15)])
def test_untouched_pixels_are_exact_in_wide_types_and_in_tiles(dtype: str, offset: float, contrast: float) -> None:
    """Tiles are float32: of float64 no pixel came back bit for bit, of float32 none where tiles overlap."""
    draw = np.random.default_rng(1)
    clean = 0.5 + 0.3 * np.sin(np.arange(400) / 20.0) * np.cos(np.arange(100) / 30.0)[:, None]
    image = clean + draw.normal(0.0, 0.01, clean.shape)
    hit = draw.random(clean.shape) < 0.02
    image[hit] = draw.integers(0, 2, clean.shape)[hit]
    image = (offset + contrast * image).astype(dtype)
    restored = pipeline.denoise(image, "sp", device="cpu", tile=336)
    assert np.mean(restored[~hit] == image[~hit]) > 0.99
    assert not np.any(restored[hit] == image[hit])
