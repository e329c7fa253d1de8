"""The plain NumPy twin of the kernels that take the grid of two pixels away, by other routes than they take."""

import numpy as np


def grid_reference(tile, restored, block=32, limits=(0.02, 0.05), supported=0.12):
    """Return the result without its patterns, in float64; see `temclean.restoration.grid`."""
    shape = [length // block for length in restored.shape]
    signs = [(-1.0) ** np.arange(length) for length in restored.shape]
    clean = restored.astype(np.float64)
    for found, raw, (down, across) in zip(
        patterns(restored), patterns(tile), ((True, False), (False, True), (True, True)), strict=True
    ):
        limit = np.clip(3 * smooth(means(np.abs(found), shape)), *limits)
        wide = np.kron(limit, np.ones((block // 2, block // 2)))
        amplitude = smooth(means(np.clip(found, -wide, wide), shape))
        agreement = np.abs(smooth(means(np.sign(raw), shape))) / supported
        amplitude *= np.clip(2 - agreement, 0, 1)
        for axis in (0, 1):
            amplitude = np.apply_along_axis(between_middles, axis, amplitude, block // 2)
        pattern = np.kron(amplitude, np.ones((2, 2)))
        pattern *= (signs[0] if down else np.ones(len(signs[0])))[:, None] * (signs[1] if across else 1)
        clean -= pattern
    return clean


def patterns(image):
    """Return how far rows, columns and both alternate at each 2x2 pixels, by second differences of sums."""
    a, b, c, d = (image[i::2, j::2].astype(np.float64) for i in (0, 1) for j in (0, 1))
    rows = (a + b + np.pad(a + b, ((0, 1), (0, 0)), mode="edge")[1:]) / 8 - (c + d) / 4
    columns = (a + c + np.pad(a + c, ((0, 0), (0, 1)), mode="edge")[:, 1:]) / 8 - (b + d) / 4
    return rows, columns, (a - b - c + d) / 4


def means(values, shape):
    down, across = (length // count for length, count in zip(values.shape, shape, strict=True))
    return values.reshape(shape[0], down, shape[1], across).mean((1, 3))


def smooth(values):
    """Weight 3x3 blocks by 1, 2, 1 along either axis; those at the border are repeated beyond it."""
    padded = np.pad(values, 1, mode="edge")
    weights = np.outer((1, 2, 1), (1, 2, 1)) / 16
    return sum(
        weights[i, j] * padded[i : i + values.shape[0], j : j + values.shape[1]] for i in range(3) for j in range(3)
    )


def between_middles(values, side):
    """Interpolate from the middles of blocks to all places in them."""
    return np.interp(np.arange(len(values) * side), np.arange(len(values)) * side + (side - 1) / 2, values)
