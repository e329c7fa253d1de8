"""Measure columns or particles in files, one image and frame after the other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from temclean import io
from temclean.commands.inputs import expand, images_of
from temclean.commands.measuring import atoms, grains
from temclean.commands.measuring import raw as raws
from temclean.commands.measuring.scale import Scale, Table
from temclean.commands.records import describe
from temclean.errors import MissingExtraError, TemcleanError
from temclean.evidence import data_bar
from temclean.metrics.particles import find_particles

Kind = Literal["columns", "particles"]

COARSE, FINE = 1.0, 0.5
"""Å a pixel above which no columns can be told apart, and below which what has no lattice is atoms without order."""

ORDERED, SURE = 0.3, 8.0
"""Share of what looks like columns that a lattice joins, if they are columns; and, where there is no lattice, median of
intensities over their errors."""


TO_DO: dict[Kind, str] = {
    "columns": "intensities, and atoms counted by them, are the network's; measure the raw image for figures to rely "
    "on",
    "particles": "faint particles come out too small; --raw FILE, the raw image, fits them to that",
}
"""What to do about figures of restored images."""


@dataclass(frozen=True)
class Wanted:
    """What is to be measured.

    Attributes
    ----------
    kind : None takes what each image shows.
    dark : whether it is darker than what surrounds it; None takes columns as bright, and finds out of particles.
    width : of columns, standard deviation in pixels; None estimates it.
    raw : the raw file of a restored one, or the folder in which it is, to which particles are fitted.
    """

    kind: Kind | None = None
    dark: bool | None = None
    width: float | None = None
    raw: Path | None = None


@dataclass(frozen=True)
class Measured:
    """What was measured in a frame of an image.

    Attributes
    ----------
    image : which of several images of its file.
    frame : its number, where there are several.
    kind : of the things in ``table``, whose columns are those of a CSV; ``summary`` is of all together.
    pixel_nm : height and width of a pixel.
    warnings : what to know of these figures, a line each.
    error : why there are none.
    missing_extra : whether that is for want of an optional package.
    """

    input: str
    image: str | None = None
    frame: int | None = None
    kind: Kind | None = None
    pixel_nm: tuple[float, float] | None = None
    summary: dict[str, Any] = field(default_factory=dict)
    table: Table = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    error: str | None = None
    missing_extra: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        image = "" if self.image is None else f' "{self.image}"'
        return f"{self.input}{image}" + ("" if self.frame is None else f" frame {self.frame}")

    def record(self) -> dict[str, Any]:
        """Return what any JSON reader takes; what is not known as null."""
        if self.error:
            return {"input": self.input, "error": self.error, "missing_extra": self.missing_extra}
        known = {name: getattr(self, name) for name in ("input", "image", "frame", "kind", "pixel_nm", "summary")}
        rows = {name: _listed(values) for name, values in self.table.items()}
        return {**known, "warnings": list(self.warnings), "table": rows}


def measure_all(names: Sequence[str], image: str | None = None, wanted: Wanted = Wanted()) -> Iterator[Measured]:
    """Measure files, folders and globs; what is wrong with one stands in its `error`.

    Parameters
    ----------
    names
        Files, folders and globs.
    image
        Of files with several images, the one of this name or number, or all of them if it is ``"all"``.
    wanted
        What is to be measured.
    """
    for found in expand(names):
        if found.problem:
            yield Measured(str(found.path), error=found.problem)
            continue
        try:
            images, places = images_of(found.path, image)
            for place in places:
                several = images[place] if len(images) > 1 else None
                yield from _image(found.path, place + 1 if several else None, several, wanted)
        except (TemcleanError, OSError, MemoryError) as error:
            missing = isinstance(error, MissingExtraError)
            yield Measured(str(found.path), error=describe(error, found.path), missing_extra=missing)


def _image(path: Path, place: int | None, name: str | None, wanted: Wanted) -> Iterator[Measured]:
    restored = _restored(path)
    with ExitStack() as closing:
        image = closing.enter_context(io.read(path, place))
        scale, angstroms = Scale.of(image), image.angstroms
        warnings = [*(() if name else image.warnings)]
        before = None
        if wanted.raw is not None:
            source = raws.raw_of(path, wanted.raw)
            before = closing.enter_context(raws.opened(path, source, image))
            warnings += raws.doubts(path, source, image)
        several = len(image.pixels) > 1
        for number, frame in enumerate(image.pixels):
            known = Measured(str(path), name, number if several else None, pixel_nm=scale.pixel)
            height = data_bar.rows_above(frame)
            raw = None if before is None else before[number][:height]
            if height < len(frame) and not number:
                warnings.append(data_bar.LEFT_OUT.format(height))
            measured = _frame(known, frame[:height], scale, wanted, angstroms, raw)
            if raw is not None and measured.kind == "columns" and not number:
                warnings.append("--raw is for particles, and these are columns: measure the raw image itself")
            if restored and (raw is None or measured.kind == "columns"):
                measured = _without_errors(measured)
                warnings += [] if number else [restored.format(TO_DO[measured.kind or "columns"])]
            yield replace(measured, warnings=() if number else tuple(warnings))
            wanted = replace(wanted, kind=measured.kind)  # all frames of a movie show the same


def _frame(
    known: Measured,
    frame: io.Array,
    scale: Scale,
    wanted: Wanted,
    angstroms: float | None,
    raw: io.Array | None = None,
) -> Measured:
    found = None
    if wanted.kind == "columns":
        found = atoms.find(frame, scale, dark=bool(wanted.dark), width=wanted.width)
    elif wanted.kind is None and (angstroms is None or angstroms <= COARSE):
        width = wanted.width or atoms.usual_width(frame, scale.pixel or (1.0, 1.0))
        found = atoms.find(frame, scale, dark=bool(wanted.dark), width=width) if width else None
        found = found if found and _are_columns(found, angstroms) else None
    if found:
        table, summary = atoms.table(found, scale)
        return replace(known, kind="columns", table=table, summary=summary)
    particles = find_particles(frame, scale.pixel or (1.0, 1.0), dark=wanted.dark, raw=raw)
    table, summary = grains.table(particles, scale)
    return replace(known, kind="particles", table=table, summary=summary)


def _are_columns(found: atoms.Atoms, angstroms: float | None) -> bool:
    """Return whether what was found looks like columns of atoms, rather than anything that is not even."""
    if found.lattice is not None and found.lattice.on.sum() >= ORDERED * len(found.columns):
        return True
    if angstroms is None or angstroms > FINE or not len(found.columns):
        return False
    return float(np.median(np.abs(found.columns.intensity) / np.maximum(found.columns.errors[:, 2], 1e-300))) > SURE


def _restored(path: Path) -> str | None:
    """Return a warning where temclean made the file."""
    note = io.provenance(path)
    if not note or "model" not in note:
        return None
    model = str(note["model"]).replace("{", "{{").replace("}", "}}")
    return (
        f"was restored by {model}: what is left of the noise does not tell how far its figures may be off, so "
        "errors are left empty; {}"
    )


def _without_errors(measured: Measured) -> Measured:
    """Return the same with all standard errors empty."""
    table = {name: np.full(len(row), np.nan) if "error" in name else row for name, row in measured.table.items()}
    summary = dict(measured.summary)
    if summary.get("lattice"):
        lattice = summary["lattice"]
        summary["lattice"] = {name: None if name.endswith("_noise") else value for name, value in lattice.items()}
    return replace(measured, table=table, summary=summary)


def _listed(values: np.ndarray[Any, Any]) -> list[Any]:
    if values.dtype.kind != "f":
        return list(values.tolist())
    return [value if np.isfinite(value) else None for value in values.tolist()]
