from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

TILE_ROWS: int
TILE_COLUMNS: int

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
