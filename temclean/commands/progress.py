"""Tell the user what ``temclean denoise`` does: results on stdout, messages and a bar on stderr."""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import click

from temclean.commands import codes
from temclean.commands.jobs import Job, Plan
from temclean.commands.lines import escaped
from temclean.commands.records import Result
from temclean.restoration.models import Session

MANY_TILES = 8
"""Tiles from which on a file has a bar of its own."""

NAMED = 20
"""Failed inputs that the summary names at most."""


def abandon(stream: TextIO) -> None:
    """Send to nowhere what a stream still holds and gets, as it cannot be written and Python flushes it at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class Reporter:
    """Prints the records of a run, and a progress bar if stderr is a terminal.

    Parameters
    ----------
    plan
        What is to be done.
    as_json
        Print the records as JSON, one a line.
    dry_run
        Nothing is being done, so there is no bar.
    quiet
        Print errors only on stderr, and no bar.
    bar
        Show how many files are done, where it is known how many there are.
    """

    def __init__(
        self, plan: Plan, *, as_json: bool, dry_run: bool = False, quiet: bool = False, bar: bool = True
    ) -> None:
        self._plan = plan
        self._as_json = as_json
        self._dry_run = dry_run
        self._quiet = quiet
        self._files: Any = None
        self._tiles: Any = None
        self._lost = False
        if bar and not dry_run and not quiet and sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = partial(tqdm, file=sys.stderr, leave=False, dynamic_ncols=True)
            self._files = self._bar(total=len(plan.jobs), unit="file")

    def announce(self, session: Session, choice: str | None = None) -> None:
        """Say which model and device were taken; of a model that nobody named, why, and how to name another."""
        note = f" ({session.fallback})" if session.fallback else ""
        self.name(session.model.name, f"{session.device}{note}", choice)

    def name(self, model: str, device: str, choice: str | None = None) -> None:
        """Say the same of a model that runs elsewhere."""
        why = f": {choice}; -m chooses another model" if choice else ""
        self.tell(f"temclean: {model} on {device}{why}")

    def tell(self, line: str) -> None:
        """Say a line, unless nothing but errors is wanted."""
        if not self._quiet:
            self._say(line)

    def report(self, results: Iterable[Result]) -> int:
        """Print each record as it comes and a summary, and return the exit code."""
        done, failed, missing = 0, [], 0
        planned: set[str | None] = set()
        for result in results:
            self._end_tiles()
            name = result.input if result.image is None else f'{result.input} "{result.image}"'
            for warning in () if self._quiet else result.warnings:
                self._say(f"{name}: warning: {warning}")
            for note in () if self._quiet else result.notes:
                self._say(f"{name}: {note}")
            if self._dry_run and result.choice and result.model not in planned and not self._quiet:
                planned.add(result.model)
                self._say(f"temclean: {result.model}: {result.choice}; -m chooses another model")
            if result.status == "failed":
                failed.append(name)
                missing += result.missing_extra
                self._say(f"{name}: {result.error}")
            else:
                done += 1
            if self._as_json:
                self._print(json.dumps(asdict(result)))
            elif result.status != "failed":
                kept = {"kept": " (kept)", "planned": " (dry run)"}.get(result.status, "")
                if result.choice and not Path(str(result.output)).stem.endswith(f"_{result.model}"):
                    kept = f" ({result.model}){kept}"
                self._print(escaped(f"{name} -> {result.output}{kept}"))
            if self._files is not None:
                self._files.update()
        self._end()
        self._summarise(done, failed)
        return codes.FAILED if self._lost else codes.of_failures(len(failed), missing)

    def begin(self, job: Job, tiles: int) -> None:
        """Start a file."""
        if self._files is None:
            return
        self._files.set_postfix_str(escaped(job.source.name))
        self._end_tiles()
        if tiles >= MANY_TILES:
            self._tiles = self._bar(total=tiles, unit="tile", position=1)

    def advance(self, tiles: int) -> None:
        """Note that so many tiles are done."""
        if self._tiles is not None:
            self._tiles.update(tiles)

    def _summarise(self, done: int, failed: list[str]) -> None:
        left_out = len(self._plan.left_out)
        if left_out and not self._quiet:
            few = ", ".join(str(path) for path in self._plan.left_out[:3]) + (", ..." if left_out > 3 else "")
            self._say(f"temclean: left out what temclean made: {few} ({left_out}); --include-results takes it")
        if failed and done + len(failed) > 1:
            names = ", ".join(failed[:NAMED]) + (f" and {len(failed) - NAMED} more" if len(failed) > NAMED else "")
            self._say(f"temclean: {len(failed)} of {done + len(failed)} failed: {names}")

    def _say(self, line: str) -> None:
        self._write(escaped(line), err=True)

    def _print(self, line: str) -> None:
        self._write(line, err=False)

    def _write(self, line: str, *, err: bool) -> None:
        try:
            if self._files is None:
                click.echo(line, err=err)
            else:
                with self._files.external_write_mode(file=sys.stderr):
                    click.echo(line, err=err)
        except BrokenPipeError:
            raise
        except OSError as error:  # such as a full disk that stdout goes to; the files are worth more than their names
            abandon(sys.stderr if err else sys.stdout)
            self._lost = True
            if not err:
                self._say(f"temclean: stdout cannot be written ({error.strerror}); the files are done all the same")

    def _end_tiles(self) -> None:
        if self._tiles is not None:
            self._tiles.close()
            self._tiles = None

    def _end(self) -> None:
        self._end_tiles()
        if self._files is not None:
            self._files.close()
            self._files = None

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
