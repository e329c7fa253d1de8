"""``temclean measure``."""

from pathlib import Path

import click

from temclean.cli.options import AS_JSON, OVERWRITE, Either, Name, Within, refuse


@click.command("measure")
@click.argument("inputs", metavar="FILE...", nargs=-1, required=True, type=Name())
@click.option("-o", "--out", metavar="FILE.csv", type=Name(path_type=Path), help="Write a table of all of them.")
@click.option("--particles/--columns", cls=Either, default=None, help="What is measured; else what each image shows.")
@click.option("--dark/--bright", cls=Either, default=None, help="Whether it is darker than what surrounds it.")
@click.option("--width", type=Within(0.3, 1000), metavar="PX", help="Standard deviation of columns, about.")
@click.option(
    "--raw", metavar="FILE", type=Name(path_type=Path), help="Of restored particles the raw image, or its folder."
)
@click.option("--image", metavar="NAME", help="Of a file's several images the one of this name or number, or `all`.")
@OVERWRITE
@AS_JSON
def command(
    inputs: tuple[str, ...],
    out: Path | None,
    particles: bool | None,
    dark: bool | None,
    width: float | None,
    raw: Path | None,
    image: str | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Measure columns of atoms or particles, with their errors, in files, folders or globs.

    Columns: places, intensities, widths, distances, the mean lattice, strain against it, and groups of equal intensity.
    Particles: diameters of circles as large, Feret diameters. In pixels and, where the file has a scale, in nm; of a
    stack, frame by frame. Columns are bright unless --dark. With --raw, particles of a restored image are fitted to the
    raw one, where faint ones are not made smaller than they are.
    """
    from temclean.commands.measuring import measure, table, told

    if particles:
        refuse(["width"], "with --particles")
    if out is not None:
        table.check(out, replace=overwrite)
    kind: measure.Kind | None = None if particles is None else "particles" if particles else "columns"
    found = measure.measure_all(inputs, image, measure.Wanted(kind, dark, width, raw))
    if out is not None:
        found = table.kept(found, out, replace=overwrite)
    return told.print_measured(found, as_json=as_json)
