"""Tiles against their NumPy twins: coverage, weights, borders, layouts, types, threads."""

from itertools import pairwise

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from temclean.errors import ImageError, ParameterError
from temclean.restoration import tiling

TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8"]


def random_image(shape, dtype="f4", seed=0):
    dtype = np.dtype(dtype)
    values = np.random.default_rng(seed).random(shape)
    if dtype.kind == "f":
        return values.astype(dtype)
    info = np.iinfo(dtype)
    return (info.min / 2 + values * 100).astype(dtype)


@st.composite
def cuts(draw):
    """Draw a shape and a plan for it: any tile and overlap that fit, tiles larger than the image too."""
    shape = draw(st.tuples(st.integers(1, 70), st.integers(1, 70)))
    multiple = draw(st.sampled_from([1, 1, 2, 8]))
    tile = tuple(multiple * draw(st.integers(1, 40 // multiple)) for _ in range(2))
    overlap = tuple(draw(st.integers(0, side - multiple)) for side in tile)
    margin = draw(st.integers(0, min(overlap) // 2))
    return shape, tiling.plan(shape, tile, overlap, margin=margin, multiple=multiple), overlap, multiple


@given(cuts())
@settings(deadline=None, max_examples=100, derandomize=True)
def test_any_plan_covers_the_image_and_gives_it_back(cut):
    shape, plan, overlap, multiple = cut
    for axis, shared in zip((plan.rows, plan.columns), overlap, strict=True):
        starts, tile = axis.starts, axis.tile
        assert starts[0] == 0
        assert all(start % multiple == 0 for start in starts)
        assert all(first + tile - second >= shared for first, second in pairwise(starts))
        if len(starts) > 1:  # the last one ends flush with the image, or with the next multiple of it
            assert starts[-1] + tile == -(-axis.length // multiple) * multiple
        weights = reference.weights(axis)
        assert (weights >= 0).all()
        np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-15)
        for k, start in enumerate(starts):
            assert not weights[k, :start].any()
            assert not weights[k, start + tile :].any()
    image = random_image(shape)
    tiles = tiling.split(image, plan)
    assert tiles.shape == (len(plan), *plan.tile)
    assert np.abs(tiling.blend(tiles, plan) - image).max() <= 3e-7


@given(cuts())
@settings(deadline=None, max_examples=40, derandomize=True)
def test_blending_is_the_sum_that_the_twin_makes(cut):
    _, plan, _, _ = cut
    tiles = np.random.default_rng(1).random((len(plan), *plan.tile), dtype=np.float32)
    np.testing.assert_allclose(tiling.blend(tiles, plan), reference.blend(tiles, plan), atol=5e-7)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("byteorder", ["=", ">"])
@pytest.mark.parametrize("dtype", TYPES)
def test_split_reads_any_type_and_layout(dtype, byteorder, threads):
    base = random_image((50, 90), np.dtype(dtype).newbyteorder(byteorder))
    base.flags.writeable = False
    for image in (base, base[::2, ::3], base.T, base[::-1, ::-1], np.asfortranarray(base), base[7:8], base[:, 5:6]):
        plan = tiling.plan(image.shape, (16, 24), (5, 8))
        starts = [(top, left) for top in plan.rows.starts for left in plan.columns.starts]
        expected = reference.gather(image, *zip(*starts, strict=True), plan.tile, offset=3.0, scale=0.25)
        tiles = tiling.split(image, plan, offset=3.0, scale=0.25, threads=threads)
        np.testing.assert_allclose(tiles, expected, rtol=2e-7)
        one = tiling.split(image, plan, first=len(plan) - 1, offset=3.0, scale=0.25, threads=threads)
        np.testing.assert_array_equal(one[0], tiles[-1])


def test_split_reads_unaligned_fields_and_large_integers_exactly():
    table = np.zeros((9, 9), dtype=[("flag", "u1"), ("counts", "u4")])
    table["counts"] = 2**32 - 1 - np.arange(81, dtype=np.uint32).reshape(9, 9)
    plan = tiling.plan((9, 9), 4, 1)
    expected = tiling.split(80 - np.arange(81.0).reshape(9, 9), plan)
    np.testing.assert_array_equal(tiling.split(table["counts"], plan, offset=2**32 - 81), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 50), (7, 2)])
def test_a_tile_larger_than_the_image_is_filled_by_reflection(shape):
    image = random_image(shape)
    plan = tiling.plan(shape, 32, multiple=32) if max(shape) <= 32 else tiling.plan(shape, (32, 64), multiple=32)
    expected = np.pad(image, [(0, plan.tile[i] - shape[i]) for i in range(2)], mode="reflect")
    np.testing.assert_array_equal(tiling.split(image, plan)[0], expected)
    np.testing.assert_array_equal(tiling.blend(tiling.split(image, plan), plan), image)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", [name for name in TYPES if name != "f2"])
def test_blend_rounds_and_clips_into_any_type(dtype, threads):
    plan = tiling.plan((61, 47), (16, 20), (6, 9))
    tiles = np.random.default_rng(3).normal(0.5, 1, (len(plan), *plan.tile)).astype(np.float32)
    expected = reference.blend(tiles, plan, dtype if dtype[1] != "8" or dtype == "f8" else "f8", 10.0, 100.0)
    out = np.empty(plan.shape, dtype)
    blender = tiling.Blender(plan, out.dtype, offset=10.0, scale=100.0, threads=threads)
    for first in range(0, len(plan), 3):
        blender.add(tiles[first : first + 3], out)
    if out.dtype.kind == "f":
        np.testing.assert_allclose(out, expected, atol=2e-4)
    else:
        wanted = expected if dtype[1] != "8" else np.rint(expected).clip(0 if dtype == "u8" else -np.inf)
        assert np.abs(out.astype(float) - wanted.astype(float)).max() <= 1  # ties, and float32 sums
        assert np.mean(out != wanted) < 0.01


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "u4", "i8", "u8"])
def test_what_does_not_fit_an_integer_is_clipped_not_wrapped(dtype):
    plan = tiling.plan((2, 3), 4)
    tiles = np.zeros((1, 4, 4), np.float32)
    tiles[0, 0, :3] = -1e30, 1e30, np.nan
    info = np.iinfo(dtype)
    low, high, nan = tiling.blend(tiles, plan, out=np.empty((2, 3), dtype))[0]
    assert low == nan == info.min
    assert float(high) >= float(info.max) * (1 - 1e-15)
    assert high > 0


def test_bands_hold_the_rows_that_are_finished():
    plan = tiling.plan((100, 40), (32, 40), (10, 0), margin=3)
    image = random_image((100, 40))
    tiles = tiling.split(image, plan)
    blender = tiling.Blender(plan, np.float32)
    seen = 0
    for row in range(len(plan.rows.starts)):
        rows = blender.band(row)
        assert rows.start == seen
        band = np.full((rows.stop - rows.start, 40), np.nan, np.float32)
        blender.add(tiles[row : row + 1], band, rows.start)
        np.testing.assert_array_equal(band, image[rows])
        seen = rows.stop
    assert seen == 100


def test_tiles_that_disagree_leave_no_seam():
    plan = tiling.plan((256, 256), 64, 16)
    row, column = np.divmod(np.arange(len(plan)), len(plan.columns.starts))
    tiles = np.broadcast_to(np.where((row + column) % 2, 0.55, 0.45)[:, None, None], (len(plan), *plan.tile))
    result = tiling.blend(tiles.astype(np.float32), plan)
    steps = max(np.abs(np.diff(result, axis=axis)).max() for axis in (0, 1))
    assert steps <= 0.1 / 17 + 1e-6


def test_the_result_is_the_same_for_any_number_of_threads():
    image = random_image((333, 257))
    plan = tiling.plan(image.shape, (64, 48), (20, 30))
    tiles = tiling.split(image, plan) * np.linspace(0.5, 1, len(plan), dtype=np.float32)[:, None, None]
    one = tiling.blend(tiles, plan)
    for threads in (2, 4):
        np.testing.assert_array_equal(tiling.blend(tiles, plan, threads=threads), one)


@pytest.mark.parametrize("misplaced", [0, 1])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_what_is_written_past_the_caches_is_the_same(misplaced, scale):
    image = random_image((1500, 1501))
    plan = tiling.plan(image.shape, (250, 251), (30, 31))
    across = len(plan.columns.starts)
    once = tiling.split(image, plan)
    parts = [tiling.split(image, plan, first=first, count=across) for first in range(0, len(plan), across)]
    assert parts[0].nbytes < 2**23 < min(once.nbytes, image.nbytes)  # CACHE of the kernels
    np.testing.assert_array_equal(once, np.concatenate(parts))
    tiles = once * np.linspace(0.5, 1, len(plan), dtype=np.float32)[:, None, None]
    blender, bands = tiling.Blender(plan, "f4", scale=scale), []
    for row in range(len(plan.rows.starts)):
        rows = blender.band(row)
        bands.append(np.empty((rows.stop - rows.start, 1501), np.float32))
        blender.add(tiles[row * across : (row + 1) * across], bands[-1], rows.start)
    for step, threads in ((1, 1), (1, 2), (5, 1), (len(plan), 1), (len(plan), 3)):
        out = np.full(image.size + misplaced, np.nan, np.float32)[misplaced:].reshape(image.shape)
        blender = tiling.Blender(plan, "f4", scale=scale, threads=threads)
        for first in range(0, len(plan), step):
            blender.add(tiles[first : first + step], out)
        np.testing.assert_array_equal(out, np.concatenate(bands))


@pytest.mark.parametrize("dtype", [*TYPES, ">u2", ">f4"])
@pytest.mark.parametrize(("down", "right"), [(0, 0), (8, 24), (-3, 5), (50, -91), (1000, 1)])
def test_roll(dtype, down, right):
    image = random_image((50, 90), dtype)
    for view in (image, image[::2, ::-1], image.T):
        rolled = tiling.roll(view, down, right, threads=2)
        np.testing.assert_array_equal(rolled, reference.roll(view, down, right))


def test_shifts_are_four_images_from_one():
    image = random_image((64, 64))
    copies = tiling.shifts(image)
    assert copies.shape == (4, 64, 64)
    for copy, step in zip(copies, (0, 8, 16, 24), strict=True):
        np.testing.assert_array_equal(copy, reference.roll(image, step, step))


def test_crops_are_pieces_of_the_image_at_places_all_equally_likely():
    image = np.arange(20 * 30, dtype=np.float32).reshape(20, 30)
    count = 8000
    cut = tiling.crops(image, (17, 28), count, seed=4)
    corners = cut[:, 0, 0].astype(int)
    np.testing.assert_array_equal(cut, corners[:, None, None] + image[:17, :28])
    tops, lefts = np.divmod(corners, 30)
    table = np.zeros((4, 3))
    np.add.at(table, (tops, lefts), 1)
    expected = count / table.size
    chi_square = float(((table - expected) ** 2 / expected).sum())
    assert chi_square < 31.3  # 11 degrees of freedom, one in a thousand
    np.testing.assert_array_equal(tiling.crops(image, (17, 28), 5, seed=4), tiling.crops(image, (17, 28), 5, seed=4))
    assert tiling.crops(image, 20, 2, seed=0).shape == (2, 20, 20)


def test_out_is_written_and_returned():
    image = random_image((40, 40))
    plan = tiling.plan(image.shape, 16, 4)
    tiles, result = np.empty((len(plan), 16, 16), np.float32), np.empty((40, 40), np.float32)
    assert tiling.split(image, plan, out=tiles) is tiles
    assert tiling.blend(tiles, plan, out=result) is result
    np.testing.assert_array_equal(result, image)


@pytest.mark.parametrize(
    ("tile", "overlap", "margin", "multiple"),
    [
        (0, 0, 0, 1),
        (8, 8, 0, 1),
        (8, -1, 0, 1),
        (8, 4, 3, 1),
        (8, 4, -1, 1),
        (12, 0, 0, 8),
        (16, 12, 0, 8),
        (8, 0, 0, 0),
    ],
)
def test_plans_that_do_not_fit_are_refused(tile, overlap, margin, multiple):
    with pytest.raises(ParameterError):
        tiling.plan((100, 100), tile, overlap, margin=margin, multiple=multiple)


def test_arrays_that_do_not_fit_are_refused():
    plan = tiling.plan((20, 20), 8, 2)
    image = random_image((20, 20))
    tiles = tiling.split(image, plan)
    with pytest.raises(ImageError, match=r"shape \(20, 21\)"):
        tiling.split(random_image((20, 21)), plan)
    with pytest.raises(ImageError, match="complex"):
        tiling.split(image.astype(complex), plan)
    with pytest.raises(ParameterError, match="not among"):
        tiling.split(image, plan, first=len(plan))
    with pytest.raises(ParameterError):
        tiling.split(image, plan, out=np.empty((1, 8, 8), np.float32))
    with pytest.raises(ParameterError):
        tiling.blend(tiles[1:], plan)
    with pytest.raises(ParameterError):
        tiling.blend(tiles, plan, out=np.empty((20, 19), np.float32))
    with pytest.raises(ParameterError, match="f2"):
        tiling.blend(tiles, plan, out=np.empty((20, 20), np.float16))
    with pytest.raises(ParameterError, match="rows"):
        tiling.Blender(plan, "f4").add(tiles, np.empty((19, 20), np.float32))
    with pytest.raises(ParameterError):
        tiling.crops(image, 21, 1, seed=0)
    with pytest.raises(ParameterError, match="in place"):
        tiling.roll(image, 1, 1, out=image)
    with pytest.raises(ImageError):
        tiling.roll(np.zeros(5), 1, 1)
