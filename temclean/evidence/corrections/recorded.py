"""An image as it was recorded, before rows were put back and pixels replaced: what it tells of its noise."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import ends, noise, samples
from temclean.evidence.ends import Ends
from temclean.evidence.noise import NoiseReport


class Recorded:
    """What is known of an image (rows, columns), measured when it is first asked for.

    Attributes
    ----------
    noise : what noise it holds; None where all pixels are alike or some are not finite.
    cut : where it was cut off; None where it was not.
    """

    def __init__(self, image: NDArray[Any]) -> None:
        self._image = image

    @cached_property
    def noise(self) -> NoiseReport | None:
        """Measure the noise."""
        sample = samples.sample(self._image)
        return None if sample is None else noise.report(sample)

    @cached_property
    def cut(self) -> Ends | None:
        """See where it was cut off."""
        return ends.ends(self._image)


def add(result: NDArray[Any], where: NDArray[np.bool_] | slice, more: NDArray[Any]) -> None:
    """Add to the pixels of a result that ``where`` says, in its own type: whole numbers are rounded and clipped."""
    values = result[where].astype(np.float64) + more
    if result.dtype.kind in "iu":
        limits = np.iinfo(result.dtype)
        values = np.rint(values).clip(limits.min, limits.max)
    result[where] = values.astype(result.dtype)
