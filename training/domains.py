"""The two domains of Noise2Atom (Wang 2020): clean images of nothing but atoms, and noisy frames.

Noisy frames are a sample of a user's movie, or simulated movies of platinum on carbon, whose atoms are known. What is
drawn for a step follows from the seed and the step, so training that was stopped goes on as if it had not been.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temclean import filters, noise
from temclean.errors import ImageError
from temclean.evidence.samples import Frames
from temclean.restoration import scaling
from temclean.restoration.scaling import Scaling
from temclean.specimen.atoms import Atoms, gaussians
from temclean.specimen.movies import clusters, scene
from temclean.training import footage
from temclean.training.footage import PERCENTILES

Array = NDArray[np.float32]

SAMPLED = 120
"""Frames that are taken of a movie, as many as the paper takes."""

SIDE = 256
"""Pixels along a side that are kept of each at most: 31 MB in all."""

WIDTHS = 1.0, 10.0
"""Variance of an atom's image in the paper, square pixels: taken where no pixel size is known."""

POSITIONS = 75 / 256**2, 150 / 256**2
"""Positions for each pixel in the paper."""

ATOMS = 1, 4
"""Atoms in a position."""

PAPER_PIXEL = 0.3
"""Å a pixel at which the paper's sizes are those of platinum atoms [R]: it does not tell its own."""

MARGIN = 16
"""Pixels around a crop in which atoms are drawn too: half of the paper's window of 33."""

CLEAN, NOISY, CHECK = range(3)
"""Parts of the keys of random numbers."""


@dataclass(frozen=True)
class Clean:
    """The clean domain: round Gaussians, all of one width in an image, on black.

    Attributes
    ----------
    width : least and greatest standard deviation of an atom's image, pixels.
    density : least and greatest number of positions for each pixel.
    height : of one atom, on the scale of the movie's percentiles.
    """

    width: tuple[float, float]
    density: tuple[float, float]
    height: float

    def draw(self, crop: int, draw: np.random.Generator) -> Array:
        """Draw one image (crop, crop): positions without order, 1 to 4 atoms in each."""
        side = crop + 2 * MARGIN
        count = draw.poisson(draw.uniform(*self.density) * side**2)
        places = draw.uniform(-MARGIN, crop + MARGIN, (count, 2))
        peak = self.height * draw.integers(ATOMS[0], ATOMS[1] + 1, count).astype(np.float64)
        width = np.sqrt(draw.uniform(*np.square(self.width)))
        return gaussians(Atoms(places, peak, np.full(count, width)), crop)

    def batch(self, seed: int, step: int, part: int, count: int, crop: int) -> Tensor:
        """Return the images (count, 1, crop, crop) of a part of a step."""
        draw = np.random.default_rng([seed, CLEAN, step, part])
        return torch.from_numpy(np.stack([self.draw(crop, draw) for _ in range(count)])[:, None])


def unit(frame: NDArray[np.generic], scale: Scaling) -> Array:
    """Bring a frame to the scale on which percentiles are 0 and 1, no further beyond them than the pipeline does."""
    return footage.unit(frame, scale).clip(-1.0, 2.0)


