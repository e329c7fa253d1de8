"""Score restored files against the truth, and movies against themselves and against what they were made of."""

import glob
import math
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import io, metrics
from temclean.commands import inputs
from temclean.commands.records import naming
from temclean.errors import ImageError, MissingExtraError, ParameterError, TemcleanError
from temclean.evidence import drift
from temclean.metrics import pairs
from temclean.restoration.together import Order

METRICS = ("mae", "psnr", "ssim", "ms_ssim")

Triple = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]

HOW = "files of two folders have the same names; else give globs, such as 'raw/*.tif' 'clean/*_general.tif'"
"""What to do about files that have no partner."""

FARTHEST = 24.0
"""Pixels of drift between a result and a reference that are looked for."""


@dataclass(frozen=True)
class Score:
    """What became of one pair of files.

    Attributes
    ----------
    values : the metrics by name, means over the frames of a stack; None where the image is too small for one.
    error : why there are none.
    missing_extra : whether that is for want of an optional package.
    """

    truth: str | None
    test: str | None
    values: dict[str, float | None] | None = None
    error: str | None = None
    missing_extra: bool = False

    def record(self) -> dict[str, object]:
        """Return what any JSON reader takes."""
        if self.values is None:
            return {"truth": self.truth, "test": self.test, "error": self.error, "missing_extra": self.missing_extra}
        return {"truth": self.truth, "test": self.test, **metrics.to_json(self.values)}


def score_all(truth: str, test: str, data_range: float | None = None) -> Iterator[Score]:
    """Score files against files.

    Two files are one pair. Of two globs, those files are a pair for which the wildcards stand for the same text; of two
    folders, those of the same name but for the suffix.

    Parameters
    ----------
    data_range
        Of the intensities; None as in :mod:`temclean.metrics`.

    Raises
    ------
    ParameterError
        If one side is a file and the other is not, or the names of one side do not tell its files apart.
    """
    many = [_is_many(side) for side in (truth, test)]
    if not any(many):
        return iter([_score(Path(truth), Path(test), data_range)])
    if not all(many):
        raise ParameterError(f"{truth} and {test} must both be files, or both be folders or (quoted) globs")
    left, right = _by_key(truth), _by_key(test)
    for side, files in ((truth, left), (test, right)):
        if not files:
            raise ParameterError(f"{side} holds or matches no image")
    return _score_pairs(left, right, (truth, test), data_range)


def _is_many(side: str) -> bool:
    """Return whether a name is of a folder with images in it, or a glob."""
    path = Path(side)
    if path.exists():
        return path.is_dir() and not io.is_folder_format(path)
    return glob.has_magic(side)


def css(movie: Path, data_range: float | None = None) -> list[float]:
    """Return the CSS of each frame of a movie with the next.

    Raises
    ------
    ImageError
        If the file cannot be read, holds one frame only, or several channels.
    """
    with io.read(movie) as image:
        Order.of(image.pixels.shape, image.axes).check_movie(movie)
        if len(image.pixels) < 2:
            raise ImageError(f"{movie}: holds one frame; the CSS compares consecutive frames of a movie")
        with naming(movie):
            return [float(value) for value in metrics.movie_css(image.pixels, data_range)]


def _score_pairs(
    left: dict[str, Path], right: dict[str, Path], sides: tuple[str, str], data_range: float | None
) -> Iterator[Score]:
    for key, path in left.items():
        if key in right:
            yield _score(path, right[key], data_range)
        else:
            yield Score(str(path), None, error=f"has no partner in {sides[1]}; {HOW}")
    for key, path in right.items():
        if key not in left:
            yield Score(None, str(path), error=f"has no partner in {sides[0]}; {HOW}")


def _score(truth: Path, test: Path, data_range: float | None) -> Score:
    names = str(truth), str(test)
    try:
        with io.read(truth) as first, io.read(test) as second:
            shapes = tuple(first.pixels.shape), tuple(second.pixels.shape)
            if shapes[0] != shapes[1]:
                raise ImageError(f"shape {shapes[1]} is not that of {truth}, {shapes[0]}")
            frames = zip(first.pixels, second.pixels, strict=True)
            rows = [metrics.score(one, other, data_range) for one, other in frames]
    except (TemcleanError, OSError) as error:
        told = str(error).removeprefix(f"{test}: ").removeprefix("test ")  # as the metrics call them
        told = f"{truth}: {told.removeprefix('truth ')}" if told.startswith("truth ") else told
        return Score(*names, error=told, missing_extra=isinstance(error, MissingExtraError))
    return Score(*names, {name: _mean([row[name] for row in rows]) for name in METRICS})


