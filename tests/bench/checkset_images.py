"""The scenes of the check set that abTEM computes: multislice with frozen phonons, plane waves or PRISM.

Each function of :data:`RUNS` is one simulation and makes one or several scenes.
"""

from collections.abc import Callable

import abtem
import numpy as np
from ase import Atoms
from checkset_atoms import (
    GALLIUM_ARSENIDE_110,
    GRAPHENE,
    MOLYBDENUM_DISULPHIDE,
    STRONTIUM_TITANATE,
    Specimen,
    crystal,
    film,
    graphene_bicrystal,
    particle,
    sigma_five,
    stacked,
    with_defects,
)
from checkset_views import Scene, bright_field, seen

CARBON = ("C", 0.1, 1.35)
"""Amorphous carbon: atoms an Å³ and least distance in Å."""

THERMAL = {"C": 0.06, "O": 0.08, "Si": 0.08, "S": 0.08, "Ti": 0.07, "Ga": 0.08, "Ge": 0.08, "As": 0.08, "Sr": 0.08,
           "Mo": 0.06, "In": 0.08, "La": 0.07, "W": 0.05, "Pt": 0.06, "Au": 0.08,
           "B": 0.06, "N": 0.07, "Al": 0.1, "Cr": 0.07, "Fe": 0.07, "Co": 0.07, "Ni": 0.07, "Cu": 0.08, "Y": 0.08,
           "Pd": 0.07, "I": 0.1, "Ba": 0.09, "Ce": 0.07, "Re": 0.05, "Pb": 0.12}  # fmt: skip
"""Standard deviations of thermal motion along each axis at room temperature, Å, rounded."""


def potential(specimen: Specimen, gpts: tuple[int, int], slices: float, configurations: int) -> abtem.Potential:
    phonons = abtem.FrozenPhonons(specimen.atoms, configurations, THERMAL, seed=1)
    return abtem.Potential(
        phonons, gpts=gpts, slice_thickness=slices, projection="infinite", parametrization="lobato"
    )  # fmt: skip


def exit_waves(specimen: Specimen, volts: float, sampling: float, configurations: int = 4) -> abtem.Waves:
    gpts = tuple(int(n) for n in np.ceil(specimen.atoms.cell.lengths()[:2] / sampling / 2) * 2)
    return abtem.PlaneWave(energy=volts).multislice(potential(specimen, gpts, 2.0, configurations), lazy=False)


def hrtem(
    waves: abtem.Waves, spherical: float, defocus: float, spread: float = 25.0, convergence: float = 0.2
) -> np.ndarray:
    """Return the image (y, x): spherical aberration in µm, defocus in Å (positive under), focal spread in Å, mrad."""
    ctf = abtem.CTF(
        energy=waves.energy, Cs=spherical * 1e4, defocus=defocus, focal_spread=spread, angular_spread=convergence
    )
    image = np.asarray(waves.apply_ctf(ctf).intensity().array)
    return image.reshape(-1, *image.shape[-2:]).mean(axis=0).T


def stem(
    specimen: Specimen,
    volts: float,
    convergence: float,
    detectors: list[tuple[float, float]],
    widest: float,
    interpolation: tuple[int, int],
    configurations: int,
) -> list[np.ndarray]:
    """Return an image (y, x) for each annular detector (inner, outer; mrad), at the Nyquist rate of the probe."""
    length = specimen.atoms.cell.lengths()[:2]
    wave = 12.2643 / np.sqrt(volts * (1 + 0.978476e-6 * volts))
    gpts = [int(np.ceil(side * 3 * 1.05e-3 * widest / wave / f / 2) * 2 * f)
            for side, f in zip(length, interpolation, strict=True)]  # fmt: skip
    steps = tuple(int(n) for n in np.ceil(length * 4.1e-3 * convergence / wave / 2) * 2)
    matrix = abtem.SMatrix(
        potential=potential(specimen, tuple(gpts), 2.0, configurations),
        energy=volts, semiangle_cutoff=convergence, interpolation=interpolation,
    )  # fmt: skip
    scan = abtem.GridScan(start=(0, 0), end=tuple(length), gpts=steps, endpoint=False)
    measured = matrix.scan(scan, detectors=[abtem.AnnularDetector(*each) for each in detectors], lazy=False)
    images = measured if isinstance(measured, (list, tuple)) else [measured]
    arrays = [np.asarray(image.array) for image in images]
    return [array.reshape(-1, *array.shape[-2:]).mean(axis=0).T for array in arrays]


