"""What temclean notes in a result of its own: what made it of what, and the checksum of its pixels."""

import json
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Any

import numpy as np

from temclean.io.image import Array

PIXELS = "pixels_sha256"
_UNKNOWN = "0" * 64


class Note:
    """Facts about a result, in which the checksum of its pixels comes to stand as they pass by.

    Parameters
    ----------
    facts
        What else is noted; anything that JSON holds.
    """

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = dict(facts)
        self._sum: str | None = None

    def watch(self, frames: Iterable[Array]) -> Iterator[Array]:
        """Hand on the frames; when the last one has been taken, their checksum is known."""
        summed = sha256()
        for frame in frames:
            summed.update(_content(frame))
            yield frame
        self._sum = summed.hexdigest()

    def text(self) -> str:
        """Return the facts as JSON in ASCII, as long before the checksum is known as after."""
        return json.dumps({**self._facts, PIXELS: self._sum or _UNKNOWN}, separators=(",", ":"))


def checksum(frames: Iterable[Array]) -> str:
    """Return the SHA-256 of frames of pixels: row after row, frame after frame, the least byte of a value first."""
    summed = sha256()
    for frame in frames:
        summed.update(_content(frame))
    return summed.hexdigest()


def _content(frame: Array) -> memoryview:
    return np.ascontiguousarray(frame, frame.dtype.newbyteorder("<")).data
