"""Read OME-Zarr 0.4 to 0.6, and plain arrays of Zarr 2 and 3, through the library ``zarr``.

Of a multiscale image the full resolution is read. Source: ngff.openmicroscopy.org/0.5, sections "axes",
"coordinateTransformations" and "multiscales"; and 0.6, "coordinateSystems": axes stand in a system of coordinates that
the transformations of a resolution lead to, as a scale or a sequence of a scale and a translation. Those of all
resolutions lead on from there in 0.6, to where a sample lies in a world or an atlas, and are left alone.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError, MissingExtraError
from temclean.io.axes import calibrate_plane, stack_axis, stack_letters
from temclean.io.image import Array, Frames, Image, StackAxis, check_claim, check_frames, frame_bytes
from temclean.io.omezarr.container import ZarrContainer, container, described
from temclean.io.selection import left_out, select, unique

try:
    import zarr
except ImportError as error:
    raise MissingExtraError('reading Zarr needs the zarr extra: pip install "temclean[zarr]"') from error

_KNOWN = {"bytes", "transpose", "sharding_indexed", "crc32c", "shuffle"}
_KNOWN |= {"blosc", "gzip", "zstd", "zlib", "bz2", "lzma", "lz4"}
"""Codecs that do nothing but arithmetic: Zarr has one that runs what stands in the file."""
_MOST_IMAGES = 1000


@dataclass(frozen=True, eq=False)
class _Found:
    """An array that may be an image, and its axes in the file's own units."""

    name: str
    array: Any
    axes: tuple[StackAxis, ...]
    letters: str
    container: ZarrContainer | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(int(n) for n in self.array.shape)

    def __str__(self) -> str:
        return f'"{self.name}" ({"x".join(map(str, self.shape))})'


class ZarrFrames(Frames):
    """Frames of a Zarr array, of which no more than the chunks of one are read at once."""

    def __init__(self, path: Path, array: Any) -> None:
        super().__init__(path, array.shape, np.dtype(array.dtype))
        self.array = array
        for codec in _codecs(array.metadata.to_dict()):
            if codec.removeprefix("numcodecs.") not in _KNOWN:
                raise ImageError(f"{path}: is packed by {codec}, which temclean does not run; write it again as zstd")
        stored = sum(each.stat().st_size for each in (path / array.path).rglob("*") if each.is_file())
        check_claim(path, frame_bytes(self.shape, self.dtype), stored)
        check_frames(path, len(self), frame_bytes(self.shape, self.dtype), stored)
        check_claim(path, math.prod(array.shards or array.chunks) * self.dtype.itemsize, stored)

    def frame(self, index: int) -> Array:
        found = np.asarray(self.array[np.unravel_index(index, self.shape[:-2])] if self.shape[:-2] else self.array[:])
        return np.ascontiguousarray(found, self.dtype)


def read(path: Path, image: str | int | None = None) -> Image:
    """Open a Zarr folder; `image` is a name of :func:`list_images` or a number counted from 1."""
    images = _images(path)
    one = images[select(path, [each.name for each in images], image)]
    warnings = [] if image is not None else left_out(one, images, [])
    frames = ZarrFrames(path, one.array)
    plane = calibrate_plane(one.axes[-2], one.axes[-1], warnings)
    stack = tuple(stack_axis(axis.step, axis.unit, axis.origin) for axis in one.axes[:-2])
    letters = one.letters or stack_letters(stack, plane.unit)
    kept = one.container
    metadata: dict[str, Any] = {"ome": dict(kept.ome), "attributes": dict(kept.attributes)} if kept else {}
    return Image(
        frames,
        plane.pixel_size,
        plane.unit,
        letters,
        {name: value for name, value in metadata.items() if value},
        ".zarr",
        tuple(warnings),
        kept,
        plane.origin,
        stack,
    )


def list_images(path: Path) -> list[str]:
    """Return the names of the images, the one that is read where none is named first."""
    return [each.name for each in _images(path)]


def _images(path: Path) -> list[_Found]:
    node = zarr.open(path, mode="r")
    if isinstance(node, zarr.Array):
        found = [_Found(path.stem, node, (StackAxis(0.0),) * len(node.shape), "")]
    else:
        found = list(_multiscales(path, node))
    found = [each for each in found if len(each.shape) >= 2]
    if not found:
        raise ImageError(f"{path}: holds no image that OME-Zarr describes; name the folder of an array in it")
    names = unique(each.name for each in found)
    return [replace(each, name=name) for name, each in zip(names, found, strict=True)]


def _multiscales(path: Path, group: Any) -> Iterator[_Found]:
    """Yield the images that a group describes, or, where it describes none, those of the groups in it."""
    found = described(group.attrs.asdict()).get("multiscales")
    groups = [("", group)] if found else sorted(islice(group.groups(), _MOST_IMAGES), key=itemgetter(0))
    for name, one in groups:
        attributes = one.attrs.asdict()
        for entry in described(attributes).get("multiscales") or []:
            place = str(entry["datasets"][0]["path"])
            if ".." in place.split("/") or place.startswith("/"):
                raise ImageError(f"{path}: says that its pixels lie outside of it, at {place!r}; copy them into it")
            image = _found(str(entry.get("name") or name or path.stem), one[place], entry)
            yield replace(image, container=container(attributes, entry, image.shape, image.letters))


def _found(name: str, array: Any, entry: Mapping[str, Any]) -> _Found:
    count = len(array.shape)
    scale, start = [1.0] * count, [0.0] * count
    transforms = [*(entry["datasets"][0].get("coordinateTransformations") or [])]
    systems = entry.get("coordinateSystems")
    listed = _axes(systems, transforms) if systems else entry["axes"]
    for each in _steps([*transforms, *([] if systems else entry.get("coordinateTransformations") or [])]):
        if "scale" in each:
            factors = [float(number) for number in each["scale"]]
            scale = [one * other for one, other in zip(scale, factors, strict=True)]
            start = [one * other for one, other in zip(start, factors, strict=True)]
        if "translation" in each:
            start = [one + float(other) for one, other in zip(start, each["translation"], strict=True)]
    axes = [axis if isinstance(axis, dict) else {"name": axis} for axis in listed]
    units = [axis.get("unit") for axis in axes]
    known = tuple(StackAxis(step, unit, origin) for step, unit, origin in zip(scale, units, start, strict=True))
    letters = "".join(str(axis.get("name")).upper() for axis in axes)
    usual = len(letters) == count == len(set(letters)) and letters.endswith("YX") and set(letters) <= set("TCZYX")
    return _Found(name, array, known, letters if usual else "")


def _axes(systems: Sequence[Mapping[str, Any]], transforms: Sequence[Mapping[str, Any]]) -> list[Any]:
    """Return the axes of the system of coordinates that a resolution's transformation leads to."""
    aim = (transforms[0].get("output") or {}).get("name") if transforms else None
    return list(next((each for each in systems if each["name"] == aim), systems[0])["axes"])


def _steps(transforms: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield transformations, and those that a sequence is made of."""
    for each in transforms:
        yield from each.get("transformations") or [each]


def _codecs(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of all codecs of an array, those within shards too."""
    given = [*(metadata.get("codecs") or []), *(metadata.get("filters") or []), metadata.get("compressor")]
    for codec in given:
        if codec is None:
            continue
        facts = codec if isinstance(codec, Mapping) else codec.get_config()
        yield str(facts.get("name", facts.get("id")))
        inner = facts.get("configuration") or {}
        yield from _codecs({"codecs": [*(inner.get("codecs") or []), *(inner.get("index_codecs") or [])]})
