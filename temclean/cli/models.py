"""``temclean models``."""

import click

from temclean.cli.completion import ModelName
from temclean.cli.options import AS_JSON


@click.command("models")
@click.argument("name", required=False, type=ModelName())
@AS_JSON
def command(name: str | None, as_json: bool) -> None:
    """List the models, or print all that is known of one."""
    from temclean.commands import tables
    from temclean.restoration import models as shelf

    loaded = [shelf.load(each) for each in ([name] if name else sorted(shelf.available()))]
    tables.print_models(loaded, as_json=as_json, full=name is not None)
