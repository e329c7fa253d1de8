"""Options that several commands have."""

import click

AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that are there.")
