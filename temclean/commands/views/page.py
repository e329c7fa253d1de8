"""The HTML of a report: whatever stands in names, metadata and messages is text, never markup."""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files

from temclean import __version__
from temclean.commands.lines import escaped
from temclean.commands.records import Result
from temclean.commands.views.plates import Plate

MARK = "\0"
"""Stands around the name of a picture; no text of ours or from outside holds it, as control codes are escaped."""

KEYS = "other image <kbd>←</kbd> <kbd>→</kbd>|slider <kbd>,</kbd> <kbd>.</kbd>|raw or restored <kbd>b</kbd>"
MORE_KEYS = "the middle <kbd>m</kbd>|all images <kbd>Esc</kbd>"


@dataclass(frozen=True)
class Entry:
    """What stands on the page about one image.

    Attributes
    ----------
    number : its place, from 1.
    pictures : name of the file and what is in it.
    drawings : title, SVG and explanation.
    facts : title and rows of names and values.
    """

    number: int
    result: Result
    pictures: Mapping[str, Plate]
    drawings: Sequence[tuple[str, str, str]]
    facts: Sequence[tuple[str, Sequence[tuple[str, str]]]]


def text(value: object) -> str:
    """Return what is safe anywhere in HTML."""
    return escape(escaped(value))


def name_of(result: Result) -> str:
    """Return what an image is called: its file, and which of several images of it."""
    name = result.input.replace("\\", "/").rpartition("/")[2]
    return name if result.image is None else f'{name} "{result.image}"'


@cache
def _source(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def head(title: str, lines: Iterable[str], settings: Mapping[str, str], token: str) -> str:
    """Return what comes before the images; nothing but the page's own script runs, and nothing is loaded but pictures.

    Parameters
    ----------
    title, lines
        What the page is called and what is said first.
    settings
        What the run was asked for.
    token
        What the names of its pictures begin with.
    """
    style, script = _source("page.css"), _source("page.js")
    policy = (
        f"default-src 'none'; img-src 'self' file: data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    said = "".join(f"<p>{text(line)}</p>" for line in lines)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="temclean {__version__}; {token}">\n'
        f'<title>{text(title)}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n'
        f"<script>{script}</script>\n</head>\n<body>\n"
        f'<header><h1>{text(title)}</h1>\n<div id="about">{said}{_rows(settings.items())}</div></header>\n'
        '<div class="screen"><button id="all" type="button">All images</button> '
        '<button id="back" type="button" aria-label="previous image">←</button> <span id="place"></span> '
        '<button id="next" type="button" aria-label="next image">→</button> '
        '<button id="close" type="button"></button></div>\n'
    )


def failure(result: Result) -> str:
    """Return a line about an input that failed."""
    return f'<li><b>{text(name_of(result))}</b>: <span class="bad">{text(result.error)}</span></li>\n'


def tile(entry: Entry) -> str:
    """Return what stands for an image in the overview."""
    picture = next((_image(name, plate) for name, plate in entry.pictures.items() if plate.kind == "small"), "")
    count = len(entry.result.warnings)
    warned = f'<span class="bad">{count} warning{"s" if count > 1 else ""}</span>' if count else ""
    return f'<a href="#i{entry.number}">{picture}{text(name_of(entry.result))}{warned}</a>\n'


def article(entry: Entry) -> str:
    """Return all about an image."""
    result, shown = entry.result, {plate.kind: _image(name, plate) for name, plate in entry.pictures.items()}
    kept = " (kept)" if result.status == "kept" else ""
    warnings = "".join(f"<li>{text(line)}</li>" for line in result.warnings)
    views = [
        f'<figure class="{part}">{_view(shown[f"raw{kind}"], shown[f"restored{kind}"])}'
        f"<figcaption>Raw and restored{what}, each between its own percentiles 0.5 and 99.5.</figcaption></figure>"
        for part, kind, what in (("whole", "", ""), ("middle", "-middle", ", the middle pixel by pixel"))
        if f"raw{kind}" in shown
    ]
    side = [f"<div><h3>{title}</h3>{svg}<p class=soft>{note}</p></div>" for title, svg, note in entry.drawings]
    if "residual" in shown:
        note = "Raw minus restored; 0 is grey. Shapes in it were removed."
        residual = f'<figure class="residual">{shown["residual"]}<figcaption>{note}</figcaption></figure>'
        side.insert(0, f"<div><h3>Residual</h3>{residual}</div>")
    if "support" in shown:
        note = (
            'Spots that the raw image <b class="unsupported">does not support</b>, supports '
            '<b class="weak">weakly</b>, or shows and the result has <b class="lost">lost</b>.'
        )
        rings = f'<figure class="residual">{shown["support"]}<figcaption>{note}</figcaption></figure>'
        side.insert(0, f"<div><h3>Support</h3>{rings}</div>")
    facts = "".join(f"<section><h3>{text(title)}</h3>{_rows(rows)}</section>" for title, rows in entry.facts)
    return (
        f'<article id="i{entry.number}"><h2>{text(name_of(result))}</h2>\n'
        f'<p class="soft">{text(result.input)} → {text(result.output)}{kept}</p>\n'
        + (f'<ul class="warnings">{warnings}</ul>\n' if warnings else "")
        + f'<div class="columns"><div class="views">{"".join(views)}</div><div class="side">{"".join(side)}</div>\n'
        f'<div class="facts">{facts}</div></div></article>\n'
    )


def before_articles(failures: Iterator[str], tiles: Iterator[str]) -> Iterator[str]:
    """Yield the failures and the overview."""
    first = next(failures, None)
    if first is not None:
        yield '<section id="failures"><h2>Failed</h2><ul>\n'
        yield first
        yield from failures
        yield "</ul></section>\n"
    yield '<nav id="overview" aria-label="All images">\n'
    yield from tiles
    yield "</nav>\n<main>\n"


def tail() -> str:
    """Return what comes after the images."""
    keys = "".join(f"<span>{key}</span>" for key in f"{KEYS}|{MORE_KEYS}".split("|"))
    return f'</main>\n<p class="keys">{keys}</p>\n</body>\n</html>\n'


def _view(raw: str, restored: str) -> str:
    return (
        f'<div class="view">{raw}{restored}<input type="range" min="0" max="100" step="0.5" value="50" '
        'aria-label="Raw to the left of here, restored to the right"><span class="bar"></span></div>'
    )


def _image(name: str, plate: Plate) -> str:
    kind = plate.kind.partition("-")[0]
    return (
        f'<img class="{kind}" alt="{kind if kind != "small" else ""}" loading="lazy" width="{plate.width}" '
        f'height="{plate.height}" src="{MARK}{name}{MARK}">'
    )


def _rows(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in rows if value)
    return f"<dl>{cells}</dl>"
