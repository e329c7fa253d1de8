"""Options of the commands that run a model on images."""

from collections.abc import Callable
from typing import Any

import click

from temclean.cli.completion import ModelName
from temclean.restoration.shipped import DEFAULT

DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
THREADS = click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all cores].")
TILE = click.option("--tile", type=click.IntRange(min=1), metavar="PX", help="Side of a tile [default: chosen to fit].")


def model_option(what: str = "each file") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--model``; ``auto`` takes the model that fits ``what``."""
    told = f"A name from `temclean models`, an ONNX file, or auto: the one that fits {what}."
    return click.option(
        "-m", "--model", metavar="MODEL", type=ModelName(), default=DEFAULT, show_default=True, help=told
    )
