"""Weak, large and saturated things, fringes and low magnification: as weak, as close and as flat as they say."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from temclean import specimen
from temclean.specimen import catalogue, faint, fringed, survey

SIZE = 192


def spectrum_peak(image: np.ndarray) -> float:
    """Return the period in pixels of the strongest wave, by the Fourier transform under a window."""
    window = np.hanning(len(image))
    power = np.abs(np.fft.rfft2((image - image.mean()) * np.outer(window, window)))
    power[:3, :3] = power[-3:, :3] = 0.0
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    return 1.0 / float(np.hypot(np.fft.fftfreq(len(image))[row], np.fft.rfftfreq(len(image))[column]))


@pytest.mark.parametrize("spacing", [2.5, 4.0, 9.0, 20.0])
def test_straight_fringes_have_the_spacing_asked_for(spacing: float) -> None:
    periods = [spectrum_peak(fringed.straight(np.random.default_rng(seed), SIZE, spacing)) for seed in range(12)]
    assert min(periods) > 2.2
    assert np.mean(np.abs(np.array(periods) / spacing - 1.0) < 0.1) >= 0.4
    assert np.median(periods) == pytest.approx(spacing, rel=0.3)


def test_shells_of_soot_are_round_and_as_far_apart_as_asked() -> None:
    rng = np.random.default_rng(4)
    for _ in range(6):
        image = fringed.soot(rng, SIZE, 6.0)
        window = np.hanning(SIZE)
        power = np.abs(np.fft.fft2((image - image.mean()) * np.outer(window, window))) ** 2
        k = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE))
        ring = [power[(k > f - 0.01) & (k <= f + 0.01)].mean() for f in (1 / 6.0, 0.28, 0.4)]
        assert ring[0] > 3.0 * ring[1] > 0.0
        assert ring[0] > 3.0 * ring[2]


def test_fringes_are_never_closer_than_two_and_a_half_pixels() -> None:
    rng = np.random.default_rng(0)
    drawn = np.array([fringed.spacing_of(rng, pixel) for pixel in (0.05, 0.3, 1.2, 3.0) for _ in range(100)])
    assert drawn.min() >= 2.5
    assert (drawn < 3.5).mean() > 0.05
    assert (drawn > 10.0).mean() > 0.2


def test_faint_things_are_faint_beside_what_sets_the_scale() -> None:
    spreads = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for name in ("bodies", "steps", "grains"):
            layer = faint.KINDS[name](rng, SIZE)
            assert (np.abs(layer - np.median(layer)) > 0.2 * np.ptp(layer)).mean() > 2e-4
        truth = specimen.draw("faint", SIZE, 1.0, seed).image
        spreads.append(np.subtract(*np.percentile(truth, (90, 50))) / max(np.ptp(truth), 1e-6))
    quarter, half = np.quantile(spreads, (0.25, 0.5))
    assert 0.002 < quarter < 0.15
    assert half < 0.35


def test_what_sets_the_scale_is_not_lost_to_percentiles() -> None:
    for seed in range(16):
        mark = faint.landmark(np.random.default_rng(seed), SIZE)
        assert 0.0 <= mark.min() <= mark.max() <= 1.0 + 1e-6
        assert (mark > 0.5).mean() > 0.005


def test_saturated_images_have_flat_tops_or_floors() -> None:
    tops = 0
    for seed in range(16):
        rng = np.random.default_rng(seed)
        image = rng.random((SIZE, SIZE), np.float32)
        cut = faint.saturated(rng, image)
        at_top, at_floor = (cut == cut.max()).mean(), (cut == cut.min()).mean()
        assert max(at_top, at_floor) > 0.02
        tops += at_top > 0.02
    assert 10 < tops < 29


def test_nanoparticles_are_as_bright_as_they_are_thick(monkeypatch: pytest.MonkeyPatch) -> None:
    # a sphere is sqrt(1 - 1/4) of its thickness half way to its rim, a spheroid too along each axis
    monkeypatch.setattr(survey, "many", lambda rng, size: (np.full((1, 2), 96.0), np.array([40.0])))
    monkeypatch.setattr(survey, "film", lambda rng, size: np.zeros((size, size), np.float32))
    spheres = 0
    for seed in range(24):
        image = survey.nanoparticles(np.random.default_rng(seed), SIZE)
        level, top = image.min(), image.max()
        assert np.unravel_index(int(image.argmax()), image.shape)[0] == pytest.approx(96, abs=42)
        area, volume = (image - level > 0.05 * (top - level)).sum(), (image - level).sum() / (top - level)
        spheres += volume / area == pytest.approx(2 / 3, abs=0.03)
    assert 8 <= spheres <= 20


@pytest.mark.parametrize("name", [*catalogue.SURVEYS, "soot", "any-fringes"])
def test_low_magnification_has_no_atoms_and_some_contrast(name: str) -> None:
    for seed in range(10):
        truth = specimen.draw(name, 96, 1.0, seed)
        assert not len(truth.positions)
        assert np.ptp(truth.image) > 0.01


def test_edges_are_as_sharp_as_pixels_show_them() -> None:
    """A pixel that an edge crosses shows the share of it that lies inside; that of the simplest edge is known."""

    def half(rng: np.random.Generator, size: int) -> NDArray[np.float32]:
        edge = size * (10 + 1 / 3) / 32
        return np.broadcast_to(np.clip(edge - np.arange(size), 0.0, 1.0).astype(np.float32), (size, size))

    for seed in range(8):
        image = catalogue.gathered(np.random.default_rng(seed), 32, half)
        np.testing.assert_allclose(image, np.broadcast_to([1.0] * 10 + [1 / 3] + [0.0] * 21, (32, 32)), atol=1e-5)


def test_wires_are_as_dark_or_bright_along_as_across_they_are_thick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a cylinder's chords the mean is pi / 4 of the greatest, of a thin-walled tube's the walls are brightest."""
    monkeypatch.setattr(survey, "film", lambda rng, size: np.zeros((size, size), np.float32))
    monkeypatch.setattr(survey.filters, "gaussian", lambda image, sigma: image)
    cylinders = 0
    for seed in range(120):
        image = survey.wires(np.random.default_rng(seed), SIZE)
        assert image.min() >= 0.0
        lit = image > 0.0
        if 0.02 < lit.mean() < 0.5:
            cylinders += image[lit].mean() / image.max() == pytest.approx(np.pi / 4, abs=0.02)
    assert cylinders >= 2


