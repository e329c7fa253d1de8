"""Valence densities of disordered graphene from first principles: six periodic maps, and fields of view made of them.

``temclean train dft`` computed the maps. Lengths are in Å unless a name ends in ``_px``; positions are rows of (y, x).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ParameterError

Floats = NDArray[np.float64]

FILE = "graphene_maps.npz"

COUNT = 6
"""How many structures there are. Chae 2025 trains on five of them and keeps the last for tests."""

STEP = 0.02
"""Å between the points of the grids from which fields of view are sampled: bilinear values err by 1e-4 of the range."""

LARGEST_COUNT = 4_000_000
"""More atoms than this in one field of view are refused."""

BAND = 1 << 20
"""Pixels that are sampled at a time."""


@dataclass(frozen=True)
class Map:
    """The density of one disordered structure on a plane above it.

    Attributes
    ----------
    density : float64 array (ny, nx), valence electrons per Å^3 on the periodic grid of the cell; the first sample is at
        the corner of the cell.
    positions : float64 array (N, 2), the atoms, all inside the cell.
    cell : float64 array (2,), the sides of the periodic cell along y and x.
    height : of the plane over the sheet.
    energy : of the valence electrons in the cell, in Hartree.
    settings : of the calculation, as in :class:`temclean.training.dft.Settings`.
    """

    density: Floats
    positions: Floats
    cell: Floats
    height: float
    energy: float
    settings: dict[str, Any]


@dataclass(frozen=True)
class Field:
    """A field of view.

    Attributes
    ----------
    image : float32 array (size, size), valence electrons per Å^3.
    positions : float64 array (N, 2) in pixels, the atoms in the image and near it.
    brightness : float64 array (N,), the density above each atom: its structure's own, mixed as the image is at joints.
    """

    image: NDArray[np.float32]
    positions: Floats
    brightness: Floats


@cache
def load(number: int) -> Map:
    """Load the map of structure ``number``, 0 to 5.

    Raises
    ------
    ParameterError : there is no such structure.

    Examples
    --------
    >>> first = load(0)
    >>> first.positions.shape, first.height
    ((60, 2), 3.0)
    """
    if not 0 <= number < COUNT:
        raise ParameterError(f"there is no structure {number}; choose 0 to {COUNT - 1}")
    with resources.files("temclean.data").joinpath(FILE).open("rb") as file, np.load(file) as found:
        low, high = found["range"][number]
        return Map(
            density=low + (high - low) * (found["maps"][number] / 65535.0),
            positions=found["positions"][number].astype(np.float64),
            cell=found["cell"],
            height=float(found["height"]),
            energy=float(found["energy"][number]),
            settings=json.loads(str(found["settings"])),
        )


def weights(places: Floats, count: int) -> Floats:
    r"""Return the matrix (len(places), count) that takes ``count`` samples of one period to the values at ``places``.

    .. math:: f(t) = \sum_j f_j \frac{\sin \pi (t - j)}{n \sin(\pi (t - j) / n)}

    is the Fourier series through the samples (for an even n, with tan for the second sine); t and j count samples.
    """
    distance = np.asarray(places, np.float64)[:, None] - np.arange(count)
    distance -= count * np.rint(distance / count)
    angle = np.pi * distance / count
    below = count * (np.sin(angle) if count % 2 else np.tan(angle))
    near = np.abs(distance) < 1e-9
    return np.where(near, 1.0, np.sin(np.pi * distance) / np.where(near, 1.0, below))


def interpolated(source: Map, pixel_size: float) -> Floats:
    """Return the density on a finer or coarser periodic grid: its Fourier series at the new points.

    The cell holds a whole number of pixels along each side, so that they are up to half a pixel in all larger or
    smaller than ``pixel_size``. The series overshoots the samples between them by about 1% of the range at most, and is
    cut to their range.
    """
    shape = np.maximum(1, np.rint(source.cell / pixel_size)).astype(int)
    rows, columns = (
        weights(np.arange(new) * old / new, old) for new, old in zip(shape, source.density.shape, strict=True)
    )
    values: Floats = np.clip(rows @ source.density @ columns.T, source.density.min(), source.density.max())
    return values


def above(source: Map, places: Floats) -> Floats:
    """Return the density (N,) at any places (N, 2) of the plane."""
    rows, columns = (
        weights(places[:, axis] / source.cell[axis] * count, count) for axis, count in enumerate(source.density.shape)
    )
    values: Floats = np.einsum("pi,ij,pj->p", rows, source.density, columns, optimize=True)
    return values


def combined(layout: NDArray[np.integer], pixel_size: float) -> Floats:
    """Lay maps side by side, upright: a k x k image of the structures that ``layout`` names (Chae 2025, section II.3).

    The image repeats itself beyond its borders, as its maps do; pixels are as in :func:`interpolated`.

    Examples
    --------
    >>> combined(np.array([[0, 1], [2, 0]]), pixel_size=0.1).shape
    (256, 246)
    """
    maps = {number: interpolated(load(number), pixel_size) for number in np.unique(layout).tolist()}
    return np.block([[maps[number] for number in row] for row in layout.tolist()])


@cache
def fine(number: int) -> NDArray[np.float32]:
    """Return a map at :data:`STEP`, with its first row and column once more at its end."""
    return np.pad(interpolated(load(number), STEP), ((0, 1), (0, 1)), mode="wrap").astype(np.float32)


def draw(
    rng: np.random.Generator,
    size: int,
    pixel_size: float,
    structures: Sequence[int] = range(COUNT),
    fade: float = 0.0,
) -> Field:
    """Draw a field of view: maps of different structures side by side, seen at a random place and turned at random.

    As in Chae 2025, section II.3, every map is one tile of a k x k image, here of as many tiles as the field needs;
    which structure a tile shows is drawn. Where two differ, they do not quite match at the joint: the atoms on either
    side of it feel the neighbours of their own periodic structure. The paper's density jumps there; ``fade`` lets one
    map pass into the other. Over 1 Å that doubles no spot: all structures have the same sites, and atoms leave them by
    less than 0.29 Å along each axis, which is little beside the 1.4 Å between them.

    Parameters
    ----------
    rng : where the draws come from.
    size : pixels along each side.
    pixel_size : Å a pixel.
    structures : which ones may be drawn.
    fade : Å on either side of a joint over which the maps are mixed, at most half a cell; 0 is the paper's way.

    Raises
    ------
    ParameterError : the field would hold millions of atoms, there is no such structure, or no such joint.
    """
    sources = [load(number) for number in structures]
    cell = sources[0].cell
    if not 0.0 <= fade <= cell.min() / 2.0:
        raise ParameterError(f"fade is {fade}; choose 0 to {cell.min() / 2.0:.1f} Å")
    tiles = np.ceil(size * pixel_size * np.sqrt(2.0) / cell).astype(np.int64) + 1
    if tiles.prod() * len(sources[0].positions) > LARGEST_COUNT:
        raise ParameterError(f"over {LARGEST_COUNT} atoms in the image; use a smaller size or pixel size")
    angle = rng.uniform(0.0, 2.0 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (tiles + rng.uniform(-1.0, 1.0, 2)) * cell / 2.0
    layout = rng.integers(len(sources), size=tiles)

    corners = np.stack(np.meshgrid(*(np.arange(n) for n in tiles), indexing="ij"), -1)[:, :, None] * cell
    points = (corners + np.stack([source.positions for source in sources])[layout]).reshape(-1, 2)
    positions = (points - middle) @ turn / pixel_size + (size - 1) / 2.0
    near = (np.abs(positions - (size - 1) / 2.0) <= size / 2.0 + 1.0).all(axis=1)
    brightness = np.stack([above(source, source.positions) for source in sources])[layout].reshape(-1)

    maps = np.stack([fine(number) for number in structures])
    if fade:
        brightness = sampled(maps, layout, cell, list(points.T), fade).astype(np.float64)
    image = np.empty((size, size), np.float32)
    grid = (np.arange(size) - (size - 1) / 2.0) * pixel_size
    for top in range(0, size, max(1, BAND // size)):
        rows = slice(top, top + max(1, BAND // size))
        image[rows] = sampled(maps, layout, cell, [
            middle[axis] + turn[axis, 0] * grid[rows, None] + turn[axis, 1] * grid for axis in (0, 1)
        ], fade)  # fmt: skip
    return Field(image, positions[near], brightness[near])


def sampled(
    maps: NDArray[np.float32], layout: NDArray[np.int64], cell: Floats, places: Sequence[Floats], fade: float
) -> NDArray[np.float32]:
    """Sample tiles of maps (S, ny + 1, nx + 1) at places (y, x), linearly between the points of their grids."""
    tile, index, part, mixed = [], [], [], []
    for axis, place in enumerate(places):
        inside, whole = np.modf(place / cell[axis])
        last = layout.shape[axis] - 1
        own = np.clip(whole.astype(np.int64), 0, last)
        tile.append((own, np.clip(own + np.where(inside < 0.5, -1, 1), 0, last)))
        beyond, first = np.modf(inside * (maps.shape[axis + 1] - 1))
        index.append(np.clip(first.astype(np.int64), 0, maps.shape[axis + 1] - 2))
        part.append(beyond.astype(np.float32))
        near = np.minimum(inside, 1.0 - inside) * cell[axis] / fade if fade else np.ones(1)
        half = 0.5 + 0.5 * np.minimum(near, 1.0)
        share = (half * half * (3.0 - 2.0 * half)).astype(np.float32)
        mixed.append((share, 1.0 - share))
    flat = maps.reshape(-1)

    def shown(structure: NDArray[np.int64]) -> NDArray[np.float32]:
        start = (structure * maps.shape[1] + index[0]) * maps.shape[2] + index[1]
        upper, lower = (
            flat[each] + part[1] * (flat[each + 1] - flat[each]) for each in (start, start + maps.shape[2])
        )  # fmt: skip
        value: NDArray[np.float32] = upper + part[0] * (lower - upper)
        return value

    if not fade:
        return shown(layout[tile[0][0], tile[1][0]])
    total = np.zeros(places[0].shape, np.float32)
    for row, column in np.ndindex(2, 2):
        total += mixed[0][row] * mixed[1][column] * shown(layout[tile[0][row], tile[1][column]])
    return total
