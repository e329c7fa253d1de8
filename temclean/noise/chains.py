"""Noise of whole microscopes: chains of steps, drawn anew for each image from :mod:`temclean.noise.priors`."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike

from temclean import _noise
from temclean.errors import ImageError
from temclean.noise.base import Noise, Pixels, check, usable
from temclean.noise.families import LARGEST_COUNT, SMALLEST_COUNT
from temclean.noise.priors import DOSE, SEM, STEM, TEM, THERMAL, Prior, Scale

GOLDEN = 0x9E3779B97F4A7C15
"""2**64 over the golden ratio: multiples of it are far apart as seeds."""

BRIGHTEST = 1e25
"""Brighter images are refused."""

DRAW = 41
"""Keeps the stream that draws parameters apart from others of the same seed."""


@dataclass(frozen=True)
class Chain(Noise):
    """Apply steps one after the other, each with a seed of its own that follows from the chain's.

    Attributes
    ----------
    steps : the steps, the first first.
    """

    steps: tuple[Noise, ...]

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        self._render_frame(pixels, out, seed, 0, threads)

    def _render_frame(self, pixels: Pixels, out: Pixels, seed: int, frame: int, threads: int) -> None:
        current = pixels
        for number, step in enumerate(self.steps, 1):
            step._render_frame(current, out, (seed + number * GOLDEN) % 2**64, frame, threads)
            current = out
        if current is not out:
            np.copyto(out, pixels)


@dataclass(frozen=True)
class Microscope(Noise):
    """A chain whose steps are drawn anew for each seed, and for the image that they are drawn for.

    Doses and thermal noise follow from its mean, so that frames of other brightness have other steps. For a movie, call
    `draw` once, of its first frame, and apply the chain that it returns to all.

    Attributes
    ----------
    counts : electrons a pixel at intensity 1; None draws :data:`DOSE`.
    pixel_size : Å a pixel, the measure of jitter; None is 1 Å, or what a program knows of the image.
    """

    counts: float | None = None
    pixel_size: float | None = None

    priors: ClassVar[tuple[Prior, ...]] = ()

    def __post_init__(self) -> None:
        if self.counts is not None:
            check("counts", self.counts, SMALLEST_COUNT, LARGEST_COUNT)
        if self.pixel_size is not None:
            check("pixel_size", self.pixel_size, 1e-3, 1e9)

    def draw(self, image: ArrayLike, seed: int) -> Chain:
        """Return the steps that ``apply`` takes for an image (H, W) and a seed."""
        image = usable(image)
        negative = _noise.faults(image.reshape(-1))[1]
        if negative:
            raise ImageError(f"the image has {negative} negative pixels, which are no electrons; lift it to 0")
        rng = np.random.Generator(np.random.PCG64([seed, DRAW]))
        mean, peak = float(image.mean(dtype=np.float64)) or 1.0, float(image.max(initial=0.0))
        if peak > BRIGHTEST:
            raise ImageError(f"the image reaches {peak:.1e}; scale it to less than {BRIGHTEST:.0e} first")
        scale = Scale(mean, 1.0, self.pixel_size or 1.0, image.size, 0.0, peak)
        drawn = DOSE.draw(rng, scale)
        counts = min(max(drawn, SMALLEST_COUNT), LARGEST_COUNT) if self.counts is None else self.counts
        scale = replace(scale, counts=counts, thermal=THERMAL.draw(rng, scale))
        steps = (prior.draw(rng, scale) for prior in self.priors)
        return Chain(tuple(step for step in steps if step is not None))

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        self._render_frame(pixels, out, seed, 0, threads)

    def _render_frame(self, pixels: Pixels, out: Pixels, seed: int, frame: int, threads: int) -> None:
        self.draw(pixels, seed)._render_frame(pixels, out, seed, frame, threads)


@dataclass(frozen=True)
class Tem(Microscope):
    """A camera's noise, drawn from :data:`TEM`. Its blur belongs to the clean image: see :mod:`temclean.noise.mtf`."""

    priors = TEM


@dataclass(frozen=True)
class Stem(Microscope):
    """A scanning transmission microscope's noise, drawn from :data:`STEM`."""

    priors = STEM


@dataclass(frozen=True)
class Sem(Microscope):
    """A scanning microscope's noise, drawn from :data:`SEM`."""

    priors = SEM
