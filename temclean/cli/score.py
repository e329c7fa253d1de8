"""``temclean score``."""

from pathlib import Path

import click

from temclean.cli.options import AS_JSON, Name


@click.command("score")
@click.argument("truth", required=False, type=Name())
@click.argument("test", required=False, type=Name())
@click.option("--css", "movie", type=Name(path_type=Path), metavar="MOVIE", help="Score a movie against itself.")
@click.option("--data-range", type=click.FloatRange(min=0, min_open=True), help="Range of the intensities.")
@AS_JSON
def command(truth: str | None, test: str | None, movie: Path | None, data_range: float | None, as_json: bool) -> int:
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
