"""What training takes of a movie: windows of frames, how strong its noise is, and how far noise hangs together.

Frames are read when they are needed, and few are held, so a movie may be of any length. Entry n of the bank follows
from the seed and n, batch k from the seed and k, so training that was stopped goes on as if it had not been.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temclean.errors import ImageError
from temclean.evidence import noise
from temclean.evidence.samples import Frames
from temclean.restoration import scaling
from temclean.restoration.scaling import Scaling
from temclean.restoration.windows import Windows, over
from temclean.training.networks import blindspot
from temclean.training.networks.blindspot import LEAST, WINDOW, Spot

Array = NDArray[np.float32]

PERCENTILES = 0.5, 99.5
"""What becomes 0 and 1."""

SIDE = 256
"""Pixels along a side that an entry of the bank has at most."""

LEAST_SIDE = 16
"""Pixels along a side of a frame that there must be."""

BANK = 96
"""Entries that are held: 250 MB of the largest."""

RENEWAL = 8
"""Batches after which an entry is replaced, where the bank does not hold the whole movie."""

HELD_OUT = 0.1
"""Share of the pixels that are never a target, by which it shows whether training gains."""

PAIRS = 12
"""Consecutive frames whose differences tell the noise."""

STEADY = 0.005
"""Noise, of the range, that is added to the measured one where frames are compared: rounding must not part them."""

RELATED = 0.1
"""Correlation with a pixel further on, from which on that is hidden too."""

MOST_PASSES = 16
"""Passes that a blind spot may take; a wider one is cut along the shorter correlation first."""

ENTRY, BATCH, HOLD, CHECK = range(4)
"""Parts of the keys of random numbers."""


@dataclass(frozen=True)
class Measured:
    """The noise of a movie on the scale of its percentiles.

    Attributes
    ----------
    level : standard deviation of a pixel.
    differences : variance of the difference of two frames, smoothed as the network does, at intensity 0, and its growth
        with the intensity.
    along_rows, along_columns : correlation with the pixel 1, 2, ... further on.
    """

    level: float
    differences: tuple[float, float]
    along_rows: tuple[float, ...]
    along_columns: tuple[float, ...]

    @property
    def spot(self) -> Spot:
        """What must be hidden so that no pixel is told by the noise of its neighbours."""
        rows, columns = (_reach(values) for values in (self.along_columns, self.along_rows))
        while (spot := Spot(rows, columns)).period[0] * spot.period[1] > MOST_PASSES:
            rows, columns = (rows - 1, columns) if 0 < rows <= columns or not columns else (rows, columns - 1)
        return spot


def _reach(correlation: tuple[float, ...]) -> int:
    """Return up to how many pixels further on noise hangs together without a break."""
    return next((lag for lag, value in enumerate(correlation) if abs(value) < RELATED), len(correlation))


@contextmanager
def named(movie: Path) -> Iterator[None]:
    """Put a movie's name before what is wrong with its frames."""
    try:
        yield
    except ImageError as error:
        if str(error).startswith(str(movie)):
            raise
        raise ImageError(f"{movie}: {error}") from error


def scaled(frames: Frames, least: int = LEAST_SIDE) -> Scaling:
    """Measure the scale of a movie.

    Raises
    ------
    ImageError : frames have fewer pixels along a side than the least, are all alike, or hold NaN.
    """
    rows, columns = frames.shape[-2:]
    if min(rows, columns) < least:
        raise ImageError(
            f"frames of {rows} x {columns} pixels are too small to learn from: give some of {least} or more"
        )
    scale = scaling.measure(frames, *PERCENTILES)
    if scale.flat:
        raise ImageError("all pixels of the movie are alike: there is nothing to learn from; give another")
    return scale


Frame = NDArray[np.generic]


def pairs(frames: Frames, scale: Scaling) -> Iterator[tuple[Frame, Frame, Array]]:
    """Yield consecutive frames, and their difference once the second is laid over the first by whole pixels.

    They are from all over the movie. Copies of the frame before, of which no noise is left, are passed over.

    Raises
    ------
    ImageError : all frames are copies.
    """
    last = len(frames) - 1
    chosen = np.unique(np.linspace(0, last - 1, PAIRS).astype(int)).tolist()
    given = 0
    for index in [*chosen, *sorted({*range(last)}.difference(chosen))]:
        if given == PAIRS:
            return
        raw, following = frames[index], frames[index + 1]
        if np.array_equal(raw, following):
            continue
        difference = unit(raw, scale) - unit(over(following, raw, whole=True), scale)
        if np.ptp(difference) > 0.0:
            given += 1
            yield raw, following, difference
    if not given:
        raise ImageError("its frames are copies of each other, which tell no noise; give the movie as it was recorded")


def measure(frames: Frames, scale: Scaling) -> Measured:
    """Measure the noise in differences of consecutive frames, laid over each other.

    By whole pixels, which leaves noise as it is, for its level and how far it hangs together; by fractions, as the
    network has them, for how much frames differ that show the same.
    """
    levels, found, reports = [], [], []
    kernel = blindspot.gaussian(blindspot.SCALE)
    for raw, following, difference in pairs(frames, scale):
        first = unit(raw, scale)
        reports.append(noise.measure(difference))
        levels.append(float(np.subtract(*np.percentile(difference, (97.5, 2.5)))) / 3.92)  # few atoms hop
        second = unit(over(following, raw), scale)
        pair = torch.from_numpy(np.stack([first - second, (first + second) / 2.0])[None])
        level, smooth = (blindspot.smoothed(pair[:, part, None], kernel).numpy().ravel() for part in (1, 0))
        found.append(np.stack([level, smooth]))
    start, slope = _line(*np.concatenate(found, axis=1))
    rows, columns = (
        tuple(float(value) for value in np.median([getattr(each, name) for each in reports], axis=0))
        for name in ("along_rows", "along_columns")
    )
    start += 2.0 * STEADY**2 / (4.0 * np.pi * blindspot.SCALE**2)
    return Measured(float(np.median(levels)) / 2**0.5, (start, slope), rows, columns)


