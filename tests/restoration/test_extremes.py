"""What a detector has cut off stays, and impulses go as before."""

import numpy as np
import pytest
from scipy import ndimage

from temclean import noise
from temclean.restoration import extremes, models, pipeline
from temclean.training import evaluate

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")

WILD = ("gsp", "sp")


def discs(radius: int, size: int = 160, pitch: int = 53) -> np.ndarray:
    """Return where discs of a radius lie."""
    rows, columns = np.ogrid[:size, :size]
    return (rows % pitch - pitch // 2) ** 2 + (columns % pitch - pitch // 2) ** 2 <= radius**2


@pytest.mark.parametrize("side", [5, 7, 9, 17, 33])
@pytest.mark.parametrize("shape", [(60, 41), (1, 50), (12, 9)])
def test_sums_are_those_of_scipy(shape: tuple[int, int], side: int) -> None:
    image = (np.random.default_rng(0).random(shape) < 0.5).astype(np.uint8)
    wanted = ndimage.convolve(image.astype(int), np.ones((side, side), int), mode="reflect")
    np.testing.assert_array_equal(extremes.sums(image, side), wanted)


@pytest.mark.parametrize("level", [0.03, 0.2, 0.42])
@pytest.mark.parametrize("family", ["sp", "gsp"])
def test_impulses_make_no_area(family: str, level: float) -> None:
    """Of the dark they turn 42% white at most; what is white and was hit by Gaussian noise is so by half."""
    for grey in (0.0, 0.3, 0.49):
        noisy = noise.apply(np.full((256, 256), grey, np.float32), noise.FAMILIES[family](level), seed=3)
        assert extremes.areas(noisy > 1 - extremes.NEAR) == (None, None)
    white = noise.apply(np.ones((256, 256), np.float32), noise.FAMILIES["gsp"](level), seed=3)
    assert extremes.areas(white > 1 - extremes.NEAR) == (None, None)


@pytest.mark.parametrize("model", WILD)
@pytest.mark.parametrize("dark", [False, True], ids=["white", "black"])
@pytest.mark.parametrize("radius", [3, 5, 10])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_areas_at_an_extreme_stay(model: str, dark: bool, radius: int, dtype: str) -> None:
    """A disc of 255 became its surroundings, 60."""
    top = np.iinfo(dtype).max
    inside = discs(radius)
    image = np.where(inside, 1.5, 0.25) + np.random.default_rng(1).normal(0, 0.06, inside.shape)
    image = image.clip(0, 1)
    image = np.rint(top * (1 - image if dark else image)).astype(dtype)
    restored = pipeline.denoise(image, model, device="cpu") / top
    assert abs(restored[inside].mean() - (not dark)) < 0.02
    outside = ~ndimage.binary_dilation(inside, iterations=4)
    assert abs(restored[outside].mean() - (0.75 if dark else 0.25)) < 0.01


@pytest.mark.parametrize("model", WILD)
def test_clipped_tops_of_particles_and_a_data_bar_stay(model: str) -> None:
    rows, columns = np.mgrid[:256, :256]
    dome = (1 - ((rows % 64 - 32) ** 2 + (columns % 64 - 32) ** 2) / 26**2).clip(0, None) ** 0.5
    draw = np.random.default_rng(2)
    image = (8000 + 80_000 * dome + draw.normal(0, 1500, dome.shape)).clip(0, 65535).astype(np.uint16)
    clipped = ndimage.binary_erosion(image == 65535, iterations=2)
    assert 0.1 < clipped.mean() < 0.4
    assert pipeline.denoise(image, model, device="cpu")[clipped].min() > 0.89 * 65535
    bar = draw.normal(100, 25, (256, 256)).clip(1, 250).astype(np.uint8)
    bar[220:] = 255
    assert pipeline.denoise(bar, model, device="cpu")[223:].min() > 0.89 * 255


@pytest.mark.parametrize("model", WILD)
def test_areas_stay_among_impulses(model: str) -> None:
    inside = discs(12, 212)
    image = np.where(inside, 1.0, 0.25).astype(np.float32)
    noisy = noise.apply(image, noise.SaltPepper(0.1), seed=4)
    restored = pipeline.denoise(noisy, model, device="cpu")
    assert restored[inside].mean() > 0.85
    outside = ~ndimage.binary_dilation(inside, iterations=4)
    assert (restored[outside] > 0.9).mean() < 1e-4


@pytest.mark.usefixtures("network_once")
@pytest.mark.parametrize("model", WILD)
@pytest.mark.parametrize("level", [0.03, 0.2, 0.42])
def test_impulses_go_as_before(model: str, level: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, (_, _, drawn) in enumerate(evaluate.held_out(1, 160)):
        noisy = evaluate.distort(drawn.image, model, level, number)
        restored = pipeline.denoise(noisy, model, device="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(extremes, "keep_areas", lambda *_: None)
            before = pipeline.denoise(noisy, model, device="cpu")
        errors = [float(np.square(each - drawn.image).mean()) for each in (restored, before)]
        assert errors[0] <= 1.0001 * errors[1]


def test_areas_leave_no_seam() -> None:
    session = models.open_session(models.load("gsp"), "cpu")
    image = np.random.default_rng(5).normal(0.3, 0.05, (448, 512)).astype(np.float32)
    image[:, 120:400][discs(14, 448)[:, :280]] = 1.0
    image[300:, 230:275] = 1.0
    image = image.clip(0, 1)
    assert len(pipeline.plan(image.shape, session.model, 448)) > 1
    whole, tiled = (next(pipeline.denoise_frames(image[None], session, tile=tile)) for tile in (None, 448))
    assert np.abs(whole - tiled).max() < 1e-4
