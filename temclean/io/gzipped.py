"""Read any format behind gzip, as ``x.mrc.gz``: a temporary file, within bounds, for as long as it is open."""

import gzip
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from temclean.errors import ImageError, TemcleanError
from temclean.io.formats import GZIP, identify
from temclean.io.image import Array, Frames, Image
from temclean.io.messages import damaged, printable

_BLOCK = 1 << 20
_GENEROUS = 1 << 28
_MOST_COMPRESSION = 100
"""Counted images reach 20; a small file may hold more."""


class UnpackedFrames(Frames):
    """Frames of a temporary file, which goes with them."""

    holds_file = True

    def __init__(self, path: Path, unpacked: Path, frames: Frames) -> None:
        super().__init__(path, frames.shape, frames.dtype)
        self.unpacked, self.frames = unpacked, frames
        self.clear = weakref.finalize(self, shutil.rmtree, unpacked.parent, ignore_errors=True)

    def frame(self, index: int) -> Array:
        with naming(self.path, self.unpacked):
            return self.frames.frame(index)

    def close(self) -> None:
        self.frames.close()
        self.clear()


def read(path: Path) -> Image:
    """Open a gzip-compressed image file."""
    folder = Path(tempfile.mkdtemp(prefix="temclean-"))
    unpacked = folder / (path.stem or "image")
    try:
        unpack(path, unpacked)
        with naming(path, unpacked):
            form = identify(unpacked)
            if form is GZIP:
                raise ImageError(f"{path}: is compressed twice; unpack it once with gunzip")
            image: Image = form.load().read(unpacked)
            frames = UnpackedFrames(path, unpacked, image.pixels)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return replace(image, pixels=frames)


def unpack(path: Path, target: Path) -> None:
    """Write what is in `path` to `target`.

    Raises
    ------
    ImageError : it is damaged, or unpacks to far more than an image would.
    """
    most = max(_GENEROUS, _MOST_COMPRESSION * path.stat().st_size)
    left = most
    with gzip.open(path) as packed, target.open("wb") as file:
        while True:
            try:
                block = packed.read(min(_BLOCK, left + 1))
            except EOFError as error:
                raise damaged(path, "it is cut short") from error
            except OSError as error:
                raise damaged(path, printable(error)) from error
            if not block:
                return
            left -= len(block)
            if left < 0:
                raise ImageError(f"{path}: unpacks to more than {most} bytes, no image would; if it is one, use gunzip")
            file.write(block)


@contextmanager
def naming(path: Path, unpacked: Path) -> Iterator[None]:
    """Let errors name the file that the user knows."""
    try:
        yield
    except TemcleanError as error:
        raise type(error)(str(error).replace(str(unpacked), str(path))) from error
