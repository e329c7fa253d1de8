"""The raw image as the network saw it in the end: evidence is of that."""

from collections.abc import Mapping
from typing import Any

from temclean import io
from temclean.evidence import lag
from temclean.evidence.lines import lost, shuffled, straightened, stripes

SCANNED = "scanned"
"""What a result says of itself whose model puts the rows of scanned images back."""


class AsSeen(io.Frames):
    """The frames of a raw image without lag, lost lines and stripes, and with the rows of a stray beam put back.

    Parameters
    ----------
    raw, restored
        The frames before and after.
    made
        What the result says of how it was made.
    """

    def __init__(self, raw: io.Frames, restored: io.Frames, made: Mapping[str, Any]) -> None:
        super().__init__(raw.path, raw.shape, raw.dtype)
        self._raw, self._restored = raw, restored
        self._weights = lag.weights_of(made.get(lag.LAG))
        self._rows = bool(made.get(SCANNED)) and not made.get("blend")

    def frame(self, index: int) -> io.Array:
        """Return a frame, of the image's own type where nothing was changed."""
        frame = self._raw[index]
        if self._rows:
            frame, _ = stripes.removed(lost.mended(frame)[0])
        if self._weights:
            frame = lag.undo(frame, self._weights)
        if self._rows:
            restored = self._restored[index]
            moved = shuffled.put_in_order(frame)
            frame = frame if moved is None else moved.image
            steady = straightened.by_repeats(frame, restored)
            if steady is None and moved is None:
                steady = straightened.by_slopes(frame, restored, first=False)
            frame = frame if steady is None else steady.image
        return frame
