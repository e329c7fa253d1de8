"""Platinum as a scanned beam shows it: a perfect crystal, an edge dislocation with vacancies, and a particle.

abTEM computes single columns of 1 to 12 atoms by multislice with frozen phonons; images are sums of them, each at its
place. So a column's brightness falls behind its number of atoms as in a true image, but no column takes electrons from
its neighbours: of the perfect crystal a whole multislice image is brighter by a tenth, at and between columns alike.
Intensities are the share of the beam that the detector gets; lengths are in Å where nothing else is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

LATTICE = 3.924
"""Of platinum."""

ENERGY, CONVERGENCE, DETECTOR = 300e3, 20.0, (60.0, 120.0)
"""Electronvolts; semi-angle of the probe and ring of the detector, mrad."""

THERMAL, SOURCE = 0.07, 0.3
"""Standard deviations of thermal motion along an axis and of the source."""

BOX, STEP, REACH = 12.0, 0.1, 3.0
"""Side of the cell about a column, distance between the places of the probe, and where a column's image ends."""

CONFIGURATIONS = 12
"""Frozen phonons of a column."""

MOST = 12
"""Atoms of the thickest column."""

CARBON = 1.3e-3
"""What the detector gets of a film of 5 nm of carbon: about 1/80 of platinum's share an atom, by Z^1.7."""

POISSON_RATIO = 0.39
"""Of platinum."""


@dataclass(frozen=True)
class Specimen:
    """Columns of platinum, seen from above.

    Attributes
    ----------
    name : of the scene.
    size, pixel_size : pixels a side, and Å a pixel.
    places : (N, 2) y and x of the columns; the middle of the image is 0.
    counts : (N,) atoms of each.
    spacing : between the atoms of a column.
    apart : to the next column.
    background : share of the beam that the detector gets between the columns.
    vacancies : (M, 2) places of columns that are missing.
    core : radius about the middle within which columns belong to a dislocation; 0 if there is none.
    scanned : whether the beam strays and the detector is slow; else there is counting alone.
    """

    name: str
    size: int
    pixel_size: float
    places: np.ndarray
    counts: np.ndarray
    spacing: float
    apart: float
    background: float = 0.0
    vacancies: np.ndarray = field(default_factory=lambda: np.empty((0, 2)))
    core: float = 0.0
    scanned: bool = True

    def pixels(self, places: np.ndarray) -> np.ndarray:
        """Return places as (row, column) in pixels."""
        return places / self.pixel_size + (self.size - 1) / 2.0


def square(step: float, reach: float) -> np.ndarray:
    """Return the points (N, 2) of a square lattice within a square of half side ``reach``."""
    line = step * np.arange(-int(reach / step), int(reach / step) + 1)
    return np.stack(np.meshgrid(line, line, indexing="ij"), -1).reshape(-1, 2)


def turned(places: np.ndarray, degrees: float) -> np.ndarray:
    """Return places turned about the middle."""
    angle = np.deg2rad(degrees)
    return places @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def within(places: np.ndarray, half: float) -> np.ndarray:
    """Return which places lie in a square of half side ``half``."""
    return (np.abs(places) <= half).all(axis=1)


def perfect(size: int = 256, pixel_size: float = 0.1) -> Specimen:
    """Return platinum along [001], ten atoms thick."""
    places = turned(square(LATTICE / 2, size * pixel_size), 7.0) + np.array([0.31, 0.17])
    places = places[within(places, size * pixel_size / 2 + REACH)]
    return Specimen("perfect", size, pixel_size, places, np.full(len(places), 10), LATTICE, LATTICE / 2, scanned=False)


def displacement(places: np.ndarray, burgers: float, ratio: float = POISSON_RATIO) -> np.ndarray:
    r"""Return how far an edge dislocation at 0 moves points (N, 2) of an isotropic crystal along y and x.

    .. math::
        u_x = \frac{b}{2 \pi} \left( \arctan\frac{y}{x} + \frac{x y}{2 (1 - \nu) r^2} \right), \quad
        u_y = -\frac{b}{2 \pi} \left( \frac{1 - 2 \nu}{4 (1 - \nu)} \ln r^2 + \frac{x^2 - y^2}{4 (1 - \nu) r^2} \right)

    with b along x; the extra half planes end from above (y > 0 counts from 0 to pi).

    References
    ----------
    Hirth and Lothe (1982), "Theory of Dislocations", 2nd ed., chapter 3.
    """
    y, x = places.T
    squared = x**2 + y**2
    along = np.arctan2(y, x) + x * y / (2 * (1 - ratio) * squared)
    across = (1 - 2 * ratio) * np.log(squared) + (x**2 - y**2) / squared
    return burgers / (2 * np.pi) * np.stack([-across / (4 * (1 - ratio)), along], axis=1)


