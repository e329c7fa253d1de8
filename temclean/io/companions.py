"""Files beside an image that tell its scale and more; the microscope may write them after it."""

import os
from functools import lru_cache
from pathlib import Path

from temclean.io.emi import find_emi
from temclean.io.formats import PICTURE, TIFF
from temclean.io.pictures import beside

Stamp = tuple[int, ...]
"""Size in bytes, and time of the last change in ns, of an image; then those of the file beside it, if there is one."""

_TEXTS = ".txt", ".TXT"
_WITH_TEXT = {*TIFF.suffixes, *PICTURE.suffixes}


def holds(before: Stamp | None, now: Stamp) -> bool:
    """Return whether what was made of an image still holds: what lay beside it then may have gone since."""
    return before is not None and before[: len(now)] == now


class Companions:
    """What lies beside images, as it is now: the .emi of a .ser, and a scanning microscope's text of a picture.

    Texts are found in a list of their folder: a share need not be asked for one of each image.
    """

    def __init__(self) -> None:
        self._texts: dict[Path, set[str]] = {}

    def stamp(self, path: Path) -> Stamp:
        """Return the stamp of an image with what is beside it; OSError if it is not there."""
        alone = _marks(path)
        other = self._beside(path)
        return (*alone, *_marks(other)) if other else alone

    def _beside(self, path: Path) -> Path | None:
        suffix = path.suffix.lower()
        if suffix == ".ser":
            return find_emi(path)
        if suffix not in _WITH_TEXT:
            return None
        if path.parent not in self._texts:
            with os.scandir(path.parent) as entries:
                self._texts[path.parent] = {entry.name for entry in entries if entry.name.endswith(_TEXTS)}
        for ending in _TEXTS:
            if path.stem + ending in self._texts[path.parent]:
                text = path.with_suffix(ending)
                return text if text.is_file() and _is_of_microscope(path, _marks(text)) else None
        return None


def _marks(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=100_000)
def _is_of_microscope(image: Path, text: Stamp) -> bool:
    """Return whether the text beside an image is a microscope's, as it is now; the log of a session is not."""
    try:
        return beside.read(image, (0, 0), []) is not None
    except OSError:
        return False
