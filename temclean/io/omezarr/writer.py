"""Write OME-Zarr 0.5 through the library ``zarr``: one resolution, a chunk a frame or, of large frames, several."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError, MissingExtraError
from temclean.io.image import Array, Image
from temclean.io.note import Note
from temclean.io.omezarr.container import ZarrContainer

try:
    import zarr
except ImportError as error:
    raise MissingExtraError('writing Zarr needs the zarr extra: pip install "temclean[zarr]"') from error

DTYPES = frozenset(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
_CHUNK = 1024
_NAME = "s0"
_ORDER = "TCZYX"
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_NAMES = {"pm": "picometer", "Å": "angstrom", "nm": "nanometer", "µm": "micrometer", "mm": "millimeter"}
_NAMES |= {"ns": "nanosecond", "µs": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "h": "hour"}
"""What the specification calls units; others are written as they are."""


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write `frames` of `dtype` to the folder `path`."""
    array = create(path, image, dtype)
    for index, frame in enumerate(frames):
        put(array, index, frame)
    describe(path, image, note)


def create(path: Path, image: Image, dtype: np.dtype[Any]) -> Any:
    """Make the folder `path` with an array that has no frames yet; :func:`describe` makes an image of it.

    Several may :func:`put` frames into it at once, as no chunk holds parts of two.
    """
    letters, shape = image.axes, image.pixels.shape
    if [letter for letter in _ORDER if letter in letters] != list(letters):
        raise ImageError(f"OME-Zarr has no place for axes {letters!r}; write .tif")
    chunks = (1,) * (len(shape) - 2) + tuple(min(side, _CHUNK) for side in shape[-2:])
    group = zarr.open_group(path, mode="w", zarr_format=3)
    return group.create_array(_NAME, shape=shape, dtype=dtype, chunks=chunks, dimension_names=list(letters.lower()))


def reopen(path: Path) -> Any:
    """Return the array that :func:`create` made in the folder `path`, to put frames into."""
    return zarr.open_array(path / _NAME, mode="r+")


def put(array: Any, index: int, frame: Array) -> None:
    """Write a frame, counted as they follow each other."""
    array[_place(array, index)] = frame


def get(array: Any, index: int) -> Array:
    """Read a frame."""
    return np.asarray(array[_place(array, index)])


def describe(path: Path, image: Image, note: Note | None) -> None:
    """Say what the axes are, and what made it, once all frames are there."""
    group = zarr.open_group(path, mode="r+")
    source = image.container if isinstance(image.container, ZarrContainer) else ZarrContainer("", {}, {}, ())
    kept = source.ome if source.shape == image.pixels.shape else {}
    own: dict[str, Any] = {"version": "0.5", "multiscales": [_multiscale(image, image.axes, source.name)]}
    group.attrs.update({**source.attributes, "ome": {**kept, **own}})
    if note is not None:
        group.attrs["temclean"] = json.loads(note.text())


def _place(array: Any, index: int) -> tuple[int | slice, ...]:
    places = np.unravel_index(index, array.shape[:-2]) if len(array.shape) > 2 else ()
    return (*map(int, places), slice(None), slice(None))


def _multiscale(image: Image, letters: str, name: str) -> dict[str, Any]:
    axes = [{"name": letter.lower(), "type": _TYPES[letter]} for letter in letters]
    scale, start = [1.0] * len(letters), [0.0] * len(letters)
    for place, known in enumerate(image.stack):
        if known is not None:
            scale[place], start[place] = known.step, known.origin
            if known.unit:
                axes[place]["unit"] = _NAMES.get(known.unit, known.unit)
    if image.pixel_size is not None:
        scale[-2:] = image.pixel_size
        start[-2:] = image.origin or (0.0, 0.0)
        for axis in axes[-2:] if image.unit else []:
            axis["unit"] = _NAMES.get(str(image.unit), str(image.unit))
    transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
    if any(start):
        transforms.append({"type": "translation", "translation": start})
    datasets = [{"path": _NAME, "coordinateTransformations": transforms}]
    return {"name": name or image.pixels.path.stem, "axes": axes, "datasets": datasets}


def provenance(path: Path) -> str | None:
    """Return the JSON of the note."""
    node = zarr.open(path, mode="r")
    made = node.attrs.asdict().get("temclean")
    return json.dumps(made) if isinstance(made, dict) else None
