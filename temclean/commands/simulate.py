"""Clean and noisy pairs in files, and the manifest from which the same pairs can be made again."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import io, noise, specimen
from temclean.commands import inputs, manifest, sources
from temclean.commands.manifest import Manifest, Outcome, Pair
from temclean.errors import FileError, ImageError, MissingExtraError, ParameterError, TemcleanError
from temclean.io.units import METRES, tidy_unit
from temclean.noise import mtf
from temclean.restoration.models import usable_cores
from temclean.specimen import projection, structures

Array = NDArray[np.float32]

BRIGHTEST = 1e30
"""Intensities beyond this are refused: with noise they may not fit into 32 bits."""


def drawn(
    name: str,
    count: int,
    size: int,
    pixel_size: float,
    family: str,
    kind: noise.Noise,
    seed: int,
    *,
    zone: tuple[int, int, int] | None = None,
    thickness: float | None = None,
) -> Manifest:
    """Plan ``count`` pairs of a built-in specimen or of a file of atoms; all their seeds follow from ``seed``.

    Zone axis and thickness (Å) are of files of atoms alone.
    """
    structure = Path(name).suffix != "" or Path(name).is_file()
    if name not in specimen.SPECIMENS and not structure:
        known = ", ".join(specimen.SPECIMENS)
        raise ParameterError(f"unknown specimen {name!r}; choose one of {known}, or a file such as SrTiO3.cif")
    if not structure and (zone is not None or thickness is not None):
        raise ParameterError(
            f"specimen {name!r} has no zone axis and no thickness; give these with a file such as a .cif"
        )
    specimen.check(size, pixel_size)
    if structure:
        structures.check_view(zone or (0, 0, 1), thickness)
    shown = _seen_from(Path(), Path(name)) if structure else name
    pairs = [
        Pair(
            f"{index:04}_clean.tif",
            f"{index:04}_noisy.tif",
            noise_seed,
            shown,
            size,
            pixel_size,
            specimen_seed,
            zone=zone,
            thickness=thickness,
            sha256=_digest(Path(name)) if structure else None,
        )
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
                Outcome(str(file), error=f"its result would be {pair.noisy}, as that of {first} is; give it another -o")
            )
        pairs.setdefault(pair.noisy, pair)
    return Manifest(family, kind, tuple(pairs.values()), Path(), tuple(problems))


def make(plan: Manifest, folder: Path, *, overwrite: bool = False) -> Iterator[Outcome]:
    """Write the pairs and, after the last one, the manifest of those that were made into a folder.

    The noise is added to intensities in [0, 1]. A drawn image is made so. The user's own image is brought there by the
    least and the greatest intensity of the whole file (not at all, if it is of floats within [0, 1] already) and back
    afterwards, so that the noisy image has the scale of the clean one. What is written is float32, or float64 where
    float32 would lose a small signal on a large offset.

    Parameters
    ----------
    overwrite
        Replace files that are there.

    Raises
    ------
    FileError
        If the manifest is in the way or cannot be written. What is wrong with one pair is in its outcome.
    MissingExtraError
        If an optional package is needed to draw the specimen; then it is for the other pairs too.
    """
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{folder} cannot be made a folder: {error.strerror or error}; give another -o") from error
    if not overwrite and (folder / manifest.MANIFEST).exists():
        raise FileError(f"{folder / manifest.MANIFEST} exists; give another -o, or --overwrite to replace it")
    yield from plan.problems
    originals = {_identity(plan.folder / (pair.specimen or pair.clean)) for pair in plan.pairs} - {None}
    pairs = []
    try:
        for pair in plan.pairs:
            clean = (folder if pair.specimen else plan.folder) / pair.clean
            try:
                _check_targets(pair, folder, originals, overwrite)
                pairs.append(_make_pair(pair, plan, folder))
            except (TemcleanError, OSError) as error:
                missing = isinstance(error, MissingExtraError)
                if missing and pair.specimen:
                    if pairs:
                        manifest.save(replace(plan, pairs=tuple(pairs)), folder)
                    raise
                yield Outcome(str(clean), error=str(error).removeprefix(f"{clean}: "), missing_extra=missing)
            else:
                yield Outcome(str(clean), str(folder / pair.noisy))
    finally:
        for each in made if not pairs else []:
            with suppress(OSError):  # as it is not empty
                each.rmdir()
    if pairs:
        manifest.save(replace(plan, pairs=tuple(pairs)), folder)


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from all others, whatever it is called; None if it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _table(pair: Pair) -> str:
    """Name the table of a pair's columns."""
    return pair.clean.replace("_clean.tif", "_columns.csv")


