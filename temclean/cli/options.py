"""Options that several commands have, and types of values."""

from typing import Any

import click


class Name(click.Path):
    """A file, a folder or a glob. An empty one is refused: it would be the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty, as where a variable is not set; give one, or leave it out", param, ctx)
        return super().convert(value, param, ctx)


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that are there.")