def test_arrays_are_of_bodies_of_nearly_one_size_at_nearly_one_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a lattice, the nearest neighbour of every body is at the pitch; of points by chance at half of it and more."""
    monkeypatch.setattr(survey, "waves", lambda rng, size, *_: (np.zeros((size, size), np.float32), 0.0))
    ordered = alike = 0
    for seed in range(16):
        image = survey.arrays(np.random.default_rng(seed), SIZE)
        bodies, count = ndimage.label(image > image.min() + 0.5 * np.ptp(image))
        assert count >= 1
        places = np.array(ndimage.center_of_mass(bodies > 0, bodies, range(1, count + 1)))
        inside = ((places > 0.1 * SIZE) & (places < 0.9 * SIZE)).all(axis=1)
        apart = np.sort(np.hypot(*(places[inside, None] - places).transpose(2, 0, 1)), axis=1)[:, 1:2]
        area = ndimage.sum(bodies > 0, bodies, range(1, count + 1))[inside]
        ordered += len(apart) > 8 and apart.std() < 0.1 * apart.mean()
        alike += len(area) > 8 and area.std() < 0.3 * area.mean()
    assert 5 < ordered < 15
    assert alike > 5


def test_balls_in_bright_field_take_what_their_thickness_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """I = I0 (1 - c)^t, t being the chord over the diameter: at 0.6 of the radius 0.8 of it."""
    monkeypatch.setattr(survey, "film", lambda rng, size: np.zeros((size, size), np.float32))
    seen = 0
    for seed in range(60):
        drawn = survey.dispersed(np.random.default_rng(seed), 256, 2.5, 0.5, round_share=1.0, crowded=False)
        gaps = np.linalg.norm(drawn.centres[:, None] - drawn.centres, axis=-1) - drawn.diameters_px / 2
        np.fill_diagonal(gaps, np.inf)
        for k in np.flatnonzero(drawn.diameters_px > 50):
            y, x = drawn.centres[k]
            r = drawn.diameters_px[k] / 2
            if not (r + 2 < y < 253 - r and r + 2 < x < 253 - r) or gaps[k].min() < r + 2:
                continue
            seen += 1
            rows, columns = np.rint([[y, y], [x, x + 0.6 * r]]).astype(int)
            away = np.hypot(rows - y, columns - x) / r
            wanted = (1.0 - drawn.contrasts[k]) ** np.sqrt(1.0 - away**2)
            np.testing.assert_allclose(drawn.image[rows, columns], wanted, atol=0.02)
    assert seen > 10


def test_labyrinths_repeat_at_one_length_in_all_directions_and_have_two_levels() -> None:
    """By NumPy's transform: most of the power lies in a ring, on both sides of any line through its middle."""
    radius = np.hypot(np.fft.fftfreq(SIZE)[:, None], np.fft.fftfreq(SIZE))
    upright = np.abs(np.fft.fftfreq(SIZE)[:, None]) > np.abs(np.fft.fftfreq(SIZE))
    ringed, flat = 0, 0  # a sine's fourth power is 1.5 of its square's square, that of two levels 1, of chance 3
    for seed in range(30):
        image = fringed.labyrinth(np.random.default_rng(seed), SIZE)
        power = np.abs(np.fft.fft2(image - image.mean())) ** 2
        power[radius < 2.5 / SIZE] = 0.0  # what varies slowly over the image
        main = np.average(radius, weights=power**2)
        ring = (radius > main / 1.7) & (radius < 1.7 * main)
        share = power[ring & upright].sum() / power[ring].sum()
        ringed += bool(power[ring].sum() > 0.6 * power.sum() and 0.1 < share < 0.9)
        spread = image - image.mean()
        flat += bool((spread**4).mean() < 2.0 * (spread**2).mean() ** 2)
    assert ringed >= 24
    assert flat >= 18


def test_bars_cover_their_share_and_the_missing_ones_nothing() -> None:
    x = np.arange(600, dtype=np.float32)[None]
    shares = []
    for seed in range(40):
        bars = fringed.covered(np.random.default_rng(seed), x, 20.0, 0.3, 1.0)
        assert bars.min() == 0.0
        assert bars.max() == 1.0
        edges = np.flatnonzero(np.diff((bars[0] > 0.5).astype(int)) == 1)
        assert all(gap % 20 in (0, 1, 19) for gap in np.diff(edges))
        shares.append(float(bars.mean()))
    assert max(shares) == pytest.approx(0.3, abs=0.01)
    assert min(shares) < 0.25
    assert sum(abs(share - 0.3) < 0.01 for share in shares) >= 10
