"""What a page tells of one image beside its pictures: curves, its noise, how its result was made."""

from collections.abc import Mapping
from typing import Any

from temclean.commands.records import Result
from temclean.commands.views import curves
from temclean.commands.views.pair import Pair
from temclean.errors import ImageError
from temclean.evidence import noise
from temclean.io.units import METRES

LEAST = 16
"""Pixels of the shorter side from which on there are curves."""

TOLD = {"model", "choice"}
"""Of what a result says of itself, what is told of the image first."""

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
    values = [f"{shares.x[place]:.4g}" for place in (0, len(shares.x) // 2, -1)]
    return [
        (
            "Radial spectrum",
            curves.drawing(spectra, ("0", "", finest), logarithmic=True),
            f"Power, logarithmic: {both}. What only the restored image has is not from the raw one.",
        ),
        ("Histogram", curves.drawing(shares, values), f"Share of the pixels over the intensity: {both}."),
    ]


def tables(result: Result, pair: Pair | None) -> list[tuple[str, Rows]]:
    """Return titles, and rows of names and values."""
    about: Rows = [
        ("model", str(_made(pair).get("model", result.model))),
        ("why", str(_made(pair).get("choice", ""))),
        ("shape", " x ".join(map(str, result.shape or ()))),
        ("type", result.dtype or ""),
        ("pixel size", _size(pair)),
        ("frame shown", f"{pair.frame} of {pair.frames}" if pair and pair.frames > 1 else ""),
        ("time", f"{result.seconds:.3g} s" if result.seconds is not None else ""),
    ]
    made: Rows = [(name.replace("_", " "), str(value)) for name, value in _made(pair).items() if name not in TOLD]
    return [("Image", about), ("Noise of the raw image", _noise(pair) if pair else []), ("Provenance", made)]


def _made(pair: Pair | None) -> Mapping[str, Any]:
    return pair.made if pair else {}


def _size(pair: Pair | None) -> str:
    if not pair or not pair.pixel_size:
        return "unknown" if pair else ""
    rows, columns = (f"{size:.4g}" for size in pair.pixel_size)
    return f"{columns if rows == columns else f'{columns} x {rows}'} {pair.unit}"


def _noise(pair: Pair) -> Rows:
    try:
        found = noise.measure(pair.raw)
    except ImageError as error:
        return [("", str(error))]
    rows: Rows = [("standard deviation", f"{found.sigma:.4g} ± {found.sigma_error:.2g}" if found.sigma else "")]
    if found.gain:
        rows.append(("growth of the variance", f"{found.gain:.4g} ± {found.gain_error:.2g} a unit of intensity"))
    rows.append(("wild pixels", f"{found.impulses:.3%}"))
    rows.append(("white", "yes" if found.white else "no: neighbouring pixels share noise"))
    return rows
