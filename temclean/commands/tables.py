"""Print what the commands other than ``denoise`` have to say: tables for people, JSON lines for programs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from temclean.commands import codes
from temclean.commands.lines import echo, escaped
from temclean.restoration.shipped import AUTO

if TYPE_CHECKING:
    from temclean.commands.doctor import Finding
    from temclean.commands.inspection import Inspection
    from temclean.commands.manifest import Outcome
    from temclean.commands.scoring import MovieScore, Score
    from temclean.restoration.models import Model

SCORED_AT = "0.20"
"""Noise level of the score that the table of models shows."""

METRICS = {"mae": "MAE", "psnr": "PSNR/dB", "ssim": "SSIM", "ms_ssim": "MS-SSIM"}


def print_outcomes(outcomes: "Iterable[Outcome]", *, as_json: bool) -> int:
    """Print what ``simulate`` made, and return the exit code."""
    failed = missing = 0
    for outcome in outcomes:
        if outcome.error:
            failed += 1
            missing += outcome.missing_extra
            echo(f"{outcome.clean}: {outcome.error}", err=True)
        if as_json:
            click.echo(json.dumps(asdict(outcome)))
        elif not outcome.error:
            echo(f"{outcome.clean} -> {outcome.noisy}")
    return codes.of_failures(failed, missing)


def print_scores(scores: "Iterable[Score]", *, as_json: bool) -> int:
    """Print the metrics of each pair as it comes, the means of several at the end, and return the exit code."""
    failed = missing = 0
    rows: list[list[float | None]] = []
    for score in scores:
        if as_json:
            click.echo(json.dumps(score.record()))
        if score.values is None:
            failed += 1
            missing += score.missing_extra
            error = str(score.error)
            named = error if error.startswith(f"{score.truth}: ") else f"{score.test or score.truth}: {error}"
            echo(named, err=True)
            continue
        row = [score.values[name] for name in METRICS]
        if not as_json:
            if not rows:
                echo("".join(f" {title:>9}" for title in METRICS.values()) + "  test")
            echo(_numbers(row) + f"  {score.test}")
        rows.append(row)
    if len(rows) > 1 and not as_json:
        columns = ([value for value in column if value is not None] for column in zip(*rows, strict=True))
        echo(_numbers([sum(column) / len(column) if column else None for column in columns]) + "  mean")
    return codes.of_failures(failed, missing)


def print_css(movie: Path, values: Sequence[float], *, as_json: bool) -> int:
    """Print the CSS of consecutive frames and its mean, and return the exit code."""
    mean = sum(values) / len(values)
    if as_json:
        click.echo(json.dumps({"movie": str(movie), "css": list(values), "mean": mean}))
        return 0
    echo("       CSS  frames")
    for index, value in enumerate(values):
        echo(_numbers([value]) + f"  {index} and {index + 1}")
    echo(_numbers([mean]) + "  mean")
    return 0


def print_movie_score(score: "MovieScore", *, as_json: bool) -> int:
    """Print how a result fits frames that it has not seen, with standard errors, and return the exit code."""
    if as_json:
        click.echo(json.dumps(score.record()))
        return codes.DONE
    unseen = score.unseen
    echo("".join(f" {title:>9}" for title in ("uPSNR/dB", "from", "to", "uMSE", "+-", "CSS", "+-")) + "  result")
    decibels = (unseen.upsnr, unseen.upsnr_low, unseen.upsnr_high)
    echo(_numbers([*decibels, unseen.umse, unseen.umse_error, score.css, score.css_error]) + f"  {score.result}")
    echo(
        f"against frames {score.apart} before and {score.apart} after, drift taken out; {unseen.frames} frames, "
        f"range {unseen.data_range:g}; +- one standard error"
    )
    return codes.DONE


def print_inspections(inspections: "Iterable[Inspection]", *, as_json: bool) -> int:
    """Print what ``inspect`` found in each image, and return the exit code."""
    from temclean.commands.account import account

    failed = missing = 0
    for number, inspection in enumerate(inspections):
        if inspection.error:
            failed += 1
            missing += inspection.missing_extra
            echo(f"{inspection.input}: {inspection.error}", err=True)
        if as_json:
            click.echo(json.dumps(inspection.record()))
        elif not inspection.error:
            _echo_all([""] if number else [])
            _echo_all(account(inspection))
    return codes.of_failures(failed, missing)


def print_models(models: "Sequence[Model]", *, as_json: bool, full: bool, alone: bool) -> None:
    """Print a table of models, what one ``alone`` is for and can do, or with ``full`` all that is known of each."""
    from temclean.commands.portrait import portrait, record

    if as_json:
        for model in models:
            click.echo(json.dumps(record(model)))
    elif full:
        for model in models:
            _echo_all(_outline(record(model)))
    elif alone:
        for model in models:
            _echo_all(portrait(model))
    else:
        rows = [("model", "noise", "levels", "pixel size", f"MS-SSIM at {SCORED_AT}", "licence", "what for")]
        rows += [
            (
                model.name,
                model.family,
                _interval(model.levels),
                _interval(model.pixel_sizes) + " Å",
                _number(_score(model)),
                model.licence,
                model.summary,
            )
            for model in models
        ]
        _echo_all(_aligned(rows))
        echo(f"{AUTO}, the default of denoise, takes the one that fits each file and says why; never bbg, lde or n2a")


def print_findings(findings: "Iterable[Finding]", *, as_json: bool) -> int:
    """Print what ``doctor`` found, and return the exit code: 1 if nothing can be denoised here."""
    found = list(findings)
    if as_json:
        click.echo(json.dumps({finding.name: asdict(finding) for finding in found}))
    else:
        _echo_all(_aligned([(finding.verdict, finding.name, finding.detail) for finding in found]))
    return codes.FAILED if any(finding.verdict == "broken" for finding in found) else codes.DONE


def _echo_all(lines: Iterable[str]) -> None:
    for line in lines:
        echo(line)


def _score(model: "Model") -> float | None:
    """Return the mean MS-SSIM on held-out images, if the model says so."""
    try:
        return float(model.scores["ms_ssim"][SCORED_AT]["all"])
    except (KeyError, TypeError, ValueError):
        return None


def _numbers(values: Iterable[float | None]) -> str:
    return "".join(f" {_number(value):>9}" for value in values)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    # Four decimals would not show these as they are.
    odd = abs(value) >= 1000 or 0 < abs(value) < 0.001
    return f"{value:.4g}" if odd else f"{value:.4f}"


def _interval(bounds: Sequence[float]) -> str:
    return " to ".join(f"{bound:g}" for bound in bounds)


def _outline(record: dict[str, object], indent: str = "") -> Iterator[str]:
    """Yield a record as lines, what lies deeper further to the right."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield f"{indent}{name}:"
            yield from _outline(value, indent + "  ")
        elif isinstance(value, list | tuple) and any(isinstance(each, dict) for each in value):
            for number, each in enumerate(value, 1):
                yield from _outline({f"{name} {number}": each}, indent)
        elif isinstance(value, list | tuple):
            yield f"{indent}{name}: {', '.join(map(str, value))}"
        else:
            yield f"{indent}{name}: {value}"


def _aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return the rows as lines with their columns aligned; the last column may be as long as it likes."""
    rows = [tuple(map(escaped, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return [
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]) for row in rows
    ]
