"""``temclean train``: a method of training is a module of :mod:`temclean.training`, loaded when it is called."""

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import click

from temclean.errors import MissingExtraError

METHODS = {
    "single-shot": ("single_shot", "A network on simulated images; the shipped models.", "torch", "train"),
    "chae": ("chae", "The paper's networks (Chae 2025), to compare with.", "torch", "train"),
    "movie": ("movie", "On your own movie alone, without clean images.", "torch", "train"),
    "noise2atom": ("noise2atom", "Atoms from your own movie, without clean images.", "torch", "train"),
    "lowdose": ("lowdose", "On your own pairs of short and long exposures.", "torch", "train"),
    "dft": ("dft", "Densities of graphene to simulate with; no network.", "pyscf", "dft"),
}
"""For each method its module, what it trains, the package that it needs, and the extra that brings it."""


class Method(click.Command):
    """A method before its module is loaded: it knows what it needs."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        module, _, package, needed = METHODS[str(self.name)]
        if find_spec(package) is None:
            if set(args).isdisjoint({"-h", "--help"}):
                raise MissingExtraError(f'train {self.name} needs {package}: pip install "temclean[{needed}]"')
            if package == "torch":  # its own help is where torch is
                return super().make_context(info_name, ["--help"], parent=parent, **extra)
        # NumPy's linear algebra gets one thread, as in the processes that draw scenes: more would round otherwise, and
        # a resumed run would not end with the same bits. torch has its own, --threads.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        command: click.Command = import_module(f"temclean.training.{module}").main
        return command.make_context(info_name, args, parent=parent, **extra)


@click.group("train", no_args_is_help=False, short_help="Train a network; compute densities.")
def command() -> None:
    """Train a network, in one of several ways.

    Each has its own help: `temclean train single-shot -h`.
    """


for name, (_, told, package, needed) in METHODS.items():
    hint = f'Not installed here: {package}. pip install "temclean[{needed}]", and this help lists the options.'
    command.add_command(Method(name, short_help=told, help=told, epilog=hint))
