"""``temclean train``."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from temclean.errors import MissingExtraError


class Training(click.Command):
    """``temclean train``, which lives where torch may be imported and is loaded when it is called."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        module, package, needed = "single_shot", "torch", "train"
        if args[:1] == ["dft"]:
            module, package, needed = "dft", "pyscf", "dft"
            info_name, args = f"{info_name} dft", args[1:]
        if find_spec(package) is None:
            raise MissingExtraError(f'{info_name} needs {package}: pip install "temclean[{needed}]"')
        command: click.Command = import_module(f"temclean.training.{module}").main
        return command.make_context(info_name, args, parent=parent, **extra)


@click.command("train", cls=Training, add_help_option=False, short_help="Train a network; compute densities.")
def command() -> None:
    """Train a network on simulated images (needs the `train` extra), or compute what they show (`train dft`)."""
