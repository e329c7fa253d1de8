"""Split and blend, timed beside peers that do the same in this run; one thread; the ratio is what counts.

    python tests/bench/bench_tiles.py [SIZE]

Every method cuts a SIZE x SIZE float32 image into tiles of 256 pixels that share 64 or more, and puts them together
again; memory is allocated beforehand where a method allows it. The methods take turns, round by round, so that a busy
moment hits all. In its turn a method works four times and the best of the last three counts: it meets the caches as it
leaves them itself, as in a row of frames, and a moment that another program takes is not counted. Each is printed with
its ratios to temclean's times: of the medians, and the least of any round. The seam is the largest step between
neighbouring pixels of a flat image whose tiles are off by +-0.05 in turn, which a hard edge leaves at 0.1.
"""

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from temclean.restoration import tiling

TILE, OVERLAP = 256, 64
ROUNDS = 15
SEAM = 0.01
OURS = {"tile by tile": 0, "row by row": 1, "all at once": None}  # rows of tiles at a time

Model = Callable[[np.ndarray, int], np.ndarray]  # tiles and the number of the first
Method = Callable[[np.ndarray, Model], np.ndarray]


def identity(tiles: np.ndarray, _first: int) -> np.ndarray:
    return tiles


def ours(size: int, rows: int | None) -> Method:
    """Work through so many rows of tiles at a time; 0 is tile by tile, as the pipeline does, None all at once."""
    plan = tiling.plan((size, size), TILE, OVERLAP)
    step = len(plan) if rows is None else max(1, rows * len(plan.columns.starts))
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
    **{name: partial(ours, rows=rows) for name, rows in OURS.items()},
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
    seams = {name: seam(method, size) for name, method in methods.items()}
    times = {name: np.empty(ROUNDS) for name in methods}
    for turn in range(ROUNDS):
        for name, method in methods.items():
            times[name][turn] = min([timed(method, image) for _ in range(4)][1:])
    print(f"{size} x {size}, tile {TILE}, overlap {OVERLAP}, one thread, {ROUNDS} rounds: median ratio (least of any)")
    print(f"{'':24} {'median':>9} {'error':>7} {'seam':>7}" + "".join(f" {'/ ' + name:>16}" for name in OURS))
    smooth = {name: times[name] for name in methods if name not in OURS and seams[name] <= SEAM}
    for name in methods:
        line = f"{name:24} {np.median(times[name]) * 1e3:6.2f} ms {errors[name]:7.0e} {seams[name]:7.4f}"
        print(line + "".join(ratios(times[name], times[way]) for way in OURS if name not in OURS))
    fastest = min(smooth, key=lambda name: np.median(smooth[name]))
    print(f"fastest peer without a seam: {fastest}")
    least = np.min(list(smooth.values()), axis=0)  # of whichever was the fastest in that round
    for way in OURS:
        print(f"temclean, {way:12} is faster by{ratios(least, times[way])}")


def timed(method: Method, image: np.ndarray) -> float:
    start = time.perf_counter()
    method(image, identity)
    return time.perf_counter() - start


def ratios(theirs: np.ndarray, ours: np.ndarray) -> str:
    """Format the ratio of the medians and the least ratio of any round."""
    return f" {np.median(theirs) / np.median(ours):7.2f} ({(theirs / ours).min():5.2f})"


if __name__ == "__main__":
    main()
