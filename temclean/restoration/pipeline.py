"""Array in, array out: bring to the network's scale, cut, run, put together, return to the image's own scale."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ParameterError, TemcleanWarning
from temclean.evidence import data_bar, lag
from temclean.evidence.findings import Findings, compare
from temclean.evidence.samples import Frames
from temclean.restoration import cautions, choice, inference, lazy, models, tiling, together, windows
from temclean.restoration import scaling as intensities
from temclean.restoration.choice import About, Choice
from temclean.restoration.conversion import Calibrated, Conversion, array, check
from temclean.restoration.models import Device, Model, Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.shipped import AUTO, DEFAULT
from temclean.restoration.tile_plan import best_tile
from temclean.restoration.together import Order

FAINT = {"lde", "n2a"}
"""Noise families whose models have learned noise that is stronger than the contrast."""

FLATTENING = {"bbg", "n2a"}
"""Noise families whose models take the background away."""

Named = str | Path | Model | Choice
"""Whatever names a model."""

Picture = TypeVar("Picture", bound=Calibrated)
Chunked = TypeVar("Chunked", bound=lazy.Blocks)


class Wishes(TypedDict, total=False):
    """What :func:`denoise` can be told by name."""

    device: Device
    threads: int | None
    tile: int | None
    blend: float
    frames: int | None
    mirrored: int


@overload
def denoise(image: Picture, model: Named = DEFAULT, **wishes: Unpack[Wishes]) -> Picture: ...
@overload
def denoise(image: Chunked, model: Named = DEFAULT, **wishes: Unpack[Wishes]) -> Chunked: ...
@overload
def denoise(image: ArrayLike, model: Named = DEFAULT, **wishes: Unpack[Wishes]) -> NDArray[Any]: ...
def denoise(
    image: Any,
    model: Named = DEFAULT,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | None = None,
    blend: float = 0.0,
    frames: int | None = None,
    mirrored: int = 1,
) -> Any:
    """Denoise an image, or a stack of them.

    Parameters
    ----------
    image : array_like, (rows, columns) or (..., rows, columns); Image; or dask array
        Any real type, or what `temclean.read` gives. The frames of a stack, of each channel, share one scale.
    model : str, Path, Model or Choice
        A name (see `temclean.models.available`), an ONNX file, a loaded model, or what `temclean.choose` says;
        ``auto``, the default, asks that itself.
    device : {"auto", "cpu", "cuda"}
        Where to run; ``auto`` takes the GPU where it works.
    threads : int, optional
        Threads of the CPU; as many as there are by default, but 1 for a dask array, of which Dask does several blocks
        at once.
    tile : int, optional
        Side of the tiles in pixels, for less memory; chosen for you by default.
    blend : float
        Share of the raw image that is mixed into the result, 0 to 1, as ``--blend`` does; rounded once, after that.
    frames : int, optional
        Take each frame of a movie together with its neighbours, as ``--frames`` does; as the model wants by default.
        Of a dask array each frame stays by itself.
    mirrored : {1, 2, 4}
        Take the mean of what the model makes of so many mirror images, as ``--mirrored`` does.

    Returns
    -------
    ndarray, or Image for an Image, dask array for a dask array
        The same shape, type and scale; integers are rounded and clipped to what the type can hold. The lag of a scanned
        image's detector is undone by models that know scanned images (`temclean.evidence.lag`). An Image keeps its
        calibration and metadata; its pixels are in memory. A dask array is lazy: model and scale are settled now, in
        one pass through the frames, as the scale is that of all of them, whichever are computed; the network runs when
        a block is. Blocks are of whole frames.

    Raises
    ------
    ImageError, ParameterError, ModelError, DeviceError, MissingExtraError
        Each says what to do.

    Warns
    -----
    TemcleanWarning
        Where the command line warns: of what the reader of an Image had to say, of noise that this model, or none, has
        learned, of too few whole numbers, of structure that is missing from the result. Of a dask array what the
        result shows is said for each block by itself, when it is computed.
    """
    if isinstance(blend, bool) or not isinstance(blend, Real) or not 0 <= blend <= 1:
        raise ParameterError(f"blend is {blend!r}; give the share of the raw image in the result, from 0 to 1")
    if lazy.is_lazy(image):
        together.check_lazy(frames)
        models.check_mirrored(mirrored)
        return _denoise_lazily(image, model, device, threads, tile, blend, mirrored)
    calibrated = hasattr(image, "with_pixels")
    pixels = image.pixels if calibrated else array(image)
    if model == AUTO:
        model = choice.choose(image if calibrated else pixels)
    session = models.session_of(_path(model), device, threads, mirrored)
    order = Order.of(pixels.shape, image.axes if calibrated else None)
    windows.check(order.length, session.model)
    raw = pixels if calibrated else pixels.reshape(-1, *pixels.shape[-2:])
    count = together.count_of(session.model, order.length, frames, float(blend))
    plan(_frame_shape(pixels.shape), session.model, tile)  # what cannot be done is said before what takes long
    scale = scaling(raw, session.model, joined=count > 1, order=order)
    seen = together.joined(raw, count, order)
    against = cautions.of_model(seen, session.model, About.of(image), chosen=isinstance(model, Choice))
    conversion = Conversion(raw.dtype, None, float(blend), count > 1, scale.lag)
    result, lines = _all(seen, session, tile, scale, conversion, order)
    said = (*(image.warnings if calibrated else ()), *against, cautions.of_steps(pixels.dtype, scale), *lines)
    for line in filter(None, said):
        warnings.warn(line, TemcleanWarning, stacklevel=2)
    restored = result.reshape(pixels.shape)
    return image.with_pixels(restored) if calibrated else restored


def _denoise_lazily(
    image: Any, model: Named, device: Device, threads: int | None, tile: int | None, blend: float, mirrored: int
) -> Any:
    check(image)
    frames = lazy.LazyFrames(image)
    if model == AUTO:
        model = choice.choose(frames)
    known = model if isinstance(model, Model) else models.load(_path(model))
    scale, lines = settle(frames, known, About(), chosen=isinstance(model, Choice))
    for line in lines:
        warnings.warn(line, TemcleanWarning, stacklevel=3)
    plan(_frame_shape(image.shape), known, tile)
    how = {"model": models.name_of(known), "device": device, "threads": threads or 1, "tile": tile, "scale": scale}
    return lazy.by_blocks(image, denoise_block, blend=float(blend), mirrored=mirrored, **how)


def settle(frames: lazy.LazyFrames, model: Model, about: About, *, chosen: bool) -> tuple[Scaling, list[str]]:
    """Return the scale of frames that will be denoised one by one, and what there is to say of that and the model."""
    if model.frames > 1:
        raise ParameterError(
            f"{model.name} looks at {model.frames} frames at once, which may lie in other blocks: call compute() first"
        )
    scale = scaling(frames, model)
    lines = (cautions.of_steps(frames.dtype, scale), cautions.of_blocks(model, len(frames)))
    return scale, [*cautions.of_model(frames, model, about, chosen=chosen), *filter(None, lines)]


def denoise_block(
    pixels: NDArray[Any],
    model: str,
    device: Device,
    threads: int,
    tile: int | None,
    scale: Scaling,
    blend: float = 0.0,
    mirrored: int = 1,
) -> NDArray[Any]:
    """Denoise frames (..., rows, columns), in whichever thread or process Dask has for them."""
    session = models.session_of(models.find(model), device, threads, mirrored)
    conversion = Conversion(pixels.dtype, None, blend, lag=scale.lag)
    result, lines = _all(pixels.reshape(-1, *pixels.shape[-2:]), session, tile, scale, conversion)
    for line in lines:
        warnings.warn(line, TemcleanWarning, stacklevel=2)
    return result.reshape(pixels.shape)


def _all(
    seen: Frames, session: Session, tile: int | None, scale: Scaling, conversion: Conversion, order: Order | None = None
) -> tuple[NDArray[Any], list[str]]:
    """Denoise all frames; return them, (frames, rows, columns), and what there is to say of them."""
    levels: list[float] = []
    found: list[Findings] = []
    raw = conversion.before(seen)
    clean = denoise_frames(
        raw, session, tile=tile, scaling=scale, order=order, noise=levels.append, findings=found.append
    )
    result = np.empty((len(seen), *_frame_shape(seen.shape)), conversion.dtype)
    for place, frame in zip(result, clean, strict=True):
        place[...] = conversion.after(frame)
    return result, [*filter(None, (cautions.of_noise(levels), *cautions.of_findings(found)))]


def _path(model: Named) -> Path:
    return model.path if isinstance(model, Model) else models.find(model.name if isinstance(model, Choice) else model)


def denoise_frames(
    frames: Frames,
    session: Session,
    *,
    tile: int | None = None,
    scaling: Scaling | None = None,
    order: Order | None = None,
    progress: Callable[[int], object] | None = None,
    noise: Callable[[float], object] | None = None,
    findings: Callable[[Findings], object] | None = None,
    later: Callable[[Callable[[], None]], object] | None = None,
    which: Iterable[int] | None = None,
) -> Iterator[NDArray[Any]]:
    """Denoise a stack frame by frame; in memory are the frames that the model looks at, one result and a few tiles.

    Parameters
    ----------
    frames : Frames
        Read on demand: once for the scale, unless ``scaling`` is given, and once to denoise.
    session : Session
        From `temclean.models.open_session`.
    tile : int, optional
        Side of the tiles in pixels.
    scaling : Scaling, optional
        From `scaling`, where it is already known.
    order : Order, optional
        Which frames follow each other, and which channel each shows; by default all follow each other.
    progress : callable, optional
        Called with the number of tiles just done; see `tile_count`.
    noise : callable, optional
        Called with the `cautions.noise_level` of each frame that is not flat.
    findings : callable, optional
        Called with what `examine` finds of each frame that is not flat.
    later : callable, optional
        Given what calls these two for each frame, before that is yielded, to call it in another thread; else it is
        called here, while no network runs.
    which : iterable of int, optional
        The frames to denoise, where not all are wanted.

    Yields
    ------
    ndarray
        Each frame denoised, of its own shape and type, in an array of its own.
    """
    cut = plan(_frame_shape(frames.shape), session.model, tile)
    order = order or Order(len(frames))
    measured = _scale(frames, session.model, order=order) if scaling is None else scaling
    mended = windows.Mended(frames) if session.model.normalisation.scanned else None
    whole = frames if mended is None else mended
    seen = windows.Windows(lag.Undone(whole, measured.lag) if measured.lag else whole, session.model.frames, order)
    for index in range(len(frames)) if which is None else which:
        scale = measured.of(order.channel(index))
        window, out = seen[index], np.empty(cut.shape, dtype=frames.dtype)
        frame, seen_to = inference.restore_steadily(window, out, session, cut, scale, progress)
        lines, striped = (0, 0.0) if mended is None else mended.seen_to.pop(index)
        if (end := data_bar.rows_above(window[len(window) // 2])) < len(out):
            out[end:] = (frames[index] if measured.lag else window[len(window) // 2])[end:]
        if (noise or findings) and not scale.flat:
            seen_to |= {"lines": lines, "stripes": striped}
            measure = partial(_measure, frame, out, seen_to, session.model, noise, findings)
            later(measure) if later else measure()
            del measure
        del frame, window
        yield out
        del out  # it is the receiver's: do not hold two while the next is made


def _measure(
    frame: NDArray[Any],
    restored: NDArray[Any],
    seen_to: dict[str, Any],
    model: Model,
    noise: Callable[[float], object] | None,
    findings: Callable[[Findings], object] | None,
) -> None:
    if noise and model.family not in FAINT:
        noise(cautions.noise_level(*data_bar.above(frame, restored), wild=model.family in inference.WILD))
    if findings:
        findings(replace(examine(frame, restored, model), **seen_to))


def examine(frame: NDArray[Any], restored: NDArray[Any], model: Model) -> Findings:
    """Return what a result (rows, columns) lacks that its frame shows, and how well it fits (`temclean.evidence`)."""
    return compare(frame, restored, background_removed=model.family in FLATTENING)


def scaling(frames: Frames, model: Model, *, joined: bool = False, order: Order | None = None) -> Scaling:
    """Measure the scale of a whole image or stack, of each channel by itself, and its lag if it is to be undone."""
    normalisation = model.normalisation
    weights = lag.measure(frames) if normalisation.scanned else ()
    seen = lag.Undone(frames, weights) if weights else frames
    ends = normalisation.low, normalisation.high, normalisation.room
    each = [intensities.measure(part, *ends, joined=joined) for part in together.channels(seen, order)]
    return intensities.together([replace(scale, lag=weights) for scale in each])


_scale = scaling  # where an argument has that name


def plan(shape: tuple[int, int], model: Model, tile: int | None = None) -> tiling.Plan:
    """Choose how a frame is cut: whole where it is small, else into the tiles with the fewest pixels in all.

    Tiles lie on multiples of what the network downsamples by, so that it sees each as it would the whole image; where
    the frame is not such a multiple, it is continued by reflection below and on the right.
    """
    multiple, overlap = model.multiple, 2 * model.halo
    canvas = tuple(-(-length // multiple) * multiple for length in shape)
    if tile is None:
        sides = best_tile((canvas[0], canvas[1]), overlap, multiple)
    else:
        side = tile // multiple * multiple
        sides = min(side, canvas[0]), min(side, canvas[1])
        if side < max(canvas):
            check_tile(model, tile)
    return tiling.plan(shape, sides, overlap, margin=model.halo, multiple=multiple)


def check_tile(model: Model, tile: int) -> None:
    """Refuse a side of tiles that leaves nothing between their halos; ParameterError says what is enough."""
    least = 2 * model.halo + model.multiple
    if tile < least:
        raise ParameterError(f"tiles of {tile} pixels are too small for {model.name}: give {least} or more")


def tile_count(shape: tuple[int, ...], session: Session, *, tile: int | None = None) -> int:
    """Return how many tiles a stack of shape (..., rows, columns) takes."""
    return math.prod(shape[:-2]) * len(plan(_frame_shape(shape), session.model, tile))


def _frame_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[-2], shape[-1]
