"""A part of an image as each model that fits it restores it, on one sheet, with what is known of its noise."""

import math
import os
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import __version__, filters, io
from temclean.commands import account
from temclean.commands.inspection import Inspection
from temclean.commands.jobs import PREVIEW
from temclean.commands.records import naming
from temclean.commands.views import greys, letters, scale_bar
from temclean.commands.views.greys import Picture
from temclean.errors import ParameterError
from temclean.evidence import blocks, data_bar, noise
from temclean.evidence.findings import Findings
from temclean.restoration import cautions, choice, inference, models, pipeline
from temclean.restoration.models import Device, Model, Normalisation, Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.together import Order

SIDE, MARGIN = 256, 64
"""Pixels of the part that is shown, and around it of what models see."""

TIMES, ACROSS, GAP, SIZE = 2, 3, 12, 18
"""How much it is enlarged, pictures in a row, pixels between them, and height of the letters."""

PARTICLES = {"lde"}
"""Noise families whose models have seen no atoms."""

NO_ATOMS = "this is not an image of bright atoms on an even ground"
NO_PARTICLES = "this is not an image of dark particles at few counts"
NOT_WHITE = "the noise is not white and of one strength everywhere"
"""Why models are left out."""

BRIGHT = 0.5
"""Skewness of what is fine in a result, from which on it shows bright atoms; dark particles make it negative."""

FEW_COUNTS = 30.0
"""Electrons a pixel that are few."""

FINE, WIDE = 1.5, 6.0
"""Pixels: widths of the Gaussians between which what is fine lies."""

CELL = 16
"""Side of the squares in whose means structure is looked for."""


@dataclass(frozen=True)
class Panel:
    """A picture and the lines under it."""

    picture: Picture
    lines: tuple[str, ...]


def check(path: Path, *, overwrite: bool) -> None:
    """Refuse a name that a sheet cannot be written under, before anything is drawn.

    Raises
    ------
    ParameterError
        It is not that of a PNG, something has it that may not be replaced, or its folder is not there.
    """
    if path.suffix.lower() != ".png":
        raise ParameterError(f"{path}: a sheet is a PNG; give a name that ends in .png")
    if not path.parent.is_dir():
        raise ParameterError(f"{path}: there is no folder {path.parent}; make it first, or give another name")
    if os.path.lexists(path) and not overwrite:
        raise ParameterError(f"{path}: exists; --overwrite replaces it")


def with_sheet(
    inspections: Iterable[Inspection], path: Path, device: Device = "auto", *, overwrite: bool = False
) -> Iterator[Inspection]:
    """Yield the one image that was looked into, after its sheet is written.

    Raises
    ------
    ParameterError
        There are several, or the name of the sheet is that of the image.
    FileError, ImageError
        It cannot be written, or the image not be restored.
    """
    few = list(zip(range(2), inspections, strict=False))
    if len(few) > 1:
        raise ParameterError(
            "a sheet is of one image, and there are several; name one FILE, or one of its with --image"
        )
    for _, found in few:
        if not found.error:
            source = Path(found.input)
            if path.exists() and path.samefile(source):
                raise ParameterError(f"{path}: the sheet would be written over its image; give another name")
            with naming(source):
                picture = draw(found, device)
            note = {"temclean": __version__, PREVIEW: source.name}
            io.write(path, io.Image.from_array(picture), [picture], note, replace=overwrite)
        yield found if found.error else replace(found, sheet=str(path))


def draw(found: Inspection, device: Device = "auto") -> Picture:
    """Draw the sheet of an image: the part of its first frame with most structure, raw and by each model that fits."""
    with io.read(found.input, found.image) as image:
        frame = image.pixels[0]
        frame = frame[: data_bar.rows_above(frame)]
        top, left = place(frame, SIDE)
        rows, columns = (slice(max(0, first - MARGIN), first + SIDE + MARGIN) for first in (top, left))
        part = frame[rows, columns].astype(np.float32)  # a few counts are not to be rounded to whole ones
        inner = tuple(slice(first, first + SIDE) for first in (top - rows.start, left - columns.start))
        panels = [Panel(greys.contrasted(part[inner]), (f"raw, at row {top}, column {left}",))]
        scales: dict[Normalisation, Scaling] = {}
        left_out: dict[str, str] = {}
        atomic, skewness = _atomic(found.period, image.angstroms), 0.0
        for model in map(models.load, sorted(models.available(), key=lambda each: (each != found.model, each))):
            why_not = None if model.name == found.model else _why_not(model, found, atomic, skewness)
            if not why_not:
                if model.normalisation not in scales:
                    scales[model.normalisation] = pipeline.scaling(
                        image.pixels, model, order=Order.of(image.pixels.shape, image.axes)
                    )
                restored, level, lacks = _restored(
                    part, models.open_session(model, device), scales[model.normalisation].of(0)
                )
                why_not = NO_ATOMS if lacks.agreement.clear else None
            if why_not:
                left_out[model.name] = why_not
                continue
            if model.name == found.model:
                skewness = _fine_skewness(restored)
            title = f"{model.name}, which auto takes" if model.name == found.model else model.name
            lines = (title, *_said(level, lacks, (rows.start, columns.start)))
            panels.append(Panel(greys.contrasted(restored[inner]), lines))
        bar = None
        if image.pixel_size is not None and image.unit is not None:
            bar = scale_bar.bar(image.pixel_size[1] / TIMES, image.unit, panels[0].picture.shape[1] * TIMES)
    return _composed(found, panels, left_out, bar)


