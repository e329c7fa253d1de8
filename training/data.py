"""What pairs to train on are made of: scenes, crops of them, their intensities and noise; without torch."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from temclean import noise, specimen
from temclean.evidence import lag
from temclean.noise import mtf, postprocess
from temclean.restoration import scaling
from temclean.restoration.inference import REACH
from temclean.specimen import Specimen, densities, phase
from temclean.specimen.truth import stretched

Array = NDArray[np.float32]

PERCENTILES = (0.5, 99.5)
"""Percentiles of the noisy image that become 0 and 1; written into each model's metadata for the pipeline."""

TRAINING_STRUCTURES = range(densities.COUNT - 1)
"""Structures of :mod:`temclean.specimen.densities` that networks see; the last is kept for tests."""

INVERTIBLE = {"graphene", "graphene-defects"}
"""Specimens that are drawn bright only, and shown dark at times."""

STRETCHED = {"phase", "supported", "hr", "lr", "bn", "mos2", "crystal", "amorphous", "points", "fringes"}
"""Specimens with a contrast of their own, which simple noise would drown: they are stretched to any part of [0, 1]."""

MICROSCOPES = {name for name, kind in noise.FAMILIES.items() if issubclass(kind, noise.Microscope)}

SCANNED = {"stem", "sem"}
"""Those of a beam that scans, whose detector's lag the pipeline undoes before a network sees the image."""

LARGE = {"lr", "faint", "rough"}
"""Specimens of low magnification, drawn in pixels of any size to :data:`LARGEST_PIXELS`: a beam strays by ångströms,
which such pixels do not show."""

LARGEST_PIXELS = 30.0
"""Å a pixel of :data:`LARGE`, at most."""

SUPPORTED = (0.2, 0.6)
"""Å a pixel of ``supported``: coarse pixels, in which a lattice still shows beside the grain of its film."""

COUNTS = (0.3, 3000.0)
"""Electrons a pixel at intensity 1 of ``poisson``, drawn evenly on a logarithmic scale."""

STRAYED, STRAYS = 0.7, (0.1, 3.0)
"""Share of the scanned crops whose beam strays, at its widest, by pixels (root mean square) drawn evenly on a
logarithmic scale; in the others by ångströms, as :mod:`temclean.noise.priors` has it, up to the larger number."""

SHORT = (0.7, 25.0)
"""The same of ``short``, exposures of a few milliseconds."""


HALF_DEAD = 0.4
"""Share of the impulses of ``between`` of those of others: they are harder to tell."""


@dataclass(frozen=True)
class DataOptions:
    """What the pairs are made of.

    Attributes
    ----------
    noises : the share of each noise: ``bbg-keep``, ``short`` (:func:`expose`) and keys of
        :data:`temclean.noise.FAMILIES`.
    specimens : the share of each specimen: keys of :data:`temclean.specimen.SPECIMENS`; ``dense``, lattices of 0.14 Å
        a pixel or more, whose columns are the first to be lost; ``empty``, nothing at all, so that noise alone does not
        become spots; ``supported``, particles on an amorphous film in phase contrast, in pixels of :data:`SUPPORTED`.
    levels : lowest and highest noise level C, whose square root is drawn evenly, so that weak noise is not rare; of
        ``short`` users are only told.
    pixel_sizes : smallest and largest pixel size in Å, drawn evenly on a logarithmic scale.
    crop : side of a crop in pixels.
    batch : crops in a batch.
    bank : most scenes kept in memory.
    first : scenes to begin with; while there is room, a new one is added, later it takes the place of another.
    scene : side of a scene in pixels.
    renewal : scenes drawn for each batch.
    clip : share of crops whose noise is cut at 0 and 1, as in the paper; the others come from an unsaturated detector.
    wider : share of crops that are normalised as if they were part of a larger image.
    room : share of the range left at either end where noise is not cut off, as the pipeline leaves it; the model's
        metadata says the same.
    coarse : share of ``graphene`` at 0.07 Å a pixel or more, in which there is more to restore; else from
        ``pixel_sizes``, in either case up to 0.2 Å.
    dark : share of :data:`INVERTIBLE` that are inverted.
    grainy : share of crops whose Gaussian noise has something in common with the next pixels, as that of scanned images
        has.
    smooth : share of the backgrounds of ``bbg`` and ``bbg-keep`` that do not jump between patches.
    reflected : share of crops that go on by reflection below and on the right, as the pipeline has images do whose
        sides are no multiples of what the network takes; the others are cut.
    multiple : what the network takes sides to be multiples of.
    apart : share of crops of ``gsp`` whose impulses have a level of their own, which is 0 for a third of these.
    between : share of crops with impulses in which half of the impulses have any value, as of a bad detector.
    blurred : share of the crops of ``tem`` that a camera's transfer function blurs, noise aside.

    Impulses are drawn at 0 and 1 exactly, and their share is mostly above the percentiles of the normalisation; so
    crops with impulses are always cut, and never normalised more widely. Whole microscopes (``tem``, ``stem``,
    ``sem``) draw their own dose, so that levels and clip are nothing to them, and what users do to images afterwards is
    done to their pairs.
    """

    noises: dict[str, float]
    specimens: dict[str, float] = field(default_factory=lambda: {"scene": 1.0})
    levels: tuple[float, float] = (0.03, 0.42)
    pixel_sizes: tuple[float, float] = (0.03, 0.4)
    crop: int = 128
    batch: int = 16
    bank: int = 384
    first: int = 384
    scene: int = 288
    renewal: float = 0.5
    clip: float = 0.75
    wider: float = 0.25
    room: float = 0.0
    coarse: float = 0.0
    dark: float = 0.3
    grainy: float = 0.0
    smooth: float = 0.6
    reflected: float = 0.25
    multiple: int = 32
    apart: float = 0.0
    between: float = 0.0
    blurred: float = 0.7


