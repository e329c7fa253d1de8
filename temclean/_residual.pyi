from typing import Any

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]

def fold(image: NDArray[Any], side: int, offset: float, scale: float, out: _Floats) -> None: ...
def halve(values: _Floats, out: _Floats) -> None: ...
def unlike(values: _Floats, out: _Floats) -> None: ...
def compare(before: _Floats, after: _Floats, residual: _Floats, level: NDArray[np.uint8], sums: _Doubles) -> None: ...
def standardise(
    residual: _Floats,
    level: NDArray[np.uint8],
    mean: _Floats,
    per_spread: _Floats,
    most: float,
    left: _Floats,
    standard: _Floats,
    moments: _Doubles,
) -> None: ...
def overlap(
    standard: _Floats, residual: _Floats, after: _Floats, share: float, windows: _Floats, much: NDArray[np.uint8]
) -> None: ...
def furthest(windows: _Floats, much: NDArray[np.uint8], scale: float, skewness: float) -> tuple[float, int]: ...
