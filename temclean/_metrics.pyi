from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

TILE_ROWS: int
TILE_COLUMNS: int
BLOCK: int

def survey(x: _Pixels, out: NDArray[np.float64], threads: int) -> None: ...
def differences(x: _Pixels, y: _Pixels, out: NDArray[np.float64], threads: int) -> None: ...
def moments(x: _Pixels, y: _Pixels, mean_s: float, mean_d: float, out: NDArray[np.float64], threads: int) -> None: ...
def similarity(
    x: _Pixels,
    y: _Pixels,
    scale: float,
    c1: float,
    c2: float,
    luminance: bool,
    taps: _Pixels,
    offset_x: float,
    offset_y: float,
    taken_x: float,
    taken_y: float,
    half_x: _Pixels,
    half_y: _Pixels,
    own: int,
    out: NDArray[np.float64],
    threads: int,
) -> None: ...
