"""How far a restored image is from the truth: MAE, PSNR, SSIM, MS-SSIM, CSS for movies that have no truth, and columns.

``pairs`` makes images fit for comparison, ``pyramid`` compares them scale by scale, ``scores`` are the metrics.
``unseen`` compares a denoised movie with noisy frames that it has not seen, ``rings`` images in the Fourier plane.
``gaussians`` fits many spots at once, ``scatter`` tells how sure that is, ``columns`` finds columns of atoms by it, and
``matching`` compares them; ``lattice`` fits a lattice to their places, by way of ``neighbours``, ``strain`` tells how
they are off it, ``counting`` groups their intensities, and ``echoes`` are maxima between them that are none.
``particles`` measures larger ``regions``; ``ellipses`` fits them to a raw image about their ``outlines``, with the
edges of ``profiles``.
"""

from temclean.metrics.columns import Columns, columns, intensities
from temclean.metrics.counting import Groups, intensity_groups
from temclean.metrics.lattice import Lattice, fit_lattice
from temclean.metrics.matching import Matches, match
from temclean.metrics.particles import Particles, find_particles
from temclean.metrics.rings import RingCorrelation, Spectra, ring_correlation, spectra
from temclean.metrics.scores import (
    LEAST_SIZE,
    WEIGHTS,
    css,
    mae,
    movie_css,
    ms_ssim,
    psnr,
    score,
    ssim,
    to_json,
)
from temclean.metrics.strain import Strain, local_strain
from temclean.metrics.unseen import Unseen, unseen_error

__all__ = [
    "LEAST_SIZE",
    "WEIGHTS",
    "Columns",
    "Groups",
    "Lattice",
    "Matches",
    "Particles",
    "RingCorrelation",
    "Spectra",
    "Strain",
    "Unseen",
    "columns",
    "css",
    "find_particles",
    "fit_lattice",
    "intensities",
    "intensity_groups",
    "local_strain",
    "mae",
    "match",
    "movie_css",
    "ms_ssim",
    "psnr",
    "ring_correlation",
    "score",
    "spectra",
    "ssim",
    "to_json",
    "unseen_error",
]
