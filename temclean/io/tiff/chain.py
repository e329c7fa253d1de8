"""Follow a TIFF file's list of pages before tifffile does: to its end, within bounds, in time that grows with it."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

from temclean.errors import ImageError
from temclean.io.messages import damaged, silence

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffFrame, TiffPage, TiffPageSeries

with silence:
    import tifffile

MOST_PAGES = 100_000
"""Of one kind: two seconds' work."""
MOST_MIXED = 10_000
"""Where each page has to be looked at to find those of one kind."""
_FEW = 100
_MOST_TAGS = 4096
_SUB_PAGES = 330
_MOST_SUB_PAGES = 1000
_MOST_PLANES = 1_000_000


def check_chain(path: Path, file: BinaryIO, tiff: "TiffFile") -> None:
    """Refuse a list of pages that breaks off, of which tifffile would hand over the pages before the break as if all.

    Refuse also one that runs in a circle or is too long, and one with very many pages inside its pages.
    """
    form = tiff.tiff
    order: Literal["little", "big"] = "little" if tiff.byteorder == "<" else "big"
    sub_pages = _SUB_PAGES.to_bytes(2, order)
    found: set[int] = set()
    inside = 0
    at = tiff.pages.first.offset
    while at:
        if at in found:
            raise damaged(path, f"its list of pages runs in a circle after {len(found)}")
        if len(found) == MOST_PAGES:
            raise ImageError(
                f"{path}: holds more pages than the {MOST_PAGES} that temclean reads; split it into shorter stacks"
            )
        file.seek(at)
        count = int.from_bytes(file.read(form.tagnosize), order)
        size = count * form.tagsize + form.offsetsize
        entries = file.read(size) if count <= _MOST_TAGS else b""
        if len(entries) < size or not count:
            raise damaged(path, f"its list of pages breaks off after {len(found)}")
        if sub_pages in entries:
            inside += _sub_pages(entries, form.tagsize, form.offsetsize, order)
        found.add(at)
        at = int.from_bytes(entries[-form.offsetsize :], order)
    if inside > _MOST_SUB_PAGES:
        raise damaged(path, f"it claims {inside} pages inside its pages")
    check_planes(path, tiff)


def _sub_pages(entries: bytes, size: int, inline: int, order: Literal["little", "big"]) -> int:
    """Return how many pages the tags of a page say are inside it."""
    every = (entries[at : at + size] for at in range(0, len(entries) - inline, size))
    return sum(
        int.from_bytes(tag[4 : 4 + inline], order) for tag in every if int.from_bytes(tag[:2], order) == _SUB_PAGES
    )


def check_planes(path: Path, tiff: "TiffFile") -> None:
    """Refuse OME-XML that claims planes by the million: tifffile would make a list of all, and look for each."""
    first = tiff.pages.first
    if not first.is_ome:
        return
    text = first.description
    claimed = len(re.findall(r"<(?:\w+:)?TiffData\b", text))
    for name, value in re.findall(r'\b(PlaneCount|NumPlanes|First[ZCT]|Size[ZCT])\s*=\s*["\'](\d+)', text):
        most = int(value[:15])
        claimed = claimed + most if name in {"PlaneCount", "NumPlanes"} else max(claimed, most)
    if claimed > _MOST_PLANES or re.search(r"<(?:\w+:)?ModuloAlong[^<>]*\bStep\s*=", text):
        # Nor does a micrograph have the further axes within an axis that are listed by a step.
        raise damaged(path, f"its OME-XML claims {claimed} planes")


def series(path: Path, tiff: "TiffFile") -> "list[TiffPageSeries]":
    """Return the pages of a file, sorted by kind."""
    if len(tiff.pages) > _FEW:
        # tifffile compares every page with every other.
        vars(tiff)["_series_generic"] = partial(_by_kind, path, tiff)
    return tiff.series


def _by_kind(path: Path, tiff: "TiffFile") -> "list[TiffPageSeries]":
    count = len(tiff.pages)
    if count > MOST_MIXED:
        raise ImageError(
            f"{path}: holds {count} pages of several kinds, more than the {MOST_MIXED} that temclean sorts; "
            "save the stack that you mean from Fiji"
        )
    kinds: dict[int, list[TiffPage | TiffFrame]] = {}
    for index in range(count):
        page = tiff.pages.get(index, aspage=True)
        if page.shape:
            kinds.setdefault(page.hash, []).append(page)
    found = []
    for pages in kinds.values():
        page, grey = pages[0], "S" not in pages[0].axes
        shape = (len(pages), *page.shape, *((1,) if grey else ()))
        found.append(tifffile.TiffPageSeries(pages, shape, page.dtype, "I" + page.axes + "S" * grey, kind="generic"))
    return found


def joined(every: "list[TiffPageSeries]") -> "TiffPageSeries":
    """Return pages that are alike as one stack: tifffile's writer puts each down as an image of its own."""
    pages = [page for series in every for page in series.pages]
    shape = (len(pages), *every[0].shape)
    return tifffile.TiffPageSeries(pages, shape, every[0].dtype, "I" + every[0].axes, kind="generic")
