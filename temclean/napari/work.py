"""What the widget does with the pixels of a layer, and knows nothing of windows."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ImageError
from temclean.evidence.samples import Frames
from temclean.io.units import METRES, tidy_unit
from temclean.napari.reader import NOTE
from temclean.restoration import cautions, choice, models, pipeline, together, windows
from temclean.restoration.conversion import Conversion
from temclean.restoration.lazy import LazyFrames, is_lazy
from temclean.restoration.models import Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.shipped import AUTO
from temclean.restoration.together import Order

Region = tuple[slice, slice]


@dataclass(frozen=True)
class Settled:
    """The model for a layer, why it was taken, and the scale of all its frames: the same for a preview and for all.

    ``frames`` are as the model sees them, several of a movie taken together where it wants that, in their ``order``;
    ``conversion`` brings results to the layer's type. What speaks ``against`` the model is a line each.
    """

    session: Session
    reason: str | None
    scale: Scaling
    frames: Frames
    conversion: Conversion
    order: Order
    against: tuple[str, ...] = ()


def frames_of(data: Any, *, rgb: bool = False, multiscale: bool = False) -> Frames:
    """Return the frames of a layer's pixels, (frames, rows, columns); of several resolutions the finest."""
    if rgb:
        raise ImageError("this layer is in colour: choose one of its channels (right-click, Split RGB)")
    pixels = data[0] if multiscale else data
    if is_lazy(pixels):
        return LazyFrames(pixels)
    array = np.asarray(pixels)
    if array.ndim < 2 or not array.size:
        raise ImageError(f"an image has rows and columns, this layer has shape {array.shape}")
    return array.reshape(-1, *array.shape[-2:])


def about(layer: Any) -> choice.About:
    """Return what a layer says of the microscope and the size of its pixels."""
    image = layer.metadata.get(NOTE)
    if image is not None:
        return choice.About.of(image)
    unit = tidy_unit(f"{layer.units[-1]:~}")
    size = math.sqrt(abs(float(layer.scale[-1]) * float(layer.scale[-2])))
    return choice.About(angstroms=size * METRES[unit] * 1e10 if unit in METRES else None)


def order_of(layer: Any) -> Order:
    """Return how the frames of a layer lie, by the labels of its axes where these are letters, as the reader's are."""
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return Order.of(shape, "".join(layer.axis_labels).upper())


def settle(layer: Any, model: str) -> Settled:
    """Choose the model where none is named, open it, and measure the scale of all frames."""
    frames = frames_of(layer.data, rgb=layer.rgb, multiscale=layer.multiscale)
    chosen = choice.choose(frames, about(layer)) if model == AUTO else choice.Choice(model, "")
    session = models.session_of(models.find(chosen.name))
    order = order_of(layer)
    windows.check(order.length, session.model)
    count = together.count_of(session.model, order.length)
    scale = pipeline.scaling(frames, session.model, joined=count > 1, order=order)
    seen, conversion = together.joined(frames, count, order), Conversion(frames.dtype, joined=count > 1)
    against = cautions.of_model(seen, session.model, about(layer), chosen=model == AUTO)
    steps = cautions.of_steps(frames.dtype, scale)
    said = filter(None, (*against, steps, cautions.of_joined(session.model, count, None)))
    return Settled(session, chosen.reason or None, scale, seen, conversion, order, tuple(said))


def preview(settled: Settled, index: int, region: Region) -> NDArray[Any]:
    """Denoise a region of a frame, as it will be when all of it is denoised.

    The network sees what lies around it too, as far as it looks, on the same grid of pixels.
    """
    model = settled.session.model
    around, inner = zip(
        *(
            _around(part, side, model.halo + model.beyond, model.multiple)
            for part, side in zip(region, settled.frames.shape[-2:], strict=True)
        ),
        strict=True,
    )
    cropped = _Cropped(settled.frames, around)
    (clean,) = pipeline.denoise_frames(
        cropped, settled.session, scaling=settled.scale, order=settled.order, which=[index]
    )
    return settled.conversion.after(clean[inner])


def every(settled: Settled) -> Iterator[NDArray[Any] | str]:
    """Denoise all frames and yield each; then a line for all there is to say of them."""
    levels: list[float] = []
    found: list[Any] = []
    frames = pipeline.denoise_frames(
        settled.frames,
        settled.session,
        scaling=settled.scale,
        order=settled.order,
        noise=levels.append,
        findings=found.append,
    )
    for frame in frames:
        yield settled.conversion.after(frame)
    yield from filter(None, (*settled.against, cautions.of_noise(levels), *cautions.of_findings(found)))


def _around(part: slice, side: int, halo: int, multiple: int) -> tuple[slice, slice]:
    first = max(0, part.start - halo) // multiple * multiple
    last = min(side, part.stop + halo)
    return slice(first, last), slice(part.start - first, part.stop - first)


class _Cropped:
    """The same region of all frames."""

    def __init__(self, frames: Frames, region: tuple[slice, ...]) -> None:
        self._frames, self._region, self.dtype = frames, region, frames.dtype
        self.shape = (len(frames), *(part.stop - part.start for part in region))

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> NDArray[Any]:
        return np.ascontiguousarray(self._frames[index][self._region])
