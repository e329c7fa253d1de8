"""Go through folders, and match globs in them, each folder once: links may lead in circles."""

import glob
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from temclean.io import is_folder_format

_SEPARATOR = "[" + re.escape(os.sep + (os.altsep or "")) + "]"
_ANY_DEPTH = re.compile(rf"(?:^|(?<={_SEPARATOR}))(?:\*\*{_SEPARATOR}+)*\*\*(?:{_SEPARATOR}+|$)")


def walk(folder: str | Path, note: Callable[[OSError], None] | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Yield a folder and all below it with the names of their files, but nothing hidden; a Zarr folder is a file here.

    Links are followed, after the folders beside them; a folder that is met again, by whatever name, is passed over.
    ``note`` is told of folders that cannot be looked into.
    """
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, onerror=note, followlinks=True):
        here = Path(place)
        status = here.stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        shown = [name for name in folders if not name.startswith(".")]
        whole = [name for name in shown if is_folder_format(here / name)]
        shown = [name for name in shown if name not in whole]
        folders[:] = sorted(shown, key=lambda name, here=here: ((here / name).is_symlink(), name))  # type: ignore[misc]
        yield here, [name for name in (*names, *whole) if not name.startswith(".")]


def matches(pattern: str) -> Iterator[Path]:
    """Yield what a glob matches, as :func:`glob.glob` does; ``**`` stands for any folders, and at its end for files."""
    stars = _ANY_DEPTH.search(pattern)
    if stars is None:
        yield from map(Path, glob.glob(pattern))  # noqa: PTH207  Path.glob takes no absolute pattern
        return
    head, tail = pattern[: stars.start()], pattern[stars.end() :]
    for root in glob.glob(head) if glob.has_magic(head) else [head or os.curdir]:  # noqa: PTH207
        for folder, names in walk(root):
            if tail:
                yield from matches(os.path.join(glob.escape(str(folder)), tail))  # noqa: PTH118
            else:
                yield from (folder / name for name in names)
