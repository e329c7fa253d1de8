"""Beams of the pairs that networks see: they stray by pixels, evenly on a logarithmic scale, alike in all else."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from temclean import noise
from temclean.training import data

IMAGE = np.random.default_rng(1).random((32, 32)).astype(np.float32)


def widest(chain: noise.Chain) -> float:
    return max((step.strays for step in chain.steps if isinstance(step, noise.Jitter)), default=0.0)


@pytest.mark.parametrize("pixel_size", [0.03, 0.1, 30.0])
def test_beams_stray_by_pixels_whatever_their_size(pixel_size: float) -> None:
    rng = np.random.default_rng(0)
    drawn = [noise.Stem(pixel_size=pixel_size).draw(IMAGE, seed) for seed in range(300)]
    strayed = [widest(chain) for chain in drawn]
    found = np.array([widest(data.steadied(chain, rng)) for chain in drawn])
    assert (found[np.array(strayed) == 0.0] == 0.0).all()
    moved = found[np.array(strayed) > 0.0]
    assert moved.max() <= data.STRAYS[1] * (1 + 1e-9)
    least, most = np.log(data.STRAYS)
    asked = data.STRAYED * (np.log(1.0) - least) / (most - least)
    below = (moved < 1.0).mean()
    assert asked - 0.08 < below < asked + (1.0 - data.STRAYED) + 0.08


def test_all_else_stays_as_it_was_drawn() -> None:
    chain = noise.Stem(pixel_size=0.1).draw(IMAGE, 3)
    assert widest(chain) > 0.0
    steadied = data.steadied(chain, np.random.default_rng(2))
    for before, after in zip(chain.steps, steadied.steps, strict=True):
        if isinstance(before, noise.Jitter):
            assert isinstance(after, noise.Jitter)
            ratio = widest(steadied) / widest(chain)
            for name in ("x", "y", "line"):
                assert getattr(after, name) == pytest.approx(ratio * getattr(before, name))
            assert (after.x_phi, after.y_phi, after.line_phi) == (before.x_phi, before.y_phi, before.line_phi)
        else:
            assert after == before
