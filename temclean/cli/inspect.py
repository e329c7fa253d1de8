"""``temclean inspect``."""

from pathlib import Path

import click

from temclean.cli.options import AS_JSON, OVERWRITE, Name, refuse


@click.command("inspect")
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True, type=Name())
@click.option("--image", metavar="NAME", help="Of a file's several images the one of this name or number, or `all`.")
@click.option(
    "--sheet",
    metavar="PNG",
    type=Name(path_type=Path),
    help="Draw a part of the one image as each model that fits restores it, to choose among them.",
)
@OVERWRITE
@AS_JSON
def command(inputs: tuple[str, ...], image: str | None, sheet: Path | None, overwrite: bool, as_json: bool) -> int:
    """Say what files, folders or globs hold, what noise is in it, and which model `denoise` takes.

    The noise is measured on the image itself, with its standard errors; of a stack, on its first frame.
    """
    from temclean.commands import inspection, tables

    found = inspection.inspect_all(inputs, image)
    if sheet is None:
        refuse(["overwrite"], "without --sheet")
    else:
        from temclean.commands.views import sheet as sheets

        sheets.check(sheet, overwrite=overwrite)
        found = sheets.with_sheet(found, sheet, overwrite=overwrite)
    return tables.print_inspections(found, as_json=as_json)
