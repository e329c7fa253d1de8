"""``temclean simulate``."""

import json
from pathlib import Path
from typing import Any

import click

from temclean.cli.completion import FAMILIES, SPECIMENS, OneOf
from temclean.cli.options import AS_JSON, OVERWRITE, Name, refuse

OF_SPECIMEN = ["specimen", "zone", "thickness", "size", "pixel_size"]


def settings_of(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> dict[str, Any]:
    """Read ``NAME=VALUE``, the value as in JSON."""
    settings = {}
    for text in values:
        name, _, value = text.partition("=")
        try:
            settings[name] = json.loads(value)
        except (ValueError, RecursionError):
            problem = f"{text!r} is not NAME=VALUE, such as smooth=false or patches=[8,8]"
            raise click.BadParameter(problem) from None
    return settings


def zone_of(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int, int] | None:
    """Read three whole numbers, such as 1,1,0."""
    if value is None:
        return None
    try:
        u, v, w = (int(part) for part in value.replace(",", " ").split())
    except ValueError:
        raise click.BadParameter(f"{value!r} is not three whole numbers such as 1,1,0") from None
    return u, v, w


@click.command("simulate")
@click.argument("clean", metavar="[CLEAN...]", nargs=-1, type=Name())
@click.option(
    "--noise",
    "family",
    metavar="FAMILY",
    type=OneOf(FAMILIES),
    help="g, sp, gsp, bbg, poisson, tem, stem, sem, or a step.",
)
@click.option(
    "--specimen",
    metavar="NAME",
    type=OneOf(SPECIMENS),
    default="graphene",
    show_default=True,
    help="What is drawn: graphene, bn, mos2, lattice, crystal, points, grains, cracks, ..., or a .cif or .xyz file.",
)
@click.option("--zone", callback=zone_of, metavar="U,V,W", help="Zone axis of the file's crystal [default: 0,0,1].")
@click.option(
    "--thickness", type=float, metavar="A", help="Angstroms of the file's crystal along the beam [default: 50]."
)
@click.option(
    "--level",
    metavar="C",
    type=float,
    help="Noise level; for poisson, tem, stem and sem electrons a pixel at intensity 1.",
)
@click.option("--set", "settings", callback=settings_of, multiple=True, metavar="NAME=VALUE", help="Of the noise.")
@click.option("-n", "--count", type=click.IntRange(min=1), default=1, show_default=True, help="Pairs to draw.")
@click.option("--size", type=click.IntRange(min=1), default=512, show_default=True, metavar="PX", help="Pixels a side.")
@click.option("--pixel-size", type=float, default=0.1, show_default=True, metavar="A", help="Angstroms a pixel.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option("-o", "--out", type=Name(path_type=Path), default=".", show_default=True, help="Folder to write to.")
@click.option("--from", "manifest", type=Name(path_type=Path), help="Make the pairs of this manifest.json again.")
@OVERWRITE
@AS_JSON
def command(
    clean: tuple[str, ...],
    family: str | None,
    specimen: str,
    zone: tuple[int, int, int] | None,
    thickness: float | None,
    level: float | None,
    settings: dict[str, Any],
    count: int,
    size: int,
    pixel_size: float,
    seed: int,
    out: Path,
    manifest: Path | None,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Write pairs of clean and noisy images, and a manifest.json from which they can be made again.

    Without CLEAN, draw a specimen: NNNN_clean.tif, within [0, 1], and NNNN_noisy.tif, both float32. With the user's own
    CLEAN files, write STEM_noisy.tif: the noise is added to the image scaled to [0, 1] by its least and greatest value,
    and the result returned to the scale of the input, as float32.
    """
    from temclean.commands import manifest as book
    from temclean.commands import simulate as pairs
    from temclean.commands import tables

    if manifest is not None:
        refuse(["clean", "family", "level", "settings", "count", "seed", *OF_SPECIMEN], "with --from")
        planned = book.load(manifest)
    elif family is None:
        raise click.UsageError("give --noise FAMILY, or --from MANIFEST")
    elif clean:
        refuse(["count", *OF_SPECIMEN], "with CLEAN")
        planned = pairs.own(clean, family, book.noise_of(family, level, settings), seed)
    else:
        noise = book.noise_of(family, level, settings)
        planned = pairs.drawn(specimen, count, size, pixel_size, family, noise, seed, zone=zone, thickness=thickness)
    return tables.print_outcomes(pairs.make(planned, out, overwrite=overwrite), as_json=as_json)
