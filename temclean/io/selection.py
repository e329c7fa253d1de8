"""Which image is meant where a file holds several: by name, by number, or the first."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from temclean.errors import ImageError
from temclean.io.messages import printable

_MOST_LISTED = 12
_LONGEST = 64


def unique(names: Iterable[str]) -> list[str]:
    """Return the names fit to be typed, a number behind those that came before.

    Examples
    --------
    >>> unique(["HAADF", "BF", "HAADF"])
    ['HAADF', 'BF', 'HAADF 2']
    """
    taken: dict[str, int] = {}
    found: list[str] = []
    for raw in names:
        name = printable(raw) or "image"
        taken[name] = taken.get(name, 0) + 1
        while taken[name] > 1 and f"{name} {taken[name]}" in taken:
            taken[name] += 1
        if taken[name] > 1:
            name = f"{name} {taken[name]}"
            taken[name] = 1
        found.append(name)
    return found


def select(path: Path, names: Sequence[str], image: str | int | None) -> int:
    """Return the place of the image that is meant: a name among `names`, or a number counted from 1; None the first.

    Raises
    ------
    ImageError : there is no such image.
    """
    if image is None:
        return 0
    if image in names:
        return names.index(str(image))
    alike = [place for place, name in enumerate(names) if name.casefold() == str(image).casefold()]
    if len(alike) == 1:
        return alike[0]
    number = int(image) if isinstance(image, int) or (image.isdecimal() and len(image) < 10) else 0
    if 1 <= number <= len(names):
        return number - 1
    held = "one image" if len(names) == 1 else f"{len(names)} images"
    raise ImageError(f'{path}: has no image "{printable(image)}"; it holds {held}: {listed(map(quoted, names))}')


def file_names(names: Sequence[str]) -> list[str]:
    """Return what stands for each name in the name of a file: its letters, digits, dots and dashes, no two alike.

    Examples
    --------
    >>> file_names(["Filtered iDPC", "A/C", "a:c", "../.."])
    ['Filtered_iDPC', 'A_C', 'a_c-3', '4']
    """
    found: list[str] = []
    taken: set[str] = set()
    for count, name in enumerate(names, 1):
        safe = re.sub(r"[^\w.+-]+", "_", name)[:_LONGEST].strip("._-") or str(count)
        while safe.casefold() in taken:
            safe += f"-{count}"
        taken.add(safe.casefold())
        found.append(safe)
    return found


def quoted(name: str) -> str:
    """Return a name in quotation marks."""
    return f'"{name}"'


def listed(items: Iterable[object]) -> str:
    """Return what a file holds as part of a line, in order; of very many the first."""
    texts = [str(item) for item in items]
    more = len(texts) - _MOST_LISTED
    return ", ".join(texts[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def left_out(taken: object, images: Sequence[object], others: Sequence[object]) -> list[str]:
    """Return the warning about what a file holds beside the image that was taken: other images, and what is none."""
    left = [one for one in (*images, *others) if one != taken]
    if not left:
        return []
    line = f"took the image {taken}; left {listed(left)}"
    return [line + ("; --image NAME takes another, --image all takes each" if len(images) > 1 else "")]
