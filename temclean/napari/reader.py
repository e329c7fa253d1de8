"""Files as layers of napari: one for each image in a file, with its pixel size and unit; frames are read when shown."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask.array as da
import numpy as np
from napari.utils.notifications import show_warning
from numpy.typing import NDArray

from temclean import io

LayerData = tuple[Any, dict[str, Any], str]

NOTE = "temclean"
"""Where in a layer's metadata the `temclean.io.Image` stands that it shows."""

UNITS = {"Å": "angstrom", "µm": "um", "°": "degree", "1/Å": "1/angstrom", "1/µm": "1/um", "min": "minute"}
"""What pint calls units; others are called the same."""


def reader_of(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return what reads a file, or files, by their names; None if it is not for temclean."""
    paths = [path] if isinstance(path, str) else list(path)
    known = all(
        io.is_image_name(Path(each)) and (io.is_folder_format(Path(each)) or Path(each).is_file()) for each in paths
    )
    return read if paths and known else None


def read(path: str | Sequence[str]) -> list[LayerData]:
    """Return a layer for each image of a file, or of several."""
    layers = []
    for each in [path] if isinstance(path, str) else path:
        names = io.list_images(each)
        for number, name in enumerate(names, 1):
            image = io.read(each, number if len(names) > 1 else None)
            for line in image.warnings:
                show_warning(f"{each}: {line}")
            layers.append(_layer(image, f"{Path(each).stem} {name}" if len(names) > 1 else Path(each).stem))
    return layers


def lazily(frames: io.Frames) -> Any:
    """Return frames as a dask array, of which one is read when it is shown."""
    lead, plane = frames.shape[:-2], frames.shape[-2:]

    def one(block_id: tuple[int, ...]) -> NDArray[Any]:
        frame = frames[int(np.ravel_multi_index(block_id[:-2], lead))]
        return frame.reshape((1,) * len(lead) + plane)

    chunks = (*((1,) * count for count in lead), *plane)
    empty = np.empty((0,) * len(frames.shape), frames.dtype)
    return da.map_blocks(one, chunks=chunks, dtype=frames.dtype, meta=empty, name=f"temclean-{uuid4()}")


def _layer(image: io.Image, name: str) -> LayerData:
    frames, lead = image.pixels, len(image.pixels.shape) - 2
    data: Any = lazily(frames) if lead else frames[0]
    scale, start, units = [1.0] * lead, [0.0] * lead, ["pixel"] * lead
    for place, axis in enumerate(image.stack):
        if axis is not None and axis.step > 0:
            scale[place], start[place], units[place] = axis.step, axis.origin, _unit(axis.unit)
    pixel = image.pixel_size or (1.0, 1.0)
    origin = image.origin or (0.0, 0.0)
    known = {
        "name": name,
        "scale": [*scale, *pixel],
        "translate": [*start, *(origin if image.pixel_size else (0.0, 0.0))],
        "units": [*units, *[_unit(image.unit) if image.pixel_size else "pixel"] * 2],
        "axis_labels": list(image.axes.lower()),
        "contrast_limits": _limits(frames[len(frames) // 2]),
        "metadata": {NOTE: image},
    }
    return data, known, "image"


def _unit(unit: str | None) -> str:
    """Return what pint calls a unit, or pixel where it knows none of this name."""
    import pint

    name = UNITS.get(str(unit), str(unit)) if unit else "pixel"
    try:
        pint.get_application_registry().parse_units(name)
    except Exception:
        return "pixel"
    return name


def _limits(frame: NDArray[Any]) -> tuple[float, float]:
    """Return between which intensities nearly all pixels lie."""
    finite = frame[np.isfinite(frame)]
    low, high = np.percentile(finite, (0.2, 99.8)) if finite.size else (0, 1)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1)