def chosen(shares: dict[str, float], rng: np.random.Generator) -> str:
    """Draw a name by its share; shares need not add up to 1."""
    edges = np.cumsum(list(shares.values()))
    return list(shares)[int(np.searchsorted(edges, rng.uniform(0.0, edges[-1]), side="right"))]


def light(image: Array, rng: np.random.Generator, smooth: float) -> Array:
    """Lay one draw of the background of ``bbg`` over a crop, without noise; ``smooth`` is the chance of no jumps."""
    patches = int(rng.choice([1, 2, 3, 4, 6]))
    background = noise.BackgroundBrightness(0.0, patches=patches, smooth=bool(rng.random() < smooth))
    return noise.background(image, background, int(rng.integers(2**63)))


def grain(shape: tuple[int, ...], level: float, rng: np.random.Generator) -> Array:
    """Draw Gaussian noise of a standard deviation that decays into the next pixels of its row, its column, or both."""
    drawn = noise.apply(np.zeros(shape, np.float32), noise.Gaussian(level, clip=False), int(rng.integers(2**63)))
    which = int(rng.integers(3))
    for along_rows in ([True], [True, False], [False])[which]:
        decay = noise.FastScan(detector=0.0, decay=rng.uniform(0.3, 1.2), period=1e6, phase=np.pi / 2)
        drawn = noise.apply(drawn if along_rows else np.ascontiguousarray(drawn.T), decay, 0)
        drawn = drawn if along_rows else drawn.T
    return drawn * np.float32(level / drawn.std())


def add_noise(image: Array, level: float, grainy: bool, clip: bool, rng: np.random.Generator) -> Array:
    """Add one draw of Gaussian noise to a crop, white or with grain."""
    if not grainy:
        return noise.apply(image, noise.Gaussian(level, clip=clip), int(rng.integers(2**63)))
    noisy: Array = image + grain(image.shape, level, rng)
    return np.clip(noisy, 0.0, 1.0) if clip else noisy


def add_impulses(image: Array, level: float, rng: np.random.Generator) -> Array:
    """Hit a share of the pixels of a crop, ``level``, with salt and pepper."""
    hit: Array = noise.apply(image, noise.SaltPepper(level), int(rng.integers(2**63)))
    return hit


