"""Look into files: what they hold, their calibration, the noise of the image, and the model that fits it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from temclean import io
from temclean.commands.inputs import expand, images_of
from temclean.commands.records import describe
from temclean.errors import MissingExtraError, TemcleanError
from temclean.evidence import data_bar, ends, lag, noise, samples, spectrum
from temclean.evidence.corrections import quiet
from temclean.evidence.noise import NoiseReport
from temclean.restoration import choice

FAR_LESS = 0.6
"""Share of the noise that is measured, below which its quietest places contradict that; of images as microscopes give
them they show .73 or more."""

CANNOT = "cannot be measured: some pixels are NaN or infinite"


@dataclass(frozen=True)
class Inspection:
    """What is known of one image of a file.

    Attributes
    ----------
    format : of the file, by its content.
    images : the names of all images in the file, and ``image`` which of them this is, where there are several.
    shape, axes, dtype : of the pixels; a letter for each dimension.
    pixel_size : height and width of a pixel, in ``unit``; None where the file does not say.
    instrument : what the file says of the microscope, by the names of `temclean.io.instrument.Instrument`.
    median : of the first frame.
    noise : of the first frame; None where it cannot be measured, and ``no_noise`` says why.
    quietest : the most that the standard deviation of the noise is at the median by the quietest places of the frame,
        where that is far less than ``noise`` says: the rest may be fine structure, as rough surfaces show.
    lag : pixels by which a detector's lag has moved structure along its rows; None where none is sure.
    period : of a lattice or of fringes, in pixels; None where there is none, or less than 64 pixels along a side to
        tell by.
    model, choice : what ``denoise`` takes, and why.
    sheet : where it is shown as several models restore it, if that was asked for.
    error : why there is nothing, in one line.
    missing_extra : whether that is for want of an optional package.
    """

    input: str
    format: str | None = None
    images: tuple[str, ...] = ()
    image: str | None = None
    shape: tuple[int, ...] = ()
    axes: str = ""
    dtype: str = ""
    pixel_size: tuple[float, float] | None = None
    unit: str | None = None
    instrument: dict[str, Any] = field(default_factory=dict)
    median: float | None = None
    noise: NoiseReport | None = None
    no_noise: str | None = None
    quietest: float | None = None
    lag: float | None = None
    period: float | None = None
    model: str | None = None
    choice: str | None = None
    sheet: str | None = None
    warnings: tuple[str, ...] = ()
    error: str | None = None
    missing_extra: bool = False

    def record(self) -> dict[str, Any]:
        """Return what any JSON reader takes."""
        known = asdict(self)
        if self.noise:
            known["noise"] |= {
                "family": self.noise.family,
                "white": self.noise.white,
                "impulses": self.noise.impulses,
                "impulses_error": self.noise.impulses_error,
                "offset_error": self.noise.offset_error,
                "along_doubt": self.noise.along_doubt,
                "fine_structure": self.noise.fine_structure,
            }
            if self.median is not None:
                known["noise"] |= {
                    "at_median": self.noise.at(self.median),
                    "at_median_error": self.noise.error_at(self.median),
                }
        return known


def inspect_all(names: Sequence[str], image: str | None = None) -> Iterator[Inspection]:
    """Look into files, folders and globs, one image after the other; what is wrong with one stands in its `error`.

    Parameters
    ----------
    names
        Files, folders and globs.
    image
        Of files with several images, the one of this name or number, or all of them if it is ``"all"``.
    """
    for found in expand(names):
        if found.problem:
            yield Inspection(str(found.path), error=found.problem)
            continue
        try:
            images, places = images_of(found.path, image)
        except (TemcleanError, OSError) as error:
            yield _failed(found.path, error)
            continue
        for place in places:
            try:
                yield inspect(found.path, tuple(images), place)
            except (TemcleanError, OSError, MemoryError) as error:
                yield _failed(found.path, error)


def inspect(path: Path, images: tuple[str, ...], place: int, *, choose: bool = True) -> Inspection:
    """Look into one image of a file, that at a place among the names of all; which model it takes only if asked to.

    Raises
    ------
    FileError, ImageError, MissingExtraError : as `temclean.read`.
    """
    several = len(images) > 1
    with io.read(path, place + 1 if several else None) as image:
        frame = image.pixels[0]
        chosen = choice.choose(image) if choose else None
        sample = samples.sample(frame)
        weights = lag.measure(image.pixels)
        known = Inspection(
            str(path),
            io.identify(path).name,
            images if several else (),
            images[place] if several else None,
            tuple(image.pixels.shape),
            image.axes,
            str(image.pixels.dtype),
            image.pixel_size,
            image.unit,
            dict(image.metadata.get("instrument") or {}),
            model=chosen.name if chosen else None,
            choice=chosen.reason if chosen else None,
            lag=round(lag.pixels(weights), 3) if weights else None,
            warnings=() if several else image.warnings,
        )
    if (height := data_bar.rows_above(frame)) < len(frame):
        known = replace(known, warnings=(*known.warnings, data_bar.LEFT_OUT.format(height)))
    if sample is None:
        if np.isfinite(frame).all():
            return replace(known, no_noise="cannot be measured: all pixels are alike")
        warning = "some pixels are NaN or infinite: denoise refuses it until they are replaced"
        return replace(known, model=None, choice=None, no_noise=CANNOT, warnings=(*known.warnings, warning))
    median = float(np.median(frame))
    structure = spectrum.structure(sample)
    report = noise.doubted(noise.report(sample), structure)
    quietest = quiet.deviation(sample, median, ends.ends(frame))
    if quietest is not None and quietest > FAR_LESS * report.at(median):
        quietest = None
    return replace(known, median=median, noise=report, quietest=quietest, period=structure.period)


def _failed(path: Path, error: Exception) -> Inspection:
    return Inspection(str(path), error=describe(error, path), missing_extra=isinstance(error, MissingExtraError))
