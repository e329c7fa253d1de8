"""What `temclean inspect` found in an image, in a few lines that a microscopist reads."""

import math
import textwrap
from collections.abc import Iterator
from typing import Any

from temclean.commands.inspection import Inspection
from temclean.commands.lines import escaped
from temclean.evidence.noise import IMPULSES, NoiseReport

WIDTH, INDENT = 100, 15
"""Letters of a line, and where its text begins."""

LARGER = {"Å": ("nm", 10.0), "nm": ("µm", 1000.0), "µm": ("mm", 1000.0)}
"""Units in which a length of more than a thousand is easier to read."""

NAMED = 6
"""Images of a file that are named at most."""


def account(found: Inspection) -> Iterator[str]:
    """Yield the lines about an image."""
    yield found.input if found.image is None else f'{found.input} "{found.image}"'
    for title, text in statements(found):
        margin = f"  {title:{INDENT - 2}}"
        yield from textwrap.wrap(escaped(text), WIDTH, initial_indent=margin, subsequent_indent=" " * INDENT)


def statements(found: Inspection) -> Iterator[tuple[str, str]]:
    """Yield what there is to say about an image, each with its title, or none where it goes on."""
    yield "holds", _content(found)
    yield "calibration", _calibration(found)
    yield "microscope", _microscope(found.instrument)
    report = found.noise
    if report is None:
        yield "noise", found.no_noise or ""
    else:
        median = found.median if found.median is not None else report.low
        first = " (of the first frame)" if math.prod(found.shape[:-2]) > 1 else ""
        yield "values", _values(report, median) + first
        yield "noise", _strength(report, median)
        if found.quietest is not None:
            rest = "the rest may be fine structure, as of a rough surface"
            yield "", f"its quietest places show no more than {found.quietest:.3g}: {rest}"
        yield "", _lines_of_noise(report)
        yield "", _correlation(report)
        if found.lag is not None:
            yield (
                "",
                f"a detector's lag: it moved structure by {found.lag:.1f} pixels along rows; general and lr undo it",
            )
        yield "impulses", _impulses(report)
        yield "structure", _structure(found)
    if found.model:
        yield "model", f"{found.model}: {found.choice}"
    if found.sheet:
        yield "sheet", found.sheet
    for warning in found.warnings:
        yield "warning", warning


def _content(found: Inspection) -> str:
    frames = math.prod(found.shape[:-2])
    size = f"{found.shape[-1]} x {found.shape[-2]} pixels, {found.dtype}, {found.format}"
    what = f"{frames} frames ({found.axes}) of {size}" if frames > 1 else size
    if not found.images:
        return what
    names = ", ".join(found.images[:NAMED]) + (", ..." if len(found.images) > NAMED else "")
    return f"{what}; one of {len(found.images)} images: {names} (--image NAME takes another)"


def _calibration(found: Inspection) -> str:
    if found.pixel_size is None:
        return "none in the file: lengths are in pixels"
    rows, columns = found.pixel_size
    size = f"{columns:.4g}" if math.isclose(rows, columns, rel_tol=1e-3) else f"{columns:.4g} x {rows:.4g}"
    across, down, unit = columns * found.shape[-1], rows * found.shape[-2], found.unit or ""
    while max(across, down) > 1000 and unit in LARGER:
        unit, times = LARGER[unit]
        across, down = across / times, down / times
    return f"{size} {found.unit} a pixel, {across:.4g} x {down:.4g} {unit} in all"


