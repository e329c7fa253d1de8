"""Losses: how far a batch of restored images is from the clean ones, as tensors with a gradient.

Above those of the shipped models; below, from :func:`absolute_error` on, those of Lobato et al. (2024), whose sum is
:func:`pixelwise`. All take (batch, 1, height, width).
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from temclean import metrics


def weighted_error(restored: Tensor, clean: Tensor, heaviest: float) -> Tensor:
    """Mean of abs(d) + 4 d^2, each image weighted by 0.2 / Std{clean} (Lobato 2024, eqs. 4 to 6), 0.7 to heaviest.

    The square keeps faint columns: where a column is uncertain, the least absolute error is the median, which is none.
    """
    spread = clean.std(dim=(1, 2, 3), keepdim=True)
    error = (restored - clean).abs()
    return ((error + 4.0 * error.square()) * (0.2 / spread.clamp(0.2 / heaviest, 0.2 / 0.7))).mean()


def relative_error(restored: Tensor, clean: Tensor, gathered: float = 0.0, floor: float = 1e-5) -> Tensor:
    """Return the mean over images of log(MSE + floor), so that a tenth less error counts the same in each of them.

    A mean of errors is that of the noisiest images, in which least can be learned; PSNR is a logarithm too. Below the
    ``floor``, 50 dB of the range, nothing more is gained. A share of it, ``gathered``, is of the root of the mean
    fourth power in place of the mean square: an error that is gathered in one place counts more there. But what is
    least in fourth powers leans towards what is unlikely: columns of atoms in noise come out too bright.
    """
    squared = (restored - clean).square()
    error = squared.mean(dim=(1, 2, 3)).add(floor).log().mean()
    if not gathered:
        return error
    fourth = squared.square().mean(dim=(1, 2, 3)).add(floor**2).log().mean()
    return (1.0 - gathered) * error + 0.5 * gathered * fourth


def forgiven(restored: Tensor, noisy: Tensor, clean: Tensor, share: float) -> Tensor:
    """Return what was restored with a share of its error taken off where the noisy image has none.

    The pipeline puts such pixels back (`temclean.restoration.extremes.keep_untouched`), so that what counts is what
    stands in the place of the others.
    """
    return restored + share * (noisy - restored) * (noisy == clean)


def taught_error(restored: Tensor, taught: Tensor, clean: Tensor, floor: float = 1e-5) -> Tensor:
    """Return the mean over images of the squared distance to what a teacher made, over the teacher's own MSE.

    A teacher's result lacks what no network can know: its slope is that of :func:`relative_error` without the noise
    that the clean image's details bring into it (Hinton 2015).
    """
    far = (restored - taught).square().mean(dim=(1, 2, 3))
    return (far / (taught - clean).square().mean(dim=(1, 2, 3)).add(floor)).mean()


def rare_error(restored: Tensor, clean: Tensor, rare: Tensor, floor: float = 1e-5) -> Tensor:
    """Return the mean over images of log(MSE + floor) where ``rare`` is 1, the pixels in which a lattice has a defect.

    They are a hundredth of an image at most, so that in its whole error a network gains more by a perfect lattice than
    it loses by vacancies that it fills in. Images without any count nothing.
    """
    count = rare.sum(dim=(1, 2, 3))
    squared = ((restored - clean).square() * rare).sum(dim=(1, 2, 3)) / count.clamp(min=1.0)
    return ((squared + floor).log() * (count > 0)).mean()


@cache
def windows(length: int) -> Tensor:
    """Return the matrix (length - 10, length) of Gaussian windows of 11 taps: a product is quicker than conv2d."""
    taps = torch.exp(-0.5 * (torch.arange(-5.0, 6.0) / 1.5) ** 2)
    band = torch.zeros(length - 10, length)
    for tap, weight in enumerate(taps / taps.sum()):
        band.diagonal(tap).fill_(float(weight))
    return band


def similarity(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean MS-SSIM of batches (N, 1, H, W) over a range of 1 (Wang 2003), with fewer scales on small crops.

    Factors below 0 count as hardly above it, so that the product has a gradient.
    """
    product = torch.ones((), device=clean.device)
    exponents = metrics.WEIGHTS[: max(1, min(len(metrics.WEIGHTS), 1 + int(math.log2(min(clean.shape[-2:]) / 11.0))))]
    for number, exponent in enumerate(exponents):
        moments = torch.cat([restored, clean, restored**2, clean**2, restored * clean], dim=1)
        rows, columns = (windows(length).to(clean.device) for length in clean.shape[-2:])
        mean0, mean1, square0, square1, both = (rows @ moments.contiguous() @ columns.mT).split(1, dim=1)
        structure = (2 * (both - mean0 * mean1) + 9e-4) / (square0 - mean0**2 + square1 - mean1**2 + 9e-4)
        if number == len(exponents) - 1:
            structure = structure * (2 * mean0 * mean1 + 1e-4) / (mean0**2 + mean1**2 + 1e-4)
        factor = structure.mean(dim=(1, 2, 3)).clamp(min=1e-3)
        product = product * factor ** (exponent / sum(exponents))
        restored, clean = avg_pool2d(restored, 2), avg_pool2d(clean, 2)
    return product.mean()


