"""Measure how long after a file is closed its result is there: `temclean watch`, 512x512, 16 bits, TIFF.

    python tests/bench/bench_watch.py [MODEL] [--count N] [--threads N] [--limit SECONDS]

Prints the median and the 99th percentile over N files, one after the other, how much of it the network alone takes, and
for comparison scikit-image's fast non-local means on the same images. Fails where the median is above the limit.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
from skimage.restoration import denoise_nl_means

from temclean.restoration import models


def frame(seed: int) -> np.ndarray:
    """Return a lattice in counted electrons."""
    y, x = np.mgrid[:512, :512]
    clean = 40 + 25 * np.cos(2 * np.pi * x / 11) * np.cos(2 * np.pi * (y / 13 + x / 29))
    return np.random.default_rng(seed).poisson(clean).astype(np.uint16)


def seconds(function) -> float:
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="g")
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--limit", type=float, default=0.5)
    options = parser.parse_args()
    threads = ["--threads", str(options.threads)] if options.threads else []
    lags = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "temclean", "watch", name, "-m", options.model, "--device", "cpu", *threads]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as watch:
            while "Ctrl-C ends it" not in watch.stderr.readline():
                pass
            for number in range(options.count):
                time.sleep(0.05 + 0.001 * (number % 20))
                pixels, result = frame(number), folder / f"{number}_{options.model}.tif"
                tifffile.imwrite(folder / f"{number}.tif", pixels)
                closed = time.perf_counter()
                while not result.exists():
                    time.sleep(0.001)
                lags.append(time.perf_counter() - closed)
            watch.terminate()
    session = models.open_session(models.load(options.model), "cpu", options.threads)
    batch = np.pad(frame(0), session.model.beyond, mode="symmetric")[None, None].astype(np.float32) / 100
    network = np.median([seconds(lambda: session.run(batch)) for _ in range(5)])
    peer = np.median([seconds(lambda: denoise_nl_means(frame(0) / 100, 7, 11, 0.1, fast_mode=True)) for _ in range(3)])
    median, late = np.median(lags), np.percentile(lags, 99)
    print(
        f"{options.model}: median {median:.3f} s, 99th percentile {late:.3f} s over {len(lags)} files; "
        f"the network alone {network:.3f} s; non-local means {peer:.3f} s, {peer / median:.1f} times the median"
    )
    if median > options.limit:
        sys.exit(f"the median is above {options.limit} s")


if __name__ == "__main__":
    main()
