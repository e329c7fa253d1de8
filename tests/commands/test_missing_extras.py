"""What needs an optional package that is not there ends with exit code 2, and leaves nothing behind."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.commands import codes

Run = Callable[..., Any]
ImageFile = Callable[..., Path]

SALT = """\
data_NaCl
_cell_length_a 5.64
_cell_length_b 5.64
_cell_length_c 5.64
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M "P 1"
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Na 0 0 0
Cl 0.5 0.5 0.5
"""
NETWORK = Path(__file__).parents[1] / "data" / "network.onnx"


@pytest.fixture
def no_ase(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ase", "ase.io", "ase.spacegroup", "ase.data"):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture
def no_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for name in [name for name in sys.modules if name.startswith("temclean.io.hdf5")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def emd(tmp_path: Path) -> Path:
    path = tmp_path / "velox.emd"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(1000))
    return path


@pytest.mark.usefixtures("no_ase")
def test_simulate_of_a_crystal_says_it_once_and_makes_no_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "salt.cif").write_text(SALT)
    out = tmp_path / "new" / "pairs"
    done = run("simulate", "--noise", "g", "--specimen", tmp_path / "salt.cif", "-n", 10, "--size", 32, "-o", out)
    assert done.code == 2
    assert len(done.err.splitlines()) == 1
    assert "temclean[crystal]" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["salt.cif"]


@pytest.mark.usefixtures("no_h5py")
class TestWithoutH5py:
    @pytest.fixture(autouse=True)
    def runtime(self) -> None:
        pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

    def test_denoise_is_2_and_does_the_others(self, run: Run, tmp_path: Path, emd: Path, image_file: ImageFile) -> None:
        image_file(tmp_path / "a.tif", 5)
        done = run("denoise", tmp_path, "-m", NETWORK, "--json", "--device", "cpu")
        records = {Path(each["input"]).name: each for each in map(json.loads, done.out.splitlines())}
        assert (done.code, records["a.tif"]["status"]) == (2, "done")
        assert [line for line in done.err.splitlines() if line.startswith(f"{emd}: ")] == [
            f"{emd}: {records[emd.name]['error']}"
        ]
        assert "temclean[em]" in records[emd.name]["error"]

    def test_denoise_is_1_where_another_input_is_bad(self, run: Run, tmp_path: Path, emd: Path) -> None:
        (tmp_path / "bad.tif").write_bytes(b"II*\0\0")
        assert run("denoise", emd, tmp_path / "bad.tif", "-m", NETWORK, "--device", "cpu").code == 1

    def test_score_and_simulate_are_2(self, run: Run, tmp_path: Path, emd: Path) -> None:
        pixels = np.zeros((4, 4), np.float32)
        other = io.write(tmp_path / "a.tif", io.Image.from_array(pixels), [pixels])
        scored = run("score", other, emd)
        spoiled = run("simulate", emd, "--noise", "g", "-o", tmp_path / "new")
        assert (scored.code, spoiled.code) == (2, 2)
        assert "temclean[em]" in scored.err
        assert "temclean[em]" in spoiled.err
        assert not (tmp_path / "new").exists()


def test_all_that_failed_failed_for_an_extra_or_not() -> None:
    assert [codes.of_failures(*counts) for counts in ((0, 0), (3, 3), (3, 2), (1, 0))] == [0, 2, 1, 1]
