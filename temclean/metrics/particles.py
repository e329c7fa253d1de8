"""Particles in an image of low magnification: where they are and how large."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError
from temclean.metrics import ellipses
from temclean.metrics.regions import regions

Floats = NDArray[np.float64]

BLURS = (1.0, 1.5, 2.2, 3.3, 5.0)
"""Standard deviations in pixels of the blur against noise; the first that leaves little enough is taken."""

CLEAR = 5.0
"""Contrast over what varies in the background from which on there are particles: noise that is cut in two has 4."""

CALM = 8.0
"""Contrast over the noise that the blur leaves, so that no pixel far from an edge is on the wrong side."""

SMALLEST = 2.0
"""Blurs and a pixel that a particle's radius is at least, of what is found."""

DIRECTIONS = 90
"""In which a particle's width is taken."""


@dataclass(frozen=True)
class Particles:
    """Particles, the largest first; lengths in pixels, or in the unit that a pixel's size was given in.

    Attributes
    ----------
    positions : (N, 2) row and column of their middles, pixels.
    area : (N,) square units.
    diameter : (N,) of a circle of the same area.
    diameter_error : (N,) its standard error, from the noise at the edge; NaN where a raw image was given and the fit to
        it does not hold.
    feret_max, feret_min : (N,) the greatest and the least distance between parallel lines that hold the particle.
    contrast : (N,) mean above the background, negative where particles are dark; the image's unit.
    on_border : (N,) whether a particle reaches the border of the image, where it is cut.
    dark : whether they are darker than what surrounds them.
    fitted : (N,) whether place, size and contrast are fitted to a raw image; None where none was given.
    """

    positions: Floats
    area: Floats
    diameter: Floats
    diameter_error: Floats
    feret_max: Floats
    feret_min: Floats
    contrast: Floats
    on_border: NDArray[np.bool_]
    dark: bool
    fitted: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        """Return the number of particles."""
        return len(self.positions)


def find_particles(
    image: ArrayLike,
    pixel: tuple[float, float] = (1.0, 1.0),
    *,
    dark: bool | None = None,
    raw: ArrayLike | None = None,
) -> Particles:
    r"""Find particles that differ from an even background, and measure them.

    The image is blurred against its noise (standard deviation s) and cut half-way between the median of particles and
    that of the background. Edges lie between pixels, where the blurred image crosses that level; as a blur moves an
    edge inwards by :math:`s^2 \kappa / 2` with its curvature :math:`\kappa`, areas get :math:`\pi s^2` back, and the
    distances across as much as those of a circle. With the slope g at the edge and a perimeter P, white noise of
    :math:`\sigma` after the blur moves the area by :math:`\sigma \sqrt{2 \sqrt\pi\, s P} / g`. Particles that touch
    count as one.

    Networks draw faint particles smaller than they are. With the raw image that a restored one was made of, each
    particle that looks like one ellipse is fitted to the raw pixels about it (:mod:`temclean.metrics.ellipses`), from
    the restored outline on: the diameter is then that of the ellipse in which it has half of its own height or more.
    Where that does not hold, and at the border, the restored outline is kept, and no error is known.

    Parameters
    ----------
    image : (H, W) real, of any scale.
    pixel : height and width of a pixel.
    dark : whether particles are darker than the background; None takes what meets less of the border as particles.
    raw : (H, W) the raw image, where ``image`` is restored.

    Raises
    ------
    ImageError : the image is not two-dimensional, real and finite, or the raw one not like it.
    ParameterError : a pixel's size is not positive.

    Examples
    --------
    >>> y, x = np.mgrid[:64, :64]
    >>> find_particles(np.clip(10.5 - np.hypot(y - 30, x - 33), 0, 1)).diameter.round()
    array([20.])
    """
    pixels = np.asarray(image)
    if pixels.ndim != 2 or pixels.dtype.kind not in "buif" or not np.isfinite(pixels).all():
        raise ImageError(
            f"particles are found in one 2-D image of finite numbers, not in {pixels.dtype} {pixels.shape}"
        )
    if not all(0 < side < math.inf for side in pixel):
        raise ParameterError(f"a pixel of {pixel} cannot be; give its height and width")
    noisy = None if raw is None else np.asarray(raw)
    if noisy is not None and (noisy.shape != pixels.shape or noisy.dtype.kind not in "buif"):
        raise ImageError(f"the raw image, {noisy.dtype} {noisy.shape}, is not of the restored one, {pixels.shape}")
    if noisy is not None and not np.isfinite(noisy).all():
        raise ImageError("some pixels of the raw image are NaN or infinite; replace them first")
    if min(pixels.shape) < 8 or not np.ptp(pixels) > 0:
        return _none(bool(dark))
    offset, scale = float(pixels.min()), float(np.ptp(pixels))
    level = ((pixels - offset) / scale).astype(np.float32)
    cut = _cut(level)
    if cut is None:
        return _none(bool(dark))
    smooth, threshold, blur, noise = cut
    if dark is None:
        edge = np.concatenate([smooth[0], smooth[-1], smooth[:, 0], smooth[:, -1]])
        dark = bool((edge > threshold).mean() > 0.5)
    above = threshold - smooth if dark else smooth - threshold
    labels, count = regions(above > 0)
    if not count:
        return _none(dark)
    found = _measured(above, labels, count, blur, noise, pixel)
    background = float(np.median(level[labels == 0])) if (labels == 0).any() else 0.0
    size = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    mean = np.bincount(labels.ravel(), level.ravel(), count + 1)[1:] / size
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    on_border = np.isin(np.arange(1, count + 1), rim)
    large = size >= math.pi * (SMALLEST * blur + 1) ** 2
    order = np.flatnonzero(large)[np.argsort(-found["area"][large], kind="stable")]
    made = Particles(
        positions=found["positions"][order],
        area=found["area"][order],
        diameter=found["diameter"][order],
        diameter_error=found["error"][order],
        feret_max=found["longest"][order],
        feret_min=found["shortest"][order],
        contrast=(mean[order] - background) * scale,
        on_border=on_border[order],
        dark=dark,
    )
    return made if noisy is None else _refined(made, noisy, labels, order + 1, pixel)


