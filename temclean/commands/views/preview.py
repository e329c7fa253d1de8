"""A picture of a raw image and its result side by side, with a scale bar."""

from pathlib import Path
from typing import Any

import numpy as np

from temclean import __version__, io
from temclean.commands.jobs import PREVIEW
from temclean.commands.views import greys, letters, scale_bar
from temclean.commands.views.greys import Picture
from temclean.commands.views.pair import Pair
from temclean.errors import FileError

SIDE = 1024
"""Pixels of the longer side of either picture, at most; smaller ones are shown as they are."""

SMALL = 256
"""Pixels up to which images are enlarged, that letters may be read."""

GAP = 8
"""Pixels between the two."""


def place_of(target: Path) -> Path:
    """Return where the preview of a result goes: ``STEM_preview.png`` beside it."""
    return target.with_name(f"{target.stem}_preview.png")


def draw(pair: Pair) -> Picture:
    """Return both pictures side by side, each in its own contrast, under them what they are.

    Of images larger than `SIDE`, means over squares of pixels are shown, and under them their middle pixel by pixel:
    noise is not to be judged by means.
    """
    both, factor = (pair.raw, pair.restored), greys.factor(pair.raw.shape, SIDE)
    times = max(1, SMALL // max(pair.raw.shape))
    above = -(-pair.above // factor)
    rows = [[_enlarged(greys.contrasted(greys.reduced(frame, factor), above), times) for frame in both]]
    names, sizes = [_names(pair, "" if factor == 1 else ", all of it")], [factor / times]
    if factor > 1:
        rows.append([greys.contrasted(greys.middle(frame, max(rows[0][0].shape))) for frame in both])
        names.append(_names(pair, ", the middle"))
        sizes.append(1.0)
    bars = [_bar(pair, row[0].shape[1], size) for row, size in zip(rows, sizes, strict=True)]
    return _composed(rows, names, bars, rows[0][0].shape[0] - above * times)


def write(pair: Pair, result: Path, *, replace: bool) -> Path:
    """Draw a pair and write it beside its result; return where.

    A preview that is there is replaced, and with ``replace`` any file.

    Raises
    ------
    FileError
        Something else is there, or it cannot be written.
    """
    path = place_of(result)
    ours = PREVIEW in (io.provenance(path) or {})
    if path.exists() and not (replace or ours):
        raise FileError(f"{path}: exists and is no preview; --overwrite replaces it")
    picture = draw(pair)
    note: dict[str, Any] = {"temclean": __version__, PREVIEW: result.name, "model": pair.made.get("model")}
    return io.write(path, io.Image.from_array(picture), [picture], note)


def _names(pair: Pair, part: str) -> tuple[str, str]:
    which = f", frame {pair.frame} of {pair.frames}" if pair.frames > 1 else ""
    model = pair.made.get("model")
    blend = pair.made.get("blend")
    mixed = f", {blend:.0%} raw" if isinstance(blend, int | float) else ""
    return f"raw{which}{part}", f"{model or 'restored'}{mixed}{which}{part}"


def _bar(pair: Pair, width: int, size: float) -> scale_bar.Bar | None:
    """Return the bar of a picture so wide, of whose pixels each is ``size`` of the image's."""
    if pair.pixel_size is None or pair.unit is None:
        return None
    return scale_bar.bar(pair.pixel_size[1] * size, pair.unit, width)


def _enlarged(picture: Picture, times: int) -> Picture:
    return np.kron(picture, np.ones((times, times), np.uint8))


def _composed(
    rows: list[list[Picture]], names: list[tuple[str, str]], bars: list[scale_bar.Bar | None], below: int
) -> Picture:
    """Put pictures and letters together; ``below`` are the rows of the first ones that are a data bar."""
    from PIL import Image, ImageDraw

    width = max(SMALL, *(row[0].shape[1] for row in rows))  # of letters too
    size = max(14, width // 36)
    strip = size * 7 // 4
    heights = [row[0].shape[0] + strip for row in rows]
    canvas = Image.new("L", (2 * width + GAP, sum(heights)), 255)
    on = ImageDraw.Draw(canvas)
    top = 0
    for row, texts, shown, height in zip(rows, names, bars, heights, strict=True):
        for picture, text, left in zip(row, texts, (0, width + GAP), strict=True):
            canvas.paste(Image.fromarray(picture), (left, top))
            bottom = top + picture.shape[0]
            if shown:
                scale_bar.draw(on, (left, top, left + picture.shape[1], bottom - below), shown, size)
            letters.write(on, (left + size // 4, bottom + size * 5 // 4), text, size, fill=0)
        top, below = top + height, 0
    return np.asarray(canvas)
