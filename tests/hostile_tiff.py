"""Crafted TIFF files and pictures, which ask for far more time or memory than they are worth.

`FILES` has, of each name, the function that writes it to a path, and what the one line says with which it is refused.
"""

import gzip
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

Tag = tuple[int, int, int, int]
"""Code, type, count, and the value or where it is."""

LZW, DEFLATE = 5, 8


def page(tags: Sequence[Tag], following: int = 0) -> bytes:
    """Return a list of tags, in classic TIFF, and where the next is."""
    entries = b"".join(struct.pack("<HHII", *tag) for tag in sorted(tags))
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def grey(width: int, height: int, place: int, size: int, compression: int = 1) -> list[Tag]:
    """Return the tags of a grey image of 8 bits, whose one strip is at a place."""
    return [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
        (273, 4, 1, place), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, size),
    ]  # fmt: skip


def one_page(path: Path, tags: Sequence[Tag], data: bytes) -> None:
    """Write a file of one page; its data begins at byte 8."""
    path.write_bytes(struct.pack("<4sI", b"II*\0", 8 + len(data)) + data + page(tags))


def described(path: Path, text: bytes) -> None:
    """Write an image with a description, whose pixels are damaged, so that all that comes before them is done."""
    broken = b"no deflate"
    data = broken + text + b"\0"
    one_page(path, [*grey(40, 30, 8, len(broken), DEFLATE), (270, 2, len(text) + 1, 8 + len(broken))], data)


def many_pages(path: Path, widths: Iterator[int], back_to: int | None = None) -> None:
    """Write a page for each width, of a row of zeros; the last points back at an earlier one, or at none."""
    sides = list(widths)
    bodies = {width: page(grey(width, 1, 8, width))[:-4] for width in set(sides)}
    size = len(bodies[sides[0]]) + 4
    out = [struct.pack("<4sI", b"II*\0", 24), bytes(16)]
    for number, width in enumerate(sides, 1):
        after = 24 + size * number if number < len(sides) else 24 + size * back_to if back_to else 0
        out += [bodies[width], struct.pack("<I", after)]
    path.write_bytes(b"".join(out))


def ome_xml(inside: str) -> bytes:
    """Return OME-XML around a part of it."""
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    return f'<?xml version="1.0" encoding="UTF-8"?><OME {space}>{inside}</OME>'.encode()


def pixels(inside: str, times: int = 1) -> str:
    """Return OME's description of an image of 40 x 30 pixels."""
    sizes = f'SizeX="40" SizeY="30" SizeZ="1" SizeC="1" SizeT="{times}"'
    return f'<Image ID="Image:0"><Pixels DimensionOrder="XYZCT" Type="uint8" {sizes}>{inside}</Pixels></Image>'


def huge_tiles(path: Path) -> None:
    data = b"\x80\0\x10".ljust(5000, b"\0")
    tags = [
        (256, 4, 1, 1), (257, 4, 1, 1), (258, 3, 1, 8), (259, 3, 1, LZW), (262, 3, 1, 1), (277, 3, 1, 500),
        (322, 4, 1, 2048), (323, 4, 1, 2048), (324, 4, 1, 8), (325, 4, 1, len(data)),
    ]  # fmt: skip
    one_page(path, tags, data)


def shared_strips(path: Path) -> None:
    """Let 100,000 strips lie in the same 1,000 bytes, so that they seem to be 100 MB of compressed pixels."""
    count, strip = 100_000, zlib.compress(bytes(1_000_000))
    places = struct.pack(f"<{count}I", *[8] * count)
    sizes = struct.pack(f"<{count}I", *[len(strip)] * count)
    data = strip + bytes(-len(strip) % 4) + places + sizes
    at = 8 + len(strip) + -len(strip) % 4
    tags = grey(100_000, 1_000_000, at, 0, DEFLATE)[:5]
    tags += [(273, 4, count, at), (277, 3, 1, 1), (278, 4, 1, 10), (279, 4, count, at + len(places))]
    one_page(path, tags, data)


