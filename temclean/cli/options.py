"""Options that several commands have, and types of values."""

import math
import os
from typing import Any

import click
from click.core import ParameterSource


class Name(click.Path):
    """A file, a folder or a glob. An empty one is refused: it would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty, as where a variable is not set; give one, or leave it out", param, ctx)
        return super().convert(value, param, ctx)


class Within(click.FloatRange):
    """A number within bounds, which NaN is not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{number} is no number that this can be", param, ctx)
        return number


class Either(click.Option):
    """A flag of two names, one the contrary of the other; variables of both are heard, as of any option."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """Return what its variable says, or the contrary of what that of the second name does."""
        if (value := super().resolve_envvar_value(ctx)) is not None or not isinstance(self.envvar, list):
            return value
        (first,) = (name.lstrip("-").upper() for name in self.opts)
        for name in self.secondary_opts:
            other = os.environ.get(self.envvar[0].removesuffix(first) + name.lstrip("-").upper())
            if other:
                return str(not click.BOOL.convert(other, self, ctx))
        return None


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
