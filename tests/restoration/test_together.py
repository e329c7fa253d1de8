"""Frames taken together with their neighbours: less noise, and neither ghosts nor smears."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

import temclean
from temclean import io
from temclean.errors import ModelError, ParameterError, TemcleanWarning
from temclean.restoration import models
from temclean.restoration.together import Order, Together

Array = NDArray[Any]
IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"
WANTS_THREE = IDENTITY.with_name("joined.onnx")
"""The same network, which wants three frames taken together."""


def noise(frames: int, size: int = 96, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(0, 1, (frames, size, size)).astype(np.float32)


def ground(size: int, fine: float = 3) -> Array:
    """Return a smooth texture that does not repeat."""
    return 8 * ndimage.gaussian_filter(np.random.default_rng(9).normal(0, 4, (size, size)), fine)


def spot(size: int, y: float, x: float, height: float) -> Array:
    rows, columns = np.mgrid[:size, :size]
    return height * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 1.8**2))


@pytest.mark.parametrize(
    ("count", "index", "least", "most"), [(3, 2, 1 / 3, 0.45), (5, 2, 1 / 5, 1 / 3), (3, 0, 1 / 2, 0.7)]
)
def test_the_noise_of_what_stands_still_falls_nearly_as_that_of_a_mean(
    count: int, index: int, least: float, most: float
) -> None:
    clean = ground(96)
    joined = Together(clean + noise(5), count)[index]
    variance = float(np.var(joined - clean))
    assert 0.97 * least < variance < most  # no less than a mean has; here and there a neighbour is left out by chance


def test_an_atom_that_hops_leaves_no_ghost() -> None:
    size, height = 96, 4.0
    here, there = spot(size, 40, 40, height), spot(size, 40, 60, height)
    ghosts, kept = [], []
    for seed in range(8):
        movie = ground(size) + np.stack([here, here, there, there]) + noise(4, size, seed)
        joined = Together(movie, 3)
        before, after = (joined[index] - ground(size) for index in (1, 2))
        weight = here / (here**2).sum(), there / (there**2).sum()
        ghosts += [(after * weight[0]).sum(), (before * weight[1]).sum()]
        kept += [(before * weight[0]).sum(), (after * weight[1]).sum()]
    assert abs(np.mean(ghosts)) < 0.1
    assert np.mean(kept) == pytest.approx(1, abs=0.1)


def test_what_drifts_is_laid_over_by_fractions_of_a_pixel() -> None:
    steps = [(0, 0), (1.3, -0.7), (2.6, -1.4)]
    wide = ground(128, 2)
    clean = np.stack([ndimage.shift(wide, step, order=5)[16:112, 16:112] for step in steps])
    movie = clean + noise(3)

    def error(frame: Array) -> float:
        return float(np.mean((frame - clean[1])[8:-8, 8:-8] ** 2))

    joined, mean = error(Together(movie, 3)[1]), error(movie.mean(axis=0))
    assert joined < 0.55 * error(movie[1])
    assert joined < 0.5 * mean


def test_each_frame_is_read_once_and_few_are_held() -> None:
    read: list[int] = []
    movie = (ground(64) + noise(12, 64)).astype(np.float32)

    class Reading:
        shape, dtype = movie.shape, movie.dtype

        def __len__(self) -> int:
            return len(movie)

        def __getitem__(self, index: int) -> Array:
            read.append(index)
            return movie[index]

    joined = Together(Reading(), 3)
    for index in range(12):
        _ = joined[index]
        assert len(joined._held) <= 3
        assert len(joined._shifts) <= 3
    assert read == list(range(12))


def test_large_numbers_keep_their_digits() -> None:
    movie = ground(64) + noise(3, 64)
    low, high = Together(movie, 3)[1], Together(movie.astype(np.float64) + 1e9, 3)[1]
    assert high.dtype == np.float64
    assert np.allclose(high - 1e9, low, atol=1e-3)


def test_denoise_joins_frames_where_it_is_asked_to(run: Callable[..., Any], tmp_path: Path) -> None:
    movie, path, out = counted(4), tmp_path / "movie.tif", tmp_path / "out.tif"
    io.write(path, io.Image.from_array(movie, 0.1, "nm"), list(movie))
    done = run("denoise", path, "-m", IDENTITY, "--frames", 3, "-o", out, "-q")
    assert done.code == 0, done.err
    joined = Together(movie, 3)
    with io.read(out) as result:
        assert result.pixels.dtype == np.uint16
        for index in range(4):
            assert np.abs(result.pixels[index] - np.rint(joined[index])).max() <= 1  # of halves
            assert np.mean(result.pixels[index] != np.rint(joined[index])) < 0.01
    made = io.provenance(out)
    assert made is not None
    assert made["joined"] == 3
    assert "(kept)" in run("denoise", path, "-m", IDENTITY, "--frames", 3, "-o", out, "-q", "--resume").out
    assert run("denoise", path, "-m", IDENTITY, "-o", out, "-q", "--resume").code == 1


def counted(frames: int) -> Array:
    """Return a movie of whole numbers that stands still."""
    return np.rint(100 + 4 * (ground(64) + 5 * noise(frames, 64))).clip(0, None).astype(np.uint16)


def pixels_and_note(path: Path) -> tuple[Array, dict[str, Any]]:
    with io.read(path) as result:
        return np.stack([np.asarray(frame) for frame in result.pixels]), io.provenance(path) or {}


def test_a_model_may_want_frames_taken_together_and_the_user_has_the_last_word(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    movie, path, out = counted(4), tmp_path / "movie.tif", tmp_path / "out.tif"
    io.write(path, io.Image.from_array(movie, 0.1, "nm"), list(movie))

    def made(*words: object) -> tuple[Array, dict[str, Any], str]:
        done = run("denoise", path, "-o", out, "--overwrite", *words)
        assert done.code == 0, done.err
        return *pixels_and_note(out), done.err

    three, note, _ = made("-m", IDENTITY, "--frames", 3)
    assert note["joined"] == 3
    pixels, note, said = made("-m", WANTS_THREE)
    np.testing.assert_array_equal(pixels, three)
    assert note["joined"] == 3
    assert "each frame is taken together with its neighbours" in said
    assert "(kept)" in run("denoise", path, "-m", WANTS_THREE, "-o", out, "--resume").out
    assert run("denoise", path, "-m", WANTS_THREE, "--frames", 1, "-o", out, "--resume").code == 1
    for words in (["--frames", 1], ["--blend", 0.5]):
        pixels, note, said = made("-m", WANTS_THREE, *words)
        np.testing.assert_array_equal(pixels, movie)
        assert "joined" not in note
        assert "together" not in said
    assert run("denoise", path, "-m", WANTS_THREE, "-o", out, "--resume").code == 1  # made frame by frame
    np.testing.assert_array_equal(temclean.denoise(movie, WANTS_THREE, device="cpu"), three)
    np.testing.assert_array_equal(temclean.denoise(movie, IDENTITY, device="cpu", frames=3), three)
    np.testing.assert_array_equal(temclean.denoise(movie, WANTS_THREE, device="cpu", frames=1), movie)


def test_a_single_image_has_no_neighbours(run: Callable[..., Any], tmp_path: Path) -> None:
    path, out = tmp_path / "image.tif", tmp_path / "out.tif"
    io.write(path, io.Image.from_array(counted(1)[0], 0.1, "nm"), list(counted(1)))
    done = run("denoise", path, "-m", WANTS_THREE, "-o", out)
    assert "together" not in done.err
    assert "joined" not in pixels_and_note(out)[1]
    assert "(kept)" in run("denoise", path, "-m", WANTS_THREE, "-o", out, "--resume").out


def test_frames_that_lie_in_several_blocks_stay_by_themselves_and_it_is_said() -> None:
    array: Any = pytest.importorskip("dask.array", reason="Dask is not installed")
    movie = counted(4)
    with pytest.warns(TemcleanWarning, match=r"call compute\(\) first"):
        clean = temclean.denoise(array.from_array(movie, chunks=(1, 64, 64)), WANTS_THREE, device="cpu")
    np.testing.assert_array_equal(clean.compute(), movie)
    with pytest.raises(ParameterError, match=r"compute\(\) first"):
        temclean.denoise(array.from_array(movie), IDENTITY, device="cpu", frames=3)


@pytest.mark.parametrize("frames", [0, 2, 17])
def test_python_refuses_frames_that_have_no_middle_or_are_too_many(frames: int) -> None:
    with pytest.raises(ParameterError, match="odd number from 1 to 15"):
        temclean.denoise(counted(3), IDENTITY, device="cpu", frames=frames)


def test_a_model_that_wants_an_even_number_is_damaged(tmp_path: Path) -> None:
    damaged = tmp_path / "model.onnx"
    damaged.write_bytes(WANTS_THREE.read_bytes().replace(b'"joined": 3', b'"joined": 4'))
    with pytest.raises(ModelError, match="4 frames taken together"):
        models.load(damaged)


def test_the_floor_of_few_counts_stays_where_it_is(run: Callable[..., Any], tmp_path: Path) -> None:
    clean = 0.2 + sum(spot(96, y, x, 0.8) for y in (20, 45, 70) for x in (25, 48, 72))
    movie = np.random.default_rng(5).poisson(clean, (3, 96, 96)).astype(np.float32)
    path = io.write(tmp_path / "a.tif", io.Image.from_array(movie, 0.03, "nm"), movie)
    assert run("denoise", path, "-m", "general", "--frames", "3", "--device", "cpu").code == 0
    with io.read(tmp_path / "a_general.tif") as result:
        floor = result.pixels[1][clean < 0.21]
    assert floor.mean() == pytest.approx(0.2, abs=0.02)
    with pytest.warns(TemcleanWarning, match="the noise that was removed"):
        python = temclean.denoise(movie, "general", device="cpu", frames=3)
    np.testing.assert_array_equal(python[1][clean < 0.21], floor)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--frames 2", "give 1 or 3"),
        ("--frames 3 --blend 0.5", "do not go together"),
        (f"--frames 3 -m {IDENTITY.with_name('movie.onnx')}", "leave --frames out"),
    ],
)
def test_what_does_not_go_together_is_one_line_and_2(run: Callable[..., Any], line: str, said: str) -> None:
    done = run("denoise", "a.tif", *line.split())
    assert done.code == 2
    (only,) = done.err.splitlines()
    assert said in only


@pytest.mark.parametrize("count", [3, 5])
def test_a_frame_is_the_same_wherever_one_begins(count: int) -> None:
    movie = 1000 + ground(64) + noise(6, 64)
    every = Together(movie, count)
    wanted = [every[index] for index in range(6)]
    for index in (5, 3, 1):
        np.testing.assert_array_equal(Together(movie, count)[index], wanted[index])


def two_channels(frames: int = 3, size: int = 96) -> Array:
    """Return frames of two detectors, (T, C, Y, X): the second is bright where the first is dark, and far stronger."""
    clean = ground(size)
    return np.stack([np.stack([100 + clean + draw, 9000 - 200 * (clean - draw)]) for draw in noise(frames, size)])


@pytest.mark.parametrize(("axes", "shape"), [("TCYX", (3, 2)), ("CTYX", (2, 3)), ("CZYX", (2, 3))])
@pytest.mark.parametrize("together", [None, 3])
def test_each_channel_is_restored_as_if_it_were_alone(axes: str, shape: tuple[int, int], together: int | None) -> None:
    """An image of two detectors had one scale, on which the weaker was nearly flat, and neighbours of the other."""
    stack = two_channels().astype(np.float32)
    channel = axes.index("C")
    stack = stack if channel else stack.swapaxes(0, 1)
    whole = temclean.denoise(io.Image.from_array(stack, axes=axes), IDENTITY, device="cpu", frames=together)
    for each in range(2):
        alone = np.take(stack, each, channel)
        wanted = temclean.denoise(alone, IDENTITY, device="cpu", frames=together)
        np.testing.assert_array_equal(np.take(np.stack(list(whole.pixels)).reshape(stack.shape), each, channel), wanted)


def test_neighbours_are_of_the_same_time_series() -> None:
    for axes, shape in (("TCYX", (4, 3)), ("CTYX", (3, 4)), ("TZYX", (4, 3)), ("ZCTYX", (2, 3, 4)), ("CYX", (3,))):
        numbers = np.arange(np.prod(shape)).reshape(shape)
        order = Order.of((*shape, 8, 8), axes)
        along = axes.index("T") if "T" in axes else None
        for place, number in np.ndenumerate(numbers):
            if "C" in axes:
                assert order.channel(int(number)) == place[axes.index("C")]
            near = [int(number)]
            if along is not None:
                line = numbers[tuple(slice(None) if axis == along else each for axis, each in enumerate(place))]
                near = line[max(0, place[along] - 1) : place[along] + 2].tolist()
            assert list(order.beside(int(number), 1)) == near


def test_the_scale_of_each_channel_is_noted(run: Callable[..., Any], tmp_path: Path) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    with io.Image.from_array(two_channels(2).astype(np.float32), axes="TCYX") as image:
        io.write(source, image, image.pixels)
    assert run("denoise", source, "-m", IDENTITY, "-o", result, "-q").code == 0
    low, high = (str(io.provenance(result)[f"scaling_{end}"]).split() for end in ("low", "high"))
    assert float(low[0]) < float(high[0]) < 200
    assert 5000 < float(low[1]) < float(high[1])
    done = run("score", "--css", source)
    assert (done.code, done.out) == (1, "")
    assert "holds 2 channels" in done.err


def test_depth_follows_where_time_has_one_place() -> None:
    assert Order.of((1, 2, 6, 8, 8), "TCZYX") == Order(6, 1, 2, 6)
    assert Order.of((1, 1, 6, 8, 8), "TCZYX") == Order(6, 1)
    assert Order.of((3, 8, 8), "TZYX") == Order(3)  # as much as there is of a file that is still being written


def test_resume_keeps_channels_that_have_no_neighbours(run: Callable[..., Any], tmp_path: Path) -> None:
    source, result = tmp_path / "a.tif", tmp_path / "b.tif"
    with io.Image.from_array(two_channels(1)[0].astype(np.float32), axes="CYX") as image:
        io.write(source, image, image.pixels)
    words = ["denoise", source, "-m", WANTS_THREE, "-o", result, "--resume"]
    assert run(*words).code == 0
    assert "(kept)" in run(*words).out
    done = run("score", "--frc", source)
    assert (done.code, "holds 2 channels" in done.err) == (1, True)
