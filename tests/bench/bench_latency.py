"""Time from a frame in memory to its result in memory, 512x512, of shipped models beside non-local means.

    python tests/bench/bench_latency.py [MODEL...] [--count N] [--threads N] [--device cpu|cuda] [--limit SHARE]

A frame of counted electrons, 16 bits, goes in and a frame of its type comes out, through all that `temclean denoise`
does but files: scale, tiles, network. The network alone, in one piece, with the transfers to a GPU and back, is timed
by itself. Prints the median, the 99th percentile and the frames a second of each model over N frames, and its median as
a share of that of scikit-image's non-local means (fast_mode, its own patch and distance; it has one thread), which
denoises the same frames between the models'. Fails where the first model's share is above the
limit. Katsuno et al. (2021) tell 106 ms on ten cores and 8.0 ms on a GPU.
"""

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from skimage.restoration import denoise_nl_means

from temclean import noise, specimen
from temclean.errors import TemcleanWarning
from temclean.evidence import samples
from temclean.restoration import models, pipeline

DOSE = 5.0
SIDE = 512


def frame(seed: int) -> np.ndarray:
    """Return nanoparticles in bright field at five electrons a pixel."""
    clean = specimen.draw("bright-field", SIDE, 30.0, seed).image
    return (noise.apply(clean, noise.Poisson(DOSE), seed) * DOSE).round().astype(np.uint16)


def alone(session: models.Session) -> Callable[[np.ndarray], object]:
    """Return the network by itself, which takes its own noise whatever the frame."""
    side = SIDE + 2 * session.model.beyond
    image = np.random.default_rng(1).random((1, 1, side, side), dtype=np.float32)
    return lambda _: session.run(image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["lde", "g", "general"])
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--limit", type=float, default=0.2)
    options = parser.parse_args()
    warnings.simplefilter("ignore", TemcleanWarning)
    frames = [frame(seed) for seed in range(4)]
    sigma = float(np.sqrt(DOSE))
    sessions = {
        name: models.open_session(models.load(name), options.device, options.threads) for name in options.models
    }
    runs = {
        name: lambda pixels, session=session: next(pipeline.denoise_frames(pixels[None], session))
        for name, session in sessions.items()
    }
    runs |= {f"{name} alone": alone(session) for name, session in sessions.items()}
    runs["non-local means"] = lambda pixels: denoise_nl_means(pixels, h=0.8 * sigma, sigma=sigma, fast_mode=True)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(options.count + 1):
        pixels = frames[number % len(frames)]
        for name, run in runs.items():
            samples.forget()
            began = time.perf_counter()
            run(pixels)
            taken[name].append(time.perf_counter() - began)
    peer = float(np.median(taken["non-local means"][1:]))
    print(f"{options.count} frames of 512x512, {options.device}, {options.threads} threads; the first is left out")
    print(f"{'':16} {'median':>10} {'99th':>10} {'frames/s':>9} {'of n.l.m.':>9}")
    for name, times in taken.items():
        median, late = float(np.median(times[1:])), float(np.percentile(times[1:], 99))
        print(f"{name:16} {1e3 * median:7.1f} ms {1e3 * late:7.1f} ms {1 / median:9.2f} {median / peer:9.3f}")
    share = float(np.median(taken[options.models[0]][1:])) / peer
    if share > options.limit:
        raise SystemExit(f"{options.models[0]} takes {share:.2f} of the peer's time, above {options.limit}")


if __name__ == "__main__":
    main()
