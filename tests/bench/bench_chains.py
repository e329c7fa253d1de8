"""A scanning microscope's noise, every step on, against the same chain in NumPy and SciPy; one thread each.

    python tests/bench/bench_chains.py [SIDE]

The peer takes the same steps with the same parameters on the same float32 image: SFC64 normals through
scipy.signal.lfilter, cubic scipy.ndimage.map_coordinates, numpy's Poisson numbers, scipy.ndimage.convolve1d, lines and
random walks. Rounds alternate; the ratio is that of the medians. Returns 1 if it is below 5.
"""

import sys
import time

import numpy as np
from scipy import ndimage, signal

from temclean import noise

BAR = 5
ROUNDS = 7
CHAIN = noise.Chain(
    (
        noise.Jitter(0.6, 0.8, 0.5, 0.5, 0.3, 0.8),
        noise.Detector(20.0),
        noise.FastScan(2.0, 1.5, 12.0, 1.0),
        noise.RowLines(100),
        noise.BlackPixels(500, 8),
        noise.Zingers(500, 8),
        noise.Saturation(1.5),
        noise.Quantisation(4096.0),
    )
)
JITTER, DETECTOR, SCAN, LINES, BLACK, ZINGERS, SATURATION, QUANTISATION = CHAIN.steps


def series(rng, shape, spread, phi):
    steps = rng.standard_normal(shape, np.float32) * np.float32(spread)
    steps[..., 0] /= np.sqrt(1 - phi**2)
    return signal.lfilter([1.0], [1.0, -phi], steps, axis=-1)


def jitter(image, rng):
    rows, columns = image.shape
    y = np.arange(rows)[:, None] + series(rng, rows, JITTER.y, JITTER.y_phi)[:, None]
    x = np.arange(columns) + series(rng, image.shape, JITTER.x, JITTER.x_phi)
    x += series(rng, rows, JITTER.line, JITTER.line_phi)[:, None]
    return ndimage.map_coordinates(image, [np.broadcast_to(y, image.shape), x], order=3, mode="mirror")


def clusters(image, step, rng):
    rows, columns = image.shape
    for factor in rng.uniform(step.low, step.high, step.count):
        moves = rng.integers(-1, 2, (rng.integers(step.steps + 1), 2)).cumsum(axis=0)
        start = rng.integers(0, [rows, columns])
        y, x = np.clip(np.vstack([start, start + moves]), 0, [rows - 1, columns - 1]).T
        image[y, x] *= factor


def chain(image, rng):
    image = np.maximum(jitter(image, rng), 0)
    image = rng.poisson(image * DETECTOR.counts).astype(np.float32)
    image += rng.standard_normal(image.shape, np.float32) * np.float32(DETECTOR.sigma)
    image /= DETECTOR.counts
    taps = SCAN.taps(image.shape[1])
    image = ndimage.convolve1d(image, taps, axis=1, mode="nearest", origin=-(len(taps) // 2))
    for _ in range(LINES.count):
        row, first, length = rng.integers(0, [image.shape[0], image.shape[1], image.shape[1]])
        stretch = image[row, first : first + length + 1]
        stretch[:] = stretch.mean() * rng.uniform(LINES.low, LINES.high)
    clusters(image, BLACK, rng)
    clusters(image, ZINGERS, rng)
    np.minimum(image, SATURATION.ceiling, out=image)
    return np.rint(image * QUANTISATION.steps) / QUANTISATION.steps


def main(side):
    image = np.random.default_rng(0).random((side, side), np.float32)
    rng = np.random.Generator(np.random.SFC64(1))
    times = {"ours": [], "NumPy and SciPy": []}
    for turn in range(ROUNDS + 1):
        for name, run in (
            ("ours", lambda turn=turn: noise.apply(image, CHAIN, turn)),
            ("NumPy and SciPy", lambda: chain(image, rng)),
        ):
            began = time.perf_counter()
            run()
            if turn:
                times[name].append(time.perf_counter() - began)
    ours, theirs = (np.median(spent) for spent in times.values())
    print(f"{side}x{side}, a stem image with every step on, one thread")
    for name, spent in times.items():
        print(f"  {name:16} {np.median(spent) * 1e3:7.1f} ms (best {min(spent) * 1e3:.1f})")
    print(f"  ratio {theirs / ours:.1f}, bar {BAR}")
    return int(theirs / ours < BAR)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1024))
