"""The micrographs that a STAR file of RELION lists, and the same file with other names for them.

RELION's tables are `loop_`s of one line a row, or, of one row, pairs of a name and a value (Hall 1991,
doi:10.1021/ci00002a020). All but the names of the micrographs is handed on letter by letter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from temclean.errors import FileError

NAME = "_rlnMicrographName"
_MOST = 1 << 30
_TOKEN = re.compile(r"""(?P<comment>\#.*)|'(?P<single>[^\n]*?)'(?=\s|$)|"(?P<double>[^\n]*?)"(?=\s|$)|(?P<bare>\S+)""")


@dataclass(frozen=True)
class _Place:
    """Where a micrograph's name stands: a line, and the letters from `start` to `end` of it."""

    line: int
    start: int
    end: int
    value: str


@dataclass(frozen=True)
class Micrographs:
    """The micrographs of a STAR file, in its order."""

    path: Path
    names: tuple[str, ...]
    _lines: tuple[str, ...]
    _places: tuple[_Place, ...]

    def renamed(self, names: Sequence[str | None]) -> str:
        """Return the file's text with these names instead, one for each micrograph; None leaves its row out."""
        lines: list[str | None] = list(self._lines)
        for place, name in zip(self._places, names, strict=True):
            line = self._lines[place.line]
            lines[place.line] = None if name is None else line[: place.start] + _quoted(name) + line[place.end :]
        return "".join(line for line in lines if line is not None)


def read(path: Path) -> Micrographs:
    """Find the micrographs in a STAR file.

    Raises
    ------
    FileError : it cannot be read, is no STAR file, lists no micrographs, or a row does not fit its table.
    """
    try:
        if path.stat().st_size > _MOST:
            raise FileError(f"{path}: is too large for a STAR file of micrographs; name micrographs.star of a job")
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            lines = file.readlines()
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no such file; run it from the project's folder, as RELION does") from error
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{path}: cannot be read ({error.strerror or error}); name a STAR file of micrographs"
        ) from error
    places = _places(path, lines)
    if not places:
        raise FileError(f"{path}: lists no micrographs ({NAME}); name the micrographs.star of a job")
    return Micrographs(path, tuple(place.value for place in places), tuple(lines), tuple(places))


def _places(path: Path, lines: Sequence[str]) -> list[_Place]:
    """Return where the names of micrographs stand: in the first table that has any."""
    found: list[_Place] = []
    columns: list[str] | None = None
    has_rows = False
    for number, line in enumerate(lines):
        tokens = [each for each in _TOKEN.finditer(line) if each["comment"] is None]
        if not tokens:
            continue
        first = tokens[0]["bare"] or ""
        if first.startswith("data_") or first == "loop_":
            if found:
                break
            columns, has_rows = ([] if first == "loop_" else None), False
        elif first.startswith("_") and not has_rows:
            if columns is not None:
                columns.append(first)
            elif first == NAME and len(tokens) == 2:
                found.append(_place(number, tokens[1]))
        elif columns is not None:
            has_rows = True
            if len(tokens) != len(columns):
                raise FileError(
                    f"{path}: line {number + 1} has {len(tokens)} values for {len(columns)} columns; write it again"
                )
            if NAME in columns:
                found.append(_place(number, tokens[columns.index(NAME)]))
    return found


def _place(number: int, token: re.Match[str]) -> _Place:
    value = next(text for text in (token["single"], token["double"], token["bare"]) if text is not None)
    return _Place(number, token.start(), token.end(), value)


def _quoted(name: str) -> str:
    """Return a name as one value, in quotes where it would be more."""
    if name and not re.search(r"\s", name) and name[0] not in "'\"#_":
        return name
    return f"'{name}'" if '"' in name else f'"{name}"'
