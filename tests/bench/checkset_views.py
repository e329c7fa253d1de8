"""What a scene of the check set is, how it is kept, and how pixels are laid over a simulated image."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from checkset_atoms import Specimen
from scipy import ndimage

SIZE = 512
"""Pixels along a side of every scene."""

WEAKEST = 0.15
"""Standard deviation over mean that phase contrast is stretched to where it is weaker: see :func:`bright_field`."""


@dataclass(frozen=True)
class Scene:
    """An image without noise, and what is known of it; places are (row, column) in pixels.

    Attributes
    ----------
    name : of the scene.
    clean : float32 (512, 512), at most 1 and nowhere negative; 0 is no electron.
    pixel_size : Å a pixel.
    microscope : ``tem`` or ``stem``.
    detail : ``hr``, columns and atoms, or ``lr``, larger shapes.
    sign : 1 where columns are bright, -1 where they are dark, 0 where none can be told.
    columns, kinds : (N, 2) places of columns and the atoms of each, such as ``O10Ti10``.
    marks, mark_kinds, hosts : (M, 2) places of defects, what they are, and the kind of column that stands there in a
        perfect crystal.
    """

    name: str
    clean: np.ndarray
    pixel_size: float
    microscope: str
    detail: str
    sign: int
    columns: np.ndarray
    kinds: np.ndarray
    marks: np.ndarray
    mark_kinds: np.ndarray
    hosts: np.ndarray


def save(scene: Scene, folder: Path) -> None:
    with (folder / f"{scene.name}.part").open("wb") as file:
        np.savez_compressed(file, **asdict(scene))
    (folder / f"{scene.name}.part").rename(folder / f"{scene.name}.npz")


def load(path: Path) -> Scene:
    with np.load(path) as kept:
        return Scene(**{name: value.item() if value.ndim == 0 else value for name, value in kept.items()})


def seen(
    name: str,
    image: np.ndarray,
    specimen: Specimen,
    pixel_size: float,
    *,
    microscope: str,
    sign: int,
    turn: float = 0.0,
    middle: tuple[float, float] | None = None,
    blur: float = 0.0,
    finish: Callable[[np.ndarray], np.ndarray] = lambda image: image,
) -> Scene:
    """Lay 512 x 512 pixels over a simulated image (y, x) that repeats, turned by ``turn`` degrees about ``middle``.

    The image is sampled at its Nyquist rate or finer, so Fourier interpolation to more samples, then cubic
    splines, give its values anywhere. ``blur`` is the standard deviation of the source in Å. A camera's pixels
    gather over their squares, a scan's do not.
    """
    box = specimen.atoms.cell.lengths()[:2]
    angle = np.deg2rad(turn)
    across = np.array([np.cos(angle), np.sin(angle)])
    down = np.array([-np.sin(angle), np.cos(angle)])
    spectrum = np.fft.fft2(image)
    ky, kx = (np.fft.fftfreq(n, length / n) for n, length in zip(image.shape, box[::-1], strict=True))
    squared = ky[:, None] ** 2 + kx**2
    spectrum *= np.exp(-2 * (np.pi * blur) ** 2 * squared)
    if microscope == "tem":
        for along in (across, down):
            spectrum *= np.sinc(pixel_size * (ky[:, None] * along[1] + kx * along[0]))
    factor = 6 if microscope == "stem" else 2
    fine = enlarged(spectrum, factor)
    centre = np.array(box / 2 if middle is None else middle)
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) * pixel_size
    x, y = (centre[axis] + steps * across[axis] + steps[:, None] * down[axis] for axis in (0, 1))
    samples = [y / box[1] * fine.shape[0], x / box[0] * fine.shape[1]]
    pixels = finish(ndimage.map_coordinates(fine, samples, order=3, mode="grid-wrap"))
    pixels = np.clip(pixels, 0, None)

    def inside(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return where places are seen (row, column), again and again as the image repeats, and which each is."""
        reach = int(np.ceil(SIZE * pixel_size / box.min())) + 1
        shift = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 2), -1).reshape(-1, 2) * box
        away = (places.reshape(-1, 1, 2) + shift - centre).reshape(-1, 2)
        found = np.stack([away @ down, away @ across], axis=1) / pixel_size + (SIZE - 1) / 2
        within = ((found >= 0) & (found <= SIZE - 1)).all(axis=1)
        return found[within], np.repeat(np.arange(len(places)), len(shift))[within]

    places, kinds = specimen.columns()
    columns, which = inside(places)
    marked = np.array([mark[:2] for mark in specimen.marks]).reshape(-1, 2)
    marks, whose = inside(marked)
    said = np.array([mark[2:] for mark in specimen.marks]).reshape(-1, 2).astype(str)
    return Scene(
        name, (pixels / pixels.max()).astype(np.float32), pixel_size, microscope, "hr", sign,
        columns, kinds[which], marks, said[whose, 0], said[whose, 1],
    )  # fmt: skip


def enlarged(spectrum: np.ndarray, factor: int) -> np.ndarray:
    """Return an image with ``factor`` times as many samples along both axes, from its Fourier transform."""
    rows, columns = spectrum.shape
    middle = np.fft.fftshift(spectrum)
    large = np.zeros((rows * factor, columns * factor), complex)
    top, left = (n * factor // 2 - n // 2 for n in (rows, columns))
    large[top : top + rows, left : left + columns] = middle
    return np.fft.ifft2(np.fft.ifftshift(large)).real * factor**2


def bright_field(image: np.ndarray) -> np.ndarray:
    """Stretch weak phase contrast about its mean, to 0.15 of it, or as far as nothing becomes negative.

    At a few electrons a pixel nobody, and no network, sees the 5% that a sheet of carbon leaves; the longer exposure
    that would show it is had with less counting.
    """
    mean = image.mean()
    most = 0.98 * mean / (mean - image.min())
    return mean + (image - mean) * min(max(1.0, WEAKEST * mean / image.std()), max(1.0, most))
