"""``temclean inspect --sheet``: which models are on it, what they are shown to make of which part, where it goes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import temclean
from temclean import io
from temclean.commands.views import letters, sheet
from temclean.restoration import models

Run = Callable[..., Any]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is written on pictures from here on."""
    found: list[str] = []
    monkeypatch.setattr(letters, "write", lambda on, place, text, size, **_: found.append(text))
    return found


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave three models."""
    shipped = models.available()
    monkeypatch.setattr(models, "available", lambda: {name: shipped[name] for name in ("bbg", "general", "sp")})


def save(path: Path, wild: float = 0.0) -> Path:
    """Write soft shapes under Gaussian noise, and specks on a share of the pixels."""
    draw = np.random.default_rng(0)
    y, x = np.mgrid[:200, :230] / 40
    frame = 900 + 300 * np.tanh(4 * np.sin(x) * np.cos(1.3 * y)) + draw.normal(0, 60, (200, 230))
    specks = draw.random(frame.shape) < wild
    frame[specks] = np.where(draw.random(specks.sum()) < 0.5, 0, 2000)
    return io.write(path, io.Image.from_array(frame.astype("u2"), 0.2, "nm"), [frame.astype("u2")])


def test_a_model_of_particles_is_not_shown_a_lattice(
    run: Run, tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = models.available()
    monkeypatch.setattr(models, "available", lambda: {name: shipped[name] for name in ("lde", "g")})
    y, x = np.mgrid[:256, :256] * 2 * np.pi / 16
    frame = 900 + 300 * np.cos(x) * np.cos(y) + np.random.default_rng(0).normal(0, 60, (256, 256))
    source = io.write(tmp_path / "a.tif", io.Image.from_array(frame.astype("u2"), 0.02, "nm"), [frame.astype("u2")])
    assert run("inspect", source, "--sheet", tmp_path / "sheet.png").code == 0
    assert any(line.startswith("left out: lde") for line in said)


def atoms(sign: float) -> np.ndarray:
    """Return counts of round atoms, bright or dark, on even ground: what a camera counts."""
    y, x = (np.mgrid[:256, :256] + 8) % 16 - 8
    return np.random.default_rng(0).poisson(60 * (1 + sign * 0.8 * np.exp(-(x**2 + y**2) / 12))).astype("u2")


def particles(electrons: float) -> np.ndarray:
    y, x = np.mgrid[:256, :256]
    places = np.random.default_rng(1).uniform(20, 236, (12, 2))
    inside = np.any([np.hypot(y - row, x - column) < 9 for row, column in places], axis=0)
    return np.random.default_rng(2).poisson(electrons * (1 - 0.5 * inside)).astype("u2")


@pytest.mark.parametrize(
    ("frame", "nanometres", "shown", "left_out"),
    [
        (atoms(1), 0.02, {"bbg", "n2a"}, {"lde"}),
        (atoms(-1), 0.02, set(), {"bbg", "n2a", "lde"}),
        (particles(6), 3.0, {"lde"}, {"bbg", "n2a", "g"}),
        (particles(400), 3.0, set(), {"bbg", "n2a", "lde"}),
    ],
    ids=["bright atoms", "dark atoms", "particles at few counts", "particles at many counts"],
)
def test_models_of_one_thing_are_shown_that_thing_alone(
    frame: np.ndarray,
    nanometres: float,
    shown: set[str],
    left_out: set[str],
    run: Run,
    tmp_path: Path,
    said: list[str],
) -> None:
    source = io.write(tmp_path / "a.tif", io.Image.from_array(frame, nanometres, "nm"), [frame])
    assert run("inspect", source, "--sheet", tmp_path / "sheet.png").code == 0
    assert {line.split(",")[0].removeprefix("left out: ") for line in said if line.startswith("left out")} >= left_out
    assert set(said) >= shown | {"general", "lr"} - {line.split(",")[0] for line in said if "which auto" in line}
    assert not left_out & set(said)


def test_a_few_counts_are_not_rounded_to_whole_ones(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = models.available()
    monkeypatch.setattr(models, "available", lambda: {"lr": shipped["lr"]})
    y, x = np.mgrid[:200, :200] / 30
    frame = np.random.default_rng(0).poisson(3 + np.sin(x) + np.cos(y)).astype("u1")
    source = io.write(tmp_path / "a.tif", io.Image.from_array(frame), [frame])
    run("inspect", source, "--sheet", tmp_path / "sheet.png")
    first = sheet.GAP + sheet.SIDE * sheet.TIMES + sheet.GAP
    panel = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))[sheet.GAP :][:300, first:][:, :300]
    assert len(np.unique(panel)) > 50  # rounded, there are some ten


@pytest.mark.usefixtures("few")
def test_models_that_fit_are_shown_and_others_named(run: Run, tmp_path: Path, said: list[str]) -> None:
    source, path = save(tmp_path / "a.tif"), tmp_path / "sheet.png"
    done = run("inspect", source, "--sheet", path)
    assert (done.code, done.err) == (0, "")
    assert "general, which auto takes" in said
    assert "a.tif" in said
    assert {line.split(",")[0] for line in said if line.startswith("left out")} == {"left out: bbg", "left out: sp"}
    assert any("Gaussian" in line for line in said)
    (level,) = (float(line.split()[2]) for line in said if line.startswith("removed noise: "))
    assert level == pytest.approx(60 / 600, rel=0.1)
    with temclean.read(source) as image:
        whole = temclean.denoise(image, model="general", device="cpu").pixels[0]
    first = sheet.GAP + max(sheet.SIDE, 230) * sheet.TIMES + sheet.GAP
    panel = np.asarray(Image.open(path))[sheet.GAP : sheet.GAP + 300 : 2, first : first + 460 : 2]
    assert np.corrcoef(panel.ravel(), whole[:150].ravel())[0, 1] > 0.995  # above the bar
    assert io.provenance(path) is not None


@pytest.mark.usefixtures("few")
def test_specks_bring_the_models_for_specks(run: Run, tmp_path: Path, said: list[str]) -> None:
    run("inspect", save(tmp_path / "a.tif", wild=0.05), "--sheet", tmp_path / "sheet.png")
    assert any(line.startswith("sp") for line in said)
    assert not any("left out: sp" in line for line in said)


@pytest.mark.usefixtures("few")
def test_a_data_bar_is_not_the_part_with_most_structure(run: Run, tmp_path: Path, said: list[str]) -> None:
    frame = np.random.default_rng(1).normal(100, 10, (700, 400)).clip(0, 255)
    frame[600:] = 255
    frame[620:670:9, 40:160] = 0
    path = io.write(tmp_path / "a.tif", io.Image.from_array(frame.astype("u1"), 1.0, "nm"), [frame.astype("u1")])
    run("inspect", path, "--sheet", tmp_path / "sheet.png")
    (where,) = [line for line in said if line.startswith("raw, at row")]
    assert int(where.split("row ")[1].split(",")[0]) + sheet.SIDE <= 600


@pytest.mark.parametrize("shape", [(600, 500), (1000, 300), (180, 700)])
def test_the_part_with_most_structure_is_shown(shape: tuple[int, int]) -> None:
    frame = np.random.default_rng(1).normal(0, 1, shape)
    row, column = shape[0] - 150, shape[1] - 140
    frame[row : row + 80, column : column + 80] += 3
    top, left = sheet.place(frame, 256)
    assert top <= row <= top + 256 - 80
    assert left <= column <= left + 256 - 80
    assert 0 <= top <= max(0, shape[0] - 256)
    assert 0 <= left <= max(0, shape[1] - 256)


@pytest.mark.usefixtures("few")
def test_nothing_is_replaced_unasked_and_the_image_never(run: Run, tmp_path: Path) -> None:
    source, path = save(tmp_path / "a.tif"), tmp_path / "sheet.png"
    assert f"  sheet        {path}" in run("inspect", source, "--sheet", path).out
    before = path.read_bytes()
    done = run("inspect", source, "--sheet", path)
    assert (done.code, done.err) == (2, f"temclean: {path}: exists; --overwrite replaces it\n")
    done = run("inspect", path, "--sheet", path, "--overwrite")
    assert done.code == 2
    assert "over its image" in done.err
    assert path.read_bytes() == before
    assert json.loads(run("inspect", source, "--sheet", path, "--overwrite", "--json").out)["sheet"] == str(path)
    assert run("inspect", source, "--sheet", tmp_path / "nowhere" / "sheet.png").code == 2
    done = run("inspect", source, "--overwrite")
    assert (done.code, done.err) == (2, "temclean: --overwrite means nothing without --sheet; leave it out\n")
    path.unlink()
    done = run("inspect", source, save(tmp_path / "b.tif"), "--sheet", path)
    assert done.code == 2
    assert "one FILE" in done.err
    assert run("inspect", source, "--sheet", tmp_path / "sheet.jpg").code == 2
    assert run("inspect", tmp_path / "none.tif", "--sheet", tmp_path / "other.png").code == 1
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.tif", "b.tif"]


def test_an_image_that_cannot_be_shown_is_named(run: Run, tmp_path: Path) -> None:
    frame = np.ones((64, 64), np.float32)
    frame[3, 4] = np.nan
    path = io.write(tmp_path / "a.tif", io.Image.from_array(frame), [frame])
    done = run("inspect", path, "--sheet", tmp_path / "sheet.png")
    assert done.code == 1
    assert done.err.startswith(f"temclean: {path}: 1 of 4096 pixels are NaN")
