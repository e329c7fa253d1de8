"""Draw each shipped model on graphene beside what it is compared with: training/README.md's picture.

    python tests/bench/draw_graphene.py OUT.jpg [--pixel-size A] [--paper FOLDER]

For each model two rows, at C = 0.2 and 0.36; from left to right what it should make, the noisy image, what it makes,
BM3D with the true sigma (left grey where PyPI's ``bm3d`` is not installed) and the paper's own network (grey where
there is none). Graphene is the structure from first principles that no training run has seen; the middle is shown,
pixel by pixel.
"""

import argparse
from functools import partial
from pathlib import Path

import numpy as np
from bench_graphene import PAPER, SEED, SIZE, network, spoiled, truth
from PIL import Image, ImageDraw, ImageFont

import temclean
from temclean.restoration import models
from temclean.training import evaluate

LEVELS = (0.2, 0.36)
SHOWN, GAP, MARGIN = 176, 4, 28
TITLES = ("true", "noisy", "temclean", "BM3D", "the paper's network")


def middle(image: np.ndarray, side: int = SHOWN) -> np.ndarray:
    """Cut a square out of the middle."""
    part = slice((len(image) - side) // 2, (len(image) + side) // 2)
    return image[part, part]


def bm3d(noisy: np.ndarray, level: float) -> np.ndarray | None:
    """Restore the surroundings of what is shown, if BM3D is installed."""
    try:
        import bm3d
    except ImportError:
        return None
    return bm3d.bm3d(middle(noisy, SHOWN + 80), level)


def row(model: str, level: float, pixel_size: float, paper: Path) -> list[np.ndarray | None]:
    """Return the tiles of one row."""
    clean = truth(pixel_size).image
    noisy = spoiled(clean, model, level)
    baseline = paper / f"{model}.onnx"
    restored = partial(evaluate.in_patches, network(baseline))(noisy) if baseline.exists() else None
    wanted = evaluate.target(clean, model, level, SEED)
    return [wanted, noisy, temclean.denoise(noisy, model=model, device="cpu"), bm3d(noisy, level), restored]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pixel-size", type=float, default=0.036)
    parser.add_argument("--paper", type=Path, default=PAPER, help="folder of the paper's networks")
    options = parser.parse_args()
    rows = [(model, level) for model in models.available() for level in LEVELS]
    pitch = SHOWN + GAP
    page = Image.new("L", (MARGIN + pitch * len(TITLES), MARGIN + pitch * len(rows)), 255)
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    for column, title in enumerate(TITLES):
        pen.text((MARGIN + column * pitch + SHOWN // 2, MARGIN // 2), title, fill=0, font=font, anchor="mm")
    for place, (model, level) in enumerate(rows):
        top = MARGIN + place * pitch
        name = Image.new("L", (SHOWN, MARGIN), 255)
        ImageDraw.Draw(name).text((SHOWN // 2, MARGIN // 2), f"{model}, C = {level}", fill=0, font=font, anchor="mm")
        page.paste(name.transpose(Image.Transpose.ROTATE_90), (0, top))
        for column, image in enumerate(row(model, level, options.pixel_size, options.paper)):
            tile = np.full((SHOWN, SHOWN), 0.5) if image is None else middle(image)
            grey = np.rint(np.clip(tile, 0, 1) * 255).astype(np.uint8)
            page.paste(Image.fromarray(grey), (MARGIN + column * pitch, top))
    page.save(options.out, quality=80)
    print(f"{options.out}: {SIZE} x {SIZE} pixels restored, {SHOWN} shown")


if __name__ == "__main__":
    main()
