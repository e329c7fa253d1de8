"""Read JPEG and BMP, as scanning electron microscopes export them; results become TIFF."""

from pathlib import Path
from typing import TYPE_CHECKING

from temclean.errors import ImageError
from temclean.io.image import Image
from temclean.io.messages import silence
from temclean.io.pictures import beside
from temclean.io.pictures.frames import COLOUR, GREY, PictureFrames

with silence:
    from PIL import BmpImagePlugin, JpegImagePlugin

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


def read(path: Path) -> Image:
    """Open a JPEG or BMP file."""
    with path.open("rb") as file:
        jpeg = file.read(2) == b"\xff\xd8"
    kind = "JPEG" if jpeg else "BMP"
    opener = _open_jpeg if jpeg else _open_bmp
    with opener(path) as picture:
        mode, size = picture.mode, picture.size
        facts = {name: value for name, value in picture.info.items() if isinstance(name, str) and _says(value)}
    if mode not in GREY and mode not in COLOUR:
        raise ImageError(f"{path}: {kind} in colours of mode {mode} is not supported; export it in greys, as TIFF")
    warnings = []
    if jpeg:
        warnings.append(
            "JPEG has changed the noise, and left blocks that a model may take for structure; export TIFF where you can"
        )
    if mode in COLOUR:
        warnings.append("the image is in colour; its luminance is used")
    frames = PictureFrames(path, opener, size, mode)
    note = beside.read(path, frames.shape, warnings)
    if note is None:
        return Image(frames, metadata=facts, suffix=path.suffix.lower(), warnings=tuple(warnings))
    metadata = {**facts, note.program: note.entries}
    return Image(frames, note.pixel_size, note.unit, "YX", metadata, path.suffix.lower(), tuple(warnings))


def _open_jpeg(path: Path) -> "ImageFile":
    return JpegImagePlugin.JpegImageFile(path)


def _open_bmp(path: Path) -> "ImageFile":
    return BmpImagePlugin.BmpImageFile(path)


def _says(value: object) -> bool:
    return isinstance(value, str | int | float) or (isinstance(value, tuple) and len(value) < 5)
