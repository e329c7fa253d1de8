import numpy as np
from numpy.typing import NDArray

_Pixels = NDArray[np.float32] | NDArray[np.float64]

SCRATCH: int

def walk(out: NDArray[np.float64], spread: float, phi: float, seed: int, series: int) -> None: ...
def wander(
    out: NDArray[np.float32], start: NDArray[np.float64], spread: float, phi: float, seed: int, threads: int
) -> None: ...
def resample(
    x: _Pixels,
    out: _Pixels,
    across: NDArray[np.float32],
    down: NDArray[np.float64],
    lowest: float,
    scratch: _Pixels,
    threads: int,
) -> None: ...
def spread(x: _Pixels, out: _Pixels, taps: NDArray[np.float32], threads: int) -> None: ...
def lines(out: _Pixels, count: int, low: float, high: float, seed: int) -> None: ...