def _microscope(said: dict[str, Any]) -> str:
    """Say what a paper's methods section would."""
    exposure = said.get("exposure_s")
    parts = [
        said.get("kind"),
        said.get("microscope"),
        said.get("detector"),
        _said(said, "beam_energy_kV", "{:g} kV"),
        _said(said, "magnification", "{:,.0f} x"),
        _said(said, "camera_length_mm", "camera length {:g} mm"),
        _said(said, "convergence_angle_mrad", "convergence {:.3g} mrad"),
        f"{said['dwell_time_s'] * 1e6:.3g} µs a pixel" if "dwell_time_s" in said else None,
        f"{exposure:g} s a frame" if exposure else None,
        said.get("acquisition_date"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _said(said: dict[str, Any], name: str, words: str) -> str | None:
    return words.format(said[name]) if name in said else None


def _values(report: NoiseReport, median: float) -> str:
    parts = [f"{report.low:.5g} to {report.high:.5g}, median {median:.5g}"]
    if report.step:
        parts.append(f"in steps of {report.step:.4g}")
    for share, end in ((report.clipped_low, "least"), (report.clipped_high, "greatest")):
        if share:
            parts.append(f"{share:.2%} clipped at the {end}")
    return ", ".join(parts)


def _strength(report: NoiseReport, median: float) -> str:
    deviation, error, place = report.at(median), report.error_at(median), "the median"
    if deviation <= error and report.gain > 4 * report.gain_error:  # as where most pixels have no count
        middle = 0.5 * (report.low + report.high)
        deviation, error, place = report.at(middle), report.error_at(middle), f"{middle:.3g}"
    hangs = _hangs(report)
    if hangs and 1.96 * error > deviation:
        return f"unsure, up to {deviation + 1.96 * error:.2g}: it hangs together over {hangs}, as structure does"
    if deviation <= error and report.along_error < 1:
        return f"none that can be measured (below {deviation + 2 * error:.2g})"
    if report.along_error >= 1:
        return f"about {deviation:.2g}; the image is too small to measure more"
    at = f"{_measured(deviation, error)}, {deviation / (report.high - report.low):.2g} of the range"
    grain = report.family.partition(",")[0]
    if not report.gain:
        return f"Gaussian, the same everywhere: standard deviation {at}"
    gain = _measured(abs(report.gain), report.gain_error)
    if report.sigma:
        law = f"{report.sigma:.3g}² {'+' if report.gain > 0 else '-'} {gain} x value"
    else:
        off = f"(value {'-' if report.offset > 0 else '+'} {_measured(abs(report.offset), report.offset_error)})"
        law = f"{gain} x {off if report.offset else 'value'}"
    counts = (median - report.offset) / report.gain
    dose = f", as of {counts:.2g} electrons a pixel" if grain == "Poisson" and report.white and counts > 0 else ""
    return f"{grain}: variance = {law}; standard deviation {at}, at {place}{dose}"


def _hangs(report: NoiseReport) -> str:
    """Say over how many pixels noise hangs together along both axes; nothing if it does not."""
    if not (report.row_length and report.column_length):
        return ""
    return f"{report.row_length:.1f} pixels along rows and {report.column_length:.1f} along columns"


def _lines_of_noise(report: NoiseReport) -> str:
    """Say what whole rows and columns share."""
    shared = [
        f"pixels of a {what} share {_measured(value, error)}"
        for what, value, error in (
            ("row", report.row, report.row_error),
            ("column", report.column, report.column_error),
        )
        if value
    ]
    return ", ".join(shared)


def _correlation(report: NoiseReport) -> str:
    if report.along_error >= 1 or not report.at(0.5 * (report.low + report.high)):
        return ""
    axes = ("rows", report.along_rows, report.row_length), ("columns", report.along_columns, report.column_length)
    if not (report.row_length or report.column_length):
        what, values, _ = max(axes, key=lambda axis: abs(axis[1][0]))
        weak = abs(values[0]) > 5 * report.along_error
        nearly = f"nearly white: a correlation of {values[0]:.2f} with the next pixel along {what}"
        return nearly if weak else "white: no correlation between neighbours"
    parts = [
        f"along {what} " + (", ".join(f"{value:.2f}" for value in values[:3]) if length else "none")
        for what, values, length in axes
    ]
    why = ": fine structure, or resampled" if report.fine_structure else ""
    return f"not white{why}; correlated with the next pixels {', '.join(parts)} (± {report.along_doubt:.1g})"


def _impulses(report: NoiseReport) -> str:
    dark, bright = (round(share * report.pixels) for share in (report.dark, report.bright))
    if report.impulses > IMPULSES:
        share = f"{report.impulses:.2%} (± {report.impulses_error:.2%}) of the pixels"
        return f"{share}: {report.dark:.2%} far too dark, {report.bright:.2%} far too bright"
    few = f"{dark} pixels far too dark, {bright} far too bright"
    return few if dark + bright else f"none of {report.pixels:,} pixels"


def _structure(found: Inspection) -> str:
    if found.period is None:
        return "no lattice or fringes that stand out"
    length = ""
    # Of oblong pixels, the length depends on the direction of the lines.
    if found.pixel_size is not None and math.isclose(*found.pixel_size, rel_tol=1e-3):
        length = f" ({found.period * found.pixel_size[0]:.3g} {found.unit})"
    return f"a lattice or fringes, about {found.period:.3g} pixels from line to line{length}"


def _measured(value: float, error: float) -> str:
    """Return a value and its error, both to the second digit of the error.

    Examples
    --------
    >>> _measured(1738.2, 3.7), _measured(0.01123, 0.0012), _measured(52, 0)
    ('1738.2 ± 3.7', '0.0112 ± 0.0012', '52')
    """
    if not error > 0 or not math.isfinite(error):
        return f"{value:.4g}"
    places = 1 - math.floor(math.log10(error))
    if not -3 <= places <= 4:
        return f"{value:.4g} ± {error:.2g}"
    shown = max(places, 0)
    return f"{round(value, places):.{shown}f} ± {round(error, places):.{shown}f}"
