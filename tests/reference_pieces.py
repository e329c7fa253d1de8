"""Plain NumPy twins of the kernels that measure noise on pieces of an image."""

import numpy as np


def sums_reference(values, side):
    """Sum over blocks: down each column one by one in single precision, then across in double precision."""
    count, down, across = len(values), values.shape[1] // side, values.shape[2] // side
    strips = np.zeros((count, down, across * side), np.float32)
    for row in range(side):
        strips += values[:, row : down * side : side, : across * side]
    return strips.astype(float).reshape(count, down, across, side).sum(3)


def products_reference(pieces, side, lag=0):
    """Do the same of the products of each pixel with the one ``lag`` further along its row."""
    return sums_reference(pieces[:, :, : pieces.shape[2] - lag] * pieces[:, :, lag:], side)


def turned_reference(pieces, side, lag=0):
    """Do that of pieces that lie in columns, where NumPy adds eight numbers in pairs, and pairs of pairs."""
    count, rows, columns = pieces.shape
    down, across = rows // side, (columns - lag) // side
    products = pieces[:, :, : columns - lag] * pieces[:, :, lag:]
    cut = products[:, : down * side, : across * side].reshape(count, down, side // 8, 8, across * side)
    parts = cut[:, :, 0]
    for more in range(1, side // 8):
        parts = parts + cut[:, :, more]
    pairs = parts[:, :, 0::2] + parts[:, :, 1::2]
    fours = pairs[:, :, 0::2] + pairs[:, :, 1::2]
    strips = fours[:, :, 0] + fours[:, :, 1]
    return strips.astype(float).reshape(count, down, across, side).sum(3)


def weighted_reference(pieces, weights, axis):
    """Sum neighbours, each times its weight, in single precision and in their order."""
    length = pieces.shape[axis] - len(weights) + 1
    total = 0
    for start, weight in enumerate(weights):
        total = total + np.take(pieces, range(start, start + length), axis) * np.float32(weight)
    return total
