"""Lines of text in pictures, in the letters that come with Pillow; those of units that these lack are drawn."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

PLAIN = {"µ": "u", "Å": "A", "±": "+"}
"""Letters that are drawn as one of Pillow's and something added."""

WIDTH = 0.56
"""Of a letter in the mean, of its height."""


def write(
    on: "ImageDraw", place: tuple[float, float], text: str, size: int, *, fill: int, edge: int | None = None
) -> None:
    """Write a line whose lower left is at ``place``, of letters ``size`` pixels high; with an edge of another grey.

    Letters that Pillow lacks become ``?``, but for those of `PLAIN`.
    """
    from PIL import ImageFont

    font = ImageFont.load_default(size)
    width = max(1, size // 12) if edge is not None else 0
    x, y = place
    for letter in text:
        plain = PLAIN.get(letter, letter if letter.isascii() and letter.isprintable() else "?")
        step = font.getlength(plain)
        for grown, colour in ((width, edge), (0, fill)):
            if colour is not None:
                on.text((x, y), plain, font=font, fill=colour, anchor="ls", stroke_width=grown, stroke_fill=colour)
                _add(on, letter, (x, y, step, size), grown, colour)
        x += step


def _add(on: "ImageDraw", letter: str, box: tuple[float, float, float, float], grown: int, colour: int) -> None:
    """Draw what a letter has more than its plain one, at x and y, of a width and a height, all round grown."""
    x, y, step, size = box
    if letter == "µ":
        left, top, right, bottom = x + 0.07 * size, y - 0.45 * size, x + 0.155 * size, y + 0.2 * size
    elif letter == "±":
        left, top, right, bottom = x + 0.08 * step, y, x + 0.92 * step, y + 0.06 * size
    elif letter == "Å":
        middle, reach, top = x + step / 2, 0.11 * size, y - 0.92 * size
        ring = (middle - reach - grown, top - grown, middle + reach + grown, top + 2 * reach + grown)
        on.ellipse(ring, outline=colour, width=max(1, round(size / 14)) + 2 * grown)
        return
    else:
        return
    on.rectangle((left - grown, top - grown, right + grown, bottom + grown), fill=colour)
