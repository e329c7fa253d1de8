from typing import Any

import numpy as np
from numpy.typing import NDArray

def gather(
    image: NDArray[Any],
    tops: NDArray[np.intp],
    lefts: NDArray[np.intp],
    out: NDArray[np.float32],
    offset: float,
    scale: float,
    threads: int,
) -> None: ...
def blend(
    tiles: NDArray[np.float32],
    first: int,
    row_axis: NDArray[np.intp],
    column_axis: NDArray[np.intp],
    row_weights: NDArray[np.float32],
    column_weights: NDArray[np.float32],
    left: NDArray[np.float32],
    top: NDArray[np.float32],
    lines: NDArray[np.float32],
    out: NDArray[Any],
    out_top: int,
    offset: float,
    scale: float,
    low: float,
    high: float,
    threads: int,
) -> None: ...
def roll(image: NDArray[Any], down: int, right: int, out: NDArray[Any], threads: int) -> None: ...
