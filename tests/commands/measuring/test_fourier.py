"""``score --frc`` and ``score --spectrum``: files in, resolution and power out that are known beforehand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from temclean import io

Run = Callable[..., Any]
WIDTH = 1.2


def save(path: Path, frames: np.ndarray, provenance: dict[str, Any] | None = None) -> Path:
    image = io.Image.from_array(frames.astype(np.float32), 0.05, "nm")
    return io.write(path, image, list(frames.astype(np.float32).reshape(-1, *frames.shape[-2:])), provenance)


@pytest.fixture
def frames() -> np.ndarray:
    """Return six frames of the same under noise, so that those of a kind have a noise of 0.3 together."""
    draw = np.random.default_rng(1)
    clean = ndimage.gaussian_filter(draw.normal(size=(192, 192)), WIDTH, mode="wrap")
    level = 0.3 * clean.std() * np.sqrt(3)
    return clean + draw.normal(0, level, (6, *clean.shape))


def period(frames: np.ndarray) -> float:
    """Return the period in nm at which the power of the signal is a sixth of that of the noise, and the FRC 1/7."""
    noise = (frames[::2] - frames[::2].mean(axis=0)).var() * 3 / 2 / 3
    return 0.05 * 2 * np.pi * WIDTH / np.sqrt(np.log(6 / noise))


def test_odd_and_even_frames(run: Run, frames: np.ndarray, tmp_path: Path) -> None:
    movie = save(tmp_path / "movie.tif", frames)
    found = json.loads(run("score", "--frc", movie, "--json").out)
    assert found["seventh_first_nm"] == pytest.approx(period(frames), rel=0.08)
    assert found["seventh_last_nm"] <= found["seventh_first_nm"] * 1.05
    assert found["half_bit_first_nm"] >= found["seventh_first_nm"]
    assert len(found["frc"]) == len(found["frequency_per_nm"]) == 96
    said = run("score", "--frc", movie)
    assert (said.code, said.err) == (0, "")
    assert f"{found['half_bit_first_nm']:.4g} nm" in said.out


def test_two_files_of_which_one_stands_off(run: Run, frames: np.ndarray, tmp_path: Path) -> None:
    moved = np.roll(frames[1::2].mean(axis=0), (4, -3), (0, 1))
    one, two = save(tmp_path / "a.tif", frames[::2].mean(axis=0)), save(tmp_path / "b.tif", moved)
    found = json.loads(run("score", "--frc", one, two, "--json").out)
    assert found["off_px"] == pytest.approx([4, -3], abs=0.15)
    assert found["seventh_first_nm"] == pytest.approx(period(frames), rel=0.08)
    restored = save(tmp_path / "c.tif", moved, {"model": "general"})
    assert "restored by general" in run("score", "--frc", one, restored).err


def test_power_beyond_what_the_raw_image_shows(run: Run, tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    y, x = np.mgrid[:192, :192]
    lattice = 5 * np.cos(2 * np.pi * (x + 0.2 * y) / 8) * np.cos(2 * np.pi * (y - 0.2 * x) / 8)
    noise = draw.normal(0, 2, lattice.shape)
    invented = 0.5 * np.cos(2 * np.pi * (x + y) / 4)
    raw = save(tmp_path / "raw.tif", lattice + noise)
    honest, inventive = save(tmp_path / "a.tif", lattice + 0.05 * noise), save(tmp_path / "b.tif", lattice + invented)
    found, worse = (json.loads(run("score", "--spectrum", raw, each, "--json").out) for each in (honest, inventive))
    assert found["limit_nm"] == pytest.approx(0.05 * 8 / np.hypot(1.2, 0.8), rel=0.1)
    assert found["ratio_beyond"] == pytest.approx(0.05**2, rel=0.4)
    assert worse["share_beyond"] == pytest.approx(0.125 / (0.125 + 6.25), rel=0.1)
    said = run("score", "--spectrum", raw, inventive)
    assert said.code == 0
    assert f"{worse['ratio_beyond']:.2g} of the raw power" in said.out
    assert "Never read resolution" in said.out


def test_what_is_wrong_is_said(run: Run, frames: np.ndarray, tmp_path: Path) -> None:
    one, other = save(tmp_path / "one.tif", frames[0]), save(tmp_path / "other.tif", frames[0, :64])
    assert run("score", "--frc").code == 2
    assert run("score", "--spectrum", one).code == 2
    assert run("score", "--frc", "--spectrum", one, one).code == 2
    alone = run("score", "--frc", one)
    assert alone.code == 1
    assert "one frame" in alone.err
    assert run("score", "--spectrum", one, other).code == 1
    assert run("score", "--frc", one, other).code == 1


def test_who_holds_no_number_is_named(run: Run, frames: np.ndarray, tmp_path: Path) -> None:
    good = save(tmp_path / "good.tif", frames)
    frames[1, 3, 4] = np.nan
    bad = save(tmp_path / "bad.tif", frames)
    for arguments in (["--frc", bad], ["--frc", good, bad], ["--spectrum", good, bad], ["--spectrum", bad, good]):
        done = run("score", *arguments)
        assert (done.code, done.err.startswith(f"temclean: {bad}: ")) == (1, True)


def test_two_sizes_of_pixels_are_warned_of(run: Run, frames: np.ndarray, tmp_path: Path) -> None:
    one = save(tmp_path / "a.tif", frames[0])
    other = io.write(tmp_path / "b.tif", io.Image.from_array(frames[1], 0.1, "nm"), [frames[1]])
    for what in ("--frc", "--spectrum"):
        done = run("score", what, one, other)
        assert done.code == 0
        assert done.err == f"{other}: its pixels are 0.1 nm, those of {one} 0.05 nm, which are taken here\n"
