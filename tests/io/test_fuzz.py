"""Damaged files: whatever is wrong with one, it opens, or one line says what to do; no hang, no heap of memory."""

import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from microscope_files import write_dm, write_emi, write_hspy, write_ncem, write_ser, write_velox
from PIL import Image as Pillow

from temclean import io
from temclean.errors import FileError, ImageError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = [
    "rebco_roi.dm3", "rock_sem_lzw.tif", "deapp_movie16.mrc", "scan5_1.ser", "scan5.emi", "dark5_1.ser", "dm_stack.tif",
    "imagej_stack.tif", "zeiss_sem_u8.tif", "si110_adf.png", "haadf_velox.emd", "survey_multi_signal.dm3",
]  # fmt: skip
COPIES = 40


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


def open_fully(path: Path) -> str:
    """Read a file's first frames; return "opened", or the one line that it gives."""
    try:
        with io.read(path) as image:
            for index in range(min(3, len(image.pixels))):
                assert image.pixels[index].shape == image.pixels.shape[-2:]
            if any("lost" in warning for warning in image.warnings):
                return "opened, with a warning"
    except (FileError, ImageError) as error:
        line = str(error)
        assert path.stem in line
        assert "\n" not in line
        assert len(line) < 500
        assert ";" in line, "the remedy is missing"
        return line
    return "opened"


def original(name: str, folder: Path) -> bytes:
    if Path(name).suffix in NEEDS_H5PY:
        pytest.importorskip("h5py")
    if name in MADE:
        MADE[name](folder / name)
        return (folder / name).read_bytes()
    source = DATA / name
    if not source.exists():
        pytest.skip("the collection of real files is not here")
    if name == "scan5.emi":
        (folder / "scan5_1.ser").write_bytes((DATA / "scan5_1.ser").read_bytes())
    return source.read_bytes()


@pytest.mark.parametrize("name", [*MADE, *REAL])
def test_damaged_copies(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = original(name, tmp_path)
    path = tmp_path / name
    chance = random.Random(name)
    path.write_bytes(data)
    assert open_fully(path) == "opened"
    outcomes = set()
    tracemalloc.start()
    start = time.monotonic()
    for _ in range(COPIES):
        path.write_bytes(damage(data, chance))
        outcomes.add(open_fully(path).startswith("opened"))
        io.provenance(path)
    seconds = time.monotonic() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert False in outcomes or name.endswith(".emi"), "the damage should be seen at least once"
    # A header may claim what its file could hold if it were well compressed, no more.
    assert peak < max(3000 * len(data), 64e6) + 64e6
    assert peak < 1.2e9
    assert seconds < 60
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", [*MADE, *REAL])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_half_a_file_is_never_taken_for_a_whole_one(name: str, part: float, tmp_path: Path) -> None:
    data = original(name, tmp_path)
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * part)])
    if path.suffix == ".emi":
        # The pixels are in the .ser: an .emi cut short only knows less of them.
        assert "\n" not in open_fully(path)
        return
    assert open_fully(path) != "opened"


def test_emi_that_is_noise(tmp_path: Path) -> None:
    write_ser(tmp_path / "a_1.ser", counts("u2", (3, 24, 24)))
    emi = write_emi(tmp_path / "a.emi", "STEM", False)
    text = emi.read_bytes()
    for cut in range(0, len(text), 17):
        emi.write_bytes(text[:cut] or b"J")
        open_fully(emi)
        open_fully(tmp_path / "a_1.ser")
