"""Options that several commands have, and types of values."""

from typing import Any

import click
from click.core import ParameterSource


class Name(click.Path):
    """A file, a folder or a glob. An empty one is refused: it would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty, as where a variable is not set; give one, or leave it out", param, ctx)
        return super().convert(value, param, ctx)


def refuse(names: list[str], where: str) -> None:
    """Refuse options that were given and mean nothing `where` something is or is not, as ``"with --from"``.

    One that a variable gives a default is left alone: it is for all calls.
    """
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given and context.params[option.name] != ():
            what = option.opts[0] if isinstance(option, click.Option) else str(option.name).upper()
            raise click.UsageError(f"{what} means nothing {where}; leave it out")


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that are there.")
