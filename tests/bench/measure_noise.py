"""Parameters of noise, measured on real files, beside the ranges that they are drawn from.

    python tests/bench/measure_noise.py FOLDER

FOLDER holds the real files named below; those that are absent are left out. Prints each parameter of each file, a star
where it lies outside its range in ``temclean/noise/priors.py``, and under them the least and the greatest, widened
``WIDER`` times each way, which is how those ranges were chosen. ``<`` and ``>`` mark bounds: the file shows no more, or
no less, than that. Where no file shows a parameter, the chance follows that noise drawn from the priors stays within
what these files show, and a star where it is below ``SURPRISE``. Exits 1 if anything has a star.

Black is the 0.1 percentile of an image, as files do not tell it: intensities, and the mean, are those above. What
cameras add in reading is measured by their white noise, in beam-free frames, which have no mean.
"""

import argparse
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from temclean import io, noise
from temclean.errors import ParameterError
from temclean.noise import priors

WIDER = 2.0
SURPRISE = 0.05
DRAWS = 4000
CAMERAS = {"ceta_dark_velox.emd": True, "dark5.emi": True, "feiext_crop1024.mrc": False}
"""Frames of cameras, and whether they are dark."""
LATTICES = (
    "sto_osiris_u16.tif", "rebco_roi.dm3", "sto_16.emi", "acq18_ncem.emd", "survey_multi_signal.dm3", "si110_adf.png",
    "graphene_gb4nm.npy", "abf_movie5.tif",
)  # fmt: skip
SHAPES = ("haadf_lowmag_1.ser", "haadf_velox.emd", "scan5.emi")
SURFACES = {"rebco_sem_u16.tif": None, "rock_sem_lzw.tif": None, "zeiss_sem_u8.tif": 670}
"""SEM images, and the rows above a data bar."""

CHAINS = {"scans": noise.STEM, "cameras": noise.TEM}
RANGES = {
    f"{prior.kind.__name__}.{name}": limits
    for chain in CHAINS.values()
    for prior in chain
    for name, limits in prior.ranges.items()
} | {"Thermal.level": priors.THERMAL}
COUNTED = {"BlackPixels.count", "Zingers.count", "RowLines.count", "DarkCurrent.hot"}
"""A bound on these is that of which 3 are expected in the file."""

Pixels = NDArray[np.float64]
Found = Iterator[tuple[str, float, str]]
"""Parameter, value in the unit of its range, and ``=``, or ``<`` or ``>`` of a bound."""


def black_and_mean(image: Pixels) -> tuple[float, float]:
    """Return the black level and the mean above it."""
    black = float(np.percentile(image, 0.1))
    return black, float(image.mean()) - black


