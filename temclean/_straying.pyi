import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]

ROOM: int

def equations(
    raw: _Floats,
    restored: _Floats,
    above: int,
    moved: _Doubles,
    table: _Floats,
    low: float,
    scale: float,
    starts: NDArray[np.intp],
    mild: float,
    wild: float,
    work: _Floats,
    first: int,
    matrices: _Doubles,
    sides: _Doubles,
) -> None: ...
def steady(
    restored: _Floats, above: int, moved: _Doubles, unit: float, work: _Floats, out: _Floats | _Doubles
) -> None: ...
