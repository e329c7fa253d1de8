"""A CSV of what was measured in many images: one line a column or particle, one header."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from temclean import io
from temclean.commands.measuring.measure import Measured
from temclean.errors import ParameterError

WHERE = ("file", "image", "frame", "kind")
"""With these begins each line."""


def check(path: Path, *, replace: bool) -> None:
    """Refuse a name that a table cannot be written under, before anything is measured.

    Raises
    ------
    ParameterError : it is no CSV's, or is there already and may not be replaced.
    """
    if path.suffix.lower() != ".csv":
        raise ParameterError(f"{path}: the table is a CSV; give -o a name that ends in .csv")
    if path.exists() and not replace:
        raise ParameterError(f"{path}: exists; --overwrite replaces it")


def kept(found: Iterable[Measured], path: Path, *, replace: bool) -> Iterator[Measured]:
    """Hand on what was measured, and write it all once it is through; or as far as it came.

    The header has what any image has, as it comes; what one lacks stays empty.

    Raises
    ------
    FileError : the table cannot be written.
    """
    tables: list[Measured] = []
    try:
        for each in found:
            if not each.error:
                tables.append(each)
            yield each
    finally:
        if tables:
            _write(tables, path, replace=replace)


def _write(tables: list[Measured], path: Path, *, replace: bool) -> None:
    names = list(dict.fromkeys(name for each in tables for name in each.table))
    with (
        io.whole(path, replace=replace) as unfinished,
        unfinished.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*WHERE, *names])
        for each in tables:
            where = (each.input, each.image, each.frame, each.kind)
            columns = [each.table[name].tolist() if name in each.table else None for name in names]
            for row in range(max((len(values) for values in each.table.values()), default=0)):
                writer.writerow([*map(_text, where), *(_text(values[row]) if values else "" for values in columns)])


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not np.isfinite(value)):
        return ""
    return f"{value:.8g}" if isinstance(value, float) else str(value)
