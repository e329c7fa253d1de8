"""What was simulated, written down so that the same pairs can be made again."""

import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from temclean import __version__, io, noise
from temclean.errors import FileError, ParameterError

MANIFEST = "manifest.json"
FORMAT = 1
LEVELS = {"g": 0.2, "sp": 0.2, "gsp": 0.2, "bbg": 0.2, "poisson": 20.0, "shot": 20.0}
"""Level where none is given and the family itself has none: C, or for Poisson the electrons a pixel at intensity 1."""


@dataclass(frozen=True)
class Pair:
    """One clean image and its noisy twin.

    Attributes
    ----------
    clean : the clean image: a name beside the manifest if it was drawn, else the user's file, as seen from there.
    noisy : the noisy image, a name beside the manifest.
    noise_seed : seed of the noise; frame ``i`` of a stack takes ``noise_seed + i``.
    specimen, size, pixel_size, specimen_seed : what was drawn (a name, or a file of atoms as seen from the manifest),
        pixels a side, Å a pixel; of the user's own images only the pixel size, where the file has one.
    zone, thickness : of a file of atoms: the zone axis [u, v, w], and Å along it.
    columns : the table of the columns' true places, a name beside the manifest; None where there are none.
    low, high : intensities of the user's image that are 0 and 1 to the noise.
    sha256 : of the user's file.
    drawn : for whole microscopes, what was drawn: the camera's transfer function and the steps of the noise. For
        reading only; it follows from the noise and its seed.
    """

    clean: str
    noisy: str
    noise_seed: int
    specimen: str | None = None
    size: int | None = None
    pixel_size: float | None = None
    specimen_seed: int | None = None
    zone: tuple[int, int, int] | None = None
    thickness: float | None = None
    columns: str | None = None
    low: float | None = None
    high: float | None = None
    sha256: str | None = None
    drawn: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True)
class Manifest:
    """Pairs and the noise that they share.

    Attributes
    ----------
    folder : from where the names of the user's files are seen.
    problems : names that stand for no file, and why; not saved.
    """

    family: str
    noise: noise.Noise
    pairs: tuple[Pair, ...]
    folder: Path
    problems: tuple["Outcome", ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of one pair; ``missing_extra`` where it failed for want of an optional package."""

    clean: str
    noisy: str | None = None
    error: str | None = None
    missing_extra: bool = False


def noise_of(family: str, level: float | None = None, parameters: dict[str, Any] | None = None) -> noise.Noise:
    """Return the noise of a family at a level, with other parameters by the names of its fields.

    Raises
    ------
    ParameterError
        If the family or a parameter is unknown, or a value out of range.

    Examples
    --------
    >>> noise_of("bbg", 0.1, {"smooth": False})
    BackgroundBrightness(level=0.1, height=0.2, patches=8, smooth=False, clip=True)
    """
    if family not in noise.FAMILIES:
        raise ParameterError(f"unknown noise family {family!r}; choose one of {', '.join(noise.FAMILIES)}")
    kind = noise.FAMILIES[family]
    first, *others = (field.name for field in fields(kind))
    parameters = dict(parameters or {})
    if level is None:
        level = parameters.pop(first, LEVELS.get(family))
    if fields(kind)[0].type is int and isinstance(level, float) and math.isfinite(level) and level == int(level):
        level = int(level)
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}
    if unknown := set(given) - set(others):
        given_twice = f"{first!r} of {family} is --level; give it once"
        listed = ", ".join([first, *others])
        unlisted = f"{family} has no parameter {min(unknown)!r}; it has {listed}"
        raise ParameterError(given_twice if first in unknown else unlisted)
    try:
        return kind(**({} if level is None else {first: level}), **given)
    except TypeError as error:
        raise ParameterError(f"a parameter of {family} is of the wrong type: {error}") from error


def load(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    FileError
        If it cannot be read or is no manifest of ``temclean simulate``.
    """
    try:
        if path.exists() and not path.is_file():
            raise FileError(f"{path} is not a file; give the manifest.json that temclean simulate wrote")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise FileError(f"{path} has format {content['format']}; this temclean reads format {FORMAT}")
        described = dict(content["noise"])
        family = described.pop("family")
        level = described.pop(fields(noise.FAMILIES[family])[0].name)
        pairs = tuple(_pair(number, pair) for number, pair in enumerate(content["pairs"]))
        if not pairs:
            raise ValueError("it names no pairs")
        return Manifest(family, noise_of(family, level, described), pairs, path.parent)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FileError(f"{path} is no manifest of temclean simulate: {error}") from error


KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
}


def _pair(number: int, content: dict[str, Any]) -> Pair:
    """Return a pair of a manifest, each of its values of the type that it should have."""
    pair = Pair(**content)
    for field in fields(Pair):
        value, wanted = getattr(pair, field.name), str(getattr(field.type, "__name__", field.type)).partition(" |")[0]
        if value is None or wanted not in KINDS:
            continue
        if not isinstance(value, KINDS[wanted]) or (isinstance(value, int) and value < 0):
            raise ValueError(f"{field.name} of pair {number} is {value!r}")
    if pair.zone is not None and (len(pair.zone) != 3 or not all(isinstance(index, int) for index in pair.zone)):
        raise ValueError(f"zone of pair {number} is {pair.zone!r}")
    return pair


def save(manifest: Manifest, folder: Path) -> None:
    """Write the manifest into a folder.

    Raises
    ------
    FileError
        If it cannot be written.
    """
    pairs = [{name: value for name, value in asdict(pair).items() if value is not None} for pair in manifest.pairs]
    described = {"family": manifest.family, **asdict(manifest.noise)}
    content = {"format": FORMAT, "temclean": __version__, "noise": described, "pairs": pairs}
    with io.whole(folder / MANIFEST) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
