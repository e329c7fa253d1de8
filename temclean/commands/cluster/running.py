"""Hand the work out to the workers of a cluster, and keep a record of each input."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from temclean.commands.batch import Progress
from temclean.commands.cluster.connection import connected
from temclean.commands.cluster.tasks import Ranges, WholeFile, is_divided
from temclean.commands.cluster.work import Done, Network, Setting, denoise_file, denoise_range
from temclean.commands.jobs import Job
from temclean.commands.opening import Opened, open_job
from temclean.commands.progress import Reporter
from temclean.commands.records import Result, failed, refused
from temclean.commands.sessions import Sessions
from temclean.errors import DeviceError, FileError, MissingExtraError
from temclean.restoration.models import Device, Model

AHEAD = 4
"""Tasks that are handed out for each thread of the cluster, so that none waits while the next input is opened."""


def run_at(
    scheduler: str | Path,
    jobs: Iterable[Job],
    model: Model | None,
    how: tuple[Device, int, int | None, int],
    reporter: Reporter,
    *,
    overwrite: bool = False,
    resume: bool = False,
) -> Generator[Result]:
    """Find the scheduler, and do as :meth:`Cluster.run` with what `how` says: see `Setting`."""
    with connected(scheduler, reporter.tell) as client:
        cluster = Cluster(client, model, Setting(*how), reporter.name)
        yield from cluster.run(jobs, overwrite=overwrite, resume=resume, progress=reporter)


class Cluster:
    """Workers that denoise what they are told to.

    Parameters
    ----------
    client
        Of the scheduler.
    given
        The model for all inputs; None for the one that fits each.
    tell
        Called with the name of each model that is used, the device, and why it was chosen.
    """

    def __init__(
        self,
        client: Any,
        given: Model | None,
        setting: Setting,
        tell: Callable[[str, str, str | None], object] | None = None,
    ) -> None:
        self._client, self._given, self._setting, self._tell = client, given, setting, tell
        self._sessions = Sessions(given=given)  # which choose, and open none
        self._told: set[str] = set()

    def run(
        self, jobs: Iterable[Job], *, overwrite: bool = False, resume: bool = False, progress: Progress | None = None
    ) -> Generator[Result]:
        """Denoise the jobs and yield a record of each, in their order, as :func:`temclean.commands.batch.run` does.

        Close the iterator to give up: what workers have finished is there for another run with ``resume``.

        Raises
        ------
        DeviceError, MissingExtraError : a worker lacks what all inputs need.
        """
        from distributed import as_completed

        coming, begun, owners = iter(jobs), deque[WholeFile](), dict[str, WholeFile]()
        done, shown = as_completed(loop=self._client.loop), None
        room = AHEAD * max(1, sum(self._client.nthreads().values()))
        try:
            while True:
                while len(owners) < room and (job := next(coming, None)):
                    one, futures = self._begin(job, overwrite, resume)
                    begun.append(one)
                    owners |= dict.fromkeys(one.waiting, one)
                    done.update(futures)
                    if futures and progress:
                        shown = one
                        progress.begin(job, len(futures) * one.tiles)
                while begun and (result := begun[0].result):
                    begun.popleft().close()
                    self._announce(result)
                    yield result
                if not owners:
                    return
                future = next(done)
                one = owners.pop(future.key)
                one.waiting.discard(future.key)
                if one.result is None:
                    self._take(one, future)
                if progress and one is shown:
                    progress.advance(one.tiles)
        finally:
            with suppress(Exception):  # where the scheduler has gone
                self._client.cancel([key for one in begun for key in one.waiting])
            for one in begun:
                one.close()

    def _begin(self, job: Job, overwrite: bool, resume: bool) -> tuple[WholeFile, list[Any]]:
        """Hand out the tasks of a job, if there are any, and return what to wait for."""
        if job.target is None or job.problem:
            return WholeFile(job, refused(job)), []
        if not is_divided(job):
            one = WholeFile(job)
            there = replace(job, source=job.source.absolute(), target=job.target.absolute())
            network = Network.of(self._given) if self._given else None
            return one, [self._submit(one, denoise_file, there, network, self._setting, overwrite, resume)]
        opened = open_job(job, self._sessions, overwrite, resume, None)
        if not isinstance(opened, Opened):
            return WholeFile(job, opened), []
        try:
            ranges = Ranges(opened, self._setting)
        except Exception as error:
            opened.closing.close()
            return WholeFile(job, failed(job, error, opened.image.warnings)), []
        line = ranges.movie, ranges.network, self._setting
        futures = [self._submit(ranges, denoise_range, *line, *part) for part in ranges.parts()]
        if not futures:  # an earlier run was stopped when all was done but its name
            self._guarded(ranges, ranges.finish)
        return ranges, futures

    def _submit(self, one: WholeFile, function: Callable[..., object], *arguments: object) -> Any:
        future = self._client.submit(function, *arguments, pure=False)
        one.waiting.add(future.key)
        return future

    def _take(self, one: WholeFile, future: Any) -> None:
        self._guarded(one, lambda: one.take(_outcome(future)))
        if one.result and one.waiting:
            self._client.cancel(list(one.waiting))

    @staticmethod
    def _guarded(one: WholeFile, act: Callable[[], object]) -> None:
        """Do what ends with an input that failed, unless all would."""
        try:
            act()
        except (DeviceError, MissingExtraError):
            raise
        except Exception as error:
            one.fail(error)

    def _announce(self, result: Result) -> None:
        if self._tell and result.model and result.device and result.model not in self._told:
            self._told.add(result.model)
            self._tell(result.model, result.device, result.choice)


def _outcome(future: Any) -> Done | Result:
    """Return what a task gave, or raise what ended it."""
    if future.status == "cancelled":
        raise FileError("the scheduler has gone; start it again, and run this again with --resume")
    error = future.exception()
    if error is None:
        found: Done | Result = future.result()
        return found
    if type(error).__name__ == "KilledWorker":
        raise FileError(
            "the workers that were at it died, one after the other, as where memory runs out; give them more, or a "
            "smaller --tile, and run it again with --resume"
        )
    if isinstance(error, ImportError) and not isinstance(error, MissingExtraError):
        raise MissingExtraError(f"a worker lacks something of temclean ({error}); install the same there")
    raise error
