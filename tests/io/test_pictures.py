"""JPEG, BMP and the texts that scanning electron microscopes write beside pictures; packed and compressed files."""

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from temclean import io
from temclean.commands.inputs import expand
from temclean.commands.jobs import target
from temclean.errors import FileError, ImageError

NOTE = {"temclean": "0.1.0", "model": "sp"}

# As an 8530F wrote them; its pictures are 120 mm wide at the magnification it gives.
JEOL = """$CM_FORMAT JEOL-SEM
$CM_MAG 430
$CM_FULL_SIZE 2560 1920
$$SM_MICRON_BAR 91
$$SM_MICRON_MARKER 10um
"""
HITACHI = """[SemImageFile]\r
InstructName=SU8230\r
ImageName=a.tif\r
DataSize=40x30\r
PixelSize=9.921875\r
"""


def smooth(shape: tuple[int, ...]) -> np.ndarray:
    down, across = np.mgrid[: shape[0], : shape[1]]
    return (120 + 50 * np.sin(down / 9) + 50 * np.cos(across / 11)).astype("u1")


def picture(path: Path, array: np.ndarray) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, array, metadata=None)
    else:
        Pillow.fromarray(array).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".bmp"])
@pytest.mark.parametrize("colour", [False, True])
def test_pictures_are_read(tmp_path: Path, suffix: str, colour: bool) -> None:
    array = smooth((600, 41))  # more rows than are converted at a time
    path = picture(tmp_path / f"a{suffix}", np.stack([array] * 3, axis=-1) if colour else array)
    with io.read(path) as image:
        assert np.abs(image.pixels[0].astype(int) - array).max() <= (4 if suffix != ".bmp" else 0)
        assert image.pixels.dtype == np.uint8
        assert any("blocks" in line for line in image.warnings) == (suffix != ".bmp")
        assert any("luminance" in line for line in image.warnings) == colour
        io.write(tmp_path / "b.tif", image, iter(image.pixels), NOTE)
    assert io.output_suffix(path) == ".tif"
    assert tifffile.imread(tmp_path / "b.tif").shape == array.shape


@pytest.mark.parametrize("mode", ["P", "1", "RGB", "L"])
def test_bitmaps_of_every_kind(tmp_path: Path, mode: str) -> None:
    source = Pillow.fromarray(smooth((30, 41))).convert(mode)
    source.save(tmp_path / "a.bmp")
    with io.read(tmp_path / "a.bmp") as image:
        np.testing.assert_allclose(image.pixels[0], np.asarray(source.convert("L")), atol=1)


def test_cmyk_names_the_remedy(tmp_path: Path) -> None:
    Pillow.new("CMYK", (8, 8)).save(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match="export it in greys"):
        io.read(tmp_path / "a.jpg")


def test_text_that_begins_like_a_bitmap_is_none(tmp_path: Path) -> None:
    (tmp_path / "cars.txt").write_bytes(b"BMW makes cars." * 30)
    with pytest.raises(FileError, match="no image that temclean reads"):
        io.read(tmp_path / "cars.txt")


def test_previews_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    for name in ("a.tif", "a.jpg", "b.bmp", "C.TIF", "c.bmp"):
        picture(tmp_path / name.lower(), smooth((30, 41))).rename(tmp_path / name)
    assert [item.path.name for item in expand([str(tmp_path)])] == ["C.TIF", "a.tif", "b.bmp"]
    assert [item.path.name for item in expand([str(tmp_path / "*.jpg")])] == ["a.jpg"]


@pytest.mark.parametrize("suffix", [".tif", ".jpg", ".bmp"])
def test_jeol_scale_is_that_of_its_magnification(tmp_path: Path, suffix: str) -> None:
    path = picture(tmp_path / f"a{suffix}", smooth((8, 2560)))
    path.with_suffix(".txt").write_text(JEOL)
    with io.read(path) as image:
        assert image.pixel_size is not None
        assert image.pixel_size[0] == image.pixel_size[1] == pytest.approx(120e6 / 430 / 2560, rel=0.01)
        assert image.unit == "nm"
        assert "a.txt, which is known to 0.5%" in image.warnings[-1]
        assert image.metadata["JEOL"]["CM_MAG"] == "430"
        io.write(tmp_path / "b.tif", image, iter(image.pixels), NOTE)
        expected = image.pixel_size
    with io.read(tmp_path / "b.tif") as image:
        assert (image.pixel_size, image.unit) == (pytest.approx(expected), "nm")


