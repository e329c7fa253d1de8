"""Score a denoised movie against the noisy one that it was made of, where there is no truth."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from temclean import io, metrics
from temclean.errors import ImageError, ParameterError
from temclean.evidence import drift
from temclean.metrics import pairs

Triple = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

FARTHEST = 24.0
"""Pixels of drift between a result and a reference that are looked for."""


@dataclass(frozen=True)
class MovieScore:
    """How a result fits frames that it has not seen, and how alike its own frames are.

    Attributes
    ----------
    apart : frames between a result and its references.
    unseen : its error.
    css, css_error : mean over consecutive frames of the result, and standard error of that.
    """

    movie: str
    result: str
    apart: int
    unseen: metrics.Unseen
    css: float
    css_error: float

    def record(self) -> dict[str, Any]:
        """Return what any JSON reader takes; infinite decibels as text, as the PSNR of equal images is written."""
        numbers = {**asdict(self.unseen), "css": self.css, "css_error": self.css_error}
        told = {
            name: "-Infinity" if value == -math.inf else "Infinity" if value == math.inf else value
            for name, value in numbers.items()
        }
        return {"movie": self.movie, "result": self.result, "apart": self.apart, **told}


def score(movie: Path, result: Path, apart: int | None = None, data_range: float | None = None) -> MovieScore:
    """Score a result frame by frame against two noisy frames of its movie, each moved back by its drift.

    Parameters
    ----------
    apart
        References stand so many frames before and after; near the ends of the movie two on one side. By default one,
        or what lies just outside the window of the model that the result names.
    data_range
        Of the intensities; None takes 1 if the movie lies within [0, 1], else its maximum less its minimum.

    Raises
    ------
    ImageError
        If the files cannot be read, are not of one shape, or there are too few frames.
    ParameterError
        If ``apart`` is less than one.
    """
    if apart is None:
        note = io.provenance(result) or {}
        window = note.get("frames", 1)
        apart = window // 2 + 1 if isinstance(window, int) and window > 0 else 1
    if apart < 1:
        raise ParameterError(f"references {apart} frames apart would be what the result was made of; give 1 or more")
    with io.read(movie) as raw, io.read(result) as restored:
        noisy, clean = raw.pixels, restored.pixels
        if tuple(noisy.shape) != tuple(clean.shape):
            raise ImageError(f"{result}: shape {tuple(clean.shape)} is not that of {movie}, {tuple(noisy.shape)}")
        if len(noisy) < apart + 2:
            raise ImageError(
                f"{movie}: holds {len(noisy)} frames, and to compare with two that are {apart} or more away takes "
                f"{apart + 2}; give a longer movie"
            )
        unit = _span(noisy) if data_range is None else data_range
        unseen = metrics.unseen_error(_triples(noisy, clean, apart), unit)
        css = metrics.movie_css(clean, data_range)
    scatter = float(css.std(ddof=1)) / math.sqrt(len(css)) if len(css) > 1 else 0.0
    return MovieScore(str(movie), str(result), apart, unseen, float(css.mean()), scatter)


def references(index: int, frames: int, apart: int) -> tuple[int, int] | None:
    """Return which two frames a result is compared with: before and after it, or two on one side; None if not there."""
    before, after = index - apart, index + apart
    if before >= 0 and after < frames:
        return before, after
    if after + 1 < frames:
        return after, after + 1
    return (before, before - 1) if before >= 1 else None


def _triples(noisy: io.Frames, clean: io.Frames, apart: int) -> Iterator[Triple]:
    for index in range(len(clean)):
        chosen = references(index, len(clean), apart)
        if chosen is None:
            continue
        result = clean[index]
        raw = (noisy[other] for other in chosen)
        first, second = (drift.moved(frame, _back(result, frame)) for frame in raw)
        yield result, first, second


def _back(result: NDArray[Any], frame: NDArray[Any]) -> tuple[float, float]:
    down, right = drift.shift(result, frame, FARTHEST)
    return -down, -right


def _span(frames: io.Frames) -> float:
    whole = None
    for index in range(len(frames)):
        found = pairs.survey(pairs.image(frames[index], f"frame {index}"), f"frame {index}", 1)
        whole = whole.joined(found) if whole else found
    if whole is None:
        raise ImageError("the movie has no frames")
    return pairs.span(whole, whole)
