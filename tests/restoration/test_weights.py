"""The shipped models on images that no training run has seen, through the pipeline as users run it."""

import warnings
from collections.abc import Iterator
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
pytest.importorskip("skimage", reason="the test extra is not installed")

from scipy import ndimage

import temclean
from temclean import metrics, noise, specimen
from temclean.errors import ModelError, TemcleanWarning
from temclean.restoration import cautions, models, pipeline
from temclean.specimen import movies
from temclean.training import evaluate

pytestmark = pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")

BARS = {
    ("g", 0.2): 0.985,
    ("g", 0.3): 0.97,
    ("sp", 0.2): 0.985,
    ("sp", 0.3): 0.97,
    ("gsp", 0.2): 0.97,
    ("gsp", 0.3): 0.94,
    ("bbg", 0.2): 0.94,
    ("bbg-keep", 0.2): 0.97,
}
"""Least mean MS-SSIM, by model and noise level."""


@pytest.fixture(scope="module", autouse=True)
def drawn_once() -> Iterator[None]:
    """Draw each held-out specimen once for all models, and find its spots once: the same seed gives the same image."""
    find, known = evaluate.find_spots, {}
    validation = evaluate.validation

    def found(image: np.ndarray, smoothing: float, prominence: float) -> np.ndarray:
        key = sha256(np.ascontiguousarray(image).data).digest(), smoothing, prominence
        if key not in known:
            known[key] = find(image, smoothing, prominence)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(specimen, "draw", lru_cache(maxsize=None)(specimen.draw))
        patch.setattr(evaluate, "find_spots", found)
        patch.setattr(evaluate, "kept_graphene", lru_cache(maxsize=None)(evaluate.kept_graphene))
        patch.setattr(evaluate, "validation", lru_cache(maxsize=None)(lambda *asked: tuple(validation(*asked))))
        yield


@pytest.fixture(scope="module")
def restorers() -> dict[str, evaluate.Restore]:
    return {name: partial(pipeline.denoise, model=name, device="cpu") for name in (*models.available(), "bbg-keep")}


@pytest.mark.parametrize(("family", "level"), BARS)
def test_similarity(restorers: dict[str, evaluate.Restore], family: str, level: float) -> None:
    size = 512 if family == "bbg" else 384  # the uneven ground of ``bbg`` is as wide as an image
    assert evaluate.similarity(restorers[family], family, level, 1, size)["all"] >= BARS[family, level]


GRAPHENE = {
    "g": {0.036: (0.9965, 0.992), 0.10: (0.994, 0.984)},
    "sp": {0.036: (0.9975, 0.990), 0.10: (0.998, 0.990)},
    "gsp": {0.036: (0.995, 0.982), 0.10: (0.990, 0.958)},
    "bbg": {0.036: (0.985, 0.970), 0.10: (0.994, 0.987)},
}
"""Least MS-SSIM on graphene from first principles, of the structure kept for tests, at C = 0.2 and 0.36, by Å a pixel:
a little below what they reach, and far above what Chae 2025 reports, 0.96 at 0.2 and 0.9 to 0.36. Models that had seen
little but graphene reached up to 0.998, and drew its rings where single atoms stand."""


