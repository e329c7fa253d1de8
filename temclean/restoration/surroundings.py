"""What a network that looks beyond a frame is shown there: the lattice going on, where there is one, or a reflection.

A reflected lattice is its own twin: in a window that lies across the border, the peaks of both are there, each half as
strong, and what stands at the border is restored from half of what is known of it. A lattice is continued by copying
pixels that lie some cells further in, noise and all, if those foretell what the frame shows near its border, better
than its reflection does and as well as noise lets anything foretell it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.restoration import tiling

Floats = NDArray[np.float32]
Shift = tuple[int, int]

LARGEST = 4096 * 4096
"""Pixels of a frame, above which a copy of it would take too much memory: it is reflected, tile by tile."""

BLOCK = 128
"""Pixels along a border that are continued alike: grains and bent lattices go on in different ways."""

LENGTH, DEPTH = 512, 256
"""Pixels along a border, and inwards, in which the cells of a lattice are looked for."""

NEAREST, FURTHEST, ASIDE = 64, 112, 56
"""Pixels inwards, at least and at most, and along the border, by which what is copied may lie away."""

SEEN, FORETOLD = 64, 24
"""Pixels next to the border by which a shift is chosen, and the outermost of these, by which it is judged instead."""

BETTER, EXACT = 0.92, 1.3
"""Mean square by which a shift may miss the judged pixels: over that of a reflection, and over that of noise. Copies
lie whole pixels away, and where noise does not hide that, a reflection does less harm."""

SHIFTS = 24
"""Shifts that are tried: the highest peaks of the autocorrelation."""


class Surrounded:
    """A frame and what is taken to lie around it.

    Parameters
    ----------
    frame : ndarray, (rows, columns)
        Of any real type.
    border : int
        Pixels that are seen beyond it on each side.
    low, high : float
        Ends of its range.
    """

    def __init__(self, frame: NDArray[Any], border: int, low: float, high: float) -> None:
        self.frame, self.border = frame, border
        small = frame.size <= LARGEST
        self._whole = continued(frame, border, low, high) if border and small else frame if not border else None

    def tile(self, plan: tiling.Plan, number: int, offset: float, scale: float, out: Floats) -> None:
        """Write one tile of a plan for the frame, and what lies around it, as (pixels - offset) * scale."""
        if self._whole is not None:
            tiling.split(
                self._whole, plan, first=number, count=1, offset=offset, scale=scale, out=out[None], beyond=self.border
            )
            return
        row, column = divmod(number, len(plan.columns.starts))
        inside, outside = [], []
        for start, side, length in zip(
            (plan.rows.starts[row], plan.columns.starts[column]), out.shape, self.frame.shape, strict=True
        ):
            first, last = start - self.border, start - self.border + side
            inside.append(slice(max(first, 0), min(last, length)))
            outside.append((max(-first, 0), max(last - length, 0)))
        out[...] = (np.pad(self.frame[tuple(inside)].astype(np.float64), outside, mode="symmetric") - offset) * scale


def continued(frame: NDArray[Any], border: int, low: float, high: float) -> NDArray[Any]:
    """Return a frame with ``border`` pixels more on each side, of its own type in the machine's order of bytes."""
    frame = frame.astype(frame.dtype.newbyteorder("="), copy=False)

    def unit(strip: NDArray[Any]) -> Floats:
        return ((strip.astype(np.float64) - low) / (high - low)).clip(-0.5, 1.5).astype(np.float32)

    left, right, top, bottom = (
        lattice_shifts(unit(strip))
        for strip in (frame[:, :DEPTH], frame[:, : -DEPTH - 1 : -1], frame[:DEPTH].T, frame[: -DEPTH - 1 : -1].T)
    )
    wide = np.hstack([_before(frame, left, border, 0), frame, _before(frame[:, ::-1], right, border, 0)[:, ::-1]])
    above, below = (_before(each.T, shifts, border, border).T for each, shifts in ((wide, top), (wide[::-1], bottom)))
    return np.ascontiguousarray(np.vstack([above, wide, below[::-1]]))


