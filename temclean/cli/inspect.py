"""``temclean inspect``."""

import click

from temclean.cli.options import AS_JSON, Name


@click.command("inspect")
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True, type=Name())
@click.option("--image", metavar="NAME", help="Of a file's several images the one of this name or number, or `all`.")
@AS_JSON
def command(inputs: tuple[str, ...], image: str | None, as_json: bool) -> int:
    """Say what files, folders or globs hold, what noise is in it, and which model `denoise` takes.

    The noise is measured on the image itself, with its standard errors; of a stack, on its first frame.
    """
    from temclean.commands import inspection, tables

    return tables.print_inspections(inspection.inspect_all(inputs, image), as_json=as_json)
