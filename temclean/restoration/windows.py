"""The frames that a model of movies looks at together: the one it restores, and its neighbours laid over it."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ImageError
from temclean.evidence import drift
from temclean.evidence.lines import lost, stripes
from temclean.evidence.samples import Frames
from temclean.restoration.modelfile import Model
from temclean.restoration.together import Order

Frame = NDArray[Any]


class Mended:
    """Frames whose lost lines are mended as they are read, and from which stripes are taken.

    ``seen_to`` holds by frame how many lines were lost, and how strong stripes were.
    """

    def __init__(self, frames: Frames) -> None:
        self._frames, self.shape, self.dtype = frames, frames.shape, frames.dtype
        self.seen_to: dict[int, tuple[int, float]] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int, /) -> Frame:
        whole, lines = lost.mended(self._frames[index])
        frame, found = stripes.removed(whole)
        self.seen_to[index] = lines, found
        return frame


def check(count: int, model: Model) -> None:
    """Refuse a stack in which fewer frames follow each other than a model looks at; ImageError says what to take."""
    if count < model.frames:
        raise ImageError(
            f"holds {count} frame{'s' * (count != 1)}, and {model.name} looks at {model.frames} of a movie at once: "
            "give a longer movie, or take a model of single images, such as general"
        )


def neighbours(index: int, frames: int, window: int) -> list[int]:
    """Return which frames stand in the window of one, itself in the middle; ``window`` is odd, ``frames`` no fewer.

    Near the ends of a movie those that are missing on one side are taken from the other, so that no frame is there
    twice, whose noise would count double.

    Examples
    --------
    >>> neighbours(7, 20, 5), neighbours(0, 20, 5), neighbours(18, 20, 5)
    ([5, 6, 7, 8, 9], [4, 3, 0, 1, 2], [16, 17, 18, 19, 15])
    """
    reach, after = window // 2, frames - 1 - index
    left = [index - step if step <= index else reach + step for step in range(reach, 0, -1)]
    right = [index + step if step <= after else index - reach - (step - after) for step in range(1, reach + 1)]
    return [*left, index, *right]


def over(frame: Frame, reference: Frame, *, whole: bool = False) -> Frame:
    """Lay a frame over another, by fractions of a pixel; what comes in from outside is reflected.

    Parameters
    ----------
    frame, reference : ndarray, (rows, columns)
        Of one shape; the drift between them is measured (`temclean.evidence.drift`).
    whole : bool
        Move by whole pixels, so that noise stays as it is.

    Returns
    -------
    ndarray
        Of float32, or of what holds the frame's own numbers; the frame itself where nothing has moved.
    """
    down, right = (round(step, 0 if whole else 3) for step in drift.shift(reference, frame))
    if not (down or right):
        return frame
    # Numbers of electrons may be large, and are told apart by their last digits.
    offset = float(np.median(frame[::8, ::8]))
    margins = [math.ceil(abs(step)) + drift.TAPS for step in (down, right)]
    padded = np.pad((frame - offset).astype(np.float32), [(margin, margin) for margin in margins], mode="symmetric")
    rows, columns = (slice(margin, margin + side) for margin, side in zip(margins, frame.shape, strict=True))
    moved = drift.moved(padded, (-down, -right))[rows, columns]
    return offset + moved.astype(np.result_type(frame.dtype, np.float32))


class Windows:
    """The windows of a movie, one for each of its frames; each frame is read once where they are asked for in turn.

    ``windows[index]`` is a list of frames, (rows, columns) each, in the order of :func:`neighbours`; the middle one is
    as it was read, the others are laid over it. For a window of one frame it is that frame alone.

    Parameters
    ----------
    frames : Frames
        Read on demand; no more than a window of them are held.
    window : int
        How many frames a model looks at.
    order : Order, optional
        Which frames follow each other; all by default.
    """

    def __init__(self, frames: Frames, window: int, order: Order | None = None) -> None:
        self._frames, self._window, self._order = frames, window, order or Order(len(frames))
        self._held: dict[int, Frame] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> list[Frame]:
        if self._window == 1:
            return [self._frames[index]]
        place, stride = self._order.place(index), self._order.stride
        near = neighbours(place, self._order.length, self._window)
        chosen = [index + (other - place) * stride for other in near]
        held = {other: self._held[other] for other in chosen if other in self._held}
        self._held = held | {other: self._frames[other] for other in sorted(chosen) if other not in held}
        middle = self._held[index]
        return [middle if other == index else over(self._held[other], middle) for other in chosen]
