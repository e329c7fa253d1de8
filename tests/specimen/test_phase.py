"""Phase contrast: the transfer function against its equation and abTEM, potentials against abTEM."""

import numpy as np
import pytest

from temclean import specimen
from temclean.specimen import phase
from temclean.specimen.phase import grid, microscope, potentials
from temclean.specimen.phase.microscope import Microscope

STEP = 0.2
SHAPE = (120, 150)
SCOPE = Microscope(
    energy=80e3, defocus=-90.0, spherical=-15e4, spread=25.0, convergence=0.3e-3, astigmatism=30.0, direction=0.4
)


def test_wavelength_and_interaction_are_the_tabulated_ones() -> None:
    # Williams and Carter, table 1.2 (relativistic wavelengths); Kirkland, section 5.4, 6.526e-3 rad/(V nm) at 300 keV
    for energy, length in ((100e3, 0.03701), (200e3, 0.02508), (300e3, 0.01969)):
        assert phase.wavelength(energy) == pytest.approx(length, abs=1e-5)
    assert phase.interaction(300e3) == pytest.approx(6.526e-4, rel=1e-3)


@pytest.mark.parametrize("cycles", [(3, 0), (0, 8), (5, 11), (14, 9)])
def test_a_weak_cosine_is_multiplied_by_the_transfer_function(cycles: tuple[int, int]) -> None:
    y, x = np.indices(SHAPE)
    ky, kx = cycles[0] / (SHAPE[0] * STEP), cycles[1] / (SHAPE[1] * STEP)
    wave = np.cos(2 * np.pi * STEP * (ky * y + kx * x))
    spectrum = np.fft.rfft2(1e-3 * wave).astype(np.complex64)
    length, k2 = 0.041757, ky**2 + kx**2
    toward = np.arctan2(ky, kx)
    defocus = -90.0 + 30.0 * np.cos(2 * (toward - 0.4))
    chi = np.pi * length * defocus * k2 + np.pi / 2 * -15e4 * length**3 * k2**2
    temporal = np.exp(-((np.pi * length * 25.0 * k2) ** 2) / 2)
    slope = -15e4 * length**3 * k2**1.5 - 90.0 * length * np.sqrt(k2)
    spatial = np.exp(-((np.pi * 0.3e-3 / length * slope) ** 2))
    wanted = 1.0 + 2e-3 * np.sin(chi) * temporal * spatial * wave
    for render in (microscope.weak, microscope.strong):
        image = render(spectrum, SHAPE, STEP, SCOPE)
        np.testing.assert_allclose(image, wanted, atol=6e-6)


def test_atoms_are_dark_below_focus_and_white_above() -> None:
    spot = np.zeros(SHAPE)
    spot[60, 75] = 0.5
    for defocus, sign in ((-60.0, -1), (60.0, 1)):
        image = microscope.weak(np.fft.rfft2(spot).astype(np.complex64), SHAPE, STEP, Microscope(defocus=defocus))
        assert sign * (image[60, 75] - image.mean()) > 5 * image.std()


ABTEM = {
    -500.0: [[1.0335, 0.9108, 1.0795, 0.9118], [0.8977, 1.0480, 0.7881, 1.1125], [0.9821, 0.9903, 0.9681, 0.8943]],
    80.0: [[0.4926, 1.4923, 0.5619, 1.3174], [1.0562, 0.5645, 1.5049, 0.5627], [1.1657, 0.7514, 0.8830, 1.0722]],
}
"""By defocus, pixels of ``Waves(exp(i phase), 200e3, 0.2).apply_ctf(CTF(Cs=5e6, defocus=-defocus, angular_spread=0.2,
focal_spread=30 sqrt(2))).intensity()`` of abTEM 1.0.11, whose defocus has the other sign and whose spread is at 1/e."""


@pytest.mark.parametrize("defocus", ABTEM)
def test_images_are_those_of_abtem(defocus: float) -> None:
    y, x = np.indices((48, 48))
    shift = 0.4 * np.cos(2 * np.pi * (2 * y + 5 * x) / 48)
    shift += 0.5 * np.exp(-((y - 20) ** 2 + (x - 30) ** 2) / 18.0)
    shift -= 0.3 * np.exp(-((y - 33) ** 2 + (x - 9) ** 2) / 8.0)
    scope = Microscope(energy=200e3, defocus=defocus, spherical=0.5e7, spread=30.0, convergence=0.2e-3)
    ours = microscope.strong(np.fft.rfft2(shift).astype(np.complex64), (48, 48), STEP, scope)
    np.testing.assert_allclose(ours[::16, 5::14], ABTEM[defocus], atol=3e-3)


