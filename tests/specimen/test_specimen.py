"""Specimens: drawn right, the same again from the same seed, with atoms where they say."""

import numpy as np
import pytest

from temclean import specimen
from temclean.errors import ParameterError
from temclean.specimen import atoms, shapes


def test_gaussians_is_the_plain_sum() -> None:
    rng = np.random.default_rng(3)
    drawn = atoms.Atoms(rng.uniform(-10, 110, (80, 2)), rng.uniform(0.2, 1, 80), rng.uniform(0.8, 6, 80))
    y, x = np.mgrid[:100, :100]
    plain = sum(
        peak * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * width**2))
        for (cy, cx), peak, width in zip(drawn.positions, drawn.peak, drawn.width_px, strict=True)
    )
    np.testing.assert_allclose(atoms.gaussians(drawn, 100, band=32), plain, atol=2e-5 * plain.max())


def test_disorder_has_the_shares_that_the_paper_states() -> None:
    count = 40_000
    shift = np.abs(atoms.disorder(np.random.default_rng(1), count)) / (atoms.BOND / 5)
    bound = 4 * np.sqrt(0.25 / shift.size)
    assert shift.max() <= 1.0
    for low, high, share in ((0, 1 / 3, 0.6845), (1 / 3, 2 / 3, 0.2725), (2 / 3, 1, 0.0430)):
        assert abs(((shift >= low) & (shift < high)).mean() - share) < bound


@pytest.mark.parametrize("kind", atoms.BRAVAIS)
@pytest.mark.parametrize("pixel_size", [0.05, 0.2])
def test_lattice_columns_stand_on_maxima(kind: str, pixel_size: float) -> None:
    for seed in range(4):
        truth = specimen.draw(kind, 192, pixel_size, seed)
        rows, columns = np.rint(truth.positions).astype(int).T
        inner = (rows > 4) & (rows < 187) & (columns > 4) & (columns < 187)
        at_columns = truth.image[rows[inner], columns[inner]].mean()
        assert at_columns > truth.image.mean() + 0.15


def test_lattice_fills_the_image() -> None:
    for seed in range(10):
        points, _ = atoms.lattice_points(
            np.random.default_rng(seed), np.array([[2.0, 0.0], [0.7, 1.9]]), np.zeros((1, 2)), 60.0
        )
        counts, *_ = np.histogram2d(*points.T, bins=6, range=[[0, 60], [0, 60]])
        np.testing.assert_allclose(counts, 100 / 3.8, atol=6)


@pytest.mark.parametrize("name", specimen.SPECIMENS)
def test_every_specimen_is_an_image_and_comes_again(name: str) -> None:
    for size in (1, 2, 33, 128):
        for seed in (0, 5, 11):
            truth = specimen.draw(name, size, 0.1, seed)
            assert truth.image.shape == (size, size)
            assert truth.image.dtype == np.float32
            assert truth.image.min() >= 0.0
            assert truth.image.max() <= 1.0
            assert len(truth.positions) == len(truth.brightness)
            assert ((truth.positions > -0.5) & (truth.positions < size - 0.5)).all()
            again = specimen.draw(name, size, 0.1, seed)
            np.testing.assert_array_equal(truth.image, again.image)
            np.testing.assert_array_equal(truth.positions, again.positions)
    assert not np.array_equal(specimen.draw(name, 64, 0.1, 1).image, specimen.draw(name, 64, 0.1, 2).image)


def test_scene_reports_dark_atoms() -> None:
    truths = [specimen.draw("scene", 128, 0.1, seed) for seed in range(60)]
    dark = [truth for truth in truths if truth.polarity < 0 and len(truth.positions) > 20]
    assert 3 <= sum(truth.polarity < 0 for truth in truths) <= 30
    rows = [truth.image[tuple(np.rint(truth.positions).astype(int).T)].mean() < truth.image.mean() for truth in dark]
    assert np.mean(rows) > 0.9


def test_field_joins_its_values_smoothly() -> None:
    smooth = shapes.field(np.random.default_rng(0), 256, 4)
    assert 0.0 <= smooth.min() < smooth.max() <= 1.0
    assert np.abs(np.diff(smooth, axis=0)).max() < 2.0 / 64


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("unobtainium", 64, 0.1, 0), "unobtainium"),
        (("graphene", 0, 0.1, 0), "size 0"),
        (("graphene", 64, -0.1, 0), "pixel size -0.1"),
        (("graphene", 64, 0.1, -1), "seed -1"),
        (("graphene", 32768, 10.0, 0), "atoms in the image"),
        (("graphene-atoms", 32768, 10.0, 0), "atoms in the image"),
        (("lattice", 64, float("nan"), 0), "pixel size nan"),
    ],
)
def test_bad_parameters_are_named(arguments: tuple[str, int, float, int], part: str) -> None:
    with pytest.raises(ParameterError, match=part):
        specimen.draw(*arguments)
