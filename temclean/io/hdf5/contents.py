"""Walk through an HDF5 file without leaving it: no link to another file is followed, and no object visited twice."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError, MissingExtraError
from temclean.io.messages import printable, silence

try:
    with silence:
        import h5py
except ImportError as error:
    raise MissingExtraError('EMD and HSPY files need h5py; run `pip install "temclean[em]"`') from error

__all__ = ["Contents", "h5py"]

# What may be looked at: the fullest files of the field hold some thousand of either.
_MOST_OBJECTS = 10_000
_MOST_ATTRIBUTES = 15_000
_MOST_VALUES = 4096
_LARGEST_CHUNK = 64 << 20


class TooMuchError(ImageError):
    """A file holds more than may be looked at."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path}: holds over {what}, which no image file does; export the image itself from its own program"
        )
        self.what = what


class Contents:
    """The groups and data sets of an open file."""

    def __init__(self, path: Path, file: "h5py.File") -> None:
        self.path, self.file = path, file
        self._objects, self._attributes = _MOST_OBJECTS, _MOST_ATTRIBUTES
        self.outside: list[str] = []
        """Names of what lies in other files."""
        self.left_out: str | None = None
        """How much was kept of metadata that are too many."""

    def member(self, group: "h5py.Group", name: str) -> "h5py.Group | h5py.Dataset | None":
        """Return what a group holds under a name, if it lies in this file."""
        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            self._lies_outside(group, name)
            return None
        if not isinstance(link, h5py.HardLink):
            return None
        found = group[name]
        if isinstance(found, h5py.Dataset):
            # Before anything else is asked of it: to know the shape of a virtual data set, libhdf5 opens its sources.
            plist = found.id.get_create_plist()
            if plist.get_layout() == h5py.h5d.VIRTUAL or plist.get_external_count():
                self._lies_outside(group, name)
                return None
        return found if isinstance(found, h5py.Group | h5py.Dataset) else None

    def group(self, parent: "h5py.Group", *names: str) -> "h5py.Group | None":
        """Return the group that names lead to, one after the other."""
        found: Any = parent
        for name in names:
            found = self.member(found, name)
            if not isinstance(found, h5py.Group):
                return None
        return found

    def dataset(self, parent: "h5py.Group", name: str) -> "h5py.Dataset | None":
        """Return the data set of a group under a name."""
        found = self.member(parent, name)
        return found if isinstance(found, h5py.Dataset) else None

    def table(self, parent: "h5py.Group", name: str) -> "h5py.Dataset | None":
        """Return a data set of which one value can be read without the memory that an image takes."""
        found = self.dataset(parent, name)
        if found is None or math.prod(found.chunks or (1,)) * found.dtype.itemsize > _LARGEST_CHUNK:
            return None
        return found

    def members(self, group: "h5py.Group") -> Iterator[tuple[str, "h5py.Group | h5py.Dataset"]]:
        """Yield what a group holds, by name."""
        for name in group:
            self._objects -= 1
            if self._objects < 0:
                raise TooMuchError(self.path, f"{_MOST_OBJECTS} groups and data sets")
            found = self.member(group, name)
            if found is not None:
                yield str(name), found

    def walk(self, group: "h5py.Group", deepest: int = 16) -> Iterator[tuple[str, "h5py.Group"]]:
        """Yield all groups below a group, each once, by its last name, those above before those below."""
        seen = {_address(group)}
        waiting = [(group, 0)]
        while waiting:
            parent, depth = waiting.pop(0)
            for name, child in self.members(parent):
                if isinstance(child, h5py.Group) and (place := _address(child)) not in seen:
                    seen.add(place)
                    yield name, child
                    if depth < deepest:
                        waiting.append((child, depth + 1))

    def tree(self, group: "h5py.Group") -> dict[str, Any]:
        """Return the attributes of a group and of the groups in it, but not of those that hold themselves.

        What is too much is left out and noted: metadata are no reason to refuse an image.
        """
        found: dict[str, Any] = {}
        try:
            self._grow(found, group, 16, frozenset())
        except TooMuchError as error:
            self.left_out = error.what
        return found

    def _grow(self, found: dict[str, Any], group: "h5py.Group", depth: int, seen: frozenset[int]) -> None:
        found.update(self.attributes(group))
        above = seen | {_address(group)}
        for name, child in self.members(group) if depth else ():
            if isinstance(child, h5py.Group) and _address(child) not in above:
                found[name] = {}
                self._grow(found[name], child, depth - 1, above)

    def _lies_outside(self, group: "h5py.Group", name: str) -> None:
        place = f"{group.name}/{name}".replace("//", "/")
        if place not in self.outside:
            self.outside.append(printable(place))

    def attributes(self, thing: "h5py.Group | h5py.Dataset") -> dict[str, Any]:
        """Return numbers and texts among the attributes as plain Python values.

        Other kinds tell nothing of an image, and libhdf5 crashes on a text whose type is damaged into a list's.
        """
        kinds = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM}
        found = {}
        self._attributes -= len(thing.attrs)
        if self._attributes < 0:
            raise TooMuchError(self.path, f"{_MOST_ATTRIBUTES} attributes")
        for name in thing.attrs:
            attribute = thing.attrs.get_id(name)
            kind = attribute.get_type().get_class()
            if kind not in kinds or np.prod(attribute.shape, dtype=float) > _MOST_VALUES:
                continue
            if kind != h5py.h5t.STRING or attribute.shape == ():
                value = thing.attrs[name]
                if isinstance(value, bytes):
                    value = value.decode("utf-8", "replace")
                found[str(name)] = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        return found


def _address(group: "h5py.Group") -> int:
    return int(h5py.h5o.get_info(group.id).addr)
