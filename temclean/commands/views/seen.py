"""Look at results as they come: what is made of each beside its file."""

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from temclean.commands.records import Result, describe
from temclean.commands.views import pair, preview
from temclean.commands.views.report import Report

AHEAD = 1
"""Results that may wait to be looked at while more are being made."""


@dataclass(frozen=True)
class Viewer:
    """Makes what was asked for of each result.

    Attributes
    ----------
    previews : write a picture of each.
    report : what gets all of them.
    replace : replace what is in the way of a picture.
    """

    previews: bool = False
    replace: bool = False
    report: Report | None = None

    def look(self, result: Result) -> Result:
        """Return a record with the pictures that were made of its result; what went wrong is one more warning."""
        found = None
        if result.output is not None and result.status in {"done", "kept"}:
            target = Path(result.output)
            try:
                found = pair.read(result.input, result.image, target)
                if self.previews:
                    result = replace(result, preview=str(preview.write(found, target, replace=self.replace)))
            except Exception as error:
                result = _warned(result, f"no picture was made of the result: {describe(error, target)}")
        if self.report:
            try:
                self.report.add(result, found)
            except Exception as error:
                result = _warned(result, f"the report has no pictures of it: {describe(error, self.report.path)}")
                with suppress(Exception):
                    self.report.add(result)
        return result


def _warned(result: Result, line: str) -> Result:
    return replace(result, warnings=(*result.warnings, line))


def seen(results: Generator[Result], look: Callable[[Result], Result]) -> Generator[Result]:
    """Yield the records in their order, each after a look at it, which is had while the next result is being made.

    When this is closed, ``results`` are, and what is being looked at is finished.
    """
    worker = ThreadPoolExecutor(1, "temclean-look")
    waiting: deque[Future[Result]] = deque()
    try:
        for result in results:
            waiting.append(worker.submit(look, result))
            while waiting and (len(waiting) > AHEAD or waiting[0].done()):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        results.close()
        worker.shutdown()
