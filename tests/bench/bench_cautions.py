"""What the warnings before denoising rest on: what models lose by noise that they do not know, and what asking costs.

python tests/bench/bench_cautions.py [--count 4] [--size 192]

Prints for each kind of noise the PSNR of the raw image and of the results of g, gsp, sp and general, each brought to
the clean image's scale by least squares, and of how many images `cautions.of_model` warns if each is named; then
the processor's time of that beside g's, on a frame of 512x512.
"""

import argparse
import math
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np

import temclean
from temclean import models, noise, specimen
from temclean.evidence import samples
from temclean.restoration.cautions import of_model
from temclean.restoration.choice import About

MODELS = ("g", "gsp", "sp", "general")
LEVEL = 0.15
Floats = np.ndarray
Noise = Callable[[Floats, np.random.Generator], Floats]


def slow(clean: Floats, rng: np.random.Generator, *, held: float) -> Floats:
    """Add noise that remembers the pixel before it in its row."""
    white = rng.normal(0, LEVEL, (len(clean), clean.shape[1] + 30))
    kept = white.copy()
    for column in range(1, white.shape[1]):
        kept[:, column] = held * kept[:, column - 1] + math.sqrt(1 - held**2) * white[:, column]
    return clean + kept[:, 30:]


def resampled(clean: Floats, rng: np.random.Generator, *, share: float) -> Floats:
    """Add noise in which a share of each pixel went to the next ones, along both axes, of the same strength."""
    grain = rng.normal(0, LEVEL, clean.shape)
    for axis in (0, 1):
        grain = grain + share * np.roll(grain, 1, axis)
    return clean + grain / (1 + share**2)


def rows(clean: Floats, rng: np.random.Generator, *, share: float) -> Floats:
    """Add grain, and what whole rows have in common."""
    return clean + rng.normal(0, LEVEL, clean.shape) + rng.normal(0, share * LEVEL, (len(clean), 1))


def counts(clean: Floats, rng: np.random.Generator, *, mean: float) -> Floats:
    """Count electrons."""
    shown = 0.1 + 0.9 * clean
    return rng.poisson(mean * shown / shown.mean()).astype(np.float64)


def specks(clean: Floats, rng: np.random.Generator, *, share: float) -> Floats:
    """Add grain and specks."""
    return noise.apply(np.clip(clean + rng.normal(0, 0.08, clean.shape), 0, 1), noise.SaltPepper(share), 3)


def grain(clean: Floats, rng: np.random.Generator, *, level: float) -> Floats:
    """Add white noise."""
    return clean + rng.normal(0, level, clean.shape)


KINDS: dict[str, Noise] = {
    "white": partial(grain, level=LEVEL),
    "hardly any": partial(grain, level=0.0005),
    **{f"rows {held} alike": partial(slow, held=held) for held in (0.1, 0.2, 0.3, 0.45, 0.6)},
    **{f"resampled {share}": partial(resampled, share=share) for share in (0.1, 0.3, 0.6)},
    **{f"rows' own {share}": partial(rows, share=share) for share in (0.2, 0.4, 0.8)},
    **{f"counts {mean}": partial(counts, mean=mean) for mean in (0.5, 1, 2, 4, 8, 20)},
    **{f"specks {share}": partial(specks, share=share) for share in (0.003, 0.01, 0.03)},
}


def psnr(image: Floats, clean: Floats) -> float:
    """Return it of the image on the scale of the clean one."""
    system = np.stack([image.ravel(), np.ones(image.size)], axis=1)
    found = system @ np.linalg.lstsq(system, clean.ravel(), rcond=None)[0]
    return -10 * math.log10(float(np.mean((found - clean.ravel()) ** 2)))


def least(function: Callable[[], object], times: int = 6) -> float:
    """Return the least of several times, of the processor in ms."""
    spent = []
    for _ in range(times):
        samples.forget()
        began = time.process_time()
        function()
        spent.append(time.process_time() - began)
    return 1e3 * min(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--size", type=int, default=192)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    known = {name: models.load(name) for name in MODELS}
    print(f"{'noise':16}{'raw':>7}" + "".join(f"{name:>8} warns" for name in MODELS))
    drawn = [
        specimen.scale(specimen.draw(("hr", "lr", "graphene", "lattice")[k % 4], options.size, 0.15, k).image)
        for k in range(options.count)
    ]
    for title, add in KINDS.items():
        images = [add(clean.astype(np.float64), np.random.default_rng(k)) for k, clean in enumerate(drawn)]
        line = f"{title:16}{np.mean([psnr(*pair) for pair in zip(images, drawn, strict=True)]):7.1f}"
        for name, model in known.items():
            results = [temclean.denoise(image.astype(np.float32), name, device="cpu") for image in images]
            found = np.mean([psnr(*pair) for pair in zip(results, drawn, strict=True)])
            line += f"{found:8.1f}{sum(bool(of_model(image[None], model, About())) for image in images):4d}  "
        print(line, flush=True)
    clean = specimen.scale(specimen.draw("lattice", 512, 0.1, 3).image)
    for name in ("g", "tem"):
        family = noise.FAMILIES[name](0.2) if name == "g" else noise.FAMILIES[name](pixel_size=0.1)
        image = noise.apply(clean, family, 1)
        asking = least(lambda image=image: of_model(image[None], known["g"], About()))
        running = least(lambda image=image: temclean.denoise(image, "g", device="cpu", threads=1))
        print(f"512x512, noise {name}: {asking:.1f} ms of {running:.0f} ms in all ({asking / running:.1%})")


if __name__ == "__main__":
    main()