def graphene() -> list[Scene]:
    rng = np.random.default_rng(1)
    sheet = crystal(*GRAPHENE, (34, 20, 1))
    specimen = with_defects(sheet, rng, [("C", 8, 1.0, None), ("C", 4, 1.0, "Si")], 7.0)
    waves = exit_waves(specimen, 80e3, 0.12)
    white = hrtem(waves, -9.5, -73, spread=8)
    dark = hrtem(waves, 9.5, 73, spread=11)
    return [
        seen("graphene-corrected", white, specimen, 0.12, microscope="tem", sign=1, turn=11, finish=bright_field),
        seen("graphene-dark", dark, specimen, 0.16, microscope="tem", sign=-1, turn=-23, finish=bright_field),
    ]


def graphene_boundary() -> list[Scene]:
    specimen = graphene_bicrystal(110.0, np.deg2rad(22), np.random.default_rng(2))
    waves = exit_waves(specimen, 80e3, 0.12)
    image = hrtem(waves, -9.5, -64, spread=14)
    return [seen("graphene-boundary", image, specimen, 0.19, microscope="tem", sign=1, turn=17, finish=bright_field)]


def titanate_edge() -> list[Scene]:
    rng = np.random.default_rng(3)
    block = crystal(*STRONTIUM_TITANATE, (14, 14, 10))
    x, y, z = block.positions.T
    step = 35.0 + 3.9 * (np.sin(y / 9.0) > 0) + 0.5 * np.maximum(z - 15.0, 0)
    specimen = with_defects(block[x < step], rng, [("Sr", 5, 0.5, None), ("Sr", 4, 0.6, "La")], 8.0)
    image = hrtem(exit_waves(specimen, 300e3, 0.08), -15, -60)
    return [seen("titanate-edge", image, specimen, 0.075, microscope="tem", sign=1, turn=7, middle=(27.0, 27.0))]


def particle_scherzer() -> list[Scene]:
    rng = np.random.default_rng(4)
    box = (154.0, 154.0)
    carbon = film((*box, 30.0), *CARBON, rng)
    large = particle("Au", 4.078, 32.0, (1, 1, 0), 0.4)
    small = particle("Au", 4.078, 16.0, (1, 1, 0), 1.3)
    large.translate([62.0, 70.0, 32.0])
    small.translate([115.0, 112.0, 16.0])
    specimen = stacked(box, large + small, carbon)
    waves = exit_waves(specimen, 200e3, 0.15, 2)
    return [
        seen("gold-scherzer", hrtem(waves, 1200, 670, 40), specimen, 0.25, microscope="tem", sign=0,
             middle=(75.0, 78.0), finish=bright_field),
        seen("gold-coarse", hrtem(waves, 1200, 1500, 60), specimen, 0.45, microscope="tem", sign=0, turn=30,
             middle=(80.0, 90.0), finish=bright_field),
    ]  # fmt: skip


def particle_corrected() -> list[Scene]:
    rng = np.random.default_rng(5)
    box = (64.0, 64.0)
    specimen = stacked(box, particle("Pt", 3.924, 17.0, (1, 1, 0), 0.7), film((*box, 15.0), *CARBON, rng))
    specimen.atoms.positions[specimen.listed, :2] += 32.0
    image = hrtem(exit_waves(specimen, 300e3, 0.1), -10, -50)
    return [seen("platinum-corrected", image, specimen, 0.1, microscope="tem", sign=1, finish=bright_field)]


def amorphous() -> list[Scene]:
    rng = np.random.default_rng(6)
    box = (160.0, 160.0, 40.0)
    atoms = film(box, "Ge", 0.04, 2.2, rng)
    specimen = Specimen(atoms, np.zeros(len(atoms), bool))
    image = hrtem(exit_waves(specimen, 200e3, 0.2, 2), 1200, 900, 50)
    return [seen("germanium-film", image, specimen, 0.31, microscope="tem", sign=0, finish=bright_field)]


def gold_boundary() -> list[Scene]:
    specimen = sigma_five("Au", 4.078, 3, 6, 8)
    image = hrtem(exit_waves(specimen, 300e3, 0.1), -12, -60)
    return [seen("gold-boundary", image, specimen, 0.15, microscope="tem", sign=1, turn=5, middle=(20.0, 38.0))]


