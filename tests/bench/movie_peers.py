"""What movies are denoised with beside temclean, each at the strength that is best against the truth."""

from collections.abc import Callable

import numpy as np

from temclean import filters
from temclean.restoration.windows import Windows

Frames = np.ndarray


def gaussian(raw: Frames, sigma: float) -> Frames:
    return np.stack([filters.gaussian(frame, sigma) for frame in raw])


def temporal_mean(raw: Frames, window: float) -> Frames:
    """Average each frame with its neighbours, drift taken out."""
    return np.stack([np.mean(each, axis=0) for each in Windows(raw, int(window))])


def non_local_means(raw: Frames, strength: float) -> Frames:
    from skimage.restoration import denoise_nl_means, estimate_sigma

    sigmas = [float(estimate_sigma(frame)) for frame in raw]
    return np.stack(
        [
            denoise_nl_means(frame, patch_size=7, patch_distance=9, h=strength * sigma, sigma=sigma, fast_mode=True)
            for frame, sigma in zip(raw, sigmas, strict=True)
        ]
    )


def low_rank(raw: Frames, strength: float, window: int = 9, side: int = 8, step: int = 4) -> Frames:
    """Soften the singular values of patches over time, as PGURE-SVT does (Furnival et al. 2017).

    That program chooses the threshold for each patch by an unbiased estimate of the risk, and follows motion by blocks;
    here one threshold stands for all, in parts of what noise alone makes of a matrix of this size, and whole frames are
    laid over each other.
    """
    noise = np.median(np.abs(np.diff(raw, axis=0))) / 0.6745 / 2**0.5 or float(np.diff(raw, axis=0).std()) / 2**0.5
    threshold = strength * noise * (side + window**0.5)
    result = []
    for each in Windows(raw, window):
        stack = np.stack(each).astype(np.float32)
        views = np.lib.stride_tricks.sliding_window_view(stack, (side, side), axis=(1, 2))[:, ::step, ::step]
        rows, columns = views.shape[1:3]
        patches = views.transpose(1, 2, 0, 3, 4).reshape(-1, window, side * side)
        mean = patches.mean(axis=(1, 2), keepdims=True)
        left, values, right = np.linalg.svd(patches - mean, full_matrices=False)
        kept = (left[:, window // 2, None] * np.maximum(values - threshold, 0.0)[:, None]) @ right + mean
        total, count = np.zeros(stack.shape[1:]), np.zeros(stack.shape[1:])
        for number, patch in enumerate(kept.reshape(-1, side, side)):
            place = np.s_[
                number // columns * step : number // columns * step + side,
                number % columns * step : number % columns * step + side,
            ]
            total[place] += patch
            count[place] += 1
        assert rows * columns == len(kept)
        result.append(total / count)
    return np.stack(result)


PEERS: dict[str, tuple[Callable[[Frames, float], Frames], tuple[float, ...]]] = {
    "Gaussian": (gaussian, (1.0, 1.5, 2.0, 3.0)),
    "mean of frames": (temporal_mean, (3, 5, 9)),
    "non-local means": (non_local_means, (0.5, 0.8, 1.2)),
    "singular values": (low_rank, (0.5, 0.8, 1.2)),
}


def best(raw: Frames, name: str, error: Callable[[Frames], float]) -> Frames:
    """Return what a peer makes of a movie at the strength of the least error."""
    method, strengths = PEERS[name]
    return min((method(raw, strength) for strength in strengths), key=error)
