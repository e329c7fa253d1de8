"""Half spectra of windows: their power, what noise has of it, and what lies around each wave."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.blocks import Floats

SLOW = 3
"""Waves of fewer periods in a window are no lattice's."""

BLOCK, NARROW = 16, 2
"""Side of the blocks of a spectrum in which noise counts as even; columns in which twice as many rows do."""

BLURRED = 0.5
"""Share of a wave, at most, that rows which still stray by a fraction of a pixel take off an image."""


def power_of(spectrum: NDArray[Any]) -> Floats:
    power: Floats = spectrum.real**2 + spectrum.imag**2
    return power


def floor_of(power: Floats) -> Floats:
    """Return the mean power in blocks of a half spectrum as noise has it whose median it has.

    Where rows stray, each wave of a lattice has noise of its own at all waves that share its period along rows, which
    stands in a column of the spectrum; and what whole columns share stands in its first rows.
    """
    half = power.shape[1] - 1
    floor = np.empty(power.shape, np.float32)
    floor[:, :half] = _usual(power[:, :half], BLOCK, BLOCK)
    floor[:, half] = floor[:, half - 1]
    np.maximum(floor[:, :half], _usual(power[:, :half], 2 * BLOCK, NARROW), out=floor[:, :half])
    first = np.arange(1 - SLOW, SLOW)
    floor[first, :half] = np.maximum(floor[first, :half], _usual(power[first, :half], len(first), BLOCK))
    return floor


def _usual(power: Floats, rows: int, columns: int) -> Floats:
    """Return for all of each block of so many rows and columns the mean power of noise that has its median."""
    down, across = power.shape[0] // rows, power.shape[1] // columns
    parts = power.reshape(down, rows, across, columns).swapaxes(1, 2).reshape(down, across, -1)
    mean: Floats = (_medians(parts) / math.log(2.0) + 1e-30).astype(np.float32)
    return mean.repeat(rows, axis=0).repeat(columns, axis=1)


def _medians(values: Floats) -> Floats:
    """Return what `np.median` does along the last axis, of finite numbers, in a third of its time."""
    middle = values.shape[-1] // 2
    parted = np.partition(values, middle, axis=-1)
    upper: Floats = parted[..., middle]
    return upper if values.shape[-1] % 2 else (parted[..., :middle].max(axis=-1) + upper) * np.float32(0.5)


def gathered(values: Floats, reach: int, join: np.ufunc) -> Floats:
    """Join each of a half spectrum with those up to ``reach`` away, its other half being its mirror image."""
    mirrored = np.roll(values[::-1, reach:0:-1], 1, axis=0)
    wide = np.concatenate([mirrored, values, np.zeros_like(mirrored)], axis=1)
    count = values.shape[1]
    parts = [wide[:, shift : shift + count] for shift in range(2 * reach + 1)]
    joined = parts[0]
    for part in parts[1:]:
        joined = join(joined, part)
    found: Floats = joined
    for shift in range(1, reach + 1):
        found = join(join(found, np.roll(joined, shift, axis=0)), np.roll(joined, -shift, axis=0))
    return found