@pytest.mark.parametrize("pixel_size", evaluate.GRAPHENE_PIXEL_SIZES)
@pytest.mark.parametrize("family", GRAPHENE)
def test_graphene_from_first_principles(restorers: dict[str, evaluate.Restore], family: str, pixel_size: float) -> None:
    """On 512 pixels a side: on four times as many the scores are the same, or up to 0.001 more, as less is border.

    That of ``bbg``, whose network takes a quarter of the time, would be within 0.0002 of its bar there.
    """
    size = 1024 if family == "bbg" else 512
    least = dict(zip((0.2, 0.36), GRAPHENE[family][pixel_size], strict=True))
    scores = evaluate.graphene_scores(restorers[family], family, pixel_size, list(least), count=1, size=size)
    for level, score in scores.items():
        assert score >= least[level], level


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "bbg-keep"])
def test_every_specimen_is_restored_better_than_by_a_filter(
    restorers: dict[str, evaluate.Restore], family: str
) -> None:
    filters = [partial(ndimage.median_filter, size=size) for size in (3, 5, 7, 9)]
    filters += [partial(ndimage.gaussian_filter, sigma=sigma) for sigma in (1.0, 1.5, 2.0, 3.0, 4.0)]
    for name in evaluate.OTHERS:
        clean = next(evaluate.others(name, 1))
        noisy, wanted = (make(clean, family, 0.2, evaluate.FIRST_SEED) for make in (evaluate.distort, evaluate.target))
        ours, *peers = (metrics.ms_ssim(wanted, run(noisy), data_range=1.0) for run in (restorers[family], *filters))
        assert ours > max(peers), name


@pytest.mark.parametrize("microscope", evaluate.MICROSCOPES)
def test_general_restores_whole_microscopes_better_than_a_filter(
    restorers: dict[str, evaluate.Restore], microscope: str
) -> None:
    """On the mean of four pairs, over the filter and strength that are best for these; by 0.6 dB at least when made."""
    filters = [partial(ndimage.median_filter, size=size) for size in (3, 5, 7)]
    filters += [partial(ndimage.gaussian_filter, sigma=sigma) for sigma in (0.7, 1.0, 1.5, 2.0, 3.0)]
    ours, *peers = (
        evaluate.microscope_scores(run, microscope, 4)["psnr_restored"] for run in (restorers["general"], *filters)
    )
    assert ours > max(peers)


@pytest.mark.parametrize(("contrast", "mae", "psnr"), [(0.2, 0.05, 22.5), (0.6, 0.025, 29.0)])
def test_lde_makes_much_of_five_electrons_a_pixel(contrast: float, mae: float, psnr: float) -> None:
    """Better than the means of Katsuno (2021), MAE 0.063 and PSNR 21.97, and than any Gaussian on the same images."""
    found = evaluate.low_dose_scores(partial(pipeline.denoise, model="lde", device="cpu"), contrast, count=2)
    assert found["mae_restored"] < mae
    assert found["psnr_restored"] > psnr
    for sigma in (4.0,):
        blurred = evaluate.low_dose_scores(partial(ndimage.gaussian_filter, sigma=sigma), contrast, count=2)
        assert blurred["psnr_restored"] < found["psnr_restored"] - 2.0, sigma


def test_lde_is_not_said_to_meet_more_noise_than_it_knows() -> None:
    noisy = evaluate.distort(specimen.draw("bright-field", 256, 30.0, 1).image, "lde", 0.4, 1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TemcleanWarning)
        pipeline.denoise(noisy, model="lde", device="cpu")
    assert not any("more than any model" in str(each.message) for each in caught)


@pytest.mark.parametrize("name", sorted(models.available().keys() - {"n2a", "lde"}))  # without levels C
def test_only_noise_beyond_what_was_learned_gives_a_warning(restorers: dict[str, evaluate.Restore], name: str) -> None:
    for _, _, drawn in evaluate.held_out(1, 256, "atoms" if name == "bbg" else "scene"):
        learned = evaluate.distort(drawn.image, name, 0.4, evaluate.FIRST_SEED)
        assert cautions.noise_level(learned, restorers[name](learned)) < cautions.STRONG_NOISE
        if name in ("g", "gsp"):  # the others are not for grain, or take it for atoms
            noisy = drawn.image + np.random.default_rng(0).normal(0, 0.8, drawn.image.shape).astype(np.float32)
            with pytest.warns(TemcleanWarning, match="times as strong"):
                restored = restorers[name](noisy)
            assert cautions.noise_level(noisy, restored) > cautions.STRONG_NOISE


