"""Files against each other in the Fourier plane: Fourier ring correlation, and power beyond the information limit."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np

from temclean import io
from temclean.commands import codes
from temclean.commands.lines import echo
from temclean.commands.measuring.scale import Scale
from temclean.commands.records import naming
from temclean.errors import ImageError
from temclean.evidence import drift
from temclean.metrics.rings import SEVENTH, RingCorrelation, Spectra, ring_correlation, spectra
from temclean.restoration.together import Order

FARTHEST = 24.0
"""Pixels between two images that are looked for."""


@dataclass(frozen=True)
class Compared:
    """What two images have in common, or how a result's power compares with that of its raw image.

    Attributes
    ----------
    of : the files.
    found : ring by ring, frequencies in cycles a nm, or a pixel where there is no scale.
    unit : ``nm`` or ``px``.
    off : rows and columns that the second stood off the first, taken out.
    """

    of: tuple[str, ...]
    found: RingCorrelation | Spectra
    unit: str
    off: tuple[float, float] = (0.0, 0.0)
    warnings: tuple[str, ...] = ()


def frc(first: Path, second: Path | None = None) -> Compared:
    """Correlate the means of the odd and the even frames of a movie, or of all frames of two files, ring by ring.

    Raises
    ------
    ImageError : a file cannot be read, a movie has one frame only, or two files are not of one shape.
    """
    warnings = [line for path in (first, second) if path for line in _restored(path)]
    with io.read(first) as image:
        scale = Scale.of(image)
        if second is None:
            Order.of(image.pixels.shape, image.axes).check_movie(first)
            if len(image.pixels) < 2:
                raise ImageError(f"{first}: holds one frame; give a movie, or a second file of the same place")
            a, b = (_mean(first, image.pixels, start, 2) for start in (0, 1))
        else:
            with io.read(second) as other:
                if tuple(image.pixels.shape[-2:]) != tuple(other.pixels.shape[-2:]):
                    shape = tuple(other.pixels.shape[-2:])
                    raise ImageError(
                        f"{second}: shape {shape} is not that of {first}, {tuple(image.pixels.shape[-2:])}"
                    )
                warnings += _other_scale(first, scale, second, Scale.of(other))
                a, b = _mean(first, image.pixels, 0, 1), _mean(second, other.pixels, 0, 1)
    down, right = drift.shift(a, b, FARTHEST)
    one, two = drift.overlap(a.astype(np.float32), b.astype(np.float32), (round(down), round(right)))
    rest = down - round(down), right - round(right)
    with naming(first):
        found = ring_correlation(one, two, scale.pixel or (1.0, 1.0), rest)
    names = (str(first),) if second is None else (str(first), str(second))
    return Compared(names, found, "nm" if scale.pixel else "px", (down, right), tuple(warnings))


def compare(raw: Path, result: Path) -> Compared:
    """Compare the radial power of a result with that of its raw image, the mean over the frames of a movie.

    Raises
    ------
    ImageError : a file cannot be read, or they are not of one shape.
    """
    with io.read(raw) as first, io.read(result) as second:
        if tuple(first.pixels.shape) != tuple(second.pixels.shape):
            shapes = tuple(second.pixels.shape), tuple(first.pixels.shape)
            raise ImageError(f"{result}: shape {shapes[0]} is not that of {raw}, {shapes[1]}")
        scale = Scale.of(first)
        frames = zip(_finite(raw, first.pixels), _finite(result, second.pixels), strict=True)
        with naming(raw, result):
            found = spectra(frames, scale.pixel or (1.0, 1.0))
        warnings = *_restored(raw), *_other_scale(raw, scale, result, Scale.of(second))
    return Compared((str(raw), str(result)), found, "nm" if scale.pixel else "px", warnings=warnings)


def print_frc(compared: Compared, *, as_json: bool) -> int:
    """Print where a Fourier ring correlation falls below its thresholds, and return the exit code."""
    found, unit = compared.found, compared.unit
    assert isinstance(found, RingCorrelation)
    _warn(compared)
    limits = {"half_bit": found.half_bit, "seventh": np.full(len(found.frequency), SEVENTH)}
    crossed = {name: (found.first(limit), found.last(limit)) for name, limit in limits.items()}
    if as_json:
        told: dict[str, Any] = {"files": compared.of, "off_px": compared.off}
        for name, both in crossed.items():
            for which, at in zip(("first", "last"), both, strict=True):
                told[f"{name}_{which}_{unit}"] = _period(at)
        told |= {f"frequency_per_{unit}": found.frequency, "frc": found.correlation}
        told |= {"half_bit": found.half_bit, "number": found.number}
        click.echo(json.dumps({name: _plain(value) for name, value in told.items()}))
        return codes.DONE
    echo("threshold    first below it  last above it")
    for title, name in (("half-bit", "half_bit"), ("1/7", "seventh")):
        below, above = (f"{1 / each:.4g} {unit}" if each else "-" for each in crossed[name])
        echo(f"{title:11}  {below:>14}  {above:>13}")
    echo(f"of {'odd and even frames' if len(compared.of) == 1 else 'the two files'}")
    if any(compared.off):
        down, right = compared.off
        echo(f"the second stood {down:.2f} px below and {right:.2f} px right of the first, which was taken out")
    echo("down to such a period both show the same: at 1/7 their mean correlates with the truth by a half, at half-bit")
    echo("it holds half a bit a frequency. Of a lattice, whose rings between peaks are empty, the last ring above")
    echo("counts; of other structure the first below")
    return codes.DONE


def print_spectrum(compared: Compared, *, as_json: bool) -> int:
    """Print how much power a result has where its raw image shows noise alone, and return the exit code."""
    found, unit = compared.found, compared.unit
    assert isinstance(found, Spectra)
    _warn(compared)
    if as_json:
        told: dict[str, Any] = {"raw": compared.of[0], "result": compared.of[1], f"limit_{unit}": _period(found.limit)}
        told |= {"white": found.white, "ratio_beyond": found.ratio, "share_beyond": found.share}
        told |= {"noise_floor": found.floor, f"frequency_per_{unit}": found.frequency}
        told |= {"raw_power": found.raw, "result_power": found.result}
        click.echo(json.dumps({name: _plain(value) for name, value in told.items()}))
        return codes.DONE
    for line in _bands(found, unit):
        echo(line)
    if found.limit is None:
        echo("the raw image shows nothing but noise at any period")
    else:
        echo(f"the raw image shows more than noise down to a period of {1 / found.limit:.4g} {unit}")
    if not found.white:
        echo("its noise is not white, so that is its finest lattice peak; structure that is weaker may be finer")
    if found.ratio is None or found.share is None:
        echo("pixels are no finer: there is nothing beyond to compare")
        return codes.DONE
    there = f"{found.ratio:.2g} of the raw power, which is {found.share:.2g} of its own"
    echo(f"beyond, the result has {there}: noise that was left, or detail that was")
    echo("made up. Never read resolution off a restored image's Fourier transform")
    return codes.DONE


def _bands(found: Spectra, unit: str) -> Iterator[str]:
    """Yield a table of the power in a few bands."""
    yield f"{'period/' + unit:>18}  {'result/raw':>10}  {'raw/noise':>10}"
    edges = np.unique(np.rint(np.linspace(0, len(found.frequency), 9)).astype(int)).tolist()
    for start, end in pairwise(edges):
        raw, result = float(found.raw[start:end].mean()), float(found.result[start:end].mean())
        coarse, fine = 1 / found.frequency[start], 1 / found.frequency[end - 1]
        over = raw / found.floor if found.floor > 0 else math.inf
        yield f"{coarse:.4g} to {fine:.4g}".rjust(18) + f"  {result / max(raw, 1e-300):>10.3g}  {over:>10.3g}"


def _period(frequency: float | None) -> float | None:
    return 1 / frequency if frequency else None


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _warn(compared: Compared) -> None:
    for warning in compared.warnings:
        echo(warning, err=True)


def _restored(path: Path) -> Iterator[str]:
    note = io.provenance(path)
    if note and "model" in note:
        yield (
            f"{path}: was restored by {note['model']}: what a network puts into images alike passes for signal "
            "here; take the raw files"
        )


def _mean(path: Path, frames: io.Frames, start: int, step: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    total = np.zeros(frames.shape[-2:])
    places = range(start, len(frames), step)
    for frame in _finite(path, map(frames.__getitem__, places)):
        total += frame
    return total / len(places)


def _finite(path: Path, frames: Iterable[io.Array]) -> Iterator[io.Array]:
    for frame in frames:
        if not np.isfinite(frame).all():
            raise ImageError(f"{path}: some pixels are NaN or infinite; replace them first")
        yield frame


def _other_scale(first: Path, scale: Scale, second: Path, other: Scale) -> Iterator[str]:
    if not scale.agrees(other):
        sizes = f"{other.side:.4g} nm, those of {first} {scale.side:.4g} nm"
        yield f"{second}: its pixels are {sizes}, which are taken here"