def _refined(
    made: Particles, raw: NDArray[Any], labels: NDArray[np.intp], numbers: NDArray[np.intp], pixel: tuple[float, float]
) -> Particles:
    """Return particles of some numbers with what a raw image says of them, the largest first."""
    whole = ~made.on_border
    fit = ellipses.fit(raw, labels, numbers[whole].tolist())
    holds, side = fit.holds, math.sqrt(pixel[0] * pixel[1])
    which = np.flatnonzero(whole)[holds]
    longest, shortest = 2 * np.linalg.svd(np.array(pixel)[:, None] * fit.outline[holds], compute_uv=False).T

    def put(old: Floats, new: Floats) -> Floats:
        old = old.copy()
        old[which] = new
        return old

    area = put(made.area, math.pi / 4 * (fit.diameter[holds] * side) ** 2)
    order = np.argsort(-area, kind="stable")
    return Particles(
        positions=put(made.positions, fit.places[holds])[order],
        area=area[order],
        diameter=put(made.diameter, fit.diameter[holds] * side)[order],
        diameter_error=put(np.full(len(made), np.nan), fit.error[holds] * side)[order],
        feret_max=put(made.feret_max, longest)[order],
        feret_min=put(made.feret_min, shortest)[order],
        contrast=put(made.contrast, fit.height[holds])[order],
        on_border=made.on_border[order],
        dark=made.dark,
        fitted=np.isin(order, which),
    )


def _none(dark: bool) -> Particles:
    empty = np.empty(0)
    return Particles(np.empty((0, 2)), empty, empty, empty, empty, empty, empty, np.empty(0, bool), dark)


def _cut(level: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float, float] | None:
    """Return the image blurred, the level that parts particles and background, the blur and the noise after it."""
    mixed = level[1:, 1:] - level[1:, :-1] - level[:-1, 1:] + level[:-1, :-1]
    noise = 1.4826 * float(np.median(np.abs(mixed))) / 2
    for blur in BLURS:
        smooth = filters.gaussian(level, blur)
        threshold = _between(smooth)
        upper = smooth > threshold
        high, low = float(np.median(smooth[upper])), float(np.median(smooth[~upper]))
        left = noise / (2 * math.sqrt(math.pi) * blur)
        sides = (smooth[~upper] - low, smooth[upper] - high)
        varies = min(1.4826 * float(np.median(np.abs(side))) for side in sides)
        if high - low > CALM * left and high - low > CLEAR * varies:
            return smooth, threshold, blur, left
    return None


