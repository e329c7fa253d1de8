"""Denoise signals of HyperSpy: what :func:`temclean.denoise` does to an array, with axes and metadata kept.

Nothing of HyperSpy is imported: who has a signal has HyperSpy.
"""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import __version__
from temclean.errors import ImageError, ParameterError, TemcleanWarning
from temclean.io.units import METRES, tidy_unit
from temclean.restoration import choice, models, pipeline
from temclean.restoration.conversion import unmasked
from temclean.restoration.lazy import LazyFrames
from temclean.restoration.models import Device, Model
from temclean.restoration.scaling import Scaling
from temclean.restoration.shipped import AUTO, DEFAULT

NOTE = "temclean"
"""Where in the metadata of a result stands what made it."""


def denoise(
    signal: Any,
    model: str | Path = DEFAULT,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | None = None,
) -> Any:
    """Denoise a signal of HyperSpy, frame by frame, all frames on one scale of intensities.

    Parameters
    ----------
    signal : Signal2D, LazySignal2D or a kind of them
        Images have two signal dimensions; each place in the navigation space is a frame.
    model : str or Path
        A name (see `temclean.models.available`) or an ONNX file; ``auto`` takes the one that fits, by up to three
        frames, the pixel size and the kind of microscope.
    device : {"auto", "cpu", "cuda"}
        Where to run.
    threads : int, optional
        Threads of the CPU for a frame: all by default; 1 for a lazy signal, of which dask does several frames at once.
    tile : int, optional
        Side of the tiles in pixels, for less memory.

    Returns
    -------
    signal
        Another of the same class, type, axes and metadata, and ``metadata.temclean``, which says what made it. That of
        a lazy signal is lazy: the intensities are measured now, in one pass through the frames; the network runs when
        a frame is computed.

    Raises
    ------
    ImageError, ParameterError, ModelError, DeviceError, MissingExtraError
        Each says what to do.

    Warns
    -----
    TemcleanWarning
        As `temclean.denoise`; of a lazy signal for each frame by itself, when it is computed.

    Examples
    --------
    >>> import hyperspy.api as hs  # doctest: +SKIP
    >>> temclean.hyperspy.denoise(hs.load("a.dm4", lazy=True), "g").save("a_g.hspy")  # doctest: +SKIP
    """
    frames = _frames(signal)
    about = _about(signal)
    chosen = choice.choose(frames, about) if model == AUTO else None
    known = models.load(chosen.name if chosen else model)
    if isinstance(frames, np.ndarray):
        pixels = pipeline.denoise(frames, chosen or known, device=device, threads=threads, tile=tile)
        clean = signal.deepcopy()
        clean.data = pixels.reshape(signal.data.shape)
    else:
        scale, lines = pipeline.settle(frames, known, about, chosen=chosen is not None)
        for line in lines:
            warnings.warn(line, TemcleanWarning, stacklevel=2)
        clean = _lazily(signal, frames, known, scale, device, threads or 1, tile)
    clean.metadata.set_item(NOTE, {"version": __version__, "model": known.name, "sha256": known.sha256})
    return clean


def _frames(signal: Any) -> NDArray[Any] | LazyFrames:
    """Return the frames of a signal, (frames, rows, columns); ImageError where it has none."""
    if not hasattr(signal, "axes_manager"):
        raise ParameterError(f"{type(signal).__name__} is no signal of HyperSpy; temclean.denoise takes arrays")
    dimension = signal.axes_manager.signal_dimension
    if dimension != 2:
        raise ImageError(
            f"images have 2 signal dimensions, this signal has {dimension}: take signal.transpose(signal_axes=2)"
        )
    if signal.data.dtype.fields:
        raise ImageError('this signal is in colour: take signal.change_dtype("uint8"), and of its channels their mean')
    if getattr(signal, "_lazy", False):
        return LazyFrames(signal.data)
    pixels = unmasked(signal.data)
    return pixels.reshape(-1, *pixels.shape[-2:])


def _about(signal: Any) -> choice.About:
    """Return what a signal says of the microscope and the size of its pixels."""
    axes = signal.axes_manager.signal_axes
    units = {tidy_unit(axis.units) if isinstance(axis.units, str) else None for axis in axes}
    unit = units.pop() if len(units) == 1 else None
    scales = [abs(getattr(axis, "scale", 0.0)) for axis in axes]  # an axis that is not even has none
    known = unit in METRES and min(scales) > 0
    kind = signal.metadata.get_item("Acquisition_instrument.TEM.acquisition_mode", None)
    if signal.metadata.has_item("Acquisition_instrument.SEM"):
        kind = "SEM"
    return choice.About(
        kind if kind in ("TEM", "STEM", "SEM") else None,
        (scales[0] * scales[1]) ** 0.5 * METRES[unit] * 1e10 if known and unit else None,
        reciprocal=bool(unit and unit.startswith("1/")),
    )


def _lazily(
    signal: Any, frames: LazyFrames, model: Model, scale: Scaling, device: Device, threads: int, tile: int | None
) -> Any:
    """Return the signal whose frames are denoised when they are computed."""
    return signal.map(
        pipeline.denoise_block,
        inplace=False,
        lazy_output=True,
        show_progressbar=False,
        output_dtype=frames.dtype,
        output_signal_size=frames.shape[-2:],
        model=models.name_of(model),
        device=device,
        threads=threads,
        tile=tile,
        scale=scale,
    )
