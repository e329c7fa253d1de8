"""A result of which frames arrive from several machines, in any order, and over several runs."""

import glob
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from temclean import io
from temclean.commands.cluster.work import Done
from temclean.errors import FileError
from temclean.evidence.agreement import Agreement
from temclean.evidence.findings import Findings
from temclean.evidence.lattice import Lattice
from temclean.evidence.residual import Missing
from temclean.io import files, temporary
from temclean.io.formats import OME_ZARR
from temclean.io.note import Note
from temclean.io.omezarr import writer

KEY = 16


class Unfinished:
    """The folder ``.NAME.KEY.part`` beside the result's place, in which it grows: ``result``, and a journal.

    ``KEY`` stands for all that the pixels depend on. The journal has a line for all frames that a worker has said to be
    written, with the checksum of their pixels.

    Parameters
    ----------
    target
        Where the result goes.
    asked
        What is to be done.
    image, dtype
        Of which image and with which type of pixels.
    resume
        Go on with what an earlier run has left.

    Raises
    ------
    FileError, ImageError
        Another run is at it, the folder cannot be written, or the format cannot hold such an image.
    """

    def __init__(
        self, target: Path, asked: Mapping[str, object], image: io.Image, dtype: np.dtype[Any], *, resume: bool
    ) -> None:
        files.check_pixels(target, OME_ZARR, writer, dtype, image)
        key = sha256(json.dumps({**asked, "dtype": str(dtype)}, sort_keys=True).encode()).hexdigest()[:KEY]
        self.target, self.image = target, image
        before = f".{temporary.stem(target)}."
        self.folder = target.with_name(f"{before}{key}.part")
        self.result = self.folder / "result"
        self._journal, self._owner = self.folder / "journal.jsonl", self.folder / "owner"
        for each in target.parent.glob(f"{glob.escape(before)}{'[0-9a-f]' * KEY}.part"):
            mine = each == self.folder
            if temporary.is_written(each / "owner", each / "journal.jsonl", unsure=not (mine and resume)):
                raise FileError(f"{target}: another run is writing it; wait for it, or give another -o")
            if not (mine and resume):
                temporary.remove(each)
        try:
            self.folder.mkdir(exist_ok=True)
            self._owner.write_text(temporary.writer())
            if not (self._journal.exists() and self.result.is_dir()):
                writer.create(self.result, image, dtype)
                self._journal.write_text("")
        except OSError as error:
            raise FileError(f"{target}: cannot be written ({error.strerror}); {files.remedy(error, target)}") from error
        self.done = {each.first: each for each in self._noted()}

    def missing(self, most: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of the frames that are not there, first and stop, of no more than `most` frames."""
        there = {frame for each in self.done.values() for frame in range(each.first, each.stop)}
        first = 0
        for frame in range(len(self.image.pixels) + 1):
            ends = frame in there or frame == len(self.image.pixels)
            if first < frame and (ends or frame - first == most):
                yield first, frame
                first = frame
            if ends:
                first = frame + 1

    def add(self, done: Done) -> None:
        """Note that frames have been written."""
        self.done[done.first] = done
        with self._journal.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(asdict(done)))  # first the end of a line that a power cut has torn

    def finish(self, facts: Mapping[str, object], *, replace: bool) -> None:
        """Give the result its name, once all frames are as the workers wrote them.

        Raises
        ------
        FileError : they are not; or it cannot be written, or another has its name by now.
        """
        note = Note(facts)
        for _ in note.watch(self._written()):
            pass
        for left in self.result.rglob("*.partial"):  # of the library, where a worker was killed while it wrote
            left.unlink()
        writer.describe(self.result, self.image, note)
        files.to_disk(self.result)
        with io.whole(self.target, replace=replace) as place:
            self.result.rename(place)
        temporary.remove(self.folder)

    def _written(self) -> Iterator[io.Array]:
        array = writer.reopen(self.result)
        for each in sorted(self.done.values(), key=lambda each: each.first):
            frames = [writer.get(array, index) for index in range(each.first, each.stop)]
            if io.checksum(frames) != each.sha256:
                raise FileError(
                    f"{self.target}: frames {each.first} to {each.stop - 1} are not as a worker wrote them; write to a "
                    "folder on a disk that all workers share, and run it again with --resume"
                )
            yield from frames

    def leave(self) -> None:
        """Let another run go on with it."""
        with suppress(OSError):
            self._owner.unlink()

    def _noted(self) -> Iterator[Done]:
        """Yield what the journal says and the disk confirms."""
        array = writer.reopen(self.result)
        for line in self._journal.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                done = _read(json.loads(line))
            except (ValueError, TypeError, KeyError):  # cut short by a power cut
                continue
            if io.checksum(writer.get(array, index) for index in range(done.first, done.stop)) == done.sha256:
                yield done


def _read(entry: dict[str, Any]) -> Done:
    found = tuple(
        Findings(
            Missing(**each["missing"]),
            Lattice(**each["lattice"]),
            Agreement(**each["agreement"]),
            each.get("strayed", 0.0),
            each.get("hits", 0),
            each.get("lines", 0),
            each.get("stripes", 0.0),
            each.get("back", 0.0),
        )
        for each in entry.pop("findings")
    )
    return Done(**entry | {"levels": tuple(entry["levels"]), "findings": found})
