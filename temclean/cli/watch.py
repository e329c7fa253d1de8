"""``temclean watch``."""

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import click

from temclean.cli.interrupts import AskedToStop
from temclean.cli.options import AS_JSON, OVERWRITE, Name, Within, refuse
from temclean.cli.raw_frames import DTYPES
from temclean.cli.running import DEVICE, FRAMES, THREADS, TILE, check_frames, model_option
from temclean.restoration.shipped import AUTO


@click.command("watch")
@click.argument("folder", type=Name(path_type=Path))
@model_option()
@click.option("-o", "--out", type=Name(path_type=Path), help="Folder for the results [default: FOLDER].")
@click.option("-r", "--recursive", is_flag=True, help="Watch the folders below too, and make the same tree in OUT.")
@click.option(
    "--settle",
    type=Within(0, 3600),
    default=0.1,
    show_default=True,
    metavar="SECONDS",
    help="A file is finished when its size and time have stood still so long; more for a share that is slow to tell.",
)
@click.option("--view", is_flag=True, help="Show the latest frame and its result on a page for your browser.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Of that page [default: one that is free].")
@DEVICE
@THREADS
@TILE
@click.option("--dtype", type=click.Choice(DTYPES), metavar="TYPE", help="Type of the result's pixels, as in denoise.")
@click.option("--image", metavar="NAME", help="Of a file's several images the one of this name or number, or `all`.")
@FRAMES
@OVERWRITE
@AS_JSON
@click.option("-q", "--quiet", is_flag=True, help="Print errors only on stderr: no warnings.")
def command(
    folder: Path,
    model: str,
    out: Path | None,
    recursive: bool,
    settle: float,
    view: bool,
    port: int,
    device: Literal["auto", "cpu", "cuda"],
    threads: int | None,
    tile: int | None,
    dtype: str | None,
    image: str | None,
    frames: int | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Denoise what the microscope writes into FOLDER, as it lands, until Ctrl-C.

    Files that are there already are done too, after those that come; what an earlier watch has done is not done again,
    unless what tells its scale has come since: the .emi of a .ser, or the text beside a scanning microscope's picture.
    A stack that is still being written (MRC, TIFF, NumPy) is followed frame by frame, on the scale of intensities of
    its first frames, and its result is there when it is finished. Ctrl-C finishes the file in hand and ends with exit
    code 130; a second one gives the file up.
    """
    from temclean.commands.jobs import Plan
    from temclean.commands.lines import say
    from temclean.commands.live import view as views
    from temclean.commands.live import watch
    from temclean.commands.live.landing import Landing
    from temclean.commands.progress import Reporter
    from temclean.commands.sessions import OneSession, Sessions
    from temclean.restoration import models, pipeline

    if not view:
        refuse(["port"], "without --view")
    watch.check(folder, out)
    chosen = None if model == AUTO else models.load(model)
    check_frames(frames, 0.0, chosen)
    if tile is not None:
        for each in [chosen] if chosen else map(models.load, models.available()):
            pipeline.check_tile(each, tile)
    with ExitStack() as closing:
        viewer = closing.enter_context(views.View(port)) if view else None
        reporter = closing.enter_context(Reporter(Plan(()), as_json=as_json, quiet=quiet, bar=False))
        run: Sessions
        if chosen:
            session = models.open_session(chosen, device, threads)
            reporter.announce(session)
            run = OneSession(session)
        else:
            run = Sessions(device, threads)
        watch.warm(run, chosen)
        run.tell = reporter.announce
        if viewer:
            say(f"the latest frame is shown at {viewer.address}")
        if not quiet:
            say(f"watching {folder}; Ctrl-C ends it")
        name, sha256 = (chosen.name, chosen.sha256) if chosen else (None, None)
        wish = watch.Wish(name, out, dtype, image, tile, overwrite, sha256, frames)
        stop = closing.enter_context(AskedToStop())
        loop = watch.Watch(
            Landing(folder, settle, recursive=recursive), wish, run, reporter, quiet=quiet, viewer=viewer
        )
        loop.run(stop.asked)
    raise KeyboardInterrupt
