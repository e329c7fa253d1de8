import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]

def mean_of(
    square: _Floats,
    bent: _Floats,
    inside: _Floats,
    places: NDArray[np.float64],
    top: int,
    left: int,
    soft: float,
    total: _Floats,
    weights: _Floats,
) -> None: ...
