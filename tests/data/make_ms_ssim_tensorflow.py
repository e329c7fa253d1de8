"""Write ms_ssim_tensorflow.json: what TensorFlow's ssim_multiscale says of a dozen seeded pairs.

Run once, where TensorFlow is installed: ``python tests/data/make_ms_ssim_tensorflow.py``.
"""

import json
from pathlib import Path

import numpy as np

# (seed, height, width, noise, kind); 161 is the least size of five scales
RECIPES = [
    (1, 161, 161, 0.05, "waves"),
    (2, 176, 176, 0.10, "waves"),
    (3, 177, 191, 0.20, "waves"),
    (4, 256, 256, 0.05, "steps"),
    (5, 255, 257, 0.10, "steps"),
    (6, 512, 200, 0.30, "waves"),
    (7, 201, 513, 0.20, "steps"),
    (8, 333, 334, 0.40, "waves"),
    (9, 334, 333, 0.02, "steps"),
    (10, 512, 512, 0.20, "waves"),
    (11, 300, 163, 0.10, "noise"),
    (12, 400, 401, 0.01, "waves"),
]


def make_pair(seed, height, width, noise, kind):
    """Return a clean and a noisy float32 image within [0, 1]."""
    generator = np.random.Generator(np.random.PCG64(seed))
    y, x = np.mgrid[:height, :width]
    if kind == "waves":
        clean = 0.5 + 0.25 * np.sin(x / 3.1 + seed) + 0.25 * np.cos(y / 4.7 - x / 9.0)
    elif kind == "steps":
        clean = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1)) / 255
        clean = np.kron(clean, np.ones((8, 8)))[:height, :width]
    else:
        clean = generator.random((height, width))
    noisy = clean + noise * generator.uniform(-1, 1, (height, width))
    return np.clip(clean, 0, 1).astype(np.float32), np.clip(noisy, 0, 1).astype(np.float32)


def main():
    import tensorflow as tf

    pairs = []
    for recipe in RECIPES:
        clean, noisy = make_pair(*recipe)
        value = float(tf.image.ssim_multiscale(clean[..., None], noisy[..., None], 1.0))
        pairs.append(dict(zip(("seed", "height", "width", "noise", "kind"), recipe, strict=True), ms_ssim=value))
    content = {"program": f"tensorflow {tf.__version__}", "recipe": "make_pair in this folder's script", "pairs": pairs}
    Path(__file__).with_name("ms_ssim_tensorflow.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
