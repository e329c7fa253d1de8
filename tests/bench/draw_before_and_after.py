"""Draw README's picture: noisy, denoised and true, for each shipped model, on specimens that training never saw.

python tests/bench/draw_before_and_after.py [FILE.png]
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

import temclean
from temclean import specimen
from temclean.training import evaluate

ROWS = (
    ("g", "hexagonal", 0.10, 3),
    ("sp", "graphene-atoms", 0.08, 1),
    ("gsp", "rectangular", 0.10, 5),
    ("bbg", "graphene-atoms", 0.10, 2),
)
SIDE, SHOWN, LEVEL = 512, 224, 0.2


def row(family: str, name: str, pixel_size: float, seed: int) -> np.ndarray:
    """Return noisy, denoised and true side by side, each cut from the middle, as uint8."""
    truth = specimen.draw(name, SIDE, pixel_size, evaluate.FIRST_SEED + 500_000 + seed).image
    noisy = evaluate.distort(truth, family, LEVEL, seed)
    restored = temclean.denoise(noisy, model=family, device="cpu")
    middle = slice((SIDE - SHOWN) // 2, (SIDE + SHOWN) // 2)
    cells = [np.pad(np.clip(image[middle, middle], 0, 1), 2, constant_values=1.0) for image in (noisy, restored, truth)]
    return np.rint(np.hstack(cells) * 255).astype(np.uint8)


def main() -> None:
    """Draw all rows, two beside each other."""
    rows = [row(*options) for options in ROWS]
    picture = np.vstack([np.hstack(rows[:2]), np.hstack(rows[2:])])
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "temclean/data/before_and_after.png")
    Image.fromarray(picture).save(path, optimize=True)
    print(path)


if __name__ == "__main__":
    main()
