"""The files of evidence beside a finished result."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from temclean import __version__, io
from temclean.commands.evidence.as_seen import AsSeen
from temclean.commands.evidence.residual import Residual
from temclean.commands.evidence.spots import Spots
from temclean.commands.evidence.widths import Widths
from temclean.commands.jobs import EVIDENCE
from temclean.commands.records import Result, describe
from temclean.errors import FileError, ImageError, ParameterError
from temclean.restoration.pipeline import FLATTENING


@dataclass(frozen=True)
class Evidence:
    """What is written of each result.

    Attributes
    ----------
    residual : ``STEM_MODEL_residual.tif``, raw minus restored.
    support : ``STEM_MODEL_support.csv`` and ``STEM_MODEL_support.tif``, what the raw image says of each spot.
    interval : ``STEM_MODEL_interval.tif``, how far the truth may be from it.
    replace : replace what is in the way.
    """

    residual: bool = False
    support: bool = False
    interval: bool = False
    replace: bool = False

    def look(self, result: Result) -> Result:
        """Return a record with the files that were written; what went wrong is one more warning."""
        if result.output is None or result.status not in {"done", "kept"}:
            return result
        target = Path(result.output)
        try:
            with io.read(result.input, result.image) as raw, io.read(target) as restored:
                if raw.pixels.shape != restored.pixels.shape:
                    raise ImageError(f"is not of the shape of {Path(result.input).name}; denoise it again")
                return self._written(result, target, raw, restored)
        except Exception as error:
            line = f"no evidence was written of the result: {describe(error, target)}"
            return replace(result, warnings=(*result.warnings, line))

    def _written(self, result: Result, target: Path, raw: io.Image, restored: io.Image) -> Result:
        made = io.provenance(target) or {}
        note = {"temclean": __version__, EVIDENCE: target.name}
        note |= {name: made[name] for name in ("model", "model_sha256", "input", "input_sha256") if name in made}
        raw = replace(raw, pixels=AsSeen(raw.pixels, restored.pixels, made))
        image = replace(raw, container=None, suffix=".tif")  # its own calibration, and what is known of the instrument
        files, notes, structure = list[Path](), list[str](), None
        if self.residual:
            left = Residual(raw.pixels, restored.pixels, flattened=result.model in FLATTENING)
            files.append(self._write(target, "residual", image, left, note))
            notes.append(left.line)
            structure = left.missing.significance
        if self.support:
            table = target.with_name(f"{target.stem}_support.csv")
            spots = Spots(raw, restored.pixels)
            self._refuse(table, _is_table(table, spots.head))
            files.append(self._write(target, "support", image, spots, note))
            with io.whole(table) as temporary:
                temporary.write_text(spots.table, encoding="utf-8")
            files.append(table)
            notes.append(spots.line)
        if self.interval:
            try:
                widths = Widths(raw.pixels, restored.pixels, str(result.model), blend=float(made.get("blend") or 0.0))
            except ParameterError as error:  # what else was asked for is there all the same
                result = replace(result, warnings=(*result.warnings, f"no interval was written: {error}"))
            else:
                files.append(self._write(target, "interval", image, widths, note))
                notes.append(widths.line)
        return replace(result, evidence=tuple(map(str, files)), structure=structure, notes=(*result.notes, *notes))

    def _write(
        self, target: Path, what: str, image: io.Image, frames: Iterable[io.Array], note: dict[str, Any]
    ) -> Path:
        path = target.with_name(f"{target.stem}_{what}.tif")
        self._refuse(path, EVIDENCE in (io.provenance(path) or {}))
        return io.write(path, image, frames, {**note, "evidence": what})

    def _refuse(self, path: Path, ours: bool) -> None:
        if path.exists() and not (self.replace or ours):
            raise FileError(f"{path}: exists and is no evidence; --overwrite replaces it")


def _is_table(path: Path, head: list[str]) -> bool:
    """Return whether a file is a table of ours, of whatever unit."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline(1000).strip().split(",")
    except (OSError, ValueError):
        return False
    return first[-3:] == head[-3:]