def _check_targets(pair: Pair, folder: Path, originals: set[tuple[int, int] | None], overwrite: bool) -> None:
    """Refuse names that the files of a pair cannot have, or that the user's own files have."""
    names = [pair.clean, pair.noisy, _table(pair)] if pair.specimen else [pair.noisy]
    if len(set(names)) < len(names):
        raise FileError(
            f"{pair.clean} and {pair.noisy} are not names of two files, as of 0000_clean.tif and 0000_noisy.tif"
        )
    for name in names:
        if Path(name).name != name:
            raise FileError(f"{name} is not a plain file name")
        if _identity(folder / name) in originals:
            raise FileError(f"{folder / name} is itself one of the files to simulate from; give another -o")
        if (folder / name).is_dir():
            raise FileError(f"{folder / name} is a folder; give another -o")
        if not overwrite and (folder / name).exists():
            raise FileError(f"{folder / name} exists; --overwrite replaces it")


def _make_pair(pair: Pair, plan: Manifest, folder: Path) -> Pair:
    if pair.specimen:
        return _draw(pair, plan, folder, _table(pair))
    return _spoil(pair, plan.noise, folder, plan.folder / pair.clean)


def _draw(pair: Pair, plan: Manifest, folder: Path, table: str) -> Pair:
    truth = _specimen_of(pair, plan.folder)
    if pair.specimen not in specimen.SPECIMENS:
        pair = replace(pair, specimen=_seen_from(folder, plan.folder / str(pair.specimen)))
    clean, kind = truth.image, _calibrated(plan.noise, truth.pixel_size)
    transfer: tuple[dict[str, Any], ...] = ()
    if isinstance(kind, noise.Tem):
        camera = mtf.draw(np.random.Generator(np.random.PCG64([pair.noise_seed, 1])))
        clean = np.maximum(mtf.blur(clean, camera), np.float32(0.0))
        clean /= max(np.float32(1.0), clean.max())  # a transfer function may overshoot
        transfer = ({"step": "mtf", **asdict(camera)},)
    settled = _settled(kind, clean, pair.noise_seed)
    steps = _described(settled)
    pair = _recorded(pair, None if steps is None else transfer + steps)
    noisy = noise.apply(clean, settled, pair.noise_seed, threads=usable_cores())
    nanometres = truth.pixel_size / 10
    for name, pixels in ((pair.clean, clean), (pair.noisy, noisy)):
        image = io.Image.from_array(pixels, pixel_size=(nanometres, nanometres), unit="nm")
        io.write(folder / name, image, [pixels])
    (folder / table).unlink(missing_ok=True)
    if len(truth.positions):
        _write_columns(folder / table, truth, clean)
        pair = replace(pair, columns=table)
    return pair


def _specimen_of(pair: Pair, folder: Path) -> specimen.Specimen:
    if pair.specimen is None or pair.size is None or pair.pixel_size is None or pair.specimen_seed is None:
        raise FileError(f"the manifest does not say how {pair.clean} was drawn")
    if pair.specimen in specimen.SPECIMENS:
        return specimen.draw(pair.specimen, pair.size, pair.pixel_size, pair.specimen_seed)
    structure = folder / pair.specimen
    if pair.sha256 != _digest(structure):
        raise FileError(f"{structure} has changed since {pair.clean} was drawn from it: its SHA-256 differs")
    u, v, w = pair.zone or (0, 0, 1)
    return specimen.draw_file(structure, pair.size, pair.pixel_size, pair.specimen_seed, (u, v, w), pair.thickness)