@pytest.mark.parametrize(
    ("marker", "nanometres"),
    [("100nm", 100), ("1um", 1e3), ("10µm", 1e4), ("10\u03bcm", 1e4), ("1mm", 1e6), ("2.5um", 2500)],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_jeol_markers(tmp_path: Path, marker: str, nanometres: float, encoding: str) -> None:
    path = picture(tmp_path / "a.bmp", smooth((30, 40)))
    text = f"$CM_MAG 500\r\n$$SM_MICRON_BAR 160\r\n$$SM_MICRON_MARKER {marker}\r\n"
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    with io.read(path) as image:
        assert image.pixel_size == (pytest.approx(nanometres / 160),) * 2


def test_jeol_pixel_size_goes_before_its_bar(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.tif", smooth((30, 40)))
    text = "$CM_PIXEL_SIZE 4.96nm\n$CM_IMAGE_SIZE 40 30\n$$SM_MICRON_BAR 201\n$$SM_MICRON_MARKER 1um\n"
    (tmp_path / "a.TXT").write_text(text)
    with io.read(path) as image:
        assert image.pixel_size == (4.96, 4.96)
        assert image.warnings == ()


@pytest.mark.parametrize("encoding", ["ascii", "utf-16"])
def test_hitachi_scale(tmp_path: Path, encoding: str) -> None:
    path = picture(tmp_path / "a.tif", smooth((30, 40)))
    (tmp_path / "a.txt").write_bytes(HITACHI.encode(encoding))
    with io.read(path) as image:
        assert (image.pixel_size, image.unit, image.warnings) == ((9.921875, 9.921875), "nm", ())
        assert image.metadata["Hitachi"]["InstructName"] == "SU8230"


def test_a_scale_of_another_image_is_not_taken(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.tif", smooth((30, 41)))
    (tmp_path / "a.txt").write_text(HITACHI)
    with io.read(path) as image:
        assert image.pixel_size is None
        assert "40 pixels wide, not 41" in image.warnings[0]


@pytest.mark.parametrize(
    "text", ["", "lens 3 was misaligned\n", "$$SM_MICRON_MARKER 1um", "[SemImageFile]\nPixelSize=x"]
)
def test_other_texts_say_nothing(tmp_path: Path, text: str) -> None:
    path = picture(tmp_path / "a.tif", smooth((30, 40)))
    (tmp_path / "a.txt").write_text(text)
    with io.read(path) as image:
        assert image.pixel_size is None
        assert image.warnings == ()


def test_what_the_image_says_goes_before_the_text(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, smooth((30, 40)), imagej=True, resolution=(2, 2), metadata={"unit": "nm"})
    (tmp_path / "a.txt").write_text(HITACHI)
    with io.read(path) as image:
        assert image.pixel_size == (0.5, 0.5)


def mrc(path: Path, mode: int, shape: tuple[int, int, int], data: bytes) -> Path:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, shape[2], shape[1], shape[0], mode)
    struct.pack_into("<3i3f3f3i", head, 28, *shape[::-1], *(float(side) for side in shape[::-1]), 90, 90, 90, 1, 2, 3)
    head[208:216] = b"MAP \x44\x44\0\0"
    path.write_bytes(bytes(head) + data)
    return path


@pytest.mark.parametrize("width", [6, 7])
def test_mrc_of_four_bits(tmp_path: Path, width: int) -> None:
    values = np.random.default_rng(1).integers(0, 16, (2, 5, width), dtype="u1")
    rows = bytearray()
    for row in values.reshape(-1, width):
        numbers = [*row, 0][: width + width % 2]
        rows += bytes(int(left) | int(right) << 4 for left, right in zip(numbers[::2], numbers[1::2], strict=True))
    with io.read(mrc(tmp_path / "a.mrc", 101, values.shape, bytes(rows))) as image:
        assert np.array_equal(np.stack(list(image.pixels)), values)
        assert (image.pixel_size, image.unit, image.warnings) == ((1.0, 1.0), "Å", ())
        io.write(tmp_path / "b.mrc", image, iter([frame + np.uint8(200) for frame in image.pixels]), NOTE)
    with io.read(tmp_path / "b.mrc") as image:
        assert image.pixels.dtype == np.uint8
        assert np.array_equal(np.stack(list(image.pixels)), values + np.uint8(200))
    with pytest.raises(ImageError, match="cut short"):
        io.read(mrc(tmp_path / "c.mrc", 101, values.shape, bytes(rows[:-1])))


def leftovers() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("temclean-*"))


@pytest.mark.parametrize("suffix", [".mrc", ".tif", ".npy"])
def test_gzipped_files_are_read_and_leave_nothing(tmp_path: Path, suffix: str) -> None:
    array = smooth((30, 40)).astype("u2")
    plain = io.write(tmp_path / f"a{suffix}", io.Image.from_array(array, 0.25, "nm"), [array])
    packed = tmp_path / f"a{suffix}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    before = leftovers()
    with io.read(packed) as image, io.read(plain) as expected:
        np.testing.assert_array_equal(image.pixels[0], array)
        assert image.pixel_size == expected.pixel_size
        io.write(tmp_path / f"b{suffix}", image, iter(image.pixels), NOTE)
    assert leftovers() == before
    assert io.output_suffix(packed) == suffix
    assert target(packed, "sp") == tmp_path / f"a_sp{suffix}"
    assert [item.path.name for item in expand([str(tmp_path)])] == [f"a{suffix}", f"a{suffix}.gz", f"b{suffix}"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (gzip.compress(b"II*\0" + bytes(9), mtime=0)[:-9], "damaged"),
        (gzip.compress(gzip.compress(b"II*\0", mtime=0), mtime=0), "twice"),
        (gzip.compress(b"a letter" * 50, mtime=0), r"a\.tif\.gz: is not the TIFF"),
        (b"\x1f\x8b\x08" + bytes(40), "damaged"),
    ],
)
def test_bad_gzip_gives_one_line_that_names_it(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.tif.gz"
    path.write_bytes(content)
    before = leftovers()
    with pytest.raises((ImageError, FileError), match=words) as caught:
        io.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert leftovers() == before


def test_archives_in_a_folder_are_no_images(tmp_path: Path) -> None:
    for name in ("a.tar.gz", "notes.gz", "b.tif.gz"):
        (tmp_path / name).write_bytes(gzip.compress(b"x", mtime=0))
    assert [item.path.name for item in expand([str(tmp_path)])] == ["b.tif.gz"]


def test_zspy_is_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "a.zspy"
    folder.mkdir()
    with pytest.raises(FileError, match=r"Zarr.*\.hspy"):
        io.read(folder)
    (found,) = expand([str(folder)])
    assert "save it as .hspy" in str(found.problem)
