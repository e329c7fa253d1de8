"""The grid of two pixels, which networks make that fold 2x2 pixels into one, is not in results."""

from pathlib import Path

import numpy as np
import pytest
from reference_grid import grid_reference
from scipy import ndimage

from temclean import io, noise, specimen
from temclean.restoration import grid, models, pipeline
from temclean.training import evaluate

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
EDGES = ((1, 1), (0, 1), (1, 0))
"""Which of rows and columns change sign from one to the next."""


def heights(image: np.ndarray) -> np.ndarray:
    """Return the spectrum (Hann) where rows, columns or both alternate, over its median 4 to 16 pixels around there."""
    image = np.asarray(image, float)
    image = image[: image.shape[0] // 2 * 2, : image.shape[1] // 2 * 2]
    window = np.hanning(image.shape[0])[:, None] * np.hanning(image.shape[1])
    spectrum = np.fft.fftshift(np.abs(np.fft.fft2((image - image.mean()) * window)))
    found = []
    for edge in EDGES:
        shift = [0 if flips else length // 2 for flips, length in zip(edge, image.shape, strict=True)]
        around = np.roll(spectrum, [16 - place for place in shift], (0, 1))[:33, :33]
        rest = np.ones((33, 33), bool)
        rest[13:20, 13:20] = False
        found.append(around[15:18, 15:18].max() / np.median(around[rest]))
    return np.array(found)


def patterns(shape: tuple[int, int], amplitudes: tuple[float, float, float]) -> np.ndarray:
    """Return what alternates in both directions, along a row, and along a column."""
    rows, columns = ((-1.0) ** np.arange(length) for length in shape)
    both = rows[:, None] * columns
    return (amplitudes[0] * both + amplitudes[1] * columns + amplitudes[2] * rows[:, None]).astype(np.float32)


@pytest.mark.parametrize("shape", [(32, 32), (32, 96), (96, 64), (64, 544), (576, 1056)])
def test_the_kernels_do_what_their_twin_does(shape: tuple[int, int]) -> None:
    """Wider and narrower than what is worked on in one go; edges, patterns of the image's own, and of the result's."""
    draw = np.random.default_rng(sum(shape))
    clean = ndimage.gaussian_filter(draw.random(shape), 4).astype(np.float32)
    clean[:, shape[1] // 3 :] += np.float32(0.5)
    tile = clean + patterns(shape, (0.0, 0.05, 0.02)) + draw.normal(0, 0.1, shape).astype(np.float32)
    restored = clean + patterns(shape, (0.004, -0.003, 0.002))
    expected = grid_reference(tile, restored)
    grid.remove(tile, restored)
    np.testing.assert_allclose(restored, expected, rtol=0, atol=2e-7)


def lattice(size: int = 256) -> np.ndarray:
    return specimen.draw("graphene-atoms", size, 0.05, evaluate.FIRST_SEED).image


@pytest.mark.parametrize("amplitudes", [(0.004, 0, 0), (0, -0.003, 0), (0, 0, 0.005), (0.002, 0.001, -0.003)])
def test_patterns_are_subtracted_and_nothing_else(amplitudes: tuple[float, float, float]) -> None:
    clean = lattice()
    raw = noise.apply(clean, noise.Gaussian(0.2), seed=1)
    alternating = clean + patterns(clean.shape, amplitudes)
    grid.remove(raw, alternating)
    assert np.abs(alternating - clean).max() < 1e-3
    assert np.square(alternating - clean).mean() ** 0.5 < 3e-4


def test_what_the_raw_image_has_stays() -> None:
    clean = lattice() + patterns((256, 256), (0.1, 0.0, 0.05))
    raw = clean + np.random.default_rng(2).normal(0, 0.1, clean.shape).astype(np.float32)
    kept = clean.copy()
    grid.remove(raw, kept)
    np.testing.assert_allclose(kept, clean, atol=1e-3)


def test_letters_and_edges_stay() -> None:
    """Those of a data bar, which repeat, gain half a percent of their contrast at most."""
    image = np.full((256, 256), 0.2, np.float32)
    image[200:] = 1.0
    image[210:240:7, 20:90] = 0.0
    image[:, 101] = 0.9
    kept = image.copy()
    grid.remove(image + np.random.default_rng(3).normal(0, 0.05, image.shape).astype(np.float32), kept)
    assert np.abs(kept - image).max() < 6e-3


@pytest.mark.parametrize("model", models.available())
def test_results_have_no_grid(model: str) -> None:
    """The height was 147 with ``g``, 344 with ``gsp``, 110 with ``bbg-keep``; where there is none it is 1 to 2."""
    file = DATA / "sto_16_1.ser"
    if not file.exists():
        pytest.skip("the real files are not here")
    with io.read(file) as image:
        raw = image.pixels[0][:512, :512]
    assert heights(raw).max() < 4
    assert heights(pipeline.denoise(raw.astype(np.float32), model, device="cpu")).max() < 4


@pytest.mark.parametrize("model", models.available())
def test_results_of_made_images_have_no_grid(model: str) -> None:
    clean = ndimage.gaussian_filter(np.random.default_rng(4).random((256, 256)), 6).astype(np.float32)
    clean = 0.1 + 0.7 * specimen.scale(clean)
    noisy = evaluate.distort(clean, model, 0.2, 5)
    # Under white noise of a quarter of a grey level of 8 bits: of what is left by sp any trace would stand out.
    unseen = np.random.default_rng(6).normal(0.0, 1e-3, clean.shape)
    assert heights(pipeline.denoise(noisy, model, device="cpu") + unseen).max() < 6


@pytest.mark.usefixtures("network_once")
@pytest.mark.parametrize("model", ["g", "gsp", "sp", "bbg-keep"])
def test_nothing_is_lost(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no specimen over 0.01 dB, of results of ``sp``, some 60 dB, 0.02; most win."""
    gains = []
    for name in ("graphene-atoms", "bn", "grains", "scene"):
        clean = specimen.scale(specimen.draw(name, 192, 0.1, evaluate.FIRST_SEED).image)
        noisy, wanted = (make(clean, model, 0.05, 6) for make in (evaluate.distort, evaluate.target))
        after = pipeline.denoise(noisy, model, device="cpu")
        with monkeypatch.context() as patch:
            patch.setattr(grid, "remove", lambda *_: None)
            before = pipeline.denoise(noisy, model, device="cpu")
        errors = [np.square(each - wanted).mean() for each in (before, after)]
        gains.append(10 * np.log10(errors[0] / errors[1]))
    assert min(gains) > (-0.02 if model == "sp" else -0.01)
