"""What an image and its result give cause to warn of, in the words that the command line and Python share.

`of_model` is said before a result is there: it rests on the report by which `choice` chooses, of one frame and few
pixels, which takes some milliseconds whatever the size of a frame and however many there are, or less where a glance
is enough. How much models lose by noise that they do not know is printed by ``tests/bench/bench_cautions.py``.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.evidence import blocks, lag, noise, samples, variance
from temclean.evidence.findings import Findings
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Frames, Sample
from temclean.restoration.choice import About, grain, specks
from temclean.restoration.modelfile import Model
from temclean.restoration.scaling import Scaling

LEAST_BACK = 0.01
"""Share of the pixels with fine structure that came back, from which on it is worth a line."""

FEW_STEPS = 20
"""Whole numbers between dark and bright below which a result suffers from being rounded to them: by 0.29 of a step,
which is then above 1.4% of the contrast."""

FEW_OF_MOST = 6
"""The same for what lies between the percentiles 10 and 90, where few bright things widen the range."""

STRONG_NOISE = 0.6
"""Noise over contrast (`noise_level`) that no model has learned: `gsp` at C = 0.40 comes closest."""


SAMPLE = 2**16
"""Pixels of a frame that are enough to tell how strong its noise is."""

WHITE = {"g", "sp", "gsp", "bbg"}
"""Noise families in which each pixel has noise of its own, of one strength whatever its brightness."""

WHOLE = {"general", "lr", "fast"}
"""Families of whole microscopes, which know all noise but specks."""

FOR_SPECKS = {"sp", "gsp"}
"""Noise families with specks."""

SMALLEST = 96
"""Pixels along a side below which a frame tells too little."""

NOTHING = 1e-3
"""Noise, of the range, below which an image has hardly any."""

OF_A_STEP = 0.3
"""The same, of the step from one whole number to the next."""

LEFT_BY_SP = 0.03
"""Grain, of the range, above which it is not to be left in the image."""

HANGING = 0.3
"""Correlation with the next pixel from which on a network for white noise loses 1.5 dB and more."""

LINES = 0.3
"""What whole rows share, over the grain, from which on it loses as much."""

COUNTS = 1.5
"""Electrons a pixel below which it loses 2 dB and more against one that knows counts."""

SATURATED = 0.02
"""Share of the pixels from which on areas at the greatest value are no matter of a few."""


def of_steps(dtype: np.dtype[Any], scaling: Scaling) -> str | None:
    """Return what to say where an image of whole numbers has so few that rounding to them spoils its result."""
    if dtype.kind not in "iu" or scaling.flat:
        return None
    steps, most = math.ceil(scaling.high - scaling.low - scaling.room), math.ceil(scaling.bulk)
    if steps >= FEW_STEPS and not 0 < most < FEW_OF_MOST:
        return None
    where = f"only {steps} whole numbers between dark and bright"
    if steps >= FEW_STEPS:
        where = f"four fifths of its pixels within {most} whole numbers"
    return (
        f"the image has {where}, and the result is rounded to these; --dtype float32, or an image of 32-bit floats, "
        "keeps what lies between"
    )


def of_lag(weights: lag.Weights) -> str | None:
    """Return what to say where the lag of a detector was undone."""
    if not weights:
        return None
    return (
        f"noise that hangs together along rows shows a detector's lag; it is undone, by which structure moves back by "
        f"{lag.pixels(weights):.1f} pixels along its rows and becomes sharper (-m g leaves it in)"
    )


def of_joined(model: Model, count: int, wished: int | None) -> str | None:
    """Return what to say where frames are taken together since the model wants it."""
    if count == 1 or wished is not None:
        return None
    return (
        f"each frame is taken together with its neighbours where they agree with it, {count} in all, as {model.name} "
        "is meant to be used on movies (--frames 1 takes each by itself)"
    )


def of_blocks(model: Model, frames: int) -> str | None:
    """Return what to say where frames stay by themselves, as they may lie in several blocks."""
    if model.joined == 1 or frames < 2:
        return None
    return (
        f"{model.name} is meant to take {model.joined} frames of a movie together, which may lie in several blocks; it "
        "takes each by itself: call compute() first for all that it can do"
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


def of_defects(findings: Sequence[Findings]) -> Iterator[str]:
    """Yield what to say where outliers were replaced, lost lines mended, stripes taken off, fine structure put back."""
    hit = "standing out alone, with sharp edges as hits of X-rays or a camera's defects have,"
    for kind, one, many, why in (
        ("hits", "pixel", "pixels", hit),
        ("lines", "stretch of a row", "stretches of rows", "of one value, as lost lines are,"),
    ):
        found = [count for each in findings if (count := getattr(each, kind))]
        if found:
            where = f" in {len(found)} of {len(findings)} frames" if len(findings) > 1 else ""
            what = one if sum(found) == 1 else many
            yield f"{sum(found)} {what}{where} {why} took the value of what is around them (--residual shows where)"
    strong = [each.stripes for each in findings if each.stripes]
    if strong:
        where = f" in {len(strong)} of {len(findings)} frames" if len(findings) > 1 else ""
        yield (
            f"whole columns are brighter or darker by {max(strong):.3g} (root mean square){where}, as amplifiers of "
            "cameras make them; that was taken off (--residual shows it)"
        )
    if (back := max((each.back for each in findings), default=0.0)) > LEAST_BACK:
        yield (
            f"in {back:.0%} of the image the model took away more than its noise can be: such fine structure is put "
            "back, with some of the noise"
        )


def noise_level(frame: NDArray[Any], restored: NDArray[Any], *, wild: bool = False) -> float:
    """Return how strong the noise was that a model took out of a frame (rows, columns), over the contrast it left.

    The width of the middle 95% of what was taken out, over 3.92, so that few wild pixels count for nothing; over what
    lies between the percentiles 0.5 and 99.5 of the result. This is the level C of Gaussian noise (Chae 2025, eq. 3)
    where the result is right and nothing was clipped; 0 where nothing was taken out, else infinite where no contrast
    is left. Of a model that takes out ``wild`` pixels, those at the frame's least and greatest value do not count.
    """
    step = math.isqrt(max(1, frame.size // SAMPLE))
    few = frame.dtype.kind in "iu" and frame.dtype.itemsize <= 2 and restored.dtype == frame.dtype
    exact = np.dtype("i4" if few else "f8")
    before, after = (pixels[::step, ::step].astype(exact) for pixels in (frame, restored))
    low, high = _percentiles(after, 0.5, 99.5)
    removed = before - after
    if wild:
        inner = (before > before.min()) & (before < before.max())
        removed = removed[inner] if inner.any() else removed
    least, most = _percentiles(removed, 2.5, 97.5)
    if most == least:
        return 0.0
    return float((most - least) / 3.92 / (high - low)) if high > low else math.inf


def _percentiles(values: NDArray[Any], *percents: float) -> tuple[float, ...]:
    """Return percentiles; to put all in order is sooner done than to look for two, of whole numbers by far."""
    ordered = np.sort(values, axis=None)
    return tuple(blocks.percentile(ordered, each) for each in percents)


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
            "it has spots the raw image has none; take g"
        )


def _where(findings: Sequence[Findings], kind: str) -> str:
    """Return in how many frames something was found, where there are several."""
    clear = sum(getattr(each, kind).clear for each in findings)
    return f" in {clear} of {len(findings)} frames" if len(findings) > 1 else ""


def of_model(frames: Frames, model: Model, about: About, *, chosen: bool = False) -> list[str]:
    """Return what there is to say of denoising frames (frames, rows, columns) with a model; mostly nothing.

    Parameters
    ----------
    frames : Frames
        The middle one is read.
    model : Model
        Only of the noise that its family names is known what it learned.
    about : About
        What the file says of its image.
    chosen : bool
        Whether `choice.choose` took the model: then nothing is said against that.
    """
    frame = frames[len(frames) // 2]
    if min(frame.shape) < SMALLEST or frame.dtype.kind not in "iuf":
        return []
    sample = samples.sample(frame, most=samples.FEW, side=samples.NARROW)
    if sample is None:
        return []
    white = _white(sample)
    asked = not chosen and model.family in WHITE | WHOLE
    plain = not asked or (model.family not in FOR_SPECKS and samples.is_plain(sample, 3 * COUNTS))
    if plain and white < SATURATED and _is_noisy(sample):
        return []
    report = noise.report(sample)
    for line in (_of_little(report, sample), _of_saturation(report, sample, white)):
        if line:
            return [line]
    return list(_of_kind(report, sample, model, about)) if asked else []


def _is_noisy(sample: Sample) -> bool:
    """Return whether a glance is enough to see that `_of_little` has nothing to say."""
    values = np.sort(sample.pieces[:, ::5, ::5], axis=None)
    most = 1 / max(int(np.count_nonzero(np.diff(values))), 1)  # that it can be from one value to the next
    return variance.at_a_glance(sample.pieces) > max(NOTHING, OF_A_STEP * most)


def _of_kind(report: NoiseReport, sample: Sample, model: Model, about: About) -> Iterator[str]:
    family = model.family
    specked = specks(report, sample, about)
    if specked and family not in FOR_SPECKS:
        yield f"{specked[1]}, which {model.name} has not learned to take for noise; -m {specked[0]} has"
    level = grain(report, sample)
    if family == "sp" and level > LEFT_BY_SP and not (specked and specked[0] == "sp"):
        better = "gsp" if specked else "g"
        yield f"there is grain of {level:.2g} of the range, and {model.name} knows specks alone; -m {better} takes it"
    if family not in WHITE or specked:
        return
    counts = _counts(report, sample)
    if counts is not None and counts < COUNTS:
        yield (
            f"there are {counts:.1g} counts a pixel, and {model.name} has learned grain of even strength, as many "
            "counts make it; -m general knows few, as lr does at low magnification"
        )
    yield from _of_correlation(report, model)


def _of_correlation(report: NoiseReport, model: Model) -> Iterator[str]:
    rows, columns = report.along_rows[0], report.along_columns[0]
    least = max(HANGING, 5 * report.along_error)  # specks leave few pixels to tell
    close = f"and {model.name} has learned noise in which each pixel has its own: it may leave some, or make structure"
    if min(rows, columns) > least:
        yield (
            f"the noise hangs together along both axes ({rows:.2f} and {columns:.2f} from pixel to pixel), as "
            f"resampling leaves it, {close} of it; denoise what it was resampled from"
        )
        return
    lined = max((report.row, "rows"), (report.column, "columns"))
    if lined[0] > LINES * report.at(0.5 * (report.low + report.high)):
        yield f"whole {lined[1]} are brighter or darker than the next, {close} of it"
    elif max(rows, columns) > least:
        axis = "rows" if rows > columns else "columns"
        yield (
            f"the noise hangs together along {axis} ({max(rows, columns):.2f} from pixel to pixel), {close} of it; "
            "-m general knows a scanned beam's, as lr does at low magnification"
        )


def _counts(report: NoiseReport, sample: Sample) -> float | None:
    """Return the mean number of electrons a pixel, where they are counted one by one and nothing was rescaled."""
    if not (report.gain > 4 * report.gain_error and report.step and 0.5 < report.gain / report.step < 2):
        return None
    mean = sample.low + sample.width * float(sample.pieces.mean())
    return (mean - report.offset) / report.step


def _of_little(report: NoiseReport, sample: Sample) -> str | None:
    places = (report.low + share * (report.high - report.low) for share in (0.1, 0.5, 0.9))
    most = max(grain(report, sample), *(report.at(place) / sample.width for place in places))
    if most > max(NOTHING, OF_A_STEP * sample.step) or report.impulses or report.row or report.column:
        return None
    return (
        f"there is hardly any noise in it ({max(most, 1e-5):.1g} of the range at most): to denoise it, perhaps again, "
        "can only take fine structure away"
    )


def _white(sample: Sample) -> float:
    """Return how much lies in areas at the greatest value: where noise alone is cut off, every other pixel does not."""
    white = sample.pieces >= 1
    if float(white.mean()) < SATURATED / 2:
        return 0.0
    return 1 - float(samples.spread(~white, 3, 3).mean())


def _of_saturation(report: NoiseReport, sample: Sample, white: float) -> str | None:
    if report.impulses or white < SATURATED:
        return None
    share = float((sample.pieces >= 1).mean())
    return (
        f"{share:.0%} of the pixels are at the greatest value there is, {report.high:.6g}, side by side: "
        "what was brighter is lost, and no model brings it back; take less gain or dose"
    )
