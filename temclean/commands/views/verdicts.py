"""What a table of support says of the spots of a result: how many are what, and where the doubtful ones are."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ENDING = "_support.csv"
"""Of the name of such a table."""

SUPPORTED = "supported"
MOST = 500
"""Doubtful spots that are kept at most."""


@dataclass(frozen=True)
class Doubt:
    """A spot that the raw image does not support, or that the result has lost.

    Attributes
    ----------
    row, column : where it is, in pixels.
    verdict : ``weak``, ``unsupported`` or ``lost``.
    support : the logarithm of how much likelier the raw image is with it.
    """

    row: float
    column: float
    verdict: str
    support: str


@dataclass(frozen=True)
class Verdicts:
    """What became of the spots of a frame: how many there are of each verdict, and the first doubtful ones."""

    counts: dict[str, int]
    doubts: tuple[Doubt, ...]


def of(files: Iterable[str], frame: int) -> Verdicts | None:
    """Return what the table among the files says of a frame, counted from 0; None where none can be read."""
    table = next((Path(each) for each in files if each.endswith(ENDING)), None)
    if table is None:
        return None
    counts: dict[str, int] = {}
    doubts: list[Doubt] = []
    try:
        with table.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if int(row.get("frame") or frame) != frame:
                    continue
                verdict = row["verdict"]
                counts[verdict] = counts.get(verdict, 0) + 1
                if verdict != SUPPORTED and len(doubts) < MOST:
                    doubts.append(Doubt(float(row["y_px"]), float(row["x_px"]), verdict, row["support"]))
    except (OSError, ValueError, KeyError):
        return None
    return Verdicts(counts, tuple(doubts))
