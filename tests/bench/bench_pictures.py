"""What a microscopist sees in results: the grid's height, weak things that are gone, saturated areas that stay.

    python tests/bench/bench_pictures.py [MODEL ...] [--quick]

MODEL is a name or an ONNX file; all shipped models by default. Two numbers with a slash between them are of the network
alone and of the result, in which the pipeline has mended what it can. Every table says what is good. Real files lie in
../shared/data; without them their columns are left out. --quick takes fewer files and smaller crops.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from temclean import io, noise, specimen
from temclean.errors import TemcleanError, TemcleanWarning
from temclean.evidence.lattice import lattice
from temclean.evidence.residual import missing
from temclean.restoration import extremes, grid, models, pipeline

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
GRID = ("sto_16_1.ser", "graphene_gb4nm.npy", "feiext_crop1024.mrc", "si110_adf.png", "soot_hrtem_rgb.tif")
WEAK = ("haadf_velox.emd", "zeiss_sem_u8.tif", "soot_hrtem_rgb.tif", "haadf_lowmag_1.ser", "rebco_sem_u16.tif")
PATTERN = ("si110_adf.png", "sto_16_1.ser", "sto_osiris_u16.tif", "abf_movie5.tif")
QUICK = 2
"""Files of each kind that are enough for a first look."""

Array = np.ndarray
Restore = Callable[[Array], Array]
SIGMA = 0.1
"""Noise of made images."""


@cache
def real(name: str, size: int) -> Array | None:
    """Return the upper right of the first frame of a real file, grey, or None."""
    if not (DATA / name).exists():
        return None
    with io.read(DATA / name) as image:
        pixels = np.asarray(image.pixels[0])
    pixels = pixels.mean(axis=-1) if pixels.ndim == 3 else pixels
    return pixels[:size, -size:].astype(np.float32)


def files(names: tuple[str, ...], size: int) -> Iterator[tuple[str, Array]]:
    for name in names:
        pixels = real(name, size)
        if pixels is not None:
            yield name.split(".")[0], pixels


@contextmanager
def unmended() -> Iterator[None]:
    """Leave results as the network makes them."""
    kept = grid.remove, extremes.keep_areas
    grid.remove = extremes.keep_areas = lambda *_: None
    try:
        yield
    finally:
        grid.remove, extremes.keep_areas = kept


def grid_height(image: Array) -> float:
    """Return how far the spectrum (Hann) stands out where rows, columns or both alternate: the worst of the three.

    Over its median 4 to 16 pixels around there; about 2 where there is no grid.
    """
    image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2].astype(float)
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    spectrum = np.abs(np.fft.fft2((image - image.mean()) * window))
    heights = []
    for edge in ((1, 1), (0, 1), (1, 0)):
        middle = [length // 2 if flips else 0 for flips, length in zip(edge, image.shape, strict=True)]
        around = np.roll(spectrum, [16 - place for place in middle], (0, 1))[:33, :33]
        rest = np.ones((33, 33), bool)
        rest[13:20, 13:20] = False
        heights.append(float(around[15:18, 15:18].max() / np.median(around[rest])))
    return max(heights)


def kept(restore: Restore, pattern: Array, contrast: float, draws: int) -> float:
    """Return the share of a weak pattern's contrast that is left: the slope of the result on it."""
    centred = pattern - pattern.mean()
    shares = []
    for seed in range(draws):
        raw = 0.4 + contrast * SIGMA * pattern + np.random.default_rng(seed).normal(0, SIGMA, pattern.shape)
        result = restore(raw.astype(np.float32))
        shares.append(float((result * centred).sum() / (centred**2).sum() / (contrast * SIGMA)))
    return float(np.mean(shares))


def weak_patterns(size: int) -> Iterator[tuple[str, Array, float]]:
    """Yield weak things under noise: their name, shape, and contrast over the noise of a pixel."""
    rows, columns = np.mgrid[:size, :size]
    for radius, contrast in ((4, 1.0), (8, 0.5), (16, 0.25)):
        near = np.hypot(rows % 64 - 32, columns % 64 - 32) < radius
        yield f"disc r={radius} {contrast:g}s", near.astype(float), contrast
    yield "step 0.3s", (rows * 0.8 + columns > 0.9 * size).astype(float), 0.3
    yield "line 0.7s", (np.abs(rows * 0.5 - columns + 0.25 * size) < 2).astype(float), 0.7
    yield "fringes 0.3s", np.cos(2 * np.pi * (0.9 * rows + 0.44 * columns) / 9), 0.3