def lattice_shifts(strip: Floats) -> list[Shift | None]:
    """Return for each block of :data:`BLOCK` rows along a border from where it is continued; None: by reflection.

    Parameters
    ----------
    strip : ndarray of float32, (length, depth)
        The pixels along a border, which lies before the first column, in units of the frame's range.

    Returns
    -------
    list of (rows, columns) or None
        How far away that lies what stands in a pixel's place one or more cells further in. Empty if the frame is too
        small.
    """
    length, depth = strip.shape
    if length < BLOCK or depth < SEEN + FURTHEST:
        return []
    starts = range(0, length, LENGTH)
    peaks = {start: _peaks(strip[max(0, min(start, length - LENGTH)) :][:LENGTH]) for start in starts}
    found: list[Shift | None] = []
    for first in range(0, length, BLOCK):
        top = min(first, length - BLOCK)
        block = slice(top, top + BLOCK)
        misses = [(_miss(strip, block, shift, FORETOLD, SEEN), shift) for shift in peaks[first // LENGTH * LENGTH]]
        miss, shift = min(misses, default=(np.inf, (0, 0)))
        found.append(shift if miss < np.inf and _foretells(strip, block, shift) else None)
    return found


def _peaks(strip: Floats) -> list[Shift]:
    """Return the shifts at which a strip is most like itself, the most alike first."""
    length, depth = strip.shape
    level = strip - strip.mean()
    if not level.any():
        return []
    level *= np.hanning(length + 2)[1:-1, None].astype(np.float32)
    level *= np.hanning(depth + 2)[1:-1].astype(np.float32)
    shape = tuple(-(-side // 64) * 64 for side in (length + ASIDE + 2, depth + FURTHEST + 2))
    alike = np.fft.irfft2(np.abs(np.fft.rfft2(level, shape)) ** 2, shape)
    rows = np.arange(-ASIDE - 1, ASIDE + 2)
    around = alike[rows, NEAREST - 1 : FURTHEST + 2]
    middle = around[1:-1, 1:-1]
    highest = np.ones(middle.shape, bool)
    for down, right in ((0, 0), (0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)):
        highest &= middle >= around[down:, right:][: middle.shape[0], : middle.shape[1]]
    places = np.argwhere(highest)
    order = np.argsort(-middle[highest], kind="stable")[:SHIFTS]
    return [(int(row) - ASIDE, int(column) + NEAREST) for row, column in places[order]]


def _miss(strip: Floats, block: slice, shift: Shift, first: int, last: int) -> float:
    """Return by how much columns of a block miss what lies a shift away, mean square.

    Infinite where a part of that lies outside, or where half of it does and there is no room for all.
    """
    down, right = shift
    begin, end = max(block.start, -down), min(block.stop, len(strip) - down)
    if end - begin < (BLOCK if len(strip) >= 2 * BLOCK else BLOCK // 2):
        return np.inf
    apart = strip[begin:end, first:last] - strip[begin + down : end + down, first + right : last + right]
    return float(np.vdot(apart, apart)) / apart.size


def _foretells(strip: Floats, block: slice, shift: Shift) -> bool:
    """Tell whether a shift foretells the pixels at the border, which had no part in choosing it."""
    miss = _miss(strip, block, shift, 0, FORETOLD)
    edge = strip[block, :FORETOLD]
    mirrored = edge - strip[block, FORETOLD : 2 * FORETOLD][:, ::-1]
    if miss >= BETTER * float(np.vdot(mirrored, mirrored)) / edge.size:
        return False
    noise = np.diff(np.diff(strip[block, :FURTHEST], 2, axis=0), 2, axis=1)  # of 36 times the noise's variance
    return miss < EXACT * 2.0 * float(np.vdot(noise, noise)) / (36 * noise.size)


def _before(frame: NDArray[Any], shifts: list[Shift | None], border: int, outside: int) -> NDArray[Any]:
    """Return the ``border`` columns that lie before the first one of a frame, whose blocks begin at row ``outside``."""
    length = len(frame)
    before = np.pad(frame[:, :border], [(0, 0), (border, 0)], mode="symmetric")[:, :border]
    if not shifts:
        return before
    rows = np.arange(length)
    blocks = np.clip((rows - outside) // BLOCK, 0, len(shifts) - 1)
    columns = np.arange(-border, 0)
    for number, shift in enumerate(shifts):
        if shift is None:
            continue
        mine = rows[blocks == number]
        times = -(columns // shift[1])
        sources = mine[:, None] + times * shift[0]
        sources = np.where(sources < 0, -1 - sources, sources)
        sources = np.where(sources >= length, 2 * length - 1 - sources, sources).clip(0, length - 1)
        before[mine] = frame[sources, columns + times * shift[1]]
    return before
