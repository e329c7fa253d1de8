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
        if extra.get("resilient_parsing"):  # a shell asks what could be completed
            return super().make_context(info_name, args, parent=parent, **extra)
        module, package, needed = "single_shot", "torch", "train"
        asked_for_help = not set(args).isdisjoint({"-h", "--help"})
        if args[:1] == ["dft"]:
            module, package, needed = "dft", "pyscf", "dft"
            info_name, args = f"{info_name} dft", args[1:]
        if find_spec(package) is None:
            if asked_for_help and package == "torch":  # its own help is where torch is
                return super().make_context(info_name, ["--help"], parent=parent, **extra)
            if not asked_for_help:
                raise MissingExtraError(f'{info_name} needs {package}: pip install "temclean[{needed}]"')
        command: click.Command = import_module(f"temclean.training.{module}").main
        return command.make_context(info_name, args, parent=parent, **extra)


@click.command(
    "train",
    cls=Training,
    options_metavar="RECIPE [OPTIONS]",
    short_help="Train a network; compute densities.",
    epilog='PyTorch is not installed here: pip install "temclean[train]", and this help lists the recipes and options.',
)
def command() -> None:
    """Train a network on simulated images; or, with `dft` for RECIPE, compute densities of graphene to simulate with.

    A recipe says what is drawn, with which noise, and how long the network learns; there is one for each model.
    """
