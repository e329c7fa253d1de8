"""Write OME-Zarr 0.5 through the library ``zarr``: one resolution, a chunk a frame or, of large frames, several."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError, MissingExtraError
from temclean.io.image import Array, Image
from temclean.io.note import Note

try:
    import zarr
except ImportError as error:
    raise MissingExtraError('writing Zarr needs the zarr extra: pip install "temclean[zarr]"') from error

DTYPES = frozenset(["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"])
_CHUNK = 1024
_ORDER = "TCZYX"
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}
_NAMES = {"pm": "picometer", "Å": "angstrom", "nm": "nanometer", "µm": "micrometer", "mm": "millimeter"}
_NAMES |= {"ns": "nanosecond", "µs": "microsecond", "ms": "millisecond", "s": "second", "min": "minute", "h": "hour"}
"""What the specification calls units; others are written as they are."""


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write `frames` of `dtype` to the folder `path`."""
    letters, shape = image.axes, image.pixels.shape
    if [letter for letter in _ORDER if letter in letters] != list(letters):
        raise ImageError(f"OME-Zarr has no place for axes {letters!r}; write .tif")
    chunks = (1,) * (len(shape) - 2) + tuple(min(side, _CHUNK) for side in shape[-2:])
    group = zarr.open_group(path, mode="w", zarr_format=3)
    array = group.create_array("s0", shape=shape, dtype=dtype, chunks=chunks, dimension_names=list(letters.lower()))
    for index, frame in enumerate(frames):
        places = np.unravel_index(index, shape[:-2]) if len(shape) > 2 else ()
        at: tuple[int | slice, ...] = (*map(int, places), slice(None), slice(None))
        array[at] = frame
    group.attrs["ome"] = {"version": "0.5", "multiscales": [_multiscale(image, letters)]}
    if note is not None:
        group.attrs["temclean"] = json.loads(note.text())


def _multiscale(image: Image, letters: str) -> dict[str, Any]:
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
    datasets = [{"path": "s0", "coordinateTransformations": transforms}]
    return {"name": image.pixels.path.stem, "axes": axes, "datasets": datasets}


def provenance(path: Path) -> str | None:
    """Return the JSON of the note."""
    node = zarr.open(path, mode="r")
    made = node.attrs.asdict().get("temclean")
    return json.dumps(made) if isinstance(made, dict) else None
