"""The raw image of a restored one: particles' edges are fitted to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from temclean import io
from temclean.commands.evidence.as_seen import AsSeen
from temclean.commands.measuring.scale import Scale
from temclean.commands.sources import digest
from temclean.errors import FileError, ImageError


def raw_of(path: Path, given: Path) -> Path:
    """Return the raw file of a restored one: the one that is given, or in a folder that of the name in the result.

    Raises
    ------
    FileError : there is none.
    """
    if not given.is_dir() or io.is_folder_format(given):
        return given
    name = (io.provenance(path) or {}).get("input")
    if not isinstance(name, str) or not name:
        raise FileError(f"{path}: does not say what it was restored from; give --raw the file itself, not {given}")
    found = given / Path(name).name
    if not found.exists():
        raise FileError(f"{found}: is not there, which {path.name} was restored from; give --raw where it is")
    return found


@contextmanager
def opened(path: Path, raw: Path, image: io.Image) -> Iterator[io.Frames]:
    """Open the frames of a raw file as the network saw them that restored ``image``.

    Raises
    ------
    FileError, ImageError : it cannot be read, or is of another shape.
    """
    note: Mapping[str, Any] = io.provenance(path) or {}
    with io.read(raw, note.get("image")) as before:
        shapes = tuple(before.pixels.shape), tuple(image.pixels.shape)
        if shapes[0] != shapes[1]:
            raise ImageError(f"{raw}: shape {shapes[0]} is not that of {path}, {shapes[1]}")
        yield AsSeen(before.pixels, image.pixels, note)


def doubts(path: Path, raw: Path, image: io.Image) -> Iterator[str]:
    """Yield a warning where a result says that it was made of another file, or has pixels of another size than it."""
    note = io.provenance(path) or {}
    made = note.get("input_sha256")
    if made is not None and made != digest(raw):
        yield f"says that it was restored from another file than {raw}, or that one has changed since"
    with io.read(raw, note.get("image")) as before:
        here, there = Scale.of(image), Scale.of(before)
    if not here.agrees(there):
        yield f"its pixels are {here.side:.4g} nm, which are taken here, those of {raw} {there.side:.4g} nm"
