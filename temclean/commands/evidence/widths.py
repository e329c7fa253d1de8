"""How far the truth may be from each pixel of a result."""

from collections.abc import Iterator

import numpy as np

from temclean import io
from temclean.errors import ParameterError
from temclean.evidence import intervals


class Widths:
    """The half widths of each frame, float32, one by one.

    Parameters
    ----------
    raw, restored
        The frames before and after.
    model
        The name of the model that was taken.
    blend
        Share of the raw image in the result, which no calibration knows of.

    Raises
    ------
    ParameterError
        If the model was not calibrated, or the result is not all its own.
    """

    def __init__(self, raw: io.Frames, restored: io.Frames, model: str, *, blend: float = 0.0) -> None:
        known = intervals.factors()
        if model not in known:
            raise ParameterError(f"the intervals of {model} were not calibrated, only those of {', '.join(known)}")
        if blend:
            raise ParameterError("the intervals are those of results without --blend; leave one of the two out")
        self._raw, self._restored, self._model = raw, restored, model
        self._sum = 0.0

    def __iter__(self) -> Iterator[io.Array]:
        for index in range(len(self._raw)):
            found = intervals.half_widths(self._raw[index], self._restored[index], self._model)
            self._sum += float(found.mean(dtype=np.float64))
            yield found

    @property
    def line(self) -> str:
        """Say how wide they are."""
        return (
            f"the truth lies within the intervals, here ± {self._sum / len(self._raw):.3g} in the mean, in "
            f"{1 - intervals.OUTSIDE:.0%} of the pixels of images like those that {self._model} was calibrated on"
        )
