"""Denoise files as they land in a folder, until it is asked to stop."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from temclean import io
from temclean.commands import batch, jobs
from temclean.commands.jobs import Job
from temclean.commands.lines import say
from temclean.commands.live.growing import Growing, Pair, ReplacedError
from temclean.commands.live.journal import Journal
from temclean.commands.live.landing import AwayError, Landing, Seen
from temclean.commands.progress import Reporter
from temclean.commands.records import Result
from temclean.commands.sessions import OneSession, Sessions
from temclean.errors import FileError, ParameterError, TemcleanError
from temclean.io.companions import Companions, Stamp, holds
from temclean.restoration import models
from temclean.restoration.models import Model

POLL = 0.02
"""Seconds between two looks at a folder, at least; looking may take a fifth of the time, for a share's sake."""

PATIENCE = 3.0
"""Seconds that a file has to stand still before it is said to be bad: who writes it may only have paused."""

TURN = 1.0
"""Seconds that a stack that grows has before other files get their turn."""

AGAIN = 1.0
"""Seconds between two looks for a folder that is away."""


LIKELY = "general", "lr", "g"
"""Models that are made ready where each file is to have its own."""


@dataclass(frozen=True)
class Wish:
    """What is asked for: as for `temclean.commands.jobs.plan`, and for `temclean.commands.batch.run`.

    ``sha256`` is that of the model, where one is named: another of the same name does all again.
    """

    model: str | None
    out: Path | None = None
    dtype: str | None = None
    image: str | None = None
    tile: int | None = None
    overwrite: bool = False
    sha256: str | None = None
    joined: int | None = None


class Viewer(Protocol):
    """Who is shown the latest pair."""

    def show(self, name: str, pair: Pair, lag: float) -> None:
        """Show a frame and its result, which was there `lag` seconds after the frame was written."""


