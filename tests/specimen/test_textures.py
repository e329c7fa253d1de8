"""Textures: images of the promised kind, the same again from the same seed, each object as its equation says."""

import numpy as np
import pytest
from scipy import ndimage, spatial

from temclean.specimen import geometry, particles, textures


@pytest.mark.parametrize("name", textures.TEXTURES)
def test_every_texture_is_an_image_and_comes_again(name: str) -> None:
    draw = textures.TEXTURES[name]
    for size in (1, 2, 7, 33, 128):
        for seed in range(6):
            image = draw(np.random.default_rng(seed), size)
            assert image.shape == (size, size)
            assert image.dtype == np.float32
            assert np.isfinite(image).all()
            assert image.min() >= 0.0
            assert image.max() > 0.0
            np.testing.assert_array_equal(image, draw(np.random.default_rng(seed), size))
    assert not np.array_equal(draw(np.random.default_rng(1), 64), draw(np.random.default_rng(2), 64))


def test_points_keep_their_distance() -> None:
    for seed, least in enumerate([1.0, 5.0, 20.0]):
        drawn = geometry.points(np.random.default_rng(seed), 85, 384, least)
        assert drawn.shape == (85, 2)
        assert spatial.distance.pdist(drawn).min() >= least
    assert len(geometry.points(np.random.default_rng(0), 175, 16, 20.0)) == 175


def test_radii_are_broad_and_in_range() -> None:
    rng = np.random.default_rng(0)
    drawn = [geometry.radii(rng, 40, 60.0) for _ in range(200)]
    assert min(map(np.min, drawn)) >= geometry.SMALLEST_PX
    assert max(map(np.max, drawn)) <= 60.0
    medians = np.array([np.median(one) for one in drawn])
    assert (medians < 4.0).mean() > 0.1
    assert (medians > 20.0).mean() > 0.1
    assert max(one.max() / one.min() for one in drawn) > 10.0
    np.testing.assert_array_equal(geometry.radii(rng, 3, 0.1), [geometry.SMALLEST_PX] * 3)


def test_soft_profile_is_a_sum_of_the_three_terms() -> None:
    profile = particles.soft_profile(np.random.default_rng(4))
    rng = np.random.default_rng(4)
    h1, h2, h3 = rng.uniform(0.5, 1.0, 3)
    n = rng.uniform(4.0, 16.0)
    for step in (0, 1500, 2731, 6000, 16000):
        r = step / (len(profile) - 1) * 6.0
        expected = h1 * np.exp(-(r**2) / 2) + h2 * np.exp(-r) + h3 / (1 + r ** (2 * n))
        assert profile[step] == pytest.approx(expected, abs=h2 * np.exp(-6) + 1e-5)
    assert (np.diff(profile) <= 0.0).all()
    assert profile[-1] == 0.0


def test_soft_particle_is_its_turned_profile() -> None:
    profile = particles.soft_profile(np.random.default_rng(0))
    image = np.full((81, 81), 2.0, np.float32)
    particles.add_soft(image, profile, np.array([40.3, 71.8]), 5.0, 4.0, np.pi / 6)
    y, x = np.mgrid[:81, :81] - np.array([40.3, 71.8])[:, None, None]
    u, v = np.cos(np.pi / 6) * x + np.sin(np.pi / 6) * y, np.cos(np.pi / 6) * y - np.sin(np.pi / 6) * x
    expected = 2.0 + np.interp(np.hypot(u / 5.0, v / 4.0), np.linspace(0, 6, len(profile)), profile)
    np.testing.assert_allclose(image, expected, atol=0.005)


@pytest.mark.parametrize("count", [3, 4, 5])
def test_polygon_distance_is_that_of_its_edges(count: int) -> None:
    rng = np.random.default_rng(count)
    angles = np.sort(2 * np.pi / count * (np.arange(count) + rng.uniform(-0.2, 0.2, count)))
    corners = 12.0 * np.stack([np.sin(angles), np.cos(angles)], axis=1)
    y, x = np.arange(-15, 16, dtype=np.float32)[:, None], np.arange(-15, 16, dtype=np.float32)[None]
    distance = geometry.polygon(y, x, corners)
    hull = spatial.ConvexHull(corners)
    places = np.stack(np.broadcast_arrays(y, x), axis=-1)
    expected = -(places @ hull.equations[:, :2].T + hull.equations[:, 2]).max(axis=-1)
    np.testing.assert_allclose(distance, expected, atol=1e-4)
    assert geometry.coverage(distance).sum() == pytest.approx(hull.volume, rel=0.02)


