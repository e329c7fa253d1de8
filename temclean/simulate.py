"""Clean and noisy pairs in files, and the manifest from which the same pairs can be made again."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import __version__, inputs, io, noise, specimen
from temclean.errors import FileError, ImageError, ParameterError, TemcleanError

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
    specimen, size, pixel_size, specimen_seed : what was drawn, pixels a side, Å a pixel; None of the user's files.
    low, high : intensities of the user's image that are 0 and 1 to the noise.
    sha256 : of the user's file.
    """

    clean: str
    noisy: str
    noise_seed: int
    specimen: str | None = None
    size: int | None = None
    pixel_size: float | None = None
    specimen_seed: int | None = None
    low: float | None = None
    high: float | None = None
    sha256: str | None = None


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
    """What became of one pair."""

    clean: str
    noisy: str | None = None
    error: str | None = None


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
    level = LEVELS.get(family) if level is None else level
    if fields(kind)[0].type is int and level is not None and level == int(level):
        level = int(level)
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in (parameters or {}).items()}
    if unknown := set(given) - set(others):
        raise ParameterError(f"{family} has no parameter {min(unknown)!r}; it has {', '.join(others) or 'none'}")
    try:
        return kind(**({} if level is None else {first: level}), **given)
    except TypeError as error:
        raise ParameterError(f"a parameter of {family} is of the wrong type: {error}") from error


def drawn(name: str, count: int, size: int, pixel_size: float, family: str, kind: noise.Noise, seed: int) -> Manifest:
    """Plan ``count`` pairs of a built-in specimen; all their seeds follow from ``seed``."""
    if name not in specimen.SPECIMENS:
        raise ParameterError(f"unknown specimen {name!r}; choose one of {', '.join(specimen.SPECIMENS)}")
    pairs = [
        Pair(f"{index:04}_clean.tif", f"{index:04}_noisy.tif", noise_seed, name, size, pixel_size, specimen_seed)
        for index, (noise_seed, specimen_seed) in enumerate(_seeds(seed, count))
    ]
    return Manifest(family, kind, tuple(pairs), Path())


def own(names: Sequence[str], family: str, kind: noise.Noise, seed: int) -> Manifest:
    """Plan a noisy twin for each of the user's clean files, folders and globs."""
    found = inputs.expand(names)
    problems = [Outcome(str(item.path), error=item.problem) for item in found if item.problem]
    files = [item.path for item in found if not item.problem]
    pairs: dict[str, Pair] = {}
    for file, (noise_seed, _) in zip(files, _seeds(seed, len(files)), strict=True):
        pair = Pair(_seen_from(Path(), file), f"{file.stem}_noisy.tif", noise_seed)
        if pair.noisy in pairs:
            first = pairs[pair.noisy].clean
            problems.append(
                Outcome(str(file), error=f"its result {pair.noisy} is that of {first} too; give another -o")
            )
        pairs.setdefault(pair.noisy, pair)
    return Manifest(family, kind, tuple(pairs.values()), Path(), tuple(problems))


def make(manifest: Manifest, folder: Path, *, overwrite: bool = False) -> Iterator[Outcome]:
    """Write the pairs and, after the last one, the manifest into a folder.

    The noise is added to intensities in [0, 1]. A drawn image is made so. The user's own image is brought there by the
    least and the greatest intensity of the whole file (not at all, if it is of floats within [0, 1] already) and back
    afterwards, so that the noisy image has the scale of the clean one. All that is written is float32.

    Parameters
    ----------
    overwrite
        Replace files that are there.

    Raises
    ------
    FileError
        If the manifest is in the way or cannot be written. What is wrong with one pair is in its outcome.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not overwrite and (folder / MANIFEST).exists():
        raise FileError(f"{folder / MANIFEST} exists; give another -o, or --overwrite to replace it")
    yield from manifest.problems
    pairs = []
    for pair in manifest.pairs:
        clean = (folder if pair.specimen else manifest.folder) / pair.clean
        try:
            pairs.append(_make_pair(pair, manifest, folder, overwrite))
        except (TemcleanError, OSError) as error:
            yield Outcome(str(clean), error=str(error).removeprefix(f"{clean}: "))
        else:
            yield Outcome(str(clean), str(folder / pair.noisy))
    _save(replace(manifest, pairs=tuple(pairs)), folder)


def load_manifest(path: Path) -> Manifest:
    """Read a manifest.

    Raises
    ------
    FileError
        If it cannot be read or is no manifest of ``temclean simulate``.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise FileError(f"{path} has format {content['format']}; this temclean reads format {FORMAT}")
        described = dict(content["noise"])
        family = described.pop("family")
        level = described.pop(fields(noise.FAMILIES[family])[0].name)
        pairs = tuple(Pair(**pair) for pair in content["pairs"])
        return Manifest(family, noise_of(family, level, described), pairs, path.parent)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileError(f"{path} is no manifest of temclean simulate: {error}") from error


