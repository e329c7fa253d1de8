"""What makers and programs do to TIFF: pages of two kinds, look-up tables, rare packings, records of their own."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from temclean import _lzw, io
from temclean.errors import ImageError, MissingExtraError

ODD = Path(__file__).resolve().parents[3] / "shared" / "data" / "odd"
needs_odd = pytest.mark.skipif(not ODD.is_dir(), reason="the collection of real files is not here")
NOTE = {"temclean": "0.1.0", "model": "sp"}


def counts(dtype: str, shape: tuple[int, ...] = (19, 23)) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 99, shape).astype(dtype)


def pages(path: Path, *arrays: np.ndarray) -> Path:
    with tifffile.TiffWriter(path) as writer:
        for array in arrays:
            writer.write(array, metadata=None, photometric="rgb" if array.ndim == 3 else "minisblack")
    return path


def result(source: Path) -> Path:
    """Read a file and write its frames as if they had been denoised."""
    target = source.with_name(f"result_of_{source.stem}.tif")
    with io.read(source) as image:
        io.write(target, image, iter(image.pixels), NOTE)
    return target


@needs_odd
def test_jeol_files_of_two_pages_give_their_16_bits() -> None:
    with io.read(ODD / "jeol_two_pages.tif") as image:
        np.testing.assert_array_equal(image.pixels[0], tifffile.imread(ODD / "jeol_two_pages.tif", key=1))
        assert "took page 2 (96x128, 16-bit grey)" in image.warnings[0]
        assert "page 1 (96x128, 8-bit colour)" in image.warnings[0]


def test_grey_goes_before_colour_and_deep_before_shallow(tmp_path: Path) -> None:
    colour, shallow, deep = counts("u2", (20, 30, 3)), counts("u1", (24, 30)), counts("u2", (20, 30))
    for order in ((colour, shallow, deep), (deep, colour, shallow), (shallow, deep, colour)):
        with io.read(pages(tmp_path / "a.tif", *order)) as image:
            np.testing.assert_array_equal(image.pixels[0], deep)
    thumbnail = counts("u2", (10, 15))
    with io.read(pages(tmp_path / "a.tif", thumbnail, colour)) as image:
        assert image.pixels.shape == (20, 30)


@needs_odd
def test_imagej_look_up_tables_are_for_display_only(tmp_path: Path) -> None:
    source = tmp_path / "blobs.tif"
    source.write_bytes((ODD / "imagej_lut_blobs.tif").read_bytes())
    with tifffile.TiffFile(source) as tiff:
        table, numbers = tiff.pages.first.colormap, tiff.pages.first.asarray()
    with io.read(source) as image:
        np.testing.assert_array_equal(image.pixels[0], numbers)
        assert any("look-up table" in line for line in image.warnings)
    with tifffile.TiffFile(result(source)) as tiff:
        assert tiff.pages.first.photometric == 3
        np.testing.assert_array_equal(tiff.pages.first.colormap, table)
        np.testing.assert_array_equal(tiff.pages.first.asarray(), numbers)
        assert tiff.is_imagej
    with io.read(source) as image:
        io.write(tmp_path / "floats.tif", image, iter([image.pixels[0].astype("f4")]))
    assert tifffile.imread(tmp_path / "floats.tif").dtype == np.float32


WITHOUT = """
import sys
sys.modules["imagecodecs"] = None
from temclean import errors, io
for path in sys.argv[1:]:
    try:
        with io.read(path) as image:
            print(image.pixels[0].sum())
    except errors.TemcleanError as error:
        print(type(error).__name__, error)
