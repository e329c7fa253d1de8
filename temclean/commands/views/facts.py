"""What a page tells of one image beside its pictures: curves, its noise, how its result was made."""

from pathlib import Path

from temclean import io
from temclean.commands import account, inspection
from temclean.commands.records import Result
from temclean.commands.views import curves
from temclean.commands.views.pair import Pair
from temclean.commands.views.verdicts import SUPPORTED, Verdicts
from temclean.errors import TemcleanError
from temclean.io.units import METRES

LEAST = 16
"""Pixels of the shorter side from which on there are curves."""

TOLD = {"model", "choice"}
"""Of what a result says of itself, what is told of the image first."""

NAMED = 10
"""Doubtful spots that are named at most."""

Rows = list[tuple[str, str]]


def drawings(pair: Pair) -> list[tuple[str, str, str]]:
    """Return title, SVG and explanation of each drawing."""
    if min(pair.raw.shape) < LEAST:
        return []
    both = '<b class="raw">raw</b>, <b class="restored">restored</b>'
    spectra, shares = curves.spectra(pair.raw, pair.restored), curves.histograms(pair.raw, pair.restored)
    finest = "0.5 / pixel"
    if pair.pixel_size and pair.unit in METRES:
        finest = f"0.5 / pixel, {0.5 / pair.pixel_size[1]:.3g} / {pair.unit}"
    values = [f"{shares.x[place]:.5g}" for place in (0, len(shares.x) // 2, -1)]
    return [
        (
            "Radial spectrum",
            curves.drawing(spectra, ("0", "", finest), logarithmic=True),
            f"Power, logarithmic: {both}. What only the restored image has is not from the raw one.",
        ),
        ("Histogram", curves.drawing(shares, values), f"Share of the pixels over the intensity: {both}."),
    ]


def tables(result: Result, pair: Pair | None, found: Verdicts | None = None) -> list[tuple[str, Rows]]:
    """Return titles, and rows of names and values; with verdicts, what became of the spots."""
    made = pair.made if pair else {}
    about: Rows = [
        ("model", str(made.get("model", result.model))),
        ("why", str(made.get("choice", ""))),
        ("type", result.dtype or ""),
        ("frame shown", f"{pair.frame} of {pair.frames}" if pair and pair.frames > 1 else ""),
        ("time", f"{result.seconds:.3g} s" if result.seconds is not None else ""),
    ]
    rest: Rows = [(name.replace("_", " "), str(value)) for name, value in made.items() if name not in TOLD]
    about += [("", note) for note in result.notes]
    support = [("Support of its spots", _support(found))] if found else []
    return [("Raw image", _raw(result)), ("Result", about), *support, ("Provenance", rest)]


def _support(found: Verdicts) -> Rows:
    rows: Rows = [(verdict, str(count)) for verdict, count in found.counts.items()]
    for doubt in found.doubts[:NAMED]:
        rows.append((doubt.verdict, f"row {doubt.row:.1f}, column {doubt.column:.1f}: log-likelihood {doubt.support}"))
    left = sum(found.counts.values()) - found.counts.get(SUPPORTED, 0) - NAMED
    return [*rows, ("", f"and {left} more, in the table beside the result")] if left > 0 else rows


def _raw(result: Result) -> Rows:
    """Return what `temclean inspect` says of the raw image."""
    path = Path(result.input)
    try:
        images = io.list_images(path)
        place = io.select(path, images, result.image)
        found = inspection.inspect(path, tuple(images), place, choose=False)
    except (TemcleanError, OSError):  # it was read a moment ago
        return []
    rows: Rows = []
    for title, text in account.statements(found):
        if not title and rows:
            rows[-1] = (rows[-1][0], "; ".join(filter(None, (rows[-1][1], text))))
        elif title != "warning":  # the result has it
            rows.append((title, text))
    return rows
