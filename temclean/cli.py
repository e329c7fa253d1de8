"""The command line: parse, call, print. Everything heavy is imported by the command that needs it."""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from importlib import import_module
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, NoReturn

import click
from click.core import ParameterSource

from temclean import __version__
from temclean.errors import DeviceError, FileError, ImageError, MissingExtraError, TemcleanError

FAILED, USAGE, INTERRUPTED = 1, 2, 130
HELP_ASKED_FOR: type[click.ClickException] | tuple[()] = getattr(click.exceptions, "NoArgsIsHelpError", ())
CODES = {DeviceError: 3, FileError: FAILED, ImageError: FAILED}
"""Exit codes of errors that end a command; the other errors of temclean are bad usage."""


def shard_of(context: click.Context, option: click.Parameter, value: str) -> tuple[int, int]:
    """Read ``I/N``."""
    index, _, count = value.partition("/")
    if not (index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
        raise click.BadParameter(f"{value!r} is not I/N with I from 1 to N, such as 2/4")
    return int(index), int(count)


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


OF_SPECIMEN = ["specimen", "zone", "thickness", "size", "pixel_size"]


def refuse_with(source: str, names: list[str]) -> None:
    """Refuse options that were given and mean nothing beside where the images come from."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if option.name in names and given and context.params[option.name] != ():
            what = "CLEAN" if option.name == "clean" else option.opts[0]
            raise click.UsageError(f"{what} means nothing with {source}; leave it out")


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


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="temclean %(version)s")
def cli() -> None:
    """Denoise and restore TEM, STEM and SEM images, offline, on the GPU or the CPU.

    Results go to stdout, one line each; messages and progress go to stderr. Exit codes: 0 all done, 1 some inputs
    failed and the others were done, 2 bad usage, 3 the device is not there, 130 interrupted.
    """


AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
OVERWRITE = click.option("--overwrite", is_flag=True, help="Replace files that are there.")


@cli.command(no_args_is_help=False)
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-m", "--model", metavar="MODEL", required=True, help="A name from `temclean models`, or an ONNX file.")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for the results, or a file for one input.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all cores].")
@click.option("--tile", type=click.IntRange(min=1), metavar="PX", help="Side of a tile [default: chosen to fit].")
@OVERWRITE
@click.option("--resume", is_flag=True, help="Keep the results that an earlier run has finished.")
@click.option("--shard", callback=shard_of, default="1/1", metavar="I/N", help="Do the I-th of N equal parts.")
@click.option("--include-results", is_flag=True, help="Take temclean's own results for inputs too.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@AS_JSON
def denoise(
    inputs: tuple[str, ...],
    model: str,
    out: Path | None,
    device: Literal["auto", "cpu", "cuda"],
    threads: int | None,
    tile: int | None,
    overwrite: bool,
    resume: bool,
    shard: tuple[int, int],
    include_results: bool,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Denoise files, folders or globs.

    Each result goes beside its input as STEM_MODEL.EXT, or into OUT. It keeps the input's shape, type, intensity
    scale, pixel size and metadata. Files that temclean made are left out unless --include-results.
    """
    from temclean.commands import batch, jobs
    from temclean.commands.progress import Reporter
    from temclean.restoration import models, pipeline

    chosen = models.load(model)
    if tile is not None:
        pipeline.check_tile(chosen, tile)
    plan = jobs.plan(inputs, chosen.name, out, include_results=include_results, shard=shard)
    session = None if dry_run else models.open_session(chosen, device, threads)
    with Reporter(plan, as_json=as_json, dry_run=dry_run) as reporter:
        if session is None:
            return reporter.report(batch.foresee(job, chosen, overwrite=overwrite, resume=resume) for job in plan.jobs)
        reporter.announce(chosen.name, session.device, session.fallback)
        results = batch.run(plan.jobs, session, overwrite=overwrite, resume=resume, tile=tile, progress=reporter)
        with closing(results):
            return reporter.report(results)


@cli.command()
@click.argument("clean", metavar="[CLEAN...]", nargs=-1)
@click.option("--noise", "family", metavar="FAMILY", help="g, sp, gsp, bbg, poisson, tem, stem, sem, or a step.")
@click.option(
    "--specimen",
    metavar="NAME",
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
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=".", show_default=True, help="Folder to write to."
)
@click.option("--from", "manifest", type=click.Path(path_type=Path), help="Make the pairs of this manifest.json again.")
@OVERWRITE
@AS_JSON
def simulate(
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
        refuse_with("--from", ["clean", "family", "level", "settings", "count", "seed", *OF_SPECIMEN])
        planned = book.load(manifest)
    elif family is None:
        raise click.UsageError("give --noise FAMILY, or --from MANIFEST")
    elif clean:
        refuse_with("CLEAN", ["count", *OF_SPECIMEN])
        planned = pairs.own(clean, family, book.noise_of(family, level, settings), seed)
    else:
        noise = book.noise_of(family, level, settings)
        planned = pairs.drawn(specimen, count, size, pixel_size, family, noise, seed, zone=zone, thickness=thickness)
    return tables.print_outcomes(pairs.make(planned, out, overwrite=overwrite), as_json=as_json)


@cli.command()
@click.argument("truth", required=False)
@click.argument("test", required=False)
@click.option("--css", "movie", type=click.Path(path_type=Path), metavar="MOVIE", help="Score a movie against itself.")
@click.option("--data-range", type=click.FloatRange(min=0, min_open=True), help="Range of the intensities.")
@AS_JSON
def score(truth: str | None, test: str | None, movie: Path | None, data_range: float | None, as_json: bool) -> int:
    """Compare TEST with TRUTH: two files, or two folders or (quoted) globs of pairs.

    Prints MAE, PSNR, SSIM and MS-SSIM; of a stack, their means over its frames. With --css, the CSS of each frame of
    MOVIE with the next.
    """
    from temclean.commands import scoring, tables

    if movie is not None:
        if truth is not None:
            raise click.UsageError("--css takes one movie; give no TRUTH and TEST with it")
        return tables.print_css(movie, scoring.css(movie, data_range), as_json=as_json)
    if truth is None or test is None:
        raise click.UsageError("give TRUTH and TEST, or --css MOVIE; quote globs, so that the shell leaves them alone")
    return tables.print_scores(scoring.score_all(truth, test, data_range), as_json=as_json)


@cli.command()
@click.argument("name", required=False)
@AS_JSON
def models(name: str | None, as_json: bool) -> None:
    """List the models, or print all that is known of one."""
    from temclean.commands import tables
    from temclean.restoration import models as shelf

    loaded = [shelf.load(each) for each in ([name] if name else sorted(shelf.available()))]
    tables.print_models(loaded, as_json=as_json, full=name is not None)


@cli.command(cls=Training, add_help_option=False, short_help="Train a network; compute densities.")
def train() -> None:
    """Train a network on simulated images (needs the `train` extra), or compute what they show (`train dft`)."""


@cli.command()
@AS_JSON
def doctor(as_json: bool) -> int:
    """Say what works here and what does not, and why: build, providers, GPU, threads, formats."""
    from temclean.commands import doctor as practice
    from temclean.commands import tables

    return tables.print_findings(practice.examine(), as_json=as_json)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a file's name may have letters that its encoding lacks
    try:
        # Click would expand globs on Windows before TRUTH and TEST can be told apart; we expand our inputs ourselves.
        code = cli.main(arguments, prog_name="temclean", standalone_mode=False, windows_expand_args=False)
        sys.stdout.flush()
        return int(code or 0)
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted; every file that was written is whole")
        return INTERRUPTED
    except click.ClickException as error:
        if isinstance(error, HELP_ASKED_FOR):
            click.echo(error.format_message(), err=True)
        else:
            _say(error.format_message())
        return USAGE
    except TemcleanError as error:
        _say(str(error))
        return next((code for kind, code in CODES.items() if isinstance(error, kind)), USAGE)
    except OSError as error:
        if error.filename is not None:
            _say(f"{error.filename}: {error.strerror}")
            return USAGE
        from temclean.commands.progress import abandon

        abandon(sys.stdout)
        if not isinstance(error, BrokenPipeError):  # then whoever read it has gone
            _say(f"stdout cannot be written ({error.strerror or error})")
        return FAILED


def _open_closed_streams() -> None:
    """Let what nobody reads go nowhere; else a file that is opened later would take the place of stdout or stderr."""
    number = os.open(os.devnull, os.O_RDWR)
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)
    sys.stdout, sys.stderr = (stream or Path(os.devnull).open("w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115


def _say(text: str) -> None:
    click.echo(f"temclean: {' '.join(text.split())}", err=True)
