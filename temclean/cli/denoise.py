"""``temclean denoise``."""

from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Literal

import click

from temclean.cli.options import AS_JSON, OVERWRITE, Name
from temclean.cli.raw_frames import DTYPES, RANGE, SHAPE, PixelType, check_raw
from temclean.cli.running import DEVICE, FRAMES, MIRRORED, THREADS, TILE, check_frames, model_option
from temclean.cli.schedulers import SCHEDULER, SCHEDULER_FILE, scheduler_of
from temclean.cli.shards import Shard, shard_of
from temclean.restoration.shipped import AUTO


def share_of(context: click.Context, option: click.Parameter, value: float) -> float:
    """Refuse what is no share of something, NaN among it."""
    if not 0 <= value <= 1:
        raise click.BadParameter(f"{value} is no share; give a number from 0 to 1")
    return value


@click.command("denoise", no_args_is_help=False)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True, type=Name())
@model_option()
@click.option("-o", "--out", type=Name(path_type=Path), help="Folder for the results, or a file for one input.")
@click.option("-r", "--recursive", is_flag=True, help="Go through folders, and make the same tree in OUT.")
@DEVICE
@THREADS
@TILE
@click.option(
    "--dtype",
    type=PixelType(),
    metavar="TYPE",
    help=f"Type of the result's pixels: {', '.join(DTYPES)} [default: the input's own].",
)
@click.option(
    "--blend",
    type=float,
    callback=share_of,
    metavar="S",
    default=0.0,
    help="Mix this share of the raw image into the result, 0 to 1 [default: none].",
)
@FRAMES
@MIRRORED
@SHAPE
@RANGE
@click.option("--image", metavar="NAME", help="Of a file's several images the one of this name or number, or `all`.")
@OVERWRITE
@click.option("--resume", is_flag=True, help="Keep the results that an earlier run has finished.")
@click.option("--shard", callback=shard_of, default="1/1", metavar="I/N", help="Do the I-th of N equal parts, from 1.")
@SCHEDULER
@SCHEDULER_FILE
@click.option("--include-results", is_flag=True, help="Take temclean's own results for inputs too.")
@click.option("--residual", is_flag=True, help="Write what was taken away beside each result: raw minus restored.")
@click.option("--interval", is_flag=True, help="Write how far the truth may be, 9 pixels of 10, beside each result.")
@click.option("--support", is_flag=True, help="Write what the raw image says of each spot beside each result.")
@click.option("--preview", is_flag=True, help="Write a PNG beside each result: raw and restored side by side.")
@click.option("--report", metavar="FILE.html", type=Name(path_type=Path), help="Write a page about the whole batch.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="Print errors only on stderr: no warnings, no progress.")
def command(
    inputs: tuple[str, ...],
    model: str,
    out: Path | None,
    recursive: bool,
    device: Literal["auto", "cpu", "cuda"],
    threads: int | None,
    tile: int | None,
    dtype: str | None,
    blend: float,
    frames: int | None,
    mirrored: int,
    shape: tuple[int, int] | None,
    range: tuple[float, float] | None,
    image: str | None,
    overwrite: bool,
    resume: bool,
    shard: Shard,
    scheduler: str | None,
    scheduler_file: Path | None,
    include_results: bool,
    residual: bool,
    interval: bool,
    support: bool,
    preview: bool,
    report: Path | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Denoise files, folders or globs.

    The model fits each file unless -m names one; which one and why is said and kept in the result.
    Each result goes beside its input as STEM_MODEL.EXT, or into OUT. It keeps the input's shape, type, intensity
    scale, pixel size and metadata. With --dtype, values that do not fit are clipped, with a warning. Files that
    temclean made are left out unless --include-results.

    The input - takes raw frames from stdin, of --shape and --dtype (NumPy's >u2 too), and sends each to stdout when it
    is done, in the same type. Model and scale of intensities are fixed by the first frame that is not all one value;
    --range sets the scale, for a camera whose first frame is not like the others.

    With --scheduler the workers of a Dask cluster read and write, on disks that they share with this machine: frames of
    one input side by side where the result is OME-Zarr, else one file each. --threads is of each of their tasks, 1 by
    default.
    """
    from temclean.commands import batch, jobs
    from temclean.commands.evidence.files import Evidence
    from temclean.commands.jobs import Plan
    from temclean.commands.lines import say
    from temclean.commands.live import raw
    from temclean.commands.progress import Reporter
    from temclean.commands.sessions import OneSession, Sessions
    from temclean.commands.views.report import Report
    from temclean.commands.views.seen import Viewer, seen
    from temclean.restoration import models, pipeline

    sessions = partial(Sessions, device, threads, mirrored=mirrored)
    raw_is_meant = check_raw(click.get_current_context(), inputs, out)
    chosen = None if model == AUTO else models.load(model)
    if tile is not None:
        for each in [chosen] if chosen else map(models.load, models.available()):
            pipeline.check_tile(each, tile)
    check_frames(frames, blend, chosen)
    if raw_is_meant:
        layout = raw.Layout.of(shape, dtype)
        with Reporter(Plan(()), as_json=False, quiet=quiet, bar=False) as reporter:
            return raw.run(
                layout, chosen, sessions(reporter.announce), limits=range, tile=tile, quiet=quiet, joined=frames
            )
    at = scheduler_of(scheduler, scheduler_file)
    if shard.note and not quiet:
        say(shard.note)
    plan = jobs.plan(
        inputs,
        chosen.name if chosen else None,
        out,
        recursive=recursive,
        include_results=include_results,
        shard=shard[:2],
        image=image,
        tell=None if quiet else say,
        dtype=dtype,
        blend=blend,
        joined=frames,
        mirrored=mirrored,
    )
    settings = {"model": model, "device": device, "tile": tile, "type": dtype, "blend": blend or None, "image": image}
    settings |= {"frames": frames, "mirrored": mirrored if mirrored > 1 else None}
    page = None
    if report and not dry_run:
        said = {name: str(value) for name, value in settings.items() if value is not None}
        page = Report(report, said, len(plan.jobs), replace=overwrite, renew=resume)
    session = models.open_session(chosen, device, threads, mirrored) if chosen and not dry_run and not at else None
    with ExitStack() as opened, Reporter(plan, as_json=as_json, dry_run=dry_run, quiet=quiet) as reporter:
        if session:
            reporter.announce(session)
        run = OneSession(session) if session else sessions(reporter.announce, given=chosen)
        if dry_run:
            return reporter.report(batch.rehearse(job, run, overwrite=overwrite, resume=resume) for job in plan.jobs)
        if at:
            from temclean.commands.cluster.running import run_at

            how = device, threads or 1, tile, mirrored
            results = run_at(at, plan.jobs, chosen, how, reporter, overwrite=overwrite, resume=resume)
        else:
            results = batch.run(plan.jobs, run, overwrite=overwrite, resume=resume, tile=tile, progress=reporter)
        if residual or support or interval:
            evidence = Evidence(residual, support, interval, replace=overwrite)
            results = seen(results, evidence.look)
        if preview or page:
            if page:
                opened.enter_context(page)
            results = seen(results, Viewer(previews=preview, replace=overwrite, report=page).look)
        with closing(results):
            return reporter.report(results)