def _save(manifest: Manifest, folder: Path) -> None:
    pairs = [{name: value for name, value in asdict(pair).items() if value is not None} for pair in manifest.pairs]
    described = {"family": manifest.family, **asdict(manifest.noise)}
    content = {"format": FORMAT, "temclean": __version__, "noise": described, "pairs": pairs}
    temporary = folder / f".{MANIFEST}.part"
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)


def _make_pair(pair: Pair, manifest: Manifest, folder: Path, overwrite: bool) -> Pair:
    for name in [pair.clean, pair.noisy] if pair.specimen else [pair.noisy]:
        if Path(name).name != name:
            raise FileError(f"{name} is not a plain file name")
        if not overwrite and (folder / name).exists():
            raise FileError(f"{folder / name} exists; --overwrite replaces it")
    if pair.specimen:
        return _draw(pair, manifest.noise, folder)
    return _spoil(pair, manifest.noise, folder, manifest.folder / pair.clean)


def _draw(pair: Pair, kind: noise.Noise, folder: Path) -> Pair:
    if pair.specimen is None or pair.size is None or pair.pixel_size is None or pair.specimen_seed is None:
        raise FileError(f"the manifest does not say how {pair.clean} was drawn")
    clean = specimen.draw(pair.specimen, pair.size, pair.pixel_size, pair.specimen_seed).image
    noisy = noise.apply(clean, kind, pair.noise_seed, threads=os.cpu_count() or 1)
    nanometres = pair.pixel_size / 10
    for name, pixels in ((pair.clean, clean), (pair.noisy, noisy)):
        image = io.Image.from_array(pixels, pixel_size=(nanometres, nanometres), unit="nm")
        io.write(folder / name, image, [pixels])
    return pair


def _spoil(pair: Pair, kind: noise.Noise, folder: Path, clean: Path) -> Pair:
    with clean.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if pair.sha256 not in (None, digest):
        raise FileError(f"{clean} has changed since {pair.noisy} was made of it: its SHA-256 differs")
    with io.read(clean) as image:
        low, high = _range(image)

        def frames() -> Iterator[NDArray[np.float32]]:
            for index in range(len(image.pixels)):
                frame = (image.pixels[index].astype(np.float64) - low) / (high - low)
                noisy = noise.apply(frame, kind, pair.noise_seed + index, threads=os.cpu_count() or 1)
                yield (low + noisy * (high - low)).astype(np.float32)

        io.write(folder / pair.noisy, image, frames())
    return replace(pair, clean=_seen_from(folder, clean), low=low, high=high, sha256=digest)


def _range(image: io.Image) -> tuple[float, float]:
    """Return the intensities that are 0 and 1 to the noise."""
    low, high = float("inf"), float("-inf")
    for index in range(len(image.pixels)):
        frame = image.pixels[index]
        low, high = min(low, float(frame.min())), max(high, float(frame.max()))
    if image.pixels.dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        return 0.0, 1.0
    if not low < high:
        raise ImageError(f"all pixels are {low}: there is no range that the noise level could refer to")
    return low, high


def _seeds(seed: int, count: int) -> list[tuple[int, int]]:
    """Return a noise seed and a specimen seed for each pair; those of the first pairs do not depend on the count."""
    words = (np.random.SeedSequence([seed, index]).generate_state(2, np.uint32) for index in range(count))
    return [(int(pair[0]), int(pair[1])) for pair in words]


def _seen_from(folder: Path, file: Path) -> str:
    try:
        return Path(os.path.relpath(file, folder)).as_posix()
    except ValueError:
        return file.absolute().as_posix()
