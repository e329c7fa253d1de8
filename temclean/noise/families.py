"""Noise of one kind: Gaussian, salt and pepper, both, uneven background, Poisson (Chae 2025, section II.5)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from temclean import _noise
from temclean.errors import ImageError, ParameterError
from temclean.noise.base import LARGEST_LEVEL, Noise, Pixels, check, check_flags, rendered, whole

CEILING = 0.6
"""Largest background threshold, in intensity: above it spots would vanish."""

LARGEST_GRID = 1024
"""Largest number of background patches along a side."""

SMALLEST_COUNT = 1e-12
LARGEST_COUNT = 1e12
"""Largest Poisson mean, in electrons a pixel: the sampler resolves proposals to 1e-4 of an electron there."""


@dataclass(frozen=True)
class Gaussian(Noise):
    r"""Add Gaussian noise, :math:`p' = p + C n`, n ~ N(0, 1).

    Attributes
    ----------
    level : C, standard deviation of the noise in units of intensity.
    clip : truncate the result to [0, 1]; False is a detector that does not saturate.
    """

    level: float
    clip: bool = True

    def __post_init__(self) -> None:
        check("level", self.level, 0, LARGEST_LEVEL)
        check_flags(self, "clip")

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        _noise.gaussian(pixels.reshape(-1), out.reshape(-1), self.level, self.clip, seed, threads)


@dataclass(frozen=True)
class SaltPepper(Noise):
    """Send a fraction of the pixels to the opposite extreme: 1 where p < 0.5, 0 elsewhere.

    Attributes
    ----------
    level : probability that a pixel is hit, 0 to 1.
    """

    level: float

    def __post_init__(self) -> None:
        check("level", self.level, 0, 1)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        hits = round(self.level * 2**32)
        if hits:
            _noise.salt_pepper(pixels.reshape(-1), out.reshape(-1), hits - 1, seed, threads)
        else:
            np.copyto(out, pixels)


@dataclass(frozen=True)
class GaussianSaltPepper(Noise):
    """Add Gaussian noise, then salt and pepper, both at one level.

    Attributes
    ----------
    level : standard deviation of the Gaussian, and probability of a hit, 0 to 1.
    clip : truncate the Gaussian's result to [0, 1] before the hits.
    """

    level: float
    clip: bool = True

    def __post_init__(self) -> None:
        check("level", self.level, 0, 1)
        check_flags(self, "clip")

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        Gaussian(self.level, self.clip)._render(pixels, out, seed, threads)
        SaltPepper(self.level)._render(out, out, seed, threads)


@dataclass(frozen=True)
class BackgroundBrightness(Noise):
    r"""Raise the floor of the image by a random amount in each patch, then add Gaussian noise.

    A patch is dark, slightly bright or high with probability 0.15, 0.70 and 0.15; its benchmark b is uniform in
    [0, h], [h, 2h] or [2h, 3h], its threshold t ~ N(b, h) clipped to [0, 0.6]. Pixels below t become t; the others
    become :math:`t + (p - t)^2 / (1 - t)`: in the same order, with slope 0 at t, and 1 at 1. The equations of the
    paper are lost; these are a reconstruction.

    Attributes
    ----------
    level : standard deviation of the Gaussian noise in units of intensity.
    height : h, in units of intensity.
    patches : number of patches along each side, or (rows, columns).
    smooth : mix the thresholds bilinearly between patch centres; False lets them jump at the patch edges, as in
        the paper.
    clip : truncate the result to [0, 1].
    """

    level: float
    height: float = 0.2
    patches: int | tuple[int, int] = 8
    smooth: bool = True
    clip: bool = True

    def __post_init__(self) -> None:
        check("level", self.level, 0, LARGEST_LEVEL)
        check("height", self.height, 0, 1)
        check_flags(self, "smooth", "clip")
        if len(self.grid) != 2:
            raise ParameterError(f"patches is {self.patches!r}; give one number, or (rows, columns)")
        for patches in self.grid:
            whole("patches", patches, 1, LARGEST_GRID)

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches along (rows, columns)."""
        return self.patches if isinstance(self.patches, tuple) else (self.patches, self.patches)

    def _raise_floor(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        drawn = np.empty(math.prod(self.grid))
        _noise.patch_thresholds(drawn, self.height, CEILING, seed)
        thresholds = drawn.reshape(self.grid).astype(np.float32)
        above, below, weight = self._between(pixels.shape[0], self.grid[0])
        left, right, mix = self._between(pixels.shape[1], self.grid[1])
        columns = np.ascontiguousarray(thresholds[:, left] + mix * (thresholds[:, right] - thresholds[:, left]))
        _noise.lift(pixels, out, columns, above, below, weight, threads)

    def _between(self, length: int, patches: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Return the patch before each pixel's centre, the one after it, and the weight of the latter."""
        place = (np.arange(length) + 0.5) * (patches / length)
        if not self.smooth:
            patch = np.minimum(place.astype(np.intp), patches - 1)
            return patch, patch, np.zeros(length, np.float32)
        place = np.clip(place - 0.5, 0, patches - 1)
        before = place.astype(np.intp)
        return before, np.minimum(before + 1, patches - 1), (place - before).astype(np.float32)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        self._raise_floor(pixels, out, seed, threads)
        Gaussian(self.level, self.clip)._render(out, out, seed, threads)


@dataclass(frozen=True)
class Poisson(Noise):
    r"""Count electrons: :math:`p' = P(N p) / N`, P a Poisson number of the given mean.

    Attributes
    ----------
    counts : N, electrons a pixel at intensity 1.
    """

    counts: float

    def __post_init__(self) -> None:
        check("counts", self.counts, SMALLEST_COUNT, LARGEST_COUNT)

    def _render(self, pixels: Pixels, out: Pixels, seed: int, threads: int) -> None:
        negative = _noise.faults(pixels.reshape(-1))[1]
        if negative:
            raise ImageError(
                f"the image has {negative} negative pixels, which Poisson noise cannot count; lift it to 0"
            )
        brightest = float(pixels.max())
        if self.counts * brightest > LARGEST_COUNT:
            raise ParameterError(
                f"counts is {self.counts!r} and the brightest pixel {brightest:g}: "
                f"their product must not exceed {LARGEST_COUNT:g} electrons"
            )
        _noise.poisson(pixels.reshape(-1), out.reshape(-1), self.counts, seed, threads)


def background(
    image: ArrayLike, noise: BackgroundBrightness, seed: int, *, out: Pixels | None = None, threads: int = 1
) -> Pixels:
    """Raise the floor of an image exactly as ``apply`` does with the same seed, and leave out the Gaussian noise.

    Parameters, result and errors are those of ``apply``.

    >>> import numpy as np
    >>> bright = background(np.zeros((64, 64)), BackgroundBrightness(level=0.2), seed=1)
    >>> bool(bright.min() >= 0 and bright.max() <= CEILING)
    True
    """
    return rendered(noise._raise_floor, image, seed, out, threads)
