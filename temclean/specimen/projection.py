"""Atoms summed into an image, and the columns that they form: Lobato, Friedrich and Van Aert 2024, eq. 16.

Positions are in pixels, rows of (y, x), the centre of the first pixel being (0, 0).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ParameterError
from temclean.specimen.profiles import Profile

Image = NDArray[np.float32]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

CHUNK = 1 << 16
"""Atoms that are laid on the grid at a time."""

FINEST = 4
"""Grid points a pixel at most, along each axis."""


@dataclass(frozen=True)
class Projected:
    """A projected specimen and the truth behind it.

    Attributes
    ----------
    image : float32 array (H, W).
    positions : float64 array (N, 2), the columns inside the image, rows of (y, x) in pixels.
    brightness : float32 array (N,), integrated signal of each column relative to the brightest.
    polarity : 1 where atoms are brighter than their surroundings, -1 where they are darker.
    """

    image: Image
    positions: Floats
    brightness: NDArray[np.float32]
    polarity: int = 1


def default_blur(profiles: Sequence[Profile], pixel_size: float) -> float:
    """Return a blur in pixels that hides no detail: 0.6, or 1 where the smallest atom is over 5 pixels in radius."""
    smallest = min((profile.radius for profile in profiles), default=1.0)
    return 1.0 if smallest > 5.0 * pixel_size else 0.6


def margin(profiles: Sequence[Profile], pixel_size: float) -> int:
    """Return how many pixels outside the image an atom still reaches it: eight times the largest radius."""
    return int(np.ceil(8.0 * max((profile.radius for profile in profiles), default=0.0) / pixel_size)) + 3


def project(
    positions: Floats,
    species: Indices,
    profiles: Sequence[Profile],
    shape: tuple[int, int],
    pixel_size: float,
    blur: float | None = None,
) -> Image:
    r"""Sum the profiles of atoms, :math:`y(r) = \sum_i f_{Z_i}(|r - r_i|)` (eq. 16), at the centres of pixels.

    Atoms are laid on a grid as cubic B-splines and convolved with their profiles by FFT; the grid is as fine as it must
    be for an error under 1e-3 of the maximum. The exponential's cusp makes some blur necessary for that;
    with none, the error is under a twentieth.

    Parameters
    ----------
    positions : (N, 2) in pixels, rows of (y, x); atoms outside the image count as far as they reach into it.
    species : (N,), for each atom the index of its profile.
    profiles : the profiles, radii in Å.
    shape : rows and columns of the image.
    pixel_size : Å a pixel.
    blur : standard deviation in pixels of a Gaussian by which the sum is convolved; :func:`default_blur` if None.

    Raises
    ------
    ParameterError : the shape, the pixel size or the blur is out of range.
    """
    if min(shape) < 1 or not pixel_size > 0.0 or (blur is not None and not blur >= 0.0):
        raise ParameterError(
            f"shape {shape}, pixel size {pixel_size} or blur {blur} is out of range; use positive ones"
        )
    blur = default_blur(profiles, pixel_size) if blur is None else blur
    used = [index for index in np.unique(species).tolist() if len(positions)]
    present = [profiles[index] for index in used]
    if not present:
        return np.zeros(shape, np.float32)
    fine = oversampling(present, pixel_size, blur)
    edge = margin(present, pixel_size)
    rows, columns = (smooth_size(fine * (side + 2 * edge)) for side in shape)
    wave_y, wave_x = np.fft.fftfreq(rows), np.fft.rfftfreq(columns)
    radius = np.hypot(wave_y[:, None].astype(np.float32), wave_x.astype(np.float32))
    largest = fine * max(profile.radius for profile in present) / pixel_size
    step = min(1.0 / 16384, 6e-4 / largest)  # so that looking up the nearest entry is exact enough
    table_frequency = np.arange(0.0, np.sqrt(0.5) + 2 * step, step)
    place = np.rint(radius / np.float32(step)).astype(np.int32)
    total = np.zeros(radius.shape, np.complex64)
    for index, profile in zip(used, present, strict=True):
        density = deposit(fine * (positions[species == index] + edge), (rows, columns))
        response = profile.transform(table_frequency * fine / pixel_size) * (fine / pixel_size) ** 2
        response *= np.exp(-2.0 * (np.pi * fine * blur * table_frequency) ** 2)
        total += np.fft.rfft2(density) * response.astype(np.float32)[place]
    total /= (np.sinc(wave_y)[:, None] ** 4).astype(np.float32)
    total /= (np.sinc(wave_x) ** 4).astype(np.float32)
    image = np.fft.irfft2(total, (rows, columns))
    first = fine * edge
    return np.ascontiguousarray(
        image[first : first + fine * shape[0] : fine, first : first + fine * shape[1] : fine], np.float32
    )


def oversampling(profiles: Sequence[Profile], pixel_size: float, blur: float) -> int:
    """Return how many grid points a pixel needs: the part of the signal beyond the grid's Nyquist stays under 5e-4."""
    smallest = min(profile.radius for profile in profiles) / pixel_size
    for fine in range(1, FINEST):
        beyond = np.exp(-0.5 * (np.pi * blur * fine) ** 2) / (np.pi * smallest * fine)
        if beyond < 1e-3 and fine * blur >= 1.0:
            return fine
    return FINEST


