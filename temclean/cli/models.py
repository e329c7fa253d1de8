"""``temclean models``."""

import click

from temclean.cli.completion import ModelName
from temclean.cli.options import AS_JSON


@click.command("models")
@click.argument("name", required=False, type=ModelName())
@click.option("--full", is_flag=True, help="Print all that is known, the training runs last.")
@AS_JSON
def command(name: str | None, full: bool, as_json: bool) -> None:
    """List the models, or say what one is for, its limits and its scores."""
    from temclean.commands import tables
    from temclean.restoration import models as shelf
    from temclean.restoration.shipped import AUTO

    if name == AUTO:  # what it takes is in the table
        name = None
    loaded = [shelf.load(each) for each in ([name] if name else sorted(shelf.available()))]
    tables.print_models(loaded, as_json=as_json, full=full, alone=name is not None)
