"""Score models on nineteen kinds of images that neither temclean's simulator nor the check set draws.

    python tests/bench/bench_kinds.py [MODEL ...] [--noises g05 g20 p30 ...] [--only KIND ...]

MODEL is a shipped name, ``auto``, or an ONNX file. The noise is Gaussian (``g20``: C = 0.2) or of counts (``p30``: 30
at the brightest). Each kind is a formula of its own, 320 x 320 pixels; the last five are in ``more_kinds.py``, and
``training/README.md`` speaks of the fourteen before. Prints PSNR in dB after the linear fit to the truth of the noisy
image, of the best of seven Gaussian blurs, of BM3D (``pip install bm3d``), which is told the noise and sees counts
through Anscombe's transform, and of the models; then the means.
"""

import argparse
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import more_kinds
import numpy as np
from scipy import ndimage

import temclean

N = 320
BLURS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)


def grid(n=N):
    return np.mgrid[:n, :n].astype(float)


def waves(rng, n, length):
    f = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.fftfreq(n)[None])
    a = np.fft.fft2(rng.standard_normal((n, n))) * np.exp(-0.5 * (f * length) ** 2)
    r = np.fft.ifft2(a).real
    return r / r.std()


def stretched(x):
    lo, hi = (x.min(), x.max())
    return ((x - lo) / (hi - lo)).astype(np.float32)


def dpc(rng):
    """Draw differential phase contrast of a lattice: one component of the gradient, signed."""
    y, x = grid()
    p = np.zeros((N, N))
    a = 14.3
    th = 0.21
    c, s = (np.cos(th), np.sin(th))
    for i in range(-40, 41):
        for j in range(-40, 41):
            for u, v, z in ((0, 0, 1.0), (0.5, 0.5, 0.6), (0.5, 0, 0.25), (0, 0.5, 0.25)):
                py = a * ((i + u) * c - (j + v) * s) + 160
                px = a * ((i + u) * s + (j + v) * c) + 160
                if -9 < py < N + 9 and -9 < px < N + 9:
                    y0, x0 = (max(int(py) - 9, 0), max(int(px) - 9, 0))
                    sl = np.s_[y0 : int(py) + 10, x0 : int(px) + 10]
                    p[sl] += z * np.exp(-((y[sl] - py) ** 2 + (x[sl] - px) ** 2) / (2 * 1.9**2))
    return stretched(ndimage.sobel(p, 1))


def ebsd(rng):
    """Draw Kikuchi bands: pairs of hyperbolas about straight bands on a smooth ground."""
    y, x = grid()
    g = np.exp(-((y - 150) ** 2 + (x - 170) ** 2) / (2 * 150**2)) * 0.8
    for _ in range(26):
        th = rng.uniform(0, np.pi)
        d = rng.uniform(-150, 150)
        w = rng.uniform(4, 22)
        a = rng.uniform(0.04, 0.25)
        r = (y - 160) * np.cos(th) + (x - 160) * np.sin(th) - d
        g += a * (
            1 / (1 + np.exp((np.abs(r) - w) / 1.2)) - 0.5 * np.exp(-((np.abs(r) - w - 2) ** 2) / 8) * (np.abs(r) > w)
        )
    return stretched(g)


def skyrmions(rng):
    """Draw Lorentz image of a skyrmion lattice with a domain boundary: bright rings."""
    y, x = grid()
    im = np.zeros((N, N))
    a = 30.0
    for th, side in ((0.1, 1), (0.55, -1)):
        pts = [(a * (i + j / 2), a * np.sqrt(3) / 2 * j) for i in range(-30, 31) for j in range(-30, 31)]
        for p in pts:
            py, px = (160 + p[0] * np.cos(th) - p[1] * np.sin(th), 160 + p[0] * np.sin(th) + p[1] * np.cos(th))
            if side * (px - 160 - 10 * np.sin(py / 40)) < 0:
                continue
            if not (-20 < py < N + 20 and -20 < px < N + 20):
                continue
            r = np.hypot(y - py, x - px)
            im += np.exp(-(((r - 7) / 2.5) ** 2))
    return stretched(im + 0.15 * waves(rng, N, 60))


def fingerprint(rng):
    """Draw block copolymer lamellae: a fingerprint pattern with soft, saturated stripes."""
    f = np.hypot(np.fft.fftfreq(N)[:, None], np.fft.fftfreq(N)[None])
    u = rng.standard_normal((N, N)) * 0.1
    k0 = 1 / 17.0
    for _ in range(160):
        growth = 0.35 - ((f / k0) ** 2 - 1) ** 2
        u = np.fft.ifft2((np.fft.fft2(u) + 0.5 * np.fft.fft2(-(u**3))) / (1 - 0.5 * np.minimum(growth, 0.9))).real
    return stretched(np.tanh(3 * u / u.std()) + 0.1 * waves(rng, N, 90))


