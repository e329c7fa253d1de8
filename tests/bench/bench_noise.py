"""Noise against its peers, one thread: ``python tests/bench/bench_noise.py [SIDE]``.

Each line is one noise added to the same float32 image, checks of the image included, into an array made beforehand;
numpy draws with SFC64, its fastest generator. Returns 1 if a bar is missed.
"""

import sys
import time

import numpy as np

from temclean import noise

GAUSSIAN_BAR = 4
POISSON_BAR = 3
MEANS = [1, 5, 10, 100, 1000]


def main(side):
    image = np.random.default_rng(0).random((side, side), np.float32)
    flat = np.ones_like(image)
    out = np.empty_like(image)
    drawn = np.empty_like(image)
    peer = np.random.Generator(np.random.SFC64(1))
    level = np.float32(0.1)

    def peer_gaussian():
        peer.standard_normal(out=drawn, dtype=np.float32)
        np.multiply(drawn, level, out=drawn)
        np.add(image, drawn, out=drawn)
        np.clip(drawn, 0, 1, out=drawn)

    def peer_salt_pepper():
        np.copyto(drawn, image)
        hit = peer.random(image.shape, np.float32) < level
        drawn[hit] = image[hit] < 0.5

    rows = [
        ("gaussian", noise.Gaussian(0.1, clip=False), image, lambda: image + level * normals(peer, side), GAUSSIAN_BAR),
        ("gaussian, clipped, no new arrays", noise.Gaussian(0.1), image, peer_gaussian, GAUSSIAN_BAR),
        ("salt and pepper", noise.SaltPepper(0.1), image, peer_salt_pepper, None),
    ]
    for mean in MEANS:
        lam = np.full((side, side), mean, np.float64)
        rows.append((f"poisson, mean {mean}", noise.Poisson(mean), flat, lambda m=lam: peer.poisson(m), POISSON_BAR))
    missed = False
    print(f"{side}x{side:<27} {'ours, ns/px':>12} {'numpy':>7} {'ratio':>6} {'bar':>4}")
    for name, kind, clean, theirs, bar in rows:
        fast, slow = best_of_both(lambda k=kind, c=clean: noise.apply(c, k, 1, out=out), theirs)
        per_pixel = 1e9 / side**2
        print(
            f"{name:32} {fast * per_pixel:12.2f} {slow * per_pixel:7.2f} {slow / fast:6.1f} {bar or '':>4}", flush=True
        )
        missed |= bar is not None and slow / fast < bar
    return int(missed)


def normals(generator, side):
    return generator.standard_normal((side, side), np.float32)


def best_of_both(ours, theirs, seconds=2.0):
    """Return the least time of each, measured in turns so that both see the same machine."""
    best = [float("inf"), float("inf")]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for which, job in enumerate((ours, theirs)):
            start = time.perf_counter()
            job()
            best[which] = min(best[which], time.perf_counter() - start)
    return best


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2048))
