"""What an image and its result give cause to warn of, in the words that the command line and Python share."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from temclean.restoration.scaling import Scaling

FEW_STEPS = 20
"""Whole numbers between dark and bright below which a result suffers from being rounded to them: by 0.29 of a step,
which is then above 1.4% of the contrast."""

STRONG_NOISE = 0.6
"""Noise over contrast (`pipeline.noise_level`) that no model has learned: `gsp` at C = 0.40 comes closest."""


def of_steps(dtype: np.dtype[Any], scaling: Scaling) -> str | None:
    """Return what to say where an image of whole numbers has so few that rounding to them spoils its result."""
    steps = math.ceil(scaling.high - scaling.low - scaling.room)
    if dtype.kind not in "iu" or not 0 < steps < FEW_STEPS:
        return None
    return (
        f"the image has only {steps} whole numbers between dark and bright, and the result is rounded to these; "
        "--dtype float32, or an image of 32-bit floats, keeps what lies between"
    )


def of_noise(levels: Sequence[float]) -> str | None:
    """Return what to say where a model was given more noise than it knows: how much, in how many frames, what to do."""
    strong = sum(level > STRONG_NOISE for level in levels)
    if not strong:
        return None
    times = f"{max(levels):.1f}" if max(levels) < 10 else "over 10"
    where = f" in {strong} of {len(levels)} frames" if len(levels) > 1 else ""
    return (
        f"the noise that was removed is {times} times as strong as the contrast of the result{where}, more than any "
        "model has learned: features may be invented or lost; average frames or take more dose"
    )