"""


def packed(path: Path, values: np.ndarray) -> Path:
    """Write 12-bit values, two to three bytes, as some cameras do."""
    high, low = values.reshape(-1, 2).astype(np.uint32).T
    triple = high << 12 | low
    data = np.stack([triple >> 16, triple >> 8 & 255, triple & 255], axis=1).astype(np.uint8).tobytes()
    height, width = values.shape
    tags = [(256, width), (257, height), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, height)]
    tags.append((279, len(data)))
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    head = struct.pack("<4sI", b"II*\0", 8 + len(data))
    path.write_bytes(head + data + struct.pack("<H", len(tags)) + entries + bytes(4))
    return path


def zstandard(path: Path) -> Path:
    path.write_bytes((ODD / "zstd.tif").read_bytes())
    return path


def jpeg(path: Path) -> Path:
    Pillow.fromarray(counts("u1", (32, 32))).save(path, compression="jpeg")
    return path


def test_without_codecs_the_packing_and_the_extra_are_named(tmp_path: Path) -> None:
    files = {
        packed(tmp_path / "packed.tif", counts("u2", (8, 16))): "packed in 12-bit values",
        jpeg(tmp_path / "jpeg.tif"): "compressed with JPEG",
    }
    if ODD.is_dir():
        files[zstandard(tmp_path / "zstd.tif")] = "compressed with ZSTD"
    done = subprocess.run([sys.executable, "-c", WITHOUT, *files], capture_output=True, text=True, check=True)
    for line, (path, how) in zip(done.stdout.splitlines(), files.items(), strict=True):
        assert line.startswith(f"MissingExtraError {path}: its pixels are {how}"), line
        assert 'pip install "temclean[codecs]"' in line


def test_a_missing_codec_is_told_when_the_file_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(MissingExtraError, match=r"temclean\[codecs\]"):
        io.read(packed(tmp_path / "a.tif", counts("u2", (8, 16))))


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_lzma_is_read_without_codecs(tmp_path: Path, dtype: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", counts(dtype), compression="lzma", rowsperstrip=7)
    with io.read(tmp_path / "a.tif") as image:
        np.testing.assert_array_equal(image.pixels[0], counts(dtype))


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("packed", [False, True])
def test_bytes_whose_first_bit_is_the_lowest(tmp_path: Path, dtype: str, packed: bool) -> None:
    path, values = tmp_path / "a.tif", counts(dtype)
    stored = zlib.compress(values.tobytes()) if packed else values.tobytes()
    backwards = bytes(sum((byte >> bit & 1) << 7 - bit for bit in range(8)) for byte in stored)
    height, width = values.shape
    tags = [(256, width), (257, height), (258, 8 * values.itemsize), (259, 8 if packed else 1), (262, 1), (266, 2)]
    tags += [(273, 8), (277, 1), (278, height), (279, len(stored))]
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in tags)
    head = struct.pack("<4sI", b"II*\0", 8 + len(stored))
    path.write_bytes(head + backwards + struct.pack("<H", len(tags)) + entries + bytes(4))
    with io.read(path) as image:
        np.testing.assert_array_equal(image.pixels[0], values)


def test_with_codecs_they_are_read(tmp_path: Path) -> None:
    pytest.importorskip("imagecodecs", reason="reads rare packings")
    values = counts("u2", (8, 16)) * 40
    with io.read(packed(tmp_path / "a.tif", values)) as image:
        np.testing.assert_array_equal(image.pixels[0], values)
    with io.read(jpeg(tmp_path / "b.tif")) as image:
        assert abs(image.pixels[0].mean() - counts("u1", (32, 32)).mean()) < 2


def test_a_method_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, counts("u1"), metadata=None)
    path.write_bytes(
        path.read_bytes().replace(struct.pack("<HHII", 259, 3, 1, 1), struct.pack("<HHII", 259, 3, 1, 999))
    )
    with pytest.raises(ImageError, match="compressed with method 999"):
        io.read(path)


@needs_odd
def test_lzw_of_old_is_read() -> None:
    with io.read(ODD / "quad-lzw.tif") as image, Pillow.open(ODD / "quad-lzw.tif") as picture:
        rgb = np.asarray(picture).astype(np.float64)  # by libtiff
        np.testing.assert_allclose(image.pixels[0], rgb @ [0.299, 0.587, 0.114], atol=0.5001)


def old_lzw(data: bytes) -> bytes:
    """Encode as before TIFF 5.0: bits from the lowest up, codes widened when they are full."""
    bits, held, out = 0, 0, bytearray()
    table: dict[bytes, int] = {}
    width, string = 9, b""

    def put(code: int) -> None:
        nonlocal bits, held
        bits |= code << held
        held += width
        while held >= 8:
            out.append(bits & 255)
            bits >>= 8
            held -= 8

    def clear() -> None:
        nonlocal width
        put(256)
        table.clear()
        table.update({bytes([value]): value for value in range(256)})
        width = 9

    clear()
    for value in data:
        longer = string + bytes([value])
        if longer in table:
            string = longer
            continue
        put(table[string])
        table[longer] = len(table) + 2
        if len(table) + 1 == 1 << width and width < 12:
            width += 1
        elif len(table) + 2 == 4095:
            clear()
        string = bytes([value])
    put(table[string])
    put(257)
    return bytes(out) + bytes([bits & 255])


@pytest.mark.parametrize("size", [1, 300, 5000, 60000])
def test_lzw_of_old_at_every_width_of_code(size: int) -> None:
    data = np.random.default_rng(size).integers(0, 40, size, dtype=np.uint8).tobytes()
    out = bytearray(size)
    assert _lzw.decode(old_lzw(data), out, reverse=True) == size
    assert bytes(out) == data


def pointed_at(path: Path, code: int, record: bytes) -> None:
    """Let a tag of one 32-bit number, as TVIPS and Olympus write it, point at a record at the end of the file."""
    tifffile.imwrite(path, counts("u2"), metadata=None, extratags=[(code, 4, 1, 8, True)])
    data = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        entry = tiff.pages.first.tags[code].offset
    data[entry + 8 : entry + 12] = struct.pack("<I", len(data))
    path.write_bytes(data + record)


def tvips_record() -> bytes:
    first = np.zeros((), tifffile.TIFF.TVIPS_HEADER_V1)
    second = np.zeros((), tifffile.TIFF.TVIPS_HEADER_V2)
    first["Version"], first["HighTension"] = 2, 200
    second["Magic"], second["PixelSizeX"], second["PixelSizeY"] = 0xAAAAAAAA, 0.25, 0.5
    second["Comment"] = np.void("carbon film".encode("utf-16-le").ljust(1024, b"\0"))
    return first.tobytes() + second.tobytes()


def test_the_header_of_tvips_is_kept(tmp_path: Path) -> None:
    source, record = tmp_path / "a.tif", tvips_record()
    pointed_at(source, 37706, record)
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(result(source)) as after:
        assert before.tvips_metadata["Comment"] == "carbon film"
        assert after.tvips_metadata == before.tvips_metadata
        tag = after.pages.first.tags[37706]
        after.filehandle.seek(tag.valueoffset)
        assert after.filehandle.read(len(record)) == record
    with io.read(result(source)) as image:
        assert (image.pixel_size, image.unit) == ((0.5, 0.25), "nm")


def sis_record(start: int) -> bytes:
    """Return Olympus' record for a place in a file: a head, two entries, and the blocks they point at."""
    head = struct.pack("<4s6xhhhhh6x32sH", b"SIS0", 30, 12, 5, 3, 126, b"quantum dots", 2)
    general = struct.pack("<10xhdd8xd2x34s32s", -9, 0.25, 0.5, 250000.0, b"Veleta", b"TEM").ljust(220, b"\7")
    place = start + len(head) + 16
    entries = struct.pack("<hhI", 1, 1, place) + struct.pack("<hhI", 10, 1, place + len(general))
    return head + entries + general + bytes(range(200))


