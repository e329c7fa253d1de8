"""Small files of every format, and ways to damage them: for the tests, and for ``make fuzz``."""

import math
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
from microscope_files import write_dm, write_hspy, write_ncem, write_ser, write_velox
from PIL import Image as Pillow

from temclean import io
from temclean.errors import FileError, ImageError, MissingExtraError


def counts(dtype: str = "u2", shape: tuple[int, ...] = (3, 24, 17)) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 99, shape).astype(dtype)


def deflated(path: Path) -> None:
    tifffile.imwrite(path, counts(), compression="zlib", rowsperstrip=5, photometric="minisblack")


def tiled(path: Path) -> None:
    tifffile.imwrite(path, counts("f4"), compression="zlib", tile=(16, 16), byteorder=">", photometric="minisblack")


def ome(path: Path) -> None:
    tifffile.imwrite(path, counts(), ome=True, metadata={"axes": "TYX", "PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0})


def big(path: Path) -> None:
    tifffile.imwrite(path, counts(), bigtiff=True, photometric="minisblack")


def lzw(path: Path) -> None:
    Pillow.fromarray(counts("u1", (60, 70))).save(path, compression="tiff_lzw")


def packbits(path: Path) -> None:
    Pillow.fromarray(counts("u1", (60, 70))).save(path, compression="packbits")


def png(path: Path) -> None:
    Pillow.fromarray(counts("u2", (60, 70))).save(path)


def result(path: Path) -> None:
    image = io.Image.from_array(counts("i2"), pixel_size=0.1, unit="nm", metadata={"a": {"b": 1}})
    io.write(path, image, iter(image.pixels), {"temclean": "0.1.0", "model": "sp"})


MADE: dict[str, Callable[[Path], object]] = {
    "deflated.tif": deflated,
    "tiled.tif": tiled,
    "ome.ome.tif": ome,
    "big.btf": big,
    "lzw.tif": lzw,
    "packbits.tif": packbits,
    "grey.png": png,
    "result.tif": result,
    "result.mrc": result,
    "result.npy": result,
    "made.dm3": lambda path: write_dm(path, counts("u2", (24, 17))),
    "made.dm4": lambda path: write_dm(path, counts("f4")),
    "made_1.ser": lambda path: write_ser(path, counts("u2", (3, 24, 24)), wide=True),
    "velox.emd": lambda path: write_velox(path, {"HAADF": counts("u2", (24, 17, 3))}),
    "ncem.emd": lambda path: write_ncem(path, counts()),
    "made.hspy": lambda path: write_hspy(path, counts()),
}
SMALL = 1 << 16
"""Pixels of which a result is made."""
NEEDS_H5PY = {".emd", ".hspy"}


def damage(data: bytes, chance: random.Random) -> bytes:
    """Cut a file short, or change a few bits where it matters: in its head, its tail, or anywhere."""
    size = len(data)
    if chance.random() < 0.3:
        return data[
            : chance.choice([chance.randrange(size), chance.randrange(min(size, 600)), size - chance.randrange(1, 300)])
        ]
    copy = bytearray(data)
    first, last = chance.choice([(0, min(size, 256)), (0, min(size, 4096)), (max(0, size - 2048), size), (0, size)])
    for _ in range(chance.choice([1, 1, 2, 8])):
        place = chance.randrange(first, last)
        copy[place] = copy[place] ^ 1 << chance.randrange(8) if chance.random() < 0.5 else chance.choice([0, 127, 255])
    return bytes(copy)


def read_again(path: Path, image: io.Image) -> None:
    """Write a result of an image that could be opened, and see that it opens too and holds the same."""
    frames = list(image.pixels)
    target = path.with_name(f"{path.stem}_again{io.output_suffix(path)}")
    io.write(target, image, frames, {"temclean": "0.1.0"})
    with io.read(target) as again:
        assert (again.pixels.shape, again.pixels.dtype) == (image.pixels.shape, image.pixels.dtype)
        for before, after in zip(frames, again.pixels, strict=True):
            np.testing.assert_array_equal(after, before)
    assert (io.provenance(target) or {}).get("temclean") == "0.1.0"


def open_fully(path: Path) -> str:
    """Read a file's first frames; return "opened", or the one line that it gives."""
    try:
        with io.read(path) as image:
            for index in range(min(3, len(image.pixels))):
                assert image.pixels[index].shape == image.pixels.shape[-2:]
            if math.prod(image.pixels.shape) <= SMALL:
                read_again(path, image)
            if any("lost" in warning for warning in image.warnings):
                return "opened, with a warning"
    except (FileError, ImageError, MissingExtraError) as error:
        line = str(error)
        assert path.stem in line
        assert "\n" not in line
        assert len(line) < 500
        assert ";" in line, "the remedy is missing"
        return line
    return "opened"
