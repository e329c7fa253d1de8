"""Noise along rows by what lies between the lines of its spectrum: in these is a lattice of which the beam strayed."""

import numpy as np
from numpy.typing import NDArray

from temclean.evidence.samples import Floats

LINES, FLOOR = 1 / 16, 40.0
"""Share of a spectrum, to either side, over which the percentile is what lies between its lines."""


def correlation(rows: Floats, taps: int) -> NDArray[np.float64]:
    """Return the correlation with so many pixels before, (taps,), of rows (pieces, rows, columns)."""
    width = rows.shape[2]
    waves = np.fft.rfft(rows * np.hanning(width).astype(np.float32), axis=2)
    power = (np.abs(waves) ** 2).mean(axis=(0, 1), dtype=np.float64)
    reach = max(1, round(LINES * len(power)))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, reach, mode="reflect"), 2 * reach + 1)
    floor = np.pad(np.percentile(around, FLOOR, axis=1), reach // 4, mode="reflect")
    found = np.fft.irfft(np.convolve(floor, np.full(2 * (reach // 4) + 1, 1.0), mode="valid"), n=width)
    share: NDArray[np.float64] = found[1 : taps + 1] / max(float(found[0]), 1e-30)
    return share
