"""What of the options of ``temclean denoise`` is for raw frames from stdin, and what is not."""

import re
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

STREAM = "-"
DTYPES = ("uint8", "uint16", "uint32", "int8", "int16", "int32", "float16", "float32", "float64")
OF_FRAMES = {"shape", "range"}
OF_BOTH = {"inputs", "out", "model", "device", "threads", "tile", "dtype", "frames", "mirrored", "quiet"}


class PixelType(click.Choice[str]):
    """The name of a type; or for raw frames what NumPy writes for it, with its byte order, such as ``>u2``."""

    def __init__(self) -> None:
        super().__init__(DTYPES)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the type as it is written."""
        return value if re.fullmatch("[<>=]?([iu][1248]|f[248])", str(value)) else super().convert(value, param, ctx)


def shape_of(context: click.Context, option: click.Parameter, value: str | None) -> tuple[int, int] | None:
    """Read ``ROWS,COLUMNS``."""
    if value is None:
        return None
    found = re.fullmatch(r"([0-9]{1,6})[,x]([0-9]{1,6})", value)
    if found is None or not int(found[1]) or not int(found[2]):
        raise click.BadParameter(f"{value!r} is not ROWS,COLUMNS, such as 512,512")
    return int(found[1]), int(found[2])


def range_of(context: click.Context, option: click.Parameter, value: str | None) -> tuple[float, float] | None:
    """Read ``LOW,HIGH``."""
    if value is None:
        return None
    try:
        low, high = map(float, value.split(","))
    except ValueError:
        low = high = 0.0
    if not 0 < high - low < float("inf"):
        raise click.BadParameter(f"{value!r} is not LOW,HIGH, such as 0,4095")
    return low, high


SHAPE = click.option("--shape", callback=shape_of, metavar="ROWS,COLUMNS", help="Of the raw frames that - takes.")
RANGE = click.option(
    "--range",
    callback=range_of,
    metavar="LOW,HIGH",
    help="Intensities that nearly all pixels of raw frames lie between [default: those of the first frame].",
)


def check_raw(context: click.Context, inputs: tuple[str, ...], out: Path | None) -> bool:
    """Return whether raw frames are meant; refuse what does not go together."""
    raw = STREAM in inputs
    if raw and len(inputs) > 1:
        raise click.UsageError("raw frames (-) cannot be denoised beside other inputs; name - alone")
    if not raw and out == Path(STREAM):
        raise click.UsageError("-o - is for raw frames, which the input - takes; name a folder or a file")
    if raw and out not in {None, Path(STREAM)}:
        raise click.UsageError(f"raw frames go to stdout; leave -o out, and send them on with > {out}")
    for option in context.command.params:
        name = str(option.name)
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if given and raw and name not in OF_FRAMES | OF_BOTH:
            raise click.UsageError(f"{option.opts[-1]} is for files, not for raw frames (-); leave it out")
        if given and not raw and name in OF_FRAMES:
            raise click.UsageError(f"{option.opts[-1]} is for raw frames, which the input - takes; leave it out")
    if not raw and context.params["dtype"] not in {None, *DTYPES}:
        raise click.UsageError(f"--dtype is {context.params['dtype']}; of files choose {', '.join(DTYPES)}")
    return raw
