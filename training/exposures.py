"""The user's own pairs of a short and a long exposure, brought onto each other: what ``lowdose`` trains on."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters, io
from temclean.errors import FileError, ImageError, ParameterError
from temclean.evidence import drift

Array = NDArray[np.float32]

FARTHEST = 32.0
"""Pixels of the short exposure by which the long one may stand off it."""

ROUNDS = 3
"""Steps in which fractions of a pixel are found, each from where the last one led."""

SMOOTHED = 1.0
"""Standard deviation in pixels of the Gaussian under which exposures are laid over each other."""

SURE = 5.0
"""Standard errors from which on a short exposure shows what its long one does."""

LOOKED_AT = 128
"""Pixels along the side at which long exposures are searched for the same field of view."""

ALIKE = 0.7
"""Correlation over what they share from which on two long exposures show one field of view."""

EMPTY = 0.3
"""Share of an image's power that a part of it has at least: an empty corner says nothing of another image."""

SMALLEST = 64
"""Pixels along the shorter side, below which there is nothing to train on."""


@dataclass(frozen=True)
class Pair:
    """A short exposure and the long one of the same field, on the same pixels and on the same scale.

    Attributes
    ----------
    name : of the files, without their suffix; with the frame's number where the short exposure is a stack.
    short : counts (rows, columns), the dark image taken away.
    long : (rows, columns), what the short exposure would be if it had no noise.
    drift : pixels (down, right) by which the long exposure stood off the short one.
    pixel_nm : width of a pixel; None where the file does not say.
    """

    name: str
    short: Array
    long: Array
    drift: tuple[float, float]
    pixel_nm: float | None


def partners(shorts: Path, longs: Path) -> list[tuple[Path, Path]]:
    """Return the files of two folders that have the same name but for the suffix, in the order of the names.

    Raises
    ------
    FileError : a folder is missing or holds no images.
    ParameterError : a file has no partner or two, or the folders are one.
    """
    if shorts.resolve() == longs.resolve():
        raise ParameterError(f"{shorts}: short and long exposures lie in one folder; give each a folder of its own")
    found: list[dict[str, Path]] = []
    for folder in (shorts, longs):
        if not folder.is_dir():
            raise FileError(f"{folder}: there is no such folder; give one of short and one of long exposures")
        named: dict[str, Path] = {}
        for path in sorted(each for each in folder.iterdir() if each.is_file() and io.is_image_name(each)):
            if path.stem in named:
                raise ParameterError(
                    f"{folder}: {named[path.stem].name} and {path.name} are both {path.stem}; keep one"
                )
            named[path.stem] = path
        if not named:
            raise FileError(f"{folder}: holds no images; give one folder of short and one of long exposures")
        found.append(named)
    for mine, other, folder in ((found[0], found[1], longs), (found[1], found[0], shorts)):
        if alone := [path for name, path in mine.items() if name not in other]:
            more = f" (nor have {len(alone) - 1} others)" if len(alone) > 1 else ""
            raise ParameterError(f"{alone[0]}: has no partner in {folder}{more}; give both of a pair the same name")
    return [(found[0][name], found[1][name]) for name in found[0]]


def frames(path: Path, dark: Path | None = None) -> tuple[Array, float | None]:
    """Read an image or a stack as (frames, rows, columns), without the mean of a dark image; and its pixel in nm.

    Raises
    ------
    FileError, ImageError : the file cannot be read, or holds no finite numbers.
    ParameterError : the dark image has another shape.
    """
    with io.read(path) as image:
        pixels = np.stack([frame.astype(np.float32) for frame in image.pixels])
        pixel = image.angstroms
    if not np.isfinite(pixels).all():
        raise ImageError(f"{path}: some of its pixels are NaN or infinite; replace them first")
    if dark is not None:
        ground = frames(dark)[0].mean(axis=0)
        if ground.shape != pixels.shape[1:]:
            raise ParameterError(f"{dark}: has {ground.shape} pixels and {path} {pixels.shape[1:]}; bin both alike")
        pixels -= ground
    return pixels, None if pixel is None else pixel / 10.0