def spread(values: Pixels) -> float:
    """Return a standard deviation that outliers do not move."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))


def readout(frames: Pixels) -> dict[str, tuple[float, float]]:
    """Split the power of frames (N, H, W) into white, pink, that of rows and of columns; each variance and its error.

    Pink is c / f^2 beside white in the power off the axes; rows and columns are what the axes have more above 0.1 a
    pixel, where specimens have little.
    """
    middles = np.median(frames, axis=(1, 2), keepdims=True)
    limit = 6 * spread(frames - middles)
    level = np.clip(frames - middles, -limit, limit)
    rows, columns = frames.shape[1:]
    power = np.mean(np.abs(np.fft.fft2(level)) ** 2, axis=0) / (rows * columns)
    down, across = (np.abs(np.fft.fftfreq(length)) for length in (rows, columns))
    frequency = np.hypot(down[:, None], across)
    frequency[0, 0] = np.inf
    pinkness = frequency**-2.0
    off = (down > 0)[:, None] & (across > 0)
    low, high = off & (frequency < 0.05), off & (frequency > 0.25)
    system = [[1.0, pinkness[band].mean()] for band in (low, high)]
    white, pink = np.linalg.solve(system, [power[band].mean() for band in (low, high)])
    error = power[low].mean() / np.sqrt(low.sum() / 2 * len(frames)) / system[0][1]
    found = {"white": (float(white), 0.0), "pink": (float(pink * pinkness.mean()), float(error * pinkness.mean()))}
    axes = {"rows": (power[:, 0], down, columns), "columns": (power[0], across, rows)}
    for name, (line, along, length) in axes.items():
        far = along > 0.1
        more = float(np.mean(line[far] - white - pink * along[far] ** -2.0))
        found[name] = more / length, float(line[far].mean()) / np.sqrt(far.sum() / 2 * len(frames)) / length
    return found


def shared(frames: Pixels) -> tuple[float, float, float]:
    """Return the variance that each frame has of its own, that of what all share but for columns, and its error."""
    level = frames - np.median(frames, axis=(1, 2), keepdims=True)
    limit = 6 * spread(level)
    level = np.clip(level, -limit, limit)
    level -= level.mean(axis=1, keepdims=True)
    middle = level.mean(axis=0)
    own = float(((level - middle) ** 2).sum(axis=0).mean()) / (len(level) - 1)
    return own, float(middle.var()) - own / len(level), float(middle.var()) * np.sqrt(2 / middle.size)


def spots(image: Pixels, sign: int, most: int = 6) -> tuple[int, int, list[float]]:
    """Count spots of up to ``most`` pixels, brighter (sign 1) or darker (-1) than noise makes pixels.

    They differ from the median of 5 x 5 by more than 8 standard deviations of what pixels of like surroundings do, or 8
    times what one in a hundred of these exceeds, over 2.33: counts of few electrons have a longer tail.
    Only surroundings above half the mean count: in the dark a single electron is a spot. Returns the count, the pixels
    with such surroundings, and each spot's intensity over that of its surroundings.
    """
    black, mean = black_and_mean(image)
    around = ndimage.median_filter(image, 5)
    beyond = sign * (image - around)
    level = np.digitize(around, np.quantile(around, np.linspace(0, 1, 21)[1:-1]))
    width = np.array([spread(beyond[level == k]) if (level == k).any() else 0.0 for k in range(20)])
    tail = [np.quantile(beyond[level == k], 0.99) / 2.33 if (level == k).any() else 0.0 for k in range(20)]
    score = beyond / np.maximum(np.maximum(width, tail), step(image))[level]
    labels, count = ndimage.label(score > 8, np.ones((3, 3)))
    numbers = np.arange(1, count + 1)
    sizes = ndimage.sum_labels(score > 8, labels, numbers)
    places = ndimage.maximum_position(score, labels, numbers) if count else []
    bright = around - black > 0.5 * mean
    small = [place for place, size in zip(places, sizes, strict=True) if size <= most and bright[place]]
    return len(small), int(bright.sum()), [float((image[p] - black) / (around[p] - black)) for p in small]


def step(image: Pixels) -> float:
    """Return the least difference of two intensities."""
    return float(np.diff(np.unique(image)).min())


def line_jitter(image: Pixels) -> tuple[float, float, float]:
    """Return s and phi of the rows' shifts, pixels, as if they were along x, and the shifts' score.

    Shifts along y of a specimen that is not upright count too, and so may an oblique lattice of its own (short periods
    above all): what is found is no proof of shifts along x. The prior takes it for that.

    A row's shift against the mean of the rows j before and j after is the slope of their difference on the gradient.
    Its variance is the covariance of the shifts of the left and the right half, whose noise is their own, and for an
    AR(1) series s^2 / (1 - phi^2) (1 - phi^j) (3 - phi^j) / 2. The gradient's square is that of even rows by that of
    odd ones, for the same reason. The score is the halves' correlation over 1 / sqrt(rows). A phi of 0.8
    may come out as 0.6.
    """
    rows, columns = image.shape
    smooth = ndimage.gaussian_filter1d(image - image.mean(), 1.5, axis=1)
    gradients = []
    for first in (0, 1):
        mask = (np.arange(rows) % 2 == first).astype(float)[:, None]
        kept = ndimage.gaussian_filter1d(smooth * mask, 2.0, axis=0) / ndimage.gaussian_filter1d(mask, 2.0, axis=0)
        gradients.append(np.gradient(kept, axis=1))
    slope, square = sum(gradients) / 2, gradients[0] * gradients[1]
    halves = (slice(0, columns // 2), slice(columns // 2, None))
    distances = np.arange(1, 5)
    variances, scores = [], []
    for j in distances:
        change = (smooth[j:-j] - (smooth[2 * j :] + smooth[: -2 * j]) / 2) * slope[j:-j]
        moved = [change[:, half].sum(axis=1) for half in halves]
        moved = [np.clip(part - np.median(part), -6 * spread(part), 6 * spread(part)) for part in moved]
        weight = [square[j:-j, half].sum(axis=1) for half in halves]
        variances.append(np.sum(moved[0] * moved[1]) / np.sum(weight[0] * weight[1]))
        scores.append(np.corrcoef(moved)[0, 1] * np.sqrt(rows))
    measured = np.array(variances)
    phi = np.linspace(0, 0.99, 100)
    left = phi ** distances[:, None]
    shape = (1 - left) * (3 - left) / 2
    whole = np.maximum(measured @ shape / (shape**2).sum(axis=0), 0)
    best = int(np.argmin(((shape * whole - measured[:, None]) ** 2).sum(axis=0)))
    return float(np.sqrt(whole[best] * (1 - phi[best] ** 2))), float(phi[best]), float(np.mean(scores))


def common_along_rows(image: Pixels, lags: int = 16) -> Pixels:
    """Return what the noise of a pixel has in common with the next ones of its row, beyond that of columns, (lags,).

    It is the transform of the power along x above 0.35 down, over that along y above 0.35 across: there specimens have
    little, and an isotropic blur cancels.
    """
    window = np.outer(*(np.hanning(length) for length in image.shape))
    power = np.abs(np.fft.fft2((image - image.mean()) * window)) ** 2
    down, across = (np.abs(np.fft.fftfreq(length)) for length in image.shape)
    edges = np.linspace(0, 0.5, 25)
    bands = list(pairwise(edges))[2:]
    x = [np.median(power[down > 0.35][:, (across > a) & (across <= b)]) for a, b in bands]
    y = [np.median(power[(down > a) & (down <= b)][:, across > 0.35]) for a, b in bands]
    ratio = np.divide(x, y)
    ratio = np.concatenate([ratio[[0, 0]], ratio])  # the lowest bands belong to the specimen
    waves = np.cos(np.pi * np.outer(np.arange(1, lags + 1), edges[1:] + edges[:-1]))
    return waves @ ratio / np.sum(ratio)


def kept(step: noise.FastScan, lags: int = 1) -> Pixels:
    """Return what white noise has in common with the next pixels after a step, (lags,)."""
    taps = step.taps(512)
    padded = np.concatenate([taps, np.zeros(lags)])
    return np.array([taps @ padded[lag : lag + len(taps)] for lag in range(1, lags + 1)]) / (taps @ taps)


def decays(common: float) -> tuple[float, float]:
    """Return alpha and beta of :class:`temclean.noise.FastScan`, each of which alone gives that next pixel."""
    alphas = np.geomspace(0.1, 30, 120)
    next_pixels = [kept(noise.FastScan(detector=float(alpha), decay=0))[0] for alpha in alphas]
    return float(np.interp(common, next_pixels, alphas)), float(-1 / np.log(common))


def oscillation(common: Pixels, lags: int = 6) -> tuple[float, float, float] | None:
    """Return beta, gamma and theta of a read-out that swings, or None where noise has nothing below 0 in common.

    They fit the first ``lags`` best; below 0 is five times what the later ones scatter. Theta, on which the noise
    depends least, is off by up to 0.5.
    """
    if common[:lags].min() > -5 * np.sqrt(np.mean(common[lags:] ** 2)):
        return None
    best, found = np.inf, None
    for decay, period, phase in product(np.geomspace(0.3, 5, 20), np.geomspace(2.2, 40, 24), np.linspace(0.1, 3.0, 15)):
        with suppress(ParameterError):  # parts that cancel
            misfit = np.sum((kept(noise.FastScan(0.0, decay, period, phase), lags) - common[:lags]) ** 2)
            if misfit < best:
                best, found = misfit, (float(decay), float(period), float(phase))
    return found


def tube_noise(image: Pixels) -> float:
    """Return what a detector's own noise is at most, electrons: that of the darkest places over the power of one.

    Noise, by a mask that slopes and edges along an axis cancel in, grows with the intensity by one electron's power.
    Places are told apart by the mean of 7 x 7 pixels, in thirty levels; those cut off at black are left out. Returns
    nan where noise does not grow.
    """
    mask = np.outer([1, -2, 1], [1, -2, 1]) / 6
    noisy, level = ndimage.convolve(image, mask), ndimage.uniform_filter(image, 7)
    place = np.digitize(level, np.quantile(level, np.linspace(0, 1, 31)[1:-1]))
    whole = [k for k in range(30) if np.mean(image[place == k] == image.min()) < 0.01]
    means = np.array([level[place == k].mean() for k in whole])
    powers = np.array([spread(noisy[place == k]) ** 2 for k in whole])
    electron = float(np.polyfit(means, powers, 1)[0])
    return float(np.sqrt(powers[0])) / electron if electron > 0 and powers[0] > 0 else np.nan


def row_lines(image: Pixels, length: int = 32) -> int:
    """Count stretches of rows, of about ``length`` pixels or more, brighter or darker than the rows above and below."""
    beyond = image[1:-1] - (image[2:] + image[:-2]) / 2
    apart = np.minimum(np.abs(image[1:-1] - image[2:]), np.abs(image[1:-1] - image[:-2]))
    apart = np.where((image[1:-1] > image[2:]) == (image[1:-1] > image[:-2]), np.sign(beyond) * apart, 0.0)
    mean = ndimage.uniform_filter1d(np.clip(apart, -4 * spread(beyond), 4 * spread(beyond)), length, axis=1)
    far = ndimage.maximum_filter1d(np.abs(mean) > 12 * spread(mean), 2 * length, axis=1)  # closes gaps
    return int(ndimage.label(far, [[0, 0, 0], [1, 1, 1], [0, 0, 0]])[1])


def steps(image: Pixels) -> float:
    """Return how many steps of its converter an image spans from black to the 99.9 percentile."""
    return (float(np.percentile(image, 99.9)) - black_and_mean(image)[0]) / step(image)


def ceiling(image: Pixels) -> float:
    """Return the greatest intensity over the mean where 1 pixel in 2000 or more has it, else nan."""
    black, mean = black_and_mean(image)
    return float(image.max() - black) / mean if np.mean(image == image.max()) > 5e-4 else np.nan


def of_spots(frames: Pixels, lit: bool = True) -> Found:
    """Measure zingers and black pixels; where there is none, of 3 at least one would be seen 19 times in 20."""
    for name, sign in (("Zingers", 1), ("BlackPixels", -1)):
        counts, pixels, factors = zip(*(spots(frame, sign) for frame in frames), strict=True)
        yield f"{name}.count", (sum(counts) or 3) / sum(pixels) * 1e6, "=" if sum(counts) else "<"
        if lit and sum(counts):
            yield f"{name}.high", max(max(some, default=0.0) for some in factors), "="


def of_camera(frames: Pixels, dark: bool) -> Found:
    """Measure frames of a camera; shot noise is white too, and the low frequencies of a specimen are its own."""
    white, pink, rows, columns = readout(frames).values()
    for name, (more, error) in (("Flicker", pink), ("Reset", rows), ("ColumnPattern", columns)):
        seen = more > 3 * error
        if dark or (seen and name != "Flicker"):
            level = np.sqrt((more if seen else max(more, 0) + 3 * error) / white[0])
            yield f"{name}.level", level, ">" if not dark else "=" if seen else "<"
    if dark:
        offset = np.mean([abs(np.median(frame)) for frame in frames])
        yield "DarkCurrent.mean", offset / np.sqrt(white[0]) * priors.THERMAL.high, "<"
    else:
        for name in ("FixedPattern", "Thermal"):
            yield f"{name}.level", np.sqrt(white[0]) / black_and_mean(frames[0])[1], "<"
        yield "Quantisation.steps", steps(frames[0]), "="
    if len(frames) > 1:
        own, both, _ = shared(frames)
        yield "DarkCurrent.spread", np.sqrt(both / own) * priors.THERMAL.high, "<"
        hot = spots(frames.mean(axis=0), 1)[0]
        yield "DarkCurrent.hot", (hot or 3) / frames[0].size, "=" if hot else "<"
    yield from of_spots(frames, not dark)


def of_scan(image: NDArray[np.generic], pixel_size: float | None, lattice: bool) -> Found:
    """Measure a scanned image, of Å a pixel; the spots and the streaks of what is no lattice may be the specimen's."""
    if image.dtype.kind in "iu":
        yield "Quantisation.steps", steps(image), "="
    image = image.astype(np.float64)
    common = common_along_rows(image)
    swing = oscillation(common)
    if swing:
        for name, value in zip(("decay", "period", "phase"), swing, strict=True):
            yield f"FastScan.{name}", value, "="
    else:
        for name, value in zip(("detector", "decay"), decays(max(common[0], 0.1)), strict=True):
            yield f"FastScan.{name}", value, "=" if common[0] > 0.1 else "<"
    yield "Detector.sigma", tube_noise(image), "<"
    yield "Saturation.ceiling", ceiling(image), "="
    if lattice:
        shift, phi, score = line_jitter(image)
        if score > max(4.0, 2.0 * abs(line_jitter(image.T)[2])):
            yield "Jitter.line", shift * pixel_size if pixel_size else np.nan, "="
            yield "Jitter.line_phi", phi, "="
        lines = row_lines(image)
        yield "RowLines.count", (lines or 3) / image.size * 1e6, "=" if lines else "<"
        yield from of_spots(image[None])


