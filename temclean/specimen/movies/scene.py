"""A scene of atoms that come and go, and the movie that is made of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.atoms import Atoms, gaussians

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hop:
    """An atom that is not where it was: it has hopped, appeared or vanished.

    Attributes
    ----------
    frame : the first frame in which it is so, counted from 0.
    atom : its number.
    left, reached : (y, x) in pixels of that frame, one of them at least in view; None where an atom has appeared, or
        vanished.
    """

    frame: int
    atom: int
    left: tuple[float, float] | None
    reached: tuple[float, float] | None


@dataclass(frozen=True)
class Movie:
    """Clean frames, and the truth behind them.

    Attributes
    ----------
    frames : float32 array (frames, rows, columns), intensities in [0, 1].
    pixel_size : Å a pixel.
    positions : for each frame a float64 array (N, 2), rows of (y, x) in pixels, the centre of the first pixel being
        (0, 0); atoms whose centre lies inside the frame. What the atoms stand on is not among them.
    atoms : for each frame an array (N,): the numbers of these atoms, each the same in all frames.
    drift : float64 array (frames, 2): by how many pixels (y, x) the specimen stands off its place, jitter included.
    hops : what has changed, in the order of frames.
    """

    frames: NDArray[np.float32]
    pixel_size: float
    positions: tuple[Floats, ...]
    atoms: tuple[NDArray[np.int64], ...]
    drift: Floats
    hops: tuple[Hop, ...]


@dataclass(frozen=True)
class Scene:
    """Atoms before they are filmed; positions in pixels of a frame without drift, rows of (y, x).

    Attributes
    ----------
    ground : intensity between all atoms.
    support : what is there in all frames and not counted.
    places : for each frame the positions (N, 2) of the atoms.
    numbers : for each frame their numbers (N,).
    peak, width_px : of each atom by its number.
    """

    ground: float
    support: Atoms
    places: tuple[Floats, ...]
    numbers: tuple[NDArray[np.int64], ...]
    peak: Floats
    width_px: Floats


def path(rng: np.random.Generator, frames: int, size: int, speed: float, jitter: float) -> Floats:
    """Return how far each frame stands off, (frames, 2) in pixels.

    The way is straight at ``speed`` and turns back a quarter of the frame off, so that long movies stay in place.
    """
    angle = rng.uniform(0.0, 2.0 * np.pi)
    straight = speed * np.arange(frames)[:, None] * np.array([np.sin(angle), np.cos(angle)])
    most = size / 4
    straight = most - np.abs((straight + most) % (4.0 * most) - 2.0 * most)
    walked: Floats = straight + jitter * rng.standard_normal((frames, 2))
    return walked


def reach(size: int) -> tuple[float, float]:
    """Return from where to where along either axis something may come into view."""
    return -0.3 * size, 1.3 * size


def filmed(scene: Scene, drift: Floats, size: int, pixel_size: float) -> Movie:
    """Draw the frames of a scene; intensities beyond 0 and 1 are cut."""
    frames = np.empty((len(scene.places), size, size), np.float32)
    positions, numbers = [], []
    edge = 5.0 * max(float(scene.width_px.max(initial=0.0)), float(scene.support.width_px.max(initial=0.0)))
    for out, places, known, off in zip(frames, scene.places, scene.numbers, drift, strict=True):
        where = np.concatenate([scene.support.positions, places]) + off
        peak = np.concatenate([scene.support.peak, scene.peak[known]])
        width = np.concatenate([scene.support.width_px, scene.width_px[known]])
        near = _within(where, edge, size)
        out[...] = scene.ground + gaussians(Atoms(where[near], peak[near], width[near]), size)
        inside = _within(places + off, 0.5, size)
        positions.append(places[inside] + off)
        numbers.append(known[inside])
    np.clip(frames, 0.0, 1.0, out=frames)
    return Movie(frames, pixel_size, tuple(positions), tuple(numbers), drift, hops(scene, drift, size))


def hops(scene: Scene, drift: Floats, size: int) -> tuple[Hop, ...]:
    """Compare each frame of a scene with the one before; what is out of view before and after does not count."""
    found: list[Hop] = []
    for frame in range(1, len(scene.places)):
        before, after = (
            dict(zip(scene.numbers[index].tolist(), scene.places[index], strict=True)) for index in (frame - 1, frame)
        )
        for atom in sorted(before.keys() | after.keys()):
            ends = [place + drift[frame] for place in (before.get(atom), after.get(atom)) if place is not None]
            if (len(ends) == 2 and np.array_equal(*ends)) or not _within(np.array(ends), 0.5, size).any():
                continue
            left, reached = ((float(end[0]), float(end[1])) for end in (ends[0], ends[-1]))
            found.append(Hop(frame, atom, left if atom in before else None, reached if atom in after else None))
    return tuple(found)


def _within(places: Floats, edge: float, size: int) -> NDArray[np.bool_]:
    """Return which places (N, 2) lie in the frame, or no more than ``edge`` pixels off its outermost pixels."""
    return np.asarray(((places > -edge) & (places < size - 1 + edge)).all(axis=1))
