"""How far a restored image is from the truth: MAE, PSNR, SSIM, MS-SSIM, CSS for movies that have no truth, and columns.

``pairs`` makes images fit for comparison, ``pyramid`` compares them scale by scale, ``scores`` are the metrics.
``unseen`` compares
a denoised movie with noisy frames that it has not seen. ``gaussians`` fits many spots at once, ``columns`` finds and
matches columns of atoms by it.
"""

from temclean.metrics.columns import Columns, Matches, columns, intensities, match
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
from temclean.metrics.unseen import Unseen, unseen_error

__all__ = [
    "LEAST_SIZE",
    "WEIGHTS",
    "Columns",
    "Matches",
    "Unseen",
    "columns",
    "css",
    "intensities",
    "mae",
    "match",
    "movie_css",
    "ms_ssim",
    "psnr",
    "score",
    "ssim",
    "to_json",
    "unseen_error",
]
