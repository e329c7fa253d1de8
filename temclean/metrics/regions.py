"""Connected regions of a mask."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.intp]


def regions(mask: NDArray[np.bool_]) -> tuple[Numbers, int]:
    """Give pixels (H, W) that touch along their sides one number, from 1; return these and how many there are.

    Rows are cut into runs, and runs of neighbouring rows that overlap are joined.

    Examples
    --------
    >>> regions(np.array([[1, 0, 1], [1, 0, 1], [0, 1, 0]], bool))
    (array([[1, 0, 2],
           [1, 0, 2],
           [0, 3, 0]]), 3)
    """
    height, width = mask.shape
    stride = width + 2
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, start = np.nonzero(edges == 1)
    end = np.nonzero(edges == -1)[1]
    begins, ends = row * stride + start, row * stride + end
    first = np.searchsorted(ends, begins + stride, side="right")
    count = np.maximum(np.searchsorted(begins, ends + stride) - first, 0)
    one = np.repeat(np.arange(len(row)), count)
    other = np.repeat(first, count) + np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    names, run = np.unique(_joined(len(row), one, other), return_inverse=True)
    line = np.zeros((height, width + 1), np.intp)
    np.add.at(line, (row, start), run + 1)
    np.add.at(line, (row, end), -run - 1)
    return line.cumsum(axis=1)[:, :-1], len(names)


def _joined(count: int, one: Numbers, other: Numbers) -> Numbers:
    """Return the least number that each of so many can be reached from, by way of pairs."""
    label = np.arange(count)
    while True:
        least = np.minimum(label[one], label[other])
        new = label.copy()
        for ends in (one, other, label[one], label[other]):
            np.minimum.at(new, ends, least)
        while (shorter := new[new]).tolist() != new.tolist():
            new = shorter
        if np.array_equal(new, label):
            return label
        label = new