SCALES = (4, 8, 16, 32, 64)
"""Sides of the windows, in pixels, in which :func:`lasting_error` looks for what is left of the error."""

PATTERNS = ((1, -1, 1, -1), (1, 1, -1, -1), (1, -1, -1, 1))
"""The signs, over each 2x2 pixels, of the three finest waves: along rows, along columns, along both."""


def lasting_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean of s abs(m), m the mean of the error in windows of s pixels a side, over :data:`SCALES`.

    The mean of an error without structure falls as 1 / s, so that s m is as large at every scale; what is weak and
    large, a faint particle or a step that was taken for noise, stands out by its area, as its evidence does.
    """
    means, total, side = restored - clean, torch.zeros((), device=restored.device), 1
    scales = [scale for scale in SCALES if scale <= min(clean.shape[-2:])]
    for scale in scales:
        means = avg_pool2d(means, scale // side)
        total = total + scale * means.abs().mean()
        side = scale
    return total / len(scales)


def grid_error(restored: Tensor, clean: Tensor, side: int = 32) -> Tensor:
    """Return the mean amplitude of waves of two pixels in the error, times ``side``, in windows of so many pixels.

    A pixel shuffle leaves such a grid where its four phases differ; it is weak, but stands in every spectrum.
    """
    error = (restored - clean).float()
    phases = torch.nn.functional.pixel_unshuffle(error, 2)
    signs = torch.tensor(PATTERNS, dtype=error.dtype, device=error.device)[:, :, None, None] / 4.0
    waves = torch.nn.functional.conv2d(phases, signs)
    side = min(side, *error.shape[-2:])
    return side * avg_pool2d(waves, side // 2).abs().mean()


LEAST_SPREAD = 0.01
"""The paper's sigma_min, whose value it doesn't tell [R]: images and windows are divided by no less."""

GAMMA = 0.125
"""Exponent of :func:`fourier_error`."""

WHITENING = (2, 4, 8, 16)
"""Sides of the windows of :func:`whitening_error`, in pixels."""


def spread(images: Tensor) -> Tensor:
    """Return the standard deviation of each image (batch, 1, 1, 1); that of an even one has no slope."""
    return images.var(dim=(1, 2, 3), correction=0, keepdim=True).clamp(min=1e-12).sqrt()


def absolute_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean of w abs(d), w = 1 / max(sigma_min, Std{clean}) for each image (eqs. 4, 5)."""
    return ((restored - clean).abs() / spread(clean).clamp(min=LEAST_SPREAD)).mean()


def squared_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean of w d^2, with the same weight (eq. 6); outliers, such as hit pixels, count most."""
    return ((restored - clean).square() / spread(clean).clamp(min=LEAST_SPREAD)).mean()


def whitened(images: Tensor, side: int) -> Tensor:
    """Return each pixel less the mean, over max(sigma_min, Std), of ``side`` x ``side`` pixels around it (eq. 7).

    A window of an even side begins half of it before its pixel; images go on by reflection [R].
    """
    around = pad(images, (side // 2, side - 1 - side // 2) * 2, mode="reflect")
    mean = avg_pool2d(around, side, stride=1)
    variance = avg_pool2d(around.square(), side, stride=1) - mean.square()
    return (images - mean) / variance.clamp(min=LEAST_SPREAD**2).sqrt()


def whitening_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean absolute error of whitened images, over :data:`WHITENING` (eq. 8)."""
    errors = [(whitened(restored, side) - whitened(clean, side)).abs().mean() for side in WHITENING]
    return torch.stack(errors).mean()


def fourier_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the mean of abs(F{d})^gamma (eq. 9), F the unitary Fourier transform [R]; its slope at 0 is bounded."""
    waves = torch.view_as_real(torch.fft.fft2(restored - clean, norm="ortho"))
    return (waves.square().sum(dim=-1) + 1e-8).pow(GAMMA / 2).mean()


def mean_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return how far the means of images are apart, abs(E{y} - E{yg}), on the mean (eq. 10)."""
    return (clean.mean(dim=(1, 2, 3)) - restored.mean(dim=(1, 2, 3))).abs().mean()


def spread_error(restored: Tensor, clean: Tensor) -> Tensor:
    """Return how far their standard deviations are apart, abs(Std{y} - Std{yg}), on the mean (eq. 11)."""
    return (spread(clean) - spread(restored)).abs().mean()


def pixelwise(restored: Tensor, clean: Tensor) -> Tensor:
    """Return the weighted sum of the paper's losses but the adversarial one (eq. 14); its weights aren't told [R]."""
    whole = absolute_error(restored, clean) + squared_error(restored, clean)
    whole = whole + 0.5 * whitening_error(restored, clean) + 0.5 * fourier_error(restored, clean)
    return whole + 0.5 * mean_error(restored, clean) + 0.5 * spread_error(restored, clean)
