"""Fifty simulated images beside real ones, as a page and as numbers.

    python tests/bench/draw_simulated.py FOLDER OUT.png [--seed S]

FOLDER holds the real files that :data:`REAL` names; those that are absent are left out. The page shows what a
microscope recorded (framed in white) among what ``temclean simulate`` draws for its kind. The numbers are, for each
kind, of the real images and the range of the simulated ones: the noise of their evenest parts over the contrast of the
image, its correlation with the next pixels along x and y, the share of it that whole rows or whole columns have in
common (1 is none), and how the power of the image falls with frequency. A star marks what no simulated image reaches.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from temclean import io, noise, specimen
from temclean.noise import mtf, postprocess

SIDE = 256
REAL = {
    "stem hr": [
        "sto_osiris_u16.tif", "rebco_roi.dm3", "sto_16.emi", "acq18_ncem.emd", "survey_multi_signal.dm3",
        "si110_adf.png", "graphene_gb4nm.npy", "abf_movie5.tif",
    ],
    "stem lr": ["haadf_lowmag_1.ser", "haadf_velox.emd", "scan5_1.ser"],
    "sem lr": ["rebco_sem_u16.tif", "rock_sem_lzw.tif", "zeiss_sem_u8.tif"],
    "tem hr": ["soot_hrtem_rgb.tif"],
    "tem lr": ["feiext_crop1024.mrc", "ceta_dark_velox.emd", "dark5.emi"],
}  # fmt: skip
COUNT = {"stem hr": 16, "stem lr": 9, "sem lr": 9, "tem hr": 8, "tem lr": 8}
SAMPLE = 240
MEASURES = ("noise", "x 1", "x 2", "y 1", "y 2", "rows", "columns", "low", "middle", "high")


def simulated(kind: str, seed: int) -> np.ndarray:
    """Draw one image as training sees it."""
    family, what = kind.split()
    rng = np.random.Generator(np.random.PCG64([seed, 7]))
    pixel_size = float(np.exp(rng.uniform(np.log(0.05), np.log(0.5))))
    clean = specimen.draw(what, SIDE, pixel_size, seed).image
    if family == "tem":
        clean = np.maximum(mtf.blur(clean, mtf.draw(rng)), 0.0)
    noisy = noise.apply(clean, noise.FAMILIES[family](pixel_size=pixel_size if what == "hr" else None), seed)
    return postprocess.draw_all(clean, noisy, rng)[1]


def real(path: Path) -> np.ndarray:
    """Read the middle of the first frame."""
    with io.read(path) as image:
        frame = np.asarray(image.pixels[0], np.float64)
    top, left = (max(0, (length - SIDE) // 2) for length in frame.shape)
    return frame[top : top + SIDE, left : left + SIDE]


def measured(image: np.ndarray) -> list[float]:
    """Return the numbers of :data:`MEASURES`."""
    side = 24
    smooth = ndimage.gaussian_filter(image, 3.0)
    places = [
        (smooth[i : i + side, j : j + side].std(), i, j)
        for i in range(0, image.shape[0] - side + 1, side // 2)
        for j in range(0, image.shape[1] - side + 1, side // 2)
    ]
    even = sorted(places)[: max(4, len(places) // 10)]
    y, x = np.mgrid[:side, :side]
    plane = np.stack([np.ones(side**2), y.ravel(), x.ravel()], axis=1)
    flatten = np.eye(side**2) - plane @ np.linalg.pinv(plane)
    parts = [(flatten @ image[i : i + side, j : j + side].ravel()).reshape(side, side) for _, i, j in even]
    variance = np.mean([np.mean(part**2) for part in parts]) or 1e-30

    def together(down: int, right: int) -> float:
        return float(np.mean([np.mean(p[down:, right:] * p[: side - down, : side - right]) for p in parts]) / variance)

    rows, columns = (np.mean([part.mean(axis=axis).var() for part in parts]) * side / variance for axis in (1, 0))
    power = np.abs(np.fft.fft2((image - image.mean()) * np.outer(*(np.hanning(n) for n in image.shape)))) ** 2
    frequency = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
    bands = [power[(frequency > a) & (frequency <= b)].sum() for a, b in ((0.0, 0.05), (0.05, 0.2), (0.2, 0.5))]
    shares = np.array(bands) / max(sum(bands), 1e-30)
    contrast = max(float(image.std()), 1e-30)
    return [float(np.sqrt(variance) / contrast), *(together(*lag) for lag in ((0, 1), (0, 2), (1, 0), (2, 0))),
            float(rows), float(columns), *shares.tolist()]  # fmt: skip


def tile(image: np.ndarray, frame: bool) -> np.ndarray:
    """Return a grey tile of SIDE, framed in white if it is real."""
    low, high = np.percentile(image, (0.5, 99.5))
    grey = np.clip((image - low) / max(high - low, 1e-30), 0, 1) * 255
    canvas = np.full((SIDE + 8, SIDE + 8), 255 if frame else 0, np.uint8)
    zoomed = np.kron(grey, np.ones((SIDE // max(grey.shape),) * 2)) if max(grey.shape) <= SIDE // 2 else grey
    canvas[4 : 4 + zoomed.shape[0], 4 : 4 + zoomed.shape[1]] = zoomed
    return canvas


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    tiles, outside = [], 0
    print(f"{'':28}" + "".join(f"{name:>12}" for name in MEASURES))
    for kind, names in REAL.items():
        seed = options.seed + 1000 * len(tiles)
        drawn = [simulated(kind, seed + number) for number in range(SAMPLE)]
        low, high = np.percentile([measured(image) for image in drawn], (0, 100), axis=0)
        print(f"{kind:28}" + "".join(f"{a:.2f}..{b:.2f}".rjust(12) for a, b in zip(low, high, strict=True)))
        found = [(name, real(options.folder / name)) for name in names if (options.folder / name).exists()]
        for name, image in found:
            values = measured(image)
            stars = [not a <= value <= b for value, a, b in zip(values, low, high, strict=True)]
            outside += sum(stars)
            print(f"  {name:26}" + "".join(f"{v:11.2f}{'*' if s else ' '}" for v, s in zip(values, stars, strict=True)))
        tiles += [tile(image, True) for _, image in found] + [tile(image, False) for image in drawn[: COUNT[kind]]]
    columns = 10
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    rows = [np.hstack(tiles[start : start + columns]) for start in range(0, len(tiles), columns)]
    Image.fromarray(np.vstack(rows)).save(options.out)
    print(f"{outside} real values outside the simulated range; the page is {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
