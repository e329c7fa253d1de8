"""Scale bars: how long they are, and how they are drawn."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from temclean.commands.views import letters
from temclean.io.units import METRES

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

LONGEST = 0.3
"""Of the width of an image; the shortest bar is then 0.12 of it."""

SHOWN = "pm", "nm", "µm", "mm", "m"
"""Units that a length is brought to, where its own would take a number below 0.1 or of four digits."""


@dataclass(frozen=True)
class Bar:
    """A scale bar.

    Attributes
    ----------
    pixels : its length in pixels of the image.
    label : what it stands for, such as ``5 nm``.
    """

    pixels: float
    label: str


def bar(pixel_size: float, unit: str, width: int) -> Bar:
    """Return the longest bar of 1, 2 or 5 times a power of ten that is at most `LONGEST` of the width.

    Parameters
    ----------
    pixel_size : float
        Width of a pixel, in ``unit``.
    unit : str
        As :attr:`temclean.io.Image.unit`.
    width : int
        Of the image, in pixels.

    Examples
    --------
    >>> bar(0.02, "nm", 512)
    Bar(pixels=100.0, label='2 nm')
    >>> bar(0.004, "µm", 1024)
    Bar(pixels=250.0, label='1 µm')
    """
    longest = LONGEST * width * pixel_size
    power = math.floor(math.log10(longest))
    length = max(n * 10.0**power for n in (1, 2, 5) if n * 10.0**power <= longest * (1 + 1e-9))
    return Bar(round(length / pixel_size, 6), _label(length, unit))


def _label(length: float, unit: str) -> str:
    if unit in METRES and not 0.1 <= length < 1000:
        metres = length * METRES[unit]
        unit = next((each for each in reversed(SHOWN) if metres >= METRES[each] * (1 - 1e-9)), SHOWN[0])
        length = metres / METRES[unit]
    return f"{length:.6g} {unit}"


def draw(on: "ImageDraw", box: tuple[int, int, int, int], shown: Bar, size: int) -> None:
    """Draw a bar into the lower left of a box (left, top, right, bottom), white with a dark edge, its label above.

    ``size`` is that of the letters, in pixels; the bar's length is taken as it is.
    """
    left, _, _, bottom = box
    thick, margin = max(3, size // 4), size // 2
    x, y = left + margin, bottom - margin - thick
    on.rectangle((x - 1, y - 1, x + round(shown.pixels), y + thick), fill=255, outline=0)
    letters.write(on, (x, y - size // 3), shown.label, size, fill=255, edge=0)
