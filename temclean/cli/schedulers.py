"""``--scheduler``: have the workers of a cluster of Dask do the work."""

from pathlib import Path

import click

from temclean.cli.options import Name

SCHEDULER = click.option(
    "--scheduler", metavar="ADDRESS", help="Have the workers of a Dask cluster do it, such as tcp://host:8786."
)
SCHEDULER_FILE = click.option(
    "--scheduler-file", metavar="FILE", type=Name(path_type=Path), help="The same, by the file of its scheduler."
)


def scheduler_of(address: str | None, file: Path | None) -> str | Path | None:
    """Return the one that is named, if any."""
    if address and file:
        raise click.UsageError("--scheduler and --scheduler-file name a scheduler each; leave one out")
    return address or file
