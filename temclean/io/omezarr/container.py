"""What else an OME-Zarr group says of its image, which a result takes over."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_NOT_KEPT = {
    "multiscales", "version", "bioformats2raw.layout", "image-label", "labels", "plate", "scene", "series", "well",
    "ome", "temclean",
}  # fmt: skip
"""What is written anew, or speaks of resolutions, images and folders that the result has not."""


@dataclass(frozen=True)
class ZarrContainer:
    """What a result takes over from its source."""

    name: str
    """Of the image; empty where it has none."""
    ome: Mapping[str, Any]
    """What the specification has a room for: how channels are shown, ``omero``."""
    attributes: Mapping[str, Any]
    """The group's others, of which the specification says nothing."""
    shape: tuple[int, ...]


def described(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what OME-Zarr says among the attributes of a group: 0.5 has it in a room of its own."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def container(
    attributes: Mapping[str, Any], entry: Mapping[str, Any], shape: tuple[int, ...], letters: str
) -> ZarrContainer:
    """Collect what a result takes over of a group's attributes and their entry of an image of `shape`.

    How channels are shown goes only with `letters` for the axes: without, nothing says which axis is theirs.
    """
    inner = described(attributes)
    outer = {name: value for name, value in attributes.items() if name not in _NOT_KEPT | {"omero"}}
    room = {} if inner is attributes else {name: value for name, value in inner.items() if name not in _NOT_KEPT}
    shown = inner.get("omero") if letters else None
    room.pop("omero", None)
    return ZarrContainer(str(entry.get("name") or ""), room | ({"omero": shown} if shown else {}), outer, shape)
