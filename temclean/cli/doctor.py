"""``temclean doctor``."""

from typing import TYPE_CHECKING

import click

from temclean.cli.options import AS_JSON

if TYPE_CHECKING:
    from temclean.commands.exports.scripts import Program


@click.command("doctor")
@click.option(
    "--scripts",
    type=click.Choice(["fiji", "dm", "module", "easybuild"]),
    help="Print a macro for Fiji and ImageJ or a script for DigitalMicrograph, that denoises the front image; an "
    "environment module for this installation, or a recipe for EasyBuild.",
)
@AS_JSON
def command(scripts: "Program | None", as_json: bool) -> int:
    """Say what works here and what does not, and why: build, providers, GPU, threads, formats."""
    if scripts:
        from temclean.commands.exports.scripts import script

        click.echo(script(scripts), nl=False)
        return 0
    from temclean.commands import doctor as practice
    from temclean.commands import tables

    return tables.print_findings(practice.examine(), as_json=as_json)