def test_ellipse_covers_its_area_and_has_an_edge_of_a_pixel() -> None:
    y, x = np.arange(-30, 31, dtype=np.float32)[:, None], np.arange(-30, 31, dtype=np.float32)[None]
    distance = geometry.ellipse(y, x, 20.0, 9.0, 0.7)
    share = geometry.coverage(distance)
    assert share.sum() == pytest.approx(np.pi * 20 * 9, rel=0.01)
    exact = ndimage.distance_transform_edt(distance > 0) - ndimage.distance_transform_edt(distance <= 0)
    assert np.abs(exact)[(share > 0) & (share < 1)].max() <= np.sqrt(2)


def test_every_plane_is_positive_within_its_reach() -> None:
    rng = np.random.default_rng(5)
    y, x = np.arange(-9, 10, dtype=np.float32)[:, None], np.arange(-9, 10, dtype=np.float32)[None]
    inside = np.hypot(y, x) <= 9
    for _ in range(200):
        drawn = geometry.plane(rng, y, x, 9.0)
        assert drawn[inside].min() > 0.0
        np.testing.assert_allclose(np.diff(drawn, 2, axis=0), 0.0, atol=1e-6)
        np.testing.assert_allclose(np.diff(drawn, 2, axis=1), 0.0, atol=1e-6)


@pytest.mark.parametrize(("count", "size"), [(2, 50), (15, 97), (175, 128), (40, 32), (175, 9)])
def test_cells_are_those_of_voronoi(count: int, size: int) -> None:
    seeds = np.random.default_rng(count).uniform(0, size, (count, 2))
    owner, neighbour, distance = geometry.cells(seeds, size, reach_px=3.0)
    places = np.stack(np.mgrid[:size, :size], axis=-1).reshape(-1, 2)
    away, nearest = spatial.KDTree(seeds).query(places, k=2)
    sure = np.diff(away, axis=1)[:, 0] > 1e-3
    np.testing.assert_array_equal(owner.ravel()[sure], nearest[sure, 0])

    squared = ((places[:, None] - seeds) ** 2).sum(axis=-1)
    apart = spatial.distance.squareform(spatial.distance.pdist(seeds))
    np.fill_diagonal(apart, np.nan)
    border = (squared - squared.min(axis=1, keepdims=True)) / (2 * apart[squared.argmin(axis=1)])
    exact, beside = np.nanmin(border, axis=1), np.nanargmin(border, axis=1)
    near = sure & (exact < 3.0)
    np.testing.assert_allclose(distance.ravel()[near], exact[near], atol=0.01)
    second = np.partition(np.nan_to_num(border, nan=np.inf), 1, axis=1)[:, 1]
    clear = near & (second > exact + 0.02)
    np.testing.assert_array_equal(neighbour.ravel()[clear], beside[clear])
    assert (distance.ravel()[~near & sure] > 2.9).all()


def test_borders_of_grains_come_half_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textures, "grain_levels", lambda _rng, _seeds, owner, *_: np.ones(owner.shape, np.float32))
    images = np.array([textures.grains(np.random.default_rng(seed), 64) for seed in range(100)])
    bordered = np.ptp(images, axis=(1, 2)) > 1e-4
    assert 30 <= bordered.sum() <= 70
    levels = images[bordered]
    assert levels.min() == pytest.approx(0.5, abs=0.1)
    assert levels.max() == pytest.approx(1.5, abs=0.1)
    assert levels.min() >= 0.5
    assert levels.max() <= 1.5


