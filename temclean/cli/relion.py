"""``temclean relion``."""

from pathlib import Path
from typing import Literal

import click

from temclean.cli.options import Name
from temclean.cli.running import DEVICE, model_option
from temclean.commands.relion import markers
from temclean.restoration.shipped import AUTO


class Job(click.Command):
    """A command that tells RELION of a mistake in its options too, which else would wait for it forever."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError:
            folder = Path(given[given.index("--o") + 1]) if "--o" in given[:-1] else None
            if folder and folder.is_dir():
                markers.end(folder, markers.FAILURE)
            raise


@click.command("relion", cls=Job)
@click.option(
    "--in_mics",
    "--in",
    "micrographs",
    metavar="FILE.star",
    required=True,
    type=Name(path_type=Path),
    help="The STAR file of a job that has micrographs.",
)
@click.option("--o", "folder", metavar="FOLDER", required=True, type=Name(path_type=Path), help="The job's own folder.")
@click.option("--j", "threads", type=click.IntRange(1, 1024), help="CPU threads [default: all cores].")
@model_option("the first micrograph")
@DEVICE
@click.option("--pipeline_control", metavar="FOLDER", hidden=True, help="RELION may give it; it is --o again.")
def command(
    micrographs: Path,
    folder: Path,
    threads: int | None,
    model: str,
    device: Literal["auto", "cpu", "cuda"],
    pipeline_control: str | None,
) -> int:
    """Denoise micrographs as an External job of RELION.

    In RELION's External job give `temclean relion` as the executable, a STAR file as "Input micrographs", and options
    such as `model` and `general` as parameters. "Continue" does what is left or has come since. Pick particles on the
    results, and extract them from the raw micrographs, whose noise later steps count with.
    """
    from temclean.commands.relion import job

    return job.run(micrographs, folder, None if model == AUTO else model, device, threads)
