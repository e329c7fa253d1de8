"""What users do to an image after it was recorded, for training pairs: interpolate, blur, annotate, crop.

Post-processing distortions of Lobato, Friedrich and Van Aert 2024, "Deep convolutional neural networks to restore
single-shot electron microscopy images". All but the blur change both images of a pair alike, so that a network learns
to keep them. The paper gives the kinds and the blur's range; every other range and probability is ours.

Images are float32 (H, W) of any scale, the two of a pair of the same shape; the images given are not changed. Lengths
are in pixels.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from temclean import filters
from temclean.errors import ParameterError

Image = NDArray[np.float32]
Pair = tuple[Image, Image]
Integers = NDArray[np.intp]

Mask = NDArray[np.bool_]
Layer = tuple[Mask, float]

GLYPHS = {
    **{"0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111"},
    **{"8": "75757", "9": "75717", "A": "25755", "E": "74647", "H": "55755", "T": "72222", "V": "55552", "k": "45655"},
    **{"m": "00775", "n": "00655", "u": "00557", "x": "00525", "=": "07070", ".": "00002", " ": "00000"},
}
"""Letters of five rows, the three pixels of a row being the bits of a digit."""

CHANCES = {"interpolate": 0.15, "blur": 0.2, "crop": 0.1, "annotate": 0.15}
"""How probable :func:`draw_all` does what, in this order; ours."""


def check(clean: Image, noisy: Image) -> None:
    """Raise ParameterError unless two images make a pair."""
    if clean.ndim != 2 or clean.shape != noisy.shape or not clean.size:
        raise ParameterError(f"images of shapes {clean.shape} and {noisy.shape} are no pair; give two alike, (H, W)")


def interpolate(clean: Image, noisy: Image, rng: np.random.Generator) -> Pair:
    """Resample both images by one random linear map about their centre, bilinear or bicubic (0.5 each).

    Turned by up to 15 degrees, each axis scaled by 0.8 to 1.25, sheared by up to 0.1. Borders reflect.
    """
    check(clean, noisy)
    angle = np.radians(rng.uniform(-15.0, 15.0))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    scaled = np.diag(np.exp(rng.uniform(np.log(0.8), np.log(1.25), 2)))
    matrix = turned @ scaled @ np.array([[1.0, rng.uniform(-0.1, 0.1)], [0.0, 1.0]])
    weights = cubic if rng.random() < 0.5 else linear
    return resample(clean, matrix, weights), resample(noisy, matrix, weights)


def linear(part: Image) -> list[Image]:
    """Return the weights of the two pixels around a place, ``part`` of a pixel behind the first."""
    return [1.0 - part, part]


def cubic(part: Image) -> list[Image]:
    """Return the weights of the four pixels around a place, ``part`` of a pixel behind the second (Keys, a = -1/2)."""
    one, two, three = part, part * part, part * part * part
    return [
        0.5 * (2.0 * two - three - one),
        0.5 * (3.0 * three - 5.0 * two) + 1.0,
        0.5 * (one + 4.0 * two - 3.0 * three),
        0.5 * (three - two),
    ]


def resample(image: Image, matrix: NDArray[np.float64], weights: Callable[[Image], list[Image]] = linear) -> Image:
    """Take the image at ``centre + matrix @ (place - centre)`` for every place (y, x); borders reflect.

    The images outside are those of the mirrored image: d c b a | a b c d | d c b a.
    """
    height, width = image.shape
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    rows = (matrix[0, 0] * y + (height - 1) / 2)[:, None] + matrix[0, 1] * x
    columns = (matrix[1, 0] * y + (width - 1) / 2)[:, None] + matrix[1, 1] * x
    top, left = np.floor(rows), np.floor(columns)
    down, across = weights((rows - top).astype(np.float32)), weights((columns - left).astype(np.float32))
    first = 1 - len(down) // 2
    across_at = [mirror(left.astype(np.intp) + first + k, width) for k in range(len(across))]
    total = np.zeros_like(image)
    for k, share in enumerate(down):
        start = mirror(top.astype(np.intp) + first + k, height) * width
        total += share * sum(part * image.take(start + at) for part, at in zip(across, across_at, strict=True))
    return total


def mirror(index: Integers, length: int) -> Integers:
    """Fold indices beyond 0 and length - 1 back: -1 to 0, length to length - 1."""
    if index.min() >= 0 and index.max() < length:
        return index
    folded = index % (2 * length)
    inside: Integers = np.minimum(folded, 2 * length - 1 - folded)
    return inside


def blur(clean: Image, noisy: Image, rng: np.random.Generator) -> Pair:
    """Blur the noisy image alone by a Gaussian, sigma uniform in [0, 1] px (the paper's range)."""
    check(clean, noisy)
    return clean, filters.gaussian(noisy, rng.uniform(0.0, 1.0))


def crop(clean: Image, noisy: Image, rng: np.random.Generator) -> Pair:
    """Replace what lies outside a central rectangle by the same value in both images.

    The rectangle has 0.7 to 1 of each side, so about half of the area or more, and lies up to 0.1 off the centre; it
    is tilted by up to 15 degrees with p = 0.4. The value is the noisy image's median with p = 0.5, else its least value
    or any in its range, 0.5 each.
    """
    check(clean, noisy)
    height, width = clean.shape
    half = rng.uniform(0.7, 1.0, 2) / 2 * clean.shape
    middle = (np.array(clean.shape) - 1) / 2 + rng.uniform(-0.1, 0.1, 2) * clean.shape
    angle = np.radians(rng.uniform(-15.0, 15.0)) * (rng.random() < 0.4)
    y, x = np.arange(height)[:, None] - middle[0], np.arange(width) - middle[1]
    down, across = np.cos(angle) * y - np.sin(angle) * x, np.sin(angle) * y + np.cos(angle) * x
    outside = (np.abs(down) > half[0]) | (np.abs(across) > half[1])
    kind, place = rng.random(2)
    low, high = float(noisy.min()), float(noisy.max())
    fill = np.float32(np.median(noisy) if kind < 0.5 else low if kind < 0.75 else low + place * (high - low))
    return np.where(outside, fill, clean), np.where(outside, fill, noisy)


def annotate(clean: Image, noisy: Image, rng: np.random.Generator) -> Pair:
    """Draw one to three annotations into both images: text, outlines, arrows, scale bars, data bars.

    Each is white, black (0.4 each) or grey on the scale of the noisy image, at the same place and value in both; with
    p = 0.5 its edges are smooth: there each image shows through.
    """
    check(clean, noisy)
    low, high = float(noisy.min()), float(noisy.max())
    smooth = rng.random() < 0.5
    for _ in range(rng.integers(1, 4)):
        for mask, brightness in ANNOTATIONS[rng.integers(len(ANNOTATIONS))](clean.shape, rng):
            weight = mask.astype(np.float32)
            if smooth:
                weight = filters.convolve(weight, np.array([0.25, 0.5, 0.25], np.float32))
            value = np.float32(low + brightness * (high - low))
            clean, noisy = clean + weight * (value - clean), noisy + weight * (value - noisy)
    return clean, noisy


def any_brightness(rng: np.random.Generator) -> float:
    """Draw white, black or grey."""
    return float(rng.choice([0.0, 1.0, rng.random()], p=[0.4, 0.4, 0.2]))


def lettering(characters: str, magnification: int) -> Mask:
    """Write characters as a mask of five rows, magnified, a column of nothing after each."""
    rows = np.array([[int(digit) for digit in GLYPHS[character]] for character in characters]).T
    bits = (rows[:, :, None] >> np.array([2, 1, 0]) & 1).astype(bool)
    spaced = np.pad(bits, ((0, 0), (0, 0), (0, 1))).reshape(5, -1)
    return spaced.repeat(magnification, axis=0).repeat(magnification, axis=1)


def put(mask: Mask, part: Mask, top: int, left: int) -> None:
    """Add a small mask to a large one, as far as it lies inside."""
    target = mask[top : top + part.shape[0], left : left + part.shape[1]]
    target |= part[: target.shape[0], : target.shape[1]]


def length_text(rng: np.random.Generator) -> str:
    """Draw a length as a scale bar states it."""
    return f"{rng.choice([1, 2, 5]) * 10 ** rng.integers(0, 3)} {rng.choice(['nm', 'um'])}"


def text(shape: tuple[int, ...], rng: np.random.Generator) -> list[Layer]:
    """Draw 1 to 10 characters."""
    mask = np.zeros(shape, bool)
    characters = "".join(rng.choice(list(GLYPHS), rng.integers(1, 11)))
    top, left = (rng.uniform(0.0, 0.9, 2) * shape).astype(int)
    put(mask, lettering(characters, int(rng.integers(1, 4))), top, left)
    return [(mask, any_brightness(rng))]


def outline(shape: tuple[int, ...], rng: np.random.Generator) -> list[Layer]:
    """Draw the outline of a rectangle or of an ellipse, 1 to 3 px thick."""
    half = rng.uniform(0.05, 0.4, 2) * shape
    middle, thickness = rng.uniform(0.1, 0.9, 2) * shape, rng.integers(1, 4)
    y, x = np.abs(np.arange(shape[0])[:, None] - middle[0]), np.abs(np.arange(shape[1]) - middle[1])
    if rng.random() < 0.6:
        beyond = np.maximum(y - half[0], x - half[1])
    else:
        beyond = (np.hypot(y / half[0], x / half[1]) - 1.0) * half.min()
    return [((beyond > -thickness) & (beyond <= 0.0), any_brightness(rng))]


def arrow(shape: tuple[int, ...], rng: np.random.Generator) -> list[Layer]:
    """Draw an arrow 1 to 3 px thick."""
    tip, angle = rng.uniform(0.1, 0.9, 2) * shape, rng.uniform(0.0, 2.0 * np.pi)
    length, thickness = rng.uniform(0.1, 0.4) * max(shape), rng.uniform(1.0, 3.0)
    y, x = np.arange(shape[0])[:, None] - tip[0], np.arange(shape[1]) - tip[1]
    behind, aside = np.cos(angle) * x + np.sin(angle) * y, np.abs(np.cos(angle) * y - np.sin(angle) * x)
    head = 2.0 + 2.0 * thickness
    shaft = (behind >= 0.0) & (behind <= length) & (aside <= thickness / 2)
    return [(shaft | ((behind >= 0.0) & (behind <= head) & (aside <= 0.5 * behind)), any_brightness(rng))]


def scale_bar(shape: tuple[int, ...], rng: np.random.Generator) -> list[Layer]:
    """Draw a scale bar near the bottom, with its length above it; with p = 0.3 on a plate of another brightness."""
    height, width = shape
    mask, plate = np.zeros(shape, bool), np.zeros(shape, bool)
    letters = lettering(length_text(rng), int(rng.integers(1, 3)))
    length, thickness = int(rng.uniform(0.1, 0.4) * width), int(rng.integers(2, 6))
    top = max(int(rng.uniform(0.85, 0.95) * height), 0)
    left = int(rng.uniform(0.03, 0.6) * width)
    mask[top : top + thickness, left : left + length] = True
    above = max(top - len(letters) - 2, 0)
    put(mask, letters, above, left)
    brightness = any_brightness(rng)
    if rng.random() < 0.3:
        plate[max(above - 2, 0) : top + thickness + 2, max(left - 3, 0) : left + max(length, letters.shape[1]) + 3] = (
            True
        )
    return [(plate, 1.0 - brightness), (mask, brightness)]


def data_bar(shape: tuple[int, ...], rng: np.random.Generator) -> list[Layer]:
    """Draw the strip with figures that SEM software adds at the bottom."""
    mask, strip = np.zeros(shape, bool), np.zeros(shape, bool)
    magnification = int(rng.integers(1, 3))
    top = max(shape[0] - 5 * magnification - 4, 0)
    strip[top:] = True
    put(
        mask,
        lettering(f"HV={rng.integers(1, 31)} kV x{rng.integers(1, 999)}k {length_text(rng)}", magnification),
        top + 2,
        3,
    )
    brightness = float(rng.integers(2))
    return [(strip, 1.0 - brightness), (mask, brightness)]


ANNOTATIONS = [text, outline, arrow, scale_bar, data_bar]


def draw_all(clean: Image, noisy: Image, rng: np.random.Generator) -> Pair:
    """Do to a pair what :data:`CHANCES` lets happen: often nothing, at times several things.

    Parameters
    ----------
    clean, noisy : float32 (H, W), alike in shape.
    rng : where every choice comes from.

    Returns
    -------
    clean, noisy : float32 (H, W).

    Raises
    ------
    ParameterError : the two differ in shape, are empty, or are not two-dimensional.

    Examples
    --------
    >>> flat = np.ones((32, 32), np.float32)
    >>> [image.shape for image in draw_all(flat, flat, np.random.default_rng(1))]
    [(32, 32), (32, 32)]
    """
    check(clean, noisy)
    for (name, chance), drawn in zip(CHANCES.items(), rng.random(len(CHANCES)), strict=True):
        if drawn < chance:
            clean, noisy = ALTERATIONS[name](clean, noisy, rng)
    return clean, noisy


ALTERATIONS: dict[str, Callable[[Image, Image, np.random.Generator], Pair]] = {
    "interpolate": interpolate,
    "blur": blur,
    "crop": crop,
    "annotate": annotate,
}
