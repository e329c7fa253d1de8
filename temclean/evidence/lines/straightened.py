"""Rows from which a beam strayed, put back: beside what an image shows by its repeats, else beside a first result.

A first result follows its rows, most where they are displaced alike over the height of a column of atoms; other columns
of a lattice, in rows that strayed otherwise, tell where these would be.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks, samples
from temclean.evidence.blocks import Floats, Pair
from temclean.evidence.lines import repeats, straying
from temclean.evidence.lines.splines import Displaced
from temclean.evidence.lines.straying import Doubles, Straying

BAND = 2**18
"""Pixels looked at in one go."""

STRIP = 1024, 192
"""Rows and columns of a strip that tells whether rows strayed at all."""

FURTHEST = 8.0
"""Pixels by which a row is moved at most."""

TURNS = 2
"""Times that displacements are corrected."""

SLOW = 129
"""Rows over which a mean displacement is drift."""

AROUND, WIDEST, PEAK = 15, 128, 6.0
"""Waves on either side, for each 256 rows and at most, whose median power is usual, and how many times it a wave may
have: what comes back from cell to cell is a column's shape, and what is gathered in few slow waves is a lattice that
changes."""

TOGETHER, USUAL, RARE = (33, 17, 9, 5), 3.0, 4.5
"""Rows whose mean displacement is looked at, and deviations from which on, and at which wholly, it is not the beam's: a
plane of atoms that lies elsewhere is many rows that are displaced alike."""

STEADY = 0.03
"""By how much the brightness and the contrast of rows vary from row to row, of the range of the image."""

AGAIN, CHANGED = 0.5, 0.15
"""Pixels, root mean square, from which on a second result, beside which less is hidden, is worth another look; and
share of it by which displacements must have changed."""


@dataclass(frozen=True)
class Steady:
    """An image as if the beam had not strayed.

    Attributes
    ----------
    image : of float32, or of what holds its own numbers.
    straying : by how much its rows were displaced.
    again : whether it is worth another look beside its own result.
    """

    image: NDArray[Any]
    straying: Straying
    again: bool


def by_repeats(raw: NDArray[Any], restored: NDArray[Any], before: Straying | None = None) -> Steady | None:
    """Put back the rows of an image that repeats; None where it does not, or the beam did not stray.

    Parameters
    ----------
    raw, restored : ndarray, (rows, columns)
        Of any real type.
    before
        How far its rows strayed beside the result before this one.
    """
    if before is None and not _strays(raw, restored) and straying.measure(raw, restored, far=True) is None:
        return None
    pair = blocks.pair(raw, restored)
    seen = repeats.seen(pair.scaled(pair.result)) if pair else None
    measured = _measure(pair, seen, before) if pair and seen else None
    if pair is None or seen is None or measured is None:
        return None
    steady = _steadied(raw, pair, seen.image, measured)
    if steady is None:
        return None
    changed = measured if before is None else Straying(measured.right - before.right, measured.down - before.down)
    return Steady(steady, measured, measured.width > AGAIN and changed.width > CHANGED * measured.width)


def by_slopes(raw: NDArray[Any], restored: NDArray[Any], *, first: bool) -> Steady | None:
    """Put back the rows of any image beside a result; None where the beam did not stray, or too far to tell.

    A ``first`` result has a part of what rows are displaced by itself; that of rows that were put back has not.
    """
    found = straying.measure(raw, restored)
    if found is None:
        return None
    found = found.whole() if first else found
    steady = straying.steadied(raw, restored, found)
    return None if steady is None else Steady(steady, found, False)


def _strays(raw: NDArray[Any], restored: NDArray[Any]) -> bool:
    """Return whether rows strayed beside what repeats show, by a strip of an image."""
    top, left = (max(0, (length - most) // 2) for length, most in zip(raw.shape, STRIP, strict=True))
    part = slice(top, top + STRIP[0]), slice(left, left + STRIP[1])
    pair = blocks.pair(raw[part], restored[part])
    seen = repeats.seen(pair.scaled(pair.result), quick=True) if pair else None
    return pair is not None and seen is not None and _measure(pair, seen, None) is not None


def _measure(pair: Pair, seen: repeats.Repeats, before: Straying | None) -> Straying | None:
    """Measure by how much rows are displaced beside what repeats show; None where that is no more than chance."""
    noise = straying.noise_of(pair)
    if noise is None:
        return None
    moved = np.zeros((len(pair.raw), 2)) if before is None else np.stack([before.right, before.down], axis=1)
    image = Displaced(seen.image)
    for _ in range(TURNS):
        parts = _equations(pair, image, seen.doubt, moved, noise)
        widths = straying.agreed(*parts, _irregular)
        if not (widths > straying.LEAST**2).any():
            return None
        widths = np.maximum(widths, straying.STILL)
        matrices, sides = (part.sum(axis=0) for part in parts)
        straying.make_regular(matrices)
        matrices[:, (0, 1), (0, 1)] += 1 / widths
        moved = _irregular(np.linalg.solve(matrices, sides[..., None])[:, :2, 0]).clip(-FURTHEST, FURTHEST)
    return Straying(moved[:, 0], moved[:, 1])


def _equations(
    pair: Pair, image: Displaced, doubt: Floats, moved: Doubles, noise: straying.Noise
) -> tuple[Doubles, Doubles]:
    """Return the normal equations of whole displacements, by every other block of columns and by those between.

    Matrices (2, rows, 4, 4), right sides (2, rows, 4), as `straying` has them of small ones.
    """
    height, width = pair.raw.shape
    matrices, sides = np.empty((2, height, 4, 4)), np.empty((2, height, 4))
    count = 2 * max(1, round(width / (2 * straying.APART)))
    odd = (np.arange(width) * count // width % 2).astype(bool)
    band = max(1, BAND // width)
    for top in range(0, height, band):
        rows = slice(top, min(top + band, height))
        expected, right, down = image(moved, rows)
        left = pair.scaled(pair.raw[rows]) - expected
        deviation = np.interp(expected, *noise.levels).astype(np.float32)
        off = np.abs(left) / deviation
        weights = (np.minimum(1.0, straying.MILD / np.maximum(off, 1e-9)) * (off < straying.WILD)).astype(np.float32)
        weights /= deviation**2 + doubt[rows]
        terms = np.stack([right, down, np.ones_like(left), expected - expected.mean(axis=1, keepdims=True)], axis=1)
        for half in (0, 1):
            own = odd == bool(half)
            part, weight = terms[..., own], weights[:, own]
            weighted = part * weight[:, None]
            matrix = np.matmul(weighted, part.transpose(0, 2, 1)).astype(np.float64)
            side = np.matmul(weighted, left[:, own, None])[..., 0].astype(np.float64)
            straying.make_regular(matrix)
            matrix[:, (2, 3), (2, 3)] += 1 / STEADY**2
            matrices[half, rows] = matrix
            sides[half, rows] = side + np.einsum("rij,rj->ri", matrix[..., :2], moved[rows])
    return matrices, sides


def _steadied(raw: NDArray[Any], pair: Pair, reference: Floats, found: Straying) -> NDArray[Any] | None:
    """Return the image without what displacements add to what it should show; None where that is worse for many rows.

    Rows for which it is worse, and pixels that are cut off, stay as they are.
    """
    steady = np.array(raw, np.result_type(raw.dtype, np.float32).newbyteorder("="), order="C")
    moved, ends, image = np.stack([found.right, found.down], axis=1), samples.cut_off(raw), Displaced(reference)
    band, refused = max(1, BAND // raw.shape[1]), 0
    for top in range(0, len(raw), band):
        rows = slice(top, min(top + band, len(raw)))
        added = image(moved, rows)[0] - reference[rows]
        left = pair.scaled(raw[rows]) - reference[rows]
        before, after = (np.einsum("ij,ij->i", each, each) for each in (left, left - added))
        added[after > straying.WORSE * before] = 0.0
        refused += int(np.count_nonzero(after > straying.WORSE * before))
        steady[rows] -= (pair.unit * added).astype(steady.dtype)
        samples.keep_cut_off(steady[rows], raw[rows], ends)
    return steady if refused < straying.REFUSED * len(raw) else None


def _irregular(moved: Doubles) -> Doubles:
    """Return what of displacements, (rows, 2), is a beam's: not slow, nor gathered in few waves or rows."""
    count = len(moved)
    taps = np.hanning(min(SLOW, count // 2 * 2 - 1) + 2)[1:-1]
    waves = np.fft.rfft(moved - _weighed(moved, taps / taps.sum()), axis=0)
    power = np.abs(waves) ** 2
    reach = min(max(3, AROUND * count // 256), WIDEST, len(waves) - 1)
    around = np.pad(power, ((reach, reach), (0, 0)), mode="reflect")
    usual = np.median(np.lib.stride_tricks.sliding_window_view(around, 2 * reach + 1, axis=0), axis=2) / math.log(2)
    most = PEAK * usual
    found: Doubles = np.fft.irfft(waves * np.sqrt(most / np.maximum(power, most + 1e-300)), n=count, axis=0)
    for length in TOGETHER:
        means = _weighed(found, np.full(length, 1 / length))
        deviations = np.abs(means) / np.maximum(1.4826 * np.median(np.abs(means), axis=0), 1e-12)
        found = found - means * ((deviations - USUAL) / (RARE - USUAL)).clip(0.0, 1.0)
    return found


def _weighed(moved: Doubles, taps: Doubles) -> Doubles:
    """Return running means of displacements, (rows, 2), which are mirrored."""
    reach = len(taps) // 2
    wider = np.pad(moved, ((reach, reach), (0, 0)), mode="symmetric")
    return np.stack([np.convolve(each, taps, mode="valid") for each in wider.T], axis=1)
