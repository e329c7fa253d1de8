"""Lines that were lost: found by their one value, and mended from the rows above and below."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from temclean import noise
from temclean.evidence.lines import lost

ROWS, COLUMNS = np.mgrid[:128, :160]
CLEAN = (100.0 + 60.0 * np.sin(ROWS / 9.0) * np.cos(COLUMNS / 7.0)).astype(np.float32)
LOST = [(0, 3, 60), (40, 0, 160), (41, 20, 50), (90, 100, 160), (127, 0, 40)]


def counted(seed: int = 1) -> np.ndarray:
    return noise.apply(CLEAN, noise.Poisson(1.0), seed)


@pytest.mark.parametrize("dtype", ["f4", "u2", ">i4", "f8"])
def test_lost_lines_are_found_and_mended(dtype: str) -> None:
    image = counted().astype(dtype)
    for row, first, end in LOST:
        image[row, first:end] = 50 + row
    assert sorted(lost.lost_lines(image)) == LOST
    whole, count = lost.mended(image)
    assert count == len(LOST)
    assert whole.dtype == image.dtype
    where = np.zeros(CLEAN.shape, bool)
    for row, first, end in LOST:
        where[row, first:end] = True
    np.testing.assert_array_equal(whole[~where], image[~where])
    # Of two rows the mean has half of the noise's variance, of one all of it; what is bent adds a count or two.
    assert np.sqrt(np.mean((whole[where] - CLEAN[where]) ** 2)) < 12.0
    assert np.abs(image[where].astype(float) - CLEAN[where]).mean() > 20.0


def test_simulated_lost_lines_are_found() -> None:
    """Equation 51 of Lobato (2024) gives stretches their mean; some are too short to tell, or on top of each other."""
    image = noise.apply(np.tile(counted(), (4, 3)), noise.RowLines(20), 3)
    assert 14 <= len(lost.lost_lines(image)) <= 20


@pytest.mark.parametrize("mean", [0.01, 0.1, 0.5, 2.0, 20.0])
def test_few_electrons_are_no_lost_lines(mean: float) -> None:
    for seed in range(4):
        assert lost.lost_lines(np.random.default_rng(seed).poisson(mean, (512, 512))) == []


@pytest.mark.parametrize(
    "drawn",
    [
        (slice(30, 34), slice(20, 90)),  # a bar
        (slice(100, 128), slice(0, 160)),  # a data bar
        (slice(20, 80), slice(40, 41)),  # a column
        (slice(50, 51), slice(30, 40)),  # a dash
    ],
)
def test_what_is_drawn_is_no_lost_line(drawn: tuple[slice, slice]) -> None:
    image = counted()
    image[drawn] = 77.0
    assert lost.lost_lines(image) == []


def test_what_stands_in_a_data_bar_is_left_as_it_is() -> None:
    image = counted()
    image[96:] = 0.0
    image[96] = 150.0
    image[30, 10:90] = 77.0
    whole, count = lost.mended(image)
    assert count == 1
    np.testing.assert_array_equal(whole[96:], image[96:])


def test_a_box_and_a_saturated_edge_are_none() -> None:
    image = counted()
    image[[20, 60], 30:90] = 80.0
    image[30, 20:60] = image.max() + 1
    assert lost.lost_lines(image) == []
    assert lost.lost_lines(np.clip(image, 60, 110)) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 400), (400, 2), (3, 17), (64, 64)])
def test_small_and_flat_images_have_none(shape: tuple[int, int]) -> None:
    assert lost.lost_lines(np.zeros(shape, np.uint8)) == []
    assert lost.mended(np.full(shape, np.nan, np.float32))[1] == 0


def test_a_result_says_so_and_its_residual_shows_them(tmp_path: Path, run: Callable[..., Any]) -> None:
    image = (10 * counted()).astype(np.uint16)
    for row, first, end in LOST:
        image[row, first:end] = 900 + row
    tifffile.imwrite(tmp_path / "a.tif", image)
    done = run("denoise", tmp_path / "a.tif", "-m", "general", "--device", "cpu", "--json")
    assert any(note.startswith("5 stretches of rows of one value") for note in json.loads(done.out)["notes"])
    restored, clean = tifffile.imread(tmp_path / "a_general.tif")[40], 10 * CLEAN[40]
    assert np.corrcoef(restored, clean)[0, 1] > 0.98
