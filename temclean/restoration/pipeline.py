"""Array in, array out: bring to the network's scale, cut, run, put together, return to the image's own scale."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean.errors import ImageError, ParameterError, TemcleanWarning
from temclean.evidence.findings import Findings, compare
from temclean.restoration import cautions, choice, inference, models, tiling, windows
from temclean.restoration import scaling as intensities
from temclean.restoration.models import Device, Model, Session
from temclean.restoration.scaling import Frames, Scaling
from temclean.restoration.shipped import AUTO, DEFAULT
from temclean.restoration.tile_plan import best_tile

SAMPLE = 2**16
"""Pixels of a frame that are enough to tell how strong its noise is."""


FAINT = {"lde", "n2a"}
"""Noise families whose models have learned noise that is stronger than the contrast."""

FLATTENING = {"bbg", "n2a"}
"""Noise families whose models take the background away."""


class Calibrated(Protocol):
    """An image that is more than its pixels, as `temclean.read` gives it."""

    @property
    def pixels(self) -> Frames:
        """Its frames, (..., rows, columns)."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its reader had to say, a line each."""

    def with_pixels(self, pixels: NDArray[Any], /) -> Self:
        """Return it with other pixels of the same shape."""


Picture = TypeVar("Picture", bound=Calibrated)


@overload
def denoise(
    image: Picture,
    model: str | Path | Model = DEFAULT,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | None = None,
) -> Picture: ...
@overload
def denoise(
    image: ArrayLike,
    model: str | Path | Model = DEFAULT,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | None = None,
) -> NDArray[Any]: ...
def denoise(
    image: Any,
    model: str | Path | Model = DEFAULT,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | None = None,
) -> Any:
    """Denoise an image, or a stack of them.

    Parameters
    ----------
    image : array_like, (rows, columns) or (..., rows, columns); or Image
        Any real type, or what `temclean.read` gives. The frames of a stack share one scale.
    model : str, Path or Model
        A name (see `temclean.models.available`), an ONNX file, or a loaded model; ``auto``, the default, takes the one
        that `temclean.choose` names.
    device : {"auto", "cpu", "cuda"}
        Where to run; ``auto`` takes the GPU where it works.
    threads : int, optional
        Threads of the CPU; as many as there are by default.
    tile : int, optional
        Side of the tiles in pixels, for less memory; chosen for you by default.

    Returns
    -------
    ndarray, or Image for an Image
        The same shape, type and scale; integers are rounded and clipped to what the type can hold. An Image keeps its
        calibration and metadata; its pixels are in memory.

    Raises
    ------
    ImageError, ParameterError, ModelError, DeviceError, MissingExtraError
        Each says what to do.

    Warns
    -----
    TemcleanWarning
        Where the command line warns: of what the reader of an Image had to say, of noise that no model has learned, of
        too few whole numbers, of structure that is missing from the result.
    """
    calibrated = hasattr(image, "with_pixels")
    pixels = image.pixels if calibrated else _array(image)
    if model == AUTO:
        model = choice.choose(image if calibrated else pixels).name
    session = session_of(model.path if isinstance(model, Model) else models.find(model), device, threads)
    windows.check(pixels.shape, session.model)
    frames = pixels if calibrated else pixels.reshape(-1, *pixels.shape[-2:])
    result = np.empty((len(frames), *pixels.shape[-2:]), dtype=pixels.dtype)
    cut, scale = plan(_frame_shape(pixels.shape), session.model, tile), scaling(frames, session.model)
    levels, found, seen = [], [], windows.Windows(frames, session.model.frames)
    for index, out in enumerate(result):
        window = seen[index]
        frame = window[len(window) // 2]
        _restore(window, out, session, cut, scale)
        if not scale.flat:
            if session.model.family not in FAINT:
                levels.append(noise_level(frame, out, wild=session.model.family in inference.WILD))
            found.append(examine(frame, out, session.model))
    lines = (*(image.warnings if calibrated else ()), cautions.of_steps(pixels.dtype, scale), cautions.of_noise(levels))
    for line in (*filter(None, lines), *cautions.of_findings(found)):
        warnings.warn(line, TemcleanWarning, stacklevel=2)
    restored = result.reshape(pixels.shape)
    return image.with_pixels(restored) if calibrated else restored


def _array(image: ArrayLike) -> NDArray[Any]:
    """Return what is passed for an image as an array; ImageError if it is none."""
    pixels = np.asarray(image)
    if pixels.ndim < 2 or pixels.size == 0:
        raise ImageError(f"an image has rows and columns, this array has shape {pixels.shape}")
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4) and min(pixels.shape[:2]) > 4:
        raise ImageError(f"shape {pixels.shape} is that of a colour image: average the channels, or pass one of them")
    return pixels


