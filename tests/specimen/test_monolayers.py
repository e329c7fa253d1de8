"""Flat crystals as sums of free atoms: the densities, their fits and the atoms' places."""

import numpy as np
import pytest

from temclean import specimen
from temclean.specimen import atoms, monolayers


@pytest.mark.parametrize(("species", "electrons"), [("B", 3), ("C", 4), ("N", 5), ("S", 6), ("Mo", 6)])
def test_valence_density_holds_the_valence_electrons(species: str, electrons: int) -> None:
    radius = np.linspace(0.0, 20.0, 20001)
    density = monolayers.valence_density(species, radius)
    assert np.trapezoid(4 * np.pi * radius**2 * density, radius) == pytest.approx(electrons, rel=1e-5)


@pytest.mark.parametrize("height", [1.0, 2.0, 3.0, 3.5])
def test_carbon_follows_the_slater_density(height: float) -> None:
    radius = np.linspace(0, 5, 300)
    distance = np.hypot(radius, height) / 0.529177
    density = sum(z**5 * distance**2 * np.exp(-2 * z * distance) for z in (1.6083, 1.5679))
    peak, width = monolayers.profile(monolayers.Site("C"), height)
    fit = (peak * np.exp(-0.5 * (radius[:, None] / width) ** 2)).sum(axis=1)
    np.testing.assert_allclose(fit, density / density[0], atol=4e-3)


@pytest.mark.parametrize("name", ["bn", "mos2"])
def test_other_sites_follow_theirs(name: str) -> None:
    radius = np.linspace(0, 5, 300)
    for site in monolayers.SHEETS[name].sites:
        density = sum(monolayers.valence_density(site.species, np.hypot(radius, 3.0 + depth)) for depth in site.depths)
        peak, width = monolayers.profile(site)
        fit = (peak * np.exp(-0.5 * (radius[:, None] / width) ** 2)).sum(axis=1)
        np.testing.assert_allclose(fit, site.weight * density / density[0], atol=1e-3)


DENSITY = {"bn": (1.626e-4, 2.291e-4, 1.337e-4), "mos2": (4.096e-5, 1.423e-4, 3.495e-5)}
"""Densities of the perfect sheets 3 Å above their topmost atoms (electrons per Å^3): above each site and the hollow.
PySCF 2.14 with the settings of training/dft.py; 4 x 2 k-points for 4 atoms of BN, the Gamma point for 12 of MoS2."""


@pytest.mark.parametrize("name", DENSITY)
def test_sum_of_atoms_is_as_bright_as_the_density_of_the_sheet(name: str) -> None:
    sheet = monolayers.SHEETS[name]
    vectors = sheet.constant * np.array([[1.0, 0.0], [0.5, np.sqrt(0.75)]])
    places = np.array([[0.0, 0.0], [1 / 3, 1 / 3], [2 / 3, 2 / 3]]) @ vectors
    cells = np.stack(np.meshgrid(*2 * [np.arange(-9, 10)], indexing="ij"), -1).reshape(-1, 2) @ vectors
    total = np.zeros(3)
    for site, centre in zip(sheet.sites, places, strict=False):
        peak, width = monolayers.profile(site)
        distance = np.linalg.norm(cells + centre - places[:, None], axis=-1)
        total += (peak * np.exp(-0.5 * (distance[..., None] / width) ** 2)).sum(axis=(1, 2))
    expected = np.array(DENSITY[name])
    np.testing.assert_allclose(total / total.max(), expected / expected.max(), atol=0.03)


@pytest.mark.parametrize(
    ("name", "bond"), [("graphene", 1.42), ("graphene-atoms", 1.42), ("bn", 1.446), ("mos2", 1.824)]
)
def test_sheets_have_their_density_and_their_bonds(name: str, bond: float) -> None:
    truth = specimen.draw(name, 512, 0.1, seed=4)
    assert len(truth.positions) == pytest.approx(51.2**2 / (3 * np.sqrt(3) / 4 * bond**2), rel=0.02)
    inner = truth.positions[(np.abs(truth.positions - 256) < 200).all(axis=1)]
    gaps = np.linalg.norm(inner[:, None] - truth.positions[None], axis=-1) * truth.pixel_size
    bonds = np.sort(gaps, axis=1)[:, 1:4]
    assert bonds.mean() == pytest.approx(bond, rel=0.03)
    assert bonds.min() > bond - 2 * np.sqrt(2) * bond / 5
    assert np.abs(bonds - bond).mean() > 0.04 * bond


def test_graphene_has_one_bond_throughout() -> None:
    assert monolayers.SHEETS["graphene"].constant == pytest.approx(np.sqrt(3) * atoms.BOND)


def test_damage_turns_bonds_about_their_middles_and_leaves_atoms_out() -> None:
    rng = np.random.default_rng(5)
    points = monolayers.draw(rng, 256, 0.2)[0].positions
    moved, kept = monolayers.damage(np.random.default_rng(6), points, vacancies=0.1, turned=0.08)
    assert np.count_nonzero(~kept) == pytest.approx(0.1 * len(points), abs=4 * np.sqrt(0.09 * len(points)))
    shifted = np.flatnonzero((moved != points).any(axis=1))
    assert 0.05 * len(points) < len(shifted) < 0.08 * len(points) + 4 * np.sqrt(0.08 * len(points))
    partner = {}
    for one in shifted:
        gaps = np.linalg.norm(points[shifted] + points[one] - moved[shifted] - moved[one], axis=1)
        gaps[shifted == one] = np.inf
        partner[one] = shifted[np.argmin(gaps)]
        assert gaps.min() < 1e-9
    for one, other in partner.items():
        assert partner[other] == one
        before, after = points[one] - points[other], moved[one] - moved[other]
        assert before @ after == pytest.approx(0, abs=1e-9)
        assert np.linalg.norm(after) == pytest.approx(np.linalg.norm(before))


@pytest.mark.parametrize("points", [np.zeros((0, 2)), np.zeros((1, 2))])
def test_damage_of_next_to_nothing(points: np.ndarray) -> None:
    moved, kept = monolayers.damage(np.random.default_rng(0), points, vacancies=0.0, turned=1.0)
    np.testing.assert_array_equal(moved, points)
    assert kept.all()
