"""The pictures of one image on a page: raw and restored, what was removed, and a small one for the overview."""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from temclean.commands.views import greys, scale_bar
from temclean.commands.views.greys import Picture
from temclean.commands.views.pair import Pair
from temclean.commands.views.verdicts import Doubt

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

SIDE, SMALL = 768, 160
"""Pixels of the longer side of a picture and of that in the overview, at most."""

LETTERS = 20
"""Height of the letters of a scale bar, in pixels, where there is room."""


RING = 9
"""Radius of a ring around a doubtful spot, in pixels of the picture."""

RINGS = {"weak": "#ffb000", "unsupported": "#ff4040", "lost": "#35c4ff"}


@dataclass(frozen=True)
class Plate:
    """A picture as JPEG.

    Attributes
    ----------
    kind : ``small``, ``raw``, ``restored``, ``residual``, ``raw-middle``, ``restored-middle`` or ``support``.
    width, height : in pixels.
    """

    kind: str
    width: int
    height: int
    content: bytes


def draw(pair: Pair) -> list[Plate]:
    """Return all pictures of a pair; those of the middle, pixel by pixel, only of an image that had to be reduced."""
    factor = greys.factor(pair.raw.shape, SIDE)
    raw, restored = (greys.reduced(frame, factor) for frame in (pair.raw, pair.restored))
    above = -(-pair.above // factor)
    shown = {"raw": greys.contrasted(raw, above), "restored": greys.contrasted(restored, above)}
    side = greys.factor(restored.shape, SMALL)
    plates = [_plate("small", greys.contrasted(greys.reduced(restored, side), -(-pair.above // side)))]
    plates += [_plate(kind, picture, _bar(pair, picture, factor), above) for kind, picture in shown.items()]
    plates.append(_plate("residual", greys.about_zero(raw - restored)))
    if factor > 1:
        for kind, frame in (("raw-middle", pair.raw), ("restored-middle", pair.restored)):
            picture = greys.contrasted(greys.middle(frame, max(raw.shape)))
            plates.append(_plate(kind, picture, _bar(pair, picture, 1)))
    return plates


def marked(pair: Pair, doubts: Iterable[Doubt]) -> Plate:
    """Return the result with a ring around each doubtful spot, in the colour of its verdict (`RINGS`)."""
    from PIL import Image, ImageDraw

    factor = greys.factor(pair.raw.shape, SIDE)
    picture = greys.contrasted(greys.reduced(pair.restored, factor), -(-pair.above // factor))
    image = Image.fromarray(picture).convert("RGB")
    on = ImageDraw.Draw(image)
    for doubt in doubts:
        x, y = ((place + 0.5) / factor - 0.5 for place in (doubt.column, doubt.row))
        on.ellipse((x - RING, y - RING, x + RING, y + RING), outline=RINGS.get(doubt.verdict, RINGS["weak"]), width=3)
    return _encoded("support", image)


def _bar(pair: Pair, picture: Picture, factor: int) -> scale_bar.Bar | None:
    if pair.pixel_size is None or pair.unit is None:
        return None
    return scale_bar.bar(pair.pixel_size[1] * factor, pair.unit, picture.shape[1])


def _plate(kind: str, picture: Picture, shown: scale_bar.Bar | None = None, bottom: int | None = None) -> Plate:
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    if shown and min(picture.shape) >= 4 * LETTERS:
        scale_bar.draw(ImageDraw.Draw(image), (0, 0, image.width, bottom or image.height), shown, LETTERS)
    return _encoded(kind, image)


def _encoded(kind: str, image: "PillowImage") -> Plate:
    file = BytesIO()
    image.save(file, "JPEG", quality=85, subsampling=0)
    return Plate(kind, image.width, image.height, file.getvalue())