def saturated(radius: int, dark: bool, size: int = 160) -> tuple[Array, Array]:
    """Return an 8-bit image with clipped discs on noise, and where they are."""
    rows, columns = np.ogrid[:size, :size]
    inside = (rows % 53 - 26) ** 2 + (columns % 53 - 26) ** 2 <= radius**2
    image = np.where(inside, 1.5, 0.25) + np.random.default_rng(1).normal(0, 0.06, inside.shape)
    image = image.clip(0, 1)
    return np.rint(255 * (1 - image if dark else image)).astype(np.uint8), inside


def both(measure: Callable[[Restore], float], restore: Restore) -> str:
    with unmended():
        alone = measure(restore)
    return f"{alone:.3g}/{measure(restore):.3g}"


def grids(restore: Restore, size: int, few: int | None) -> Iterator[tuple[str, str]]:
    for name, raw in files(GRID[:few], size):
        yield name, both(lambda run, raw=raw: grid_height(run(raw)), restore)
    clean = specimen.draw("graphene-atoms", 256, 0.1, 1_000_000).image
    raw = noise.apply(clean, noise.Gaussian(0.2), seed=1)
    yield "made", both(lambda run: grid_height(run(raw)), restore)


def weak(restore: Restore, size: int, few: int | None) -> Iterator[tuple[str, str]]:
    for name, pattern, contrast in weak_patterns(192):
        yield name, f"{kept(restore, pattern, contrast, 1 if few else 3):.2f}"


def gone(restore: Restore, size: int, few: int | None) -> Iterator[tuple[str, str]]:
    for name, raw in files(WEAK[:few], size):
        yield name, f"{missing(raw, restore(raw)).significance:.1f}"


def fused(restore: Restore, size: int, few: int | None) -> Iterator[tuple[str, str]]:
    for name, raw in files(PATTERN[:few], size):
        found = lattice(raw, restore(raw))
        yield name, f"{found.height:.1f}" + (f" ({found.share:.0%} at {found.period:.1f} px)" if found.clear else "")


def stays(restore: Restore, size: int, few: int | None) -> Iterator[tuple[str, str]]:
    for dark in (False, True):
        for radius in (3, 10) if few else (3, 5, 10, 20):
            raw, inside = saturated(radius, dark)

            def mean(run: Restore, raw: Array = raw, inside: Array = inside) -> float:
                return float(run(raw)[inside].mean())

            yield f"{'0' if dark else '255'} r={radius}", both(mean, restore)


TABLES = {
    "Grid of two pixels, height in the spectrum (2: none)": grids,
    "Weak things under noise s, share of contrast kept (1: all)": weak,
    "What is gone, significance (below 5.5: nothing)": gone,
    "Regular pattern that got weaker, height (below 6: none)": fused,
    "Saturated discs of 0 and 255, mean (0 and 255: all stays)": stays,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", nargs="*", default=list(models.available()))
    parser.add_argument("--quick", action="store_true", help="fewer files, smaller crops")
    options = parser.parse_args()
    warnings.simplefilter("ignore", TemcleanWarning)
    size, few = (320, QUICK) if options.quick else (512, None)
    restorers: dict[str, Restore] = {}
    for name in options.models:
        try:
            session = models.open_session(models.load(name), "cpu")
        except TemcleanError as error:
            parser.error(str(error))
        label = Path(name).stem
        while label in restorers:
            label += "'"
        restorers[label] = lambda raw, session=session: next(pipeline.denoise_frames(raw[None], session))
    width = max(map(len, restorers))
    for title, table in TABLES.items():
        print(f"\n{title}")
        for label, restore in restorers.items():
            cells = [f"{column} {value}" for column, value in table(restore, size, few)]
            print(f"  {label:{width}}  " + " | ".join(cells), flush=True)


if __name__ == "__main__":
    main()
