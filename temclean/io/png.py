"""Read and write PNG of 8 and 16 bits. It holds no calibration in units of the specimen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temclean.errors import ImageError
from temclean.io.image import Array, Image
from temclean.io.messages import silence
from temclean.io.note import Note
from temclean.io.pictures.frames import COLOUR, GREY, PictureFrames

with silence:
    from PIL import PngImagePlugin

DTYPES = frozenset(["u1", "u2"])
KEY = "temclean"


@dataclass(frozen=True)
class PngContainer:
    """What a PNG result takes over from its source."""

    texts: dict[str, str]
    dpi: tuple[float, float] | None


def read(path: Path) -> Image:
    """Open a PNG file."""
    warnings: list[str] = []
    with path.open("rb") as file:
        head = file.read(26)
    with _open(path) as image:
        mode = image.mode
        if mode not in GREY and mode not in COLOUR:
            raise ImageError(f"{path}: a PNG of mode {mode} is not supported; save it as greys of 8 or 16 bits")
        frames = PictureFrames(path, _open, image.size, mode)
        texts = {name: value for name, value in image.info.items() if isinstance(name, str) and isinstance(value, str)}
        dpi = image.info.get("dpi")
    if mode in COLOUR:
        depth = " of its upper 8 bits" if len(head) == 26 and head[24] == 16 else ""
        warnings.append(f"the image is in colour; the luminance{depth} is used")
    container = PngContainer({name: value for name, value in texts.items() if name != KEY}, dpi)
    return Image(frames, None, None, "YX", dict(texts), ".png", tuple(warnings), container)


def _open(path: Path) -> PngImagePlugin.PngImageFile:
    return PngImagePlugin.PngImageFile(path)


def write(path: Path, image: Image, dtype: np.dtype[Any], frames: Iterator[Array], note: Note | None) -> None:
    """Write the one frame to `path`."""
    from PIL import Image as Pillow

    source = image.container if isinstance(image.container, PngContainer) else PngContainer({}, None)
    info = PngImagePlugin.PngInfo()
    for name, value in source.texts.items():
        if 0 < len(name) < 80 and name.isascii():
            info.add_itxt(name, value)
    options: dict[str, Any] = {"dpi": source.dpi} if source.dpi else {}
    image.warn_of_lost_size("PNG")
    (frame,) = frames
    if note is not None:
        info.add_itxt(KEY, note.text())
    picture = Pillow.fromarray(np.ascontiguousarray(frame, dtype))
    picture.save(path, format="PNG", pnginfo=info, **options)


def provenance(path: Path) -> str | None:
    """Return the text chunk."""
    with PngImagePlugin.PngImageFile(path) as image:
        value = image.info.get(KEY)
    return str(value) if value is not None else None