class Watch:
    """The loop: look, denoise what is finished, follow what grows.

    Parameters
    ----------
    landing
        The folder.
    wish
        What is to be done.
    sessions
        The models.
    reporter
        Prints a line a file.
    quiet
        Say nothing but errors.
    viewer
        Is shown every pair.
    """

    def __init__(
        self,
        landing: Landing,
        wish: Wish,
        sessions: Sessions,
        reporter: Reporter,
        *,
        quiet: bool = False,
        viewer: Viewer | None = None,
    ) -> None:
        self._landing, self._wish, self._sessions = landing, wish, sessions
        self._reporter, self._quiet, self._viewer = reporter, quiet, viewer
        self._home = wish.out or landing.folder
        together = "" if wish.joined is None else f" {wish.joined}"
        key = f"{wish.sha256 or wish.model or 'auto'} {wish.dtype} {wish.image}{together}"
        self._journal = Journal(self._home, key)
        self._handled: dict[Path, Stamp] = {}
        self._doubtful: dict[Path, Stamp] = {}
        self._growing: dict[Path, Growing] = {}
        self._backlog: set[Path] | None = None
        self._stopped: Callable[[], bool] = bool

    def run(self, stopped: Callable[[], bool]) -> None:
        """Go on until `stopped` says so; what is in hand is finished first."""
        away = False
        self._stopped = stopped
        try:
            while not stopped():
                began = time.monotonic()
                try:
                    seen = self._look()
                except AwayError as error:
                    if not away:
                        say(f"{self._landing.folder}: is out of reach ({error}); waiting for it to come back")
                    away = True
                    _rest(AGAIN, stopped)
                    continue
                if away and not self._quiet:
                    say(f"{self._landing.folder}: is back")
                away = False
                busy = self._step(seen)
                if not busy:
                    _rest(max(POLL, 4 * (time.monotonic() - began)), stopped)
        finally:
            for each in self._growing.values():
                each.close()

    def _look(self) -> list[Seen]:
        """Return the files that are not done."""
        seen = self._landing.look()
        if not self._home.is_dir():
            raise AwayError(f"the folder {self._home} is not there")
        if self._backlog is None:
            self._backlog = {one.path for one in seen}
        waiting = []
        for one in seen:
            if holds(self._handled.get(one.path), one.stamp):
                continue
            if one.path not in self._handled and self._journal.done(one.path, one.stamp):
                self._handled[one.path] = one.stamp
                continue
            waiting.append(one)
        return waiting

    def _step(self, waiting: list[Seen]) -> bool:
        """Do one finished file, those that have just come first, and the new frames of all that grow."""
        backlog = self._backlog or set()
        ready = [one for one in waiting if self._landing.finished(one) and self._is_due(one)]
        ready.sort(key=lambda one: one.path in backlog)
        for one in ready[:1]:
            self._do(one)
        growing = [one for one in waiting if one.grew and not self._landing.finished(one)]
        followed = [self._follow(one) for one in growing if not self._journal.done_without(one.path, one.stamp)]
        return bool(ready) or any(followed)

    def _is_due(self, one: Seen) -> bool:
        """Return whether a file is to be tried: once, and again when it has stood still for long."""
        return self._doubtful.get(one.path) != one.stamp or self._patient(one)

    def _patient(self, one: Seen) -> bool:
        return self._landing.rested(one) >= PATIENCE

    def _do(self, one: Seen) -> None:
        plan = self._plan(one)
        if plan.left_out:  # our own
            self._handled[one.path] = one.stamp
            return
        again = self._wish.overwrite or self._journal.made(one.path)
        resume = not self._journal.done_without(one.path, one.stamp)  # whose result tells nothing of what came later
        growing = self._growing.pop(one.path, None)
        if growing:
            with closing(growing):
                results = growing.finish(overwrite=again)
        else:
            run = batch.run(plan.jobs, self._sessions, overwrite=again, resume=resume, tile=self._wish.tile)
            with closing(run):
                results = list(run)
        if any(result.status == "failed" for result in results) and not self._is_failure(one):
            return
        self._handled[one.path] = one.stamp
        self._reporter.report(results)
        made = [result.output for result in results if result.output]
        if len(made) == len(results):
            self._note(one, made)
        self._show(one, results)

    def _is_failure(self, one: Seen) -> bool:
        """Return whether a failure counts: not while a folder is away, nor before the file has long stood still."""
        try:
            stamp = Companions().stamp(one.path)
        except OSError:  # it has gone, or its folder has, as the next look will tell
            return False
        if stamp != one.stamp or not self._home.is_dir():
            return False
        if self._patient(one):
            return True
        self._doubtful[one.path] = one.stamp
        return False

    def _follow(self, one: Seen) -> bool:
        """Denoise what has come of a stack that grows; return whether there was anything."""
        try:
            if one.path not in self._growing:
                (job,) = self._plan(one).jobs
                self._growing[one.path] = Growing(job, self._sessions, self._wish.tile)
            growing = self._growing[one.path]
            before, end = growing.count, time.monotonic() + TURN
            for pair in growing.advance():
                if self._viewer:
                    self._viewer.show(f"{one.path.name} {growing.count}", pair, _lag(one.stamp))
                if self._stopped() or time.monotonic() > end:
                    break
            return growing.count > before
        except ReplacedError:
            self._growing.pop(one.path).close()
            return True
        except (TemcleanError, OSError, ValueError):  # half a header; it is looked at again when it has grown
            return False

    def _plan(self, one: Seen) -> jobs.Plan:
        wish = self._wish
        out = wish.out / one.under if wish.out else None
        return jobs.plan([str(one.path)], wish.model, out, image=wish.image, dtype=wish.dtype, joined=wish.joined)

    def _note(self, one: Seen, made: list[str]) -> None:
        try:
            self._journal.add(one.path, one.stamp, made)
        except OSError as error:
            say(f"{self._journal.path}: cannot be written ({error.strerror}); a restart will look at all results")

    def _show(self, one: Seen, results: list[Result]) -> None:
        if self._viewer is None:
            return
        for result in results:
            if result.status == "done" and result.output:
                try:
                    with io.read(result.input, result.image) as before, io.read(result.output) as after:
                        pair = Pair(before.pixels[-1], after.pixels[-1])
                except (TemcleanError, OSError):  # it has gone since
                    continue
                self._viewer.show(one.path.name, pair, _lag(one.stamp))


def warm(sessions: Sessions, model: Model | None) -> None:
    """Denoise the sample once, so that the first file need not wait for what is loaded then.

    Where the model is chosen file by file, those are made ready that are for images of most kinds.
    """
    ready = [model] if model else [models.load(name) for name in LIKELY if name in models.available()]
    with resources.as_file(resources.files("temclean.data") / "sample.tif") as sample, TemporaryDirectory() as folder:
        if model is None:
            sessions.settle(Job(sample, None))
        for each in ready:
            session = OneSession(sessions.session(each, None))
            list(batch.run([Job(sample, Path(folder) / f"{each.name}.tif")], session))


def check(folder: Path, out: Path | None) -> None:
    """Refuse a folder that is not there, and make the one for the results.

    Raises
    ------
    ParameterError, FileError
    """
    if not folder.is_dir():
        raise ParameterError(f"{folder}: is no folder; name the one that the microscope writes to")
    if out is not None and out.suffix.lower() in io.WRITERS and not out.is_dir():
        raise ParameterError(f"{out}: is the name of a file; give a folder with -o")
    try:
        (out or folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{out}: cannot be made ({error.strerror}); give another folder with -o") from error


def _lag(stamp: Stamp) -> float:
    return max(0.0, time.time() - max(stamp[1::2]) / 1e9)


def _rest(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleep, but not on when it is time to stop."""
    end = time.monotonic() + seconds
    while not stopped() and (left := end - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
