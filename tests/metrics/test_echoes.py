"""Maxima between columns are left out, and no atom is: crystals as their projections are, by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.metrics.echoes import echoes

Cell = list[tuple[float, float, float]]
"""Of each column of a cell: row and column in cells, height."""


def crystal(cell: Cell, rows: float, columns: float, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return the places and heights of a crystal whose cell has these sides."""
    j, i = (each.ravel() for each in np.mgrid[:count, :count])
    places = [np.stack([(j + y) * rows, (i + x) * columns], axis=1) for y, x, _ in cell]
    return np.concatenate(places), np.concatenate([np.full(len(j), height) for *_, height in cell])


GOLD: Cell = [(0, 0, 1.0), (0.5, 0.5, 1.0)]
"""[110] of face-centred crystals, a/sqrt 2 by a."""

CRYSTALS: dict[str, tuple[Cell, float, float]] = {
    "gold [110]": (GOLD, 4.08 / np.sqrt(2), 4.08),
    "zinc sulphide [110], dumbbells": ([*GOLD, (0, 0.25, 0.34), (0.5, 0.75, 0.34)], 5.41 / np.sqrt(2), 5.41),
    "molybdenum disulphide": ([(0, 0, 1), (0.5, 0.5, 1), (1 / 3, 0, 0.39), (5 / 6, 0.5, 0.39)], 5.47, 3.16),
    "boron nitride": ([(0, 0, 1), (0.5, 0.5, 1), (1 / 3, 0, 0.45), (5 / 6, 0.5, 0.45)], 4.34, 2.5),
    "titanate [100], oxygen": ([(0, 0, 1), (0.5, 0.5, 0.7), (0, 0.5, 0.3), (0.5, 0, 0.3)], 3.905, 3.905),
    "rock salt [110]": ([*GOLD, (0.5, 0, 0.3), (0, 0.5, 0.3)], 4.2 / np.sqrt(2), 4.2),
}


@pytest.mark.parametrize("name", CRYSTALS)
def test_no_atom_of_a_crystal_is_an_echo(name: str) -> None:
    places, heights = crystal(*CRYSTALS[name])
    assert not echoes(places, heights).any()
    turned = places @ np.array([[0.8, 0.6], [-0.6, 0.8]]) + np.random.default_rng(1).normal(0, 0.02, places.shape)
    assert not echoes(turned, heights).any()


def test_what_lies_between_atoms_of_gold_is_one_and_vacancies_and_light_atoms_are_not() -> None:
    places, heights = crystal(GOLD, 2.88, 4.08)
    between, faint = crystal([(0.25, 0.25, 0.35), (0.75, 0.75, 0.35)], 2.88, 4.08)
    keep = np.ones(len(places), bool)
    keep[[27, 90]] = False  # vacancies
    heights[[36, 110]] = 0.3  # light atoms on the lattice, as dopants are
    found = echoes(np.concatenate([places[keep], between]), np.concatenate([heights[keep], faint]))
    assert not found[: keep.sum()].any()
    inner = ((between > 1) & (between < [8 * 2.88 - 2, 8 * 4.08 - 3])).all(axis=1)
    assert found[keep.sum() :][inner].all()


def test_rings_that_are_hardly_higher_than_echoes_are_rings_though_they_reach_half_a_column() -> None:
    places, heights = crystal(GOLD, 2.88, 4.08)
    between, faint = crystal([(0.25, 0.25, 0.42), (0.75, 0.75, 0.42)], 2.88, 4.08)
    beside, high = places[::9] + np.array([0.9, 1.35]), np.full(len(places[::9]), 0.52)  # 0.65 of the way to the next
    heights[[37, 101]] = 0.52  # light atoms on the lattice
    every = [np.concatenate(each) for each in ((places, between, beside), (heights, faint, high))]
    found = echoes(*every)
    assert not found[: len(places)].any()
    assert found[-len(beside) :].mean() > 0.9


def test_few_columns_have_none() -> None:
    assert not echoes(np.zeros((0, 2)), np.zeros(0)).any()
    assert not echoes(np.array([[0.0, 0.0], [0.0, 5.0]]), np.array([1.0, 0.2])).any()
    assert not echoes(np.array([[0.0, 0.0], [0.0, 5.0], [0.0, 9.0]]), np.ones(3)).any()


def test_measure_leaves_them_out_and_says_how_many(tmp_path: Path, run: Callable[..., Any]) -> None:
    places, heights = crystal([(0, 0, 1.0), (0.5, 0, 0.35)], 16, 16, 12)
    places += 12
    line = np.arange(208.0)
    down, across = (np.exp(-((line - places[:, axis, None]) ** 2) / (2 * 2.0**2)) for axis in (0, 1))
    image = 1000 * np.einsum("n,ny,nx->yx", heights, down, across) + np.random.default_rng(2).normal(300, 8, (208, 208))
    path = io.write(tmp_path / "a.tif", io.Image.from_array(image.astype(np.float32), 0.02, "nm"), [image.astype("f4")])
    summary = json.loads(run("measure", path, "--columns", "--width", "2", "--json").out)["summary"]
    assert summary["columns"] == pytest.approx(144, abs=2)
    assert summary["left_out"] == pytest.approx(144, abs=2)
    assert "weak maxima between columns" in " ".join(run("measure", path, "--columns", "--width", "2").out.split())