def disulphide() -> list[Scene]:
    rng = np.random.default_rng(7)
    plan: list = [("S", 6, 0.5, None), ("S", 2, 1.0, None), ("Mo", 4, 1.0, "W"), ("Mo", 2, 1.0, None)]
    specimen = with_defects(crystal(*MOLYBDENUM_DISULPHIDE, (16, 9, 1)), rng, plan, 5.0)
    (dark_field,) = stem(specimen, 60e3, 30, [(45, 95)], 100, (4, 4), 2)
    return [seen("disulphide-adf", dark_field, specimen, 0.1, microscope="stem", sign=1, turn=9, blur=0.3)]


def titanate() -> list[Scene]:
    rng = np.random.default_rng(8)
    plan: list = [("Sr", 4, 0.5, None), ("Ti", 4, 0.5, None), ("Sr", 4, 0.5, "La")]
    specimen = with_defects(crystal(*STRONTIUM_TITANATE, (10, 10, 7)), rng, plan, 7.0)
    high, bright = stem(specimen, 200e3, 20, [(60, 95), (10, 20)], 95, (4, 4), 2)
    return [
        seen("titanate-haadf", high, specimen, 0.31, microscope="stem", sign=1, turn=4, blur=0.35),
        seen("titanate-abf", bright, specimen, 0.09, microscope="stem", sign=-1, turn=-12, blur=0.25),
    ]


def arsenide() -> list[Scene]:
    rng = np.random.default_rng(9)
    plan: list = [("As", 4, 0.5, None), ("Ga", 4, 0.5, "In")]
    specimen = with_defects(crystal(*GALLIUM_ARSENIDE_110, (7, 5, 8)), rng, plan, 6.0)
    (high,) = stem(specimen, 200e3, 24, [(60, 95)], 95, (3, 3), 3)
    return [seen("arsenide-haadf", high, specimen, 0.055, microscope="stem", sign=1, turn=3, blur=0.3)]


def single_atoms() -> list[Scene]:
    rng = np.random.default_rng(10)
    box = (40.0, 40.0)
    places = np.empty((0, 2))
    while len(places) < 40:
        fresh = rng.uniform(0, 40.0, 2)
        away = np.abs(places - fresh)
        if not len(places) or np.hypot(*np.minimum(away, 40.0 - away).T).min() > 2.6:
            places = np.vstack([places, fresh])
    heavy = Atoms(["Pt"] * 40, positions=np.column_stack([places, rng.uniform(0, 2, 40)]))
    specimen = stacked(box, heavy, film((*box, 15.0), *CARBON, rng))
    (high,) = stem(specimen, 200e3, 22, [(60, 95)], 95, (4, 4), 1)
    return [seen("atoms-haadf", high, specimen, 0.12, microscope="stem", sign=1, turn=15, blur=0.35)]


def particle_scanned() -> list[Scene]:
    rng = np.random.default_rng(11)
    box = (50.0, 50.0)
    specimen = stacked(box, particle("Pt", 3.924, 14.0, (1, 1, 0), 0.25), film((*box, 12.0), *CARBON, rng))
    specimen.atoms.positions[specimen.listed, :2] += 25.0
    high, bright = stem(specimen, 200e3, 22, [(60, 95), (0, 11)], 95, (5, 5), 1)
    return [
        seen("platinum-haadf", high, specimen, 0.095, microscope="stem", sign=1, turn=0, blur=0.3),
        seen("platinum-bf", bright, specimen, 0.16, microscope="stem", sign=-1, turn=20, blur=0.3),
    ]


def gold_boundary_scanned() -> list[Scene]:
    specimen = sigma_five("Au", 4.078, 2, 2, 7)
    (high,) = stem(specimen, 200e3, 22, [(60, 95)], 95, (5, 2), 2)
    return [seen("gold-boundary-haadf", high, specimen, 0.1, microscope="stem", sign=1, turn=-6, blur=0.3)]


RUNS: dict[str, Callable[[], list[Scene]]] = {
    run.__name__: run
    for run in (
        graphene, graphene_boundary, titanate_edge, particle_scherzer, particle_corrected, amorphous, gold_boundary,
        disulphide, titanate, arsenide, single_atoms, particle_scanned, gold_boundary_scanned,
    )
}  # fmt: skip
