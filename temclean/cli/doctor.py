"""``temclean doctor``."""

import click

from temclean.cli.options import AS_JSON


@click.command("doctor")
@AS_JSON
def command(as_json: bool) -> int:
    """Say what works here and what does not, and why: build, providers, GPU, threads, formats."""
    from temclean.commands import doctor as practice
    from temclean.commands import tables

    return tables.print_findings(practice.examine(), as_json=as_json)
