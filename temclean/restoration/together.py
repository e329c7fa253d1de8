"""Frames of a movie, each taken together with its neighbours where they agree with it, for models of single images.

Three frames that show the same have the noise of one over the square root of three. What has changed must not be
smeared over time, nor what drifts over space: neighbours are laid over the frame by fractions of a pixel, and count for
each pixel only as far as the difference is what noise would make it.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ImageError, ParameterError
from temclean.evidence import drift
from temclean.evidence.samples import Frames
from temclean.restoration.modelfile import MOST_JOINED, Model

Floats = NDArray[np.float32]

SPOT = 1.8
"""Standard deviation in pixels of the Gaussian under which differences are averaged: that of a blurred atom."""

AROUND = 8.0
"""The same of the surroundings that tell how strong the noise of a difference is."""

ALIKE, FALL = 1.5, 0.7
"""Standard deviations of the averaged noise up to which a neighbour counts in full, and over which it fades out."""


@dataclass(frozen=True)
class Order:
    """How the frames of a stack lie: which follow each other, in time or else in depth, and which channel each shows.

    Attributes
    ----------
    length, stride : frames that follow each other, and from one of them to the next.
    channels, apart : detectors or signals, each with a scale of its own, and from one of them to the next.
    """

    length: int
    stride: int = 1
    channels: int = 1
    apart: int = 1

    @classmethod
    def of(cls, shape: tuple[int, ...], axes: str | None = None) -> "Order":
        """Return that of a stack (..., rows, columns) by its axes, such as ``"TCYX"``; else the last of them is time.

        Examples
        --------
        >>> Order.of((3, 2, 64, 64), "TCYX")
        Order(length=3, stride=2, channels=2, apart=1)
        """
        sizes = shape[:-2]
        letters = axes[:-2] if axes and len(axes) == len(shape) else ""
        strides = [math.prod(sizes[place + 1 :]) for place in range(len(sizes))]
        axis = {letter: (sizes[place], strides[place]) for place, letter in enumerate(letters) if sizes[place] > 1}
        last = (sizes[-1], 1) if sizes and not letters.endswith("C") else (1, 1)
        return cls(*axis.get("T", axis.get("Z", last)), *axis.get("C", (1, 1)))

    def check_movie(self, path: Path) -> None:
        """Refuse several channels, whose frames do not all follow each other; ImageError says what to do."""
        if self.channels > 1:
            raise ImageError(f"{path}: holds {self.channels} channels; save the one meant as a movie of its own")

    def channel(self, frame: int) -> int:
        """Return the number of the channel that a frame shows."""
        return frame // self.apart % self.channels

    def place(self, frame: int) -> int:
        """Return which of those that follow each other a frame is."""
        return frame // self.stride % self.length

    def beside(self, frame: int, reach: int) -> range:
        """Return the frame and as many before and after it, fewer at the ends."""
        place = self.place(frame)
        before, after = min(reach, place), min(reach, self.length - 1 - place)
        return range(frame - before * self.stride, frame + after * self.stride + 1, self.stride)


class Channel:
    """The frames of one channel of a stack."""

    def __init__(self, frames: Frames, order: Order, channel: int) -> None:
        self._frames = frames
        self._numbers = [each for each in range(len(frames)) if order.channel(each) == channel]
        self.shape = (len(self._numbers), *frames.shape[-2:])
        self.dtype: np.dtype[Any] = frames.dtype

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> NDArray[Any]:
        return self._frames[self._numbers[index]]


def channels(frames: Frames, order: Order | None) -> list[Frames]:
    """Return the frames of each channel."""
    if order is None or order.channels == 1:
        return [frames]
    return [Channel(frames, order, each) for each in range(order.channels)]


def count_of(model: Model, frames: int, wished: int | None = None, blend: float = 0.0) -> int:
    """Return how many frames of so many are taken together: as wished, else as the model wants them; 1 of one image.

    Where the raw image is mixed in, each frame stays by itself: of several there is no one raw image.

    Raises
    ------
    ParameterError : the wish has no middle, is out of range, or does not go together with the model or a blend.
    """
    if wished is None:
        return 1 if blend or frames < 2 else model.joined
    if not (1 <= wished <= MOST_JOINED and wished % 2):
        raise ParameterError(f"{wished} frames cannot be taken together: give an odd number from 1 to {MOST_JOINED}")
    if wished > 1 and model.frames > 1:
        raise ParameterError(f"{model.name} looks at {model.frames} frames itself: leave out how many to take together")
    if wished > 1 and blend:
        raise ParameterError("several frames together and a blend do not go together: there is no one raw image")
    return wished if frames > 1 else 1


def check_lazy(wished: int | None) -> None:
    """Refuse to take frames together that may lie in several blocks; ParameterError says what to do."""
    if wished is not None and wished > 1:
        raise ParameterError(f"{wished} frames together may lie in several blocks: call compute() first")


def joined(frames: Frames, count: int, order: Order | None = None) -> Frames:
    """Return a movie of which so many frames are taken together; the frames as they are where that is one."""
    return Together(frames, count, order) if count > 1 else frames


class Together:
    r"""A movie whose frames are means over their neighbours; no more than `count` frames are held.

    .. math:: f_i + \frac{\sum_j w_j (g_j - f_i)}{1 + \sum_j w_j},\quad
        w_j = \exp\left(-\frac{\max(0, |z_j| - 1.5)^2}{2 \cdot 0.7^2}\right)

    with g the registered neighbours, and z their local mean difference over the standard deviation that white noise of
    the strength around it would have.

    Parameters
    ----------
    frames : Frames
        Read on demand, once each where they are asked for in turn.
    count : int
        Frames taken together, the frame itself in the middle; odd. Fewer at the ends.
    order : Order, optional
        Which frames follow each other.

    Attributes
    ----------
    dtype : float32, or what holds the frames' own numbers.
    """

    def __init__(self, frames: Frames, count: int, order: Order | None = None) -> None:
        self._frames, self._reach = frames, count // 2
        self._order = order or Order.of(frames.shape)
        self.shape = tuple(frames.shape)
        self.dtype: np.dtype[Any] = np.result_type(frames.dtype, np.float32)
        self._held: dict[int, NDArray[Any]] = {}
        self._shifts: dict[tuple[int, int], drift.Shift] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> NDArray[Any]:
        chosen = self._order.beside(index, self._reach)
        self._held = {each: self._held[each] if each in self._held else self._frames[each] for each in chosen}
        self._shifts = {pair: off for pair, off in self._shifts.items() if min(pair) >= chosen.start}
        # Numbers of electrons may be large, and are told apart by their last digits.
        offset = self._middle(index)
        near = {each: (frame - offset).astype(np.float32) for each, frame in self._held.items()}
        frame = near.pop(index)
        total, weight = np.zeros_like(frame), np.ones_like(frame)
        for other, neighbour in near.items():
            down, right = self._off(index, other)
            laid = drift.moved(neighbour, (-down, -right))
            inside = np.isfinite(laid)
            difference = np.where(inside, laid - frame, np.float32(0))
            share = agreement(difference) * inside
            total += share * difference
            weight += share
        joined: NDArray[Any] = offset + (frame + total / weight).astype(self.dtype)
        return joined.astype(self.dtype, copy=False)

    def _middle(self, index: int) -> float:
        return float(np.median(self._held[index][::8, ::8]))

    def _off(self, index: int, other: int) -> drift.Shift:
        """Return by how much one frame stands off another; a pair is measured once, from the earlier of the two.

        So that the result is the same, bit for bit, wherever in the movie one begins.
        """
        first, second = sorted((index, other))
        if (first, second) not in self._shifts:
            offset = self._middle(first)
            one, two = ((self._held[each] - offset).astype(np.float32) for each in (first, second))
            self._shifts[first, second] = drift.shift(one, two)
        down, right = self._shifts[first, second]
        return (down, right) if first == index else (-down, -right)


def agreement(difference: Floats) -> Floats:
    """Return for each pixel of a difference, (rows, columns), how far it is what noise would make it: 0 to 1."""
    local = filters.gaussian(difference, SPOT)
    power = filters.gaussian(difference * difference, AROUND) / np.float32(4 * math.pi * SPOT**2)
    z = np.abs(local) / np.sqrt(np.maximum(power, np.finfo(np.float32).tiny))
    beyond = np.maximum(0, z - np.float32(ALIKE)) / np.float32(FALL)
    share: Floats = np.exp(-0.5 * beyond * beyond)
    return share
