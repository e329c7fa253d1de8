"""Score a model on images that no training run has seen. Needs no torch, so that tests can use it."""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from temclean import metrics, noise, specimen
from temclean.noise import mtf
from temclean.specimen import densities, survey
from temclean.specimen.atoms import BRAVAIS
from temclean.specimen.textures import TEXTURES
from temclean.training import particles

Array = NDArray[np.float32]
Restore = Callable[[Array], Array]

FIRST_SEED = 1_000_000
"""Held-out specimens are drawn from seeds from here on; training draws from one stream of a small seed."""

PIXEL_SIZES = (0.05, 0.10, 0.20)
LEVELS = (0.05, 0.10, 0.20, 0.30, 0.36)

OTHERS = ("crystal", "amorphous", "points", "fringes", "bn", "mos2")
OTHERS += tuple(name.replace("_", "-") for name in TEXTURES if name != "mixture")
"""What ``held_out`` does not show: the specimens of Lobato 2024, and more sheets."""

GRAPHENE_SEED = 7_000_000
GRAPHENE_PIXEL_SIZES = (0.036, 0.10)
"""Å a pixel at which ``kept_graphene`` is scored; the first is about that of Chae 2025, which does not tell it."""


def held_out(count: int, size: int, other: str = "scene") -> Iterator[tuple[str, float, specimen.Specimen]]:
    """Yield ``count`` images of graphene, as a sum of atoms, and ``count`` of another specimen at each pixel size."""
    for place, pixel_size in enumerate(PIXEL_SIZES):
        for number in range(count):
            for name in ("graphene-atoms", other):
                seed = FIRST_SEED + 1000 * place + number
                yield name, pixel_size, specimen.draw(name, size, pixel_size, seed)


def others(name: str, count: int, size: int = 256) -> Iterator[Array]:
    """Yield ``count`` images of a specimen of :data:`OTHERS`, between 0.03 and 0.4 Å a pixel, stretched to [0, 1]."""
    for number, pixel_size in enumerate(np.geomspace(0.03, 0.4, count + 2)[1:-1]):
        yield specimen.scale(specimen.draw(name, size, float(pixel_size), FIRST_SEED + number).image)


MICROSCOPES = {
    f"{kind}{microscope}": (kind, microscope) for kind in ("hr", "lr") for microscope in ("tem", "stem", "sem")
}
"""The models of whole microscopes: the specimens that each is for, and the noise."""

TOGETHER = {
    "general": tuple(MICROSCOPES),
    "fast": tuple(MICROSCOPES),
    "lr": tuple(name for name in MICROSCOPES if name.startswith("lr")),
}
"""Models that are for several of these at once."""


def validation(model: str, count: int = 200, size: int = 256) -> Iterator[tuple[Array, Array]]:
    """Yield pairs (clean, noisy) of a model of :data:`MICROSCOPES`: Lobato's specimens and microscopes, unseen.

    Pixels of 0.03 to 0.4 Å; the clean image of ``tem`` has the camera's blur.
    """
    kind, family = MICROSCOPES[model]
    for number in range(count):
        rng = np.random.Generator(np.random.PCG64([FIRST_SEED, number]))
        pixel_size = float(np.exp(rng.uniform(np.log(0.03), np.log(0.4))))
        clean = specimen.SPECIMENS[kind](rng, size, pixel_size).image
        if family == "tem":
            clean = np.maximum(mtf.blur(clean, mtf.draw(rng)), np.float32(0.0))
        microscope = noise.FAMILIES[family](pixel_size=pixel_size)  # type: ignore[call-arg]
        yield clean, noise.apply(clean, microscope, FIRST_SEED + number)


SHORT_CONTRASTS = (0.1, 0.2, 0.4, 0.6)
"""Contrasts of the particles that ``low_dose_scores`` looks at."""

SHORT_NM = 3.0
"""Nanometres a pixel there: a field of 1.5 micrometres."""


def low_dose_scores(
    restore: Restore, contrast: float, dose: float = 5.0, count: int = 12, size: int = 512, *, fit: bool = False
) -> dict[str, float | int | None]:
    """Score short exposures of balls of 30 to 200 nm in bright field: MAE, PSNR, and what becomes of particles.

    Intensities are in parts of each true image's range, as in Katsuno (2021); particles as :mod:`particles` counts and
    measures them, of all images together, and those that the electrons show by `particles.SUPPORTED` standard errors or
    more. ``dose`` is in electrons a pixel where nothing takes any away. ``fit`` fits diameters to the noisy image too.
    """
    values: dict[str, list[float]] = {}
    compared = []
    for number in range(count):
        rng = np.random.Generator(np.random.PCG64([FIRST_SEED, number]))
        clean = survey.dispersed(rng, size, SHORT_NM, contrast, round_share=1.0).image * np.float32(dose)
        noisy = noise.apply(clean / np.float32(dose), noise.Poisson(dose), FIRST_SEED + number) * np.float32(dose)
        restored = restore(noisy)
        low, span = float(clean.min()), float(np.ptp(clean))
        truth = (clean - low) / span
        for name, image in (("noisy", noisy), ("restored", restored)):
            test = (image - low) / span
            values.setdefault(f"mae_{name}", []).append(metrics.mae(truth, test))
            values.setdefault(f"psnr_{name}", []).append(metrics.psnr(truth, test, 1.0))
        compared.append(particles.compare(clean, restored, electrons=1.0, noisy=noisy if fit else None))
    return {name: float(np.mean(found)) for name, found in values.items()} | particles.summary(compared)