class Sample:
    """Frames of a movie, evenly over its length; of large ones a part of each.

    Parameters
    ----------
    frames : the movie; of it :data:`SAMPLED` frames are read, once, and no more are held.
    scale : of its intensities.
    crop : side of a crop in pixels.
    seed : which parts and crops.

    Raises
    ------
    ImageError : frames are smaller than a crop.
    """

    def __init__(self, frames: Frames, scale: Scaling, crop: int, seed: int) -> None:
        rows, columns = frames.shape[-2:]
        if min(rows, columns) < crop:
            raise ImageError(
                f"frames of {rows} x {columns} pixels are smaller than crops of {crop}: give a smaller --crop"
            )
        self.crop, self.seed = crop, seed
        draw = np.random.default_rng([seed, CHECK])
        self.held = []
        for index in np.unique(np.linspace(0, len(frames) - 1, min(SAMPLED, len(frames))).astype(int)).tolist():
            top, left = (int(draw.integers(max(0, length - SIDE) + 1)) for length in (rows, columns))
            self.held.append(unit(frames[index][top : top + SIDE, left : left + SIDE], scale))

    def batch(self, step: int, part: int, count: int) -> Tensor:
        """Return crops (count, 1, crop, crop) of a part of a step, mirrored and turned at random."""
        draw = np.random.default_rng([self.seed, NOISY, step, part])
        crops = []
        for number in draw.integers(len(self.held), size=count).tolist():
            frame = self.held[number]
            top, left = (int(draw.integers(length - self.crop + 1)) for length in frame.shape)
            crop = np.rot90(frame[top : top + self.crop, left : left + self.crop], int(draw.integers(4)))
            crops.append(crop[::-1] if draw.random() < 0.5 else crop)
        return torch.from_numpy(np.stack(crops)[:, None].copy())

    def check(self, count: int = 8) -> Tensor:
        """Return the middles (count, 1, crop, crop) of frames from all over the movie, to judge a network by."""
        chosen = np.unique(np.linspace(0, len(self.held) - 1, count).astype(int))
        middles = []
        for number in chosen.tolist():
            top, left = ((length - self.crop) // 2 for length in self.held[number].shape)
            middles.append(self.held[number][top : top + self.crop, left : left + self.crop])
        return torch.from_numpy(np.stack(middles)[:, None].copy())


def ramp(side: int, draw: np.random.Generator) -> Array:
    """Draw a background that changes slowly: a slope and a broad hill, from 0 to 1."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    angle, (top, left) = draw.uniform(0.0, 2.0 * np.pi), draw.uniform(-0.6, 0.6, 2)
    hill = np.exp(-((y - top) ** 2 + (x - left) ** 2) / (2.0 * draw.uniform(0.25, 0.6) ** 2))
    mixed = np.sin(angle) * y + np.cos(angle) * x + draw.uniform(-0.7, 0.7) * hill
    lifted = mixed - mixed.min()
    light: Array = (lifted / lifted.max()).astype(np.float32)
    return light


PIXEL_SIZES = 0.15, 0.5
DOSES = 0.4, 30.0
GRADIENT = 0.5
"""Of simulated movies: Å a pixel, electrons a pixel at intensity 1, and how high a gradient rises at most."""

FRAMES = 4
"""Frames of each simulated movie in a batch."""


def simulated(seed: int, step: int, count: int, crop: int) -> tuple[Tensor, Tensor]:
    """Draw frames of platinum on carbon and their atoms alone, (count, 1, crop, crop) each, on the noisy frames' scale.

    Atoms hop, appear and vanish between frames, which jitter; pixels are displaced along the scan in half of the
    movies; light has a gradient in two of three, electrons are counted, a third is read out with noise; six in a
    hundred show no atoms.
    """
    pairs = [_movie(np.random.default_rng([seed, NOISY, step, part]), crop) for part in range(-(-count // FRAMES))]
    noisy, clean = (torch.from_numpy(np.concatenate(side)[:count, None]) for side in zip(*pairs, strict=True))
    return noisy, clean


def _movie(draw: np.random.Generator, crop: int) -> tuple[Array, Array]:
    pixel_size, dose = (float(np.exp(draw.uniform(*np.log(span)))) for span in (PIXEL_SIZES, DOSES))
    drawn = clusters.scene(draw, FRAMES, crop, pixel_size)
    if draw.random() < 0.06:
        drawn = replace(drawn, peak=0.0 * drawn.peak)
    path = scene.path(draw, FRAMES, crop, draw.uniform(0.0, 0.3), 0.3)
    nothing = Atoms(np.zeros((0, 2)), np.zeros(0), np.zeros(0))
    clean = scene.filmed(replace(drawn, ground=0.0, support=nothing), path, crop, pixel_size).frames
    lit = scene.filmed(drawn, path, crop, pixel_size).frames
    if draw.random() < 2 / 3:
        lit = lit + np.float32(draw.uniform(0.0, GRADIENT)) * ramp(crop, draw)
    jitter = noise.Jitter(*draw.uniform(0.0, 0.5, 2)) if draw.random() < 0.5 else None
    readout = draw.uniform(0.0, 0.15) if draw.random() < 1 / 3 else 0.0
    noisy = []
    for frame in lit:
        seen = noise.apply(frame, jitter, int(draw.integers(2**63))) if jitter else frame
        seen = noise.apply(seen, noise.Poisson(dose), int(draw.integers(2**63)))
        noisy.append(noise.apply(seen, noise.Gaussian(readout, clip=False), int(draw.integers(2**63))))
    stack = np.stack(noisy)
    scale = scaling.measure(stack, *PERCENTILES)
    if scale.flat:
        scale = Scaling(scale.low, scale.low + 1.0)
    elif draw.random() < 0.25:
        span = scale.high - scale.low
        scale = Scaling(scale.low - draw.uniform(0.0, 0.2) * span, scale.high + draw.uniform(0.0, 0.4) * span)
    return unit(stack, scale), (clean / (scale.high - scale.low)).astype(np.float32)


def band(frame: Array, width: float) -> Array:
    """Return what of a frame is about as wide as an atom: blurred by its width, less the surroundings."""
    return filters.gaussian(frame, width) - filters.gaussian(frame, 3.0 * width)


def spots(frame: Array, width: float, times: float = 5.0) -> Array:
    """Return by how much the maxima of :func:`band` stand out, those over so many times its spread, (N,)."""
    shown = band(frame, width)
    reach = max(1, round(width))
    padded = np.pad(shown, reach, mode="constant", constant_values=-np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2).max(axis=(2, 3))
    spread = float(np.median(np.abs(shown - np.median(shown)))) / 0.6745
    found: Array = shown[(shown == around) & (shown > times * spread)]
    return found
