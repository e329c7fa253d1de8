"""Structures from files: their columns where they belong, as bright as their atoms, and what cannot be drawn."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from temclean.errors import FileError, MissingExtraError, ParameterError
from temclean.specimen import structures

build = pytest.importorskip("ase.build", reason="the crystal extra is not installed")


def cif(name: str, length: float, group: str, number: int, sites: str) -> str:
    """Write a cubic crystal as a CIF."""
    cell = "".join(f"_cell_length_{axis} {length}\n" for axis in "abc")
    angles = "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
    symmetry = f"_space_group_name_H-M_alt '{group}'\n_space_group_IT_number {number}\n"
    fields = ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
    return f"data_{name}\n{cell}{angles}{symmetry}loop_\n" + "".join(f"_atom_site_{f}\n" for f in fields) + sites


NACL = cif("NaCl", 5.64, "F m -3 m", 225, "Na1 Na 0 0 0\nCl1 Cl 0.5 0.5 0.5\n")
SILICON = cif("Si", 5.431, "F d -3 m", 227, "Si1 Si 0 0 0\n")
TITANATE = cif("SrTiO3", 3.905, "P m -3 m", 221, "Sr1 Sr 0 0 0\nTi1 Ti 0.5 0.5 0.5\nO1 O 0.5 0.5 0\n")


def rng_of(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def lattice_spacings(positions: np.ndarray, pixel_size: float) -> np.ndarray:
    distance, _ = cKDTree(positions).query(positions, k=2)
    return distance[:, 1] * pixel_size


def test_sodium_chloride_shows_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "nacl.cif"
    path.write_text(NACL)
    seen = structures.from_file(path, rng_of(3), 200, 0.1)
    np.testing.assert_allclose(lattice_spacings(seen.positions, 0.1), 2.82, atol=1e-3)
    assert abs(len(seen.positions) - (20 / 2.82) ** 2) < 15
    assert seen.polarity == 1
    assert seen.image.max() == 1.0
    for y, x in seen.positions[((seen.positions > 5) & (seen.positions < 194)).all(axis=1)]:
        row, column = round(y), round(x)
        patch = seen.image[row - 8 : row + 9, column - 8 : column + 9]
        assert np.abs(np.array(np.unravel_index(patch.argmax(), patch.shape)) - 8).max() <= 1
    ordered = seen.positions[np.lexsort(np.rint(seen.positions).T)]
    assert np.isclose(np.diff(ordered[:, 1]), 0.0, atol=1e-6).any(), "a points to the right"


def test_silicon_shows_its_pairs_along_110(tmp_path: Path) -> None:
    path = tmp_path / "si.cif"
    path.write_text(SILICON)
    seen = structures.from_file(path, rng_of(0), 160, 0.1, zone=(1, 1, 0), thickness=80)
    inner = seen.positions[((seen.positions > 20) & (seen.positions < 139)).all(axis=1)]
    distance, _ = cKDTree(seen.positions).query(inner, k=2)
    np.testing.assert_allclose(distance[:, 1] * 0.1, 5.431 / 4, atol=1e-3)


def test_columns_of_strontium_titanate_are_as_bright_as_their_atoms(tmp_path: Path) -> None:
    path = tmp_path / "sto.cif"
    path.write_text(TITANATE)
    seen = structures.from_file(path, rng_of(1), 128, 0.1, thickness=39.05)
    strontium, titanium, oxygen = (z**1.5 for z in (38, 22, 8))
    expected = np.array([oxygen, titanium + oxygen, strontium]) / strontium
    np.testing.assert_allclose(np.unique(seen.brightness.round(4)), expected, atol=2e-4)
    thick = structures.from_file(path, rng_of(1), 128, 0.1, thickness=78.1)
    np.testing.assert_allclose(thick.image, seen.image, atol=1e-4)


def test_molecules_are_drawn_as_they_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pair.xyz"
    path.write_text("3\ntwo golds and a carbon\nAu 0 0 5\nAu 4 0 -5\nC 0 2 0\n")
    seen = structures.from_file(path, rng_of(0), 101, 0.1)
    order = np.lexsort(seen.positions.T[::-1])
    np.testing.assert_allclose(seen.positions[order], [[40, 30], [40, 70], [60, 30]], atol=1e-9)
    np.testing.assert_allclose(seen.brightness[order], [1, 1, (6 / 79) ** 1.5], rtol=1e-5)
    side = structures.from_file(path, rng_of(0), 161, 0.1, zone=(0, 1, 0))
    assert len(side.positions) == 3
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("missing.cif", None, "no such file"),
        ("bad.cif", "this is no CIF", "bad.cif"),
        ("empty.cif", "", "empty.cif"),
        ("bad.xyz", "12\n\nC 0 0", "bad.xyz"),
        ("none.xyz", "0\nnothing\n", "none.xyz"),
        ("dummy.xyz", "1\na dummy\nX 0 0 0\n", "atomic number 0"),
        ("far.xyz", "1\nlost\nC nan 0 0\n", "far.xyz"),
    ],
)
def test_bad_files_are_named(
    name: str, text: str | None, part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(FileError, match=part) as caught:
        structures.from_file(path, rng_of(0), 64, 0.1)
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"zone": (0, 0, 0)}, r"zone \(0, 0, 0\)"),
        ({"zone": (1, 0)}, "zone"),
        ({"thickness": 0.0}, "thickness 0.0"),
        ({"thickness": -3.0}, "thickness -3.0"),
        ({"thickness": float("nan")}, "thickness nan"),
        ({"thickness": 1e9}, "4000000"),
        ({"pixel_size": 50.0}, "4000000"),
        ({"pixel_size": 0.0}, "pixel size 0.0"),
        ({"size": 0}, "size 0"),
    ],
)
def test_bad_parameters_are_named(changes: dict[str, object], part: str, tmp_path: Path) -> None:
    path = tmp_path / "nacl.cif"
    path.write_text(NACL)
    arguments = {"size": 64, "pixel_size": 0.1} | changes
    with pytest.raises(ParameterError, match=part):
        structures.from_file(path, rng_of(0), **arguments)


def test_a_thickness_needs_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "one.xyz"
    path.write_text("1\none\nC 0 0 0\n")
    with pytest.raises(ParameterError, match="no cell"):
        structures.from_file(path, rng_of(0), 32, 0.1, thickness=10.0)


def test_without_ase_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ase.io", None)
    path = tmp_path / "nacl.cif"
    path.write_text(NACL)
    with pytest.raises(MissingExtraError, match=r"temclean\[crystal\]"):
        structures.from_file(path, rng_of(0), 32, 0.1)


def test_partial_occupancy_dims_a_column(tmp_path: Path) -> None:
    for shares, bright in (("Au2 Au 0.5 0.5 0.5 0.25", 0.25), ("Au2 Au 0.5 0.5 0.5 0.5\nCu2 Cu 0.5 0.5 0.5 0.5", None)):
        path = tmp_path / "occupancy.cif"
        text = cif("Au", 4.0, "P 1", 1, f"Au1 Au 0 0 0 1.0\n{shares}\n")
        path.write_text(text.replace("_atom_site_fract_z\n", "_atom_site_fract_z\n_atom_site_occupancy\n"))
        seen = structures.from_file(path, rng_of(0), 160, 0.1, thickness=40.0)
        inner = ((seen.positions > 10) & (seen.positions < 150)).all(axis=1)
        expected = bright if bright is not None else 0.5 + 0.5 * (29 / 79) ** 1.5
        dim = seen.brightness[inner & (seen.brightness < 0.9)]
        assert len(dim) > 5
        np.testing.assert_allclose(dim, expected, rtol=0.02)


@pytest.mark.parametrize("vacuum", [None, 10.0])
def test_a_sheet_is_drawn_once(tmp_path: Path, vacuum: float | None) -> None:
    path = tmp_path / "sheet.xyz"
    build.graphene(size=(1, 1, 1), vacuum=vacuum).write(path)
    seen = structures.from_file(path, rng_of(0), 200, 0.1)
    gaps = cKDTree(seen.positions).query(seen.positions, 2)[0][:, 1]
    np.testing.assert_allclose(gaps, 14.2, rtol=0.01)
    assert len(seen.positions) == pytest.approx(400 / 2.62, rel=0.1)
    np.testing.assert_allclose(seen.brightness, 1.0, atol=1e-6)


def test_many_atoms_without_symmetry_are_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "large.cif"
    build.bulk("Cu", cubic=True).repeat(12).write(path)
    structure = structures.read(path)
    cell = structure.cell
    assert structure.repeats == (True, True, True)
    assert len(cell.sites) == 4 * 12**3
    assert set(cell.numbers) == {29}


def test_many_sites_in_a_space_group_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(structures, "MOST_SITES", 2)
    path = tmp_path / "large.cif"
    path.write_text(TITANATE)
    with pytest.raises(FileError, match="lists 3 sites"):
        structures.read(path)
