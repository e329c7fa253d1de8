"""Densities from first principles: the structures, one real calculation, and a run that is interrupted."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from temclean.cli import cli
from temclean.errors import FileError
from temclean.specimen import atoms
from temclean.training import dft


def test_perfect_cell_is_graphene() -> None:
    cell, sites = dft.cell_of((3, 5)), dft.perfect((3, 5))
    np.testing.assert_allclose(cell, [12.780, 12.298], atol=5e-4)
    assert len(sites) == 60
    gaps = sites[:, None] - sites
    gaps -= cell * np.rint(gaps / cell)
    distances = np.sort(np.linalg.norm(gaps, axis=-1), axis=1)
    np.testing.assert_allclose(distances[:, 1:4], atoms.BOND)
    np.testing.assert_allclose(distances[:, 4], np.sqrt(3) * atoms.BOND)


def test_disordered_atoms_stay_in_their_cell() -> None:
    for number in range(20):
        positions = dft.disordered((3, 5), 7, number)
        shifts = positions - dft.perfect((3, 5))
        assert 0.0 < np.abs(shifts).max() <= atoms.BOND / 5
        assert positions.min() > 0.3
        assert (positions < dft.cell_of((3, 5)) - 0.3).all()
    assert np.array_equal(dft.disordered((3, 5), 7, 3), dft.disordered((3, 5), 7, 3))
    assert not np.array_equal(dft.disordered((3, 5), 7, 3), dft.disordered((3, 5), 8, 3))


SMALL = dft.Settings(thickness=10.0, cutoff=40.0, tolerance=1e-6, repeats=(1, 1))
STORED = {
    1.0: (4.23113e-2, 2.64826e-1, 1.52347e-1, 2.30427e-1, 2.32862e-1),
    3.0: (6.76406e-5, 1.47990e-4, 1.05845e-4, 1.33247e-4, 1.24523e-4),
}
"""By height: least, greatest and mean density, and two samples, of PySCF 2.14."""


def test_four_atoms_have_the_density_and_energy_that_are_stored() -> None:
    pytest.importorskip("pyscf", reason="the dft extra is not installed")
    found = dft.solve(dft.disordered((1, 1), 1, 0), SMALL, heights=(1.0, 3.0))
    assert found.energy == pytest.approx(-22.469607, abs=2e-4)
    for height, stored in STORED.items():
        plane = found.planes[height]
        assert plane.shape == (25, 15)
        measured = [plane.min(), plane.max(), plane.mean(), plane[5, 3], plane[17, 11]]
        np.testing.assert_allclose(measured, stored, rtol=5e-3)


def fake(positions: np.ndarray, settings: dft.Settings) -> dft.Density:
    """Stand for a calculation: a wave of known size."""
    y, x = np.mgrid[:10, :8]
    wave = 2.0 + np.sin(2 * np.pi * y / 10) * np.cos(2 * np.pi * x / 8) + 0.1 * positions[0, 0]
    return dft.Density({height: wave * 10.0**-height for height in dft.HEIGHTS}, -340.0, 9)


def test_run_goes_on_where_it_was_and_packs_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def solve(positions: np.ndarray, settings: dft.Settings) -> dft.Density:
        calls.append(len(positions))
        if len(calls) == 2:
            raise FileError("interrupted")
        return fake(positions, settings)

    monkeypatch.setattr(dft, "solve", solve)
    arguments = ["--structures", "3", "--seed", "5", "-o", str(tmp_path)]
    assert isinstance(CliRunner().invoke(cli, ["train", "dft", *arguments]).exception, FileError)
    done = CliRunner().invoke(cli, ["train", "dft", *arguments])
    assert done.exit_code == 0
    assert calls == [60, 60, 60, 60]
    assert done.stderr.splitlines()[0] == "structure 1/3  -340.000000 Ha, 9 steps, kept"
    assert done.stdout.strip() == str(tmp_path / "graphene_maps.npz")
    with np.load(tmp_path / "graphene_maps.npz") as packed:
        assert packed["maps"].dtype == np.uint16
        assert json.loads(str(packed["settings"]))["basis"] == "gth-dzvp-molopt-sr"
        for number in range(3):
            positions = dft.disordered((3, 5), 5, number)
            np.testing.assert_allclose(packed["positions"][number], positions, atol=1e-5)
            low, high = packed["range"][number]
            density = low + (high - low) * packed["maps"][number] / 65535
            np.testing.assert_allclose(density, fake(positions, SMALL).planes[3.0], rtol=1e-4)
    other = CliRunner().invoke(cli, ["train", "dft", *arguments[:3], "6", "-o", str(tmp_path)])
    assert "another seed" in str(other.exception)
    assert not list(tmp_path.glob("*.part"))