def test_the_record_of_olympus_is_kept_with_its_places(tmp_path: Path) -> None:
    source = tmp_path / "a.tif"
    pointed_at(source, 33560, b"")
    pointed_at(source, 33560, sis_record(source.stat().st_size))
    with tifffile.TiffFile(source) as before, tifffile.TiffFile(result(source)) as after:
        assert before.sis_metadata["cameraname"] == "Veleta"
        assert after.sis_metadata == before.sis_metadata
        start = after.pages.first.tags[33560].valueoffset
        after.filehandle.seek(start)
        expected = sis_record(start)
        assert after.filehandle.read(len(expected)) == expected
    with io.read(result(source)) as image:
        assert (image.pixel_size, image.unit) == (pytest.approx((0.5, 0.25)), "nm")


@pytest.mark.parametrize("code", [37706, 33560])
def test_a_damaged_record_costs_itself(tmp_path: Path, code: int) -> None:
    source = tmp_path / "a.tif"
    pointed_at(source, code, b"SIS0" + b"\xff" * 70)
    with tifffile.TiffFile(result(source)) as tiff:
        assert code not in tiff.pages.first.tags
        np.testing.assert_array_equal(tiff.asarray(), counts("u2"))


@pytest.mark.parametrize("kind", range(1, 19))
def test_a_description_of_a_damaged_type_is_not_the_results(tmp_path: Path, kind: int) -> None:
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, counts("u1", (3, 24, 17, 3)), photometric="rgb")  # its JSON says (3, 24, 17, 3)
    data = bytearray(source.read_bytes())
    with tifffile.TiffFile(source) as tiff:
        entry = tiff.pages.first.tags[270].offset
    data[entry + 2 : entry + 4] = struct.pack("<H", kind)
    source.write_bytes(data)
    with io.read(source) as image:
        frames = np.stack(list(image.pixels))
        io.write(tmp_path / "b.tif", image, iter(image.pixels), NOTE)
    with io.read(tmp_path / "b.tif") as image:
        assert image.pixels.shape == frames.shape
        np.testing.assert_array_equal(np.stack(list(image.pixels)), frames)


def test_a_tag_of_hundreds_of_values_is_not_repeated(tmp_path: Path) -> None:
    """Damage can turn the bits of a value into any number of numbers: the message stays a line that can be read."""
    image = np.arange(4800, dtype=np.uint16).reshape(60, 80)
    tifffile.imwrite(tmp_path / "a.tif", image, metadata=None)
    data = (tmp_path / "a.tif").read_bytes()
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        pixels = file.pages.first.dataoffsets[0] + 800
    for one, many in (((258, 3, 1, 16), (258, 3, 249, pixels)), ((277, 3, 1, 1), (277, 3, 1, 249))):
        assert data.count(struct.pack("<HHII", *one)) == 1
        data = data.replace(struct.pack("<HHII", *one), struct.pack("<HHII", *many))
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(ImageError) as refused:
        io.read(tmp_path / "a.tif")
    assert len(str(refused.value)) < len(str(tmp_path)) + 120
