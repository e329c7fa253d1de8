"""The error of a denoised movie that has no truth: results against noisy frames that they have not seen."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError
from temclean.metrics import pairs

BLOCKS = 8
"""Blocks along the shorter side of a frame from whose scatter the error is told; less where they would be too small."""

SMALLEST = 4
"""Pixels along a block's side at least."""

LARGEST = 64
"""Pixels along a block's side at most, so that large frames give more blocks."""


@dataclass(frozen=True)
class Unseen:
    """An estimate of the mean squared error of a movie, its standard error, and in decibels.

    Attributes
    ----------
    umse, umse_error : in the square of the movie's unit; below 0 where chance has it so.
    upsnr : 10 log10(L^2 / uMSE) in dB, infinite where the uMSE is not above 0.
    upsnr_low, upsnr_high : the same one standard error of the uMSE up and down.
    frames : of the movie that it rests on.
    data_range : L.
    """

    umse: float
    umse_error: float
    upsnr: float
    upsnr_low: float
    upsnr_high: float
    frames: int
    data_range: float


def unseen_error(triples: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike]], data_range: float) -> Unseen:
    r"""Estimate the error of results f from noisy references a and b of the same clean images, which f has not seen.

    .. math:: \mathrm{uMSE} = \frac{1}{n} \sum (a - f)(b - f)

    As the noise of a, that of b and the error of f have nothing to do with each other, the mean is that of the squared
    error, whatever the noise and however it hangs together within a frame. This is uMSE as published,
    :math:`(a - f)^2 - (b - c)^2 / 2`, with a and b in turn as the first reference and both as the other two; it
    scatters half as much, and what changes in a alone cancels. What changes counts for the references: a result that
    shows an atom where it was before, as a of the frame before does, scores too well there.

    The standard error is that of the mean over blocks of pixels, each summed over all frames, since neighbouring frames
    share references. It holds the scatter of the error itself over the field of view too, so it is rather too large.

    Parameters
    ----------
    triples
        f, a, b of one frame after the other, (rows, columns); NaN in a or b where there is nothing to compare with.
    data_range
        L, in the movie's unit.

    Raises
    ------
    ImageError
        If there is no frame, shapes differ, a result is not finite, or references leave nothing to compare.

    References
    ----------
    Marcos-Morales et al. (2023), Evaluating unsupervised denoising requires unsupervised metrics, arXiv:2210.05553.

    Examples
    --------
    >>> f = np.zeros((16, 16))
    >>> unseen_error([(f, f + 0.5, f + 0.5)], data_range=1.0).umse
    0.25
    """
    unit = pairs.positive(data_range)
    sums: NDArray[np.float64] | None = None
    counts: NDArray[np.float64] | None = None
    frames = 0
    for result, first, second in triples:
        f, a, b = (np.asarray(values, np.float64) for values in (result, first, second))
        if f.ndim != 2 or not f.shape == a.shape == b.shape:
            raise ImageError(f"a result and its references are of one shape, not {f.shape}, {a.shape}, {b.shape}")
        if not np.isfinite(f).all():
            pairs.refuse(f, "the result")
        product = (a - f) * (b - f)
        there = np.isfinite(product)
        sides = _sides(f.shape)
        total, number = _blocks(np.where(there, product, 0.0), sides), _blocks(there.astype(np.float64), sides)
        if sums is None or counts is None:
            sums, counts = total, number
        elif sums.shape != total.shape:
            raise ImageError("the frames of a movie are of one shape")
        else:
            sums, counts = sums + total, counts + number
        frames += 1
    if sums is None or counts is None or not counts.any():
        raise ImageError("no frame can be compared with frames that it has not seen")
    sums, counts = sums[counts > 0], counts[counts > 0]
    umse = float(sums.sum() / counts.sum())
    error = math.inf
    if len(sums) > 1:
        scatter = float(((sums - umse * counts) ** 2).sum()) * len(sums) / (len(sums) - 1)
        error = math.sqrt(scatter) / float(counts.sum())
    low, here, high = (_decibels(value, unit) for value in (umse + error, umse, umse - error))
    return Unseen(umse, error, here, low, high, frames, unit)


def _sides(shape: tuple[int, ...]) -> tuple[int, int]:
    side = max(SMALLEST, min(LARGEST, min(shape) // BLOCKS))
    rows, columns = (min(length, side) for length in shape)
    return rows, columns


def _blocks(values: NDArray[np.float64], sides: tuple[int, int]) -> NDArray[np.float64]:
    """Sum over whole blocks; what is left of the last rows and columns counts to the last blocks."""
    for axis, side in enumerate(sides):
        edges = np.arange(values.shape[axis] // side) * side
        values = np.add.reduceat(values, edges, axis=axis)
    return values


def _decibels(umse: float, unit: float) -> float:
    if umse == math.inf:
        return -math.inf
    return 10.0 * math.log10(unit**2 / umse) if umse > 0 else math.inf
