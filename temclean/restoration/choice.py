"""Choose a model for an image: by what its file says, by its noise and by its structure.

``fast``, which is quicker than ``general`` and restores less, and ``g`` are chosen where that is not there. ``bbg`` and
``n2a`` are never chosen, as they take the background away, nor ``lde``, which knows dark particles alone.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ModelError
from temclean.evidence import noise, samples, spectrum
from temclean.evidence.noise import NoiseReport
from temclean.evidence.samples import Frames, Sample
from temclean.evidence.spectrum import Structure
from temclean.restoration import conversion, lazy, scaling
from temclean.restoration.shipped import ALSO
from temclean.restoration.shipped import available as shipped

Kind = Literal["TEM", "STEM", "SEM"]

LOOKED_AT = 3
"""Frames of a stack that are looked at."""

SPECKS = 0.01
"""Share of wild pixels from which on an image is one of salt and pepper; that of hot and dead pixels is far smaller."""

SPECKS_OF_MICROSCOPE = 0.03
"""The same where the file tells of a microscope or a scale: what is saturated, and data bars, may look like specks."""

ONE_SIDED = 0.005
"""Share of black, or of white, specks below which a microscope's image has not both."""

SPECKS_FOR_GRAIN = 0.3
"""Specks, over the grain's share of the range, below which they may be its own tails."""

GRAIN = 0.5
"""Grain, of the range, over the share of specks, from which on both are there; with salt and pepper alone it is 0."""

USUAL, NARROW = (0.5, 99.5), 0.25
"""Percentiles between which all that is no speck lies, and share of the range below which grain is over that."""

HANGING = 0.06
"""Correlation along rows over that along columns, from which on it is a scanned beam's."""

GROWING = 1.5
"""Variance where an image is bright over that where it is dark, from which on it is that of counted electrons."""

ATOMIC, COARSE = 1.0, 3.0
"""Å a pixel, up to which an image may show atoms, and above which it shows none that can be told apart."""

FINE = 6.0
"""Å: a lattice's planes, or atoms, lie closer than that."""

FINE_PIXELS = 10.0
"""Pixels: structure coarser than that is no lattice at ATOMIC Å a pixel."""

STRONG = 1000.0
"""Power of the coarsest structure over the noise, from which on fine structure would be seen."""

ROUGH = 2500.0
"""That power over the square of the finest structure's period, in units of FINE_PIXELS, from which on fine structure
without a lattice is that of a surface, and not of atoms that noise hides."""

SEM_ONLY = 200.0
"""Å a pixel, above which a scanned image is a SEM's."""

SCANNED = {"haadf", "adf", "maadf", "laadf", "abf", "bf", "df", "dpc", "idpc", "ddpc"}
"""Words in the names of detectors of STEM."""

CAMERAS = {"ceta", "ccd", "cmos", "ultrascan", "orius", "oneview", "gatan", "falcon", "eagle", "rio", "tvips"}
"""Words in the names of cameras."""


@dataclass(frozen=True)
class Choice:
    """A model's name, and why it was chosen, in plain words."""

    name: str
    reason: str


@dataclass(frozen=True)
class About:
    """What a file says about its image.

    Attributes
    ----------
    kind : of microscope.
    angstroms : side of a pixel in Å.
    reciprocal : whether it is calibrated in 1/length, as diffraction patterns are.
    """

    kind: Kind | None = None
    angstroms: float | None = None
    reciprocal: bool = False

    @classmethod
    def of(cls, image: object) -> "About":
        """Return what an Image says, as `temclean.read` gives it; of anything else nothing is known."""
        metadata = getattr(image, "metadata", None)
        said = metadata.get("instrument") if isinstance(metadata, Mapping) else None
        unit = getattr(image, "unit", None)
        return cls(
            _kind(said) if isinstance(said, Mapping) else None,
            getattr(image, "angstroms", None),
            isinstance(unit, str) and unit.startswith("1/"),
        )


