import numpy as np
from numpy.typing import NDArray

SIDE: int

def median_power(
    squares: NDArray[np.float32], window: NDArray[np.float32], work: NDArray[np.float32], out: NDArray[np.float64]
) -> None: ...
