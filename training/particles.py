"""Particles of a pair of images: which are there in both, how wide they are, how far apart; needs SciPy, no torch.

After figures 5 to 7 of Katsuno et al. (2021). Lengths are in pixels, positions are rows of (y, x).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.metrics import ellipses

Array = NDArray[np.float32]
Floats = NDArray[np.float64]

SMOOTHED = 1.0
"""Standard deviation in pixels of the Gaussian under which particles are looked for."""

LEAST_AREA = 12
"""Pixels of the smallest particle."""

CLEAR = 2.0
"""Times the threshold by which a particle stands out somewhere, so that one at the threshold decides of nothing."""

SUPPORTED = 6.0
"""Standard errors by which electrons show a particle, all of its pixels together, that leave no doubt of it."""

ROUND = 0.85
"""Least ratio of a particle's area to that of the ellipse with its second moments, of those whose width is measured."""


@dataclass(frozen=True)
class Particles:
    """The particles of an image.

    Attributes
    ----------
    labels : (rows, columns), 0 for the ground, k for particle k.
    centres : (N, 2), of their mass above half of their height.
    heights : (N,), by how much each stands out of the ground.
    diameters : (N,), of a disc as large as the part above half of the height; NaN where the outline is cut off by the
        border or not that of one round particle.
    """

    labels: NDArray[np.intp]
    centres: Floats
    heights: Floats
    diameters: Floats


@dataclass(frozen=True)
class Comparison:
    """What became of the particles of a true image in a restored one.

    Attributes
    ----------
    true : clear particles of the true image.
    vanished : of these, the ones where the restored image shows nothing.
    imaginary : clear particles of the restored image where the true one shows nothing.
    supported : for each clear particle of the true image by how many standard errors the electrons show it, (true,); a
        vanished one's is negative. Empty where electrons are not known.
    claimed : the same of each imaginary particle, by what the restored image claims it to be, (imaginary,).
    diameters : (N, 2), true and restored, of round ones in both.
    distances : (M, 2), true and restored, of each such particle to its nearest.
    fitted : (N, 2), true diameters and those fitted to the noisy image, of the same particles; empty without one.
        Both by the same fit, to the true image and to the noisy one; where it does not hold, the restored diameter.
    held : (N,), whether the fit to the noisy image held.
    edges : (N, 2), widths of their edges, true and restored: twice the distance between the radii at which a particle
        has a quarter and three quarters of its height.
    """

    true: int
    vanished: int
    imaginary: int
    supported: Floats
    claimed: Floats
    diameters: Floats
    distances: Floats
    fitted: Floats
    held: NDArray[np.bool_]
    edges: Floats


def ground(image: Array) -> Array:
    """Return what particles lie on: the median of the image, as particles cover less than half of it."""
    return np.full_like(image, np.median(image))


def polarity(image: Array) -> int:
    """Return -1 where what stands out of an image is darker than its ground, else 1."""
    off = filters.gaussian(image, SMOOTHED) - ground(image)
    return -1 if float((off.astype(np.float64) ** 3).mean()) < 0 else 1


def threshold(image: Array) -> float:
    """Return what a particle of a clear image stands out by: an eighth of the most, or five sigma of the ground.

    Sigma is that of the pixels on the side of the ground where no particles are.
    """
    off = (filters.gaussian(image, SMOOTHED) - ground(image)) * polarity(image)
    below = off[off <= 0.0]
    sigma = math.sqrt(float((below.astype(np.float64) ** 2).mean())) if below.size else 0.0
    return max(float(np.percentile(off, 99.9)) / 8.0, 5.0 * sigma, 1e-6)


