"""The tags of the pages after the first: which a stack has of its own, and how a result gets them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from temclean.errors import TemcleanError
from temclean.io.messages import reading, silence
from temclean.io.tiff import makers
from temclean.io.tiff.structure import choose_series
from temclean.io.tiff.tags import ExtraTag, own_tags, plain_description

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

with silence:
    import tifffile

# From here on a tag's number is its maker's own.
_PRIVATE = 32768
_CLASSIC_END = (1 << 32) - (1 << 20)


def has_own(path: Path, tiff: "TiffFile", series: "TiffPageSeries", count: int) -> bool:
    """Return whether the second or the last of `count` frames, a page each, has a description or a maker's tags."""
    if count < 2 or len(series.pages) != count or len(tiff.pages) < count:
        return False
    try:
        with reading(path):
            tags = _tags(tiff, series, 1) + _tags(tiff, series, count - 1)
    except TemcleanError:
        return True  # the pixels may be whole all the same; the writer says what it cannot carry over
    return any(tag[0] >= _PRIVATE or tag[0] == 270 for tag in tags)


def of_source(path: Path, count: int) -> Iterator[list[ExtraTag]]:
    """Yield the tags of every frame of `path` after the first."""
    with reading(path), tifffile.TiffFile(path, _multifile=False) as tiff:
        series = choose_series(path, tiff, [])
        for index in range(1, count):
            yield _tags(tiff, series, index)


def _tags(tiff: "TiffFile", series: "TiffPageSeries", index: int) -> list[ExtraTag]:
    frame = series.pages[index]
    if frame is None or frame.is_virtual or not isinstance(frame.index, int):
        return []
    page: Any = tiff.pages.get(frame.index, aspage=True)
    text = plain_description(tiff, page)
    described: list[ExtraTag] = [(270, 2, len(text) + 1, text + b"\0", True)] if text else []
    own = own_tags(tiff, page, colour=page.samplesperpixel > 1)
    return described + [tag for tag in own if tag[0] != makers.SIS]  # its places would be those of the first page


def append(path: Path, pages: Iterator[list[ExtraTag]]) -> bool:
    """Give the pages after the first further tags; return whether there was room for all.

    Their lists of tags are written anew at the end of the file, so that the pixels stay in one piece, as ImageJ needs.
    """
    with tifffile.TiffFile(path) as written:
        form, first = written.tiff, written.pages.first.offset
        order: Literal["little", "big"] = "little" if written.byteorder == "<" else "big"
    with path.open("r+b") as file:

        def number(size: int) -> int:
            return int.from_bytes(file.read(size), order)

        def entries(at: int) -> list[bytes]:
            file.seek(at)
            return [file.read(form.tagsize) for _ in range(number(form.tagnosize))]

        entries(first)
        pointer = file.tell()
        for tags in pages:
            file.seek(pointer)
            listed = entries(number(form.offsetsize))
            after = file.read(form.offsetsize)
            known = {int.from_bytes(entry[:2], order) for entry in listed}
            end = file.seek(0, 2)
            if form.offsetsize == 4 and end + sum(len(tag[3]) + 16 for tag in tags) > _CLASSIC_END:
                return False
            for code, kind, count, value, _ in tags:
                if code in known or (kind >= 16 and form.offsetsize == 4):
                    continue
                place = value.ljust(form.offsetsize, b"\0")
                if len(value) > form.offsetsize:
                    file.write(bytes(file.tell() % 2))
                    place = file.tell().to_bytes(form.offsetsize, order)
                    file.write(value)
                head = code.to_bytes(2, order) + kind.to_bytes(2, order) + count.to_bytes(form.offsetsize, order)
                listed.append(head + place)
            listed.sort(key=lambda entry: int.from_bytes(entry[:2], order))
            file.write(bytes(-file.tell() % 8))
            start = file.tell()
            file.write(len(listed).to_bytes(form.tagnosize, order) + b"".join(listed) + after)
            file.seek(pointer)
            file.write(start.to_bytes(form.offsetsize, order))
            pointer = start + form.tagnosize + len(listed) * form.tagsize
    return True
