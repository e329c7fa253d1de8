"""The residual of a result, raw minus restored, as a file."""

import math
from collections.abc import Iterator

import numpy as np

from temclean import io
from temclean.evidence import findings
from temclean.evidence.residual import CLEAR, Missing


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

    def __iter__(self) -> Iterator[io.Array]:
        for index in range(len(self._raw)):
            before, after = self._raw[index], self._restored[index]
            found = Missing() if self._flattened else findings.compare(before, after).missing
            if found.significance > self.missing.significance:
                self.missing, self.frame = found, index
            wide = np.float32 if max(before.dtype.itemsize, after.dtype.itemsize) <= 2 else np.float64
            left = np.subtract(before, after, dtype=wide)
            yield left.astype(np.float32, copy=False)

    @property
    def line(self) -> str:
        """Say in one number what is in the residual beside noise, and where."""
        if self._flattened:
            return "the residual holds the background that was taken away, so that structure in it says nothing"
        found = self.missing
        if not found.significance:
            return "the residual is too small to tell structure in it from noise"
        number = f"{found.significance:.1f}" if math.isfinite(found.significance) else "far more than 100"
        where = f" of frame {self.frame + 1}" if len(self._raw) > 1 else ""
        said = "structure was removed here" if found.clear else "no more than noise leaves"
        return (
            f"the residual's means are at most {number} times as large as noise leaves them ({CLEAR:g} and more is "
            f"structure), at row {found.row}, column {found.column}{where}: {said}"
        )
