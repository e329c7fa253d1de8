"""Split and blend, timed beside peers that do the same in this run; one thread; the ratio is what counts.

    python tests/bench/bench_tiles.py [SIZE]

Every method cuts a SIZE x SIZE float32 image into tiles of 256 pixels that share 64 or more, and puts them together
again; memory is allocated beforehand where a method allows it. The seam is the largest step between neighbouring
pixels of a flat image whose tiles are off by +-0.05 in turn, which a hard edge leaves at 0.1.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from temclean import tiling

TILE, OVERLAP = 256, 64
ROUNDS = 15

Model = Callable[[np.ndarray, int], np.ndarray]  # tiles and the number of the first
Method = Callable[[np.ndarray, Model], np.ndarray]


def identity(tiles: np.ndarray, _first: int) -> np.ndarray:
    return tiles


def ours(size: int, rows: int) -> Method:
    """Work through ``rows`` rows of tiles at a time, as the pipeline does tile by tile; 0 for all at once."""
    plan = tiling.plan((size, size), TILE, OVERLAP)
    step = rows * len(plan.columns.starts) or len(plan)
    tiles = np.empty((step, TILE, TILE), dtype=np.float32)
    out = np.empty((size, size), dtype=np.float32)

    def method(image: np.ndarray, model: Model) -> np.ndarray:
        blender = tiling.Blender(plan, out.dtype)
        for first in range(0, len(plan), step):
            blender.add(model(tiling.split(image, plan, first=first, count=step, out=tiles), first), out)
        return out

    return method


def places(size: int) -> tuple[list[int], list[tuple[slice, slice]]]:
    starts = [*range(0, size - TILE, TILE - OVERLAP), size - TILE]
    return starts, [(slice(i, i + TILE), slice(j, j + TILE)) for i in starts for j in starts]


def numpy_ramp(size: int, *, stream: bool) -> Method:
    """Loop over slices in NumPy, with weights made beforehand that add up to one; no peer without a seam is faster."""
    starts, where = places(size)
    ramp = np.minimum(np.arange(1, TILE + 1), np.arange(TILE, 0, -1)).clip(max=OVERLAP).astype(np.float32)
    total = np.zeros(size, dtype=np.float32)
    for start in starts:
        total[start : start + TILE] += ramp
    axis = [ramp / total[start : start + TILE] for start in starts]
    shared: dict[bytes, np.ndarray] = {}
    weights = [shared.setdefault(a.tobytes() + b.tobytes(), np.outer(a, b)) for a in axis for b in axis]
    tiles = np.empty((1 if stream else len(where), TILE, TILE), dtype=np.float32)
    out, scratch = np.empty((size, size), dtype=np.float32), np.empty((TILE, TILE), dtype=np.float32)

    def method(image: np.ndarray, model: Model) -> np.ndarray:
        out.fill(0)
        for first in range(0, len(where), len(tiles)):
            now = slice(first, first + len(tiles))
            for tile, place in zip(tiles, where[now], strict=True):
                tile[:] = image[place]
            for tile, weight, place in zip(model(tiles, first), weights[now], where[now], strict=True):
                out[place] += np.multiply(tile, weight, out=scratch)
        return out

    return method


def tiler_hann(size: int) -> Method:
    """PyPI's tiler with a Hann window, padded as its manual advises for windows."""
    from tiler import Merger, Tiler

    tiler = Tiler(data_shape=(size, size), tile_shape=(TILE, TILE), overlap=OVERLAP)
    shape, padding = tiler.calculate_padding()
    tiler.recalculate(data_shape=shape)
    merger = Merger(tiler, window="hann")

    def method(image: np.ndarray, model: Model) -> np.ndarray:
        tiles = tiler.get_all_tiles(np.pad(image, padding, mode="reflect"))
        merger.reset()
        for number, tile in enumerate(model(tiles, 0)):
            merger.add(number, tile)
        return merger.merge(extra_padding=padding, dtype=np.float32)

    return method


def overwriting(size: int) -> Method:
    """Let the later tile win, as patchify and empatches do: quick, and every edge shows."""
    _, where = places(size)
    tiles, out = np.empty((len(where), TILE, TILE), dtype=np.float32), np.empty((size, size), dtype=np.float32)

    def method(image: np.ndarray, model: Model) -> np.ndarray:
        for tile, place in zip(tiles, where, strict=True):
            tile[:] = image[place]
        for tile, place in zip(model(tiles, 0), where, strict=True):
            out[place] = tile
        return out

    return method


METHODS = {
    "temclean": partial(ours, rows=1),
    "temclean, all at once": partial(ours, rows=0),
    "numpy ramp": partial(numpy_ramp, stream=True),
    "numpy ramp, all at once": partial(numpy_ramp, stream=False),
    "tiler, Hann": tiler_hann,
    "overwriting (patchify)": overwriting,
}


def seam(method: Method, size: int) -> float:
    """Return the largest step that tiles which disagree leave."""
    across = len(places(size)[0])

    def disagreeing(tiles: np.ndarray, first: int) -> np.ndarray:
        row, column = np.divmod(first + np.arange(len(tiles)), across)
        off = np.where((row + column) % 2, 0.05, -0.05).astype(np.float32)
        return np.asarray(tiles + off[:, None, None], dtype=np.float32)

    result = method(np.full((size, size), 0.5, dtype=np.float32), disagreeing)
    return max(float(np.abs(np.diff(result, axis=axis)).max()) for axis in (0, 1))


def main() -> None:
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    image = np.random.default_rng(0).random((size, size), dtype=np.float32)
    methods = {}
    for name, make in METHODS.items():
        try:
            methods[name] = make(size)
        except ImportError:
            print(f"{name}: not installed")
    errors = {name: float(np.abs(method(image, identity) - image).max()) for name, method in methods.items()}
    times: dict[str, list[float]] = {name: [] for name in methods}
    for _ in range(ROUNDS):  # in turns, so that a busy moment hits all
        for name, method in methods.items():
            start = time.perf_counter()
            method(image, identity)
            times[name].append(time.perf_counter() - start)
    print(f"{size} x {size}, tile {TILE}, overlap {OVERLAP}, one thread; best of {ROUNDS}")
    for name, method in methods.items():
        ratio = min(times[name]) / min(times["temclean"])
        print(
            f"{name:24} {min(times[name]) * 1e3:7.1f} ms {ratio:6.1f} x temclean's   "
            f"error {errors[name]:.0e}   seam {seam(method, size):.4f}"
        )


if __name__ == "__main__":
    main()