def shared_tags(path: Path) -> None:
    """Let 4,000 tags of a maker have the same megabyte for their value."""
    broken, size = b"no deflate", 1 << 20
    tags = [(40_000 + number, 7, size, 8 + len(broken)) for number in range(4000)]
    one_page(path, [*grey(40, 30, 8, len(broken), DEFLATE), *tags], broken + bytes(size))


def sub_pages(path: Path) -> None:
    data = bytes(1200) + struct.pack("<I", 8 + 1200) * 250_000
    one_page(path, [*grey(40, 30, 8, 1200), (330, 4, 250_000, 8 + 1200)], data)


def chunk(kind: bytes, data: bytes) -> bytes:
    """Return a part of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def zeros(count: int) -> bytes:
    """Return a zlib stream of so many zeros, put together from one of ten million."""
    part = 10_000_000
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(bytes(part)) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15)
    end = last.compress(bytes(count % part)) + last.flush()
    return b"\x78\x9c" + block * (count // part) + end + struct.pack(">HH", count % 65521, 1)


def colour_png(path: Path) -> None:
    """Write 30,000 x 30,000 black pixels in colour, as 2.6 MB."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zeros(30_000 * (1 + 3 * 30_000))), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def jpeg_claim(path: Path) -> None:
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 65_000, 65_000)
    path.write_bytes(data)


def jpeg_inside_tiff(path: Path) -> None:
    jpeg_claim(path)
    data = path.read_bytes()
    tags = [tag for tag in grey(16, 16, 8, len(data), 7) if tag[0] not in {258, 262, 277}]
    one_page(path, [*tags, (258, 3, 1, 8), (262, 3, 1, 6), (277, 3, 1, 3)], data)


def bmp_claim(path: Path) -> None:
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 1054, 0, 0, 1078, 40, 60_000, 60_000, 1, 8, 1, 0, 0, 0, 256, 0)
    path.write_bytes(head + bytes(1024) + bytes(60))


def gzip_bomb(path: Path) -> None:
    """Write 2 GB of zeros, compressed to 2 MB, in members of 100 MB."""
    path.write_bytes(gzip.compress(bytes(100 << 20), 9) * 20)


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "tiles.tif": (huge_tiles, "exceed the image"),
    "strips.tif": (shared_strips, "copy it again"),
    "tags.tif": (shared_tags, "copy it again"),
    "sub_pages.tif": (sub_pages, "pages inside its pages"),
    "pages.tif": (lambda path: many_pages(path, (1 for _ in range(200_000))), "split it into shorter stacks"),
    "kinds.tif": (lambda path: many_pages(path, (1 + number % 16 for number in range(90_000))), "of several kinds"),
    "circle.tif": (lambda path: many_pages(path, (1 for _ in range(500)), back_to=300), "runs in a circle"),
    "unclosed.ome.tif": (lambda path: described(path, ome_xml("<Image " * 300_000)), "copy it again"),
    "open_data.ome.tif": (lambda path: described(path, ome_xml(pixels("<TiffData>" * 200_000))), "copy it again"),
    "open_pixels.ome.tif": (lambda path: described(path, ome_xml("<Image><Pixels " * 150_000)), "copy it again"),
    "images.ome.tif": (lambda path: described(path, ome_xml(pixels("") * 15_000)), "copy it again"),
    "planes.ome.tif": (
        lambda path: described(path, ome_xml(pixels('<TiffData IFD="0" PlaneCount="1000000000"/>', 10**9))),
        "its OME-XML claims",
    ),
    "lists.ome.tif": (lambda path: described(path, ome_xml(pixels("<TiffData/>" * 1_100_000))), "its OME-XML claims"),
    "nested.tif": (lambda path: described(path, b'{"shape": ' + b"[" * 500_000), "copy it again"),
    "spaces.tif": (lambda path: described(path, b"ImageJ=1.53\nimages=1" + b" " * 2_000_000 + b"x"), "copy it again"),
    "colour.png": (colour_png, "copy it again"),
    "claim.jpg": (jpeg_claim, "copy it again"),
    "claim.bmp": (bmp_claim, "copy it again"),
    "bomb.tif.gz": (gzip_bomb, "use gunzip"),
}
if find_spec("imagecodecs"):
    FILES["jpeg_inside.tif"] = (jpeg_inside_tiff, "a strip or tile says that it is 65000x65000 pixels")
