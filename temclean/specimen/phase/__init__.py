"""Phase contrast: what a transmission microscope makes of thin specimens, atoms white or dark, ringed, delocalised.

``draw`` makes an image: ``scenes`` draw specimens as ``potentials`` on a ``grid``, ``microscope`` has the transfer
function.
"""

import numpy as np
from numpy.typing import NDArray

from temclean.specimen.coherent.kinds import inner
from temclean.specimen.geometry import waves
from temclean.specimen.phase.grid import grid_of
from temclean.specimen.phase.microscope import (
    Microscope,
    draw_microscope,
    interaction,
    strong,
    wavelength,
    weak,
)
from temclean.specimen.phase.scenes import SCENES, Exit
from temclean.specimen.truth import Specimen

__all__ = ["SCENES", "Microscope", "draw", "interaction", "wavelength"]

CHANCES = ((0.35, (0.32, 0.3, 0.25, 0.13)), (0.6, (0.08, 0.3, 0.42, 0.2)), (np.inf, (0.0, 0.1, 0.6, 0.3)))
"""Up to which pixel size in Å how often each of :data:`SCENES` is drawn; coarse pixels do not show atoms."""


def draw(rng: np.random.Generator, size: int, pixel_size: float, kind: str | None = None) -> Specimen:
    """Draw a specimen of :data:`SCENES` as a random microscope shows it: weak phase object or, half, phase object.

    The image is the number of electrons relative to the brightest pixel, so its contrast is as low as real ones are.

    Parameters
    ----------
    size : pixels along each side.
    pixel_size : Å a pixel.

    Raises
    ------
    ParameterError : the image would hold millions of atoms.
    """
    chances = next(shares for limit, shares in CHANCES if pixel_size <= limit)
    kind = kind or str(rng.choice(list(SCENES), p=chances))
    grid = grid_of(size, pixel_size)
    specimen = SCENES[kind](rng, grid)
    microscope = seeing(rng, specimen.detail)
    spectrum = specimen.potential * np.float32(interaction(microscope.energy))
    render = strong if rng.random() < 0.5 else weak
    image = grid.seen(render(spectrum, grid.shape, grid.step, microscope))
    least = float(image.min())
    if least < 0.05:
        image = np.float32(1.0) + (image - 1.0) * np.float32(0.95 / (1.0 - least))
    return finished(rng, image, specimen, pixel_size)


def seeing(rng: np.random.Generator, detail: float) -> Microscope:
    """Draw a microscope until one passes a twentieth or more of what has a spacing of ``detail`` Å."""
    microscope = draw_microscope(rng)
    for _ in range(20):
        if not detail or microscope.envelope(np.zeros(1), np.full(1, 1.0 / detail))[0] >= 0.05:
            break
        microscope = draw_microscope(rng)
    return microscope


def finished(rng: np.random.Generator, image: NDArray[np.float32], specimen: Exit, pixel_size: float) -> Specimen:
    """Darken what is thick (half), light the field unevenly (0.3), and tell whether atoms are white or dark."""
    size = len(image)
    if specimen.thick is not None and rng.random() < 0.5:
        image = image * np.exp(np.float32(-rng.uniform(0.0, 0.4)) * specimen.thick)
    if rng.random() < 0.3:
        light, _ = waves(rng, size, 3.0 * size, size, 1.0)
        image = image * np.maximum(1.0 + np.float32(rng.uniform(0.0, 0.1)) * light, 0.3)
    columns = specimen.columns
    kept = columns[inner(columns.positions, size)]
    rows, places = np.clip(np.rint(kept.positions), 0, size - 1).astype(np.intp).T
    polarity = -1 if len(rows) and float(image[rows, places].mean()) < float(image.mean()) else 1
    peak = (kept.peak / kept.peak.max(initial=1e-30)).astype(np.float32)
    vacancies = kept.vacancies[inner(kept.vacancies, size)]
    image = np.clip(image / max(float(image.max()), 1e-6), 0.0, 1.0).astype(np.float32)
    return Specimen(image, pixel_size, kept.positions, peak, polarity, kept.marks, vacancies)
