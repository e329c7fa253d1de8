"""One page about a batch, written while the batch goes on, so that memory does not grow with it."""

import base64
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TextIO
from urllib.parse import quote

from temclean import __version__, io
from temclean.commands.records import Result
from temclean.commands.views import facts, page, plates, verdicts
from temclean.commands.views.pair import Pair
from temclean.commands.views.plates import Plate
from temclean.errors import FileError, ParameterError
from temclean.io import temporary

INSIDE = 8_000_000
"""Bytes of pictures that a page holds itself; more lie beside it, in a folder."""

SUFFIXES = {".html", ".htm"}
GENERATOR = re.compile(r'<meta name="generator" content="temclean [^;"]*; ([0-9a-f]{8})">')
PARTS = "failures", "tiles", "articles"


class Report:
    """Collects what there is to say about results, in a ``with`` block at whose end the page is written.

    Where the block ends early, the page shows what was done till then.

    Parameters
    ----------
    path
        Of the page.
    settings
        What the run was asked for.
    total
        How many images there are.
    replace
        Replace what is there; a page of temclean's own is replaced with ``renew`` too.

    Raises
    ------
    ParameterError
        The name is not that of a page, or something is in the way.
    FileError
        The page cannot be written.
    """

    def __init__(
        self, path: Path, settings: Mapping[str, str], total: int, *, replace: bool = False, renew: bool = False
    ) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise ParameterError(f"{path}: a report is a page; give a name that ends in .html")
        if path.exists() and not replace and not (renew and token_of(path)):
            raise ParameterError(f"{path}: exists; --overwrite replaces it, and --resume if it is a report")
        self.path, self._settings, self._total = path, settings, total
        self._token = secrets.token_hex(4)
        self._began = time.time()
        self._count: dict[str, int] = {"done": 0, "kept": 0, "failed": 0, "warned": 0}
        self._bytes = 0
        self._devices: set[str] = set()
        self._files: dict[str, TextIO] = {}

    def __enter__(self) -> "Report":
        folder = self.path.parent
        name = f".{temporary.stem(self.path)}.{temporary.writer()}-{secrets.token_hex(4)}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            temporary.clear([self.path])
            self._folder = folder / name
            self._folder.mkdir()
            self._files = {part: (self._folder / part).open("w+", encoding="utf-8") for part in PARTS}
        except OSError as error:
            raise FileError(f"{self.path}: cannot be written ({error.strerror}); give another --report") from error
        return self

    def add(self, result: Result, pair: Pair | None = None) -> None:
        """Put a result on the page; without a pair there are no pictures of it."""
        if result.status == "failed":
            self._count["failed"] += 1
            self._files["failures"].write(page.failure(result))
            return
        found = verdicts.of(result.evidence, pair.frame - 1) if pair else None
        drawn = plates.draw(pair) if pair else []
        if pair and found and found.doubts:
            drawn = [*drawn, plates.marked(pair, found.doubts)]
        drawings = facts.drawings(pair) if pair else []
        number = self._count["done"] + self._count["kept"] + 1
        pictures: dict[str, Plate] = {}
        for plate in drawn:
            name = f"{self._token}-{number:05}-{plate.kind}.jpg"
            (self._folder / name).write_bytes(plate.content)
            self._bytes += len(plate.content)
            pictures[name] = plate
        entry = page.Entry(number, result, pictures, drawings, facts.tables(result, pair, found))
        self._files["tiles"].write(page.tile(entry))
        self._files["articles"].write(page.article(entry))
        self._count[result.status] += 1
        self._count["warned"] += bool(result.warnings)
        self._devices |= {result.device} if result.device else set()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None or any(self._count.values()):
                self._finish()
        finally:
            for file in self._files.values():
                with suppress(OSError):  # of a full disk, which is told of what could not be written first
                    file.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _finish(self) -> None:
        """Write the page and bring the pictures to their place; those of the page that it replaces go."""
        beside = self.path.with_name(f"{self.path.stem}_files")
        earlier = token_of(self.path)
        inside = self._bytes <= INSIDE
        try:
            if not inside:
                beside.mkdir(exist_ok=True)
                for picture in self._folder.glob("*.jpg"):
                    picture.replace(beside / picture.name)
            with io.whole(self.path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
                for part in self._parts():
                    file.write(self._with_pictures(part, None if inside else f"./{quote(beside.name)}/"))
        except OSError as error:
            raise FileError(f"{self.path}: cannot be written ({error.strerror or error}); give another one") from error
        if earlier and earlier != self._token:
            for picture in beside.glob(f"{earlier}-*.jpg"):
                with suppress(OSError):
                    picture.unlink()
        if inside and earlier:
            with suppress(OSError):
                beside.rmdir()  # if it is empty

    def _parts(self) -> Iterator[str]:
        for file in self._files.values():
            file.seek(0)
        yield page.head(f"temclean: {self.path.stem}", self._lines(), self._settings, self._token)
        yield from page.before_articles(iter(self._files["failures"]), iter(self._files["tiles"]))
        yield from self._files["articles"]
        yield page.tail()

    def _lines(self) -> Iterator[str]:
        """Yield what the page says first."""
        done = self._count["done"] + self._count["kept"]
        came = done + self._count["failed"]
        kept = f" ({self._count['kept']} of them by an earlier run, whose warnings are not known)"
        yield (
            f"{done} of {self._total} images are denoised{kept if self._count['kept'] else ''}, "
            f"{self._count['failed']} failed; {self._count['warned']} with warnings."
        )
        if came < self._total:
            yield f"The run was interrupted: {self._total - came} images were not reached."
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self._began))
        device = f", on {' and '.join(sorted(self._devices))}" if self._devices else ""
        yield f"temclean {__version__}, {when}{device}."

    def _with_pictures(self, part: str, folder: str | None) -> str:
        """Return a part of the page with its pictures in it, or with their addresses."""

        def address(found: re.Match[str]) -> str:
            if folder is not None:
                return folder + found[1]
            content = (self._folder / found[1]).read_bytes()
            return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"

        return re.sub(f"{page.MARK}([^{page.MARK}]*){page.MARK}", address, part)


def token_of(path: Path) -> str | None:
    """Return what the names of a page's pictures begin with; None where it is no report of temclean's."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            found = GENERATOR.search(file.read(4096))
    except OSError:
        return None
    return found[1] if found else None
