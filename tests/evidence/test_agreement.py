"""Results with a background removed are doubted where spots are invented, and where the image is no image of atoms."""

import numpy as np
import pytest

from temclean import noise, specimen
from temclean.errors import ImageError
from temclean.evidence.agreement import agreement
from temclean.restoration import pipeline
from temclean.training import evaluate

BACKGROUND = np.add.outer(np.linspace(0, 0.5, 256), np.cos(np.arange(256) / 60) / 4)


def spots(shift: int = 0) -> np.ndarray:
    rows, columns = np.mgrid[:256, :256] / 3
    return np.roll((np.cos(rows) * np.cos(columns)).clip(0, 1), shift, axis=1)


@pytest.mark.parametrize("level", [0.1, 0.3])
@pytest.mark.parametrize("contrast", [0.3, 1.0])
def test_right_spots_explain_the_image_under_any_background(level: float, contrast: float) -> None:
    raw = 3000 * (contrast * spots() + BACKGROUND + np.random.default_rng(0).normal(0, level, (256, 256)))
    found = agreement(raw, spots())
    assert found.explained > 0.7
    assert found.unsupported < 0.05
    assert not found.clear


def test_wrong_spots_do_not() -> None:
    raw = spots() + BACKGROUND + np.random.default_rng(0).normal(0, 0.2, (256, 256))
    for result in (spots(4), 1 - spots(), np.random.default_rng(1).random((256, 256))):
        found = agreement(raw, result)
        assert found.clear
        assert found.unsupported > 0.9


def test_what_is_left_out_is_not_explained() -> None:
    draw = np.random.default_rng(0)
    others = np.kron(draw.random((32, 32)) > 0.5, np.ones((8, 8)))
    found = agreement(spots() + 2 * others + draw.normal(0, 0.2, (256, 256)), spots())
    assert found.explained < 0.3


def test_small_flat_and_unequal_images() -> None:
    assert not agreement(np.ones((20, 20)), np.ones((20, 20))).clear
    assert not agreement(np.random.default_rng(0).random((300, 300)), np.zeros((300, 300))).clear
    with pytest.raises(ImageError, match="must be the same"):
        agreement(np.ones((20, 20)), np.ones((20, 21)))


@pytest.mark.filterwarnings("ignore::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("name", ["bands", "boxes", "patches", "sharp-particles", "noise"])
def test_bbg_is_doubted_on_what_it_is_not_for(name: str) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    clean = np.full((256, 256), 0.5, np.float32) if name == "noise" else next(evaluate.others(name, 1))
    raw = noise.apply(clean, noise.Gaussian(0.1), seed=1)
    assert agreement(raw, pipeline.denoise(raw, "bbg", device="cpu")).clear


@pytest.mark.filterwarnings("error::temclean.errors.TemcleanWarning")
@pytest.mark.parametrize("level", [0.05, 0.2, 0.3])
def test_bbg_is_not_doubted_on_what_it_is_for(level: float) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    for number, name in enumerate(("graphene-atoms", "atoms", "square")):
        clean = specimen.draw(name, 256, 0.1, evaluate.FIRST_SEED + number).image
        pipeline.denoise(evaluate.distort(clean, "bbg", level, number), "bbg", device="cpu")
