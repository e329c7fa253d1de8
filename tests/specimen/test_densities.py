"""The maps that ship, their Fourier interpolation, and fields of view made of them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from temclean.errors import ParameterError
from temclean.specimen import densities, monolayers
from temclean.specimen.atoms import BOND

ALL = range(densities.COUNT)


@pytest.mark.parametrize("number", ALL)
def test_maps_are_of_disordered_graphene(number: int) -> None:
    found = densities.load(number)
    np.testing.assert_allclose(found.cell, [12.780, 12.298], atol=5e-4)
    assert found.height == 3.0
    assert found.settings["basis"] == "gth-dzvp-molopt-sr"
    assert found.energy == pytest.approx(60 * -5.68, rel=0.01)
    gaps = found.positions[:, None] - found.positions
    gaps -= found.cell * np.rint(gaps / found.cell)
    bonds = np.sort(np.linalg.norm(gaps, axis=-1), axis=1)[:, 1:4]
    assert bonds.mean() == pytest.approx(BOND, rel=0.02)
    assert 0.05 < np.abs(bonds - BOND).mean() < 0.2
    assert 2e-5 < found.density.min() < found.density.max() < 5e-4


def test_maps_are_of_different_structures() -> None:
    places = np.stack([densities.load(number).positions for number in ALL])
    shifts = places - places.mean(axis=0)
    assert np.abs(np.corrcoef(shifts.reshape(len(places), -1)) - np.eye(len(places))).max() < 0.6


@pytest.mark.parametrize("count", [7, 8, 91])
def test_weights_are_the_fourier_series(count: int) -> None:
    rng = np.random.default_rng(count)
    samples, places = rng.random(count), rng.uniform(-count, 2 * count, 40)
    terms = np.fft.fftfreq(count, 1 / count)
    waves = np.exp(2j * np.pi * places[:, None] * terms / count)
    if count % 2 == 0:
        waves[:, count // 2] = np.cos(np.pi * places)
    direct = (waves @ np.fft.fft(samples)).real / count
    np.testing.assert_allclose(densities.weights(places, count) @ samples, direct, atol=1e-10)
    np.testing.assert_allclose(densities.weights(np.arange(count), count), np.eye(count), atol=1e-12)


def test_interpolation_keeps_the_samples() -> None:
    source = densities.load(0)
    source = replace(source, cell=np.array(source.density.shape) * 0.12)
    np.testing.assert_allclose(densities.interpolated(source, 0.12), source.density, rtol=1e-9)
    np.testing.assert_allclose(densities.interpolated(source, 0.03)[::4, ::4], source.density, rtol=1e-9)


@pytest.mark.parametrize("pixel_size", [0.03, 0.036, 0.1, 0.37])
def test_interpolation_is_the_series_cut_to_the_range(pixel_size: float) -> None:
    source = densities.load(1)
    image = densities.interpolated(source, pixel_size)
    np.testing.assert_allclose(source.cell / image.shape, pixel_size, rtol=0.5 * pixel_size / source.cell.min())
    places = np.random.default_rng(0).integers(0, image.shape, (200, 2))
    low, high = source.density.min(), source.density.max()
    series = densities.above(source, places * source.cell / image.shape)
    assert np.abs(series - np.clip(series, low, high)).max() < 0.02 * (high - low)
    np.testing.assert_allclose(image[tuple(places.T)], np.clip(series, low, high), rtol=1e-9)


def sum_of_atoms(source: densities.Map) -> np.ndarray:
    """Return the plane as the sum of free atoms and of their images in the neighbouring cells."""
    axes = (np.arange(n) * side / n for n, side in zip(source.density.shape, source.cell, strict=True))
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1)
    total = np.zeros(source.density.shape)
    for position in source.positions:
        gaps = grid - position
        gaps -= source.cell * np.rint(gaps / source.cell)
        total += monolayers.valence_density("C", np.hypot(np.linalg.norm(gaps, axis=-1), source.height))
    return total


@pytest.mark.parametrize("number", ALL)
def test_density_is_near_to_the_sum_of_free_atoms_and_nowhere_else(number: int) -> None:
    source = densities.load(number)
    density, alone = source.density - source.density.mean(), sum_of_atoms(source)
    alone -= alone.mean()
    product = np.fft.ifft2(np.fft.fft2(density) * np.conj(np.fft.fft2(alone))).real
    alike = product / np.sqrt(np.square(density).sum() * np.square(alone).sum())
    assert 0.85 < alike[0, 0] < 0.97
    assert np.unravel_index(alike.argmax(), alike.shape) == (0, 0)


@pytest.mark.parametrize("number", ALL)
def test_it_is_bright_above_atoms_and_dark_in_the_middle_of_rings(number: int) -> None:
    source = densities.load(number)
    above = densities.above(source, source.positions)
    assert (source.density < np.median(above)).mean() > 0.85
    assert (source.density < above.min()).mean() > 0.5
    darkest = np.argwhere(source.density == source.density.min()) * source.cell / source.density.shape
    gaps = darkest - source.positions
    gaps -= source.cell * np.rint(gaps / source.cell)
    assert np.linalg.norm(gaps, axis=1).min() > 1.0


@pytest.mark.parametrize(("size", "pixel_size"), [(1, 0.1), (33, 0.4), (400, 0.03), (256, 0.1), (128, 1.0)])
def test_field_shows_one_structure_as_it_is(size: int, pixel_size: float) -> None:
    source = densities.load(2)
    field = densities.draw(np.random.default_rng(size), size, pixel_size, structures=[2])
    assert field.image.shape == (size, size)
    assert field.image.dtype == np.float32
    low, high = source.density.min(), source.density.max()
    assert low - 1e-9 <= field.image.min() <= field.image.max() <= high + 1e-9
    above = densities.above(source, source.positions)
    assert set(field.brightness.round(12)) <= set(above.round(12))


def test_field_is_turned_with_its_atoms() -> None:
    source = densities.load(2)
    for seed in range(5):
        field = densities.draw(np.random.default_rng(seed), 500, 0.04, structures=[2])
        inside = ((field.positions > 1) & (field.positions < 498)).all(axis=1)
        positions, brightness = field.positions[inside], field.brightness[inside]
        assert len(positions) == pytest.approx(20.0**2 * 60 / source.cell.prod(), rel=0.1)
        seen = field.image[tuple(np.rint(positions).astype(int).T)]
        np.testing.assert_allclose(seen, brightness, atol=0.02 * np.ptp(source.density))
        again = densities.draw(np.random.default_rng(seed), 500, 0.04, structures=[2])
        np.testing.assert_array_equal(field.image, again.image)


def test_field_joins_structures_at_their_borders_only() -> None:
    """All but the few atoms whose pixel lies beyond the border show the density of their own structure."""
    field = densities.draw(np.random.default_rng(3), 900, 0.05)
    inside = ((field.positions > 1) & (field.positions < 898)).all(axis=1)
    seen = field.image[tuple(np.rint(field.positions[inside]).astype(int).T)]
    assert (np.abs(seen - field.brightness[inside]) < 3e-6).mean() > 0.97
    assert len(np.unique(field.brightness.round(12))) > 200


def steepest(image: np.ndarray) -> float:
    """Return the largest difference between neighbouring pixels."""
    return float(max(np.abs(np.diff(image, axis=axis)).max() for axis in (0, 1)))


def test_faded_joints_do_not_jump() -> None:
    """The steepest pixel is as in the maps themselves, and what is 1 Å from all joints stays as it is."""
    jumping, faded = (densities.draw(np.random.default_rng(3), 900, 0.05, fade=fade) for fade in (0.0, 1.0))
    maps = [densities.interpolated(densities.load(number), 0.05) for number in ALL]
    own = max(steepest(each) for each in maps)
    assert steepest(faded.image) < 1.1 * own
    assert steepest(jumping.image) > 2.5 * own
    np.testing.assert_array_equal(jumping.positions, faded.positions)
    assert 0.6 < (np.abs(jumping.image - faded.image) < 1e-10).mean() < 0.9
    inside = ((faded.positions > 1) & (faded.positions < 898)).all(axis=1)
    seen = faded.image[tuple(np.rint(faded.positions[inside]).astype(int).T)]
    np.testing.assert_allclose(seen, faded.brightness[inside], atol=0.04 * np.ptp(faded.image))
    one = [densities.draw(np.random.default_rng(5), 200, 0.1, structures=[2], fade=fade).image for fade in (0.0, 1.0)]
    np.testing.assert_allclose(one[1], one[0], rtol=1e-5)


def test_structures_can_be_kept_apart() -> None:
    trained = densities.draw(np.random.default_rng(0), 600, 0.2, structures=range(5))
    kept = densities.draw(np.random.default_rng(0), 600, 0.2, structures=[5])
    assert not set(kept.brightness.round(12)) & set(trained.brightness.round(12))


def test_what_is_not_there_is_refused() -> None:
    with pytest.raises(ParameterError, match="no structure 6"):
        densities.load(6)
    with pytest.raises(ParameterError, match="atoms in the image"):
        densities.draw(np.random.default_rng(0), 32768, 1.0)
    with pytest.raises(ParameterError, match="fade is 7"):
        densities.draw(np.random.default_rng(0), 32, 0.1, fade=7.0)


def test_the_brightness_of_an_atom_is_that_of_the_image_there_at_joints_too() -> None:
    field = densities.draw(np.random.default_rng(3), 512, 0.08, fade=1.0)
    inside = (field.positions > 1).all(axis=1) & (field.positions < 510).all(axis=1)
    there = ndimage.map_coordinates(field.image, field.positions[inside].T, order=1)
    assert inside.sum() > 500
    np.testing.assert_allclose(field.brightness[inside], there, rtol=0.004)
