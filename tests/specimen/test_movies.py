"""Movies of atoms: each frame is the sum of its atoms at the places it tells, and what it calls a hop is one."""

import numpy as np
import pytest

from temclean import errors
from temclean.specimen import movies


@pytest.mark.parametrize("kind", movies.KINDS)
def test_the_same_seed_gives_the_same_movie_of_the_length_asked_for(kind: str) -> None:
    first, again, other = (movies.draw(kind, 5, 48, 0.3, seed) for seed in (1, 1, 2))
    assert first.frames.shape == (5, 48, 48)
    assert np.array_equal(first.frames, again.frames)
    assert not np.array_equal(first.frames, other.frames)
    assert first.frames.min() >= 0
    assert first.frames.max() <= 1


def test_an_atom_is_brightest_where_the_truth_has_it() -> None:
    movie = movies.draw("hopping", 12, 96, 0.3, seed=4)
    for frame, positions in zip(movie.frames, movie.positions, strict=True):
        (position,) = positions
        weight = np.where(frame > 0.5 * frame.max(), frame - 0.5 * frame.max(), 0.0)
        centre = [float((weight * axis).sum() / weight.sum()) for axis in np.mgrid[:96, :96]]
        assert np.hypot(*(centre - position)) < 0.4


def test_a_lattice_drifts_by_what_is_told() -> None:
    movie = movies.draw("drifting", 3, 96, 0.3, seed=3, drift=2.5, jitter=0.0)
    step = movie.drift[1] - movie.drift[0]
    assert np.hypot(*step) == pytest.approx(2.5)
    # Fourier's shift theorem, on the frame's middle: what is shifted by the step is the next frame.
    window = np.outer(np.hanning(96), np.hanning(96))
    first, second = (np.fft.fft2((frame - frame.mean()) * window) for frame in movie.frames[:2])
    angle = np.angle(first * second.conj())
    waves = np.stack(np.meshgrid(np.fft.fftfreq(96), np.fft.fftfreq(96), indexing="ij"), -1) * 2 * np.pi
    strong = (np.abs(first) > 0.1 * np.abs(first).max()) & (np.linalg.norm(waves, axis=2) < 1.2)
    fitted, *_ = np.linalg.lstsq(waves[strong], angle[strong], rcond=None)
    assert fitted == pytest.approx(step, abs=0.15)


def test_hops_are_where_frames_change_and_nowhere_else() -> None:
    movie = movies.draw("clusters", 40, 96, 0.3, seed=2, drift=0.0, jitter=0.0)
    kinds = {(hop.left is None, hop.reached is None) for hop in movie.hops}
    assert kinds == {(False, False), (True, False), (False, True)}  # hops, appearances and losses
    changed = np.zeros_like(movie.frames, bool)
    grid = np.stack(np.mgrid[:96, :96], axis=-1)
    for hop in movie.hops:
        rise = movie.frames[hop.frame] - movie.frames[hop.frame - 1]
        for place, sign in ((hop.left, -1), (hop.reached, 1)):
            if place is not None:
                near = np.linalg.norm(grid - place, axis=2) < 14
                changed[hop.frame] |= near
                if all(0 < value < 95 for value in place):
                    assert (sign * rise)[near].max() > 0.1
    differences = np.abs(np.diff(movie.frames, axis=0))
    assert differences[~changed[1:] & (grid > 15).all(-1) & (grid < 80).all(-1)].max() < 1e-3


def test_atoms_keep_their_numbers_from_frame_to_frame() -> None:
    movie = movies.draw("clusters", 6, 96, 0.3, seed=5, drift=0.5, jitter=0.3)
    moved = {(hop.frame, hop.atom) for hop in movie.hops}
    for frame in range(1, 6):
        before, after = (
            dict(zip(movie.atoms[i].tolist(), movie.positions[i], strict=True)) for i in (frame - 1, frame)
        )
        for atom in before.keys() & after.keys() - {atom for at, atom in moved if at == frame}:
            assert after[atom] - before[atom] == pytest.approx(movie.drift[frame] - movie.drift[frame - 1])


def test_a_long_movie_stays_in_place() -> None:
    movie = movies.draw("drifting", 200, 32, 0.3, seed=1, drift=3.0, jitter=0.0)
    assert np.abs(movie.drift).max() <= 8
    assert min(len(positions) for positions in movie.positions) > 0


@pytest.mark.parametrize(
    "wrong", [{"kind": "films"}, {"frames": 0}, {"size": 0}, {"seed": -1}, {"drift": 99.0}, {"jitter": -1.0}]
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(errors.ParameterError):
        movies.draw(**{"kind": "clusters", "frames": 2, "size": 32, **wrong})  # type: ignore[arg-type]