def fitted(truth: Array, image: Array) -> Array:
    """Bring an image to the scale of the truth by the line that fits best, as a microscope's scale says nothing."""
    design = np.stack([image.ravel(), np.ones(image.size, np.float32)], axis=1).astype(np.float64)
    slope, offset = np.linalg.lstsq(design, truth.ravel().astype(np.float64), rcond=None)[0]
    line: Array = (slope * image + offset).astype(np.float32)
    return line


def microscope_scores(restore: Restore, model: str, count: int = 200) -> dict[str, float]:
    """Mean PSNR (dB) and MS-SSIM of validation pairs after :func:`fitted`, of the noisy and the restored images.

    The range of intensities is that of each true image; those without contrast do not count.
    """
    values: dict[str, list[float]] = {}
    for clean, noisy in validation(model, count):
        if np.ptp(clean) < 1e-3:
            continue
        for name, image in (("noisy", noisy), ("restored", restore(noisy))):
            line, span = fitted(clean, image), float(np.ptp(clean))
            values.setdefault(f"psnr_{name}", []).append(metrics.psnr(clean, line, data_range=span))
            values.setdefault(f"ms_ssim_{name}", []).append(metrics.ms_ssim(clean, line, data_range=span))
    return {name: float(np.mean(found)) for name, found in values.items()}


def distort(clean: Array, family: str, level: float, seed: int) -> Array:
    """Add one draw of a model's noise family as ``temclean simulate`` does.

    That of ``bbg-keep`` is ``bbg``; for ``lde``, ``n2a`` and models of whole microscopes electrons are counted.
    """
    if family in {*MICROSCOPES, *TOGETHER, "lde", "n2a"}:
        family = "poisson"
        level = 1.0 / level**2  # electrons whose scatter at intensity 1 is the level
    noisy: Array = noise.apply(clean, noise.FAMILIES[family.removesuffix("-keep")](level), seed)
    return noisy


def target(clean: Array, family: str, level: float, seed: int) -> Array:
    """Return what a model should make of ``distort``: the clean image, for ``bbg-keep`` under its background."""
    if family != "bbg-keep":
        return clean
    lit: Array = noise.background(clean, noise.BackgroundBrightness(level), seed)
    return lit


