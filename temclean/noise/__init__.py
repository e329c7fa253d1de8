"""The noise families, each a frozen dataclass, and ``apply``, which adds one of them to an image.

>>> import numpy as np
>>> clean = np.full((4, 4), 0.5, np.float32)
>>> noisy = apply(clean, Gaussian(level=0.2), seed=1)
>>> noisy.shape, noisy.dtype
((4, 4), dtype('float32'))
"""

from temclean.noise.base import LARGEST_LEVEL, Noise, Pixels, apply
from temclean.noise.camera import (
    BlackPixels,
    ColumnPattern,
    DarkCurrent,
    FixedPattern,
    Flicker,
    Quantisation,
    Reset,
    Saturation,
    Thermal,
    Zingers,
)
from temclean.noise.chains import Chain, Microscope, Sem, Stem, Tem
from temclean.noise.families import (
    CEILING,
    LARGEST_COUNT,
    LARGEST_GRID,
    SMALLEST_COUNT,
    BackgroundBrightness,
    Gaussian,
    GaussianSaltPepper,
    Poisson,
    SaltPepper,
    background,
)
from temclean.noise.priors import SEM, STEM, TEM, Prior, Range, Scale
from temclean.noise.scan import Detector, FastScan, Jitter, RowLines

FAMILIES: dict[str, type[Noise]] = {
    "g": Gaussian,
    "sp": SaltPepper,
    "gsp": GaussianSaltPepper,
    "bbg": BackgroundBrightness,
    "poisson": Poisson,
    "tem": Tem,
    "stem": Stem,
    "sem": Sem,
    "shot": Poisson,
    "fixed-pattern": FixedPattern,
    "dark-current": DarkCurrent,
    "thermal": Thermal,
    "flicker": Flicker,
    "reset": Reset,
    "column-pattern": ColumnPattern,
    "black-pixels": BlackPixels,
    "zingers": Zingers,
    "saturation": Saturation,
    "quantisation": Quantisation,
    "jitter": Jitter,
    "detector": Detector,
    "fastscan": FastScan,
    "rowlines": RowLines,
}
"""Noise families by the name that the command line uses: simple ones, whole microscopes, and their single steps."""

__all__ = [
    "CEILING",
    "FAMILIES",
    "LARGEST_COUNT",
    "LARGEST_GRID",
    "LARGEST_LEVEL",
    "SEM",
    "SMALLEST_COUNT",
    "STEM",
    "TEM",
    "BackgroundBrightness",
    "BlackPixels",
    "Chain",
    "ColumnPattern",
    "DarkCurrent",
    "Detector",
    "FastScan",
    "FixedPattern",
    "Flicker",
    "Gaussian",
    "GaussianSaltPepper",
    "Jitter",
    "Microscope",
    "Noise",
    "Pixels",
    "Poisson",
    "Prior",
    "Quantisation",
    "Range",
    "Reset",
    "RowLines",
    "SaltPepper",
    "Saturation",
    "Scale",
    "Sem",
    "Stem",
    "Tem",
    "Thermal",
    "Zingers",
    "apply",
    "background",
]
