"""Where the parameters of a microscope's noise lie: the priors that its steps are drawn from (Lobato 2024).

The paper says of few parameters how they are distributed, and each :class:`Range` says where it is from. ``paper``: it
has the paper's numbers. ``files``: from half of the least to twice the greatest value that
``tests/bench/measure_noise.py`` measures on real files, rounded. ``bounds``: no file shows it, but each bounds it; the
range, for the reasons at :data:`TEM` and :data:`STEM`, is such that files which show no more than these are no
surprise, by the chance that the same program prints: more than one in twenty. Of fixed pattern, dark current, thermal
noise and the photomultiplier these bounds exclude little: there the ranges are ours. ``tests/bench/draw_simulated.py``
shows drawn images beside the real ones.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from temclean.noise.base import Noise
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
from temclean.noise.families import Poisson
from temclean.noise.scan import Detector, FastScan, Jitter, RowLines


@dataclass(frozen=True)
class Scale:
    """What priors measure in.

    Attributes
    ----------
    mean : mean intensity of the clean image.
    counts : electrons a pixel at intensity 1.
    pixel_size : Å a pixel.
    pixels : pixels of the image.
    thermal : standard deviation of a camera's thermal noise, in units of intensity.
    peak : greatest intensity of the clean image.
    """

    mean: float
    counts: float
    pixel_size: float
    pixels: int
    thermal: float
    peak: float = 0.0


@dataclass(frozen=True)
class Range:
    """Where a parameter lies.

    Attributes
    ----------
    low, high : its least and its greatest value.
    law : ``uniform``, ``log`` (uniform on a logarithmic scale), ``dose`` (exponential from low on, of scale 0.5 along
        the range, cut at its end), or, of the paper's laws that are mostly large, half the draws ``log`` too (ours):
        ``uniform or log``, ``dose or log``.
    unit : what a value of 1 is: ``1``, the image's ``mean`` intensity, an electron a pixel over that (``dose``), the
        ``electrons`` of the mean pixel, an ``angstrom`` in pixels, ``per megapixel``, drawn as a Poisson number, or the
        ``thermal`` noise, as what a camera adds in reading is a matter of its electronics.
    source : where it is from: the ``paper``, real ``files``, or ``bounds`` that these set.
    least_of_peak : a value is no less than this share of the image's greatest intensity.
    """

    low: float
    high: float
    law: Literal["uniform", "log", "dose", "uniform or log", "dose or log"] = "uniform"
    unit: Literal["1", "mean", "dose", "electrons", "angstrom", "per megapixel", "thermal"] = "1"
    source: Literal["paper", "files", "bounds"] = field(kw_only=True)
    least_of_peak: float = 0.0

    def draw(self, rng: np.random.Generator, scale: Scale) -> float:
        """Draw a value, in the unit of the noise's own field."""
        law = self.law
        if " or " in law:
            law = "log" if rng.random() < 0.5 else law.partition(" or ")[0]  # type: ignore[assignment]
        if law == "log":
            value = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        elif law == "dose":
            along = -0.5 * math.log1p(-float(rng.random()) * (1.0 - math.exp(-2.0)))
            value = self.low + (self.high - self.low) * along
        else:
            value = float(rng.uniform(self.low, self.high))
        if self.unit == "per megapixel":
            return min(int(rng.poisson(value * scale.pixels / 1e6)), scale.pixels)
        unit = {
            "1": 1.0,
            "mean": scale.mean,
            "dose": 1.0 / scale.mean,
            "electrons": scale.counts * scale.mean,
            "angstrom": 1.0 / scale.pixel_size,
            "thermal": scale.thermal,
        }[self.unit]
        return max(value * unit, self.least_of_peak * scale.peak)


@dataclass(frozen=True)
class Prior:
    """How often a step occurs and where its parameters lie.

    Attributes
    ----------
    kind : the step.
    present : probability that it occurs.
    ranges : of its fields by name; the others keep their defaults, and ``counts`` is the chain's.
    either : two groups of fields: in a quarter of the draws only the first is not 0, in another only the second.
    halved : where both groups of ``either`` occur, their values are half of what is drawn, as they add up.
    """

    kind: type[Noise]
    present: float
    ranges: Mapping[str, Range]
    either: tuple[tuple[str, ...], ...] = ()
    halved: bool = False

    def draw(self, rng: np.random.Generator, scale: Scale) -> Noise | None:
        """Draw the step, or None where it does not occur."""
        if rng.random() >= self.present:
            return None
        values = {name: spread.draw(rng, scale) for name, spread in self.ranges.items()}
        if self.either:
            which = int(rng.integers(4))
            if which < 2:
                values |= dict.fromkeys(self.either[1 - which], 0.0)
            elif self.halved:
                values |= {name: 0.5 * values[name] for group in self.either for name in group}
        if "counts" in self.kind.__dataclass_fields__:
            values["counts"] = scale.counts
        return self.kind(**values)


DOSE = Range(0.5, 750.0, "dose or log", "dose", source="paper")
"""Electrons a pixel, the mean of the image (Lobato 2024, at eq. 30, for a camera; taken for scanned beams too)."""

THERMAL = Range(0.002, 0.15, "log", "mean", source="bounds")
"""Thermal noise of a camera. Dark frames have no mean to tell it by; a lit frame does not part it from shot noise."""

ZINGERS = Range(1.0, 200.0, "log", "per megapixel", source="files")

