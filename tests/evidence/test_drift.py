"""Drift between frames: against shifts that were made, by hand and by Fourier's shift theorem."""

import numpy as np
import pytest

from temclean import errors, noise
from temclean.evidence import drift
from temclean.specimen import movies


def shifted(image: np.ndarray, down: float, right: float) -> np.ndarray:
    """Shift a periodic image by the shift theorem."""
    phases = [
        np.exp(-2j * np.pi * np.fft.fftfreq(side) * step) for side, step in zip(image.shape, (down, right), strict=True)
    ]
    return np.fft.ifft2(np.fft.fft2(image) * np.outer(*phases)).real


@pytest.fixture(scope="module")
def blobs() -> np.ndarray:
    spectrum = np.fft.fft2(np.random.default_rng(1).normal(size=(128, 128)))
    waves = np.fft.fftfreq(128)
    spectrum *= np.exp(-2 * (np.pi * 3.0) ** 2 * (waves[:, None] ** 2 + waves**2))
    image = np.fft.ifft2(spectrum).real
    return image / image.std()


@pytest.mark.parametrize("off", [(0.0, 0.0), (0.4, -0.3), (3.0, 2.0), (-7.6, 11.3)])
def test_a_shift_is_found_under_noise(blobs: np.ndarray, off: tuple[float, float]) -> None:
    rng = np.random.default_rng(2)
    frames = [image + rng.normal(0.0, 1.0, image.shape) for image in (blobs, shifted(blobs, *off))]
    assert drift.shift(*frames) == pytest.approx(off, abs=0.25)


def test_of_noise_alone_nothing_is_said() -> None:
    rng = np.random.default_rng(3)
    for _ in range(20):
        assert drift.shift(*rng.poisson(1.0, (2, 96, 96)).astype(np.float32)) == (0.0, 0.0)


def test_one_bright_atom_that_hops_moves_nothing() -> None:
    movie = movies.draw("hopping", 30, 128, 0.25, seed=7, drift=0.0, jitter=0.0)
    hop = movie.hops[0]
    raw = [noise.apply(movie.frames[i], noise.Poisson(400.0), 1, frame=i) for i in (hop.frame - 1, hop.frame)]
    assert drift.shift(*raw) == pytest.approx((0.0, 0.0), abs=0.1)


def test_a_drifting_lattice_is_followed_up_to_its_period() -> None:
    movie = movies.draw("drifting", 3, 128, 0.3, seed=3, drift=2.0, jitter=0.0)
    raw = [noise.apply(frame, noise.Poisson(5.0), 1, frame=i) for i, frame in enumerate(movie.frames)]
    assert drift.shift(raw[0], raw[1]) == pytest.approx(movie.drift[1] - movie.drift[0], abs=0.2)


@pytest.mark.parametrize("off", [(0.0, 3.0), (-2.0, 0.0), (0.5, 0.25), (-3.3, 1.8)])
def test_moving_is_the_shift_theorem(blobs: np.ndarray, off: tuple[float, float]) -> None:
    moved = drift.moved(blobs, off)
    expected = shifted(blobs, *off)
    inside = np.isfinite(moved)
    assert inside.sum() >= (128 - 8) ** 2
    assert moved[inside] == pytest.approx(expected[inside], abs=0.02)


def test_frames_that_do_not_fit_are_refused(blobs: np.ndarray) -> None:
    with pytest.raises(errors.ImageError):
        drift.shift(blobs, blobs[1:])
    with pytest.raises(errors.ParameterError):
        drift.moved(blobs, (np.nan, 0.0))
    assert drift.shift(blobs[:8, :8], blobs[:8, :8]) == (0.0, 0.0)  # too small to tell
    assert drift.shift(0 * blobs, blobs) == (0.0, 0.0)
