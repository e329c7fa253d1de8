from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

_Pixels: TypeAlias = NDArray[np.float32] | NDArray[np.float64]

BLOCK: int

def survey(x: _Pixels, out: NDArray[np.float64], threads: int) -> None: ...
def differences(x: _Pixels, y: _Pixels, out: NDArray[np.float64], threads: int) -> None: ...
def moments(x: _Pixels, y: _Pixels, mean_s: float, mean_d: float, out: NDArray[np.float64], threads: int) -> None: ...
