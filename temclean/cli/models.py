"""``temclean models``."""

from pathlib import Path

import click

from temclean.cli.completion import ModelName
from temclean.cli.options import AS_JSON, Name


@click.command("models")
@click.argument("name", required=False, type=ModelName())
@click.option("--full", is_flag=True, help="Print all that is known, the training runs last.")
@click.option(
    "--export-bioimageio",
    "package",
    type=(ModelName(), Name(path_type=Path)),
    metavar="NAME DIR",
    help="Write a model as a package for bioimage.io into a new folder.",
)
@AS_JSON
def command(name: str | None, full: bool, package: tuple[str, Path] | None, as_json: bool) -> None:
    """List the models, or say what one is for, its limits and its scores."""
    from temclean.commands import tables
    from temclean.commands.lines import echo
    from temclean.restoration import models as shelf
    from temclean.restoration.shipped import AUTO

    if package:
        from temclean.commands.exports import bioimageio

        wanted, folder = package
        bioimageio.export(shelf.load(wanted), folder)
        echo(str(folder))
        return
    if name == AUTO:  # what it takes is in the table
        name = None
    loaded = [shelf.load(each) for each in ([name] if name else sorted(shelf.available()))]
    tables.print_models(loaded, as_json=as_json, full=full, alone=name is not None)