def count(image: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Make a pair of a crop of counted electrons, (noisy, clean), half of them on an even ground of some brightness."""
    if rng.random() < 0.5:
        ground = rng.uniform(0.0, 0.8)
        image = np.float32(ground) + np.float32(1.0 - ground) * image
    level = float(np.exp(rng.uniform(*np.log(COUNTS))))
    return noise.apply(image, noise.Poisson(level), int(rng.integers(2**63))), image


def expose(image: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Make a pair of a crop as a camera takes it in a few milliseconds, and in seconds: (noisy, clean).

    Four in ten cameras count; the others spread each electron, which blurs both images, the noise of the short one too,
    and add up to half an electron of noise.
    """
    level = float(np.exp(rng.uniform(*np.log(SHORT))))
    noisy = noise.apply(image, noise.Poisson(level), int(rng.integers(2**63)))
    if rng.random() < 0.4:
        return noisy, image
    transfer = mtf.draw(rng)
    read = noise.Gaussian(rng.uniform(0.0, 0.5) / level, clip=False)
    return noise.apply(mtf.blur(noisy, transfer), read, int(rng.integers(2**63))), mtf.blur(image, transfer)


def steadied(chain: noise.Chain, rng: np.random.Generator) -> noise.Chain:
    """Return a microscope's steps with a beam that strays as far as :data:`STRAYS` says, alike in all else."""
    widest = max((step.strays for step in chain.steps if isinstance(step, noise.Jitter)), default=0.0)
    if not widest:
        return chain
    wanted = float(np.exp(rng.uniform(*np.log(STRAYS)))) if rng.random() < STRAYED else min(widest, STRAYS[1])
    return noise.Chain(
        tuple(
            replace(step, **{name: getattr(step, name) * wanted / widest for name in ("x", "y", "line")})
            if isinstance(step, noise.Jitter)
            else step
            for step in chain.steps
        )
    )


def record(image: Array, family: str, pixel_size: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Make a pair of a crop as a microscope and its user would: (noisy, clean), the clean one altered as users do."""
    if rng.random() < 0.3:
        image = image + np.float32(rng.uniform(0.0, 2.0) * float(image.mean()))
    kind = noise.FAMILIES[family](pixel_size=pixel_size)  # type: ignore[call-arg]
    chain = steadied(kind.draw(image, int(rng.integers(2**63))), rng)
    noisy = noise.apply(image, chain, int(rng.integers(2**63)))
    clean, noisy = postprocess.draw_all(image, noisy, rng)
    weights = lag.measure(noisy[None]) if family in SCANNED else ()
    return (lag.undo(noisy, weights) if weights else noisy), clean


def reflect(image: Array, kept: tuple[int, int]) -> Array:
    """Replace what lies below the kept rows and right of the kept columns by their reflection, noise and all."""
    below, right = (length - keep for length, keep in zip(image.shape, kept, strict=True))
    return np.pad(image[: kept[0], : kept[1]], ((0, below), (0, right)), mode="reflect")


def normalisation(noisy: Array, room: float, wider: bool, rng: np.random.Generator) -> tuple[float, float]:
    """Choose what becomes 0 and 1: what the pipeline would choose for the crop, or for some larger image around it."""
    scale = scaling.measure(noisy[None], *PERCENTILES, room)
    low, high = scale.low, scale.high
    if wider:
        span = high - low
        low, high = low - rng.uniform(0.0, 0.3) * span, high + rng.uniform(0.0, 0.4) * span
    return low, max(high, low + 1e-3)


def draw_scene(options: DataOptions, rng: np.random.Generator) -> Specimen:
    """Draw one clean scene."""
    smallest, largest = options.pixel_sizes
    name = chosen(options.specimens, rng)
    if name == "dense":
        smallest = 0.14
    elif name == "graphene":
        smallest, largest = 0.07 if rng.random() < options.coarse else smallest, 0.2
    elif name == "supported":
        smallest, largest = SUPPORTED
    elif name in LARGE:
        largest = max(largest, LARGEST_PIXELS)
    pixel_size = float(np.exp(rng.uniform(np.log(smallest), np.log(largest))))
    if name == "empty":
        nothing = np.zeros((options.scene, options.scene), np.float32)
        return Specimen(nothing, pixel_size, np.zeros((0, 2)), np.zeros(0, np.float32))
    if name == "graphene":
        scene = specimen.graphene(rng, options.scene, pixel_size, TRAINING_STRUCTURES)
    elif name == "supported":
        scene = phase.draw(rng, options.scene, pixel_size, "particles")
    else:
        scene = specimen.SPECIMENS["lattice" if name == "dense" else name](rng, options.scene, pixel_size)
    if name in STRETCHED:
        low, high = np.sort(rng.uniform(0.0, 1.0, 2)) if rng.random() < 0.5 else (0.0, 1.0)
        scene = replace(scene, image=np.float32(low) + np.float32(high - low) * stretched(scene.image))
    if name in INVERTIBLE and rng.random() < options.dark:
        scene = replace(scene, image=1.0 - scene.image, polarity=-scene.polarity)
    return scene


def scene_of(options: DataOptions, key: tuple[int, ...]) -> Specimen:
    """Draw the scene of a key of some numbers, which is always the same."""
    return draw_scene(options, np.random.Generator(np.random.PCG64(key)))


def rare(scene: Specimen) -> Array:
    """Tell where a lattice is not like itself, (size, size): 1 about each vacancy, dopant and interstitial, else 0.

    Disks reach half as far as the nearest neighbour of the middle column.
    """
    size = len(scene.image)
    mask = np.zeros((size, size), np.float32)
    places = scene.vacancies
    if scene.marks.size:
        places = np.concatenate([places, scene.positions[scene.marks > 0]])
    if not len(places) or len(scene.positions) < 3:
        return mask
    gap = float(np.median(cKDTree(scene.positions).query(scene.positions, 2)[0][:, 1]))
    reach = max(0.5 * gap, 1.5)
    side = int(np.ceil(reach))
    y, x = np.mgrid[-side : side + 1, -side : side + 1]
    for place in places:
        rows, columns = y + round(place[0]), x + round(place[1])
        near = (rows - place[0]) ** 2 + (columns - place[1]) ** 2 <= reach**2
        near &= (rows >= 0) & (rows < size) & (columns >= 0) & (columns < size)
        mask[rows[near], columns[near]] = 1.0
    return mask


def cut(scene: Specimen, options: DataOptions, rng: np.random.Generator) -> Array:
    """Cut a random crop from a scene, mirrored and turned at random: (2, crop, crop), the image and :func:`rare`."""
    top, left = rng.integers(0, options.scene - options.crop + 1, 2)
    both = np.stack([scene.image, rare(scene)])
    both = both[:, top : top + options.crop, left : left + options.crop]
    both = np.rot90(both, rng.integers(4), axes=(1, 2))
    return np.ascontiguousarray(both[:, ::-1] if rng.random() < 0.5 else both)


def distorted(
    clean: Array, family: str, pixel_size: float, options: DataOptions, rng: np.random.Generator
) -> tuple[Array, Array, bool]:
    """Add one draw of a noise to a crop: (noisy, clean), and whether impulses hit it."""
    if family in MICROSCOPES:
        if family == "tem" and rng.random() < options.blurred:
            clean = np.maximum(mtf.blur(clean, mtf.draw(rng)), np.float32(0.0))
        return *record(clean, family, pixel_size, rng), False
    if family == "poisson":
        return *count(clean, rng), False
    if family == "short":
        return *expose(clean, rng), False
    level = hits = float(rng.uniform(*np.sqrt(options.levels)) ** 2)
    if family == "gsp" and rng.random() < options.apart:
        hits = 0.0 if rng.random() < 1 / 3 else rng.uniform(0.0, options.levels[1])
    impulses = family in {"sp", "gsp"} and hits > 0.0
    clip = impulses or bool(rng.random() < options.clip)
    lit = light(clean, rng, options.smooth) if family in {"bbg", "bbg-keep"} else clean
    clean = lit if family == "bbg-keep" else clean
    noisy = lit if family == "sp" else add_noise(lit, level, rng.random() < options.grainy, clip, rng)
    if impulses:
        between = options.between > 0.0 and rng.random() < options.between
        before, noisy = noisy, add_impulses(noisy, hits * HALF_DEAD if between else hits, rng)
        if between:
            hit = (noisy != before) & (rng.random(noisy.shape) < 0.5)
            noisy[hit] = rng.random(np.count_nonzero(hit))
    return noisy, clean, impulses


def pair(scene: Specimen, options: DataOptions, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Make one normalised pair (noisy, clean) of a crop of a scene, and tell where it is :func:`rare`."""
    clean, unlike = cut(scene, options, rng)
    noisy, clean, impulses = distorted(clean, chosen(options.noises, rng), scene.pixel_size, options, rng)
    if rng.random() < options.reflected:
        rows, columns = options.crop - rng.integers(options.multiple, size=2)
        noisy, clean, unlike = (reflect(each, (rows, columns)) for each in (noisy, clean, unlike))
    room = 0.0 if impulses else options.room
    low, high = normalisation(noisy, room, not impulses and bool(rng.random() < options.wider), rng)
    noisy, clean = (np.clip((each - low) / (high - low), -REACH, 1.0 + REACH) for each in (noisy, clean))
    return noisy.astype(np.float32), clean.astype(np.float32), unlike
