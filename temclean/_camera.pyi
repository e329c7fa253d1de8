import numpy as np
from numpy.typing import NDArray

_Pixels = NDArray[np.float32] | NDArray[np.float64]

def gain(x: _Pixels, out: _Pixels, level: float, seed: int, threads: int) -> None: ...
def dark(
    out: NDArray[np.float64],
    median: float,
    sigma: float,
    hot: int,
    low: float,
    width: float,
    seed: int,
    threads: int,
) -> None: ...
def clusters(out: _Pixels, count: int, steps: int, low: float, high: float, seed: int) -> None: ...
