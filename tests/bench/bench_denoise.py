"""Denoising an array, timed beside scikit-image's denoisers in this run; then its memory, and what tiles cost.

    python tests/bench/bench_denoise.py [MODEL] [--memory SIZE ...] [--file SIZE ...]

MODEL is a name or an ONNX file; the first shipped one by default. CPU seconds are what both use on all threads: they
stay sound on a machine that does other work too.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from temclean.evidence import samples
from temclean.restoration import models, pipeline

PEAK = """
import sys
import numpy as np
from temclean.restoration import models, pipeline
size, model = int(sys.argv[1]), sys.argv[2]
frames = np.empty((1, size, size), np.uint16)
draw = np.random.default_rng(0)
for top in range(0, size, 256):
    frames[0, top : top + 256] = draw.integers(0, 4000, (min(256, size - top), size), np.uint16)
session = models.open_session(models.load(model), "cpu")
for _ in pipeline.denoise_frames(frames, session):
    pass
try:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
except ImportError:  # Windows
    print(0)
"""


def noisy(size: int) -> np.ndarray:
    """Return blobs under Poisson noise."""
    draw = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size] / 12
    return draw.poisson(20 * (2 + np.sin(y) + np.sin(x))).astype(np.uint16)


def cost(run: Callable[[], object], least: float = 1.0) -> tuple[float, float]:
    """Return the wall and CPU seconds of one call, the best of several."""
    run()
    best = [np.inf, np.inf]
    end = time.perf_counter() + least
    while time.perf_counter() < end or not np.isfinite(best[0]):
        samples.forget()
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        best = [min(best[0], time.perf_counter() - wall), min(best[1], time.process_time() - cpu)]
    return best[0], best[1]


def against_peers(model: str, size: int) -> None:
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    image = noisy(size)
    unit = image.astype(np.float32) / image.max()
    own = cost(lambda: pipeline.denoise(image, model, device="cpu"))
    means = cost(lambda: denoise_nl_means(unit, h=0.1))
    total_variation = cost(lambda: denoise_tv_chambolle(unit, weight=0.1))
    print(f"{size} x {size} uint16, all that denoise() does; {own[0] * 1e3:.0f} ms, {own[1] * 1e3:.0f} ms of CPU")
    for name, peer in (("non-local means", means), ("total variation", total_variation)):
        print(f"  {name:16} takes {peer[0] / own[0]:6.2f} times as long, {peer[1] / own[1]:6.2f} times the CPU")


def tiles_against_whole(model: str, size: int) -> None:
    """Compare tiles with the whole image in one run: seconds, and the largest difference."""
    image, loaded = noisy(size).astype(np.float32), models.load(model)
    whole = pipeline.denoise(image, model, device="cpu", tile=size + loaded.multiple)
    alone = cost(lambda: pipeline.denoise(image, model, device="cpu", tile=size + loaded.multiple))
    print(f"{size} x {size} whole: {alone[1] / size / size * 1e9:.0f} ns of CPU a pixel")
    for tile in (768, 1024, 1280):
        if 2 * loaded.halo + loaded.multiple <= tile < size:
            cut = pipeline.plan(image.shape, loaded, tile)
            result = pipeline.denoise(image, model, device="cpu", tile=tile)
            tiled = cost(lambda: pipeline.denoise(image, model, device="cpu", tile=tile))  # noqa: B023
            print(
                f"  {len(cut):3} tiles of {tile:4}: {tiled[1] / alone[1]:.2f} times the CPU of the whole, "
                f"differ by {np.abs(result - whole).max() / np.ptp(whole):.1e} of the range"
            )


def memory(model: str, size: int) -> None:
    path = str(models.find(model))
    done = subprocess.run([sys.executable, "-c", PEAK, str(size), path], capture_output=True, text=True, check=True)
    peak, arrays = int(done.stdout), 2 * 2 * size**2
    print(f"{size} x {size} uint16: peak {peak / 1e6:.0f} MB, {peak / arrays:.2f} times input and output")


def file(model: str, size: int) -> None:
    """Run the command line on a TIFF of 16 bits: seconds, and the peak memory of the whole process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.tif"
        pixels = tifffile.memmap(path, shape=(size, size), dtype=np.uint16)
        for top in range(0, size, 256):
            draw = np.random.default_rng(top)
            y, x = np.mgrid[top : min(top + 256, size), :size] / np.float32(12)
            pixels[top : top + 256] = draw.poisson(200 * (2 + np.sin(y) + np.sin(x)))
        pixels.flush()
        del pixels
        began = time.perf_counter()
        command = [sys.executable, "-m", "temclean", "denoise", str(path), "--model", model, "--device", "cpu"]
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - began
    try:
        import resource
    except ImportError:  # Windows
        print(f"{size} x {size} uint16 TIFF: {seconds:.1f} s")
        return
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print(f"{size} x {size} uint16 TIFF: {seconds:.1f} s, peak {peak / 1e6:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="?", default=next(iter(models.available()), None))
    parser.add_argument("--memory", type=int, nargs="*", metavar="SIZE", help="only the peak memory, at these sizes")
    parser.add_argument("--file", type=int, nargs="+", metavar="SIZE", help="only `temclean denoise` of files, rising")
    options = parser.parse_args()
    if options.model is None:
        parser.error("no model is installed: give an ONNX file")
    for size in options.file or []:
        file(options.model, size)
    if options.file:
        return
    if options.memory is None:
        against_peers(options.model, 512)
        tiles_against_whole(options.model, 1536)
    for size in options.memory or ([4096] if options.memory is None else []):
        memory(options.model, size)


if __name__ == "__main__":
    main()