def find(image: Array, least: float, sign: int) -> Particles:
    """Find what stands out of the ground by ``least`` or more, darker (``sign`` -1) or brighter (1)."""
    from scipy import ndimage

    off = (filters.gaussian(image, SMOOTHED) - ground(image)) * np.float32(sign)
    labels, count = ndimage.label(off > least)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    numbers = np.zeros(count + 1, np.intp)
    large = np.flatnonzero(sizes[1:] >= LEAST_AREA) + 1
    numbers[large] = np.arange(1, len(large) + 1)
    labels = numbers[labels]
    centres, heights, diameters = np.zeros((len(large), 2)), np.zeros(len(large)), np.full(len(large), np.nan)
    for number, place in enumerate(ndimage.find_objects(labels)):
        mine = labels[place] == number + 1
        values = np.where(mine, off[place], 0.0)
        heights[number] = np.percentile(values[mine], 95.0)
        half = values > 0.5 * heights[number]
        y, x = np.nonzero(half)
        origin = np.array([place[0].start, place[1].start])
        centres[number] = origin + np.array([y.mean(), x.mean()])
        rows, columns = place
        cut = rows.start == 0 or columns.start == 0 or rows.stop == len(off) or columns.stop == off.shape[1]
        if cut or len(y) < LEAST_AREA:
            continue
        spread = np.cov(np.stack([y, x])) + np.eye(2) / 12.0
        disc = 4.0 * math.pi * math.sqrt(max(float(np.linalg.det(spread)), 1e-12))
        small, large_axis = np.linalg.eigvalsh(spread)
        if len(y) > ROUND * disc and large_axis < 2.0 * small:
            diameters[number] = 2.0 * math.sqrt(len(y) / math.pi)
    return Particles(labels, centres, heights, diameters)


def edge(image: Array, centre: Floats, diameter: float, height: float, sign: int) -> float:
    """Return the width of a round particle's edge, from areas above a quarter and three quarters of its height."""
    reach = 0.75 * diameter + 2.0
    (top, left), (bottom, right) = (np.clip(centre + step, 0, image.shape) for step in (-reach, reach + 1.0))
    part = image[int(top) : int(bottom), int(left) : int(right)]
    y, x = np.indices(part.shape)
    inside = np.hypot(y + int(top) - centre[0], x + int(left) - centre[1]) <= reach
    off = sign * (part - np.median(image))
    low, high = (math.sqrt(float((inside & (off > share * height)).sum()) / math.pi) for share in (0.25, 0.75))
    return 2.0 * (low - high)


def nearest(centres: Floats) -> NDArray[np.intp]:
    """Return for each of two or more centres (N, 2) the number of the nearest other one."""
    gaps = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    np.fill_diagonal(gaps, np.inf)
    closest: NDArray[np.intp] = gaps.argmin(axis=1)
    return closest


def significance(image: Array, inside: NDArray[np.bool_], electrons: float) -> float:
    r"""Return by how many standard errors counted electrons show a particle whose place and shape are known.

    .. math:: \sqrt{\sum (I - I_0)^2 / I}

    over its pixels, I in electrons, on the ground :math:`I_0`.
    """
    off = (image[inside] - np.median(image)).astype(np.float64)
    return math.sqrt(float((off * off / np.maximum(image[inside], 1e-6)).sum()) * electrons)


def compare(
    truth: Array,
    restored: Array,
    least: float | None = None,
    electrons: float | None = None,
    noisy: Array | None = None,
) -> Comparison:
    """Compare the particles of a restored image with those of a true one of the same scale.

    A particle is lost or imaginary if it stands out clearly, by :data:`CLEAR` times the threshold, in one image, and
    the other has nothing above the threshold where it lies.

    Parameters
    ----------
    least : the threshold; that of the true image by default.
    electrons : in a unit of intensity, of the noisy image, where that is known.
    noisy : what was restored; diameters are fitted to it too, from the restored outlines on, as by
        ``temclean measure --raw``.
    """
    sign = polarity(truth)
    least = threshold(truth) if least is None else least
    true, found = (find(np.asarray(image, np.float32), least, sign) for image in (truth, restored))
    clear = [k for k in range(len(true.heights)) if true.heights[k] >= CLEAR * least]
    claimed = [k for k in range(len(found.heights)) if found.heights[k] >= CLEAR * least]
    partner = {k: np.bincount(found.labels[true.labels == k + 1]) for k in clear}
    vanished = [k for k in clear if not partner[k][1:].any()]
    imaginary = [k for k in claimed if not true.labels[found.labels == k + 1].any()]
    supported, claims = np.zeros(0), np.zeros(0)
    if electrons is not None:
        signs = [-1.0 if k in vanished else 1.0 for k in clear]
        supported = np.array([significance(truth, true.labels == k + 1, electrons) for k in clear]) * np.array(signs)
        claims = np.array([significance(restored, found.labels == k + 1, electrons) for k in imaginary])
    pairs = []
    for k in clear:
        if len(partner[k]) > 1 and not np.isnan(true.diameters[k]):
            other = int(partner[k][1:].argmax())
            if partner[k][other + 1] and not np.isnan(found.diameters[other]):
                pairs.append((k, other))
    mine, theirs = (np.array([pair[side] for pair in pairs], np.intp) for side in range(2))
    diameters = np.stack([true.diameters[mine], found.diameters[theirs]], axis=1)
    edges = np.array(
        [
            (
                edge(truth, true.centres[k], true.diameters[k], true.heights[k], sign),
                edge(restored, found.centres[n], found.diameters[n], found.heights[n], sign),
            )
            for k, n in pairs
        ]
    ).reshape(-1, 2)
    distances = np.zeros((0, 2))
    if len(pairs) > 1:
        first, second = true.centres[mine], found.centres[theirs]
        beside = nearest(first)
        distances = np.stack([np.linalg.norm(each - each[beside], axis=1) for each in (first, second)], axis=1)
    fitted, held = np.zeros((0, 2)), np.zeros(0, bool)
    if noisy is not None and len(mine):
        of_truth, of_noisy = (
            ellipses.fit(image, each.labels, range(1, len(each.heights) + 1))
            for image, each in ((truth, true), (noisy, found))
        )
        sizes, held = of_truth.diameter[mine], of_noisy.holds[theirs]
        kept = diameters[:, 1] * sizes / diameters[:, 0]  # by the same measure of what is true
        fitted = np.stack([sizes, np.where(held, of_noisy.diameter[theirs], kept)], axis=1)
    return Comparison(
        len(clear), len(vanished), len(imaginary), supported, claims, diameters, distances, fitted, held, edges
    )


