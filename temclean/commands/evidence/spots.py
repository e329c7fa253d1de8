"""What the raw image says of each spot of a result: a table, and a map."""

import csv
import io as text
import re
from collections.abc import Iterator

import numpy as np

from temclean import io
from temclean.errors import ImageError
from temclean.evidence import data_bar
from temclean.evidence.support import Support, support

BRIGHT, DARK = {"haadf", "adf", "maadf", "laadf", "df"}, {"abf", "bf"}
"""Words in the names of detectors by which columns of atoms are bright, and dark."""

VERDICTS = ("supported", "weak", "unsupported", "lost")


class Spots:
    """The maps of support of each frame, float32, one by one; and when all are taken, the table of all spots.

    A data bar has no spots, and 0 in the map.

    Parameters
    ----------
    raw
        The image before, with its calibration.
    restored
        The frames after.
    """

    def __init__(self, raw: io.Image, restored: io.Frames) -> None:
        self._raw, self._restored = raw, restored
        self._rows: list[list[str]] = []
        self._untold: list[str] = []
        self._dark = False
        self.counts = dict.fromkeys(VERDICTS, 0)

    def __iter__(self) -> Iterator[io.Array]:
        for index in range(len(self._restored)):
            before, after = self._raw.pixels[index], self._restored[index]
            try:
                found = support(*data_bar.above(before, after), dark=self._is_dark())
            except ImageError as error:
                self._untold.append(str(error))
                yield np.zeros(before.shape, np.float32)
                continue
            self._dark = found.dark
            self._note(index, found)
            bar = len(before) - len(found.map)
            yield np.pad(found.map, ((0, bar), (0, 0))) if bar else found.map

    @property
    def head(self) -> list[str]:
        """The names of the table's columns."""
        unit = self._raw.unit if self._raw.pixel_size is not None else None
        places = ["x_px", "y_px", *([f"x_{unit}", f"y_{unit}"] if unit else [])]
        frame = ["frame"] if len(self._restored) > 1 else []
        return [*frame, *places, "intensity", "error", "restored", "support", "chance", "verdict"]

    @property
    def table(self) -> str:
        """All rows, as CSV: frame by frame the spots of the result, then what is lost."""
        out = text.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.head)
        writer.writerows(self._rows)
        return out.getvalue()

    @property
    def line(self) -> str:
        """Say what became of the spots."""
        shown = sum(self.counts.values()) - self.counts["lost"]
        if self._untold and not shown:
            return f"support cannot be told: {self._untold[0]}"
        if not shown and not self.counts["lost"]:
            return "no spots or columns in the result, and none lost"
        supported, weak, unsupported, lost = self.counts.values()
        return (
            f"of {shown} {'dark' if self._dark else 'bright'} spots of the result the raw image supports {supported}, "
            f"{weak} weakly, {unsupported} not; {lost} that it shows are lost"
        )

    def _is_dark(self) -> bool | None:
        """Return whether spots are dark, by the detector that the file names; None where that does not tell."""
        said = self._raw.metadata.get("instrument") or {}
        words = set(re.findall("[a-z]+", str(said.get("detector", "")).lower()))
        return None if not words & (BRIGHT | DARK) else not words & BRIGHT

    def _note(self, frame: int, found: Support) -> None:
        image = self._raw
        start = np.array(image.origin or (0.0, 0.0))
        size = np.array(image.pixel_size or (1.0, 1.0))
        for number, verdict in enumerate(found.verdicts):
            self.counts[verdict] += 1
            row, column = found.positions[number]
            places = [f"{column:.3f}", f"{row:.3f}"]
            if image.pixel_size is not None and image.unit:
                y, x = start + (row, column) * size
                places += [f"{x:.6g}", f"{y:.6g}"]
            values = found.intensity, found.error, found.restored, found.logarithm, found.chance
            self._rows.append(
                [
                    *([str(frame)] if len(self._restored) > 1 else []),
                    *places,
                    *(f"{each[number]:.5g}" for each in values),
                    verdict,
                ]
            )
