"""Which files of a folder have been written to their end; it is looked at again and again, as shares send no events."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from temclean.commands.inputs import images_in
from temclean.io import is_folder_format
from temclean.io.companions import Companions, Stamp

LONGEST = 10.0
"""Seconds that a file has to stand still at most, however slowly it was written."""


class AwayError(Exception):
    """The folder cannot be looked into, as where a share is gone."""


@dataclass(frozen=True)
class Seen:
    """What is known of a file.

    Attributes
    ----------
    under : folder below the watched one.
    since : when it was first seen as it is now, in seconds of the clock.
    grew : times that it was seen to be longer than before.
    gap : seconds that passed before it grew, the longest seen.
    """

    path: Path
    under: Path
    stamp: Stamp
    since: float
    gap: float = 0.0
    grew: int = 0


class Landing:
    """A folder that files land in.

    A file is finished when its size and its time have stood still for `settle` seconds, and three times as long as it
    has stood still before it grew: a movie that grows by a frame a second is given three. The same holds of a file
    beside it that tells its scale; what comes only later counts as a change.

    Parameters
    ----------
    folder
        Is looked into.
    recursive
        Look into the folders below it too.
    settle
        Seconds.
    clock
        Seconds that never go back.
    """

    def __init__(
        self, folder: Path, settle: float, *, recursive: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder, self._settle, self._recursive, self._clock = folder, settle, recursive, clock
        self._mounted = _is_mount(folder)
        self._seen: dict[Path, Seen] = {}

    def look(self) -> list[Seen]:
        """Return all image files that are there now, in the order of their time.

        Raises
        ------
        AwayError
            If the folder is not there; what is known of its files is kept until it is back.
        """
        try:
            if self._mounted and not _is_mount(self.folder):
                raise AwayError("nothing is mounted there")
            found = images_in(self.folder, recursive=self._recursive)
        except OSError as error:
            raise AwayError(error.strerror or str(error)) from error
        now, companions = self._clock(), Companions()
        seen: dict[Path, Seen] = {}
        for each in found:
            if each.problem or is_folder_format(each.path):  # a folder that cannot be looked into, or told to be whole
                continue
            try:
                stamp = companions.stamp(each.path)
            except OSError:  # it has just been renamed
                continue
            seen[each.path] = _seen_again(self._seen.get(each.path), each.path, each.under, stamp, now)
        self._seen = seen
        return sorted(seen.values(), key=lambda one: one.stamp[1])

    def finished(self, one: Seen) -> bool:
        """Return whether a file has stood still for long enough."""
        return self.rested(one) >= max(self._settle, min(3 * one.gap, LONGEST))

    def rested(self, one: Seen) -> float:
        """Return for how many seconds a file has stood still."""
        return self._clock() - one.since


def _seen_again(before: Seen | None, path: Path, under: Path, stamp: Stamp, now: float) -> Seen:
    if before is None:
        return Seen(path, under, stamp, now)
    if before.stamp == stamp:
        return before
    longer = stamp[0] > before.stamp[0]
    gap = max(before.gap, (stamp[1] - before.stamp[1]) / 1e9) if longer else before.gap
    return replace(before, stamp=stamp, since=now, gap=gap, grew=before.grew + longer)


def _is_mount(folder: Path) -> bool:
    """Return whether a share or a disk begins at this folder: without it an empty folder would be left there."""
    try:
        return os.path.ismount(folder)
    except OSError:
        return False