def summary(comparisons: list[Comparison]) -> dict[str, float | int | None]:
    """Sum up comparisons: counts, and the medians of how far diameters and distances are off, in percent.

    And by how much the mean diameter of all particles is off. Counts of what electrons support are left out where that
    is not known.
    """

    def off(values: list[Floats]) -> tuple[float | None, float | None]:
        pairs = np.concatenate([np.zeros((0, 2)), *values])
        if not len(pairs):
            return None, None
        ratio = 100.0 * (pairs[:, 1] / pairs[:, 0] - 1.0)
        return round(float(np.median(ratio)), 2), round(float(np.median(np.abs(ratio))), 2)

    bias, error = off([each.diameters for each in comparisons])
    mean = np.concatenate([np.ones((0, 2)), *(each.diameters for each in comparisons)]).sum(axis=0)
    index = np.concatenate([np.zeros(0), *(each.supported for each in comparisons)])
    claims = np.concatenate([np.zeros(0), *(each.claimed for each in comparisons)])
    counts = {
        "supported": int((np.abs(index) >= SUPPORTED).sum()),
        "supported_vanished": int((index <= -SUPPORTED).sum()),
        "supported_imaginary": int((claims >= SUPPORTED).sum()),
    }
    apart_bias, apart_error = off([each.distances for each in comparisons])
    fitted_bias, fitted_error = off([each.fitted for each in comparisons])
    fits = np.concatenate([np.zeros((0, 2)), *(each.fitted for each in comparisons)])
    told_of_fits = (
        {
            "fitted": sum(int(each.held.sum()) for each in comparisons),
            "fitted_mean_diameter_percent": round(100.0 * float(fits[:, 1].sum() / fits[:, 0].sum() - 1.0), 2),
            "fitted_diameter_bias_percent": fitted_bias,
            "fitted_diameter_error_percent": fitted_error,
        }
        if len(fits)
        else {}
    )
    edges = np.concatenate([np.zeros((0, 2)), *(each.edges for each in comparisons)])
    return {
        "particles": sum(each.true for each in comparisons),
        "vanished": sum(each.vanished for each in comparisons),
        "imaginary": sum(each.imaginary for each in comparisons),
        **(counts if len(index) else {}),
        "measured": sum(len(each.diameters) for each in comparisons),
        "mean_diameter_percent": round(100.0 * float(mean[1] / mean[0] - 1.0), 2) if mean[0] else None,
        "diameter_bias_percent": bias,
        "diameter_error_percent": error,
        **told_of_fits,
        "distance_bias_percent": apart_bias,
        "distance_error_percent": apart_error,
        "edge_true_px": round(float(np.median(edges[:, 0])), 2) if len(edges) else None,
        "edge_restored_px": round(float(np.median(edges[:, 1])), 2) if len(edges) else None,
    }