def _write_columns(path: Path, truth: specimen.Specimen, clean: noise.Pixels) -> None:
    """Write where columns are, how bright, and if they are resolved.

    x and y are in pixels, the centre of the first one being (0, 0).
    """
    seen = projection.resolved(clean * truth.polarity, truth.positions, truth.brightness, truth.pixel_size)
    rows = np.column_stack([truth.positions[:, ::-1], truth.brightness, seen])
    header, formats = "x_px,y_px,brightness,resolved", ["%.3f", "%.3f", "%.5g", "%d"]
    with io.whole(path) as temporary:
        np.savetxt(temporary, rows, fmt=formats, delimiter=",", header=header, comments="")


def _calibrated(kind: noise.Noise, pixel_size: float | None) -> noise.Noise:
    """Tell a microscope the image's own pixel size in Å, unless it was given one."""
    if isinstance(kind, noise.Microscope) and kind.pixel_size is None and pixel_size is not None:
        return replace(kind, pixel_size=pixel_size)
    return kind


def _settled(kind: noise.Noise, clean: noise.Pixels, seed: int) -> noise.Noise:
    """Let a microscope draw its steps, once for all frames of a movie."""
    return kind.draw(clean, seed) if isinstance(kind, noise.Microscope) else kind


def _described(kind: noise.Noise) -> tuple[dict[str, Any], ...] | None:
    """Return the steps that a microscope drew."""
    if not isinstance(kind, noise.Chain):
        return None
    names = {family: name for name, family in reversed(noise.FAMILIES.items())}
    return tuple({"step": names[type(step)], **asdict(step)} for step in kind.steps)


def _recorded(pair: Pair, steps: tuple[dict[str, Any], ...] | None) -> Pair:
    """Write what a microscope drew into a pair; refuse if its manifest says otherwise, as an older one may."""
    if pair.drawn is not None and (steps is None or json.loads(json.dumps(steps)) != list(pair.drawn)):
        text = "was made by other noise than this temclean draws; use the version that the manifest names"
        raise FileError(f"{pair.noisy} {text}")
    return replace(pair, drawn=steps)


def _digest(path: Path) -> str:
    if path.is_dir() and not io.is_folder_format(path):
        raise FileError(f"{path}: is a folder, not a file")
    try:
        return sources.digest(path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error


def _spoil(pair: Pair, kind: noise.Noise, folder: Path, clean: Path) -> Pair:
    digest = _digest(clean)
    if pair.sha256 not in (None, digest):
        raise FileError(f"{clean} has changed since {pair.noisy} was made of it: its SHA-256 differs")
    with io.read(clean) as image:
        low, high = _range(image)
        pixel_size = _angstroms(image)

        def scaled(index: int) -> NDArray[np.float64]:
            frame: NDArray[np.float64] = (image.pixels[index].astype(np.float64) - low) / (high - low)
            return frame

        settled = _settled(_calibrated(kind, pixel_size), scaled(0), pair.noise_seed)
        pair = _recorded(pair, _described(settled))

        coarse = np.spacing(np.float32(max(abs(low), abs(high)))) > 1e-4 * (high - low)

        def frames() -> Iterator[NDArray[np.floating[Any]]]:
            for index in range(len(image.pixels)):
                noisy = noise.apply(scaled(index), settled, pair.noise_seed, threads=usable_cores(), frame=index)
                yield (low + noisy * (high - low)).astype(np.float64 if coarse else np.float32)

        io.write(folder / pair.noisy, image, frames())
    seen = _seen_from(folder, clean)
    return replace(pair, clean=seen, low=low, high=high, sha256=digest, pixel_size=pixel_size)


def _angstroms(image: io.Image) -> float | None:
    """Return the pixel size along x in Å, or None if the file has none, or none that is a length."""
    unit = tidy_unit(image.unit)
    if image.pixel_size is None or unit not in METRES:
        return None
    return image.pixel_size[1] * METRES[unit] * 1e10


def _range(image: io.Image) -> tuple[float, float]:
    """Return the intensities that are 0 and 1 to the noise."""
    low, high = float("inf"), float("-inf")
    for index in range(len(image.pixels)):
        frame = image.pixels[index]
        low, high = min(low, float(frame.min())), max(high, float(frame.max()))
        if not np.isfinite([low, high]).all():
            raise ImageError("the image has pixels that are NaN or infinite; replace them first")
    if max(abs(low), abs(high)) > BRIGHTEST:
        raise ImageError(f"intensities from {low:.3g} to {high:.3g} are too large for 32 bits; scale the image first")
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
