"""Plain NumPy twins of the kernels for rows that stray, by other routes than they take."""

import numpy as np


def displaced_reference(image, moved):
    """Return an image whose rows are displaced, (rows, 2): right and down, to the second order; and its slopes."""
    right, down = moved[:, :1], moved[:, 1:]
    by_rows, by_columns = np.gradient(image)
    (rows_rows, rows_columns), columns_columns = np.gradient(by_rows), np.gradient(by_columns, axis=1)
    slopes = (
        by_columns + right * columns_columns + down * rows_columns,
        by_rows + down * rows_rows + right * rows_columns,
    )
    at = image + right * (by_columns + slopes[0]) / 2 + down * (by_rows + slopes[1]) / 2
    return at, *slopes


def equations_reference(raw, restored, moved, intensities, deviations, starts, mild, wild):
    """Return the matrices (2, rows, 4, 4) and right sides (2, rows, 4) of every other block of columns."""
    expected, along, across = displaced_reference(restored, moved)
    left = raw - expected
    deviation = np.interp(expected, intensities, deviations)
    off = np.abs(left) / deviation
    weights = np.select([off < mild, off < wild], [1.0, mild / np.maximum(off, mild)]) / deviation**2
    terms = np.stack([along, across, np.ones_like(left), expected - expected.mean(1, keepdims=True)], axis=-1)
    odd = np.searchsorted(starts, np.arange(raw.shape[1]), side="right") % 2 == 0
    chosen = [weights * (odd == half) for half in (False, True)]
    return (
        np.stack([np.einsum("rc,rci,rcj->rij", each, terms, terms) for each in chosen]),
        np.stack([np.einsum("rc,rci,rc->ri", each, terms, left) for each in chosen]),
    )
