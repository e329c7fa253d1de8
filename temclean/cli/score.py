"""``temclean score``."""

from pathlib import Path

import click

from temclean.cli.options import AS_JSON, Name, Within


@click.command("score")
@click.argument("truth", required=False, type=Name())
@click.argument("test", required=False, type=Name())
@click.option("--css", type=Name(path_type=Path), metavar="MOVIE", help="Score a movie against itself.")
@click.option("--movie", type=Name(path_type=Path), metavar="MOVIE", help="Score RESULT against its noisy MOVIE.")
@click.option("--apart", type=click.IntRange(min=1), metavar="N", help="With --movie: frames RESULT has not seen.")
@click.option("--frc", is_flag=True, help="Fourier ring correlation of a MOVIE's odd and even frames, or of two files.")
@click.option("--spectrum", is_flag=True, help="Power of RESULT over that of RAW, beyond what RAW shows.")
@click.option("--data-range", type=Within(min=0, min_open=True), help="Range of the intensities.")
@AS_JSON
def command(
    truth: str | None,
    test: str | None,
    css: Path | None,
    movie: Path | None,
    apart: int | None,
    frc: bool,
    spectrum: bool,
    data_range: float | None,
    as_json: bool,
) -> int:
    """Compare TEST with TRUTH: two files, or two folders or (quoted) globs of pairs.

    Prints MAE, PSNR, SSIM and MS-SSIM; of a stack, their means over its frames. With --css, the CSS of each frame of
    MOVIE with the next. With --movie MOVIE RESULT, where there is no truth: the uPSNR and uMSE of a denoised movie
    against the noisy frames N before and N after each, drift taken out, and its CSS, with standard errors. RESULT must
    not have seen these: N is 1 by default, or what the window of its model needs.

    With --frc, down to which period raw images of the same agree: MOVIE, or two files. With --spectrum RAW RESULT, how
    much power a result has where its raw image shows noise alone.
    """
    if frc or spectrum:
        return _fourier(truth, test, frc, spectrum, others=(css, movie, apart, data_range), as_json=as_json)
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


def _fourier(
    first: str | None, second: str | None, frc: bool, spectrum: bool, others: tuple[object, ...], *, as_json: bool
) -> int:
    if (frc and spectrum) or any(other is not None for other in others):
        raise click.UsageError("--frc and --spectrum each stand alone; leave the other options out")
    if first is None or (spectrum and second is None):
        raise click.UsageError("give --frc MOVIE, --frc FILE FILE, or --spectrum RAW RESULT")
    from temclean.commands.measuring import fourier

    if frc:
        return fourier.print_frc(fourier.frc(Path(first), Path(second) if second else None), as_json=as_json)
    return fourier.print_spectrum(fourier.compare(Path(first), Path(str(second))), as_json=as_json)
