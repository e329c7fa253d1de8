"""How a result differs from its lattice goes where it is noise, and stays where it is a defect, an edge or certain."""

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.corrections import deviations, lattices

SIZE, SPACING, WIDTH, NOISE = 384, 12.0, 2.4, 0.35
TURN = np.array([[0.96, 0.28], [-0.28, 0.96]])


def crystal(size: int = SIZE) -> np.ndarray:
    """Return Gaussian columns, 1 high, on a turned square lattice that fills an image."""
    y, x = np.mgrid[:size, :size].astype(float)
    u, v = TURN[0, 0] * y + TURN[0, 1] * x, TURN[1, 0] * y + TURN[1, 1] * x
    near = [each - SPACING * np.round(each / SPACING) for each in (u, v)]
    image = np.zeros(y.shape)
    for down in (-SPACING, 0.0, SPACING):
        for across in (-SPACING, 0.0, SPACING):
            image += np.exp(-0.5 * ((near[0] + down) ** 2 + (near[1] + across) ** 2) / WIDTH**2)
    return image.astype(np.float32)


def site(row: float, column: float) -> np.ndarray:
    """Return where the column nearest to a place is."""
    return np.linalg.solve(TURN, SPACING * np.round(TURN @ [row, column] / SPACING))


def column(place: np.ndarray, size: int = SIZE) -> np.ndarray:
    y, x = np.mgrid[:size, :size]
    return np.exp(-0.5 * ((y - place[0]) ** 2 + (x - place[1]) ** 2) / WIDTH**2).astype(np.float32)


def restored(clean: np.ndarray, noise: float = NOISE, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return a noisy image and a result that has kept what noise is on the average over half a cell, as networks do."""
    grain = np.random.default_rng(seed).normal(0, noise, clean.shape).astype(np.float32)
    return clean + grain, clean + ndimage.gaussian_filter(grain, SPACING / 2)


def rms(difference: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))


@pytest.mark.parametrize("scale", [1.0, 4000.0])
def test_noise_goes_from_a_lattice(scale: float) -> None:
    clean = crystal()
    raw, result = restored(clean, noise=1.0)
    before = rms(result - clean)
    result = (scale * (result + 3.0)).astype(np.float32)
    lattices.correct((scale * (raw + 3.0)).astype(np.float32), result)
    assert rms(result / scale - 3.0 - clean) < 0.7 * before


def test_defects_stay() -> None:
    gone, heavy, added = site(190, 190), site(120, 250), site(250, 130) + TURN.T @ [SPACING / 2, SPACING / 2]
    clean = crystal() - column(gone) + 0.8 * column(heavy) + 0.8 * column(added)
    raw, result = restored(clean)
    before = result.copy()
    lattices.correct(raw, result)
    for place in (gone, heavy, added):
        near = np.hypot(*(np.mgrid[:SIZE, :SIZE] - place[:, None, None])) < 2 * WIDTH
        perfect = crystal()[near]
        shown = [float((each[near] - perfect).mean()) for each in (before, result)]
        assert abs(shown[1]) > 0.9 * abs(shown[0])
        assert shown[0] * shown[1] > 0


def test_what_is_certain_stays() -> None:
    clean = crystal()
    heights = np.random.default_rng(4).uniform(-0.3, 0.3, (SIZE // 8, SIZE // 8))
    clean *= 1.0 + np.kron(heights, np.ones((8, 8))).astype(np.float32)
    raw, result = restored(clean, noise=0.02)
    before = result.copy()
    lattices.correct(raw, result)
    assert rms(result - before) < 0.05 * rms(clean - crystal())


def test_a_lattice_that_ends_keeps_its_edge_and_nothing_beside_it_changes() -> None:
    clean = crystal()
    clean[:, SIZE // 2 :] = clean[:, 30:60].mean()
    raw, result = restored(clean)
    before = result.copy()
    lattices.correct(raw, result)
    beside, edge = np.s_[:, SIZE // 2 + 40 :], np.s_[:, SIZE // 2 - 8 : SIZE // 2 + 8]
    assert rms((result - clean)[beside]) < 1.1 * rms((before - clean)[beside])
    assert rms((result - clean)[edge]) < 1.1 * rms((before - clean)[edge])


def test_without_a_lattice_deviations_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    clean = ndimage.gaussian_filter(rng.standard_normal((SIZE, SIZE)), 3.0).astype(np.float32)
    raw, result = restored(clean / clean.std(), 0.5)
    waves_alone = result.copy()
    lattices.correct(raw, result)
    monkeypatch.setattr(deviations, "lost", lambda *_: None)
    lattices.correct(raw, waves_alone)
    np.testing.assert_array_equal(result, waves_alone)


def test_parts_of_a_large_image_come_out_as_the_whole_does() -> None:
    """Bands of rows pass on to each other what lies beside them."""
    clean = crystal(1280)
    raw, result = restored(clean)
    part = result[:1152].copy()
    lattices.correct(raw, result)
    lattices.correct(raw[:1152], part)
    assert rms(result[:704] - part[:704]) < 0.02 * rms(result[:704] - clean[:704])