def test_potentials_are_those_of_lobato_and_van_dyck() -> None:
    # scattering factors at k = 0, 0.25, 0.5, 1 and 2 / Å, as abTEM 1.0.11 computes them; of gold also its potential
    tabulated = {
        6: [2.510, 1.970, 1.169, 0.413, 0.117],
        16: [5.254, 4.046, 2.326, 0.861, 0.297],
        38: [13.110, 7.241, 3.865, 1.742, 0.647],
        42: [10.854, 7.314, 4.346, 1.930, 0.697],
        79: [10.576, 8.681, 6.040, 3.065, 1.210],
    }
    for number, factors in tabulated.items():
        ours = potentials.scattering(number, np.array([0.0, 0.25, 0.5, 1.0, 2.0]) ** 2)
        np.testing.assert_allclose(ours, factors, atol=0.05 * factors[0])
        assert ours[3] == pytest.approx(factors[3], rel=0.03)
    field = grid.Grid(64, 0.2, 0, 1)
    gold = potentials.of_atoms(np.full((1, 2), 32.0), np.ones(1), 79, field.shape, field.step, field.squared, 0.0)
    for cycles, wanted in ((3, 424.37), (6, 303.39), (12, 159.26)):
        assert np.abs(gold[0, cycles]) * field.step**2 == pytest.approx(wanted, rel=0.03)


def test_a_film_has_the_spectrum_of_its_atoms() -> None:
    field = grid.Grid(256, 0.25, 0, 1)
    rng = np.random.default_rng(1)
    density = 3.0
    count = int(density * (field.shape[0] * field.step) ** 2)
    random = rng.uniform(1.0, field.shape[0] - 3.0, (count, 2))
    atoms = potentials.of_atoms(random, np.ones(count), 6, field.shape, field.step, field.squared, 0.0)
    film = potentials.of_film(rng, 6, density, field.shape, field.step, field.squared, 2.1)
    fine = (field.squared > 1.3**2) & (field.squared < 1.8**2)
    power = [np.square(np.abs(each[fine])).mean() for each in (film, atoms)]
    assert power[0] == pytest.approx(power[1], rel=0.05)
    halo, long = (field.squared > 0.46**2) & (field.squared < 0.5**2), (field.squared > 0) & (field.squared < 0.15**2)
    power = [np.square(np.abs(film[where])).mean() / np.square(np.abs(atoms[where])).mean() for where in (halo, long)]
    assert power[0] > 1.3
    assert power[1] < 0.5


def test_what_the_camera_sees_lies_where_it_should() -> None:
    for fine in (1, 2, 3):
        field = grid.Grid(64, 0.3, 5, fine)
        place = np.array([[20.0, 41.0]])
        spectrum = potentials.of_atoms(field.points(place), np.ones(1), 79, field.shape, field.step, field.squared, 0.2)
        image = field.seen(np.fft.irfft2(spectrum, field.shape).astype(np.float32))
        image = image - image.min()
        y, x = np.indices(image.shape)
        near = (np.abs(y - 20) < 5) & (np.abs(x - 41) < 5)
        centre = [(each * image)[near].sum() / image[near].sum() for each in (y, x)]
        np.testing.assert_allclose(centre, place[0], atol=0.02)


def test_atoms_come_white_and_dark_and_films_have_none() -> None:
    truths = [specimen.draw("phase-sheet", 96, 0.15, seed) for seed in range(24)]
    assert {-1, 1} == {truth.polarity for truth in truths}
    assert all(len(truth.positions) > 20 for truth in truths)
    assert len(specimen.draw("phase-film", 64, 0.2, 1).positions) == 0
    assert any(len(truth.vacancies) for truth in truths)


def test_graphene_is_a_honeycomb_of_true_size() -> None:
    found = 0
    for seed in range(30):
        truth = specimen.draw("phase-sheet", 96, 0.1, seed)
        apart = np.linalg.norm(truth.positions[:, None] - truth.positions[None], axis=-1) * 0.1
        nearest = np.median(np.sort(apart, axis=1)[:, 1])
        assert min(abs(nearest - bond) for bond in (1.42, 1.446, 1.824, 1.895)) < 0.06
        found += abs(nearest - 1.42) < 0.01
    assert found > 5
