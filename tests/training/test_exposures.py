"""Pairs of short and long exposures brought onto each other, and the particles in them; against hand-made images."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

pytest.importorskip("scipy", reason="the train extra is not installed")

from temclean.errors import FileError, ImageError, ParameterError
from temclean.training import exposures, particles


def balls(
    size: int, centres: list[tuple[float, float]], radius: float, contrast: float, soft: float = 0.6
) -> np.ndarray:
    """Draw dark discs with logistic edges on a ground of 1, from their formula."""
    y, x = np.mgrid[:size, :size].astype(float)
    image = np.ones((size, size))
    for row, column in centres:
        outside = np.minimum((np.hypot(y - row, x - column) - radius) / soft, 50.0)
        image *= 1.0 - contrast / (1.0 + np.exp(outside))
    return image.astype(np.float32)


def scattered(seed: int, size: int = 128) -> list[tuple[float, float]]:
    rng = np.random.default_rng(seed)
    return [(float(row), float(column)) for row, column in rng.uniform(0, size, (14, 2))]


def put(folder: Path, name: str, pixels: np.ndarray) -> None:
    folder.mkdir(exist_ok=True)
    tifffile.imwrite(folder / name, pixels.astype(np.float32))


def test_the_long_exposure_lies_on_the_short_one_and_has_its_scale(tmp_path: Path) -> None:
    """Discs 2.3 px down and 1.6 px left of where the short exposure has them, at 4x the pixels and 200x the counts."""
    rng, off = np.random.default_rng(1), (2.3, -1.6)
    for number in range(3):
        places = scattered(number)
        short = balls(128, places, 7.0, 0.4)
        whole = balls(512, [(4 * (r + off[0]) + 1.5, 4 * (c + off[1]) + 1.5) for r, c in places], 28.0, 0.4, 2.4)
        put(tmp_path / "short", f"{number}.tif", rng.poisson(20.0 * short) + 100.0)
        put(tmp_path / "long", f"{number}.tiff", rng.poisson(250.0 * whole) + 400.0)
    put(tmp_path, "dark.tif", np.full((128, 128), 100.0))
    put(tmp_path, "dark_long.tif", np.full((512, 512), 400.0))
    plain = exposures.load(tmp_path / "short", tmp_path / "long")
    dark = exposures.load(tmp_path / "short", tmp_path / "long", tmp_path / "dark.tif", tmp_path / "dark_long.tif")
    for ground, (pairs, fields, left_out) in ((100.0, plain), (0.0, dark)):
        assert fields == [0, 1, 2]
        assert not left_out
        for number, pair in enumerate(pairs):
            np.testing.assert_allclose(pair.drift, off, atol=0.15)
            assert min(pair.long.shape) > 110
            truth = 20.0 * balls(128, scattered(number), 7.0, 0.4) + ground
            errors = [
                np.abs(pair.long - truth[row : row + pair.long.shape[0], column : column + pair.long.shape[1]]).mean()
                for row in range(129 - pair.long.shape[0])
                for column in range(129 - pair.long.shape[1])
            ]
            assert min(errors) < 0.25  # of 20, by the noise of the long exposure and the slope's


def test_binning_is_the_mean_and_needs_whole_factors() -> None:
    image = np.arange(24, dtype=np.float32).reshape(4, 6)
    assert exposures.binned(image, (2, 3), Path("a")).tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5]]
    for shape in ((3, 6), (4, 4), (2, 6), (8, 12)):
        with pytest.raises(ParameterError, match=r"a: has 4 x 6 pixels, which cannot be binned"):
            exposures.binned(image, shape, Path("a"))


def test_what_does_not_make_pairs_is_named(tmp_path: Path) -> None:
    short, long = tmp_path / "short", tmp_path / "long"
    with pytest.raises(FileError, match="short: there is no such folder"):
        exposures.partners(short, long)
    short.mkdir()
    long.mkdir()
    with pytest.raises(FileError, match="short: holds no images"):
        exposures.partners(short, long)
    with pytest.raises(ParameterError, match="lie in one folder"):
        exposures.partners(short, short)
    for name in ("a.tif", "b.tif", "c.tif"):
        put(short, name, np.ones((70, 70)))
    put(long, "c.tif", np.ones((70, 70)))
    with pytest.raises(ParameterError, match=r"a\.tif: has no partner in .*long \(nor have 1 others\)"):
        exposures.partners(short, long)
    put(long, "a.tif", np.ones((70, 70)))
    put(long, "b.tif", np.ones((70, 70)))
    put(long, "d.tif", np.ones((70, 70)))
    with pytest.raises(ParameterError, match=r"d\.tif: has no partner in .*short; give both of a pair the same name"):
        exposures.partners(short, long)
    (long / "d.tif").rename(long / "a.tiff")
    with pytest.raises(ParameterError, match=r"a\.tif and a\.tiff are both a; keep one"):
        exposures.partners(short, long)
    put(short, "c.tif", np.full((70, 70), np.nan))
    with pytest.raises(ImageError, match=r"c\.tif: some of its pixels are NaN"):
        exposures.frames(short / "c.tif")
    put(tmp_path, "dark.tif", np.ones((35, 35)))
    with pytest.raises(ParameterError, match=r"dark\.tif: has \(35, 35\) pixels"):
        exposures.frames(short / "a.tif", tmp_path / "dark.tif")


def test_pairs_of_different_places_are_left_out(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    put(tmp_path / "short", "a.tif", rng.poisson(5.0, (96, 96)))
    put(tmp_path / "long", "a.tif", 1000.0 * balls(96, [(48.0, 48.0)], 12.0, 0.5))
    pairs, fields, left_out = exposures.load(tmp_path / "short", tmp_path / "long")
    assert (pairs, fields) == ([], [])
    assert left_out == ["a: left out, as its long exposure shows nothing that the short one does"]


def test_images_of_one_place_are_held_out_together() -> None:
    """Two of the images are of one place, the second one moved by a third of the field."""
    places = {seed: balls(300, scattered(seed, 300) + scattered(seed + 50, 300), 9.0, 0.3) for seed in range(6)}
    views = [image[:200, :200] for image in places.values()]
    views.append(places[4][60:260, 30:230])
    numbers = exposures.fields(views)
    assert numbers[6] == numbers[4]
    assert len(set(numbers)) == 6
    for seed in range(8):
        inside, outside = exposures.split(numbers, 0.3, seed)
        assert sorted(inside + outside) == list(range(7))
        assert not {numbers[k] for k in inside} & {numbers[k] for k in outside}
        assert len({numbers[k] for k in outside}) == 2
    with pytest.raises(ParameterError, match="2 fields of view; give three or more"):
        exposures.split([0, 0, 1, 1], 0.2, 1)


def test_particles_are_counted_and_measured() -> None:
    """Seven discs of radius 8; in the other image one is gone, one is new, one is a pixel off and all have 9."""
    places = [(30.0, 30.0), (30.0, 80.0), (30.0, 130.0), (80.0, 30.0), (80.0, 80.0), (80.0, 130.0), (130.0, 30.0)]
    truth = balls(160, places, 8.0, 0.4)
    moved = [(30.0, 30.0), (30.0, 80.0), (30.0, 131.0), (80.0, 30.0), (80.0, 80.0), (80.0, 130.0), (130.0, 130.0)]
    found = particles.compare(truth, balls(160, moved, 9.0, 0.4), electrons=5.0)
    assert (found.true, found.vanished, found.imaginary) == (7, 1, 1)
    np.testing.assert_allclose(found.diameters, [[16.0, 18.0]] * 6, rtol=0.03)
    np.testing.assert_allclose(sorted(found.distances[:, 1] - found.distances[:, 0]), [0, 0, 0, 0, 0, 1], atol=0.05)
    summed = particles.summary([found, found])
    assert (summed["particles"], summed["vanished"], summed["imaginary"]) == (14, 2, 2)
    assert summed["diameter_bias_percent"] == pytest.approx(12.5, abs=1.0)
    assert summed["mean_diameter_percent"] == pytest.approx(12.5, abs=1.0)
    # A disc of 201 pixels on 5 electrons takes 2 away from each, 2^2 / 3 each; its soft edge less.
    np.testing.assert_allclose(np.abs(found.supported), np.sqrt(np.pi * 7.5**2 * 4 / 3), rtol=0.05)
    assert [summed[f"supported{what}"] for what in ("", "_vanished", "_imaginary")] == [14, 2, 2]
    faint = particles.summary([particles.compare(truth, balls(160, moved, 9.0, 0.4), electrons=0.5)])
    assert (faint["particles"], faint["supported"], faint["supported_vanished"]) == (7, 0, 0)
    bright = particles.compare(2.0 - truth, 2.0 - truth)
    assert (bright.true, bright.vanished, bright.imaginary) == (7, 0, 0)
    np.testing.assert_array_equal(bright.diameters[:, 0], bright.diameters[:, 1])


def test_edges_are_as_wide_as_their_formula_says() -> None:
    """A logistic edge of scale s passes a quarter and three quarters of its height 2 s ln 3 apart."""
    found = particles.compare(balls(96, [(48.0, 48.0)], 20.0, 0.4), balls(96, [(48.0, 48.0)], 20.0, 0.4))
    np.testing.assert_allclose(found.edges, 2 * 2 * 0.6 * np.log(3.0), rtol=0.12)


def test_clusters_and_cut_particles_are_not_measured() -> None:
    found = particles.find(balls(128, [(40.0, 40.0), (40.0, 58.0), (90.0, 2.0), (90.0, 90.0)], 10.0, 0.4), 0.05, -1)
    assert len(found.heights) == 3
    assert np.isnan(found.diameters).sum() == 2
    assert np.nanmax(found.diameters) == pytest.approx(20.0, rel=0.02)