def measure(path: Path) -> Found:
    """Measure what the kind of a file allows."""
    with io.read(path) as file:
        frames = np.stack([np.asarray(frame) for frame in file.pixels])
        pixel_size = file.pixel_size[1] * 10 if file.pixel_size else None  # all are in nm
    if path.name in CAMERAS:
        yield from of_camera(frames.astype(np.float64), CAMERAS[path.name])
    else:
        yield from of_scan(frames[0][: SURFACES.get(path.name)], pixel_size, path.name in LATTICES)


def within(field: str, prior: priors.Prior, bounds: list[float]) -> float:
    """Return the chance that as many microscopes, drawn from a prior, show no more of a parameter than each bound."""
    rng, one = np.random.Generator(np.random.PCG64(1)), priors.Scale(1.0, 1.0, 1.0, 1, 1.0)
    name = field.split(".")[1]
    ranges = prior.ranges | {"level": priors.THERMAL} if prior.kind is noise.Thermal else prior.ranges
    drawn = [{key: replace(limits, unit="1").draw(rng, one) for key, limits in ranges.items()} for _ in range(DRAWS)]
    values = np.array([noise.Detector(**some).sigma if field == "Detector.sigma" else some[name] for some in drawn])
    chance = 1.0
    for bound in bounds:
        unseen = np.exp(-3 * values / bound) if field in COUNTED else values <= bound
        chance *= 1 - prior.present * (1 - float(np.mean(unseen)))
    return chance


