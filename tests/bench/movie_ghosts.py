"""Whether an atom that has hopped shows in the frame after it left, and in the frame before it came.

Two measures. What is too bright at the place (:func:`hops`) can be told of any result, but is not a ghost alone: blur
that fills the gap between neighbours, and atoms that a model makes of noise, are in it, so that models of single
images, which see no other frame, come to several percent too. What other frames have put there (:func:`ghost`) is told
by a twin of the movie that differs in nothing but that no atom ever stood at that place: both are denoised, and what
the frame without the atom shows there less in the twin has come from the frames with it. Models of single images have
exactly none of that, a mean of frames its share.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from temclean.specimen import movies
from temclean.specimen.movies import Movie, scene
from temclean.specimen.movies.scene import Scene

Frames = np.ndarray
Restore = Callable[[Frames, int], Frames]
"""What makes of a noisy movie one of its frames, restored."""


@dataclass(frozen=True)
class End:
    """An end of a hop: the frame in which an atom stands there and the next or last in which it does not.

    ``places`` are where that is in both, the one without the atom last, ``height`` what the atom adds to the frame.
    """

    full: int
    empty: int
    places: tuple[tuple[float, float], tuple[float, float]]
    dark: float
    height: float


def at(frame: Frames, place: tuple[float, float]) -> float:
    """Return the mean of 3x3 pixels around a place."""
    y, x = (round(value) for value in place)
    return float(frame[y - 1 : y + 2, x - 1 : x + 2].mean())


def ends(film: Movie) -> Iterator[End]:
    """Yield the ends of all hops of a movie that are well inside, and not so near another atom that nothing changes."""
    size = film.frames.shape[1]
    for hop in film.hops:
        step = film.drift[hop.frame] - film.drift[hop.frame - 1]
        for place, full, empty in ((hop.left, hop.frame - 1, hop.frame), (hop.reached, hop.frame, hop.frame - 1)):
            if place is None or not all(4 < value < size - 5 for value in (*place, *(np.array(place) - step))):
                continue
            before = float(place[0] - step[0]), float(place[1] - step[1])
            places = (before, place) if full < empty else (place, before)
            bright, dark = at(film.frames[full], places[0]), at(film.frames[empty], places[1])
            if bright - dark >= 0.1:
                yield End(full, empty, places, dark, bright - dark)


def hops(film: Movie, result: Frames) -> tuple[float, float, int]:
    """Return the share of ends of hops that are kept, by how much the place is too bright, and how many ends there are.

    Kept is where more than half of the true difference between these frames shows.
    """
    bright, kept = [], []
    for end in ends(film):
        shown = at(result[end.full], end.places[0]), at(result[end.empty], end.places[1])
        bright.append((shown[1] - end.dark) / end.height)
        kept.append(shown[0] - shown[1] > 0.5 * end.height)
    return float(np.mean(kept or [np.nan])), float(np.mean(bright or [np.nan])), len(bright)


def scenery(kind: str, frames: int, size: int, pixel_size: float, seed: int) -> Scene:
    """Return what `temclean.specimen.movies.draw` films."""
    rng = np.random.Generator(np.random.PCG64(seed))
    scene.path(rng, frames, size, rng.uniform(0.0, movies.FASTEST[kind]), 0.2)
    return movies.KINDS[kind](rng, frames, size, pixel_size)


def without(drawn: Scene, film: Movie, end: End) -> Frames:
    """Return the clean frames of a movie in which no atom ever stands at the place of a hop's end."""
    site = np.array(end.places[1]) - film.drift[end.empty]
    kept = [np.linalg.norm(places - site, axis=1) > 1e-6 for places in drawn.places]
    fewer = replace(
        drawn,
        places=tuple(places[keep] for places, keep in zip(drawn.places, kept, strict=True)),
        numbers=tuple(numbers[keep] for numbers, keep in zip(drawn.numbers, kept, strict=True)),
    )
    return scene.filmed(fewer, film.drift, film.frames.shape[1], film.pixel_size).frames


def ghost(film: Movie, drawn: Scene, noisy: Callable[[Frames], Frames], restore: Restore) -> tuple[float, float]:
    """Return what other frames put where an atom is not, a share of its height, and the standard error of that."""
    found = []
    raw = noisy(film.frames)
    for end in ends(film):
        twin = noisy(without(drawn, film, end))
        shown = [at(restore(movie, end.empty), end.places[1]) for movie in (raw, twin)]
        found.append((shown[0] - shown[1]) / end.height)
    error = float(np.std(found, ddof=1) / np.sqrt(len(found))) if len(found) > 1 else np.nan
    return float(np.mean(found or [np.nan])), error
