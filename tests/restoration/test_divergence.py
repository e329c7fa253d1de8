"""How much of each pixel a model leaves in its result is measured; a Gaussian blur leaves the middle of its bell."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import ndimage

from temclean.evidence.corrections import lattices
from temclean.evidence.ends import Ends
from temclean.restoration import inference

WIDTH = 1.5


def blurred(image: np.ndarray) -> np.ndarray:
    return ndimage.gaussian_filter(image, WIDTH)


def session(beyond: int, multiple: int = 64) -> SimpleNamespace:
    """Return what a model is here, one that blurs and looks at pixels beyond a tile."""

    def run(tiles: np.ndarray) -> np.ndarray:
        assert not any((side - 2 * beyond) % multiple for side in tiles.shape[2:])
        inner = slice(beyond, -beyond) if beyond else slice(None)
        return np.stack([blurred(tile)[None, inner, inner] for tile in tiles[:, 0]])

    return SimpleNamespace(model=SimpleNamespace(beyond=beyond, multiple=multiple), run=run)


@pytest.mark.parametrize(("beyond", "multiple"), [(0, 32), (0, 48), (64, 64), (64, 48)])
@pytest.mark.parametrize("shape", [(700, 400), (300, 180), (150, 640)])
@pytest.mark.parametrize("scale", [1.0, 3000.0])
def test_a_blur_leaves_the_middle_of_its_bell(shape: tuple[int, int], beyond: int, multiple: int, scale: float) -> None:
    frame = (scale * np.random.default_rng(1).normal(0.5, 0.2, shape)).astype(np.float32)
    ends = SimpleNamespace(low=0.1 * scale, high=0.9 * scale)
    found = inference.divergence(frame, blurred(frame), session(beyond, multiple), ends)
    alone = np.zeros((41, 41))
    alone[20, 20] = 1.0
    assert found == pytest.approx(blurred(alone)[20, 20], abs=0.005)


def test_pixels_at_the_end_of_a_detector_do_not_count() -> None:
    frame = np.random.default_rng(2).normal(0.5, 0.4, (512, 512)).astype(np.float32).clip(0.0, 1.0)
    cut = Ends(0.0, 1.0, 0.4, 0.4, specks=False)
    share = 1.0 - cut.at(frame).mean()
    ends = SimpleNamespace(low=0.0, high=1.0)
    found = [inference.divergence(frame, blurred(frame), session(64), ends, each) for each in (None, cut)]
    assert found[1] == pytest.approx(share * found[0], abs=0.006)


def test_what_noise_does_to_a_lattice_goes_the_more_of_it_a_model_leaves() -> None:
    """The mean of the derivatives is known here, so that the share with the least error is."""
    y, x = np.mgrid[:384, :384] * (2 * np.pi / 16.0)
    clean = (np.cos(y) + np.cos(x)).astype(np.float32)
    noise = np.random.default_rng(3).normal(0.0, 1.0, clean.shape).astype(np.float32)
    kept = ndimage.gaussian_filter(noise, 2.0)
    before = clean + kept
    errors = []
    for told in (None, lambda: 1 / (2 * np.pi * 2.0**2)):
        result = before.copy()
        lattices.correct(clean + noise, result, divergence=told)
        errors.append(float(np.sqrt(np.mean((result - clean) ** 2))))
    assert errors[1] < 0.5 * float(np.sqrt(np.mean(kept**2)))
    assert errors[1] < 0.7 * errors[0]
