"""What the benchmark of movies measures, and its peers, on cases whose answer is known."""

import numpy as np
import pytest
from scipy import ndimage

pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")

import movie_ghosts
import movie_peers
import noise2void

from temclean.specimen import movies


def test_a_mean_of_frames_leaves_ghosts_and_the_truth_none() -> None:
    film = movies.draw("hopping", 16, 96, 0.3, seed=9, drift=0.0, jitter=0.0)
    kept, bright, ends = movie_ghosts.hops(film, film.frames)
    assert (kept, bright) == (1.0, 0.0)
    assert ends > 4
    # One of two frames has the atom, or one of three: shares of 1/2 at the most, 1/3 where it stayed put.
    mean = np.stack([film.frames[max(0, i - 1) : i + 2].mean(axis=0) for i in range(len(film.frames))])
    assert movie_ghosts.hops(film, mean)[1] == pytest.approx(1 / 3, abs=0.1)


def test_a_ghost_is_what_other_frames_put_there_and_nothing_else() -> None:
    film = movies.draw("clusters", 8, 96, 0.3, seed=4)
    drawn = movie_ghosts.scenery("clusters", 8, 96, 0.3, 4)
    assert np.array_equal(movies.scene.filmed(drawn, film.drift, 96, 0.3).frames, film.frames)
    rng = np.random.default_rng(1)

    def noisy(frames: np.ndarray) -> np.ndarray:
        return frames + 0.02 * rng.standard_normal(frames.shape)

    assert len(list(movie_ghosts.ends(film))) > 3
    # Blur fills gaps between atoms, and is none: it sees one frame.
    blurred = [ndimage.gaussian_filter(frame, 3.0) for frame in film.frames]
    assert movie_ghosts.hops(film, np.array(blurred))[1] > 0.03
    told, error = movie_ghosts.ghost(film, drawn, noisy, lambda raw, index: ndimage.gaussian_filter(raw[index], 3.0))
    assert abs(told) < 3 * error < 0.03
    # Two frames of which one has the atom: a half.
    pairs = {end.empty: end.full for end in movie_ghosts.ends(film)}
    told, _ = movie_ghosts.ghost(film, drawn, noisy, lambda raw, index: (raw[index] + raw[pairs[index]]) / 2)
    assert told == pytest.approx(0.5, abs=0.1)


def test_singular_values_that_are_kept_give_the_frames_back() -> None:
    raw = np.random.default_rng(1).normal(size=(9, 32, 32)).astype(np.float32)
    np.testing.assert_allclose(movie_peers.low_rank(raw, 0.0), raw, atol=1e-4)
    alone = movie_peers.low_rank(raw, 1.3)  # above all that noise alone makes: the mean of each patch is left
    assert alone.std() < 0.1


def test_noise2void_is_never_handed_the_pixel_that_it_is_to_give() -> None:
    crops = np.arange(2 * 64 * 64, dtype=np.float32).reshape(2, 64, 64)
    blind, mask = noise2void.blinded(crops, np.random.default_rng(2))
    assert 100 < mask.sum() <= 128
    hidden = np.argwhere(mask[:, 2:-2, 2:-2]) + np.array([0, 2, 2])
    was, given = (part[tuple(hidden.T)].astype(int) for part in (crops, blind))
    assert (was != given).all()
    down, right = np.divmod(given, 64)[0] - np.divmod(was, 64)[0], given % 64 - was % 64
    assert np.abs(down).max() == np.abs(right).max() == 2
    assert np.array_equal(blind[mask == 0], crops[mask == 0])