def dislocations(rng):
    """Draw weak-beam dark field: thin bright lines, some dotted, on dark."""
    im = 0.08 + 0.03 * waves(rng, N, 100)
    for _ in range(16):
        t = np.linspace(0, 1, 600)
        p0 = rng.uniform(0, N, 2)
        d = rng.normal(0, 130, 2)
        q = rng.normal(0, 40, 2)
        py = p0[0] + d[0] * t + q[0] * np.sin(2.5 * t)
        px = p0[1] + d[1] * t + q[1] * np.sin(3 * t)
        on = rng.uniform(0.3, 1) * (
            1 + (rng.random() < 0.5) * 0.7 * np.sin(2 * np.pi * t * np.hypot(*d) / rng.uniform(8, 14))
        )
        line = np.zeros((N, N))
        k = (py >= 0) & (px >= 0) & (py < N - 1) & (px < N - 1)
        np.maximum.at(line, (py[k].astype(int), px[k].astype(int)), on[k])
        im = im + 3.5 * ndimage.gaussian_filter(line, 1.1)
    return stretched(im)


def tubes(rng):
    """Draw nanotubes: hollow fibres that cross."""
    y, x = grid()
    im = np.zeros((N, N))
    for _ in range(14):
        th = rng.uniform(0, np.pi)
        c = rng.uniform(0, N, 2)
        r = (
            (y - c[0]) * np.cos(th)
            + (x - c[1]) * np.sin(th)
            + 6 * np.sin(((x - c[1]) * np.cos(th) - (y - c[0]) * np.sin(th)) / rng.uniform(30, 90))
        )
        wide = rng.uniform(4, 10)
        ri = wide * rng.uniform(0.3, 0.7)
        im += 2 * np.sqrt(np.maximum(wide * wide - r * r, 0)) - 2 * np.sqrt(np.maximum(ri * ri - r * r, 0))
    return stretched(ndimage.gaussian_filter(im, 0.8) + 2 * waves(rng, N, 50))


def curtains(rng):
    """Draw FIB cross-section: layers, voids, and curtaining along the beam."""
    y, x = grid()
    d = y + 6 * waves(rng, N, 80)
    im = np.select([d < 60, d < 110, d < 118, d < 220], [0.2, 0.7, 0.95, 0.45], 0.6)
    for _ in range(25):
        cy, cx, r = (rng.uniform(130, N), rng.uniform(0, N), rng.uniform(2, 9))
        im[np.hypot(y - cy, (x - cx) * 0.8) < r] = 0.1
    c = np.convolve(rng.standard_normal(N + 40), np.ones(5) / 5, "valid")[:N]
    return stretched(ndimage.gaussian_filter(im, 0.9) + 0.05 * c[None] * (y > 60))


def holey(rng):
    """Draw holey carbon at low magnification: bright holes, a grid bar, dark particles."""
    y, x = grid()
    im = np.full((N, N), 0.55) + 0.01 * waves(rng, N, 8)
    for i in range(-1, 6):
        for j in range(-1, 6):
            r = np.hypot(y - (i * 66 + 20 + rng.normal(0, 1)), x - (j * 66 + 10 + rng.normal(0, 1)))
            im += 0.35 / (1 + np.exp((r - 20) / 0.8)) - 0.1 * np.exp(-(((r - 21.5) / 1.5) ** 2))
    im[:, :45] *= np.clip((x[:, :45] - 30) / 6, 0, 1)
    for _ in range(40):
        cy, cx, r = (*rng.uniform(0, N, 2), rng.uniform(1.5, 6))
        im -= 0.25 / (1 + np.exp((np.hypot(y - cy, x - cx) - r) / 0.6))
    return stretched(np.maximum(im, 0))


def mof(rng):
    """Draw a framework of large cells: channels, walls of many atoms, weak."""
    y, x = grid()
    a = 34.0
    th = 0.13
    u = y * np.cos(th) + x * np.sin(th)
    v = -y * np.sin(th) + x * np.cos(th)
    u = u + 2 * np.sin(v / 120)
    im = 0
    hk = rng.normal(0, 1, (5, 5)) + 1j * rng.normal(0, 1, (5, 5))
    for h in range(-2, 3):
        for k in range(0, 3):
            s = (h * h + k * k) ** 0.5
            if s:
                im = im + np.real(hk[h, k] * np.exp(2j * np.pi * (h * u + k * v) / a)) / s
    return stretched(im + 0.5 * waves(rng, N, 120))


def nanoporous(rng):
    """Draw nanoporous gold in HAADF: ligaments of a spinodal."""
    z = waves(rng, N, 26)
    z2 = waves(rng, N, 18)
    return stretched(ndimage.gaussian_filter(np.maximum(z, 0) ** 0.5 + 0.5 * np.maximum(z2, 0) ** 0.5, 0.7))


def spectrum(rng):
    """Draw an EELS line scan as an image: edges along energy, steps along the line."""
    y, x = grid()
    e = 50 + x * 2
    bg = (e / 50.0) ** (-1.6)
    a = 1 / (1 + np.exp(-(y - 130) / 3))
    b = 1 - 1 / (1 + np.exp(-(y - 210) / 5))

    def edge(e0, s):
        return (e > e0) * (e / e0) ** (-3) * s + 0.6 * s * np.exp(-(((e - e0 - 6) / 3) ** 2))

    return stretched(bg + a * edge(284, 0.05) + b * edge(455, 0.04) + edge(532, 0.03) * (1 - 0.5 * a))


