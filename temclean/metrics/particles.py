"""Particles in an image of low magnification: where they are and how large."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError
from temclean.metrics import edges, ellipses
from temclean.metrics.regions import regions

Floats = NDArray[np.float64]

BLURS = (1.0, 1.5, 2.2, 3.3, 5.0)
"""Standard deviations in pixels of the blur against noise; the first that leaves little enough is taken."""

CLEAR = 5.0
"""Contrast over what varies in the background from which on there are particles: noise that is cut in two has 4."""

CALM = 8.0
"""Contrast over the noise that the blur leaves, so that no pixel far from an edge is on the wrong side."""

SMALLEST = 1.6
"""Blurs and a pixel that a particle's radius is at least, of what is found."""

DEEP, CORE = 0.95, 0.4
"""What a blur leaves at least of what lies deep in a particle or the background, else the share that lies deepest."""

FREE = 0.05
"""Share of the image in which noise is measured, two blurs and more from any particle; else wherever there is none."""

GRID = 0.38
"""Standard deviation of a disc's area over the root of its radius, in pixels, as it lies here or there among them: of
radii of 3 to 60 pixels, without noise (by hand)."""


@dataclass(frozen=True)
class Particles:
    """Particles, the largest first; lengths in pixels, or in the unit that a pixel's size was given in.

    Attributes
    ----------
    positions : (N, 2) row and column of their middles, pixels.
    area : (N,) square units.
    diameter : (N,) of a circle of the same area.
    diameter_error : (N,) its standard error, of the noise at the edge and the grid of pixels; NaN where a raw image was
        given and the fit to it does not hold.
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

    The image is blurred against its noise (standard deviation s) and cut half-way between particles and background, as
    high as they are deep inside. Edges lie between pixels, where the blurred image crosses that level; as a blur moves
    an edge inwards by :math:`s^2 \kappa / 2` with its curvature :math:`\kappa`, areas get :math:`\pi s^2` back, and the
    distances across as much as those of a circle. With the slope g at the edge and a perimeter P, noise whose mean
    along the edge is :math:`\sigma` after the blur moves the area by :math:`\sigma P / g`. It is told by all that
    varies in the background, however it hangs together. Distances across are those of an outline without what noise
    alone could have made of it (:func:`temclean.metrics.edges.calmed`): a small bump under the noise is left out.
    Particles that touch count as one.

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
    if pixels.ndim != 2 or pixels.dtype.kind not in "buif":
        raise ImageError(f"particles are found in one 2-D image of real numbers, not in {pixels.dtype} {pixels.shape}")
    if not np.isfinite(pixels).all():
        raise ImageError("some pixels are NaN or infinite; replace them first")
    if not all(0 < side < math.inf for side in pixel):
        raise ParameterError(f"a pixel of {pixel} cannot be; give its height and width")
    noisy = None if raw is None else np.asarray(raw)
    if noisy is not None and (noisy.shape != pixels.shape or noisy.dtype.kind not in "buif"):
        raise ImageError(f"the raw image, {noisy.dtype} {noisy.shape}, is not of the restored one, {pixels.shape}")
    if noisy is not None and not np.isfinite(noisy).all():
        raise ImageError("some pixels of the raw image are NaN or infinite; replace them first")
    if min(pixels.shape) < 8 or not pixels.max() > pixels.min():
        return _none(bool(dark))
    offset, scale = float(pixels.min()), float(pixels.max()) - float(pixels.min())
    level = ((pixels - offset) / scale).astype(np.float32)
    cut = _cut(level)
    if cut is None:
        return _none(bool(dark))
    smooth, threshold, blur = cut
    if dark is None:
        edge = np.concatenate([smooth[0], smooth[-1], smooth[:, 0], smooth[:, -1]])
        dark = bool((edge > threshold).mean() > 0.5)
    above = threshold - smooth if dark else smooth - threshold
    labels, count = regions(above > 0)
    if not count:
        return _none(dark)
    found = _measured(above, labels, count, blur, pixel)
    background = float(np.median(level[labels == 0])) if (labels == 0).any() else 0.0
    size = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    mean = np.bincount(labels.ravel(), level.ravel(), count + 1)[1:] / size
    rim = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    numbers = found["numbers"].astype(np.intp)
    made = Particles(
        positions=found["positions"],
        area=found["area"],
        diameter=found["diameter"],
        diameter_error=found["error"],
        feret_max=found["longest"],
        feret_min=found["shortest"],
        contrast=(mean[numbers - 1] - background) * scale,
        on_border=np.isin(numbers, rim),
        dark=dark,
    )
    return made if noisy is None else _refined(made, noisy, labels, numbers, pixel)


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


def _cut(level: NDArray[np.float32]) -> tuple[NDArray[np.float32], float, float] | None:
    """Return the image blurred, the level that parts particles and background, and the blur."""
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
            return smooth, _half(smooth, threshold, blur), blur
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


def _half(smooth: NDArray[np.float32], threshold: float, blur: float) -> float:
    """Return the level half-way between particles and background, told by what lies deepest in both.

    What a blur leaves there of their heights is told by blurring which pixels lie above the level.
    """
    for _ in range(3):
        upper = smooth > threshold
        share = filters.gaussian(upper.astype(np.float32), blur)
        levels, shares = [], []
        for side, depth in ((upper, share), (~upper, 1 - share)):
            deep = side & (depth >= DEEP)
            if not side.any():
                return threshold
            if deep.sum() < CORE * side.sum():
                deep = side & (depth >= np.quantile(depth[side], 1 - CORE))
            levels.append(float(np.median(smooth[deep])))
            shares.append(float(share[deep].mean()))
        height = (levels[0] - levels[1]) / max(shares[0] - shares[1], 0.5)
        new = levels[1] + (0.5 - shares[1]) * height
        settled, threshold = abs(new - threshold) < 1e-3 * height, new
        if settled:
            break
    return threshold


def _measured(
    above: NDArray[np.float32], labels: NDArray[np.intp], count: int, blur: float, pixel: tuple[float, float]
) -> dict[str, Floats]:
    """Measure regions where the image is above 0, by where it crosses 0 between two pixels."""
    side = math.sqrt(pixel[0] * pixel[1])
    size = np.bincount(labels.ravel(), minlength=count + 1)[1:].astype(np.float64)
    rows, columns = np.nonzero(labels)
    inside = labels[rows, columns]
    middle = np.stack([np.bincount(inside, each, count + 1)[1:] / size for each in (rows, columns)], axis=1)
    whose, points, shares = edges.crossings(above, labels)
    area = size + np.bincount(whose, shares - 0.5, count + 1)[1:] / 2 + math.pi * blur**2
    order = np.flatnonzero(area >= math.pi * (SMALLEST * blur + 1) ** 2)
    order = order[np.argsort(-area[order], kind="stable")]
    area, middle = area[order], middle[order]
    diameter = 2 * np.sqrt(area / math.pi)
    down, right = np.gradient(above)
    nearest = np.rint(points).astype(np.intp)
    slope = np.hypot(down, right)[nearest[:, 0], nearest[:, 1]]
    crossings = np.bincount(whose, minlength=count + 1)[1:]
    mean = (np.bincount(whose, slope, count + 1)[1:] / np.maximum(crossings, 1))[order]
    sorted_ = np.argsort(whose, kind="stable")
    ends = np.cumsum(crossings)
    lines = [points[sorted_[ends[each] - crossings[each] : ends[each]]] for each in order]
    ground = filters.gaussian((labels > 0).astype(np.float32), 2 * blur) < 1 - DEEP
    ground = ground if ground.mean() > FREE else labels == 0
    moved = edges.shaken(above, ground, lines) / np.maximum(mean, 1e-12)
    perimeter = math.pi / 4 * crossings[order]  # Crofton
    extents = [edges.across(edges.calmed(line, each**2) * pixel) for line, each in zip(lines, moved, strict=True)]
    longest, shortest = np.array(extents).reshape(-1, 2).T
    back = 2 * blur**2 / diameter * side
    return {
        "numbers": (order + 1).astype(np.float64),
        "positions": middle,
        "area": area * side**2,
        "diameter": diameter * side,
        "error": 2 * np.hypot(moved * perimeter, GRID * np.sqrt(diameter / 2)) / (math.pi * diameter) * side,
        "longest": longest + back,
        "shortest": shortest + back,
    }
