"""What comes of comparing an image with its result: one finding a frame."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from temclean.evidence import blocks, data_bar, lattice, residual
from temclean.evidence.agreement import Agreement, agreement
from temclean.evidence.lattice import Lattice
from temclean.evidence.residual import Missing


@dataclass(frozen=True)
class Findings:
    """What is missing from a result and how well it fits its image; only what was looked for differs from nothing.

    ``strayed`` is by how many pixels rows were put back, root mean square, ``lines`` how many lost lines were mended,
    and ``stripes`` what was taken off whole columns, root mean square (`temclean.evidence.lines`); ``hits`` is how many
    pixels were replaced (`temclean.restoration.extremes`), and ``back`` in what share of them came back what a model
    had taken away that noise cannot be (`temclean.evidence.corrections.texture`).
    """

    missing: Missing = field(default_factory=Missing)
    lattice: Lattice = field(default_factory=Lattice)
    agreement: Agreement = field(default_factory=Agreement)
    strayed: float = 0.0
    hits: int = 0
    lines: int = 0
    stripes: float = 0.0
    back: float = 0.0


def compare(raw: NDArray[Any], result: NDArray[Any], *, background_removed: bool = False) -> Findings:
    """Compare an image (rows, columns) with its result.

    Where a background was removed on purpose, the residual has structure for good: there it is told how well the
    result explains the image instead. A data bar is left out: its letters are no structure of the specimen.
    """
    raw, result = data_bar.above(raw, result)
    if background_removed:
        return Findings(agreement=agreement(raw, result))
    pair = blocks.pair(raw, result)
    return Findings(residual.missing_from(pair), lattice.missing_from(pair))
