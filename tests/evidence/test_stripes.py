"""Stripes of a detector's amplifiers: taken off as far as they are known, and told from what a specimen shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import temclean
from temclean import noise
from temclean.evidence.lines import stripes

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SIDE = 512
Y, X = np.mgrid[:SIDE, :SIDE].astype(np.float64)
PARTICLES = 1.0 - 0.5 * np.exp(-((Y - 200) ** 2 + (X - 300) ** 2) / 5000) + 0.1 * np.sin(X / 40 + Y / 60)


def grainy(clean: np.ndarray, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return (clean + level * np.random.default_rng(seed).standard_normal(clean.shape)).astype(np.float32)


@pytest.mark.parametrize("strength", [0.02, 0.05])
def test_stripes_are_taken_off(strength: float) -> None:
    plain = grainy(PARTICLES)
    given = strength * np.random.default_rng(1).standard_normal(SIDE)
    image = (plain + given).astype(np.float32)
    clean, found = stripes.removed(image)
    assert 0.7 * strength < found < 1.1 * strength  # as much as is sure
    left = (clean - plain).mean(axis=0)
    # chance leaves 0.1 / sqrt(512) = 0.0044 of each line; long waves are the specimen's, as far as anybody can tell
    assert left.std() < 0.0055 + 0.15 * strength
    assert np.abs(clean - image - (clean - image).mean(axis=0)).max() < 1e-6


def test_the_simulators_amplifiers_are_stripes() -> None:
    counted = noise.apply(PARTICLES.astype(np.float32), noise.Poisson(30.0), 3)
    image = noise.apply(counted, noise.ColumnPattern(0.06), 4)
    clean, found = stripes.removed(image)
    assert 0.7 * 0.06 < found < 1.1 * 0.06
    assert np.std((clean - counted).mean(axis=0)) < 0.35 * 0.06


def test_rows_that_a_stray_beam_takes_elsewhere_are_none() -> None:
    lattice = np.exp(-(((X % 16) - 8) ** 2 + ((Y % 16) - 8) ** 2) / 10).astype(np.float32)
    strayed = noise.apply(lattice, noise.Jitter(x=0.0, y=0.4, line=0.4, y_phi=0.0, line_phi=0.0), 3)
    image = grainy(strayed, 0.1)
    assert stripes.removed(image)[0] is image


def test_what_a_specimen_has_along_whole_lines_stays() -> None:
    bars = ((X // 11) % 2 + (X // 37) % 2).astype(np.float64)
    blurred = ndimage.gaussian_filter1d(bars, 0.8, axis=1)
    specimens = {
        "nothing": np.zeros((SIDE, SIDE)),
        "particles": PARTICLES,
        "planes": np.cos(2 * np.pi * X / 4.3),
        "columns": np.exp(-(((X % 16) - 8) ** 2 + ((Y % 16) - 8) ** 2) / 10),
        "device": blurred,
        "edge": (X > 200).astype(np.float64),
    }
    for name, clean in specimens.items():
        for level in (0.02, 0.1, 0.4):
            image = grainy(clean, level)
            same, found = stripes.removed(image)
            assert same is image, (name, level, found)


def test_stripes_beside_planes_along_them_are_taken_off_and_the_planes_stay() -> None:
    planes = np.exp(-(((X % 16) - 8) ** 2 + ((Y % 16) - 8) ** 2) / 10)
    plain = grainy(planes)
    given = 0.05 * np.random.default_rng(2).standard_normal(SIDE)
    clean, found = stripes.removed((plain + given).astype(np.float32))
    assert found > 0.02
    left, before = (np.std(each - plain) for each in (clean, plain + given))
    assert left < 0.8 * before
    profile = clean.mean(axis=0)[: SIDE // 16 * 16].reshape(-1, 16).mean(axis=0)
    true = planes.mean(axis=0)[:16]
    assert np.ptp(profile) == pytest.approx(np.ptp(true), rel=0.1)


def test_a_data_bar_stays_and_whole_numbers_get_room() -> None:
    image = np.random.default_rng(0).poisson(100.0 + np.zeros((SIDE, SIDE))).astype(np.uint16)
    image += np.random.default_rng(1).integers(0, 20, SIDE).astype(np.uint16)
    image[460:] = 7
    clean, found = stripes.removed(image)
    assert clean.dtype == np.float32
    assert found == pytest.approx(20 / np.sqrt(12), rel=0.2)
    np.testing.assert_array_equal(clean[460:], 7)


@pytest.mark.parametrize("shape", [(1, 1), (64, 40), (40, 900), (64, 64), (65, 129)])
def test_small_flat_and_broken_images_have_none(shape: tuple[int, int]) -> None:
    broken = np.full(shape, np.nan, np.float32)
    for image in (np.zeros(shape, np.uint8), broken, np.full(shape, 1e300)):
        assert stripes.removed(image)[1] == 0.0
    rising = np.add.outer(np.zeros(shape[0]), np.arange(shape[1], dtype=np.float64) ** 2)
    assert stripes.removed(rising)[1] == 0.0


@pytest.mark.skipif(not DATA.exists(), reason="the real files are not here")
@pytest.mark.parametrize(
    ("name", "striped"),
    [
        ("ceta_dark_velox.emd", True),
        ("dark5_1.ser", True),
        ("sto_osiris_u16.tif", False),
        ("zeiss_sem_u8.tif", False),
        ("haadf_lowmag_1.ser", False),
        ("graphene_gb4nm.npy", False),
    ],
)
def test_dark_frames_of_cameras_have_stripes_and_images_of_specimens_none(name: str, striped: bool) -> None:
    pytest.importorskip("h5py")
    pixels = temclean.read(DATA / name).pixels
    frame = np.asarray(pixels).reshape(-1, *pixels.shape[-2:])[0]
    assert (stripes.removed(frame)[1] > 0.0) is striped


def test_results_show_no_stripes_and_a_note_says_so(tmp_path: Path, run: Callable[..., Any]) -> None:
    clean = PARTICLES[100:356, 150:406].astype(np.float32)
    given = (0.05 * np.random.default_rng(6).standard_normal(256)).astype(np.float32)
    np.save(tmp_path / "a.npy", grainy(clean, 0.1, 5) + given)
    done = run("denoise", tmp_path / "a.npy", "-m", "general", "--device", "cpu", "--json")
    notes = json.loads(done.out)["notes"]
    assert any(note.startswith("whole columns are brighter or darker by 0.04") for note in notes)
    left = (np.load(tmp_path / "a_general.npy") - clean).mean(axis=0)
    assert np.std(np.diff(left)) < 0.1 * np.std(np.diff(given))
