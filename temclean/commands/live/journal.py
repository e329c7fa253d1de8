"""What a watched folder's files have become, a line each on disk, so that a restart neither repeats nor skips any."""

import json
from pathlib import Path

from temclean.io.companions import Stamp, holds

NAME = ".temclean-watch.jsonl"


class Journal:
    """Which inputs are done, as they were, and which files were made of them.

    A line is added when a result has its name. Where a power cut takes the line, the result itself tells what it was
    made of.

    Parameters
    ----------
    folder
        Holds the file ``.temclean-watch.jsonl``.
    asked
        What was asked for: the model, the type of pixels, ...; what was done for another wish does not count.
    """

    def __init__(self, folder: Path, asked: str) -> None:
        self.path = folder / NAME
        self._asked = asked
        self._done: dict[str, tuple[Stamp, list[str]]] = {}
        try:
            text = self.path.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        self._torn = bool(text) and not text.endswith("\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                if entry["asked"] == asked:
                    stamp = int(entry["size"]), int(entry["mtime_ns"]), *map(int, entry.get("beside", []))
                    self._done[entry["input"]] = stamp, [str(each) for each in entry["outputs"]]
            except (ValueError, TypeError, KeyError):  # cut short by a power cut
                continue

    def done(self, path: Path, stamp: Stamp) -> bool:
        """Return whether an input was done as it is now, and its results are still there."""
        known = self._done.get(_key(path))
        return known is not None and holds(known[0], stamp) and all(Path(each).exists() for each in known[1])

    def made(self, path: Path) -> bool:
        """Return whether an input was done, as it is now or as it was before."""
        return _key(path) in self._done

    def done_without(self, path: Path, stamp: Stamp) -> bool:
        """Return whether an input was done as it is now, but without what has come beside it."""
        known = self._done.get(_key(path))
        return known is not None and holds(known[0], stamp[:2]) and not holds(known[0], stamp)

    def add(self, path: Path, stamp: Stamp, outputs: list[str]) -> None:
        """Note that an input is done; OSError if it cannot be written."""
        outputs = [_key(Path(each)) for each in outputs]
        self._done[_key(path)] = stamp, outputs
        entry = {"input": _key(path), "size": stamp[0], "mtime_ns": stamp[1], "outputs": outputs, "asked": self._asked}
        entry |= {"beside": stamp[2:]} if stamp[2:] else {}
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n" * self._torn + json.dumps(entry) + "\n")
        self._torn = False


def _key(path: Path) -> str:
    return str(path.absolute())
