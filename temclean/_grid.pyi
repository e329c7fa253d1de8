import numpy as np
from numpy.typing import NDArray

BLOCK: int
MAGNITUDE: int
LIMITED: int
SIGN: int

def means(
    image: NDArray[np.float32], limits: NDArray[np.float32] | None, kind: int, out: NDArray[np.float32]
) -> None: ...
def subtract(image: NDArray[np.float32], amplitudes: NDArray[np.float32]) -> None: ...
