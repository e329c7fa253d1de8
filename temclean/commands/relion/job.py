"""Denoise the micrographs of a RELION project, as one of its External jobs."""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath

from temclean import io
from temclean.commands import batch, jobs
from temclean.commands.codes import DONE
from temclean.commands.jobs import Job, Plan
from temclean.commands.progress import Reporter
from temclean.commands.records import Result
from temclean.commands.relion import markers, star
from temclean.commands.sessions import OneSession
from temclean.errors import FileError, TemcleanError
from temclean.restoration import choice, models
from temclean.restoration.models import Device

MICROGRAPHS = "micrographs.star"
NODES = "RELION_OUTPUT_NODES.star"
_OF_A_JOB = re.compile(r"[^/]+/job\d{3,}/")
_NODES = """data_output_nodes

loop_
_rlnPipeLineNodeName #1
_rlnPipeLineNodeType #2
_rlnPipeLineNodeTypeLabel #3
{} 1 MicrographGroupMetadata.star.relion
"""
"""RELION 3 goes by the number of the type, 4 and 5 by its label."""


def run(source: Path, folder: Path, model: str | None, device: Device, threads: int | None) -> int:
    """Denoise what a STAR file lists into a job's folder, write the same file of the results, and return the exit code.

    Results of an earlier run that this model made of the same input are kept, as RELION's "Continue" means it; others
    are made again.

    Parameters
    ----------
    source
        The STAR file; its names are relative to the project's folder, where RELION starts its jobs.
    folder
        Of the job, such as ``External/job003/``.
    model
        None for the one that fits the first micrograph, which is then taken for all.
    """
    try:
        markers.begin(folder)
    except OSError as error:
        raise FileError(f"{folder}: cannot be written ({error.strerror or error}); give another --o") from error
    how = markers.FAILURE
    try:
        code = _run(source, folder, model, device, threads)
        how = markers.SUCCESS if code == DONE else markers.FAILURE
    except KeyboardInterrupt:
        how = markers.ABORTED
        raise
    finally:
        markers.end(folder, how)
    return code


def _run(source: Path, folder: Path, model: str | None, device: Device, threads: int | None) -> int:
    listed = star.read(source)
    once = list(dict.fromkeys(listed.names))  # joined files may list one several times
    plan = Plan(tuple(jobs.refuse_clashes(_jobs(once, folder))))
    reason = None
    if model is None:
        model, reason = _fitting(plan.jobs)
    session = models.open_session(models.load(model), device, threads)
    with Reporter(plan, as_json=False) as reporter:
        reporter.announce(session, reason)
        progress = _Progress(reporter, folder)
        results = batch.run(plan.jobs, OneSession(session), overwrite=True, resume=True, progress=progress)
        names: list[str | None] = []
        with closing(results):
            code = reporter.report(_noted(results, names))
    if any(names):
        of = dict(zip(once, names, strict=True))
        _write(folder / MICROGRAPHS, listed.renamed([of[name] for name in listed.names]))
        _write(folder / NODES, _NODES.format(_in_project(folder / MICROGRAPHS)))
    return code


def _jobs(names: Iterable[str], folder: Path) -> list[Job]:
    """Return the jobs of micrographs, each with a result of its own: two jobs may have given them the same names."""
    found: list[Job] = []
    taken: set[Path] = set()
    for name in names:
        job = _job(name, folder)
        if job.target in taken:
            job = _job(name, folder, whole=True)
        if job.target:
            taken.add(job.target)
        found.append(job)
    return found


def _job(name: str, folder: Path, *, whole: bool = False) -> Job:
    """Return the job of a micrograph: below the job's folder it lies as it did below that of the job it comes from.

    With the ``whole`` of its name it lies there as it did in the project.
    """
    under = PurePosixPath(_OF_A_JOB.sub("", name, count=1) if _OF_A_JOB.match(name) and not whole else name)
    parts = [part for part in under.parts if part not in {under.anchor, ".."}]
    path = Path(name)
    if not path.is_file():
        return Job(path, None, "there is no such file; run it from the project's folder, as RELION does")
    return Job(path, (folder / Path(*parts)).with_suffix(io.output_suffix(path)))


def _fitting(every: Iterable[Job]) -> tuple[str, str]:
    """Return the model that fits the first micrograph that can be read, and why."""
    problem: Exception = FileError("none of the micrographs can be read")
    for job in every:
        try:
            with io.read(job.source) as image:
                chosen = choice.choose(image)
        except TemcleanError as error:
            problem = error
        else:
            return chosen.name, f"{chosen.reason} (the first micrograph)"
    raise problem


def _noted(results: Iterable[Result], names: list[str | None]) -> Iterator[Result]:
    """Hand on the records and note the names of the results; None where there is none."""
    for result in results:
        names.append(_in_project(Path(result.output)) if result.output else None)
        yield result


def _in_project(path: Path) -> str:
    """Return a path as RELION writes it: from the project's folder, with slashes."""
    here = Path.cwd()
    return (path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path).as_posix()


def _write(path: Path, text: str) -> None:
    """Write a STAR file, which appears whole or not at all."""
    with io.whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")


class _Progress:
    """Looks, at every tile, whether RELION's user wants the job to end."""

    def __init__(self, reporter: Reporter, folder: Path) -> None:
        self._reporter, self._folder = reporter, folder

    def begin(self, job: Job, tiles: int) -> None:
        self._look()
        self._reporter.begin(job, tiles)

    def advance(self, tiles: int) -> None:
        self._look()
        self._reporter.advance(tiles)

    def _look(self) -> None:
        if markers.is_to_end(self._folder):
            raise KeyboardInterrupt