def binned(image: Array, shape: tuple[int, ...], path: Path) -> Array:
    """Return the means of squares of pixels, so many that (rows, columns) become ``shape``.

    Raises
    ------
    ParameterError : no whole number of pixels makes one.
    """
    factors = [large / small for large, small in zip(image.shape, shape, strict=True)]
    factor = int(factors[0])
    if factor < 1 or any(each != factor for each in factors):
        raise ParameterError(
            f"{path}: has {image.shape[0]} x {image.shape[1]} pixels, which cannot be binned to the {shape[0]} x "
            f"{shape[1]} of its short exposure; export both at binnings of the same field"
        )
    means: Array = image.reshape(shape[0], factor, shape[1], factor).mean(axis=(1, 3))
    return means


def laid_over(short: Array, long: Array) -> tuple[Array, Array, tuple[float, float]]:
    """Move a long exposure onto a short one, and cut both to what they share; and by how much it stood off.

    The correlation tells whole pixels; fractions follow from least squares (:func:`rest`), which lose nothing of what
    the few electrons of the short exposure tell.
    """
    down, right = (-each for each in drift.shift(short, long, FARTHEST))
    down, right = float(round(down)), float(round(right))
    for _ in range(ROUNDS):
        part, moved = shared(short, drift.moved(long, (down, right)))
        step = rest(part, moved)
        if max(map(abs, step)) > 2.0:  # not what the first order tells: there is too little to see
            break
        down, right = down + step[0], right + step[1]
    return *shared(short, drift.moved(long, (down, right))), (-down, -right)


def shared(short: Array, moved: Array) -> tuple[Array, Array]:
    """Cut a short exposure and a long one that was moved to where the latter is known."""
    seen = np.isfinite(moved)
    place = np.ix_(seen.any(axis=1), seen.any(axis=0))
    return short[place], moved[place]


def rest(short: Array, long: Array) -> tuple[float, float]:
    r"""Return by how much (down, right) a long exposure L has yet to be moved onto a short one.

    The least squares of :math:`S = a L + b - a \, d \cdot \nabla L`, over a, b and d.
    """
    smooth = filters.gaussian(long, SMOOTHED).astype(np.float64)
    columns = [smooth, np.ones_like(smooth), *np.gradient(smooth)]
    design = np.stack([each.ravel() for each in columns], axis=1)
    slope, _, y, x = np.linalg.lstsq(design, filters.gaussian(short, SMOOTHED).astype(np.float64).ravel(), rcond=None)[
        0
    ]
    return (-float(y / slope), -float(x / slope)) if abs(slope) > 1e-12 else (0.0, 0.0)


def rescaled(short: Array, long: Array, proportional: bool) -> Array | None:
    """Bring a long exposure to the scale of a short one; None where the two have nothing in common.

    By the straight line that fits best, whose slope is unbiased as the noise of the long exposure is next to none; with
    dark images both are ``proportional``, and the ratio of their means is known far better.
    """
    x, y = long - long.mean(dtype=np.float64), short - short.mean(dtype=np.float64)
    power = float((x * x).sum(dtype=np.float64))
    if not power > 0.0:
        return None
    slope = float((x * y).sum(dtype=np.float64)) / power
    error = float((y - slope * x).std(dtype=np.float64)) / math.sqrt(power)
    if not slope > SURE * error:
        return None
    if proportional:
        scaled: Array = long * np.float32(short.mean(dtype=np.float64) / long.mean(dtype=np.float64))
    else:
        scaled = (slope * x + short.mean(dtype=np.float64)).astype(np.float32)
    return scaled


