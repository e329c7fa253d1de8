"""Movies of atoms whose truth is known: where each atom stands in every frame, and when it hops, appears or vanishes.

``draw("clusters", frames=24, seed=1)`` returns a :class:`Movie`. ``clusters`` grows patches of platinum on carbon,
``sheets`` lets one atom hop on graphene, ``lattices`` lets a crystal drift; each hands the places of its atoms to
``scene``, which moves them all by the drift and draws the frames.
"""

from collections.abc import Callable

import numpy as np

from temclean.errors import ParameterError
from temclean.specimen.catalogue import check
from temclean.specimen.movies import clusters, lattices, scene, sheets
from temclean.specimen.movies.scene import Hop, Movie, Scene

__all__ = ["KINDS", "Hop", "Movie", "draw"]

KINDS: dict[str, Callable[[np.random.Generator, int, int, float], Scene]] = {
    "clusters": clusters.scene,
    "hopping": sheets.scene,
    "drifting": lattices.scene,
}
"""What there is to draw: Pt clusters on carbon, a single atom on a sheet, a lattice that drifts."""

FASTEST = {"clusters": 0.3, "hopping": 0.2, "drifting": 3.0}
"""Pixels a frame up to which each kind drifts unless it is told."""


def draw(
    kind: str,
    frames: int = 24,
    size: int = 128,
    pixel_size: float = 0.3,
    seed: int = 0,
    *,
    drift: float | None = None,
    jitter: float = 0.2,
) -> Movie:
    """Draw a movie of :data:`KINDS` without noise: the same arguments give the same frames.

    Parameters
    ----------
    kind : a key of :data:`KINDS`.
    frames : how many.
    size : pixels along each side.
    pixel_size : Å a pixel.
    seed : a whole number from 0 up.
    drift : pixels by which the specimen moves from frame to frame; drawn evenly up to :data:`FASTEST` by default.
    jitter : standard deviation in pixels by which each frame stands off its drift, along y and along x.

    Raises
    ------
    ParameterError : the kind is unknown, a number out of range, or there would be millions of atoms.

    Examples
    --------
    >>> movie = draw("hopping", frames=6, size=64, seed=1)
    >>> movie.frames.shape, len(movie.positions)
    ((6, 64, 64), 6)
    """
    if kind not in KINDS:
        raise ParameterError(f"unknown movie {kind!r}; choose one of {', '.join(KINDS)}")
    check(size, pixel_size)
    if frames < 1 or seed < 0 or jitter < 0 or (drift is not None and not 0 <= drift <= size / 4):
        raise ParameterError(
            f"{frames} frames, seed {seed}, jitter {jitter}, drift {drift}: give 1 frame or more, a seed and a jitter "
            f"from 0 up, and a drift from 0 to {size / 4:g} pixels a frame"
        )
    rng = np.random.Generator(np.random.PCG64(seed))
    speed = rng.uniform(0.0, FASTEST[kind]) if drift is None else drift
    path = scene.path(rng, frames, size, speed, jitter)
    return scene.filmed(KINDS[kind](rng, frames, size, pixel_size), path, size, pixel_size)
