"""What was measured in an image, in a few lines for people."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import click
import numpy as np

from temclean.commands import codes
from temclean.commands.lines import echo, escaped
from temclean.commands.measuring.measure import Measured

WIDTH, INDENT = 100, 15
"""Letters of a line, and where its text begins."""

UNKNOWN = "errors not known"
"""Said of restored images."""

SHOWN = 8
"""Means of groups that are listed at most."""


def print_measured(found: Iterable[Measured], *, as_json: bool) -> int:
    """Print what ``measure`` found in each image, and return the exit code."""
    failed = missing = shown = 0
    for each in found:
        if each.error:
            failed += 1
            missing += each.missing_extra
            echo(f"{each.input}: {each.error}", err=True)
        for warning in each.warnings:
            echo(f"{each.input}: {warning}", err=True)
        if as_json:
            click.echo(json.dumps(each.record()))
        elif not each.error:
            for line in [*([""] if shown else []), *account(each)]:
                echo(line)
            shown += 1
    return codes.of_failures(failed, missing)


def account(found: Measured) -> Iterator[str]:
    """Yield the lines about an image."""
    yield found.name
    for title, text in _columns(found) if found.kind == "columns" else _particles(found):
        margin = f"  {title:{INDENT - 2}}"
        yield from textwrap.wrap(escaped(text), WIDTH, initial_indent=margin, subsequent_indent=" " * INDENT)


def _columns(found: Measured) -> Iterator[tuple[str, str]]:
    summary, table = found.summary, found.table
    unit = "nm" if found.pixel_nm else "px"
    count = summary["columns"]
    if not count:
        yield "columns", "none found; --particles measures shapes, --dark dark columns"
        return
    error = _middle(np.hypot(table[f"x_error_{unit}"], table[f"y_error_{unit}"]) / np.sqrt(2))
    known = f"places known to {error:.2g} {unit} along each axis" if error >= 0 else UNKNOWN
    yield "columns", f"{count}, {_middle(table[f'width_{unit}']):.4g} {unit} wide (standard deviation), {known}"
    if summary["left_out"]:
        text = f"{summary['left_out']} weak maxima between columns, as phase contrast makes where no atom is"
        yield "left out", text
    if count > 1:
        away = table[f"nearest_{unit}"]
        yield "neighbours", f"the nearest {_middle(away):.4g} {unit} away ({away.min():.4g} to {away.max():.4g} {unit})"
    lattice = summary["lattice"]
    if lattice is None:
        yield "lattice", "none: too few columns, or they are without order"
    else:
        yield from _lattice(lattice, unit, count)
    yield from _groups(summary["groups"])


def _lattice(lattice: dict[str, Any], unit: str, count: int) -> Iterator[tuple[str, str]]:
    several = f", {lattice['sublattices']} columns to a cell" if lattice["sublattices"] > 1 else ""
    yield (
        "lattice",
        f"a {lattice[f'a_{unit}']:.5g} {unit}, b {lattice[f'b_{unit}']:.5g} {unit}, {lattice['angle_deg']:.2f}° between"
        f", a {lattice['a_from_x_deg']:.2f}° from the rows{several}; {lattice['columns']} of {count} columns are on it"
        f", {lattice[f'displacement_rms_{unit}']:.2g} {unit} off (rms)",
    )
    if lattice["exx_std"] is not None:
        parts = [f"{name} {_percent(lattice, name)}" for name in ("exx", "eyy", "exy")]
        turn, noise = lattice["rotation_deg_std"], lattice["rotation_deg_noise"]
        text = f"scatters by {', '.join(parts)}, rotation {turn:.2g}°"
        if noise is not None:
            text += f" ({noise:.2g}°); in brackets what the errors of places make of none"
        yield "strain", text


def _percent(lattice: dict[str, Any], name: str) -> str:
    noise = lattice[f"{name}_noise"]
    return f"{100 * lattice[f'{name}_std']:.2g}%" + (f" ({100 * noise:.2g}%)" if noise is not None else "")


def _groups(groups: dict[str, Any] | None) -> Iterator[tuple[str, str]]:
    if groups is None:
        return
    if groups["number"] == 1:
        yield "intensities", "one group: no thicknesses or kinds of columns are told apart"
        return
    means = [f"{mean:.4g} ({share:.0%})" for mean, share in zip(groups["means"], groups["shares"], strict=True)]
    shown = ", ".join(means[:SHOWN]) + (", ..." if len(means) > SHOWN else "")
    text = f"{groups['number']} groups (ICL), {groups['width']:.3g} wide: {shown}"
    first = groups["atoms_of_first"]
    if first is not None:
        text += f"; even steps from 0, so the weakest have {first} atom{'s' if first > 1 else ''} if each adds the same"
    yield "intensities", text


def _particles(found: Measured) -> Iterator[tuple[str, str]]:
    summary, table = found.summary, found.table
    unit = "nm" if found.pixel_nm else "px"
    if not summary["particles"]:
        yield "particles", "none that stand out of an even background; --columns looks for atoms, --dark for dark ones"
        return
    cut = summary["on_border"]
    dark = "dark" if summary["dark"] else "bright"
    yield "particles", f"{summary['particles']}, {dark}" + (f"; {cut} cut by the border" if cut else "")
    if summary[f"diameter_mean_{unit}"] is not None:
        whole = table["on_border"] == 0
        sizes, errors = (table[f"{name}_{unit}"][whole] for name in ("diameter", "diameter_error"))
        size, error = _middle(sizes), _middle(errors[np.isfinite(errors)] if "fitted" in table else errors)
        factor, unit_shown = (1e-3, "µm") if unit == "nm" and size >= 1000 else (1.0, unit)
        mean, spread, median = (factor * summary[f"diameter_{name}_{unit}"] for name in ("mean", "std", "median"))
        known = f"each known to {factor * error:.1g} {unit_shown} as far as noise goes" if error >= 0 else UNKNOWN
        yield (
            "diameter",
            f"{mean:.4g} ± {spread:.2g} {unit_shown} (mean and deviation), median {median:.4g} {unit_shown}, {known}",
        )
        longest, shortest = (factor * _middle(table[f"feret_{which}_{unit}"][whole]) for which in ("max", "min"))
        if "fitted" in table:
            fitted, count = int(table["fitted"].sum()), len(table["fitted"])
            rest = "" if fitted == count else "; the others keep the restored outline, and have no errors"
            yield "fitted", f"{fitted} of {count} to the raw image, at half of their own height{rest}"
        yield "Feret", f"longest {longest:.4g} {unit_shown}, shortest {shortest:.4g} {unit_shown} (medians)"


def _middle(values: "np.ndarray[Any, Any]") -> float:
    return float(np.median(values)) if len(values) else float("nan")