def load(
    shorts: Path, longs: Path, dark_short: Path | None = None, dark_long: Path | None = None
) -> tuple[list[Pair], list[int], list[str]]:
    """Read the pairs of two folders, and lay each long exposure over its short one.

    Returns
    -------
    pairs : one for each frame of each short exposure.
    fields : for each pair the number of its field of view: where two long exposures show the same place, it is one.
    left_out : a line for each pair that cannot be used, and why.

    Raises
    ------
    FileError, ImageError, ParameterError : what files are at fault, and what to do.
    """
    pairs: list[Pair] = []
    views: list[Array] = []
    owners: list[int] = []
    left_out: list[str] = []
    for path, other in partners(shorts, longs):
        counts, pixel = frames(path, dark_short)
        whole = frames(other, dark_long)[0].mean(axis=0)
        if min(counts.shape[1:]) < SMALLEST:
            raise ImageError(f"{path}: has {counts.shape[1]} x {counts.shape[2]} pixels; give {SMALLEST} or more")
        view = binned(whole, counts.shape[1:], other)
        views.append(view)
        for number, frame in enumerate(counts):
            name = path.stem if len(counts) == 1 else f"{path.stem} frame {number}"
            short, long, off = laid_over(frame, view)
            scaled = rescaled(short, long, dark_short is not None and dark_long is not None)
            if scaled is None or min(short.shape) < SMALLEST:
                left_out.append(f"{name}: left out, as its long exposure shows nothing that the short one does")
                continue
            pairs.append(Pair(name, short, scaled, off, pixel))
            owners.append(len(views) - 1)
    places = fields(views)
    return pairs, [places[owner] for owner in owners], left_out


def detail(view: Array) -> Array:
    """Return an image at up to :data:`LOOKED_AT` pixels a side without its slow part, in a square of zeros."""
    step = max(1, -(-max(view.shape) // LOOKED_AT))
    rows, columns = (length // step for length in view.shape)
    small = view[: rows * step, : columns * step].reshape(rows, step, columns, step).mean(axis=(1, 3))
    square = np.zeros((LOOKED_AT, LOOKED_AT), np.float32)
    square[:rows, :columns] = small - filters.gaussian(small, LOOKED_AT / 8)
    return square


def fields(views: list[Array]) -> list[int]:
    """Return a number for each long exposure (rows, columns), the same where two show one field of view.

    These overlap by half or so, and correlate there by more than :data:`ALIKE`, for one of all shifts. Images
    of next to nothing, or of one particle each, may be taken for one field, which leaves the split an honest one.
    """
    numbers = list(range(len(views)))
    padded = (2 * LOOKED_AT, 2 * LOOKED_AT)
    details = [detail(view) for view in views]
    waves = [np.fft.rfft2(each, padded).astype(np.complex64) for each in details]
    shared = []  # for each image and shift, the power of the part of it that another one of its size shows too
    for each in details:
        within = np.fft.rfft2((each != 0.0).astype(np.float32), padded)
        overlap = np.fft.irfft2(within * within.conj(), padded)
        power = np.fft.irfft2(np.fft.rfft2(each * each, padded) * within.conj(), padded)
        power = np.maximum(power, np.float32(EMPTY) * power.max())
        shared.append(np.where(overlap > 0.45 * overlap.max(), power, np.inf).astype(np.float32))
    for here in range(len(views)):
        for there in range(here):
            if numbers[here] == numbers[there]:
                continue
            both = np.fft.irfft2(waves[here] * waves[there].conj(), padded)
            other = np.roll(shared[there][::-1, ::-1], 1, axis=(0, 1))  # the same shift, seen from the other image
            if float((both / np.sqrt(shared[here] * other)).max()) > ALIKE:
                old, new = numbers[here], numbers[there]
                numbers = [new if each == old else each for each in numbers]
    return numbers


def split(places: list[int], share: float, seed: int) -> tuple[list[int], list[int]]:
    """Divide pairs, by the numbers of their fields, into those to train on and those held out; no field is in both.

    Raises
    ------
    ParameterError : there are fewer than three fields.
    """
    known: list[Any] = sorted(set(places))
    if len(known) < 3:
        raise ParameterError(
            f"the pairs show {len(known)} fields of view; give three or more, as whole fields are held out"
        )
    count = min(max(1, round(share * len(known))), len(known) - 2)
    rng = np.random.Generator(np.random.PCG64(seed))
    kept = set(rng.permutation(known)[:count].tolist())
    inside = [number for number, place in enumerate(places) if place not in kept]
    return inside, [number for number, place in enumerate(places) if place in kept]