def patches(image: Array, count: int = 8) -> Array:
    """Slice an image into ``count`` x ``count`` patches (count^2, H / count, W / count), row by row."""
    rows, columns = (length // count for length in image.shape)
    return image.reshape(count, rows, count, columns).swapaxes(1, 2).reshape(-1, rows, columns)


def joined(parts: Array) -> Array:
    """Put the patches of a square grid together again."""
    count = math.isqrt(len(parts))
    rows, columns = parts.shape[1:]
    return parts.reshape(count, count, rows, columns).swapaxes(1, 2).reshape(count * rows, count * columns)


def in_patches(restore: Restore, image: Array) -> Array:
    """Restore an image as Chae 2025 does: 8 x 8 patches, each one by itself, put together again."""
    return joined(np.stack([restore(np.ascontiguousarray(part)) for part in patches(image)]))


def regional_brightness(truth: Array, restored: Array, window: int = 64) -> float:
    """Return the correlation of the local means of two images (H, W), in windows of ``window`` pixels a side."""
    rows, columns = (length // window for length in truth.shape)
    means = [
        image[: rows * window, : columns * window].reshape(rows, window, columns, window).mean(axis=(1, 3)).ravel()
        for image in (truth, restored)
    ]
    return float(np.corrcoef(means)[0, 1])


def similarity(restore: Restore, family: str, level: float, count: int = 4, size: int = 512) -> dict[str, float]:
    """Mean MS-SSIM of restored held-out images, over all and for each kind and pixel size.

    Returns a dictionary with the keys ``all``, ``graphene-atoms``, ``scene``, ``scene 0.05`` .... The other images
    of ``bbg`` are ``atoms``: what its noise hides of shapes and dark atoms is lost, and no measure of a model.
    """
    values: dict[str, list[float]] = {}
    other = "atoms" if family == "bbg" else "scene"
    for number, (name, pixel_size, truth) in enumerate(held_out(count, size, other)):
        restored = restore(distort(truth.image, family, level, FIRST_SEED + number))
        wanted = target(truth.image, family, level, FIRST_SEED + number)
        value = metrics.ms_ssim(wanted, restored, data_range=1.0)
        for key in ("all", name, f"{name} {pixel_size:.2f}"):
            values.setdefault(key, []).append(value)
    return {key: float(np.mean(found)) for key, found in values.items()}


def kept_graphene(pixel_size: float, size: int = 1024, seed: int = GRAPHENE_SEED) -> specimen.Specimen:
    """Draw graphene from first principles, of the structure that no training run sees."""
    return specimen.graphene(np.random.Generator(np.random.PCG64(seed)), size, pixel_size, [densities.COUNT - 1])


def graphene_scores(
    restore: Restore, family: str, pixel_size: float, levels: Sequence[float], count: int = 2, size: int = 1024
) -> dict[float, float]:
    """Mean MS-SSIM of restored images, ``size`` pixels a side, of ``kept_graphene``, by level."""
    scores = {}
    for level in levels:
        values = []
        for number in range(count):
            seed = GRAPHENE_SEED + number
            clean = kept_graphene(pixel_size, size, seed).image
            restored = restore(distort(clean, family, level, seed))
            values.append(metrics.ms_ssim(target(clean, family, level, seed), restored, data_range=1.0))
        scores[level] = float(np.mean(values))
    return scores


def find_spots(image: Array, smoothing_px: float, prominence: float) -> NDArray[np.float64]:
    """Find bright spots (N, 2): maxima that stand out of their surroundings by at least ``prominence``."""
    from scipy import ndimage
    from skimage.morphology import h_maxima

    smooth = ndimage.gaussian_filter(image.astype(np.float64), smoothing_px)
    labels, count = ndimage.label(h_maxima(smooth, prominence), np.ones((3, 3)))
    return np.array(ndimage.center_of_mass(labels > 0, labels, range(1, count + 1))).reshape(-1, 2)


def matched(found: NDArray[np.float64], wanted: NDArray[np.float64], distance: float) -> int:
    """Count the rows of ``found`` that have a row of ``wanted`` within ``distance``."""
    if not len(found) or not len(wanted):
        return 0
    gaps = np.linalg.norm(found[:, None] - wanted[None], axis=-1)
    return int((gaps.min(axis=1) <= distance).sum())


def empty_fields(family: str, level: float, count: int, size: int = 512) -> Iterator[Array]:
    """Yield noisy images of nothing: noise alone and an even grey, ``count`` draws of each.

    Where the family has Gaussian noise, also of noise alone that is not cut off at 0.
    """
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        for grey in (0.0, 0.5):
            yield distort(np.full((size, size), grey, np.float32), family, level, seed)
        if family != "sp":
            yield noise.apply(np.zeros((size, size), np.float32), noise.Gaussian(level, clip=False), seed)


def invented(restored: Array, level: float) -> int:
    """Count the spots in an image (H, W) that should have none: what rises 3 sigma of its noise above the median."""
    from scipy import ndimage

    return int(ndimage.label(restored - np.median(restored) > 3.0 * level)[1])


def share_found(sought: Array, where: Array, spacing: float, prominence: float) -> tuple[int, int]:
    """Count the clear spots of one image, off its border, and how many of them the other image shows at all.

    Spots match within 0.3 of ``spacing``, the distance of nearest columns in pixels. To be shown at all takes a
    prominence of 0.03, so that a spot at the threshold is not lost to rounding.
    """
    clear, faint = (find_spots(image, 0.1 * spacing, height) for image, height in ((sought, prominence), (where, 0.03)))
    inner = clear[((clear > 0.5 * spacing) & (clear < len(sought) - 1 - 0.5 * spacing)).all(axis=1)]
    return matched(inner, faint, max(1.5, 0.3 * spacing)), len(inner)


def spots(
    restore: Restore, family: str, level: float = 0.2, count: int = 3, size: int = 256, *, standing: bool = False
) -> dict[str, list[float]]:
    """Precision and recall of the columns of each plane lattice, restored against clean: ``{lattice: [p, r]}``.

    Columns count if they stand out of the saddle to their neighbours by as much as the noise, ``level`` (at 0.2 about
    the dip at which Rayleigh calls two points resolved). With ``standing``, recall is of the columns that do so under
    the background of ``bbg`` too, without noise: of the others it leaves nothing.
    """
    result = {}
    for place, kind in enumerate(BRAVAIS):
        precise, recalled = np.zeros(2), np.zeros(2)
        for number in range(count * len(PIXEL_SIZES)):
            seed = FIRST_SEED + 100_000 * (place + 1) + number
            truth = specimen.draw(kind, size, PIXEL_SIZES[number % len(PIXEL_SIZES)], seed)
            restored = restore(distort(truth.image, family, level, seed))
            gaps = np.linalg.norm(truth.positions[:, None] - truth.positions[None], axis=-1)
            spacing = float(np.median(np.sort(gaps, axis=1)[:, 1]))
            wanted = target(truth.image, family, level, seed)
            precise += share_found(restored, wanted, spacing, level)
            left = noise.background(truth.image, noise.BackgroundBrightness(level), seed) if standing else wanted
            recalled += share_found(left, restored, spacing, level)
        result[kind] = [float(hits / max(total, 1)) for hits, total in (precise, recalled)]
    return result
