"""Turn what stands on a command line (files, folders, globs) into a list of image files."""

import glob
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from temclean import io


@dataclass(frozen=True)
class Found:
    """One file to work on, or one name for which there is none and why."""

    path: Path
    problem: str | None = None


def expand(names: Sequence[str]) -> list[Found]:
    """Return the files that the names stand for, each once, in the order of the names.

    A folder stands for the images directly in it and a glob (``**`` too) for the images that it matches; both are
    sorted as people count (``2.tif`` before ``10.tif``), and files of other kinds in them are passed over. A file that
    is named as such is taken whatever its suffix. The shell need not expand anything: on Windows it does not.

    Examples
    --------
    >>> expand(["no_such_file.tif"])[0].problem
    'no such file'
    """
    found: list[Found] = []
    seen: set[str] = set()
    for name in names:
        for item in _expand_one(name):
            key = os.path.normcase(item.path.absolute())
            if key not in seen:
                seen.add(key)
                found.append(item)
    return found


def _expand_one(name: str) -> list[Found]:
    path = Path(name)
    try:
        if path.is_dir():
            return _images(path.iterdir()) or [Found(path, "no image in this folder")]
        if path.exists():
            return [Found(path)]
    except OSError as error:
        return [Found(path, f"cannot be looked into: {error.strerror or error}")]
    if glob.has_magic(name):
        hits = glob.glob(name, recursive=True)  # noqa: PTH207  Path.glob takes no absolute pattern
        return _images(map(Path, hits)) or [Found(path, "matches no image")]
    return [Found(path, "no such file")]


def _images(paths: Iterable[Path]) -> list[Found]:
    images = [
        path for path in paths if path.suffix.lower() in io.READERS and not path.name.startswith(".") and path.is_file()
    ]
    return [Found(path) for path in sorted(images, key=counting_order) if not _holds_another(path, images)]


def _holds_another(path: Path, images: list[Path]) -> bool:
    """Return whether an ``.emi`` lies beside its ``.ser`` files, which bring it along."""
    series = re.compile(re.escape(path.stem) + r"_\d+\.ser", re.IGNORECASE)
    return path.suffix.lower() == ".emi" and any(
        other.parent == path.parent and series.fullmatch(other.name) for other in images
    )


def counting_order(path: Path) -> list[tuple[int, str | int]]:
    """Return a sort key by which ``2.tif`` comes before ``10.tif``.

    Examples
    --------
    >>> sorted([Path("10.tif"), Path("2.tif")], key=counting_order)[0].name
    '2.tif'
    """
    parts = re.split(r"([0-9]+)", str(path))
    return [(0, int(part)) if "0" <= part[0] <= "9" else (1, part) for part in parts if part]
