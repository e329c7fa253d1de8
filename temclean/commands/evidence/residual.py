"""The residual of a result, raw minus restored, as a file."""

import math
from collections.abc import Iterator

import numpy as np

from temclean import io
from temclean.evidence import data_bar
from temclean.evidence.agreement import contrast_left
from temclean.evidence.residual import CLEAR, Missing, missing

WEAKER = 0.25
"""Contrast that is missing, over what is left, from which on it is said beside what of the residual is wide."""

UNTOLD = 0.5
"""Three standard errors of that from which on it is not known."""


class Residual:
    """The frames of a residual, float32, one by one; and when all are taken, where most structure is in them.

    Parameters
    ----------
    raw, restored
        The frames before and after.
    flattened
        Whether a background was taken away on purpose: then it is no fault that there is structure.
    """

    def __init__(self, raw: io.Frames, restored: io.Frames, *, flattened: bool = False) -> None:
        self._raw, self._restored, self._flattened = raw, restored, flattened
        self.missing = Missing()
        self.frame = 0
        self._shares: list[tuple[float, float]] = []

    def __iter__(self) -> Iterator[io.Array]:
        for index in range(len(self._raw)):
            before, after = self._raw[index], self._restored[index]
            if not self._flattened:
                self._look(*data_bar.above(before, after), index)
            wide = np.float32 if max(before.dtype.itemsize, after.dtype.itemsize) <= 2 else np.float64
            left = np.subtract(before, after, dtype=wide)
            yield left.astype(np.float32, copy=False)

    def _look(self, before: io.Array, after: io.Array, index: int) -> None:
        found = missing(before, after, fine=True)
        if found.significance > self.missing.significance:
            self.missing, self.frame = found, index
        self._shares.append(contrast_left(before, after))

    @property
    def line(self) -> str:
        """Say in one number what is in the residual beside noise, and where."""
        if self._flattened:
            return "the residual holds the background that was taken away, so that structure in it says nothing"
        found = self.missing
        if not found.significance:
            return f"the residual is too small to tell structure in it from noise; {self._contrast()}"
        number = f"{found.significance:.1f}" if math.isfinite(found.significance) else "far more than 100"
        where = f" of frame {self.frame}" if len(self._raw) > 1 else ""
        said = "structure was removed here" if found.clear else "no more than noise leaves"
        if not found.clear and self._is_weaker():
            said = "nothing wide is missing, but fine contrast is"
        return (
            f"the residual's means are at most {number} times as large as noise leaves them ({CLEAR:g} and more is "
            f"structure), at row {found.row}, column {found.column}{where}: {said}; {self._contrast()}"
        )

    def _is_weaker(self) -> bool:
        share, error = np.mean(self._shares, axis=0)
        return bool(share > max(3 * error, WEAKER))

    def _contrast(self) -> str:
        """Say how the contrast of the result compares with that of the raw image."""
        share, error = np.mean(self._shares, axis=0)
        if 3 * error > UNTOLD:
            return f"how the contrast of the result compares with that of the raw image cannot be told (± {error:.1%})"
        if abs(share) <= 3 * error or share <= -1:
            return f"the result has the contrast of the raw image (± {error:.1%})"
        less = "less" if share > 0 else "more"
        change, error = abs(share) / (1 + share), error / (1 + share) ** 2
        return f"the result has {change:.1%} (± {error:.1%}) {less} contrast than the raw image"
