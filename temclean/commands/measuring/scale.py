"""The scale of an image in nanometres, and tables that give each length in pixels and in these."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from temclean.io import Image
from temclean.io.units import METRES

Floats = NDArray[np.float64]
Table = dict[str, NDArray[np.generic]]
"""Columns of a table by their names."""


@dataclass(frozen=True)
class Scale:
    """Height and width of a pixel in nm, and where the first one lies; None where the file does not say."""

    pixel: tuple[float, float] | None
    origin: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, image: Image) -> "Scale":
        if image.pixel_size is None or image.unit not in METRES:
            return cls(None)
        nm = METRES[image.unit] * 1e9
        down, right = image.origin or (0.0, 0.0)
        return cls((image.pixel_size[0] * nm, image.pixel_size[1] * nm), (down * nm, right * nm))

    def agrees(self, other: "Scale") -> bool:
        """Return whether another image has pixels as large, within a hundredth; or it is not known of one of them."""
        if not self.pixel or not other.pixel:
            return True
        return all(math.isclose(one, two, rel_tol=0.01) for one, two in zip(self.pixel, other.pixel, strict=True))

    @property
    def side(self) -> float:
        """Side of a square pixel as large, nm; NaN where it is not known."""
        return float(np.sqrt(self.pixel[0] * self.pixel[1])) if self.pixel else float("nan")

    @property
    def even(self) -> Floats:
        """What rows and columns are multiplied by to have one unit along both: nm, or pixels."""
        return np.array(self.pixel or (1.0, 1.0))

    def places(self, table: Table, positions: Floats, errors: Floats | None = None) -> None:
        """Put places (N, 2) into a table: from the first pixel's centre, and on the file's own axes."""
        nm = np.array(self.pixel or (np.nan, np.nan))
        for unit, size, origin in (("px", np.ones(2), np.zeros(2)), ("nm", nm, np.array(self.origin))):
            for axis, name in ((1, "x"), (0, "y")):
                table[f"{name}_{unit}"] = positions[:, axis] * size[axis] + origin[axis]
            for axis, name in ((1, "x"), (0, "y")) if errors is not None else ():
                assert errors is not None
                table[f"{name}_error_{unit}"] = errors[:, axis] * size[axis]

    def vectors(self, table: Table, name: str, values: Floats) -> None:
        """Put vectors (N, 2), in the unit of :attr:`even`, into a table."""
        for axis, letter in ((1, "x"), (0, "y")):
            table[f"{name}_{letter}_px"] = values[:, axis] / self.even[axis]
            table[f"{name}_{letter}_nm"] = values[:, axis] if self.pixel else np.full(len(values), np.nan)

    def lengths(self, table: Table, name: str, pixels: Floats, errors: Floats | None = None) -> None:
        """Put lengths (N,) in pixels into a table."""
        for unit, size in (("px", 1.0), ("nm", self.side)):
            table[f"{name}_{unit}"] = pixels * size
            if errors is not None:
                table[f"{name}_error_{unit}"] = errors * size
