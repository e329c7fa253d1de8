"""What a network that looks beyond a frame sees there: lattices that go on, or reflections, whole or tile by tile."""

from pathlib import Path

import numpy as np
import pytest

from temclean.errors import ParameterError
from temclean.restoration import models, pipeline, surroundings, tiling
from temclean.restoration.surroundings import Surrounded, continued

pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

BEYOND = Path(__file__).parents[1] / "data" / "beyond.onnx"
BORDER = 64
INNER = (slice(BORDER, -BORDER), slice(BORDER, -BORDER))


def lattice(size: int, turn: float = 0.3, period: float = 11.3) -> np.ndarray:
    """Return a hexagonal lattice of three plane waves, between 0 and 1."""
    y, x = np.mgrid[:size, :size]
    waves = [
        np.cos(2 * np.pi / period * (y * np.sin(turn + k * np.pi / 3) + x * np.cos(turn + k * np.pi / 3)))
        for k in range(3)
    ]
    return (sum(waves) + 1.5) / 4.5


def counted(image: np.ndarray, electrons: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(image * electrons).astype(np.float32)


def mirrored(frame: np.ndarray, border: int = BORDER) -> np.ndarray:
    return np.pad(frame, border, mode="symmetric")


def outside(shape: tuple[int, int]) -> np.ndarray:
    mask = np.ones(shape, bool)
    mask[INNER] = False
    return mask


@pytest.mark.parametrize("turn", [0.0, 0.13, 0.3, 0.5])
@pytest.mark.parametrize("electrons", [5.0, 20.0])
def test_a_lattice_goes_on_beyond_the_border(turn: float, electrons: float) -> None:
    whole = electrons * lattice(256 + 2 * BORDER, turn)
    frame = counted(whole[INNER] / electrons, electrons)
    seen = continued(frame, BORDER, 0.0, electrons)
    np.testing.assert_array_equal(seen[INNER], frame)
    there = outside(seen.shape)
    missed, reflected = (np.square(each - whole)[there].mean() for each in (seen, mirrored(frame)))
    noise = whole[there].mean()  # counts: the variance is the mean
    assert missed < 1.35 * noise
    assert reflected > 1.6 * missed


def test_two_grains_go_on_each_as_it_is() -> None:
    size = 512 + 2 * BORDER
    whole = np.where(np.arange(size)[:, None] < size // 2, lattice(size, 0.1), lattice(size, 0.6))
    frame = counted(whole[INNER], 10.0)
    seen = continued(frame, BORDER, 0.0, 10.0)
    for rows in (slice(80, 280), slice(360, 560)):
        left = np.square(seen[rows, :BORDER] - 10 * whole[rows, :BORDER]).mean()
        assert left < 1.35 * 10 * whole[rows, :BORDER].mean()


@pytest.mark.parametrize("kind", ["noise", "edge", "sparse", "flat", "slope"])
def test_what_does_not_repeat_is_reflected(kind: str) -> None:
    rng = np.random.default_rng(5)
    image = {
        "noise": np.full((320, 300), 0.5),
        "edge": np.repeat(np.arange(300)[None] > 140, 320, axis=0) * 0.8 + 0.1,
        "sparse": np.full((320, 300), 0.02),
        "flat": np.zeros((320, 300)),
        "slope": np.linspace(0.1, 0.9, 320)[:, None].repeat(300, axis=1),
    }[kind]
    frame = rng.poisson(20 * image).astype(np.float32)
    seen = continued(frame, BORDER, 0.0, 20.0)
    np.testing.assert_array_equal(seen, mirrored(frame))


def test_a_lattice_that_noise_does_not_hide_goes_on_only_if_it_fits_to_a_pixel() -> None:
    """Copies are whole pixels away: where that is a fifth of a column off, there is a seam, which counts would show."""
    frame = (1e4 * lattice(256)).astype(np.float32) + np.random.default_rng(0).normal(0, 3, (256, 256)).astype("f4")
    np.testing.assert_array_equal(continued(frame, BORDER, 0.0, 1e4), mirrored(frame))


@pytest.mark.parametrize("dtype", ["u1", ">u2", "i4", "f2", ">f4", "f8", "?"])
def test_every_type_is_continued_as_it_is(dtype: str) -> None:
    frame = counted(lattice(224), 30.0).astype(dtype)
    seen = continued(frame, 8, 0.0, 30.0)
    assert seen.dtype == frame.dtype.newbyteorder("=")
    np.testing.assert_array_equal(seen[8:-8, 8:-8], frame)
    assert seen.shape == (240, 240)


def test_counts_far_above_zero_are_continued_like_others() -> None:
    """Beyond 2^24 whole numbers do not fit float32."""
    frame = counted(lattice(256), 30.0).astype("u4")
    above = np.uint32(1 << 31)
    expected = continued(frame, BORDER, 0.0, 30.0) + above
    np.testing.assert_array_equal(continued(frame + above, BORDER, float(above), float(above) + 30.0), expected)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (40, 30), (127, 200), (200, 127)])
def test_small_frames_are_reflected(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).random(shape, dtype=np.float32)
    np.testing.assert_array_equal(continued(frame, BORDER, 0.0, 1.0), mirrored(frame))


def test_tiles_of_a_frame_too_large_to_copy_see_what_lies_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = np.random.default_rng(2).integers(0, 1000, (150, 131), dtype=np.uint16)
    plan = tiling.plan(frame.shape, 64, 16, margin=8, multiple=16)
    whole = (np.pad(mirrored(frame, 24), [(0, 64), (0, 64)], mode="reflect") - 10.0) * 0.25
    tiles = np.empty((2, 112, 112), np.float32)
    sound = 150 + 24, 131 + 24  # further out, the one reflects the reflection
    for number in range(len(plan)):
        top, left = plan.rows.starts[number // len(plan.columns.starts)], plan.columns.starts[number % 3]
        assert len(plan.columns.starts) == 3
        for tile, most in zip(tiles, (surroundings.LARGEST, 1000), strict=True):
            monkeypatch.setattr(surroundings, "LARGEST", most)
            Surrounded(frame, 24, 0.0, 1000.0).tile(plan, number, 10.0, 0.25, tile)
        part = np.s_[: sound[0] + 24 - top, : sound[1] + 24 - left]
        for tile in tiles:
            np.testing.assert_allclose(tile[part], whole[top : top + 112, left : left + 112][part], rtol=1e-6)
        monkeypatch.undo()


@pytest.mark.parametrize("tile", [None, 32])
def test_a_model_sees_beyond_the_frame_and_beyond_each_tile(tile: int | None) -> None:
    """The network of `tests/data` gives each pixel what lies 8 above and 8 left of it."""
    frame = np.random.default_rng(3).random((90, 101), dtype=np.float32)
    moved = pipeline.denoise(frame, BEYOND, device="cpu", tile=tile)
    np.testing.assert_allclose(moved, mirrored(frame, 8)[:90, :101], atol=1e-6)


def test_input_without_its_surroundings_is_refused() -> None:
    model = models.load(BEYOND)
    assert model.beyond == 8
    session = models.open_session(model, "cpu")
    assert session.run(np.zeros((1, 1, 24, 20), np.float32)).shape == (1, 1, 8, 4)
    for shape in ((1, 1, 22, 20), (1, 1, 16, 20), (1, 1, 4, 4), (1, 8)):
        with pytest.raises(ParameterError, match="both, 16 more than multiples of 4"):
            session.run(np.zeros(shape, np.float32))