def test_every_grain_is_a_plane() -> None:
    seeds = np.random.default_rng(1).uniform(0, 96, (20, 2))
    owner, neighbour, distance = geometry.cells(seeds, 96)
    image = textures.grain_levels(np.random.default_rng(2), seeds, owner, neighbour, distance)
    y, x = np.mgrid[:96, :96]
    for cell in range(20):
        inside = (owner == cell) & (distance > 0.5)
        terms = np.stack([np.ones(inside.sum()), y[inside], x[inside]], axis=1)
        fit = terms @ np.linalg.lstsq(terms, image[inside], rcond=None)[0]
        np.testing.assert_allclose(image[inside], fit, atol=1e-4)
    assert len(np.unique(np.round([image[owner == cell].mean() for cell in range(20)], 4))) > 15


def test_band_profile_has_the_levels_and_widths_of_its_bands() -> None:
    counts = []
    for seed in range(50):
        profile = textures.band_profile(np.random.default_rng(seed), 256)
        assert len(profile) == 8 * 2 * 256
        assert profile.min() >= 0.0
        assert profile.max() <= 1.0
        assert profile[512 * 2 : -512 * 2].max() > 0.0
        counts.append(ndimage.label(profile > 0)[1])
    assert min(counts) == 1
    assert max(counts) > 4


@pytest.mark.parametrize("softness", [1.0, 3.0])
def test_line_is_as_wide_as_told(softness: float) -> None:
    image = np.zeros((64, 64), np.float32)
    geometry.line(image, np.array([10.2, 32.4]), np.array([50.2, 32.4]), 5.0, 0.5, softness)
    np.testing.assert_allclose(image[20:40].sum(axis=1), 5.0 * 0.5, rtol=0.02)
    assert image.max() == 0.5
    assert image[:5].max() == 0.0
    assert image[56:].max() == 0.0


def test_waves_have_unit_variance_and_the_slope_they_tell() -> None:
    rng = np.random.default_rng(3)
    variances, ratios = [], []
    for decay in (0.5, 1.0, 2.0):
        for _ in range(10):
            field, slope = geometry.waves(rng, 256, 64.0, 4.0, decay)
            variances.append(field.var())
            measured = np.sqrt(np.mean(np.square(np.gradient(field, axis=0)) + np.square(np.gradient(field, axis=1))))
            ratios.append(measured / slope)
    assert np.mean(variances) == pytest.approx(1.0, abs=0.15)
    # Differences of neighbours understate the shortest waves.
    assert min(ratios) > 0.5
    assert max(ratios) < 1.2


def test_gathered_particles_touch() -> None:
    rng = np.random.default_rng(1)
    centres, radius = rng.uniform(0, 1000, (40, 2)), np.full(40, 5.0)
    gathered = particles.gather(rng, centres, radius)
    moved = (gathered != centres).any(axis=1)
    assert 8 <= moved.sum() <= 32
    apart = spatial.distance.squareform(spatial.distance.pdist(gathered)) + 1e6 * np.eye(40)
    assert (apart.min(axis=1) < 11.0).mean() > 0.4


def test_mixtures_are_varied() -> None:
    images = [textures.mixture(np.random.default_rng(seed), 96) for seed in range(80)]
    contrast = np.array([image.std() / image.mean() for image in images])
    assert (contrast < 0.35).any()
    assert (contrast > 1.0).any()
    assert (contrast > 0.0).all()
    assert sum(textures.CHANCES.values()) == pytest.approx(1.0)
    assert set(textures.CHANCES) == set(textures.TEXTURES) - {"mixture"}


def test_fringes_have_their_spacing_and_bend() -> None:
    peaks = []
    for seed in range(8):
        image = textures.fringes(np.random.default_rng(seed), 256, 8.0)
        assert image.shape == (256, 256)
        assert image.dtype == np.float32
        assert image.min() > 0
        power = np.abs(np.fft.fft2((image - image.mean()) * np.outer(np.hanning(256), np.hanning(256)))) ** 2
        frequency = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.fftfreq(256))
        high = frequency > 0.08
        peaks.append(frequency[high][power[high].argmax()])
    assert np.median(peaks) == pytest.approx(1 / 8.0, rel=0.15)
