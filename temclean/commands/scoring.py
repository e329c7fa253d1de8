"""Score restored files against the truth, and movies against themselves."""

import glob
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from temclean import io, metrics
from temclean.commands import inputs
from temclean.errors import ImageError, MissingExtraError, ParameterError, TemcleanError

METRICS = ("mae", "psnr", "ssim", "ms_ssim")


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
    many = [Path(side).is_dir() or (glob.has_magic(side) and not Path(side).exists()) for side in (truth, test)]
    if not any(many):
        return iter([_score(Path(truth), Path(test), data_range)])
    if not all(many):
        raise ParameterError(f"{truth} and {test} must both be files, or both be folders or (quoted) globs")
    left, right = _by_key(truth), _by_key(test)
    for side, files in ((truth, left), (test, right)):
        if not files:
            raise ParameterError(f"{side} holds or matches no image")
    return _score_pairs(left, right, (truth, test), data_range)


def css(movie: Path, data_range: float | None = None) -> list[float]:
    """Return the CSS of each frame of a movie with the next.

    Raises
    ------
    ImageError
        If the file cannot be read or holds one frame only.
    """
    with io.read(movie) as image:
        if len(image.pixels) < 2:
            raise ImageError(f"{movie}: holds one frame; the CSS compares consecutive frames of a movie")
        return [float(value) for value in metrics.movie_css(image.pixels, data_range)]


def _score_pairs(
    left: dict[str, Path], right: dict[str, Path], sides: tuple[str, str], data_range: float | None
) -> Iterator[Score]:
    for key, path in left.items():
        if key in right:
            yield _score(path, right[key], data_range)
        else:
            yield Score(str(path), None, error=f"has no partner in {sides[1]}")
    for key, path in right.items():
        if key not in left:
            yield Score(None, str(path), error=f"has no partner in {sides[0]}")


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
        return Score(
            *names, error=str(error).removeprefix(f"{test}: "), missing_extra=isinstance(error, MissingExtraError)
        )
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