def vortices(rng):
    """Draw core-loss map with ferroelectric domains: a weak modulation of a lattice's brightness."""
    y, x = grid()
    ph = np.sign(np.sin(x / 19 + 1.5 * np.sin(y / 40))) * 0.12
    im = np.zeros((N, N))
    a = 9.1
    im = (np.cos(2 * np.pi * x / a) + 1) * (np.cos(2 * np.pi * y / a) + 1) / 4
    im2 = (np.cos(2 * np.pi * (x + a / 2 + ph * 8) / a) + 1) * (np.cos(2 * np.pi * (y + a / 2) / a) + 1) / 4
    return stretched(im**2 + 0.5 * im2**2)


def liquid(rng):
    """Draw liquid cell: dark rods under a strong gradient, blurred."""
    y, x = grid()
    im = 1 - 0.5 * (x / N) - 0.2 * (y / N) ** 2
    for _ in range(30):
        cy, cx = rng.uniform(0, N, 2)
        th = rng.uniform(0, np.pi)
        u = (y - cy) * np.cos(th) + (x - cx) * np.sin(th)
        v = -(y - cy) * np.sin(th) + (x - cx) * np.cos(th)
        long, wide = (rng.uniform(10, 26), rng.uniform(3, 6))
        d = np.hypot(np.maximum(np.abs(u) - long / 2, 0), v)
        im *= 1 - 0.55 * np.sqrt(np.maximum(1 - (d / wide) ** 2, 0))
    return stretched(ndimage.gaussian_filter(im, 2.2))


def circuit(rng):
    """Draw integrated circuit: bars and contacts, sharp, two levels."""
    y, x = grid()
    im = np.full((N, N), 0.25)
    for k in range(0, N, 24):
        w = 8
        im[:, k : k + w] = 0.7
    for k in range(6, N, 40):
        im[k : k + 5] = np.maximum(im[k : k + 5], 0.5)
    for i in range(4, N, 40):
        for j in range(0, N, 24):
            if rng.random() < 0.6:
                im[(np.abs(y - i - 4) < 4) & (np.abs(x - j - 4) < 3)] = 1.0
    return stretched(ndimage.gaussian_filter(im, 0.7))


KINDS = {
    f.__name__: f
    for f in (
        dpc,
        ebsd,
        skyrmions,
        fingerprint,
        dislocations,
        tubes,
        curtains,
        holey,
        mof,
        nanoporous,
        spectrum,
        vortices,
        liquid,
        circuit,
    )
} | more_kinds.KINDS


def psnr(clean, result):
    spread = result - result.mean()
    slope = (spread * (clean - clean.mean())).mean() / max((spread * spread).mean(), 1e-12)
    return 10 * np.log10(np.ptp(clean) ** 2 / ((clean.mean() + slope * spread - clean) ** 2).mean())


def noisy_of(clean, kind):
    """Return an image under a noise, and what BM3D makes of it."""
    import bm3d

    rng = np.random.default_rng(3)
    if kind[0] == "g":
        level = int(kind[1:]) / 100
        noisy = (clean + level * rng.standard_normal(clean.shape)).astype(np.float32)
        return noisy, bm3d.bm3d(noisy, level)
    noisy = rng.poisson((clean * 0.9 + 0.1) * float(kind[1:])).astype(np.float32)
    return noisy, (bm3d.bm3d(2 * np.sqrt(noisy + 0.375), 1.0) / 2) ** 2 - 0.125


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general", "lr"])
    parser.add_argument("--noises", nargs="*", default=["g05", "g20", "p30"])
    parser.add_argument("--only", nargs="*", default=[*KINDS], choices=[*KINDS])
    options = parser.parse_args()
    warnings.simplefilter("ignore", temclean.TemcleanWarning)
    names = ["raw", "blurred", "bm3d", *options.models]
    print(f"{'kind':<14}{'noise':<7}" + "".join(f"{name[-14:]:>15}" for name in names))
    found = []
    for kind in options.only:
        clean = KINDS[kind](np.random.default_rng(7))
        for noise in options.noises:
            noisy, peer = noisy_of(clean, noise)
            blurred = max((ndimage.gaussian_filter(noisy, blur) for blur in BLURS), key=lambda each: psnr(clean, each))
            ours = [np.asarray(temclean.denoise(noisy, model=name, device="cpu")) for name in options.models]
            found.append([psnr(clean, each) for each in (noisy, blurred, peer, *ours)])
            print(f"{kind:<14}{noise:<7}" + "".join(f"{value:15.2f}" for value in found[-1]), flush=True)
    print(f"{'mean':<21}" + "".join(f"{value:15.2f}" for value in np.mean(found, axis=0)))


if __name__ == "__main__":
    main()
