"""The pipeline on tiny models: scale, types, borders, tiles, stacks, and what it refuses."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from temclean.errors import ImageError, ModelError, ParameterError
from temclean.restoration import cautions, choice, inference, models, pipeline, scaling, tile_plan, tiling

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

DATA = Path(__file__).parents[1] / "data"
IDENTITY, NETWORK, AMPLIFIER = (DATA / f"{name}.onnx" for name in ("identity", "network", "amplifier"))
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def random_image(shape, dtype="f4", seed=0):
    values = np.random.default_rng(seed).gamma(3, 10, shape)
    return values.astype(dtype)


@pytest.fixture(scope="module")
def network():
    return models.open_session(models.load(NETWORK), "cpu", threads=2)


class OnDemand:
    """Frames that exist only while they are looked at; counts how often."""

    def __init__(self, frames):
        self.frames, self.shape, self.dtype, self.reads = frames, frames.shape, frames.dtype, 0

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, index):
        self.reads += 1
        return self.frames[index].copy()


@pytest.mark.parametrize("byteorder", ["=", ">"])
@pytest.mark.parametrize("dtype", TYPES)
def test_identity_gives_every_type_back(dtype, byteorder):
    image = random_image((41, 67), np.dtype(dtype).newbyteorder(byteorder))
    before = image.copy()
    for tile in (None, 16):
        result = pipeline.denoise(image, IDENTITY, device="cpu", tile=tile)
        assert result.dtype == image.dtype
        assert result.shape == image.shape
        if image.dtype.kind in "iu":
            np.testing.assert_array_equal(result, image)
        else:
            span = float(image.max()) - float(image.min())
            np.testing.assert_allclose(
                result.astype("f8"), image.astype("f8"), atol=3e-7 * span, rtol=1e-3 if dtype == "f2" else 0
            )
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f2"])
def test_what_leaves_the_type_is_clipped_not_wrapped(dtype):
    limits = np.finfo(dtype) if dtype == "f2" else np.iinfo(dtype)
    image = np.linspace(float(limits.min), float(limits.max), 64 * 64).reshape(64, 64).astype(dtype)
    result = pipeline.denoise(image, AMPLIFIER, device="cpu")
    low, high = np.percentile(image.astype("f8"), (0.5, 99.5))
    wanted = 3 * (image.astype("f8") - low) + low - (high - low)
    wanted = wanted.clip(float(limits.min), float(limits.max))
    np.testing.assert_allclose(result.astype("f8"), wanted, atol=0.5 + 1e-3 * (dtype == "f2") * high + high * 1e-6)
    assert result.min() == limits.min
    assert result.max() == limits.max


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 50), (5, 7), (64, 64), (129, 31)])
def test_any_size_is_continued_by_reflection(network, shape):
    image = random_image(shape)
    scale = pipeline.scaling(image[None], network.model)
    result = next(pipeline.denoise_frames(image[None], network))
    assert result.shape == shape
    if scale.flat:
        np.testing.assert_array_equal(result, image)
        return
    padded = np.pad(image, [(0, -length % 2) for length in shape], mode="reflect")
    batch = ((padded - scale.low) / (scale.high - scale.low)).astype(np.float32)
    whole = network.run(batch[None, None])[0, 0] * (scale.high - scale.low) + scale.low
    np.testing.assert_allclose(result, whole[: shape[0], : shape[1]], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(64, 64), (101, 77), (200, 33), (20, 150)])
@pytest.mark.parametrize("tile", [14, 16, 30, 50])
def test_tiled_and_whole_agree(network, shape, tile):
    image = random_image(shape)
    whole = next(pipeline.denoise_frames(image[None], network))
    tiled = next(pipeline.denoise_frames(image[None], network, tile=tile))
    assert len(pipeline.plan(shape, network.model, tile)) > 1
    assert np.abs(whole - tiled).max() < 1e-5 * (whole.max() - whole.min())
    assert np.abs(whole - image).max() > 1  # the network does something


def test_chosen_tiles_agree_with_the_whole(network, monkeypatch):
    image = random_image((150, 210))
    whole = next(pipeline.denoise_frames(image[None], network))
    monkeypatch.setattr(tile_plan, "TILE_AREA", 50 * 50)
    monkeypatch.setattr(tile_plan, "ROOMY", 0)
    monkeypatch.setattr(pipeline, "best_tile", tile_plan.best_tile.__wrapped__)  # which remembers no other area
    cut = pipeline.plan(image.shape, network.model)
    assert len(cut) > 1
    assert cut.tile[0] * cut.tile[1] <= 50 * 50
    assert {start % 2 for axis in (cut.rows, cut.columns) for start in axis.starts} == {0}
    assert np.abs(next(pipeline.denoise_frames(image[None], network)) - whole).max() < 1e-5 * np.ptp(whole)


@pytest.mark.parametrize("shape", [(2048, 2048), (4096, 4096), (16384, 16384), (3, 10**6), (5000, 300), (1600, 1600)])
def test_large_images_are_cut_within_the_area_and_without_waste(shape):
    model = models.load(NETWORK)
    for halo in (64, 160, 224):
        sized = models.Model(**{**vars(model), "multiple": 32, "halo": halo})
        cut = pipeline.plan(shape, sized)
        roomy = cut.shape[0] * cut.shape[1] <= tile_plan.ROOMY
        assert cut.tile[0] * cut.tile[1] <= (tile_plan.ROOMY_TILE_AREA if roomy else tile_plan.TILE_AREA)
        if min(shape) > 2000:
            assert len(cut) * cut.tile[0] * cut.tile[1] / (shape[0] * shape[1]) < 1.15 * (1 - 2 * halo / 1280) ** -2
        for axis in (cut.rows, cut.columns):
            for (begin, end), (start, following) in zip(axis.ramps, pairwise(axis.starts), strict=True):
                assert begin - following >= halo  # neither tile has weight in its halo
                assert start + axis.tile - end >= halo


def test_stacks_share_one_scale_and_are_read_frame_by_frame(network):
    stack = random_image((3, 40, 30), "u2")
    stack[1] *= 4
    frames = OnDemand(stack)
    progress = []
    results = pipeline.denoise_frames(frames, network, tile=20, progress=progress.append)
    first = next(results)
    assert frames.reads == 4  # three for the scale, one to denoise
    assert sum(progress) == len(pipeline.plan((40, 30), network.model, 20))
    rest = [first, *results]
    assert sum(progress) == pipeline.tile_count(stack.shape, network, tile=20)
    np.testing.assert_array_equal(pipeline.denoise(stack, NETWORK, device="cpu", tile=20), rest)
    alone = pipeline.denoise(stack[1], NETWORK, device="cpu", tile=20)
    assert np.abs(alone.astype(float) - rest[1]).max() > 1
    known = pipeline.scaling(frames, network.model)
    frames.reads = 0
    np.testing.assert_array_equal(list(pipeline.denoise_frames(frames, network, tile=20, scaling=known)), rest)
    assert frames.reads == 3


def test_leading_axes_are_kept():
    stack = random_image((2, 3, 20, 24), ">i2")
    result = pipeline.denoise(stack, IDENTITY, device="cpu")
    assert result.dtype == stack.dtype
    np.testing.assert_array_equal(result, stack)


@pytest.mark.parametrize("dtype", ["u1", ">u2", "f2", "f4", "i8"])
def test_a_flat_image_comes_back_unchanged(dtype):
    image = np.full((2, 20, 30), 7, dtype)
    result = pipeline.denoise(image, NETWORK, device="cpu")
    assert result.dtype == image.dtype
    assert result is not image
    np.testing.assert_array_equal(result, image)
    progress = []
    session = models.open_session(models.load(NETWORK), "cpu")
    list(pipeline.denoise_frames(image, session, progress=progress.append))
    assert sum(progress) == pipeline.tile_count(image.shape, session)


@pytest.mark.parametrize("tile", [None, 20])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_no_numbers_are_counted(bad, tile):
    image = random_image((3, 40, 30))
    image[1, 3, 4:7] = image[2, 0, 0] = bad
    where = r" \(2 of 3 frames, the first is frame 1\)"
    with pytest.raises(ImageError, match=rf"4 of 3600 pixels are NaN or infinite{where}: .*nan_to_num"):
        pipeline.denoise(image, NETWORK, device="cpu", tile=tile)
    with pytest.raises(ImageError, match=r"3 of 1200 pixels are NaN or infinite: "):
        pipeline.denoise(image[1], NETWORK, device="cpu", tile=tile)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros(5), "rows and columns"),
        (np.zeros((0, 5)), "rows and columns"),
        (np.zeros((4, 5), complex), "complex128"),
        (np.zeros((4, 5), bool), "bool"),
        (np.zeros((20, 30, 3), "u1"), "colour"),
        (np.array([[-1e308, 1e308]]), "rescale"),
        (np.array([[0, 1e-320]]), "rescale"),
    ],
)
def test_arrays_that_are_no_images_are_refused(image, message):
    with pytest.raises(ImageError, match=message):
        pipeline.denoise(image, NETWORK, device="cpu")


def test_tiles_too_small_for_the_halo_are_refused(network):
    image = random_image((100, 100))
    with pytest.raises(ParameterError, match="give 14 or more"):
        pipeline.denoise(image, NETWORK, device="cpu", tile=12)
    for tile in (0, -5):
        with pytest.raises(ParameterError):
            pipeline.denoise(image, NETWORK, device="cpu", tile=tile)
    small = image[:10, :10]
    np.testing.assert_array_equal(
        pipeline.denoise(small, NETWORK, device="cpu", tile=12), pipeline.denoise(small, NETWORK, device="cpu")
    )
    with pytest.raises(ModelError, match="no model is called"):
        pipeline.denoise(image, "absent", device="cpu")


def test_sessions_are_used_again(monkeypatch):
    opened = []
    real = models.open_session
    monkeypatch.setattr(models, "open_session", lambda *args: opened.append(args) or real(*args))
    models._session.cache_clear()
    image = random_image((8, 8))
    for model in (NETWORK, str(NETWORK), models.load(NETWORK)):
        pipeline.denoise(image, model, device="cpu")
    assert len(opened) == 1
    pipeline.denoise(image, NETWORK, device="cpu", threads=1)
    assert len(opened) == 2


@pytest.mark.parametrize("dtype", [*TYPES, ">u2", ">i2", ">f4"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 2), (1, 37, 41), (5, 30, 20)])
def test_scale_is_that_of_numpy(shape, dtype):
    frames = random_image(shape, dtype)
    if np.dtype(dtype).kind == "i":
        frames -= np.array(20, dtype)
    measured = scaling.measure(frames, 0.5, 99.5)
    low, high = np.percentile(frames.astype("f8"), (0.5, 99.5))
    np.testing.assert_allclose((measured.low, measured.high), (low, high), rtol=1e-6 if dtype != "f2" else 1e-3)
    assert measured.flat == (low == high)


def scaled(image, room=0.25):
    return scaling.measure(image[None], 0.5, 99.5, room)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4", "f8"])
def test_room_is_left_where_noise_is_not_cut_off(dtype):
    rng = np.random.default_rng(0)
    cases = {
        (False, False): rng.normal(100, 10, (200, 200)),
        (True, False): np.maximum(rng.normal(10, 10, (200, 200)), 0),
        (False, True): np.minimum(rng.normal(240, 10, (200, 200)), 255),
        (True, True): np.clip(rng.normal(128, 120, (200, 200)), 0, 255),
    }
    for cut, values in cases.items():
        image = values.astype(dtype)
        low, high = np.percentile(image.astype("f8"), (0.5, 99.5))
        spare = 0.25 * (high - low)
        wanted = low - spare * (not cut[0]), high + spare * (not cut[1])
        np.testing.assert_allclose([scaled(image).low, scaled(image).high], wanted, rtol=1e-6)
        np.testing.assert_allclose(scaled(image).room, spare * (2 - sum(cut)), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("mean", [0.3, 1.0, 4.0])
def test_counted_electrons_are_not_taken_for_a_cut(mean, dtype):
    """Of their zeros many are true; beside brighter halves they were lowered."""
    rng = np.random.default_rng(1)
    counts = np.vstack([rng.poisson(mean, (100, 200)), rng.poisson(50, (100, 200))]).astype(dtype)
    assert scaled(counts).low < 0


@pytest.mark.parametrize("dtype", ["u1", "u2", "i4", "f4"])
@pytest.mark.parametrize(("step", "offset"), [(1, 0), (7, 100)])
def test_counts_on_an_empty_ground_are_not_taken_for_a_cut(step, offset, dtype):
    """Most of an image may be vacuum, or a map of X-rays, where hardly a pixel holds one."""
    rng = np.random.default_rng(1)
    counts = rng.poisson(0.06, (200, 200))
    counts[60:140, 60:140] = rng.poisson(4, (80, 80))
    assert np.count_nonzero(counts == 0) > scaling.PILE * np.count_nonzero(counts == 1)
    assert scaled((offset + step * counts).astype(dtype)).low < offset
    noise = rng.normal(0, 6, (200, 200))
    noise[60:140, 60:140] += 40
    assert scaled((offset + np.maximum(noise, 0)).astype(dtype)).low == offset


def test_scale_of_sparse_counts_falls_back_to_the_extremes():
    for dtype in ("u1", "i4", "f4"):
        frames = np.zeros((1, 100, 100), dtype)
        frames[0, 5, 5] = 3
        assert scaling.measure(frames, 0.5, 99.5) == scaling.Scaling(0.0, 3.0)


def test_scale_of_large_floats_is_sampled_evenly(monkeypatch):
    monkeypatch.setattr(scaling, "SAMPLE", 1000)
    monkeypatch.setattr(scaling, "CHUNK", 7 * 128)
    frames = np.tile(np.arange(128, dtype="f4"), (4, 64, 1))  # a stride that divides 128 would see few columns
    measured = scaling.measure(frames, 5, 95)
    low, high = np.percentile(frames, (5, 95))
    assert abs(measured.low - low) < 3
    assert abs(measured.high - high) < 3
    assert measured == scaling.measure(frames, 5, 95)
    seen = []
    monkeypatch.setattr(scaling, "percentile", lambda sample, percent: seen.append(sample) or percent)
    numbered = np.arange(4 * 64 * 128, dtype="i8").reshape(4, 64, 128)
    scaling.measure(numbered, 5, 95)
    assert len(set(np.diff(seen[0]))) == 1  # across chunks and frames


@pytest.mark.parametrize("count", [1, 2, 10, 5000, 70_000])
def test_percentiles_are_those_of_numpy(count):
    rng = np.random.default_rng(count)
    for pixels in (rng.normal(size=count), rng.poisson(0.3, count), np.sort(rng.normal(size=count)), np.ones(count)):
        for percent in (0, 0.5, 5, 50, 95, 99.5, 100):
            found = scaling.percentile(pixels.astype("f4"), percent)
            assert found == pytest.approx(np.percentile(pixels.astype("f4").astype("f8"), percent), rel=1e-12, abs=0)


def test_huge_frames_need_no_second_copy(network):
    """Peak memory beyond input and output is that of a few tiles."""
    import tracemalloc

    for dtype in ("u2", ">u2", "f2"):
        image = random_image((1, 1200, 900), dtype)
        list(pipeline.denoise_frames(image[:, :64, :64], network))
        tracemalloc.start()
        for _ in pipeline.denoise_frames(image, network, tile=100, scaling=scaling.Scaling(0.0, 100.0)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        bands = 0 if dtype == "u2" else 100 * 900 * 4
        assert peak < image.nbytes + bands + 400_000


class Recorder:
    """A session of an identity that notes what it is shown."""

    def __init__(self, family):
        self.model = models.Model(**{**vars(models.load(IDENTITY)), "family": family})
        self.seen = []

    def run(self, batch):
        self.seen.append((float(batch.min()), float(batch.max())))
        return batch.copy()


@pytest.mark.parametrize("dtype", ["u2", "f4"])
@pytest.mark.parametrize("family", ["g", "general", "sp", "gsp"])
def test_what_stands_out_is_not_shown_to_the_network_and_comes_back(family, dtype):
    """A network has not learned such values: it rings around them. Single wild pixels do not come back."""
    image = np.random.default_rng(2).normal(1000, 20, (128, 128)).astype(dtype)
    rows, columns = np.ogrid[:128, :128]
    particle = (rows - 60) ** 2 + (columns - 60) ** 2 < 4**2
    image[particle] = 20_000
    image[20, 20] = 60_000
    session = Recorder(family)
    restored = next(pipeline.denoise_frames(image[None], session))
    assert session.seen[0][0] > -inference.REACH
    assert session.seen[0][1] <= 1 + inference.REACH
    np.testing.assert_allclose(restored[particle], 20_000, rtol=1e-4)
    rest = ~particle
    rest[20, 20] = False
    np.testing.assert_allclose(restored[rest], image[rest], atol=0.01)
    assert restored[20, 20] < 1300


def test_single_counts_do_not_come_back_where_atoms_alone_are_shown():
    """In a movie of few counts three of them on a pixel stand far out of the scale, and are noise; here on four."""
    image = np.random.default_rng(4).poisson(0.02, (128, 128)).astype(np.float32)
    image[39:42, 39:42] = 4.0
    image[40, 40] = 9.0
    restored = next(pipeline.denoise_frames(image[None], Recorder("n2a")))
    assert restored[40, 40] == pytest.approx(1.0 + inference.REACH)
    assert next(pipeline.denoise_frames(image[None], Recorder("g")))[40, 40] == pytest.approx(9.0)


def test_the_plan_of_the_pipeline_is_that_of_tiling(network):
    assert isinstance(pipeline.plan((100, 100), network.model, 20), tiling.Plan)


@pytest.mark.parametrize("shape", [(256, 256), (700, 1100)])
@pytest.mark.parametrize("dtype", ["f4", "u2"])
def test_noise_level_is_that_of_gaussian_noise_whatever_the_scale_and_the_zingers(shape, dtype):
    rng = np.random.default_rng(3)
    clean = np.where(rng.random(shape) < 0.3, 5000.0, 3000.0)
    noisy = clean + rng.normal(0, 700, shape)
    noisy[rng.random(shape) < 0.002] = 60_000
    found = cautions.noise_level(noisy.clip(0, 65535).astype(dtype), clean.astype(dtype))
    assert found == pytest.approx(0.35, rel=0.05)


def test_wild_pixels_that_are_taken_out_are_no_grain():
    rng = np.random.default_rng(4)
    clean = np.tile(np.linspace(0.2, 0.8, 256), (256, 1))
    noisy = clean + 0.05 * rng.standard_normal(clean.shape)
    noisy[rng.random(clean.shape) < 0.3] = 1.5
    noisy[rng.random(clean.shape) < 0.3] = -0.5
    assert cautions.noise_level(noisy, clean, wild=True) == pytest.approx(0.05 / 0.594, rel=0.03)
    assert cautions.noise_level(noisy, clean) > 0.6


def test_noise_level_without_contrast_is_infinite():
    image = random_image((64, 64))
    assert cautions.noise_level(image, np.ones_like(image)) == float("inf")


def test_an_even_frame_that_comes_back_as_it_was_has_no_noise():
    frame = np.full((64, 64), 7, np.uint16)
    frame[3, 5] = 900  # a wild pixel does not make it noisy
    assert cautions.noise_level(frame, np.full_like(frame, 7)) == 0.0


def test_noise_level_is_told_of_each_frame(network):
    stack = random_image((3, 40, 50))
    levels = []
    results = list(pipeline.denoise_frames(stack, network, noise=levels.append))
    assert levels == [cautions.noise_level(*pair) for pair in zip(stack, results, strict=True)]
    flat = np.ones((2, 40, 50), np.float32)
    assert len(list(pipeline.denoise_frames(flat, network, noise=levels.append))) == 2
    assert len(levels) == 3


def test_masks_and_stacks_of_colours_are_refused_as_what_they_hide_would_count() -> None:
    frame = np.random.default_rng(6).normal(1.0, 0.1, (64, 64))
    masked = np.ma.masked_array(frame, mask=frame > 1.25)
    with pytest.raises(ImageError, match="some pixels are masked"):
        pipeline.denoise(masked, IDENTITY, device="cpu")
    nothing_masked = pipeline.denoise(np.ma.masked_array(frame), IDENTITY, device="cpu")
    np.testing.assert_array_equal(nothing_masked, pipeline.denoise(frame, IDENTITY, device="cpu"))
    for name in ("a.dm4", Path("a.dm4")):
        with pytest.raises(ImageError, match=r"temclean\.read\('a\.dm4'\)"):
            pipeline.denoise(name, IDENTITY, device="cpu")
        with pytest.raises(ImageError, match=r"temclean\.read\('a\.dm4'\)"):
            choice.choose(name)
    with pytest.raises(ImageError, match="colour image"):
        pipeline.denoise(np.zeros((4, 64, 64, 3)), IDENTITY, device="cpu")


@pytest.mark.parametrize("dtype", ["i8", "u8", "i4", "u4"])
def test_a_mixed_image_keeps_what_is_as_bright_as_its_type_can_be(dtype: str) -> None:
    greatest = np.iinfo(dtype).max
    frame = np.full((48, 48), greatest // 2, dtype)
    frame[:24] = greatest
    mixed = pipeline.denoise(frame, IDENTITY, device="cpu", blend=0.5)
    assert (mixed.astype(float) / float(greatest))[:20] == pytest.approx(1.0, abs=1e-6)
