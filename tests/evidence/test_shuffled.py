"""Rows across which a beam strayed by several are put in order, and no others are exchanged."""

import numpy as np
import pytest
from scipy import ndimage, stats

from temclean import noise, specimen
from temclean.evidence.lines import shuffled

SIZE = 256


def field(seed: int, width: float = 8.0) -> np.ndarray:
    """Draw a specimen without order: a random field whose values hang together over about four widths."""
    image = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), width)
    return (0.5 + 0.15 * image / image.std()).astype(np.float32)


def displaced(clean: np.ndarray, rows: float, seed: int, phi: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Return an image each row of which shows what lies some rows away, an AR(1) series, and where that is."""
    draw = np.random.default_rng(seed)
    away = np.zeros(len(clean))
    for row, step in enumerate(draw.normal(0.0, rows * np.sqrt(1 - phi**2), len(clean))):
        away[row] = phi * away[row - 1] + step if row else rows * draw.standard_normal()
    places = (np.arange(len(clean)) + away).clip(0, len(clean) - 1)
    return ndimage.map_coordinates(
        clean, np.broadcast_arrays(places[:, None], np.arange(clean.shape[1])[None]), order=1
    ).astype(np.float32), places


@pytest.mark.parametrize("rows", [5.0, 8.0, 16.0])
@pytest.mark.parametrize("seed", [0, 1, 3])  # of eight; the third is left alone: a part of it fits upside down too
def test_rows_are_put_in_the_order_of_what_they_show(rows: float, seed: int) -> None:
    still, places = displaced(field(seed), rows, seed)
    image = still + np.random.default_rng(seed + 9).normal(0.0, 0.05, still.shape).astype(np.float32)
    found = shuffled.put_in_order(image)
    assert found is not None
    np.testing.assert_array_equal(np.sort(found.order), np.arange(SIZE))
    np.testing.assert_array_equal(found.image, image[found.order])
    moved = found.order - np.arange(SIZE)
    assert found.width == pytest.approx(np.sqrt(np.mean(moved**2)))
    assert found.width == pytest.approx(rows, rel=0.3)
    assert stats.spearmanr(places[found.order], np.arange(SIZE)).statistic > 0.99
    error = np.sqrt(np.mean((places[found.order] - np.arange(SIZE)) ** 2))
    assert error < 0.45 * np.sqrt(np.mean((places - np.arange(SIZE)) ** 2))  # clumps of rows are told from none


@pytest.mark.parametrize("dtype", ["u1", "u2", ">i2", "f4", "f8"])
def test_the_type_stays_and_rows_of_any_length_are_moved_whole(dtype: str) -> None:
    still, _ = displaced(np.tile(field(1), (1, 3)), 8.0, 1)
    image = np.rint(100 * still + np.random.default_rng(2).normal(50, 4, still.shape)).astype(dtype)
    found = shuffled.put_in_order(image)
    assert found is not None
    assert found.image.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found.image, image[found.order])


def test_brightness_of_whole_rows_tells_nothing() -> None:
    still, places = displaced(field(4), 8.0, 4)
    draw = np.random.default_rng(5)
    lit = still + draw.normal(0.0, 0.2, (SIZE, 1)) + draw.normal(0.0, 0.03, still.shape)
    found = shuffled.put_in_order(lit)
    assert found is not None
    assert stats.spearmanr(places[found.order], np.arange(SIZE)).statistic > 0.99
    assert (
        shuffled.put_in_order(field(4) + draw.normal(0.0, 0.2, (SIZE, 1)) + draw.normal(0, 0.03, still.shape)) is None
    )


@pytest.mark.parametrize("level", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("name", sorted(specimen.SPECIMENS))
def test_images_in_order_stay(name: str, level: float) -> None:
    clean = specimen.scale(specimen.draw(name, SIZE, 0.1, 3).image)
    assert shuffled.put_in_order(noise.apply(clean, noise.Gaussian(level), 1)) is None


@pytest.mark.parametrize("width", [(0, 0), (0, 4), (4, 0), (1, 6)])
def test_noise_stays_also_where_rows_have_nothing_in_common(width: tuple[float, float]) -> None:
    for seed in range(4):
        image = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((SIZE, SIZE)), width)
        assert shuffled.put_in_order(image) is None


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_strayed_along_themselves_or_across_by_less_than_three_stay(seed: int) -> None:
    draw = np.random.default_rng(seed)
    for beam in (noise.Jitter(x=0.5, y=1.0, line=1.0), noise.Jitter(x=0.0, y=0.0, line=2.0)):
        image = noise.apply(field(seed, 5.0), beam, seed) + draw.normal(0, 0.03, (SIZE, SIZE))
        assert shuffled.put_in_order(image) is None


@pytest.mark.parametrize("period", [6.3, 11.0, 24.0])
def test_what_repeats_across_the_rows_fits_in_many_places_and_stays(period: float) -> None:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    clean = (np.cos(2 * np.pi * rows / period) * np.cos(2 * np.pi * columns / 13.0)).astype(np.float32)
    still, _ = displaced(clean, 8.0, 1)
    assert shuffled.put_in_order(still + np.random.default_rng(2).normal(0, 0.1, still.shape)) is None


@pytest.mark.parametrize("seed", range(3))
def test_few_counts_of_a_thing_that_is_alike_above_and_below_stay(seed: int) -> None:
    """Rows above the middle of a disc show the same as those below."""
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2
    clean = np.where(np.hypot(rows, columns) < 100, 1.0, 0.1) * (1 + 0.3 * np.cos(columns / 9.0))
    for mean in (0.1, 0.3, 1.0, 5.0):
        assert shuffled.put_in_order(np.random.default_rng(seed).poisson(mean * clean)) is None


@pytest.mark.parametrize("shape", [(63, 256), (256, 63), (1025, 64), (4, 4)])
def test_small_and_long_images_are_not_looked_at(shape: tuple[int, int]) -> None:
    assert shuffled.put_in_order(np.random.default_rng(0).random(shape)) is None


def test_images_of_one_value_stay() -> None:
    assert shuffled.put_in_order(np.full((SIZE, SIZE), 7.0)) is None
