"""Rows that are put back beside what a lattice shows by its repeats: against displacements that were made."""

import numpy as np
import pytest
from scipy import ndimage

from temclean import noise
from temclean.evidence import lag
from temclean.evidence.lines import repeats, splines, straightened

SIDE, DOWN, RIGHT, WIDTH = 256, 17.4, 18.3, 3.2
PLANES = 7 + DOWN * np.arange(-1, 16)


def aligned(planes: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return columns of atoms whose planes lie along the rows, at any places."""
    down = np.exp(-0.5 * ((rows[..., None] - planes) / WIDTH) ** 2).sum(axis=-1)
    right = np.exp(-0.5 * ((columns % RIGHT - RIGHT / 2) / WIDTH) ** 2)
    return 10 + 60 * down * right


ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)
CLEAN = aligned(PLANES, ROWS, COLUMNS)


def strayed(planes: np.ndarray, width: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return counts of rows that are displaced at random, a first result that follows them, and displacements."""
    rng = np.random.default_rng(3)
    moved = rng.normal(0.0, width, (SIDE, 2))
    raw = rng.poisson(aligned(planes, ROWS + moved[:, 1:], COLUMNS + moved[:, :1]))
    followed = ndimage.gaussian_filter1d(moved, 2.0, axis=0)
    return raw, aligned(planes, ROWS + followed[:, 1:], COLUMNS + followed[:, :1]), moved


def test_splines_are_scipys() -> None:
    rng = np.random.default_rng(0)
    image = rng.random((70, 91)).astype(np.float32)
    bent = ndimage.spline_filter(image.astype(float), 3, mode="mirror")
    np.testing.assert_allclose(splines.coefficients(image), bent, atol=2e-6)
    moved, rows = rng.normal(0.0, 2.0, (70, 2)), slice(5, 60)

    def at(right: float, down: float) -> np.ndarray:
        places = np.arange(70)[:, None] + moved[:, 1:] + down + np.zeros(91), np.arange(91) + moved[:, :1] + right
        return ndimage.map_coordinates(bent, places, order=3, mode="mirror", prefilter=False)[rows]

    level, right, down = splines.Displaced(image)(moved, rows)
    np.testing.assert_allclose(level, at(0, 0), atol=2e-6)
    np.testing.assert_allclose(right, (at(1e-3, 0) - at(-1e-3, 0)) / 2e-3, atol=1e-4)
    np.testing.assert_allclose(down, (at(0, 1e-3) - at(0, -1e-3)) / 2e-3, atol=1e-4)


def test_repeats_do_not_follow_the_rows_that_they_stand_for() -> None:
    _, first, _ = strayed(PLANES, 1.0)
    seen = repeats.seen(first.astype(np.float32))
    assert seen is not None
    assert np.isfinite(seen.doubt).mean() > 0.9
    inner = slice(24, -24), slice(24, -24)
    before, after = (np.abs(each - CLEAN)[inner].mean() for each in (first, seen.image))
    assert after < 0.6 * before


def test_what_does_not_repeat_has_no_repeats() -> None:
    rng = np.random.default_rng(1)
    spots = np.zeros((SIDE, SIDE))
    spots[tuple(rng.integers(0, SIDE, (2, 60)))] = 1
    for image in (ndimage.gaussian_filter(spots, 3), ndimage.gaussian_filter(rng.random((SIDE, SIDE)), 6), 0 * spots):
        assert repeats.seen(image.astype(np.float32)) is None
    assert repeats.seen(CLEAN[:100].astype(np.float32)) is None


@pytest.mark.parametrize("width", [0.3, 1.0])
@pytest.mark.parametrize("dtype", ["u2", "f4"])
def test_rows_of_a_lattice_that_lies_along_them_are_put_back(width: float, dtype: str) -> None:
    """Where all atoms of a row are at the same height, a row that is displaced down differs by its contrast alone."""
    raw, first, moved = strayed(PLANES, width)
    steady = straightened.by_repeats(raw.astype(dtype), first.astype(dtype))
    assert steady is not None
    found = np.stack([steady.straying.right, steady.straying.down], axis=1)
    slopes = np.stack([np.gradient(CLEAN, axis=axis) for axis in (1, 0)], axis=2)
    told = np.square(slopes).mean(axis=1)
    left = np.sqrt(np.average(np.square(found - moved), axis=0, weights=told))
    assert (left < 0.6 * width).all(), left
    still = np.random.default_rng(4).poisson(CLEAN).astype(float)
    noise_, before, after = (
        ndimage.gaussian_filter(each - CLEAN, 1.5).var() for each in (still, raw.astype(float), steady.image)
    )
    assert after - noise_ < 0.6 * (before - noise_)
    assert steady.again == (steady.straying.width > straightened.AGAIN)


def test_a_plane_that_lies_elsewhere_stays_there() -> None:
    planes = PLANES + np.where(np.arange(len(PLANES)) == 8, 1.0, 0.0)
    raw, first, _ = strayed(planes, 0.3)
    steady = straightened.by_repeats(raw, first)
    assert steady is not None
    near = np.abs(np.arange(SIDE) - planes[8]) < WIDTH
    far = np.abs(np.arange(SIDE) - planes[8]) > 2 * DOWN
    assert abs(steady.straying.down[near].mean()) < 0.35
    assert np.std(steady.straying.down[far]) > 0.15


def test_rows_that_are_brighter_than_others_come_out_no_worse() -> None:
    """Where planes lie along the rows, a brighter row and one that is displaced look alike."""
    rng = np.random.default_rng(2)
    raw = rng.poisson(CLEAN * rng.normal(1.0, 0.03, (SIDE, 1)))
    steady = straightened.by_repeats(raw, CLEAN)
    assert steady is not None
    assert steady.straying.width < 0.2
    before, after = (ndimage.gaussian_filter(each - CLEAN, 1.5).std() for each in (raw.astype(float), steady.image))
    assert after < 1.02 * before


def test_an_image_of_its_own_rows_is_left_alone() -> None:
    assert straightened.by_repeats(np.random.default_rng(2).poisson(CLEAN), CLEAN) is None


@pytest.mark.parametrize(("down", "right"), [(1.0, 0.0), (0.0, 2.0)])
def test_a_fine_lattice_that_strays_is_not_taken_for_lag(down: float, right: float) -> None:
    turned = COLUMNS * np.cos(0.2) - ROWS * np.sin(0.2), COLUMNS * np.sin(0.2) + ROWS * np.cos(0.2)
    fine = np.prod([0.55 + 0.45 * np.cos(2 * np.pi * each / 6.2) for each in turned], axis=0).astype(np.float32)
    fine *= 1 + (np.prod([np.cos(np.pi * each / 6.2) for each in turned], axis=0) > 0)
    beam = noise.Jitter(x=0.0, y=down, line=right, y_phi=0.3, line_phi=0.3)
    raw = noise.apply(noise.apply(fine, beam, 7), noise.Poisson(30), 8)
    assert lag.measure(raw[None]) == ()