def _line(level: Array, difference: Array, bins: int = 8) -> tuple[float, float]:
    """Fit the variance of differences as a line over the intensity, from medians, which few atoms do not move."""
    edges = np.quantile(level, np.linspace(0.0, 1.0, bins + 1)[1:-1])
    number = np.digitize(level, edges)
    found = [
        (float(level[number == part].mean()), (float(np.median(np.abs(difference[number == part]))) / 0.6745) ** 2)
        for part in range(bins)
        if (number == part).any()
    ]
    places, variances = np.array(found).T
    if np.ptp(places) < 1e-3:
        return float(variances.mean()), 0.0
    slope, start = np.polyfit(places, variances, 1)
    return float(start), float(slope)


def unit(frame: NDArray[np.generic], scale: Scaling) -> Array:
    """Bring a frame to the scale on which percentiles are 0 and 1."""
    return ((frame.astype(np.float64) - scale.low) / (scale.high - scale.low)).astype(np.float32)


def window(frames: int) -> int:
    """Return how many frames of a movie of so many are looked at together: an odd number up to :data:`WINDOW`.

    Raises
    ------
    ImageError : there are fewer than :data:`LEAST`.
    """
    if frames < LEAST:
        count = f"{frames} frame{'s' * (frames != 1)}"
        raise ImageError(f"holds {count}, and a movie to learn from needs {LEAST} or more; give a longer one")
    return min(WINDOW, frames - 1 + frames % 2)


class Footage:
    """Batches of windows, from a bank that is a sample of the movie.

    Parameters
    ----------
    frames : the movie; frames are read when an entry of the bank is made.
    scale : of its intensities.
    crop : side of a crop in pixels.
    seed : which batches.
    """

    def __init__(self, frames: Frames, scale: Scaling, crop: int, seed: int) -> None:
        self.frames, self.scale, self.crop, self.seed = frames, scale, crop, seed
        self.window = window(len(frames))
        self.held: dict[int, Array] = {}
        small = max(frames.shape[-2:]) <= SIDE and len(frames) <= BANK
        self.size = len(frames) if small else BANK
        self.renewal = 0 if small else RENEWAL

    def entry(self, number: int, key: int = ENTRY) -> Array:
        """Return a window and which pixels are held out, (frames + 1, ...) in all; the first are one of each frame."""
        draw = np.random.default_rng([self.seed, key, number])
        first = number < len(self.frames) and key == ENTRY
        index = number * max(1, len(self.frames) // self.size) if first else int(draw.integers(len(self.frames)))
        index %= len(self.frames)
        seen = [unit(frame, self.scale) for frame in Windows(self.frames, self.window)[index]]
        rows, columns = seen[0].shape
        hidden = np.random.default_rng([self.seed, HOLD, index]).random((rows, columns)) < HELD_OUT
        stack = np.stack([*seen, hidden.astype(np.float32)])
        top, left = (int(draw.integers(max(0, length - SIDE) + 1)) for length in (rows, columns))
        stack = stack[:, top : top + SIDE, left : left + SIDE]
        room = [max(0, self.crop - length) for length in stack.shape[1:]]
        return np.ascontiguousarray(np.pad(stack, ((0, 0), (0, room[0]), (0, room[1])), mode="symmetric"))

    def bank(self, step: int) -> range:
        """Return the numbers of the entries that are in the bank at a step."""
        first = step // self.renewal if self.renewal else 0
        return range(first, first + self.size)

    def batch(self, step: int, count: int) -> tuple[Tensor, Tensor]:
        """Return windows (count, frames, crop, crop), mirrored at random, and which are held out, (count, 1, ...)."""
        numbers = self.bank(step)
        self.held = {number: self.held[number] for number in numbers if number in self.held}
        draw = np.random.default_rng([self.seed, BATCH, step])
        crops = []
        for number in draw.choice(np.array(numbers), count).tolist():
            if number not in self.held:
                self.held[number] = self.entry(number)
            stack = self.held[number]
            top, left = (int(draw.integers(length - self.crop + 1)) for length in stack.shape[1:])
            crop = stack[:, top : top + self.crop, left : left + self.crop]
            down, right, back = draw.random(3) < 0.5
            crop = crop[:, :: -1 if down else 1, :: -1 if right else 1]
            crops.append(np.concatenate([crop[:-1][:: -1 if back else 1], crop[-1:]]))
        both = torch.from_numpy(np.stack(crops))
        return both[:, :-1], both[:, -1:]

    def check(self, count: int, multiple: int) -> list[tuple[Tensor, Tensor]]:
        """Return windows of their own, up to 128 pixels a side, and their held-out pixels, to judge the network by."""
        found = []
        for number in range(count):
            stack = self.entry(number, CHECK)
            rows, columns = (max(multiple, min(length, 128) // multiple * multiple) for length in stack.shape[1:])
            both = torch.from_numpy(stack[None, :, :rows, :columns])
            found.append((both[:, :-1], both[:, -1:]))
        return found