def _why_not(model: Model, found: Inspection, atomic: bool, skewness: float) -> str | None:
    """Return why a model does not fit an image, as far as that can be told without running it.

    ``atomic`` is whether it may show atoms, ``skewness`` that of what is fine in the result of the model that auto
    takes, 0 where there is none.
    """
    report = found.noise
    if report is None:
        return None
    if model.family in inference.WILD:
        return "few pixels are wild" if report.impulses <= noise.IMPULSES else None
    if model.family in pipeline.FLATTENING:
        return None if atomic and skewness > BRIGHT else NO_ATOMS
    if model.family in PARTICLES:
        counts = (found.median - report.offset) / report.gain if report.gain > 0 and found.median else math.inf
        return None if counts < FEW_COUNTS and skewness < 0 and not atomic else NO_PARTICLES
    even = report.white and not report.gain
    return NOT_WHITE if model.family in cautions.WHITE and not even else None


def _atomic(period: float | None, angstroms: float | None) -> bool:
    """Return whether an image may show atoms: by its scale, or by what repeats in it."""
    if angstroms is None:
        return period is not None
    return angstroms <= (choice.ATOMIC if period is None else choice.COARSE)


def _fine_skewness(restored: NDArray[Any]) -> float:
    """Return the skewness of what is fine in a result."""
    span = float(np.ptp(restored))
    if not span > 0:
        return 0.0
    single = ((restored - float(restored.mean())) / span).astype(np.float32)
    return blocks.skewness(filters.gaussian(single, FINE) - filters.gaussian(single, WIDE))


def place(frame: NDArray[Any], side: int) -> tuple[int, int]:
    """Return the first row and column of the square of a frame in which means over `CELL` pixels differ most."""
    cells = greys.reduced(frame, CELL)
    window = tuple(min(side // CELL, length) for length in cells.shape)
    spread = np.lib.stride_tricks.sliding_window_view(cells, window)[::2, ::2].std(axis=(2, 3))
    row, column = np.unravel_index(int(np.argmax(spread)), spread.shape)
    last = [max(0, length - side) for length in frame.shape]
    return min(int(row) * 2 * CELL, last[0]), min(int(column) * 2 * CELL, last[1])


def _restored(part: NDArray[Any], session: Session, scale: Scaling) -> tuple[NDArray[Any], float, Findings]:
    """Return what a model makes of a part of an image, how much it took out, and what is missing."""
    levels, lacks = [0.0], [Findings()]
    frames = pipeline.denoise_frames(part[None], session, scaling=scale, noise=levels.append, findings=lacks.append)
    restored = next(frames)
    return restored, levels[-1], lacks[-1]


def _said(level: float, lacks: Findings, start: tuple[int, int]) -> Iterator[str]:
    """Yield short lines about what a model took out; ``start`` is where its part of the image begins."""
    if level:
        yield f"removed noise: {level:.2g} of the contrast that is left"
    if lacks.missing.clear:
        yield f"structure is missing at row {start[0] + lacks.missing.row}, column {start[1] + lacks.missing.column}"
    if lacks.lattice.clear:
        yield f"a pattern of {lacks.lattice.period:.1f} pixels is {lacks.lattice.share:.0%} weaker"


def _composed(found: Inspection, panels: list[Panel], left_out: dict[str, str], bar: scale_bar.Bar | None) -> Picture:
    from PIL import Image, ImageDraw

    height, width = (length * TIMES for length in panels[0].picture.shape)
    column = max(width, SIDE * TIMES)
    step = SIZE * 4 // 3
    strip = step * max(len(panel.lines) for panel in panels) + GAP
    rows = -(-len(panels) // ACROSS)
    total = ACROSS * column + (ACROSS + 1) * GAP
    text = list(_text(found, left_out, int((total - 2 * GAP) / (letters.WIDTH * SIZE))))
    canvas = Image.new("L", (total, GAP + rows * (height + strip) + step * len(text) + GAP), 255)
    on = ImageDraw.Draw(canvas)
    for number, panel in enumerate(panels):
        left = GAP + number % ACROSS * (column + GAP)
        top = GAP + number // ACROSS * (height + strip)
        canvas.paste(Image.fromarray(np.kron(panel.picture, np.ones((TIMES, TIMES), np.uint8))), (left, top))
        if bar:
            scale_bar.draw(on, (left, top, left + width, top + height), bar, SIZE)
        for line, words in enumerate(panel.lines):
            letters.write(on, (left, top + height + step * (line + 1) - 4), words, SIZE, fill=0 if line == 0 else 90)
    for line, words in enumerate(text):
        letters.write(on, (GAP, GAP + rows * (height + strip) + step * (line + 1) - 4), words, SIZE, fill=0)
    return np.asarray(canvas)


def _text(found: Inspection, left_out: dict[str, str], width: int) -> Iterator[str]:
    """Yield lines of so many letters at most."""
    yield Path(found.input).name if found.image is None else f'{Path(found.input).name} "{found.image}"'
    lines = [f"{title}: {words}" if title else words for title, words in account.statements(found) if words]
    lines += [f"left out: {name}, as {why}" for name, why in left_out.items()]
    for line in lines:
        yield from textwrap.wrap(line.replace("²", "^2"), width, subsequent_indent="    ")