UNSEEN = Range(1.0, 200.0, "log", "per megapixel", source="bounds")
"""As many as zingers of what no real file at hand has: cameras correct it, but others' may not."""

FACTOR = Range(3.0, 13.0, source="files")
"""The greatest of zingers, over their surroundings; one file shows it."""

CEILING = Range(1.15, 7.5, "log", "mean", source="files", least_of_peak=0.6)
"""Two SEM images show it; not widened upwards, where nothing is left to clip. Sparse bright things on black, whose
greatest intensity is many times the mean, are not cut off below six tenths of it (ours)."""

CONVERTER = Range(2.0**6, 2.0**17, "log", source="files")

TEM = (
    Prior(Poisson, 1.0, {}),
    Prior(FixedPattern, 0.5, {"level": Range(0.002, 0.05, "log", source="bounds")}),
    Prior(
        DarkCurrent,
        0.5,
        {
            "mean": Range(0.005, 0.3, "log", "electrons", source="bounds"),
            "spread": Range(0.0005, 0.005, "log", "electrons", source="bounds"),
            "hot": Range(1e-5, 1e-3, "log", source="bounds"),
        },
    ),
    Prior(Thermal, 0.6, {"level": Range(1.0, 1.0, unit="thermal", source="bounds")}),
    Prior(Flicker, 0.4, {"level": Range(0.07, 1.4, "log", "thermal", source="files")}),
    Prior(Reset, 0.4, {"level": Range(0.05, 0.25, "log", "thermal", source="files")}),
    Prior(ColumnPattern, 0.3, {"level": Range(0.08, 2.2, "log", "thermal", source="files")}),
    Prior(BlackPixels, 0.3, {"count": UNSEEN, "high": Range(0.1, 0.9, source="bounds")}),
    Prior(Zingers, 0.3, {"count": ZINGERS, "high": FACTOR}),
    Prior(Saturation, 0.15, {"ceiling": CEILING}),
    Prior(Quantisation, 0.9, {"steps": CONVERTER}),
)
"""The camera's chain, in the paper's order; of the ranges only :data:`DOSE` is the paper's. The pattern of columns is
ours.

What is bounded: one lit frame does not tell fixed pattern and thermal noise from shot noise, and holds no more than .35
of its mean of all three; a camera's own correction leaves a few percent of the first at most. Of dark current files
keep what the camera's subtraction leaves, offsets of 1.1 and 2.3 standard deviations of the thermal noise, and in
frames of one series as much that stays as each has of its own: at most .16 to .34 and .15 of the mean, if the thermal
noise is .15 of it. Hot and black pixels are corrected too; others' cameras may have some. The factor of black pixels
is anything between black and hardly darker.
"""

STEM = (
    Prior(
        Jitter,
        0.9,
        {
            "x": Range(0.0025, 0.8, "uniform or log", "angstrom", source="paper"),
            "y": Range(0.0025, 0.8, "uniform or log", "angstrom", source="paper"),
            "x_phi": Range(0.0, 0.7, source="paper"),
            "y_phi": Range(0.0, 0.7, source="paper"),
            "line": Range(0.02, 0.25, "log", "angstrom", source="files"),
            "line_phi": Range(0.0, 0.5, source="files"),
        },
        either=(("x", "line"), ("y",)),
    ),
    Prior(
        Detector,
        1.0,
        {
            "photons": Range(30.0, 300.0, "log", source="bounds"),
            "efficiency": Range(0.05, 0.4, source="bounds"),
            "gain": Range(3.0, 10.0, source="bounds"),
            "photon_spread": Range(0.05, 0.6, source="bounds"),
        },
    ),
    Prior(
        FastScan,
        0.5,
        {
            "detector": Range(1.5, 8.2, "log", source="files"),
            "decay": Range(0.3, 2.6, "log", source="files"),
            "period": Range(2.2, 60.0, "log", source="files"),
            "phase": Range(0.9, 1.9, source="files"),
        },
        either=(("detector",), ("decay",)),
        halved=True,
    ),
    Prior(RowLines, 0.2, {"count": UNSEEN}),
    Prior(BlackPixels, 0.2, {"count": UNSEEN, "high": Range(0.1, 0.9, source="bounds")}),
    Prior(Zingers, 0.2, {"count": replace(ZINGERS, source="bounds"), "high": replace(FACTOR, source="bounds")}),
    Prior(Saturation, 0.15, {"ceiling": CEILING}),
    Prior(Quantisation, 0.9, {"steps": CONVERTER}),
)
"""The scanning microscope's chain, in the paper's order. The paper's are how often jitter occurs, its x, y, x_phi and
y_phi, and the factor of row lines.

What is bounded: an image gives the detector's four numbers at most together, as sigma, which is below 1.9 electrons in
one file and further in the others; they surround the 100 photons an electron that the paper names. The lattices at
hand have no zingers, row lines or black pixels, so they are as many as cameras have zingers, and in one image of five.

One file's read-out swings (haadf_velox.emd: decay 1.3, period 4.7, phase 1.5 to within 0.5); the read-outs of four
others decay and don't swing, for which the period reaches up to 60. The detector's decay and the read-out's were
measured each as if it were alone, so they are drawn alone in half of the draws, and both at half their size in the
other. Rows of three files are displaced against their neighbours by 0.04 to 0.12 Å; along x or y the estimator cannot
tell, and they are drawn along x.
"""

SEM = tuple(prior for prior in STEM if prior.kind is not BlackPixels)
"""The same without black pixels, which in SEM are pores."""
