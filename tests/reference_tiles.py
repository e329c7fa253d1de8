"""Plain NumPy twins of the kernels in ext/_tiles.pyx: slow, and easy to believe."""

import numpy as np


def gather(image, tops, lefts, tile, offset=0.0, scale=1.0):
    """Cut tiles after padding the image by reflection on all sides as far as any tile reaches."""
    height, width = image.shape
    before = max(0, -min(tops)), max(0, -min(lefts))
    after = max(0, max(tops) + tile[0] - height), max(0, max(lefts) + tile[1] - width)
    padded = np.pad(image.astype(np.float64), list(zip(before, after, strict=True)), mode="reflect")
    cut = [
        padded[top + before[0] :, left + before[1] :][: tile[0], : tile[1]]
        for top, left in zip(tops, lefts, strict=True)
    ]
    return ((np.array(cut) - offset) * scale).astype(np.float32)


def weights(axis):
    """Return one row of weights a tile, over the whole axis; they add up to one at every pixel."""
    table = np.zeros((len(axis.starts), axis.length))
    begins, ends = [0, *(r[0] for r in axis.ramps), axis.length], [0, *(r[1] for r in axis.ramps), axis.length]
    for k in range(len(axis.starts)):
        table[k, ends[k] : begins[k + 1]] = 1
        for begin, end, rising in ((begins[k], ends[k], True), (begins[k + 1], ends[k + 1], False)):
            ramp = np.arange(1, end - begin + 1) / (end - begin + 1)
            table[k, begin:end] = ramp if rising else 1 - ramp
    return table


def blend(tiles, plan, dtype=np.float32, offset=0.0, scale=1.0):
    """Add up the tiles, each times the outer product of its weights, then scale, round and clip."""
    total = np.zeros(plan.shape)
    rows, columns = weights(plan.rows), weights(plan.columns)
    for k, tile in enumerate(tiles):
        r, c = divmod(k, len(plan.columns.starts))
        top, left = plan.rows.starts[r], plan.columns.starts[c]
        part = total[top : top + plan.tile[0], left : left + plan.tile[1]]
        inside = tile[: part.shape[0], : part.shape[1]].astype(np.float64)
        weight = np.outer(rows[r, top : top + plan.tile[0]], columns[c, left : left + plan.tile[1]])
        part += weight * inside
    total = offset + scale * total
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        total = np.rint(total).clip(info.min, info.max)
    return total.astype(dtype)


def roll(image, down, right):
    return np.roll(image, (down, right), (0, 1))
