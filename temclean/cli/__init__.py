"""The command line: a module a command, which parses, calls and prints; what is heavy is loaded when a command runs."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path
from typing import Any, NoReturn

import click
from click.core import ParameterSource

from temclean import __version__
from temclean.cli.interrupts import Interrupts
from temclean.commands.codes import FAILED, INTERRUPTED, NO_DEVICE, USAGE
from temclean.commands.lines import say
from temclean.errors import DeviceError, FileError, ImageError, TemcleanError, TemcleanWarning

HELP_ASKED_FOR: type[click.ClickException] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
CODES = {DeviceError: NO_DEVICE, FileError: FAILED, ImageError: FAILED}
"""Exit codes of errors that end a command; the other errors of temclean are bad usage."""


SUMMARIES = {
    "denoise": "Denoise files, folders or globs.",
    "doctor": "Say what works here and what does not, and why.",
    "inspect": "Say what files hold, their noise, and which model fits.",
    "measure": "Measure columns of atoms or particles.",
    "models": "List the models, or say what one is for.",
    "relion": "Denoise micrographs as a job of RELION.",
    "score": "Compare restored images with true ones.",
    "simulate": "Make pairs of clean and noisy images.",
    "train": "Train a network, or compute densities.",
    "watch": "Denoise what the microscope writes, as it lands.",
}
"""What `--help` says of each command, whose module need not be loaded for that."""


class Commands(click.Group):
    """Commands of which each has a module, loaded when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUMMARIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUMMARIES:
            return None
        command: click.Command = import_module(f"temclean.cli.{cmd_name}").command
        for option in command.params:
            if isinstance(option, click.Option):
                option.envvar = _variables(cmd_name, option)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


PREFIX = "TEMCLEAN"
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100, "auto_envvar_prefix": PREFIX}


def _variables(command: str, option: click.Option) -> list[str]:
    """Return the variables that give an option a default; Click would name one after what Python calls the option."""
    names = [name.lstrip("-").replace("-", "_") for name in option.opts if name.startswith("--")]
    return [f"{PREFIX}_{command}_{name}".upper() for name in names]


@click.group(cls=Commands, context_settings=SETTINGS)
@click.version_option(
    __version__,
    message="temclean %(version)s",
    allow_from_autoenv=False,  # environment modules set TEMCLEAN_VERSION
)
def cli() -> None:
    """Denoise and restore TEM, STEM and SEM images, offline, on the GPU or the CPU.

    Results go to stdout, one line each; messages and progress go to stderr. Exit codes: 0 all done, 1 some inputs
    failed and the others were done, 2 bad usage or a missing extra, 3 the device is not there, 130 interrupted.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may have letters that its encoding lacks
    with Interrupts() as interrupts, warnings.catch_warnings():
        warnings.showwarning = _said(warnings.showwarning)
        try:
            # On Windows, Click would expand globs before TRUTH and TEST can be told apart; inputs are expanded by us.
            code = cli.main(arguments, prog_name="temclean", standalone_mode=False, windows_expand_args=False)
            sys.stdout.flush()
            return int(code or 0)
        except (click.Abort, KeyboardInterrupt):
            return _interrupted()
        except Exception as error:
            return _interrupted() if interrupts.came else _told(error, sys.argv[1:] if arguments is None else arguments)


def _said(show: Callable[..., None]) -> Callable[..., None]:
    """Return what says temclean's own warnings of Python in a line, and leaves others to what showed them before."""

    def showwarning(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, TemcleanWarning):
            say(f"warning: {message}")
        else:
            show(message, category, *place)

    return showwarning


def _interrupted() -> int:
    with suppress(OSError):  # the terminal may have gone
        say("interrupted; every file that was written is whole")
    return INTERRUPTED


def _told(error: Exception, arguments: Sequence[str]) -> int:
    """Say what ended a command, and return its exit code; an error that is none of ours is a bug, and raised."""
    if isinstance(error, HELP_ASKED_FOR):
        click.echo(error.format_message(), err=True)
        return USAGE
    if isinstance(error, click.ClickException):
        message = " ".join(error.format_message().split()) + _from_a_variable(error)
        files = [word for word in arguments if word.startswith("-") and os.path.lexists(word)]
        if files and isinstance(error, click.NoSuchOption):
            message += f" If the file is meant, write ./{files[0]}"
        say(message)
        return USAGE
    if isinstance(error, TemcleanError):
        say(str(error))
        return next((code for kind, code in CODES.items() if isinstance(error, kind)), USAGE)
    if not isinstance(error, OSError):
        raise error
    if error.filename is not None:
        say(f"{error.filename}: {error.strerror}")
        return USAGE
    from temclean.commands.progress import abandon

    abandon(sys.stdout)
    if not isinstance(error, BrokenPipeError):  # then whoever read it has gone
        say(f"stdout cannot be written ({error.strerror or error})")
    return FAILED


def _from_a_variable(error: click.ClickException) -> str:
    """Return which variable gave the value that is refused, as nobody typed it then."""
    if not (isinstance(error, click.BadParameter) and error.ctx and error.param and error.param.name):
        return ""
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return ""
    names = [error.param.envvar] if isinstance(error.param.envvar, str) else error.param.envvar or []
    given = [name for name in names if name in os.environ]
    return f" (the variable {given[0]} says so)" if given else ""


def _open_closed_streams() -> None:
    """Let what nobody reads go nowhere; else a file that is opened later would take the place of stdout or stderr."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
