"""Slow NumPy twins of the metrics, in float64, straight from the papers' equations."""

import numpy as np

WEIGHTS = 0.0448, 0.2856, 0.3001, 0.2363, 0.1333


def reference_mae(x, y):
    """Mean of |x - y|."""
    return np.abs(np.asarray(x, np.float64) - np.asarray(y, np.float64)).mean()


def reference_psnr(x, y, data_range):
    """10 log10(L^2 / mean squared error)."""
    return 10 * np.log10(data_range**2 / ((np.asarray(x, np.float64) - np.asarray(y, np.float64)) ** 2).mean())


def gaussian_means(image):
    """Weigh every whole 11 x 11 window by a Gaussian of sigma 1.5."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    windows = np.lib.stride_tricks.sliding_window_view(image, (11, 11))
    return np.einsum("ijkl,kl->ij", windows, window / window.sum())


def similarity_factors(x, y, data_range):
    """Mean of luminance x contrast-structure, and of contrast-structure alone."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    m1, m2 = gaussian_means(x), gaussian_means(y)
    v1, v2 = gaussian_means(x * x) - m1**2, gaussian_means(y * y) - m2**2
    v12 = gaussian_means(x * y) - m1 * m2
    structure = (2 * v12 + c2) / (v1 + v2 + c2)
    return ((2 * m1 * m2 + c1) / (m1**2 + m2**2 + c1) * structure).mean(), structure.mean()


def reference_ssim(x, y, data_range):
    """Wang et al. (2004)."""
    return similarity_factors(x, y, data_range)[0]


def halved(image):
    """Means of 2 x 2 pixels, an odd last row or column repeated."""
    image = np.asarray(image, np.float64)
    image = np.pad(image, [(0, side % 2) for side in image.shape], mode="symmetric")
    return image.reshape(image.shape[0] // 2, 2, image.shape[1] // 2, 2).mean((1, 3))


def reference_ms_ssim(x, y, data_range):
    """Wang et al. (2003): luminance at the coarsest of five scales only."""
    factors = []
    for _ in range(4):
        factors.append(similarity_factors(x, y, data_range)[1])
        x, y = halved(x), halved(y)
    factors.append(similarity_factors(x, y, data_range)[0])
    return np.prod(np.maximum(factors, 0) ** np.array(WEIGHTS))


def reference_css(x, y, data_range):
    """Noise2Atom, equation 10, with constants that follow the data range."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    light = (2 * x.mean() * y.mean() + c1) / (x.mean() ** 2 + y.mean() ** 2 + c1)
    return light * (2 * covariance + c2) / (x.var() + y.var() + c2)
