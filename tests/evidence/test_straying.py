"""Rows from which a beam strayed: against displacements that were made."""

import numpy as np
import pytest
from reference_straying import displaced_reference, equations_reference
from scipy import ndimage

from temclean import _straying
from temclean.evidence.lines import straying

SIDE = 192
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE].astype(float)


def lattice(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return columns of atoms on a square lattice that is turned, at any places."""
    turned = rows * np.cos(0.3) - columns * np.sin(0.3), rows * np.sin(0.3) + columns * np.cos(0.3)
    return 20 + 40 * np.prod([1 + np.cos(2 * np.pi * each / 14) for each in turned], axis=0)


CLEAN = lattice(ROWS, COLUMNS)


@pytest.mark.parametrize(("right", "down"), [(0.4, 0.0), (0.0, 0.4), (0.3, 0.2), (0.8, 0.5)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_rows_are_found_where_they_were_put(right: float, down: float, dtype: str) -> None:
    rng = np.random.default_rng(1)
    moved = rng.normal(0.0, 1.0, (2, SIDE)) * [[right], [down]]
    raw = rng.poisson(lattice(ROWS + moved[1][:, None], COLUMNS + moved[0][:, None])).clip(0, 255).astype(dtype)
    found = straying.measure(raw, CLEAN.round().astype(dtype))
    assert found is not None
    for each, made, width in zip((found.right, found.down), moved, (right, down), strict=True):
        assert np.std(each - made) < 0.12 + 0.35 * width
        if width:
            assert np.corrcoef(each, made)[0, 1] > 0.9
        else:
            assert np.std(each) < 0.05
    assert found.width == pytest.approx(np.hypot(right, down), rel=0.35)
    steady = straying.steadied(raw, CLEAN, found)
    assert steady is not None
    before, after = (np.abs(image - CLEAN).mean(axis=1).mean() for image in (raw.astype(float), steady))
    still = np.abs(rng.poisson(CLEAN) - CLEAN).mean()
    assert after - still < 0.4 * (before - still)


ALIGNED = 40 + 160 * np.exp(-((ROWS % 16 - 8) ** 2 + (COLUMNS % 16 - 8) ** 2) / 9)
EDGE = ndimage.gaussian_filter(np.random.default_rng(4).normal(0.0, 1.5, SIDE), 1.0)[:, None]  # of a thing: it is rough
ROUGH, SMOOTHED = (20 + 100 / (1 + np.exp(90 - COLUMNS - edge)) for edge in (EDGE, 0 * EDGE))
FINE = 40 + 160 * np.prod([np.exp(-((each % 7.3 - 3.65) ** 2) / 3.8) for each in (ROWS, COLUMNS)], axis=0)
INEXACT = ndimage.gaussian_filter(FINE, 0.3) + ndimage.gaussian_filter(
    np.random.default_rng(4).normal(size=FINE.shape), 1
)
DRIFTED = lattice(ROWS + 0.2 * np.sin(ROWS / 40), COLUMNS + ROWS / 50)


@pytest.mark.parametrize(
    ("spoil", "restored"),
    [
        (lambda rng: rng.poisson(CLEAN), CLEAN),
        (lambda rng: rng.normal(CLEAN, 20.0), CLEAN),
        (lambda rng: rng.poisson(CLEAN) + rng.normal(0.0, 10.0, (SIDE, 1)), CLEAN),
        (lambda rng: rng.poisson(CLEAN) * np.where(rng.random((SIDE, 1)) < 0.1, 0.6, 1.0), CLEAN),
        (lambda rng: np.where(rng.random(CLEAN.shape) < 0.02, 5000.0, rng.poisson(CLEAN)), CLEAN),
        (lambda rng: rng.poisson(DRIFTED), DRIFTED),
        (lambda rng: CLEAN, CLEAN),
        (lambda rng: rng.poisson(ALIGNED), ndimage.gaussian_filter(ALIGNED, 1.2)),
        (
            lambda rng: rng.poisson(20 + 100.0 * (ROWS // 40 % 2)),
            ndimage.gaussian_filter(20 + 100.0 * (ROWS // 40 % 2), 1),
        ),
        (lambda rng: rng.poisson(ROUGH), SMOOTHED),
        (lambda rng: rng.poisson(1e3 * FINE) / 1e3, INEXACT),
    ],
    ids=[
        "counted",
        "Gaussian",
        "rows of an offset",
        "lost lines",
        "wild pixels",
        "drift",
        "clean",
        "blunt columns",
        "blunt layers",
        "a rough edge",
        "errors of the first result",
    ],
)
def test_what_is_no_straying_is_not_taken_for_it(spoil, restored: np.ndarray) -> None:  # type: ignore[no-untyped-def]
    assert straying.measure(spoil(np.random.default_rng(2)), restored) is None


@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12])
def test_neither_a_black_bar_nor_the_unit_of_intensities_changes_what_is_found(unit: float) -> None:
    rng = np.random.default_rng(1)
    moved = rng.normal(0.0, 0.4, SIDE)
    raw, restored = rng.poisson(lattice(ROWS, COLUMNS + moved[:, None])) * unit, CLEAN * unit
    raw[-30:] = restored[-30:] = 0.0
    found = straying.measure(raw, restored)
    assert found is not None
    assert np.std(found.right[10:-40] - moved[10:-40]) < 0.2
    steady = straying.steadied(raw, restored, found)
    assert steady is not None
    assert np.isfinite(steady).all()


@pytest.mark.parametrize("shape", [(1, 1), (63, 200), (200, 63), (64, 64), (300, 70)])
def test_small_and_flat_images_are_left_alone(shape: tuple[int, int]) -> None:
    flat = np.full(shape, 7, np.uint8)
    assert straying.measure(flat, flat) is None
    assert straying.measure(np.random.default_rng(0).poisson(7, shape), flat) is None


@pytest.mark.parametrize("shape", [(3, 3), (5, 64), (70, 65), (40, 257)])
@pytest.mark.parametrize(("above", "below"), [(0, 0), (2, 2), (0, 2), (1, 0)])
def test_the_kernels_do_what_their_twins_do(shape: tuple[int, int], above: int, below: int) -> None:
    """In bands with and without rows around them; of pixels some are far off, and some beyond the table's ends."""
    rng = np.random.default_rng(sum(shape))
    height, width = shape
    wider = ndimage.gaussian_filter(rng.random((height + above + below, width)), 1).astype(np.float32)
    inner = slice(above, above + height)
    moved = rng.normal(0.0, 0.7, (height, 2))
    raw = (wider[inner] + rng.normal(0.0, 0.1, shape) * rng.choice([1.0, 5.0], shape)).astype(np.float32)
    intensities = np.linspace(0.3, 0.7, 30)
    deviations = 0.05 + 0.1 * rng.random(30)
    starts = np.unique([0, *rng.integers(0, width, 7)])
    around = np.pad(moved, ((above, below), (0, 0)))
    at, *_ = displaced_reference(wider.astype(np.float64), around)

    matrices, sides = np.full((2, height + 3, 4, 4), np.nan), np.full((2, height + 3, 4), np.nan)
    work = np.empty((_straying.ROOM, width), np.float32)
    _straying.equations(
        raw, wider, above, moved, deviations.astype(np.float32), 0.3, 29 / 0.4, starts, 2.5, 6.0, work, 1, matrices,
        sides,
    )  # fmt: skip
    whole = np.full(wider.shape, np.nan)
    whole[inner] = raw
    expected = equations_reference(whole, wider.astype(np.float64), around, intensities, deviations, starts, 2.5, 6.0)
    for found, twin in zip((matrices, sides), expected, strict=True):
        assert np.isnan(found[:, 0]).all()
        assert np.isnan(found[:, 1 + height :]).all()
        np.testing.assert_allclose(
            found[:, 1 : 1 + height], twin[:, inner], rtol=1e-3, atol=1e-3 * np.abs(twin[:, inner]).max()
        )
    for dtype in (np.float32, np.float64):
        out = rng.random(shape).astype(dtype)
        steady = out - 3.0 * (at - wider)[inner]
        _straying.steady(wider, above, moved, 3.0, work, out)
        np.testing.assert_allclose(out, steady, atol=2e-6)