def chances(field: str, found: list[tuple[str, float, str]]) -> Iterator[tuple[str, float]]:
    """Return, of the kinds of microscope none of whose files shows a parameter, the chance of that."""
    for kind, chain in CHAINS.items():
        some = [(value, sign) for name, value, sign in found if (name in CAMERAS) == (kind == "cameras")]
        name_of_kind = field.partition(".")[0]
        priors_of_it = [prior for prior in chain if prior.kind.__name__ == name_of_kind]
        if some and priors_of_it and all(sign == "<" for _, sign in some):
            yield kind, within(field, priors_of_it[0], [value for value, _ in some])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    if not any((folder / name).exists() for name in (*CAMERAS, *LATTICES, *SHAPES, *SURFACES)):
        parser.error(f"none of the files is in {folder}")
    rows: dict[str, list[tuple[str, float, str]]] = {}
    for name in (*CAMERAS, *LATTICES, *SHAPES, *SURFACES):
        if (folder / name).exists():
            for field, value, sign in measure(folder / name):
                if not np.isnan(value):
                    rows.setdefault(field, []).append((name, value, sign))
    outside = surprising = 0
    for field, found in rows.items():
        limits = RANGES.get(field)
        print(field + (f"  [{limits.low:g}, {limits.high:g}], unit {limits.unit}, {limits.source}" if limits else ""))
        for name, value, sign in found:
            star = sign == "=" and limits is not None and not limits.low <= value <= limits.high
            outside += star
            print(f"    {name:26}{sign if sign != '=' else '':>2} {value:.3g}{' *' if star else ''}")
        values = [value for _, value, sign in found if sign == "="]
        if values and limits:
            least, greatest = min(values), max(values)
            print(f"    {least:.3g} to {greatest:.3g}, widened {least / WIDER:.3g} to {greatest * WIDER:.3g}")
        for kind, chance in chances(field, found):
            surprising += chance < SURPRISE
            print(f"    no more than that in all {kind}: chance {chance:.2f}{' *' if chance < SURPRISE else ''}")
    print(f"{outside} values outside their ranges, {surprising} chances below {SURPRISE}")
    return int(outside + surprising > 0)


if __name__ == "__main__":
    sys.exit(main())
