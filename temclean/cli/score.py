"""``temclean score``."""

from pathlib import Path

import click

from temclean.cli.options import AS_JSON, Name


@click.command("score")
@click.argument("truth", required=False, type=Name())
@click.argument("test", required=False, type=Name())
@click.option("--css", type=Name(path_type=Path), metavar="MOVIE", help="Score a movie against itself.")
@click.option("--movie", type=Name(path_type=Path), metavar="MOVIE", help="Score RESULT against its noisy MOVIE.")
@click.option("--apart", type=click.IntRange(min=1), metavar="N", help="With --movie: frames RESULT has not seen.")
@click.option("--data-range", type=click.FloatRange(min=0, min_open=True), help="Range of the intensities.")
@AS_JSON
def command(
    truth: str | None,
    test: str | None,
    css: Path | None,
    movie: Path | None,
    apart: int | None,
    data_range: float | None,
    as_json: bool,
) -> int:
    """Compare TEST with TRUTH: two files, or two folders or (quoted) globs of pairs.

    Prints MAE, PSNR, SSIM and MS-SSIM; of a stack, their means over its frames. With --css, the CSS of each frame of
    MOVIE with the next. With --movie MOVIE RESULT, where there is no truth: the uPSNR and uMSE of a denoised movie
    against the noisy frames N before and N after each, drift taken out, and its CSS, with standard errors. RESULT must
    not have seen these: N is 1 by default, or what the window of its model needs.
    """
    if css is not None and (truth is not None or movie is not None):
        raise click.UsageError("--css takes one movie; give no TRUTH and TEST with it, and no --movie")
    if apart is not None and movie is None:
        raise click.UsageError("--apart means nothing without --movie MOVIE; leave it out")
    if movie is not None and (truth is None or test is not None):
        raise click.UsageError("--movie MOVIE takes one RESULT beside it: temclean score --movie MOVIE RESULT")
    if css is None and movie is None and (truth is None or test is None):
        raise click.UsageError("give TRUTH and TEST, or --css MOVIE; quote globs, so that the shell leaves them alone")
    from temclean.commands import scoring, tables

    if css is not None:
        return tables.print_css(css, scoring.css(css, data_range), as_json=as_json)
    if movie is not None:
        return tables.print_movie_score(
            scoring.score_movie(movie, Path(str(truth)), apart, data_range), as_json=as_json
        )
    return tables.print_scores(scoring.score_all(str(truth), str(test), data_range), as_json=as_json)
