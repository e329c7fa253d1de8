"""See whether what is not straight stays so, and what is comes out straight, when rows of scanned images are put back.

    python tests/bench/bench_planes.py [--model general] [--strays 0.3 1] [--counts 30 300] [FILE ...]

Draws lattices of 512x512 pixels whose planes of atoms lie along the rows, which is the hardest case, 17.4 pixels
apart: 4% wider from the fifteenth plane on, bent by a sine of 3 pixels, half a cell too far from there on, every
second plane off by half a pixel either way, one plane off by a pixel. The beam strays from row to row, along and
across, by an AR(1) series of so many pixels (its innovations; each is correlated with the next by 0.3), and electrons
are counted. Prints PSNR and the greatest error of a plane's height in pixels, with rows left as they are, with rows put
back by slopes alone, and by repeats.

Of each FILE it prints how far a column lies from the mean of its opposite neighbours, root mean square in pixels down
and along the rows; of dark columns with ``--dark``. A result of another program can be given as ``--beside FILE``.
"""

import argparse
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from bench_kinds import psnr
from scipy.spatial import cKDTree

import temclean
from temclean import io, metrics, noise
from temclean.evidence.lines import straightened

SIDE, DOWN, RIGHT, WIDTH = 512, 17.4, 18.3, 3.2
BORDER = 20

KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "4% wider": lambda k: 0.04 * DOWN * np.maximum(0, k - 14),
    "bent": lambda k: 3.0 * np.sin(k / 4),
    "half a cell too far": lambda k: np.where(k >= 14, 0.5 * DOWN, 0.0),
    "alternating": lambda k: np.where(k % 2, 0.5, -0.5),
    "one plane off": lambda k: np.where(k == 14, 1.0, 0.0),
}
WAYS = {"left": ("by_repeats", "by_slopes"), "slopes": ("by_repeats",), "repeats": ()}
"""What is not done in each."""


@contextmanager
def without(names: tuple[str, ...]) -> Iterator[None]:
    """Have nothing put back in some ways."""
    kept = {name: getattr(straightened, name) for name in names}
    for name in names:
        setattr(straightened, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(straightened, name, function)


def lattice(planes: np.ndarray) -> np.ndarray:
    """Return columns of atoms at the heights of planes, float32."""
    line = np.arange(SIDE)
    down = np.exp(-0.5 * ((line[:, None] - planes) / WIDTH) ** 2).sum(axis=1)
    right = np.exp(-0.5 * ((line[:, None] - np.arange(-5, SIDE + 10, RIGHT)) / WIDTH) ** 2).sum(axis=1)
    return np.float32(0.1 + np.outer(down, right))


def error_of(planes: np.ndarray, image: np.ndarray) -> float:
    """Return the greatest error of a plane's height, a shift of all of them aside."""
    found = metrics.columns(image).positions
    found = found[((found > BORDER) & (found < SIDE - BORDER)).all(axis=1)]
    inner = planes[(planes > 1.5 * BORDER) & (planes < SIDE - 1.5 * BORDER)]
    near = np.abs(found[:, :1] - inner) < DOWN / 3
    errors = np.array([found[own, 0].mean() - height for own, height in zip(near.T, inner, strict=True)])
    return float(np.abs(errors - errors.mean()).max())


def uneven(image: np.ndarray) -> np.ndarray:
    """Return how far columns lie from the mean of their opposite neighbours, (2,)."""
    places = metrics.columns(image).positions
    places = places[((places > BORDER) & (places < np.array(image.shape) - BORDER)).all(axis=1)]
    tree = cKDTree(places)
    apart = float(np.median(tree.query(places, 2)[0][:, 1]))
    off = []
    for place in places:
        away = places[tree.query_ball_point(place, 2.6 * apart)] - place
        away = away[np.hypot(*away.T) > 0.3 * apart]
        distance, which = cKDTree(away).query(-away)
        paired = distance < 0.35 * apart
        if paired.sum() >= 4:
            off.append((away[paired] + away[which[paired]]).mean(axis=0) / 2)
    return np.sqrt(np.square(off).mean(axis=0))


def read(path: str) -> np.ndarray:
    """Return the first frame of a file."""
    pixels = np.asarray(io.read(path).pixels)
    while pixels.ndim > 2:
        pixels = pixels[0]
    return pixels.astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", metavar="FILE")
    parser.add_argument("--model", default="general")
    parser.add_argument("--strays", nargs="*", type=float, default=[0.3, 1.0])
    parser.add_argument("--counts", nargs="*", type=float, default=[30.0, 300.0])
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--beside", metavar="FILE")
    options = parser.parse_args()
    warnings.simplefilter("ignore")

    def ways(noisy: np.ndarray) -> Iterator[np.ndarray]:
        for names in WAYS.values():
            with without(names):
                yield np.asarray(temclean.denoise(noisy, model=options.model, device="cpu"))

    if options.files:
        sign = -1 if options.dark else 1
        for path in options.files:
            found = [uneven(sign * result) for result in ways(read(path))]
            found += [uneven(sign * read(options.beside))] if options.beside else []
            print(f"| {path} | {' | '.join('{:.2f}, {:.2f}'.format(*each) for each in found)} |")
        return
    print(f"| planes, strays, counts | {' | '.join(WAYS)} |")
    print("|---" * (1 + len(WAYS)) + "|")
    for name, off in KINDS.items():
        number = np.arange(-1, 31)
        planes = 7 + DOWN * number + off(number)
        clean = lattice(planes)
        for strays in options.strays:
            beam = noise.Jitter(x=0.0, y=strays, line=strays, y_phi=0.3, line_phi=0.3)
            for counts in options.counts:
                noisy = noise.apply(noise.apply(clean, beam, 3), noise.Poisson(counts), 5)
                cells = [f"{psnr(clean, each):.1f} dB, {error_of(planes, each):.2f}" for each in ways(noisy)]
                print(f"| {name}, {strays:g}, {counts:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