def smooth_size(least: int) -> int:
    """Return the smallest even number from ``least`` up without prime factors above 5: quick to transform."""
    size = least + least % 2
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 2


def deposit(points: Floats, shape: tuple[int, int], weight: Floats | None = None) -> Image:
    """Lay points (N, 2), in grid steps, on a grid as cubic B-splines of weight (N,) or 1; none that is outside."""
    total = np.zeros(shape[0] * shape[1], np.float32)
    inside = ((points >= 1.0) & (points < np.array(shape) - 3.0)).all(axis=1)
    points = points[inside]
    heavy = None if weight is None else weight[inside].astype(np.float32)
    for start in range(0, len(points), CHUNK):
        part = points[start : start + CHUNK]
        cell = part.astype(np.intp)
        rows, columns = np.moveaxis(cubic_weights((part - cell).astype(np.float32)), 1, 0)
        weights = rows[:, None, :] * columns[None, :, :]
        if heavy is not None:
            weights *= heavy[start : start + CHUNK]
        corner = (cell[:, 0] - 1) * shape[1] + cell[:, 1] - 1
        offsets = np.arange(4)[:, None] * shape[1] + np.arange(4)
        where = offsets[:, :, None] + corner
        low, high = int(where.min()), int(where.max()) + 1
        total[low:high] += np.bincount((where - low).ravel(), weights.ravel(), high - low)
    return total.reshape(shape)


