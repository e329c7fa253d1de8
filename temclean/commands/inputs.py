"""Turn what stands on a command line (files, folders, globs) into a list of image files."""

import glob
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from pathlib import Path

from temclean import io
from temclean.commands.folders import matches, walk

_PREVIEWS = {".jpg", ".jpeg", ".bmp"}
LOOKED_INTO = 500
"""Folders below one without images that are looked into, to say where the images are."""


NOWHERE = Path()
"""Below a folder: in that folder itself. One for all files, as making a path takes longer than much else does."""


LOST = "is a link to what is not there; mount or mend that, or remove the link"


@dataclass(frozen=True)
class Found:
    """One file to work on, or one name for which there is none and why.

    ``under`` is where it lies below the folder that was gone through, or below the part of a glob before its wildcards.
    """

    path: Path
    problem: str | None = None
    under: Path = NOWHERE


def expand(names: Sequence[str], *, recursive: bool = False) -> list[Found]:
    """Return the files that the names stand for, each once, in the order of the names.

    A folder stands for the images directly in it (all below it if ``recursive``) and a glob (``**`` too) for the images
    that it matches; both are sorted as people count (``2.tif`` before ``10.tif``), and files of other kinds in them are
    passed over. A file that is named as such is taken whatever its suffix. The shell need not expand anything: on
    Windows it does not.

    Examples
    --------
    >>> expand(["no_such_file.tif"])[0].problem
    'no such file'
    """
    found: list[Found] = []
    seen: set[str] = set()
    try:
        here = os.getcwd()  # noqa: PTH109  Path.absolute takes half as long as all the rest
    except OSError:  # it has been deleted: only whole names lead anywhere
        here = ""
    for name in names:
        for item in _expand_one(name, recursive):
            key = os.path.normcase(os.path.join(here, item.path))  # noqa: PTH118
            if key not in seen:
                seen.add(key)
                found.append(item)
    return found


def images_of(path: Path, image: str | None) -> tuple[list[str], Sequence[int]]:
    """Return the names of a file's images, and the places of the wanted one or, of ``"all"``, of each.

    Raises
    ------
    FileError, ImageError, MissingExtraError : as `temclean.read`.
    """
    names = io.list_images(path)
    return names, range(len(names)) if image == "all" else [io.select(path, names, image)]


def _expand_one(name: str, recursive: bool) -> list[Found]:
    path = Path(name)
    try:
        if path.is_dir():
            return _in_folder(path, recursive)
        if path.exists():
            pipe = "is a pipe or a device, not a file; save what comes out of it, and name that"
            return [Found(path, None if path.is_file() else pipe)]
    except OSError as error:
        return [Found(path, f"cannot be looked into: {error.strerror or error}")]
    if glob.has_magic(name):
        hits = list(matches(name))
        start = _without_wildcards(path) if recursive or "**" in path.parts else None
        found = _images(hits, start)
        for folder in hits if recursive else []:
            found += _below(folder, start or folder) if folder.is_dir() else []
        return found or [Found(path, "matches no image")]
    return [Found(path, "no such file")]


def images_in(folder: Path, *, recursive: bool = False) -> list[Found]:
    """Return the images directly in a folder, or all below it; OSError if it cannot be looked into."""
    if not recursive:
        with os.scandir(folder) as entries:  # which mostly knows what they are, without a look at each
            plain = {entry.name for entry in entries if entry.is_file(follow_symlinks=False)}
        return _images(folder.iterdir(), is_file=lambda path: path.name in plain or path.is_file())
    with os.scandir(folder):
        return _below(folder, folder)


def _in_folder(path: Path, recursive: bool) -> list[Found]:
    if path.suffix.lower() == ".zspy":
        return [Found(path, io.ZSPY)]
    if io.is_folder_format(path):
        return [Found(path)]
    if recursive:
        return _below(path, path) or [Found(path, "no image in this folder or below it")]
    return images_in(path) or [Found(path, _no_image_in(path))]


def _below(folder: Path, start: Path) -> list[Found]:
    """Return the images in a folder and in those below it, and the folders that cannot be looked into."""
    unseen: list[Found] = []

    def note(error: OSError) -> None:
        unseen.append(Found(Path(error.filename), f"cannot be looked into: {error.strerror or error}"))

    files = [place / name for place, names in walk(folder, note) for name in names]
    return _images(files, start) + unseen


def _no_image_in(folder: Path) -> str:
    """Say that there is no image in a folder; and where there are, if they lie in the first few folders below it."""
    for place, names in islice(walk(folder), LOOKED_INTO):
        if place != folder and _images(place / name for name in names):
            return f"no image in this folder, but in those below it, such as {place}; denoise -r goes through them all"
    return "no image in this folder"


def _without_wildcards(pattern: Path) -> Path:
    """Return the folders with which a glob begins."""
    return Path(*takewhile(lambda part: not glob.has_magic(part), pattern.parts))


def _images(
    paths: Iterable[Path], start: Path | None = None, is_file: Callable[[Path], bool] = Path.is_file
) -> list[Found]:
    shown = [path for path in paths if io.is_image_name(path) and not path.name.startswith(".")]
    alone = [path for path in shown if is_file(path) or io.is_folder_format(path)]
    lost = {path for path in set(shown).difference(alone) if path.is_symlink() and not path.exists()}
    kinds = {path.suffix for path in alone}
    if ".emi" in map(str.lower, kinds):  # it lies beside its .ser files, which bring it along
        series = {(path.parent, _object(path)) for path in alone if path.suffix.lower() == ".ser"}
        alone = [
            path for path in alone if path.suffix.lower() != ".emi" or (path.parent, path.stem.lower()) not in series
        ]
    if not _PREVIEWS.isdisjoint(map(str.lower, kinds)):  # beside the same in another format, or a copy for a report
        better = {(path.parent, path.stem.lower()) for path in alone if path.suffix.lower() not in _PREVIEWS}
        alone = [
            path
            for path in alone
            if path.suffix.lower() not in _PREVIEWS or (path.parent, path.stem.lower()) not in better
        ]
    return [
        Found(path, LOST if path in lost else None, path.parent.relative_to(start) if start else NOWHERE)
        for path in sorted([*alone, *lost], key=counting_order)
    ]


def _object(path: Path) -> str:
    """Return the name that a series shares with its ``.emi``: ``a`` of ``a_1.ser``."""
    name, _, number = path.stem.lower().rpartition("_")
    return name if number.isdecimal() else ""


def counting_order(path: Path) -> list[tuple[int, str | int]]:
    """Return a sort key by which ``2.tif`` comes before ``10.tif``.

    Examples
    --------
    >>> sorted([Path("10.tif"), Path("2.tif")], key=counting_order)[0].name
    '2.tif'
    """
    parts = re.split(r"([0-9]+)", str(path))
    return [(0, int(part)) if "0" <= part[0] <= "9" else (1, part) for part in parts if part]
