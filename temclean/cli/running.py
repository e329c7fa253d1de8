"""Options of the commands that run a model on images."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from temclean.cli.completion import ModelName
from temclean.restoration.shipped import DEFAULT

if TYPE_CHECKING:
    from temclean.restoration.models import Model

DEVICE = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
THREADS = click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all cores].")
TILE = click.option("--tile", type=click.IntRange(min=1), metavar="PX", help="Side of a tile [default: chosen to fit].")


def odd(context: click.Context, option: click.Parameter, value: int | None) -> int | None:
    """Refuse a number of frames that has no middle."""
    if value is not None and value % 2 == 0:
        raise click.BadParameter(f"{value} frames have none in the middle; give {value - 1} or {value + 1}")
    return value


FRAMES = click.option(
    "--frames",
    type=click.IntRange(1, 15),
    callback=odd,
    metavar="N",
    help="Of a movie, take each frame together with its neighbours, N in all, where they agree with it "
    "[default: 3 for n2a, else 1].",
)


MIRRORED = click.option(
    "--mirrored",
    type=click.Choice(["1", "2", "4"]),
    callback=lambda context, option, value: int(value),
    default="1",
    show_default=True,
    help="Take the mean of what the model makes of so many mirror images, the image itself among them: nearer to the "
    "truth, for as many times the work.",
)


def check_frames(frames: int | None, blend: float, model: "Model | None") -> None:
    """Refuse what does not go together with several frames at once."""
    several = frames is not None and frames > 1
    if several and blend:
        raise click.UsageError("--frames and --blend do not go together: there is no one raw image to mix in")
    if several and model and model.frames > 1:
        raise click.UsageError(f"{model.name} looks at {model.frames} frames itself; leave --frames out")


def model_option(what: str = "each file") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return the option ``--model``; ``auto`` takes the model that fits ``what``."""
    told = f"A name from `temclean models`, an ONNX file, or auto: the one that fits {what}."
    return click.option(
        "-m", "--model", metavar="MODEL", type=ModelName(), default=DEFAULT, show_default=True, help=told
    )