def _mean(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return float(np.mean(there)) if len(there) == len(values) else None


def _by_key(side: str) -> dict[str, Path]:
    """Return the files of a folder or a glob by what tells them apart."""
    files = [item.path for item in inputs.expand([side]) if not item.problem]
    if Path(side).is_dir():
        keys = [path.stem for path in files]
    else:
        pattern = _with_groups(Path(side).as_posix())
        keys = ["/".join(match.groups()) if (match := pattern.fullmatch(path.as_posix())) else "" for path in files]
    if twins := [key for key in keys if keys.count(key) > 1]:
        both = " and ".join(str(path) for path, key in zip(files, keys, strict=True) if key == twins[0])
        raise ParameterError(f"{both} cannot be told apart by their names; give a glob that takes one of them")
    return dict(zip(keys, files, strict=True))


def _with_groups(pattern: str) -> re.Pattern[str]:
    """Translate a glob so that the text of each wildcard can be asked for."""
    wildcards = {"?": "([^/])", "*": "([^/]*)", "**": "(.*)", "**/": "((?:.*/)?)"}

    def translate(token: str) -> str:
        if token.startswith("[") and len(token) > 1:
            return "([" + re.sub(r"^!", "^", token[1:-1]).replace("\\", r"\\") + "])"
        return wildcards.get(token) or re.escape(token)

    tokens = re.findall(r"\[.[^]]*\]|\*\*/?|\*|\?|[^*?[]+|\[", pattern)
    return re.compile("".join(translate(token) for token in tokens), re.IGNORECASE if os.name == "nt" else 0)


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


def score_movie(movie: Path, result: Path, apart: int | None = None, data_range: float | None = None) -> MovieScore:
    """Score a result frame by frame against two noisy frames of its movie, each moved back by its drift.

    Parameters
    ----------
    apart
        References stand so many frames before and after; near the ends of the movie two on one side. By default one,
        or what lies just outside the frames that were looked at or taken together, as the result names them.
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
        windows = [note.get(name, 1) for name in ("frames", "joined")]
        apart = max([window // 2 + 1 for window in windows if isinstance(window, int) and window > 0], default=1)
    if apart < 1:
        raise ParameterError(f"references {apart} frames apart would be what the result was made of; give 1 or more")
    with io.read(movie) as raw, io.read(result) as restored:
        noisy, clean = raw.pixels, restored.pixels
        Order.of(noisy.shape, raw.axes).check_movie(movie)
        if tuple(noisy.shape) != tuple(clean.shape):
            raise ImageError(f"{result}: shape {tuple(clean.shape)} is not that of {movie}, {tuple(noisy.shape)}")
        if len(noisy) < 2 * apart + 1:
            raise ImageError(
                f"{movie}: holds {len(noisy)} frames, and to compare with two that a result has not seen, which "
                f"are {apart} or more away, takes {2 * apart + 1}; give a longer movie"
            )
        with naming(movie):
            unit = _movie_span(noisy) if data_range is None else data_range
        with naming(result, movie):
            unseen = metrics.unseen_error(_triples(noisy, clean, apart), unit)
            css = metrics.movie_css(clean, data_range)
    scatter = float(css.std(ddof=1)) / math.sqrt(len(css)) if len(css) > 1 else 0.0
    return MovieScore(str(movie), str(result), apart, unseen, float(css.mean()), scatter)


def references(index: int, frames: int, apart: int) -> tuple[int, int] | None:
    """Return which two frames a result is compared with: before and after it, or two on one side; None if not there.

    Near the ends of a movie a model that looks at 2 ``apart`` - 1 frames has the first or last ones of all
    (:func:`temclean.restoration.windows.neighbours`): what it has not seen begins beyond these.
    """
    before, after = index - apart, index + apart
    if before >= 0 and after < frames:
        return before, after
    before, after = min(before, frames - 2 * apart), max(after, 2 * apart - 1)
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


def _movie_span(frames: io.Frames) -> float:
    whole = None
    for index in range(len(frames)):
        found = pairs.survey(pairs.image(frames[index], f"frame {index}"), f"frame {index}", 1)
        whole = whole.joined(found) if whole else found
    if whole is None:
        raise ImageError("the movie has no frames")
    return pairs.span(whole, whole)