@pytest.mark.parametrize("family", ["g", "sp", "gsp"])
def test_hardly_a_column_is_lost_or_invented(restorers: dict[str, evaluate.Restore], family: str) -> None:
    """Of one image of each lattice at each pixel size; ``gsp`` loses some that are 5 to 7 pixels apart."""
    for kind, (precision, recall) in evaluate.spots(restorers[family], family, 0.2, 1).items():
        assert precision >= 0.99, kind
        assert recall >= (0.98 if family == "gsp" else 0.99), kind


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "general", "fast", "lr"])
@pytest.mark.parametrize("unit", [1.0, 3000.0])
def test_flat_regions_keep_their_mean(restorers: dict[str, evaluate.Restore], family: str, unit: float) -> None:
    clean = np.full((256, 256), 0.3, np.float32)
    clean[:, 128:] = 0.7
    noisy = evaluate.distort(clean, family, 0.1, seed=5)
    restored = restorers[family](noisy * np.float32(unit)) / unit
    for columns in (slice(16, 112), slice(144, 240)):
        region = clean[16:240, columns]
        assert abs(float(restored[16:240, columns].mean()) - float(region.mean())) < 0.005


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "general", "fast", "lr"])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_the_quiet_floor_of_counted_electrons_keeps_its_mean(
    restorers: dict[str, evaluate.Restore], family: str, dtype: str
) -> None:
    """As a share of the range; its noise is far weaker than that of the bright half, and was taken for a cut at 0."""
    clean = np.full((256, 256), 4.0)
    clean[:, 128:] = 180.0
    restored = restorers[family](np.random.default_rng(3).poisson(clean).astype(dtype))
    for columns, mean in ((slice(16, 112), 4.0), (slice(144, 240), 180.0)):
        assert abs(float(restored[16:240, columns].mean()) - mean) < 0.005 * 176.0


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "general", "fast", "lr"])
def test_a_bright_particle_rings_not(restorers: dict[str, evaluate.Restore], family: str) -> None:
    rows, columns = np.ogrid[:256, :256]
    distance = np.hypot(rows - 128, columns - 128)
    image = np.random.default_rng(4).normal(np.where(distance < 8, 20_000.0, 1000.0), 30.0).astype("u2")
    image[40, 40] = 65_000
    restored = restorers[family](image).astype(float)
    around = (distance > 10) & (distance < 60)
    assert np.abs(restored[around] - 1000).max() < (200 if family != "sp" else 400)  # sp leaves the grain
    doubtful = family in ("sp", "gsp")  # to these white may be an impulse
    assert abs(float(restored[distance < 6].mean()) - 20_000) < (400 if doubtful else 100)
    assert np.abs(restored[36:45, 36:45] - 1000).max() < 400


@pytest.mark.parametrize("family", models.available())
def test_nothing_is_invented_where_there_is_nothing(restorers: dict[str, evaluate.Restore], family: str) -> None:
    for field in evaluate.empty_fields(family, 0.2, 2):
        assert evaluate.invented(restorers[family](field), 0.2) == 0