def cubic_weights(part: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the four weights of the cubic B-spline for fractions (N, 2): an array (4, 2, N)."""
    t = part.T
    rest = 1.0 - t
    return np.stack(
        [
            rest**3 / 6.0,
            2.0 / 3.0 - t * t * (1.0 - 0.5 * t),
            2.0 / 3.0 - rest * rest * (1.0 - 0.5 * rest),
            t**3 / 6.0,
        ]
    )


def columns(points: Floats, weight: Floats, link: float = 0.3) -> tuple[Floats, Floats]:
    """Find columns: atoms whose projections chain within ``link`` of each other and stay together.

    Parameters
    ----------
    points : (N, 2), projected positions, in the unit of ``link``.
    weight : (N,), integrated signal of each atom.
    link : largest step of a chain (Å, if the points are in Å). It is taken from cell to cell of side link / 2, so pairs
        up to link / 2 further apart may join.

    Returns
    -------
    The weighted centres (M, 2) and the weights (M,) of the columns. Chains whose standard deviation exceeds ``link``,
    as in tilted crystals and amorphous films, are no columns and are left out.
    """
    if not len(points):
        return np.zeros((0, 2)), np.zeros(0)
    corner = points.min(axis=0)
    cells = np.floor((points - corner) / (0.5 * link)).astype(np.int64) + 2
    width = int(cells[:, 1].max()) + 3
    code, inverse = np.unique(cells[:, 0] * width + cells[:, 1], return_inverse=True)
    label = chained(code, width)[inverse]
    _, label = np.unique(label, return_inverse=True)
    mass: Floats = np.bincount(label, weight).astype(np.float64)
    centre = np.stack([np.bincount(label, weight * axis) / mass for axis in (points - corner).T], axis=1)
    offset = points - corner - centre[label]
    spread = np.bincount(label, weight * (offset**2).sum(axis=1)) / mass
    compact = spread <= link**2
    return centre[compact] + corner, mass[compact]


def chained(code: NDArray[np.int64], width: int) -> NDArray[np.intp]:
    """Label the connected groups of cells (8 neighbours), given as sorted row-major numbers in a grid of some width."""
    pairs = []
    for offset in (1, width - 1, width, width + 1):
        found = np.minimum(np.searchsorted(code, code + offset), len(code) - 1)
        linked = np.flatnonzero(code[found] == code + offset)
        pairs.append(np.stack([linked, found[linked]]))
    first, second = np.concatenate(pairs, axis=1)
    label = np.arange(len(code))
    while True:
        before = label.copy()
        least = np.minimum(label[first], label[second])
        np.minimum.at(label, before[first], least)
        np.minimum.at(label, before[second], least)
        label = label[label]
        if np.array_equal(label, before):
            return label


def resolved(
    image: NDArray[np.floating], positions: Floats, brightness: NDArray[np.float32], pixel_size: float
) -> NDArray[np.bool_]:
    """Mark the columns that have a maximum of their own in the image, the brightest choosing first.

    Parameters
    ----------
    image : (H, W), atoms bright.
    positions, brightness : of N columns, as of :class:`Projected`.
    pixel_size : Å a pixel.

    Returns
    -------
    A bool array (N,): whether the column is within a pixel, or 0.3 Å, of such a maximum. Where as many as a third of
    these would be so by chance, as of places drawn evenly, the specimen is not resolved and none is marked.
    """
    rows, width = image.shape
    # Spots that are cut off at white get a maximum too.
    image = np.round(filters.gaussian(image.astype(np.float32), max(0.7, 0.1 / pixel_size)), 5)
    padded = np.pad(image, 1, constant_values=-np.inf)
    around = [padded[1 + i : 1 + i + rows, 1 + j : 1 + j + width] for i, j in product((-1, 0, 1), repeat=2) if i or j]
    # Of pixels that are alike, the first is the maximum, so that rounding does not decide.
    higher = (image > np.maximum.reduce(around[:4])) & (image >= np.maximum.reduce(around[4:]))
    top = np.flatnonzero((higher & (image > image.min())).ravel())
    order = np.argsort(-brightness, kind="stable")
    where = positions[order]
    reach = max(1.0, 0.3 / pixel_size)
    owner = np.full(image.size, -1)
    owner[top] = np.arange(len(top))
    nearest = np.full(len(where), -1)
    steps = range(-int(reach + 0.5), int(reach + 0.5) + 1)
    for i, j in sorted(product(steps, steps), key=lambda step: -(step[0] ** 2 + step[1] ** 2)):
        pixel = np.rint(where).astype(np.intp) + np.array([i, j])
        valid = ((pixel >= 0) & (pixel < image.shape)).all(axis=1) & (np.hypot(*(pixel - where).T) <= reach)
        hit = owner[np.where(valid, pixel[:, 0] * width + pixel[:, 1], 0)]
        nearest = np.where(valid & (hit >= 0), hit, nearest)
    _, first = np.unique(nearest, return_index=True)
    chosen = order[first[nearest[first] >= 0]]
    share = min(1.0, len(top) * np.pi * reach**2 / image.size)
    real = (len(chosen) - share * len(where)) / max(1.0 - share, 1e-9)
    marks = np.zeros(len(where), bool)
    marks[chosen] = real > 2.0 * (len(chosen) - real)
    return marks
