"""The pictures of one image on a page: raw and restored, what was removed, and a small one for the overview."""

from dataclasses import dataclass
from io import BytesIO

from temclean.commands.views import greys, scale_bar
from temclean.commands.views.greys import Picture
from temclean.commands.views.pair import Pair

SIDE, SMALL = 768, 160
"""Pixels of the longer side of a picture and of that in the overview, at most."""

LETTERS = 20
"""Height of the letters of a scale bar, in pixels, where there is room."""


@dataclass(frozen=True)
class Plate:
    """A picture as JPEG.

    Attributes
    ----------
    kind : ``small``, ``raw``, ``restored``, ``residual``, ``raw-middle`` or ``restored-middle``.
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
    shown = {"raw": greys.contrasted(raw), "restored": greys.contrasted(restored)}
    small = greys.contrasted(greys.reduced(restored, greys.factor(restored.shape, SMALL)))
    plates = [_plate("small", small)]
    plates += [_plate(kind, picture, _bar(pair, picture, factor)) for kind, picture in shown.items()]
    plates.append(_plate("residual", greys.about_zero(raw - restored)))
    if factor > 1:
        for kind, frame in (("raw-middle", pair.raw), ("restored-middle", pair.restored)):
            picture = greys.contrasted(greys.middle(frame, max(raw.shape)))
            plates.append(_plate(kind, picture, _bar(pair, picture, 1)))
    return plates


def _bar(pair: Pair, picture: Picture, factor: int) -> scale_bar.Bar | None:
    if pair.pixel_size is None or pair.unit is None:
        return None
    return scale_bar.bar(pair.pixel_size[1] * factor, pair.unit, picture.shape[1])


def _plate(kind: str, picture: Picture, shown: scale_bar.Bar | None = None) -> Plate:
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    if shown and min(picture.shape) >= 4 * LETTERS:
        scale_bar.draw(ImageDraw.Draw(image), (0, 0, *image.size), shown, LETTERS)
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return Plate(kind, image.width, image.height, file.getvalue())
