"""Profiles of atoms: radii from the published parameters, transforms from quadrature, integrals in the order of Z."""

import numpy as np
import pytest
from scipy import integrate, special

from temclean.errors import ParameterError
from temclean.specimen import profiles

# Lobato and Van Dyck, Acta Cryst. A 70, 636 (2014): a and b of f_e(g) = sum a (2 + b g^2) / (1 + b g^2)^2.
PUBLISHED = {
    6: (
        [124.466088621343, -220.352857078963, 195.235352280479, -98.1079361269799, 0.0142023041213623],
        [2.42120849256005, 2.30537943752425, 2.04851932106564, 1.93352552917547, 0.0768976818478339],
    ),
    11: (
        [23.6700603946792, -21.8531786159742, 0.592499448108946, -0.0244652290310244, 0.00483950221706535],
        [8.45148773514603, 8.04096600474298, 0.624996000526315, 0.132450394947296, 0.0233994362049878],
    ),
    38: (
        [4.77092509299826, 1.47597850155283, 0.304451355544188, 0.00359474981916728, 3.0008554923e-07],
        [13.3668881330412, 1.33738379577196, 0.177532369437782, 0.00779105033001826, 0.00028225513964854],
    ),
    79: (
        [1.6759346706487, 3.00486602969729, 0.595340013161635, 0.0117163186623094, 4.296782976398e-05],
        [5.52231093211402, 1.38007223007196, 0.162229237655945, 0.00901814890416575, 0.00037927766747767],
    ),
}


@pytest.mark.parametrize("z", PUBLISHED)
def test_radii_are_those_of_the_published_potentials(z: int) -> None:
    a, b = (np.array(row) for row in PUBLISHED[z])

    def factor(g: float) -> float:
        return float((a * (2 + b * g**2) / (1 + b * g**2) ** 2).sum())

    step = 1e-3
    slope = (factor(step) - factor(0.0)) / step**2
    assert profiles.RMS_RADIUS[z - 1] == pytest.approx(np.sqrt(-slope / factor(0.0)) / np.pi, abs=2e-4)


@pytest.mark.parametrize("z", [38, 79])
def test_radii_are_the_second_moments_of_eq_21(z: int) -> None:
    a, b = (np.array(row) for row in PUBLISHED[z])

    # The projected potential, up to a factor: the transform of a / (1 + b g^2) + a / (1 + b g^2)^2.
    def potential(r: float) -> float:
        x = 2 * np.pi * r / np.sqrt(b)
        return float((a / b * (special.k0(x) + 0.5 * x * special.k1(x))).sum())

    moments = [integrate.quad(lambda r, p=p: potential(r) * r**p, 1e-9, 40, limit=400)[0] for p in (1, 3)]
    assert profiles.RMS_RADIUS[z - 1] == pytest.approx(np.sqrt(moments[1] / moments[0]), rel=1e-3)


def test_the_radius_of_hydrogen_is_that_of_its_exact_wave_function() -> None:
    assert profiles.RMS_RADIUS[0] == pytest.approx(np.sqrt(1.5) * 0.529177, abs=2e-4)


@pytest.mark.parametrize("alpha", [0.75, 1.0, 1.25])
def test_mean_and_spread_of_the_radii_are_kept(alpha: float) -> None:
    rms, radius = np.array(profiles.RMS_RADIUS), profiles.radii(alpha)
    assert len(radius) == 103
    assert radius.min() > 0
    assert radius.mean() == pytest.approx(rms.mean())
    assert radius.std() == pytest.approx(rms.std())


def test_bessel_function() -> None:
    z = np.linspace(0, 600, 20_000)
    np.testing.assert_allclose(profiles.bessel_j0(z), special.j0(z), atol=2e-7)


@pytest.mark.parametrize("order", [4.0, 9.3, 16.0])
def test_transform_and_integral_by_quadrature(order: float) -> None:
    profile = profiles.Profile(0.8, 0.6, 0.9, 0.7, order)

    def hankel(g: float) -> float:
        parts = [(0.0, 0.5), (0.5, 1.2), (1.2, 4.0), (4.0, 40.0)]
        inside = (
            integrate.quad(lambda r: profile(r) * special.j0(2 * np.pi * g * r) * r, *part, limit=400)[0]
            for part in parts
        )
        return 2 * np.pi * sum(inside)

    assert profile.integral == pytest.approx(hankel(0.0), rel=1e-5)
    for g in (0.0, 0.3, 1.0, 2.5):
        assert profile.transform(np.array(g)) == pytest.approx(hankel(g), abs=2e-4 * profile.integral)
    assert profile(np.array(0.0)) == pytest.approx(profile.peak)


def test_integrals_increase_with_the_atomic_number() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        numbers = rng.integers(1, 104, rng.integers(1, 17))
        drawn = profiles.draw(numbers, rng)
        assert list(drawn) == sorted({*numbers.tolist()})
        integrals = [profile.integral for profile in drawn.values()]
        assert (np.diff(integrals) > 0).all()
        for profile in drawn.values():
            assert 4 <= profile.order <= 16
            assert max(profile.gaussian, profile.exponential, profile.butterworth) <= 1.0


def test_one_element_has_the_weights_of_the_paper() -> None:
    weights = np.array(
        [list(vars(profiles.draw([29], np.random.default_rng(s))[29]).values())[1:4] for s in range(300)]
    )
    assert 0.5 <= weights.min() < 0.51
    assert 0.99 < weights.max() <= 1.0
    assert abs(weights.mean() - 0.75) < 4 * 0.5 / np.sqrt(12 * weights.size)


def test_typical_profiles_go_with_the_atomic_number() -> None:
    drawn = profiles.typical(range(1, 104))
    relative = [profile.integral / drawn[1].integral for profile in drawn.values()]
    np.testing.assert_allclose(relative, np.arange(1, 104) ** 1.5)
    assert profiles.typical([38, 22, 8]) == profiles.typical([8, 22, 38])


@pytest.mark.parametrize("z", [0, -1, 104])
def test_unknown_elements_are_named(z: int) -> None:
    with pytest.raises(ParameterError, match=f"atomic number {z}"):
        profiles.draw([6, z], np.random.default_rng(0))