def dislocation(size: int = 256, pixel_size: float = 0.1) -> Specimen:
    """Return platinum along [112], six atoms thick, with an edge dislocation, b = a/2 [110], and four columns missing.

    Columns stand in rectangles; the Burgers vector, two of them long, lies along x in a (111) plane.
    """
    across, along = LATTICE / np.sqrt(3), LATTICE / np.sqrt(8)
    half = size * pixel_size / 2
    row, column = np.meshgrid(np.arange(-40, 41), np.arange(-40, 41), indexing="ij")
    places = np.stack([(row + 0.5) * across, (column + 0.25) * along], axis=-1).reshape(-1, 2)
    places = places + displacement(places, 2 * along)
    places = places[within(places, half + REACH)]
    wanted = half * np.array([[-0.6, -0.5], [-0.5, 0.6], [0.6, -0.6], [0.5, 0.5]])
    gone = np.array([np.hypot(*(places - each).T).argmin() for each in wanted])
    left = np.delete(places, gone, axis=0)
    return Specimen(
        "dislocation", size, pixel_size, left, np.full(len(left), 6), LATTICE * np.sqrt(1.5), along,
        vacancies=places[gone], core=5.0,
    )  # fmt: skip


def particle(size: int = 256, pixel_size: float = 0.2, cells: int = 11) -> Specimen:
    """Return a sphere of platinum along [001], eleven cells across, on a film of carbon that shows no grain."""
    radius = cells * LATTICE / 2
    index = square(1.0, cells + 1.0)
    squared = radius**2 - (index**2).sum(axis=1) * LATTICE**2 / 4
    index, reach = index[squared > 0], np.sqrt(squared[squared > 0]) / LATTICE
    odd = index.sum(axis=1) % 2 == 1
    counts = np.where(odd, 2 * np.floor(reach + 0.5), 2 * np.floor(reach) + 1).astype(int)
    places = turned(index * LATTICE / 2, 5.0)[counts > 0]
    return Specimen("particle", size, pixel_size, places, counts[counts > 0], LATTICE, LATTICE / 2, background=CARBON)


def columns(spacing: float, folder: Path) -> np.ndarray:
    """Return images (MOST + 1, R) of single columns of 0 to MOST atoms, at distances every :data:`STEP` from them.

    They are computed once and kept in the folder; that takes half a minute of one core.
    """
    path = folder / f"platinum-{spacing:.3f}-{CONFIGURATIONS}.npy"
    if path.exists():
        return np.load(path)
    import abtem
    import dask
    from ase import Atoms

    abtem.config.set({"fftw.threads": 1, "fftw.planning_effort": "FFTW_ESTIMATE", "num_workers": 1})
    dask.config.set(scheduler="synchronous")
    middle = BOX / 2
    places = [(middle, middle, spacing * (number + 0.5)) for number in range(MOST)]
    atoms = Atoms(["Pt"] * MOST, positions=places, cell=(BOX, BOX, spacing * MOST), pbc=True)
    potential = abtem.Potential(
        abtem.FrozenPhonons(atoms, CONFIGURATIONS, {"Pt": THERMAL}, seed=1),
        gpts=240, slice_thickness=spacing, projection="infinite", parametrization="lobato", exit_planes=1,
    )  # fmt: skip
    probe = abtem.Probe(energy=ENERGY, semiangle_cutoff=CONVERGENCE)
    count = 2 * round(REACH / STEP) + 1
    scan = abtem.LineScan(start=(middle - REACH, middle), end=(middle + REACH, middle), gpts=count, endpoint=True)
    measured = probe.scan(potential, scan=scan, detectors=abtem.AnnularDetector(*DETECTOR), lazy=False)
    both = np.asarray(measured.array, np.float64)
    found = (0.5 * (both + both[:, ::-1]))[:, count // 2 :]
    folder.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".part").open("wb") as file:
        np.save(file, found)
    path.with_suffix(".part").rename(path)
    return found


def blurred(radial: np.ndarray) -> CubicSpline:
    """Return a column's image, as a function of the distance, under a source of finite size."""
    step = STEP / 2
    line = step * np.arange(-round((REACH + 1.5) / step), round((REACH + 1.5) / step) + 1)
    distance = np.hypot(line[:, None], line)
    sharp = np.interp(distance, STEP * np.arange(len(radial)), radial, right=0.0)
    soft = ndimage.gaussian_filter(sharp, SOURCE / step)[len(line) // 2, len(line) // 2 :]
    return CubicSpline(line[len(line) // 2 :], np.clip(soft - soft[round(REACH / step)], 0, None))


def image_of(specimen: Specimen, profiles: np.ndarray) -> np.ndarray:
    """Return the image (size, size) without noise: the share of the beam that the detector gets at each pixel."""
    shape = cache(lambda number: blurred(profiles[number]))
    image = np.full((specimen.size, specimen.size), specimen.background)
    reach = int(np.ceil(REACH / specimen.pixel_size))
    for place, number in zip(specimen.pixels(specimen.places), specimen.counts.tolist(), strict=True):
        first = np.maximum(np.rint(place).astype(int) - reach, 0)
        last = np.minimum(np.rint(place).astype(int) + reach + 1, specimen.size)
        if (first >= last).any():
            continue
        y, x = (np.arange(low, high) - middle for low, high, middle in zip(first, last, place, strict=True))
        distance = np.hypot(y[:, None], x) * specimen.pixel_size
        image[first[0] : last[0], first[1] : last[1]] += shape(number)(np.minimum(distance, REACH))
    return image.astype(np.float32)


def scenes() -> Sequence[Specimen]:
    """Return the three specimens."""
    return (perfect(), dislocation(), particle())