def _between(smooth: NDArray[np.float32]) -> float:
    """Return the level half-way between the medians of what lies above and below it, from Otsu's (1979) on."""
    counts, edges = np.histogram(smooth, 256)
    middle = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts)[:-1].astype(np.float64)
    sums = np.cumsum(counts * middle)[:-1]
    above = counts.sum() - below
    apart = sums / np.maximum(below, 1) - ((counts * middle).sum() - sums) / np.maximum(above, 1)
    threshold = float(edges[1:-1][int(np.argmax(below * above * apart**2))])
    for _ in range(20):
        upper = smooth > threshold
        if not upper.any() or upper.all():
            break
        new = 0.5 * (float(np.median(smooth[upper])) + float(np.median(smooth[~upper])))
        if abs(new - threshold) < 1e-4:
            break
        threshold = new
    return threshold


def _measured(
    above: NDArray[np.float32],
    labels: NDArray[np.intp],
    count: int,
    blur: float,
    noise: float,
    pixel: tuple[float, float],
) -> dict[str, Floats]:
    """Measure regions where the image is above 0, by where it crosses 0 between two pixels."""
    side = math.sqrt(pixel[0] * pixel[1])
    size = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.float64)
    rows, columns = np.nonzero(labels)
    inside = labels[rows, columns]
    middle = np.stack([np.bincount(inside, each, count + 1)[1:] / size for each in (rows, columns)], axis=1)
    whose, points, shares = _crossings(above, labels)
    area = size + np.bincount(whose, shares - 0.5, count + 1)[1:] / 2 + math.pi * blur**2
    diameter = 2 * np.sqrt(area / math.pi)
    down, right = np.gradient(above)
    nearest = np.rint(points).astype(np.intp)
    slope = np.hypot(down, right)[nearest[:, 0], nearest[:, 1]]
    crossings = np.bincount(whose, minlength=count + 1)[1:]
    mean = np.bincount(whose, slope, count + 1)[1:] / np.maximum(crossings, 1)
    perimeter = math.pi / 4 * crossings  # Crofton
    moved = noise * np.sqrt(2 * math.sqrt(math.pi) * blur * perimeter) / np.maximum(mean, 1e-12)
    longest, shortest = _across(whose, points * pixel, count)
    back = 2 * blur**2 / diameter * side
    return {
        "positions": middle,
        "area": area * side**2,
        "diameter": diameter * side,
        "error": 2 * moved / (math.pi * diameter) * side,
        "longest": longest + back,
        "shortest": shortest + back,
    }


def _crossings(above: NDArray[np.float32], labels: NDArray[np.intp]) -> tuple[NDArray[np.intp], Floats, Floats]:
    """Return where edges lie between a pixel inside and one outside: of which region, the place, and how far along."""
    whose, points, shares = [], [], []
    for down, right in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        outer = np.pad(above, 1, constant_values=0)[1 + down :, 1 + right :][: above.shape[0], : above.shape[1]]
        rows, columns = np.nonzero((labels > 0) & (outer <= 0))
        here, there = (each[rows, columns].astype(np.float64) for each in (above, outer))
        share = here / (here - there)
        border = (rows + down < 0) | (rows + down >= above.shape[0])
        border |= (columns + right < 0) | (columns + right >= above.shape[1])
        share[border] = 0.5
        whose.append(labels[rows, columns])
        points.append(np.stack([rows + down * share, columns + right * share], axis=1))
        shares.append(share)
    return np.concatenate(whose), np.concatenate(points).clip(0, np.array(above.shape) - 1), np.concatenate(shares)


def _across(whose: NDArray[np.intp], points: Floats, count: int) -> tuple[Floats, Floats]:
    """Return the greatest and the least extent of each region over all directions."""
    order = np.argsort(whose, kind="stable")
    points = points[order]
    starts = np.searchsorted(whose[order], np.arange(1, count + 1))
    longest, shortest = np.zeros(count), np.full(count, np.inf)
    for angle in np.arange(DIRECTIONS) * math.pi / DIRECTIONS:
        along = points @ np.array([math.sin(angle), math.cos(angle)])
        extent = np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts)
        longest, shortest = np.maximum(longest, extent), np.minimum(shortest, extent)
    return longest, shortest