def _kind(said: Mapping[str, Any]) -> Kind | None:
    """Return the kind of microscope: a scanning detector's name says more than a microscope's."""
    kind = str(said.get("kind", "")).upper()
    words = set(re.findall("[a-z]+", str(said.get("detector", "")).lower()))
    if words & SCANNED and kind in {"TEM", "STEM", ""}:
        return "STEM"
    if kind in {"TEM", "STEM", "SEM"}:
        return kind  # type: ignore[return-value]
    return "TEM" if words & CAMERAS else None


def choose(image: Any, about: About | None = None, available: Collection[str] | None = None) -> Choice:
    """Choose a model for an image or a stack, of which up to three frames are read.

    Parameters
    ----------
    image : array_like, Frames, Image or dask array
        (rows, columns), or a stack with one choice for all its frames.
    about : About, optional
        What its file says; of an Image that is known.
    available : collection of str, optional
        Names to choose from; those of the shipped models by default.

    Raises
    ------
    ModelError, ImageError
        If there is no model to choose from; if an array has no rows and columns, or is in colour.

    Examples
    --------
    >>> image = np.random.default_rng(0).normal(0.5, 0.1, (128, 128))
    >>> choose(image, available=["g", "sp"]).name
    'g'
    """
    about = about or About.of(image)
    pixels: Any = getattr(image, "pixels", image)
    names = set(shipped() if available is None else available)
    if lazy.is_lazy(pixels):
        conversion.check(pixels)
        pixels = lazy.LazyFrames(pixels)
    elif isinstance(pixels, np.ndarray) or not hasattr(pixels, "shape"):
        pixels = conversion.array(pixels)
        pixels = pixels.reshape(-1, *pixels.shape[-2:])
    frames: Frames = pixels
    last = len(frames) - 1
    looked_at = (frames[index] for index in sorted({round(last * part / (LOOKED_AT - 1)) for part in range(LOOKED_AT)}))
    found = [_of_frame(frame, about) for frame in looked_at]
    name = Counter(wanted for wanted, _ in found).most_common(1)[0][0]
    return _there(name, next(reason for wanted, reason in found if wanted == name), names)


def _of_frame(frame: NDArray[Any], about: About) -> tuple[str, str]:
    """Return the model that would be best for a frame, and why."""
    sample = samples.sample(frame) if frame.dtype.kind in "iufb" else None
    if sample is None:
        return "general", "nothing can be measured in it"
    report = noise.report(sample)
    specked = specks(report, sample, about)
    if specked:
        return specked
    if about.reciprocal:
        return "general", "a diffraction pattern, by its calibration"
    kind, why = about.kind, f"its file says {about.kind}"
    if kind is None:
        seen = _microscope(report, sample, about)
        if seen is None:
            return _of_even(_even(report, sample), spectrum.structure(sample), about)
        kind, why = seen
    atomic, how = _atomic(spectrum.structure(sample), about, kind)
    return f"{'hr' if atomic else 'lr'}{kind.lower()}", f"{why}, {how}"


def specks(report: NoiseReport, sample: Sample, about: About) -> tuple[str, str] | None:
    """Return the model for black and white specks, and why; None where there are hardly any."""
    level = grain(report, sample)
    least = SPECKS_OF_MICROSCOPE if about.kind or about.angstroms else SPECKS
    if report.impulses < max(least, SPECKS_FOR_GRAIN * level):
        return None
    if about.kind and min(report.dark, report.bright) < ONE_SIDED:  # saturated
        return None
    usual = scaling.measure(sample.pieces, *USUAL)
    if 0 < (share := usual.high - usual.low) < NARROW:  # specks far beyond all others make that a sliver of the range
        level = max(level, level * report.filled / (share * sample.width))
    told = f"{100 * report.impulses:.2g}% of the pixels are black or white specks"
    if level < GRAIN * report.impulses:
        return "sp", f"{told} and there is no grain"
    return "gsp", f"{told}, and there is grain of {100 * level:.2g}% of the range"