def denoise_frames(
    frames: Frames,
    session: Session,
    *,
    tile: int | None = None,
    scaling: Scaling | None = None,
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
    progress : callable, optional
        Called with the number of tiles just done; see `tile_count`.
    noise : callable, optional
        Called with the `noise_level` of each frame that is not flat.
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
    scale = intensities.measure(frames, *_normalisation(session.model)) if scaling is None else scaling
    seen = windows.Windows(frames, session.model.frames)
    for index in range(len(frames)) if which is None else which:
        window, out = seen[index], np.empty(cut.shape, dtype=frames.dtype)
        frame = window[len(window) // 2]
        _restore(window, out, session, cut, scale, progress)
        if (noise or findings) and not scale.flat:
            measure = partial(_measure, frame, out, session.model, noise, findings)
            later(measure) if later else measure()
            del measure
        del frame, window
        yield out
        del out  # it is the receiver's: do not hold two while the next is made


def _measure(
    frame: NDArray[Any],
    restored: NDArray[Any],
    model: Model,
    noise: Callable[[float], object] | None,
    findings: Callable[[Findings], object] | None,
) -> None:
    if noise and model.family not in FAINT:
        noise(noise_level(frame, restored, wild=model.family in inference.WILD))
    if findings:
        findings(examine(frame, restored, model))


def noise_level(frame: NDArray[Any], restored: NDArray[Any], *, wild: bool = False) -> float:
    """Return how strong the noise was that a model took out of a frame (rows, columns), over the contrast it left.

    The width of the middle 95% of what was taken out, over 3.92, so that few wild pixels count for nothing; over what
    lies between the percentiles 0.5 and 99.5 of the result. This is the level C of Gaussian noise (Chae 2025, eq. 3)
    where the result is right and nothing was clipped; 0 where nothing was taken out, else infinite where no contrast
    is left. Of a model that takes out ``wild`` pixels, those at the frame's least and greatest value do not count.
    """
    step = math.isqrt(max(1, frame.size // SAMPLE))
    before, after = (pixels[::step, ::step].astype(np.float64) for pixels in (frame, restored))
    low, high = np.percentile(after, (0.5, 99.5))
    removed = before - after
    if wild:
        inner = (before > before.min()) & (before < before.max())
        removed = removed[inner] if inner.any() else removed
    least, most = np.percentile(removed, (2.5, 97.5))
    if most == least:
        return 0.0
    return float((most - least) / 3.92 / (high - low)) if high > low else math.inf


def examine(frame: NDArray[Any], restored: NDArray[Any], model: Model) -> Findings:
    """Return what a result (rows, columns) lacks that its frame shows, and how well it fits (`temclean.evidence`)."""
    return compare(frame, restored, background_removed=model.family in FLATTENING)


def scaling(frames: Frames, model: Model) -> Scaling:
    """Measure the scale of a whole image or stack as the model wants it."""
    return intensities.measure(frames, *_normalisation(model))


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


def _restore(
    window: list[NDArray[Any]],
    out: NDArray[Any],
    session: Session,
    cut: tiling.Plan,
    scale: Scaling,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Denoise the middle one of the frames that the model looks at into ``out``, tile by tile."""
    if scale.flat:
        out[...] = window[len(window) // 2]
        if progress:
            progress(len(cut))
        return
    # What the kernel cannot write goes through a band of rows.
    direct = tiling.writable(out.dtype)
    dtype = out.dtype if direct else _kernel_type(out.dtype)
    blender = tiling.Blender(cut, dtype, offset=scale.low, scale=scale.high - scale.low)
    tiles = np.empty((len(window), *cut.tile), dtype=np.float32)
    across = len(cut.columns.starts)
    for row in range(len(cut.rows.starts)):
        rows = blender.band(row)
        band = out[rows] if direct else np.empty((rows.stop - rows.start, out.shape[1]), dtype=dtype)
        for number in range(row * across, (row + 1) * across):
            for frame, tile in zip(window, tiles, strict=True):
                unit = 1 / (scale.high - scale.low)
                tiling.split(frame, cut, first=number, count=1, offset=scale.low, scale=unit, out=tile[None])
            blender.add(inference.run(session, tiles)[None], band, rows.start)
            if progress:
                progress(1)
        if not direct:
            if out.dtype.kind == "f":
                np.clip(band, np.finfo(out.dtype).min, np.finfo(out.dtype).max, out=band)
            out[rows] = band


def _kernel_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that tiles are blended into on the way to one that the kernel cannot write."""
    native = dtype.newbyteorder("=")
    if tiling.writable(native):
        return native
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


def _normalisation(model: Model) -> tuple[float, float, float]:
    return model.normalisation.low, model.normalisation.high, model.normalisation.room


def session_of(path: Path, device: Device = "auto", threads: int | None = None) -> Session:
    """Return a session on a model's file, the same as the last time if neither the file nor the wishes have changed."""
    status = path.stat()
    return _session(path, (status.st_mtime_ns, status.st_size), device, threads)


@lru_cache(maxsize=2)
def _session(path: Path, _version: tuple[int, int], device: Device, threads: int | None) -> Session:
    return models.open_session(models.load(path), device, threads)


def _frame_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    return shape[-2], shape[-1]