@pytest.mark.parametrize("name", models.available())
def test_weights_are_small_and_tell_damage(tmp_path: Path, name: str) -> None:
    content = bytearray(models.load(name).path.read_bytes())
    assert len(content) < 8.5e6
    content[len(content) // 3] ^= 64
    (tmp_path / "damaged.onnx").write_bytes(content)
    with pytest.raises(ModelError, match="the network in it is damaged"):
        models.load(tmp_path / "damaged.onnx")


def test_all_weights_together_are_quick_to_install() -> None:
    assert sum(models.load(name).path.stat().st_size for name in models.available()) < 60e6


@pytest.mark.parametrize("family", ["g", "sp", "gsp", "bbg", "general", "fast", "lr"])
def test_tiles_leave_no_seam(restorers: dict[str, evaluate.Restore], family: str) -> None:
    """Two tiles that take over from each other within 64 pixels, of ``general`` four; twice the halo is 256 or 384."""
    tile = 576 if family in ("gsp", "bbg") else 448
    size = tile + 128
    rows = pipeline.plan((size, size), models.load(family), tile).rows
    assert rows.ramps == ((size // 2 - 32, size // 2 + 32),)
    clean = specimen.draw("graphene-atoms", size, 0.1, evaluate.FIRST_SEED).image
    clean = clean if family == "general" else clean[:, :320]  # the plan is the same for all, and tested by itself
    noisy = evaluate.distort(clean, family, 0.2, seed=2)
    whole = restorers[family](noisy, tile=size)
    tiled = restorers[family](noisy, tile=tile)
    assert np.abs(whole - tiled).max() < 1e-4 * (clean.max() - clean.min())  # a fortieth of a grey level of 8 bits


@pytest.mark.parametrize("pixel_size", [0.036, 0.1])
def test_the_brightness_of_regions_is_kept(restorers: dict[str, evaluate.Restore], pixel_size: float) -> None:
    clean = specimen.draw("graphene", 512, pixel_size, evaluate.FIRST_SEED).image
    restored = restorers["bbg-keep"](evaluate.distort(clean, "bbg-keep", 0.2, seed=3))
    wanted = evaluate.target(clean, "bbg-keep", 0.2, seed=3)
    assert evaluate.regional_brightness(wanted, restored) >= 0.98


def of_clusters(
    gradient: float, size: int = 128, dose: float = 5.0, count: int = 4
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the places of platinum atoms on carbon, clean frames, and frames of a few electrons a pixel."""
    drawn = movies.draw("clusters", count, size, 0.3, 91_500, drift=0.0)
    light = gradient * np.linspace(0.0, 1.0, size, dtype=np.float32)
    raw = [noise.apply(frame + light, noise.Poisson(dose), 7, frame=i) for i, frame in enumerate(drawn.frames)]
    return drawn.positions[0], drawn.frames, np.stack(raw)


@pytest.mark.parametrize("gradient", [0.0, 0.3], ids=["even", "gradient"])
def test_atoms_of_n2a_are_there_and_bright_under_a_gradient_too(
    restorers: dict[str, evaluate.Restore], gradient: float
) -> None:
    """The two failures of Wang 2020: contrast that is inverted, and atoms that a gradient makes."""
    places, clean, raw = of_clusters(gradient)
    restored = restorers["n2a"](raw)
    assert np.corrcoef(restored[0].ravel(), clean[0].ravel())[0, 1] > 0.7
    spots = metrics.columns(restored[0], 0.65 / 0.3).positions
    gap = np.linalg.norm(places[:, None] - spots, axis=2)
    inner, seen = (((each > 4) & (each < 123)).all(axis=1) for each in (places, spots))
    assert np.mean(gap.min(axis=1)[inner] < 2.0) > 0.75
    assert np.mean(gap.min(axis=0)[seen] >= 2.0) < 0.2
    assert metrics.movie_css(restored).mean() > 0.69
    if gradient:  # and where it rises, nothing follows it
        rows, columns = np.nonzero(restored[0] < np.median(restored[0]) + 0.05)
        assert np.polyfit(columns / 127, restored[0][rows, columns], 1)[0] < 0.1 * gradient


@pytest.mark.parametrize("dose", [0.5, 2.0])
def test_n2a_takes_three_frames_together_and_finds_more_atoms(dose: float) -> None:
    """The cluster similarity score that Wang 2020 reports for a hundred frames is 0.69."""
    places, _, raw = of_clusters(0.0, dose=dose, count=5)
    found = []
    for frames in (1, None):
        restored = temclean.denoise(raw, "n2a", device="cpu", frames=frames)
        spots = metrics.columns(restored[0], 0.65 / 0.3).positions
        gap = np.linalg.norm(places[:, None] - spots, axis=2)
        inner = ((places > 4) & (places < 123)).all(axis=1)
        found.append((float(metrics.movie_css(restored).mean()), float(np.mean(gap.min(axis=1)[inner] < 2.0))))
    (css_alone, alone), (css, together) = found
    assert css > 0.69 > css_alone or dose > 1
    assert css > css_alone + 0.05
    assert together > alone