def grain(report: NoiseReport, sample: Sample) -> float:
    """Return the standard deviation of white noise at the median, of the range that is filled but for few outliers."""
    if report.fine_structure:
        return 0.0
    middle = sample.low + sample.width * samples.median(sample.pieces[:, ::3, ::3])
    return report.at(middle) / report.filled


def _microscope(report: NoiseReport, sample: Sample, about: About) -> tuple[Kind, str] | None:
    """Return what microscope an image must be from by its noise, and why; None where the noise is even."""
    rows, columns = report.along_rows[0], report.along_columns[0]
    hanging = rows - columns > max(HANGING, 5 * report.along_error)
    if hanging or (report.row and not report.column):
        kind: Kind = "SEM" if (about.angstroms or 0.0) > SEM_ONLY else "STEM"
        if not hanging:
            return kind, "whole rows are brighter or darker than the next, as a scanned beam leaves them"
        return kind, "its noise hangs together along rows, as a scanned beam's does"
    dark, bright = (
        report.at(sample.low + sample.width * float(share)) ** 2
        for share in np.quantile(sample.pieces[:, ::3, ::3], (0.05, 0.95))
    )
    if report.gain > 0 and bright > GROWING * dark:
        return "TEM", "its noise grows with the brightness, as that of counted electrons does"
    return None


def _even(report: NoiseReport, sample: Sample) -> str:
    if report.fine_structure:
        return "its noise cannot be told from fine structure, as where an image was resampled"
    level = 100 * grain(report, sample)
    return f"even grain of {level:.2g}% of the range" if level >= 0.1 else "there is hardly any noise"


def _atomic(shown: Structure, about: About, kind: Kind) -> tuple[bool, str]:
    """Return whether an image shows atoms, or planes of them, and the words for it."""
    size = f"{about.angstroms:.2g} Å a pixel" if about.angstroms else "of unknown scale"
    lattice = f"{size}, with a lattice of {shown.period:.2g} pixels" if shown.period else size
    if about.angstroms and about.angstroms > COARSE:
        return False, size
    if about.angstroms and about.angstroms <= ATOMIC:
        # In much noise fine structure may be hidden.
        sharp = shown.strength > STRONG
        coarse = sharp and shown.finest > max(FINE_PIXELS, FINE / about.angstroms) and not shown.period
        return not coarse, f"{size}, but nothing fine to be seen" if coarse else lattice
    # SEM resolves no atoms: what repeats there is larger.
    return shown.period is not None and (kind != "SEM" or about.angstroms is not None), lattice


def _of_even(level: str, shown: Structure, about: About) -> tuple[str, str]:
    """Return the model where the noise tells of no microscope, and why: ``lr`` for large pixels and for surfaces.

    Surfaces show fine structure that does not repeat, far above the noise. Where the file says that pixels are as small
    as atoms ask for, such structure is taken for atoms.
    """
    if about.angstroms is not None and about.angstroms > COARSE:
        return "lr", level
    if shown.period or shown.finest > FINE_PIXELS or (about.angstroms is not None and about.angstroms <= ATOMIC):
        return "general", level
    rough = shown.strength * (FINE_PIXELS / shown.finest) ** 2 > ROUGH
    return ("lr", f"{level}, and fine structure but no lattice") if rough else ("general", level)


def _there(name: str, reason: str, names: set[str]) -> Choice:
    """Return the choice, or what comes closest of the models that are there."""
    others = {"hr": "lr", "lr": "hr"}
    known = ALSO.get(name, name)
    same = [known, "general", others[name[:2]] + name[2:], "lr"] if name[:2] in others else []
    for each in (name, *same, "general", "fast", "g", "gsp", "sp", *sorted(names - {"bbg", "lde", "n2a"})):
        if each in names:
            return Choice(each, reason if each in (name, known) else f"{reason}; {each} comes closest")
    raise ModelError("there is no model to choose from; name one, or give an ONNX file")
