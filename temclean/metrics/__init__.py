"""How far a restored image is from the truth: MAE, PSNR, SSIM, MS-SSIM, and CSS for movies that have no truth.

``pairs`` makes images fit for comparison, ``pyramid`` compares them scale by scale, ``scores`` are the metrics.
"""

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

__all__ = ["LEAST_SIZE", "WEIGHTS", "css", "mae", "movie_css", "ms_ssim", "psnr", "score", "ssim", "to_json"]
