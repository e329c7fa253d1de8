"""The kernels that measure noise on pieces of an image, against NumPy and SciPy."""

import numpy as np
import pytest
from reference_pieces import products_reference, sums_reference, turned_reference, weighted_reference
from scipy import ndimage

from temclean import _pieces
from temclean.evidence import impulses, samples

SHAPES = [(4, 96, 96), (1, 40, 53), (2, 33, 1100), (3, 9, 8)]


def made(shape: tuple[int, int, int], layout: str) -> np.ndarray:
    """Return pieces that lie in rows, as a part of larger ones, in columns, or every other pixel of larger ones."""
    count, rows, columns = shape
    draw = np.random.default_rng(sum(shape)).normal(0.5, 0.2, (count, 2 * rows, 2 * columns)).astype(np.float32)
    if layout == "columns":
        return np.ascontiguousarray(draw[:, :rows, :columns].swapaxes(1, 2)).swapaxes(1, 2)
    if layout == "apart":
        return draw[:, ::2, ::2]
    cut = draw[:, 1 : rows + 1, 1 : columns + 1]
    return cut if layout == "cut" else np.ascontiguousarray(cut)


@pytest.mark.parametrize("layout", ["rows", "cut", "columns", "apart"])
@pytest.mark.parametrize("shape", SHAPES)
def test_second_differences_are_numpys(shape: tuple[int, int, int], layout: str) -> None:
    pieces = made(shape, layout)
    for axis in (1, 2):
        found = samples.bend(pieces, axis)
        np.testing.assert_allclose(found, np.diff(pieces.astype(float), 2, axis), rtol=0, atol=1e-6)


@pytest.mark.parametrize("lag", [0, 1, 6])
@pytest.mark.parametrize("side", [8, 16])
@pytest.mark.parametrize("shape", SHAPES)
def test_sums_over_blocks_are_numpys_to_the_bit(shape: tuple[int, int, int], side: int, lag: int) -> None:
    """On no processor is a product fused with a sum: or reports would differ from one to another."""
    for layout in ("rows", "cut", "apart"):
        pieces = made(shape, layout)
        np.testing.assert_array_equal(samples.block_products(pieces, side, lag), products_reference(pieces, side, lag))
    pieces = made(shape, "columns")
    np.testing.assert_array_equal(samples.block_products(pieces, side, lag), turned_reference(pieces, side, lag))
    pieces = made(shape, "cut")
    for each in (4, side):
        np.testing.assert_array_equal(samples.block_sums(pieces, each), sums_reference(pieces, each))


@pytest.mark.parametrize("order", [1, 2, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_weighted_sums_are_numpys_to_the_bit(shape: tuple[int, int, int], order: int) -> None:
    pieces = made(shape, "cut")
    weights = np.random.default_rng(order).random(order + 1).astype(np.float32)
    for axis in (1, 2):
        expected = weighted_reference(pieces, weights, axis)
        out = np.empty(expected.shape, np.float32)
        _pieces.weighted(pieces, weights, axis, out)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_wild_pixels_are_those_beyond_the_eight_around_them(shape: tuple[int, int, int]) -> None:
    pieces = ndimage.gaussian_filter(made(shape, "rows"), (0, 3, 3))
    draw = np.random.default_rng(1)
    pieces[draw.random(shape) < 0.01] += np.float32(0.4)
    pieces[draw.random(shape) < 0.01] -= np.float32(0.4)
    pieces[0, 4, 2], pieces[0, 4, 5] = 2, -1
    around = np.ones((1, 3, 3), bool)
    around[0, 1, 1] = False
    inner = np.s_[:, 1:-1, 1:-1]
    least, greatest = (
        function(pieces, footprint=around)[inner] for function in (ndimage.minimum_filter, ndimage.maximum_filter)
    )
    bound = np.maximum(np.float32(0.1), 2 * (greatest - least))
    dark, bright = (np.empty(least.shape, np.uint8) for _ in range(2))
    _pieces.wild(pieces, 0.1, dark, bright)
    np.testing.assert_array_equal(dark, least - pieces[inner] > bound)
    np.testing.assert_array_equal(bright, pieces[inner] - greatest > bound)
    assert bright[0, 3, 1]
    assert dark[0, 3, 4]


def test_the_first_guess_of_noise_is_right_and_leaves_out_what_is_cut_off() -> None:
    draw = np.random.default_rng(3).normal(0.5, 0.05, (4, 96, 96)).astype(np.float32)
    draw += np.linspace(0, 0.2, 96, dtype=np.float32)
    assert impulses.first_sigma(draw) == pytest.approx(0.05, rel=0.05)  # 5 of its standard errors, about 1%
    draw[:, :, :90] = 0
    a, b, c, d = (draw[:, row::2, 90 + column :: 2] for row in (0, 1) for column in (0, 1))
    expected = np.median(np.abs(a.astype(float) - b - c + d)) / 2 / 0.6745
    assert impulses.first_sigma(draw) == pytest.approx(expected, rel=1e-6)
    draw[:] = 0
    assert impulses.first_sigma(draw) == 0.0


def test_kernels_refuse_what_does_not_fit() -> None:
    pieces, room = np.zeros((1, 16, 16), np.float32), np.zeros((1, 2, 2))
    with pytest.raises(ValueError, match="side by side"):
        _pieces.block_sums(pieces[:, :, ::2], 8, room)
    with pytest.raises(ValueError, match="blocks of 8x8, 1 apart"):
        _pieces.block_products(pieces, 1, 8, room)
    with pytest.raises(ValueError, match="blocks of 8x8, 1 apart"):
        _pieces.block_products_down(pieces, 1, 8, room)
    with pytest.raises(ValueError, match="not so many blocks"):
        _pieces.block_sums(pieces, 9, room)
    with pytest.raises(ValueError, match="axis 2"):
        _pieces.bend(pieces, 2, np.zeros((1, 14, 16), np.float32))
    with pytest.raises(ValueError, match="axis 1"):
        _pieces.weighted(pieces, np.ones(3, np.float32), 1, np.zeros((1, 13, 16), np.float32))
    with pytest.raises(ValueError, match="too little room"):
        _pieces.crossed(pieces, np.zeros(63, np.float32))
    with pytest.raises(ValueError, match="two rows"):
        _pieces.wild(pieces, 0.1, np.zeros((1, 14, 14), np.uint8), np.zeros((1, 14, 13), np.uint8))
