"""What an image and its result give cause to warn of, in the words that the command line and Python share."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import lag
from temclean.evidence.findings import Findings
from temclean.restoration.scaling import Scaling

FEW_STEPS = 20
"""Whole numbers between dark and bright below which a result suffers from being rounded to them: by 0.29 of a step,
which is then above 1.4% of the contrast."""

STRONG_NOISE = 0.6
"""Noise over contrast (`noise_level`) that no model has learned: `gsp` at C = 0.40 comes closest."""


SAMPLE = 2**16
"""Pixels of a frame that are enough to tell how strong its noise is."""


def of_steps(dtype: np.dtype[Any], scaling: Scaling) -> str | None:
    """Return what to say where an image of whole numbers has so few that rounding to them spoils its result."""
    steps = math.ceil(scaling.high - scaling.low - scaling.room)
    if dtype.kind not in "iu" or not 0 < steps < FEW_STEPS:
        return None
    return (
        f"the image has only {steps} whole numbers between dark and bright, and the result is rounded to these; "
        "--dtype float32, or an image of 32-bit floats, keeps what lies between"
    )


def of_lag(weights: lag.Weights) -> str | None:
    """Return what to say where the lag of a detector was undone."""
    if not weights:
        return None
    return (
        f"noise that hangs together along rows shows a detector's lag; it is undone, by which structure moves back by "
        f"{lag.pixels(weights):.1f} pixels along its rows and becomes sharper (-m g leaves it in)"
    )


def of_straying(findings: Sequence[Findings]) -> str | None:
    """Return what to say where rows were put back."""
    strayed = [each.strayed for each in findings if each.strayed]
    if not strayed:
        return None
    where = f" in {len(strayed)} of {len(findings)} frames" if len(findings) > 1 else ""
    return (
        f"the beam strayed from row to row, by {max(strayed):.1f} pixels (root mean square){where}; the rows were put "
        "back (-m g leaves them)"
    )


def noise_level(frame: NDArray[Any], restored: NDArray[Any], *, wild: bool = False) -> float:
    """Return how strong the noise was that a model took out of a frame (rows, columns), over the contrast it left.

    The width of the middle 95% of what was taken out, over 3.92, so that few wild pixels count for nothing; over what
    lies between the percentiles 0.5 and 99.5 of the result. This is the level C of Gaussian noise (Chae 2025, eq. 3)
    where the result is right and nothing was clipped; 0 where nothing was taken out, else infinite where no contrast
    is left. Of a model that takes out ``wild`` pixels, those at the frame's least and greatest value do not count.
    """
    step = math.isqrt(max(1, frame.size // SAMPLE))
    before, after = (pixels[::step, ::step].astype(np.float64) for pixels in (frame, restored))
    low, high = np.percentile(after, (0.5, 99.5))
    removed = before - after
    if wild:
        inner = (before > before.min()) & (before < before.max())
        removed = removed[inner] if inner.any() else removed
    least, most = np.percentile(removed, (2.5, 97.5))
    if most == least:
        return 0.0
    return float((most - least) / 3.92 / (high - low)) if high > low else math.inf


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


def of_findings(findings: Sequence[Findings]) -> Iterator[str]:
    """Yield what to say of what results lack that their images show, and of what they show that the images do not."""
    if any(each.missing.clear for each in findings):
        missing = max((each.missing for each in findings), key=lambda each: each.significance)
        yield (
            f"structure that the raw image shows is missing from the result{_where(findings, 'missing')}, most clearly "
            f"at row {missing.row}, column {missing.column} (about {missing.size} pixels wide, "
            f"{missing.significance:.0f} times what noise leaves): compare the two there, or take another model"
        )
    if any(each.lattice.clear for each in findings):
        lattice = max((each.lattice for each in findings), key=lambda each: each.height)
        yield (
            f"a regular pattern, {lattice.period:.1f} pixels from line to line, is {lattice.share:.0%} weaker in the "
            f"result than in the raw image{_where(findings, 'lattice')}: compare their Fourier transforms, or take "
            "another model"
        )
    if any(each.agreement.clear for each in findings):
        explained = min(each.agreement.explained for each in findings)
        unsupported = max(each.agreement.unsupported for each in findings)
        yield (
            f"this is not an image of bright atoms on an even ground{_where(findings, 'agreement')}: the result "
            f"explains {explained:.0%} of what varies in the raw image, and in {unsupported:.0%} of the places where "
            "it has spots the raw image has none; take g, or bbg-keep"
        )


def _where(findings: Sequence[Findings], kind: str) -> str:
    """Return in how many frames something was found, where there are several."""
    clear = sum(getattr(each, kind).clear for each in findings)
    return f" in {clear} of {len(findings)} frames" if len(findings) > 1 else ""
